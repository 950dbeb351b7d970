"""Five cron fields over local wall time: `minute hour day-of-month month day-of-week`. Pure; knows no time zone.

Understood: `*`, lists, ranges, steps, names (jan, mon), Sunday as 0 or 7, `@hourly` and its like. When both day fields
are restricted, either is enough, as in every cron.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from crawler.errors import Permanent

_MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
_DAYS = dict(zip(("sun", "mon", "tue", "wed", "thu", "fri", "sat"), range(7), strict=True))
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
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
    words = _SHORT.get(expression.strip().lower(), expression).split()
    if len(words) != len(_FIELDS):
        raise Permanent(f'cron {expression!r} has {len(words)} fields; five are needed, such as "0 7-23 * * *"')
    minutes, hours, days, months, weekdays = (
        _field(word.lower(), *field) for word, field in zip(words, _FIELDS, strict=True)
    )
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        either=not words[2].startswith("*") and not words[4].startswith("*"),
    )


def _field(word: str, name: str, low: int, high: int, names: Mapping[str, int]) -> set[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, _, step = part.partition("/")
        if not (step.isdecimal() and int(step) > 0 if _ else True):
            raise Permanent(f"cron {name}: the step in {part!r} must be a number above 0")
        found |= set(range(*_span(span, bool(_), name, low, high, names), int(step or 1)))
    return found


def _span(span: str, stepped: bool, name: str, low: int, high: int, names: Mapping[str, int]) -> tuple[int, int]:
    if span == "*":
        return low, (high if name != "day of week" else 6) + 1
    first, dash, last = span.partition("-")
    start = _number(first, name, low, high, names)
    end = _number(last, name, low, high, names) if dash else (high if stepped else start)
    if end < start:
        raise Permanent(f"cron {name}: the range {span!r} runs backwards; write it as two, joined by a comma")
    return start, end + 1


def _number(text: str, name: str, low: int, high: int, names: Mapping[str, int]) -> int:
    value = names.get(text, int(text) if text.isdecimal() else -1)
    if not low <= value <= high:
        raise Permanent(f"cron {name}: {text!r} is not from {low} to {high}")
    return value
