"""Clean text (what is stored) and folded text (what is compared): deterministic, idempotent, linear in the input."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Literal

_APOSTROPHES = "`´ʹʻʼʽˈ‘’‚‛′＇"
_QUOTES = "«»“”„‟‹›″〝〞〟＂"
_DASHES = "‐‑‒–—―−⸺⸻﹘﹣－"
_SIGNS = "©®™℠"  # NFKC would glue "TM" to the name before it
_SPACES = " \x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_REMOVED = [0x00AD, 0x034F, 0x061C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)]
_REMOVED += [*range(0x2060, 0x2070), *range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080), *range(0xE0100, 0xE01F0)]
_STRESS = (0x0300, 0x0301)  # what composing leaves of them are stress marks: "Но́ва"


def _targets() -> dict[int, int | str | None]:
    moved: dict[int, int | str | None] = {0x2026: "...", 0x2116: "no"} | dict.fromkeys(range(0x20), 0x20)
    for characters, target in ((_APOSTROPHES, "'"), (_QUOTES, '"'), (_DASHES, "-"), (_SPACES + _SIGNS, " ")):
        moved |= dict.fromkeys(map(ord, characters), ord(target))
    return moved | {ord("ё"): ord("е"), ord("Ё"): ord("е")} | dict.fromkeys(_REMOVED)


_MOVED = _targets()
# Identity entries for the common blocks: a missing key costs str.translate an exception a character.
_FIRST: dict[int, int | str | None] = {point: point for point in (*range(0x0600), *range(0x2000, 0x2200))} | _MOVED
_LATER = _FIRST | dict.fromkeys(_STRESS)
# What a step of folding could bring back; BMP only: astral members make `re` search thirty times slower.
_MOVABLE = re.compile("[" + "".join(re.escape(chr(p)) for p in (*_MOVED, *_STRESS) if p < 0x10000 and p != 0x20) + "]")
_GROWN = re.compile("[" + "".join(chr(point) for point, to in _MOVED.items() if isinstance(to, str)) + "]")
_CHUNK = re.compile(r".{1,240}(?![^ \t\n])|[^ \t\n]+|[ \t\n]+", re.DOTALL)
_WORD = re.compile(r"[ \t\n]+|[^ \t\n]+")
_GAP = re.compile("  +")
_BREAKS_STORAGE = re.compile("[\x00\r\ud800-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")


@cache
def _pile_of_marks(*ranges: tuple[int, int]) -> re.Pattern[str]:
    points = (chr(point) for first, last in ranges for point in range(first, last))
    marks = "".join(point for point in points if unicodedata.combining(unicodedata.normalize("NFKD", point)[0]))
    return re.compile(f"[{marks}]{{31,}}")


def _sorted_pile(match: re.Match[str]) -> str:
    parts = "".join(unicodedata.normalize("NFKD", mark) for mark in match[0])
    return "".join(sorted(parts, key=unicodedata.combining))


def _normal(form: Literal["NFC", "NFKC"], text: str) -> str:
    """`text` in a Unicode normal form. Piles of marks are put in order first: the library does it in quadratic time."""
    if unicodedata.is_normalized(form, text):
        return text
    if max(text) > "\uffff":
        marks = _pile_of_marks((0x300, 0xAC00), (0xF900, 0x1F000))
    else:
        marks = _pile_of_marks((0x300, 0xAC00), (0xF900, 0x10000))
    return unicodedata.normalize(form, marks.sub(_sorted_pile, text))


def clean_text(value: str, limit: int = 65536) -> str:
    """What may be stored: no NUL, no lone surrogate (U+FFFD stands for both), NFC, LF line ends, `limit` characters."""
    if _BREAKS_STORAGE.search(value):
        value = value.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
        if _LONE.search(value):  # a pair that a bad encoder split becomes one character again
            value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return (value if value.isascii() else _normal("NFC", value))[:limit]


def _step(text: str) -> str:
    return _normal("NFKC", _normal("NFKC", text).casefold()).translate(_LATER)


def _settled(text: str) -> bool:
    return text.isascii() or (unicodedata.is_normalized("NFKC", text) and not _MOVABLE.search(text))


def _folded(text: str) -> str:
    """Everything that folding does but joining spaces; the text as a whole gives what its clusters give one by one."""
    text = text.translate(_FIRST).casefold()
    if _settled(text):
        return text
    while (again := _step(text)) != text:  # one step can wake another: "ё" with a second mark
        text = again
    return text


def fold(text: str) -> str:
    """The text that matching, search and near-duplicates read; idempotent.

    Case and compatibility forms folded, ё -> е, apostrophes -> ', quotes -> ", dashes -> -, stress marks, zero-width
    characters and soft hyphens removed, each run of white space one space (also at the ends).
    """
    folded = _folded(text)
    return _GAP.sub(" ", folded) if "  " in folded else folded


@lru_cache(maxsize=4096)
def _joins(character: str) -> bool:
    """Whether the character may merge with the one before it, so that the two cannot be folded apart."""
    if ord(character) in _MOVED:
        return _MOVED[ord(character)] is None
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.category(first).startswith("M") or "\u1160" <= first <= "\u11ff"


def _clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The smallest pieces of text[start:end] that fold apart from each other."""
    for position in range(start + 1, end):
        if not _joins(text[position]):
            yield start, position
            start = position
    yield start, end


