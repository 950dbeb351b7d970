"""Sources as state: when they are due, who crawls them, how they fared. Claiming is by lease and epoch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import NotFound
from crawler.model import Run, Source
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.types import AnyRow

MOST_VALIDATORS = 1000
_RECHECK = timedelta(seconds=60)
Slot = Callable[["SourceState", datetime], str]


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as the database knows it. `schedule` and `settings` are the JSON that was synced."""

    id: int
    name: str
    kind: str
    settings: Mapping[str, Any]
    labels: Mapping[str, str]
    schedule: Mapping[str, Any]
    domain: str
    verify: bool
    cursor: Mapping[str, Any]
    next_run_at: datetime | None
    paused: bool
    created_at: datetime
    retired_at: datetime | None
    epoch: int
    lease_run: int | None
    lease_owner: str | None
    lease_until: datetime | None
    last_run_at: datetime | None
    last_verdict: str | None
    last_error: str | None
    last_new_at: datetime | None
    usual_gap_seconds: float | None
    failures: int
    pace: Mapping[str, float] | None = None


_STATE = tuple(field.name for field in fields(SourceState))


def state_of(row: AnyRow) -> SourceState:
    """The state in a row of `sources`."""
    known = row._mapping
    return SourceState(*[known[name] for name in _STATE])


def validators_of(connection: Connection, source_id: int) -> dict[str, dict[str, str]]:
    """URL -> {"etag", "last_modified", and what else the spider kept} of the newest addresses that had any."""
    urls = t.source_urls.c
    query = (
        sa.select(urls.url, urls.etag, urls.last_modified, urls.also)
        .where(urls.source_id == source_id, sa.or_(urls.etag.is_not(None), urls.last_modified.is_not(None)))
        .order_by(urls.seen_at.desc())
        .limit(MOST_VALIDATORS)
    )
    found: dict[str, dict[str, str]] = {}
    for url, etag, modified, also in connection.execute(query):
        marks = {key: value for key, value in (("etag", etag), ("last_modified", modified)) if value}
        found[url] = {**(also or {}), **marks}
    return found


def no_source(name: str) -> NotFound:
    """The error for a name that no source has."""
    return NotFound(f"no source is named {name!r}: `mention-crawler sources list` shows them")


def source_of(connection: Connection, row: AnyRow) -> Source:
    """The Source that a spider gets: settings are the raw JSON, not yet a `Settings` object."""
    return Source(
        name=row.name,
        kind=row.kind,
        settings=row.settings,
        labels=row.labels,
        cursor=row.cursor,
        validators=validators_of(connection, row.id),
        id=row.id,
    )


