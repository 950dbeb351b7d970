"""Values of the config in their own short language: durations, schedules, times of day, shares, networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

IPNetwork = IPv4Network | IPv6Network
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "mo": 2592000.0, "y": 31536000.0}
_UNIT_WORDS = (
    (r"s|secs?|seconds?", "s"),
    (r"m|mins?|minutes?", "m"),
    (r"h|hrs?|hours?", "h"),
    (r"d|days?", "d"),
    (r"w|weeks?", "w"),
    (r"mo|months?", "mo"),
    (r"y|years?", "y"),
)
_DURATION = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)\s*([A-Za-z]+)")
DURATION_PATTERN = r"\d+(\.\d+)? *(" + "|".join(words for words, _ in _UNIT_WORDS) + ")"  # for editors
_BETWEEN = re.compile(r"(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)")
_LONGEST = 100 * _UNITS["y"]
MIN_EVERY = 1.0


def wrong(message: str, fix: str | None = None) -> PydanticCustomError:
    """A validation error whose message is for people; `fix` is the value as it should be written."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "fix": fix})


def seconds_of(value: object) -> float:
    """Seconds of 10 (seconds), "10m", "6h", "24 months" or timedelta. Raises a validation error for anything else.

    A month has 30 days and a year 365.
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        found = float(match[1]) * _UNITS[_unit(match[1], match[2])]
    elif isinstance(value, str) and re.fullmatch(r"\d{1,9}(?:\.\d{1,3})?", value.strip()):
        found = float(value)
    else:
        raise wrong(f"{_shown(value)} is no duration; write it like 30s, 10m, 6h, 2d or 24 months", "10m")
    if not 0 <= found <= _LONGEST:
        raise wrong("a duration must be between 0 and 100 years", "10m")
    return found


def _unit(number: str, word: str) -> str:
    for pattern, unit in _UNIT_WORDS:
        if re.fullmatch(pattern, word, re.IGNORECASE):
            return unit
    close = get_close_matches(
        word.lower(), ("seconds", "minutes", "hours", "days", "weeks", "months", "years"), n=1, cutoff=0.4
    )
    raise wrong(
        f"{word!r} is no unit of time; known: s, m, h, d, w, months, years", f"{number} {(close or ['minutes'])[0]}"
    )


def _timedelta(value: object) -> timedelta:
    return timedelta(seconds=seconds_of(value))


_DURATION_SCHEMA = WithJsonSchema(
    {"type": ["string", "number"], "pattern": rf"^({DURATION_PATTERN}|\d+)$", "examples": ["30s", "10m", "6h"]}
)
Seconds = Annotated[float, BeforeValidator(seconds_of), _DURATION_SCHEMA]
"""A duration as float seconds: 10, "10s", "5m", "24 months"."""
Duration = Annotated[timedelta, BeforeValidator(_timedelta), _DURATION_SCHEMA]
"""A duration as timedelta: 10 (seconds), "10s", "5m", "24 months"."""


def share_of(value: object) -> float:
    """A share from 0 to 1, also written as "70%"."""
    text = str(value).strip()
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise wrong(f"{_shown(value)} is no share; write it like 0.7 or 70%", "0.7") from None
    if isinstance(value, bool) or not 0 <= found <= 1:
        better = f"{found:g}%" if 1 < found <= 100 and not text.endswith("%") else "0.7"
        raise wrong(f"a share lies between 0 and 1 (0% and 100%), not {_shown(value)}", better)
    return found


Share = Annotated[
    float,
    BeforeValidator(share_of),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": "%$"}]}),
]


def text_of(value: object) -> object:
    """Scalars as the text that was written: the reader keeps only those as numbers that read back alike."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def one_as_list(value: object) -> object:
    """A single value where a list may stand; nothing is an empty list."""
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]


def network_of(value: object) -> IPNetwork:
    """An address or a CIDR network."""
    try:
        return ip_network(str(value).strip(), strict=False)
    except ValueError:
        raise wrong(f"{_shown(value)} is no network; write an address or CIDR", "10.0.0.0/8") from None


Network = Annotated[
    IPNetwork, BeforeValidator(network_of), WithJsonSchema({"type": "string", "examples": ["127.0.0.1", "10.0.0.0/8"]})
]


def zone_of(value: object) -> str:
    """The name of a time zone that this machine knows."""
    from zoneinfo import ZoneInfo, available_timezones

    name = str(value).strip()
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        close = get_close_matches(name, available_timezones(), n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]}?" if close else "; write it like Europe/Kyiv"
        raise wrong(f"{_shown(value)} is no time zone{hint}", close[0] if close else "Europe/Kyiv") from None
    return name


Zone = Annotated[str, BeforeValidator(zone_of), WithJsonSchema({"type": "string", "examples": ["Europe/Kyiv"]})]

Window = tuple[time, time]


def between_of(value: object) -> Window:
    """ "07:00-23:00" as two times of day; 24:00 is midnight."""
    match = _BETWEEN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise wrong(f"{_shown(value)} is no time of day from-to", "07:00-23:00")
    hours = [int(match[1]), int(match[3])]
    minutes = [int(match[2]), int(match[4])]
    if any(hour * 60 + minute > 24 * 60 or minute > 59 for hour, minute in zip(hours, minutes, strict=True)):
        raise wrong(f"{_shown(value)} is no time of day from-to; hours go to 24, minutes to 59", "07:00-23:00")
    return time(hours[0] % 24, minutes[0]), time(hours[1] % 24, minutes[1])


def every_of(value: object) -> tuple[float, float]:
    """ "10m" or "10m..6h" as seconds from-to."""
    low, dots, high = (part.strip() for part in str(text_of(value)).partition(".."))
    if re.fullmatch(r"[\d.]+", low):
        raise wrong(f"{low} lacks its unit; say {low}s, {low}m or {low}h", f"{low}m")
    least = seconds_of(low)
    most = seconds_of(high) if dots else least
    if least < MIN_EVERY:
        raise wrong(f"must be at least 1s, not {low}", "10m")
    if most < least:
        raise wrong(f"runs backwards: {low} is longer than {high}", f"{high}..{low}")
    return least, most


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a source is due: bounds of `every` in seconds, or five cron fields; `between` is local time of day."""

    every_min: float | None = 600.0
    every_max: float | None = 21600.0
    cron: str | None = None
    between: Window | None = None
    timezone: str | None = None

    def as_dict(self) -> Mapping[str, Any]:
        """JSON-able, as the row of the source keeps it."""
        window = f"{self.between[0]:%H:%M}-{self.between[1]:%H:%M}" if self.between else None
        return {
            "every_min": self.every_min,
            "every_max": self.every_max,
            "cron": self.cron,
            "between": window,
            "timezone": self.timezone,
        }


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(text_of(value))
    if isinstance(value, int | float):
        return text
    return repr(text if len(text) <= 60 else text[:60] + "…")


shown = _shown
