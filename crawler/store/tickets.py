"""Tickets: triage's decisions make them, people take them back, everybody reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from crawler.errors import NotFound
from crawler.model import Decision, DeliveryStatus, MentionStatus, Priority, StoredMention
from crawler.store import kin
from crawler.store import tables as t
from crawler.store import ticket_views as views
from crawler.store.db import Page, chunks, paged
from crawler.store.deciding import Deciding, TriageCount
from crawler.store.events import Part
from crawler.store.ticket_views import StoredTicket
from crawler.store.withdrawing import withdraw

_STEP = 100


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """A ticket that a mention could join."""

    id: int
    key: str


class Tickets(Part):
    """Reads tickets and makes them."""

    def decide(
        self,
        decisions: Sequence[Decision],
        config_version: int,
        *,
        before_commit: Callable[[], None] | None = None,
        after_commit: Callable[[], None] | None = None,
    ) -> TriageCount:
        """Carry out triage's decisions. A mention that has a ticket is left alone, so a repeat changes nothing.

        A decision whose ticket key exists joins that ticket, and so does one whose mention belongs to a ticket that
        somebody opened meanwhile. A join adds a comment for every sink of the ticket. The two calls are made once for
        each transaction, inside it when all is written, and after it.
        Raises NotFound when `join` names no ticket, ValueError when a decision for a ticket carries none.
        """
        total = TriageCount()
        for some in chunks(decisions, _STEP):
            total += self.db.transact(lambda c, some=some: Deciding(self, c, config_version, before_commit).run(some))  # type: ignore[misc]
            if after_commit is not None:
                after_commit()
        return total

    def open_for(self, mentions: Sequence[StoredMention], window_days: float = kin.OPEN_DAYS) -> dict[int, OpenTicket]:
        """Mention id -> the ticket that it belongs to, open for at most so many days or solved in the last 72 hours.

        Same brand, and the same conversation (author in thread, known author, answer to a post of the ticket) or the
        same story (a repost, a near-duplicate). See `crawler.store.kin`.
        """
        with self.db.read() as connection:
            found = kin.find(connection, [kin.facts_of(mention) for mention in mentions], self.now(), window_days)
        return {mention_id: OpenTicket(it.id, it.key) for mention_id, it in found.items()}

    def withdraw(self, key: str, to: MentionStatus = MentionStatus.REVIEW, actor: str | None = None) -> int:
        """Take back a ticket of which nothing was sent: no call is made, its mentions go to `to` (review or ignored).

        Returns how many mentions. Raises NotFound, and Permanent when any sink was called already.
        """
        part = Part(self.db, actor or self.actor, self.now)
        return self.db.transact(lambda connection: withdraw(part, connection, key, to))

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

    def priorities(self, ids: Sequence[int]) -> dict[int, Priority]:
        """Priority by id, of those tickets that stand for one mention alone: no follow-up has raised it."""
        columns, found = t.tickets.c, dict[int, Priority]()
        with self.db.read() as connection:
            for some in chunks(ids):
                query = sa.select(columns.id, columns.priority).where(columns.id.in_(some), columns.mention_count == 1)
                found |= {row.id: Priority(row.priority) for row in connection.execute(query)}
        return found

    def count(self) -> int:
        """How many tickets there are."""
        with self.db.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(t.tickets)).scalar_one()
