"""One automaton (pyahocorasick) over everything that is looked for: forms of names, words of queries, context words."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import filterfalse

import ahocorasick

from crawler.matching.words import OPEN_SCRIPTS, Span, begins, ends

Hits = dict[int, list[Span]]

GATED_FROM = 4096
# Words of scripts whose ends are seen by their neighbours alone: what `begins` and `ends` never cut in two.
_PLAIN_WORD = re.compile(rf"[^\W_{OPEN_SCRIPTS}]+")


class Index:
    """Folded keys, each standing for slots (numbers that the caller gives a meaning). Fill it, then `seal` it.

    A key is found as a whole word (`add`) or also inside one (`add_part`). Building takes about 3 us a key.
    """

    def __init__(self) -> None:
        self._whole: dict[str, tuple[int, ...]] = {}
        self._part: dict[str, tuple[int, ...]] = {}

    def add(self, keys: Iterable[str], slot: int) -> None:
        """Report whole words `keys` under `slot`."""
        _add(self._whole, keys, slot)

    def add_part(self, key: str, slot: int) -> None:
        """Report `key` under `slot` wherever it stands."""
        _add(self._part, (key,), slot)

    def seal(self, asleep: Iterable[int] = ()) -> None:
        """Build the automaton. Slots `asleep` are reported only in texts where another slot is found."""
        keys = [*self._whole, *(key for key in self._part if key not in self._whole)]
        self._automaton = _automaton(keys)
        self._lengths = array("I", map(len, keys))
        self._slots = [self._whole.get(key, ()) for key in keys]
        self._parts = {n: self._part[key] for n, key in enumerate(keys) if key in self._part}
        self._sleepers, self.size = frozenset(asleep), len(keys)
        self._gate = self._make_gate() if self.size > GATED_FROM else None
        del self._whole, self._part

    def _make_gate(self) -> Gate:
        awake = self._awake
        whole = [key for key, slots in self._whole.items() if awake(slots)]
        return Gate(whole, [key for key, slots in self._part.items() if awake(slots)])

    def _awake(self, slots: Iterable[int]) -> bool:
        return any(slot not in self._sleepers for slot in slots)

    def scan(self, folded: str, *, wake: bool = False, simple: bool = False) -> Hits | None:
        """Slot -> spans of the folded text in order of their ends; None when nothing but sleepers is there.

        With `wake` sleepers are told of whatever else is there. `simple`: the text holds no `OPEN_SCRIPTS`.
        """
        if not self.size:
            return None
        if wake:
            return self._find(folded, 0, len(folded), {})
        if self._gate is None or (windows := self._gate.windows(folded, simple)) is None:
            hits = self._find(folded, 0, len(folded), {})
            return hits if hits and self._awake(hits) else None
        hits = {}
        for start, end in windows:
            self._find(folded, start, end, hits)
        if not hits or not self._awake(hits):
            return None
        return self._find(folded, 0, len(folded), {}) if self._sleepers else hits

    def _find(self, folded: str, first: int, stop: int, hits: Hits) -> Hits:
        lengths, all_slots, parts = self._lengths, self._slots, self._parts
        for last, number in self._automaton.iter(folded, first, stop):
            end = last + 1
            span = (end - lengths[number], end)
            if number in parts:
                for slot in parts[number]:
                    hits.setdefault(slot, []).append(span)
            slots = all_slots[number]
            if slots and begins(folded, span[0]) and ends(folded, end):
                for slot in slots:
                    hits.setdefault(slot, []).append(span)
        return hits

    def inside(self, folded: str) -> Iterator[tuple[Span, tuple[int, ...]]]:
        """What stands inside a longer word and is therefore no hit; to explain, not to match."""
        if self.size:
            for last, number in self._automaton.iter(folded):
                span = (last + 1 - self._lengths[number], last + 1)
                if self._slots[number] and not (begins(folded, span[0]) and ends(folded, span[1])):
                    yield span, self._slots[number]


class Gate:
    """Tells texts that cannot hold any of many keys, by one word of each key: hashing words beats walking a trie that
    does not fit the processor's cache. Keys without a word of their own are asked of a small automaton.
    """

    def __init__(self, whole: Iterable[str], parts: Iterable[str]) -> None:
        self._room: dict[str, tuple[int, int]] = {}
        hard = set(parts)
        for key in whole:
            if word := max(_PLAIN_WORD.findall(key), key=len, default=""):
                before = key.index(word)
                known = self._room.get(word, (0, 0))
                self._room[word] = max(known[0], before), max(known[1], len(key) - before)
            else:
                hard.add(key)
        self._hard = _automaton(list(hard)) if hard else None

    def windows(self, folded: str, simple: bool) -> list[Span] | None:
        """Parts of the text outside which no key stands, in order; None: any part may hold one."""
        if self._hard is not None and next(self._hard.iter(folded), None) is not None:
            return None
        room = self._room
        words = _words(folded) if simple else _PLAIN_WORD.findall(folded)
        if room.keys().isdisjoint(words):
            return []
        spans: list[Span] = []
        for word in {word for word in words if word in room}:
            before, after = self._room[word]
            place = folded.find(word)
            while place >= 0:
                spans.append((max(0, place - before), min(len(folded), place + after)))
                place = folded.find(word, place + len(word))
        return _merged(spans)


def _words(folded: str) -> list[str]:
    """Every word of a simple text, and pieces between spaces that are none: splitting beats searching."""
    pieces = folded.split(" ")
    odd = " ".join(filterfalse(str.isalnum, pieces))
    return pieces + _PLAIN_WORD.findall(odd) if odd else pieces


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _automaton(keys: list[str]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
    for number, key in enumerate(keys):
        automaton.add_word(key, number)
    if keys:
        automaton.make_automaton()
    return automaton


def _add(table: dict[str, tuple[int, ...]], keys: Iterable[str], slot: int) -> None:
    alone = (slot,)  # one tuple for all forms of a slot
    for key in filter(None, keys):
        known = table.get(key)
        if known is None:
            table[key] = alone
        elif slot not in known:
            table[key] = (*known, slot)
