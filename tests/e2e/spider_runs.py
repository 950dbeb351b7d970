"""Run as a child: crawls with real Scrapy what its standard input names, one job after the other; says how each ended.

Input: JSON list of jobs {name, kind, settings, scrapy?, die_after?, plugins?}. Jobs of one name share what a source
keeps between runs (cursor, validators, known posts). Output: one JSON line a job.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.settings import Settings
from scrapy.utils.reactor import install_reactor

from crawler import plugins
from crawler.errors import LeaseLost
from crawler.model import Document, Post, PostOutcome, Source, Verdict
from crawler.net.guard import EgressPolicy
from crawler.scrapy_settings import as_dict
from spiders.base import SourceSpider

LOOPBACK = ip_network("127.0.0.0/8")


@dataclass
class Memory:
    """An Intake that keeps everything in memory, as a source's row and its posts."""

    posts: dict[str, Post] = field(default_factory=dict)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    validators: dict[str, Mapping[str, str]] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    die_after: int | None = None

    def begin(self, die_after: int | None) -> None:
        self.said = {"documents": [], "new": 0, "seen": 0, "fetched": 0, "dropped": 0, "unchanged": 0, "ends": []}
        self.die_after = die_after

    def take(
        self,
        document: Document,
        posts: Sequence[Post],
        *,
        cursor: Mapping[str, Any] | None,
        validators: Mapping[str, str] | None,
    ) -> Mapping[PostOutcome, int]:
        if self.die_after is not None and len(self.said["documents"]) >= self.die_after:
            raise LeaseLost("the run was taken over here")
        outcome = dict.fromkeys(PostOutcome, 0)
        for post in posts:
            key = post.platform_id or post.url or post.text
            outcome[PostOutcome.SEEN if key in self.posts else PostOutcome.NEW] += 1
            self.posts[key] = post
        self.said["documents"].append(document.url)
        self.said["new"] += outcome[PostOutcome.NEW]
        self.said["seen"] += outcome[PostOutcome.SEEN]
        self.cursor = self.cursor if cursor is None else json.loads(json.dumps(cursor))
        if validators:
            self.validators[document.url] = dict(validators)
        return outcome

    def note(
        self, *, verdict: Verdict | None = None, error: str | None = None, emptied: bool = False, **counts: int
    ) -> None:
        for name, count in counts.items():
            self.said[name] += count
        if verdict:
            self.said["ends"].append([verdict.value, error])


async def crawl(job: Mapping[str, Any], memory: Memory) -> dict[str, Any]:
    kind = plugins.discover("spiders", SourceSpider, Path(job["plugins"]) if "plugins" in job else None)[job["kind"]]
    settings = Settings(as_dict("mention-crawler-test", [LOOPBACK]) | job.get("scrapy", {}))
    source = Source(
        job["name"], job["kind"], kind.Settings(**job["settings"]), {}, memory.cursor, dict(memory.validators)
    )
    crawler = Crawler(kind, settings)
    crawler.intake = memory  # type: ignore[attr-defined]
    crawler.egress = EgressPolicy((LOOPBACK,))  # type: ignore[attr-defined]
    memory.begin(job.get("die_after"))
    begun = time.monotonic()
    await AsyncCrawlerRunner(settings).crawl(crawler, source=source)
    (verdict, error), *more = memory.said.pop("ends")
    assert not more, "a run ends with one verdict"
    told = {
        "verdict": verdict,
        "error": error,
        "seconds": time.monotonic() - begun,
        "rss_mib": _peak_mib(),
        "texts": sorted(post.text for post in memory.posts.values())[:500],
        "titles": sorted(post.title or "" for post in memory.posts.values())[:500],
        "ids": sorted(memory.posts)[:5000],
        "deleted": sorted(name for name, post in memory.posts.items() if post.deleted),
        "cursor": memory.cursor,
        "retry_after": getattr(crawler.spider, "retry_after", None),
    }
    return memory.said | told


def _peak_mib() -> float:
    """Highest resident memory of this program; `ru_maxrss` would count the parent it was forked from."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def main() -> None:
    jobs = json.load(sys.stdin)
    install_reactor("twisted.internet.asyncioreactor.AsyncioSelectorReactor")
    from twisted.internet import reactor as installed

    reactor: Any = installed

    async def all_jobs() -> None:
        memories: dict[str, Memory] = {}
        try:
            for job in jobs:
                told = await crawl(job, memories.setdefault(job["name"], Memory()))
                print(json.dumps(told), flush=True)
        finally:
            reactor.stop()

    reactor.callWhenRunning(lambda: asyncio.ensure_future(all_jobs()))
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main()
