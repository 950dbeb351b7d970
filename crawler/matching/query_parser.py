"""Reads the query language of `crawler.matching.query`: signs, then a tree. Mistakes say where and what is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NoReturn, TypeVar

from crawler.errors import ConfigError, Problem
from crawler.matching.query import (
    FIELDS,
    MAX_CHAIN,
    MAX_CHARS,
    MAX_DEPTH,
    MAX_DISTANCE,
    MAX_TERMS,
    And,
    In,
    Names,
    Near,
    Node,
    Not,
    Or,
    Regex,
    Term,
)

T = TypeVar("T")

NAME = "query"
_CLOSING = {'"': '"', "“": "”“", "„": "“”", "«": "»", "”": "”"}
_SPACE = re.compile(r"[\s\u200b\ufeff]+")
_WORD = re.compile(r'(?:\\.|[^\s\u200b\ufeff()"“”„«»\\]|\\$)+', re.DOTALL)
_FIELD = re.compile(r"([A-Za-z_]+):")
_NEAR = re.compile(r"(O?NEAR)(?:/(.*))?", re.DOTALL)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*)/", re.DOTALL)
_OPERAND = 'a word, a "phrase", a field such as title:, or ('
_CAPITALS = {"and": "AND", "or": "OR", "not": "NOT", "і": "AND", "та": "AND", "и": "AND", "або": "OR", "или": "OR"}


@dataclass(frozen=True, slots=True)
class _Sign:
    """One sign of a query. `kind`: ( ) AND OR NOT NEAR ONEAR field = term end; `node` of a term."""

    kind: str
    text: str
    at: int
    node: Term | Regex | Names | None = None
    number: int = 0


def parse(text: str) -> Node:
    """The tree of a query. Raises ConfigError with the line and column of the mistake and what was expected there."""
    if len(text) > MAX_CHARS:
        fail(text, 0, f"the query has {len(text):,} characters; at most {MAX_CHARS:,} are read", "split the brand")
    return _Parser(text, _signs(text)).query()


def fail(text: str, at: int, message: str, fix: str | None = None) -> NoReturn:
    """Raise ConfigError for the place `at` (an offset) of the query."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    raise ConfigError([Problem(NAME, line, column, message, fix)])


def _signs(text: str) -> list[_Sign]:
    signs: list[_Sign] = []
    place = 0
    while place < len(text):
        if space := _SPACE.match(text, place):
            place = space.end()
            continue
        sign, place = _sign(text, place, signs[-1].kind if signs else "")
        signs.append(sign)
        if len(signs) > 4 * MAX_TERMS:
            fail(text, place, f"the query has more than {MAX_TERMS:,} terms", "split the brand")
    signs.append(_Sign("end", "", len(text)))
    return signs


def _sign(text: str, at: int, before: str) -> tuple[_Sign, int]:
    char = text[at]
    if char in "()=":
        return _Sign(char, char, at), at + 1
    if char in _CLOSING:
        return _phrase(text, at)
    if char == "/" and (regex := _REGEX.match(text, at)):
        return _Sign("term", regex[0], at, Regex(regex[1], at=at)), regex.end()
    if char == "/":
        fail(text, at, "the regular expression has no closing /", 'end it with /, or put the word in "quotes"')
    if (field := _FIELD.match(text, at)) and (before != "field" or field[1].lower() in (*FIELDS, "case")):
        return _field(text, at, field)
    if (word := _WORD.match(text, at)) is None:
        fail(text, at, f"unexpected {char!r}: expected {_OPERAND}", f"remove {char}")
    return _word(text, at, word[0]), word.end()


def _phrase(text: str, at: int) -> tuple[_Sign, int]:
    closing, place = _CLOSING[text[at]], at + 1
    while place < len(text) and text[place] not in closing:
        place += 2 if text[place] == "\\" else 1
    if place >= len(text):
        fail(text, at, "the phrase has no closing quote", f"end it with {closing[0]}")
    inner = text[at + 1 : place]
    if text[at] != '"':
        inner = re.sub(r'(\\.)|"', lambda match: match[1] or '\\"', inner, flags=re.DOTALL)
    return _Sign("term", text[at : place + 1], at, Term(inner, quoted=True, at=at)), place + 1


def _field(text: str, at: int, match: re.Match[str]) -> tuple[_Sign, int]:
    name = match[1].lower()
    if name not in (*FIELDS, "case"):
        known = ", ".join((*FIELDS, "case"))
        word = text[at:].split(maxsplit=1)[0].rstrip(")")
        fail(text, at, f"there is no field {match[1]!r}; known: {known}", f'as text it is "{word}", in quotes')
    return _Sign("field", name, at), match.end()


def _word(text: str, at: int, word: str) -> _Sign:
    if word in ("AND", "OR", "NOT"):
        return _Sign(word, word, at)
    if word == "NAMES":
        return _Sign("term", word, at, Names(at))
    if near := _NEAR.fullmatch(word):
        return _near(text, at, near)
    return _Sign("term", word, at, Term(word, at=at))


def _near(text: str, at: int, match: re.Match[str]) -> _Sign:
    number = match[2] or ""
    if not (number.isascii() and number.isdigit() and len(number) < 6 and int(number) <= MAX_DISTANCE):
        fail(
            text,
            at,
            f"{match[0]}: expected {match[1]}/ and a number of words from 0 to {MAX_DISTANCE}",
            f"{match[1]}/5",
        )
    return _Sign(match[1], match[0], at, number=int(number))


