"""The stored past, read sparingly: folded texts in order of their ids, and marks of what they were matched with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from crawler.model import StoredPost
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.posts import filters_of, hydrate

PAGE = 4000
_FIRST_PAGE, _LONG_PAGE = 250, 4_000_000  # posts; characters


class Folded(NamedTuple):
    """What the matcher needs of a post at first. `mentions` is how many it has, those that no longer match included."""

    id: int
    version: int
    folded: str
    mentions: int
    matched_with: str | None


_COLUMNS = (t.posts.c.id, t.posts.c.version, t.posts.c.folded, t.posts.c.mention_count, t.posts.c.matched_with)


class Past(Part):
    """Reads posts for the matcher and marks those that it has read."""

    def pages(
        self, since: datetime | None = None, source: str | None = None, page: int = PAGE
    ) -> Iterator[list[Folded]]:
        """Every post seen from `since` on, of one source (by name), by id; fewer at a time where texts are long."""
        after, size = 0, min(page, _FIRST_PAGE)
        while True:
            query = sa.select(*_COLUMNS).where(t.posts.c.id > after, *filters_of(since, None, source))
            with self.db.read() as connection:
                rows = connection.execute(query.order_by(t.posts.c.id).limit(size)).all()
            if rows:
                yield [Folded(*row) for row in rows]
            if len(rows) < size:
                return
            long = sum(len(row.folded) for row in rows) > _LONG_PAGE
            after, size = rows[-1].id, max(1, size // 2) if long else min(page, size * 2)

    def waiting(self, version: str, limit: int = PAGE) -> list[Folded]:
        """Posts not matched with this version of the queries; those never matched come first."""
        matched, rows = t.posts.c.matched_with, list[Folded]()
        with self.db.read() as connection:
            for condition in (matched.is_(None), matched < version, matched > version):
                query = sa.select(*_COLUMNS).where(condition).order_by(matched, t.posts.c.id)
                rows += [Folded(*row) for row in connection.execute(query.limit(limit - len(rows)))]
                if len(rows) >= limit:
                    break
        return rows

    def load(self, ids: Sequence[int]) -> list[StoredPost]:
        """The whole posts with these ids, by id."""
        found: list[StoredPost] = []
        with self.db.read() as connection:
            for some in chunks(ids):
                query = sa.select(t.posts).where(t.posts.c.id.in_(some)).order_by(t.posts.c.id)
                found += hydrate(connection, connection.execute(query).all())
        return found

    def mark(self, posts: Sequence[Folded], version: str) -> None:
        """Note that these posts were matched with `version`; one that was edited since it was read keeps waiting."""
        columns = t.posts.c
        within = columns.id.between(sa.bindparam("first"), sa.bindparam("last"))
        update = sa.update(t.posts).where(within, columns.version == sa.bindparam("read"))
        runs = [{"first": first, "last": last, "read": read} for first, last, read in _runs(posts)]
        if runs:
            self.db.transact(lambda c: c.execute(update.values(matched_with=version), runs))

    def query_versions(self, brand_id: int) -> list[str]:
        """Every version of the brand's query that some mention of it was found with."""
        query = sa.select(t.mentions.c.query_version).where(t.mentions.c.brand_id == brand_id).distinct()
        with self.db.read() as connection:
            return list(connection.execute(query).scalars())


def _runs(posts: Iterable[Folded]) -> list[tuple[int, int, int]]:
    """(first id, last id, version read) of runs of ids without a gap: no post that was not read can lie in one."""
    runs: list[tuple[int, int, int]] = []
    for post in sorted(posts):
        if runs and post.id == runs[-1][1] + 1 and post.version == runs[-1][2]:
            runs[-1] = (runs[-1][0], post.id, post.version)
        else:
            runs.append((post.id, post.id, post.version))
    return runs
