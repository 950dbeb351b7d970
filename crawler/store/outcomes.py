"""What became of each mention of one part of the past: of one run, one day, one brand, or of all.

Told twice, by code that shares nothing: from the rows as they stand, and from the last Event of each. Ids of mentions
for which the two disagree, or whose outcome lacks what it needs, are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import NotFound
from crawler.model import DeliveryStatus, MentionStatus, TicketStatus
from crawler.store import tables as t
from crawler.store.events import Part

_NAMED = 10
_HANDED = (MentionStatus.TICKETED.value, MentionStatus.JOINED.value)
_DECIDED = (MentionStatus.REVIEW.value, MentionStatus.IGNORED.value)
Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Share:
    """Which mentions: those of posts that a run was the first to show of its source, or found edited; those found
    from `since` to `until` (exclusive); those of a brand. None leaves a condition out."""

    run: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Numbers of mentions. `by_rule` names (status, rule) of those in review and ignored; `tickets` says where the
    tickets of ticketed and joined mentions stand. `wrong` holds, by what is wrong with them, the first ten ids."""

    mentions: int
    by_status: Mapping[str, int]
    by_events: Mapping[str, int]
    by_rule: Mapping[tuple[str, str], int]
    tickets: Mapping[str, int]
    wrong: Mapping[str, tuple[int, ...]]
    run_new: int | None = None
    run_shown: int | None = None


class OutcomesPart(Part):
    """Reads only."""

    def of(self, part: Share) -> Outcomes:
        """The outcomes of one part, consistent with each other. Raises NotFound for a run that there is not."""
        with self.db.read() as connection:
            return read(connection, part)


def read(connection: Connection, part: Share) -> Outcomes:
    """The outcomes as one transaction sees them."""
    scope = _scope(connection, part)
    return Outcomes(
        mentions=_count(connection, sa.select(sa.func.count()).select_from(t.mentions).where(*scope)),
        by_status=_by(connection, t.mentions.c.status, scope),
        by_events=_by_events(connection, scope),
        by_rule=_by_rule(connection, scope),
        tickets=_tickets(connection, scope),
        wrong=_wrong(connection, scope),
        **_of_run(connection, part.run),
    )


def _count(connection: Connection, query: sa.Select[Any]) -> int:
    return int(connection.execute(query).scalar_one())


def _scope(connection: Connection, part: Share) -> list[Condition]:
    columns = t.mentions.c
    found: list[Condition] = []
    if part.since is not None:
        found.append(columns.found_at >= part.since)
    if part.until is not None:
        found.append(columns.found_at < part.until)
    if part.brand is not None:
        found.append(columns.brand_id.in_(sa.select(t.brands.c.id).where(t.brands.c.name == part.brand)))
    if part.run is not None:
        edited = sa.select(t.post_versions.c.post_id).where(t.post_versions.c.replaced_by_run == part.run)
        found.append(sa.or_(columns.post_id.in_(_shown(connection, part.run)), columns.post_id.in_(edited)))
    return found


def _shown(connection: Connection, run_id: int) -> sa.Select[Any]:
    """Posts that the run's source showed for the first time while the run went on."""
    run = connection.execute(sa.select(t.runs).where(t.runs.c.id == run_id)).first()
    if run is None:
        newest = connection.execute(sa.select(sa.func.max(t.runs.c.id))).scalar()
        known = f"the newest is {newest}" if newest else "nothing was crawled yet"
        raise NotFound(f"there is no run {run_id}; {known}, and the log names the run of each source")
    columns = t.post_sources.c
    query = sa.select(columns.post_id).where(columns.source_id == run.source_id, columns.seen_at >= run.started_at)
    return query if run.ended_at is None else query.where(columns.seen_at <= run.ended_at)


def _of_run(connection: Connection, run_id: int | None) -> dict[str, int]:
    """What the run counted as new, and the posts that are there of it; nothing where retention took posts away."""
    if run_id is None or _count(connection, sa.select(sa.func.count()).select_from(t.expired)):
        return {}
    new = sa.select(t.runs.c.new).where(t.runs.c.id == run_id, t.runs.c.kind == "crawl")
    counted = connection.execute(new).scalar()
    shown = sa.select(sa.func.count()).select_from(_shown(connection, run_id).subquery())
    return {} if counted is None else {"run_new": int(counted), "run_shown": _count(connection, shown)}


