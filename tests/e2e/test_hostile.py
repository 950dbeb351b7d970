"""Servers that mean harm: bounded memory, bounded time, and a verdict that says what happened."""

from __future__ import annotations

import gzip
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from rough_site import HTML, Request, RoughSite, run

pytestmark = pytest.mark.e2e

MEMORY_MIB = 256
RSS = "application/rss+xml"


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


def crawl(site: RoughSite, path: str, kind: str = "page", seconds: float = 60, **more: Any) -> dict[str, Any]:
    settings = {"url": site.url + path, **({"item": "p"} if kind == "page" else {}), **more.pop("settings", {})}
    (told,) = run({"kind": kind, "settings": settings, **more}, seconds=seconds)
    assert told["rss_mib"] < MEMORY_MIB, told
    return told


def bomb(size_mib: int) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(squeeze.compress(b"<p>x</p>" * 131072) for _ in range(size_mib)) + squeeze.flush()


@pytest.mark.parametrize("kind", ["page", "feed"])
def test_gzip_bomb(site: RoughSite, kind: str) -> None:
    packed = bomb(300)
    site.routes["/b"] = lambda request: request.send(packed, Content_Encoding="gzip")
    told = crawl(site, "/b", kind)
    assert told["verdict"] == "too_big", told
    assert "bigger than we take" in told["error"]
    assert told["seconds"] < 20


def test_endless_body(site: RoughSite) -> None:
    def endless(request: Request) -> None:
        request.begin(HTML)
        request.close_connection = True
        while True:
            request.wfile.write(b"<p>more</p>" * 10_000)

    site.routes["/e"] = endless
    told = crawl(site, "/e")
    assert told["verdict"] == "too_big", told
    assert told["seconds"] < 20


def test_big_body_is_refused_by_its_length(site: RoughSite) -> None:
    site.routes["/l"] = lambda request: request.begin(HTML, Content_Length=str(10**12))
    assert crawl(site, "/l")["verdict"] == "too_big"


def test_drip(site: RoughSite) -> None:
    """A byte now and then keeps no run busy: the limit is for the whole answer."""

    def drip(request: Request) -> None:
        request.begin(HTML, Content_Length="1000")
        for _ in range(100):
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.3)

    site.routes["/d"] = drip
    told = crawl(site, "/d", scrapy={"DOWNLOAD_TIMEOUT": 2})
    assert told["verdict"] == "failed" and "in time" in told["error"], told
    assert told["seconds"] < 8


