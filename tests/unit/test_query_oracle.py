"""The query language against a slow, obvious evaluator over lists of words that shares no code with it.

12,000 generated cases: about half hold a NEAR or ONEAR, about half match; truth and spans must be the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from crawler.matching import Facts, Matcher, parse
from crawler.model import Brand
from crawler.text import fold

pytestmark = pytest.mark.property

WORDS = ("alpha", "alphabet", "beta", "betamax", "gamma", "omega", "x9", "don't", "ёлка9")
GLOBS = ("alpha*", "*max", "be*a", "*ega*", "al*bet", "don*")
SEPARATORS = (" ", " ", " ", ", ", " - ", "; ", "\n", "  ", " «", "» ", " \u200b", "-", " … ")
SITES = ("one.example", "two.example")
CHUNKS, CASES = 24, 500

Tree = tuple[Any, ...]
Run = tuple[int, int]


@dataclass(frozen=True)
class Word:
    """One word of a generated text."""

    plain: str
    written: str
    start: int
    end: int
    title: bool


@dataclass(frozen=True)
class Text:
    """A generated post."""

    whole: str
    words: tuple[Word, ...]
    title: int
    site: str


def make_text(rng: random.Random) -> Text:
    whole, words = "", list[Word]()
    titled = rng.randrange(4) if rng.random() < 0.4 else 0
    count = titled + rng.randrange(1, 16)
    length = 0
    for number in range(count):
        plain = rng.choice(WORDS)
        written = rng.choice((plain, plain, plain.capitalize(), plain.upper()))
        words.append(Word(plain, written, len(whole), len(whole) + len(written), number < titled))
        whole += written
        if number == titled - 1:
            length = len(whole)
            whole += "\n"
        elif number < count - 1:
            whole += rng.choice([s for s in SEPARATORS if "\n" not in s] if number < titled else SEPARATORS)
    return Text(whole, tuple(words), length, rng.choice(SITES))


def make_term(rng: random.Random) -> Tree:
    kind = rng.random()
    if kind < 0.15:
        return ("phrase", tuple(rng.choice((*WORDS, *GLOBS)) for _ in range(rng.randrange(1, 4))))
    if kind < 0.25:
        return ("glob", rng.choice(GLOBS))
    if kind < 0.32:
        return ("case", rng.choice(WORDS).capitalize())
    return ("term", rng.choice(WORDS))


def make_group(rng: random.Random, depth: int) -> Tree:
    """What may stand beside NEAR."""
    kind = rng.random()
    if depth == 0 or kind < 0.55:
        return make_term(rng)
    if kind < 0.72:
        return ("or", tuple(make_group(rng, depth - 1) for _ in range(rng.randrange(2, 4))))
    if kind < 0.85:
        return ("and", tuple(make_group(rng, depth - 1) for _ in range(2)))
    return make_near(rng, depth - 1)


def make_near(rng: random.Random, depth: int) -> Tree:
    return ("near", make_group(rng, depth), make_group(rng, depth), rng.choice((0, 1, 2, 3, 6)), rng.random() < 0.4)


def make_query(rng: random.Random, depth: int) -> Tree:
    kind = rng.random()
    if depth == 0 or kind < 0.22:
        return make_term(rng)
    if kind < 0.45:
        return make_near(rng, depth - 1)
    if kind < 0.65:
        return ("or", tuple(make_query(rng, depth - 1) for _ in range(rng.randrange(2, 4))))
    if kind < 0.8:
        return ("and", tuple(make_query(rng, depth - 1) for _ in range(2)))
    if kind < 0.9:
        return ("and", (make_query(rng, depth - 1), ("not", make_query(rng, depth - 1))))
    if kind < 0.96:
        return ("zone", rng.choice(("title", "text")), make_term(rng))
    return ("site", rng.choice(SITES))


def shown(tree: Tree) -> str:
    """The query as text: every group in brackets."""
    kind = tree[0]
    if kind == "phrase":
        return '"' + " ".join(tree[1]) + '"'
    if kind in ("term", "glob"):
        return str(tree[1])
    if kind == "case":
        return f"case:{tree[1]}"
    if kind in ("or", "and"):
        return "(" + f" {kind.upper()} ".join(map(shown, tree[1])) + ")"
    if kind == "not":
        return f"NOT {shown(tree[1])}"
    if kind == "zone":
        return f"{tree[1]}:{shown(tree[2])}"
    if kind == "site":
        return f"site:{tree[1]}"
    return f"({shown(tree[1])} {'O' if tree[4] else ''}NEAR/{tree[3]} {shown(tree[2])})"


def folded(word: str) -> str:
    return word.lower().replace("ё", "е")


def is_word(pattern: str, word: str) -> bool:
    """The wildcard by trying every length of every star."""
    if not pattern:
        return not word
    if pattern[0] == "*":
        return any(is_word(pattern[1:], word[n:]) for n in range(len(word) + 1))
    return word[:1] == pattern[0] and is_word(pattern[1:], word[1:])


def runs(tree: Tree, text: Text) -> list[Run]:
    """Every (first, last) word of a term."""
    kind, words = tree[0], text.words
    if kind == "case":
        return [(n, n) for n, word in enumerate(words) if word.written == tree[1]]
    wanted = tree[1] if kind == "phrase" else (tree[1],)
    length = len(wanted)

    def fits_at(n: int) -> bool:
        return all(is_word(folded(want), folded(words[n + i].plain)) for i, want in enumerate(wanted))

    return [(n, n + length - 1) for n in range(len(words) - length + 1) if fits_at(n)]


def spread(tree: Tree) -> Tree:
    """NEAR over AND groups as AND of NEARs, left group first."""
    kind = tree[0]
    if kind in ("or", "and"):
        return (kind, tuple(spread(part) for part in tree[1]))
    if kind == "not":
        return ("not", spread(tree[1]))
    return opened(spread(tree[1]), spread(tree[2]), tree[3], tree[4]) if kind == "near" else tree


def opened(left: Tree, right: Tree, distance: int, ordered: bool) -> Tree:
    if left[0] == "and" or (left[0] == "or" and has_and(left)):
        return (left[0], tuple(opened(part, right, distance, ordered) for part in left[1]))
    if right[0] == "and" or (right[0] == "or" and has_and(right)):
        return (right[0], tuple(opened(left, part, distance, ordered) for part in right[1]))
    return ("near", left, right, distance, ordered)


def has_and(tree: Tree) -> bool:
    return tree[0] == "and" or (tree[0] == "or" and any(has_and(part) for part in tree[1]))


Place = tuple[int, int, frozenset[int], frozenset[Run]]


def places(tree: Tree, text: Text) -> set[Place]:
    if tree[0] == "or":
        return set().union(*(places(part, text) for part in tree[1]))
    if tree[0] != "near":
        return {(a, b, frozenset(range(a, b + 1)), frozenset({(a, b)})) for a, b in runs(tree, text)}
    joined = set()
    for left in places(tree[1], text):
        for right in places(tree[2], text):
            if not left[2] & right[2] and fits(left, right, tree[3], tree[4]):
                both = (left[2] | right[2], left[3] | right[3])
                joined.add((min(left[0], right[0]), max(left[1], right[1]), *both))
    return joined


def fits(left: Place, right: Place, distance: int, ordered: bool) -> bool:
    if left[1] < right[0]:
        return right[0] - left[1] - 1 <= distance
    if ordered:
        return False
    return left[0] - right[1] - 1 <= distance if right[1] < left[0] else True


def evaluate(tree: Tree, text: Text) -> set[Run] | None:
    """The runs of words that make the query hold; None when it does not."""
    kind = tree[0]
    if kind == "and":
        held = [evaluate(part, text) for part in tree[1] if part[0] != "not"]
        broken = any(evaluate(part[1], text) is not None for part in tree[1] if part[0] == "not")
        return None if broken or None in held else set().union(*(h for h in held if h is not None))
    if kind == "or":
        some = [h for part in tree[1] if (h := evaluate(part, text)) is not None]
        return set().union(*some) if some else None
    if kind == "site":
        return set() if text.site == tree[1] else None
    if kind == "zone":
        inside = {r for r in runs(tree[2], text) if text.words[r[0]].title == text.words[r[1]].title}
        return {r for r in inside if text.words[r[0]].title == (tree[1] == "title")} or None
    return {run for place in places(tree, text) for run in place[3]} or None


def expected(tree: Tree, text: Text) -> list[tuple[int, int]] | None:
    """Spans of characters, leftmost-longest; facts alone give one empty span."""
    held = evaluate(spread(tree), text)
    if held is None:
        return None
    spans = sorted({(text.words[a].start, text.words[b].end) for a, b in held}, key=lambda s: (s[0], -s[1]))
    kept: list[tuple[int, int]] = []
    for span in spans:
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept or [(0, 0)]


def check(tree: Tree, text: Text) -> bool:
    query = shown(tree)
    node = parse(query)
    assert parse(str(node)) == node, query
    facts = Facts(title=text.title, site=text.site)
    matches = Matcher([Brand("b", (), query=query, id=1)]).match(fold(text.whole), text.whole, facts)
    wanted = expected(tree, text)
    got = [(hit.start, hit.end) for hit in matches[0].hits] if matches else None
    assert got == wanted, (query, text.whole, text.title)
    assert all(text.whole[hit.start : hit.end] == hit.form for match in matches for hit in match.hits)
    return wanted is not None


def cases(chunk: int) -> list[tuple[Tree, Text]]:
    rng = random.Random(f"queries {chunk}")
    made = []
    for _ in range(CASES):
        tree = make_near(rng, 2) if rng.random() < 0.3 else make_query(rng, 3)
        want, text = rng.random() < 0.65, make_text(rng)
        for _ in range(24):
            if (expected(tree, text) is not None) == want:
                break
            text = make_text(rng)
        made.append((tree, text))
    return made


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_queries_hold_where_the_oracle_says(chunk: int) -> None:
    matching = sum(check(tree, text) for tree, text in cases(chunk))
    assert 0.42 * CASES < matching < 0.68 * CASES


def test_half_of_the_cases_ask_for_nearness_and_there_are_enough() -> None:
    near = sum("NEAR/" in shown(tree) for chunk in range(2) for tree, _ in cases(chunk))
    assert near > 0.45 * 2 * CASES
    assert CHUNKS * CASES >= 10_000


@pytest.mark.parametrize("distance", [0, 1, 2])
def test_the_oracle_itself_counts_words_between(distance: int) -> None:
    text = Text("alpha x9 beta", (Word("alpha", "alpha", 0, 5, False), Word("x9", "x9", 6, 8, False),
                                  Word("beta", "beta", 9, 13, False)), 0, SITES[0])  # fmt: skip
    held = expected(("near", ("term", "beta"), ("term", "alpha"), distance, False), text)
    assert held == ([(0, 5), (9, 13)] if distance else None)
