"""Changes of a ticket on their way: one delivery for each sink that has the ticket or is going to get it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Change, DeliveryStatus, Event
from crawler.store import tables as t
from crawler.store.events import Part


def add_change(
    part: Part, connection: Connection, ticket_id: int, change: Change, not_before: datetime | None = None
) -> list[Event]:
    """One delivery of the change for each sink of the ticket; returns their events, which the caller stores."""
    now = part.now()
    same = {
        "ticket_id": ticket_id,
        "change": packed(change),
        "status": DeliveryStatus.PENDING.value,
        "not_before": not_before or now,
        "created_at": now,
    }
    places = sinks_of(connection, ticket_id)
    rows = [same | {"sink": sink, "number": number + 1} for sink, number in places]
    if not rows:
        return []
    insert = sa.insert(t.deliveries).returning(t.deliveries.c.id, sort_by_parameter_order=True)
    made = connection.execute(insert, rows).scalars().all()
    columns = t.tickets.c
    more = sa.update(t.tickets).where(columns.id == ticket_id)
    connection.execute(more.values(delivery_count=columns.delivery_count + len(rows)))
    pending = DeliveryStatus.PENDING.value
    return [
        part.event("delivery", delivery_id, "status", None, pending, sink)
        for delivery_id, (sink, _) in zip(made, places, strict=True)
    ]


def sinks_of(connection: Connection, ticket_id: int) -> list[tuple[str, int]]:
    """(sink, number of its newest delivery) of the ticket."""
    columns = t.deliveries.c
    has_it = sa.select(columns.sink).where(
        columns.ticket_id == ticket_id, columns.number == 0, columns.status != DeliveryStatus.WITHDRAWN.value
    )
    query = sa.select(columns.sink, sa.func.max(columns.number)).where(
        columns.ticket_id == ticket_id, columns.sink.in_(has_it)
    )
    rows = connection.execute(query.group_by(columns.sink).order_by(columns.sink)).all()
    return [(str(sink), int(number)) for sink, number in rows]


def packed(change: Change) -> dict[str, Any]:
    """What of a change a delivery keeps."""
    return {"key": change.key, "comment": change.comment, "priority": change.priority, "status": change.status}
