"""Lessons: what was learnt of corrections, by the digest of all that it was made of. Never changed, never deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from crawler.store import tables as t
from crawler.store.events import Part


@dataclass(frozen=True, slots=True)
class StoredLesson:
    """One version. `delta` is empty where it is not in force; `figures` say what it gave."""

    key: str
    model: str
    in_force: bool
    figures: Mapping[str, Any]
    delta: bytes
    at: datetime


class Lessons(Part):
    """Keeps versions; which one is in force follows from the corrections, not from here."""

    def get(self, key: str) -> StoredLesson | None:
        """The version of that digest, None when it was never made."""
        with self.db.read() as connection:
            row = connection.execute(sa.select(t.lessons).where(t.lessons.c.key == key)).first()
        if row is None:
            return None
        return StoredLesson(row.key, row.model, row.in_force, row.figures, row.delta, row.at)

    def add(self, key: str, model: str, in_force: bool, figures: Mapping[str, Any], delta: bytes) -> StoredLesson:
        """Keep a version; the first one of a key stays, whoever made it. Returns the one that is kept."""
        values = {"key": key, "model": model, "in_force": in_force, "figures": figures, "delta": delta}
        note = {"at": self.now()}
        self.db.transact(lambda c: self.db.insert_once(c, t.lessons, values | note, "key"))
        kept = self.get(key)
        if kept is None:
            raise LookupError(key)
        return kept

    def count(self) -> int:
        """How many versions there are."""
        with self.db.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(t.lessons)).scalar_one()
