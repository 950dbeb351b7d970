"""Values of rules and of working time: bounds of a number, days of the week, holidays, windows of a week."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from crawler.config.values import Window, between_of, one_as_list, shown, text_of, wrong

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBER = r"(\d{1,12}(?:\.\d{1,6})?%?)"
_BOUND = re.compile(rf"(<=|>=|<|>|=|at least|at most|over|under|below|above)?\s*{_NUMBER}", re.IGNORECASE)
_RANGE = re.compile(rf"{_NUMBER}\s*(?:\.\.|-|–)\s*{_NUMBER}")
_SIGNS = {"at least": ">=", "at most": "<=", "over": ">", "above": ">", "under": "<", "below": "<", "": "="}
_YEARLY = re.compile(r"(\d\d)-(\d\d)")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a number must lie between. `low` and `high` are allowed themselves unless `open_` says so."""

    low: float | None = None
    high: float | None = None
    open_: bool = False

    def hold(self, value: float | None) -> bool:
        """Whether the number lies inside; one that is not known never does."""
        if value is None:
            return False
        if self.open_:
            return (self.low is None or value > self.low) and (self.high is None or value < self.high)
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"= {self.low:g}"
        low = f"{'>' if self.open_ else '>='} {self.low:g}" if self.low is not None else ""
        high = f"{'<' if self.open_ else '<='} {self.high:g}" if self.high is not None else ""
        return " and ".join(filter(None, (low, high)))


def bounds_of(value: object) -> Bounds:
    """`"<= 2"`, `"at least 90%"`, `2..4`, or a number (exactly that). Raises a validation error for anything else."""
    text = " ".join(str(text_of(value)).split()) if isinstance(value, str | int | float) else ""
    if found := _RANGE.fullmatch(text):
        low, high = _number(found[1]), _number(found[2])
        if low > high:
            raise wrong(f"{text!r} runs backwards", f'"{found[2]}..{found[1]}"')
        return Bounds(low, high)
    found = _BOUND.fullmatch(text) if not isinstance(value, bool) else None
    if found is None:
        raise wrong(f'{shown(value)} bounds no number; write it like "<= 2", ">= 4", "over 10000" or 2..4', '"<= 2"')
    sign, number = (found[1] or "").lower(), _number(found[2])
    sign = _SIGNS.get(sign, sign)
    if sign == "=":
        return Bounds(number, number)
    return Bounds(number, None, sign == ">") if sign[0] == ">" else Bounds(None, number, sign == "<")


def _number(text: str) -> float:
    return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)


BOUNDS_SCHEMA = {"type": ["string", "number"], "examples": ["<= 2", ">= 4", "2..4"]}


def days_of(value: object) -> tuple[int, ...]:
    """`mon-fri`, `[sat, sun]` as numbers from 0 (Monday). Raises a validation error naming the word that is no day."""
    found: set[int] = set()
    for word in one_as_list(value):  # type: ignore[attr-defined]  # one_as_list gives a list or a tuple
        for part in str(word).split(","):
            found |= _days(part.strip())
    return tuple(sorted(found))


def _days(text: str) -> set[int]:
    first, dash, last = (part.strip().lower()[:3] for part in text.replace("–", "-").partition("-"))
    ends = (first, last) if dash else (first,)
    if not text or any(end not in DAYS for end in ends):
        raise wrong(f"{shown(text)} is no day of the week; known: {', '.join(DAYS)}, or mon-fri", "mon-fri")
    start, end = DAYS.index(first), DAYS.index(ends[-1])
    return {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}


Days = Annotated[
    tuple[int, ...], BeforeValidator(days_of), WithJsonSchema({"type": ["string", "array"], "examples": ["mon-fri"]})
]

Week = tuple[tuple[int, Window], ...]


def week_of(value: object) -> Week:
    """`09:00-18:00` (mon-fri), or `{mon-fri: 09:00-18:00, sat: [10:00-13:00]}`, as (day, window) in order."""
    if isinstance(value, Mapping):
        return tuple(
            sorted(
                (day, between_of(window))
                for days, windows in value.items()
                for day in days_of(days)
                for window in one_as_list(windows)  # type: ignore[attr-defined]
            )
        )
    return tuple((day, between_of(window)) for day in range(5) for window in one_as_list(value))  # type: ignore[attr-defined]


def holiday_of(value: object) -> tuple[int, int, int]:
    """`2026-12-25`, or `12-25` for every year (year 0), as (year, month, day)."""
    text = str(value).strip()
    yearly = _YEARLY.fullmatch(text)
    try:
        day = date.fromisoformat(f"2024-{text}" if yearly else text)
    except ValueError:
        raise wrong(f"{shown(value)} is no date; write 2026-12-25, or 12-25 for every year", '"2026-12-25"') from None
    return (0 if yearly else day.year), day.month, day.day


def time_of(value: object) -> time:
    """`"09:00"` as a time of day."""
    text = str(value).strip()
    if not re.fullmatch(r"\d{1,2}:\d\d", text):
        raise wrong(f"{shown(value)} is no time of day", '"09:00"')
    hour, _, minute = text.partition(":")
    if int(hour) > 23 or int(minute) > 59:
        raise wrong(f"{shown(value)} is no time of day; hours go to 23, minutes to 59", '"09:00"')
    return time(int(hour), int(minute))
