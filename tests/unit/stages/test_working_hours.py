"""By when a ticket is due, across nights, week-ends, holidays and the two changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.config import BusinessBlock
from crawler.model import Priority
from crawler.stages.working_hours import due_at, worked_until

KYIV = ZoneInfo("Europe/Kyiv")
WEEK = tuple((day, (time(9), time(18))) for day in range(5))
OFFICE = BusinessBlock(WEEK)


def kyiv(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KYIV)


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-11-20 10:00", 1, "2026-11-20 11:00"),
        ("2026-11-20 17:30", 1, "2026-11-23 09:30"),  # Friday evening -> Monday
        ("2026-11-21 12:00", 1, "2026-11-23 10:00"),  # Saturday
        ("2026-11-23 03:00", 1, "2026-11-23 10:00"),  # before work
        ("2026-11-20 17:00", 1, "2026-11-20 18:00"),  # exactly at the end
        ("2026-11-20 09:00", 45, "2026-11-26 18:00"),  # a whole week of work
    ],
)
def test_working_time(start: str, hours: float, expected: str) -> None:
    assert worked_until(kyiv(start), timedelta(hours=hours), OFFICE, KYIV) == kyiv(expected)


def test_without_working_hours_the_clock_counts() -> None:
    assert worked_until(kyiv("2026-11-21 23:00"), timedelta(hours=4), BusinessBlock(), KYIV) == kyiv("2026-11-22 03:00")


def test_holidays_once_and_every_year() -> None:
    business = BusinessBlock(WEEK, ((2026, 12, 25), (0, 1, 1)))
    assert worked_until(kyiv("2026-12-24 17:30"), timedelta(hours=1), business, KYIV) == kyiv("2026-12-28 09:30")
    assert worked_until(kyiv("2026-12-31 17:30"), timedelta(hours=1), business, KYIV) == kyiv("2027-01-04 09:30")
    assert worked_until(kyiv("2027-12-31 17:30"), timedelta(hours=1), business, KYIV) == kyiv("2028-01-03 09:30")


def test_two_windows_a_day_and_one_over_midnight() -> None:
    business = BusinessBlock(((4, (time(9), time(12))), (4, (time(13), time(14))), (4, (time(22), time(2)))))
    friday = kyiv("2026-11-20 11:00")
    assert worked_until(friday, timedelta(hours=2), business, KYIV) == kyiv("2026-11-20 14:00")
    assert worked_until(friday, timedelta(hours=5), business, KYIV) == kyiv("2026-11-21 01:00")
    assert worked_until(kyiv("2026-11-21 00:30"), timedelta(hours=1), business, KYIV) == kyiv("2026-11-21 01:30")


def test_windows_that_overlap_count_once() -> None:
    business = BusinessBlock(((4, (time(9), time(12))), (4, (time(10), time(13)))))
    assert worked_until(kyiv("2026-11-20 09:00"), timedelta(hours=4), business, KYIV) == kyiv("2026-11-20 13:00")


def test_a_whole_day_is_twenty_four_hours_unless_the_clock_changes() -> None:
    always = BusinessBlock(tuple((day, (time(0), time(0))) for day in range(7)))
    for start in ("2026-03-28 12:00", "2026-10-24 12:00", "2026-06-01 12:00"):
        assert worked_until(kyiv(start), timedelta(hours=48), always, KYIV) - kyiv(start).astimezone(UTC) == timedelta(
            hours=48
        )


def test_the_change_of_the_clock_inside_working_time() -> None:
    night = BusinessBlock(((6, (time(1), time(6))),))
    # In spring 03:00 becomes 04:00: the window has four hours. In autumn 04:00 becomes 03:00: it has six.
    assert worked_until(kyiv("2026-03-29 00:00"), timedelta(hours=4), night, KYIV) == kyiv("2026-03-29 06:00")
    assert worked_until(kyiv("2026-10-25 00:00"), timedelta(hours=6), night, KYIV) == kyiv("2026-10-25 06:00")


def test_hours_that_never_come_count_as_none() -> None:
    business = BusinessBlock(
        ((4, (time(9), time(12))),), tuple((0, month, day) for month in range(1, 13) for day in range(1, 32))
    )
    start = kyiv("2026-11-20 09:00")
    assert worked_until(start, timedelta(hours=1), business, KYIV) == start + timedelta(hours=1)


def test_a_priority_without_target_is_never_due() -> None:
    targets = {Priority.URGENT: 3600.0}
    at = kyiv("2026-11-20 10:00")
    assert due_at(Priority.LOW, at, targets, OFFICE, "Europe/Kyiv") is None
    assert due_at(Priority.URGENT, at, targets, OFFICE, "Europe/Kyiv") == kyiv("2026-11-20 11:00")


@given(
    st.integers(0, 60 * 24 * 730),
    st.integers(1, 60 * 24 * 20),
    st.integers(1, 60 * 24 * 20),
)
def test_more_work_is_never_due_earlier_and_parts_add_up(start: int, first: int, second: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    one, two = timedelta(minutes=first), timedelta(minutes=second)
    middle = worked_until(at, one, OFFICE, KYIV)
    assert middle >= at + one
    local = middle.astimezone(KYIV)
    assert local.weekday() < 5 and time(9) <= local.time() <= time(18)
    assert worked_until(middle, two, OFFICE, KYIV) == worked_until(at, one + two, OFFICE, KYIV)
