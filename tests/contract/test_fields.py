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
    url = next(iter(spider.requests())).url if not host else f"https://{host}" if "/" in host else f"https://{host}/x"
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


def review(number: int, **more: Any) -> dict[str, Any]:
    said = {"id": number, "updated": "2026-11-02T10:00:00-07:00", "im:rating": 1, "title": "bad", "content": "words"}
    return {name: {"label": str(value)} for name, value in said.items()} | more


def test_a_review_with_several_links_and_contents_is_read_like_any_other() -> None:
    link = {"attributes": {"rel": "related", "href": "https://itunes.example/us/review?id=595068606"}}
    contents = [
        {"label": "<b>words</b>", "attributes": {"type": "html"}},
        {"label": "words", "attributes": {"type": "text"}},
    ]
    entries = [review(1, link=link), review(2, link=[link, link], content=contents), review(3, content=contents[1:])]
    posts = read("appstore", {"feed": {"entry": entries}}, app="595068606")
    assert {(post.url, post.thread, post.text) for post in posts.values()} == {
        (f"https://apps.apple.com/app/id595068606#{number}", "595068606", "words") for number in (1, 2, 3)
    }
    [alone] = read("appstore", {"feed": {"entry": review(4)}}, app="595068606").values()
    assert alone.platform_id == "4", "one review is no list"


def test_what_a_shop_does_not_know_is_not_zero_stars() -> None:
    reviews = [
        {"id": number, "review": "words", "reviewer": "Ann", "rating": stars, "date_created_gmt": "2026-11-02T10:00:00"}
        for number, stars in ((1, 0), (2, 1), (3, 5))
    ]
    posts = read("wordpress", reviews, url="https://shop.example", what="wc/store/v1/products/reviews")
    assert [post.rating for post in posts.values()] == [None, 1.0, 5.0]


def test_comments_of_hosted_blogs_name_their_parent_and_the_site_of_their_author() -> None:
    comment = {"ID": 7, "post": {"ID": 3}, "content": "<p>words</p>", "date": "2026-11-02T10:00:00+02:00"}
    ann = {"name": "Ann", "URL": "https://ann.example/"}
    found = {"comments": [{**comment, "author": ann, "parent": {"ID": 5}}, {**comment, "ID": 8, "parent": False}]}
    posts = read("wordpress", found, url="https://blog.example")
    assert [(post.platform_id, post.parent, post.thread) for post in posts.values()] == [
        ("comment-7", "comment-5", "3"),
        ("comment-8", None, "3"),
    ]
    assert posts["comment-7"].author.url == "https://ann.example/"


@pytest.mark.parametrize("page", ["posts.json?before=9", "t/9.json", "latest.json", "search.json?q=x"])
def test_a_forum_in_a_folder_of_its_site_keeps_its_folder(page: str) -> None:
    post = {"id": 5, "username": "ann", "cooked": "<p>words</p>", "post_number": 2, "topic_id": 9, "topic_slug": "help"}
    for base in ("", "/forum", "/a/b"):
        [found] = read(
            "discourse", {"latest_posts": [post]}, f"d.example{base}/{page}", url="https://d.example"
        ).values()
        assert found.url == f"https://d.example{base}/t/help/9/2"
        assert found.author.url == f"https://d.example{base}/u/ann"


def test_parents_are_known_by_any_kind_of_number() -> None:
    """Other programs that speak as Mastodon number their posts in letters; reviews of code stand below each other."""
    here = "https://g.example/users/ada/statuses"
    post = {**status(1, "g.example", parent=1), "id": "01HX", "uri": f"{here}/01HX", "in_reply_to_id": "01HA"}
    assert read("mastodon", [post], **MASTODON | {"url": "https://g.example"})[f"{here}/01HX"].parent == f"{here}/01HA"
    said = {"html_url": "https://github.com/o/r/pull/6#discussion_r2", "pull_request_url": "x", "body": "words"}
    found = read("github", [{**said, "id": 2}, {**said, "id": 3, "in_reply_to_id": 2}], searches=["x"])
    assert [post.parent for post in found.values()] == ["https://github.com/o/r/pull/6", "comment-2"]


def test_nobody_at_vk_has_no_page() -> None:
    comment = {"id": 3, "post_id": 1, "owner_id": -5, "from_id": 0, "date": 1_793_613_900, "text": "", "deleted": True}
    [post] = read("vk", {"response": {"items": [comment]}}, words=["x"], token="t").values()
    assert post.deleted and post.author.url is None


def test_an_old_board_is_called_by_its_subject() -> None:
    """Where the headline of the page says more than the title."""
    page = (
        "<html><script>var smf_scripturl;</script><div id='forumposts'><h3 class='catbg'>Author Topic: Lost"
        " (Read 5 times)</h3><div class='post_wrapper'><div class='poster'><h4><a title='x'>Bo</a></h4></div>"
        "<div class='postarea'><div class='keyinfo'><h5 id='subject_7'><a href='?topic=4.msg7#msg7'>Lost</a></h5></div>"
        "<div class='post'><div class='inner' id='msg_7'>words</div></div></div></div></div></html>"
    )
    spider = KINDS["forum"](source=Source("s", "forum", KINDS["forum"].Settings(url="https://s.example/?topic=4.0")))
    answer = Document("https://s.example/?topic=4.0", 200, {"content-type": "text/html"}, page.encode(), NOW)
    assert [(post.title, post.text) for post in spider.read(response_of(answer)).posts] == [("Lost", "words")]
