"""What a name gives to the matcher: keys for the automaton, and a second look at every place where one stands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from crawler.text import fold

Span = tuple[int, int]
Written = Callable[[int, int], str]
"""The original text of a span of the folded one."""

Place = Callable[[str, int, int, Written], Span | None]
"""(folded text, start, end of a key that stands there as whole words, written) -> where the name stands, or None."""

_LATIN = re.compile("[à-ɏ]")
_YO = "\ue001"
_SEAM = re.compile(r"(?<=[a-zа-яіїєґё0-9])(?=[A-ZА-ЯІЇЄҐЁ])|(?<=[^\W\d_]{3})(?=\d)")
_JOINT = re.compile(r"[\s‐-―-]+|(?<=[А-яІЇЄҐЁіїєґё])\.(?=[А-яІЇЄҐЁіїєґё])|(?<=[A-Za-z]{2})\.(?=[A-Za-z]{2})")
_APOSTROPHED = re.compile(r"'([^\W\d_]+)")
_BEHIND = re.compile(r"['-]([а-яіїєґ]{1,3})(?![\w'-])")
_POSSESSIVE = re.compile(r"'s(?!\w)")
ENDINGS = frozenset("а у ом ові і е и ы ів ов ам ами ах ю я ем єм ою ой ей єю і ї ом у го му м х ах еві".split())


@dataclass(frozen=True, slots=True)
class Name:
    """Folded `keys` that may begin a hit, and `place`, which says whether and where the name really stands there."""

    keys: frozenset[str]
    place: Place


def plain(text: str) -> str:
    """`fold` of one name, but with "ё" kept: declension and romanisation tell it from "е"."""
    kept = fold(text.replace("ё", _YO).replace("Ё", _YO)).strip()
    return kept.replace(_YO, "ё")


def parts_of(text: str) -> list[str]:
    """The words of a name as configured: parted by blanks, by hyphens, by dots, before a capital and before digits."""
    return [word for word in _JOINT.split(_SEAM.sub(" ", text)) if word]


def unaccented(form: str) -> str:
    """A Latin form without its diacritics, which many leave out: Núñez - nunez."""
    if form.isascii() or not _LATIN.search(form):
        return form
    return "".join(char for char in unicodedata.normalize("NFKD", form) if not unicodedata.combining(char))


def refold(forms: set[str]) -> frozenset[str]:
    """Forms ready for the automaton: "ё" as "е", apostrophes also left out or written as a quotation mark."""
    found = {form.replace("ё", "е") for form in forms if form}
    apostrophed = [form for form in found if "'" in form]
    found |= {form.replace("'", sign) for form in apostrophed for sign in ("", '"')}
    found |= {unaccented(form) for form in found} | {form.replace("ґ", "г") for form in found}
    return frozenset(form for form in found if form.strip())


def inside_word(text: str, start: int, end: int) -> bool:
    """Whether an apostrophe ties the span to letters before it: об'єкт, O'Neil (but not l'Oreal)."""
    if start < 2 or text[start - 1] != "'" or not text[start - 2].isalpha() or not text[start].isalpha():
        return False
    elided = re.search(r"(?<!\w)(?:l|d|qu)'$", text[max(0, start - 4) : start])
    return elided is None


def stretched_end(text: str, start: int, end: int) -> int | None:
    """Where the name ends with an ending written behind a sign: Monobank'у, МТС-ом, Monobank's. None: a longer word.

    A hyphen before other words ends the name (Нафтогаз-Сервіс), an apostrophe before other letters does not (кав'яр).
    """
    if end >= len(text) or text[end] not in "'-":
        return end
    if (behind := _BEHIND.match(text, end)) and _is_ending(text, end, behind[1]):
        return behind.end()
    if possessive := _POSSESSIVE.match(text, end):
        return possessive.end()
    tied = text[end] == "'" and text[end - 1].isalpha() and _APOSTROPHED.match(text, end)
    quoted = start > 0 and text[start - 1] == "'"
    return None if tied and not quoted else end


def _is_ending(text: str, end: int, ending: str) -> bool:
    """Whether letters behind a hyphen or an apostrophe are a case ending: in "сім'я" they are a part of the word."""
    return ending in ENDINGS and (text[end] == "-" or text[end - 1].isascii() or ending[0] not in "яюєї")


def as_written(text: str, start: int, end: int, written: Written) -> Span | None:
    """`Place` of names that need nothing around them."""
    if inside_word(text, start, end):
        return None
    last = stretched_end(text, start, end)
    return None if last is None else (start, last)
