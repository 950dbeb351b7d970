"""The door of the store: one answer with its posts, the source's place and the run's counters, in ONE transaction.

This is the hot path: hand-written SQL, a fixed number of statements per answer, hashing and compression before the
lock is taken. How a post that came again is judged is told in `crawler.store.judge`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from crawler.model import Document, Post, PostOutcome, Run
from crawler.store import documents
from crawler.store.events import Part
from crawler.store.judge import Writer as PostWriter
from crawler.store.judge import arrived
from crawler.store.runs import REDO_SLOT, lease_lost
from crawler.store.types import dumps

Arrival = tuple[Post, str, str, str, str]

_INSERT_BODY = "INSERT INTO bodies (digest, size, body) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING"
_HAS_BODY = "SELECT 1 FROM bodies WHERE digest = ?"
_INSERT_DOCUMENT = (
    "INSERT INTO documents (source_id, run_id, url, status, headers, digest, fetched_at, posts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_LAST_ANSWER = "SELECT body_digest, document_id FROM source_urls WHERE source_id = ? AND url_digest = ?"
_SAME_ANSWER = "UPDATE documents SET times = times + 1, posts = posts + ? WHERE id = ? AND digest = ?"
_GROW = (
    "UPDATE documents SET digest = ?, times = times + 1, posts = posts + ?, fetched_at = ? WHERE id = ? AND run_id = ?"
)
_DROP_BODY = "DELETE FROM bodies WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM documents WHERE documents.digest = ?)"
_UPSERT_URL = (
    "INSERT INTO source_urls"
    " (source_id, url_digest, url, etag, last_modified, also, body_digest, document_id, seen_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (source_id, url_digest) DO UPDATE SET etag = excluded.etag, last_modified = excluded.last_modified,"
    " also = excluded.also, body_digest = excluded.body_digest, document_id = excluded.document_id,"
    " seen_at = excluded.seen_at"
)
_MOVE_CURSOR = "UPDATE sources SET cursor = ? WHERE id = ?"
_COUNTERS = ("fetched", "unchanged", "taken", "documents", "parsed", "new", "seen", "edited", "dropped")
_COUNT_RUN = (
    f"UPDATE runs SET {', '.join(f'{name} = {name} + ?' for name in _COUNTERS)}"
    " WHERE id = ? AND epoch = ? AND ended_at IS NULL"
)
_REMEMBERED = 4096


class Intake(Part):
    """Takes what a crawl brings. Every write is refused with LeaseLost once somebody else holds the run."""

    def take(
        self,
        run: Run,
        document: Document,
        posts: Sequence[Arrival],
        cursor: Mapping[str, Any] | None,
        validators: Mapping[str, str] | None,
        *,
        grows: bool = False,
    ) -> dict[PostOutcome, int]:
        """Store one answer: (post, folded text, content hash, key, site) each. Returns how many were new/seen/edited.

        `validators` are the answer's own {"etag", "last_modified"} and what else the spider wants back with them;
        `cursor` None leaves the source's place. The same answer of one address again adds no document. For a run of
        `runs.begin_redo` this is `retake`. `grows`: the body begins with that of the last document of this address and
        run, and takes its place (the window of a stream).
        Raises LeaseLost, StoreError, ValueError for a naive time.
        """
        if run.slot.startswith(REDO_SLOT):
            return self.retake(run, document, posts)
        answer = _Answer(self, document, grows)
        batch = [arrived(self.db, *post) for post in posts]

        def work(connection: Connection) -> dict[PostOutcome, int]:
            stored = answer.store(connection, run, len(batch), validators)
            outcomes = PostWriter(self.db, connection, run, document.fetched_at).write(batch)
            if cursor is not None:
                connection.exec_driver_sql(self.db.sql(_MOVE_CURSOR), (dumps(cursor), run.source.id))
            self._count(connection, run, fetched=1, taken=1, documents=stored, parsed=len(batch), **_named(outcomes))
            return outcomes

        outcomes = self.db.transact(work)
        _remember(answer.digest)
        return outcomes

    def move(self, run: Run, cursor: Mapping[str, Any]) -> None:
        """Move the source's place over what held no post. Raises LeaseLost."""

        def work(connection: Connection) -> None:
            self._count(connection, run)
            connection.exec_driver_sql(self.db.sql(_MOVE_CURSOR), (dumps(cursor), run.source.id))

        self.db.transact(work)

    def retake(self, run: Run, document: Document, posts: Sequence[Arrival]) -> dict[PostOutcome, int]:
        """Take the posts of a stored document again, for a run of `runs.begin_redo`.

        Posts that were deleted come back under their old ids and count as seen. An answer that is older than what we
        hold changes nothing; the one that gave today's version does when it now reads differently.
        """
        batch = [arrived(self.db, *post) for post in posts]

        def work(connection: Connection) -> dict[PostOutcome, int]:
            outcomes = PostWriter(self.db, connection, run, document.fetched_at, redo=True).write(batch)
            self._count(connection, run, parsed=len(batch), **_named(outcomes))
            return outcomes

        return self.db.transact(work)

    def note(self, run: Run, fetched: int = 0, dropped: int = 0, unchanged: int = 0) -> None:
        """Count what brings no posts: answers fetched, posts dropped at the door, 304 answers. Raises LeaseLost."""
        counts = {"fetched": fetched, "parsed": dropped, "dropped": dropped, "unchanged": unchanged}
        self.db.transact(lambda connection: self._count(connection, run, **counts))

    def _count(self, connection: Connection, run: Run, **counts: int) -> None:
        values = (*(counts.get(name, 0) for name in _COUNTERS), run.id, run.epoch)
        if connection.exec_driver_sql(self.db.sql(_COUNT_RUN), values).rowcount != 1:
            raise lease_lost(run)


