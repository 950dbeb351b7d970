"""Five cron fields over local wall time: `minute hour day-of-month month day-of-week`. Pure; knows no time zone.

Understood: `*`, lists, ranges, steps, names (jan, mon), Sunday as 0 or 7, `@hourly` and its like. When both day fields
are restricted, either is enough, as in every cron.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from pydantic_core import PydanticCustomError

from crawler.config.cron import fields_of, words_of
from crawler.errors import Permanent

# 29 February of a given weekday comes at most 40 years apart (1996, 2000 .. over a year like 2100 that has none).
_HORIZON = timedelta(days=366 * 41)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. Days count when they are in `days` AND in `weekdays`, or in either when `either`."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def on(self, day: date) -> bool:
        """Whether anything is due on this day."""
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either else by_date and by_weekday

    def after(self, wall: datetime) -> Iterator[datetime]:
        """Naive wall times later than `wall`, in order. Ends where nothing can come any more (31 February)."""
        for day in self._days(wall.date(), 1):
            for moment in self._times(day):
                if moment > wall:
                    yield moment

    def until(self, wall: datetime) -> Iterator[datetime]:
        """Naive wall times up to and with `wall`, latest first."""
        for day in self._days(wall.date(), -1):
            for moment in reversed(self._times(day)):
                if moment <= wall:
                    yield moment

    def _days(self, day: date, step: int) -> Iterator[date]:
        first = day
        while abs(day - first) < _HORIZON:
            if self.on(day):
                yield day
            day += timedelta(days=step)

    def _times(self, day: date) -> list[datetime]:
        return [datetime.combine(day, time(hour, minute)) for hour in self.hours for minute in self.minutes]


@lru_cache(maxsize=512)
def parse(expression: str) -> Cron:
    """Read an expression. Raises Permanent naming the field that is wrong."""
    try:
        minutes, hours, days, months, weekdays = fields_of(expression)
    except PydanticCustomError as error:
        raise Permanent(f"cron {expression!r}: {error.message()}") from None
    words = words_of(expression)
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        either=not words[2].startswith("*") and not words[4].startswith("*"),
    )
