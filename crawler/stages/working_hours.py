"""By when a ticket is due: the target of its priority, counted in working time where there is any.

Windows are local times of day; the seconds between are real ones, so an hour that the clock skips or repeats in spring
and autumn counts as what it was. A window from 22:00 to 06:00 belongs to the day on which it begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crawler.config import BusinessBlock
from crawler.model import Priority

_LONGEST_WALK = 3660


def due_at(
    priority: Priority, opened: datetime, targets: Mapping[Priority, float], business: BusinessBlock, zone: str
) -> datetime | None:
    """The instant (UTC) by which somebody should have answered; None when the priority has no target."""
    target = targets.get(priority)
    if target is None:
        return None
    return worked_until(opened, timedelta(seconds=target), business, ZoneInfo(zone))


def worked_until(start: datetime, work: timedelta, business: BusinessBlock, zone: ZoneInfo) -> datetime:
    """The end of `work` counted from `start` in working time; without working hours, on the clock.

    Working hours that never come within ten years count as none.
    """
    if not business.hours:
        return start + work
    left, at = work, start.astimezone(UTC)
    for begins, ends in _windows(at, business, zone):
        begins = max(begins, at)
        if ends <= begins:
            continue
        if left <= ends - begins:
            return begins + left
        left -= ends - begins
        at = ends
    return start + work


def _windows(start: datetime, business: BusinessBlock, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Every window of working time from the day before `start` on, in UTC, in order."""
    first = start.astimezone(zone).date() - timedelta(days=1)
    for number in range(_LONGEST_WALK):
        day = first + timedelta(days=number)
        if _is_holiday(day, business):
            continue
        for weekday, (opens, closes) in business.hours:
            if weekday == day.weekday():
                last = day if closes > opens else day + timedelta(days=1)
                yield _instant(day, opens, zone), _instant(last, closes, zone)


def _is_holiday(day: date, business: BusinessBlock) -> bool:
    return (day.year, day.month, day.day) in business.holidays or (0, day.month, day.day) in business.holidays


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
