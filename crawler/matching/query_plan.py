"""From the tree of a query to what is evaluated: leaves with their keys, NEAR over places only, NOT only beside.

Refused here, with the place in the query: NOT alone, NOT or facts inside NEAR, fields inside fields, terms without
letters, wildcards with too little fixed text, regular expressions that RE2 refuses or that match nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import re2

from crawler.matching.expressions import Expression, expression
from crawler.matching.forms import word_forms
from crawler.matching.query import FACTS, And, In, Names, Near, Node, Not, Or, Regex, Term, pieces
from crawler.matching.query_parser import fail, parse
from crawler.matching.words import wordish
from crawler.text import fold

MAX_PHRASE = 50
MAX_PAIRINGS = 10_000
NAMES = -1
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Word:
    """One word to look for: any of `keys` whole, or with `glob` a word that is these parts with letters between.

    `cased` holds the parts as written when the letter case counts. Everything but `cased` is folded.
    """

    keys: frozenset[str]
    glob: tuple[str, ...] = ()
    cased: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """Words one after the other, by their numbers in `Plan.words`."""

    words: tuple[int, ...]
    zone: str
    shown: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled regular expression."""

    regex: Expression
    zone: str
    shown: str


@dataclass(frozen=True, slots=True)
class Named:
    """The names of the brand."""

    zone: str
    shown: str = "NAMES"


@dataclass(frozen=True, slots=True)
class Fact:
    """A question to the post's facts: `want` as parts of a glob, or a compiled regular expression."""

    field: str
    want: tuple[str, ...]
    regex: Expression | None
    shown: str


