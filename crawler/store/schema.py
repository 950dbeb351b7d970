"""Brings a database to the newest schema: one transaction per revision, never between two.

Alembic is imported only when there is something to migrate.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import SchemaMismatch, StoreError
from crawler.store.db import Database
from crawler.store.migrations import HEAD

_SCRIPTS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"
_MOST_STEPS = 1000
# Any constant will do: it keeps two upgrades of one PostgreSQL database apart.
_UPGRADE_LOCK = 7265001


def current(connection: Connection) -> str | None:
    """The schema's revision, or None for an empty database."""
    if not sa.inspect(connection).has_table(_VERSION_TABLE):
        return None
    return connection.execute(sa.text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()


def check(database: Database) -> None:
    """Raises SchemaMismatch unless the database has exactly this program's schema."""
    with database.read() as connection:
        found = current(connection)
    if found == HEAD:
        return
    if found is None:
        raise SchemaMismatch(f"the database {database.shown} is empty: run `mention-crawler init`")
    advice = (
        "run `mention-crawler upgrade`" if found < HEAD else "it was made by a newer mention-crawler: update this one"
    )
    raise SchemaMismatch(f"the database {database.shown} has schema {found}, this program needs {HEAD}: {advice}")


def upgrade(database: Database) -> list[str]:
    """Migrate to head; returns the revisions applied. Safe to run twice and by two processes at once."""
    with database.read() as connection:
        if current(connection) == HEAD:
            return []
    applied: list[str] = []
    while len(applied) < _MOST_STEPS:
        with database.write() as connection:
            step = _step(database, connection)
        if step is None:
            return applied
        applied.append(step)
    raise StoreError("the schema does not reach its newest revision")


def _step(database: Database, connection: Connection) -> str | None:
    if not database.is_sqlite:
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
    found = current(connection)
    if found == HEAD:
        return None
    if found is not None and found > HEAD:
        raise SchemaMismatch(f"the database has schema {found}, newer than this program's {HEAD}: update the program")
    from alembic import command
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "+1")
    return current(connection)
