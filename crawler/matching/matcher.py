"""Finds every brand in a text: names with their context, and queries, over one automaton; exact spans in the original.

`scan` reads a post's folded text once and says whether anything may be there; `settle` judges what was found. Offsets
in the original, words, context and facts are worked out only for texts in which something was found.

A brand without a query, or whose query does not speak of NAMES, is mentioned when a name counts or the query holds. A
query that speaks of NAMES decides alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from crawler.matching.context import Found, Judged, Surroundings, judge
from crawler.matching.forms import Name, name_of
from crawler.matching.index import Hits, Index
from crawler.matching.places import places, with_readings
from crawler.matching.query_eval import Evaluation, Spot
from crawler.matching.query_plan import NAMES, Leaf, Plan, Word, context, plan
from crawler.matching.reading import Facts, Reading
from crawler.matching.words import Span
from crawler.model import Brand, EntityKind, Hit

RULES_VERSION = "5"
_NAME, _WORD, _CONTEXT = range(3)
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Match:
    """All hits of one brand in one text, and the version of the query that found them."""

    brand_id: int
    query_version: str
    hits: tuple[Hit, ...]


@dataclass(slots=True)
class Watch:
    """What is watched of one brand."""

    brand: Brand
    plan: Plan | None = None
    words: dict[Word, int] = field(default_factory=dict)
    about: list[Leaf] = field(default_factory=list)
    not_about: list[Leaf] = field(default_factory=list)

    def number(self, word: Word) -> int:
        """The number of a context word."""
        return self.words.setdefault(word, len(self.words))


@dataclass(slots=True)
class Sighting:
    """What the automaton found of one brand in one text."""

    names: list[Found] = field(default_factory=list)
    words: dict[int, list[Span]] = field(default_factory=dict)
    context: dict[int, list[Span]] = field(default_factory=dict)


class Matcher:
    """Finds every brand of `brands`. Raises ConfigError when a query of one cannot be read.

    Building takes about 5 us a form.
    """

    def __init__(self, brands: Sequence[Brand]) -> None:
        self.watches = [_watch(brand) for brand in brands]
        self.version = version_of(brands)
        self._index, self._slots = Index(), list[tuple[int, int, int]]()
        self._names: dict[int, Name] = {}
        asleep: set[int] = set()
        for number, watch in enumerate(self.watches):
            self._add_names(number, watch)
            self._add_query(number, watch, asleep)
            for word, word_number in watch.words.items():
                asleep.add(self._add_word(word, (_CONTEXT, number, word_number)))
        self._index.seal(asleep)
        self._always = [n for n, watch in enumerate(self.watches) if watch.plan and watch.plan.wakes is None]

    def match(self, folded: str, original: str, facts: Facts | None = None) -> list[Match]:
        """Brands in `folded` (which must be `fold(original)`), each with its hits as spans of `original`."""
        hits = self.scan(folded)
        return [] if hits is None else self.settle(hits, folded, original, facts)

    def scan(self, folded: str, *, wake: bool = False) -> Hits | None:
        """What stands in the folded text, for `settle`; None when no brand can be there, but with `wake` all."""
        hits = with_readings(self._index, folded, wake=wake)
        return {} if hits is None and self._always else hits

    def settle(self, hits: Hits, folded: str, original: str, facts: Facts | None = None) -> list[Match]:
        """Judge what `scan` found."""
        reading = Reading(folded, original, facts)
        matches = []
        for number, sighting in sorted(self.sightings(hits, reading).items()):
            watch = self.watches[number]
            names = judge_names(watch, sighting, reading)
            spots = query_spots(watch, sighting, names, reading)
            if found := hits_of(watch, names, spots, reading):
                matches.append(Match(watch.brand.id, watch.brand.version, tuple(found)))
        return matches

    def sightings(self, hits: Hits, reading: Reading) -> dict[int, Sighting]:
        """What was found by the number of the brand; brands whose query may hold anywhere are always there."""
        found = {number: Sighting() for number in self._always}
        for slot, spans in hits.items():
            role, number, part = self._slots[slot]
            sighting = found.setdefault(number, Sighting())
            if role == _NAME:
                entity = self.watches[number].brand.entities[part]
                placed = places(self._names[slot], spans, reading)
                sighting.names += [Found(start, end, part, entity) for start, end in placed]
            else:
                (sighting.words if role == _WORD else sighting.context)[part] = spans
        return found

    def inside_words(self, folded: str) -> Iterable[tuple[Brand, Span]]:
        """Names that are only a part of a longer word; to explain, not to match."""
        for span, slots in self._index.inside(folded):
            for role, number, _ in (self._slots[slot] for slot in slots):
                if role == _NAME:
                    yield self.watches[number].brand, span

    @property
    def forms(self) -> int:
        """How many different keys the automaton holds."""
        return self._index.size

    def _slot(self, meaning: tuple[int, int, int]) -> int:
        self._slots.append(meaning)
        return len(self._slots) - 1

    def _add_names(self, number: int, watch: Watch) -> None:
        for part, entity in enumerate(watch.brand.entities):
            name, slot = name_of(entity), self._slot((_NAME, number, part))
            self._index.add(name.keys, slot)
            self._names[slot] = Name(frozenset(), name.place)  # the index holds the keys

    def _add_query(self, number: int, watch: Watch, asleep: set[int]) -> None:
        if watch.plan is None:
            return
        wakes = watch.plan.wakes
        for word_number, word in enumerate(watch.plan.words):
            slot = self._add_word(word, (_WORD, number, word_number))
            if wakes is not None and word_number not in wakes:
                asleep.add(slot)

    def _add_word(self, word: Word, meaning: tuple[int, int, int]) -> int:
        slot = self._slot(meaning)
        if word.glob:
            self._index.add_part(max(word.glob, key=len), slot)
        else:
            self._index.add(word.keys, slot)
        return slot


def _watch(brand: Brand) -> Watch:
    watch = Watch(brand, plan(brand.query) if brand.query else None)
    for texts, leaves in ((brand.about, watch.about), (brand.not_about, watch.not_about)):
        leaves += [leaf for text in texts if (leaf := context(text, watch.number)).words]
    return watch


_ALONE = Surroundings(None, ())


def judge_names(watch: Watch, sighting: Sighting, reading: Reading) -> list[Judged]:
    """Every name of the brand that stands in the text, with its fate."""

    def around() -> Surroundings:
        if not watch.words:
            return _ALONE
        seen = Evaluation(tuple(watch.words), reading, sighting.context, (), quotations=True)
        about = sorted(seen.spans(watch.about)) if watch.about else None
        return Surroundings(about, sorted(seen.spans(watch.not_about)), watch.brand.about)

    return judge(sighting.names, around, reading)


def query_spots(watch: Watch, sighting: Sighting, names: Sequence[Judged], reading: Reading) -> list[Spot] | None:
    """Where the query of the brand holds; None when it does not, or there is none."""
    if watch.plan is None or not _awake(watch.plan, sighting, names):
        return None
    kept = [one.found.span for one in names if one.kept]
    return Evaluation(watch.plan.words, reading, sighting.words, kept).spots(watch.plan.root)


def _awake(plan: Plan, sighting: Sighting, names: Sequence[Judged]) -> bool:
    if plan.wakes is None or not plan.wakes.isdisjoint(sighting.words):
        return True
    return NAMES in plan.wakes and any(one.kept for one in names)


def hits_of(watch: Watch, names: Sequence[Judged], spots: list[Spot] | None, reading: Reading) -> list[Hit]:
    """Names that count and spots of the query, leftmost-longest without overlaps."""
    kept = {one.found.span: one for one in names if one.kept}
    if watch.plan is not None and watch.plan.names and spots is None:
        return []
    spans = dict.fromkeys(kept, watch.brand.name) | {(s.start, s.end): s.term for s in spots or ()}
    hits, end = list[Hit](), 0
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if span[0] >= end:
            end = span[1]
            hits.append(_hit(watch, kept.get(span), span, spans[span], reading))
    if spots == [] and not hits:
        return [
            Hit(str(watch.plan.text if watch.plan else "")[:_SHOWN], EntityKind.BRAND, "", 0, 0, "query, by fields")
        ]
    return hits


def _hit(watch: Watch, name: Judged | None, span: Span, term: str, reading: Reading) -> Hit:
    start, end = reading.source(span)
    form = reading.original[start:end]
    if name is None:
        return Hit(term[:_SHOWN], EntityKind.BRAND, form, start, end, "query")
    why = f"{name.why}; query" if watch.plan is not None and watch.plan.names else name.why
    return Hit(name.found.entity.text, name.found.entity.kind, form, start, end, why)


def version_of(brands: Sequence[Brand]) -> str:
    """The digest of everything that decides matching with these brands."""
    parts = sorted(f"{brand.id}:{brand.version}" for brand in brands)
    return hashlib.sha256("|".join([RULES_VERSION, *parts]).encode()).hexdigest()[:16]
