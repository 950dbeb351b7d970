"""The parts of kind `api`: paths, quotes, requests, walks, answers that are no posts, counters of APIs."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from scrapy.http import Response

from crawler.model import Document, Post, Source, Verdict
from spiders import polite
from spiders.answers import response_of
from spiders.api import ApiSpider
from spiders.api_answer import Unreadable, load
from spiders.api_post import epoch
from spiders.api_requests import filled, link_next, recovered
from spiders.api_settings import ApiSettings
from spiders.api_walk import ApiWalk
from spiders.base import Reading
from spiders.json_paths import count, path
from spiders.paging import mark
from spiders.quotes import html_text, markdown_text, unquoted

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SHAPE = {"items": "posts", "fields": {"id": "id", "text": "text", "published_at": "at"}}


def settings(**more: Any) -> ApiSettings:
    return ApiSettings.model_validate({"url": "https://api.example", "posts": [SHAPE], **more})


def read(body: object, status: int = 200, cursor: dict[str, Any] | None = None, **more: Any) -> Reading:
    spider = ApiSpider(source=Source("s", "api", settings(**more), cursor=cursor or {}))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return spider.read(response_of(Document("https://api.example/x", status, {}, data, NOW)))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("html(a)", "hi & you"),
        ("html(missing)", None),
        ("link('https://q.example/{}/{}', n, word)", "https://q.example/5/a%20b%2Fc"),
        ("link('https://q.example/{}', missing)", None),
        ("match('x=([0-9]+)', query)", "12"),
        ("match('y', query)", None),
        ("host(address)", "place.example"),
        ("host(n)", None),
        ("utc('2026-11-01T10:00:00')", "2026-11-01T10:00:00Z"),
        ("utc('2026-11-01T10:00:00+02:00')", "2026-11-01T10:00:00+02:00"),
        ("find(people, 'id', `2`).name", "Tom"),
        ("find(people, 'id', missing).name", None),
        ("find(n, 'id', `2`)", None),
        ("lines([word, missing, word, query])", "a b/c\n\nx=12&"),
        ("words([word, missing])", "a b/c"),
        ("count('12.5M')", 12_500_000),
        ("contains(missing, 'x')", None),
        ("text(yes)", "true"),
    ],
)
def test_paths_read_what_is_there_and_never_raise(expression: str, expected: object) -> None:
    data = {
        "a": "<p>hi &amp; <b>you</b></p><blockquote>no</blockquote>",
        "n": 5,
        "word": "a b/c",
        "query": "x=12&",
        "address": "https://place.example/z",
        "people": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Tom"}],
        "yes": True,
    }
    assert path(expression)(data) == expected


@pytest.mark.parametrize(
    "data", [None, 5, "x", [], [1], {"posts": {"a": 1}}, {"posts": [[], None, 3, "x", {"id": []}]}]
)
def test_any_json_is_judged(data: object) -> None:
    reading = read(data)
    assert not reading.broken
    assert reading.posts == ()
    assert reading.finding is not None


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("1 234", 1234),
        ("1,234,567", 1234567),
        ("4.4K", 4400),
        ("3,2 К", 3200),
        ("12", 12),
        (3.0, 3),
        (True, None),
        ("1.5", 1),
        ("many", None),
        ("", None),
        (None, None),
        (float("inf"), None),
        ("9" * 50, None),
    ],
)
def test_counts(said: object, number: int | None) -> None:
    assert count(said) == number


@pytest.mark.parametrize(
    ("number", "year"),
    [
        (1_795_082_400, 2026),
        (1_795_082_400_000, 2026),
        (1_795_082_400_000_000, 2026),
        (1_795_082_400_000_000_000, 2026),
        (0, None),
        (-5, None),
        (float("nan"), None),
        (1e300, None),
        (1000, None),
    ],
)
def test_moments(number: float, year: int | None) -> None:
    found = epoch(number)
    assert (found.year if found else None) == year


def test_quotes_are_left_out() -> None:
    assert html_text("<aside class='quote'><blockquote>old</blockquote></aside><p>new</p>") == "new"
    assert html_text("<blockquote>only</blockquote>") == "only"
    assert markdown_text("> old\r\n\r\n**new** [page](https://x.example) <!-- hidden -->") == "new page"
    assert markdown_text("> only") == "> only"
    assert markdown_text("see <https://x.example/?a=1>\nAnn <a@b.example>\n\n<b>x</b> &lt;  \ny") == (
        "see https://x.example/?a=1\nAnn a@b.example\n\nx <\ny"
    ), "a tag in it does not make one line of all"
    assert unquoted("> old\nnew") == "new"


@pytest.mark.parametrize("piece", ["<!--", "[", "[a](", "**", "> ", "<blockquote>", "&gt;", "![", "_a_", "{[("])
def test_hostile_texts_cost_little(piece: str) -> None:
    begun = time.process_time()
    for read_it in (html_text, markdown_text, unquoted):
        read_it(piece * (200_000 // len(piece)))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"\xef\xbb\xbf[1]", [1]),
        (b')]}\',\n{"a": 1}', {"a": 1}),
        (b"for(;;);[1]", [1]),
        (b'cb({"a": 1});', {"a": 1}),
        (b'{"a": 1}\n{"a": 2}\nbroken\n', [{"a": 1}, {"a": 2}]),
        (b'event: update\ndata: {"a": 1}\n\n', [{"a": 1}]),
    ],
)
def test_json_comes_in_many_dresses(body: bytes, expected: object) -> None:
    assert load(body) == expected


def test_json_from_hell(shared: Path) -> None:
    """Every case of the parsing suite is data or a clear no."""
    cases = sorted((shared / "corpus" / "json" / "test_parsing").iterdir())
    assert len(cases) > 200
    for case in cases:
        body = case.read_bytes()
        with suppress(Unreadable):
            load(body)
        assert not read(body).broken, case.name
    for body in (b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b'{"posts": [' + b"{}," * 9000 + b"{}]}"):
        assert not read(body).broken


@pytest.mark.parametrize(
    ("body", "status", "verdict", "words"),
    [
        ({"error": {"message": "Invalid token"}}, 200, Verdict.BLOCKED, "Invalid token"),
        ({"error": "too many requests, slow down"}, 200, Verdict.FAILED, "slow down"),
        ({"message": "Validation failed"}, 200, Verdict.FAILED, "Validation failed"),
        ({"things": []}, 200, Verdict.CHANGED, "things"),
        ({"posts": []}, 200, Verdict.EMPTY, "no posts"),
        (b"<!doctype html><title>Log in</title><input type=password>", 200, Verdict.BLOCKED, "log-in"),
        (b"<!doctype html><html><body>" + b"word " * 900, 200, Verdict.BLOCKED, "web page where JSON"),
        (b"", 200, Verdict.CHANGED, "empty answer"),
        (b'{"posts": [{"id": 1', 200, Verdict.FAILED, "breaks off"),
    ],
)
def test_what_is_no_list_of_posts_is_told_apart(body: object, status: int, verdict: Verdict, words: str) -> None:
    reading = read(body, status)
    assert reading.finding is not None
    assert (reading.finding.verdict, words in reading.finding.why) == (verdict, True), reading.finding


def test_an_empty_list_after_full_ones_is_suspicious() -> None:
    reading = read({"posts": []}, cursor={"_usual": 20})
    assert reading.finding is not None and reading.finding.verdict is Verdict.CHANGED


def test_items_without_words_are_no_alarm_and_items_without_their_text_are() -> None:
    quiet = read({"posts": [{"id": 1, "text": ""}]})
    assert quiet.finding is not None and quiet.finding.verdict is Verdict.OK
    broken = read({"posts": [{"id": 1, "body": "moved"}]})
    assert broken.finding is not None and broken.finding.verdict is Verdict.CHANGED
    assert len(broken.dropped) == 1


def test_an_error_shape_of_the_config_is_named() -> None:
    errors = [{"when": "code == `7`", "verdict": "blocked", "why": "the key is old"}]
    reading = read({"code": 7, "posts": []}, errors=errors)
    assert reading.finding is not None
    assert (reading.finding.verdict, "the key is old" in reading.finding.why) == (Verdict.BLOCKED, True)


def test_templates() -> None:
    values = {"word": "a b", "since": None, "page": 2}
    assert filled({"q": "{word} {since}", "p": "{page}", "s": "{since}", "n": 5}, values) == {
        "q": "a b",
        "p": 2,
        "n": 5,
    }
    assert filled({"filter": {"page": "{page}", "tags": ["{word}", "{since}"]}}, values) == {
        "filter": {"page": 2, "tags": ["a b"]}
    }


def test_a_request_is_read_back_from_its_address() -> None:
    made = settings(
        path="/{country}/p/{page}",
        query={"q": "{word}"},
        each={"country": ["ua"], "word": ["x"]},
        paging={"by": "page"},
    )
    values = recovered(made, "https://api.example/pl/p/7?q=a%20b")
    assert (values["country"], values["page"], values["word"]) == ("pl", 7, "a b")


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('<https://a.example/x?p=2>; rel="next", <https://a.example/x?p=9>; rel="last"', "https://a.example/x?p=2"),
        ('<https://a.example/x?p=1>; rel="prev"', None),
        ('</x?a=1,2>; title="next"; rel=next', "https://a.example/x?a=1,2"),
        ('<https://a.example/n>; rel="prev next"', "https://a.example/n"),
        ("nonsense <", None),
        ("", None),
    ],
)
def test_link_headers(header: str, url: str | None) -> None:
    assert link_next(Response("https://a.example/x", headers={"Link": header} if header else {})) == url


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"path": "/{nobody}"}, "{nobody} stands for nothing"),
        ({"posts": [{"items": "a..b", "fields": {"text": "x"}}]}, "no JMESPath"),
        ({"posts": [{"items": "a", "fields": {"words": "x"}}]}, "a post has no 'words'"),
        ({"posts": [{"items": "a", "fields": {"id": "x"}}]}, "text or title"),
        ({"posts": [{"items": "a", "fields": {"text": "shout(x)"}}]}, "no function 'shout'"),
        ({"deeper": [{"items": "a", "key": "id", "path": "/t/{id}"}]}, "{id} stands for nothing"),
    ],
)
def test_mistakes_in_a_source_are_named(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("{", r"\{").replace("}", r"\}")):
        settings(**more)


def posts(*minutes: int) -> list[Post]:
    return [Post(f"p {n}", platform_id=str(n), published_at=NOW - timedelta(minutes=n)) for n in minutes]


def walk(state: dict[str, Any] | None = None, overlap: float = 0.0, budget: int = 10) -> ApiWalk:
    made = ApiWalk(budget, state or {}, "newest")
    made.overlap = overlap
    made.learn({}, set(), NOW)
    return made


def test_a_walk_ends_behind_what_is_new() -> None:
    known = {"newest": (NOW - timedelta(minutes=60)).isoformat()}
    assert not walk(known).stops(posts(1, 2, 3), 3)
    assert walk(known).stops(posts(61, 62, 63), 0)
    assert not walk(known, overlap=3600).stops(posts(61, 62, 63), 0), "late posts are looked for within the overlap"
    assert not walk(known).stops(posts(1, 500, 2, 3), 4), "a single old post among new ones is no end"


def test_the_place_moves_only_when_a_walk_is_complete() -> None:
    old = (NOW - timedelta(minutes=60)).isoformat()
    going = walk({"newest": old})
    assert going.page("u", posts(1, 2, 3), True) == {"newest": old, "open": True}
    assert going.page("u", posts(61, 62, 63), True)["newest"] == (NOW - timedelta(minutes=1)).isoformat()
    assert walk({"newest": old}).page("u", posts(90), False)["newest"] == old, "never backwards"


def test_a_post_from_the_future_does_not_blind_the_next_run() -> None:
    state = walk().page("u", posts(-90, 5), False)
    assert state["newest"] == (NOW - timedelta(minutes=5)).isoformat()


def test_pinned_posts_do_not_count() -> None:
    made = walk({"newest": (NOW - timedelta(minutes=60)).isoformat()})
    old = posts(5000, 5001, 5002)
    made.learn({}, {mark(post) for post in old}, NOW)
    assert not made.stops([*old, *posts(1)], 1)


@pytest.mark.parametrize(
    ("headers", "left", "wait"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795176060"}, 0, 60.0),
        ({"X-Ratelimit-Remaining": "12.0", "X-Ratelimit-Reset": "30"}, 12, 30.0),
        ({"X-RateLimit-Remaining": "299", "X-RateLimit-Reset": "2026-11-20T12:01:00.5Z"}, 299, 60.5),
        ({"RateLimit-Remaining": "5", "RateLimit-Reset": "7"}, 5, 7.0),
        ({"X-RateLimit-Remaining": "x", "X-RateLimit-Reset": "y"}, None, None),
        ({"X-RateLimit-Remaining": "1"}, None, None),
        ({"X-RateLimit-Remaining": "nan", "X-RateLimit-Reset": "inf"}, None, None),
        ({}, None, None),
    ],
)
def test_counters_of_apis(headers: dict[str, str], left: int | None, wait: float | None) -> None:
    counted = polite.counter(Response("https://a.example", headers=headers), now=1795176000.0)
    assert counted == (None if left is None else (left, wait))


@pytest.mark.parametrize("by", ["page", "offset"])
def test_pages_of_an_unsaid_length_are_read_on(by: str) -> None:
    twenty = {"posts": [{"id": n, "text": f"Post {n}"} for n in range(20)]}
    paging = {"by": by, "param": "at"}
    [onward] = read(twenty, paging=paging).requests
    assert onward.url.endswith({"page": "at=2", "offset": "at=20"}[by])
    assert read(twenty, paging={**paging, "size": 50}).requests == ()
    assert read(twenty, paging=paging, query={"limit": "{size}"}).requests == ()
    assert read({"posts": []}, paging=paging).requests == ()


def test_an_empty_last_page_ends_the_walk() -> None:
    spider = ApiSpider(source=Source("s", "api", settings(paging={"by": "cursor", "param": "c", "cursor": "next"})))
    bodies: tuple[dict[str, Any], ...] = (
        {"posts": [{"id": 1, "text": "One", "at": 1_795_000_000}], "next": "b"},
        {"posts": [], "next": None},
    )
    for number, body in enumerate(bodies):
        response = response_of(Document("https://api.example/x", 200, {}, json.dumps(body).encode(), NOW))
        response.meta.update(chain="api?", **({"paging": True} if number else {}))
        spider.cursor_ = spider._next_cursor(response, spider.read(response)) or spider.cursor_
    place = spider.cursor_["_walks"]["api?"]
    assert "open" not in place
    assert place["newest"] == datetime.fromtimestamp(1_795_000_000, UTC).isoformat()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Sun Nov 01 10:00:00 +0000 2026", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("/Date(1793527200000+0200)/", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("20261101", datetime(2026, 11, 1, tzinfo=UTC)),
        (10**400, None),
    ],
)
def test_dates_as_apis_write_them(said: object, expected: datetime | None) -> None:
    [post] = read({"posts": [{"id": 1, "text": "One", "at": said}]}).posts
    assert post.published_at == expected


def test_numbers_that_no_database_holds_cost_no_post() -> None:
    shape = {
        **SHAPE,
        "fields": {"id": "id", "text": "text", "followers": "fans"},
        "engagement": {"likes": "n", "views": "m"},
    }
    body = {"posts": [{"id": 1, "text": "One", "fans": -1, "n": 10**400, "m": 0}]}
    [post] = read(body, posts=[shape]).posts
    assert (post.author.followers, post.engagement) == (None, {"views": 0})


def test_json_of_another_charset_keeps_its_letters() -> None:
    body = json.dumps({"posts": [{"id": 1, "text": "Каса зламалась"}]}, ensure_ascii=False)
    for codec in ("cp1251", "utf-16"):
        charset = "; charset=windows-1251" if codec == "cp1251" else ""
        declared = {"content-type": f"application/json{charset}"}
        document = Document("https://api.example/x", 200, declared, body.encode(codec), NOW)
        [post] = ApiSpider(source=Source("s", "api", settings())).read(response_of(document)).posts
        assert post.text == "Каса зламалась"


def test_a_line_separator_within_a_text_ends_no_document() -> None:
    assert load('{"a": "one\u2028two"}\n{"a": "three\x85"}\n'.encode()) == [{"a": "one\u2028two"}, {"a": "three\x85"}]
