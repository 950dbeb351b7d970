"""Reads posts: those that wait for the matcher, and all of them page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.errors import NotFound
from crawler.model import Author, Post, StoredPost
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.types import AnyRow


class Posts(Part):
    """Reads stored posts."""

    def get(self, post_id: int) -> StoredPost:
        """One post. Raises NotFound."""
        with self.db.read() as connection:
            found = hydrate(connection, connection.execute(sa.select(t.posts).where(t.posts.c.id == post_id)).all())
        if not found:
            raise NotFound(f"there is no post {post_id}")
        return found[0]

    def count(self) -> int:
        """How many posts are stored."""
        with self.db.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(t.posts)).scalar_one()

    def unmatched(self, version: str, limit: int, after_id: int = 0) -> list[StoredPost]:
        """Up to `limit` posts not matched with this query version, ids above `after_id`.

        With `after_id` 0 the never matched come first (an index finds them whatever the size of the past).
        """
        with self.db.read() as connection:
            if after_id:
                return hydrate(connection, self._walk(connection, version, limit, after_id))
            return hydrate(connection, self._waiting(connection, version, limit))

    def versions(self, post_id: int) -> list[tuple[int, str | None, str, bool]]:
        """(number, title, text, deleted) of every version, oldest first; the last is today's."""
        past = t.post_versions.c
        now = t.posts.c
        older = sa.select(past.number, past.title, past.text, past.deleted).where(past.post_id == post_id)
        newest = sa.select(now.version, now.title, now.text, now.deleted).where(now.id == post_id)
        with self.db.read() as connection:
            rows = connection.execute(older.union_all(newest).order_by("number")).all()
        return [(int(row[0]), row[1], row[2], bool(row[3])) for row in rows]

    def iterate(
        self, since: datetime | None = None, brand: str | None = None, source: str | None = None, page: int = 500
    ) -> Iterator[StoredPost]:
        """Posts seen from `since` on, of one brand and one source (by name), by id, read page by page."""
        after = 0
        while True:
            query = sa.select(t.posts).where(t.posts.c.id > after, *filters_of(since, brand, source))
            with self.db.read() as connection:
                found = hydrate(connection, connection.execute(query.order_by(t.posts.c.id).limit(page)).all())
            yield from found
            if len(found) < page:
                return
            after = found[-1].id

    def _waiting(self, connection: Connection, version: str, limit: int) -> list[AnyRow]:
        matched = t.posts.c.matched_with
        rows: list[AnyRow] = []
        for condition in (matched.is_(None), matched < version, matched > version):
            query = sa.select(t.posts).where(condition).order_by(matched, t.posts.c.id).limit(limit - len(rows))
            rows += connection.execute(query).all()
            if len(rows) >= limit:
                break
        return rows

    def _walk(self, connection: Connection, version: str, limit: int, after_id: int) -> Sequence[AnyRow]:
        matched = t.posts.c.matched_with
        stale = sa.or_(matched.is_(None), matched != version)
        query = sa.select(t.posts).where(t.posts.c.id > after_id, stale).order_by(t.posts.c.id).limit(limit)
        return connection.execute(query).all()


def filters_of(since: datetime | None, brand: str | None, source: str | None) -> list[sa.ColumnElement[bool]]:
    """Conditions for posts seen from `since` on, of one brand and one source, by name."""
    filters: list[sa.ColumnElement[bool]] = []
    if since is not None:
        filters.append(t.posts.c.seen_at >= since)
    if brand is not None:
        of_brand = sa.select(t.mentions.c.post_id).join(t.brands).where(t.brands.c.name == brand)
        filters.append(t.posts.c.id.in_(of_brand))
    if source is not None:
        shown = sa.select(t.post_sources.c.post_id).join(t.sources).where(t.sources.c.name == source)
        filters.append(t.posts.c.id.in_(shown))
    return filters


def sources_of(connection: Connection, post_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Post id -> names of the sources that showed it, first one first."""
    links = t.post_sources.c
    query = (
        sa.select(links.post_id, t.sources.c.name)
        .join(t.sources, t.sources.c.id == links.source_id)
        .where(links.post_id.in_(post_ids))
        .order_by(links.post_id, links.seen_at, links.source_id)
    )
    found: dict[int, list[str]] = {}
    for post_id, name in connection.execute(query):
        found.setdefault(post_id, []).append(name)
    return {post_id: tuple(names) for post_id, names in found.items()}


def hydrate(connection: Connection, rows: Sequence[AnyRow]) -> list[StoredPost]:
    """StoredPosts of rows of `posts`, with the names of their sources."""
    names: dict[int, tuple[str, ...]] = {}
    for some in chunks(rows):
        names |= sources_of(connection, [row.id for row in some])
    return [stored_post(row, names.get(row.id, ())) for row in rows]


def stored_post(row: AnyRow, sources: tuple[str, ...]) -> StoredPost:
    """The post in a row that has every column of `posts`."""
    return StoredPost(
        id=row.id,
        key=row.key,
        version=row.version,
        post=_post(row),
        folded=row.folded,
        seen_at=row.seen_at,
        matched_with=row.matched_with,
        sources=sources,
    )


def _post(row: AnyRow) -> Post:
    return Post(
        text=row.text,
        url=row.url,
        title=row.title,
        platform_id=row.platform_id,
        site=row.site,
        author=Author(row.author_name, row.author_handle, row.author_url, row.author_followers),
        published_at=row.published_at,
        parent=row.parent,
        thread=row.thread,
        rating=row.rating,
        engagement=json.loads(row.engagement) if row.engagement else {},
        region=row.region,
        language_hint=row.language_hint,
        deleted=bool(row.deleted),
    )
