"""One text while it is matched: what is costly to know of it is worked out when first asked for."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from unicodedata import category

from crawler.matching.words import Span, Words, wordish
from crawler.text import fold_with_offsets, readings

_QUOTED_LINE = re.compile(r"^[ \t]*(?:>|&gt;)(?![ \t]*\d).*$", re.MULTILINE)
_BLOCK = re.compile(r"\[(/?)quote\b[^\]\n]{0,200}\]", re.IGNORECASE)
_MAY_QUOTE = re.compile(r"^[ \t]*(?:>|&gt;)|\[/quote", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What queries may ask of a post beside its text. `title` is the number of characters of the title (0: none).

    `author` is name and handle, one a line; `kinds` are those of the sources that showed it; `language` is asked only
    when a query needs it.
    """

    title: int = 0
    author: str = ""
    url: str = ""
    site: str = ""
    kinds: tuple[str, ...] = ()
    language: Callable[[], str] | None = None


class Reading:
    """A folded text with the original it came from (`folded == fold(original)`)."""

    def __init__(self, folded: str, original: str, facts: Facts | None = None) -> None:
        self.folded, self.original, self.facts = folded, original, facts or Facts()

    @cached_property
    def offsets(self) -> Sequence[int]:
        """For each folded position, and the end, the offset in the original."""
        if len(self.folded) == len(self.original) and self.folded == self.original.lower():  # sign by sign the same
            return range(len(self.original) + 1)
        return fold_with_offsets(self.original)[1]

    @cached_property
    def others(self) -> list[tuple[str, Sequence[int]]]:
        """Other ways to read the folded text, with offsets into it."""
        return readings(self.folded)

    @cached_property
    def words(self) -> Words:
        """The words of the folded text."""
        return Words(self.folded)

    @cached_property
    def title_end(self) -> int:
        """Where in the folded text the title ends; 0 without one."""
        return bisect_left(self.offsets, self.facts.title) if self.facts.title else 0

    @cached_property
    def language(self) -> str:
        """Of the text, in lower case; "" when nobody can tell."""
        return (self.facts.language() if self.facts.language else "").lower()

    @cached_property
    def quotes(self) -> list[Span]:
        """Parts of the folded text that repeat somebody else's post; none when the post is nothing but a quotation."""
        if not _MAY_QUOTE.search(self.original):
            return []
        zones = _joined([match.span() for match in _QUOTED_LINE.finditer(self.original)] + _blocks(self.original))
        if not _says_more(self.original, zones):
            return []
        return [(bisect_left(self.offsets, start), bisect_left(self.offsets, end)) for start, end in zones]

    def quoted(self, span: Span) -> bool:
        """Whether the span lies in such a part."""
        zones = self.quotes
        place = bisect_right(zones, (span[0], len(self.folded))) - 1
        return place >= 0 and span[1] <= zones[place][1]

    def source(self, span: Span) -> Span:
        """Where a span of the folded text stands in the original, without spaces and signs unseen at its end."""
        start = self.offsets[span[0]]
        end = max(self.offsets[span[1]], self.offsets[span[1] - 1] + 1) if span[1] > span[0] else start
        while end > start and (self.original[end - 1].isspace() or category(self.original[end - 1]) == "Cf"):
            end -= 1
        return start, end

    def written(self, span: Span) -> str:
        """The original text of a span of the folded one."""
        start, end = self.source(span)
        return self.original[start:end]


def _blocks(text: str) -> list[Span]:
    """Outermost [quote]...[/quote] that are closed."""
    opened: list[int] = []
    blocks: list[Span] = []
    for match in _BLOCK.finditer(text):
        if not match[1]:
            opened.append(match.start())
        elif opened:
            blocks.append((opened.pop(), match.end()))
    return blocks


def _joined(zones: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(zones):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _says_more(text: str, zones: list[Span]) -> bool:
    place = 0
    for start, end in [*zones, (len(text), len(text))]:
        if any(wordish(char) for char in text[place:start]):
            return True
        place = end
    return False
