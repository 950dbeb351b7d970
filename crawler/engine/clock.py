"""When a source is due: pure functions over schedules, and a ticker that only wakes the parent.

A `cron` slot is a local wall time and is named by it. A wall time that the clock skips in spring runs once right after
the gap; one that comes twice in autumn runs at its first coming only. An `every` slot is an instant in UTC. Slots that
were missed are caught up by one run, because what is due next is always asked from now on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from crawler.engine import cron
from crawler.engine.cron import Cron
from crawler.errors import Permanent

Window = tuple[time, time]

_SPREAD = 0.1
_LONGEST_SPREAD = 600.0
_FOLD = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`every` bounds in seconds, or a cron expression; `between` is the local time of day in which runs may start.

    The window includes its start and excludes its end, may cross midnight, and is always open when both are equal.
    """

    every_min: float | None = None
    every_max: float | None = None
    cron: str | None = None
    between: Window | None = None
    timezone: str | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Schedule:
        """From the JSON that a source row keeps; unknown keys are left alone."""
        return cls(
            every_min=stored.get("every_min"),
            every_max=stored.get("every_max"),
            cron=stored.get("cron"),
            between=_window(stored.get("between")),
            timezone=stored.get("timezone"),
        )


def next_run(schedule: Schedule, after: datetime, tz: str, seed: str, wanted: float | None = None) -> datetime:
    """The first due instant later than `after` (aware), in UTC.

    `seed` fixes the jitter of an `every` schedule. `wanted` (seconds) is the interval within the bounds of `every`;
    None, while nothing is known, is twice the least. Raises Permanent for an expression that can never come due.
    """
    zone = _zone(schedule, tz)
    after = after.astimezone(UTC)
    if schedule.cron is not None:
        return _next_slot(schedule, schedule.cron, after, zone)
    share = _share(seed)
    due = after + timedelta(seconds=interval(schedule, share, wanted))
    return _opened(schedule, due, zone, share)


def slot_key(schedule: Schedule, at: datetime, tz: str) -> str:
    """The name of the slot that a run at `at` belongs to; with the source it is unique.

    cron: local wall time of the last slot that has come; every: `at` itself in UTC, so give the instant it was due.
    """
    at = at.astimezone(UTC)
    if schedule.cron is None:
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    zone = _zone(schedule, tz)
    start = _wall(at, zone) + _FOLD
    came = (wall for wall in _open_walls(schedule, cron.parse(schedule.cron).until(start)) if instant(wall, zone) <= at)
    return next(came, _wall(at, zone)).isoformat(timespec="minutes")


def may_run(schedule: Schedule, at: datetime, tz: str) -> bool:
    """Whether a run may start at `at`: false in quiet hours, also for a slot that was missed and is caught up."""
    return _open(schedule.between, _wall(at, _zone(schedule, tz)).time())


def opens(schedule: Schedule, at: datetime, tz: str) -> datetime:
    """The first instant from `at` on, in UTC, at which a run may start."""
    zone = _zone(schedule, tz)
    return _opening(schedule.between, at.astimezone(UTC), zone) if schedule.between else at.astimezone(UTC)


def interval(schedule: Schedule, share: float, wanted: float | None) -> float:
    """Seconds to the next run: what is wanted, within the bounds, moved by `share` (0 to 1) so that none run together.

    With equal bounds the jitter only adds (never oftener than asked), up to a tenth.
    """
    low = schedule.every_min or schedule.every_max or 3600.0
    high = max(low, schedule.every_max or low)
    if low == high:
        return low * (1 + _SPREAD * share)
    middle = min(max(wanted or 2 * low, low), high)
    least, most = max(low, middle * (1 - _SPREAD / 2)), min(high, middle * (1 + _SPREAD / 2))
    return least + (most - least) * share


