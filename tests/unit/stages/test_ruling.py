"""What the rules say of one mention: conditions, order, adding and deciding, doubts that nothing takes away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import pytest
from ruling_kit import analysed, mention

from crawler.config import Bounds, RuleBlock, Then, UrgentIf
from crawler.model import Author, EntityKind, Intent, MentionStatus, Priority
from crawler.stages.ruling import Setting, rule_on

ANY = RuleBlock("any", when=())
USUAL = RuleBlock("usual", send_to=("helpdesk",))
TICKETED, REVIEW, IGNORED = MentionStatus.TICKETED, MentionStatus.REVIEW, MentionStatus.IGNORED


def outcome(*rules: RuleBlock, setting: Setting | None = None, **facts: Any) -> tuple[str, MentionStatus]:
    rule, ruling = rule_on(mention(**facts), rules, None, setting)
    assert ruling.reason
    return rule, ruling.status


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        (replace(ANY, brand=("Nova",)), {}, None),
        (replace(ANY, source=("src",)), {}, {"sources": ("other",)}),
        (replace(ANY, source=("src",)), {"sources": ("other", "src")}, {"sources": ()}),
        (replace(ANY, source_kind=("page",)), {}, {"sources": ("feed-one",)}),
        (replace(ANY, lang=("uk",)), {}, {"analysis": analysed(language="ru")}),
        (replace(ANY, entity=("legal",)), {"kind": EntityKind.LEGAL}, {}),
        (replace(ANY, label={"region": ("Київ",)}), {"labels": {"region": "Київ"}}, {"labels": {"region": "Львів"}}),
        (replace(ANY, label={"region": ("Київ",)}), {"labels": {"region": "Київ", "a": "b"}}, {}),
        (replace(ANY, words=("картка",)), {"text": "Nova картки згоріли"}, {"text": "Nova картография"}),
        (replace(ANY, words=("cash back",)), {"text": "Nova: cash-back where"}, {"text": "Nova cash is back"}),
        (replace(ANY, not_words=("вакансія",)), {"text": "Nova погано"}, {"text": "Nova, вакансії тут"}),
        (replace(ANY, rating=Bounds(None, 2)), {"rating": 2.0}, {"rating": 2.5}),
        (replace(ANY, rating=Bounds(None, 2)), {"rating": 0.0}, {"rating": None}),
        (replace(ANY, rating=Bounds(4, None, True)), {"rating": 4.5}, {"rating": 4.0}),
        (replace(ANY, followers=Bounds(100, None)), {"author": Author("a", followers=100)}, {"author": Author("a")}),
        (replace(ANY, confidence=Bounds(0.9, None)), {"analysis": analysed(0.95)}, {"analysis": analysed(0.6)}),
        (replace(ANY, flags=("threat", "legal")), {"analysis": analysed(flags=("legal",))}, {}),
        (replace(ANY, days=(4,)), {}, {"published_at": datetime(2026, 11, 21, 12, tzinfo=UTC)}),
        (replace(ANY, hours=(time(22), time(7))), {"published_at": datetime(2026, 11, 20, 21, tzinfo=UTC)}, {}),
        (replace(ANY, hours=(time(9), time(15))), {}, {"published_at": datetime(2026, 11, 20, 13, tzinfo=UTC)}),
        (replace(ANY, tone=("negative",), when=()), {"analysis": analysed(0.8)}, {"analysis": analysed(0.2)}),
        (
            replace(ANY, tone=("negative",), intent=("question",)),
            {"analysis": analysed(0.8, 0.9)},
            {"analysis": analysed(0.8, 0.1)},
        ),
    ],
)
def test_each_condition_holds_and_fails(rule: RuleBlock, yes: dict[str, Any], no: dict[str, Any] | None) -> None:
    setting = Setting("Europe/Kyiv", kinds={"src": "page", "feed-one": "feed"})
    assert outcome(rule, setting=setting, **yes) == ("any", TICKETED)
    if no is not None:
        assert outcome(rule, setting=setting, **no) == ("no rule", IGNORED)


def test_days_and_hours_are_local() -> None:
    sunday_in_kyiv = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
    rule = replace(ANY, days=(6,), hours=(time(0), time(1)))
    assert outcome(rule, setting=Setting("Europe/Kyiv"), published_at=sunday_in_kyiv)[1] is TICKETED
    assert outcome(rule, setting=Setting("UTC"), published_at=sunday_in_kyiv)[1] is IGNORED


def test_all_conditions_must_hold() -> None:
    rule = replace(ANY, words=("суд",), rating=Bounds(None, 2))
    assert outcome(rule, text="Nova, до суду", rating=1.0)[1] is TICKETED
    assert outcome(rule, text="Nova, до суду", rating=5.0)[1] is IGNORED
    assert outcome(rule, text="Nova", rating=1.0)[1] is IGNORED


def test_the_first_that_decides_stops() -> None:
    jobs = RuleBlock("jobs", when=(), then=Then.IGNORE, words=("вакансія",))
    assert outcome(jobs, USUAL, text="Nova вакансія", analysis=analysed(0.95)) == ("jobs", IGNORED)
    assert outcome(USUAL, jobs, text="Nova вакансія", analysis=analysed(0.95)) == ("usual", TICKETED)
    look = RuleBlock("look", when=(), then=Then.REVIEW, flags=("legal",))
    assert outcome(look, USUAL, analysis=analysed(0.95, flags=("legal",))) == ("look", REVIEW)


def test_adding_goes_on_and_reaches_only_what_comes_later() -> None:
    vip = RuleBlock(
        "vip", when=(), then=Then.ADD, tags=("vip",), priority=Priority.HIGH, send_to=("boss",), words=("Nova",)
    )
    late = replace(vip, name="late", tags=("late",))
    rule, ruling = rule_on(mention(analysis=analysed(0.9)), [vip, USUAL, late], None)
    assert (rule, ruling.tags, ruling.sinks) == ("usual", ("vip",), ("helpdesk", "boss"))
    assert ruling.priority is Priority.HIGH
    assert outcome(vip) == ("no rule", IGNORED)


@pytest.mark.parametrize(
    ("added", "own", "expected"),
    [
        (Priority.LOW, None, Priority.LOW),
        (Priority.LOW, Priority.HIGH, Priority.HIGH),
        (Priority.URGENT, Priority.LOW, Priority.URGENT),
        (None, None, Priority.NORMAL),
    ],
)
def test_the_highest_named_priority_counts(added: Priority | None, own: Priority | None, expected: Priority) -> None:
    adds = RuleBlock("adds", when=(), then=Then.ADD, priority=added, tags=("t",))
    _, ruling = rule_on(mention(analysis=analysed(0.9)), [adds, replace(USUAL, priority=own)], None)
    assert ruling.priority is expected


def test_urgency_of_an_adding_rule_reaches_the_ticket() -> None:
    adds = RuleBlock("court", when=(), then=Then.ADD, urgent_if=UrgentIf(("суд",)))
    _, ruling = rule_on(mention("Nova, суду бути", analysed(0.9)), [adds, USUAL], None)
    assert ruling.priority is Priority.URGENT and "«суд»" in ruling.reason


def test_a_doubt_is_taken_away_by_a_ticket_only() -> None:
    unsure = analysed(0.5)
    jobs = RuleBlock("jobs", when=(), then=Then.IGNORE)
    low = replace(USUAL, name="low", sure_at_least=0.4)
    assert outcome(USUAL, analysis=unsure) == ("usual", REVIEW)
    assert outcome(USUAL, jobs, analysis=unsure) == ("usual", REVIEW)
    assert outcome(USUAL, low, analysis=unsure) == ("low", TICKETED)
    assert outcome(USUAL, jobs, low, analysis=unsure) == ("usual", REVIEW)


def test_an_ignoring_rule_must_be_sure() -> None:
    praise = RuleBlock("praise", then=Then.IGNORE, when=("positive",))
    assert outcome(praise, USUAL, analysis=analysed(positive=0.9)) == ("praise", IGNORED)
    assert outcome(praise, USUAL, analysis=analysed(0.45, positive=0.5)) == ("usual", REVIEW)


def test_a_reviewing_rule_takes_the_unsure_too() -> None:
    look = RuleBlock("look", then=Then.REVIEW, when=("negative",))
    assert outcome(look, analysis=analysed(0.9)) == ("look", REVIEW)
    assert outcome(look, analysis=analysed(0.4)) == ("look", REVIEW)
    assert outcome(look, analysis=analysed(0.2)) == ("no rule", IGNORED)


def test_words_that_complain_under_a_calm_tone_are_seen() -> None:
    assert outcome(USUAL, analysis=analysed(0.2, complaint=0.9)) == ("usual", REVIEW)
    assert outcome(USUAL, analysis=analysed(0.05, complaint=0.9, positive=0.9)) == ("usual", REVIEW)


def test_words_that_praise_under_a_negative_tone_are_seen() -> None:
    thanks = replace(analysed(0.9), intent=Intent.PRAISE)
    assert outcome(USUAL, analysis=thanks) == ("usual", REVIEW)
    assert outcome(USUAL, analysis=replace(thanks, flags=("legal",)))[1] is TICKETED
    assert outcome(USUAL, analysis=replace(thanks, model="person: correction 1"))[1] is TICKETED


@pytest.mark.parametrize(
    ("dear", "negative", "expected"),
    [(1.0, 0.29, IGNORED), (1.5, 0.29, REVIEW), (1.5, 0.19, IGNORED), (5.0, 0.07, REVIEW), (5.0, 0.05, IGNORED)],
)
def test_the_dearer_a_missed_complaint_the_lower_doubt_begins(
    dear: float, negative: float, expected: MentionStatus
) -> None:
    found = mention(analysis=analysed(negative, 0.0))
    assert rule_on(found, (USUAL,), None, Setting(dear=dear))[1].status is expected


def test_a_rule_that_wants_praise_knows_no_missed_complaint() -> None:
    rule = RuleBlock("thanks", when=("positive",))
    found = mention(analysis=analysed(0.0, 0.0, positive=0.25))
    assert rule_on(found, (rule,), None, Setting(dear=5.0))[1].status is IGNORED


def test_without_an_analysis_a_rule_on_tone_doubts_and_one_on_stars_decides() -> None:
    untagged = replace(mention(rating=1.0), analysis=None)
    assert rule_on(untagged, [USUAL], None)[1].status is REVIEW
    assert rule_on(untagged, [replace(ANY, rating=Bounds(None, 2))], None)[1].status is TICKETED


def test_the_decision_names_rule_and_version() -> None:
    rule, ruling = rule_on(
        mention(rating=1.0), [replace(ANY, rating=Bounds(None, 2), version="0123456789abcdef")], None
    )
    assert rule == "any@01234567"
    assert ruling.reason == "Ticket, normal: rating 1; rule any"


def test_the_why_names_what_spoke_for_it() -> None:
    rule = RuleBlock("big", when=("negative",), followers=Bounds(100, None), flags=("legal",), words=("суд",))
    it = mention("Nova, в суд!", analysed(0.93, flags=("legal",)), author=Author("a", followers=5000))
    _, ruling = rule_on(it, [rule], None)
    assert ruling.reason == "Ticket, high: negative 93%; words «суд»; 5000 followers; flags legal; rule big"
    assert ruling.why is not None
    assert ruling.why.in_words("uk").startswith("Звернення, високий пріоритет: негатив 93%; слова «суд»")
    assert ruling.why.in_words("ru").endswith("правило big")


def test_several_tones_are_added_up_and_named() -> None:
    rule = RuleBlock("not happy", when=("negative", "neutral"))
    _, ruling = rule_on(mention(analysis=analysed(0.5)), [rule], None)
    assert ruling.status is TICKETED and "negative or neutral 100%" in ruling.reason
