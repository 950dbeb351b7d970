"""crawl + store against bare Scrapy that does the SAME parse and drops the items; 20 posts a page, all stored.

Each side runs in a fresh process, 16 crawls at once over loopback, without politeness delays; the sides take turns and
the median of the rounds counts.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.row import Row
from benchmarks.site import POSTS, Site, feed, page, site

CRAWLS, PAGES, ROUNDS = 16, 8, 3
FIELDS = {
    "text": ".content",
    "author": ".author",
    "published_at": "time@datetime",
    "url": "a.permalink@href",
}


def run() -> Iterator[Row]:
    """One row a kind."""
    for kind, goal in (("page", 0.7), ("feed", 0.85)):
        with site(_pages(kind)) as served:
            bare, ours, memory = _measure(kind, served)
        posts = CRAWLS * PAGES * POSTS
        yield Row(
            f"crawl + store, {kind}, {posts} posts",
            f"{posts / ours:.0f} posts/s",
            f"bare Scrapy, same parse: {posts / bare:.0f} posts/s",
            bare / ours,
            f">= {goal}",
        )
        yield Row(f"memory of that crawl process, {kind}", f"{memory} MiB", goal="<= 256 MiB")


def _pages(kind: str) -> dict[str, bytes]:
    if kind == "feed":
        return {f"/{c}/feed/{n}": feed(str(c), n) for c in range(CRAWLS) for n in range(PAGES)}
    return {f"/{c}/page/{n}": page(str(c), n, PAGES - 1) for c in range(CRAWLS) for n in range(PAGES)}


def _measure(kind: str, served: Site) -> tuple[float, float, int]:
    bare, ours, memory = [], [], 0
    for _ in range(ROUNDS):
        bare.append(_in_child(kind, served.url, False)[0])
        seconds, peak = _in_child(kind, served.url, True)
        ours.append(seconds)
        memory = max(memory, peak)
    return statistics.median(bare), statistics.median(ours), memory


def _in_child(kind: str, url: str, stored: bool) -> tuple[float, int]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_child, args=(there, kind, url, stored))
    process.start()
    there.close()
    answer: tuple[float, int] = here.recv()
    process.join()
    return answer


def _child(answer: Any, kind: str, url: str, stored: bool) -> None:
    from scrapy.utils.reactor import install_reactor

    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    from twisted.internet import reactor

    with tempfile.TemporaryDirectory() as folder:
        loop: Any = reactor
        loop.callWhenRunning(lambda: asyncio.ensure_future(_main(answer, kind, url, Path(folder), stored)))
        loop.run(installSignalHandlers=False)


async def _main(answer: Any, kind: str, url: str, folder: Path, stored: bool) -> None:
    import resource

    from twisted.internet import reactor

    try:
        crawls = list(_crawls(kind, url, folder, stored))
        began = time.perf_counter()
        await asyncio.gather(*(crawl() for crawl in crawls))
        seconds = time.perf_counter() - began
        answer.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
    finally:
        loop: Any = reactor
        loop.stop()


def _crawls(kind: str, url: str, folder: Path, stored: bool) -> Iterator[Any]:
    import ipaddress

    from scrapy.crawler import AsyncCrawlerRunner
    from scrapy.settings import Settings

    from crawler.net.guard import EgressPolicy
    from crawler.scrapy_settings import as_dict

    local = (ipaddress.ip_network("127.0.0.0/8"),)
    settings = Settings(
        {
            **as_dict("", local),
            "AUTOTHROTTLE_ENABLED": False,
            "ROBOTSTXT_OBEY": False,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
        }
    )
    settings["DOWNLOADER_MIDDLEWARES"] = {
        name: (None if "Robots" in name else place) for name, place in settings["DOWNLOADER_MIDDLEWARES"].items()
    }
    runner = AsyncCrawlerRunner(settings)
    runs = _Runs(kind, url, folder) if stored else None
    for number in range(CRAWLS):
        spider, source = _spider(kind, url, number)
        if runs is None:
            yield lambda spider=spider, source=source: runner.crawl(_bare(spider, kind), source=source)
        else:
            yield lambda spider=spider, number=number: runs.crawl(
                runner, spider, number, EgressPolicy(allow_private=local)
            )


def _spider(kind: str, url: str, number: int) -> tuple[Any, Any]:
    from crawler.model import Source
    from spiders.feed import FeedSpider
    from spiders.page import PageSpider

    name = f"{kind}-{number}"
    if kind == "feed":
        return _many_feeds(FeedSpider), Source(
            name, kind, FeedSpider.Settings(url=f"{url}/{number}/feed/0", pages=PAGES)
        )
    settings = PageSpider.Settings(
        url=f"{url}/{number}/page/0", item="article.message", fields=FIELDS, next="a.next@href", pages=PAGES
    )
    return PageSpider, Source(name, kind, settings)


def _many_feeds(kind: Any) -> Any:
    """A feed spider that reads its feed and the next ones, so that both kinds read as many answers a crawl."""
    from scrapy import Request

    class ManyFeeds(kind):  # type: ignore[misc]
        name = "feed"

        def requests(self) -> Any:
            base = self.settings_.url.rsplit("/", 1)[0]
            return [Request(f"{base}/{number}") for number in range(PAGES)]

    return ManyFeeds


def _bare(spider: Any, kind: str) -> Any:
    """Scrapy as its manual has it: the same selectors, the posts dropped."""
    import scrapy

    class Bare(scrapy.Spider):
        name = "bare"

        def __init__(self, source: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.reader = spider(source=source)

        async def start(self) -> Any:
            for request in self.reader.requests():
                yield request.replace(callback=self.parse, dont_filter=True)

        def parse(self, response: Any, **_: Any) -> Any:
            for _post in self.reader.posts(response):
                pass
            if kind == "page":
                for request in self.reader.follow(response):
                    yield request.replace(callback=self.parse)

    return Bare


class _Runs:
    """A database with a run claimed for each crawl."""

    def __init__(self, kind: str, url: str, folder: Path) -> None:
        from crawler.app import now
        from crawler.store import SourceRow, Store

        address = f"sqlite:///{folder}/bench.db"
        Store.create(address).close()
        self.store = Store.open(address, durable=False)
        rows = [SourceRow(f"{kind}-{n}", kind, {}, domain=f"d{n}") for n in range(CRAWLS)]
        self.store.config.sync("bench", "", [], rows)
        names = [row.name for row in rows]
        self.runs = {r.source.name: r for r in self.store.sources.claim("bench", names, now(), 600.0, CRAWLS)}
        self.kind, self.url = kind, url

    async def crawl(self, runner: Any, spider: Any, number: int, policy: Any) -> None:
        from scrapy.crawler import Crawler

        from crawler.stages.crawl import Intake

        intake = Intake(self.store, self.runs[f"{self.kind}-{number}"], lambda: None)
        crawler = Crawler(spider, runner.settings)
        crawler.intake = intake  # type: ignore[attr-defined]
        crawler.egress = policy  # type: ignore[attr-defined]
        await runner.crawl(crawler, source=_spider(self.kind, self.url, number)[1])
        if intake.taken != PAGES * POSTS:
            raise RuntimeError(f"stored {intake.taken} posts instead of {PAGES * POSTS}: {intake.hints}")
