"""The outbox: deliveries on their way to sinks.

A claim commits the attempt BEFORE the call: that is the intent. A delivery that was claimed and never settled comes
back doubtful, so whoever sends it asks the helpdesk first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Change, Delivery, DeliveryStatus, Priority, Remote, TicketStatus
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.settling import POSSIBLE_DUPLICATE, Later, Settling, Told, update_deliveries
from crawler.store.ticket_views import ticket_of
from crawler.store.types import AnyRow

_PENDING = DeliveryStatus.PENDING.value
_SENT = DeliveryStatus.SENT.value
_PARKED = DeliveryStatus.PARKED.value
# A helpdesk that tells no news never says that somebody closed the double: the alert ends by itself.
_TOLD_FOR = timedelta(days=7)
_OPEN = TicketStatus.OPEN.value
# Whoever holds a lease renews it before this share of it is left.
_ALIVE = 2 / 3


class Recheck(NamedTuple):
    """A delivery of which the helpdesk is to be asked once more; `looks` were made already."""

    delivery_id: int
    key: str
    remote_id: str
    looks: int


class Doubled(NamedTuple):
    """How many open tickets a sink may have twice, and the key of one of them."""

    sink: str
    tickets: int
    key: str


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
        told: Told | None = None,
    ) -> list[int]:
        """Record how the owner's deliveries ended, in one transaction; returns the ids that it no longer held.

        `later` rows are (id, error, not before, doubtful). What the helpdesk warned of becomes Events.
        """
        return self.db.transact(
            lambda connection: Settling(self, connection, owner, told or Told()).run(sent, later, parked)
        )

    def renew(self, owner: str, now: datetime, lease_seconds: float) -> int:
        """Hold what the owner claimed for longer; returns how many it still has."""
        columns = t.deliveries.c
        update = sa.update(t.deliveries).where(columns.owner == owner, columns.status == _PENDING)
        until = now + timedelta(seconds=lease_seconds)
        return self.db.transact(lambda connection: connection.execute(update.values(lease_until=until)).rowcount)

    def due(self, now: datetime, sinks: Collection[str]) -> list[str]:
        """Those of the sinks for which something can be done now: a delivery, or a second look."""
        columns = t.deliveries.c
        waits = sa.select(columns.id).where(columns.status == _PENDING, columns.not_before <= now, _unleased(now))
        looks = sa.select(columns.id).where(columns.recheck_at <= now)
        with self.db.read() as connection:
            return [
                sink
                for sink in sinks
                if any(connection.execute(it.where(columns.sink == sink).limit(1)).first() for it in (waits, looks))
            ]

    def unfinished(self, sink: str) -> bool:
        """Whether anything of the sink still waits, now or later: deliveries, or second looks."""
        columns = t.deliveries.c
        left = sa.or_(columns.status == _PENDING, columns.recheck_at.is_not(None))
        with self.db.read() as connection:
            return (
                connection.execute(sa.select(columns.id).where(columns.sink == sink, left).limit(1)).first() is not None
            )

    def take_rechecks(self, sink: str, now: datetime, hold_seconds: float, limit: int) -> list[Recheck]:
        """Deliveries that followed a doubt and whose next look is due.

        Whoever takes them has `hold_seconds` for asking; then they are due again, for anybody.
        """
        columns = t.deliveries.c
        due = (columns.sink == sink, columns.recheck_at <= now, columns.status == _SENT)
        with self.db.read() as connection:
            if connection.execute(sa.select(columns.id).where(*due).limit(1)).first() is None:
                return []
        until = now + timedelta(seconds=hold_seconds)
        names = (columns.id, t.tickets.c.key, columns.remote_id, columns.looks)
        query = sa.select(*names).join_from(t.deliveries, t.tickets)
        query = query.where(*due).order_by(columns.recheck_at).limit(limit)
        query = query.with_for_update(skip_locked=True, of=t.deliveries)
        return self.db.transact(lambda connection: _hold_rechecks(connection, query, until))

    def rechecked(self, delivery_id: int, twice: str | None = None, again: datetime | None = None) -> None:
        """A look is done: `twice` tells of a double, `again` when to look once more."""
        self.db.transact(lambda connection: self._rechecked(connection, delivery_id, twice, again))

    def put_off_recheck(self, delivery_id: int, until: datetime) -> None:
        """The helpdesk could not be asked: the look is due again then."""
        columns = t.deliveries.c
        update = sa.update(t.deliveries).where(columns.id == delivery_id, columns.recheck_at.is_not(None))
        self.db.transact(lambda connection: connection.execute(update.values(recheck_at=until)))

    def doubles(self) -> list[Doubled]:
        """Sinks that may have a ticket twice which is still open, as far as that was learnt in the last week."""
        columns, key = t.deliveries.c, t.tickets.c.key
        query = sa.select(columns.sink, sa.func.count(sa.distinct(key)), sa.func.min(key))
        fresh = (columns.twice, columns.twice_at > self.now() - _TOLD_FOR, t.tickets.c.status == _OPEN)
        query = query.join_from(t.deliveries, t.tickets).where(*fresh)
        with self.db.read() as connection:
            return [Doubled(*row) for row in connection.execute(query.group_by(columns.sink).order_by(columns.sink))]

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

        Returns how many were touched. An attempt that was in doubt stays so, and before a parked ticket is created the
        helpdesk is asked whether it is there. Sinks that were left in peace are tried at once.
        """
        columns = t.deliveries.c
        query = sa.select(columns.id).where(_retryable()).order_by(columns.id)
        if ticket_key is not None:
            query = query.join(t.tickets).where(t.tickets.c.key == ticket_key)
        if sink is not None:
            query = query.where(columns.sink == sink)
        with self.db.read() as connection:
            ids = connection.execute(query).scalars().all()
        self.db.transact(lambda c: c.execute(_opened(sink)))
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
        doubted = {row.id: _doubted_at(row, until - now) for row in rows}
        died = [{"row_id": row.id, "doubted_at": doubted[row.id]} for row in rows if row.owner is not None]
        update_deliveries(connection, died)
        tickets = _tickets(connection, rows)
        remotes = _remotes(connection, [row for row in rows if row.number])
        return [
            _delivery(row, tickets[row.ticket_id], remotes.get((row.ticket_id, row.sink)), doubted[row.id])
            for row in rows
        ]

    def _rechecked(self, connection: Connection, delivery_id: int, twice: str | None, again: datetime | None) -> None:
        columns = t.deliveries.c
        update = sa.update(t.deliveries).where(columns.id == delivery_id, columns.recheck_at.is_not(None))
        values: dict[str, Any] = {"recheck_at": again, "looks": columns.looks + 1}
        values |= {"twice": True, "twice_at": self.now()} if twice else {}
        if connection.execute(update.values(values)).rowcount and twice:
            events.add(connection, [self.event("delivery", delivery_id, POSSIBLE_DUPLICATE, note=twice)])

    def _retry(self, connection: Connection, ids: Sequence[int]) -> int:
        columns = t.deliveries.c
        query = sa.select(columns.id, columns.status).where(columns.id.in_(ids), _retryable()).order_by(columns.id)
        rows = connection.execute(query.with_for_update()).all()
        ready = {"status": _PENDING, "not_before": self.now(), "settled_at": None}
        update = sa.update(t.deliveries).where(columns.id.in_([row.id for row in rows]))
        parked = [row for row in rows if row.status == _PARKED]
        look = sa.update(t.deliveries).where(columns.id.in_([row.id for row in parked]), columns.number == 0)
        connection.execute(look.values(doubtful=True))
        connection.execute(update.values(ready))
        events.add(connection, [self.event("delivery", row.id, "status", _PARKED, _PENDING, "retry") for row in parked])
        return len(rows)


