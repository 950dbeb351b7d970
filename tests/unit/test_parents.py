"""Platforms that name a parent by a number of their own: it is given the id that everybody shares, once it is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crawler import plugins
from crawler.model import Document, Source
from spiders.answers import response_of
from spiders.base import Reading, SourceSpider

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KINDS = plugins.discover("spiders", SourceSpider)


def read(kind: str, data: Any, address: str, cursor: dict[str, Any] | None = None, **given: Any) -> Reading:
    settings = KINDS[kind].Settings(url="https://a.example", **given)
    spider = KINDS[kind](source=Source("s", kind, settings, cursor=cursor or {}))
    body = json.dumps(data).encode()
    headers = {"content-type": "application/json"}
    return spider.read(response_of(Document(f"https://a.example{address}", 200, headers, body, NOW)))


def topic_post(number: int, post: int, answers: int | None = None) -> dict[str, Any]:
    said = {"id": post, "topic_id": 7, "post_number": number, "post_type": 1, "cooked": f"<p>p{post}</p>"}
    return {**said, "username": "ada", "created_at": "2026-11-19T10:00:00Z", "reply_to_post_number": answers}


def status(number: str, uri: str, answers: str | None = None) -> dict[str, Any]:
    who = {"id": "9", "acct": "ada@b.example", "username": "ada", "url": "https://b.example/@ada"}
    said = {"id": number, "uri": uri, "url": uri, "content": f"<p>s{number}</p>", "created_at": "2026-11-19T10:00:00Z"}
    return {**said, "account": who, "in_reply_to_id": answers, "in_reply_to_account_id": "8"}


def comment(number: int, ap_id: str, path: str) -> dict[str, Any]:
    made = {"id": number, "ap_id": ap_id, "content": f"c{number}", "published": "2026-11-19T10:00:00Z", "path": path}
    post = {"ap_id": "https://b.example/post/1"}
    return {"comment": made, "creator": {"name": "ada", "actor_id": "https://b.example/u/ada"}, "post": post}


def note(number: str, uri: str, answers: str | None = None) -> dict[str, Any]:
    who = {"id": "u", "username": "ada", "host": "b.example"}
    said = {"id": number, "uri": uri, "text": f"n{number}", "user": who, "createdAt": "2026-11-19T10:00:00Z"}
    return {**said, "replyId": answers}


CASES: list[tuple[str, str, dict[str, Any], Any, Any, str]] = [
    (
        "discourse",
        "/posts.json",
        {},
        {"latest_posts": [topic_post(1, 510)]},
        {"latest_posts": [topic_post(2, 512, answers=1)]},
        "510",
    ),
    (
        "mastodon",
        "/api/v1/timelines/tag/x",
        {"tags": ["x"]},
        [status("11", "https://b.example/1")],
        [status("12", "https://c.example/2", answers="11")],
        "https://b.example/1",
    ),
    (
        "lemmy",
        "/api/v3/search",
        {"words": ["x"]},
        {"comments": [comment(11, "https://b.example/comment/1", "0.11")]},
        {"comments": [comment(12, "https://c.example/comment/2", "0.11.12")]},
        "https://b.example/comment/1",
    ),
    (
        "misskey",
        "/api/notes/search-by-tag",
        {"tags": ["x"]},
        [note("11", "https://b.example/1")],
        [note("12", "https://c.example/2", answers="11")],
        "https://b.example/1",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_parent_that_was_read_before_is_named_by_its_id(case: tuple[str, str, dict[str, Any], Any, Any, str]) -> None:
    kind, address, given, first, second, parent = case
    before = read(kind, first, address, **given)
    assert before.cursor is not None
    [after] = read(kind, second, address, dict(before.cursor), **given).posts
    assert after.parent == parent
    [unknown] = read(kind, second, address, **given).posts
    assert unknown.parent not in (None, parent), "an answer stays an answer"


def test_a_parent_in_the_same_answer_is_named_by_its_id() -> None:
    both = [topic_post(2, 512, answers=1), topic_post(1, 510)]
    assert [post.parent for post in read("discourse", {"latest_posts": both}, "/posts.json").posts] == ["510", None]
    other = [topic_post(2, 512, answers=1), {**topic_post(1, 510), "topic_id": 8}]
    assert [post.parent for post in read("discourse", {"latest_posts": other}, "/posts.json").posts] == ["7/1", None]


def test_the_same_post_through_two_instances_is_one_and_so_is_its_parent() -> None:
    """Each instance has numbers of its own; addresses are shared."""
    here = read(
        "mastodon", [status("2", "https://c.example/2", "1"), status("1", "https://b.example/1")], "/x", tags=["x"]
    )
    there = read(
        "mastodon", [status("92", "https://c.example/2", "91"), status("91", "https://b.example/1")], "/x", tags=["x"]
    )
    assert [(post.platform_id, post.parent) for post in here.posts] == [
        (post.platform_id, post.parent) for post in there.posts
    ]
