"""However many sources point at one site: what its own log says of us."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from rough_site import Request, RoughSite, run

pytestmark = pytest.mark.e2e


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


def test_the_delay_that_a_site_asks_for_stands_between_runs_too(site: RoughSite) -> None:
    log: list[float] = []

    def serve(request: Request) -> None:
        log.append(time.monotonic())
        item = f"<item><guid isPermaLink='false'>{request.path}</guid><title>t</title></item>"
        request.send(f"<rss version='2.0'><channel>{item}</channel></rss>", "application/rss+xml")

    site.routes["/robots.txt"] = lambda request: request.send("User-agent: *\nCrawl-delay: 1\n", "text/plain")
    paths = ["/a", "/b", "/c", "/d"]
    for path in paths:
        site.routes[path] = serve
    told = run(*({"kind": "feed", "settings": {"url": site.url + path}} for path in paths))
    assert [one["verdict"] for one in told] == ["ok"] * 4
    assert site.asked["/robots.txt"] == 1
    assert min(later - earlier for earlier, later in pairwise(log)) >= 0.95


def test_the_delay_stands_after_an_answer_that_was_not_taken(site: RoughSite) -> None:
    log: list[float] = []

    def huge(request: Request) -> None:
        log.append(time.monotonic())
        request.begin("text/xml", Content_Length="500000000")

    def serve(request: Request) -> None:
        log.append(time.monotonic())
        request.send("<rss version='2.0'><channel><title>t</title></channel></rss>", "application/rss+xml")

    site.routes["/robots.txt"] = lambda request: request.send("User-agent: *\nCrawl-delay: 1\n", "text/plain")
    site.routes |= {"/huge": huge, "/next": serve}
    first, second = run(*({"kind": "feed", "settings": {"url": site.url + path}} for path in ("/huge", "/next")))
    assert (first["verdict"], second["verdict"]) == ("too_big", "empty")
    assert min(later - earlier for earlier, later in pairwise(log)) >= 0.95


def test_a_site_that_keeps_us_waiting_does_so_once(site: RoughSite) -> None:
    """Its other sources do not wait as long for the same robots.txt, one after the other."""
    site.routes["/robots.txt"] = lambda request: time.sleep(5)
    jobs = [{"kind": "feed", "settings": {"url": site.url + path}} for path in ("/a", "/b", "/c")]
    told = run(*(job | {"scrapy": {"DOWNLOAD_TIMEOUT": 1}} for job in jobs))
    assert [one["verdict"] for one in told] == ["failed"] * 3
    assert all("no complete answer in time" in one["error"] for one in told)
    assert site.asked["/robots.txt"] == 1
    assert not site.asked["/a"] + site.asked["/b"]
