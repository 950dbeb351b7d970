"""Mentions: found by the matcher, tagged by the model, handed to triage; one row for a post and a brand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import NotFound
from crawler.model import Analysis, EntityKind, Event, Hit, Intent, MentionStatus, StoredMention, Tone
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import Page, chunks, paged
from crawler.store.events import Part
from crawler.store.posts import sources_of, stored_post
from crawler.store.recording import HANDED_OVER, NO_MATCH, Recorder, Result, update_many
from crawler.store.types import AnyRow
from crawler.text import fold

StoredMentions = list[StoredMention]
Changes = list[Event]
_Place = tuple[int, int, str]
_MATCH_STEP = 200


class Mentions(Part):
    """Reads and writes mentions and their analyses."""

    def record(self, version: str, results: Sequence[Result], config_version: int, only: int | None = None) -> int:
        """Store what the matcher found: (post, {brand id: (query version, hits)}) each; returns the new mentions.

        Give the StoredPost that was matched: one that was edited meanwhile is skipped and waits for the next pass. An
        id instead of it means today's version.
        Posts are marked as matched with `version`. A mention that stands keeps its id; one whose post was edited is
        analysed again; one that no longer matches is ignored unless a ticket has it. Deleted mentions come back under
        their old ids and keep their tickets. With `only` the results speak of that brand (by id) alone, and posts are
        not marked.
        """
        new = 0
        for some in chunks(results, _MATCH_STEP):
            new += self.db.transact(lambda c, some=some: Recorder(self, c, version, config_version, only).run(some))  # type: ignore[misc]
        return new

    def unanalysed(self, limit: int, after: int = 0) -> StoredMentions:
        """Mentions above the id `after` whose post, as it reads now, has no Analysis yet; by id."""
        columns = t.mentions.c
        waiting = sa.and_(
            columns.id > after,
            columns.analysed_version < columns.post_version,
            sa.or_(columns.status != MentionStatus.IGNORED.value, columns.reason != NO_MATCH),
        )
        return self._read(waiting, limit)

    def untriaged(self, limit: int) -> StoredMentions:
        """Analysed mentions that no rule has decided on; by id."""
        return self._read(t.mentions.c.status == MentionStatus.ANALYSED.value, limit)

    def save_analyses(self, rows: Sequence[tuple[StoredMention, Analysis]]) -> int:
        """Store analyses and move their mentions on; returns how many rows were new. A repeat changes nothing."""
        return sum(self.db.transact(lambda c, some=some: self._save(c, some)) for some in chunks(rows, 250))  # type: ignore[misc]

    def reopen(self, mention_ids: Sequence[int], *, analyse: bool, note: str = "redo") -> int:
        """Send mentions back to triage, or with `analyse` to the model; ticketed and joined ones keep their status."""
        return sum(
            self.db.transact(lambda c, some=some: self._reopen(c, some, analyse, note))  # type: ignore[misc]
            for some in chunks(mention_ids)
        )

    def get(self, mention_id: int) -> StoredMention:
        """One mention. Raises NotFound."""
        found = self._read(t.mentions.c.id == mention_id, 1)
        if not found:
            raise NotFound(f"there is no mention {mention_id}: `mention-crawler mentions list` shows them")
        return found[0]

    def list(
        self,
        *,
        brand: str | None = None,
        tone: Tone | str | None = None,
        intent: Intent | str | None = None,
        source: str | None = None,
        lang: str | None = None,
        label: str | None = None,
        status: MentionStatus | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str | None = None,
        after_id: int | None = None,
        before_id: int | None = None,
        newest: bool = False,
        limit: int = 500,
    ) -> StoredMentions:
        """Mentions, newest first below `before_id`; upwards from `after_id`. See `crawler.store.db.paged`.

        `since` and `until` (exclusive) speak of `published_at`, or of `seen_at` where the site told no date. `label`
        is "name=value" of the brand or of a source; `search` is looked for in the folded text.
        """
        wanted = _Filter().plain(brand, status, tone, intent, lang).time(since, until).text(search)
        with self.db.read() as connection:
            wanted.source(source).label(connection, label)
            query = paged(select_mentions(), t.mentions.c.id, Page(after_id, before_id, newest, limit))
            return hydrate(connection, connection.execute(query.where(*wanted.conditions)).all())

    def many(self, ids: Sequence[int]) -> StoredMentions:
        """Those of these mentions that there are, in the order given."""
        found: dict[int, StoredMention] = {}
        for some in chunks(ids):
            found |= {it.id: it for it in self._read(t.mentions.c.id.in_(some), len(some))}
        return [found[number] for number in ids if number in found]

    def count(self) -> dict[MentionStatus, int]:
        """How many mentions stand where."""
        query = sa.select(t.mentions.c.status, sa.func.count()).group_by(t.mentions.c.status)
        with self.db.read() as connection:
            return {MentionStatus(status): count for status, count in connection.execute(query)}

    def _read(self, condition: sa.ColumnElement[bool], limit: int) -> StoredMentions:
        query = paged(select_mentions().where(condition), t.mentions.c.id, Page(after_id=0, limit=limit))
        with self.db.read() as connection:
            return hydrate(connection, connection.execute(query).all())

    def _save(self, connection: Connection, rows: Sequence[tuple[StoredMention, Analysis]]) -> int:
        columns = t.mentions.c
        ids = [mention.id for mention, _ in rows]
        names = (columns.id, columns.status, columns.post_version, columns.analysed_version, columns.analysis_count)
        query = sa.select(*names).where(columns.id.in_(ids)).order_by(columns.id).with_for_update()
        current = {row.id: row for row in connection.execute(query)}
        known, given = _known_analyses(connection, ids), _corrected(connection, ids)
        fresh: dict[_Place, dict[str, Any]] = {}
        for mention, analysis in rows:
            place = (mention.id, mention.post.version, analysis.model)
            if mention.id in current and place not in known:
                fresh[place] = analysis_values(mention, analysis) | {"at": self.now()}
        if fresh:
            insert = sa.insert(t.analyses).returning(t.analyses.c.id, sort_by_parameter_order=True)
            made = connection.execute(insert, list(fresh.values())).scalars()
            known |= dict(zip(fresh, made, strict=True))
        known |= {(it.id, it.post.version, told.model): given[it.id] for it, told in rows if it.id in given}
        self._tell_mentions(connection, rows, current, known, Counter(place[0] for place in fresh))
        return len(fresh)

    def _tell_mentions(
        self,
        connection: Connection,
        rows: Sequence[tuple[StoredMention, Analysis]],
        current: Mapping[int, AnyRow],
        known: Mapping[_Place, int],
        fresh: Mapping[int, int],
    ) -> None:
        pointed, moved, changes = {}, {}, {}
        for mention, analysis in rows:
            now = current.get(mention.id)
            if now is None or mention.post.version < now.analysed_version:
                continue
            pointed[mention.id] = {
                "row_id": mention.id,
                "analysed_version": mention.post.version,
                "analysis_id": known[mention.id, mention.post.version, analysis.model],
                "analysis_count": now.analysis_count + fresh.get(mention.id, 0),
            }
            if now.status == MentionStatus.FOUND.value and mention.post.version == now.post_version:
                status = MentionStatus.ANALYSED.value
                moved[mention.id] = {"row_id": mention.id, "status": status, "changed_at": self.now()}
                changes[mention.id] = self.event("mention", mention.id, "status", now.status, status, analysis.model)
        update_many(connection, list(pointed.values()))
        update_many(connection, list(moved.values()))
        events.add(connection, list(changes.values()))

    def _reopen(self, connection: Connection, ids: Sequence[int], analyse: bool, note: str) -> int:
        columns = t.mentions.c
        query = sa.select(columns.id, columns.status, columns.analysed_version, columns.reason).where(
            columns.id.in_(ids)
        )
        rows = connection.execute(query.order_by(columns.id).with_for_update()).all()
        changes: Changes = []
        for row in rows:
            update: dict[str, Any] = {"analysed_version": 0} if analyse else {}
            status = _reopened(row, analyse)
            if status != row.status:
                update |= {"status": status, "changed_at": self.now(), "reason": "", "rule": ""}
                changes.append(self.event("mention", row.id, "status", row.status, status, note))
            if update:
                connection.execute(sa.update(t.mentions).where(columns.id == row.id).values(update))
        events.add(connection, changes)
        return len(rows)


def _reopened(row: AnyRow, analyse: bool) -> str:
    if row.status in HANDED_OVER or (row.status == MentionStatus.IGNORED.value and row.reason == NO_MATCH):
        return str(row.status)
    return (MentionStatus.FOUND if analyse or not row.analysed_version else MentionStatus.ANALYSED).value


class _Filter:
    """Conditions of `list`, gathered one kind at a time."""

    def __init__(self) -> None:
        self.conditions: list[sa.ColumnElement[bool]] = []

    def plain(
        self, brand: str | None, status: str | None, tone: str | None, intent: str | None, lang: str | None
    ) -> _Filter:
        columns = (
            (t.brands.c.name, brand),
            (t.mentions.c.status, status),
            (t.analyses.c.tone, tone),
            (t.analyses.c.intent, intent),
            (t.analyses.c.language, lang),
        )
        self.conditions += [column == str(value) for column, value in columns if value is not None]
        return self

    def time(self, since: datetime | None, until: datetime | None) -> _Filter:
        at = sa.func.coalesce(t.posts.c.published_at, t.posts.c.seen_at)
        if since is not None:
            self.conditions.append(at >= since)
        if until is not None:
            self.conditions.append(at < until)
        return self

    def text(self, search: str | None) -> _Filter:
        if search:
            self.conditions.append(t.posts.c.folded.contains(fold(search), autoescape=True))
        return self

    def source(self, name: str | None) -> _Filter:
        if name is not None:
            of_source = sa.select(t.sources.c.id).where(t.sources.c.name == name)
            self.conditions.append(_shown_by(of_source))
        return self

    def label(self, connection: Connection, label: str | None) -> _Filter:
        if label is not None:
            name, _, value = label.partition("=")
            of_brand = _labelled(connection, t.brands, name, value)
            of_source = _labelled(connection, t.sources, name, value)
            self.conditions.append(sa.or_(t.mentions.c.brand_id.in_(of_brand), _shown_by(of_source)))
        return self


def _shown_by(source_ids: Any) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        t.post_sources.c.post_id == t.mentions.c.post_id, t.post_sources.c.source_id.in_(source_ids)
    )


def _labelled(connection: Connection, table: sa.Table, name: str, value: str) -> list[int]:
    rows = connection.execute(sa.select(table.c.id, table.c.labels)).all()
    return [row.id for row in rows if str(row.labels.get(name)) == value]


def select_mentions() -> sa.Select[Any]:
    """Every column that a StoredMention needs, labelled by its table."""
    joined = (
        t.mentions.join(t.posts)
        .join(t.brands)
        .outerjoin(t.analyses, t.analyses.c.id == t.mentions.c.analysis_id)
        .outerjoin(t.tickets, t.tickets.c.id == t.mentions.c.ticket_id)
    )
    extra = (
        t.brands.c.name.label("brand_name"),
        t.brands.c.labels.label("brand_labels"),
        t.tickets.c.key.label("ticket_key"),
    )
    prefixed = [column.label(f"m_{column.name}") for column in t.mentions.c]
    tagged = [column.label(f"a_{column.name}") for column in t.analyses.c]
    return sa.select(*t.posts.c, *prefixed, *tagged, *extra).select_from(joined)


def hydrate(connection: Connection, rows: Sequence[AnyRow]) -> StoredMentions:
    """StoredMentions of rows of `select_mentions`. Labels are the brand's over those of the sources."""
    names: dict[int, tuple[str, ...]] = {}
    for some in chunks(rows):
        names |= sources_of(connection, sorted({row.id for row in some}))
    labels = {row.name: row.labels for row in connection.execute(sa.select(t.sources.c.name, t.sources.c.labels))}
    return [_mention(row, names.get(row.id, ()), labels) for row in rows]


