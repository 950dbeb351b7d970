"""Runs of spiders with real Scrapy against a server on loopback: what is fetched and stored, how far a run walks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rough_site import Request, RoughSite, run

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).resolve().parents[2]
RSS = "application/rss+xml"


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


def feed(*numbers: int) -> str:
    items = "".join(f"<item><guid>{n}</guid><title>Post {n}</title></item>" for n in numbers)
    return f"<rss version='2.0'><channel><title>t</title>{items}</channel></rss>"


class Forum:
    """Posts by number, a page at a time; newest first unless told otherwise. `pinned` stands on top of each page."""

    def __init__(self, site: RoughSite, posts: int, per_page: int = 5, upwards: bool = False) -> None:
        self.posts, self.per_page, self.upwards = posts, per_page, upwards
        self.pinned: int | None = None
        site.routes["/f*"] = self.answer

    def answer(self, request: Request) -> None:
        page = int(request.path.rsplit("=", 1)[-1]) if "=" in request.path else 1
        numbers = list(range(1, self.posts + 1)) if self.upwards else list(range(self.posts, 0, -1))
        shown = numbers[(page - 1) * self.per_page : page * self.per_page]
        if self.pinned and page == 1:
            shown = [self.pinned, *shown]
        body = "".join(
            f"<article id=post{1000 + n}><p>Post number {n}</p><time datetime='2026-01-{n:02}T10:00Z'></time></article>"
            for n in shown
        )
        more = f"<a rel=next href='/f?page={page + 1}'>next</a>" if page * self.per_page < self.posts else ""
        tag = f'"{self.posts}-{page}"'
        known = request.headers.get("If-None-Match") == tag
        request.send("" if known else body + more, status=304 if known else 200, ETag=tag)


def forum_job(site: RoughSite, **more: Any) -> dict[str, Any]:
    fields = {"text": "p", "published_at": "time@datetime"}
    settings = {"url": f"{site.url}/f", "item": "article", "fields": fields, "pages": 20, **more.pop("settings", {})}
    return {"kind": "page", "settings": settings, **more}


def test_an_unchanged_feed_costs_a_304(site: RoughSite) -> None:
    def answer(request: Request) -> None:
        if request.headers.get("If-None-Match") == '"v1"':
            request.send("", RSS, status=304, ETag='"v1"')
        else:
            request.send(feed(1, 2), RSS, ETag='"v1"', Last_Modified="Fri, 20 Nov 2026 10:00:00 GMT")

    site.routes["/feed"] = answer
    job = {"kind": "feed", "settings": {"url": f"{site.url}/feed"}}
    other = {"kind": "feed", "settings": {"url": f"{site.url}/feed", "timezone": "Europe/Kyiv"}}
    first, second, edited = run(job, job, other)
    assert (first["new"], first["unchanged"], first["verdict"]) == (2, 0, "ok")
    assert (second["documents"], second["unchanged"], second["fetched"], second["verdict"]) == ([], 1, 1, "ok")
    assert (edited["seen"], edited["unchanged"]) == (2, 0), "changed settings read the page again"
    assert site.asked["/robots.txt"] == 1, "robots.txt is remembered between runs"


def test_a_redirected_feed_is_asked_conditionally_too(site: RoughSite) -> None:
    def answer(request: Request) -> None:
        known = request.headers.get("If-None-Match") == '"v1"'
        request.send("" if known else feed(1), RSS, status=304 if known else 200, ETag='"v1"')

    site.routes["/old"] = lambda request: request.send("", status=301, Location="/feed")
    site.routes["/feed"] = answer
    job = {"kind": "feed", "settings": {"url": f"{site.url}/old"}}
    first, second = run(job, job)
    assert (first["new"], second["unchanged"]) == (1, 1)


def test_a_second_run_walks_only_to_what_it_knows(site: RoughSite) -> None:
    Forum(site, 28)
    job = forum_job(site)
    first, second = run(job, job)
    assert (first["new"], len(first["documents"]), first["verdict"]) == (28, 6, "ok")
    assert (second["fetched"], second["unchanged"], second["documents"], second["verdict"]) == (1, 1, [], "ok")


def test_new_posts_are_followed_to_the_last_known_page(site: RoughSite) -> None:
    forum = Forum(site, 12)
    job = forum_job(site)

    def grow(request: Request) -> None:
        forum.posts = 24
        request.send("grown")

    site.routes["/grow"] = grow
    growing = {"name": "other", "kind": "page", "settings": {"url": f"{site.url}/grow", "item": "nothing"}}
    first, _, second = run(job, growing, job)
    assert first["new"] == 12
    assert (second["new"], second["seen"], len(second["documents"])) == (12, 3, 3), "page 3 shows old ones: no further"


def test_a_pinned_post_does_not_end_the_walk(site: RoughSite) -> None:
    forum = Forum(site, 12)
    forum.pinned = 3
    job = forum_job(site)

    def grow(request: Request) -> None:
        forum.posts = 24
        request.send("grown")

    site.routes["/grow"] = grow
    growing = {"name": "other", "kind": "page", "settings": {"url": f"{site.url}/grow", "item": "nothing"}}
    first, _, second = run(job, growing, job)
    assert (first["new"], second["new"]) == (12, 12)


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_run_that_died_is_completed_by_the_next(site: RoughSite, after: int) -> None:
    """The pages that a dead run read are known, yet the next run walks on past them, once."""
    Forum(site, 28)
    job = forum_job(site)
    dead, next_one, third = run({**job, "die_after": after}, job, job)
    assert dead["new"] == 5 * after
    assert next_one["new"] == 28 - 5 * after and next_one["verdict"] == "ok"
    assert (third["unchanged"], third["documents"]) == (1, [])


def test_oldest_first_begins_at_the_last_page(site: RoughSite) -> None:
    forum = Forum(site, 12, upwards=True)
    job = forum_job(site)

    def grow(request: Request) -> None:
        forum.posts = 19
        request.send("grown")

    site.routes["/grow"] = grow
    growing = {"name": "other", "kind": "page", "settings": {"url": f"{site.url}/grow", "item": "nothing"}}
    first, _, second = run(job, growing, job)
    assert (first["new"], len(first["documents"])) == (12, 3)
    assert second["documents"] == [f"{site.url}/f?page=3", f"{site.url}/f?page=4"]
    assert second["new"] == 7


def test_a_vanished_last_page_begins_anew(site: RoughSite) -> None:
    forum = Forum(site, 12, upwards=True)
    job = forum_job(site)

    def gone(request: Request) -> None:
        forum.posts = 6
        site.routes["/f?page=3"] = lambda request: request.send("gone", status=404)
        request.send("gone")

    site.routes["/prune"] = gone
    pruning = {"name": "other", "kind": "page", "settings": {"url": f"{site.url}/prune", "item": "nothing"}}
    _, _, second = run(job, pruning, job)
    assert second["verdict"] == "ok" and f"{site.url}/f" in second["documents"], second


def test_page_budget(site: RoughSite) -> None:
    Forum(site, 28)
    (told,) = run(forum_job(site, settings={"pages": 3}))
    assert (told["new"], len(told["documents"]), told["verdict"]) == (15, 3, "ok")


def test_threads_of_a_list_are_read(site: RoughSite) -> None:
    site.routes["/list"] = lambda request: request.send(
        "<a class=thread href=/t/1>one</a><a class=thread href=/t/2>two</a><a href=/t/3>other</a>"
    )
    site.routes["/t/*"] = lambda request: request.send(
        f"<article id=post{request.path[-1]}000><p>In thread {request.path}</p></article>"
        "<a class=thread href=/deeper>x</a>"
    )
    settings = {"url": f"{site.url}/list", "item": "article", "fields": {"text": "p"}, "links": "a.thread"}
    (told,) = run({"kind": "page", "settings": settings})
    assert told["texts"] == ["In thread /t/1", "In thread /t/2"] and told["verdict"] == "failed"
    assert "/deeper" in told["error"] and "/t/3" not in site.asked


def test_robots(site: RoughSite) -> None:
    """Forbidden is blocked, and says so; what is allowed is read; the crawler shows its name."""
    site.routes["/robots.txt"] = lambda request: request.send(
        "User-agent: mention-crawler\nDisallow: /private\n", "text/plain"
    )
    site.routes["/private/feed"] = site.routes["/feed"] = lambda request: request.send(feed(1), RSS)
    denied, allowed = run(
        {"kind": "feed", "settings": {"url": f"{site.url}/private/feed"}},
        {"kind": "feed", "settings": {"url": f"{site.url}/feed"}},
    )
    assert denied["verdict"] == "blocked" and "robots.txt" in denied["error"]
    assert allowed["new"] == 1
    assert site.asked["/private/feed"] == 0
    assert site.headers["/feed"]["User-Agent"].startswith("mention-crawler")


def test_unreadable_robots_mean_stay_away(site: RoughSite) -> None:
    site.routes["/robots.txt"] = lambda request: request.send("oops", status=503)
    site.routes["/feed"] = lambda request: request.send(feed(1), RSS)
    (told,) = run({"kind": "feed", "settings": {"url": f"{site.url}/feed"}})
    assert told["verdict"] == "blocked" and "503" in told["error"]
    assert site.asked["/feed"] == 0


def test_crawl_delay(site: RoughSite) -> None:
    Forum(site, 20)
    site.routes["/robots.txt"] = lambda request: request.send("User-agent: *\nCrawl-delay: 0.7\n", "text/plain")
    (told,) = run(forum_job(site, settings={"pages": 4}))
    assert len(told["documents"]) == 4
    assert told["seconds"] >= 3 * 0.7


def test_retry_after(site: RoughSite) -> None:
    """A short wait is kept within the run, a long one ends it and is handed on."""

    def busy(request: Request) -> None:
        first = site.asked[request.path] == 1
        request.send("busy" if first else feed(1), RSS, status=503 if first else 200, Retry_After="1")

    site.routes["/short"] = busy
    site.routes["/long"] = lambda request: request.send("busy", status=429, Retry_After="3600")
    short, long = run(*({"kind": "feed", "settings": {"url": site.url + path}} for path in ("/short", "/long")))
    assert (short["new"], short["verdict"]) == (1, "ok") and short["seconds"] >= 1
    assert (long["verdict"], long["retry_after"]) == ("failed", 3600.0) and "3600 s" in long["error"]
    assert site.asked["/long"] == 1


def test_verdicts_of_answers(site: RoughSite) -> None:
    answers = {
        "/gone": ("", 404, "failed"),
        "/secret": ("", 403, "blocked"),
        "/broken": ("", 500, "failed"),
        "/empty": ("<p>nothing here</p>", 200, "empty"),
        "/wall": ("<title>Just a moment...</title><p>Checking your browser</p>", 200, "blocked"),
        "/door": ("<form><input name=u><input type=password></form>", 200, "blocked"),
    }
    for path, (body, status, _) in answers.items():
        site.routes[path] = lambda request, body=body, status=status: request.send(body, status=status)
    jobs = [{"name": path, "kind": "page", "settings": {"url": site.url + path, "item": "article"}} for path in answers]
    for told, (path, (_, _, verdict)) in zip(run(*jobs), answers.items(), strict=True):
        assert told["verdict"] == verdict and path in told["error"], (path, told)


def test_a_source_that_falls_silent_has_changed(site: RoughSite) -> None:
    def answer(request: Request) -> None:
        request.send("<article><p>one</p></article>" if site.asked["/p"] == 1 else "<div>redesigned</div>")

    site.routes["/p"] = answer
    job = {"kind": "page", "settings": {"url": f"{site.url}/p", "item": "article"}}
    first, second = run(job, job)
    assert (first["verdict"], second["verdict"]) == ("ok", "changed")
    assert "1 the time before" in second["error"]


def test_a_broken_reader_keeps_the_answer(site: RoughSite, tmp_path: Path) -> None:
    """An exception in posts() of a stranger's kind: the document is stored, the verdict names the error."""
    (tmp_path / "brittle.py").write_text(
        "from spiders.base import SourceSpider\n\n\nclass Brittle(SourceSpider):\n"
        "    kind = 'brittle'\n\n    def posts(self, response):\n        raise KeyError('the site has changed')\n"
    )
    site.routes["/p"] = lambda request: request.send("<p>text</p>", ETag='"v1"')
    job = {"kind": "brittle", "settings": {"url": f"{site.url}/p"}, "plugins": str(tmp_path)}
    first, second = run(job, job)
    for told in (first, second):
        assert told["verdict"] == "failed" and "the site has changed" in told["error"]
        assert told["documents"] == [f"{site.url}/p"], "not asked conditionally: a mended reader must see it"


