"""A source that lives in bursts, 0 to 40 posts a run and none at night: no false alarm in a month, and no blindness."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crawler.store.usual import Usual, Yield, judged

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
FIELDS = ("author", "time", "text", "url", "id")


def bursts(seed: int, every: float, days: int, keeps: float, begins: float) -> Iterator[tuple[datetime, Yield]]:
    """Runs of a source; `keeps`: the share of the posts shown that were shown before, `begins`: at which hour."""
    chance, at = random.Random(seed), MONDAY + timedelta(hours=begins)
    while at < MONDAY + timedelta(days=days):
        shown = chance.randint(0, 40) if 7 <= at.hour < 23 else 0
        new = shown - round(keeps * shown * chance.random())
        full = dict.fromkeys(FIELDS, shown)
        yield at, Yield(1, shown, new, full, (150,) * shown) if shown else Yield(empty=True)
        at += timedelta(hours=every * chance.uniform(0.9, 1.1))


def told(seed: int, every: float, days: int = 30, keeps: float = 0.0, breaks: str = "") -> tuple[list[int], int]:
    """The numbers of the odd runs, and the first run of the last week, in which it is broken."""
    usual, odd, first = Usual(), [], -1
    for number, (at, one) in enumerate(bursts(seed, every, days, keeps, random.Random(seed).uniform(0, 24))):
        run = one
        if breaks and at >= MONDAY + timedelta(days=days - 7):
            first = number if first < 0 else first
            run = Yield(empty=True) if breaks == "nothing" else replace(run, filled={**run.filled, breaks: 0})
        usual, oddity = judged(usual, run, at)
        if oddity is not None:
            odd.append(number)
    return odd, first


@pytest.mark.property
@pytest.mark.parametrize("every", [0.5, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("keeps", [0.0, 0.8])
def test_a_month_of_bursts_raises_no_alarm(every: float, keeps: float) -> None:
    assert [told(seed, every, keeps=keeps)[0] for seed in range(12)] == [[]] * 12


@pytest.mark.parametrize(("weekend", "rests"), [(0, True), (1, True), (4, False), (10, False)])
def test_a_source_that_rests_at_weekends_is_known_by_its_second(weekend: int, rests: bool) -> None:
    usual = Usual()
    for hour in range(0, 14 * 24, 2):
        at = MONDAY + timedelta(hours=hour)
        new = weekend if at.weekday() > 4 else 12
        usual, _ = judged(usual, Yield(1, 20, new, dict.fromkeys(FIELDS, 20)), at)
    assert usual.rests() is rests


@pytest.mark.parametrize("seed", range(6))
def test_posts_that_lose_their_authors_are_found_although_they_come_in_bursts(seed: int) -> None:
    odd, first = told(seed, 3.0, breaks="author")
    assert first <= odd[0] <= first + 8, "the first run by day that shows enough"


@pytest.mark.parametrize("seed", range(6))
def test_bursts_that_end_for_good_are_found_by_what_should_have_come(seed: int) -> None:
    """No single silence tells anything; a day without the posts that always came by then does."""
    odd, first = told(seed, 1.0, breaks="nothing")
    assert odd and first <= odd[0] <= first + 48
