"""Words of rules in running text: any form of the word, phrases too, never a part of another word.

Cyrillic words are found in their case forms and with other short endings, English ones with -s, -ed, -ing and kin.
`=word` means exactly so, `refund*` any word that begins so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from crawler.matching.forms import word_forms
from crawler.text import fold

_SOFT_END = "аеиоуюяыіїєйь"
_CYRILLIC = re.compile(r"[а-яіїєґ']+")
_LATIN = re.compile(r"[a-z]+")
_LATIN_ENDINGS = ("s", "es", "'s", "ed", "d", "ing", "er", "ers")
_MOST_BETWEEN = 3


def words_in(words: Sequence[str], folded: str) -> list[str]:
    """Those of `words`, as written, that stand in the folded text."""
    return [word for word in words if (pattern := _pattern(word)) is not None and pattern.search(folded)]


@lru_cache(maxsize=4096)
def _pattern(word: str) -> re.Pattern[str] | None:
    exact = word.startswith("=")
    parts = fold(word.removeprefix("=")).split()
    if not parts:
        return None
    return re.compile(rf"\W{{1,{_MOST_BETWEEN}}}".join(_part(part, exact) for part in parts))


def _part(part: str, exact: bool) -> str:
    """One word of a phrase with all its forms, standing alone."""
    if part.endswith("*") and len(part) > 1 and not exact:
        return _alone(part[:-1], re.escape(part[:-1]) + r"\w*")
    forms = [part] if exact else sorted(_forms(part), key=len, reverse=True)
    body = "|".join(map(re.escape, forms))
    if not exact and (stem := _stem(part)):
        body += rf"|{re.escape(stem)}[^\W\d_]{{0,3}}"
    return _alone(part, f"(?:{body})")


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
