"""The schema's history. `HEAD` is the newest revision, told here so that opening a database needs no alembic."""

from __future__ import annotations

HEAD = "0003"
