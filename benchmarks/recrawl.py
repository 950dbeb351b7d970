"""A second crawl of unchanged feeds: requests, bytes and seconds, against the first."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.row import Row
from benchmarks.site import feed, host_of, site
from crawler.model import Verdict

FEEDS = 1000


def config(folder: Path, url: str, feeds: int, hosts: int = 1) -> Path:
    """A config of `feeds` feeds on one site, each under an address of its own: politeness must not rule the clock."""
    lines = ["network: {allow_private: [127.0.0.0/8]}", f"data_dir: {folder}/data"]
    lines += ["brands: [{name: Нова Каса, also: [Nova Kasa]}]", "sources:"]
    port = url.rsplit(":", 1)[1]
    for number in range(feeds):
        host = host_of(number if hosts > 1 else 0)
        lines.append(f"  - {{name: feed-{number}, kind: feed, url: 'http://{host}:{port}/f/{number}', every: 10m}}")
    path = folder / "mention-crawler.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def whole(summary: Any) -> None:
    """A benchmark of a crawl that failed would measure nothing."""
    bad = [result for result in summary.results if result.verdict is not Verdict.OK]
    if bad or len(summary.results) == 0:
        raise RuntimeError(f"{len(bad)} of {len(summary.results)} sources failed, first: {bad[:1]}")


def run() -> Iterator[Row]:
    """First and second crawl of 1,000 feeds."""
    from crawler.app import App
    from crawler.app.crawling import crawl

    pages = {f"/f/{number}": feed("f", number) for number in range(FEEDS)}
    with site(pages, FEEDS) as served, tempfile.TemporaryDirectory() as folder:
        app = App.load(str(config(Path(folder), served.url, FEEDS, hosts=FEEDS)))
        spent = []
        for _ in range(2):
            before, began = served.answered(), time.perf_counter()
            whole(crawl(app))
            after = served.answered()
            spent.append((after[0] - before[0], after[1] - before[1], time.perf_counter() - began))
        app.close()
    (_, bytes1, seconds1), (requests2, bytes2, seconds2) = spent
    yield Row(
        f"re-crawl of {FEEDS} unchanged feeds",
        f"{requests2} requests (robots.txt too), {bytes2} bytes, {seconds2:.0f} s",
        f"first crawl: {bytes1} bytes, {seconds1:.0f} s",
        seconds2 / seconds1,
        "0 feed bytes",
    )
