"""The statistics of what is usual: simulated months of sources that are well, and of sources that break."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from crawler.store.usual import Usual, Yield, judged

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
SHAPES = ("list", "since", "day")


@dataclass
class Site:
    """A site with nights, weekends, holidays and bursts. `list`: its newest posts; `day`: those of the last day;
    `since`: those that came since the last run and six hours more."""

    seed: int
    shape: str
    every: float
    hourly: float

    def runs(self, days: int) -> Iterator[tuple[datetime, Yield]]:
        chance = random.Random(self.seed)
        weekend, night = chance.choice((0.1, 0.3, 1.0)), chance.choice((0.0, 0.1, 0.5))
        holidays = {chance.randrange(days) for _ in range(days // 12)}
        length, named = chance.randint(10, 40), chance.choice((1.0, 0.995, 0.9, 0.3))
        at = last = MONDAY + timedelta(hours=chance.random() * 24)
        came: list[datetime] = []
        while at < MONDAY + timedelta(days=days):
            at += timedelta(hours=self.every * chance.uniform(0.7, 1.6))
            burst, before = chance.gammavariate(2, 0.5), len(came)
            while last < at:
                busy = burst * (weekend if last.weekday() > 4 else 1) * (night if last.hour < 6 else 1)
                busy *= 0.1 if (last - MONDAY).days in holidays else 1
                mean = self.hourly * busy
                came += [last] * max(0, round(chance.gauss(mean, mean**0.5)))
                last += timedelta(hours=1)
            new = len(came) - before
            back = 24.0 if self.shape == "day" else self.every + 6
            shown = length if self.shape == "list" else sum(one > at - timedelta(hours=back) for one in came)
            came = came[-5000:]
            yield at, self._run(chance, shown, min(new, shown), named)

    def _run(self, chance: random.Random, shown: int, new: int, named: float) -> Yield:
        filled = dict.fromkeys(("time", "text", "url", "id"), shown)
        filled["author"] = sum(chance.random() < named for _ in range(shown))
        lengths = tuple(int(chance.lognormvariate(5, 0.8)) + 5 for _ in range(shown))
        nothing = not shown
        return Yield(
            int(not nothing), shown, new, filled, lengths, None, nothing and self.shape == "since",
            nothing and self.shape != "since",
        )  # fmt: skip


def oddities(site: Site, days: int, breaks: str = "", on_day: int = 10**6) -> tuple[list[int], int | None, int]:
    """The numbers of the odd runs, that of the first broken run, and how many runs there were."""
    usual, odd, first, number = Usual(), [], None, 0
    for number, (at, told) in enumerate(site.runs(days)):
        run = told
        if (at - MONDAY).days >= on_day:
            first = number if first is None else first
            run = broken(told, breaks)
        usual, oddity = judged(usual, run, at)
        usual = Usual.of(usual.as_json())
        if oddity is not None:
            odd.append(number)
    return odd, first, number + 1


def broken(run: Yield, how: str) -> Yield:
    if how == "nothing":
        return Yield(empty=True)
    if how == "lengths":
        return replace(run, lengths=tuple(max(1, one // 15) for one in run.lengths))
    if how == "thin":
        return replace(run, shown=1, new=0, filled=dict.fromkeys(run.filled, 1), lengths=run.lengths[:1])
    if how == "flood":
        return replace(run, shown=800, new=800, filled=dict.fromkeys(run.filled, 800), lengths=())
    return replace(run, filled={**run.filled, how: 0})


@pytest.mark.property
def test_sources_that_are_well_raise_next_to_no_alarms() -> None:
    """Two months of 36 sources: at most one run in a thousand is called odd, in at most three sources."""
    odd = runs = sources = 0
    for number, shape in enumerate(SHAPES):
        for every in (6.0, 24.0):
            for hourly in (0.8, 12.0):
                for turn in range(3):
                    found, _, count = oddities(Site(97 * number + turn, shape, every, hourly), 60)
                    odd, runs, sources = odd + len(found), runs + count, sources + bool(found)
    assert runs > 3000
    assert odd / runs <= 1 / 1000, (odd, runs)
    assert sources <= 3


@pytest.mark.parametrize("how", ["nothing", "time", "lengths", "thin", "flood"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_list_that_breaks_is_found_within_two_runs(how: str, seed: int) -> None:
    odd, first, _ = oddities(Site(seed, "list", 6.0, 2.0), 24, how, on_day=20)
    assert first is not None
    assert next(number for number in odd if number >= first) - first <= 1
    assert not [number for number in odd if number < first]


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 10)])
def test_a_list_that_was_empty_before_and_vanishes_for_good_is_found(before: int, after: int) -> None:
    """Some empty answers once do not excuse a silence that lasts."""
    usual, at = Usual(), MONDAY
    whole = Yield(1, 20, 3, dict.fromkeys(("author", "time", "text", "url", "id"), 20), (200,) * 20)
    told = []
    for number in range(80):
        at += timedelta(hours=6)
        gone = 2 <= number < 2 + before or number >= 60
        usual, oddity = judged(usual, Yield(1, empty=True) if gone else whole, at)
        usual = Usual.of(usual.as_json())
        told.append(bool(oddity and oddity.changed))
    assert told == [number >= 60 + after - 1 for number in range(80)]


def test_a_question_for_what_is_new_that_falls_silent_is_found() -> None:
    """An empty answer says nothing by itself; two days without a post do, where there never was one."""
    usual, at, chance = Usual(), MONDAY, random.Random(5)
    told = []
    for day in range(33):
        at += timedelta(hours=24)
        new = chance.randint(12, 40) if day < 30 else 0
        run = Yield(1, new, new, {"time": new}, (100,) * new) if new else Yield(quiet=True)
        usual, oddity = judged(usual, run, at)
        told.append(oddity)
    assert told[:31] == [None] * 31
    assert told[31] is not None and not told[31].changed
    assert "never fewer than 12" in told[31].why or "no new posts in 2 runs" in told[31].why


def test_what_stays_odd_for_weeks_is_the_new_usual() -> None:
    usual, at = Usual(), MONDAY
    whole = Yield(1, 20, 1, dict.fromkeys(("author", "time", "text", "url", "id"), 20), (200,) * 20)
    told = []
    for number in range(140):
        at += timedelta(hours=12)
        usual, oddity = judged(usual, whole if number < 20 else broken(whole, "author"), at)
        told.append(oddity is not None)
    assert told[20] and told[40] and not told[-1]
    assert usual.fields["author"][1] == 0


def test_one_odd_post_and_a_young_source_are_no_news() -> None:
    usual, at = Usual(), MONDAY
    for number in range(30):
        at += timedelta(hours=6)
        lone = Yield(1, 1, 1, {"author": int(number != 20), "time": 1}, (5 if number == 21 else 400,))
        usual, oddity = judged(usual, lone, at)
        assert oddity is None
