"""Dates as people and machines write them. The common forms are read here in microseconds, the rest by dateparser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

_LONGEST = 100  # dateparser takes seconds on two kilobytes of digits
_FIRST = datetime(1995, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)
_MONTHS = (
    ("jan", "янв", "січ"),
    ("feb", "фев", "лют"),
    ("mar", "мар", "бер"),
    ("apr", "апр", "кві"),
    ("may", "мая", "май", "тра"),
    ("jun", "июн", "чер"),
    ("jul", "июл", "лип"),
    ("aug", "авг", "сер"),
    ("sep", "сен", "вер"),
    ("oct", "окт", "жов"),
    ("nov", "ноя", "лис"),
    ("dec", "дек", "гру"),
)
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_DAYS = {
    "сегодня": 0,
    "сьогодні": 0,
    "today": 0,
    "вчера": 1,
    "вчора": 1,
    "yesterday": 1,
    "позавчера": 2,
    "позавчора": 2,
}
_UNITS = (
    (r"s|sec(?:ond)?s?|с|сек\w*", timedelta(seconds=1)),
    (r"m|mins?|minutes?|мин\w*|хв\w*|м", timedelta(minutes=1)),
    (r"h|hrs?|hours?|ч|час(?:а|ов)?|год|годин\w*", timedelta(hours=1)),
    (r"d|days?|дн(?:я|ей|і|ів)?|д|день", timedelta(days=1)),
    (r"w|weeks?|нед\w*|тиж\w*", timedelta(weeks=1)),
)
_NOW = re.compile(r"(?:just )?now|только что|сейчас|щойно|зараз|момент(?:у)? (?:назад|тому)")
_PREFIX = re.compile(
    r"(?:posted|published|updated|created|added|опубликован[оа]?|опубліковано|добавлено|додано|написано|отправлено"
    r"|створено|создано|дата)(?:\s+on)?\s*:?\s+"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun|пн|пон|вт|вiв|ср|чт|чет|пт|пят|сб|суб|вс|воск|нд|нед)\w*[.,]?\s+)?"
_TIME = r"(?:[,\s—–-]+(?:(?:at|в|у|о|об)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?)?"
_YEAR = r"(?P<year>\d{4})(?:\s*(?:года|г|року|р)\b\.?)?"
_NUMERIC = re.compile(rf"(?P<day>\d{{1,2}})(?P<sep>[./-])(?P<number>\d{{1,2}})(?P=sep)(?P<year>\d{{4}}){_TIME}")
_DAY_FIRST = re.compile(rf"{_WEEKDAY}(?P<day>\d{{1,2}})\s+(?P<month>[^\W\d]{{3,12}})[.,]*\s+{_YEAR}{_TIME}")
_MONTH_FIRST = re.compile(
    rf"{_WEEKDAY}(?P<month>[a-zа-яіїєґ]{{3,12}})\.?\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}}){_TIME}"
)
_DAY_WORD = re.compile(rf"(?P<word>{'|'.join(_DAYS)}){_TIME}")
_TODAY = re.compile(r"\d{1,2}:\d\d")
# "1 год назад" is a year of Russian, "1 год тому" an hour of Ukrainian.
_AGO = re.compile(r"(?P<count>\d{1,5})\s*(?P<unit>(?!год\.? назад)[^\W\d]+)\.?\s+(?:ago|назад|тому)")
_EPOCH = re.compile(r"(?P<seconds>\d{9,10})(?:\.\d+)?|(?P<millis>\d{12,13})")
_MACHINE = re.compile(r"\d{4}-?\d\d-?\d\d(?:[T ].*)?")
_YEAR_LAST = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d) ([+-]\d{4}|UTC|GMT) (\d{4})")
_MAIL = re.compile(r"(?:[A-Za-z]{3,9},?\s+)?\d{1,2}[ -][A-Za-z]{3}[ -]\d{2,4}\s+\d\d?:\d\d.*")


def _epoch(value: str, _now: datetime) -> datetime | None:
    if not (match := _EPOCH.fullmatch(value)):
        return None
    seconds = float(match["millis"]) / 1000 if match["millis"] else float(value)
    return datetime.fromtimestamp(seconds, UTC)


def _machine(value: str, _now: datetime) -> datetime | None:
    if _MACHINE.fullmatch(value):
        return datetime.fromisoformat(value.replace("UTC", "Z").replace(" Z", "Z"))
    return None


def _mail(value: str, _now: datetime) -> datetime | None:
    # "-0000" is UTC of an unknown place, not local time
    return parsedate_to_datetime(value.replace("-0000", "+0000")) if _MAIL.fullmatch(value) else None


def _year_last(value: str, _now: datetime) -> datetime | None:
    """Sun Nov 01 10:00:00 +0000 2026, as the older APIs of social networks write it."""
    match = _YEAR_LAST.fullmatch(value)
    return parsedate_to_datetime("{1} {0} {4} {2} {3}".format(*match.groups())) if match else None


def _clock(match: re.Match[str]) -> tuple[int, int, int]:
    return int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0)


def _numeric(value: str, _now: datetime) -> datetime | None:
    if match := _NUMERIC.fullmatch(value):
        return datetime(int(match["year"]), int(match["number"]), int(match["day"]), *_clock(match))  # noqa: DTZ001
    return None


def _named(value: str, _now: datetime) -> datetime | None:
    lower = value.lower()
    if (match := _DAY_FIRST.fullmatch(lower) or _MONTH_FIRST.fullmatch(lower)) and (
        month := _MONTH.get(match["month"][:3])
    ):
        return datetime(int(match["year"]), month, int(match["day"]), *_clock(match))  # noqa: DTZ001
    return None


def _relative(value: str, now: datetime) -> datetime | None:
    lower = value.lower()
    if match := _DAY_WORD.fullmatch(lower):
        day = now - timedelta(days=_DAYS[match["word"]])
        if match["hour"] is None:
            return day
        hour, minute, second = _clock(match)
        return day.replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
    if _TODAY.fullmatch(lower):
        hour, minute = map(int, lower.split(":"))
        today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)
    if match := _AGO.fullmatch(lower):
        for words, unit in _UNITS:
            if re.fullmatch(words, match["unit"]):
                return (now.astimezone(UTC) - int(match["count"]) * unit).astimezone(now.tzinfo)
    return now if _NOW.fullmatch(lower) else None


_READERS: tuple[Callable[[str, datetime], datetime | None], ...] = (
    _epoch,
    _machine,
    _mail,
    _year_last,
    _numeric,
    _named,
    _relative,
)


def _by_dateparser(value: str, now: datetime, languages: Sequence[str], zone: str) -> datetime | None:
    import dateparser  # an eighth of a second: only when nothing simpler fits

    settings = {
        "RELATIVE_BASE": now.replace(tzinfo=None),
        "TIMEZONE": zone,
        "RETURN_AS_TIMEZONE_AWARE": True,
        "DATE_ORDER": "DMY",
        "PREFER_DATES_FROM": "past",
        "REQUIRE_PARTS": ["day", "month"],
    }
    found: datetime | None = dateparser.parse(value, languages=list(languages), settings=settings)
    return found


def _read(value: str, now: datetime, languages: Sequence[str], zone: str) -> datetime | None:
    for reader in _READERS:
        try:
            if found := reader(value, now):
                return found
        except (ValueError, OverflowError, OSError, TypeError):  # 31.02.2026: perhaps another reader knows better
            continue
    try:
        return _by_dateparser(value, now, languages, zone)
    except Exception:  # a third-party parser on hostile text: no date is the honest answer
        return None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC


def parse_when(
    value: str | None, now: datetime, languages: Sequence[str] = ("uk", "ru", "en"), tz: str = "UTC"
) -> datetime | None:
    """When something was published, aware and in UTC; None when it cannot be read. Never raises.

    Reads ISO 8601, mail dates, epoch seconds and milliseconds, "14.11.2026 10:15" (day first), "14 листопада 2026",
    "вчера в 14:05", "3 часа назад" and what dateparser knows in `languages`. Times without a zone are of `tz`. Longer
    than 100 characters, after tomorrow or before 1995 is no date.
    """
    value = " ".join(value.split()) if value and len(value) <= 10 * _LONGEST else ""
    if not value or len(value) > _LONGEST or not any(character.isalnum() for character in value):
        return None
    if match := _PREFIX.match(value.lower()):
        value = value[match.end() :]
    zone = _zone(tz)
    found = _read(value, now.astimezone(zone), languages, str(zone))
    if found is None:
        return None
    try:
        found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return found if _FIRST <= found <= now + _AHEAD else None
