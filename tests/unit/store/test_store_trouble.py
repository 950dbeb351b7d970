"""What the store does when the world is bad: a full disk, a lock that stays, a connection cut, a broken migration."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path

import psycopg
import pytest
from postgres_server import PostgresServer
from store_kit import Clock, World, arrival, document, opens, post

from crawler.errors import StoreError
from crawler.model import Author, PostOutcome, Verdict
from crawler.store import Store, schema
from crawler.store.migrations import HEAD


@pytest.fixture
def path(sqlite_template: Path, tmp_path: Path) -> Path:
    """A SQLite file with the newest schema."""
    return Path(shutil.copyfile(sqlite_template, tmp_path / "mentions.db"))


def test_a_full_disk_writes_nothing_and_heals_by_itself(path: Path) -> None:
    with Store.open(f"sqlite:///{path}", durable=False, now=Clock()) as store:
        world = World(store, Clock())
        world.sync()
        run = world.run()
        world.take(run, post(1))
        with store._db.write() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreError, match="free some space"):
            world.take(run, *(post(number, "long " * 3000) for number in range(2, 60)))
        assert store.posts.count() == 1
        with store._db.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        assert world.take(run, post(2))[PostOutcome.NEW] == 1
        assert world.gaps() == ()


def test_a_lock_that_stays_is_an_error_with_advice_and_reading_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.store.db.BUSY_SECONDS", 0.2)
    other = sqlite3.connect(path, isolation_level=None)
    with Store.open(f"sqlite:///{path}") as store:
        store.alerts.set_("before", "the lock")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds it"):
            store.alerts.set_("during", "the lock")
        assert [it.key for it in store.alerts.open()] == ["before"]
        other.execute("ROLLBACK")
        assert store.alerts.set_("after", "the lock")
    other.close()


def test_a_writer_waits_for_a_short_lock(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with Store.open(f"sqlite:///{path}") as store:
        other.execute("BEGIN IMMEDIATE")
        from threading import Timer

        timer = Timer(0.3, other.execute, ["ROLLBACK"])
        timer.start()
        begun = time.monotonic()
        assert store.alerts.set_("a", "cause")
        assert time.monotonic() - begun > 0.2
        timer.join()
    other.close()


def cut_everyone(postgres: PostgresServer) -> None:
    """End every connection to the server."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(others)


@pytest.mark.postgres
def test_connections_that_the_server_cut_are_made_again(postgres: PostgresServer, postgres_database: str) -> None:
    with Store.open(postgres_database, durable=False) as store:
        for _ in range(2):
            store.alerts.set_("a", "cause")
            assert len(store.alerts.open()) == 1
            cut_everyone(postgres)
    postgres.clean(postgres_database)


@pytest.mark.postgres
def test_a_cut_in_the_middle_of_a_transaction_starts_it_again(postgres: PostgresServer, postgres_database: str) -> None:
    with Store.open(postgres_database, durable=False, now=Clock()) as store:
        world = World(store, Clock())
        world.sync()
        run = world.run()
        attempts = []

        def work(connection: object) -> str:
            attempts.append(connection)
            if len(attempts) == 1:
                with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    )
            connection.exec_driver_sql("SELECT 1")  # type: ignore[attr-defined]
            return "done"

        assert store._db.transact(work) == "done"
        assert len(attempts) == 2
        assert store.intake.take(run, document(), [arrival(post(1))], None, None)[PostOutcome.NEW] == 1
        assert world.gaps() == ()
    postgres.clean(postgres_database)


NEXT = f"{int(HEAD) + 1:04}"
SECOND = f"""
import os, sqlalchemy as sa
from alembic import op
revision, down_revision = "{NEXT}", "{HEAD}"

def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    if os.environ.get("BREAK"):
        raise RuntimeError("the power went")
    op.create_table("whole", sa.Column("id", sa.Integer, primary_key=True))
"""


def test_a_revision_is_applied_whole_or_not_at_all(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "migrations"
    shutil.copytree(schema._SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / f"{NEXT}_half.py").write_text(SECOND)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_SCRIPTS", scripts)
        patch.setattr(schema, "HEAD", NEXT)
        patch.setenv("BREAK", "1")
        with pytest.raises(RuntimeError, match="power"):
            Store.create(store_url)
    with Store.open(store_url) as store:
        assert store.alerts.set_("still", "usable")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_SCRIPTS", scripts)
        patch.setattr(schema, "HEAD", NEXT)
        with Store.create(store_url) as store:
            assert [it.key for it in store.alerts.open()] == ["still"]
            with store._db.write() as connection:
                connection.exec_driver_sql("DROP TABLE half")
                connection.exec_driver_sql("DROP TABLE whole")
                connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


def test_messages_from_outside_cannot_break_the_row(world: World) -> None:
    (mention_id,) = world.analysed(1)
    bad = "it said \x00 and \ud800 " + "x" * 10_000
    world.store.tickets.decide([opens(mention_id, "k1", ("zammad",))], 1)
    (row,) = world.store.outbox.claim("w", world.clock(), 1, 60, ["zammad"])
    world.store.outbox.settle("w", [], [(row.id, bad, world.clock(), True)], [])
    world.store.alerts.set_("bad", bad)
    result = world.store.runs.finish(world.store.runs.get(1), Verdict.FAILED, bad, 1.0, None)
    (alert,) = world.store.alerts.open()
    (delivery,) = world.store.tickets.get("k1").deliveries
    assert alert.cause == result.error == delivery.error
    assert alert.cause.startswith("it said \ufffd and \ufffd x") and len(alert.cause) == 4000


def test_a_thread_of_any_length_can_be_joined(world: World) -> None:
    world.sync()
    thread = "http://a.example/" + "t" * 9000
    world.take(
        world.run(), post(1, author=Author("A"), thread=thread), post(2, "Me again", author=Author("A"), thread=thread)
    )
    world.match()
    world.analyse()
    first, second = world.store.mentions.untriaged(10)
    world.store.tickets.decide([opens(first.id, "k1")], 1)
    assert world.store.tickets.open_for([second])[second.id].key == "k1"