def _hold_rechecks(connection: Connection, query: sa.Select[Any], until: datetime) -> list[Recheck]:
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    connection.execute(sa.update(t.deliveries).where(t.deliveries.c.id.in_(ids)).values(recheck_at=until))
    return [Recheck(row.id, row.key, row.remote_id, row.looks) for row in rows]


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


def _opened(sink: str | None) -> sa.Update:
    update = sa.update(t.sink_states).values(shut_until=None)
    return update if sink is None else update.where(t.sink_states.c.sink == sink)


def _doubted_at(row: AnyRow, lease: timedelta) -> datetime | None:
    """Until when an attempt that is in doubt can have been made: a dead owner renewed its lease in its last third."""
    if row.owner is None:
        return row.doubted_at if row.doubtful else None
    return row.lease_until - lease * _ALIVE  # type: ignore[no-any-return]


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


def _remotes(connection: Connection, rows: Sequence[AnyRow]) -> dict[tuple[int, str], tuple[Remote, str | None]]:
    columns = t.deliveries.c
    query = sa.select(t.deliveries).where(columns.ticket_id.in_({row.ticket_id for row in rows}), columns.number == 0)
    found = connection.execute(query) if rows else ()
    return {(row.ticket_id, row.sink): (_remote(row), row.place) for row in found}


def _remote(row: AnyRow) -> Remote:
    return Remote(row.remote_id, row.remote_url, TicketStatus(row.remote_status) if row.remote_status else None)


def _delivery(
    row: AnyRow, ticket: Any, known: tuple[Remote, str | None] | None, doubted_at: datetime | None
) -> Delivery:
    remote, place = known or (None, None)
    change = row.change and Change(
        key=row.change["key"],
        comment=row.change["comment"],
        priority=Priority(row.change["priority"]) if row.change["priority"] else None,
        status=TicketStatus(row.change["status"]) if row.change["status"] else None,
    )
    return Delivery(row.id, row.sink, ticket, row.attempts + 1, _doubtful(row), remote, change, doubted_at, place)
