"""Rules, targets, working time: what the file may say, and every mistake at its place."""

# ruff: noqa: E501  (one line a mistake)
from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from crawler.config import Bounds, Config, RuleBlock, Then, UrgentIf, load
from crawler.config.rule_frame import RuleFrame
from crawler.errors import ConfigError, Problem
from crawler.model import Priority

WORLD = "brands: [{name: Nova}]\nsources: [{name: forum, kind: page}]\nsinks: [{name: help, kind: x}]\n"


@pytest.fixture
def at(tmp_path: Path) -> Path:
    return tmp_path / "mention-crawler.yaml"


def loaded(at: Path, text: str) -> Config:
    at.write_text(WORLD + text, encoding="utf-8")
    return load(at, {})


def mistakes(at: Path, text: str) -> list[Problem]:
    try:
        loaded(at, text)
    except ConfigError as error:
        return error.problems
    return []


def rule(at: Path, text: str) -> RuleBlock:
    return loaded(at, f"rules:\n  - {{name: r, {text}}}\n").rules[0]


def test_every_condition_and_action(at: Path) -> None:
    found = rule(
        at,
        "then: ticket, brand: Nova, source: forum, source_kind: page, lang: [uk], entity: legal, label: {a: b},"
        ' tone: negative, intent: [question, complaint], confidence: ">= 0.9", words: [суд], not_words: job,'
        ' rating: "<= 2", followers: over 1000, hours: 22:00-07:00, days: sat-sun, flags: threat, priority: high,'
        " tags: [vip, суд], send_to: [help, desk], hold: 30s, write_in: uk, sure_at_least: 80%",
    )
    assert (found.when, found.tone, found.intent) == ((), ("negative",), ("question", "complaint"))
    assert (found.confidence, found.rating) == (Bounds(0.9, None), Bounds(None, 2))
    assert found.followers == Bounds(1000, None, True)
    assert (found.hours, found.days, found.flags) == ((time(22), time(7)), (5, 6), ("threat",))
    assert (found.tags, found.send_to, found.hold, found.write_in) == (("vip", "суд"), ("help", "desk"), 30.0, "uk")
    assert (found.source_kind, found.words, found.not_words) == (("page",), ("суд",), ("job",))


