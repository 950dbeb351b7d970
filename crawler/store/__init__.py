"""The database: the only truth. `Store` is the whole room's door; the rooms above name no table and no SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from crawler.store import backups, schema
from crawler.store.alerts import Alerts
from crawler.store.config import ConfigPart, SourceRow, SyncReport
from crawler.store.corrections import BY_PERSON, PERSON, Correction, Corrections, Judgement
from crawler.store.counts import Counts, CountsPart, Flow, RunSums
from crawler.store.db import Database, utc_now
from crawler.store.deciding import TriageCount
from crawler.store.desk import Desk, DeskTicket
from crawler.store.digests import DayNumbers, Digests
from crawler.store.documents import Documents
from crawler.store.events import Events
from crawler.store.glances import Glances
from crawler.store.intake import Arrival, Intake
from crawler.store.leases import Leases
from crawler.store.lessons import Lessons, StoredLesson
from crawler.store.mentions import Mentions
from crawler.store.outbox import Outbox, Recheck, Waiting
from crawler.store.outcomes import Outcomes, OutcomesPart, Share
from crawler.store.past import Folded, Past
from crawler.store.posts import Posts
from crawler.store.replies import Replies
from crawler.store.retention import Expired, Retention
from crawler.store.runs import Runs
from crawler.store.settling import Told
from crawler.store.sink_states import Pulse, SinkStates
from crawler.store.skims import Needs, Skims
from crawler.store.sources import Sources, SourceState
from crawler.store.streams import Streams, StreamState
from crawler.store.ticket_views import DeliveryState, StoredTicket
from crawler.store.tickets import OpenTicket, Tickets
from crawler.store.usual import Oddity, Yield
from crawler.store.yields import Yields

__all__ = [
    "BY_PERSON",
    "PERSON",
    "Arrival",
    "Correction",
    "Counts",
    "DayNumbers",
    "DeliveryState",
    "DeskTicket",
    "Expired",
    "Flow",
    "Folded",
    "Judgement",
    "Needs",
    "Oddity",
    "OpenTicket",
    "Outcomes",
    "Pulse",
    "Recheck",
    "RunSums",
    "Share",
    "SourceRow",
    "SourceState",
    "Store",
    "StoredLesson",
    "StoredTicket",
    "StreamState",
    "SyncReport",
    "Told",
    "TriageCount",
    "Waiting",
    "Yield",
]


class Store:
    """One open database. Threads may share it; another process opens its own by `url`."""

    def __init__(self, database: Database, actor: str, now: Callable[[], datetime]) -> None:
        self._db = database
        self.config = ConfigPart(database, actor, now)
        self.sources = Sources(database, actor, now)
        self.runs = Runs(database, actor, now)
        self.streams = Streams(database, actor, now)
        self.intake = Intake(database, actor, now)
        self.documents = Documents(database, actor, now)
        self.posts = Posts(database, actor, now)
        self.past = Past(database, actor, now)
        self.mentions = Mentions(database, actor, now)
        self.corrections = Corrections(database, actor, now)
        self.lessons = Lessons(database, actor, now)
        self.tickets = Tickets(database, actor, now)
        self.outbox = Outbox(database, actor, now)
        self.skims = Skims(database, actor, now)
        self.replies = Replies(database, actor, now)
        self.sink_states = SinkStates(database, actor, now)
        self.desk = Desk(database, actor, now)
        self.events = Events(database, actor, now)
        self.alerts = Alerts(database, actor, now)
        self.leases = Leases(database, actor, now)
        self.counts = CountsPart(database, actor, now)
        self.glances = Glances(database, actor, now)
        self.outcomes = OutcomesPart(database, actor, now)
        self.digests = Digests(database, actor, now)
        self.retention = Retention(database, actor, now)
        self.yields = Yields(database, actor, now)

    @classmethod
    def create(
        cls,
        url: str,
        *,
        durable: bool = True,
        actor: str = "mention-crawler",
        now: Callable[[], datetime] = utc_now,
    ) -> Store:
        """Open the database, made and migrated to the newest schema first if need be. Raises StoreError."""
        database = Database(url, durable=durable, must_exist=False)
        return cls._opened(database, schema.upgrade, actor, now)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        durable: bool = True,
        actor: str = "mention-crawler",
        now: Callable[[], datetime] = utc_now,
    ) -> Store:
        """Open a database that exists. `durable` False may lose the last commits on power loss (crawl children).

        `actor` names in the history who acts. Raises SchemaMismatch, StoreError.
        """
        return cls._opened(Database(url, durable=durable), schema.check, actor, now)

    @classmethod
    def _opened(
        cls, database: Database, prepare: Callable[[Database], object], actor: str, now: Callable[[], datetime]
    ) -> Store:
        try:
            prepare(database)
        except BaseException:
            database.close()
            raise
        return cls(database, actor, now)

    @property
    def url(self) -> str:
        """The URL as it was given: what a child process opens. It may hold a password: never log it."""
        return self._db.url

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return self._db.shown

    @property
    def path(self) -> Path | None:
        """The SQLite file, None on PostgreSQL."""
        return self._db.path if self._db.is_sqlite else None

    def upgrade(self) -> list[str]:
        """Migrate to the newest schema; returns the revisions applied."""
        return schema.upgrade(self._db)

    def backup(self, path: Path) -> Path:
        """Write a consistent copy while others go on working; returns its path. Raises StoreError."""
        return backups.write(self._db, path)

    def check(self) -> list[str]:
        """What the database finds wrong with itself; empty when all is well."""
        return backups.integrity(self._db)

    def checkpoint(self) -> bool:
        """Write SQLite's log back into the file and cut it; False when readers were in the way."""
        return self._db.checkpoint()

    def spare_bytes(self) -> int:
        """Room inside the file that new rows will use before it grows; 0 on PostgreSQL, which keeps its own books."""
        return self._db.spare_bytes()

    def close(self) -> None:
        """Give back every connection."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
