"""What each source usually gives: learned at the end of every run, in a small transaction of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Run, Verdict
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.events import Part
from crawler.store.types import AnyRow, dumps
from crawler.store.usual import Oddity, Usual, Yield, judged

_TELLING = frozenset({Verdict.OK, Verdict.EMPTY})


class Yields(Part):
    """Learns, judges and tells what a source usually gives. Other settings begin anew."""

    def learn(self, run: Run, verdict: Verdict, what: Yield) -> Oddity | None:
        """Take in one run before it is finished; what is odd about it, or None.

        A run that failed, or in which nothing had changed, teaches nothing; nor does one that was taken over.
        """
        if verdict not in _TELLING or not (what.shown or what.quiet or what.empty):
            return None
        return self.db.transact(lambda connection: self._learn(connection, run, what))

    def odd(self) -> dict[str, str]:
        """Source name -> what is odd about its flow of posts; sources in force only."""
        columns = t.yields.c
        query = sa.select(t.sources.c.name, columns.odd).join(t.sources, t.sources.c.id == columns.source_id)
        query = query.where(columns.odd.is_not(None), t.sources.c.retired_at.is_(None))
        with self.db.read() as connection:
            return {str(row.name): str(row.odd) for row in connection.execute(query)}

    def of(self, source_id: int) -> dict[str, Any]:
        """What is usual for one source, and its last good sample; empty where nothing was learned."""
        with self.db.read() as connection:
            row = self._row(connection, source_id)
            sample = self._sample(connection, row.document_id) if row and row.document_id else None
        if row is None:
            return {}
        usual = {} if row.settings != self._settings(source_id) else Usual.of(row.state).summary()
        return {"usual": usual, "odd": row.odd, "last_good": sample}

    def resting(self, source_ids: Sequence[int]) -> set[int]:
        """Those of these sources that are still at weekends, as far as is known; not where nothing was learned."""
        columns, found = t.yields.c, set[int]()
        with self.db.read() as connection:
            for some in chunks(source_ids):
                rows = connection.execute(
                    sa.select(columns.source_id, columns.state).where(columns.source_id.in_(some))
                )
                found |= {int(row.source_id) for row in rows if Usual.of(row.state).rests()}
        return found

    def _settings(self, source_id: int) -> str:
        with self.db.read() as connection:
            return _digest(connection, source_id)

    @staticmethod
    def _row(connection: Connection, source_id: int) -> AnyRow | None:
        return connection.execute(sa.select(t.yields).where(t.yields.c.source_id == source_id)).first()

    @staticmethod
    def _sample(connection: Connection, document_id: int) -> dict[str, Any] | None:
        columns = t.documents.c
        query = sa.select(columns.id, columns.url, columns.fetched_at, columns.posts).where(columns.id == document_id)
        row = connection.execute(query).first()
        return dict(row._mapping) if row is not None else None

    def _learn(self, connection: Connection, run: Run, what: Yield) -> Oddity | None:
        if not _held(connection, run):
            return None
        row, settings = self._row(connection, run.source.id), _digest(connection, run.source.id)
        usual = Usual.of(row.state if row is not None and row.settings == settings else None)
        usual, oddity = judged(usual, what, self.now())
        sample = row.document_id if row is not None else None
        if what.shown and not (oddity and oddity.changed):
            sample = _document(connection, run.source.id, what.sample) or sample
        values = {
            "settings": settings,
            "state": usual.as_json(),
            "odd": oddity.why if oddity and not oddity.changed else None,
            "document_id": sample,
            "at": self.now(),
        }
        if row is None:
            connection.execute(sa.insert(t.yields).values(source_id=run.source.id, **values))
        else:
            connection.execute(sa.update(t.yields).where(t.yields.c.source_id == run.source.id).values(values))
        return oddity


def _held(connection: Connection, run: Run) -> bool:
    mine = (t.runs.c.id == run.id, t.runs.c.epoch == run.epoch, t.runs.c.ended_at.is_(None), t.runs.c.kind == "crawl")
    return connection.execute(sa.select(t.runs.c.id).where(*mine)).first() is not None


def _digest(connection: Connection, source_id: int) -> str:
    row = connection.execute(
        sa.select(t.sources.c.kind, t.sources.c.settings).where(t.sources.c.id == source_id)
    ).first()
    said = dumps([row.kind, row.settings]) if row is not None else ""
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def _document(connection: Connection, source_id: int, url: str | None) -> int | None:
    """The newest stored answer of an address."""
    if url is None:
        return None
    digest = hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]
    urls = t.source_urls.c
    query = sa.select(urls.document_id).where(urls.source_id == source_id, urls.url_digest == digest)
    return connection.execute(query).scalar()