@lru_cache(maxsize=8192)
def _folded_cluster(cluster: str) -> str:
    return _folded(cluster)


def _aligned(word: str) -> str | None:
    """The folded word when each character of it became exactly one."""
    plain = word.translate(_FIRST)
    folded = plain.casefold()  # never shorter; and `plain` is as long as `word` only if nothing was removed or grew
    if len(folded) == len(plain) == len(word) and _settled(folded) and not _GROWN.search(word):
        return folded
    return None


def _pieces(
    text: str, start: int, end: int, splits: tuple[re.Pattern[str], ...]
) -> Iterator[tuple[str, Sequence[int]]]:
    """Folded parts of text[start:end] and the offset of each folded character; nothing merges across a space."""
    for match in splits[0].finditer(text, start, end):
        first, last = match.span()
        if (folded := _aligned(match[0])) is not None:
            yield folded, range(first, last)
        elif len(splits) > 1:
            yield from _pieces(text, first, last, splits[1:])
        else:
            clusters = [(_folded_cluster(text[a:b]), a) for a, b in _clusters(text, first, last)]
            yield "".join([piece for piece, _ in clusters]), [at for piece, at in clusters for _ in piece]


def _spaces_joined(folded: str, offsets: list[int]) -> tuple[str, list[int]]:
    kept = [n for n, character in enumerate(folded) if character != " " or n == 0 or folded[n - 1] != " "]
    return "".join([folded[n] for n in kept]), [offsets[n] for n in kept] + offsets[len(folded) :]


def fold_with_offsets(text: str) -> tuple[str, list[int]]:
    """`fold(text)` and, for each of its positions and its end, the offset in `text` (never falling).

    What stands at folded[i:j] stands in the original at text[offsets[i]:offsets[j]], removed characters included.
    """
    if (folded := _aligned(text)) is not None:
        offsets = list(range(len(text) + 1))
    else:
        pieces = list(_pieces(text, 0, len(text), (_CHUNK, _WORD)))
        folded = "".join([piece for piece, _ in pieces])
        offsets = [*chain.from_iterable([at for _, at in pieces]), len(text)]
    return _spaces_joined(folded, offsets) if "  " in folded else (folded, offsets)


def content_hash(text: str) -> str:
    """The first 32 hex digits of sha256 over the folded text: equal for texts that read the same."""
    return folded_hash(fold(text))


def folded_hash(folded: str) -> str:
    """`content_hash` of a text that is folded already."""
    return hashlib.sha256(folded.strip().encode("utf-8", "replace")).hexdigest()[:32]
