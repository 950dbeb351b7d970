"""How deliveries end: the answers of one batch, its doubts and what the helpdesk warned of, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import DeliveryStatus, Event, Remote
from crawler.store import events
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.types import AnyRow, tidy

Later = tuple[int, str, datetime, bool]
_PENDING = DeliveryStatus.PENDING.value
POSSIBLE_DUPLICATE = "possible duplicate"


@dataclass(frozen=True, slots=True)
class Told:
    """What else is known of a batch, by delivery id.

    `twice`: why the helpdesk may hold it twice. `rechecks`: when to look once more. `fresh`: deliveries whose doubt
    comes from a call of just now, with the time of that call. `place`: the helpdesk that was called.
    """

    twice: Mapping[int, str] = field(default_factory=dict)
    rechecks: Mapping[int, datetime] = field(default_factory=dict)
    fresh: Mapping[int, datetime] = field(default_factory=dict)
    place: str | None = None


def update_deliveries(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update deliveries by "row_id"; every row sets the same columns."""
    if rows:
        connection.execute(sa.update(t.deliveries).where(t.deliveries.c.id == sa.bindparam("row_id")), rows)


@dataclass
class Settling:
    """One batch inside one transaction."""

    part: Part
    connection: Connection
    owner: str
    told: Told
    changes: list[Event] = field(default_factory=list)
    held: dict[int, AnyRow] = field(default_factory=dict)

    def run(
        self, sent: Sequence[tuple[int, Remote]], later: Sequence[Later], parked: Sequence[tuple[int, str]]
    ) -> list[int]:
        """Write them all; returns the ids that the owner no longer holds."""
        ids = [row[0] for rows in (sent, later, parked) for row in rows]
        self.held = self._held(ids)
        update_deliveries(self.connection, [self._sent(*row) for row in sent if row[0] in self.held])
        update_deliveries(self.connection, [self._later(*row) for row in later if row[0] in self.held])
        update_deliveries(self.connection, [self._parked(*row) for row in parked if row[0] in self.held])
        for delivery_id, remote in sent:
            if delivery_id in self.held:
                self._after_sent(self.held[delivery_id], remote)
        events.add(self.connection, self.changes)
        return [delivery_id for delivery_id in ids if delivery_id not in self.held]

    def _held(self, ids: Iterable[int]) -> dict[int, AnyRow]:
        columns = t.deliveries.c
        names = (columns.id, columns.ticket_id, columns.sink, columns.number, columns.change, columns.doubted_at)
        query = sa.select(*names, columns.twice, columns.twice_at).where(
            columns.id.in_(list(ids)), columns.owner == self.owner, columns.status == _PENDING
        )
        return {row.id: row for row in self.connection.execute(query.order_by(columns.id).with_for_update())}

    def _sent(self, delivery_id: int, remote: Remote) -> dict[str, Any]:
        self._moved(delivery_id, DeliveryStatus.SENT, None)
        row, why = self.held[delivery_id], self.told.twice.get(delivery_id)
        if why is not None:
            self._log(delivery_id, POSSIBLE_DUPLICATE, why)
        for warning in remote.warnings:
            self._log(delivery_id, "warning", warning)
        return {
            **_free(delivery_id, DeliveryStatus.SENT.value, self.part.now()),
            "remote_id": tidy(remote.id),
            "remote_url": tidy(remote.url),
            "remote_status": remote.status.value if remote.status else None,
            "doubtful": False,
            "error": None,
            "twice": row.twice or why is not None,
            "twice_at": row.twice_at if why is None else self.part.now(),
            "recheck_at": self.told.rechecks.get(delivery_id),
            "place": self.told.place,
        }

    def _later(self, delivery_id: int, error: str, not_before: datetime, doubtful: bool) -> dict[str, Any]:
        doubted_at = self.told.fresh.get(delivery_id, self.held[delivery_id].doubted_at)
        return {
            **_free(delivery_id, _PENDING, None),
            "error": tidy(error),
            "not_before": not_before,
            "doubtful": doubtful,
            "doubted_at": doubted_at if doubtful else None,
        }

    def _parked(self, delivery_id: int, error: str) -> dict[str, Any]:
        self._moved(delivery_id, DeliveryStatus.PARKED, tidy(error))
        return {**_free(delivery_id, DeliveryStatus.PARKED.value, self.part.now()), "error": tidy(error)}

    def _after_sent(self, row: AnyRow, remote: Remote) -> None:
        """A status that we gave a ticket is the one it has there, until the helpdesk says otherwise."""
        status = row.change and row.change.get("status")
        if not status:
            return
        columns = t.deliveries.c
        same = (columns.ticket_id == row.ticket_id, columns.sink == row.sink, columns.number == 0)
        self.connection.execute(sa.update(t.deliveries).where(*same).values(remote_status=status))

    def _moved(self, delivery_id: int, status: DeliveryStatus, note: str | None) -> None:
        self.changes.append(self.part.event("delivery", delivery_id, "status", _PENDING, status.value, note))

    def _log(self, delivery_id: int, what: str, note: str) -> None:
        self.changes.append(self.part.event("delivery", delivery_id, what, note=tidy(note)))


def _free(delivery_id: int, status: str, settled_at: datetime | None) -> dict[str, Any]:
    return {"row_id": delivery_id, "status": status, "settled_at": settled_at, "owner": None, "lease_until": None}
