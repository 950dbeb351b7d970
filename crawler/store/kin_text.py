"""When two texts are the same story: exact repeats, reposts with a lead-in, cut copies and typing errors; nothing else.

Candidates are found by MinHash bands over runs of three words (Broder 1997) and then compared word by word. Two
complaints that share a template but differ in a number, a name, a place or a "not" are two complaints.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Any

FEWEST_WORDS, FEWEST_CHARACTERS = 8, 40
FEWEST_NEAR = 10
MOST_WORDS = 400
BANDS, ROWS = 16, 4
CUT = "…"
_PRIME = (1 << 31) - 1
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_HANDLE = re.compile(r"(?<!\w)@[\w.]+:?")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_LEAD_IN = re.compile(r"^\W*(?:rt|repost|репост|via)\b\W*")
_NOT = {"не", "ні", "нет", "нема", "немає", "без", "ніколи", "никогда", "уже", "вже"}
_NOT |= {"no", "not", "never", "without", "none", "cannot", "already"}
_EDGE_SHARE, _FEWEST_EDGE = 0.15, 6
_CUT_SHARE = 0.6
_TYPO_SHARE = 0.1


def words_of(folded: str) -> tuple[str, ...]:
    """The words of a folded text that tell a story: no links, no handles, no "RT"; the first 400.

    A text that ends with an ellipsis was cut: "…" is its last word.
    """
    bare = _HANDLE.sub(" ", _LINK.sub(" ", folded[: MOST_WORDS * 40]))
    words = tuple(_WORD.findall(_LEAD_IN.sub("", bare)))[:MOST_WORDS]
    return (*words, CUT) if bare.rstrip().endswith("...") else words


def long_enough(words: Sequence[str], fewest: int = FEWEST_WORDS) -> bool:
    """Shorter texts ("it does not work") say the same in the mouths of strangers: they are never reposts."""
    return len(words) >= fewest and sum(map(len, words)) + len(words) - 1 >= FEWEST_CHARACTERS


def bands_of(words: Sequence[str]) -> tuple[int, ...]:
    """16 numbers of 63 bits; texts whose runs of three words are alike share at least one. None for short texts."""
    words = _whole(words)
    if not long_enough(words, FEWEST_NEAR):
        return ()
    import numpy

    runs = {_number(" ".join(words[place : place + 3])) % _PRIME for place in range(len(words) - 2)}
    factors, shifts = _coefficients()
    # Both below 2^31, so that no product leaves 64 bits.
    hashed = (factors[:, None] * numpy.array(sorted(runs), numpy.uint64) + shifts[:, None]) % numpy.uint64(_PRIME)
    lowest = hashed.min(axis=1).tolist()
    parts = [lowest[start : start + ROWS] for start in range(0, len(lowest), ROWS)]
    return tuple(_number(f"{number}:{part}") >> 1 for number, part in enumerate(parts))


def same_story(one: Sequence[str], other: Sequence[str], *, same_author: bool = False) -> bool:
    """Whether two texts, as words, are copies of each other. The same author may also have reworded a little."""
    if not (long_enough(one, FEWEST_NEAR) and long_enough(other, FEWEST_NEAR)):
        return tuple(one) == tuple(other) and long_enough(one)
    if _is_cut(one, other) or _is_cut(other, one):
        return True
    one, other = _whole(one), _whole(other)
    return _numbers(one) == _numbers(other) and _copies(one, other, same_author)


def _copies(one: Sequence[str], other: Sequence[str], same_author: bool) -> bool:
    longer = max(len(one), len(other))
    edges = typos = reworded = 0
    for what, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        changed = [*one[a:b], *other[c:d]]
        if what != "replace" and (b == 0 or d == 0 or a == len(one) or c == len(other)) and not _turned(changed):
            edges += len(changed)
        elif b - a == d - c and all(map(_typo, one[a:b], other[c:d])):
            typos += b - a
        elif same_author and not _turned(changed):
            reworded += len(changed)
        else:
            return False
    return (
        edges <= max(_FEWEST_EDGE, _EDGE_SHARE * longer)
        and typos <= max(1, _TYPO_SHARE * longer)
        and reworded <= 2 * _TYPO_SHARE * longer
    )


def _turned(words: Sequence[str]) -> bool:
    """Words that can turn the sense, or make it another case."""
    return any(word in _NOT or word.endswith("n't") or _has_digit(word) for word in words)


def _is_cut(short: Sequence[str], long: Sequence[str]) -> bool:
    """The one says that it was cut and is the beginning of the other. Its last word may have been cut too."""
    if short[-1] != CUT:
        return False
    short, long = _whole(short), _whole(long)
    last = len(short) - 1
    if not _CUT_SHARE * len(long) <= len(short) <= len(long) or tuple(short[:last]) != tuple(long[:last]):
        return False
    return long[last] == short[last] or (long[last].startswith(short[last]) and not _has_digit(long[last]))


def _whole(words: Sequence[str]) -> Sequence[str]:
    return words[:-1] if words and words[-1] == CUT else words


def _numbers(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if _has_digit(word))


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _typo(one: str, other: str) -> bool:
    """One wrong, missing or added letter in a word of five or more; never the first one, never in a number."""
    if min(len(one), len(other)) < 5 or one[0] != other[0] or _turned((one, other)):
        return False
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[start + (len(one) >= len(other)) :] == other[start + (len(other) >= len(one)) :]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


@cache
def _coefficients() -> tuple[Any, Any]:
    """(factors, shifts), the same in every process and version: they are part of what the database holds."""
    import numpy

    factors = [_number(f"kin a {number}") % (_PRIME - 1) + 1 for number in range(BANDS * ROWS)]
    shifts = [_number(f"kin b {number}") % _PRIME for number in range(BANDS * ROWS)]
    return numpy.array(factors, numpy.uint64), numpy.array(shifts, numpy.uint64)
