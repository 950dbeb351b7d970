"""Corrections: the mention, its ticket, the history and the way back, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_kit import World, analysis, opens, post

from crawler.errors import CrawlerError, NotFound
from crawler.model import Analysis, Decision, Intent, MentionStatus, StoredMention, Tone
from crawler.store import BY_PERSON, Judgement

NEUTRAL = Judgement(Tone.NEUTRAL)


def mention_of(world: World) -> StoredMention:
    """One analysed mention."""
    world.sync()
    world.take(world.run(), post())
    world.match()
    world.analyse()
    return world.store.mentions.get(1)


def corrected(mention: StoredMention, tone: Tone = Tone.NEUTRAL) -> Analysis:
    assert mention.analysis is not None
    return replace(mention.analysis, tone=tone, tone_scores={tone.value: 1.0}, confidence=1.0)


def correct(world: World, tone: Tone = Tone.NEUTRAL, relevant: bool | None = None) -> int:
    mention = world.store.mentions.get(1)
    right = Judgement(tone, None, relevant)
    return world.store.corrections.record(mention, mention.post.post.text, right, corrected(mention, tone), 1)


def shown(world: World) -> tuple[str, str]:
    found = world.store.mentions.get(1).analysis
    assert found is not None
    return found.tone.value, found.model


def test_a_correction_shows_at_once_and_is_told_in_the_history(world: World) -> None:
    mention_of(world)
    number = correct(world)
    assert shown(world) == ("neutral", f"person: correction {number}")
    event = world.store.events.of("mention", 1)[-1]
    assert (event.what, event.before, event.after) == ("corrected", "negative, complaint", "neutral")
    stored = world.store.corrections.get(number)
    assert (stored.said["tone"], stored.judgement, stored.undone_at) == ("negative", NEUTRAL, None)


def test_what_was_decided_goes_to_triage_again(world: World) -> None:
    mention = mention_of(world)
    world.store.tickets.decide([Decision(mention.id, MentionStatus.REVIEW, "unsure", "r@12345678")], 1)
    correct(world)
    assert world.store.mentions.get(1).status is MentionStatus.ANALYSED


def test_an_open_ticket_gets_a_note_and_stays(world: World) -> None:
    mention = mention_of(world)
    world.store.tickets.decide([opens(mention.id, "K-1")], 1)
    number = correct(world)
    assert world.store.mentions.get(1).status is MentionStatus.TICKETED
    assert len(world.store.tickets.get("K-1").deliveries) == 2
    world.store.corrections.undo(number, 1)
    assert len(world.store.tickets.get("K-1").deliveries) == 3
    assert world.store.tickets.count() == 1


def test_not_relevant_is_ignored_by_a_person_and_comes_back(world: World) -> None:
    mention_of(world)
    number = correct(world, relevant=False)
    mention = world.store.mentions.get(1)
    assert (mention.status, mention.rule) == (MentionStatus.IGNORED, BY_PERSON)
    world.store.corrections.undo(number, 1)
    assert world.store.mentions.get(1).status is MentionStatus.ANALYSED


def test_no_model_takes_a_correction_away_until_the_post_is_edited(world: World) -> None:
    mention_of(world)
    correct(world)
    mention = world.store.mentions.get(1)
    world.store.mentions.save_analyses([(mention, analysis("tone-2", Tone.POSITIVE))])
    assert shown(world)[0] == "neutral"
    world.take(world.run("b"), post(text="1: they have mended everything, thank you"))
    world.match("Nova Pay", version="q2")
    world.analyse("tone-2")
    assert shown(world) == ("negative", "tone-2")


def test_undo_goes_back_step_by_step_whatever_the_order(world: World) -> None:
    mention_of(world)
    first, second = correct(world), correct(world, Tone.POSITIVE)
    world.store.corrections.undo(first, 1)
    assert shown(world) == ("positive", f"person: correction {second}")
    world.store.corrections.undo(second, 1)
    assert shown(world) == ("negative", "tone-1")
    with pytest.raises(CrawlerError, match="undone already"):
        world.store.corrections.undo(second, 1)


def test_stamp_and_lists(world: World) -> None:
    mention_of(world)
    assert world.store.corrections.stamp() == (0, 0)
    first, second = correct(world), correct(world, Tone.POSITIVE)
    world.store.corrections.undo(first, 1)
    assert world.store.corrections.stamp() == (second, 1)
    assert [it.id for it in world.store.corrections.in_force(10)] == [second]
    assert [it.id for it in world.store.corrections.list()] == [second, first]
    with pytest.raises(NotFound, match="no correction 99"):
        world.store.corrections.get(99)


def test_a_stale_reading_changes_nothing(world: World) -> None:
    mention = mention_of(world)
    stale = replace(mention, post=replace(mention.post, version=7))
    with pytest.raises(CrawlerError, match="changed by somebody else"):
        world.store.corrections.record(stale, "text", Judgement(None, Intent.QUESTION), None, 1)
    assert world.store.corrections.stamp() == (0, 0)


def test_the_first_version_of_a_lesson_stays(world: World) -> None:
    made = world.store.lessons.add("k", "tone-1", True, {"right": 3}, b"one")
    again = world.store.lessons.add("k", "tone-1", False, {}, b"two")
    assert made == again
    assert world.store.lessons.get("other") is None
    assert world.store.lessons.count() == 1
