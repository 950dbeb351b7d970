"""What addresses and pages say of the kinds that could read them, and how a walk over a site is judged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawler.app.discovering import demand_address, name_of
from crawler.app.kinds import spider_kinds
from crawler.errors import NotFound
from crawler.model import Author, Document, Post, Source
from spiders import leads
from spiders.answers import response_of
from spiders.exploring import Trial, Trials
from spiders.leads import Lead

KINDS = spider_kinds(Path("/nonexistent"))
NOW = datetime(2026, 11, 20, tzinfo=UTC)
CHANNEL = "UC" + "a" * 22


@pytest.mark.parametrize(
    ("url", "kind", "settings"),
    [
        ("https://t.me/ladna_news", "telegram", {"channel": "ladna_news"}),
        ("https://t.me/s/ladna_news?before=7", "telegram", {"channel": "ladna_news"}),
        (f"https://www.youtube.com/channel/{CHANNEL}/videos", "youtube", {"channels": [CHANNEL]}),
        ("https://www.reddit.com/r/ukraine/", "feed", {"url": "https://www.reddit.com/r/ukraine/comments/.rss"}),
        ("https://github.com/ladna/pay/issues/5", "github", {"searches": ["repo:ladna/pay"]}),
        ("https://apps.apple.com/ua/app/ladna/id595068606?l=uk", "appstore", {"app": "595068606", "countries": ["ua"]}),
        ("https://apps.apple.com/app/id595068606", "appstore", {"app": "595068606", "countries": ["us"]}),
        ("https://news.ycombinator.com/", "hackernews", {"words": ["Ladna Pay"]}),
    ],
)
def test_platforms_are_known_by_their_address(url: str, kind: str, settings: dict[str, Any]) -> None:
    lead = leads.of_address(url, ["Ladna Pay"])[0]
    assert (lead.kind, dict(lead.settings)) == (kind, settings)
    KINDS[kind].Settings.model_validate(settings)


@pytest.mark.parametrize(
    "url",
    [
        "https://forum.example/", "https://t.me/joinchat/AAAA", "https://t.me/", "https://evil.example/t.me/ladna_news",
        "https://youtube.com/channel/short", "https://github.com/ladna", "https://apps.apple.com/ua/app/x",
        "https://t.me.evil.example/ladna_news",
    ],
)  # fmt: skip
def test_other_addresses_say_nothing(url: str) -> None:
    assert leads.of_address(url) == []


def of_page(body: str, url: str = "https://site.example/") -> dict[str, Lead]:
    headers = {"content-type": "text/html; charset=utf-8"}
    found = leads.of_answer(response_of(Document(url, 200, headers, body.encode(), NOW)), ["Ladna Pay"])
    return {f"{lead.kind} {lead.settings.get('url', '')}".strip(): lead for lead in found}


def test_feeds_of_a_page_are_found_and_usual_addresses_only_without_them() -> None:
    link = '<link rel="alternate" type=" Application/RSS+XML" href="/n.xml?a=1">'
    found = of_page(f"<html><head>{link}</head><body><a href='/blog/feed/'>f</a><a href='//other.example/feed'>o</a>")
    assert [name for name in found if name.startswith("feed")] == [
        "feed https://site.example/n.xml?a=1",
        "feed https://site.example/blog/feed/",
    ]
    without = of_page("<html><body>nothing</body></html>", "https://site.example/deep/page?x=1")
    assert [name for name in without if name.startswith("feed")] == [
        f"feed https://site.example{path}" for path in leads.COMMON_FEEDS
    ]


@pytest.mark.parametrize(
    ("page", "lead"),
    [
        ('<meta name="generator" content="Discourse 3.4.0">', "discourse https://site.example"),
        ('<link rel="https://api.w.org/" href="https://site.example/blog/wp-json/">', "wordpress https://site.example/blog"),
        ('<script src="/wp-content/plugins/woocommerce/x.js"></script>', "wordpress https://site.example"),
        ('<html id="XF" class="xf"><body class="structItem--thread">', "forum https://site.example/"),
        ('<body id="mastodon"><div id="mastodon">', "mastodon https://site.example"),
        ("<script>var disqus_shortname = 'ladna-blog';</script>", "disqus"),
        ("<script src='https://ladna-blog.disqus.com/embed.js'></script>", "disqus"),
        (f'<script>{{"externalId":"{CHANNEL}"}}</script>', "youtube"),
    ],
)  # fmt: skip
def test_programs_are_known_by_their_marks(page: str, lead: str) -> None:
    assert lead in of_page(f"<html><head>{page}</head><body></body></html>")


def test_what_needs_a_key_says_so() -> None:
    lead = of_page("<script>var disqus_shortname = 'ladna-blog';</script>")["disqus"]
    assert "DISQUS_KEY" in lead.lacks and "${DISQUS_KEY}" in str(lead.settings["key"])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<?xml version='1.0'?><rss><channel><item/></channel></rss>", "feed"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": []}', "feed"),
        (b"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'></urlset>", "sitemap"),
    ],
)
def test_an_address_that_is_a_feed_or_a_sitemap_is_that_alone(body: bytes, kind: str) -> None:
    [lead] = leads.of_answer(response_of(Document("https://site.example/x", 200, {}, body, NOW)))
    assert (lead.kind, lead.settings) == (kind, {"url": "https://site.example/x"})


def test_federated_servers_say_what_they_run() -> None:
    links = b'{"links": [{"rel": "r", "href": "https://site.example/nodeinfo/2.0"}]}'
    assert leads.of_nodeinfo(links) == "https://site.example/nodeinfo/2.0"
    [lead] = leads.of_software(b'{"software": {"name": "Pleroma"}}', "https://site.example", ["Ladna Pay"])
    assert (lead.kind, lead.settings) == ("mastodon", {"url": "https://site.example", "tags": ["LadnaPay"]})
    for odd in (b"", b"[]", b'{"links": 5}', b'{"links": [7, {"href": 3}]}', b'{"software": "x"}', b"[" * 9999):
        assert leads.of_nodeinfo(odd) is None
        assert leads.of_software(odd, "https://site.example", []) == []


@pytest.mark.parametrize(
    "page", ["", "\x00", "<", "<a href='http://[bad'>x</a>" * 50, "<link rel=alternate href=''>" * 999]
)
def test_odd_pages_break_nothing(page: str) -> None:
    of_page(f"<html>{page}")


def test_what_gave_posts_comes_first_and_fuller_ones_before_many() -> None:
    def trial(kind: str, rank: int, *posts: Post) -> Trial:
        return Trial(Lead(kind, {"url": f"https://x.example/{kind}"}, "w", rank=rank), list(posts))

    bare, full = Post("a"), Post("a", author=Author("Ann"), published_at=NOW, url="https://x.example/1")
    trials = Trials()
    trials += [trial("empty", 1), trial("bare", 10, bare, bare), trial("full", 10, full), trial("far", 60, full, full)]
    assert [each.lead.kind for each in trials.best_first()] == ["full", "bare", "far", "empty"]
    assert trials[2].filled() == {"author": 1.0, "published_at": 1.0, "url": 1.0}
    assert (trials[2].newest, trials[0].newest) == (NOW, None)


@pytest.mark.parametrize(
    "url", ["", "not an address", "ftp://x.example/", "https://", "http://[::1", "javascript:alert(1)"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(NotFound, match="no web address"):
        demand_address(url)


def test_an_address_may_lack_its_scheme() -> None:
    assert demand_address("forum.example/banks ") == "https://forum.example/banks"


def test_names_tell_sources_apart() -> None:
    names = [
        name_of(Lead("feed", {"url": "https://www.site.example/blog/feed"}, "")),
        name_of(Lead("forum", {"url": "https://forum.example/t/1"}, "")),
        name_of(Lead("appstore", {"app": "595068606", "countries": ["ua"]}, "")),
        name_of(Lead("github", {"searches": ["repo:a/b"]}, "")),
        name_of(Lead("feed", {"url": "https://новини.example/стрічка"}, "")),
    ]
    assert names == [
        "site-example-blog",
        "forum-example",
        "appstore-595068606",
        "github-repo-a-b",
        "новини-example-стрічка",
    ]


def test_comments_of_isso_are_read_by_api() -> None:
    page = "<script data-isso='//talk.example/isso/' src='//talk.example/isso/js/embed.min.js'></script>"
    lead = of_page(f"<html><body>{page}", "https://site.example/blog/1?x=2")["api https://talk.example/isso"]
    settings = KINDS["api"].Settings.model_validate(dict(lead.settings))
    spider = KINDS["api"](source=Source("s", "api", settings))
    [request] = spider.requests()
    assert request.url == "https://talk.example/isso/?uri=%2Fblog%2F1"
    told = {"id": 2, "parent": None, "text": "<p>Добрий день</p>", "author": "Ада", "created": 1_780_000_000.5}
    body = json.dumps({"total_replies": 1, "replies": [told | {"replies": [told | {"id": 3, "parent": 2}]}]}).encode()
    reading = spider.read(response_of(Document(request.url, 200, {"content-type": "application/json"}, body, NOW)))
    assert [(post.platform_id, post.text, post.parent) for post in reading.posts] == [
        ("2", "Добрий день", None),
        ("3", "Добрий день", "2"),
    ]


def test_an_ordinary_link_is_no_comment_service() -> None:
    assert "disqus" not in of_page('<a href="//localhost">x</a><script src="//cdn.example/embed.js"></script>')
    assert "disqus" in of_page("<script src='https://ladna-blog.disqus.com/embed.js'></script>")
