"""Evaluates a prepared query over one text; the meaning is written in `crawler.matching.query`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from crawler.matching.query_plan import Either, Every, Fact, Leaf, Named, Pair, Pattern, Step, Word
from crawler.matching.reading import Reading
from crawler.matching.words import Span, begins, ends, spaced
from crawler.text import fold

MAX_PAIRS = 20_000
MAX_LOOKS = 200_000
MAX_REGEX_HITS = 1_000
_LONGEST_WORD = 128


class Spot(NamedTuple):
    """Where a term stands in the folded text, and the term as written."""

    start: int
    end: int
    term: str


class Place(NamedTuple):
    """What NEAR counts from: words `first` to `last`; `held` are the words in it that were looked for."""

    first: int
    last: int
    held: tuple[Span, ...]
    spots: tuple[Spot, ...]


class Evaluation:
    """One query over one text. `found` holds the spans of the keys of words by number.

    `names` are those that count. Words in quotations are left out unless `quotations`.
    """

    def __init__(
        self,
        words: Sequence[Word],
        reading: Reading,
        found: Mapping[int, list[Span]],
        names: Iterable[Span],
        quotations: bool = False,
    ) -> None:
        self._words, self.reading, self._found, self._names = words, reading, found, list(names)
        self._known: dict[int, list[Span]] = {}
        self._quotations = quotations

    def spots(self, step: Step) -> list[Spot] | None:
        """Every spot that makes the step hold (none for facts alone), or None when it does not hold."""
        if isinstance(step, Every):
            return self._every(step)
        if isinstance(step, Either):
            return self._either(step)
        if isinstance(step, Pair):
            return list({spot: None for place in self.places(step) for spot in place.spots}) or None
        if isinstance(step, Fact):
            return [] if fact_holds(step, self.reading) else None
        return self._alone(step) or None

    def spans(self, leaves: Iterable[Leaf]) -> list[Span]:
        """Where any of the leaves stands."""
        there = [leaf for leaf in leaves if leaf.words[0] in self._found]
        return [(spot.start, spot.end) for leaf in there for spot in self._alone(leaf)]

    def places(self, step: Step) -> list[Place]:
        """The places of a step that NEAR may join."""
        if isinstance(step, Pair):
            return self._pairs(step)
        if isinstance(step, Either):
            some = [self.places(leaf) for leaf in self._standing(step)] + [self.places(part) for part in step.others]
            return [place for places in some for place in places]
        assert not isinstance(step, Every | Fact)
        of = self.reading.words.of
        return [_place(of(spot.start, spot.end), spot) for spot in self._alone(step)]

    def _every(self, step: Every) -> list[Spot] | None:
        spots: list[Spot] = []
        for part in step.parts:
            held = self.spots(part)
            if held is None:
                return None
            spots += held
        if any(self.spots(part) is not None for part in step.nots):
            return None
        return spots

    def _either(self, step: Either) -> list[Spot] | None:
        held = [self._alone(leaf) for leaf in self._standing(step)]
        more = [spots for part in step.others if (spots := self.spots(part)) is not None]
        if not more and not any(held):
            return None
        return [spot for spots in (*held, *more) for spot in spots]

    def _standing(self, step: Either) -> Iterable[Leaf]:
        """The leaves of the step whose first word stands in the text."""
        numbers = sorted(step.leaves.keys() & self._found.keys())
        return [leaf for number in numbers for leaf in step.leaves[number]]

    def _alone(self, step: Leaf | Pattern | Named) -> list[Spot]:
        if isinstance(step, Named):
            spans = self._names
        elif isinstance(step, Pattern):
            spans = self._regex(step)
        else:
            spans = self.word(step.words[0]) if len(step.words) == 1 else self._phrase(step)
        return [Spot(start, end, step.shown) for start, end in self._in_zone(spans, step.zone)]

    def _in_zone(self, spans: list[Span], zone: str) -> list[Span]:
        if not zone or not spans:
            return spans
        border = self.reading.title_end
        return [span for span in spans if (span[1] <= border if zone == "title" else span[0] >= border)]

    def word(self, number: int) -> list[Span]:
        """Where the word stands, quotations left out, in order."""
        spans = self._known.get(number)
        if spans is None:
            spans = self._found.get(number, [])
            if spans:
                narrowed = _narrowed(self._words[number], spans, self.reading)
                spans = [span for span in narrowed if self._quotations or not self.reading.quoted(span)]
            self._known[number] = spans
        return spans

    def _phrase(self, leaf: Leaf) -> list[Span]:
        if not all(self.word(number) for number in leaf.words):
            return []
        of, spans = self.reading.words.of, self.word(leaf.words[0])
        runs = [(start, end, of(start, end)[1]) for start, end in spans]
        for number in leaf.words[1:]:
            following: dict[int, list[Span]] = {}
            for span in self.word(number):
                following.setdefault(of(*span)[0], []).append(span)
            runs = [
                (start, span[1], of(*span)[1])
                for start, end, last in runs
                for span in following.get(last + 1, ())
                if span[0] >= end
            ]
        return list(dict.fromkeys((start, end) for start, end, _ in runs))

    def _regex(self, step: Pattern) -> list[Span]:
        found = islice(step.regex.spans(self.reading.original), MAX_REGEX_HITS)
        spans = [_folded_span(self.reading.offsets, start, end) for start, end in found if start < end]
        return [span for span in spans if span[0] < span[1] and not self.reading.quoted(span)]

    def _pairs(self, step: Pair) -> list[Place]:
        lefts = self.places(step.left)
        rights = sorted(self.places(step.right), key=lambda place: place[:2]) if lefts else []
        if not rights:
            return []
        firsts = [place.first for place in rights]
        reach = step.distance + max(1, *(place.last - place.first + 1 for place in rights))
        joined, looks = dict[tuple[Spot, ...], Place](), 0
        for left in sorted(lefts, key=lambda place: place[:2]):
            low = bisect_left(firsts, left.last + 1 if step.ordered else left.first - reach)
            for right in rights[low : bisect_right(firsts, left.last + step.distance + 1)]:
                looks += 1
                if _near(left, right, step):
                    place = _joined(left, right)
                    joined.setdefault(place.spots, place)
            if len(joined) >= MAX_PAIRS or looks >= MAX_LOOKS:
                break
        return list(joined.values())[:MAX_PAIRS]


def _place(words: Span, spot: Spot) -> Place:
    return Place(words[0], words[1], (words,), (spot,))


def _joined(left: Place, right: Place) -> Place:
    held = tuple(sorted({*left.held, *right.held}))
    spots = tuple(sorted({*left.spots, *right.spots}))
    return Place(min(left.first, right.first), max(left.last, right.last), held, spots)


def _near(left: Place, right: Place, step: Pair) -> bool:
    """At most `distance` words between the nearest ends, in order if asked, with no word or sign in common."""
    before, after = (left, right) if step.ordered or left.last < right.first else (right, left)
    if before.last < after.first:
        if after.first - before.last - 1 > step.distance:
            return False
    elif step.ordered:
        return False
    return not _share(left, right) and not (step.ordered and left.spots[-1].end > right.spots[0].start)


def _share(left: Place, right: Place) -> bool:
    return any(a[0] <= b[1] and b[0] <= a[1] for a in left.held for b in right.held) or any(
        a.start < b.end and b.start < a.end for a in left.spots for b in right.spots
    )


def _narrowed(word: Word, spans: list[Span], reading: Reading) -> list[Span]:
    """Spans of the keys that are the word: widened to the whole word for wildcards, of the right letter case."""
    if word.glob:
        whole = _widened(word.glob, spans, reading.folded)
        return [span for span in whole if not word.cased or _case_of_glob(word, span, reading)]
    if word.cased:
        return [span for span in spans if _same_case(reading.written(span), word.cased[0])]
    return spans


def _widened(glob: tuple[str, ...], spans: list[Span], folded: str) -> list[Span]:
    """The words round the fixed parts at `spans`, when the whole of them is what the wildcards allow."""
    signs = {char for part in glob for char in part if not spaced(char)} | {"'"}
    edges = glob[0][:1], glob[-1][-1:]
    words, run = dict[Span, None](), (0, 0)
    for span in spans:
        if span[1] > run[1]:
            run = _run(folded, span, signs)
        word = _trimmed(folded, run, signs, edges)
        if word[1] - word[0] <= _LONGEST_WORD and glob_parts(glob, folded[slice(*word)]) is not None:
            words[word] = None
    return [word for word in words if begins(folded, word[0]) and ends(folded, word[1])]


def _run(folded: str, span: Span, signs: set[str]) -> Span:
    """The letters, digits and `signs` round the span; each run is walked once, however long."""
    start, end = span
    while start and (spaced(folded[start - 1]) or folded[start - 1] in signs):
        start -= 1
    while end < len(folded) and (spaced(folded[end]) or folded[end] in signs):
        end += 1
    return start, end


def _trimmed(folded: str, run: Span, signs: set[str], edges: tuple[str, str]) -> Span:
    """The run without signs at its ends that the pattern does not end with itself."""
    start, end = run
    while start < end and folded[start] in signs and folded[start] != edges[0]:
        start += 1
    while end > start and folded[end - 1] in signs and folded[end - 1] != edges[1]:
        end -= 1
    return start, end


def glob_parts(glob: tuple[str, ...], text: str) -> list[Span] | None:
    """Where the fixed parts stand in `text` when all of it is the parts with anything between; else None. Linear."""
    if len(glob) == 1:
        return [(0, len(text))] if text == glob[0] else None
    head, *middle, tail = glob
    limit = len(text) - len(tail)
    if len(head) > limit or not text.startswith(head) or not text.endswith(tail):
        return None
    spans, place = [(0, len(head))], len(head)
    for part in middle:
        found = text.find(part, place, limit)
        if found < 0:
            return None
        place = found + len(part)
        spans.append((found, place))
    return [*spans, (limit, len(text))]


def _case_of_glob(word: Word, span: Span, reading: Reading) -> bool:
    parts = glob_parts(word.glob, reading.folded[slice(*span)]) or []
    places = [(span[0] + start, span[0] + end) for start, end in parts]
    return all(
        _same_case(reading.written(place), part)
        for place, part in zip(places, word.cased, strict=True)
        if place[0] < place[1]
    )


def _same_case(text: str, wanted: str) -> bool:
    """Texts that fold alike and have capitals in the same places."""
    return [c.isupper() for c in text if c.isalpha()] == [c.isupper() for c in wanted if c.isalpha()]


def _folded_span(offsets: Any, start: int, end: int) -> Span:
    return bisect_left(offsets, start), bisect_left(offsets, end)


def fact_holds(fact: Fact, reading: Reading) -> bool:
    """Whether the post's facts are what a field term asks for."""
    value = _values(reading)[fact.field]()
    if fact.regex is not None:
        return any(fact.regex.found(text) for text in value if text)
    return any(_HOW[fact.field](fact.want, fold(text)) for text in value if text)