class _Parser:
    def __init__(self, text: str, signs: list[_Sign]) -> None:
        self.text, self.signs, self.place, self.depth, self.terms = text, signs, 0, 0, 0

    def query(self) -> Node:
        if self.next.kind == "end":
            fail(self.text, 0, f"the query is empty: expected {_OPERAND}", "write a query or remove the key")
        node = self.either()
        if self.next.kind == ")":
            self.refuse("this ) closes nothing: expected an operator or the end", "remove it, or open it with (")
        if self.next.kind != "end":
            self.no_operator()
        return node

    @property
    def next(self) -> _Sign:
        return self.signs[self.place]

    def take(self) -> _Sign:
        sign = self.next
        self.place += 1
        return sign

    def either(self) -> Node:
        at, parts = self.next.at, [self.each()]
        while self.next.kind == "OR":
            self.take()
            parts.append(self.each())
        return Or(tuple(parts), at) if len(parts) > 1 else parts[0]

    def each(self) -> Node:
        at, parts = self.next.at, [self.negation()]
        while self.next.kind in ("AND", "NOT"):
            if self.next.kind == "AND":
                self.take()
            parts.append(self.negation())
        return And(tuple(parts), at) if len(parts) > 1 else parts[0]

    def negation(self) -> Node:
        if self.next.kind != "NOT":
            return self.near()
        sign = self.deeper()
        part = self.negation()
        self.depth -= 1
        return Not(part, sign.at)

    def near(self) -> Node:
        node = self.one()
        length = _chain(node)
        while self.next.kind in ("NEAR", "ONEAR"):
            sign, length = self.take(), length + 1
            if length > MAX_CHAIN:
                fail(self.text, sign.at, f"more than {MAX_CHAIN} NEARs in a row", "use groups: (a OR b) NEAR/5 c")
            if self.next.kind == "NOT":
                self.refuse(f"NOT cannot stand inside {sign.text}: expected {_OPERAND}", f"a {sign.text} b NOT c")
            node = Near(node, self.one(), sign.number, sign.kind == "ONEAR", sign.at)
        return node

    def one(self) -> Node:
        kind = self.next.kind
        if kind == "(":
            return self.group()
        if kind == "field":
            return self.cased(self.take()) if self.next.text == "case" else self.field()
        if kind == "=":
            return self.exact()
        if kind == "term":
            return self.term()
        return self.no_operand()

    def group(self) -> Node:
        opening = self.deeper()
        if self.next.kind == ")":
            self.refuse(f"the group is empty: expected {_OPERAND}", "remove the brackets")
        node = self.either()
        if self.next.kind == "end":
            fail(self.text, opening.at, "this ( is never closed: expected ) before the end", "add )")
        if self.next.kind != ")":
            self.no_operator()
        self.take()
        self.depth -= 1
        return node

    def field(self) -> Node:
        sign = self.deeper()
        node = In(sign.text, self.one(), sign.at)
        self.depth -= 1
        return node

    def exact(self) -> Node:
        sign = self.take()
        if self.next.kind == "field" and self.next.text == "case":
            return self.cased(self.take())
        node = self.next.node
        if not isinstance(node, Term) or self.next.at != sign.at + 1:
            fail(self.text, sign.at, '= stands right before a word or a "phrase"', '=word or ="two words"')
        return replace(self._counted(node), exact=True, at=sign.at)

    def cased(self, sign: _Sign) -> Node:
        if self.next.kind == "=":
            self.take()
        node = self.next.node
        if isinstance(node, Term):
            return replace(self._counted(node), exact=True, case=True, at=sign.at)
        if isinstance(node, Regex):
            return replace(self._counted(node), case=True, at=sign.at)
        fail(self.text, sign.at, 'case: stands right before a word, a "phrase" or a /regex/', "case:Apple")

    def term(self) -> Node:
        node = self.next.node
        assert node is not None
        return self._counted(node)

    def _counted(self, node: T) -> T:
        self.terms += 1
        if self.terms > MAX_TERMS:
            self.refuse(f"the query has more than {MAX_TERMS:,} terms", "split the brand")
        self.take()
        return node

    def deeper(self) -> _Sign:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(f"more than {MAX_DEPTH} levels of brackets", "use fewer brackets")
        return self.take()

    def no_operand(self) -> NoReturn:
        found = "the end" if self.next.kind == "end" else self.next.text
        before = f" after {self.signs[self.place - 1].text}" if self.place else ""
        self.refuse(f"found {found}{before}: expected {_OPERAND}", 'quote it to look for the word itself: "AND"')

    def no_operator(self) -> NoReturn:
        before, found = self.signs[self.place - 1].text, self.next.text
        if capital := _CAPITALS.get(found) or (found.upper() if _NEAR.fullmatch(found.upper()) else None):
            self.refuse(f"found {found}: operators are written in capitals", capital)
        self.refuse(
            f"found {_short(found)} after {_short(before)}: expected AND, OR, NOT, NEAR/n or ONEAR/n between them",
            f'{_short(before)} AND {_short(found)}, or "{_bare(before)} {_bare(found)}" for the phrase',
        )

    def refuse(self, message: str, fix: str) -> NoReturn:
        fail(self.text, self.next.at, message, fix)


def _chain(node: Node) -> int:
    length = 0
    while isinstance(node, Near):
        node, length = node.left, length + 1
    return length


def _bare(text: str) -> str:
    return _short(text.strip('"“”„«»'))


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
