"""Creating, opening and migrating: on the newest schema or on the old one, never between."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from store_kit import START

from crawler.errors import SchemaMismatch, StoreError
from crawler.store import Store, schema
from crawler.store.db import Database
from crawler.store.migrations import HEAD
from crawler.store.tables import metadata
from crawler.store.types import UtcDateTime

MIGRATIONS = Path(schema.__file__).parent / "migrations"


def run_sql(url: str, statement: str) -> None:
    database = Database(url)
    with database.write() as connection:
        connection.exec_driver_sql(statement)
    database.close()


def test_create_is_idempotent_and_open_finds_it(empty_url: str) -> None:
    with Store.create(empty_url) as store:
        store.alerts.set_("a", "cause")
        assert store.upgrade() == []
    Store.create(empty_url).close()
    with Store.open(empty_url) as store:
        assert [it.key for it in store.alerts.open()] == ["a"]
        assert store.url == empty_url


def test_migrations_give_exactly_the_tables(empty_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    Store.create(empty_url).close()
    database = Database(empty_url)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_head_is_the_newest_revision() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_opening_an_empty_database_says_what_to_do(empty_url: str) -> None:
    Database(empty_url, must_exist=False).checkpoint()
    with pytest.raises(SchemaMismatch, match="mention-crawler init"):
        Store.open(empty_url)


def test_opening_another_schema_says_what_to_do(empty_url: str) -> None:
    Store.create(empty_url).close()
    for version, advice in (("0000", "mention-crawler upgrade"), ("9999", "newer mention-crawler")):
        run_sql(empty_url, f"UPDATE alembic_version SET version_num = '{version}'")
        with pytest.raises(SchemaMismatch, match=advice):
            Store.open(empty_url)
    with pytest.raises(SchemaMismatch, match="update the program"):
        Store.create(empty_url)


@pytest.mark.process
def test_two_processes_may_create_at_once(empty_url: str) -> None:
    context = get_context("forkserver")
    creators = [context.Process(target=_create, args=(empty_url,)) for _ in range(3)]
    for creator in creators:
        creator.start()
    for creator in creators:
        creator.join(60)
    assert [creator.exitcode for creator in creators] == [0, 0, 0]
    Store.open(empty_url).close()


def _create(url: str) -> None:
    Store.create(url).close()


@pytest.mark.process
@pytest.mark.parametrize("step", [1, 12, 40])
def test_a_killed_migration_leaves_the_old_schema(empty_url: str, step: int) -> None:
    child = get_context("forkserver").Process(target=_create_and_die, args=(empty_url, step))
    child.start()
    child.join(60)
    assert child.exitcode == -9
    with pytest.raises(StoreError):
        Store.open(empty_url)
    Store.create(empty_url).close()
    with Store.open(empty_url) as store:
        assert store.check() == []


def _create_and_die(url: str, step: int) -> None:
    left = [step]

    def count(connection: Any, cursor: Any, statement: str, *rest: object) -> None:
        left[0] -= statement.lstrip().startswith(("CREATE", "INSERT"))
        if not left[0]:
            os.kill(os.getpid(), 9)

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    Store.create(url)


@pytest.mark.process
def test_opening_never_imports_alembic(sqlite_template: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(sqlite_template.read_bytes())
    program = (
        "import sys; from crawler.store import Store;"
        f"Store.create('sqlite:///{copy}').close(); Store.open('sqlite:///{copy}').close();"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_a_missing_file_and_a_wrong_url_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no database at .*nothing\.db"):
        Store.open(f"sqlite:///{tmp_path}/nothing.db")
    assert not (tmp_path / "nothing.db").exists()
    for url, words in (
        ("mysql://localhost/x", "mysql is not supported"),
        ("not a url", "not a URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ):
        with pytest.raises(StoreError, match=words):
            Store.create(url)


def test_no_message_holds_the_password() -> None:
    with pytest.raises(StoreError) as caught:
        Store.open("postgresql://me:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is not a database at all" * 1000)
    with pytest.raises(StoreError, match="restore a backup"):
        Store.open(f"sqlite:///{path}")


def test_no_start_where_wal_cannot_be_set(tmp_path: Path) -> None:
    url = f"sqlite:///file:{tmp_path}/plain.db?vfs=unix-none&uri=true"
    with pytest.raises(StoreError, match="cannot use WAL"):
        Store.create(url)


def test_sqlite_is_set_up_for_many_processes(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    for durable, level in ((True, 2), (False, 1)):
        database = Database(f"sqlite:///{path}", durable=durable)
        with database.write() as connection:
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        assert found == ["wal", level, 1, 30000]
        database.close()


def test_the_reading_engine_cannot_write(empty_url: str) -> None:
    Store.create(empty_url).close()
    database = Database(empty_url)
    with pytest.raises(StoreError, match=r"(?i)read-?only"), database.read() as connection:
        connection.exec_driver_sql("DELETE FROM leases")
    database.close()


def test_a_long_wal_is_written_back(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.store.db.WAL_LIMIT", 100_000)
    path = tmp_path / "copy.db"
    path.write_bytes(sqlite_template.read_bytes())
    with Store.open(f"sqlite:///{path}", durable=False) as store:
        sizes = []
        for number in range(200):
            store.alerts.set_(f"alert {number}", "x" * 5000)
            sizes.append(path.with_name("copy.db-wal").stat().st_size)
    assert max(sizes) > 100_000
    assert min(sizes[64:]) == 0


def test_instants_are_stored_to_the_microsecond_and_compare_rightly(store_url: str) -> None:
    kind = UtcDateTime()
    database = Database(store_url)
    moment = START.replace(microsecond=1)
    with database.read() as connection:
        one = sa.bindparam("one", moment, kind)
        query = sa.select(sa.type_coerce(one, kind), one < sa.bindparam("two", moment.replace(microsecond=2), kind))
        assert tuple(connection.execute(query).one()) == (moment, True)
    database.close()


def test_sqlite_types_in_the_file_are_what_other_programs_expect(sqlite_template: Path) -> None:
    connection = sqlite3.connect(f"file:{sqlite_template}?mode=ro&immutable=1", uri=True)
    try:
        columns = {row[1]: row[2] for row in connection.execute("PRAGMA table_info(posts)")}
    finally:
        connection.close()
    assert (columns["seen_at"], columns["text"], columns["id"]) == ("BIGINT", "TEXT", "INTEGER")