def test_entries_that_break_are_counted(site: RoughSite) -> None:
    body = "<rss version='2.0'><channel><item><title>One</title></item><item></item></channel></rss>"
    site.routes["/feed"] = lambda request: request.send(body, RSS)
    (told,) = run({"kind": "feed", "settings": {"url": f"{site.url}/feed"}})
    assert (told["new"], told["dropped"], told["verdict"]) == (1, 1, "ok")


def test_a_page_leads_to_its_feed(site: RoughSite) -> None:
    site.routes["/"] = lambda request: request.send(
        '<link rel="alternate" type="application/atom+xml" href="/feed"><h1>Blog</h1>'
    )
    site.routes["/feed"] = lambda request: request.send(feed(1, 2, 3), RSS)
    (told,) = run({"kind": "feed", "settings": {"url": f"{site.url}/"}})
    assert (told["new"], told["verdict"]) == (3, "ok")


def test_without_a_browser_a_run_fails_and_says_how_to_get_one(
    site: RoughSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MENTION_CRAWLER_CHROMIUM", "/no/such/browser")
    site.routes["/p"] = lambda request: request.send("<article>text</article>")
    (told,) = run({"kind": "browser", "settings": {"url": f"{site.url}/p", "item": "article"}})
    assert told["verdict"] == "failed" and "apt-get install chromium" in told["error"], told
    assert told["documents"] == []


def scrapy(*words: str, folder: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scrapy", *words],
        cwd=folder,
        env={**os.environ, "SCRAPY_SETTINGS_MODULE": "crawler.scrapy_settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_scrapy_lists_the_kinds() -> None:
    listed = scrapy("list")
    assert listed.returncode == 0, listed.stderr
    shown = listed.stdout.split()
    assert {"api", "feed", "forum", "page", "telegram"} <= set(shown), "kinds of code"
    assert {"mastodon", "wordpress", "xenforo", "bluesky_authors"} <= set(shown), "presets"
    assert len(shown) == len(set(shown))


def test_scrapy_crawls_a_source_by_name(site: RoughSite, tmp_path: Path) -> None:
    """`scrapy crawl KIND -a source=NAME` reads the config of the folder and stores what it finds."""
    site.routes["/feed"] = lambda request: request.send(feed(1, 2), RSS)
    config = tmp_path / "mention-crawler.yaml"
    config.write_text(
        "network: {allow_private: [127.0.0.0/8]}\nbrands: [{name: Kalyna}]\n"
        f"sources:\n  - {{name: news, kind: feed, url: '{site.url}/feed'}}\n"
    )
    done = scrapy("crawl", "feed", "-a", "source=news", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    from crawler.store import Store

    store = Store.open(f"sqlite:///{tmp_path / 'data' / 'mentions.db'}")
    try:
        assert store.posts.count() == 2
    finally:
        store.close()
