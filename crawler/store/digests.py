"""The numbers of a brand's day, and who sends them: a row that is written first claims the sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import DeliveryStatus, MentionStatus, TicketStatus
from crawler.store import tables as t
from crawler.store.events import Part

_WAITING = (MentionStatus.FOUND.value, MentionStatus.ANALYSED.value)


@dataclass(frozen=True, slots=True)
class DayNumbers:
    """One brand from `since` to `until`: what was found and what came of it; what waits now, whenever it was found."""

    mentions: int
    mentions_before: int
    tones: Mapping[str, int]
    opened: int
    joined: int
    solved: int
    in_review: int
    undecided: int
    on_their_way: int
    parked: int
    overdue: int


class Digests(Part):
    """Claims and counts."""

    def claim(self, key: str, owner: str, seconds: float) -> int:
        """Take the sending of `key`; the number of the attempt, 0 when it was sent, or somebody else is at it."""
        return self.db.transact(lambda connection: self._claim(connection, key, owner, seconds))

    def done(self, key: str, owner: str) -> bool:
        """Say that it was sent; False when the claim was lost meanwhile."""
        columns = t.digests.c
        mine = (columns.key == key, columns.owner == owner, columns.sent_at.is_(None))
        update = sa.update(t.digests).where(*mine).values(sent_at=self.now())
        return self.db.transact(lambda connection: connection.execute(update).rowcount) == 1

    def numbers(self, brand: str, since: datetime, until: datetime) -> DayNumbers:
        """The numbers of a brand; all 0 for one that there is not. Times are aware."""
        before = since - (until - since)
        with self.db.read() as connection:
            read = _Reading(connection, brand)
            return DayNumbers(
                mentions=read.mentions(since, until),
                mentions_before=read.mentions(before, since),
                tones=read.tones(since, until),
                opened=read.opened(since, until),
                joined=read.links(since, until),
                solved=read.solved(since, until),
                in_review=read.standing([MentionStatus.REVIEW.value]),
                undecided=read.standing(_WAITING),
                on_their_way=read.deliveries(DeliveryStatus.PENDING),
                parked=read.deliveries(DeliveryStatus.PARKED),
                overdue=read.overdue(self.now()),
            )

    def _claim(self, connection: Connection, key: str, owner: str, seconds: float) -> int:
        now = self.now()
        lease = {"owner": owner, "lease_until": now + timedelta(seconds=seconds)}
        if self.db.insert_once(connection, t.digests, {"key": key, "attempts": 1, **lease}, "key") is not None:
            return 1
        columns = t.digests.c
        free = (columns.key == key, columns.sent_at.is_(None), columns.lease_until <= now)
        again = sa.update(t.digests).where(*free).values(attempts=columns.attempts + 1, **lease)
        return int(connection.execute(again.returning(columns.attempts)).scalar() or 0)


class _Reading:
    """Counts of one brand inside one transaction."""

    def __init__(self, connection: Connection, brand: str) -> None:
        self._connection = connection
        self._of_brand = t.mentions.c.brand_id.in_(sa.select(t.brands.c.id).where(t.brands.c.name == brand))
        self._ticket_of_brand = t.tickets.c.brand == brand

    def mentions(self, since: datetime, until: datetime) -> int:
        columns = t.mentions.c
        return self._one(t.mentions, self._of_brand, columns.found_at >= since, columns.found_at < until)

    def tones(self, since: datetime, until: datetime) -> dict[str, int]:
        columns, tone = t.mentions.c, t.analyses.c.tone
        query = sa.select(tone, sa.func.count()).select_from(
            t.mentions.join(t.analyses, t.analyses.c.id == columns.analysis_id)
        )
        query = query.where(self._of_brand, columns.found_at >= since, columns.found_at < until).group_by(tone)
        return {str(name): int(count) for name, count in self._connection.execute(query)}

    def opened(self, since: datetime, until: datetime) -> int:
        columns = t.tickets.c
        kept = columns.status != TicketStatus.WITHDRAWN.value
        return self._one(t.tickets, self._ticket_of_brand, columns.opened_at >= since, columns.opened_at < until, kept)

    def links(self, since: datetime, until: datetime) -> int:
        columns = t.ticket_mentions.c
        mine = columns.brand_id.in_(sa.select(t.tickets.c.brand_id).where(self._ticket_of_brand))
        joined = columns.opened.is_(sa.false())
        return self._one(t.ticket_mentions, mine, joined, columns.at >= since, columns.at < until)

    def solved(self, since: datetime, until: datetime) -> int:
        columns = t.tickets.c
        return self._one(t.tickets, self._ticket_of_brand, columns.solved_at >= since, columns.solved_at < until)

    def standing(self, statuses: Any) -> int:
        return self._one(t.mentions, self._of_brand, t.mentions.c.status.in_(statuses))

    def deliveries(self, status: DeliveryStatus) -> int:
        joined = t.deliveries.join(t.tickets)
        return self._one(joined, self._ticket_of_brand, t.deliveries.c.status == status.value)

    def overdue(self, now: datetime) -> int:
        columns = t.tickets.c
        is_open = columns.status == TicketStatus.OPEN.value
        unanswered = columns.first_reply_at.is_(None)
        return self._one(t.tickets, self._ticket_of_brand, is_open, unanswered, columns.due_at < now)

    def _one(self, table: sa.FromClause, *conditions: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(*conditions)
        return int(self._connection.execute(query).scalar_one())
