"""One database, two engines: writes take the lock at once (BEGIN IMMEDIATE), reads cannot write.

SQLite runs in WAL mode and is refused where WAL cannot be set. PostgreSQL is used by its URL alone. A transaction that
meets a lock, a deadlock, a serialization failure or a unique row that somebody just wrote is run again, a bounded
number of times.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from crawler.errors import StoreError
from crawler.store.types import to_micros

T = TypeVar("T")

BUSY_SECONDS = 30
WAL_LIMIT = 64 * 1024 * 1024
CHUNK = 500
_ATTEMPTS = 8
_CHECK_WAL_EVERY = 64
_SPARE = ("freelist_count", "page_size")
# 16 MiB: pages that many commits touch, such as those of indexes, go to the file once.
_CHECKPOINT_PAGES = 4000
_BUSY = ("database is locked", "database table is locked", "database schema has changed")
# Serialization failure, deadlock, lock not available, and a unique row written by somebody else meanwhile.
_RETRY_STATES = frozenset({"40001", "40P01", "55P03", "23505"})


def utc_now() -> datetime:
    """The current instant, aware and UTC."""
    return datetime.now(UTC)


def parse_url(url: str) -> URL:
    """The URL with its driver named. Raises StoreError for a URL that names no database we support."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError("database.url is not a URL: use sqlite:///data/mentions.db or postgresql://...") from None
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreError(f"database.url: {backend} is not supported: use sqlite:///... or postgresql://...")
    if parsed.database in (None, "", ":memory:"):
        raise StoreError("database.url: SQLite needs a file, such as sqlite:///data/mentions.db")
    return parsed