def test_silent_server() -> None:
    """Takes the connection and never says a word, not even to robots.txt."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        (told,) = run({"kind": "feed", "settings": {"url": url}, "scrapy": {"DOWNLOAD_TIMEOUT": 2}})
    assert told["verdict"] == "failed" and "in time" in told["error"], told
    assert told["seconds"] < 8


def test_nobody_listens_and_no_such_host() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused, unknown = run(
            {"kind": "feed", "settings": {"url": f"http://127.0.0.1:{taken.getsockname()[1]}/"}},
            {"kind": "feed", "settings": {"url": "http://no-such-host.invalid/feed"}},
        )
    assert refused["verdict"] == "failed" and "refuses the connection" in refused["error"]
    assert unknown["verdict"] == "failed" and "does not resolve" in unknown["error"], unknown


def test_broken_off_answer(site: RoughSite) -> None:
    def broken(request: Request) -> None:
        request.begin(HTML, Content_Length="5000")
        request.wfile.write(b"<p>half of it</p>")
        request.close_connection = True

    site.routes["/h"] = broken
    told = crawl(site, "/h")
    assert told["verdict"] == "failed" and "broke off" in told["error"], told
    assert site.asked["/h"] == 2, "a lost connection is tried once more"


def test_redirect_loop(site: RoughSite) -> None:
    site.routes["/r*"] = lambda request: request.send("", status=302, Location=f"/r{len(request.path)}")
    told = crawl(site, "/r0")
    assert told["verdict"] == "failed" and "redirects" in told["error"], told
    assert sum(count for path, count in site.asked.items() if path.startswith("/r") and path != "/robots.txt") <= 6


def leads_to(where: str) -> Callable[[Request], None]:
    return lambda request: request.send("", status=302, Location=where)


def crawl_all(site: RoughSite, paths: Sequence[str], kind: str = "page", **settings: Any) -> dict[str, dict[str, Any]]:
    """Crawls several addresses in one child; what was said of each."""
    item = {"item": "p"} if kind == "page" else {}
    jobs = [{"name": path, "kind": kind, "settings": {"url": site.url + path, **item, **settings}} for path in paths]
    told = run(*jobs)
    assert all(one["rss_mib"] < MEMORY_MIB for one in told), told
    return dict(zip(paths, told, strict=True))


def test_redirect_to_another_scheme(site: RoughSite) -> None:
    for number, where in enumerate(
        ("file:///etc/hostname", "ftp://127.0.0.1/x", "data:text/html,<p>x</p>", "javascript:x")
    ):
        site.routes[f"/x{number}"] = leads_to(where)
    for path, told in crawl_all(site, [f"/x{number}" for number in range(4)]).items():
        assert told["verdict"] == "failed" and "not followed" in told["error"], (path, told)
        assert told["documents"] == []


def test_redirect_to_a_refused_address(site: RoughSite) -> None:
    addresses = ("http://169.254.169.254/latest/", "http://10.0.0.1/", "http://[::1]/", "http://0x0a000001/")
    for number, where in enumerate(addresses):
        site.routes[f"/x{number}"] = leads_to(where)
    for path, told in crawl_all(site, [f"/x{number}" for number in range(4)]).items():
        assert told["verdict"] == "failed" and "network.allow_private" in told["error"], (path, told)
        assert told["documents"] == []


def test_meta_refresh_to_a_file(site: RoughSite) -> None:
    site.routes["/m"] = lambda request: request.send(
        '<meta http-equiv="refresh" content="0; url=file:///etc/hostname"><p>text</p>'
    )
    told = crawl(site, "/m")
    assert (told["verdict"], told["texts"]) == ("ok", ["text"])


def test_links_to_files_are_not_followed(site: RoughSite) -> None:
    site.routes["/n"] = lambda request: request.send('<p>text</p><a rel=next href="file:///etc/hostname">next</a>')
    assert crawl(site, "/n")["documents"] == [f"{site.url}/n"]


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://site.example/", "javascript:alert(1)", "site.example", "http://"]
)
def test_addresses_that_no_source_may_have(url: str) -> None:
    from spiders.feed import FeedSpider

    with pytest.raises(ValueError, match="http"):
        FeedSpider.Settings(url=url)


def test_endless_calendar(site: RoughSite) -> None:
    """Every month has a next month, for ever, and something to read."""

    def month(request: Request) -> None:
        year, number = map(int, request.path.split("/")[2:4])
        after = (year, number + 1) if number < 12 else (year + 1, 1)
        request.send(f"<p>Events of {number}.{year}</p><a rel=next href=/calendar/{after[0]}/{after[1]}>next</a>")

    site.routes["/calendar/*"] = month
    told = crawl(site, "/calendar/2026/11", settings={"pages": 1000})
    assert told["verdict"] == "trap" and "calendar" in told["error"], told
    assert len(told["documents"]) < 60


def test_empty_pages_without_end(site: RoughSite) -> None:
    def page(request: Request) -> None:
        number = int(request.path.rsplit("=", 1)[-1]) if "=" in request.path else 0
        request.send(f"{'<p>the only one</p>' if not number else ''}<a rel=next href=/list?page={number + 1}>next</a>")

    site.routes["/list*"] = page
    told = crawl(site, "/list", settings={"pages": 1000})
    assert (told["verdict"], told["new"]) == ("ok", 1), told
    assert len(told["documents"]) <= 5


def test_a_path_that_bites_its_tail(site: RoughSite) -> None:
    def deeper(request: Request) -> None:
        request.send(f"<p>{len(request.path)}</p><a rel=next href='{request.path.rstrip('/')}/more'>next</a>")

    site.routes["/more*"] = deeper
    told = crawl(site, "/more", settings={"pages": 1000})
    assert told["verdict"] == "trap" and "repeats itself" in told["error"], told
    assert len(told["documents"]) <= 4


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
PROLOGS = {
    "/laughs": f'<!DOCTYPE rss [<!ENTITY l0 "ha">{LAUGHS}]>',
    "/file": '<!DOCTYPE rss [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
    "/dtd": '<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x; <!ENTITY l9 "x">]>',
}


def test_entities(site: RoughSite) -> None:
    for path, prolog in PROLOGS.items():
        item = "<rss version='2.0'><channel><item><title>a &l9; b</title></item></channel></rss>"
        site.routes[path] = lambda request, feed=f"<?xml version='1.0'?>{prolog}{item}": request.send(feed, RSS)
    for told in crawl_all(site, list(PROLOGS), "feed").values():
        assert told["seconds"] < 10
        assert not any("root:" in text or len(text) > 1000 for text in told["texts"])


def test_giant_feed_keeps_the_newest(site: RoughSite) -> None:
    items = "".join(
        f"<item><guid>{n}</guid><title>Post {n}</title><pubDate>{9 - n // 10000} Nov 2026 10:00:00 GMT</pubDate></item>"
        for n in range(60_000)
    )
    packed = gzip.compress(f"<rss version='2.0'><channel><title>t</title>{items}</channel></rss>".encode())
    site.routes["/feed"] = lambda request: request.send(packed, RSS, Content_Encoding="gzip")
    told = crawl(site, "/feed", "feed")
    assert (told["verdict"], told["new"], told["dropped"]) == ("ok", 5000, 0), told
    assert told["seconds"] < 30


def nested(levels: int) -> str:
    return "<div>" * levels + "<p>bottom</p>" + "</div>" * levels + "<p>after</p>"


def test_deep_nesting(site: RoughSite) -> None:
    """Elements that never close are read, and a page that is nothing but depth is a page without posts."""
    site.routes["/deep"] = lambda request: request.send(nested(1500))
    site.routes["/abyss"] = lambda request: request.send(nested(100_000))
    jobs = [
        {"kind": "page", "name": path, "settings": {"url": site.url + path, "item": "p"}}
        for path in ("/deep", "/abyss")
    ]
    deep, abyss = run(*jobs)
    assert (deep["verdict"], deep["texts"]) == ("ok", ["after", "bottom"])
    assert abyss["verdict"] == "empty" and abyss["seconds"] < 5 and abyss["rss_mib"] < MEMORY_MIB, abyss


def test_giant_page(site: RoughSite) -> None:
    """Nine megabytes of paragraphs, tables and nested scopes: its beginning is read, in seconds, and that is said."""
    scopes = '<div itemscope itemtype="https://schema.org/Review">' * 20_000
    table = "<table><tr><td><p>слово за словом</p></td></tr></table>"
    body = "<title>t</title><h1>Big news</h1>" + table * 100_000 + scopes
    site.routes["/a-very-big.html"] = lambda request: request.send(body)
    jobs = [
        {"name": kind, "kind": kind, "settings": {"url": f"{site.url}/a-very-big.html"}}
        for kind in ("article", "schema_org")
    ]
    for told in run(*jobs, seconds=90):
        assert told["verdict"] == "too_big" and "only its beginning was read" in told["error"], told
        assert told["seconds"] < 30 and told["rss_mib"] < MEMORY_MIB, told


MARKUP = {
    "/anchors": "<p>first</p>" + "<a>" * 3_000_000,
    "/attributes": "<p>first</p>" + ("<p " + " ".join(f"a{n}=1" for n in range(100)) + ">x") * 15_000,
    "/one-tag": "<p>first</p><p " + " ".join(f"a{n}" for n in range(900_000)) + ">last</p>",
    "/comments": "<p>first</p>" + "<!---->" * 1_300_000,
}


@pytest.mark.parametrize("path", MARKUP)
def test_markup_that_a_tree_cannot_hold(site: RoughSite, path: str) -> None:
    site.routes[path] = lambda request: request.send(MARKUP[path])
    told = crawl(site, path)
    assert told["seconds"] < 10 and "first" in told["texts"], told
    assert (told["verdict"], told["rss_mib"] < MEMORY_MIB) == ("too_big", True), told
