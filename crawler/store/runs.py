"""Crawl runs: opened by a claim, counted by the intake, ended here under their epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import LeaseLost, NotFound
from crawler.model import CrawlResult, Run, Verdict
from crawler.store import events
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.pace import learn
from crawler.store.sources import SourceState, close_lost, no_source, source_of
from crawler.store.types import AnyRow, tidy

_GOOD = frozenset({Verdict.OK, Verdict.EMPTY})
# The usual gap follows new habits slowly: three quarters of what it was.
_OLD_SHARE = 0.75
REDO_SLOT = "redo:"
_FREE: dict[str, Any] = {"lease_owner": None, "lease_until": None, "lease_run": None}


def lease_lost(run: Run) -> LeaseLost:
    """The error of a late write."""
    return LeaseLost(f"run {run.id} of source {run.source.name!r} was taken over: nothing was written")


class Runs(Part):
    """Reads and ends runs."""

    def get(self, run_id: int) -> Run:
        """The run with its source, settings as raw JSON. Raises NotFound."""
        with self.db.read() as connection:
            found = connection.execute(sa.select(t.runs).where(t.runs.c.id == run_id)).first()
            if found is None:
                raise NotFound(f"there is no run {run_id}")
            row = connection.execute(sa.select(t.sources).where(t.sources.c.id == found.source_id)).one()
            return Run(run_id, source_of(connection, row), found.slot, found.owner, found.epoch)

    def since_asked(self, run: Run) -> float:
        """Seconds since a run of any source of the same domain ended; infinite when none has."""
        mine, others = t.sources.c, t.sources.alias("others").c
        query = sa.select(sa.func.max(others.last_run_at)).where(mine.id == run.source.id, others.domain == mine.domain)
        with self.db.read() as connection:
            at = connection.execute(query).scalar()
        return math.inf if at is None else max(0.0, (self.now() - at).total_seconds())

    def result(self, run_id: int) -> CrawlResult:
        """What the run came to so far. Raises NotFound."""
        query = sa.select(t.runs, t.sources.c.name).join(t.sources).where(t.runs.c.id == run_id)
        with self.db.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"there is no run {run_id}")
        return _result(row, row.name)

    def pace_after(self, run: Run, state: SourceState) -> tuple[dict[str, float], float | None]:
        """The pace that `finish` would store for a good run now, and the seconds since the run before it."""
        with self.db.read() as connection:
            row = connection.execute(sa.select(t.runs.c.new, t.runs.c.unchanged).where(t.runs.c.id == run.id)).one()
        return _pace(state.pace, row, self.now()), _since(state.pace, self.now())

    def finish(
        self, run: Run, verdict: Verdict, error: str | None, seconds: float, next_run_at: datetime | None
    ) -> CrawlResult:
        """End the run, free the source and set its next crawl, in one transaction. Raises LeaseLost."""
        return self.db.transact(lambda c: self._finish(c, run, verdict, tidy(error), seconds, next_run_at))

    def release(self, run: Run) -> None:
        """Give the run back: unrun it leaves no trace, half run it is closed. The source is due again at once."""

        def work(connection: Connection) -> None:
            untouched = (t.runs.c.fetched == 0, t.runs.c.parsed == 0, t.runs.c.unchanged == 0)
            mine = (t.runs.c.id == run.id, t.runs.c.epoch == run.epoch, t.runs.c.ended_at.is_(None))
            gone = connection.execute(sa.delete(t.runs).where(*mine, *untouched).returning(t.runs.c.id)).first()
            if gone is not None:
                events.add(connection, [self.event("run", run.id, "status", "running", "released")])
            elif not close_lost(self, connection, run.id, "released before its end"):
                raise lease_lost(run)
            # Half run: the site was asked, and its Crawl-delay counts from here.
            asked = {} if gone is not None else {"last_run_at": self.now()}
            self._free(connection, run.id, {"next_run_at": self.now(), **asked})

        self.db.transact(work)

    def abandoned(self, now: datetime) -> list[Run]:
        """Close the runs whose lease ended as failed ("process died"); their sources are due at once."""
        return self.db.transact(lambda connection: self._abandoned(connection, now))

    def begin_redo(self, owner: str, source_name: str) -> Run:
        """A run that reads stored documents again: no lease, no schedule. Raises NotFound.

        It takes over from an earlier one of the source that never ended: late writes of that one are refused.
        """

        def work(connection: Connection) -> Run:
            row = connection.execute(sa.select(t.sources).where(t.sources.c.name == source_name)).first()
            if row is None:
                raise no_source(source_name)
            unfinished = sa.select(t.runs.c.id).where(
                t.runs.c.source_id == row.id, t.runs.c.kind == "redo", t.runs.c.ended_at.is_(None)
            )
            for earlier in connection.execute(unfinished).scalars().all():
                close_lost(self, connection, earlier, "another redo took over")
            slot = f"{REDO_SLOT}{self.now().isoformat()}"
            values = {"source_id": row.id, "slot": slot, "kind": "redo", "owner": owner, "epoch": 0}
            insert = sa.insert(t.runs).values(values | {"started_at": self.now()}).returning(t.runs.c.id)
            run_id = connection.execute(insert).scalar_one()
            events.add(connection, [self.event("run", run_id, "status", None, "running", source_name)])
            return Run(run_id, source_of(connection, row), slot, owner, 0)

        return self.db.transact(work)

    def _finish(
        self,
        connection: Connection,
        run: Run,
        verdict: Verdict,
        error: str | None,
        seconds: float,
        due: datetime | None,
    ) -> CrawlResult:
        now = self.now()
        update = (
            sa.update(t.runs)
            .where(t.runs.c.id == run.id, t.runs.c.epoch == run.epoch, t.runs.c.ended_at.is_(None))
            .values(ended_at=now, verdict=verdict.value, error=error, seconds=seconds)
            .returning(*t.runs.c)
        )
        row = connection.execute(update).first()
        if row is None:
            raise lease_lost(run)
        if row.kind == "crawl":
            self._tell_source(connection, row, verdict, due, now)
        events.add(connection, [self.event("run", run.id, "status", "running", verdict.value, error)])
        return _result(row, run.source.name)

    def _tell_source(
        self, connection: Connection, run: AnyRow, verdict: Verdict, due: datetime | None, now: datetime
    ) -> None:
        columns = t.sources.c
        before = connection.execute(sa.select(t.sources).where(columns.id == run.source_id)).one()
        values: dict[str, Any] = {
            "last_run_at": now,
            "last_verdict": verdict.value,
            "last_error": run.error,
            "failures": 0 if verdict in _GOOD else before.failures + 1,
            "next_run_at": due,
        }
        if verdict in _GOOD:
            values["pace"] = _pace(before.pace, run, now)
        if run.new and not before.schedule.get("stream"):
            values |= {"last_new_at": now, "usual_gap_seconds": _gap(before, now)}
        connection.execute(sa.update(t.sources).where(columns.id == run.source_id).values(values))
        free = sa.update(t.sources).where(columns.id == run.source_id, columns.lease_run == run.id)
        connection.execute(free.values(_FREE))

    def _free(self, connection: Connection, run_id: int, values: Mapping[str, Any]) -> None:
        update = sa.update(t.sources).where(t.sources.c.lease_run == run_id)
        connection.execute(update.values({**_FREE, **values}))

    def _abandoned(self, connection: Connection, now: datetime) -> list[Run]:
        columns = t.sources.c
        ended = sa.select(t.sources).where(columns.lease_run.is_not(None), columns.lease_until <= now)
        runs = []
        for row in connection.execute(ended.order_by(columns.id).with_for_update(skip_locked=True)).all():
            found = connection.execute(sa.select(t.runs).where(t.runs.c.id == row.lease_run)).first()
            if found is not None and close_lost(self, connection, found.id):
                runs.append(Run(found.id, source_of(connection, row), found.slot, found.owner, found.epoch))
            failed = {"last_verdict": "failed", "last_error": "process died", "failures": row.failures + 1}
            self._free(connection, row.lease_run, failed | {"next_run_at": now})
        return runs


def _since(pace: Mapping[str, float] | None, now: datetime) -> float | None:
    """Seconds since the last good run; None when this is the first."""
    return now.timestamp() - pace["at"] if pace and "at" in pace else None


def _pace(known: Mapping[str, float] | None, run: AnyRow, now: datetime) -> dict[str, float]:
    """The pace after a good run; `at` is its end."""
    learned = learn(known, run.new, _since(known, now), unchanged=bool(run.unchanged))
    return learned | {"at": now.timestamp()}


def _gap(before: AnyRow, now: datetime) -> float | None:
    if before.last_new_at is None:
        return None
    latest = (now - before.last_new_at).total_seconds()
    usual = before.usual_gap_seconds
    return float(latest if usual is None else _OLD_SHARE * usual + (1 - _OLD_SHARE) * latest)


def _result(row: AnyRow, name: str) -> CrawlResult:
    return CrawlResult(
        source=name,
        verdict=Verdict(row.verdict or Verdict.FAILED),
        fetched=row.fetched,
        posts_new=row.new,
        posts_seen=row.seen,
        posts_edited=row.edited,
        dropped=row.dropped,
        seconds=row.seconds,
        error=row.error,
    )
