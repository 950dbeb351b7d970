"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from postgres_server import PostgresServer, binaries
from sqlalchemy.pool import Pool

# Set by pytest-xdist for itself: the commands under test would fold their tables by it.
os.environ.pop("COLUMNS", None)

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@sa.event.listens_for(Pool, "connect")
def _read_backwards(raw: object, record: object) -> None:
    """SQLite gives rows without ORDER BY the other way round: whatever leans on their order fails here, not one day."""
    if isinstance(raw, sqlite3.Connection):
        raw.execute("PRAGMA reverse_unordered_selects=ON")


# CI tries the same examples each time: a new find belongs on a desk, where the search stays random.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# A suite started in the background inherits an ignored SIGINT, and so would every command under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared material beside the project; tests that read it are skipped, visibly, where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"shared material is not here: {folder}")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server; a visible skip where its programs are not installed, a failure in CI."""
    programs = binaries()
    if programs is None:
        reason = "PostgreSQL's programs are not installed: apt-get install postgresql"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    server = PostgresServer(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the newest schema, to be copied: quicker than making one for each test."""
    from crawler.store import Store

    path = tmp_path_factory.mktemp("template") / "template.db"
    store = Store.create(f"sqlite:///{path}")
    store.checkpoint()
    store.close()
    return path


@pytest.fixture(scope="session")
def postgres_database(postgres: PostgresServer) -> str:
    """The URL of a PostgreSQL database with the newest schema."""
    from crawler.store import Store

    url = postgres.new_database()
    Store.create(url).close()
    return url


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the newest schema and no rows, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "mentions.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url: str = request.getfixturevalue("postgres_database")
    yield url
    request.getfixturevalue("postgres").clean(url)
