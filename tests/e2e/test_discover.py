"""`discover` and `preview URL` against a site on this machine: what is proposed was read, and nothing is bypassed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.installation import Installation
from e2e.rough_site import Request, RoughSite

pytestmark = pytest.mark.e2e
ITEM = (
    "<item><guid>n{0}</guid><title>Nova Pay, news {0}</title><pubDate>Sun, 01 Nov 2026 10:0{0}:00 GMT</pubDate></item>"
)
FEED = "<rss version='2.0'><channel>" + "".join(ITEM.format(n) for n in range(6)) + "</channel></rss>"
HOME = (
    """<html><head><title>A shop</title>
<link rel="alternate" type="application/rss+xml" href="/lies.xml">
<link rel="alternate" type="application/rss+xml" href="/loop">
<link rel="alternate" type="application/rss+xml" href="/secret/feed.xml">
<link rel="alternate" type="application/rss+xml" href="/news.xml">
</head><body><p>"""
    + "word " * 100
)
SITEMAP = (
    """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">""" + "<url><loc>{url}/huge</loc></url></urlset>"
)


@pytest.fixture
def site() -> Iterator[RoughSite]:
    """A site with one feed that is good, and every sort of feed that is not."""
    made = RoughSite()
    made.routes |= {
        "/": lambda request: request.send(HOME),
        "/news.xml": lambda request: request.send(FEED, "application/rss+xml"),
        "/lies.xml": lambda request: request.send(HOME),
        "/loop": lambda request: request.send("", status=302, Location="/loop"),
        "/secret/feed.xml": lambda request: request.send(FEED, "application/rss+xml"),
        "/robots.txt": lambda request: request.send(
            f"User-agent: *\nDisallow: /secret/\nSitemap: {made.url}/sitemap.xml\n", "text/plain"
        ),
        "/sitemap.xml": lambda request: request.send(SITEMAP.format(url=made.url), "text/xml"),
        "/huge": _huge,
        "/wall": lambda request: request.send("<title>Just a moment...</title><div id='cf-challenge'>", status=403),
    }
    yield made
    made.close()


def _huge(request: Request) -> None:
    request.begin("text/html")
    for _ in range(400):
        request.wfile.write(b"<div>" + b"x" * 65536)


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    made = Installation(tmp_path / "home")
    made.configure("")
    return made


def test_what_is_proposed_was_read_and_is_written(place: Installation, site: RoughSite) -> None:
    found = place.json("discover", site.url, "--save")
    assert [(row["kind"], row["source"]["url"], row["posts"]) for row in found] == [("feed", f"{site.url}/news.xml", 6)]
    assert found[0]["newest"].startswith("2026-11-01T10:05")
    assert found[0]["fields"]["published_at"] == 1.0
    assert not any(path.startswith("/secret") for path in site.asked), "robots.txt is kept to"
    assert site.asked.total() <= 25
    place.run("check")
    [crawled, _] = place.json("crawl")
    assert (crawled["verdict"], crawled["posts_new"]) == ("ok", 6)
    assert "in the config already" in place.run("discover", site.url, "--save").err


def test_preview_of_an_address_shows_the_posts_of_the_best(place: Installation, site: RoughSite) -> None:
    *posts, summary = place.json("preview", site.url)
    assert [post["id"] for post in posts] == [f"n{n}" for n in range(6)]
    assert "Nova Pay" in posts[0]["mentions"][0] and posts[0]["why"]
    assert (summary["verdict"], summary["source"]["kind"]) == ("ok", "feed")


def test_a_wall_is_said_and_not_climbed(place: Installation, site: RoughSite) -> None:
    site.routes["/robots.txt"] = lambda request: request.send("no", status=404)
    site.routes.pop("/sitemap.xml")
    told = place.run("discover", f"{site.url}/wall", code=3)
    assert "refuses us" in told.err and "nothing was found" in told.err


@pytest.mark.parametrize(("path", "verdict"), [("/wall", "blocked"), ("/huge", "too_big"), ("/loop", "failed")])
def test_a_look_at_an_address_says_why_it_shows_nothing(
    place: Installation, site: RoughSite, path: str, verdict: str
) -> None:
    """Never "empty" where something stood in the way."""
    *_, summary = place.json("preview", f"{site.url}{path}", code=4 if verdict == "failed" else 3)
    assert summary["verdict"] == verdict


def test_nobody_there(place: Installation) -> None:
    closed = RoughSite()
    closed.close()
    assert "refuses the connection" in place.run("discover", closed.url, code=4).err
    assert "no web address" in place.run("discover", "nonsense here", code=2).err
