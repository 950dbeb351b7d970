"""Thousands of feeds on hundreds of hosts with mixed answers: requests a second, memory, gaps kept, verdicts right.

`FEEDS=1000 python -m benchmarks feeds` takes fewer than 10,000. Four feeds share a host, and one host of five asks for
a Crawl-delay of a second. Of a hundred feeds 22 go wrong: 404, 410, 500, 429 with a short and a long Retry-After, slow,
moved, dripping and flooding without an end, hung, too big by what they say, a gzip bomb, a circle of redirects, HTML
instead of a feed, a wall, an empty one, noise, a torn one. In the second round four of a hundred have new posts.

1,000 feeds on 250 hosts, on 2 cores of which other work took most: 1,387 requests in 132 s, 52 ms of CPU a feed (second
round: 134 s, 45 ms, 800 times 304); the heaviest crawl child 218 MiB, the parent 116, all 418; least gap 0.95 s where
1 s is asked for; no wrong verdict, no post lost of 16,880, nobody asked again before its Retry-After was over.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.feed_site import ALSO, CRAWL_DELAY, VERDICTS, FeedSite, feed_site, way_of
from benchmarks.memory import MIB, _family
from benchmarks.row import Row
from benchmarks.site import host_of

FEEDS_A_HOST = 4
JITTER = 0.05
# A host has one run at a time; the server may notice late that the one before has hung up.
AT_ONCE = 2


def run() -> Iterator[Row]:
    """The first crawl of all, then a second in which most have not changed."""
    feeds = int(os.environ.get("FEEDS", "10000"))
    hosts = -(-feeds // FEEDS_A_HOST)
    with feed_site(hosts) as served, tempfile.TemporaryDirectory() as folder:
        config = _config(Path(folder), served.port, feeds)
        for turn in ("first crawl", "second crawl"):
            yield from _turn(turn, config, served, feeds, hosts)


def _config(folder: Path, port: int, feeds: int) -> Path:
    lines = ["network: {allow_private: [127.0.0.0/8]}", f"data_dir: {folder}/data"]
    lines += ["brands: [{name: Нова Каса, also: [Nova Kasa]}]", "sources:"]
    for number in range(feeds):
        url = f"http://{host_of(number // FEEDS_A_HOST)}:{port}/f/{number}"
        lines.append(f"  - {{name: feed-{number}, kind: feed, url: '{url}', every: 10m}}")
    path = folder / "mention-crawler.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _turn(turn: str, config: Path, served: FeedSite, feeds: int, hosts: int) -> Iterator[Row]:
    from crawler.app import App
    from crawler.app.crawling import crawl

    app = App.load(str(config))
    with _Peak(served.pid) as peak:
        began, cpu = time.perf_counter(), os.times()
        results = crawl(app).results
        seconds, spent = time.perf_counter() - began, os.times()
    stored = sum(app.store.glances.posts_by_source().values())
    app.close()
    log, wrong = served.log(), _wrong(results)
    asked = log["pages"] + log["robots"]
    yield Row(
        f"{turn} of {feeds} feeds on {hosts} hosts",
        f"{seconds:.0f} s, {asked / seconds:.0f} requests/s",
        f"{1000 * (sum(spent[:4]) - sum(cpu[:4])) / feeds:.0f} ms of CPU a feed",
    )
    yield from _served(turn, log, stored)
    yield Row(f"memory ({turn})", peak.told())
    lost = feeds - len({result.source for result in results})
    yield Row(
        f"verdicts that are wrong, feeds without one ({turn})",
        f"{sum(wrong.values())}, {lost}",
        str(dict(wrong)) if wrong else "",
        goal="0, 0",
    )


def _served(turn: str, log: dict[str, Any], stored: int) -> Iterator[Row]:
    """What the server's own log says."""
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(log["statuses"].items()))
    asked = f"{log['pages']} requests for feeds, {log['robots']} for robots.txt, {log['bytes'] / MIB:.1f} MiB"
    asked += f" and {log['junk'] / MIB:.0f} of floods and bombs"
    yield Row(f"the server's log ({turn})", asked, statuses)
    yield Row(
        f"least gap on hosts with Crawl-delay {CRAWL_DELAY:g} s ({turn})",
        f"{log['least_gap']:.2f} s of {log['gaps']}" if log["gaps"] else "none",
        f"at most {log['at_once']} at once on a host; {log['early']} came before their Retry-After was over",
        goal=f">= {CRAWL_DELAY - JITTER:g} s; <= {AT_ONCE}; 0",
    )
    yield Row(f"posts served and not stored ({turn})", str(log["posts"] - stored), f"{log['posts']} served", goal="0")


def _wrong(results: Sequence[Any]) -> Counter[str]:
    """(way: verdict instead) -> how many."""
    found: Counter[str] = Counter()
    for result in results:
        way = way_of(int(result.source.removeprefix("feed-")))
        excused = ALSO.get(way) and ALSO[way] in str(result.error)
        if result.verdict.value != VERDICTS[way] and not excused:
            found[f"{way}: {result.verdict.value}: {str(result.error)[:90]}"] += 1
    return found


class _Peak:
    """The most memory (PSS) of this process and of its heaviest child, and of all, looked at every second."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._most: Counter[str] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        from crawler.engine.osproc import pss

        while not self._over.wait(1.0):
            weights = {pid: pss({pid}) for pid in _family(os.getpid()) - {self._server}}
            here = weights.get(os.getpid(), 0)
            heaviest = max((weight for pid, weight in weights.items() if pid != os.getpid()), default=0)
            for name, weight in (("all", sum(weights.values())), ("parent", here), ("a crawl child", heaviest)):
                self._most[name] = max(self._most[name], weight)

    def told(self) -> str:
        """In words."""
        return ", ".join(f"{name}: {weight // MIB} MiB" for name, weight in self._most.items())

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
