"""Which names that stand in a text count: the longest ones, outside exclusions and quotations, in their context."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crawler.matching.reading import Reading
from crawler.matching.words import Span
from crawler.model import Entity, EntityKind

CONTEXT_CHARS = 300
EXCLUDE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Found:
    """A form of an entity in the folded text."""

    start: int
    end: int
    number: int
    entity: Entity

    @property
    def span(self) -> Span:
        """Where it stands."""
        return self.start, self.end


@dataclass(frozen=True, slots=True)
class Judged:
    """A name that stands in the text: whether it counts, and why (not)."""

    found: Found
    kept: bool
    why: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Context words of one brand in one text: spans of `about` (None: it needs none) and of `not_about`, by start."""

    about: Sequence[Span] | None
    not_about: Sequence[Span]
    wanted: tuple[str, ...] = ()


def longest(founds: Sequence[Found]) -> list[Found]:
    """Leftmost-longest without overlaps, in order of place; of two names with one form the first configured."""
    kept: list[Found] = []
    for found in sorted(founds, key=lambda f: (f.start, -f.end, f.number)):
        if not kept or found.start >= kept[-1].end:
            kept.append(found)
    return kept


def judge(founds: Sequence[Found], around: Callable[[], Surroundings], reading: Reading) -> list[Judged]:
    """Every name that stands in the text, with its fate; `around` is asked only when there is one."""
    candidates = longest(founds)
    if not candidates:
        return []
    surroundings = around()
    spoilt = _spoilt(candidates, surroundings.not_about, reading) if surroundings.not_about else {}
    free, judged = list[Found](), list[Judged]()
    for found in candidates:
        why = spoilt.get(found.start) or ("stands in quoted text" if reading.quoted(found.span) else "")
        if why:
            judged.append(Judged(found, False, why))
        else:
            free.append(found)
    judged += _in_context(free, surroundings, reading)
    return sorted(judged, key=lambda one: one.found.start)


def _spoilt(founds: Sequence[Found], zones: Sequence[Span], reading: Reading) -> dict[int, str]:
    """An excluded phrase that holds a name spoils that name alone; one beside names spoils those within reach."""
    starts, stops = [found.start for found in founds], [found.end for found in founds]
    spoilt: dict[int, str] = {}
    for zone in zones:
        low, high = bisect_left(stops, zone[0] + 1), bisect_left(starts, zone[1])
        how = "stands in the excluded"
        if low >= high:
            low, high = bisect_left(starts, zone[0] - EXCLUDE_CHARS), bisect_left(stops, zone[1] + EXCLUDE_CHARS + 1)
            how = f"stands within {EXCLUDE_CHARS} characters of the excluded"
        for found in founds[low:high]:
            spoilt.setdefault(found.start, f"{how} «{reading.written(zone)}»")
    return spoilt


def _in_context(founds: list[Found], around: Surroundings, reading: Reading) -> list[Judged]:
    """With `about` given, a plain one-word name counts only near such a word or beside a second, stronger signal."""
    if around.about is None:
        return [Judged(found, True, "name") for found in founds]
    strong = next((found for found in founds if _signal(found, reading.folded)), None)
    texts = {found.entity.text for found in founds}
    judged = []
    for found in founds:
        why = _reason(found, around.about, strong, texts, reading)
        missing = f"none of {', '.join(around.wanted)} within {CONTEXT_CHARS} characters, and no second signal"
        judged.append(Judged(found, bool(why), why or missing))
    return judged


def _reason(found: Found, about: Sequence[Span], strong: Found | None, texts: set[str], reading: Reading) -> str:
    if signal := _signal(found, reading.folded):
        return f"name, {signal}"
    if near := _near(found, about):
        return f"name, near «{reading.written(near)}»"
    if strong is not None:
        return f"name, beside «{reading.written(strong.span)}»"
    return "name, beside another name of the brand" if len(texts) > 1 else ""


def _near(found: Found, about: Sequence[Span]) -> Span | None:
    place = bisect_left(about, (found.start - CONTEXT_CHARS, 0))
    for span in about[place:]:
        if span[0] > found.end + CONTEXT_CHARS:
            return None
        if span[1] <= found.end + CONTEXT_CHARS and not (span[0] < found.end and found.start < span[1]):
            return span
    return None


def _signal(found: Found, folded: str) -> str:
    """What makes a name sure of itself, without any context."""
    form = folded[found.start : found.end]
    if form.startswith(("#", "@")) or (found.start > 0 and folded[found.start - 1] == "#"):
        return "tagged"
    if found.entity.kind is not EntityKind.BRAND:
        return "legal name" if found.entity.kind is EntityKind.LEGAL else "person"
    return "of more than one word" if " " in form else ""
