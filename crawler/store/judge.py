"""Decides what became of each post that a source showed, and writes it.

Only title, text and `deleted` make a version. A post that comes again is
- seen, when the same source shows what it showed before, or anybody shows the stored text;
- seen, when it shows an excerpt of the stored text: cut with an ellipsis, or the first view of another source whose
  text is part of ours. So a feed's summary and the full page of one post do not take turns as its text;
- edited otherwise: the old text moves to `post_versions`, and the matcher and the model look again.
What an answer leaves out keeps its old value. Rating, engagement and followers are brought up to date; the other facts
are filled in where they were missing, and replaced by an edit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy.engine import Connection

from crawler.model import Post, PostOutcome, Run
from crawler.store.db import Database
from crawler.store.types import dumps, fit
from crawler.text import fold

_ELLIPSES = ("…", "...")

_MOVING = ("rating", "author_followers", "engagement")
_FACTS = (
    *_MOVING,
    "published_at",
    "author_name",
    "author_handle",
    "author_url",
    "region",
    "language_hint",
    "platform_id",
    "parent",
    "thread",
    "url",
)
_NEW = (
    "id",
    "version",
    "site",
    "key",
    "seen_at",
    "changed_at",
    "deleted",
    *_FACTS,
    "content_hash",
    "title",
    "text",
    "folded",
)
_KNOWN = ("id", "key", "version", "changed_at", "deleted", "title", *_FACTS)


def _insert(table: str, columns: Sequence[str], tail: str = "") -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}){tail}"


_INSERT_POSTS = _insert("posts", _NEW)
_INSERT_LINKS = _insert(
    "post_sources",
    ("post_id", "source_id", "digest", "seen_at"),
    " ON CONFLICT (post_id, source_id) DO UPDATE SET digest = excluded.digest",
)
_KEEP_VERSION = (
    "INSERT INTO post_versions (post_id, number, title, text, deleted, content_hash, replaced_at, replaced_by_run)"
    " SELECT id, version, title, text, deleted, content_hash, ?, ? FROM posts WHERE id = ?"
)
_EDIT = (
    "UPDATE posts SET version = version + 1, matched_with = NULL, changed_at = ?, title = ?, text = ?, deleted = ?,"
    " content_hash = ?, folded = ? WHERE id = ?"
)
_UPDATE_FACTS = f"UPDATE posts SET {', '.join(f'{name} = ?' for name in _FACTS)} WHERE id = ?"
_TEXT_OF = "SELECT text, folded, content_hash FROM posts WHERE id = ?"
# One parameter for any number of keys, and a form that lets both planners go by the unique index.
_AMONG = {True: "IN (SELECT value FROM json_each(?))", False: "= ANY(?::text[])"}


@dataclass(frozen=True, slots=True)
class Arrived:
    """One post ready to be judged: facts as the database binds them, `digest` of what makes a version."""

    key: str
    site: str
    digest: str
    folded: str
    content_hash: str
    post: Post
    facts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A stored post as the judge needs it; `shown` is the digest of what THIS source showed last."""

    id: int
    version: int
    changed_at: Any
    deleted: bool
    title: str | None
    facts: tuple[Any, ...]
    shown: str | None


def arrived(db: Database, post: Post, folded: str, content_hash: str, key: str, site: str) -> Arrived:
    """Work that needs no lock. Raises ValueError for a naive `published_at`."""
    author = post.author
    facts = (
        post.rating,
        author.followers,
        dumps(dict(post.engagement)) if post.engagement else None,
        db.stamp(post.published_at),
        author.name,
        author.handle,
        author.url,
        post.region,
        post.language_hint,
        post.platform_id,
        post.parent,
        post.thread,
        post.url,
    )
    return Arrived(fit(key), site, _digest(post), folded, content_hash, post, facts)


def _digest(post: Post) -> str:
    seen = f"{post.deleted:d}{post.title or ''}\0{post.text}"
    return hashlib.blake2b(seen.encode("utf-8", "replace"), digest_size=16).hexdigest()


