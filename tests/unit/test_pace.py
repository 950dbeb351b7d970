"""Adaptive polling against a slow simulator: what it saves against fixed intervals, and how late posts are seen."""

from __future__ import annotations

import bisect
import itertools
import json
import math
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scrapy.http import Request, Response

from crawler.engine.clock import Schedule, after_hours, interval, next_run
from crawler.model import Source
from crawler.store.pace import learn, wanted_gap
from spiders.feed import FeedSpider
from spiders.freshness import freshness_of, joined, kept

HOUR, DAY = 3600.0, 86400.0
LOW, HIGH = 300.0, 6 * HOUR
BOUNDS = Schedule(every_min=LOW, every_max=HIGH)


@dataclass
class Seen:
    """What a way of polling came to: requests, and the mean delay of a post in seconds."""

    requests: int
    delay: float


def posts_of(per_day: float, days: int, seed: int, burst: tuple[float, int] | None = None) -> list[float]:
    """Moments of posts: a day has its hours, and once there is a burst of so many within an hour."""
    chance, at, found = random.Random(seed), 0.0, list[float]()
    peak = per_day / DAY * 2
    while at < days * DAY:
        at += chance.expovariate(peak)
        if chance.random() < (1 + math.sin(2 * math.pi * at / DAY)) / 2:
            found.append(at)
    if burst:
        found += [burst[0] + chance.random() * HOUR for _ in range(burst[1])]
    return sorted(moment for moment in found if moment < days * DAY)


def fixed(posts: list[float], every: float, days: int) -> Seen:
    """A poll each `every` seconds."""
    delays = [every - moment % every for moment in posts]
    return Seen(int(days * DAY / every), sum(delays) / max(1, len(delays)))


def adaptive(posts: list[float], days: int, schedule: Schedule = BOUNDS) -> Seen:
    """The clock of the house, minute by minute as it would run."""
    at, requests, delays, done = 0.0, 0, list[float](), 0
    pace, last = None, None
    while at < days * DAY:
        upto = bisect.bisect_right(posts, at)
        new = upto - done
        delays += [at - moment for moment in posts[done:upto]]
        elapsed = None if last is None else at - last
        pace = learn(pace, new, elapsed)
        requests, done, last = requests + 1, upto, at
        at += interval(schedule, (requests * 0.618) % 1, wanted_gap(pace, elapsed))
    return Seen(requests, sum(delays) / max(1, len(delays)))


@pytest.mark.parametrize(
    ("per_day", "most_requests", "most_delay"),
    [(0.1, 7 * 30, HIGH), (2, 8 * 30, HIGH * 0.8), (24, 22 * 30, 1.1 * HOUR), (200, 165 * 30, 8 * 60.0)],
)
def test_requests_follow_the_posts(per_day: float, most_requests: int, most_delay: float) -> None:
    seen = adaptive(posts_of(per_day, 30, seed=3), 30)
    assert seen.requests <= most_requests
    assert seen.delay <= most_delay


def test_it_saves_requests_against_fixed_intervals_at_the_same_delay() -> None:
    """Sources as they are, most of them quiet: what would one fixed interval for all cost, that sees posts as early?"""
    chance, days = random.Random(11), 14
    rates = [10 ** chance.uniform(-1, 2.3) for _ in range(60)]
    worlds = [posts_of(rate, days, seed) for seed, rate in enumerate(rates)]
    ours = [adaptive(posts, days) for posts in worlds]
    requests = sum(seen.requests for seen in ours)
    delay = _mean_delay(worlds, ours)
    at_ten = [fixed(posts, 600.0, days) for posts in worlds]
    equal = next(
        every for every in range(300, int(HIGH), 120) if _mean_delay(worlds, _all(worlds, every, days)) >= delay
    )
    at_equal = sum(seen.requests for seen in _all(worlds, equal, days))
    assert requests < 0.25 * sum(seen.requests for seen in at_ten), "against every: 10m"
    assert requests < 0.75 * at_equal, "against the fixed interval that sees posts as early"


def _all(worlds: list[list[float]], every: float, days: int) -> list[Seen]:
    return [fixed(posts, every, days) for posts in worlds]


def _mean_delay(worlds: list[list[float]], seen: list[Seen]) -> float:
    """Of all posts, wherever they were published."""
    total = sum(len(posts) for posts in worlds)
    return sum(one.delay * len(posts) for one, posts in zip(seen, worlds, strict=True)) / total


def test_a_burst_shortens_the_interval_at_once_and_is_forgotten() -> None:
    pace, elapsed, gaps = None, None, list[float]()
    for new in [5, *[0] * 30, 12, 9, *[0] * 12]:
        pace = learn(pace, new, elapsed)
        elapsed = interval(BOUNDS, 0.5, wanted_gap(pace, elapsed))
        gaps.append(elapsed)
    assert gaps[30] == pytest.approx(HIGH, rel=0.06)
    assert gaps[31] < HIGH / 6
    assert gaps[-1] > 2 * HOUR


def test_one_quiet_poll_never_more_than_doubles_the_gap() -> None:
    pace = learn(learn(None, 10, None), 40, 600.0)
    assert wanted_gap(learn(pace, 0, 300.0), 300.0) <= 600.0  # type: ignore[operator]


def test_the_posts_of_the_first_run_say_nothing_of_the_pace() -> None:
    assert wanted_gap(learn(None, 5000, None), None) is None


