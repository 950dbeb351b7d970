"""The first schema: the SQL that lies beside this file, for each database its own."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    bind = op.get_bind()
    path = Path(__file__).with_name(f"0001_first.{bind.dialect.name}.sql")
    for statement in path.read_text(encoding="utf-8").split("\n\n"):
        bind.exec_driver_sql(statement)
