"""Reads the five fields of a cron expression and names a mistake where it is written; the clock reads by this too."""

from __future__ import annotations

import re

from crawler.config.values import Window, wrong

_NAMES = {
    3: ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    4: ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DAYS_IN = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EXAMPLE = '"0 7-23 * * *"'


def cron_of(value: object) -> str:
    """A cron expression, spaces tidied. Raises a validation error that names the field."""
    text = " ".join(str(value).split())
    fields_of(text)
    return text.lower() if text.startswith("@") else text


def fields_of(text: str) -> tuple[frozenset[int], ...]:
    """Minutes, hours, days, months and weekdays (Sunday is 0 and 7). Raises a validation error that names the field."""
    if text.startswith("@") and text.lower() not in _SHORT:
        raise wrong(f"{text!r} is not known; known: {', '.join(_SHORT)}", '"@daily"')
    words = words_of(text)
    if len(words) != len(_FIELDS):
        fields = "minute, hour, day of month, month, day of week"
        raise wrong(f"cron has five fields ({fields}), this has {len(words)}", _EXAMPLE)
    found = tuple(frozenset(_field(index, word)) for index, word in enumerate(words))
    if words[4].startswith("*") and not any(day <= _DAYS_IN[month - 1] for day in found[2] for month in found[3]):
        raise wrong(f"{text!r} names a day that never comes", _EXAMPLE)
    return found


def words_of(text: str) -> list[str]:
    """The fields as written, in small letters; `@daily` and its like in full."""
    return _SHORT.get(text.strip().lower(), text).lower().split()


def never_open(cron: str, between: Window) -> bool:
    """Whether no time of the expression falls into the window."""
    words = words_of(cron)
    start, end = (moment.hour * 60 + moment.minute for moment in between)
    minutes = {hour * 60 + minute for hour in _field(1, words[1]) for minute in _field(0, words[0])}
    if start == end:
        return False
    return not any(start <= m < end if start < end else m >= start or m < end for m in minutes)


def _field(index: int, word: str) -> set[int]:
    name = _FIELDS[index][0]
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step = part.partition("/")
        if slash and not (re.fullmatch(r"[0-9]{1,4}", step) and int(step) > 0):
            raise wrong(f"{name}: the step in {part!r} must be a number above 0", _EXAMPLE)
        start, end = _span(index, span, bool(slash))
        found |= set(range(start, end + 1, int(step) if slash else 1))
    return found


def _span(index: int, span: str, stepped: bool) -> tuple[int, int]:
    name, low, high = _FIELDS[index]
    if span == "*":
        return low, high
    first, dash, last = span.partition("-")
    start = _number(index, first)
    end = _number(index, last) if dash else (high if stepped else start)
    if end < start:
        raise wrong(f"{name}: the range {span!r} runs backwards; write it as two, joined by a comma", _EXAMPLE)
    return start, end


def _number(index: int, text: str) -> int:
    name, low, high = _FIELDS[index]
    names = _NAMES.get(index, ())
    if text in names:
        return names.index(text) + low
    if not re.fullmatch(r"[0-9]{1,4}", text) or not low <= int(text) <= high:
        raise wrong(f"{name}: {text!r} is not from {low} to {high}", _EXAMPLE)
    return int(text)