class Sources(Part):
    """Reads, pauses, claims and leases sources."""

    def all(self, *, retired: bool = False) -> list[SourceState]:
        """Every source in force by name; with `retired` also those that left the config."""
        query = sa.select(t.sources).order_by(t.sources.c.name)
        if not retired:
            query = query.where(t.sources.c.retired_at.is_(None))
        with self.db.read() as connection:
            return [state_of(row) for row in connection.execute(query)]

    def kinds(self) -> dict[str, str]:
        """Source kinds by the name of the source, retired ones too."""
        with self.db.read() as connection:
            rows = connection.execute(sa.select(t.sources.c.name, t.sources.c.kind))
            return {str(name): str(kind) for name, kind in rows}

    def get(self, name: str) -> SourceState:
        """One source by name, retired ones too. Raises NotFound."""
        query = sa.select(t.sources).where(t.sources.c.name == name)
        with self.db.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise no_source(name)
        return state_of(row)

    def pause(self, name: str) -> None:
        """Stop claiming this source until `resume`. State, not config: no reload undoes it. Raises NotFound."""
        self._set_paused(name, True)

    def resume(self, name: str) -> None:
        """Undo `pause`; an overdue source is due at once. Raises NotFound."""
        self._set_paused(name, False)

    def set_next(self, source_id: int, next_run_at: datetime | None) -> None:
        """Move the next crawl."""
        update = sa.update(t.sources).where(t.sources.c.id == source_id).values(next_run_at=next_run_at)
        self.db.transact(lambda connection: connection.execute(update))

    def claim(
        self,
        owner: str,
        names: Sequence[str] | None,
        now: datetime,
        lease_seconds: float,
        limit: int,
        slot: Slot | None = None,
        *,
        beside: bool = False,
    ) -> list[Run]:
        """Take up to `limit` sources that are due, or the named ones, and open a Run for each.

        Named without `slot` (a person asked for them) they are taken due or not, even paused; with `slot` (the clock
        asks) only when due. One live run a domain, beside any number of streams (`beside`: these are streams). A slot
        that already ran is not run again; one whose process died is. Raises NotFound for an unknown name.
        """
        self._demand(names or ())
        by_hand = names is not None and slot is None
        make = _by_hand if by_hand else slot or _at_due
        return self.db.transact(
            lambda c: _Claim(self, c, owner, now, lease_seconds, make, by_hand, beside).run(names, limit)
        )

    def renew(self, run_ids: Sequence[int], owner: str, lease_seconds: float) -> list[int]:
        """Extend the leases still held by `owner`; returns the run ids that are. The others are lost."""
        return self.db.transact(lambda connection: self._renew(connection, run_ids, owner, lease_seconds))

    def _renew(self, connection: Connection, run_ids: Sequence[int], owner: str, seconds: float) -> list[int]:
        columns = t.sources.c
        update = (
            sa.update(t.sources)
            .where(columns.lease_run.in_(run_ids), columns.lease_owner == owner)
            .values(lease_until=self.now() + timedelta(seconds=seconds))
            .returning(columns.lease_run)
        )
        return sorted(int(row[0]) for row in connection.execute(update))

    def _demand(self, names: Sequence[str]) -> None:
        columns, found = t.sources.c, set[str]()
        with self.db.read() as connection:
            for some in chunks(names):
                found.update(connection.execute(sa.select(columns.name).where(columns.name.in_(some))).scalars())
        for name in names:
            if name not in found:
                raise no_source(name)

    def _set_paused(self, name: str, paused: bool) -> None:
        state = self.get(name)
        if state.paused == paused:
            return
        words = ("active", "paused") if paused else ("paused", "active")

        def work(connection: Connection) -> None:
            connection.execute(sa.update(t.sources).where(t.sources.c.id == state.id).values(paused=paused))
            events.add(connection, [self.event("source", state.id, "status", *words, note=name)])

        self.db.transact(work)


