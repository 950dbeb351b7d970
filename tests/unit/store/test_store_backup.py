"""A copy taken while others write is whole."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from store_kit import Clock, World, arrival, document, post

from crawler.errors import StoreError
from crawler.store import Store


@pytest.fixture
def world(sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    """A world on SQLite; PostgreSQL has its own test below."""
    path = tmp_path / "mentions.db"
    path.write_bytes(sqlite_template.read_bytes())
    clock = Clock()
    with Store.open(f"sqlite:///{path}", durable=False, now=clock) as store:
        yield World(store, clock)


def test_a_backup_under_load_is_consistent(world: World, tmp_path: Path) -> None:
    world.sync()
    run = world.run()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            rows = [arrival(post(number * 10 + place)) for place in range(10)]
            world.store.intake.take(run, document(b"%d" % number), rows, None, None)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [world.store.backup(tmp_path / f"copy{number}.db") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    for path in copies:
        with Store.open(f"sqlite:///{path}") as copy:
            assert World(copy, world.clock).gaps() == ()
            assert copy.check() == []


def test_a_backup_overwrites_nothing(world: World, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("precious")
    with pytest.raises(StoreError, match="name another file"):
        world.store.backup(there)
    assert there.read_text() == "precious"
    assert list(tmp_path.glob("*.part")) == []


def test_damage_is_found(world: World) -> None:
    world.sync()
    world.take(world.run(), post(1), body=b"whole")
    with world.store._db.write() as connection:
        connection.exec_driver_sql("UPDATE bodies SET body = x'28b52ffd00'")
    with pytest.raises(StoreError, match="restore a backup"):
        next(iter(world.store.documents.of(None, None)))


@pytest.mark.postgres
def test_a_postgresql_backup_restores(postgres: PostgresServer, tmp_path: Path) -> None:
    with Store.create(postgres.new_database(), now=Clock()) as store:
        world = World(store, Clock())
        world.sync()
        world.take(world.run(), post(1), post(2))
        dump = store.backup(tmp_path / "mentions.dump")
    fresh = postgres.new_database()
    subprocess.run([postgres.programs / "pg_restore", "--no-owner", f"--dbname={fresh}", dump], check=True)
    with Store.open(fresh) as copy:
        assert copy.posts.count() == 2
        assert World(copy, world.clock).gaps() == ()
