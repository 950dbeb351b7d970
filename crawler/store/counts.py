"""Every number that the ledger balances, read in one transaction.

No number here is got by subtracting: what should agree is counted in different places by different code. Equations that
hold whenever no row was deleted and no counter skipped (`crawl` and `redo` are sums over runs):

- each run: parsed = new + seen + edited + dropped (`unbalanced_runs` is empty)
- `expired` is what retention took; below, what stands and what expired are added where they were counted together
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

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import DeliveryStatus, MentionStatus
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.retention import Expired

Sums: TypeAlias = "sa.Select[*tuple[Any, ...]]"
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
    possible_duplicates: int
    delivery_flow: Flow
    desk: int
    desk_flow: Flow
    desk_sent: int
    desk_sent_missing: tuple[int, ...]
    desk_comments: int
    desk_comment_counts: int
    orphans: Mapping[str, int]
    expired: Expired


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
        expired=Expired(**count.sums(_expired())),
        orphans=_orphans(connection),
    )


class _Counter:
    """Reads sums. The statements are built once: the ledger is balanced after every crawl."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._flows: dict[str, Flow] | None = None

    def sums(self, query: Sums) -> dict[str, int]:
        """One row of named numbers; the sum of no rows is 0."""
        row = self._connection.execute(query).one()
        return {name: int(value or 0) for name, value in row._mapping.items()}

    def by(self, query: Sums) -> dict[str, int]:
        return {str(value): count for value, count in self._connection.execute(query)}

    def ids(self, query: Sums) -> tuple[int, ...]:
        return tuple(int(row[0]) for row in self._connection.execute(query.limit(_NAMED)))

    def flow(self, row: str) -> Flow:
        if self._flows is None:
            self._flows = _flows(self._connection.execute(_flow_query()).all())
        return self._flows.get(row, Flow(0, {}, {}))


def _flows(rows: Sequence[Any]) -> dict[str, Flow]:
    created: Counter[str] = Counter()
    entered: dict[str, Counter[str]] = {}
    left: dict[str, Counter[str]] = {}
    for row, before, after, count in rows:
        entered.setdefault(row, Counter())[after] += count
        if before is None:
            created[row] += count
        else:
            left.setdefault(row, Counter())[before] += count
    return {row: Flow(created[row], comes, left.get(row, {})) for row, comes in entered.items()}


@cache
def _flow_query() -> Sums:
    columns = t.events.c
    query = sa.select(columns.row, columns.before, columns.after, sa.func.count()).where(columns.what == "status")
    return query.group_by(columns.row, columns.before, columns.after)


@cache
def _count(table: sa.Table, *sums: tuple[str, sa.ColumnElement[Any]]) -> Sums:
    """The rows of a table, by its name, and sums of expressions by theirs."""
    columns = [sa.func.sum(value).label(name) for name, value in sums]
    return sa.select(sa.func.count().label(table.name), *columns).select_from(table)


@cache
def _by(column: sa.ColumnElement[str]) -> Sums:
    return sa.select(column, sa.func.count()).group_by(column)


@cache
def _run_sums(kind: str) -> Sums:
    columns = t.runs.c
    sums = [sa.func.sum(columns[name]).label(name) for name in _COUNTERS]
    return sa.select(sa.func.count().label("runs"), *sums).where(columns.kind == kind)


@cache
def _unbalanced_runs() -> Sums:
    columns = t.runs.c
    named = columns.new + columns.seen + columns.edited + columns.dropped
    return sa.select(columns.id).where(columns.parsed != named).order_by(columns.id)


def _of_runs(count: _Counter) -> dict[str, Any]:
    shown = _count(t.documents, ("document_times", t.documents.c.times), ("document_posts", t.documents.c.posts))
    return {
        "crawl": RunSums(**count.sums(_run_sums("crawl"))),
        "redo": RunSums(**count.sums(_run_sums("redo"))),
        "unbalanced_runs": count.ids(_unbalanced_runs()),
        "run_flow": count.flow("run"),
        **count.sums(shown),
        **count.sums(_count(t.bodies)),
    }