class Writer:
    """Judges and writes the posts of one answer inside one transaction."""

    def __init__(
        self, db: Database, connection: Connection, run: Run, fetched_at: datetime, *, redo: bool = False
    ) -> None:
        self._db = db
        self._connection = connection
        self._run = run
        self._fetched_at = db.stamp(fetched_at)
        self._redo = redo
        self._counts = dict.fromkeys((PostOutcome.NEW, PostOutcome.SEEN, PostOutcome.EDITED), 0)

    def write(self, posts: Sequence[Arrived]) -> dict[PostOutcome, int]:
        """All posts; a key that comes twice is judged against its first coming."""
        waiting = list(posts)
        while waiting:
            first: dict[tuple[str, str], Arrived] = {}
            for post in waiting:
                first.setdefault((post.site, post.key), post)
            self._batch(list(first.values()))
            waiting = [post for post in waiting if first[post.site, post.key] is not post]
        return self._counts

    def _batch(self, posts: list[Arrived]) -> None:
        new: list[Arrived] = []
        links: list[tuple[Any, ...]] = []
        for site in dict.fromkeys(post.site for post in posts):
            of_site = [post for post in posts if post.site == site]
            known = self._known(site, [post.key for post in of_site])
            for post in of_site:
                if post.key in known:
                    self._again(known[post.key], post, links)
                else:
                    new.append(post)
        if new:
            self._insert(new, links)
        if links:
            self._many(_INSERT_LINKS, links)

    def _known(self, site: str, keys: list[str]) -> dict[str, _Known]:
        columns = ", ".join(f"p.{name}" for name in _KNOWN)
        query = (
            f"SELECT {columns},"
            " (SELECT digest FROM post_sources AS s WHERE s.post_id = p.id AND s.source_id = ?) FROM posts AS p"
            f" WHERE p.site = ? AND p.key {_AMONG[self._db.is_sqlite]}"
        )
        found: dict[str, _Known] = {}
        for row in self._execute(query, (self._run.source.id, site, self._array(keys))):
            found[row[1]] = _Known(row[0], row[2], row[3], bool(row[4]), row[5], tuple(row[6:-1]), row[-1])
        return found

    def _gone(self, posts: Sequence[Arrived]) -> dict[tuple[str, str], tuple[int, int, bool]]:
        query = f"SELECT site, key, id, version, expired FROM gone_posts WHERE key {_AMONG[self._db.is_sqlite]}"
        rows = self._execute(query, (self._array([post.key for post in posts]),))
        return {(row[0], row[1]): (row[2], row[3], bool(row[4])) for row in rows}

    def _insert(self, posts: list[Arrived], links: list[tuple[Any, ...]]) -> None:
        told, gone = [post for post in posts if not _only_gone(post)], self._gone(posts)
        # What was taken down before we ever saw it is nothing that a site shows.
        self._counts[PostOutcome.SEEN] += len(posts) - len(told)
        unknown = sum((post.site, post.key) not in gone for post in told)
        fresh = iter(self._db.next_ids(self._connection, "posts", unknown))
        rows = []
        for post in told:
            post_id, version, expired = gone.get((post.site, post.key), (0, 1, False))
            outcome = PostOutcome.SEEN if post_id else PostOutcome.NEW
            # Read again from the documents, a deleted post walks through its versions once more.
            version = 1 if self._redo else version
            post_id = post_id or next(fresh)
            self._counts[outcome] += 1
            if expired:
                continue
            rows.append(self._row(post_id, version, post))
            links.append((post_id, self._run.source.id, post.digest, self._fetched_at))
        # On PostgreSQL two answers with the same new posts must take them in one order, or they deadlock.
        if rows:
            self._many(_INSERT_POSTS, rows if self._db.is_sqlite else sorted(rows, key=itemgetter(2, 3)))

    def _row(self, post_id: int, version: int, it: Arrived) -> tuple[Any, ...]:
        start = (post_id, version, it.site, it.key, self._fetched_at, self._fetched_at, self._db.flag(it.post.deleted))
        return (*start, *it.facts, it.content_hash, it.post.title, it.post.text, it.folded)

    def _again(self, known: _Known, it: Arrived, links: list[tuple[Any, ...]]) -> None:
        outcome = PostOutcome.SEEN
        if self._redo and self._fetched_at < known.changed_at:
            pass
        elif known.shown == it.digest:
            self._facts(known, it, edited=False)
        else:
            edited = self._differs(known, it)
            self._facts(known, it, edited=edited)
            links.append((known.id, self._run.source.id, it.digest, self._fetched_at))
            if edited and not self._rewalk(known, it):
                outcome = PostOutcome.EDITED
        self._counts[outcome] += 1

    def _differs(self, known: _Known, it: Arrived) -> bool:
        """Compare with the stored text and write the edit, if it is one."""
        text, folded, content_hash = self._execute(_TEXT_OF, (known.id,)).one()
        post = it.post
        title = known.title if post.title is None else post.title
        if post.deleted and not post.text:
            after: tuple[str, str, str] = (text, content_hash, folded)
        else:
            after = (post.text, it.content_hash, it.folded if title == post.title else fold(f"{title}\n{post.text}"))
        if (title, after[0], post.deleted) == (known.title, text, known.deleted):
            return False
        if post.deleted == known.deleted and _is_excerpt(it.folded, folded, first_view=known.shown is None):
            return False
        self._execute(_KEEP_VERSION, (self._fetched_at, self._run.id, known.id))
        edit = (self._fetched_at, title, after[0], self._db.flag(post.deleted), after[1], after[2], known.id)
        self._execute(_EDIT, edit)
        return True

    def _rewalk(self, known: _Known, it: Arrived) -> bool:
        """Whether this version was counted before its post was deleted."""
        if not self._redo:
            return False
        _, counted, _ = self._gone([it]).get((it.site, it.key), (0, 0, False))
        return known.version + 1 <= counted

    def _facts(self, known: _Known, it: Arrived, *, edited: bool) -> None:
        moving = len(_FACTS) if edited else len(_MOVING)
        merged = tuple(
            new if new is not None and (old is None or place < moving) else old
            for place, (old, new) in enumerate(zip(known.facts, it.facts, strict=True))
        )
        if merged != known.facts:
            self._execute(_UPDATE_FACTS, (*merged, known.id))

    def _array(self, values: list[str]) -> Any:
        return json.dumps(values) if self._db.is_sqlite else values

    def _execute(self, sql: str, values: tuple[Any, ...]) -> Any:
        return self._connection.exec_driver_sql(self._db.sql(sql), values)

    def _many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        self._connection.exec_driver_sql(self._db.sql(sql), rows)


def _only_gone(it: Arrived) -> bool:
    """Whether nothing is said of a post but that it was taken down."""
    return it.post.deleted and not it.post.text and not it.post.title


def _is_excerpt(new: str, old: str, *, first_view: bool) -> bool:
    stem = new.rstrip()
    cut = stem.endswith(_ELLIPSES)
    stem = stem.rstrip("….[] ")
    return (cut or first_view) and 0 < len(stem) < len(old) and stem in old
