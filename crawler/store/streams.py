"""Streams as state: which are to be read, who reads them, how far behind they are. Posts come by the intake."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.store import events
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.sources import SourceState, close_lost, state_of

LIVE, WAITING, STOPPED = "live", "waiting", "stopped"
"""Connected; between two connections; ended on purpose."""
TROUBLE = "although it is read: "
"""In `StreamState.error`: what follows is an alert in every state, and does not come and go with a connection."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """How a stream fares. `heard_at`: the last message; `event_at`: when that was published; lag and gap in seconds."""

    state: str
    since: datetime
    beat_at: datetime
    heard_at: datetime | None = None
    event_at: datetime | None = None
    lag_seconds: float | None = None
    usual_gap_seconds: float | None = None
    frames: int = 0
    connections: int = 0
    error: str | None = None


_STATE = tuple(field.name for field in fields(StreamState))


class Streams(Part):
    """Reads and writes what the reading of streams comes to."""

    def wanted(self) -> list[SourceState]:
        """Streams of the config that are not paused, by name."""
        columns = t.sources.c
        said = sa.cast(columns.schedule, sa.Text).like('%"stream":true%')
        query = sa.select(t.sources).where(columns.retired_at.is_(None), columns.paused.is_(sa.false()), said)
        with self.db.read() as connection:
            found = [state_of(row) for row in connection.execute(query.order_by(columns.name))]
        return [state for state in found if state.schedule.get("stream")]

    def states(self) -> dict[int, StreamState]:
        """Source id -> how its stream fares, of all that were ever read."""
        with self.db.read() as connection:
            rows = connection.execute(sa.select(t.stream_states)).all()
        return {row.source_id: StreamState(**{name: row._mapping[name] for name in _STATE}) for row in rows}

    def tell(self, source_id: int, **values: Any) -> None:
        """Write what changed; the first word makes the row. A stream that is live again has no failures."""
        self.db.transact(lambda connection: self._tell(connection, source_id, values))

    def take_back(self, owner: str) -> int:
        """Free the streams that a process of this owner held when it died, so that the next one need not wait."""
        return self.db.transact(lambda connection: self._take_back(connection, owner))

    def _tell(self, connection: Connection, source_id: int, values: dict[str, Any]) -> None:
        now, columns = self.now(), t.stream_states.c
        values = {"beat_at": now, **values}
        known = connection.execute(sa.select(columns.state).where(columns.source_id == source_id)).scalar()
        state = values.get("state", known)
        if state != known:
            values["since"] = now
        if known is None:
            connection.execute(sa.insert(t.stream_states).values({"source_id": source_id, "since": now, **values}))
        else:
            connection.execute(sa.update(t.stream_states).where(columns.source_id == source_id).values(values))
        if state == LIVE and known != LIVE:
            well = {"failures": 0, "last_error": None, "last_verdict": "ok"}
            connection.execute(sa.update(t.sources).where(t.sources.c.id == source_id).values(well))

    def _take_back(self, connection: Connection, owner: str) -> int:
        columns = t.sources.c
        held = sa.select(columns.id, columns.lease_run, columns.name).where(columns.lease_owner == owner)
        rows = connection.execute(held.order_by(columns.id).with_for_update()).all()
        for row in rows:
            close_lost(self, connection, row.lease_run, "its process died; it is read on")
            free = {"lease_owner": None, "lease_until": None, "lease_run": None, "next_run_at": self.now()}
            connection.execute(sa.update(t.sources).where(columns.id == row.id).values(free))
            events.add(connection, [self.event("source", row.id, "stream", "reading", "taken back", row.name)])
        return len(rows)


def slot_of(state: SourceState, at: datetime) -> str:
    """The slot of a stretch of reading: each has its own."""
    return f"stream:{at.isoformat(timespec='microseconds')}"


__all__ = ["LIVE", "STOPPED", "TROUBLE", "WAITING", "StreamState", "Streams", "slot_of"]
