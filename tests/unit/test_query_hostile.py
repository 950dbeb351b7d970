"""Hostile texts and queries: linear time, no crash, spans that are true."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.errors import ConfigError
from crawler.matching import Facts, Matcher, explain, parse
from crawler.model import Brand, Entity, EntityKind
from crawler.text import clean_text, fold

pytestmark = pytest.mark.property

LONG = 65536
PATIENCE = 20.0


def brand(query: str | None, *names: str, **more: tuple[str, ...]) -> Brand:
    return Brand("b", tuple(Entity(EntityKind.BRAND, name) for name in names), query=query, id=1, **more)


def many(form: str, count: int = 10_000) -> str:
    return form.join(f"term{n}" for n in range(count))


CASES: list[tuple[str, Brand, str]] = [
    ("one letter, prefix", brand("aa*"), "a" * LONG),
    ("one letter, infix", brand("*aa*bb*"), "a" * LONG),
    ("one letter, names in names", brand(None, *("=" + "a" * n for n in range(1, 12))), "a" * LONG),
    (
        "names everywhere",
        brand(None, "nova", about=("card",), not_about=("fon", "nova x")),
        "nova card fon " * 4096,
    ),
    ("near everywhere", brand("nova NEAR/1000 pay"), "nova pay " * 7281),
    ("near in near", brand("((a1 NEAR/50 b1) NEAR/50 a1) NEAR/50 (b1 ONEAR/50 a1)"), "a1 b1 " * 10922),
    ("a long phrase", brand('"' + "nova " * 49 + 'pay"'), "nova " * 13107),
    ("10,000 terms, none", brand(many(" OR ")), "слово " * 10922),
    ("10,000 terms, one", brand(many(" OR ")), "term7 " * 10922),
    ("10,000 terms at once", brand(many(" OR ")), many(" ", 7000)),
    ("10,000 terms and", brand(many(" AND ")), many(" ", 7000)),
    ("groups of 5,000 near", brand(f"({many(' OR ', 5000)}) NEAR/3 ({many(' OR ', 5000)})"), many(" ", 7000)),
    ("evil regex", brand("/(a+)+$/ OR /(a|a)*b/"), "a" * LONG + "!"),
    ("regex everywhere", brand("/a/ NEAR/5 /b/"), "a b " * 16384),
    ("quoted lines", brand(None, "nova"), "> nova\n" * 9362 + "nova"),
    ("open quotes", brand(None, "nova"), "[quote]nova" * 5957),
    ("closed quotes", brand(None, "nova"), "[quote]" * 4000 + "nova" + "[/quote]" * 4000 + " так nova"),
    ("both directions", brand("שלום OR نوفا", "nova"), "\u202eنوفا nova שלום\u202c " * 3276),
    ("marks", brand("aa* OR =á", "nova"), "á" + "\u0301" * 60_000 + " nova"),
    ("letter case", brand("case:Ab* OR case:aB"), "Abb aB ab " * 6553),
    ("stretched and mixed", brand(None, "nova", "Сбербанк"), "nооооva сбeрбaaaнк " * 3449),
]


@pytest.mark.parametrize(("what", "watched", "text"), CASES, ids=[case[0] for case in CASES])
def test_time_stays_linear(what: str, watched: Brand, text: str) -> None:
    made, half = Matcher([watched]), text[: len(text) // 4]
    facts = Facts(title=len(text) // 2)
    quarter = _seconds(lambda: _true_spans(made, half, facts))
    whole = _seconds(lambda: _true_spans(made, text, facts))
    assert whole < PATIENCE
    assert whole < 0.5 or whole < 12 * quarter, "four times the text must not take sixteen times as long"


def _seconds(work: Callable[[], object]) -> float:
    """Processor time, the better of two: a busy machine must not look like a slow matcher."""
    spent = []
    for _ in range(2):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def _true_spans(made: Matcher, text: str, facts: Facts) -> None:
    end = 0
    for match in made.match(fold(text), text, facts):
        for hit in match.hits:
            assert text[hit.start : hit.end] == hit.form and hit.start >= end
            end = hit.end


@pytest.mark.parametrize(
    "query",
    [
        "(" * 100_000,
        ")" * 100_000,
        "NOT " * 100_000 + "a",
        "a NEAR/1 " * 5_000 + "a",
        "(a AND b) NEAR/1 " * 19 + "c",
        "title:" * 100_000 + "a",
        '"' * 100_001,
        "*" * 100_000,
        "/(a{1000}){1000}/",
        "a" * 1_000_001,
        '"' + "a " * 60 + '"',
        "=" * 1000,
        "a\x00b c",
    ],
)
def test_evil_queries_are_refused_in_time(query: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError) as caught:
        Matcher([brand(query)])
    assert time.process_time() - began < 5
    assert len(str(caught.value)) < 1000


def test_10_000_terms_are_built_in_time() -> None:
    began = time.process_time()
    made = Matcher([brand(" OR ".join(f"слово{n}" for n in range(10_000)))])
    assert time.process_time() - began < 5
    assert made.match("слово9999", "слово9999") and not made.match("слово10000", "слово10000")


def test_naughty_strings(shared: Path) -> None:
    strings: list[str] = json.loads((shared / "corpus/blns/blns.dev.json").read_text(encoding="utf-8"))
    watched = brand(
        'null* OR /[a-z]+script/ OR "drop table" NEAR/9 =users', "Nova Pay", about=("x",), not_about=("yy",)
    )
    made = Matcher([watched])
    for raw in strings:
        for text in (raw, clean_text(raw), f"Nova Pay {raw}", f"{raw} nova pay"):
            _true_spans(made, text, Facts(title=len(text) // 2, author=raw, url=raw, site=raw, kinds=(raw,)))
            explain(made, fold(text), text)


def test_naughty_strings_as_names_queries_and_context(shared: Path) -> None:
    strings: list[str] = json.loads((shared / "corpus/blns/blns.dev.json").read_text(encoding="utf-8"))
    found = 0
    for raw in strings:
        try:
            node = parse(raw)
            assert parse(str(node)) == node
            Matcher([brand(raw)]).match(fold(raw), raw)
        except ConfigError as error:
            assert error.problems[0].fix
        _true_spans(Matcher([brand(None, f"={raw}", about=(raw,), not_about=(raw[::-1],))]), f"x {raw} y", Facts())
        found += _finds_itself(raw)
    assert found > 0.9 * len(strings)


def _finds_itself(raw: str) -> bool:
    quoted = raw.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")
    try:
        made = Matcher([brand(f'="{quoted}"')])
    except ConfigError:
        return False
    return bool(made.match(fold(raw), raw))
