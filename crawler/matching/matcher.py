"""One automaton over the forms of all brands, with exact spans in the original text.

`Matcher.match` reads a post's folded text once and says which brands stand in it. Spans are offsets into the original
`title + newline + text`; they are worked out only for posts that hit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ahocorasick

from crawler.matching.forms import forms_of, word_forms
from crawler.model import Brand, EntityKind, Hit
from crawler.text import fold, fold_with_offsets

RULES_VERSION = "1"
_CONTEXT_CHARS = 300
_EXCLUDE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Match:
    """All hits of one brand in one text, and the version of the query that found them."""

    brand_id: int
    query_version: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    brand: int
    entity: str
    kind: EntityKind
    text: str


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    form: _Form


class Matcher:
    """Finds every brand of `brands` in folded text. Building takes about a microsecond a form."""

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._brands = tuple(brands)
        self._automaton = _automaton(self._brands)
        self._exclude = [re.compile("|".join(map(_phrase, b.not_about))) if b.not_about else None for b in brands]
        self._about = [_context(b.about) for b in brands]
        self.version = _version(self._brands)

    def match(self, folded: str, original: str) -> list[Match]:
        """Brands in `folded` (which must be `fold(original)`), each with its hits as spans of `original`."""
        by_brand: dict[int, list[_Found]] = {}
        for found in self._candidates(folded):
            by_brand.setdefault(found.form.brand, []).append(found)
        kept = {index: self._kept(index, founds, folded) for index, founds in by_brand.items()}
        if not any(kept.values()):
            return []
        _, offsets = fold_with_offsets(original)
        return [self._as_match(index, founds, offsets, original) for index, founds in kept.items() if founds]

    def _candidates(self, folded: str) -> list[_Found]:
        if not self._brands or not self._automaton:
            return []
        found = []
        for last, forms in self._automaton.iter(folded):
            for form in forms:
                start = last - len(form.text) + 1
                if _stands_alone(folded, start, last + 1):
                    found.append(_Found(start, last + 1, form))
        return found

    def _kept(self, index: int, founds: list[_Found], folded: str) -> list[_Found]:
        """Longest of overlapping hits, without those that an exclusion covers or that lack their context."""
        longest = _longest(founds)
        exclude = self._exclude[index]
        if exclude is not None:
            zones = [match.span() for match in exclude.finditer(folded)]
            longest = [f for f in longest if not any(_spoils(zone, f, longest) for zone in zones)]
        return self._in_context(index, longest, folded)

    def _in_context(self, index: int, founds: list[_Found], folded: str) -> list[_Found]:
        """With `about` given, a single plain word counts only near such a word or beside a second, stronger signal."""
        about = self._about[index]
        if about is None or len({f.form.entity for f in founds}) > 1 or any(_strong(f, folded) for f in founds):
            return founds
        return [f for f in founds if about.search(folded, max(0, f.start - _CONTEXT_CHARS), f.end + _CONTEXT_CHARS)]

    def _as_match(self, index: int, founds: list[_Found], offsets: Sequence[int], original: str) -> Match:
        brand = self._brands[index]
        hits = tuple(_hit(found, offsets, original) for found in founds)
        return Match(brand.id, brand.version, hits)


def _hit(found: _Found, offsets: Sequence[int], original: str) -> Hit:
    start, end = offsets[found.start], offsets[found.end - 1] + 1
    end = max(end, offsets[found.end]) if found.end < len(offsets) else end
    while end > start and original[end - 1].isspace():
        end -= 1
    return Hit(found.form.entity, found.form.kind, original[start:end], start, end)


def _automaton(brands: Sequence[Brand]) -> ahocorasick.Automaton | None:
    by_text: dict[str, list[_Form]] = {}
    for index, brand in enumerate(brands):
        for entity in brand.entities:
            for text in forms_of(entity):
                by_text.setdefault(text, []).append(_Form(index, entity.text, entity.kind, text))
    if not by_text:
        return None
    automaton = ahocorasick.Automaton()
    for text, forms in by_text.items():
        automaton.add_word(text, tuple(forms))
    automaton.make_automaton()
    return automaton


def _version(brands: Sequence[Brand]) -> str:
    parts = sorted(f"{brand.id}:{brand.version}" for brand in brands)
    return hashlib.sha256("|".join([RULES_VERSION, *parts]).encode()).hexdigest()[:16]


def _stands_alone(text: str, start: int, end: int) -> bool:
    """True when the span is not a part of a longer word or number on either side."""
    before_ok = start == 0 or not (_wordish(text[start - 1]) and _wordish(text[start]))
    after_ok = end == len(text) or not (_wordish(text[end]) and _wordish(text[end - 1]))
    return before_ok and after_ok and not (start > 0 and text[start - 1] == "@" and text[start] != "@")


def _wordish(char: str) -> bool:
    return char.isalnum() or char == "_"


def _longest(founds: list[_Found]) -> list[_Found]:
    """Leftmost-longest without overlaps, in order of place."""
    kept: list[_Found] = []
    for found in sorted(founds, key=lambda f: (f.start, -f.end)):
        if not kept or found.start >= kept[-1].end:
            kept.append(found)
    return kept


def _spoils(zone: tuple[int, int], found: _Found, founds: list[_Found]) -> bool:
    """An excluded phrase that holds the name spoils that hit alone; a bare context word spoils hits within reach."""
    if any(f.start < zone[1] and zone[0] < f.end for f in founds):
        return found.start < zone[1] and zone[0] < found.end
    return zone[0] - _EXCLUDE_CHARS <= found.start and found.end <= zone[1] + _EXCLUDE_CHARS


def _strong(found: _Found, folded: str) -> bool:
    form = found.form
    tagged = found.start > 0 and folded[found.start - 1] == "#"
    return tagged or form.kind is not EntityKind.BRAND or " " in form.text or form.text.startswith("@")


def _phrase(words: str) -> str:
    return r"(?<!\w)" + re.escape(fold(words).strip()) + r"(?!\w)"


def _context(words: Sequence[str]) -> re.Pattern[str] | None:
    if not words:
        return None
    forms = sorted({form for word in words for form in _forms(word)}, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, forms)) + r")(?!\w)")


def _forms(words: str) -> set[str]:
    folded = fold(words).strip()
    return word_forms(folded) if " " not in folded else {folded}


def explain(matches: Sequence[Match], names: Mapping[int, str]) -> str:
    """One line a brand, for people: which form of which entity stands where."""
    lines = [
        f"{names.get(match.brand_id, '?')}: «{hit.form}» ({hit.kind} {hit.entity}) at {hit.start}-{hit.end}"
        for match in matches
        for hit in match.hits
    ]
    return "\n".join(lines)