@dataclass(frozen=True, slots=True)
class Every:
    """Every part holds and none of `nots`."""

    parts: tuple[Step, ...]
    nots: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """A part holds. `leaves` finds the leaves of one word among the parts by the number of that word."""

    parts: tuple[Step, ...]
    leaves: dict[int, list[Leaf]] = field(compare=False)
    others: tuple[Step, ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sides, each a Leaf, Pattern, Named, Pair or an Either of these, near each other."""

    left: Step
    right: Step
    distance: int
    ordered: bool
    shown: str


Step: TypeAlias = "Leaf | Pattern | Named | Fact | Every | Either | Pair"


@dataclass(slots=True)
class Plan:
    """A query ready to be evaluated. `wakes` are the words (or NAMES) one of which must stand in the text.

    None: the text may hold none of them, so that every text must be looked at.
    """

    text: str
    node: Node
    words: list[Word]
    root: Step
    wakes: frozenset[int] | None
    names: bool


def plan(text: str) -> Plan:
    """Read and prepare a query. Raises ConfigError with the place of the first mistake."""
    node = parse(text)
    maker = _Maker(text)
    root = maker.step(node, "")
    return Plan(text, node, maker.words, root, maker.wakes(root), maker.names)


class _Maker:
    def __init__(self, text: str) -> None:
        self.text, self.words, self.names, self.pairings = text, list[Word](), False, 0
        self._numbers: dict[Word, int] = {}

    def step(self, node: Node, where: str) -> Step:
        """`where` is the field that holds here, "" for none."""
        if isinstance(node, Near):
            return self.near(node, where)
        if isinstance(node, And):
            return self.both(node, where)
        if isinstance(node, Or):
            return any_of(tuple(self.step(part, where) for part in node.parts))
        if isinstance(node, In):
            return self.inside(node, where)
        if isinstance(node, Not):
            message = "NOT alone would match nearly everything: expected something that must be there beside it"
            fail(self.text, node.at, message, f"… AND {_short(node)}")
        return self.fact(node, where) if where in FACTS else self.leaf(node, where)

    def both(self, node: And, where: str) -> Step:
        wanted = [part for part in node.parts if not isinstance(part, Not)]
        if not wanted:
            message = "only NOTs: this would match nearly everything; expected something that must be there beside them"
            fail(self.text, node.at, message, f"… AND {_short(node)}")
        nots = [part.part for part in node.parts if isinstance(part, Not)]
        steps = [self.step(part, where) for part in wanted]
        steps.sort(key=lambda step: isinstance(step, Fact))  # telling the language is dear: asked last
        return Every(tuple(steps), tuple(self.step(part, where) for part in nots))

    def inside(self, node: In, where: str) -> Step:
        if where:
            fail(self.text, node.at, f"{node.field}: stands inside {where}: and nothing is in both", "use AND")
        return self.step(node.part, node.field)

    def leaf(self, node: Term | Regex | Names, where: str) -> Step:
        if isinstance(node, Names):
            self.names = True
            return Named(where)
        shown = f"{where}:{node}" if where else str(node)
        if isinstance(node, Regex):
            return Pattern(self.regex(node), where, shown)
        parts = _split(node.text) if node.quoted else [node.text]
        if len(parts) > MAX_PHRASE:
            fail(self.text, node.at, f"the phrase has more than {MAX_PHRASE} words", "look for a part of it")
        return Leaf(tuple(self.number(self.word(part, node)) for part in parts), where, shown)

    def number(self, word: Word) -> int:
        number = self._numbers.setdefault(word, len(self.words))
        if number == len(self.words):
            self.words.append(word)
        return number

    def word(self, text: str, node: Term) -> Word:
        written = pieces(text)
        folded = tuple(fold(part).strip() for part in written)
        longest = max(folded, key=len)
        if not longest:
            fail(
                self.text,
                node.at,
                f"there is nothing to look for in {_short(node)}",
                r"write a word; \* stands for the sign itself",
            )
        if len(folded) > 1 and sum(map(wordish, longest)) < 2:
            message = f"{_short(node)} would match nearly every word: expected two letters or more beside the *"
            fail(self.text, node.at, message, "write more of the word")
        cased = tuple(part.strip() for part in written) if node.case else ()
        if len(folded) > 1:
            return Word(frozenset((longest,)), folded, cased)
        return Word(frozenset((longest,) if node.exact else word_forms(longest)), (), cased)

    def regex(self, node: Regex) -> Expression:
        try:
            made = expression(node.pattern, case=node.case)
            empty = made.found("")
        except re2.error as error:
            reason = error.args[0] if error.args else ""
            reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            fix = "RE2 knows no back references and no look-around"
            fail(self.text, node.at, f"RE2 cannot read this regular expression: {reason}", fix)
        if empty:
            fail(self.text, node.at, "this regular expression matches everything", "make it want one sign at least")
        return made

    def fact(self, node: Term | Regex | Names, where: str) -> Step:
        if isinstance(node, Names):
            fail(self.text, node.at, f"NAMES stands in the text: it cannot be looked for in {where}:", "NAMES AND …")
        shown = f"{where}:{_short(node)}"
        if isinstance(node, Regex):
            return Fact(where, (), self.regex(node), shown)
        want = tuple(fold(part) for part in pieces(node.text.strip()))
        if not any(part.strip() for part in want):
            fail(self.text, node.at, f"{shown} asks for nothing", f"{where}:word")
        return Fact(where, want, None, shown)

    def near(self, node: Near, where: str) -> Step:
        for side in (node.left, node.right):
            self.refuse_in_near(side)
        return self.spread(self.step(node.left, where), self.step(node.right, where), node)

    def refuse_in_near(self, node: Node) -> None:
        if isinstance(node, Not):
            fail(self.text, node.at, "NOT cannot stand inside NEAR", "put it outside: (a NEAR/5 b) NOT c")
        if isinstance(node, In) and node.field in FACTS:
            message = f"{node.field}: has no place in the text that could be near something"
            fail(self.text, node.at, message, f"… AND {_short(node)}")
        if isinstance(node, In):
            self.refuse_in_near(node.part)
        for part in node.parts if isinstance(node, And | Or) else ():
            self.refuse_in_near(part)

    def spread(self, left: Step, right: Step, near: Near) -> Step:
        """NEAR over groups that hold an AND becomes AND and OR over NEARs; the left group is opened first."""
        self.pairings += 1
        if self.pairings > MAX_PAIRINGS:
            message = f"NEAR between these groups means more than {MAX_PAIRINGS:,} pairs"
            fail(self.text, near.at, message, "use OR inside the groups, or fewer terms")
        if isinstance(left, Every):
            return Every(tuple(self.spread(part, right, near) for part in left.parts))
        if isinstance(left, Either) and not _is_place(left):
            return any_of(tuple(self.spread(part, right, near) for part in left.parts))
        if isinstance(right, Every):
            return Every(tuple(self.spread(left, part, near) for part in right.parts))
        if isinstance(right, Either) and not _is_place(right):
            return any_of(tuple(self.spread(left, part, near) for part in right.parts))
        return Pair(left, right, near.distance, near.ordered, _short(near))

    def wakes(self, step: Step) -> frozenset[int] | None:
        if isinstance(step, Leaf):
            return frozenset((max(step.words, key=lambda n: min(map(len, self.words[n].keys))),))
        if isinstance(step, Named):
            return frozenset((NAMES,))
        if isinstance(step, Every):
            return self.rarest([self.wakes(part) for part in step.parts])
        if isinstance(step, Pair):
            return self.rarest([self.wakes(step.left), self.wakes(step.right)])
        if isinstance(step, Either):
            every = [self.wakes(part) for part in step.parts]
            return None if None in every else frozenset().union(*(w for w in every if w is not None))
        return None

    def rarest(self, choices: list[frozenset[int] | None]) -> frozenset[int] | None:
        known = [choice for choice in choices if choice is not None]
        return min(known, key=self.commonness, default=None)

    def commonness(self, wakes: frozenset[int]) -> tuple[int, int]:
        lengths = [min(map(len, self.words[n].keys)) if n != NAMES else 8 for n in wakes]
        return -min(lengths), len(wakes)


def any_of(parts: tuple[Step, ...]) -> Either:
    """An `Either` with its leaves sorted out."""
    leaves: dict[int, list[Leaf]] = {}
    others = []
    for part in parts:
        if isinstance(part, Leaf):
            leaves.setdefault(part.words[0], []).append(part)
        else:
            others.append(part)
    return Either(parts, leaves, tuple(others))


def context(text: str, number: Callable[[Word], int]) -> Leaf:
    """A context word or phrase of the config as a leaf: case forms unless it begins with `=`, no wildcards."""
    text = text.strip()
    exact = text.startswith("=") and len(text) > 1
    folded = fold(text[1:] if exact else text).split()
    words = [Word(frozenset((word,) if exact else word_forms(word))) for word in folded]
    return Leaf(tuple(number(word) for word in words), "", text)


def _is_place(step: Step) -> bool:
    return isinstance(step, Leaf | Pattern | Named | Pair) or (
        isinstance(step, Either) and all(_is_place(part) for part in step.parts)
    )


def _split(text: str) -> list[str]:
    parts = [part for part in _SPACES.split(text) if part]
    return parts or [""]


def _short(node: Node) -> str:
    text = str(node)
    return text if len(text) <= 60 else text[:59] + "…"
