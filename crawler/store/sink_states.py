"""What is known of each sink as a whole: whether it is left in peace, and how far its news were read.

A circuit breaker that lives in the database: it outlives passes and processes, and two services share it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.types import tidy


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a sink does: failures in a row, and until when nobody calls it, with the reason."""

    failures: int = 0
    shut_until: datetime | None = None
    why: str | None = None

    def shut(self, now: datetime) -> bool:
        """Whether the sink is to be left in peace now."""
        return self.shut_until is not None and self.shut_until > now


class SinkStates(Part):
    """Reads and writes what is known of sinks."""

    def pulse(self, sink: str) -> Pulse:
        """How the sink does; a sink that nobody knows does well."""
        columns = t.sink_states.c
        query = sa.select(columns.failures, columns.shut_until, columns.why).where(columns.sink == sink)
        with self.db.read() as connection:
            row = connection.execute(query).first()
        return Pulse() if row is None else Pulse(row.failures, row.shut_until, row.why)

    def tell(self, sink: str, pulse: Pulse) -> None:
        """Write down how the sink does."""
        values = {"failures": pulse.failures, "shut_until": pulse.shut_until, "why": tidy(pulse.why)}
        self.db.transact(lambda connection: self._put(connection, sink, values))

    def begin_poll(self, sink: str, every: float) -> bool:
        """True for the one who may read the sink's news now: nobody did in the last `every` seconds."""
        return self.db.transact(lambda connection: self._begin_poll(connection, sink, every))

    def to_poll(self, sinks: Collection[str], every: float) -> list[str]:
        """Those of the sinks whose news nobody read in the last `every` seconds."""
        columns, since = t.sink_states.c, self.now() - timedelta(seconds=every)
        query = sa.select(columns.sink).where(columns.sink.in_(list(sinks)), columns.polled_at > since)
        with self.db.read() as connection:
            recent = set(connection.execute(query).scalars())
        return [sink for sink in sinks if sink not in recent]

    def poll_now(self, sink: str) -> None:
        """Let the sink's news be read at once."""
        columns = t.sink_states.c
        update = sa.update(t.sink_states).where(columns.sink == sink).values(polled_at=None)
        self.db.transact(lambda connection: connection.execute(update))

    def cursor(self, sink: str) -> datetime | None:
        """Up to when the sink's news were read, by the helpdesk's clock; None: never."""
        columns = t.sink_states.c
        with self.db.read() as connection:
            return connection.execute(sa.select(columns.cursor).where(columns.sink == sink)).scalar()

    def _put(self, connection: Connection, sink: str, values: dict[str, Any]) -> None:
        columns = t.sink_states.c
        self.db.insert_once(connection, t.sink_states, {"sink": sink}, "sink")
        connection.execute(sa.update(t.sink_states).where(columns.sink == sink).values(values))

    def _begin_poll(self, connection: Connection, sink: str, every: float) -> bool:
        columns = t.sink_states.c
        self.db.insert_once(connection, t.sink_states, {"sink": sink}, "sink")
        now = self.now()
        free = sa.or_(columns.polled_at.is_(None), columns.polled_at <= now - timedelta(seconds=every))
        update = sa.update(t.sink_states).where(columns.sink == sink, free)
        return connection.execute(update.values(polled_at=now)).rowcount == 1


def move_cursor(connection: Connection, sink: str, cursor: datetime) -> None:
    """Remember how far a sink's news were read, in the transaction that stores them."""
    columns = t.sink_states.c
    connection.execute(sa.update(t.sink_states).where(columns.sink == sink).values(cursor=cursor))
