"""Every number that the ledger balances, read in one transaction.

No number here is got by subtracting: what should agree is counted in different places by different code. Equations that
hold whenever no row was deleted and no counter skipped (`crawl` and `redo` are sums over runs):

- each run: parsed = new + seen + edited + dropped (`unbalanced_runs` is empty)
- posts = crawl.new + redo.new; edits = post_versions = crawl.edited + redo.edited
- documents = crawl.documents; document_times = crawl.taken; document_posts = crawl.new + crawl.seen + crawl.edited
- mentions = mention_counts = mention_flow created; for each status: standing = entered - left (`Flow.stays`)
- analyses = analysis_counts; unanalysed_beyond_found = 0
- tickets = ticket_flow created; ticket_links = ticket_mention_counts = mentions_with_ticket
- deliveries = delivery_counts = delivery_flow created; for each status: standing = entered - left
- desk = desk_flow created; desk_sent <= desk; desk_comments = desk_comment_counts
- runs = run_flow created, less those released; orphans are all 0
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import DeliveryStatus, MentionStatus
from crawler.store import tables as t
from crawler.store.events import Part

_NAMED = 10
_COUNTERS = ("fetched", "unchanged", "taken", "documents", "parsed", "new", "seen", "edited", "dropped")
# References that no foreign key watches, since one side may outlive the other on purpose or for speed.
_SOFT = (
    ("mentions", "analysis_id", "analyses", "id"),
    ("ticket_mentions", "mention_id", "mentions", "id"),
    ("ticket_mentions", "post_id", "posts", "id"),
    ("source_urls", "document_id", "documents", "id"),
    ("sources", "lease_run", "runs", "id"),
    ("post_versions", "replaced_by_run", "runs", "id"),
)


@dataclass(frozen=True, slots=True)
class RunSums:
    """The counters of all runs of one kind."""

    runs: int = 0
    fetched: int = 0
    unchanged: int = 0
    taken: int = 0
    documents: int = 0
    parsed: int = 0
    new: int = 0
    seen: int = 0
    edited: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Flow:
    """What the Events tell of one kind of row: how many were created, and per status how many came and went."""

    created: int
    entered: Mapping[str, int]
    left: Mapping[str, int]

    def stays(self, status: str) -> int:
        """How many should stand in that status now."""
        return self.entered.get(status, 0) - self.left.get(status, 0)


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers; what each one is compared with is told above. Lists name the first ten ids of what is wrong."""

    crawl: RunSums
    redo: RunSums
    unbalanced_runs: tuple[int, ...]
    run_flow: Flow
    documents: int
    document_times: int
    document_posts: int
    bodies: int
    posts: int
    posts_matched: int
    posts_unmatched: int
    edits: int
    post_versions: int
    posts_without_source: int
    mentions: int
    mention_counts: int
    miscounted_posts: tuple[int, ...]
    mentions_by_status: Mapping[MentionStatus, int]
    mention_flow: Flow
    analyses: int
    analysis_counts: int
    unanalysed_beyond_found: int
    mentions_with_ticket: int
    tickets: int
    ticket_flow: Flow
    ticket_links: int
    ticket_mention_counts: int
    deliveries: int
    delivery_counts: int
    deliveries_by_status: Mapping[DeliveryStatus, int]
    delivery_flow: Flow
    desk: int
    desk_flow: Flow
    desk_sent: int
    desk_sent_missing: tuple[int, ...]
    desk_comments: int
    desk_comment_counts: int
    orphans: Mapping[str, int]


class CountsPart(Part):
    """Counts."""

    def ledger(self, desk_sinks: Collection[str] = ("desk",)) -> Counts:
        """Every number of the ledger, consistent with each other. `desk_sinks` names the sinks of kind `desk`."""
        with self.db.read() as connection:
            return count_everything(connection, desk_sinks)


def count_everything(connection: Connection, desk_sinks: Collection[str] = ("desk",)) -> Counts:
    """The numbers as one transaction sees them."""
    count = _Counter(connection)
    return Counts(
        **_of_runs(count),
        **_of_posts(count),
        **_of_mentions(count),
        **_of_tickets(count),
        **_of_desk(count, desk_sinks),
        orphans=_orphans(connection),
    )


