"""What a word is, in every script: where a hit may begin and end, and which word of the text it is.

A word is a run of letters, digits, underscores and combining marks; an apostrophe between letters joins ("п'ять" is
one). Scripts that write no spaces have no word ends: in Han, Hiragana, Thai, Lao, Khmer and Burmese a name may stand
anywhere and every character counts as a word; Katakana ends where another script begins; a Korean name may carry
particles behind it. All functions read folded text (`crawler.text.fold`).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from functools import lru_cache

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x309F),  # Hiragana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
)
_MARKS = "".join(chr(c) for c in range(0x300, 0xFE30) if unicodedata.category(chr(c)) in ("Mn", "Mc"))
_NO_SPACES = "".join(
    chr(c) for low, high in _UNSPACED for c in range(low, high + 1) if unicodedata.category(chr(c))[0] in "LN"
)
# No plane but the first: members of others make `re` thirty times slower.
_RANGES = (*_UNSPACED, (0x30A0, 0x30FF), (0xAC00, 0xD7AF))
OPEN_SCRIPTS = "".join(f"{chr(low)}-{chr(high)}" for low, high in _RANGES)  # inside a class of `re`
_RUN = rf"[^\W{_NO_SPACES}]+(?:[{_MARKS}]+[^\W{_NO_SPACES}]*)*"
_TOKEN = re.compile(rf"[{_NO_SPACES}][{_MARKS}]*|{_RUN}(?:'{_RUN})*")
_KATAKANA = range(0x30A0, 0x3100)
_HANGUL = range(0xAC00, 0xD7B0)
_PLAIN = "\u0300"  # below it nothing combines and every script puts spaces
_LONGEST_EMPHASIS = 4

Span = tuple[int, int]


@lru_cache(maxsize=4096)
def _kind(char: str) -> str:
    """ "" for what is no part of a word; else "m" a mark, "u" unspaced, "k" Katakana, "h" Hangul, "w" any other."""
    point = ord(char)
    if unicodedata.category(char) in ("Mn", "Mc"):
        return "m"
    if not (char.isalnum() or char == "_"):
        return ""
    if any(low <= point <= high for low, high in _UNSPACED):
        return "u"
    return "k" if point in _KATAKANA else "h" if point in _HANGUL else "w"


def wordish(char: str) -> bool:
    """Whether the character may be a part of a word."""
    return char.isalnum() or char == "_" if char < _PLAIN else _kind(char) != ""


def spaced(char: str) -> bool:
    """Whether the character is a part of a word in a script that puts spaces between words."""
    return char.isalnum() or char == "_" if char < _PLAIN else _kind(char) not in ("", "u")


def begins(text: str, start: int) -> bool:
    """Whether a hit may begin at `start`: it is not the later part of a word, nor a name behind an "@"."""
    if start == 0:
        return True
    before, first = text[start - 1], text[start]
    if before == "@":
        return first == "@"
    if before == "_":
        return not wordish(first) or _only_emphasis(text, start - 1, -1)
    if not wordish(before) or not wordish(first):
        return True
    left, right = _kind(before), _kind(first)
    if right == "m":
        return False
    return "u" in (left, right) or (left != right and ("k" in (left, right) or "h" in (left, right)))


def ends(text: str, end: int) -> bool:
    """Whether a hit may end before `end`: no word goes on there, and it is not the local part of a mail address."""
    if end >= len(text):
        return True
    last, after = text[end - 1], text[end]
    if after == "@":
        return not (end + 1 < len(text) and wordish(text[end + 1]) and wordish(last))
    if after == "_":
        return not wordish(last) or _only_emphasis(text, end, 1)
    if not wordish(after) or not wordish(last):
        return True
    left, right = _kind(last), _kind(after)
    if right == "m":
        return False
    return right == "h" or "u" in (left, right) or (left != right and "k" in (left, right))


def _only_emphasis(text: str, place: int, step: int) -> bool:
    """Underscores round a whole word are emphasis (_so_), those inside one glue (so_so)."""
    for _ in range(_LONGEST_EMPHASIS):
        if not 0 <= place < len(text) or not wordish(text[place]):
            return True
        if text[place] != "_":
            return False
        place += step
    return False


class Words:
    """The words of one folded text, numbered from 0."""

    def __init__(self, folded: str) -> None:
        spans = [match.span() for match in _TOKEN.finditer(folded)]
        self._starts, self._ends = [start for start, _ in spans], [end for _, end in spans]

    def of(self, start: int, end: int) -> Span:
        """(first, last) word that folded[start:end] touches; a sign between words gives last = first - 1."""
        return bisect_right(self._ends, start), bisect_left(self._starts, end) - 1


def words_in(text: str) -> list[str]:
    """The words of a folded text."""
    return _TOKEN.findall(text)
