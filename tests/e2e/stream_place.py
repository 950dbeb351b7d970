"""What tests of streams share: a database with streams in it, and the children that read and poll them."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import psycopg
from e2e import crawl_kit
from e2e.stream_double import Jetstream, jetstream

from crawler import plugins
from crawler.engine import osproc
from crawler.engine.child import Child, Start
from crawler.engine.processes import CrawlCrew, Limits
from crawler.model import Run, Source
from crawler.net.guard import EgressPolicy
from crawler.net.live import Live
from crawler.reports.ledger import balance
from crawler.stages.crawl import child_main
from crawler.stages.stream_child import streams_main
from crawler.store import SourceRow, Store, StreamState

LOOPBACK = (ip_network("127.0.0.0/8"),)
PREFIX = "at://did:plc:ada/app.bsky.feed.post/"
SCHEDULE = {"every_min": 60.0, "every_max": 60.0, "stream": True}


def make_tools(url: str, owner: str, lease: float) -> Any:
    """In the child: what the app would hand to it."""
    from crawler.stages.stream import StreamTools
    from spiders.stream_reading import LightReader

    kinds = plugins.family("spiders", "stream", LightReader)

    def reader(run: Run) -> Any:
        kind, source = kinds[run.source.kind], run.source
        settings = kind.Settings(**source.settings)
        return kind(Source(source.name, source.kind, settings, cursor=source.cursor)), Live(EgressPolicy(LOOPBACK))

    return StreamTools(store=Store.open(url, durable=False), reader=reader, owner=owner, lease_seconds=lease)


def stream(name: str, kind: str, **settings: Any) -> SourceRow:
    """A row of a stream."""
    return SourceRow(name, kind, settings, {}, SCHEDULE, "127.0.0.1")


@dataclass
class Place:
    """A database with streams in it, and the children that read them."""

    store: Store
    server: Jetstream
    children: list[Child] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    crew: CrawlCrew | None = None

    def configure(self, **settings: Any) -> None:
        """The one source `sky` with these settings."""
        self.configure_rows(stream("sky", "jetstream", base_url=self.server.url, **{"rewind": "5s", **settings}))

    def configure_rows(self, *rows: SourceRow) -> None:
        """These sources and no others."""
        self.store.config.sync(repr(rows), "text", [], list(rows))

    def start(self, owner: str = "house", lease: float = 20.0) -> Child:
        marker = f"{osproc.crew_marker()}.streams"
        child = Child(streams_main, (make_tools, self.store.url, owner, lease), Start("streams", marker))
        self.children.append(child)
        return child

    def poll(self, *names: str, seconds: float = 90.0) -> None:
        """Crawl these sources once, as the service does; each must come to a good end."""
        runs = self.store.sources.claim("poller", names, datetime.now(UTC), 60.0, len(names))
        assert {run.source.name for run in runs} == set(names)
        self.crew = self.crew or self._crew()
        wanted = len(self.ended) + len(runs)
        for run in runs:
            self.crew.submit(run.id)
        until = time.monotonic() + seconds
        while len(self.ended) < wanted and time.monotonic() < until:
            self.crew.poll(0.2)
        assert len(self.ended) == wanted and not self.failed, self.failed
        found = {name: self.store.sources.get(name) for name in names}
        assert all(state.last_verdict in ("ok", "empty") for state in found.values()), found

    def _crew(self) -> CrawlCrew:
        arguments = (crawl_kit.make_tools, self.store.url, None, 60.0, {})
        return CrawlCrew(child_main, arguments, Limits(), self.ended.append, lambda _, why: self.failed.append(why))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.store.path is None:
            with psycopg.connect(self.store.url, autocommit=True) as connection:
                return connection.execute(query.encode()).fetchall()
        with closing(sqlite3.connect(self.store.path, timeout=20)) as base:
            return base.execute(query).fetchall()

    def texts(self) -> dict[str, str]:
        """Record key -> words of every stored post."""
        return {key.removeprefix(PREFIX): text for key, text in self.rows("SELECT platform_id, text FROM posts")}

    def state(self, name: str = "sky") -> StreamState | Any:
        return self.store.streams.states().get(self.store.sources.get(name).id)

    def cursor(self, name: str = "sky") -> Mapping[str, Any]:
        return self.store.sources.get(name).cursor

    def live(self) -> bool:
        return self.server.open > 0

    def close(self) -> None:
        """End whatever runs."""
        if self.crew is not None:
            self.crew.kill()
        for child in self.children:
            child.kill()
            child.close()


@contextmanager
def standing(url: str) -> Iterator[Place]:
    """A place on this database; afterwards nothing runs and its books balance."""
    with jetstream() as server, Store.open(url, durable=False) as store:
        place = Place(store, server)
        place.configure()
        try:
            yield place
        finally:
            place.close()
        assert balance(store.counts.ledger([])).gaps == ()


def slowness() -> float:
    """What a busy machine may add: the first figure is the promise, this only keeps the test from lying."""
    return 3.0 * max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1) - 1.0)
