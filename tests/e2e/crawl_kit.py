"""What the tests of the crawl child share: a small site on loopback, and the tools that a child makes for itself."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from crawler import plugins
from crawler.engine.processes import CrawlCrew, Limits
from crawler.model import Run, Source, Verdict
from crawler.net.guard import EgressPolicy
from crawler.stages.crawl import Tools, child_main
from crawler.store import SourceRow, Store

LOOPBACK = (ip_network("127.0.0.0/8"),)


def make_tools(url: str, plugin_dir: str | None, lease: float, extra: Mapping[str, Any]) -> Tools:
    """In the child: what the app would hand to it."""
    from crawler.scrapy_settings import as_dict
    from spiders.base import SourceSpider

    kinds = plugins.discover("spiders", SourceSpider, Path(plugin_dir) if plugin_dir else None)

    def spider(run: Run) -> tuple[Any, Source]:
        kind = kinds[run.source.kind]
        return kind, replace(run.source, settings=kind.Settings(**run.source.settings))

    return Tools(
        store=Store.open(url, durable=False),
        spider=spider,
        settings=as_dict("mention-crawler-test", LOOPBACK) | dict(extra),
        policy=EgressPolicy(allow_private=LOOPBACK),
        next_run_at=lambda *_: datetime.now(UTC) + timedelta(hours=1),
        lease_seconds=lease,
    )


class Site:
    """Serves feeds by path: `feeds["/a"]` lists ids; answers are written down. `slow` delays, `pages` are HTML."""

    def __init__(self) -> None:
        self.feeds: dict[str, Sequence[str]] = {}
        self.pages: dict[str, str] = {}
        self.slow: dict[str, float] = {}
        self.served: Counter[str] = Counter()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: Any) -> None:
                """Tests read `served` instead."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        time.sleep(self.slow.get(request.path, 0.0))
        status, kind, body = self._found(request.path)
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        try:
            request.wfile.write(body)
        except OSError:
            return
        self.served[request.path] += 1

    def _found(self, path: str) -> tuple[int, str, bytes]:
        if path in self.feeds:
            return 200, "application/rss+xml; charset=utf-8", self.rss(self.feeds[path]).encode()
        if path in self.pages:
            return 200, "text/html; charset=utf-8", self.pages[path].encode()
        return 404, "text/plain", b"nothing here"

    def rss(self, ids: Sequence[str]) -> str:
        items = "".join(
            f"<item><guid isPermaLink='false'>{id_}</guid><link>{self.url}/post/{id_}</link><title>Новина {id_}</title>"
            f"<description>Клієнти пишуть про банк: історія номер {id_}, переказ не дійшов.</description></item>"
            for id_ in ids
        )
        return (
            f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>t</title>{items}</channel></rss>"
        )

    def truth(self) -> set[str]:
        """Ids of all posts that every feed shows now."""
        return {id_ for ids in self.feeds.values() for id_ in ids}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Place:
    """A database with sources, and crews over it."""

    def __init__(self, folder: Path, owner: str = "test") -> None:
        self.folder, self.owner = folder, owner
        self.url = f"sqlite:///{folder / 'mentions.db'}"
        self.plugin_dir = folder / "plugins"
        self.plugin_dir.mkdir(exist_ok=True)
        self.store = Store.create(self.url)
        self.lease = 60.0
        self.extra: dict[str, Any] = {}
        self.finished: list[int] = []
        self.failed: dict[int, str] = {}
        self.runs: dict[int, Run] = {}

    def sources(self, *sources: tuple[str, str, Mapping[str, Any]]) -> None:
        """(name, kind, settings) each, with a domain of its own."""
        rows = [SourceRow(name, kind, settings, domain=name) for name, kind, settings in sources]
        self.store.config.sync("digest", "text", (), rows)

    def crew(self, limits: Limits | None = None) -> CrawlCrew:
        args = (make_tools, self.url, str(self.plugin_dir), self.lease, self.extra)
        return CrawlCrew(child_main, args, limits or Limits(), self._finished, self._failed)

    def _finished(self, run_id: int) -> None:
        self.finished.append(run_id)
        self.runs.pop(run_id, None)

    def _failed(self, run_id: int, reason: str) -> None:
        self.failed[run_id] = reason
        run = self.runs.pop(run_id, None)
        if run:
            self.store.runs.finish(run, Verdict.FAILED, reason, 0.0, datetime.now(UTC) + timedelta(hours=1))

    def claim(self, *names: str) -> list[Run]:
        wanted = list(names) or [state.name for state in self.store.sources.all()]
        runs = self.store.sources.claim(self.owner, wanted, datetime.now(UTC), self.lease, 100)
        self.runs.update({run.id: run for run in runs})
        return runs

    def crawl(self, crew: CrawlCrew, *names: str, browser: bool = False, seconds: float = 30.0) -> dict[str, Any]:
        """Claim, crawl, wait; the results by source name."""
        runs = self.claim(*names)
        for run in runs:
            crew.submit(run.id, browser=browser)
        wait(lambda: not crew.running(), seconds, crew.poll)
        return {run.source.name: self.store.runs.result(run.id) for run in runs}

    def keys(self) -> set[str]:
        """Platform ids of the stored posts; a double would be a shorter list."""
        posts = list(self.store.posts.iterate(None))
        ids = [post.post.platform_id or "" for post in posts]
        assert len(ids) == len(set(ids)), "a post is stored twice"
        return set(ids)

    def balance(self) -> None:
        """Every counter of every run adds up, and the rows say the same."""
        with closing(sqlite3.connect(self.folder / "mentions.db")) as raw:
            runs = raw.execute("SELECT parsed, new, seen, edited, dropped FROM runs").fetchall()
            posts = raw.execute("SELECT count(*) FROM posts").fetchone()[0]
        assert all(parsed == new + seen + edited + dropped for parsed, new, seen, edited, dropped in runs)
        assert sum(run[1] for run in runs) == posts

    def close(self) -> None:
        self.store.close()


def wait(done: Callable[[], bool], seconds: float, pause: Callable[[float], object] = time.sleep) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not done after {seconds} s"
        pause(0.1)


@contextmanager
def crew_of(place: Place, limits: Limits | None = None) -> Iterator[CrawlCrew]:
    crew = place.crew(limits)
    try:
        yield crew
    finally:
        crew.kill()