def _values(reading: Reading) -> Mapping[str, Callable[[], tuple[str, ...]]]:
    facts = reading.facts
    return {
        "author": lambda: tuple(facts.author.split("\n")),
        "url": lambda: (facts.url,),
        "site": lambda: (facts.site, _host(facts.url)),
        "lang": lambda: (reading.language,),
        "kind": lambda: facts.kinds,
    }


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]


def _contains(want: tuple[str, ...], text: str) -> bool:
    place = 0
    for part in want:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True


def _has_words(want: tuple[str, ...], text: str) -> bool:
    if len(want) > 1:
        words = [form for word in text.split() for form in (word, word.lstrip("@"))]
        return any(glob_parts(want, word) is not None for word in words)
    found = text.find(want[0])
    while found >= 0:
        end = found + len(want[0])
        if (begins(text, found) or text[found - 1] == "@") and ends(text, end):
            return True
        found = text.find(want[0], found + 1)
    return False


def _same(want: tuple[str, ...], text: str) -> bool:
    return glob_parts(want, text) is not None


def _same_site(want: tuple[str, ...], text: str) -> bool:
    return _same(want, text) or (len(want) == 1 and text.endswith("." + want[0]))


def _same_language(want: tuple[str, ...], text: str) -> bool:
    return _same(want, text) or _same(want, text.partition("-")[0])


_HOW: dict[str, Callable[[tuple[str, ...], str], bool]] = {
    "author": _has_words,
    "url": _contains,
    "site": _same_site,
    "lang": _same_language,
    "kind": _same,
}
