"""From feeds to the desk with tone: mentions a second, sustained, and the memory of all processes meanwhile."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.recrawl import config, whole
from benchmarks.row import Row
from benchmarks.site import POSTS, feed, site

GOAL = 116.0
SECONDS = float(os.environ.get("BENCH_SECONDS", "600"))
FEEDS = 100


def run() -> Iterator[Row]:
    """Crawl fresh feeds again and again until the time is over; every post is a mention, every mention is judged."""
    from crawler.app import App
    from crawler.app.crawling import crawl

    mentions, began, rounds = 0, time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        while time.perf_counter() - began < SECONDS:
            pages = {f"/f/{n}": feed(f"r{rounds}", n, mentioning=True) for n in range(FEEDS)}
            with site(pages, FEEDS) as served:
                app = App.load(str(config(Path(folder), served.url, FEEDS, hosts=FEEDS)))
                whole(crawl(app))
                rounds += 1
                books = app.books()
                mentions = sum(app.store.mentions.count().values())
                app.close()
        seconds = time.perf_counter() - began
    if mentions != rounds * FEEDS * POSTS:
        raise RuntimeError(f"{mentions} mentions of {rounds * FEEDS * POSTS} posts that name the brand")
    if books.gaps:
        raise RuntimeError(f"the books do not balance: {books.gaps}")
    rate = mentions / seconds
    what = f"feeds to the desk with tone, {seconds:.0f} s, {mentions} mentions"
    yield Row(what, f"{rate:.0f} mentions/s", "10 million a day", rate / GOAL, f">= {GOAL:.0f}/s")
