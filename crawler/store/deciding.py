"""Triage's decisions become tickets, deliveries and history in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import NotFound
from crawler.model import Change, Decision, DeliveryStatus, Event, MentionStatus, Priority, Ticket, TicketStatus
from crawler.store import events, kin
from crawler.store import tables as t
from crawler.store.changing import add_change
from crawler.store.events import Part
from crawler.store.recording import HANDED_OVER, NO_MATCH, update_many
from crawler.store.types import AnyRow

_URGENCY = (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT)


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


@dataclass
class Deciding:
    """One batch of decisions inside one transaction."""

    part: Part
    connection: Connection
    config_version: int
    before_commit: Callable[[], None] | None = None
    count: TriageCount = TriageCount()
    changes: list[Event] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)

    def run(self, decisions: Sequence[Decision]) -> TriageCount:
        mentions = self._mentions([decision.mention_id for decision in decisions])
        self._lock_joined({decision.join for decision in decisions if decision.join})
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
        if self.before_commit is not None:
            self.before_commit()
        return self.count

    def _mentions(self, ids: Sequence[int]) -> dict[int, AnyRow]:
        columns, post = t.mentions.c, t.posts.c
        place = ("site", "thread", "parent", "platform_id", "folded", "version")
        author = ("author_handle", "author_name", "author_url")
        own = (columns.id, columns.post_id, columns.brand_id, columns.status, columns.reason, columns.rule)
        query = (
            sa.select(*own, *(post[name] for name in (*place, *author)))
            .join_from(t.mentions, t.posts)
            .where(columns.id.in_(ids))
            .order_by(columns.id)
            .with_for_update(of=t.mentions)
        )
        return {row.id: row for row in self.connection.execute(query)}

    def _lock_joined(self, ids: set[int]) -> None:
        """In the order of their ids: the decisions come in that of the mentions, and so might another writer's."""
        if len(ids) > 1:
            columns = t.tickets.c
            query = sa.select(columns.id).where(columns.id.in_(sorted(ids))).order_by(columns.id)
            self.connection.execute(query.with_for_update())

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
        taken = self._of_key(decision.ticket.key)
        if taken is None and (found := self._kin(row)) is not None:
            return self._join(decision, row, self._locked(found.id), found)
        if taken is None:
            return self._open(decision, decision.ticket, row)
        if taken.status == TicketStatus.WITHDRAWN.value:
            return self._open_again(decision, decision.ticket, row, taken)
        return self._join(decision, row, taken)

    def _kin(self, row: AnyRow) -> kin.Kin | None:
        """A ticket that was opened since triage looked, in this batch or by another process."""
        return kin.find(self.connection, [kin.facts_of_row(row)], self.part.now()).get(row.id)

    def _open(self, decision: Decision, ticket: Ticket, row: AnyRow) -> None:
        values = self._values(decision, ticket) | {"brand_id": row.brand_id, "delivery_count": len(set(decision.sinks))}
        made = sa.insert(t.tickets).values(values).returning(t.tickets.c.id)
        ticket_id = self.connection.execute(made).scalar_one()
        self.count += TriageCount(tickets_new=1)
        self._log("ticket", ticket_id, None, TicketStatus.OPEN, ticket.key)
        self._deliveries(ticket_id, list(dict.fromkeys(decision.sinks)), decision.hold_until)
        self._link(ticket_id, row, opened=True)
        self._move(decision, row, MentionStatus.TICKETED, ticket_id)

    def _open_again(self, decision: Decision, ticket: Ticket, row: AnyRow, taken: AnyRow) -> None:
        """A ticket that was withdrawn is wanted after all: nothing of it was ever sent, so it begins anew."""
        columns = t.deliveries.c
        there = sa.select(columns.id, columns.sink).where(columns.ticket_id == taken.id, columns.number == 0)
        deliveries = {it.sink: it.id for it in self.connection.execute(there)}
        back = {"status": DeliveryStatus.PENDING.value, "not_before": decision.hold_until or self.part.now()}
        again = [number for sink, number in deliveries.items() if sink in decision.sinks]
        self.connection.execute(
            sa.update(t.deliveries).where(columns.id.in_(again)).values(back | {"settled_at": None})
        )
        for delivery_id in again:
            self._log("delivery", delivery_id, DeliveryStatus.WITHDRAWN, DeliveryStatus.PENDING, "wanted again")
        fresh = [sink for sink in dict.fromkeys(decision.sinks) if sink not in deliveries]
        added = self._deliveries(taken.id, fresh, decision.hold_until)
        values = self._values(decision, ticket) | {"delivery_count": t.tickets.c.delivery_count + added}
        self.connection.execute(sa.update(t.tickets).where(t.tickets.c.id == taken.id).values(values))
        self._log("ticket", taken.id, TicketStatus.WITHDRAWN, TicketStatus.OPEN, "wanted again")
        self._link(taken.id, row, opened=True)
        self._move(decision, row, MentionStatus.TICKETED, taken.id)

    def _values(self, decision: Decision, ticket: Ticket) -> dict[str, Any]:
        more = {"rule": decision.rule, "config_version": self.config_version}
        return _ticket_values(ticket) | more | {"opened_at": ticket.opened_at or self.part.now()}

    def _of_key(self, key: str) -> AnyRow | None:
        return self.connection.execute(sa.select(t.tickets).where(t.tickets.c.key == key).with_for_update()).first()

    def _locked(self, ticket_id: int) -> AnyRow:
        query = sa.select(t.tickets).where(t.tickets.c.id == ticket_id).with_for_update()
        return self.connection.execute(query).one()

    def _by_id(self, decision: Decision) -> AnyRow:
        query = sa.select(t.tickets).where(t.tickets.c.id == decision.join).with_for_update()
        found = self.connection.execute(query).first()
        if found is None:
            raise NotFound(f"mention {decision.mention_id}: there is no ticket {decision.join} to join")
        return found

    def _join(self, decision: Decision, row: AnyRow, ticket: AnyRow, found: kin.Kin | None = None) -> None:
        """Add the mention to the ticket; its sinks get a comment, a higher priority and a ticket that is open again."""
        found = found or self._kin(row)
        if self._link(ticket.id, row, opened=False):
            count = ticket.mention_count + 1
            told = found is None or found.follows or count <= 3 or _round(count)
            comment = self._comment(decision, count, found) if told else None
            status = self._reopened(ticket, row) if found is None or found.follows else None
            priority = self._raised(ticket, decision, row)
            if comment or status or priority:
                change = Change(f"{ticket.key}/m{row.id}", comment, priority, status)
                made = add_change(self.part, self.connection, ticket.id, change, decision.hold_until)
                self.changes += made
                self.count += TriageCount(deliveries_new=len(made))
        self._move(decision, row, MentionStatus.JOINED, ticket.id)

    def _comment(self, decision: Decision, count: int, found: kin.Kin | None) -> str:
        note = decision.note or (decision.ticket.body if decision.ticket else decision.reason)
        repeated = found is not None and not found.follows
        return f"{note}\n\n({found.why}; {count} posts by now)" if repeated and found else note

    def _reopened(self, ticket: AnyRow, row: AnyRow) -> TicketStatus | None:
        if ticket.status != TicketStatus.SOLVED.value:
            return None
        columns = t.tickets.c
        opened = {"status": TicketStatus.OPEN.value, "solved_at": None}
        self.connection.execute(sa.update(t.tickets).where(columns.id == ticket.id).values(opened))
        self._log("ticket", ticket.id, ticket.status, TicketStatus.OPEN, f"mention {row.id} follows up")
        return TicketStatus.OPEN

    def _raised(self, ticket: AnyRow, decision: Decision, row: AnyRow) -> Priority | None:
        wanted = decision.priority or (decision.ticket.priority if decision.ticket else None)
        if wanted is None or _URGENCY.index(wanted) <= _URGENCY.index(Priority(ticket.priority)):
            return None
        columns = t.tickets.c
        raised = {"priority": wanted.value, "due_at": _earlier(ticket.due_at, _due(decision))}
        self.connection.execute(sa.update(t.tickets).where(columns.id == ticket.id).values(raised))
        why = f"mention {row.id} is more urgent"
        self.changes.append(self.part.event("ticket", ticket.id, "priority", ticket.priority, wanted.value, why))
        return wanted

    def _deliveries(self, ticket_id: int, sinks: Sequence[str], not_before: datetime | None) -> int:
        """The delivery that creates the ticket, for each of the sinks; returns how many."""
        now = self.part.now()
        same = {
            "ticket_id": ticket_id,
            "number": 0,
            "status": DeliveryStatus.PENDING.value,
            "not_before": not_before or now,
            "created_at": now,
        }
        if sinks:
            insert = sa.insert(t.deliveries).returning(t.deliveries.c.id, sort_by_parameter_order=True)
            made = self.connection.execute(insert, [same | {"sink": sink} for sink in sinks]).scalars().all()
            for delivery_id, sink in zip(made, sinks, strict=True):
                self._log("delivery", delivery_id, None, DeliveryStatus.PENDING, sink)
        self.count += TriageCount(deliveries_new=len(sinks))
        return len(sinks)

    def _link(self, ticket_id: int, row: AnyRow, *, opened: bool) -> bool:
        facts = kin.facts_of_row(row)
        values = kin.link_values(facts) | {
            "ticket_id": ticket_id,
            "opened": opened,
            "at": self.part.now(),
            "noted_version": row.version,
        }
        if self.part.db.insert_once(self.connection, t.ticket_mentions, values, "mention_id") is None:
            return False
        kin.remember(self.connection, facts)
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


def _due(decision: Decision) -> datetime | None:
    return decision.due_at or (decision.ticket.due_at if decision.ticket else None)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two times of which each may be missing."""
    return min((at for at in (one, other) if at is not None), default=None)


def _round(count: int) -> bool:
    """5, 10, 20, 50, 100, ...: a text that goes round is told of now and then, not ten thousand times."""
    while count % 10 == 0:
        count //= 10
    return count in (1, 2, 5)
