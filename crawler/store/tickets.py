"""Triage's decisions become tickets, deliveries and history in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import NotFound
from crawler.model import (
    Change,
    Decision,
    DeliveryStatus,
    Event,
    MentionStatus,
    StoredMention,
    Ticket,
    TicketStatus,
)
from crawler.store import events
from crawler.store import tables as t
from crawler.store import ticket_views as views
from crawler.store.db import Page, chunks, paged
from crawler.store.events import Part
from crawler.store.recording import HANDED_OVER, NO_MATCH, update_many
from crawler.store.ticket_views import StoredTicket
from crawler.store.types import AnyRow, fit

# Shorter texts ("it does not work") say the same in the mouths of strangers: they are not reposts.
_SHORTEST_REPOST = 40
_STEP = 100


@dataclass(frozen=True, slots=True)
class TriageCount:
    """What a batch of decisions came to. `left_alone`: mentions with a ticket, edited meanwhile, or gone."""

    ticketed: int = 0
    joined: int = 0
    review: int = 0
    ignored: int = 0
    left_alone: int = 0
    tickets_new: int = 0
    deliveries_new: int = 0

    def __add__(self, other: TriageCount) -> TriageCount:
        mine, theirs = asdict(self), asdict(other)
        return TriageCount(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """A ticket that a mention could join."""

    id: int
    key: str


class Tickets(Part):
    """Reads tickets and makes them."""

    def decide(self, decisions: Sequence[Decision], config_version: int) -> TriageCount:
        """Carry out triage's decisions. A mention that has a ticket is left alone, so a repeat changes nothing.

        A decision whose ticket key exists joins that ticket. A join adds a comment for every sink of the ticket.
        Raises NotFound when `join` names no ticket, ValueError when a decision for a ticket carries none.
        """
        total = TriageCount()
        for some in chunks(decisions, _STEP):
            total += self.db.transact(lambda c, some=some: _Deciding(self, c, config_version).run(some))  # type: ignore[misc]
        return total

    def open_for(self, mentions: Sequence[StoredMention], window_days: float = 7) -> dict[int, OpenTicket]:
        """Mention id -> the newest open ticket of the last days that it belongs to.

        Same brand, and same author in the same thread, or the same text (of 40 folded characters or more).
        """
        since = self.now() - timedelta(days=window_days)
        found: dict[int, OpenTicket] = {}
        with self.db.read() as connection:
            hashes = _hashes(connection, mentions)
            for some in chunks(mentions):
                links = _open_links(connection, some, hashes, since)
                for mention in some:
                    ticket = _best(links, mention, hashes.get(mention.post.id))
                    if ticket is not None:
                        found[mention.id] = ticket
        return found

    def get(self, key: str | int) -> StoredTicket:
        """One ticket by key or id. Raises NotFound."""
        condition = t.tickets.c.id == key if isinstance(key, int) else t.tickets.c.key == key
        with self.db.read() as connection:
            found = views.stored(connection, connection.execute(sa.select(t.tickets).where(condition)).all())
        if not found:
            raise NotFound(f"there is no ticket {key}: `mention-crawler tickets list` shows them")
        return found[0]

    def list(
        self,
        *,
        brand: str | None = None,
        sink: str | None = None,
        status: DeliveryStatus | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after_id: int | None = None,
        before_id: int | None = None,
        newest: bool = False,
        limit: int = 500,
    ) -> list[StoredTicket]:
        """Tickets, newest first below `before_id`; upwards from `after_id`. `status` is that of a delivery."""
        query = paged(sa.select(t.tickets), t.tickets.c.id, Page(after_id, before_id, newest, limit))
        query = query.where(*views.conditions(brand, sink, status, since, until))
        with self.db.read() as connection:
            return views.stored(connection, connection.execute(query).all())

    def count(self) -> int:
        """How many tickets there are."""
        with self.db.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(t.tickets)).scalar_one()


@dataclass
class _Deciding:
    """One batch of decisions inside one transaction."""

    part: Part
    connection: Connection
    config_version: int
    count: TriageCount = TriageCount()
    changes: list[Event] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)

    def run(self, decisions: Sequence[Decision]) -> TriageCount:
        mentions = self._mentions([decision.mention_id for decision in decisions])
        done: set[int] = set()
        for decision in decisions:
            row = mentions.get(decision.mention_id)
            if row is None or row.id in done or _not_for_triage(row):
                self.count += TriageCount(left_alone=1)
                continue
            done.add(row.id)
            self._one(decision, row)
        update_many(self.connection, self.moves)
        events.add(self.connection, self.changes, self.config_version)
        return self.count

    def _mentions(self, ids: Sequence[int]) -> dict[int, AnyRow]:
        columns, post = t.mentions.c, t.posts.c
        facts = (post.site, post.thread, post.author_handle, post.author_name, post.content_hash, post.folded)
        query = (
            sa.select(
                columns.id, columns.post_id, columns.brand_id, columns.status, columns.reason, columns.rule, *facts
            )
            .join_from(t.mentions, t.posts)
            .where(columns.id.in_(ids))
            .order_by(columns.id)
            .with_for_update(of=t.mentions)
        )
        return {row.id: row for row in self.connection.execute(query)}

    def _one(self, decision: Decision, row: AnyRow) -> None:
        if decision.status == MentionStatus.TICKETED:
            self._ticket(decision, row)
        elif decision.status == MentionStatus.JOINED:
            self._join(decision, row, self._by_id(decision))
        elif decision.status in (MentionStatus.REVIEW, MentionStatus.IGNORED):
            self._move(decision, row, decision.status, None)
        else:
            raise ValueError(f"mention {row.id}: {decision.status} is not an outcome of triage")

    def _ticket(self, decision: Decision, row: AnyRow) -> None:
        if decision.ticket is None:
            raise ValueError(f"mention {row.id}: the decision opens a ticket but carries none")
        values = _ticket_values(decision.ticket) | {
            "brand_id": row.brand_id,
            "rule": decision.rule,
            "opened_at": decision.ticket.opened_at or self.part.now(),
            "config_version": self.config_version,
            "delivery_count": len(set(decision.sinks)),
        }
        ticket_id = self.part.db.insert_once(self.connection, t.tickets, values, "key")
        if ticket_id is None:
            same = sa.select(t.tickets).where(t.tickets.c.key == decision.ticket.key).with_for_update()
            self._join(decision, row, self.connection.execute(same).one())
            return
        self.count += TriageCount(tickets_new=1)
        self._log("ticket", ticket_id, None, TicketStatus.OPEN, decision.ticket.key)
        self._deliveries(ticket_id, [(sink, 0) for sink in dict.fromkeys(decision.sinks)], None)
        self._link(ticket_id, row, opened=True)
        self._move(decision, row, MentionStatus.TICKETED, ticket_id)

    def _by_id(self, decision: Decision) -> AnyRow:
        query = sa.select(t.tickets).where(t.tickets.c.id == decision.join).with_for_update()
        found = self.connection.execute(query).first()
        if found is None:
            raise NotFound(f"mention {decision.mention_id}: there is no ticket {decision.join} to join")
        return found

    def _join(self, decision: Decision, row: AnyRow, ticket: AnyRow) -> None:
        if self._link(ticket.id, row, opened=False):
            change = Change(key=f"{ticket.key}/m{row.id}", comment=decision.note or decision.reason)
            added = self._deliveries(ticket.id, [(sink, number + 1) for sink, number in self._sinks(ticket.id)], change)
            more = sa.update(t.tickets).where(t.tickets.c.id == ticket.id)
            self.connection.execute(more.values(delivery_count=t.tickets.c.delivery_count + added))
        self._move(decision, row, MentionStatus.JOINED, ticket.id)

    def _sinks(self, ticket_id: int) -> list[tuple[str, int]]:
        columns = t.deliveries.c
        query = sa.select(columns.sink, sa.func.max(columns.number)).where(columns.ticket_id == ticket_id)
        rows = self.connection.execute(query.group_by(columns.sink).order_by(columns.sink)).all()
        return [(str(sink), int(number)) for sink, number in rows]

    def _deliveries(self, ticket_id: int, places: Sequence[tuple[str, int]], change: Change | None) -> int:
        """One delivery for each (sink, number); returns how many."""
        now = self.part.now()
        same = {
            "ticket_id": ticket_id,
            "change": None if change is None else asdict(change),
            "status": DeliveryStatus.PENDING.value,
            "not_before": now,
            "created_at": now,
        }
        rows = [same | {"sink": sink, "number": number} for sink, number in places]
        if rows:
            insert = sa.insert(t.deliveries).returning(t.deliveries.c.id, sort_by_parameter_order=True)
            made = self.connection.execute(insert, rows).scalars().all()
            for delivery_id, (sink, _) in zip(made, places, strict=True):
                self._log("delivery", delivery_id, None, DeliveryStatus.PENDING, sink)
        self.count += TriageCount(deliveries_new=len(rows))
        return len(rows)

    def _link(self, ticket_id: int, row: AnyRow, *, opened: bool) -> bool:
        values = {
            "mention_id": row.id,
            "ticket_id": ticket_id,
            "post_id": row.post_id,
            "brand_id": row.brand_id,
            "opened": opened,
            "site": row.site,
            "thread": row.thread and fit(row.thread),
            "author": row.author_handle or row.author_name,
            "content_hash": row.content_hash if len(row.folded) >= _SHORTEST_REPOST else None,
            "at": self.part.now(),
        }
        if self.part.db.insert_once(self.connection, t.ticket_mentions, values, "mention_id") is None:
            return False
        more = sa.update(t.tickets).where(t.tickets.c.id == ticket_id)
        self.connection.execute(more.values(mention_count=t.tickets.c.mention_count + 1))
        return True

    def _move(self, decision: Decision, row: AnyRow, status: MentionStatus, ticket_id: int | None) -> None:
        values = {"status": status.value, "reason": decision.reason, "rule": decision.rule, "ticket_id": ticket_id}
        if (row.status, row.reason, row.rule) != (status.value, decision.reason, decision.rule):
            stamp = {"changed_at": self.part.now(), "config_version": self.config_version}
            self.moves.append({"row_id": row.id, **values, **stamp})
        if row.status != status.value:
            self._log("mention", row.id, row.status, status, decision.reason)
        self.count += TriageCount(**{status.value: 1})

    def _log(self, row: str, row_id: int, before: str | None, after: str, note: str) -> None:
        self.changes.append(self.part.event(row, row_id, "status", before, str(after), note))


def _not_for_triage(row: AnyRow) -> bool:
    """Handed over already, sent back to the model by an edit, or no longer a mention."""
    lost = row.status == MentionStatus.IGNORED.value and row.reason == NO_MATCH
    return lost or row.status in HANDED_OVER or row.status == MentionStatus.FOUND.value


def _ticket_values(ticket: Ticket) -> dict[str, Any]:
    names = ("key", "subject", "body", "brand", "url", "author", "reason", "language", "due_at")
    values: dict[str, Any] = {name: getattr(ticket, name) for name in names}
    return values | {"priority": str(ticket.priority), "tags": list(ticket.tags), "status": TicketStatus.OPEN.value}


def _hashes(connection: Connection, mentions: Sequence[StoredMention]) -> dict[int, str]:
    long_enough = [it.post.id for it in mentions if len(it.post.folded) >= _SHORTEST_REPOST]
    found: dict[int, str] = {}
    for some in chunks(long_enough):
        query = sa.select(t.posts.c.id, t.posts.c.content_hash).where(t.posts.c.id.in_(some))
        found |= {row.id: row.content_hash for row in connection.execute(query)}
    return found


def _open_links(
    connection: Connection, mentions: Sequence[StoredMention], hashes: Mapping[int, str], since: datetime
) -> list[AnyRow]:
    links = t.ticket_mentions.c
    threads = {fit(it.post.post.thread) for it in mentions if it.post.post.thread}
    same = sa.or_(links.thread.in_(threads), links.content_hash.in_(set(hashes.values())))
    query = (
        sa.select(t.ticket_mentions, t.tickets.c.key)
        .join(t.tickets)
        .where(links.brand_id.in_({it.brand_id for it in mentions}), same)
        .where(t.tickets.c.status == TicketStatus.OPEN.value, t.tickets.c.opened_at >= since)
        .order_by(t.tickets.c.id.desc())
    )
    return list(connection.execute(query).all())


def _best(links: Sequence[AnyRow], mention: StoredMention, content_hash: str | None) -> OpenTicket | None:
    post = mention.post.post
    author = post.author.handle or post.author.name
    place = (post.site, fit(post.thread), author) if post.thread and author else None
    for link in links:
        if link.brand_id != mention.brand_id:
            continue
        same_text = content_hash is not None and link.content_hash == content_hash
        if same_text or (place is not None and (link.site, link.thread, link.author) == place):
            return OpenTicket(link.ticket_id, link.key)
    return None
