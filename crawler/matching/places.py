"""Between the automaton and the names: other readings of a text, and where a name really stands.

`readings` undo look-alike and stretched letters; what is found in them is reported at its place in the folded text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import re2

from crawler.matching.forms import Name, Written
from crawler.matching.index import Hits, Index
from crawler.matching.reading import Reading
from crawler.matching.words import OPEN_SCRIPTS, Span
from crawler.text import readings

_SCRIPTS = ("a-zß-öø-ɏ", "а-яѐ-џґ", "ά-ώ")
_LETTERS = [chr(p) for low, high in ("az", "ßɏ", "άώ", "аџ", "ґґ") for p in range(ord(low), ord(high) + 1)]


def _odd() -> re2.Set:
    """Finds (0) two scripts side by side, a digit that looks like a letter between letters, a letter thrice in
    a row; (1) open scripts."""
    beside = [f"[{one}][{other}]" for one in _SCRIPTS for other in _SCRIPTS if one != other]
    letters = "".join(_SCRIPTS)
    thrice = [f"{letter}{{3}}" for letter in _LETTERS if letter.isalpha()]
    machine = re2.Set.SearchSet()
    digits = (f"[{letters}]0[{letters}]", f"[{_SCRIPTS[1]}][36][{_SCRIPTS[1]}]")
    machine.Add("|".join([*beside, *digits, *thrice]))
    machine.Add(f"[{OPEN_SCRIPTS}]")
    machine.Compile()
    return machine


_ODD = _odd()


def with_readings(index: Index, folded: str, *, wake: bool = False) -> Hits | None:
    """`index.scan` of the text and of every other way to read it; None when nothing stands in any."""
    seen = _look(folded)
    hits = index.scan(folded, wake=wake, simple=1 not in seen)
    if 0 not in seen:
        return hits
    for text, offsets in readings(folded):
        for slot, spans in (index.scan(text, wake=wake) or {}).items():
            known = dict.fromkeys((hits := hits or {}).get(slot, ()))
            known |= dict.fromkeys((offsets[start], offsets[end]) for start, end in spans)
            hits[slot] = sorted(known, key=lambda span: span[::-1])
    return hits


def _look(folded: str) -> Sequence[int]:
    """What `_odd` finds: one look of a linear machine tells whether `readings` may have anything to say."""
    try:
        return _ODD.Match(folded) or ()
    except UnicodeEncodeError:
        return 0, 1


def places(name: Name, spans: Iterable[Span], reading: Reading) -> Iterable[Span]:
    """Where the name stands, of the spans where a key of it was found; each place once."""
    found = (_place(name, span, reading) for span in spans)
    return dict.fromkeys(span for span in found if span is not None)


def _place(name: Name, span: Span, reading: Reading) -> Span | None:
    if found := name.place(reading.folded, *span, lambda start, end: reading.written((start, end))):
        return found
    for text, offsets in reading.others:
        start, end = bisect_left(offsets, span[0]), bisect_left(offsets, span[1])
        if end > start and (there := name.place(text, start, end, _written_in(offsets, reading))):
            return offsets[there[0]], offsets[there[1]]
    return None


def _written_in(offsets: Sequence[int], reading: Reading) -> Written:
    return lambda start, end: reading.written((offsets[start], offsets[end]))
