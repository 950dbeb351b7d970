"""A store that many tests share is emptied between them."""

from __future__ import annotations

import sqlite3

from crawler.store import Store


def emptied(store: Store) -> None:
    """Take every row out of a SQLite store that stays open."""
    connection = sqlite3.connect(str(store.path), timeout=30)
    with connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'")
        names = [name for (name,) in tables]
        # The triggers fill these two while the others are emptied.
        for name in sorted(names, key=lambda name: name.startswith("gone_")):
            connection.execute(f"DELETE FROM {name}")
    connection.close()
