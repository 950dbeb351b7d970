"""What comes back from helpdesks: status, assignee, the first answer and the solution, public answers as Replies.

Hearing the same twice changes nothing, so a poll may overlap the last one and a webhook may tell what a poll told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Change, DeliveryStatus, Event, Remote, Reply, TicketStatus
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.settling import POSSIBLE_DUPLICATE
from crawler.store.sink_states import move_cursor
from crawler.store.types import AnyRow, fit, tidy
from crawler.text import clean_text, fold

Heard = Sequence[tuple[Remote, Change]]
_NOTE_CHARS = 300
# What sinks and helpdesks put under a comment of ours: a marker, a line about the API. An agent quotes BELOW his words.
_FOOTER_CHARS = 80
_TAG = re.compile(r"<[^<>]{1,200}>")


class Replies(Part):
    """Takes what helpdesks tell, and reads the answers."""

    def take(
        self, sink: str, heard: Heard, cursor: datetime | None = None, places: Collection[str] | None = None
    ) -> int:
        """Store news of the sink in the order given and how far they go; returns how many Events that made.

        Tickets that are not ours are passed over, and so are those that another helpdesk than one of `places` took.
        """
        made = 0
        for some in chunks(heard, 200):
            made += self.db.transact(lambda c, some=some: _Hearing(self, c, sink, places).run(some))  # type: ignore[misc]
        if cursor is not None:
            self.db.transact(lambda connection: move_cursor(connection, sink, cursor))
        return made

    def ours(self, sink: str, remote_ids: Collection[str]) -> set[str]:
        """Those of the sink's tickets that are ours."""
        found: set[str] = set()
        with self.db.read() as connection:
            for some in chunks(sorted(remote_ids)):
                found |= {row.remote_id for row in connection.execute(_of_remotes(sink, some))}
        return found

    def of(self, ticket_id: int) -> list[Reply]:
        """The public answers of a ticket, oldest first."""
        columns = t.replies.c
        query = sa.select(t.replies).where(columns.ticket_id == ticket_id).order_by(columns.at, columns.id)
        with self.db.read() as connection:
            rows = connection.execute(query).all()
        return [Reply(row.sink, row.key, row.text, row.author, row.at, row.id) for row in rows]

    def set_status(self, ticket_id: int, status: TicketStatus, note: str | None = None) -> bool:
        """Give a ticket a status of our own; True when it had another."""
        return self.db.transact(lambda c: bool(_set_status(self, c, ticket_id, status, self.now(), note)))

    def hook_known(self, key: str) -> bool:
        """Whether a webhook call of that key was carried out before."""
        with self.db.read() as connection:
            return connection.execute(sa.select(t.hook_calls.c.id).where(t.hook_calls.c.key == key)).first() is not None

    def hook_done(self, key: str, forget_before: datetime) -> None:
        """Remember that a webhook call was carried out; calls of long ago are forgotten."""
        self.db.transact(lambda connection: self._hook_done(connection, key, forget_before))

    def _hook_done(self, connection: Connection, key: str, forget_before: datetime) -> None:
        connection.execute(sa.delete(t.hook_calls).where(t.hook_calls.c.at < forget_before))
        self.db.insert_once(connection, t.hook_calls, {"key": key, "at": self.now()}, "key")


def _set_status(
    part: Part, connection: Connection, ticket_id: int, status: TicketStatus, at: datetime, note: str | None
) -> list[Event]:
    columns = t.tickets.c
    query = sa.select(columns.status).where(columns.id == ticket_id).with_for_update()
    before = connection.execute(query).scalar()
    if before in (None, status.value, TicketStatus.WITHDRAWN.value):
        return []
    solved_at = at if status is TicketStatus.SOLVED else None
    update = sa.update(t.tickets).where(columns.id == ticket_id)
    connection.execute(update.values(status=status.value, solved_at=solved_at))
    made = [part.event("ticket", ticket_id, "status", before, status.value, tidy(note))]
    events.add(connection, made)
    return made