def after_hours(schedule: Schedule, due: datetime, hours: Collection[int], tz: str) -> datetime:
    """`due`, or the first hour behind it that is none of these (0 to 23, UTC) if `every` bears the wait."""
    most = schedule.every_max or schedule.every_min
    if schedule.cron is not None or most is None or len(set(hours)) >= 24:
        return due
    later = due
    while later.hour in hours:
        later = later.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if later == due:
        return due
    later += timedelta(seconds=due.minute * 60 + due.second) / 10
    return opens(schedule, later, tz) if (later - due).total_seconds() <= max(most, 3600.0) else due


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When a naive wall time comes, in UTC: the first of two comings; the end of the gap when it never comes."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if _wall(moment, zone) == wall else _gap_end(wall, zone)


def _gap_end(wall: datetime, zone: ZoneInfo) -> datetime:
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        middle = middle.replace(microsecond=0) if middle.replace(microsecond=0) > early else middle
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == before else (early, middle)
    return late


def _next_slot(schedule: Schedule, expression: str, after: datetime, zone: ZoneInfo) -> datetime:
    parsed = cron.parse(expression)
    _demand_open(schedule, parsed, expression)
    for wall in _open_walls(schedule, parsed.after(_wall(after, zone))):
        if (moment := instant(wall, zone)) > after:
            return moment
    raise Permanent(f"cron {expression!r} names a day that never comes")


def _demand_open(schedule: Schedule, parsed: Cron, expression: str) -> None:
    times = (time(hour, minute) for hour in parsed.hours for minute in parsed.minutes)
    if not any(_open(schedule.between, moment) for moment in times):
        raise Permanent(f"cron {expression!r} never comes within `between`: widen one of them")


def _open_walls(schedule: Schedule, walls: Iterator[datetime]) -> Iterator[datetime]:
    return (wall for wall in walls if _open(schedule.between, wall.time()))


def _opened(schedule: Schedule, due: datetime, zone: ZoneInfo, share: float) -> datetime:
    """`due`, or a moment soon after the next opening: not all sources start at the same second of the morning."""
    if schedule.between is None or _open(schedule.between, _wall(due, zone).time()):
        return due
    opening = _opening(schedule.between, due, zone)
    spread = opening + timedelta(seconds=share * min(_LONGEST_SPREAD, _length(schedule.between) / 4))
    return spread if _open(schedule.between, _wall(spread, zone).time()) else opening


def _opening(between: Window | None, at: datetime, zone: ZoneInfo) -> datetime:
    if between is None or _open(between, _wall(at, zone).time()):
        return at
    # A start may come twice in autumn, or fall into the gap of spring; a window inside the gap does not open that day.
    return min(
        moment
        for moment in islice(_openings(between[0], _wall(at, zone).date(), zone), 10)
        if (moment > at and _open(between, _wall(moment, zone).time()))
    )


def _openings(start: time, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    while True:
        wall = datetime.combine(day, start)
        yield instant(wall, zone)
        yield wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        day += timedelta(days=1)


def _open(between: Window | None, moment: time) -> bool:
    if between is None or between[0] == between[1]:
        return True
    start, end = between
    return start <= moment < end if start < end else moment >= start or moment < end


def _length(between: Window) -> float:
    start, end = (moment.hour * 3600 + moment.minute * 60 + moment.second for moment in between)
    return float((end - start) % 86400)


def _share(seed: str) -> float:
    """A number in [0, 1) that belongs to the seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 2**48


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _zone(schedule: Schedule, tz: str) -> ZoneInfo:
    return ZoneInfo(schedule.timezone or tz)


def _window(stored: Any) -> Window | None:
    if not stored:
        return None
    first, last = stored.split("-") if isinstance(stored, str) else stored
    return _time(first), _time(last)


def _time(value: str | time) -> time:
    return value if isinstance(value, time) else time.fromisoformat(value.strip())


class Ticker:
    """Calls `tick` every `seconds` in a thread of its own, never twice at once, by APScheduler with nothing stored.

    A tick that comes late or was slept over is made up for once. The database, not this, knows what is due.
    """

    def __init__(self, tick: Callable[[], None], seconds: float = 1.0) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        self._scheduler = BackgroundScheduler(timezone=UTC, daemon=True)
        self._scheduler.add_job(
            tick, "interval", seconds=seconds, id="tick", coalesce=True, max_instances=1, misfire_grace_time=None
        )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def stop(self) -> None:
        """End; waits for a tick that is under way."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
