"""Mentions as rules need them, for reading a million: few columns, no history, no more text than asked for.

What a skim leaves out is empty: `Mentions.many` reads a mention whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import (
    Analysis,
    Author,
    EntityKind,
    Hit,
    Intent,
    MentionStatus,
    Post,
    StoredMention,
    StoredPost,
    Tone,
)
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.posts import sources_of
from crawler.store.types import EPOCH, AnyRow

PAGE = 2000


@dataclass(frozen=True, slots=True)
class Needs:
    """What rules look at beside the tone: the text, who wrote it, the names in it, the time, the sources."""

    text: bool = False
    author: bool = False
    hits: bool = False
    time: bool = False
    sources: bool = False


class Skims(Part):
    """Reads only."""

    def pages(
        self, needs: Needs, *, since: datetime | None = None, brand: str | None = None, source: str | None = None
    ) -> Iterator[list[StoredMention]]:
        """Newest first, page by page: an interrupted reading holds no transaction open."""
        before: int | None = None
        while True:
            with self.db.read() as connection:
                page = _page(connection, needs, _conditions(since, brand, source), before)
            if not page:
                return
            yield page
            before = page[-1].id


def _conditions(since: datetime | None, brand: str | None, source: str | None) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if since is not None:
        found.append(sa.func.coalesce(t.posts.c.published_at, t.posts.c.seen_at) >= since)
    if brand is not None:
        found.append(t.mentions.c.brand_id.in_(sa.select(t.brands.c.id).where(t.brands.c.name == brand)))
    if source is not None:
        links, named = t.post_sources.c, sa.select(t.sources.c.id).where(t.sources.c.name == source)
        found.append(sa.exists().where(links.post_id == t.mentions.c.post_id, links.source_id.in_(named)))
    return found


def _page(
    connection: Connection, needs: Needs, conditions: Sequence[sa.ColumnElement[bool]], before: int | None
) -> list[StoredMention]:
    columns = t.mentions.c
    query = _query(needs).where(*conditions).order_by(columns.id.desc()).limit(PAGE)
    rows = connection.execute(query if before is None else query.where(columns.id < before)).all()
    brands = {row.id: row for row in connection.execute(sa.select(t.brands.c.id, t.brands.c.name, t.brands.c.labels))}
    shown: dict[int, tuple[str, ...]] = {}
    labels: dict[str, Mapping[str, str]] = {}
    if needs.sources:
        for some in chunks(rows):
            shown |= sources_of(connection, sorted({row.post_id for row in some}))
        labels = {row.name: row.labels for row in connection.execute(sa.select(t.sources.c.name, t.sources.c.labels))}
    return [_mention(row, brands[row.brand_id], shown.get(row.post_id, ()), labels) for row in rows]


def _query(needs: Needs) -> sa.Select[Any]:
    mentions, posts, tagged = t.mentions.c, t.posts.c, t.analyses.c
    names: list[Any] = [
        mentions[name] for name in ("id", "post_id", "brand_id", "status", "reason", "rule", "ticket_id")
    ]
    names += [posts[name] for name in ("deleted", "rating", "author_followers")]
    names += [tagged[name] for name in ("tone", "intent", "language", "confidence", "model")]
    # JSON as text: equal texts are read once.
    names += [sa.type_coerce(tagged[name], sa.Text).label(name) for name in ("tone_scores", "intent_scores", "flags")]
    places = [posts[name] for name in ("url", "site", "author_name", "author_handle", "author_url")]
    times = [posts.published_at, posts.seen_at]
    optional: tuple[tuple[bool, list[Any]], ...] = (
        (needs.text, [posts.folded]),
        (needs.author, places),
        (needs.time, times),
    )
    for wanted, columns in optional:
        names += columns if wanted else [sa.null().label(column.name) for column in columns]
    hits = sa.type_coerce(mentions.hits, sa.Text) if needs.hits else sa.literal("[]")
    joined = t.mentions.join(t.posts).outerjoin(t.analyses, tagged.id == mentions.analysis_id)
    return sa.select(*names, hits.label("hits")).select_from(joined)


def _mention(
    row: AnyRow, brand: AnyRow, sources: tuple[str, ...], source_labels: Mapping[str, Mapping[str, str]]
) -> StoredMention:
    labels: dict[str, str] = {}
    for name in reversed(sources):
        labels |= source_labels.get(name, {})
    # Taken apart once: asking a row for each of its names costs more than the rest.
    (number, post_id, brand_id, status, reason, rule, ticket_id, deleted, rating, followers, *more) = row
    (*tagged, folded, url, site, author_name, handle, author_url, published_at, seen_at, hits) = more
    author = Author(author_name, handle, author_url, followers)
    post = Post("", url, site=site, author=author, published_at=published_at, rating=rating, deleted=deleted)
    return StoredMention(
        id=number,
        brand=brand.name,
        brand_id=brand_id,
        post=StoredPost(post_id, "", 0, post, folded or "", seen_at or EPOCH, sources=sources),
        hits=_hits(hits),
        status=_STATUSES[status],
        analysis=None if tagged[0] is None else _analysis(*tagged),
        ticket_id=ticket_id,
        reason=reason,
        labels=labels | brand.labels if labels else brand.labels,
        rule=rule,
    )


def _analysis(
    tone: str,
    intent: str,
    language: str,
    confidence: float,
    model: str,
    tone_scores: str,
    intent_scores: str,
    flags: str,
) -> Analysis:
    return Analysis(
        language=language,
        tone=_TONES[tone],
        tone_scores=json.loads(tone_scores),
        intent=_INTENTS[intent],
        intent_scores=json.loads(intent_scores),
        intent_reason="",
        flags=_flags(flags),
        confidence=confidence,
        truncated=False,
        model=model,
    )


_TONES, _INTENTS = {it.value: it for it in Tone}, {it.value: it for it in Intent}
_STATUSES = {it.value: it for it in MentionStatus}


@lru_cache(maxsize=1024)
def _flags(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=1024)
def _hits(text: str) -> tuple[Hit, ...]:
    return tuple(Hit(entity, EntityKind(kind), *rest) for entity, kind, *rest in json.loads(text))