@pytest.mark.parametrize(
    ("text", "when", "send_to"),
    [
        ("lang: uk", ("negative", "question"), ("desk",)),
        ("when: any", (), ("desk",)),
        ("when: [any, negative]", (), ("desk",)),
        ("when: []", ("negative", "question"), ("desk",)),
        ("when: ~", ("negative", "question"), ("desk",)),
        ("tone: negative", (), ("desk",)),
        ("tone: negative, when: question", ("question",), ("desk",)),
        ("then: ignore, words: x", (), ()),
        ("then: ignore, when: positive", ("positive",), ()),
        ("then: review, words: x", (), ("desk",)),
        ("then: add, tags: x", (), ()),
        ("then: add, send_to: help", (), ("help",)),
    ],
)
def test_what_is_not_said(at: Path, text: str, when: tuple[str, ...], send_to: tuple[str, ...]) -> None:
    found = rule(at, text)
    assert (found.when, found.send_to) == (when, send_to)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ('"<= 2"', (0, 2), (2.1,)),
        ('"< 2"', (1.9,), (2,)),
        ('">=4"', (4, 5), (3.9,)),
        ("over 10000", (10001,), (10000,)),
        ("at least 3", (3,), (2,)),
        ("at most 3", (3,), (4,)),
        ("under 3", (2,), (3,)),
        ("2..4", (2, 3, 4), (1, 5)),
        ("1-2", (1, 2), (3,)),
        ("3", (3,), (2, 4)),
        ('"= 3"', (3,), (2,)),
        ("0", (0,), (1,)),
        ("4.5", (4.5,), (4,)),
        ('">= 90%"', (0.9, 1), (0.89,)),
        ("10%..20%", (0.15,), (0.3,)),
    ],
)
def test_bounds(at: Path, text: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    bounds = rule(at, f"rating: {text}").rating
    assert bounds is not None
    assert all(map(bounds.hold, inside)) and not any(map(bounds.hold, outside)) and not bounds.hold(None)


def test_the_version_is_of_what_a_rule_says(at: Path) -> None:
    assert rule(at, "rating: <=2").version == rule(at, 'rating: "at most 2"').version
    versions = {
        rule(at, text).version
        for text in ("lang: uk", "rating: 1", "rating: 2", "then: review, lang: uk", "hold: 1s", "tags: a", "days: mon")
    }
    assert len(versions) == 7
    assert rule(at, "lang: uk").named == f"r@{rule(at, 'lang: uk').version[:8]}"


def test_the_short_form_is_the_long_one(at: Path) -> None:
    short = loaded(at, "tickets: {when: negative, hold: 10s, tags: x, urgent_if: {words: [суд]}}\n").rules
    long = loaded(at, "rules: [{name: tickets, when: negative, hold: 10s, tags: x, urgent_if: {words: [суд]}}]\n").rules
    assert short == long and short[0].urgent_if == UrgentIf(("суд",)) and short[0].then is Then.TICKET


def test_targets_and_working_time(at: Path) -> None:
    config = loaded(
        at,
        "targets: {urgent: 1h, high: 4h, low: 3d}\nlanguage: uk\nundo_window: 0s\n"
        'business_hours: {hours: {mon-thu: 09:00-18:00, fri: [09:00-12:00, 13:00-16:00]}, holidays: [2026-12-25, "01-01"]}\n',
    )
    assert config.targets == {Priority.URGENT: 3600.0, Priority.HIGH: 14400.0, Priority.LOW: 259200.0}
    assert config.business.hours[0] == (0, (time(9), time(18))) and len(config.business.hours) == 6
    assert config.business.hours[-1] == (4, (time(13), time(16)))
    assert config.business.holidays == ((2026, 12, 25), (0, 1, 1))
    assert (config.language, config.undo_window) == ("uk", 0.0)
    short = loaded(at, "business_hours: {hours: 09:00-18:00}\n").business
    assert {day for day, _ in short.hours} == {0, 1, 2, 3, 4}
    assert loaded(at, "targets:\nbusiness_hours:\ndigest:\n").targets == {}
    round_the_week = loaded(at, "business_hours: {hours: {fri-mon: 00:00-24:00}}\n").business
    assert {day for day, _ in round_the_week.hours} == {4, 5, 6, 0}


RULE = "rules:\n  - name: r\n"  # its next line is 6


@pytest.mark.parametrize(
    ("text", "place", "said", "fix"),
    [
        (
            RULE + "    then: tickets\n",
            "6:11",
            "'tickets' is not one of ticket, review, ignore, add; did you mean ticket?",
            "then: ticket",
        ),
        (RULE + "    rating: low\n", "6:13", "'low' bounds no number; write it like", 'rating: "<= 2"'),
        (RULE + "    rating: 4..2\n", "6:13", "'4..2' runs backwards", 'rating: "2..4"'),
        (RULE + "    days: [mon, someday]\n", "6:11", "'someday' is no day of the week", "mon-fri"),
        (RULE + "    hours: 25:00-26:00\n", "6:12", "is no time of day from-to", "07:00-23:00"),
        (
            RULE + "    flags: [treat]\n",
            "6:13",
            "'treat' is not one of churn, legal, purchase, threat",
            "flags: [threat]",
        ),
        (RULE + "    tone: bad\n", "6:11", "'bad' is not one of negative, neutral, positive", "tone: negative"),
        (RULE + "    brand: Nowa\n", "6:12", "brand names no brand: 'Nowa'; did you mean 'Nova'?", "brand: Nova"),
        (
            RULE + "    source: [forun]\n",
            "6:14",
            "source names no source: 'forun'; did you mean 'forum'?",
            "source: [forum]",
        ),
        (
            RULE + "    send_to: [hlp]\n",
            "6:15",
            "send_to names no sink: 'hlp'; did you mean 'help'?",
            "send_to: [help]",
        ),
        (
            RULE + "    send_to: []\n",
            "6:14",
            "send_to names no sink, so its tickets would go nowhere",
            "send_to: [desk]",
        ),
        (
            RULE + "    then: ignore\n",
            "6:11",
            "then: ignore without a condition takes every mention",
            "name a condition",
        ),
        (
            RULE + "    then: review\n    when: any\n",
            "6:11",
            "then: review without a condition takes every mention",
            "name a condition",
        ),
        (
            RULE + "    then: ignore\n    words: x\n    tags: y\n",
            "8:5",
            "opens no ticket, so tags has no effect",
            "remove the line",
        ),
        (RULE + "    then: add\n    words: x\n", "6:11", "then: add adds nothing", "add priority, tags or send_to"),
        (RULE + "    tags: ['a\u2028b']\n", "6:11", "a tag is one line of at most 50 characters", None),
        (RULE + "    word: [x]\n", "6:5", "unknown key 'word'; did you mean 'words'?", "words: [x]"),
        (RULE + "    write_in: de\n", "6:15", "'de' is not one of en, uk, ru", "write_in: en"),
        (RULE + "    language: uk\n", "6:5", "unknown key 'language'; did you mean 'lang'?", "lang: uk"),
        (RULE + "    stars: 1\n", "6:5", "unknown key 'stars'; did you mean 'rating'?", "rating: 1"),
        (RULE + "    weekdays: sat\n", "6:5", "unknown key 'weekdays'; did you mean 'days'?", "days: sat"),
        ("language: ukrainian\n", "4:11", "language: 'ukrainian' is not one of en, uk, ru", None),
        ("targets: {urgent: soon}\n", "4:19", "'soon' is no duration", "targets: {urgent: 10m}"),
        ("targets: {high: 3y}\n", "4:17", "a target lies between a second and 366 days", "targets: {high: 4h}"),
        (
            "targets: {urgnt: 1h}\n",
            "4:11",
            "unknown key 'urgnt' in targets; did you mean 'urgent'?",
            "targets: {urgent: 1h}",
        ),
        ("business_hours: {hours: 9-18}\n", "4:25", "'9-18' is no time of day from-to", "07:00-23:00"),
        ("business_hours: {hours: {all: 09:00-18:00}}\n", "4:25", "'all' is no day of the week", "mon-fri"),
        ("business_hours: {holidays: [xmas]}\n", "4:28", "'xmas' is no date; write 2026-12-25, or 12-25", None),
        ("business_hours: {holidays: ['02-30']}\n", "4:28", "'02-30' is no date", None),
        ("tickets: {send_to: []}\n", "4:20", "tickets: send_to names no sink", "send_to: [desk]"),
        ("undo_window: x\n", "4:14", "'x' is no duration", "undo_window: 10m"),
    ],
)
def test_a_mistake(at: Path, text: str, place: str, said: str, fix: str | None) -> None:
    (problem,) = mistakes(at, text)
    assert said in problem.message, problem
    assert f"{problem.line}:{problem.column}" == place, problem
    if fix is not None:
        assert problem.fix is not None and fix in problem.fix, problem


PAGE = Path(__file__).resolve().parents[2] / "docs" / "rules.md"


def test_the_example_of_the_page_is_right_and_the_page_names_every_condition(at: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    config = loaded(at, page.split("```yaml\n")[1].split("```")[0])
    assert [rule.name for rule in config.rules] == ["job adverts", "court", "one star", "owner", "complaints"]
    assert config.digests.send_to == ("desk",) and config.targets[Priority.NORMAL] == 28800.0
    for name in RuleFrame.model_fields:
        assert f"`{name}`" in page or f"{name}:" in page or name in ("write_in",), name


ODD = (
    *("~", "true", "0", "-1", "1e9", "9" * 30, "''", "x", "[]", "{}", "[~]", "[[x]]", "[{a: b}]", "{a: b}", "{a: [b]}"),
    *("{1: 2}", '"\\u202e"', "2026-12-25", "12:30", "[1, 2]", "0.5", ".nan", ".inf", "'<= '", "1..", "mon-", "9-10"),
)
KEYS = (
    *(f"rules: [{{name: r, {key}: %s}}]" for key in RuleFrame.model_fields if key != "name"),
    *(f"targets: {{{key}: %s}}" for key in ("urgent", "low")),
    *(f"business_hours: {{{key}: %s}}" for key in ("hours", "holidays")),
    *(f"digest: {{{key}: %s}}" for key in ("at", "send_to")),
    *(f"{key}: %s" for key in ("rules", "targets", "business_hours", "digest", "language", "undo_window", "tickets")),
    *(f"tickets: {{urgent_if: {{{key}: %s}}}}" for key in ("words", "followers_over")),
)


@pytest.mark.parametrize("key", KEYS)
def test_no_value_is_too_odd_to_be_explained(at: Path, key: str) -> None:
    for value in ODD:
        for problem in mistakes(at, key % value + "\n"):
            assert problem.line >= 4 and problem.column >= 1 and len(problem.message) > 5, problem
