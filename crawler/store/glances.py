"""Small readings for people and watchers: what waits and since when, what each source and sink holds, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from crawler.model import DeliveryStatus, MentionStatus
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.sources import SourceState, state_of

_DUE_A_KIND = 500
MetricRows = dict[str, tuple[str, list[str], dict[tuple[str, ...], float]]]


@dataclass(frozen=True, slots=True)
class SinkState:
    """One sink's part of the outbox: how many stand where, how many of those waiting have failed, the newest error."""

    sink: str
    sent: int = 0
    pending: int = 0
    parked: int = 0
    failing: int = 0
    error: str | None = None


class Glances(Part):
    """Reads only."""

    def due(self, at: datetime) -> list[SourceState]:
        """Sources whose time has come and that nobody crawls, the longest waiting first, one a domain and kind.

        A domain has one run at a time: a host with thousands of sources, or one that hangs, is in nobody's way here.
        Nor is a kind that comes slowly forward, such as pages for the one browser: each has as many places.
        """
        columns = t.sources.c
        free = sa.or_(columns.lease_until.is_(None), columns.lease_until <= at)
        due = (columns.retired_at.is_(None), columns.paused.is_(sa.false()), columns.next_run_at <= at, free)
        order = (columns.next_run_at, columns.id)
        alone = sa.literal("source:") + sa.cast(columns.id, sa.String)
        shared = sa.case((columns.domain == "", alone), else_=columns.domain)
        place = sa.func.row_number().over(partition_by=(shared, columns.kind), order_by=order).label("place")
        first = sa.select(columns.id, columns.kind, columns.next_run_at, place).where(*due).subquery().c
        rank = sa.func.row_number().over(partition_by=first.kind, order_by=(first.next_run_at, first.id)).label("rank")
        ranked = sa.select(first.id, rank).where(first.place == 1).subquery().c
        query = sa.select(t.sources).join(ranked.id.table, ranked.id == columns.id).where(ranked.rank <= _DUE_A_KIND)
        with self.db.read() as connection:
            return [state_of(row) for row in connection.execute(query.order_by(*order))]

    def posts_by_source(self) -> dict[str, int]:
        """Source name -> posts that it has shown."""
        links, names = t.post_sources.c, t.sources.c
        query = sa.select(names.name, sa.func.count()).join(t.sources, names.id == links.source_id).group_by(names.name)
        with self.db.read() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query.select_from(t.post_sources))}

    def brands(self) -> tuple[str, ...]:
        """Names of all brands, retired ones too: their mentions stay."""
        with self.db.read() as connection:
            return tuple(connection.execute(sa.select(t.brands.c.name).order_by(t.brands.c.name)).scalars())

    def new_mentions(self, since: datetime) -> dict[str, int]:
        """Source name -> mentions found since then in posts that it showed."""
        links, mentions, names = t.post_sources.c, t.mentions.c, t.sources.c
        query = (
            sa.select(names.name, sa.func.count(mentions.id.distinct()))
            .select_from(t.mentions)
            .join(t.post_sources, links.post_id == mentions.post_id)
            .join(t.sources, names.id == links.source_id)
            .where(mentions.found_at >= since)
            .group_by(names.name)
        )
        with self.db.read() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    def hashes(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """(site, key) -> content hash, of the posts that exist."""
        columns, found = t.posts.c, dict[tuple[str, str], str]()
        with self.db.read() as connection:
            for some in chunks(keys, 200):
                query = sa.select(columns.site, columns.key, columns.content_hash)
                rows = connection.execute(query.where(sa.tuple_(columns.site, columns.key).in_(some)))
                found |= {(site, key): digest for site, key, digest in rows}
        return found

    def brands_of(self, post_ids: Sequence[int]) -> dict[int, frozenset[str]]:
        """Post id -> names of the brands it mentions now (mentions that no longer match do not count)."""
        found: dict[int, set[str]] = {}
        columns = t.mentions.c
        query = sa.select(columns.post_id, t.brands.c.name).join(t.brands, t.brands.c.id == columns.brand_id)
        query = query.where(columns.reason != "no longer matches")
        with self.db.read() as connection:
            for some in chunks(post_ids, 400):
                for post_id, name in connection.execute(query.where(columns.post_id.in_(some))):
                    found.setdefault(post_id, set()).add(name)
        return {post_id: frozenset(names) for post_id, names in found.items()}

    def sinks(self, *, sent: bool = True) -> dict[str, SinkState]:
        """The outbox by sink; without `sent` only what is not sent, which an index finds however many were."""
        columns = t.deliveries.c
        waits = sa.and_(columns.status == DeliveryStatus.PENDING.value, columns.error.is_not(None))
        failing = sa.func.sum(sa.case((waits, 1), else_=0))
        count = [sa.func.sum(sa.case((columns.status == status.value, 1), else_=0)) for status in _OUTBOX]
        query: sa.Select[Any] = sa.select(columns.sink, *count, failing).group_by(columns.sink)
        if not sent:
            unsent = (DeliveryStatus.PENDING.value, DeliveryStatus.PARKED.value)
            query = query.where(columns.status.in_(unsent))
        with self.db.read() as connection:
            rows = connection.execute(query).all()
            return {
                sink: SinkState(sink, int(done), int(pending), int(parked), int(failed), self._error(connection, sink))
                for sink, pending, done, parked, failed in rows
            }

    def _error(self, connection: sa.Connection, sink: str) -> str | None:
        columns = t.deliveries.c
        query = sa.select(columns.error).where(columns.sink == sink, columns.error.is_not(None))
        query = query.where(columns.status != DeliveryStatus.SENT.value).order_by(columns.id.desc()).limit(1)
        return connection.execute(query).scalar()

    def oldest_waiting(self, matched_with: str | None = None) -> dict[str, datetime | None]:
        """Stage -> since when its oldest item waits, None when nothing does. Deliveries count from their due time."""
        posts, mentions, deliveries = t.posts.c, t.mentions.c, t.deliveries.c
        unmatched: sa.ColumnElement[bool] = posts.matched_with.is_(None)
        if matched_with is not None:
            unmatched = sa.or_(unmatched, posts.matched_with != matched_with)
        queries = {
            "match": sa.select(sa.func.min(posts.changed_at)).where(unmatched),
            "analyse": sa.select(sa.func.min(mentions.changed_at)).where(mentions.status == MentionStatus.FOUND.value),
            "triage": sa.select(sa.func.min(mentions.changed_at)).where(
                mentions.status == MentionStatus.ANALYSED.value
            ),
            # A helpdesk that is down is left in peace, and a change waits for its ticket: neither is our standstill.
            "deliver": sa.select(sa.func.min(deliveries.not_before)).where(
                deliveries.status == DeliveryStatus.PENDING.value,
                deliveries.attempts == 0,
                deliveries.number == 0,
                deliveries.sink.not_in(sa.select(t.sink_states.c.sink).where(t.sink_states.c.shut_until.is_not(None))),
            ),
        }
        with self.db.read() as connection:
            return {stage: connection.execute(query).scalar() for stage, query in queries.items()}

    def metrics(self) -> MetricRows:
        """Name -> (help, label names, values by labels). Labels are names of ours: never a URL or an author."""
        statuses = sa.select(t.mentions.c.status, sa.func.count()).group_by(t.mentions.c.status)
        ended = sa.select(t.runs.c.verdict, sa.func.count()).where(t.runs.c.verdict.is_not(None))
        open_alerts = sa.select(sa.func.count()).select_from(t.alerts).where(t.alerts.c.resolved_at.is_(None))
        with self.db.read() as connection:
            mentions = _by_label(connection, statuses)
            verdicts = _by_label(connection, ended.group_by(t.runs.c.verdict))
            posts = connection.execute(sa.select(sa.func.count()).select_from(t.posts)).scalar_one()
            alerts = connection.execute(open_alerts).scalar_one()
        outbox: dict[tuple[str, ...], float] = {
            (row.sink, name): float(getattr(row, name)) for row in self.sinks().values() for name in _STANDINGS
        }
        return {
            "posts": ("Posts kept.", [], {(): float(posts)}),
            "mentions": ("Mentions by work status.", ["status"], mentions),
            "crawl_runs": ("Ended crawl runs by verdict.", ["verdict"], verdicts),
            "deliveries": ("Deliveries by sink and status.", ["sink", "status"], outbox),
            "alerts_open": ("Open alerts.", [], {(): float(alerts)}),
        }


_OUTBOX = (DeliveryStatus.PENDING, DeliveryStatus.SENT, DeliveryStatus.PARKED)
_STANDINGS = ("sent", "pending", "parked")


def _by_label(connection: sa.Connection, query: sa.Select[Any]) -> dict[tuple[str, ...], float]:
    return {(str(label),): float(count) for label, count in connection.execute(query)}