class _Counter:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        return self._connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()

    def sum(self, column: sa.ColumnElement[int]) -> int:
        return int(self._connection.execute(sa.select(sa.func.coalesce(sa.func.sum(column), 0))).scalar_one())

    def by(self, column: sa.ColumnElement[str]) -> dict[str, int]:
        query = sa.select(column, sa.func.count()).group_by(column)
        return {str(value): count for value, count in self._connection.execute(query)}

    def ids(self, column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> tuple[int, ...]:
        query = sa.select(column).where(*where).order_by(column).limit(_NAMED)
        return tuple(int(row[0]) for row in self._connection.execute(query))

    def flow(self, row: str) -> Flow:
        columns = t.events.c
        query = sa.select(columns.before, columns.after, sa.func.count()).where(
            columns.row == row, columns.what == "status"
        )
        entered: dict[str, int] = {}
        left: dict[str, int] = {}
        created = 0
        for before, after, count in self._connection.execute(query.group_by(columns.before, columns.after)):
            entered[after] = entered.get(after, 0) + count
            if before is None:
                created += count
            else:
                left[before] = left.get(before, 0) + count
        return Flow(created, entered, left)

    def run_sums(self, kind: str) -> RunSums:
        columns = t.runs.c
        sums = [sa.func.coalesce(sa.func.sum(columns[name]), 0) for name in _COUNTERS]
        row = self._connection.execute(sa.select(sa.func.count(), *sums).where(columns.kind == kind)).one()
        return RunSums(*(int(value) for value in row))


def _of_runs(count: _Counter) -> dict[str, Any]:
    columns = t.runs.c
    named = columns.new + columns.seen + columns.edited + columns.dropped
    return {
        "crawl": count.run_sums("crawl"),
        "redo": count.run_sums("redo"),
        "unbalanced_runs": count.ids(columns.id, columns.parsed != named),
        "run_flow": count.flow("run"),
        "documents": count.rows(t.documents),
        "document_times": count.sum(t.documents.c.times),
        "document_posts": count.sum(t.documents.c.posts),
        "bodies": count.rows(t.bodies),
    }


def _of_posts(count: _Counter) -> dict[str, Any]:
    columns = t.posts.c
    held = sa.select(sa.func.count()).where(t.mentions.c.post_id == columns.id).scalar_subquery()
    sourced = sa.exists().where(t.post_sources.c.post_id == columns.id)
    return {
        "posts": count.rows(t.posts),
        "posts_matched": count.rows(t.posts, columns.matched_with.is_not(None)),
        "posts_unmatched": count.rows(t.posts, columns.matched_with.is_(None)),
        "edits": count.sum(columns.version - 1),
        "post_versions": count.rows(t.post_versions),
        "posts_without_source": count.rows(t.posts, ~sourced),
        "mention_counts": count.sum(columns.mention_count),
        "miscounted_posts": count.ids(columns.id, columns.mention_count != held),
    }


def _of_mentions(count: _Counter) -> dict[str, Any]:
    columns = t.mentions.c
    tagged = sa.exists().where(t.analyses.c.mention_id == columns.id, t.analyses.c.id == columns.analysis_id)
    beyond = sa.or_(columns.status == MentionStatus.ANALYSED.value, columns.analysed_version > 0)
    return {
        "mentions": count.rows(t.mentions),
        "mentions_by_status": {MentionStatus(name): rows for name, rows in count.by(columns.status).items()},
        "mention_flow": count.flow("mention"),
        "analyses": count.rows(t.analyses),
        "analysis_counts": count.sum(columns.analysis_count),
        "unanalysed_beyond_found": count.rows(t.mentions, beyond, ~tagged),
        "mentions_with_ticket": count.rows(t.mentions, columns.ticket_id.is_not(None)),
    }


def _of_tickets(count: _Counter) -> dict[str, Any]:
    by_status = count.by(t.deliveries.c.status)
    return {
        "tickets": count.rows(t.tickets),
        "ticket_flow": count.flow("ticket"),
        "ticket_links": count.rows(t.ticket_mentions),
        "ticket_mention_counts": count.sum(t.tickets.c.mention_count),
        "deliveries": count.rows(t.deliveries),
        "delivery_counts": count.sum(t.tickets.c.delivery_count),
        "deliveries_by_status": {DeliveryStatus(name): rows for name, rows in by_status.items()},
        "delivery_flow": count.flow("delivery"),
    }


def _of_desk(count: _Counter, desk_sinks: Collection[str]) -> dict[str, Any]:
    columns = t.deliveries.c
    sent = (columns.sink.in_(list(desk_sinks)), columns.number == 0, columns.status == DeliveryStatus.SENT.value)
    there = sa.exists().where(t.desk_tickets.c.key == t.tickets.c.key, t.tickets.c.id == columns.ticket_id)
    return {
        "desk": count.rows(t.desk_tickets),
        "desk_flow": count.flow("desk"),
        "desk_sent": count.rows(t.deliveries, *sent),
        "desk_sent_missing": count.ids(columns.id, *sent, ~there),
        "desk_comments": count.rows(t.desk_comments),
        "desk_comment_counts": count.sum(t.desk_tickets.c.comment_count),
    }


def _orphans(connection: Connection) -> dict[str, int]:
    rows: Sequence[Any] = connection.execute(_orphan_query()).all()
    return {str(name): int(count) for name, count in rows}


@cache
def _orphan_query() -> sa.CompoundSelect[tuple[str, int]]:
    """One row for each reference: its name, and how many of its rows point to nothing."""
    parts = []
    for child, column, parent, key in (*_hard_references(), *_SOFT):
        here, there = t.metadata.tables[child], t.metadata.tables[parent].alias("parent")
        missing = ~sa.exists().where(there.c[key] == here.c[column])
        name = sa.literal(f"{child}.{column}", literal_execute=True)
        parts.append(sa.select(name, sa.func.count()).where(here.c[column].is_not(None), missing))
    return sa.union_all(*parts)


def _hard_references() -> list[tuple[str, str, str, str]]:
    columns = [column for table in t.metadata.sorted_tables for column in table.columns]
    return [
        (column.table.name, column.name, key.column.table.name, key.column.name)
        for column in columns
        for key in column.foreign_keys
    ]
