"""Tickets as they are shown: whole with their mentions and deliveries, or one row for each sink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import DeliveryStatus, Priority, Ticket, TicketStatus
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.types import AnyRow

_TICKET = ("id", "key", "subject", "body", "brand", "url", "author", "reason", "language", "opened_at", "due_at")
_ATTEMPT = ("sink", "remote_id", "remote_url", "remote_status", "attempts", "doubtful", "error", "twice")
_DELIVERY = ("id", "number", "not_before", "settled_at", *_ATTEMPT)


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """Where one delivery of a ticket stands; `number` 0 creates the ticket, the others change it.

    `twice`: the helpdesk may have it two times. `remote_status` is the word of the helpdesk, in our words.
    """

    id: int
    sink: str
    number: int
    status: DeliveryStatus
    attempts: int
    doubtful: bool
    error: str | None
    remote_id: str | None
    remote_url: str | None
    not_before: datetime
    settled_at: datetime | None
    remote_status: str | None = None
    twice: bool = False


@dataclass(frozen=True, slots=True)
class StoredTicket:
    """A ticket with the mentions it stands for and its deliveries.

    `status`, `solved_at`, `assignee` and `first_reply_at` are what we know of its life.
    """

    ticket: Ticket
    status: TicketStatus
    rule: str
    mention_ids: tuple[int, ...]
    deliveries: tuple[DeliveryState, ...]
    solved_at: datetime | None = None
    assignee: str | None = None
    first_reply_at: datetime | None = None

    @property
    def possible_duplicate(self) -> bool:
        """Whether some helpdesk may have it two times."""
        return any(delivery.twice for delivery in self.deliveries)


def ticket_of(row: AnyRow) -> Ticket:
    """The Ticket in a row of `tickets`."""
    return Ticket(
        **{name: getattr(row, name) for name in _TICKET}, priority=Priority(row.priority), tags=tuple(row.tags)
    )


def conditions(
    brand: str | None, sink: str | None, status: str | None, since: datetime | None, until: datetime | None
) -> list[sa.ColumnElement[bool]]:
    """What a list of tickets is narrowed by."""
    columns, delivery = t.tickets.c, t.deliveries.c
    found: list[sa.ColumnElement[bool]] = []
    if brand is not None:
        found.append(columns.brand == brand)
    if since is not None:
        found.append(columns.opened_at >= since)
    if until is not None:
        found.append(columns.opened_at < until)
    wanted = [(delivery.sink, sink), (delivery.status, status)]
    of_delivery = [column == str(value) for column, value in wanted if value is not None]
    if of_delivery:
        found.append(sa.exists().where(delivery.ticket_id == columns.id, *of_delivery))
    return found


def stored(connection: Connection, rows: Sequence[AnyRow]) -> list[StoredTicket]:
    """Whole tickets of rows of `tickets`."""
    mentions: dict[int, list[int]] = {}
    deliveries: dict[int, list[DeliveryState]] = {}
    links = t.ticket_mentions.c
    for some in chunks([row.id for row in rows]):
        query = sa.select(links.ticket_id, links.mention_id).where(links.ticket_id.in_(some))
        for ticket_id, mention_id in connection.execute(query.order_by(links.mention_id)):
            mentions.setdefault(ticket_id, []).append(mention_id)
        sent = sa.select(t.deliveries).where(t.deliveries.c.ticket_id.in_(some)).order_by(t.deliveries.c.id)
        for row in connection.execute(sent):
            deliveries.setdefault(row.ticket_id, []).append(_delivery_state(row))
    return [_whole(row, mentions.get(row.id, []), deliveries.get(row.id, [])) for row in rows]


def _whole(row: AnyRow, mentions: Sequence[int], deliveries: Sequence[DeliveryState]) -> StoredTicket:
    life = (row.solved_at, row.assignee, row.first_reply_at)
    status = TicketStatus(row.status)
    return StoredTicket(ticket_of(row), status, row.rule, tuple(mentions), tuple(deliveries), *life)


def _delivery_state(row: AnyRow) -> DeliveryState:
    return DeliveryState(**{name: getattr(row, name) for name in _DELIVERY}, status=DeliveryStatus(row.status))