def _mention(row: AnyRow, sources: tuple[str, ...], source_labels: Mapping[str, Mapping[str, str]]) -> StoredMention:
    labels: dict[str, str] = {}
    for name in reversed(sources):
        labels |= source_labels.get(name, {})
    return StoredMention(
        id=row.m_id,
        brand=row.brand_name,
        brand_id=row.m_brand_id,
        post=stored_post(row, sources),
        hits=tuple(Hit(entity, EntityKind(kind), *rest) for entity, kind, *rest in row.m_hits),
        status=MentionStatus(row.m_status),
        analysis=_analysis(row) if row.a_id is not None else None,
        ticket_id=row.m_ticket_id,
        ticket_key=row.ticket_key,
        reason=row.m_reason,
        query_version=row.m_query_version,
        labels=labels | row.brand_labels,
        rule=row.m_rule,
    )


def _analysis(row: AnyRow) -> Analysis:
    return Analysis(
        language=row.a_language,
        tone=Tone(row.a_tone),
        tone_scores=row.a_tone_scores,
        intent=Intent(row.a_intent),
        intent_scores=row.a_intent_scores,
        intent_reason=row.a_intent_reason,
        flags=tuple(row.a_flags),
        confidence=row.a_confidence,
        truncated=row.a_truncated,
        model=row.a_model,
    )


