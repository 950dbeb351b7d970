"""Crawl-delay between processes: whoever makes the crawler says when the site was asked last."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scrapy.http import Request, Response
from scrapy.settings import Settings

from crawler.app.standalone import standalone
from crawler.model import Source, Verdict
from spiders import polite

PAGE = Request("https://a.example/feed")


@pytest.fixture(autouse=True)
def unknown() -> Iterator[None]:
    polite.forget_robots()
    yield
    polite.forget_robots()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waits


def robots(asked_ago: float | None) -> polite.Robots:
    """The middleware of a run; its site answers robots.txt with a delay of 10 s."""

    async def download(request: Request) -> Response:
        return Response(request.url, body=b"User-agent: *\nCrawl-delay: 10\n")

    downloader = SimpleNamespace(get_slot_key=lambda request: "a", per_slot_settings={}, slots={})
    engine = SimpleNamespace(download_async=download, downloader=downloader)
    crawler: Any = SimpleNamespace(settings=Settings({"ROBOTSTXT_OBEY": True}), engine=engine)
    if asked_ago is not None:
        crawler.last_asked = time.monotonic() - asked_ago
    return polite.Robots(crawler)


def test_a_new_process_keeps_the_delay_of_the_one_before(slept: list[float]) -> None:
    asyncio.run(robots(asked_ago=3.0).process_request(PAGE))
    assert slept == [pytest.approx(5.0, abs=4.0)]


@pytest.mark.parametrize("asked_ago", [None, 30.0, float("inf")])
def test_a_site_that_was_not_asked_lately_is_asked_at_once(asked_ago: float | None, slept: list[float]) -> None:
    asyncio.run(robots(asked_ago).process_request(PAGE))
    assert slept == []


def test_what_this_process_saw_itself_counts_first(slept: list[float]) -> None:
    polite._LAST["https://a.example"] = time.monotonic() + 90.0
    asyncio.run(robots(asked_ago=0.0).process_request(PAGE))
    assert slept == [polite.LONG_WAIT], "a hundred seconds, of which it keeps so many"


def test_scrapy_crawl_asks_the_database_too(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "mention-crawler.yaml"
    shutil.copyfile(sqlite_template, tmp_path / "mentions.db")
    config.write_text(
        f"data_dir: {tmp_path}\nbrands: [{{name: Kalyna}}]\n"
        "sources: [{name: news, kind: feed, url: 'https://a.example/feed'}]\n"
    )
    monkeypatch.setenv("MENTION_CRAWLER_CONFIG", str(config))
    asked = list[float]()
    for _ in range(2):
        spider: Any = SimpleNamespace(kind="feed", source=Source("news", "feed", {}), crawler=SimpleNamespace())
        intake, close = standalone(spider)[1:]
        asked.append(spider.crawler.last_asked)
        intake.note(verdict=Verdict.EMPTY)
        close()
    assert asked[0] == float("-inf")
    assert time.monotonic() - 300 < asked[1] <= time.monotonic()
