"""What every source kind promises, in one table over all kinds and their recordings."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recorded import RECORDINGS, Recording, all_recordings, as_json, key

from crawler import plugins
from crawler.model import Document, Post, Source, Verdict
from spiders.answers import document_of, response_of
from spiders.base import SourceSpider

KINDS = plugins.discover("spiders", SourceSpider)
PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
CASES = [pytest.param(recording, id=f"{recording.kind}-{recording.folder.name}") for recording in all_recordings()]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading an answer is pure: it opens no connection."""

    def refused(*_: object) -> None:
        raise AssertionError("reading an answer must not talk to anybody")

    monkeypatch.setattr(socket.socket, "connect", refused)


def said(post: Post) -> tuple[str | None, str]:
    return post.title, post.text


def spider_of(recording: Recording) -> SourceSpider:
    return recording.spider(KINDS[recording.kind])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_has_a_recording(kind: str) -> None:
    assert list((RECORDINGS / kind).glob("*/response.body")), f"record an answer of {kind} in {RECORDINGS / kind}"


def test_every_recording_is_of_a_kind() -> None:
    assert {recording.kind for recording in all_recordings()} <= set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_is_a_scrapy_spider_that_explains_itself(kind: str) -> None:
    spider = KINDS[kind]
    assert spider.name == kind
    assert spider.__doc__
    unexplained = [name for name, field in spider.Settings.model_fields.items() if not field.description]
    assert unexplained == []


def test_the_base_is_no_spider_of_its_own() -> None:
    assert not hasattr(SourceSpider, "name") or SourceSpider.name is None


@pytest.mark.parametrize("recording", CASES)
def test_a_recording_reads_as_expected(recording: Recording) -> None:
    assert as_json(recording.read(spider_of(recording))) == recording.expected


@pytest.mark.parametrize("recording", CASES)
def test_reading_is_pure(recording: Recording) -> None:
    """Twice by one spider and once by another: always the same."""
    spider = spider_of(recording)
    first, second, other = recording.read(spider), recording.read(spider), recording.read(spider_of(recording))
    assert as_json(first) == as_json(second) == as_json(other)


@pytest.mark.parametrize("recording", CASES)
def test_posts_are_sound(recording: Recording) -> None:
    reading = recording.read(spider_of(recording))
    now = datetime.fromisoformat(recording.about["fetched_at"])
    for post in reading.posts:
        assert post.text or post.title or post.deleted
        assert post.published_at is None or (post.published_at.tzinfo is UTC and post.published_at <= now)
    assert len({key(post) for post in reading.posts}) == len(reading.posts), "one post hides another"


@pytest.mark.parametrize("recording", [case for case in CASES if case.values[0].in_any_order])
def test_ids_do_not_hang_on_the_order(recording: Recording) -> None:
    body = recording.turned_round()
    assert body is not None and body != recording.body
    posts = recording.read(spider_of(recording)).posts
    turned = recording.read(spider_of(recording), body).posts
    assert sorted(map(key, turned)) == sorted(map(key, posts))
    assert list(map(said, turned)) != list(map(said, posts)) or len(posts) < 2


@pytest.mark.parametrize("recording", CASES)
def test_a_kept_document_reads_like_the_answer(recording: Recording) -> None:
    """The way from answer to Document and back loses nothing that the spider looks at."""
    spider, about = spider_of(recording), recording.about
    when = datetime.fromisoformat(about["fetched_at"])
    answer = response_of(Document(about["url"], about["status"], about["headers"], recording.body, when))
    kept = document_of(answer)
    assert (kept.url, kept.body, kept.fetched_at) == (about["url"], recording.body, when)
    assert as_json(spider.read(response_of(kept))) == recording.expected


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff\xfe", b"<html></html>", b"plain words", b"{}", b"<?xml version='1.0'?>"]
)
def test_nothing_to_read_is_a_verdict(kind: str, body: bytes) -> None:
    recording = next(recording for recording in all_recordings() if recording.kind == kind)
    reading = recording.read(spider_of(recording), body)
    assert reading.posts == ()
    if reading.finding is None:
        assert reading.requests, "nothing is silent"
        assert recording.other_ways(KINDS[kind]), "only another way to the same posts may be tried first"
        return
    assert reading.finding.verdict is not Verdict.OK
    assert "https://" in reading.finding.why


def test_the_smallest_kind_is_one_short_file() -> None:
    """A stranger's file in `plugins/` is a kind, and it takes no more than 25 lines."""
    kinds = plugins.discover("spiders", SourceSpider, PLUGINS)
    assert set(kinds) == {*KINDS, "guestbook"}
    written = [line for line in (PLUGINS / "guestbook.py").read_text("utf-8").splitlines() if line.strip()]
    assert len(written) <= 25
    settings = kinds["guestbook"].Settings(url="https://book.example/")
    spider = kinds["guestbook"](source=Source("book", "guestbook", settings))
    body = "<pre>Ада: чайник тече\nне рядок\nTom: mine too\n</pre>".encode()
    when = datetime(2026, 11, 20, tzinfo=UTC)
    html = {"content-type": "text/html; charset=utf-8"}
    reading = spider.read(response_of(Document("https://book.example/", 200, html, body, when)))
    assert [(post.author.name, post.text) for post in reading.posts] == [("Ада", "чайник тече"), ("Tom", "mine too")]
    assert len(reading.dropped) == 1