def _by(connection: Connection, column: sa.ColumnElement[Any], scope: list[Condition]) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).select_from(t.mentions).where(*scope).group_by(column)
    return {str(name): int(count) for name, count in connection.execute(query)}


def _with_last_event() -> sa.FromClause:
    columns = t.events.c
    newer = t.events.alias("newer")
    mine = (newer.c.row == "mention", newer.c.row_id == t.mentions.c.id, newer.c.what == "status")
    last = sa.select(sa.func.max(newer.c.id)).where(*mine).correlate(t.mentions).scalar_subquery()
    return t.mentions.outerjoin(t.events, columns.id == last)


def _by_events(connection: Connection, scope: list[Condition]) -> dict[str, int]:
    column = t.events.c.after
    query = sa.select(column, sa.func.count()).select_from(_with_last_event()).where(*scope).group_by(column)
    return {str(name): int(count) for name, count in connection.execute(query)}


def _by_rule(connection: Connection, scope: list[Condition]) -> dict[tuple[str, str], int]:
    """(status, rule): the rule without its version; without one, the reason that the house gives."""
    columns = t.mentions.c
    rule = sa.case((columns.rule != "", columns.rule), else_=columns.reason)
    query = sa.select(columns.status, rule, sa.func.count()).where(*scope, columns.status.in_(_DECIDED))
    found: dict[tuple[str, str], int] = {}
    for status, name, count in connection.execute(query.group_by(columns.status, rule)):
        place = (str(status), _unversioned(str(name)))
        found[place] = found.get(place, 0) + int(count)
    return found


def _unversioned(rule: str) -> str:
    name, _, version = rule.rpartition("@")
    return name if name and len(version) == 8 else rule


def _creating(status: DeliveryStatus | None = None) -> Condition:
    columns = t.deliveries.c
    conditions = [columns.ticket_id == t.mentions.c.ticket_id, columns.number == 0]
    return sa.exists().where(*conditions, *([columns.status == status.value] if status else []))


def _tickets(connection: Connection, scope: list[Condition]) -> dict[str, int]:
    """Mentions by where their ticket stands: parked at a sink, on its way to one, or sent to all of them."""
    where = sa.case(
        (_creating(DeliveryStatus.PARKED), "parked"), (_creating(DeliveryStatus.PENDING), "on its way"), else_="sent"
    )
    query = sa.select(where.label("stands"), sa.func.count()).where(*scope, t.mentions.c.status.in_(_HANDED))
    return {str(name): int(count) for name, count in connection.execute(query.group_by(sa.text("stands")))}


def _wrong(connection: Connection, scope: list[Condition]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    columns = t.mentions.c
    for name, query in _checks().items():
        rows = connection.execute(query.where(*scope).order_by(columns.id).limit(_NAMED)).scalars()
        if ids := tuple(int(row) for row in rows):
            found[name] = ids
    return found


def _checks() -> dict[str, sa.Select[Any]]:
    columns, links = t.mentions.c, t.ticket_mentions.c
    handed = columns.status.in_(_HANDED)
    linked = sa.exists().where(links.mention_id == columns.id)
    mine = sa.exists().where(links.mention_id == columns.id, links.ticket_id == columns.ticket_id)
    taken_back = sa.exists().where(
        t.tickets.c.id == columns.ticket_id, t.tickets.c.status == TicketStatus.WITHDRAWN.value
    )
    told = sa.or_(t.events.c.after.is_(None), t.events.c.after != columns.status)
    no_remote = sa.exists().where(
        t.deliveries.c.ticket_id == columns.ticket_id,
        t.deliveries.c.number == 0,
        t.deliveries.c.status == DeliveryStatus.SENT.value,
        t.deliveries.c.remote_id.is_(None),
    )
    ids = sa.select(columns.id)
    return {
        "mentions whose status no event tells": ids.select_from(_with_last_event()).where(told),
        "mentions handed over without their ticket": ids.where(handed, ~mine),
        "mentions with a ticket that stand as if they had none": ids.where(~handed, linked),
        "mentions whose ticket goes to no sink": ids.where(handed, ~_creating()),
        "mentions whose ticket was withdrawn": ids.where(handed, taken_back),
        "mentions whose ticket was sent and left no id": ids.where(handed, no_remote),
        "mentions decided without a reason": ids.where(columns.status.in_(_DECIDED), columns.reason == ""),
    }
