"""What the matcher found becomes mentions: one batch of posts in one transaction, a fixed number of statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Event, Hit, MentionStatus, StoredPost
from crawler.store import events
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.ticket_notes import leave_notes
from crawler.store.types import AnyRow

Found = Mapping[int, tuple[str, Sequence[Hit]]]
Result = tuple[StoredPost | int, Found]
HANDED_OVER = frozenset({MentionStatus.TICKETED.value, MentionStatus.JOINED.value})
NO_MATCH = "no longer matches"


def update_many(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update mentions by "row_id"; every row sets the same columns."""
    if rows:
        connection.execute(sa.update(t.mentions).where(t.mentions.c.id == sa.bindparam("row_id")), rows)


@dataclass
class Recorder:
    """One batch inside one transaction. With `only` (a brand's id) nothing of other brands, and no mark, changes."""

    part: Part
    connection: Connection
    version: str
    config_version: int
    only: int | None = None
    changes: list[Event] = field(default_factory=list)
    adds: list[dict[str, Any]] = field(default_factory=list)
    returns: list[AnyRow] = field(default_factory=list)
    again: list[dict[str, Any]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    edited: list[int] = field(default_factory=list)

    def run(self, results: Sequence[Result]) -> int:
        """Write the batch; returns how many mentions are new."""
        found = {_id(post): hits for post, hits in results}
        versions = self._versions([post for post, _ in results])
        standing, kept = self._standing(list(versions)), self._gone(list(versions))
        for post_id, post_version in versions.items():
            known = standing.get(post_id, {})
            self._post(post_id, post_version, found[post_id], known, kept)
            handed_over = [row for row in known.values() if row.status in HANDED_OVER]
            self.edited += [row.id for row in handed_over if row.post_version != post_version]
        new = self._insert()
        update_many(self.connection, self.again)
        update_many(self.connection, self.moved)
        self._mark(list(versions), {row.post_id for row in self.returns})
        leave_notes(self.part, self.connection, self.edited, self.config_version)
        events.add(self.connection, self.changes, self.config_version)
        return new

    def _versions(self, posts: Sequence[StoredPost | int]) -> dict[int, int]:
        """Today's version of the posts that exist, less those that were edited since the matcher read them; by id.

        The order is that of the ids of new mentions, and of the locks.
        """
        columns = t.posts.c
        query = sa.select(columns.id, columns.version).where(columns.id.in_([_id(post) for post in posts]))
        rows = self.connection.execute(query.order_by(columns.id).with_for_update())
        today = {int(row.id): int(row.version) for row in rows}
        read = {post.id: post.version for post in posts if isinstance(post, StoredPost)}
        return {post_id: version for post_id, version in today.items() if read.get(post_id, version) == version}

    def _standing(self, ids: Sequence[int]) -> dict[int, dict[int, AnyRow]]:
        columns = t.mentions.c
        names = ("id", "post_id", "brand_id", "status", "reason", "post_version", "query_version", "analysed_version")
        query = sa.select(*(columns[name] for name in names)).where(columns.post_id.in_(ids)).order_by(columns.id)
        if self.only is not None:
            query = query.where(columns.brand_id == self.only)
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
    ) -> None:
        for brand_id, (query_version, hits) in found.items():
            values = {"query_version": query_version, "hits": _packed(hits), "post_version": post_version}
            if brand_id in known:
                self._again(known[brand_id], values)
            else:
                self._add(post_id, brand_id, values, kept.get((post_id, brand_id)))
        for brand_id, row in known.items():
            if brand_id not in found:
                self._lost(row)

    def _add(self, post_id: int, brand_id: int, values: dict[str, Any], gone: AnyRow | None) -> None:
        now = self.part.now()
        row = values | {"post_id": post_id, "brand_id": brand_id, "status": MentionStatus.FOUND.value}
        row |= {"id": 0, "reason": "", "rule": "", "ticket_id": None, "config_version": self.config_version}
        row |= {"found_at": now, "changed_at": now}
        if gone is not None:
            row |= _restored(gone)
            self.returns.append(gone)
            if gone.status != row["status"]:
                self._log(gone.id, gone.status, row["status"], "rebuilt")
        self.adds.append(row)

    def _insert(self) -> int:
        fresh = [row for row in self.adds if not row["id"]]
        if fresh:
            for row, mention_id in zip(
                fresh, self.part.db.next_ids(self.connection, "mentions", len(fresh)), strict=True
            ):
                row["id"] = mention_id
                self._log(mention_id, None, row["status"])
        if self.adds:
            self.connection.execute(sa.insert(t.mentions), self.adds)
        return len(fresh)

    def _again(self, row: AnyRow, values: dict[str, Any]) -> None:
        self.again.append({"row_id": row.id, **values})
        edited = row.post_version != values["post_version"]
        returns = row.status == MentionStatus.IGNORED.value and row.reason == NO_MATCH
        if not (edited or returns) or row.status in HANDED_OVER:
            return
        stale = edited or not row.analysed_version
        status = (MentionStatus.FOUND if stale else MentionStatus.ANALYSED).value
        if status != row.status:
            self._move(row, status, "", "matches again" if returns else "the post was edited")

    def _lost(self, row: AnyRow) -> None:
        gone_already = row.status == MentionStatus.IGNORED.value and row.reason == NO_MATCH
        if not gone_already and row.status not in HANDED_OVER:
            self._move(row, MentionStatus.IGNORED.value, NO_MATCH, NO_MATCH)

    def _move(self, row: AnyRow, status: str, reason: str, note: str) -> None:
        moved = {"row_id": row.id, "status": status, "reason": reason, "rule": "", "changed_at": self.part.now()}
        self.moved.append(moved)
        if status != row.status:
            self._log(row.id, row.status, status, note)

    def _log(self, mention_id: int, before: str | None, after: str, note: str | None = None) -> None:
        self.changes.append(self.part.event("mention", mention_id, "status", before, after, note))

    def _mark(self, ids: Sequence[int], rebuilt: Collection[int]) -> None:
        columns = t.posts.c
        if self.only is None:
            self.connection.execute(sa.update(t.posts).where(columns.id.in_(ids)).values(matched_with=self.version))
        more: dict[int, int] = {}
        for row in self.adds:
            if row["post_id"] not in rebuilt:
                more[row["post_id"]] = more.get(row["post_id"], 0) + 1
        if more:
            count = sa.update(t.posts).values(mention_count=columns.mention_count + sa.bindparam("more"))
            rows = [{"row_id": post_id, "more": number} for post_id, number in more.items()]
            self.connection.execute(count.where(columns.id == sa.bindparam("row_id")), rows)
        if rebuilt:
            held = sa.select(sa.func.count()).where(t.mentions.c.post_id == columns.id).scalar_subquery()
            self.connection.execute(sa.update(t.posts).where(columns.id.in_(rebuilt)).values(mention_count=held))


def _id(post: StoredPost | int) -> int:
    return post if isinstance(post, int) else post.id


def _packed(hits: Sequence[Hit]) -> list[list[Any]]:
    return [[hit.entity, str(hit.kind), hit.form, hit.start, hit.end, hit.why] for hit in hits]


def _restored(gone: AnyRow) -> dict[str, Any]:
    """What a rebuilt mention keeps. Its analysis is gone, so unless a ticket has it, it starts again as found."""
    kept = {"id": gone.id, "found_at": gone.found_at, "config_version": gone.config_version}
    if gone.status in HANDED_OVER:
        kept |= {"status": gone.status, "reason": gone.reason, "rule": gone.rule, "ticket_id": gone.ticket_id}
    return kept
