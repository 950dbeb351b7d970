"""The built-in desk: a helpdesk inside the database, for installations that have no other.

It looks like a sink's port: `create` and `update` are idempotent by key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import Permanent
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import Page, paged
from crawler.store.events import Part
from crawler.store.types import AnyRow
from crawler.text import clean_text


@dataclass(frozen=True, slots=True)
class DeskTicket:
    """A ticket on the desk, with its comments as (time, text)."""

    id: int
    ticket: Ticket
    status: TicketStatus
    created_at: datetime
    changed_at: datetime
    comments: tuple[tuple[datetime, str | None], ...] = ()


class Desk(Part):
    """The desk's tickets."""

    def create(self, ticket: Ticket) -> Remote:
        """Put a ticket on the desk; the one that has its key already, if there is one."""
        return self.db.transact(lambda connection: self._create(connection, ticket))

    def find(self, key: str) -> Remote | None:
        """The desk's ticket of that key."""
        with self.db.read() as connection:
            row = connection.execute(_by_key(key)).first()
        return None if row is None else _remote(row)

    def update(self, remote: Remote, change: Change) -> None:
        """Comment on a ticket, or give it a new priority or status; once for each `change.key`. Raises Permanent."""
        self.db.transact(lambda connection: self._update(connection, remote, change))

    def answer(self, desk_id: int, text: str, author: str) -> None:
        """A public answer of somebody at the desk. Raises Permanent for a ticket that there is not."""
        self.db.transact(lambda connection: self._answer(connection, desk_id, text, author))

    def changes(self, since: datetime) -> Sequence[tuple[Remote, Change]]:
        """What happened at the desk since then, as a helpdesk tells it: statuses, and answers."""
        tickets, comments = t.desk_tickets.c, t.desk_comments.c
        moved = sa.select(t.desk_tickets).where(tickets.changed_at >= since).order_by(tickets.changed_at)
        said = sa.select(t.desk_comments).where(comments.at >= since, comments.author.is_not(None))
        with self.db.read() as connection:
            statuses = [
                (_remote(row), Change(f"{row.key}/now", status=TicketStatus(row.status), at=row.changed_at))
                for row in connection.execute(moved)
            ]
            answers = [
                (Remote(str(row.desk_id)), Change(row.key, row.text, author=row.author, public=True, at=row.at))
                for row in connection.execute(said.order_by(comments.id))
            ]
        return statuses + answers

    def list(
        self,
        *,
        status: TicketStatus | str | None = None,
        after_id: int | None = None,
        before_id: int | None = None,
        newest: bool = False,
        limit: int = 500,
    ) -> list[DeskTicket]:
        """Tickets on the desk newest first below `before_id`; upwards from `after_id`."""
        columns = t.desk_tickets.c
        query = paged(sa.select(t.desk_tickets), columns.id, Page(after_id, before_id, newest, limit))
        if status is not None:
            query = query.where(columns.status == str(status))
        with self.db.read() as connection:
            rows = connection.execute(query).all()
            comments = _comments(connection, [row.id for row in rows])
        return [_desk_ticket(row, comments.get(row.id, ())) for row in rows]

    def _create(self, connection: Connection, ticket: Ticket) -> Remote:
        now = self.now()
        names = ("key", "subject", "body", "brand", "url", "author", "reason", "language", "due_at")
        values: dict[str, Any] = {name: getattr(ticket, name) for name in names}
        values |= {"priority": str(ticket.priority), "tags": list(ticket.tags), "status": TicketStatus.OPEN.value}
        values |= {"created_at": now, "changed_at": now}
        desk_id = self.db.insert_once(connection, t.desk_tickets, values, "key")
        if desk_id is not None:
            events.add(connection, [self.event("desk", desk_id, "status", None, TicketStatus.OPEN.value, ticket.key)])
        return _remote(connection.execute(_by_key(ticket.key)).one())

    def _answer(self, connection: Connection, desk_id: int, text: str, author: str) -> None:
        columns = t.desk_tickets.c
        now = self.now()
        more = sa.update(t.desk_tickets).where(columns.id == desk_id)
        changed = {"changed_at": now, "comment_count": columns.comment_count + 1}
        if connection.execute(more.values(changed)).rowcount != 1:
            raise Permanent(f"the desk has no ticket {desk_id}")
        comment = {"desk_id": desk_id, "key": f"answer/{uuid4().hex}", "text": clean_text(text), "at": now}
        connection.execute(sa.insert(t.desk_comments).values(comment | {"author": clean_text(author, 200)}))

    def _update(self, connection: Connection, remote: Remote, change: Change) -> None:
        columns = t.desk_tickets.c
        desk_id = int(remote.id) if remote.id.isdigit() else 0
        row = connection.execute(sa.select(t.desk_tickets).where(columns.id == desk_id).with_for_update()).first()
        if row is None:
            raise Permanent(f"the desk has no ticket {remote.id}")
        comment = {"desk_id": desk_id, "key": change.key, "text": change.comment, "at": self.now()}
        if self.db.insert_once(connection, t.desk_comments, comment, "key") is None:
            return
        values: dict[str, Any] = {"changed_at": self.now(), "comment_count": columns.comment_count + 1}
        if change.priority is not None:
            values["priority"] = change.priority.value
        if change.status is not None and change.status.value != row.status:
            values["status"] = change.status.value
            events.add(connection, [self.event("desk", desk_id, "status", row.status, change.status.value, row.key)])
        connection.execute(sa.update(t.desk_tickets).where(columns.id == desk_id).values(values))


def _by_key(key: str) -> sa.Select[Any]:
    return sa.select(t.desk_tickets).where(t.desk_tickets.c.key == key)


def _remote(row: AnyRow) -> Remote:
    return Remote(str(row.id), f"/desk/{row.id}", TicketStatus(row.status))


def _comments(connection: Connection, ids: list[int]) -> dict[int, tuple[tuple[datetime, str | None], ...]]:
    columns = t.desk_comments.c
    query = sa.select(columns.desk_id, columns.at, columns.text).where(columns.desk_id.in_(ids)).order_by(columns.id)
    found: dict[int, list[tuple[datetime, str | None]]] = {}
    for desk_id, at, text in connection.execute(query):
        found.setdefault(desk_id, []).append((at, text))
    return {desk_id: tuple(comments) for desk_id, comments in found.items()}


def _desk_ticket(row: AnyRow, comments: tuple[tuple[datetime, str | None], ...]) -> DeskTicket:
    names = ("key", "subject", "body", "brand", "url", "author", "reason", "language", "id", "due_at")
    ticket = Ticket(
        **{name: getattr(row, name) for name in names},
        priority=Priority(row.priority),
        tags=tuple(row.tags),
        opened_at=row.created_at,
    )
    return DeskTicket(row.id, ticket, TicketStatus(row.status), row.created_at, row.changed_at, comments)
