"""Kind `forum`, `telegram` and `sitemap` in real Scrapy against servers on loopback."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from rough_site import Request, RoughSite, run

pytestmark = pytest.mark.e2e


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


class Board:
    """A XenForo board: threads with numbered posts, `per_page` a page, the newest thread on top of the list."""

    def __init__(self, site: RoughSite, threads: dict[int, int], per_page: int = 5) -> None:
        self.threads, self.per_page = threads, per_page
        site.routes["/forums/*"] = self._list
        site.routes["/threads/*"] = self._thread

    def _list(self, request: Request) -> None:
        rows = "".join(
            f"<div class='structItem structItem--thread'>"
            f"<div class='structItem-title'><a href='/threads/t.{n}/'>{n}</a></div>"
            f"<div class='structItem-cell structItem-cell--meta'><dl><dd>{posts}</dd></dl></div>"
            f"<div class='structItem-cell--latest'><a href='/threads/t.{n}/latest'>x</a></div></div>"
            for n, posts in sorted(self.threads.items(), reverse=True)
        )
        request.send(f"<html id='XF'><body>{rows}</body></html>")

    def _thread(self, request: Request) -> None:
        _, _, name, *rest = request.path.split("/")
        number = int(name.split(".")[1])
        posts = self.threads[number]
        pages = (posts - 1) // self.per_page + 1
        if rest[0] == "latest":
            request.send("", status=303, Location=f"/threads/t.{number}/page-{pages}#post-{number * 1000 + posts}")
            return
        page = int(rest[0].removeprefix("page-") or 1) if rest[0] else 1
        shown = range((page - 1) * self.per_page + 1, min(posts, page * self.per_page) + 1)
        items = "".join(
            f"<article class='message message--post' data-author='Ada' data-content='post-{number * 1000 + n}'>"
            f"<div class='message-attribution'><time datetime='2026-11-19T10:{n:02}:00Z'></time></div>"
            f"<div class='message-body'><div class='bbWrapper'>Post {n} of {number}</div></div></article>"
            for n in shown
        )
        before = f"<a class='pageNav-jump pageNav-jump--prev' href='/threads/t.{number}/page-{page - 1}'>x</a>"
        link = f"<a href='/threads/t.{number}/page-{pages}'>9</a>"
        last = f"<ul class='pageNav-main'><li class='pageNav-page'>{link}</li></ul>"
        request.send(
            f"<html id='XF'><body>{before if page > 1 else ''}{last if pages > 1 else ''}{items}</body></html>"
        )


def names(threads: dict[int, int]) -> set[str]:
    return {f"post-{number * 1000 + n}" for number, posts in threads.items() for n in range(1, posts + 1)}


def test_a_board_is_read_and_then_only_what_moved(site: RoughSite) -> None:
    board = Board(site, {1: 3, 2: 12, 3: 6})

    def grow(request: Request) -> None:
        board.threads |= {2: 18, 4: 1}
        request.send("grown")

    site.routes["/tick"] = grow
    job = {"kind": "forum", "settings": {"url": f"{site.url}/forums/banks.5/"}}
    tick = {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick", "item": "nothing"}}
    first, again, _, grown = run(job, job, tick, job)
    assert (first["verdict"], set(first["ids"])) == ("ok", names({1: 3, 2: 12, 3: 6}))
    assert (again["verdict"], again["new"], len(again["documents"])) == ("ok", 0, 1), "the list alone, and it is quiet"
    assert set(grown["ids"]) == names({1: 3, 2: 18, 3: 6, 4: 1})
    assert len(grown["documents"]) <= 6, "of a thread only its last pages"


def test_a_thread_by_its_own_address(site: RoughSite) -> None:
    Board(site, {7: 23})
    job = {"kind": "forum", "settings": {"url": f"{site.url}/threads/t.7/"}}
    first, again = run(job, job)
    assert (first["verdict"], set(first["ids"])) == ("ok", names({7: 23}))
    assert again["new"] == 0
    assert len(again["documents"]) <= 3


def test_a_read_that_dies_is_gone_on_with(site: RoughSite) -> None:
    Board(site, {1: 3, 2: 12, 3: 6})
    job: dict[str, Any] = {"kind": "forum", "settings": {"url": f"{site.url}/forums/banks.5/"}}
    _, second = run({**job, "die_after": 3}, job)
    assert set(second["ids"]) == names({1: 3, 2: 12, 3: 6})


def test_a_channel_is_read_back_to_what_is_known(site: RoughSite) -> None:
    newest = [45]

    def page(request: Request) -> None:
        before = int(request.path.rsplit("=", 1)[-1]) if "before" in request.path else newest[0] + 1
        shown = range(max(1, before - 20), before)
        items = "".join(
            f"<div class='tgme_widget_message js-widget_message' data-post='ladna_news/{n}'>"
            f"<div class='tgme_widget_message_text js-message_text'>Message {n}</div>"
            f"<a class='tgme_widget_message_date'><time datetime='2026-11-19T10:{n:02}:00+00:00'></time></a></div>"
            for n in shown
        )
        more = f"<a class='tme_messages_more' data-before='{shown[0]}'></a>" if shown[0] > 1 else ""
        request.send(f"<html><body>{more}{items}</body></html>")

    def grow(request: Request) -> None:
        newest[0] = 50
        request.send("grown")

    site.routes |= {"/s/ladna_news*": page, "/tick": grow}
    job = {"kind": "telegram", "settings": {"channel": "@ladna_news", "base_url": site.url}}
    tick = {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick", "item": "nothing"}}
    first, _, second = run(job, tick, job)
    assert (first["verdict"], len(first["ids"]), len(first["documents"])) == ("ok", 45, 3)
    assert (second["new"], len(second["ids"])) == (5, 50)
    assert len(second["documents"]) <= 2


def test_articles_of_packed_sitemaps_are_read_once(site: RoughSite) -> None:
    changed = {"a": "2026-11-19T10:00:00Z", "b": "2026-11-18T10:00:00Z"}
    ns = "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'"

    def index(request: Request) -> None:
        request.send(
            f"<sitemapindex {ns}><sitemap><loc>{site.url}/all.xml.gz</loc></sitemap></sitemapindex>", "text/xml"
        )

    def packed(request: Request) -> None:
        urls = "".join(f"<url><loc>{site.url}/n/{n}</loc><lastmod>{at}</lastmod></url>" for n, at in changed.items())
        request.send(gzip.compress(f"<urlset {ns}>{urls}</urlset>".encode()), "application/gzip")

    def article(request: Request) -> None:
        words = "Ladna Pay has a new office and its customers wait in a long line before its doors. " * 8
        name = request.path[-1]
        request.send(
            f"<html><head><title>News {name}</title></head><body><article><h1>News {name}</h1><p>{words}</p></article>"
        )

    def touch(request: Request) -> None:
        changed["c"] = "2026-11-20T10:00:00Z"
        request.send("touched")

    robots = f"User-agent: *\nAllow: /\nSitemap: {site.url}/index.xml\n"
    site.routes |= {
        "/robots.txt": lambda request: request.send(robots, "text/plain"),
        "/index.xml": index,
        "/all.xml.gz": packed,
        "/n/*": article,
        "/tick": touch,
    }
    job = {"kind": "sitemap", "settings": {"url": site.url, "newer_than": 3650}}
    tick = {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick", "item": "nothing"}}
    first, again, _, third = run(job, job, tick, job)
    assert (first["verdict"], first["new"]) == ("ok", 2)
    assert (again["verdict"], again["new"]) == ("ok", 0)
    assert third["new"] == 1
    assert site.asked["/n/a"] == 1, "an article that did not change is not asked for again"
