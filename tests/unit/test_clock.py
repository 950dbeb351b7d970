"""The clock against a slow oracle that walks every minute, above all through the nights when Kyiv moves its clocks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.engine import cron
from crawler.engine.clock import Schedule, Ticker, interval, may_run, next_run, opens, slot_key
from crawler.errors import Permanent

KYIV = "Europe/Kyiv"
SPRING = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def runs(schedule: Schedule, start: datetime, end: datetime, tz: str = KYIV) -> list[tuple[datetime, str]]:
    found = []
    at = next_run(schedule, start, tz, "source")
    while at <= end:
        found.append((at, slot_key(schedule, at, tz)))
        at = next_run(schedule, at, tz, "source")
    return found


def oracle(
    expression: str, start: datetime, end: datetime, tz: str, between: tuple[time, time] | None = None
) -> list[datetime]:
    """Walk minute by minute: a wall time counts when first seen, and those that were jumped over count at the jump."""
    parsed = cron.parse(expression)
    found, at = [], start.replace(second=0) - timedelta(hours=4)
    seen: set[datetime] = set()
    last: datetime | None = None
    while at <= end:
        wall = at.astimezone(ZoneInfo(tz)).replace(tzinfo=None, fold=0)
        walls = [wall]
        while last is not None and walls[0] - last > MINUTE:
            walls.insert(0, walls[0] - MINUTE)
        due = [w for w in walls if w not in seen and _matches(parsed, w) and _within(between, w.time())]
        if due and at > start:
            found.append(at)
        seen.update(walls)
        last, at = wall, at + MINUTE
    return found


def _matches(parsed: cron.Cron, wall: datetime) -> bool:
    return parsed.on(wall.date()) and wall.hour in parsed.hours and wall.minute in parsed.minutes


def _within(between: tuple[time, time] | None, moment: time) -> bool:
    return between is None or moment.hour * 60 + moment.minute in _open_minutes(between)


@cache
def _open_minutes(between: tuple[time, time]) -> frozenset[int]:
    start = between[0].hour * 60 + between[0].minute
    return frozenset((start + step) % 1440 for step in range(_span(between)))


def _span(between: tuple[time, time]) -> int:
    start, end = (moment.hour * 60 + moment.minute for moment in between)
    return (end - start) % 1440 or 1440


@pytest.mark.parametrize("night", [SPRING, AUTUMN])
@pytest.mark.parametrize(
    "expression",
    [
        "30 3 * * *",
        "0 * * * *",
        "*/10 * * * *",
        "30 * * * *",
        "0 3 * * *",
        "59 2,3,4 * * *",
        "15 3 29 3 *",
        "0 4 * * sun",
    ],
)
def test_cron_through_the_nights_of_kyiv(night: datetime, expression: str) -> None:
    start, end = night - timedelta(hours=20, seconds=30), night + timedelta(hours=30)
    found = runs(Schedule(cron=expression), start, end)
    assert [at for at, _ in found] == oracle(expression, start, end, KYIV)
    keys = [key for _, key in found]
    assert len(set(keys)) == len(keys)


def test_the_wall_time_that_comes_twice_runs_once() -> None:
    found = runs(Schedule(cron="30 3 * * *"), utc("2026-10-24T12:00"), utc("2026-10-26T12:00"))
    assert found == [(utc("2026-10-25T00:30"), "2026-10-25T03:30"), (utc("2026-10-26T01:30"), "2026-10-26T03:30")]


def test_the_wall_time_that_never_comes_runs_right_after_the_gap() -> None:
    found = runs(Schedule(cron="30 3 * * *"), utc("2026-03-28T12:00"), utc("2026-03-30T12:00"))
    assert found == [(utc("2026-03-29T01:00"), "2026-03-29T03:30"), (utc("2026-03-30T00:30"), "2026-03-30T03:30")]


def test_a_late_service_names_the_slot_it_makes_up_for() -> None:
    schedule = Schedule(cron="0 9 * * *")
    assert slot_key(schedule, utc("2026-06-10T17:23"), KYIV) == "2026-06-10T09:00"
    assert slot_key(schedule, utc("2026-06-10T05:59"), KYIV) == "2026-06-09T09:00"


def test_the_second_coming_of_an_hour_belongs_to_the_slot_of_the_first() -> None:
    assert slot_key(Schedule(cron="30 3 * * *"), utc("2026-10-25T01:10"), KYIV) == "2026-10-25T03:30"


def test_missed_slots_are_made_up_for_by_one_run() -> None:
    schedule = Schedule(cron="*/5 * * * *")
    slept_until = utc("2026-06-10T12:03")
    assert next_run(schedule, slept_until, KYIV, "s") == utc("2026-06-10T12:05")
    assert slot_key(schedule, slept_until, KYIV) == "2026-06-10T15:00"


FIELD = st.one_of(st.just("*"), st.sampled_from(["*/7", "*/20", "0", "30", "5,35", "10-50/20"]))
HOUR = st.one_of(st.just("*"), st.sampled_from(["3", "2-4", "*/6", "23", "0", "3,4"]))
DAY = st.sampled_from(["*", "29", "25", "1-7", "*/2"])
WEEKDAY = st.sampled_from(["*", "sun", "1-5", "0,6", "7", "sat"])
WINDOW = st.one_of(st.none(), st.tuples(st.times(), st.times())).map(
    lambda pair: pair and tuple(moment.replace(second=0, microsecond=0) for moment in pair)
)
ZONES = st.sampled_from([KYIV, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "Africa/Casablanca"])
STARTS = st.one_of(
    st.sampled_from([SPRING, AUTUMN, utc("2026-03-08T07:00"), utc("2026-11-01T06:00"), utc("2026-04-04T15:00")]),
    st.integers(0, 365 * 1440).map(lambda minutes: utc("2026-01-01") + minutes * MINUTE),
)


@pytest.mark.property
@given(FIELD, HOUR, DAY, WEEKDAY, ZONES, STARTS, st.integers(0, 3 * 24 * 3600), WINDOW)
@settings(max_examples=25, deadline=None)
def test_cron_agrees_with_the_oracle(
    minute: str,
    hour: str,
    day: str,
    weekday: str,
    tz: str,
    about: datetime,
    before: int,
    between: tuple[time, time] | None,
) -> None:
    start = about.replace(second=0, microsecond=0) - timedelta(seconds=before // 20)
    end = start + timedelta(hours=15)
    expression = f"{minute} {hour} {day} * {weekday}"
    expected = oracle(expression, start.replace(second=0), end, tz, between)
    schedule = Schedule(cron=expression, between=between)
    try:
        found = [at for at, _ in runs(schedule, start, end, tz)]
    except Permanent as error:
        assert "never comes within" in str(error)
        assert expected == []
    else:
        assert found == [at for at in expected if at > start]


@given(st.times(), st.times(), ZONES, STARTS, st.integers(-1500, 1500))
@settings(max_examples=60, deadline=None)
def test_quiet_hours_open_at_the_first_open_minute(
    first: time, last: time, tz: str, about: datetime, shift: int
) -> None:
    between = (first.replace(second=0, microsecond=0), last.replace(second=0, microsecond=0))
    schedule = Schedule(every_min=600, between=between)
    at = about.replace(second=0, microsecond=0) + shift * MINUTE
    expected = at
    while not _within(between, expected.astimezone(ZoneInfo(tz)).time()):
        expected += MINUTE
    assert opens(schedule, at, tz) == expected
    assert may_run(schedule, expected, tz)
    assert may_run(schedule, at, tz) == (expected == at)


@given(
    st.text(min_size=1), st.floats(60, 86400), st.floats(1, 20), st.one_of(st.none(), st.floats(0, 1e7)), STARTS, WINDOW
)
@settings(max_examples=60, deadline=None)
def test_every_keeps_its_bounds_and_its_jitter(
    seed: str, low: float, factor: float, gap: float | None, after: datetime, between: tuple[time, time] | None
) -> None:
    schedule = Schedule(every_min=low, every_max=low * factor, between=between)
    due = next_run(schedule, after, KYIV, seed, gap)
    assert due == next_run(schedule, after, KYIV, seed, gap)
    assert (due - after).total_seconds() >= low - 1e-3
    assert may_run(schedule, due, KYIV)
    if between is None:
        assert (due - after).total_seconds() <= low * max(factor, 1.1) + 1e-3


def test_every_adapts_to_how_often_posts_come() -> None:
    schedule = Schedule(every_min=600, every_max=21600)
    waits = [interval(schedule, 0.5, wanted) for wanted in (60.0, None, 3600.0, 1e9)]
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(600, rel=0.1)
    assert waits[1] == pytest.approx(1200, rel=0.1)
    assert waits[2] == pytest.approx(3600, rel=0.1)
    assert waits[3] <= 21600


def test_sources_do_not_start_together_in_the_morning() -> None:
    schedule = Schedule(every_min=600, between=(time(7), time(23)))
    night = utc("2026-06-10T00:00")
    dues = {next_run(schedule, night, KYIV, f"source-{n}") for n in range(50)}
    assert len(dues) == 50
    assert min(dues) >= utc("2026-06-10T04:00")
    assert max(dues) <= utc("2026-06-10T04:10")


def test_every_slot_is_named_in_utc() -> None:
    assert slot_key(Schedule(every_min=60), utc("2026-10-25T00:30:15"), KYIV) == "2026-10-25T00:30:15Z"


def test_a_schedule_comes_back_from_its_row() -> None:
    stored = {"cron": "0 7 * * *", "between": ["07:00", "23:00"], "timezone": KYIV}
    assert Schedule.of(stored) == Schedule(cron="0 7 * * *", between=(time(7), time(23)), timezone=KYIV)
    assert Schedule.of({"every_min": 600.0, "between": "22:00-06:00"}).between == (time(22), time(6))


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("* * * *", "five fields"),
        ("61 * * * *", "minute"),
        ("* 25 * * *", "hour"),
        ("*/0 * * * *", "step"),
        ("5-1 * * * *", "backwards"),
        ("* * * foo *", "month"),
        ("* * * * fri-mon", "backwards"),
        ("0 0 31 2 *", "never comes"),
    ],
)
def test_bad_cron_is_named(expression: str, word: str) -> None:
    with pytest.raises(Permanent, match=word):
        next_run(Schedule(cron=expression), SPRING, KYIV, "s")


def test_either_day_field_is_enough_when_both_are_given() -> None:
    parsed = cron.parse("0 0 13 * fri")
    days = [utc("2026-11-01") + timedelta(days=n) for n in range(30)]
    assert [day.day for day in days if parsed.on(day.date())] == [6, 13, 20, 27]
    assert cron.parse("0 0 * * 7").weekdays == {0}
    assert cron.parse("@daily") == cron.parse("0 0 * * *")


def test_the_ticker_ticks_and_stops() -> None:
    ticked = threading.Event()
    ticker = Ticker(ticked.set, 0.05)
    ticker.start()
    assert ticked.wait(5)
    ticker.stop()
