r"""Regular expressions of users, by RE2, whose `\w`, `\s` and `\b` know only Latin letters: here they know all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2

_MEMORY = 4 << 20
_LETTERS = r"\p{L}\p{M}\p{N}_"
_ALONE = {"w": f"[{_LETTERS}]", "W": f"[^{_LETTERS}]", "s": r"[\s\p{Z}]", "S": r"[^\s\p{Z}]"}
_IN_CLASS = {"w": _LETTERS, "s": r"\s\p{Z}"}
_PIECE = re.compile(r"\\Q.*?(?:\\E|\Z)|\\[pP]\{[^}]*\}|\\.|\[:\^?\w+:\]|\[\^?\]?|.", re.DOTALL)
_EDGES = re.compile(r"(\\b)?((?:[^\\]|\\.)*?)(\\b)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; with `bounded` its first group is what was looked for."""

    compiled: Any
    bounded: bool

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it stands, from the left, without overlaps."""
        if not self.bounded:
            yield from (match.span() for match in self.compiled.finditer(text))
            return
        place = 0
        while place <= len(text) and (match := self.compiled.search(text, place)) is not None:
            start, end = match.span(1)
            yield start, end
            place = max(end, place + 1)  # the sign behind a word may be the one before the next

    def found(self, text: str) -> bool:
        """Whether it stands anywhere in the text."""
        return self.compiled.search(text) is not None


def expression(pattern: str, *, case: bool) -> Expression:
    """Raises re2.error when RE2 cannot read the pattern."""
    options = re2.Options()
    options.case_sensitive, options.max_mem, options.log_errors = case, _MEMORY, False
    plain = re2.compile(_unicode(pattern), options)
    if not edges_alone(pattern):
        return Expression(plain, False)
    first, body, last = _EDGES.fullmatch(pattern).groups()  # type: ignore[union-attr]
    before = rf"(?:\A|{_ALONE['W']})" if first else ""
    behind = rf"(?:\z|{_ALONE['W']})" if last else ""
    return Expression(re2.compile(f"{before}({_unicode(body)}){behind}", options), True)


def edges_alone(pattern: str) -> bool:
    r"""Whether `\b` stands at the beginning or the end of the pattern and nowhere else, so that it can know letters."""
    first, body, last = _EDGES.fullmatch(pattern).groups()  # type: ignore[union-attr]
    return bool(first or last) and not knows_latin_alone(body) and not _outer_or(body)


def knows_latin_alone(pattern: str) -> bool:
    r"""Whether a `\b` or `\B` is in the pattern, which RE2 understands for Latin letters alone."""
    return any(piece in (r"\b", r"\B") for piece in _PIECE.findall(pattern))


def _outer_or(pattern: str) -> bool:
    depth, inside = 0, False
    for piece in _PIECE.findall(pattern):
        inside = piece != "]" if inside else piece.startswith("[")
        depth += 0 if inside else (piece == "(") - (piece == ")")
        if piece == "|" and not inside and depth == 0:
            return True
    return False


def _unicode(pattern: str) -> str:
    pieces: list[str] = []
    inside = False
    for piece in _PIECE.findall(pattern):
        table = _IN_CLASS if inside else _ALONE
        pieces.append(table.get(piece[1:], piece) if piece.startswith("\\") else piece)
        inside = piece != "]" if inside else piece.startswith("[")
    return "".join(pieces)
