"""What is old goes: posts that no ticket needs, their mentions, and the raw answers they came from.

A post that has a ticket stays. One that went leaves its key behind, so that a site that still shows it does not bring
it back as new; the history of its mentions goes with it but for one Event each. What goes is counted in `expired` in
the same transaction: the ledger balances over it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import MentionStatus
from crawler.store import events
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.types import AnyRow

EXPIRED = "expired"
_STEP = 250
_UNDECIDED = tuple(it.value for it in (MentionStatus.FOUND, MentionStatus.ANALYSED, MentionStatus.REVIEW))


@dataclass(frozen=True, slots=True)
class Expired:
    """What one pass took away; the names are those of the table `expired`."""

    posts: int = 0
    edits: int = 0
    versions: int = 0
    mentions: int = 0
    analyses: int = 0
    documents: int = 0
    document_times: int = 0
    document_posts: int = 0

    def __add__(self, other: Expired) -> Expired:
        mine, theirs = asdict(self), asdict(other)
        return Expired(**{name: mine[name] + theirs[name] for name in mine})


class Retention(Part):
    """Takes away what is older than the settings say, a small batch at a time."""

    def posts(self, before: datetime, progress: Callable[[int], object] | None = None) -> Expired:
        """Posts that were stored, and last changed, before then, unless a ticket or its queue needs them."""
        columns, total = t.posts.c, Expired()
        old = sa.and_(columns.changed_at < before, ~_needed())
        for ids in self._old(t.posts, columns.seen_at, before, old):
            total += self.db.transact(lambda connection, ids=ids: self._take_posts(connection, ids))  # type: ignore[misc]
            if progress:
                progress(len(ids))
        return total

    def unmatched(self, before: datetime, sources: Collection[int]) -> Expired:
        """Posts that only these sources (streams) showed before then and in which no brand stands."""
        columns, links, total = t.posts.c, t.post_sources.c, Expired()
        shown = sa.exists().where(links.post_id == columns.id, links.source_id.in_(sources))
        elsewhere = sa.exists().where(links.post_id == columns.id, links.source_id.not_in(sources))
        idle = sa.and_(columns.matched_with.is_not(None), columns.mention_count == 0, columns.changed_at < before)
        for ids in self._old(t.posts, columns.seen_at, before, sa.and_(idle, shown, ~elsewhere, ~_needed())):
            total += self.db.transact(lambda connection, ids=ids: self._take_posts(connection, ids))  # type: ignore[misc]
        return total

    def documents(self, before: datetime, sources: Collection[int] | None = None) -> Expired:
        """Raw answers stored before then that their address does not give any more; of these sources, or of all."""
        columns, urls, total = t.documents.c, t.source_urls.c, Expired()
        current = sa.exists().where(
            urls.source_id == columns.source_id, urls.document_id == columns.id, urls.seen_at >= before
        )
        # The last answer that a source gave as usual is what a person compares a strange one with.
        old = ~current & ~sa.exists().where(t.yields.c.document_id == columns.id)
        if sources is not None:
            old &= columns.source_id.in_(sources)
        for ids in self._old(t.documents, columns.fetched_at, before, old):
            total += self.db.transact(lambda connection, ids=ids: self._take_documents(connection, ids))  # type: ignore[misc]
        return total

    def _old(
        self, table: sa.Table, at: sa.ColumnElement[Any], before: datetime, condition: sa.ColumnElement[bool]
    ) -> Iterator[list[int]]:
        """Ids in batches, in the order they were stored, as far as they are old: the young are not walked through."""
        after = 0
        while True:
            window = sa.select(table.c.id, at.label("at")).where(table.c.id > after).order_by(table.c.id).limit(_STEP)
            with self.db.read() as connection:
                rows = connection.execute(window).all()
                ids = [row.id for row in rows if row.at < before]
                some = sa.select(table.c.id).where(table.c.id.in_(ids), condition).order_by(table.c.id)
                going = list(connection.execute(some).scalars()) if ids else []
            if going:
                yield going
            if len(rows) < _STEP or not ids:
                return
            after = rows[-1].id

    def _take_posts(self, connection: Connection, ids: Sequence[int]) -> Expired:
        """One batch. What got a ticket since it was chosen is left alone."""
        columns, links = t.posts.c, t.post_sources.c
        still = sa.select(columns.id).where(columns.id.in_(ids), ~_needed()).order_by(columns.id).with_for_update()
        going = list(connection.execute(still).scalars())
        mentions = connection.execute(
            sa.select(t.mentions.c.id, t.mentions.c.status).where(t.mentions.c.post_id.in_(going)).order_by("id")
        ).all()
        self._fold_history(connection, mentions)
        gone = self._counted_posts(connection, going, len(mentions))
        for table, column in (
            (t.analyses, t.analyses.c.mention_id),
            (t.mentions, t.mentions.c.id),
        ):
            connection.execute(sa.delete(table).where(column.in_([row.id for row in mentions])))
        for table, column in (
            (t.post_versions, t.post_versions.c.post_id),
            (t.post_sources, links.post_id),
            (t.posts, columns.id),
        ):
            connection.execute(sa.delete(table).where(column.in_(going)))
        connection.execute(sa.delete(t.gone_mentions).where(t.gone_mentions.c.post_id.in_(going)))
        connection.execute(sa.update(t.gone_posts).where(t.gone_posts.c.id.in_(going)).values(expired=True))
        return self._book(connection, gone)

    def _fold_history(self, connection: Connection, mentions: Sequence[AnyRow]) -> None:
        """One Event stays of each mention: that it was here, and where it stood. Its steps cancel out in the books."""
        columns = t.events.c
        for some in chunks([row.id for row in mentions]):
            connection.execute(sa.delete(t.events).where(columns.row == "mention", columns.row_id.in_(some)))
        left = [self.event("mention", row.id, "status", None, EXPIRED, f"was {row.status}") for row in mentions]
        events.add(connection, left)

    def _counted_posts(self, connection: Connection, ids: Sequence[int], mentions: int) -> Expired:
        columns = t.posts.c
        edits = sa.select(sa.func.coalesce(sa.func.sum(columns.version - 1), 0)).where(columns.id.in_(ids))
        versions = sa.select(sa.func.count()).where(t.post_versions.c.post_id.in_(ids))
        tagged = sa.select(t.mentions.c.id).where(t.mentions.c.post_id.in_(ids))
        analyses = sa.select(sa.func.count()).where(t.analyses.c.mention_id.in_(tagged))
        one = [int(connection.execute(query).scalar_one()) for query in (edits, versions, analyses)]
        return Expired(posts=len(ids), edits=one[0], versions=one[1], mentions=mentions, analyses=one[2])

    def _take_documents(self, connection: Connection, ids: Sequence[int]) -> Expired:
        columns = t.documents.c
        sums = sa.select(sa.func.count(), sa.func.sum(columns.times), sa.func.sum(columns.posts))
        count, times, posts = connection.execute(sums.where(columns.id.in_(ids))).one()
        digests = connection.execute(sa.select(columns.digest).where(columns.id.in_(ids)).distinct()).scalars().all()
        urls = t.source_urls.c
        connection.execute(sa.update(t.source_urls).where(urls.document_id.in_(ids)).values(document_id=None))
        connection.execute(sa.delete(t.documents).where(columns.id.in_(ids)))
        held = sa.exists().where(columns.digest == t.bodies.c.digest)
        connection.execute(sa.delete(t.bodies).where(t.bodies.c.digest.in_(digests), ~held))
        return self._book(
            connection, Expired(documents=count, document_times=int(times or 0), document_posts=int(posts or 0))
        )

    def _book(self, connection: Connection, gone: Expired) -> Expired:
        if gone != Expired():
            connection.execute(sa.insert(t.expired).values(at=self.now(), **asdict(gone)))
        return gone


def _needed() -> sa.ColumnElement[bool]:
    """A ticket quotes the post, or nobody has decided yet about a mention of it."""
    links, mentions = t.ticket_mentions.c, t.mentions.c
    undecided = sa.or_(mentions.ticket_id.is_not(None), mentions.status.in_(_UNDECIDED))
    return sa.or_(
        sa.exists().where(links.post_id == t.posts.c.id),
        sa.exists().where(mentions.post_id == t.posts.c.id, undecided),
    )
