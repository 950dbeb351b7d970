"""One automaton (pyahocorasick) over everything that is looked for: forms of names, words of queries, context words."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import ahocorasick

from crawler.matching.words import Span, begins, ends

Hits = dict[int, list[Span]]


class Index:
    """Folded keys, each standing for slots (numbers that the caller gives a meaning). Fill it, then `seal` it.

    A key is found as a whole word (`add`) or also inside one (`add_part`). Building takes about 3 us a key.
    """

    def __init__(self) -> None:
        self._whole: dict[str, tuple[int, ...]] = {}
        self._part: dict[str, tuple[int, ...]] = {}
        self._wakes: frozenset[int] | None = None

    def add(self, keys: Iterable[str], slot: int) -> None:
        """Report whole words `keys` under `slot`."""
        _add(self._whole, keys, slot)

    def add_part(self, key: str, slot: int) -> None:
        """Report `key` under `slot` wherever it stands."""
        _add(self._part, (key,), slot)

    def seal(self, asleep: Iterable[int] = ()) -> None:
        """Build the automaton. Slots `asleep` are reported only in texts where another slot is found."""
        keys = [*self._whole, *(key for key in self._part if key not in self._whole)]
        self._automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
        for number, key in enumerate(keys):
            self._automaton.add_word(key, number)
        if keys:
            self._automaton.make_automaton()
        self._lengths = array("I", map(len, keys))
        self._slots = [self._whole.get(key, ()) for key in keys]
        self._parts = {n: self._part[key] for n, key in enumerate(keys) if key in self._part}
        self._sleepers, self.size = frozenset(asleep), len(keys)
        del self._whole, self._part

    def scan(self, folded: str) -> Hits | None:
        """Slot -> spans of the folded text in order of their ends; None when nothing but sleepers is there."""
        if not self.size:
            return None
        hits: Hits = {}
        lengths, all_slots, parts = self._lengths, self._slots, self._parts
        for last, number in self._automaton.iter(folded):
            end = last + 1
            span = (end - lengths[number], end)
            if number in parts:
                for slot in parts[number]:
                    hits.setdefault(slot, []).append(span)
            slots = all_slots[number]
            if slots and begins(folded, span[0]) and ends(folded, end):
                for slot in slots:
                    hits.setdefault(slot, []).append(span)
        return hits if hits and not hits.keys() <= self._sleepers else None

    def inside(self, folded: str) -> Iterator[tuple[Span, tuple[int, ...]]]:
        """What stands inside a longer word and is therefore no hit; to explain, not to match."""
        if self.size:
            for last, number in self._automaton.iter(folded):
                span = (last + 1 - self._lengths[number], last + 1)
                if self._slots[number] and not (begins(folded, span[0]) and ends(folded, span[1])):
                    yield span, self._slots[number]


def _add(table: dict[str, tuple[int, ...]], keys: Iterable[str], slot: int) -> None:
    alone = (slot,)  # one tuple for all forms of a slot
    for key in keys:
        known = table.get(key)
        if known is None:
            table[key] = alone
        elif slot not in known:
            table[key] = (*known, slot)
