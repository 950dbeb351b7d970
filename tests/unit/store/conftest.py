"""A world on each database; its books are balanced after every test.

The store behind it stays open for the whole session, since SQLAlchemy compiles its statements once for each engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from emptied import emptied
from postgres_server import PostgresServer
from store_kit import Clock, World

from crawler.store import Store

CLOCK = Clock()


@pytest.fixture(scope="session")
def sqlite_store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An open store on SQLite."""
    path = tmp_path_factory.mktemp("standing") / "mentions.db"
    shutil.copyfile(sqlite_template, path)
    with Store.open(f"sqlite:///{path}", durable=False, now=CLOCK) as store:
        yield store


@pytest.fixture(scope="session")
def postgresql_store(postgres_database: str) -> Iterator[Store]:
    """An open store on PostgreSQL."""
    with Store.open(postgres_database, durable=False, now=CLOCK) as store:
        yield store


@pytest.fixture(
    params=[
        pytest.param("sqlite", id="sqlite"),
        pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres),
    ]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """An empty store whose clock stands still."""
    store: Store = request.getfixturevalue(f"{request.param}_store")
    CLOCK.reset()
    yield World(store, CLOCK)
    gaps = World(store, CLOCK).gaps()
    if request.param == "sqlite":
        emptied(store)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        server.clean(store.url)
    assert gaps == ()
