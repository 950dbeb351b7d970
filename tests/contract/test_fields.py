"""Fields through instances and places: one post is one post wherever it is seen, and answers find what they answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crawler import plugins
from crawler.model import Document, Post, Source
from spiders.answers import response_of
from spiders.base import SourceSpider

KINDS = plugins.discover("spiders", SourceSpider)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def read(kind: str, data: Any, host: str = "", **settings: Any) -> dict[str, Post]:
    """Posts by their ids."""
    spider = KINDS[kind](source=Source("s", kind, KINDS[kind].Settings(**settings)))
    url = next(iter(spider.requests())).url if not host else f"https://{host}/x"
    headers = {"content-type": "application/json"}
    reading = spider.read(response_of(Document(url, 200, headers, json.dumps(data).encode(), NOW)))
    assert not reading.broken and reading.dropped == (), reading
    return {str(post.platform_id): post for post in reading.posts}


def status(number: int, host: str, seen_from: str = "", parent: int | None = None, who: int = 1) -> dict[str, Any]:
    return {
        "id": str(number),
        "uri": f"https://{host}/users/ada/statuses/{number}",
        "url": f"https://{host}/@ada/{number}",
        "content": "<p>words</p>",
        "created_at": "2026-11-02T10:05:00.000Z",
        "in_reply_to_id": str(parent) if parent else None,
        "in_reply_to_account_id": str(who) if parent else None,
        "account": {"id": "1", "acct": "ada", "username": "ada", "url": f"https://{host}/@ada"},
    }


MASTODON = {"url": "https://one.example", "tags": ["x"]}


def test_answers_on_mastodon_name_their_parent_by_its_shared_address() -> None:
    root, answer = status(11, "one.example"), status(12, "one.example", parent=11)
    posts = read("mastodon", [answer, root], **MASTODON)
    assert posts[answer["uri"]].parent == root["uri"], "found in the same answer"
    alone = read("mastodon", [answer], **MASTODON)
    assert alone[answer["uri"]].parent == root["uri"], "an answer to oneself"
    other = read("mastodon", [status(12, "one.example", parent=11, who=7)], **MASTODON)
    assert [post.parent for post in other.values()] == ["https://one.example/statuses/11"], "a name at least"
    context = {"ancestors": [root], "descendants": [answer]}
    assert read("mastodon", context, **MASTODON)[answer["uri"]].parent == root["uri"]


def test_a_status_seen_from_two_instances_is_one_post() -> None:
    here = read("mastodon", [status(11, "one.example")], **MASTODON)
    there = read("mastodon", [{**status(11, "one.example"), "id": "99"}], url="https://two.example", tags=["x"])
    assert list(here) == list(there)


def lemmy(host: str, number: int, path: str, ap_id: str) -> dict[str, Any]:
    return {
        "comment": {
            "id": number,
            "ap_id": ap_id,
            "content": "words",
            "published": "2026-11-02T10:05:00Z",
            "path": path,
        },
        "creator": {"name": "ann", "actor_id": f"https://{host}/u/ann"},
        "post": {"ap_id": "https://home.example/post/7"},
        "counts": {"score": 1},
    }


def test_comments_on_lemmy_name_their_parent_by_its_shared_address() -> None:
    first = lemmy("far.example", 5, "0.5", "https://far.example/comment/880")
    second = lemmy("home.example", 6, "0.5.6", "https://home.example/comment/6")
    given = {"url": "https://home.example", "words": ["x"]}
    posts = read("lemmy", {"comments": [second, first], "posts": []}, **given)
    assert posts["https://home.example/comment/6"].parent == "https://far.example/comment/880"
    assert posts["https://far.example/comment/880"].parent == "https://home.example/post/7"
    alone = read("lemmy", {"comments": [second], "posts": []}, **given)
    assert [post.parent for post in alone.values()] == ["https://home.example/comment/5"]


@pytest.mark.parametrize("slug", ["%D0%BA%D0%B0%D1%81%D0%B0", "каса"])
def test_addresses_on_discourse_are_encoded_once(slug: str) -> None:
    post = {"id": 5, "topic_id": 9, "post_number": 2, "topic_slug": slug, "cooked": "<p>words</p>", "username": "ada"}
    [found] = read("discourse", {"latest_posts": [post]}, url="https://forum.example").values()
    assert found.url == "https://forum.example/t/%D0%BA%D0%B0%D1%81%D0%B0/9/2"


def test_answers_on_discourse_find_their_parent_within_a_topic() -> None:
    stream = [
        {
            "id": 50 + n,
            "topic_id": 9,
            "post_number": n,
            "cooked": "<p>w</p>",
            "username": "ada",
            "reply_to_post_number": to,
        }
        for n, to in ((1, None), (2, 1))
    ]
    posts = read("discourse", {"id": 9, "slug": "t", "post_stream": {"posts": stream}}, url="https://forum.example")
    assert posts["52"].parent == "51" and posts["51"].parent is None


def test_what_is_passed_on_at_vk_stands_behind_a_mark() -> None:
    origin = {"id": 3, "owner_id": -9, "from_id": -9, "text": "Каса Ladna Pay не працює"}
    items = [
        {"id": 1, "owner_id": 5, "from_id": 5, "date": 1_793_613_900, "text": "", "copy_history": [origin]},
        {"id": 2, "owner_id": 5, "from_id": 5, "date": 1_793_613_900, "text": "І в мене", "copy_history": [origin]},
    ]
    posts = read("vk", {"response": {"items": items}}, words=["x"], token="t")
    assert posts["wall5_1"].text == "↻ Каса Ladna Pay не працює"
    assert posts["wall5_2"].text == "І в мене\n\n↻ Каса Ladna Pay не працює"


@pytest.mark.parametrize(
    ("kind", "given", "asked"),
    [
        ("bluesky_authors", {"accounts": ["a.example"]}, "public.api.bsky.app/xrpc/app.bsky.feed.getAuthorFeed"),
        ("reddit_oauth", {"words": ["x"], "token": "t"}, "oauth.reddit.com/search?"),
        ("reddit_oauth", {"words": ["x"], "token": "t", "base_url": "https://r.example"}, "https://r.example/search?"),
    ],
)
def test_presets_of_presets_ask_where_they_should(kind: str, given: dict[str, Any], asked: str) -> None:
    spider = KINDS[kind](source=Source("s", kind, KINDS[kind].Settings(**given)))
    [request] = spider.requests()
    assert asked in request.url and "None" not in request.url


def test_the_comment_feed_of_wordpress_says_what_rest_says() -> None:
    item = (
        "<item><guid>https://a.example/?p=4#comment-3</guid><title>By: Tom</title><description>{}</description></item>"
    )
    said = item.format("У відповідь на &lt;a href='x'&gt;Оксана&lt;/a&gt;. &lt;/p&gt;&lt;p&gt;І в мене так.")
    body = f"<?xml version='1.0'?><rss version='2.0'><channel>{said}</channel></rss>"
    spider = KINDS["wordpress"](source=Source("s", "wordpress", KINDS["wordpress"].Settings(url="https://a.example")))
    answer = Document("https://a.example/comments/feed/", 200, {"content-type": "text/xml"}, body.encode(), NOW)
    [post] = spider.read(response_of(answer)).posts
    assert (post.platform_id, post.text) == ("comment-3", "І в мене так.")


def test_a_sitemap_may_be_a_question_to_the_front_page() -> None:
    def first(url: str) -> str:
        spider = KINDS["sitemap"](source=Source("s", "sitemap", KINDS["sitemap"].Settings(url=url)))
        return next(iter(spider.requests())).url

    assert first("https://a.example/?sitemap=index") == "https://a.example/?sitemap=index"
    assert first("https://a.example/") == "https://a.example/robots.txt"