def chunks(rows: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """The rows in runs of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows to read: newest first, or with `after_id` oldest first from there on; `limit` 0 means all.

    `newest` turns `after_id` round: newest first, below it.
    """

    after_id: int | None = None
    before_id: int | None = None
    newest: bool = False
    limit: int = 500


def paged(query: sa.Select[Any], key: sa.ColumnElement[int], page: Page) -> sa.Select[Any]:
    """The query narrowed to one page by its key."""
    upwards = page.after_id is not None and not page.newest
    query = query.order_by(key if upwards else key.desc()).limit(page.limit or None)
    if page.after_id:
        query = query.where(key > page.after_id if upwards else key < page.after_id)
    return query.where(key < page.before_id) if page.before_id else query


class Database:
    """The two engines of one URL. `durable` False may lose the last commits on power loss, never consistency."""

    def __init__(self, url: str, *, durable: bool = True, must_exist: bool = True) -> None:
        self._url = parse_url(url)
        self.url = url
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._find_file(must_exist)
        self._durable = durable
        self._writer = self._engine(write=True)
        self._reader = self._engine(write=False)
        self._commits = 0
        self._texts: dict[str, str] = {}

    @property
    def path(self) -> Path:
        """The SQLite file. Raises StoreError on PostgreSQL."""
        if not self.is_sqlite:
            raise StoreError("this database is not a file")
        return Path(str(self._url.database))

    @property
    def shown(self) -> str:
        """The URL without its password, for messages."""
        return self._url.render_as_string(hide_password=True)

    @property
    def writer(self) -> Engine:
        """The engine whose transactions begin with the write lock."""
        return self._writer

    def close(self) -> None:
        """Give back every connection."""
        self._writer.dispose()
        self._reader.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction: committed at the end, rolled back on any error. Never nest it."""
        with self._errors(), self._writer.begin() as connection:
            yield connection
        self._watch_wal()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent read-only transaction."""
        with self._errors(), self._reader.begin() as connection:
            yield connection

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one write transaction; again from the start when another writer got in the way.

        Raises StoreError when the database cannot be used, and whatever `work` raises.
        """
        give_up = time.monotonic() + BUSY_SECONDS
        for attempt in range(_ATTEMPTS):
            try:
                with self._writer.begin() as connection:
                    result = work(connection)
                break
            except (DBAPIError, sqlite3.Error) as error:
                last = attempt + 1 == _ATTEMPTS or time.monotonic() > give_up
                if last or not _worth_retrying(error):
                    raise self._wrapped(error) from error
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
            except SQLAlchemyError as error:
                raise _plain(error) or self._wrapped(error) from error
        self._watch_wal()
        return result

    def sql(self, text: str) -> str:
        """Hand-written SQL with `?` marks, in the driver's style. Cached: the hot paths call it each time."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = text if self.is_sqlite else text.replace("?", "%s")
        return known

    def stamp(self, value: datetime | None) -> Any:
        """What hand-written SQL binds for an instant. Raises ValueError for a naive datetime."""
        if value is None:
            return None
        micros = to_micros(value)
        return micros if self.is_sqlite else value

    def flag(self, value: bool) -> Any:
        """What hand-written SQL binds for a truth value."""
        return int(value) if self.is_sqlite else value

    def insert_once(self, connection: Connection, table: sa.Table, values: Mapping[str, Any], key: str) -> int | None:
        """Insert a row unless its unique `key` is taken; returns its primary key, None when it is."""
        made: int | None = connection.execute(_insert_once(self.is_sqlite, table, key), values).scalar()
        return made

    def next_ids(self, connection: Connection, table: str, count: int) -> range | list[int]:
        """`count` ids for rows of `table` that nobody else will use."""
        if self.is_sqlite:
            newest = [f"coalesce((SELECT max(id) FROM {name}), 0)" for name in (table, f"gone_{table}")]
            first = int(connection.exec_driver_sql(f"SELECT max({', '.join(newest)})").scalar_one()) + 1
            return range(first, first + count)
        rows = connection.exec_driver_sql(
            f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) FROM generate_series(1, %s)", (count,)
        )
        return [int(row[0]) for row in rows]

    def _find_file(self, must_exist: bool) -> None:
        # A `file:` URI is SQLite's own to open.
        if self.path.is_file() or str(self.path).startswith("file:"):
            return
        if must_exist:
            raise StoreError(f"no database at {self.path}: run `mention-crawler upgrade`, or check database.url")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder of the database {self.path}: {error.strerror}") from error

    def _engine(self, *, write: bool) -> Engine:
        return self._sqlite_engine(write=write) if self.is_sqlite else self._postgres_engine(write=write)

    def _sqlite_engine(self, *, write: bool) -> Engine:
        engine = sa.create_engine(
            self._url,
            hide_parameters=True,
            poolclass=sa.pool.QueuePool,
            pool_size=1 if write else 4,
            max_overflow=0 if write else 12,
            pool_timeout=BUSY_SECONDS * 2,
            connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None},
        )
        sa.event.listen(engine, "connect", self._prepare_writer if write else _prepare_reader)
        begin = "BEGIN IMMEDIATE" if write else "BEGIN"
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _postgres_engine(self, *, write: bool) -> Engine:
        reading = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        return sa.create_engine(
            self._url,
            hide_parameters=True,
            pool_size=4,
            max_overflow=12,
            pool_pre_ping=True,
            connect_args={"options": "-c timezone=UTC", "connect_timeout": 10, "application_name": "mention-crawler"},
            execution_options={} if write else reading,
        )

    def _prepare_writer(self, raw: Any, record: object) -> None:
        mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if str(mode).lower() != "wal":
            raise StoreError(
                f"SQLite cannot use WAL at {self.path} (it answered {mode}): put the database on a local disk"
                " with room, not on a network share"
            )
        raw.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute(f"PRAGMA journal_size_limit={WAL_LIMIT}")
        raw.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        raw.execute("PRAGMA cache_size=-16000")

    def _watch_wal(self) -> None:
        self._commits += 1
        if not self.is_sqlite or self._commits % _CHECK_WAL_EVERY:
            return
        wal = Path(f"{self.path}-wal")
        try:
            if wal.stat().st_size > WAL_LIMIT:
                self.checkpoint()
        except FileNotFoundError:
            return

    def checkpoint(self) -> bool:
        """Write the WAL back into the file and cut it; False when readers were in the way or on PostgreSQL."""
        if not self.is_sqlite:
            return False
        with self._errors():
            raw = self._writer.raw_connection()
            try:
                raw.execute("PRAGMA busy_timeout=250")
                row = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                raw.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
            finally:
                raw.close()
        return not row[0]

    def spare_bytes(self) -> int:
        """Bytes of SQLite's pages that hold nothing any more; 0 on PostgreSQL."""
        if not self.is_sqlite:
            return 0
        with self.read() as connection:
            one = [int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()) for name in _SPARE]
        return one[0] * one[1]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise _plain(error) or self._wrapped(error) from error

    def _wrapped(self, error: Exception) -> StoreError:
        cause = getattr(error, "orig", None) or error
        line = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        return StoreError(f"the database {self.shown} failed: {line}{_hint(line)}")


@cache
def _insert_once(is_sqlite: bool, table: sa.Table, key: str) -> sa.Executable:
    # Built once: putting a statement together costs more than running it.
    (primary,) = table.primary_key
    if is_sqlite:
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=[key]).returning(primary)
    return postgresql.insert(table).on_conflict_do_nothing(index_elements=[key]).returning(primary)


_HINTS = {
    "malformed": "restore a backup, or run `mention-crawler doctor`",
    "not a database": "restore a backup, or run `mention-crawler doctor`",
    "disk is full": "free some space; nothing was written",
    "locked": "another program holds it; stop that program or try again",
    "readonly": "check the owner and the rights of the file and its folder",
    "unable to open": "check the path and the rights of its folder",
}


def _hint(line: str) -> str:
    for word, hint in _HINTS.items():
        if word in line:
            return f" ({hint})"
    return ""


def _plain(error: Exception) -> Exception | None:
    """The ValueError of a value that a column type refused: the caller's mistake, not the database's."""
    cause = getattr(error, "orig", None)
    return cause if isinstance(cause, ValueError) else None


def _worth_retrying(error: Exception) -> bool:
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.OperationalError):
        return any(word in str(cause) for word in _BUSY)
    if getattr(error, "connection_invalidated", False):
        return True
    return getattr(cause, "sqlstate", None) in _RETRY_STATES


def _prepare_reader(raw: Any, record: object) -> None:
    raw.execute("PRAGMA query_only=ON")
    raw.execute("PRAGMA cache_size=-16000")