def test_where_nothing_new_costs_next_to_nothing_it_is_asked_oftener() -> None:
    pace = learn(learn(None, 0, None), 4, 4 * HOUR)
    cheap = learn(learn(None, 0, None), 4, 4 * HOUR, unchanged=True)
    assert wanted_gap(cheap, None) < wanted_gap(pace, None)  # type: ignore[operator]


@pytest.mark.property
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.floats(0.001, 30 * DAY)), max_size=40),
    st.floats(1, DAY),
    st.floats(1, 100),
    st.floats(0, 0.999),
)
@settings(max_examples=200, deadline=None)
def test_whatever_comes_the_bounds_hold(runs: list[tuple[int, float]], low: float, factor: float, share: float) -> None:
    pace = learn(None, 3, None)
    for new, elapsed in runs:
        pace = learn(pace, new, elapsed)
        assert all(math.isfinite(value) and value >= 0 for value in pace.values())
        gap = interval(Schedule(every_min=low, every_max=low * factor), share, wanted_gap(pace, elapsed))
        assert low - 1e-6 <= gap <= low * max(factor, 1.1) + 1e-6


def test_sources_that_met_once_do_not_meet_for_ever() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    due = [next_run(BOUNDS, start, "UTC", f"source-{n}#1", 3600.0) for n in range(200)]
    assert len({moment.replace(second=0, microsecond=0) for moment in due}) > 3
    assert max(due) - min(due) > timedelta(minutes=2)
    one = [next_run(BOUNDS, start, "UTC", f"source#{epoch}", 3600.0) for epoch in range(20)]
    assert len(set(one)) == 20


def answer(body: bytes = b"", **headers: str) -> Response:
    url = "https://site.example/feed"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(url, body=body, headers=named, request=Request(url))


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (answer(Cache_Control="public, max-age=900"), 900),
        (answer(Cache_Control="max-age=900", Age="600"), 300),
        (answer(Cache_Control="max-age=31536000"), 3600),
        (answer(Cache_Control="no-cache, max-age=900"), 0),
        (answer(Cache_Control="max-age=99999999999999999999"), 3600),
        (answer(Expires="yesterday"), 0),
        (answer(b"<rss><channel><ttl> 45 </ttl>"), 2700),
        (answer(b"<rss><channel><ttl>999999</ttl>"), DAY),
        (answer(b"<rss><channel><ttl>-5</ttl>"), 0),
        (answer(b"<rss xmlns:sy='s'><sy:updatePeriod>hourly</sy:updatePeriod>"), 1800),
        (
            answer(b"<rss><sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>"),
            10800,
        ),
        (answer(b"<rss><sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>"), 43200),
        (answer(b"<html><p>&lt;ttl&gt; <ttl>60</ttl>"), 0),
    ],
)
def test_what_an_answer_says_of_how_long_it_holds(response: Response, seconds: float) -> None:
    assert freshness_of(response).seconds == seconds


def test_hours_in_which_a_feed_never_changes_are_left_out() -> None:
    hours = b"".join(b"<hour>%d</hour>" % hour for hour in (24, 1, 2, 3, 99))
    said = freshness_of(answer(b"<rss><channel><skipHours>" + hours + b"</skipHours>"))
    assert said.skip_hours == {0, 1, 2, 3}
    night = datetime(2026, 11, 1, 1, 30, tzinfo=UTC)
    assert after_hours(BOUNDS, night, said.skip_hours, "UTC").hour == 4
    assert after_hours(BOUNDS, night, range(24), "UTC") == night
    assert after_hours(BOUNDS, night.replace(hour=5), said.skip_hours, "UTC").hour == 5
    assert after_hours(Schedule(every_min=60, every_max=60), night, said.skip_hours, "UTC") == night, "was asked for"
    assert joined(said, freshness_of(answer())).skip_hours == frozenset()


def test_an_unchanged_feed_still_holds_as_long_as_it_said_when_it_came() -> None:
    """A 304 has no body: what the body said is kept with its validators."""
    body = b"<rss><channel><ttl>120</ttl><skipHours><hour>3</hour></skipHours></channel></rss>"
    source = Source("f", "feed", FeedSpider.Settings.model_validate({"url": "https://f.example/rss"}))
    spider = FeedSpider(source=source)
    first = answer(body, ETag='"1"')
    first.meta["asked"] = first.url
    marks = spider._validators(first)
    assert marks is not None and json.loads(json.dumps(marks)) == marks
    again = FeedSpider(source=replace(source, validators={first.url: marks}))
    assert again._conditions(first.url) == {"If-None-Match": '"1"'}
    unchanged = Response(first.url, status=304, headers={"Cache-Control": "max-age=60"}, request=first.request)
    said = freshness_of(unchanged, again._known(first.url))
    assert said.seconds == 7200 and said.skip_hours == {3}
    assert freshness_of(unchanged).seconds == 60
    # A new body says it anew, and what is kept may be anything.
    assert freshness_of(answer(b"<rss></rss>"), marks).seconds == 0
    assert freshness_of(unchanged, {"ttl": "x", "skip": "a,,"}).skip_hours == frozenset()
    assert kept(answer(b"{}")) == {}


if __name__ == "__main__":  # pragma: no cover - prints the table of docs/decisions
    for rate, days in itertools.product((0.1, 1, 5, 24, 100, 200), (30,)):
        world = posts_of(rate, days, 3)
        print(rate, adaptive(world, days), fixed(world, 600, days), fixed(world, 3600, days))