def _marks(validators: Mapping[str, str]) -> tuple[str | None, str | None, str | None]:
    also = {name: value for name, value in validators.items() if name not in ("etag", "last_modified")}
    return validators.get("etag"), validators.get("last_modified"), dumps(also) if also else None


class _Answer:
    """One document on its way in: hashed and packed before the transaction starts."""

    def __init__(self, part: Part, document: Document, grows: bool) -> None:
        self._db = part.db
        self._document = document
        self._grows = grows
        self.digest = documents.digest_of(document.body)
        self._packed = None if self.digest in _known_bodies else documents.compress(document.body)
        self._fetched_at = self._db.stamp(document.fetched_at)
        self._url_digest = hashlib.sha256(document.url.encode("utf-8", "replace")).hexdigest()[:32]

    def store(self, connection: Connection, run: Run, posts: int, validators: Mapping[str, str] | None) -> int:
        """Store it unless the address last gave the same body; returns the rows added, 0 or 1."""
        execute = connection.exec_driver_sql
        last = execute(self._db.sql(_LAST_ANSWER), (run.source.id, self._url_digest)).first()
        document_id = self._grown(connection, run, last, posts) if self._grows else self._same(connection, last, posts)
        added = document_id is None
        if document_id is None:
            document_id = self._insert(connection, run, posts)
        place = (run.source.id, self._url_digest, self._document.url, *_marks(validators or {}))
        execute(self._db.sql(_UPSERT_URL), (*place, self.digest, document_id, self._fetched_at))
        return int(added)

    def _same(self, connection: Connection, last: Any, posts: int) -> int | None:
        if last is None or last[0] != self.digest or last[1] is None:
            return None
        values = (posts, last[1], self.digest)
        found = connection.exec_driver_sql(self._db.sql(_SAME_ANSWER), values).rowcount
        return int(last[1]) if found else None

    def _grown(self, connection: Connection, run: Run, last: Any, posts: int) -> int | None:
        if last is None or last[1] is None:
            return None
        self._keep_body(connection)
        values = (self.digest, posts, self._fetched_at, last[1], run.id)
        execute = connection.exec_driver_sql
        if not execute(self._db.sql(_GROW), values).rowcount:
            return None
        if last[0] != self.digest:
            execute(self._db.sql(_DROP_BODY), (last[0], last[0]))
        return int(last[1])

    def _keep_body(self, connection: Connection) -> None:
        execute = connection.exec_driver_sql
        packed = self._packed
        if packed is None and execute(self._db.sql(_HAS_BODY), (self.digest,)).first() is None:
            packed = documents.compress(self._document.body)
        if packed is not None:
            execute(self._db.sql(_INSERT_BODY), (self.digest, len(self._document.body), packed))

    def _insert(self, connection: Connection, run: Run, posts: int) -> int:
        self._keep_body(connection)
        execute = connection.exec_driver_sql
        it = self._document
        headers = dumps(dict(it.headers))
        row = (run.source.id, run.id, it.url, it.status, headers, self.digest, self._fetched_at, posts)
        return int(execute(self._db.sql(_INSERT_DOCUMENT), row).scalar_one())


# Digests whose bodies this process has stored: a hint that saves compressing them again, never the truth.
_known_bodies: dict[str, None] = {}


def _remember(digest: str) -> None:
    _known_bodies[digest] = None
    if len(_known_bodies) > _REMEMBERED:
        _known_bodies.pop(next(iter(_known_bodies)))


def _named(outcomes: Mapping[PostOutcome, int]) -> dict[str, int]:
    return {outcome.value: count for outcome, count in outcomes.items()}
