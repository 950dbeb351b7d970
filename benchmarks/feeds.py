"""Thousands of feeds on hundreds of hosts with mixed answers: requests a second, memory, gaps kept, verdicts right.

`FEEDS=1000 python -m benchmarks feeds` takes fewer. Four feeds share a host; one host of five asks for a Crawl-delay.
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

from benchmarks.feed_site import CRAWL_DELAY, VERDICTS, FeedSite, feed_site, way_of
from benchmarks.memory import MIB, _family
from benchmarks.row import Row
from benchmarks.site import host_of

FEEDS_A_HOST = 4
JITTER = 0.05


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
    with _Peak() as peak:
        began, cpu = time.perf_counter(), os.times()
        results = crawl(app).results
        seconds, spent = time.perf_counter() - began, os.times()
    app.close()
    log = served.log()
    busy = sum(spent[:4]) - sum(cpu[:4])
    asked = sum(log["statuses"].values())
    yield Row(
        f"{turn} of {feeds} feeds on {hosts} hosts",
        f"{seconds:.0f} s, {asked / seconds:.0f} requests/s, {1000 * busy / feeds:.0f} ms of CPU a feed",
        f"answers {dict(sorted(log['statuses'].items()))}",
    )
    yield Row(f"memory of that, all processes ({turn})", f"{peak.most // MIB} MiB")
    yield Row(
        f"least gap on hosts with Crawl-delay {CRAWL_DELAY:g} s ({turn})",
        f"{log['least_gap']:.2f} s of {log['gaps']}" if log["gaps"] else "none",
        f"at most {log['at_once']} requests at once on a host",
        goal=f">= {CRAWL_DELAY - JITTER:g} s",
    )
    wrong = _wrong(results)
    yield Row(
        f"verdicts that are wrong ({turn})", str(sum(wrong.values())), str(dict(wrong)) if wrong else "", goal="0"
    )


def _wrong(results: Sequence[Any]) -> Counter[str]:
    """(way: verdict instead) -> how many."""
    found: Counter[str] = Counter()
    for result in results:
        way = way_of(int(result.source.removeprefix("feed-")))
        if result.verdict.value != VERDICTS[way]:
            found[f"{way}: {result.verdict.value}"] += 1
    return found


class _Peak:
    """The most memory (PSS) of this process and its children, looked at every two seconds."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        from crawler.engine.osproc import pss

        while not self._over.wait(2.0):
            self.most = max(self.most, pss(_family(os.getpid())))

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
