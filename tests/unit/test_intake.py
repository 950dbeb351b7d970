"""What the crawl stage does to a post at the door, and how it judges a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from crawler.errors import LeaseLost
from crawler.model import Author, Document, Post, PostOutcome, Run, Source, Verdict
from crawler.stages.crawl import Intake, identity, prepared
from crawler.stages.crawl_host import judged
from crawler.text import content_hash, fold

DOCUMENT = Document("http://news.example.com/feed", 200, {}, b"", datetime(2026, 11, 22, tzinfo=UTC))
RUN = Run(7, Source("news", "feed", {}), "slot", "owner", 3)


class Notebook:
    """Stands where the store's intake stands: writes down what it is asked, or says that the lease is lost."""

    def __init__(self, lost: bool = False) -> None:
        self.taken: list[Sequence[Any]] = []
        self.noted: list[Mapping[str, int]] = []
        self.lost = lost

    def take(
        self, run: Run, document: Document, rows: Sequence[Any], cursor: Any, validators: Any, grows: bool = False
    ) -> Any:
        if self.lost:
            raise LeaseLost("taken over")
        self.taken.append(rows)
        return {PostOutcome.NEW: len(rows)}

    def note(self, run: Run, **counts: int) -> None:
        self.noted.append(counts)


def intake(notebook: Notebook, lost: list[str] | None = None) -> Intake:
    store: Any = SimpleNamespace(intake=notebook)
    return Intake(store, RUN, lambda: (lost if lost is not None else []).append("lost"))


def one(**given: Any) -> tuple[Post, str, str, str, str]:
    row = prepared(Post(**{"text": "Нова  Пей", "url": "/a?utm_source=x#top", **given}), DOCUMENT)
    assert row is not None
    return row


def test_a_post_is_cleaned_and_identified() -> None:
    post, folded, digest, key, site = one(
        text=" Нова Пей\r\nсписала\x00 \ud800гроші ", title="  Скарга\r\n", author=Author(name=" Іван ", url="/u/1")
    )
    assert post.text == "Нова Пей\nсписала\ufffd \ufffdгроші"
    assert post.title == "Скарга"
    assert post.url == "http://news.example.com/a"
    assert (post.author.name, post.author.url) == ("Іван", "http://news.example.com/u/1")
    assert folded == fold(f"{post.title}\n{post.text}")
    assert digest == content_hash(f"{post.title}\n{post.text}")
    assert key == "url:http://news.example.com/a"
    assert (site, post.site) == ("example.com", "example.com")


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ({"platform_id": " 42 "}, "id:42"),
        ({"platform_id": "  "}, "url:http"),
        ({"url": "javascript:alert(1)"}, "hash:"),
        ({"url": None}, "hash:"),
        ({"platform_id": "x" * 400}, "id#:"),
    ],
)
def test_identity_is_the_id_then_the_link_then_the_content(given: dict[str, Any], start: str) -> None:
    key = one(**given)[3]
    assert key.startswith(start)
    assert len(key) <= 210


def test_equal_content_without_id_or_link_is_one_post() -> None:
    assert one(url=None)[3] == one(url=None, text="нова пей")[3] != one(url=None, text="нова пей!")[3]


def test_identities_of_different_kinds_never_meet() -> None:
    assert len({identity("x", None, "d"), identity(None, "x", "d"), identity(None, None, "x")}) == 3
    assert identity("a" * 300, None, "d") != identity("a" * 299 + "b", None, "d")


@pytest.mark.parametrize("text", ["", " \n\t ", "\u00a0"])
def test_a_post_without_any_text_is_nothing(text: str) -> None:
    assert prepared(Post(text=text, url="http://a.example/1"), DOCUMENT) is None
    assert prepared(Post(text=text, title="t"), DOCUMENT) is not None
    assert prepared(Post(text=text, platform_id="1", deleted=True), DOCUMENT) is not None


def test_numbers_and_times_cannot_break_the_store() -> None:
    kyiv = timezone(timedelta(hours=2))
    post = one(
        rating=float("nan"),
        engagement={f"k{n}": 10**30 for n in range(50)},
        author=Author(followers=10**30),
        published_at=datetime(2026, 11, 22, 9, tzinfo=kyiv),
    )[0]
    assert post.rating is None
    assert len(post.engagement) == 20
    assert max(post.engagement.values()) < 2**63
    assert (post.author.followers or 0) < 2**63
    assert post.published_at == datetime(2026, 11, 22, 7, tzinfo=UTC)
    assert one(published_at=datetime(2026, 1, 1))[0].published_at == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001
    assert one(rating=0.0)[0].rating == 0.0


def test_what_is_dropped_at_the_door_is_counted() -> None:
    notebook = Notebook()
    door = intake(notebook)
    outcome = door.take(DOCUMENT, [Post("a"), Post(""), Post("b")], cursor=None, validators=None)
    door.flush()
    assert outcome == {PostOutcome.NEW: 2, PostOutcome.DROPPED: 1}
    assert len(notebook.taken[0]) == 2
    assert notebook.noted == [{"dropped": 1}]


def test_notes_are_gathered_and_written_once() -> None:
    notebook = Notebook()
    door = intake(notebook)
    door.note(fetched=1, unchanged=1)
    door.note(fetched=1)
    assert notebook.noted == []
    door.flush()
    door.flush()
    assert notebook.noted == [{"fetched": 2, "unchanged": 1}]


def test_a_lost_lease_stops_the_run() -> None:
    lost: list[str] = []
    door = intake(Notebook(lost=True), lost)
    with pytest.raises(LeaseLost):
        door.take(DOCUMENT, [Post("a")], cursor=None, validators=None)
    assert door.lost
    assert lost == ["lost"]


@pytest.mark.parametrize(
    ("hints", "stats", "verdict", "word"),
    [
        ([(Verdict.OK, None)], {"finish_reason": "finished"}, Verdict.OK, None),
        ([(Verdict.EMPTY, "no posts")], {"finish_reason": "finished"}, Verdict.EMPTY, "no posts"),
        ([(Verdict.BLOCKED, "403")], {"finish_reason": "shutdown"}, Verdict.BLOCKED, "403"),
        ([(Verdict.OK, None)], {"finish_reason": "shutdown"}, Verdict.FAILED, "ended early"),
        ([(Verdict.OK, None)], {"spider_exceptions/count": 2}, Verdict.FAILED, "broke 2 times"),
        ([(None, "no route"), (None, "no luck")], {}, Verdict.FAILED, "no route; no luck"),
        ([], {}, Verdict.FAILED, "ended early"),
    ],
)
def test_a_run_is_judged_by_its_worst(hints: Any, stats: Any, verdict: Verdict, word: str | None) -> None:
    door = intake(Notebook())
    for hint, error in hints:
        door.note(verdict=hint, error=error)
    found, error = judged(door, stats)
    assert found is verdict
    assert (error is None) if word is None else (word in (error or ""))
