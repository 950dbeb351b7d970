"""The query language: what an expert may write in `brands[].query`, as a tree. `parse` reads it, `str()` prints it.

    query    = either { "OR" either }
    either   = each { "AND" each | "NOT" each }           `a NOT b` is `a AND NOT b`
    each     = { "NOT" } near
    near     = one { ("NEAR/n" | "ONEAR/n") one }         from the left; n is 0 to 1000
    one      = "(" query ")" | field ":" one | term | "NAMES"
    term     = [ "=" | "case:" ] ( word | "phrase" | /regex/ )
    field    = "title" | "text" | "author" | "url" | "site" | "lang" | "kind"

Operators are in capitals; NEAR binds tighter than NOT, NOT than AND, AND than OR. Two terms beside each other without
an operator are an error, since nobody can tell which one was meant.

* A word stands for its case forms, as names do, in any letter case. A phrase stands for its words one after the other
  (any signs between them), each in its case forms. `=` turns the forms off; `case:` also wants the letter case.
* `*` in a word or phrase stands for any letters and digits of one word; the word's longest fixed part needs two.
  A backslash takes the meaning from the next sign.
* `/.../` is a regular expression (RE2: linear time) over the original text, in any letter case unless `case:`. `\\w`
  and `\\s` know every script, `\\b` does at its beginning and its end.
* `a NEAR/5 b`: at most 5 words between the nearest ends of the two, in any order; NEAR/0 are neighbours. `ONEAR/5`: the
  left one comes first. Each place is joined with every place of the other side that is near enough and shares no word
  with it. The pair is itself one place, from its first word to its last: `(a NEAR/3 b) NEAR/5 c` counts from there, and
  a `c` inside it counts as 0. Of one text the first 20,000 pairs of each NEAR are looked at.
* A group beside NEAR is opened up: `(a OR b) NEAR/5 c` is either one near c, `(a AND b) NEAR/5 c` is both near c (not
  always the same c); the left group is opened first. NOT cannot stand inside NEAR.
* NOT only takes away: it needs something beside it, joined by AND, that must be there. A query of NOTs alone would
  match nearly everything and is refused.
* `title:` and `text:` say where a term stands. `author:` compares words of the author's name and handle, `url:` a part
  of the link, `site:` the site or a site above it, `lang:` and `kind:` (of source) whole words. A field takes a group:
  `site:(a.example OR b.example)`.
* `NAMES` stands for the names of the brand, with their context. A query without it works beside the names: a post is a
  mention when a name stands in it or the query holds. A query with it decides alone.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TypeAlias

MAX_CHARS = 1_000_000
MAX_TERMS = 20_000
MAX_DEPTH = 40
MAX_CHAIN = 20
MAX_DISTANCE = 1000
ZONES = ("title", "text")
FACTS = ("author", "url", "site", "lang", "kind")
FIELDS = (*ZONES, *FACTS)


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase (`quoted`) as written, with its backslashes. `case` implies `exact`."""

    text: str
    quoted: bool = False
    exact: bool = False
    case: bool = False
    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return _marks(self) + (f'"{self.text}"' if self.quoted else self.text)


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression of RE2, without its slashes."""

    pattern: str
    case: bool = False
    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return ("case:" if self.case else "") + f"/{self.pattern}/"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the brand."""

    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return "NAMES"


@dataclass(frozen=True, slots=True)
class In:
    """Its part is looked for in one field."""

    field: str
    part: Node
    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        inner = str(self.part)
        return f"{self.field}:" + (inner if isinstance(self.part, Term | Regex | Names | In) else f"({inner})")


@dataclass(frozen=True, slots=True)
class Not:
    """Its part must not hold."""

    part: Node
    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"NOT {_inner(self.part, 3)}"


@dataclass(frozen=True, slots=True)
class Near:
    """Left and right stand at most `distance` words apart; `ordered`: the left one first."""

    left: Node
    right: Node
    distance: int
    ordered: bool = False
    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        word = "ONEAR" if self.ordered else "NEAR"
        return f"{_inner(self.left, 4)} {word}/{self.distance} {_inner(self.right, 5)}"


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; two or more."""

    parts: tuple[Node, ...]
    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return " AND ".join(_inner(part, 3) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Any part holds; two or more."""

    parts: tuple[Node, ...]
    at: int = dataclasses.field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return " OR ".join(_inner(part, 2) for part in self.parts)


Node: TypeAlias = "Term | Regex | Names | In | Not | Near | And | Or"

_ESCAPED = re.compile(r"\\(.)|\\$|\*", re.DOTALL)


def _binds(node: Node) -> int:
    if isinstance(node, Or):
        return 1
    return 2 if isinstance(node, And) else 3 if isinstance(node, Not) else 4 if isinstance(node, Near) else 5


def _inner(node: Node, least: int) -> str:
    return str(node) if _binds(node) >= least else f"({node})"


def _marks(term: Term) -> str:
    return "case:" if term.case else "=" if term.exact else ""


def pieces(text: str) -> list[str]:
    """The fixed parts between the wildcards of a term, backslashes resolved; one part when there is no wildcard.

    >>> pieces("bank*"), pieces(r"5\\*")
    (['bank', ''], ['5*'])
    """
    parts, last = [""], 0
    for match in _ESCAPED.finditer(text):
        parts[-1] += text[last : match.start()]
        if match[0] == "*":
            parts.append("")
        else:
            parts[-1] += match[1] or "\\"
        last = match.end()
    parts[-1] += text[last:]
    return parts
