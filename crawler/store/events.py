"""The append-only history, and the base that every part of the store shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Event
from crawler.store import tables as t
from crawler.store.db import Database, chunks, utc_now
from crawler.store.types import AnyRow

_COLUMNS = tuple(field.name for field in fields(Event))


@dataclass(frozen=True)
class Part:
    """What each part of the store works with: the database, who is acting, and the clock."""

    db: Database
    actor: str = "mention-crawler"
    now: Callable[[], datetime] = utc_now

    def event(
        self,
        row: str,
        row_id: int,
        what: str,
        before: str | None = None,
        after: str | None = None,
        note: str | None = None,
    ) -> Event:
        """An Event of now by this actor, not stored yet."""
        return Event(self.now(), self.actor, row, row_id, what, before, after, note)


def add(connection: Connection, events: Sequence[Event], config_version: int = 0) -> None:
    """Append the events inside the caller's transaction: history commits with what it tells of."""
    if not events:
        return
    names = [name for name in _COLUMNS if name != "id"]
    for some in chunks(events):
        rows = [{name: getattr(event, name) for name in names} | {"config_version": config_version} for event in some]
        connection.execute(sa.insert(t.events), rows)


class Events(Part):
    """Reads the history; writes to it from outside the other parts."""

    def add(self, *events: Event, config_version: int = 0) -> None:
        """Append events in a transaction of their own."""
        self.db.transact(lambda connection: add(connection, events, config_version))

    def of(self, row: str, row_id: int) -> list[Event]:
        """The history of one row, oldest first. `row` is the noun: "mention", "ticket", "delivery", "source", ..."""
        query = sa.select(t.events).where(t.events.c.row == row, t.events.c.row_id == row_id).order_by(t.events.c.id)
        with self.db.read() as connection:
            return [_event(found) for found in connection.execute(query)]

    def since(self, at: datetime, after_id: int = 0, page: int = 500) -> Iterator[Event]:
        """Events from `at` on, oldest first, read page by page."""
        while True:
            query = (
                sa.select(t.events)
                .where(t.events.c.at >= at, t.events.c.id > after_id)
                .order_by(t.events.c.id)
                .limit(page)
            )
            with self.db.read() as connection:
                rows = connection.execute(query).all()
            yield from map(_event, rows)
            if len(rows) < page:
                return
            after_id = rows[-1].id


def _event(row: AnyRow) -> Event:
    return Event(**{name: row._mapping[name] for name in _COLUMNS})
