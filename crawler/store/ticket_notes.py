"""What happens to a post after its ticket: an edit or a deletion leaves one note on the ticket for each new version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Change, Event, TicketStatus
from crawler.store import events
from crawler.store import tables as t
from crawler.store.changing import add_change
from crawler.store.events import Part
from crawler.store.types import AnyRow

QUOTE_CHARS = 3000


def leave_notes(part: Part, connection: Connection, mention_ids: Sequence[int], config_version: int = 0) -> int:
    """Tell the tickets of these mentions how their posts read now, once for each version; returns how many were told.

    Repeating it is harmless: the link remembers which version its ticket knows.
    """
    if not mention_ids:
        return 0
    changes: list[Event] = []
    for row in connection.execute(_behind(mention_ids)).all():
        link = t.ticket_mentions.c.mention_id == row.mention_id
        connection.execute(sa.update(t.ticket_mentions).where(link).values(noted_version=row.version))
        what = "post deleted" if row.deleted else "post edited"
        changes.append(part.event("ticket", row.ticket_id, what, note=f"mention {row.mention_id}"))
        if row.status != TicketStatus.WITHDRAWN.value:
            change = Change(f"{row.key}/m{row.mention_id}/v{row.version}", _note(row))
            changes += add_change(part, connection, row.ticket_id, change)
    events.add(connection, changes, config_version)
    return sum(event.row == "ticket" for event in changes)


def _behind(mention_ids: Sequence[int]) -> sa.Select[Any]:
    links, posts, tickets = t.ticket_mentions.c, t.posts.c, t.tickets.c
    return (
        sa.select(links.mention_id, links.ticket_id, tickets.key, tickets.status)
        .add_columns(posts.version, posts.deleted, posts.title, posts.text, posts.url)
        .select_from(t.ticket_mentions.join(t.tickets).join(t.posts, posts.id == links.post_id))
        .where(links.mention_id.in_(list(mention_ids)), posts.version > links.noted_version)
        .order_by(links.mention_id)
        .with_for_update(of=t.ticket_mentions)
    )


def _note(row: AnyRow) -> str:
    where = f"\n{row.url}" if row.url else ""
    if row.deleted:
        return f"The post was deleted on its site.{where}"
    text = f"{row.title}\n{row.text}" if row.title else row.text
    text = text if len(text) <= QUOTE_CHARS else text[: QUOTE_CHARS - 1] + "…"
    # Every line is quoted: what a stranger wrote must not pass for words of ours.
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    return f"The author edited the post. It now reads:\n{quoted}{where}"
