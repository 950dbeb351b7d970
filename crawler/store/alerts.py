"""Alerts: what needs a person. One open alert a key; it goes by itself when its cause does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Alert
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.types import AnyRow, tidy

Found = list[Alert]
_AT_ONCE = 100
_TOUCH = timedelta(seconds=60)
_NAMES = ("key", "cause", "source", "first_seen", "last_seen", "resolved_at", "id")


class Alerts(Part):
    """Raises, clears and reads alerts."""

    def set_(self, key: str, cause: str, source: str | None = None) -> bool:
        """Say that the condition `key` holds; True when it is new. An open alert takes the new cause and time."""
        return self.db.transact(lambda connection: self._set(connection, key, tidy(cause) or "", source))

    def clear(self, key: str) -> bool:
        """Say that the condition is over; True when an alert was open."""
        return self.db.transact(lambda connection: self._clear(connection, key))

    def keep(self, holding: Mapping[str, tuple[str, str | None]], kinds: tuple[str, ...]) -> None:
        """Open what holds (key -> cause and source) and resolve every open alert of these kinds that does not.

        `kinds` are beginnings of keys. Thousands may hold for days: what is open already is only written again when
        its cause changed or a minute has passed, and many at a time.
        """
        known, now = {alert.key: alert for alert in self.open()}, self.now()
        stale = [key for key, (cause, _) in holding.items() if not _fresh(known.get(key), tidy(cause) or "", now)]
        over = [key for key in known if key.startswith(kinds) and key not in holding]
        for keys in chunks(stale, _AT_ONCE):
            self.db.transact(partial(self._set_many, {key: holding[key] for key in keys}))
        for keys in chunks(over, _AT_ONCE):
            self.db.transact(partial(self._clear_many, keys))

    def holds(self, key: str) -> bool:
        """Whether an alert of this key is open."""
        columns = t.alerts.c
        query = sa.select(columns.id).where(columns.key == key, columns.resolved_at.is_(None))
        with self.db.read() as connection:
            return connection.execute(query).first() is not None

    def open(self) -> Found:
        """Every unresolved alert, oldest first."""
        return self._read(t.alerts.c.resolved_at.is_(None))

    def list(self, all: bool = True, limit: int = 500) -> Found:
        """Alerts, newest first; without `all` only the open ones."""
        if not all:
            return self.open()[::-1][:limit]
        query = sa.select(t.alerts).order_by(t.alerts.c.id.desc()).limit(limit)
        with self.db.read() as connection:
            return [_alert(row) for row in connection.execute(query)]

    def unsent(self) -> Found:
        """Alerts whose start, or whose end after a told start, nobody was told yet; oldest first."""
        columns = t.alerts.c
        started = sa.and_(columns.sent_at.is_(None), columns.resolved_at.is_(None))
        ended = sa.and_(columns.sent_at.is_not(None), columns.resolved_at.is_not(None), columns.end_sent_at.is_(None))
        return self._read(sa.or_(started, ended))

    def mark_sent(self, ids: Sequence[int]) -> None:
        """Remember that these were told: their start, and their end when they are resolved."""
        columns = t.alerts.c
        # With its type: an untyped instant would be written in SQLite's own text form.
        now = sa.literal(self.now(), columns.sent_at.type)
        update = (
            sa.update(t.alerts)
            .where(columns.id.in_(ids))
            .values(
                sent_at=sa.func.coalesce(columns.sent_at, now),
                end_sent_at=sa.case((columns.resolved_at.is_not(None), now), else_=columns.end_sent_at),
            )
        )
        self.db.transact(lambda connection: connection.execute(update))

    def _read(self, condition: sa.ColumnElement[bool]) -> Found:
        with self.db.read() as connection:
            return [
                _alert(row) for row in connection.execute(sa.select(t.alerts).where(condition).order_by(t.alerts.c.id))
            ]

    def _set(self, connection: Connection, key: str, cause: str, source: str | None) -> bool:
        columns = t.alerts.c
        now = self.now()
        still = sa.update(t.alerts).where(columns.key == key, columns.resolved_at.is_(None))
        if connection.execute(still.values(cause=cause, source=source, last_seen=now)).rowcount:
            return False
        values = {"key": key, "cause": cause, "source": source, "first_seen": now, "last_seen": now}
        alert_id = connection.execute(sa.insert(t.alerts).values(values).returning(columns.id)).scalar_one()
        events.add(connection, [self.event("alert", alert_id, "status", None, "open", cause)])
        return True

    def _set_many(self, holding: Mapping[str, tuple[str, str | None]], connection: Connection) -> None:
        for key, (cause, source) in holding.items():
            self._set(connection, key, tidy(cause) or "", source)

    def _clear_many(self, keys: Sequence[str], connection: Connection) -> None:
        for key in keys:
            self._clear(connection, key)

    def _clear(self, connection: Connection, key: str) -> bool:
        columns = t.alerts.c
        update = sa.update(t.alerts).where(columns.key == key, columns.resolved_at.is_(None))
        ended = connection.execute(update.values(resolved_at=self.now()).returning(columns.id)).all()
        events.add(connection, [self.event("alert", row.id, "status", "open", "resolved", key) for row in ended])
        return bool(ended)


def _fresh(alert: Alert | None, cause: str, now: datetime) -> bool:
    seen = alert.last_seen if alert is not None and alert.cause == cause else None
    return seen is not None and now - seen < _TOUCH


def _alert(row: AnyRow) -> Alert:
    return Alert(**{name: getattr(row, name) for name in _NAMES})
