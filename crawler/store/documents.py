"""Fetched answers: content-addressed, compressed bodies and the rows that say where and when they came from."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import zstandard

from crawler.errors import NotFound, StoreError
from crawler.model import Document
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.types import AnyRow

LEVEL = 3
_tools = threading.local()


def digest_of(body: bytes) -> str:
    """The address of a body: its SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest()


def compress(body: bytes) -> bytes:
    """zstd, with the size in the frame. One compressor a thread: they are not shareable."""
    tool = getattr(_tools, "compressor", None)
    if tool is None:
        tool = _tools.compressor = zstandard.ZstdCompressor(level=LEVEL)
    packed: bytes = tool.compress(body)
    return packed


def decompress(packed: bytes, size: int, digest: str) -> bytes:
    """The body of that size. Raises StoreError when the stored bytes are not what was stored."""
    try:
        body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(size, 1))
    except zstandard.ZstdError as error:
        raise StoreError(f"the stored body {digest} is damaged ({error}): restore a backup") from error
    if digest_of(body) != digest:
        raise StoreError(f"the stored body {digest} is not what was stored: restore a backup")
    return body


class Documents(Part):
    """Reads what was fetched."""

    def get(self, document_id: int) -> Document:
        """One document with its body. Raises NotFound, StoreError for a damaged body."""
        with self.db.read() as connection:
            row = connection.execute(_query().where(t.documents.c.id == document_id)).first()
        if row is None:
            raise NotFound(f"there is no document {document_id}")
        return _document(row)

    def of(self, source: str | None, since: datetime | None, page: int = 20) -> Iterator[Document]:
        """Documents of one source (by name) or of all, fetched from `since` on, in the order they were stored."""
        after = 0
        while True:
            query = _query().where(t.documents.c.id > after).order_by(t.documents.c.id).limit(page)
            if source is not None:
                query = query.join(t.sources, t.sources.c.id == t.documents.c.source_id).where(
                    t.sources.c.name == source
                )
            if since is not None:
                query = query.where(t.documents.c.fetched_at >= since)
            with self.db.read() as connection:
                rows = connection.execute(query).all()
            yield from map(_document, rows)
            if len(rows) < page:
                return
            after = rows[-1].id

    def count(self) -> int:
        """How many documents are stored."""
        with self.db.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(t.documents)).scalar_one()


def _query() -> sa.Select[Any]:
    return sa.select(t.documents, t.bodies.c.body, t.bodies.c.size).join(t.bodies, isouter=True)


def _document(row: AnyRow) -> Document:
    if row.body is None:
        raise StoreError(f"document {row.id} lost its body {row.digest}: restore a backup")
    return Document(
        url=row.url,
        status=row.status,
        headers=json.loads(row.headers),
        body=decompress(row.body, row.size, row.digest),
        fetched_at=row.fetched_at,
        id=row.id,
        source_id=row.source_id,
    )
