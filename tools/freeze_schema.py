"""Writes the SQL of the first revision from `crawler.store.tables`, one file for each database.

Only until the first release: after that a revision is never changed, and a new one is added beside it.

    .venv/bin/python tools/freeze_schema.py
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

import crawler.store.migrations
from crawler.store.tables import metadata, triggers

DIALECTS: dict[str, Dialect] = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}
FOLDER = Path(crawler.store.migrations.__file__).parent / "versions"


def statements(name: str) -> list[str]:
    """Every statement that makes the schema on that database, in an order that works."""
    dialect = DIALECTS[name]
    tables = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    indexes = [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in metadata.sorted_tables
        for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
    lines = [statement.strip().replace(" \n", "\n").replace("\t", "    ") for statement in [*tables, *indexes]]
    return lines + triggers(name)


def frozen(name: str) -> str:
    """The file's text: statements apart by an empty line."""
    return "\n\n".join(statements(name)) + "\n"


def path(name: str) -> Path:
    """Where the file of that database lies."""
    return FOLDER / f"0001_first.{name}.sql"


if __name__ == "__main__":
    for name in DIALECTS:
        path(name).write_text(frozen(name), encoding="utf-8")
        print(path(name))