class _Claim:
    """One claim inside one transaction."""

    def __init__(
        self,
        part: Part,
        connection: Connection,
        owner: str,
        now: datetime,
        lease_seconds: float,
        slot: Slot,
        by_hand: bool,
        beside: bool,
    ) -> None:
        self._part = part
        self._connection = connection
        self._owner = owner
        self._now = now
        self._until = now + timedelta(seconds=lease_seconds)
        self._slot = slot
        self._by_hand = by_hand
        self._beside = beside

    def run(self, names: Sequence[str] | None, limit: int) -> list[Run]:
        busy = self._busy_domains()
        runs: list[Run] = []
        for row in self._candidates(names, limit, busy):
            if len(runs) == limit:
                break
            if row.domain and row.domain in busy:
                continue
            run = self._take(row)
            if run is not None:
                busy |= set() if self._beside else {row.domain}
                runs.append(run)
        return runs

    def _busy_domains(self) -> set[str]:
        if not self._part.db.is_sqlite:
            # Two claimers must not see the same domain free: claims are short, so they take turns.
            self._connection.execute(sa.text("SELECT pg_advisory_xact_lock(7265002)"))
        if self._beside:
            return set()
        live = sa.select(t.sources.c.domain, t.sources.c.schedule).where(t.sources.c.lease_until > self._now)
        # A stream is one connection that stays open; it must not keep its site from being polled.
        rows = self._connection.execute(live).all()
        return {row.domain for row in rows if row.domain and not row.schedule.get("stream")}

    def _candidates(self, names: Sequence[str] | None, limit: int, busy: Collection[str]) -> Sequence[AnyRow]:
        columns = t.sources.c
        query = sa.select(t.sources).where(*_free(self._now)).order_by(columns.next_run_at, columns.id)
        if names is not None:
            query = query.where(columns.name.in_(names))
        if not self._by_hand:
            query = query.where(*_due(self._now))
            query = query.where(columns.domain.not_in(busy)) if busy else query
            # Some rows fall out below (same domain, slot done), so read a few more than wanted.
            query = query.limit(limit * 4 + 64)
        return self._connection.execute(query.with_for_update(skip_locked=True)).all()

    def _take(self, row: AnyRow) -> Run | None:
        slot = self._free_slot(row, self._slot(state_of(row), self._now))
        if slot is None:
            later = sa.update(t.sources).where(t.sources.c.id == row.id).values(next_run_at=self._now + _RECHECK)
            self._connection.execute(later)
            return None
        if row.lease_run is not None:
            close_lost(self._part, self._connection, row.lease_run)
        run_id = self._open(row, slot)
        return Run(run_id, source_of(self._connection, row), slot, self._owner, row.epoch + 1)

    def _free_slot(self, row: AnyRow, slot: str) -> str | None:
        columns = t.runs.c
        same = sa.or_(columns.slot == slot, columns.slot.like(_escaped(slot) + "#%", escape="\\"))
        query = sa.select(columns.lost, columns.ended_at).where(columns.source_id == row.id, same)
        earlier = self._connection.execute(query).all()
        if not self._by_hand and any(not run.lost and run.ended_at is not None for run in earlier):
            return None
        return f"{slot}#{len(earlier) + 1}" if earlier else slot

    def _open(self, row: AnyRow, slot: str) -> int:
        newest = sa.select(sa.func.coalesce(sa.func.max(t.config_versions.c.number), 0)).scalar_subquery()
        values = {
            "source_id": row.id,
            "slot": slot,
            "owner": self._owner,
            "epoch": row.epoch + 1,
            "started_at": self._now,
            "config_version": newest,
        }
        run_id = self._connection.execute(sa.insert(t.runs).values(values).returning(t.runs.c.id)).scalar_one()
        lease = {"lease_owner": self._owner, "lease_until": self._until, "lease_run": run_id, "epoch": row.epoch + 1}
        self._connection.execute(sa.update(t.sources).where(t.sources.c.id == row.id).values(lease))
        events.add(self._connection, [self._part.event("run", run_id, "status", None, "running", row.name)])
        return int(run_id)


def close_lost(part: Part, connection: Connection, run_id: int, error: str = "process died") -> bool:
    """End a run whose process is gone, so that its late writes are refused; False when it had ended already."""
    update = (
        sa.update(t.runs)
        .where(t.runs.c.id == run_id, t.runs.c.ended_at.is_(None))
        .values(ended_at=part.now(), verdict="failed", error=error, lost=True)
        .returning(t.runs.c.id)
    )
    if connection.execute(update).first() is None:
        return False
    events.add(connection, [part.event("run", run_id, "status", "running", "failed", error)])
    return True


def _free(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    columns = t.sources.c
    return columns.retired_at.is_(None), sa.or_(columns.lease_until.is_(None), columns.lease_until <= now)


def _due(now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return t.sources.c.paused.is_(sa.false()), t.sources.c.next_run_at <= now


def _at_due(state: SourceState, now: datetime) -> str:
    return (state.next_run_at or now).isoformat(timespec="microseconds")


def _by_hand(state: SourceState, now: datetime) -> str:
    return f"asked:{now.isoformat(timespec='microseconds')}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
