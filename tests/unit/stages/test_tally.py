"""What a run showed, added up, and what becomes of its verdict in the light of what is usual."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crawler.errors import StoreError
from crawler.model import Author, Post, Run, Source, Verdict
from crawler.stages.tally import MOST_LENGTHS, Tally, told
from crawler.store import Oddity, Yield

RUN = Run(7, Source("news", "feed", {}), "slot", "owner", 3)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def post(**given: Any) -> Post:
    return Post(**{"text": "words", "author": Author("Ada"), "published_at": NOW, **given})


def test_a_run_is_added_up() -> None:
    tally = Tally()
    tally.add("http://a.example/1", [post(), post(author=Author()), post(text="", deleted=True)], new=2)
    tally.add("http://a.example/2", [post(url="/x", platform_id="1", rating=0.0)], new=1)
    tally.add("http://a.example/3", [], new=0)
    found = tally.as_yield(Verdict.OK, 0)
    assert (found.answers, found.shown, found.new, found.sample) == (2, 3, 3, "http://a.example/1")
    assert found.filled == {"author": 2, "time": 3, "text": 3, "url": 1, "id": 1, "rating": 1}
    assert not found.quiet and not found.empty


def test_lengths_are_bounded() -> None:
    tally = Tally()
    for _ in range(3):
        tally.add("u", [post()] * 400, 0)
    assert len(tally.lengths) == MOST_LENGTHS and tally.shown == 1200


@pytest.mark.parametrize(
    ("verdict", "unchanged", "quiet", "empty"),
    [(Verdict.OK, 0, True, False), (Verdict.EMPTY, 0, False, True), (Verdict.OK, 1, False, False)],
)
def test_nothing_is_quiet_or_empty_or_unchanged(verdict: Verdict, unchanged: int, quiet: bool, empty: bool) -> None:
    found = Tally().as_yield(verdict, unchanged)
    assert (found.quiet, found.empty) == (quiet, empty)


def end(said: Oddity | StoreError | None) -> tuple[Verdict, str | None]:
    def learn(run: Run, verdict: Verdict, what: Yield) -> Oddity | None:
        if isinstance(said, StoreError):
            raise said
        return said

    store: Any = SimpleNamespace(yields=SimpleNamespace(learn=learn))
    intake: Any = SimpleNamespace(tally=Tally(), unchanged=0)
    return told(store, RUN, intake, Verdict.OK, None)


def test_another_make_changes_the_verdict_and_an_odd_flow_does_not() -> None:
    verdict, why = end(Oddity("20 of 20 posts have no author", changed=True))
    assert verdict is Verdict.CHANGED
    assert why is not None and why.startswith("20 of 20 posts have no author; the site may have changed")
    assert end(Oddity("no new posts", changed=False)) == (Verdict.OK, None)
    assert end(None) == (Verdict.OK, None)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [(None, Verdict.EMPTY), (Oddity("no posts, and there never were fewer", True), Verdict.CHANGED)],
)
def test_a_run_without_posts_after_one_with_some_is_judged_by_what_is_usual(
    said: Oddity | None, verdict: Verdict
) -> None:
    """A source that is still at night is not broken; `changed` by the spider alone is the last word where it knows."""
    seen: list[tuple[Verdict, Yield]] = []

    def learn(run: Run, verdict: Verdict, what: Yield) -> Oddity | None:
        seen.append((verdict, what))
        return said

    store: Any = SimpleNamespace(yields=SimpleNamespace(learn=learn))
    intake: Any = SimpleNamespace(tally=Tally(emptied=True), unchanged=0)
    assert told(store, RUN, intake, Verdict.CHANGED, "20 the time before")[0] is verdict
    assert seen[0][0] is Verdict.EMPTY and seen[0][1].empty
    intake.tally.emptied = False
    assert told(store, RUN, intake, Verdict.CHANGED, "all 20 entries are broken")[0] is Verdict.CHANGED


def test_a_run_ends_although_nothing_could_be_learned() -> None:
    assert end(StoreError("locked")) == (Verdict.OK, "locked")
