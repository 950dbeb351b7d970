"""Words of rules in running text: any form of the word, phrases too, never a part of another word.

Cyrillic words are found in their case forms and with other short endings, English ones with -s, -ed, -ing and kin.
`=word` means exactly so, `refund*` any word that begins so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from crawler.matching.forms import word_forms
from crawler.text import fold

_SOFT_END = "аеиоуюяыіїєйь"
_CYRILLIC = re.compile(r"[а-яіїєґ']+")
_LATIN = re.compile(r"[a-z]+")
_LATIN_ENDINGS = ("s", "es", "'s", "ed", "d", "ing", "er", "ers")
_MOST_BETWEEN = 3


@dataclass(frozen=True, slots=True)
class _Sought:
    """A word made ready: what every form of it begins with, letters that must stand in the text, and the pattern."""

    start: str
    parts: tuple[str, ...]
    pattern: re.Pattern[str]

    def stands_in(self, folded: str) -> bool:
        # Plain search for letters is a hundred times quicker than the pattern, and most words are not there.
        if not all(part in folded for part in self.parts):
            return False
        if not self.start:
            return self.pattern.search(folded) is not None
        at = folded.find(self.start)
        while at >= 0:
            if self.pattern.match(folded, at):
                return True
            at = folded.find(self.start, at + 1)
        return False


def words_in(words: Sequence[str], folded: str) -> list[str]:
    """Those of `words`, as written, that stand in the folded text."""
    return [word for word in words if (sought := _sought(word)) is not None and sought.stands_in(folded)]


@lru_cache(maxsize=4096)
def _sought(word: str) -> _Sought | None:
    exact = word.startswith("=")
    parts = fold(word.removeprefix("=")).split()
    if not parts:
        return None
    made = [_part(part, exact) for part in parts]
    pattern = re.compile(rf"\W{{1,{_MOST_BETWEEN}}}".join(body for _, body in made))
    return _Sought(made[0][0], tuple(start for start, _ in made), pattern)


def _part(part: str, exact: bool) -> tuple[str, str]:
    """One word of a phrase: what all its forms begin with, and the pattern of them, standing alone."""
    if part.endswith("*") and len(part) > 1 and not exact:
        return part[:-1], _alone(part[:-1], re.escape(part[:-1]) + r"\w*")
    forms = [part] if exact else sorted(_forms(part), key=len, reverse=True)
    body = "|".join(map(re.escape, forms))
    if not exact and (stem := _stem(part)):
        body += rf"|{re.escape(stem)}[^\W\d_]{{0,3}}"
        forms.append(stem)
    return _common_start(forms), _alone(part, f"(?:{body})")


def _common_start(forms: Sequence[str]) -> str:
    """What all of them begin with: the first and the last in order differ soonest."""
    first, last = min(forms), max(forms)
    return next((first[:at] for at, char in enumerate(first) if char != last[at : at + 1]), first)


def _alone(part: str, body: str) -> str:
    """A word ends where its letters end; a sign such as an emoji may stand anywhere."""
    left = r"(?<!\w)" if _wordish(part[0]) else ""
    right = r"(?!\w)" if _wordish(part[-1]) else ""
    return f"{left}{body}{right}"


def _wordish(char: str) -> bool:
    return char.isalnum() or char == "_"


def _forms(word: str) -> Collection[str]:
    if _LATIN.fullmatch(word) and len(word) > 2:
        stems = {word, *(word + ending for ending in _LATIN_ENDINGS)}
        if word.endswith("e"):
            stems |= {word[:-1] + ending for ending in ("ing", "ed", "er")}
        if word.endswith("y"):
            stems |= {word[:-1] + ending for ending in ("ies", "ied")}
        return stems
    return word_forms(word)


def _stem(word: str) -> str:
    """What other endings may follow: of Cyrillic words long enough that few strangers begin alike."""
    if not _CYRILLIC.fullmatch(word):
        return ""
    stem = word[:-1] if word[-1] in _SOFT_END else word
    return stem if len(stem) >= (4 if stem != word else 5) else ""
