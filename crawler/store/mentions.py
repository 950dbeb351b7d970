"""Mentions: found by the matcher, tagged by the model, handed to triage; one row for a post and a brand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
from crawler.store.types import AnyRow
from crawler.text import fold

StoredMentions = list[StoredMention]
Changes = list[Event]
Found = Mapping[int, tuple[str, Sequence[Hit]]]
_HANDED_OVER = frozenset({MentionStatus.TICKETED.value, MentionStatus.JOINED.value})
_NO_MATCH = "no longer matches"
_MATCH_STEP = 200


class Mentions(Part):
    """Reads and writes mentions and their analyses."""

    def record(self, version: str, results: Sequence[tuple[int, Found]], config_version: int) -> int:
        """Store what the matcher found: post id -> {brand id: (query version, hits)}; returns the new mentions.

        Posts are marked as matched with `version`. A mention that stands keeps its id; one whose post was edited is
        analysed again; one that no longer matches is ignored unless a ticket has it. Deleted mentions come back under
        their old ids and keep their tickets.
        """
        new = 0
        for some in chunks(results, _MATCH_STEP):
            new += self.db.transact(lambda c, some=some: _Record(self, c, version, config_version).run(some))  # type: ignore[misc]
        return new

    def unanalysed(self, limit: int) -> StoredMentions:
        """Mentions whose post, as it reads now, has no Analysis yet; by id."""
        columns = t.mentions.c
        waiting = sa.and_(
            columns.analysed_version < columns.post_version,
            sa.or_(columns.status != MentionStatus.IGNORED.value, columns.reason != _NO_MATCH),
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
        query = sa.select(columns.id, columns.status, columns.post_version, columns.analysed_version)
        current = {row.id: row for row in connection.execute(query.where(columns.id.in_(ids)).with_for_update())}
        changes: Changes = []
        new = 0
        for mention, analysis in rows:
            if mention.id in current:
                new += self._save_one(connection, mention, analysis, current[mention.id], changes)
        events.add(connection, changes)
        return new

    def _save_one(
        self, connection: Connection, mention: StoredMention, analysis: Analysis, now: AnyRow, changes: Changes
    ) -> int:
        values = _analysis_values(mention, analysis) | {"at": self.now()}
        insert = self.db.upsert(t.analyses, values, ("mention_id", "post_version", "model"))
        analysis_id = connection.execute(insert.returning(t.analyses.c.id)).scalar()
        update: dict[str, Any] = {}
        if analysis_id is not None:
            update["analysis_count"] = t.mentions.c.analysis_count + 1
        if mention.post.version >= now.analysed_version:
            update["analysed_version"] = mention.post.version
            update["analysis_id"] = analysis_id or _analysis_id(connection, values)
        if now.status == MentionStatus.FOUND.value and mention.post.version == now.post_version:
            update |= {"status": MentionStatus.ANALYSED.value, "changed_at": self.now()}
            changes.append(self.event("mention", mention.id, "status", now.status, update["status"], analysis.model))
        if update:
            connection.execute(sa.update(t.mentions).where(t.mentions.c.id == mention.id).values(update))
        return int(analysis_id is not None)

    def _reopen(self, connection: Connection, ids: Sequence[int], analyse: bool, note: str) -> int:
        columns = t.mentions.c
        query = sa.select(columns.id, columns.status, columns.analysed_version, columns.reason).where(
            columns.id.in_(ids)
        )
        rows = connection.execute(query.with_for_update()).all()
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
    if row.status in _HANDED_OVER or (row.status == MentionStatus.IGNORED.value and row.reason == _NO_MATCH):
        return str(row.status)
    return (MentionStatus.FOUND if analyse or not row.analysed_version else MentionStatus.ANALYSED).value


@dataclass(frozen=True)
class _Record:
    """One step of `record` inside one transaction."""

    part: Part
    connection: Connection
    version: str
    config_version: int

    def run(self, results: Sequence[tuple[int, Found]]) -> int:
        ids = [post_id for post_id, _ in results]
        columns = t.posts.c
        query = sa.select(columns.id, columns.version).where(columns.id.in_(ids)).with_for_update()
        versions = {row.id: row.version for row in self.connection.execute(query)}
        standing = self._standing(ids)
        kept = self._gone(ids)
        changes: Changes = []
        new: dict[int, int] = {}
        for post_id, found in results:
            if post_id in versions:
                known = standing.get(post_id, {})
                new[post_id] = self._post(post_id, versions[post_id], found, known, kept, changes)
        self._mark(list(versions), new, {post_id for post_id, _ in kept})
        events.add(self.connection, changes, self.config_version)
        return sum(new.values())

    def _standing(self, ids: Sequence[int]) -> dict[int, dict[int, AnyRow]]:
        columns = t.mentions.c
        names = (columns.id, columns.post_id, columns.brand_id, columns.status, columns.reason, columns.post_version)
        query = sa.select(*names, columns.query_version, columns.analysed_version).where(columns.post_id.in_(ids))
        found: dict[int, dict[int, AnyRow]] = {}
        for row in self.connection.execute(query.with_for_update()):
            found.setdefault(row.post_id, {})[row.brand_id] = row
        return found

    def _gone(self, ids: Sequence[int]) -> dict[tuple[int, int], AnyRow]:
        query = sa.select(t.gone_mentions).where(t.gone_mentions.c.post_id.in_(ids))
        return {(row.post_id, row.brand_id): row for row in self.connection.execute(query)}

    def _post(
        self,
        post_id: int,
        post_version: int,
        found: Found,
        known: Mapping[int, AnyRow],
        kept: Mapping[tuple[int, int], AnyRow],
        changes: Changes,
    ) -> int:
        new = 0
        for brand_id, (query_version, hits) in found.items():
            values = {"query_version": query_version, "hits": _packed(hits), "post_version": post_version}
            if brand_id in known:
                self._again(known[brand_id], values, changes)
            else:
                gone = kept.get((post_id, brand_id))
                self._add(post_id, brand_id, values, gone, changes)
                new += gone is None
        for brand_id, row in known.items():
            if brand_id not in found:
                self._lost(row, changes)
        return new

    def _add(self, post_id: int, brand_id: int, values: dict[str, Any], gone: AnyRow | None, changes: Changes) -> None:
        now = self.part.now()
        row = values | {
            "post_id": post_id,
            "brand_id": brand_id,
            "status": MentionStatus.FOUND.value,
            "reason": "",
            "rule": "",
            "config_version": self.config_version,
            "found_at": now,
            "changed_at": now,
        }
        if gone is not None:
            row |= _restored(gone)
        else:
            row["id"] = next(iter(self.part.db.next_ids(self.connection, "mentions", 1)))
        self.connection.execute(sa.insert(t.mentions).values(row))
        if gone is None:
            changes.append(self.part.event("mention", row["id"], "status", None, row["status"]))
        elif gone.status != row["status"]:
            changes.append(self.part.event("mention", row["id"], "status", gone.status, row["status"], "rebuilt"))

    def _again(self, row: AnyRow, values: dict[str, Any], changes: Changes) -> None:
        edited = row.post_version != values["post_version"]
        returns = row.status == MentionStatus.IGNORED.value and row.reason == _NO_MATCH
        if (edited or returns) and row.status not in _HANDED_OVER:
            stale = edited or not row.analysed_version
            status = (MentionStatus.FOUND if stale else MentionStatus.ANALYSED).value
            if status != row.status:
                note = "matches again" if returns else "the post was edited"
                changes.append(self.part.event("mention", row.id, "status", row.status, status, note))
                values = values | {"status": status, "reason": "", "rule": "", "changed_at": self.part.now()}
        self._update(row.id, values)

    def _lost(self, row: AnyRow, changes: Changes) -> None:
        if row.status in _HANDED_OVER or (row.status == MentionStatus.IGNORED.value and row.reason == _NO_MATCH):
            return
        ignored = MentionStatus.IGNORED.value
        if row.status != ignored:
            changes.append(self.part.event("mention", row.id, "status", row.status, ignored, _NO_MATCH))
        self._update(row.id, {"status": ignored, "reason": _NO_MATCH, "rule": "", "changed_at": self.part.now()})

    def _update(self, mention_id: int, values: Mapping[str, Any]) -> None:
        self.connection.execute(sa.update(t.mentions).where(t.mentions.c.id == mention_id).values(**values))

    def _mark(self, ids: Sequence[int], new: Mapping[int, int], rebuilt: Collection[int]) -> None:
        columns = t.posts.c
        mark = sa.update(t.posts).where(columns.id.in_(ids)).values(matched_with=self.version)
        self.connection.execute(mark)
        for post_id, count in new.items():
            if count and post_id not in rebuilt:
                more = (
                    sa.update(t.posts).where(columns.id == post_id).values(mention_count=columns.mention_count + count)
                )
                self.connection.execute(more)
        held = sa.select(sa.func.count()).where(t.mentions.c.post_id == columns.id).scalar_subquery()
        if rebuilt:
            self.connection.execute(sa.update(t.posts).where(columns.id.in_(rebuilt)).values(mention_count=held))


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
        hits=tuple(Hit(entity, EntityKind(kind), form, start, end) for entity, kind, form, start, end in row.m_hits),
        status=MentionStatus(row.m_status),
        analysis=_analysis(row) if row.a_id is not None else None,
        ticket_id=row.m_ticket_id,
        ticket_key=row.ticket_key,
        reason=row.m_reason,
        query_version=row.m_query_version,
        labels=labels | row.brand_labels,
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


def _analysis_values(mention: StoredMention, analysis: Analysis) -> dict[str, Any]:
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


def _analysis_id(connection: Connection, values: Mapping[str, Any]) -> int:
    columns = t.analyses.c
    same = (columns[name] == values[name] for name in ("mention_id", "post_version", "model"))
    return int(connection.execute(sa.select(columns.id).where(*same)).scalar_one())


def _packed(hits: Sequence[Hit]) -> list[list[Any]]:
    return [[hit.entity, str(hit.kind), hit.form, hit.start, hit.end] for hit in hits]


def _restored(gone: AnyRow) -> dict[str, Any]:
    """What a rebuilt mention keeps. Its analysis is gone, so unless a ticket has it, it starts again as found."""
    kept = {"id": gone.id, "found_at": gone.found_at, "config_version": gone.config_version}
    if gone.status in _HANDED_OVER:
        kept |= {"status": gone.status, "reason": gone.reason, "rule": gone.rule, "ticket_id": gone.ticket_id}
    return kept
