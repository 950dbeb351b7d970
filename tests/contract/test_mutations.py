"""The recorded answers of the platforms as other versions might give them: what must not matter does not matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_payloads import CASES, KINDS, SOURCES

from crawler.model import Document, Post, Source, Verdict
from spiders.answers import response_of
from spiders.base import Reading

NOW = datetime(2026, 11, 20, tzinfo=UTC)
JSON_CASES = sorted(
    {(kind, name) for kind, name, expected, _ in CASES if name.endswith(".json") and isinstance(expected, int)}
)
# Keys without which an item is nothing, or by which its platform tells one thing from another.
NEEDED = {"id", "_id", "uri", "objectID", "name", "type", "kind", "post_id", "label", "data", "snippet"}


def read(kind: str, data: Any) -> Reading:
    settings = KINDS[kind].Settings(**SOURCES[kind])
    spider = KINDS[kind](source=Source("s", kind, settings))
    url = next(iter(spider.requests())).url
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return spider.read(response_of(Document(url, 200, {"content-type": "application/json"}, body, NOW)))


def every(data: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The JSON with each of its objects changed, innermost first."""
    if isinstance(data, dict):
        return change({key: every(value, change) for key, value in data.items()})
    return [every(item, change) for item in data] if isinstance(data, list) else data


def reordered(it: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(list(it.items())))


def grown(it: dict[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {
        "x_new": None,
        "x_list": [1, None, {"a": []}],
        "x_deep": {"id": 9, "text": "no", "items": []},
    }
    return {**it, **more}


def without_nulls(it: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in it.items() if value is not None}


def ids(posts: tuple[Post, ...]) -> list[str]:
    return sorted(post.platform_id or post.url or post.text for post in posts)


def plain(post: Post) -> tuple[Any, ...]:
    return post.text, post.title, post.url, post.author, post.published_at, post.parent, post.thread, post.deleted


@pytest.mark.parametrize(("kind", "name"), JSON_CASES)
def test_order_of_keys_and_unknown_keys_do_not_matter(shared: Path, kind: str, name: str) -> None:
    data = json.loads((shared / "payloads" / name).read_bytes())
    first = read(kind, data)
    for change in (reordered, grown):
        again = read(kind, every(data, change))
        assert sorted(map(plain, again.posts), key=str) == sorted(map(plain, first.posts), key=str), change.__name__
        assert again.dropped == first.dropped


@pytest.mark.parametrize(("kind", "name"), JSON_CASES)
def test_null_is_as_good_as_absent(shared: Path, kind: str, name: str) -> None:
    data = json.loads((shared / "payloads" / name).read_bytes())
    assert ids(read(kind, every(data, without_nulls)).posts) == ids(read(kind, data).posts)


@pytest.mark.parametrize(("kind", "name"), JSON_CASES)
def test_numbers_as_strings_are_the_same_posts(shared: Path, kind: str, name: str) -> None:
    """Great ids come as strings from some servers: the post is the same one."""

    def worded(it: dict[str, Any]) -> dict[str, Any]:
        numbers = {key for key, value in it.items() if type(value) is int and (key == "id" or key.endswith("_id"))}
        return {key: str(value) if key in numbers else value for key, value in it.items()}

    data = json.loads((shared / "payloads" / name).read_bytes())
    assert ids(read(kind, every(data, worded)).posts) == ids(read(kind, data).posts)


@pytest.mark.parametrize(("kind", "name"), JSON_CASES)
def test_any_one_thing_missing_or_strange_breaks_nothing(shared: Path, kind: str, name: str) -> None:
    """Keys in turn are taken away, null, of another type: never broken, never silent, times aware, ids kept."""
    data = json.loads((shared / "payloads" / name).read_bytes())
    if len(json.dumps(data)) > 4_000:
        data = _shorter(data)
    whole = ids(read(kind, data).posts)
    keys: set[str] = set()
    every(data, lambda it: (keys.update(it), it)[1])
    for key in sorted(keys)[:: max(1, len(keys) // 12)]:
        for other in (None, "???", -1, ["x"], {"x": 1}):

            def strange(it: dict[str, Any], key: str = key, other: Any = other) -> dict[str, Any]:
                return {name: other if name == key else value for name, value in it.items()}

            reading = read(kind, every(data, strange))
            assert not reading.broken, (key, other, reading.finding)
            assert reading.posts or reading.dropped or reading.requests or reading.finding, (key, other)
            assert all(post.published_at is None or post.published_at.tzinfo is UTC for post in reading.posts)
            assert all(isinstance(post.text, str) and "\x00" not in post.text for post in reading.posts)
            if other is None and reading.posts and key not in NEEDED:
                assert set(ids(reading.posts)) <= set(whole) or len(reading.posts) <= len(whole), key


def _shorter(data: Any) -> Any:
    """Lists cut to their first items."""
    if isinstance(data, dict):
        return {key: _shorter(value) for key, value in data.items()}
    return [_shorter(item) for item in data[:2]] if isinstance(data, list) else data


@pytest.mark.parametrize(("kind", "name"), JSON_CASES)
def test_an_answer_that_breaks_off_has_failed(shared: Path, kind: str, name: str) -> None:
    body = (shared / "payloads" / name).read_bytes().rstrip()
    settings = KINDS[kind].Settings(**SOURCES[kind])
    spider = KINDS[kind](source=Source("s", kind, settings))
    url = next(iter(spider.requests())).url
    reading = spider.read(
        response_of(Document(url, 200, {"content-type": "application/json"}, body[: len(body) * 2 // 3], NOW))
    )
    if reading.finding is None:
        assert reading.requests and not reading.posts, "only another way may be tried"
    else:
        assert reading.finding.verdict in (Verdict.FAILED, Verdict.CHANGED)
        assert reading.posts == ()
