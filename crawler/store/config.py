"""What the config file says should be, as rows: brands and sources by name, each file a numbered version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import Brand, Entity, EntityKind, Event
from crawler.store import events
from crawler.store import tables as t
from crawler.store.events import Part
from crawler.store.types import AnyRow

_BRAND_FIELDS = ("entities", "about", "not_about", "own", "query", "labels", "version")
_SOURCE_FIELDS = ("kind", "settings", "labels", "schedule", "domain", "verify")
_FRESH_START = frozenset({"kind", "settings"})


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source of the file. `settings` and `schedule` are JSON-able and hold no secret values."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    schedule: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    was: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did. Names read "brand NAME" or "source NAME"; `version` is the number of the config in force."""

    version: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()


class ConfigPart(Part):
    """Syncs the file into rows. Removed names are retired, never deleted: their posts and mentions stay."""

    def sync(self, digest: str, text: str, brands: Sequence[Brand], sources: Sequence[SourceRow]) -> SyncReport:
        """Make the rows say what the file says, in one transaction; a repeated sync of one file changes nothing."""
        return self.db.transact(lambda connection: _Sync(self, connection).run(digest, text, brands, sources))

    def version(self) -> int:
        """The number of the config in force; 0 before the first sync."""
        with self.db.read() as connection:
            return _version(connection)

    def text(self, number: int) -> str | None:
        """The file of that version as it was read."""
        query = sa.select(t.config_versions.c.text).where(t.config_versions.c.number == number)
        with self.db.read() as connection:
            return connection.execute(query).scalar()

    def brands(self) -> tuple[Brand, ...]:
        """The brands in force, with their ids, by name."""
        query = sa.select(t.brands).where(t.brands.c.retired_at.is_(None)).order_by(t.brands.c.name)
        with self.db.read() as connection:
            return tuple(_brand(row) for row in connection.execute(query))


class _Sync:
    """One sync inside one transaction."""

    def __init__(self, part: Part, connection: Connection) -> None:
        self._part = part
        self._connection = connection
        self._now = part.now()
        self._events: list[Event] = []
        self._done: dict[str, list[str]] = {"added": [], "changed": [], "retired": [], "renamed": []}

    def run(self, digest: str, text: str, brands: Sequence[Brand], sources: Sequence[SourceRow]) -> SyncReport:
        version = self._number(digest, text)
        self._rename(sources)
        self._table("brand", t.brands, {brand.name: _brand_values(brand) for brand in brands})
        self._table("source", t.sources, {source.name: _source_values(source) for source in sources})
        events.add(self._connection, self._events, version)
        return SyncReport(version, **{what: tuple(names) for what, names in self._done.items()})

    def _number(self, digest: str, text: str) -> int:
        newest = sa.select(t.config_versions).order_by(t.config_versions.c.number.desc()).limit(1)
        row = self._connection.execute(newest).first()
        if row is not None and row.digest == digest:
            return int(row.number)
        number = (row.number if row else 0) + 1
        values = {"number": number, "digest": digest, "text": text, "at": self._now}
        self._connection.execute(sa.insert(t.config_versions).values(values))
        self._events.append(self._part.event("config", number, "created", after=digest))
        return int(number)

    def _rename(self, sources: Sequence[SourceRow]) -> None:
        known = {row.name: row.id for row in self._connection.execute(sa.select(t.sources.c.id, t.sources.c.name))}
        for source in sources:
            if source.was is None or source.name in known or source.was not in known:
                continue
            row_id = known.pop(source.was)
            self._connection.execute(sa.update(t.sources).where(t.sources.c.id == row_id).values(name=source.name))
            self._log("source", source.name, row_id, "renamed", source.was, source.name)

    def _table(self, noun: str, table: sa.Table, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        rows = {row.name: row for row in self._connection.execute(sa.select(table))}
        for name, values in wanted.items():
            if name not in rows:
                self._add(noun, table, name, values)
            else:
                self._change(noun, table, rows[name], values)
        for name, row in rows.items():
            if name not in wanted and row.retired_at is None:
                self._update(table, row.id, {"retired_at": self._now})
                self._log(noun, name, row.id, "retired", "active", "retired")

    def _add(self, noun: str, table: sa.Table, name: str, values: Mapping[str, Any]) -> None:
        start = {"cursor": {}, "next_run_at": self._now} if noun == "source" else {}
        fresh = {"name": name, "created_at": self._now, **start, **values}
        row_id = self._connection.execute(sa.insert(table).values(fresh).returning(table.c.id)).scalar_one()
        self._log(noun, name, row_id, "added", None, "active")

    def _change(self, noun: str, table: sa.Table, row: AnyRow, values: Mapping[str, Any]) -> None:
        differing = {name: value for name, value in values.items() if row._mapping[name] != value}
        if not differing and row.retired_at is None:
            return
        returns = row.retired_at is not None
        update: dict[str, Any] = differing | ({"retired_at": None} if returns else {})
        if noun == "source" and differing.keys() & _FRESH_START:
            self._forget_place(row.id)
            update["cursor"] = {}
        if noun == "source" and (returns or differing.keys() - {"labels"}):
            update["next_run_at"] = self._now
        self._update(table, row.id, update)
        before, after = ("retired", "active") if returns else (None, ", ".join(sorted(differing)))
        self._log(noun, row.name, row.id, "changed", before, after)

    def _forget_place(self, source_id: int) -> None:
        # Other settings read the same answers differently: a 304 or an old cursor would hide that.
        self._connection.execute(sa.delete(t.source_urls).where(t.source_urls.c.source_id == source_id))

    def _update(self, table: sa.Table, row_id: int, values: Mapping[str, Any]) -> None:
        self._connection.execute(sa.update(table).where(table.c.id == row_id).values(values))

    def _log(self, noun: str, name: str, row_id: int, what: str, before: str | None, after: str | None) -> None:
        self._done[what].append(f"{noun} {name}")
        self._events.append(self._part.event(noun, row_id, what, before, after, name))


def _version(connection: Connection) -> int:
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(t.config_versions.c.number), 0))).scalar_one())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _brand_values(brand: Brand) -> dict[str, Any]:
    values = {name: _plain(getattr(brand, name)) for name in _BRAND_FIELDS}
    entities = [[e.kind.value, e.text, *([True] if e.slips else [])] for e in brand.entities]
    return values | {"entities": entities}


def _source_values(source: SourceRow) -> dict[str, Any]:
    return {name: _plain(getattr(source, name)) for name in _SOURCE_FIELDS}


def _brand(row: AnyRow) -> Brand:
    return Brand(
        name=row.name,
        entities=tuple(Entity(EntityKind(kind), text, *slips) for kind, text, *slips in row.entities),
        about=tuple(row.about),
        not_about=tuple(row.not_about),
        own=tuple(row.own),
        query=row.query,
        labels=row.labels,
        version=row.version,
        id=row.id,
    )
