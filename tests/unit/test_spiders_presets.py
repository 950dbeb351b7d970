"""Kinds of platforms, where an answer tells more than its list: sister sites, spent keys, older versions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crawler import plugins
from crawler.model import Document, Source, Verdict
from crawler.stages.crawl import prepared
from spiders.answers import response_of
from spiders.api import ApiSpider
from spiders.base import SourceSpider
from spiders.verdicts import Finding

KINDS = plugins.discover("spiders", SourceSpider)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MADE = 1_795_000_000


def spider_of(kind: str, **settings: Any) -> ApiSpider:
    spider = KINDS[kind](source=Source("s", kind, KINDS[kind].Settings.model_validate(settings)))
    assert isinstance(spider, ApiSpider)
    return spider


def document(spider: ApiSpider, body: object, status: int = 200) -> Document:
    return Document(next(iter(spider.requests())).url, status, {}, json.dumps(body).encode(), NOW)


def identities(kind: str, body: object, **settings: Any) -> list[tuple[str, str | None, str]]:
    spider = spider_of(kind, **settings)
    asked = document(spider, body)
    made = [prepared(post, asked) for post in spider.read(response_of(asked)).posts]
    return [(one[4], one[0].url, one[3]) for one in made if one]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("stackoverflow", "stackoverflow.com"),
        ("ru.stackoverflow", "ru.stackoverflow.com"),
        ("unix", "unix.stackexchange.com"),
        ("unix.meta", "unix.meta.stackexchange.com"),
        ("mathoverflow.net", "mathoverflow.net"),
    ],
)
def test_numbers_of_sister_sites_are_numbers_of_their_own(name: str, host: str) -> None:
    whole = {
        "items": [{"question_id": 4, "title": "T", "link": f"https://{host}/questions/4/t", "creation_date": MADE}]
    }
    parts = {
        "items": [
            {"item_type": "question", "question_id": 4, "title": "T", "excerpt": "a", "creation_date": MADE},
            {"item_type": "answer", "question_id": 4, "answer_id": 5, "excerpt": "b", "creation_date": MADE},
        ]
    }
    asked = {"words": ["x"], "sites": [name]}
    assert identities("stackexchange", whole, **asked) == [(host, f"https://{host}/questions/4/t", "id:4")]
    assert identities("stackexchange", parts, search="excerpts", **asked) == [
        (host, f"https://{host}/q/4", "id:4"),
        (host, f"https://{host}/a/5", "id:5"),
    ]


@pytest.mark.parametrize(
    ("status", "reason", "message", "onward"),
    [
        (403, "quotaExceeded", "You have exceeded your quota.", False),
        (400, "badRequest", "API key not valid. Please pass a valid API key.", False),
        (403, "forbidden", "Method doesn't allow unregistered callers.", True),
    ],
)
def test_a_spent_key_is_not_hidden_by_the_feeds(status: int, reason: str, message: str, onward: bool) -> None:
    spider = spider_of("youtube", channels=["UCx"], key="k")
    error = {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}
    told: list[Finding] = []
    spider._found = told.append  # type: ignore[method-assign, assignment]
    requests = spider._refused(response_of(document(spider, error, status)), Finding(Verdict.BLOCKED, "refused"))
    assert bool(requests) is onward
    assert [message in finding.why for finding in told] == ([] if onward else [True])


@pytest.mark.parametrize("name", ["items", "results", "search"])
def test_lemmy_calls_its_list_by_several_names(name: str) -> None:
    post = {"id": 2, "name": "P", "ap_id": "https://o.example/post/9", "published_at": "2026-11-01T10:00:00Z"}
    comment = {"id": 3, "content": "hi", "ap_id": "https://o.example/comment/3", "path": "0.3"}
    body = {name: [{"type_": "post", "post": post}, {"type_": "comment", "post": post, "comment": comment}]}
    found = identities("lemmy", body, url="https://l.example", words=["x"])
    assert [key for _, _, key in found] == ["id:https://o.example/post/9", "id:https://o.example/comment/3"]


def test_a_comment_without_a_date_of_greenwich_has_its_own() -> None:
    comment = {"id": 7, "date": "2026-11-01T10:00:00", "date_gmt": "0000-00-00T00:00:00", "content": {"rendered": "hi"}}
    spider = spider_of("wordpress", url="https://p.example")
    [post] = spider.read(response_of(document(spider, [comment]))).posts
    assert post.published_at == datetime(2026, 11, 1, 10, tzinfo=UTC)


def test_a_search_that_gave_up_is_no_silence() -> None:
    spider = spider_of("github", searches=["x"])
    body = {"total_count": 0, "incomplete_results": True, "items": []}
    finding = spider.read(response_of(document(spider, body))).finding
    assert finding is not None and finding.verdict is Verdict.FAILED


def test_a_visiting_card_without_a_name_is_no_quiet_channel() -> None:
    settings = KINDS["telegram"].Settings.model_validate({"channel": "some_channel"})
    card = b"<div class='tgme_page'><div class='tgme_page_description'>you can contact @some_channel</div></div>"
    asked = Document("https://t.me/some_channel", 200, {"content-type": "text/html; charset=utf-8"}, card, NOW)
    finding = KINDS["telegram"](source=Source("s", "telegram", settings)).read(response_of(asked)).finding
    assert finding is not None and finding.verdict is Verdict.BLOCKED


def test_a_comment_on_an_answer_has_a_place() -> None:
    comment = {"comment_id": 9, "post_id": 5, "body": "c", "creation_date": MADE}
    answer = {"answer_id": 5, "question_id": 4, "body": "b", "creation_date": MADE, "comments": [comment]}
    link = "https://unix.stackexchange.com/questions/4/t"
    body = {"items": [{"question_id": 4, "title": "T", "link": link, "creation_date": MADE, "answers": [answer]}]}
    found = identities("stackexchange", body, words=["x"], sites=["unix"])
    assert [url for _, url, _ in found] == [link, f"{link}#5", "https://unix.stackexchange.com/posts/5#comment9"]
    assert {site for site, _, _ in found} == {"unix.stackexchange.com"}
