"""The outbox: deliveries on their way to sinks.

A claim commits the attempt BEFORE the call: that is the intent. A delivery that was claimed and never settled comes
back doubtful, so whoever sends it asks the helpdesk first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Change, Delivery, DeliveryStatus, Event, Priority, Remote, TicketStatus
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.ticket_views import ticket_of
from crawler.store.types import AnyRow, tidy

Later = tuple[int, str, datetime, bool]
_PENDING = DeliveryStatus.PENDING.value
_SENT = DeliveryStatus.SENT.value
_PARKED = DeliveryStatus.PARKED.value


@dataclass(frozen=True, slots=True)
class Waiting:
    """The deliveries of one sink in one status.

    `due` could be claimed now, `failing` were tried at least once in vain; `last_error` is that of the last one tried.
    """

    sink: str
    status: DeliveryStatus
    count: int
    due: int
    failing: int
    oldest: datetime
    last_error: str | None


class Outbox(Part):
    """Claims and settles deliveries."""

    def claim(
        self, owner: str, now: datetime, limit: int, lease_seconds: float, sinks: Collection[str]
    ) -> list[Delivery]:
        """Take up to `limit` due deliveries of these sinks and commit the attempt.

        A change waits until its ticket was created and its earlier changes are through. `doubtful` is set when an
        earlier attempt was never settled, or was settled so.
        """
        until = now + timedelta(seconds=lease_seconds)
        return self.db.transact(lambda connection: self._claim(connection, owner, now, until, limit, sinks))

    def settle(
        self,
        owner: str,
        sent: Sequence[tuple[int, Remote]],
        later: Sequence[Later],
        parked: Sequence[tuple[int, str]],
    ) -> list[int]:
        """Record how the owner's deliveries ended, in one transaction; returns the ids that it no longer held.

        `later` rows are (id, error, not before, doubtful).
        """
        return self.db.transact(lambda connection: self._settle(connection, owner, sent, later, parked))

    def release(self, owner: str) -> int:
        """Give back what the owner claimed and did NOT try; returns how many."""
        columns = t.deliveries.c
        update = (
            sa.update(t.deliveries)
            .where(columns.owner == owner, columns.status == _PENDING)
            .values(owner=None, lease_until=None, attempts=columns.attempts - 1)
        )
        return self.db.transact(lambda connection: connection.execute(update).rowcount)

    def retry(self, ticket_key: str | None = None, sink: str | None = None) -> int:
        """Make parked deliveries of a ticket, of a sink or all pending again, and waiting ones due now.

        Returns how many were touched. An attempt that was in doubt stays so.
        """
        columns = t.deliveries.c
        query = sa.select(columns.id).where(_retryable()).order_by(columns.id)
        if ticket_key is not None:
            query = query.join(t.tickets).where(t.tickets.c.key == ticket_key)
        if sink is not None:
            query = query.where(columns.sink == sink)
        with self.db.read() as connection:
            ids = connection.execute(query).scalars().all()
        return sum(self.db.transact(lambda c, some=some: self._retry(c, some)) for some in chunks(ids))  # type: ignore[misc]

    def waiting(self, now: datetime) -> list[Waiting]:
        """What is in the outbox, sent rows too: one row for each sink and status that has any."""
        columns = t.deliveries.c
        due = sa.and_(columns.status == _PENDING, columns.not_before <= now, _unleased(now))
        failing = sa.and_(columns.status == _PENDING, columns.error.is_not(None))
        query = sa.select(
            columns.sink,
            columns.status,
            sa.func.count(),
            sa.func.sum(sa.case((due, 1), else_=0)),
            sa.func.sum(sa.case((failing, 1), else_=0)),
            sa.func.min(columns.created_at),
        ).group_by(columns.sink, columns.status)
        with self.db.read() as connection:
            rows = connection.execute(query.order_by(columns.sink, columns.status)).all()
            return [_waiting(connection, row) for row in rows]

    def _claim(
        self,
        connection: Connection,
        owner: str,
        now: datetime,
        until: datetime,
        limit: int,
        sinks: Collection[str],
    ) -> list[Delivery]:
        rows = connection.execute(_due(now, limit, sinks)).all()
        if not rows:
            return []
        columns = t.deliveries.c
        values = {"owner": owner, "lease_until": until, "attempted_at": now, "attempts": columns.attempts + 1}
        # An owner still written down means: claimed, and nobody told how it ended.
        values["doubtful"] = sa.or_(columns.doubtful, columns.owner.is_not(None))
        connection.execute(sa.update(t.deliveries).where(columns.id.in_([row.id for row in rows])).values(values))
        tickets = _tickets(connection, rows)
        remotes = _remotes(connection, [row for row in rows if row.number])
        return [_delivery(row, tickets[row.ticket_id], remotes.get((row.ticket_id, row.sink))) for row in rows]

    def _settle(
        self,
        connection: Connection,
        owner: str,
        sent: Sequence[tuple[int, Remote]],
        later: Sequence[Later],
        parked: Sequence[tuple[int, str]],
    ) -> list[int]:
        changes: list[Event] = []
        outcomes = [(row_id, self._sent(remote)) for row_id, remote in sent]
        outcomes += [(row_id, _later(error, at, doubtful)) for row_id, error, at, doubtful in later]
        outcomes += [(row_id, self._parked(error)) for row_id, error in parked]
        lost = [row_id for row_id, values in outcomes if not self._close(connection, owner, row_id, values, changes)]
        events.add(connection, changes)
        return lost

    def _close(
        self, connection: Connection, owner: str, row_id: int, values: dict[str, Any], changes: list[Event]
    ) -> bool:
        columns = t.deliveries.c
        mine = (columns.id == row_id, columns.owner == owner, columns.status == _PENDING)
        update = sa.update(t.deliveries).where(*mine).values(values | {"owner": None, "lease_until": None})
        if connection.execute(update).rowcount != 1:
            return False
        if "status" in values:
            changes.append(self.event("delivery", row_id, "status", _PENDING, values["status"], values["error"]))
        return True

    def _sent(self, remote: Remote) -> dict[str, Any]:
        status = remote.status.value if remote.status else None
        told = {"remote_id": tidy(remote.id), "remote_url": tidy(remote.url), "remote_status": status}
        return told | {"status": _SENT, "settled_at": self.now(), "doubtful": False, "error": None}

    def _parked(self, error: str) -> dict[str, Any]:
        return {"status": _PARKED, "settled_at": self.now(), "error": tidy(error)}

    def _retry(self, connection: Connection, ids: Sequence[int]) -> int:
        columns = t.deliveries.c
        query = sa.select(columns.id, columns.status).where(columns.id.in_(ids), _retryable()).with_for_update()
        rows = connection.execute(query).all()
        ready = {"status": _PENDING, "not_before": self.now(), "settled_at": None}
        update = sa.update(t.deliveries).where(columns.id.in_([row.id for row in rows]))
        connection.execute(update.values(ready))
        parked = [row for row in rows if row.status == _PARKED]
        events.add(connection, [self.event("delivery", row.id, "status", _PARKED, _PENDING, "retry") for row in parked])
        return len(rows)


def _retryable() -> sa.ColumnElement[bool]:
    columns = t.deliveries.c
    return sa.or_(columns.status == _PARKED, sa.and_(columns.status == _PENDING, columns.owner.is_(None)))


def _waiting(connection: Connection, row: AnyRow) -> Waiting:
    sink, status, count, due, failing, oldest = row
    error = _last_error(connection, sink, status)
    return Waiting(sink, DeliveryStatus(status), count, int(due), int(failing), oldest, error)


def _last_error(connection: Connection, sink: str, status: str) -> str | None:
    columns = t.deliveries.c
    query = sa.select(columns.error).where(columns.sink == sink, columns.status == status, columns.error.is_not(None))
    return connection.execute(query.order_by(columns.attempted_at.desc()).limit(1)).scalar()


def _later(error: str, not_before: datetime, doubtful: bool) -> dict[str, Any]:
    return {"error": tidy(error), "not_before": not_before, "doubtful": doubtful}


def _unleased(now: datetime) -> sa.ColumnElement[bool]:
    columns = t.deliveries.c
    return sa.or_(columns.lease_until.is_(None), columns.lease_until <= now)


def _due(now: datetime, limit: int, sinks: Collection[str]) -> sa.Select[Any]:
    columns = t.deliveries.c
    earlier, create = t.deliveries.alias("earlier"), t.deliveries.alias("created")
    same = (earlier.c.ticket_id == columns.ticket_id, earlier.c.sink == columns.sink)
    blocked = sa.exists().where(*same, earlier.c.number < columns.number, earlier.c.status == _PENDING)
    first = (create.c.ticket_id == columns.ticket_id, create.c.sink == columns.sink, create.c.number == 0)
    created = sa.or_(columns.number == 0, sa.exists().where(*first, create.c.status == _SENT))
    return (
        sa.select(t.deliveries)
        .where(columns.status == _PENDING, columns.not_before <= now, columns.sink.in_(list(sinks)), _unleased(now))
        .where(created, ~blocked)
        .order_by(columns.not_before, columns.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=t.deliveries)
    )


def _doubtful(row: AnyRow) -> bool:
    return bool(row.doubtful or row.owner is not None)


def _tickets(connection: Connection, rows: Sequence[AnyRow]) -> dict[int, Any]:
    query = sa.select(t.tickets).where(t.tickets.c.id.in_({row.ticket_id for row in rows}))
    return {row.id: ticket_of(row) for row in connection.execute(query)}


def _remotes(connection: Connection, rows: Sequence[AnyRow]) -> dict[tuple[int, str], Remote]:
    columns = t.deliveries.c
    query = sa.select(t.deliveries).where(columns.ticket_id.in_({row.ticket_id for row in rows}), columns.number == 0)
    return {(row.ticket_id, row.sink): _remote(row) for row in connection.execute(query)} if rows else {}


def _remote(row: AnyRow) -> Remote:
    return Remote(row.remote_id, row.remote_url, TicketStatus(row.remote_status) if row.remote_status else None)


def _delivery(row: AnyRow, ticket: Any, remote: Remote | None) -> Delivery:
    change = row.change and Change(
        key=row.change["key"],
        comment=row.change["comment"],
        priority=Priority(row.change["priority"]) if row.change["priority"] else None,
        status=TicketStatus(row.change["status"]) if row.change["status"] else None,
    )
    return Delivery(row.id, row.sink, ticket, row.attempts + 1, _doubtful(row), remote, change)
