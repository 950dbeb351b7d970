"""triage: what becomes a ticket, what joins, what a person must see, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from stage_kit import BRAND, RULE, World

from crawler.config import RuleBlock, Then, UrgentIf
from crawler.model import Author, MentionStatus, Priority
from crawler.stages import triage
from crawler.store import SourceRow


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("neg93", MentionStatus.TICKETED),
        ("q80", MentionStatus.TICKETED),
        ("neg69", MentionStatus.REVIEW),
        ("neg31", MentionStatus.REVIEW),
        ("neg29", MentionStatus.IGNORED),
        ("all is well", MentionStatus.IGNORED),
    ],
)
def test_sure_is_ticketed_unsure_is_seen_the_rest_is_ignored(world: World, words: str, status: MentionStatus) -> None:
    world.shows(world.post(words))
    world.judge()
    [mention] = world.store.mentions.list()
    assert mention.status is status
    assert mention.reason


def test_the_reason_names_tone_words_and_rule(world: World) -> None:
    world.shows(world.post("neg93 суд скоро"))
    world.judge()
    [ticket] = world.store.tickets.list()
    assert ticket.ticket.reason == "Ticket, urgent: negative 93%; words «суд»; rule tickets"
    assert ticket.ticket.priority is Priority.URGENT
    assert "https://site.example/1" in ticket.ticket.body and "Олена" in ticket.ticket.body


@pytest.mark.parametrize("word", ["судом", "суд,", "до СУДУ"])
def test_urgent_words_count_in_their_forms_and_only_whole(world: World, word: str) -> None:
    rule = replace(RULE, urgent_if=replace(RULE.urgent_if, words=("суд", "судом", "суду"))) if RULE.urgent_if else RULE
    world.shows(world.post(f"neg93 {word}"), world.post("neg93 посуд розбили", 2, "Іван"))
    world.judge([rule])
    priorities = {ticket.ticket.author: ticket.ticket.priority for ticket in world.store.tickets.list()}
    assert priorities["Олена"] is Priority.URGENT
    assert priorities["Іван"] is not Priority.URGENT


def test_many_followers_make_it_urgent(world: World) -> None:
    world.shows(world.post("neg93", by=Author("Зірка", followers=5000)))
    world.judge()
    assert world.store.tickets.list()[0].ticket.priority is Priority.URGENT


@pytest.mark.parametrize(
    "by",
    [Author("Nova", handle="@Nova_Official"), Author("x", url="https://nova.example/team"), Author("@nova_official")],
)
def test_the_brands_own_posts_never_ticket(world: World, by: Author) -> None:
    world.shows(world.post("neg93 q90", by=by))
    world.judge()
    [mention] = world.store.mentions.list()
    assert (mention.status, mention.reason) == (MentionStatus.IGNORED, "the brand's own account or site")


def test_a_follow_up_in_the_thread_joins(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, thread="t1"), world.post("neg95 і досі мовчать", 2, thread="t1"))
    done = world.judge()
    assert (done.ticketed, done.joined) == (1, 1)
    [ticket] = world.store.tickets.list()
    assert len(ticket.mention_ids) == 2


def test_another_author_in_the_thread_gets_a_ticket_of_their_own(world: World) -> None:
    world.shows(world.post("neg93 гроші", 1, thread="t1"), world.post("neg95 картка", 2, "Іван", thread="t1"))
    assert world.judge().ticketed == 2


def test_a_repost_of_the_same_words_joins(world: World) -> None:
    words = "neg93 третій день не повертають мої гроші за скасоване замовлення"
    world.shows(world.post(words, 1), world.post(words, 2, "Бот", url="https://other.example/9"))
    done = world.judge()
    assert (done.ticketed, done.joined) == (1, 1)


def test_two_short_equal_texts_of_different_people_are_two_complaints(world: World) -> None:
    world.shows(world.post("neg93 жах", 1, "Олена"))
    world.judge()
    world.shows(world.post("neg93 жах", 2, "Іван"))
    world.judge()
    assert len(world.store.tickets.list()) == 2


def test_a_wave_of_short_equal_texts_is_decided_in_one_pass(world: World) -> None:
    world.shows(*(world.post("neg93 жах", number, f"Автор {number}") for number in range(60)))
    passes: list[int] = []
    rules = {brand.name: brand for brand in world.store.config.brands()}
    world.judge([])
    ids = [mention.id for mention in world.store.mentions.list()]
    world.store.mentions.reopen(ids, analyse=False)
    done = triage.run(world.store, [RULE], rules, world.now, passes.append)
    assert passes == [60] and done.ticketed == 60


def test_the_first_rule_that_is_sure_decides(world: World) -> None:
    other = RuleBlock(name="uk only", when=("negative",), lang=("uk",), priority=Priority.LOW)
    world.shows(world.post("neg93"))
    world.judge([replace(other, lang=("ru",)), other, RULE])
    [ticket] = world.store.tickets.list()
    assert (ticket.rule, ticket.ticket.priority) == ("uk only", Priority.LOW)


def test_judging_again_changes_nothing(world: World) -> None:
    world.shows(world.post("neg93"), world.post("neg50", 2))
    world.judge()
    before = world.store.tickets.list()
    again = world.judge()
    assert (again.ticketed, again.review, world.store.tickets.list()) == (0, 0, before)


def test_an_edited_post_is_judged_again_but_not_ticketed_twice(world: World) -> None:
    world.shows(world.post("neg93 гроші"))
    world.judge()
    world.shows(world.post("neg97 гроші так і не повернули"))
    world.judge()
    assert len(world.store.tickets.list()) == 1
    [mention] = world.store.mentions.list()
    assert mention.post.version == 2 and mention.status is MentionStatus.TICKETED


def test_an_edit_can_turn_an_ignored_post_into_a_ticket(world: World) -> None:
    world.shows(world.post("усе добре"))
    world.judge()
    world.shows(world.post("neg93 забрали гроші"))
    world.judge()
    assert len(world.store.tickets.list()) == 1


def test_a_rule_can_ask_for_labels(world: World) -> None:
    world.store.config.sync(
        "two", "", [replace(BRAND, labels={"region": "Київ"})], [SourceRow("src", "feed", {}, domain="d")]
    )
    world.shows(world.post("neg93"))
    assert world.judge([replace(RULE, label={"region": ("Львів",)})]).ignored == 1
    world.shows(world.post("neg93 і знову", 2, "Іван"))
    assert world.judge([replace(RULE, label={"region": ("Львів", "Київ")})]).ticketed == 1


def test_a_hold_keeps_the_ticket_in_the_house(world: World) -> None:
    world.shows(world.post("neg93 гроші"))
    world.judge([replace(RULE, hold=30.0)])
    assert world.store.outbox.claim("me", world.at, 9, 60.0, ["helpdesk"]) == []
    world.at += timedelta(seconds=31)
    assert len(world.store.outbox.claim("me", world.at, 9, 60.0, ["helpdesk"])) == 1


def test_a_more_urgent_follow_up_makes_the_ticket_due_earlier(world: World) -> None:
    setting = triage.Setting(targets={Priority.NORMAL: 7200.0, Priority.URGENT: 600.0})
    world.shows(world.post("neg93 гроші", 1, thread="t1"))
    world.judge(setting=setting)
    [before] = world.store.tickets.list()
    assert before.ticket.due_at == world.at + timedelta(seconds=7200)
    world.at += timedelta(seconds=60)
    world.shows(world.post("neg95 подам до суду", 2, thread="t1"))
    world.judge([replace(RULE, urgent_if=UrgentIf(("суд",)))], setting)
    [after] = world.store.tickets.list()
    assert (after.ticket.priority, after.ticket.due_at) == (Priority.URGENT, world.at + timedelta(seconds=600))
    assert len(after.mention_ids) == 2


def test_tags_and_sinks_of_adding_rules_reach_the_ticket(world: World) -> None:
    vip = RuleBlock("vip", when=(), then=Then.ADD, tags=("vip",), send_to=("boss",), words=("гроші",))
    world.shows(world.post("neg93 гроші"))
    world.judge([vip, RULE])
    [ticket] = world.store.tickets.list()
    assert "vip" in ticket.ticket.tags and {it.sink for it in ticket.deliveries} == {"helpdesk", "boss"}


def test_the_decision_is_stored_with_the_version_of_its_rule(world: World) -> None:
    world.shows(world.post("neg93"), world.post("neg50", 2), world.post("добре", 3))
    world.judge([replace(RULE, version="0123456789abcdef")])
    rules = {mention.status: mention.rule for mention in world.store.mentions.list()}
    assert rules == {
        MentionStatus.TICKETED: "tickets@01234567",
        MentionStatus.REVIEW: "tickets@01234567",
        MentionStatus.IGNORED: "no rule",
    }


@pytest.mark.parametrize("ticket", [True, False])
def test_a_person_decides(world: World, ticket: bool) -> None:
    world.shows(world.post("neg50 гроші"))
    world.judge()
    [mention] = world.store.mentions.list()
    status = MentionStatus.TICKETED if ticket else MentionStatus.IGNORED
    ruling = triage.Ruling(status, "Ann decided", sinks=("helpdesk",), hold=15.0)
    decision = triage.by_hand(world.store, mention, ruling, world.at, triage.Setting())
    replace(world.store.tickets, actor="Ann").decide([decision], 1)
    [mention] = world.store.mentions.list()
    assert (mention.status, mention.rule) == (status, triage.BY_HAND)
    assert world.store.events.of("mention", mention.id)[-1].actor == "Ann"
    assert world.store.outbox.claim("me", world.at, 9, 60.0, ["helpdesk"]) == []
