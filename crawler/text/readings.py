"""Other ways to read a folded text: look-alike letters of another script put right, stretched letters let go.

`fold` leaves these alone: what it gives is stored and hashed. Here they are undone while matching, for the few texts
that have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

_CYR = "а-яѐ-џґ"
_LAT = "a-zß-öø-ɏ"
_GREEK = "ά-ώ"
_MIXED = re.compile(
    rf"[{_LAT}][{_CYR}{_GREEK}]|[{_CYR}][{_LAT}{_GREEK}]|[{_GREEK}][{_CYR}{_LAT}]"
    rf"|[{_CYR}{_LAT}]0[{_CYR}{_LAT}]|[{_CYR}][36][{_CYR}]"
)
_STRETCHED = re.compile(r"([^\W\d_])\1\1")
_RUN = re.compile(r"([^\W\d_])\1+")
_WORD = re.compile(r"[^\W_]+")
_TO_CYRILLIC = str.maketrans("aceopxykmtbhijsïαεορχυικτνβμ036", "асеорхукмтвніјѕїаеорхуіктнвмозб")
_TO_LATIN = str.maketrans("асеорхукмтвніјѕїαεορχυικτνβμ0", "aceopxykmtbhijsïaeopxyiktvbmo")
_ONLY_CYRILLIC = re.compile(rf"[{_CYR}\d]+\Z")
_ONLY_LATIN = re.compile(rf"[{_LAT}\d]+\Z")

Reading = tuple[str, Sequence[int]]


def readings(folded: str) -> list[Reading]:
    """Other readings of the text, each with the offset in `folded` of every position of it and of its end.

    At most eleven; none for a text without mixed scripts and without a letter thrice in a row. Linear in the text.
    """
    texts = [folded]
    if _MIXED.search(folded):
        texts = _distinct([_unmixed(folded, cyrillic=True), _unmixed(folded, cyrillic=False), folded])
    found: list[Reading] = [(text, range(len(text) + 1)) for text in texts if text != folded]
    if _STRETCHED.search(folded):
        for text in texts:
            found += _let_go(text)
    return found


def _distinct(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _unmixed(text: str, *, cyrillic: bool) -> str:
    """Words of two scripts in one: the one named where all letters have a twin there, else the other."""
    tables = [(_TO_CYRILLIC, _ONLY_CYRILLIC), (_TO_LATIN, _ONLY_LATIN)]
    first, second = tables if cyrillic else tables[::-1]

    def mend(match: re.Match[str]) -> str:
        word = match[0]
        if not _MIXED.search(word):
            return word
        for table, only in (first, second):
            turned = word.translate(table)
            if only.match(turned):
                return turned
        return word

    return _WORD.sub(mend, text)


def _let_go(text: str) -> Iterator[Reading]:
    """Stretched words with each run let go to one letter, with doubles kept, and with runs let go to two."""
    seen = {text}
    for shorten in (_single, _keep_doubles, _double):
        reading = _shortened(text, shorten)
        if reading[0] not in seen:
            seen.add(reading[0])
            yield reading


def _single(run: int) -> int:
    return 1


def _keep_doubles(run: int) -> int:
    return 1 if run > 2 else run


def _double(run: int) -> int:
    return 2 if run > 2 else run


def _shortened(text: str, shorten: Callable[[int], int]) -> Reading:
    pieces: list[str] = []
    offsets: list[int] = []
    place = 0
    for word in _WORD.finditer(text):
        if not _STRETCHED.search(word[0]):
            continue
        for run in _RUN.finditer(text, *word.span()):
            end = run.start() + shorten(len(run[0]))
            pieces.append(text[place:end])
            offsets += range(place, end)
            place = run.end()
    pieces.append(text[place:])
    offsets += range(place, len(text) + 1)
    return "".join(pieces), offsets