@dataclass
class _Hearing:
    """News of one sink inside one transaction."""

    part: Part
    connection: Connection
    sink: str
    places: Collection[str] | None = None
    changes: list[Event] = field(default_factory=list)
    statuses: int = 0

    def run(self, heard: Heard) -> int:
        ours = self._ours({remote.id for remote, _ in heard})
        known: dict[int, str | None] = {row.id: row.remote_status for row in ours.values()}
        strange = {it.key: it.id for it, _ in heard if it.key and tidy(it.id) not in ours}
        if strange:
            self._doubles(strange)
        for remote, change in heard:
            delivery = ours.get(str(tidy(remote.id)))
            if delivery is not None:
                self._one(delivery, remote, change, known)
        events.add(self.connection, self.changes)
        return len(self.changes) + self.statuses

    def _ours(self, remote_ids: set[str]) -> dict[str, AnyRow]:
        query = _of_remotes(self.sink, [str(tidy(one)) for one in remote_ids])
        if self.places is not None:
            query = query.where(sa.or_(t.deliveries.c.place.is_(None), t.deliveries.c.place.in_(sorted(self.places))))
        return {row.remote_id: row for row in self.connection.execute(query)}

    def _doubles(self, strange: Mapping[str, str]) -> None:
        """Tickets under a key of ours (key -> their id) that are not the one we know: created late, after all."""
        columns = t.deliveries.c
        query = sa.select(columns.id, columns.remote_id, t.tickets.c.key).join_from(t.deliveries, t.tickets)
        sent = (columns.sink == self.sink, columns.number == 0, columns.status == DeliveryStatus.SENT.value)
        # One whose id is only our key was never told its number there.
        known = (columns.remote_id.is_not(None), columns.remote_id != t.tickets.c.key, columns.twice.is_(sa.false()))
        query = query.where(*sent, *known, t.tickets.c.key.in_(list(strange)))
        # A ticket that moved house with the rest of them is no double.
        query = query.where(sa.or_(columns.place.is_(None), columns.place.in_(sorted(self.places or ()))))
        for row in self.connection.execute(query.order_by(columns.id).with_for_update(of=t.deliveries)).all():
            told = sa.update(t.deliveries).where(columns.id == row.id)
            self.connection.execute(told.values(twice=True, twice_at=self.part.now()))
            note = f"{self.sink} tells of {strange[row.key]} under our key; ours is {row.remote_id}"
            self._log("delivery", row.id, POSSIBLE_DUPLICATE, None, None, note)

    def _one(self, delivery: AnyRow, remote: Remote, change: Change, known: dict[int, str | None]) -> None:
        at = change.at or self.part.now()
        status = change.status or (remote.status if change.comment is None else None)
        # Only what is new to us counts: an old word of the helpdesk must not close what we opened again since.
        if status in (TicketStatus.OPEN, TicketStatus.SOLVED) and status.value != known[delivery.id]:
            known[delivery.id] = status.value
            self._status(delivery, status, at)
        if change.assignee is not None:
            self._assignee(delivery.ticket_id, change.assignee)
        if change.comment is not None and change.public:
            self._reply(delivery, remote, change, at)

    def _status(self, delivery: AnyRow, status: TicketStatus, at: datetime) -> None:
        columns = t.deliveries.c
        update = sa.update(t.deliveries).where(columns.id == delivery.id)
        self.connection.execute(update.values(remote_status=status.value))
        self._log("delivery", delivery.id, "remote status", delivery.remote_status, status.value, self.sink)
        note = f"{self.sink} says so"
        self.statuses += len(_set_status(self.part, self.connection, delivery.ticket_id, status, at, note))

    def _assignee(self, ticket_id: int, assignee: str) -> None:
        columns = t.tickets.c
        name = clean_text(assignee, 200).strip()
        before = self.connection.execute(sa.select(columns.assignee).where(columns.id == ticket_id)).scalar()
        if name != (before or ""):
            update = sa.update(t.tickets).where(columns.id == ticket_id)
            self.connection.execute(update.values(assignee=name or None))
            what = "assignee" if name else "assignee removed"
            self._log("ticket", ticket_id, what, before, name or None, self.sink)

    def _reply(self, delivery: AnyRow, remote: Remote, change: Change, at: datetime) -> None:
        text = clean_text(change.comment or "").strip()
        key = fit(f"{remote.id}/{change.key}")
        columns = t.replies.c
        seen = sa.select(columns.id).where(columns.sink == self.sink, columns.key == key)
        if not text or self.connection.execute(seen).first() or self._is_ours(delivery.ticket_id, text):
            return
        author = clean_text(change.author, 200) if change.author else None
        values: dict[str, Any] = {"ticket_id": delivery.ticket_id, "sink": self.sink, "key": key, "at": at}
        self.connection.execute(sa.insert(t.replies).values(values | {"author": author, "text": text}))
        self._log("ticket", delivery.ticket_id, "reply", None, author, text[:_NOTE_CHARS])
        self._first_reply(delivery.ticket_id, at)

    def _first_reply(self, ticket_id: int, at: datetime) -> None:
        columns = t.tickets.c
        first = sa.update(t.tickets).where(columns.id == ticket_id, columns.first_reply_at.is_(None))
        if self.connection.execute(first.values(first_reply_at=at)).rowcount:
            self._log("ticket", ticket_id, "first reply", None, at.isoformat(), self.sink)

    def _is_ours(self, ticket_id: int, text: str) -> bool:
        """Whether the helpdesk only says back what we told it: the ticket's body, or a comment of ours."""
        body = self.connection.execute(sa.select(t.tickets.c.body).where(t.tickets.c.id == ticket_id)).scalar()
        columns = t.deliveries.c
        told = sa.select(columns.change).where(columns.ticket_id == ticket_id, columns.change.is_not(None))
        ours = [str(body), *(str(row["comment"]) for row in self.connection.execute(told).scalars() if row["comment"])]
        said = _bare(text)
        return any(said.startswith(one) and len(said) - len(one) <= _FOOTER_CHARS for one in map(_bare, ours) if one)

    def _log(self, row: str, row_id: int, what: str, before: str | None, after: str | None, note: str) -> None:
        self.changes.append(self.part.event(row, row_id, what, tidy(before), tidy(after), tidy(note)))


def _of_remotes(sink: str, remote_ids: Sequence[str]) -> sa.Select[Any]:
    columns = t.deliveries.c
    names = (columns.id, columns.ticket_id, columns.remote_id, columns.remote_status)
    query = sa.select(*names).where(columns.sink == sink, columns.number == 0, columns.remote_id.in_(remote_ids))
    return query.order_by(columns.id)


def _bare(text: str) -> str:
    """Letters and digits alone: helpdesks turn line ends, quotes and links into marks of their own."""
    return "".join(character for character in fold(unescape(_TAG.sub(" ", text))) if character.isalnum())