def analysis_values(mention: StoredMention, analysis: Analysis) -> dict[str, Any]:
    """The columns of an Analysis, less the time."""
    return {
        "mention_id": mention.id,
        "post_version": mention.post.version,
        "model": analysis.model,
        "language": analysis.language,
        "tone": str(analysis.tone),
        "tone_scores": {str(name): float(score) for name, score in analysis.tone_scores.items()},
        "intent": str(analysis.intent),
        "intent_scores": {str(name): float(score) for name, score in analysis.intent_scores.items()},
        "intent_reason": analysis.intent_reason,
        "flags": list(analysis.flags),
        "confidence": float(analysis.confidence),
        "truncated": bool(analysis.truncated),
    }


def _known_analyses(connection: Connection, mention_ids: Sequence[int]) -> dict[_Place, int]:
    columns = t.analyses.c
    query = sa.select(columns.mention_id, columns.post_version, columns.model, columns.id)
    rows = connection.execute(query.where(columns.mention_id.in_(mention_ids)))
    return {(row.mention_id, row.post_version, row.model): row.id for row in rows}


def _corrected(connection: Connection, mention_ids: Sequence[int]) -> dict[int, int]:
    """Mention -> the Analysis that a person gave it, as long as the post reads as it did: no model takes that away."""
    said, columns = t.corrections.c, t.mentions.c
    shown = (said.mention_id == columns.id, said.analysis_id == columns.analysis_id)
    query = sa.select(columns.id, columns.analysis_id).join_from(t.mentions, t.corrections, sa.and_(*shown))
    stands = (said.undone_at.is_(None), said.post_version == columns.post_version)
    rows = connection.execute(query.where(columns.id.in_(mention_ids), *stands))
    return {int(mention): int(analysis) for mention, analysis in rows}