@cache
def _post_sums() -> Sums:
    columns = t.posts.c
    matched = sa.case((columns.matched_with.is_(None), 0), else_=1)
    return _count(
        t.posts,
        ("posts_matched", matched),
        ("posts_unmatched", sa.case((columns.matched_with.is_(None), 1), else_=0)),
        ("edits", columns.version - 1),
        ("mention_counts", columns.mention_count),
    )


@cache
def _expired() -> Sums:
    columns = t.expired.c
    return sa.select(*(sa.func.sum(columns[field.name]).label(field.name) for field in fields(Expired)))


@cache
def _sourceless() -> Sums:
    sourced = sa.exists().where(t.post_sources.c.post_id == t.posts.c.id)
    return sa.select(sa.func.count().label("posts_without_source")).select_from(t.posts).where(~sourced)


@cache
def _miscounted() -> Sums:
    columns = t.posts.c
    held = sa.select(sa.func.count()).where(t.mentions.c.post_id == columns.id).scalar_subquery()
    return sa.select(columns.id).where(columns.mention_count != held).order_by(columns.id)


def _of_posts(count: _Counter) -> dict[str, Any]:
    return {
        **count.sums(_post_sums()),
        **count.sums(_count(t.post_versions)),
        **count.sums(_sourceless()),
        "miscounted_posts": count.ids(_miscounted()),
    }


@cache
def _mention_sums() -> Sums:
    columns = t.mentions.c
    tagged = sa.exists().where(t.analyses.c.mention_id == columns.id, t.analyses.c.id == columns.analysis_id)
    beyond = sa.or_(columns.status == MentionStatus.ANALYSED.value, columns.analysed_version > 0)
    return _count(
        t.mentions,
        ("analysis_counts", columns.analysis_count),
        ("unanalysed_beyond_found", sa.case((sa.and_(beyond, ~tagged), 1), else_=0)),
        ("mentions_with_ticket", sa.case((columns.ticket_id.is_not(None), 1), else_=0)),
    )


def _of_mentions(count: _Counter) -> dict[str, Any]:
    by_status = count.by(_by(t.mentions.c.status))
    return {
        **count.sums(_mention_sums()),
        **count.sums(_count(t.analyses)),
        "mentions_by_status": {MentionStatus(name): rows for name, rows in by_status.items()},
        "mention_flow": count.flow("mention"),
    }


def _of_tickets(count: _Counter) -> dict[str, Any]:
    columns = t.tickets.c
    by_status = count.by(_by(t.deliveries.c.status))
    sums = _count(
        t.tickets, ("ticket_mention_counts", columns.mention_count), ("delivery_counts", columns.delivery_count)
    )
    return {
        **count.sums(sums),
        **count.sums(_count(t.deliveries, ("possible_duplicates", sa.case((t.deliveries.c.twice, 1), else_=0)))),
        "ticket_links": count.sums(_count(t.ticket_mentions))["ticket_mentions"],
        "ticket_flow": count.flow("ticket"),
        "deliveries_by_status": {DeliveryStatus(name): rows for name, rows in by_status.items()},
        "delivery_flow": count.flow("delivery"),
    }


def _of_desk(count: _Counter, desk_sinks: Collection[str]) -> dict[str, Any]:
    columns = t.deliveries.c
    sent = (columns.sink.in_(list(desk_sinks)), columns.number == 0, columns.status == DeliveryStatus.SENT.value)
    there = sa.exists().where(t.desk_tickets.c.key == t.tickets.c.key, t.tickets.c.id == columns.ticket_id)
    desk = count.sums(_count(t.desk_tickets, ("desk_comment_counts", t.desk_tickets.c.comment_count)))
    return {
        "desk": desk["desk_tickets"],
        "desk_comment_counts": desk["desk_comment_counts"],
        "desk_flow": count.flow("desk"),
        "desk_sent": count.sums(sa.select(sa.func.count().label("sent")).where(*sent))["sent"],
        "desk_sent_missing": count.ids(sa.select(columns.id).where(*sent, ~there).order_by(columns.id)),
        **count.sums(_count(t.desk_comments)),
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
