"""What a source usually gives, in few numbers, and whether a run left that. Pure: no clock, no database.

Medians, smallest and largest of the last runs, never means: one odd run must not move what is usual. Nothing is said
of a source that is young, that is often empty, or whose figures swing by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

FIELDS = ("author", "time", "text", "url", "id", "rating")
RING = 40
# Before this nothing is usual yet.
RUNS, POSTS, SPAN, WEEK = 6, 30, timedelta(hours=60), timedelta(days=8)
# So many runs say of a young source at least that its lists stand still, or that its posts stay in them.
FEW, ALIKE, STAYS, SOON = 3, 0.9, 0.5, 0.25
ALWAYS, SELDOM, MOST_POSTS_KEPT = 0.98, 0.02, 600
# An odd state that lasts so long is the new usual: nobody may have to edit a config to end an alert.
ODD_RUNS, ODD_FOR = 30, timedelta(days=14)
SLOTS, SLOT_HOURS = 16, 3
SEEN_HOURS, MOST_HOURS = 12.0, 200.0
FORTNIGHT = 336.0
HOLIDAY = 0.3
DAY, RESTING = 24.0, 0.15
# New posts that should have come, by the slowest reading of the past, before silence means anything.
SURELY = 25.0


@dataclass(frozen=True, slots=True)
class Yield:
    """What one run came to: answers that held posts, posts shown and new, how many had each field, their lengths."""

    answers: int = 0
    shown: int = 0
    new: int = 0
    filled: Mapping[str, int] = field(default_factory=dict)
    lengths: Sequence[int] = ()
    sample: str | None = None
    # Nothing was there and the source said that this is nothing unusual (it was asked for what is new).
    quiet: bool = False
    # Nothing was there although the answer was whole.
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Oddity:
    """How a run differs; `changed`: the answers are of another make. Else only the flow of posts is odd."""

    why: str
    changed: bool


@dataclass(slots=True)
class Usual:
    """The memory of one source. JSON-able by `as_json`; `of` reads it back."""

    runs: int = 0
    since: str = ""
    last: str = ""
    zeros: int = 0
    # Whole answers without a post in a row: now, and at most of those rows that ended.
    streak: int = 0
    longest: int = 0
    shown: list[float] = field(default_factory=list)
    # The share of what was shown that had been shown before.
    stayed: list[float] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    fields: dict[str, list[int]] = field(default_factory=dict)
    # Hours and new posts by the three-hour slot of the day, working days and then weekends.
    rates: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0] for _ in range(SLOTS)])
    # Since the last new post: how many should have come and how many did.
    expected: float = 0.0
    came: int = 0
    # Runs in a row without a new post.
    nil: int = 0
    # The oddity that lasts: its runs and since when.
    odd: int = 0
    odd_since: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> Usual:
        """Read back; what is not there begins anew."""
        names = cls.__dataclass_fields__
        return cls(**{name: value for name, value in (data or {}).items() if name in names})

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self)

    def rests(self) -> bool:
        """Whether next to nothing new comes at weekends; also while no weekend was seen yet."""
        (week_hours, week), (end_hours, end) = (
            (sum(hours for hours, _ in days), sum(new for _, new in days))
            for days in (self.rates[: SLOTS // 2], self.rates[SLOTS // 2 :])
        )
        return end_hours < DAY or end * week_hours < RESTING * week * end_hours

    def summary(self) -> dict[str, Any]:
        """For people: what is usual, empty while too little is known."""
        if not self.runs:
            return {}
        return {
            "runs": self.runs,
            "empty_runs": self.zeros,
            "posts_per_answer": median(self.shown) if self.shown else None,
            "new_per_run": median(self.new) if self.new else None,
            "text_length": median(self.lengths) if self.lengths else None,
            "filled": {name: round(had / of, 2) for name, (of, had) in self.fields.items() if of},
        }


def judged(usual: Usual, run: Yield, at: datetime) -> tuple[Usual, Oddity | None]:
    """The memory after this run, and what is odd about the run. Changes `usual` in place."""
    hours = _hours(usual, at)
    _expect(usual, run, at, hours)
    oddity = next(_oddities(usual, run, at, hours), None)
    if oddity is not None and oddity.changed and not _settled_in(usual, at):
        usual.odd += 1
        usual.odd_since = usual.odd_since or at.isoformat()
        usual.last = at.isoformat()
        return usual, oddity
    if oddity is not None and oddity.changed:
        usual = Usual(last=usual.last)
        oddity = None
    usual.odd, usual.odd_since = 0, ""
    _learn(usual, run, at, hours)
    return usual, oddity


def _settled_in(usual: Usual, at: datetime) -> bool:
    return usual.odd >= ODD_RUNS and at - datetime.fromisoformat(usual.odd_since) > ODD_FOR


def _hours(usual: Usual, at: datetime) -> float:
    """Hours since the run before."""
    return max(0.0, (at - datetime.fromisoformat(usual.last)).total_seconds() / 3600) if usual.last else 0.0


# ---- what is odd -----------------------------------------------------------------------------------------------------


def _oddities(usual: Usual, run: Yield, at: datetime, hours: float) -> Iterator[Oddity]:
    known = _known(usual, at)
    if run.empty and (_vanished(usual, at) if known else _vanished_early(usual, hours)):
        least = f"there never were fewer than {min(usual.shown):.0f} in {usual.runs} runs"
        rows = max(usual.longest, usual.streak)
        yield Oddity(f"no posts, and {least}" + (f" but for {rows} empty ones in a row" if rows else ""), True)
    if run.shown and usual.runs >= FEW:
        yield from _emptied(usual, run)
    if run.shown and usual.runs >= RUNS:
        yield from _shortened(usual, run)
    if run.shown and known:
        yield from _thinned(usual, run, at)
    if known:
        yield from _flow(usual, run, hours)


def _known(usual: Usual, at: datetime) -> bool:
    return usual.runs >= RUNS and at - datetime.fromisoformat(usual.since) >= SPAN


def _vanished(usual: Usual, at: datetime) -> bool:
    """Lists that always hold about as many posts hold none; longer than they ever did, where they sometimes do."""
    if not _steady(usual) or not usual.zeros:
        return _steady(usual)
    # What is empty at times may be so for its first weekend.
    seen_a_weekend = at - datetime.fromisoformat(usual.since) >= WEEK
    return seen_a_weekend and usual.streak > 2 * max(usual.longest, 1)


def _vanished_early(usual: Usual, hours: float) -> bool:
    """Of a young source: a list that stood still, or kept what it had shown, does not empty itself between two runs.

    One that shows nothing but new posts each time may: nobody knows its nights yet.
    """
    if usual.zeros or len(usual.shown) < FEW:
        return False
    if min(usual.shown) >= max(4.0, ALIKE * max(usual.shown)):
        return hours <= (SOON if len(usual.shown) == FEW else max(SOON, 4 * max(usual.gaps)))
    return hours <= SOON and usual.shown[-1] >= FEW and min(usual.stayed, default=0.0) >= STAYS


def _emptied(usual: Usual, run: Yield) -> Iterator[Oddity]:
    """A field that posts always had and now lack: one post may be an odd one, several are not."""
    for name in FIELDS:
        of, had = usual.fields.get(name, [0, 0])
        if of < POSTS or had < ALWAYS * of:
            continue
        now, young = run.filled.get(name, 0), usual.runs < RUNS
        if (not now and run.shown >= (8 if young else 3)) or (run.shown >= 10 and now < run.shown / 2 and not young):
            yield Oddity(f"{run.shown - now} of {run.shown} posts have no {name}, which {had} of {of} had before", True)


def _shortened(usual: Usual, run: Yield) -> Iterator[Oddity]:
    """Whole texts became headlines."""
    if len(usual.lengths) < RUNS or len(run.lengths) < 5:
        return
    typical = median(run.lengths)
    if min(usual.lengths) >= 80 and typical < 0.2 * min(usual.lengths):
        yield Oddity(f"texts have {typical:.0f} letters, never fewer than {min(usual.lengths)} before", True)


def _thinned(usual: Usual, run: Yield, at: datetime) -> Iterator[Oddity]:
    """Lists that always held about as many posts hold next to none."""
    # A source that is empty now and then may hold a single post as well.
    if not _steady(usual) or median(usual.shown) < 8 or usual.zeros > SELDOM * usual.runs:
        return
    seen_a_weekend = at - datetime.fromisoformat(usual.since) >= WEEK
    now = run.shown / max(1, run.answers)
    if now < (0.15 if seen_a_weekend else 0.08) * min(usual.shown):
        yield Oddity(f"{now:.0f} posts in an answer, never fewer than {min(usual.shown):.0f} before", True)


def _steady(usual: Usual) -> bool:
    """Whether an answer always holds about as many posts, such as the newest twenty."""
    return bool(usual.shown) and min(usual.shown) >= 0.5 * median(usual.shown) and median(usual.shown) >= 4


def _flow(usual: Usual, run: Yield, hours: float) -> Iterator[Oddity]:
    """New posts stop coming, or come in masses."""
    if usual.expected >= SURELY and usual.came < 0.05 * usual.expected:
        yield Oddity(f"{usual.came} new posts where at least {usual.expected:.0f} usually come", False)
    if (
        usual.nil >= 2
        and sum(usual.gaps) >= FORTNIGHT
        and min(usual.new[: -usual.nil + 1] or [0]) >= 2
        and median(usual.new) >= 10
    ):
        yield Oddity(
            f"no new posts in {usual.nil} runs, never fewer than {min(usual.new[: -usual.nil + 1])} in a run before",
            False,
        )
    most, gap = max(usual.new, default=0), median(usual.gaps) if usual.gaps else 0.0
    longer = max(1.0, hours / gap) if gap else 1.0
    if len(usual.new) >= RUNS and run.new >= 50 and run.new > 8 * max(most, 1) * longer:
        anew = "; every one of them is new: the ids of the site may have changed" if run.new == run.shown else ""
        yield Oddity(f"{run.new} new posts, never more than {most} in a run before{anew}", False)


# ---- what is learned -------------------------------------------------------------------------------------------------


def _learn(usual: Usual, run: Yield, at: datetime, hours: float) -> None:
    first = not usual.since
    usual.since = usual.since or at.isoformat()
    usual.last = at.isoformat()
    usual.runs += 1
    if run.empty:
        usual.zeros += 1
        usual.streak += 1
    if run.shown:
        # Only what ended counts: else a silence that never ends would make itself usual.
        usual.longest, usual.streak = max(usual.longest, usual.streak), 0
        _push(usual.shown, round(run.shown / max(1, run.answers), 1))
        if not first:
            _push(usual.stayed, round(1 - min(run.new, run.shown) / run.shown, 2))
        if run.lengths:
            _push(usual.lengths, int(median(run.lengths)))
        _fill(usual, run)
    # The first run brings the past of a site: that is no usual flow.
    if not first:
        _push(usual.new, run.new)
        _push(usual.gaps, round(hours, 3))
        _rate(usual, run, at, hours)


def _push(ring: list[Any], value: float) -> None:
    ring.append(value)
    del ring[:-RING]


def _fill(usual: Usual, run: Yield) -> None:
    for name in FIELDS:
        of, had = usual.fields.get(name, [0, 0])
        of, had = of + run.shown, had + run.filled.get(name, 0)
        if of > MOST_POSTS_KEPT:
            # Halved, so that the last runs weigh most; an always stays an always.
            of, had = of // 2, had // 2 if had < of else of // 2
        usual.fields[name] = [of, had]


def _slots(at: datetime, hours: float) -> Iterator[tuple[int, float]]:
    """The slots of the hours before `at` (at most a week of them) and the hours spent in each."""
    moment, left = at.astimezone(UTC), min(hours, 168.0)
    while left > 1e-6:
        inside = moment.hour % SLOT_HOURS + moment.minute / 60 + moment.second / 3600
        part = min(left, inside if inside > 1e-6 else float(SLOT_HOURS))
        middle = moment - timedelta(hours=part / 2)
        yield middle.hour // SLOT_HOURS + (SLOTS // 2 if middle.weekday() > 4 else 0), part
        moment, left = moment - timedelta(hours=part), left - part


def _rate(usual: Usual, run: Yield, at: datetime, hours: float) -> None:
    spent = list(_slots(at, hours))
    total = sum(part for _, part in spent)
    for slot, part in spent:
        rate = usual.rates[slot]
        rate[0], rate[1] = round(rate[0] + part, 3), round(rate[1] + run.new * part / total, 3)
        if rate[0] > MOST_HOURS:
            usual.rates[slot] = [rate[0] / 2, rate[1] / 2]


def _expect(usual: Usual, run: Yield, at: datetime, hours: float) -> None:
    """How many new posts should have come since some last did, read so that a holiday is no surprise."""
    usual.expected = round(usual.expected + sum(part * _slowest(usual, slot) for slot, part in _slots(at, hours)), 3)
    usual.came += run.new
    usual.nil = 0 if run.new else usual.nil + 1
    if usual.came >= max(1.0, 0.05 * usual.expected) or not usual.last:
        usual.expected, usual.came = 0.0, 0


def _slowest(usual: Usual, slot: int) -> float:
    """New posts an hour in a slot: the slower of working day and weekend; nothing where one was hardly seen."""
    rates = [usual.rates[one] for one in (slot % (SLOTS // 2), slot % (SLOTS // 2) + SLOTS // 2)]
    known = [new / hours for hours, new in rates if hours >= SEEN_HOURS]
    return HOLIDAY * min(known) if len(known) == len(rates) else 0.0
