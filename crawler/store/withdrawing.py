"""Taking a ticket back before anything of it was sent."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import NotFound, Permanent
from crawler.model import DeliveryStatus, Event, MentionStatus, TicketStatus
from crawler.store import events
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.types import AnyRow

WITHDRAWN = "withdrawn"
# The rule that a person is: rules leave such a mention alone.
_BY_HAND = "by hand"
_PENDING = DeliveryStatus.PENDING.value


def withdraw(part: Part, connection: Connection, key: str, to: MentionStatus) -> int:
    """Withdraw the ticket and send its mentions to `to`; returns how many. Raises NotFound, Permanent."""
    if to not in (MentionStatus.REVIEW, MentionStatus.IGNORED):
        raise ValueError(f"mentions of a withdrawn ticket go to review or are ignored, not {to}")
    ticket = connection.execute(sa.select(t.tickets).where(t.tickets.c.key == key).with_for_update()).first()
    if ticket is None:
        raise NotFound(f"there is no ticket {key}: `mention-crawler tickets list` shows them")
    deliveries = _unsent(connection, ticket)
    changes = [part.event("delivery", row.id, "status", _PENDING, WITHDRAWN, part.actor) for row in deliveries]
    columns = t.deliveries.c
    ids = [row.id for row in deliveries]
    gone = {"status": DeliveryStatus.WITHDRAWN.value, "settled_at": part.now()}
    connection.execute(sa.update(t.deliveries).where(columns.id.in_(ids)).values(gone))
    changes.append(part.event("ticket", ticket.id, "status", ticket.status, TicketStatus.WITHDRAWN.value, part.actor))
    changes += _mentions(part, connection, ticket, to)
    events.add(connection, changes)
    return len(changes) - len(deliveries) - 1


def _unsent(connection: Connection, ticket: AnyRow) -> Sequence[AnyRow]:
    """The ticket's deliveries, locked. Raises Permanent when one was tried, or may be under way."""
    if ticket.status == TicketStatus.WITHDRAWN.value:
        raise Permanent(f"ticket {ticket.key} is withdrawn already")
    columns = t.deliveries.c
    query = sa.select(t.deliveries).where(columns.ticket_id == ticket.id).order_by(columns.id).with_for_update()
    rows = connection.execute(query).all()
    for row in rows:
        if row.status != _PENDING or row.attempts or row.owner is not None:
            raise Permanent(
                f"ticket {ticket.key} is on its way to {row.sink} or there already: close it there;"
                " `undo_window` and a rule's `hold` say how long a ticket can be withdrawn"
            )
    return rows


def _mentions(part: Part, connection: Connection, ticket: AnyRow, to: MentionStatus) -> list[Event]:
    columns, links = t.mentions.c, t.ticket_mentions.c
    query = sa.select(columns.id, columns.status).where(columns.ticket_id == ticket.id)
    rows = connection.execute(query.order_by(columns.id).with_for_update()).all()
    connection.execute(sa.delete(t.kin_bands).where(t.kin_bands.c.mention_id.in_([row.id for row in rows])))
    connection.execute(sa.delete(t.ticket_mentions).where(links.ticket_id == ticket.id))
    back = {"status": to.value, "reason": f"withdrawn by {part.actor}", "rule": _BY_HAND, "ticket_id": None}
    stamp = {"changed_at": part.now()}
    connection.execute(sa.update(t.mentions).where(columns.ticket_id == ticket.id).values(back | stamp))
    emptied = {"status": TicketStatus.WITHDRAWN.value, "mention_count": 0}
    connection.execute(sa.update(t.tickets).where(t.tickets.c.id == ticket.id).values(emptied))
    return [part.event("mention", row.id, "status", row.status, to.value, "ticket withdrawn") for row in rows]
