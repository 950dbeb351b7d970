"""Mentions: found, tagged, edited, lost and rebuilt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from store_kit import START, World, analysis, brand, opens, post, source

from crawler.errors import NotFound
from crawler.model import EntityKind, Hit, Intent, MentionStatus, Tone

HIT = Hit("Nova Pay", EntityKind.BRAND, "Nova Pay", 3, 11)


def ids(world: World, **filters: object) -> list[int]:
    return [it.id for it in world.store.mentions.list(**filters)]  # type: ignore[arg-type]


def test_two_brands_in_one_post_are_two_mentions(world: World) -> None:
    world.sync(brands=[brand("Nova Pay"), brand("Ladna")])
    world.take(world.run(), post(1), post(2))
    assert world.match() == 4
    assert world.match(version="q2") == 0
    assert world.store.mentions.count() == {MentionStatus.FOUND: 4}
    (created,) = world.store.events.of("mention", 1)
    assert (created.before, created.after) == (None, "found")


def test_a_mention_comes_back_whole(world: World) -> None:
    world.sync(source("a", labels={"region": "Lviv", "topic": "banks"}), brands=[brand(labels={"region": "Kyiv"})])
    world.take(world.run(), post(1))
    (stored,) = world.store.posts.unmatched("q1", 10)
    known = world.store.config.brands()[0]
    world.store.mentions.record("q1", [(stored.id, {known.id: ("v1", [HIT, HIT])})], 1)
    (mention,) = world.store.mentions.unanalysed(10)
    assert (mention.brand, mention.brand_id, mention.hits) == ("Nova Pay", known.id, (HIT, HIT))
    assert (mention.status, mention.query_version, mention.analysis) == (MentionStatus.FOUND, "v1", None)
    assert mention.labels == {"region": "Kyiv", "topic": "banks"}
    assert mention.post == replace(stored, matched_with="q1")
    assert world.store.mentions.save_analyses([(mention, analysis())]) == 1
    tagged = world.store.mentions.get(mention.id)
    assert (tagged.analysis, tagged.status) == (analysis(), MentionStatus.ANALYSED)
    with pytest.raises(NotFound):
        world.store.mentions.get(mention.id + 1)


def test_saving_an_analysis_twice_changes_nothing(world: World) -> None:
    world.sync()
    world.take(world.run(), post(1))
    world.match()
    (mention,) = world.store.mentions.unanalysed(10)
    assert world.store.mentions.save_analyses([(mention, analysis())]) == 1
    assert world.store.mentions.save_analyses([(mention, analysis())]) == 0
    assert world.store.mentions.save_analyses([(mention, analysis("tone-2", Tone.NEUTRAL))]) == 1
    newest = world.store.mentions.get(mention.id).analysis
    assert newest is not None and (newest.model, newest.tone) == ("tone-2", Tone.NEUTRAL)
    assert len(world.store.events.of("mention", mention.id)) == 2


def test_an_edited_post_is_analysed_again(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.take(world.store.runs.get(1), post(1, "Nova Pay solved it"))
    assert world.store.mentions.unanalysed(10) == []
    assert world.match() == 0
    (again,) = world.store.mentions.unanalysed(10)
    assert (again.id, again.status, again.post.version) == (mention_id, MentionStatus.FOUND, 2)
    assert world.analyse() == 1
    assert world.store.mentions.get(mention_id).status == MentionStatus.ANALYSED


def test_an_analysis_of_an_older_version_does_not_hide_the_edit(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1))
    world.match()
    (early,) = world.store.mentions.unanalysed(10)
    world.take(run, post(1, "Nova Pay, edited while the model was thinking"))
    world.match()
    world.store.mentions.save_analyses([(early, analysis())])
    (waiting,) = world.store.mentions.unanalysed(10)
    assert (waiting.status, waiting.post.version) == (MentionStatus.FOUND, 2)


def test_an_edit_leaves_a_ticketed_mention_ticketed(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.store.tickets.decide([opens(mention_id, "k1")], 1)
    world.take(world.store.runs.get(1), post(1, "Nova Pay solved it"))
    world.match()
    assert world.analyse() == 1
    mention = world.store.mentions.get(mention_id)
    assert (mention.status, mention.ticket_key) == (MentionStatus.TICKETED, "k1")
    assert world.store.mentions.untriaged(10) == []


def test_a_mention_that_no_longer_matches_is_ignored_and_comes_back(world: World) -> None:
    (mention_id,) = world.analysed(1)
    post_id = world.store.mentions.get(mention_id).post.id
    brand_id = world.store.config.brands()[0].id
    world.store.mentions.record("q2", [(post_id, {})], 1)
    lost = world.store.mentions.get(mention_id)
    assert (lost.status, lost.reason) == (MentionStatus.IGNORED, "no longer matches")
    assert world.store.mentions.unanalysed(10) == []
    assert world.store.mentions.record("q3", [(post_id, {brand_id: ("v3", [HIT])})], 1) == 0
    back = world.store.mentions.get(mention_id)
    assert (back.status, back.reason, back.query_version) == (MentionStatus.ANALYSED, "", "v3")


def test_a_ticketed_mention_that_no_longer_matches_keeps_its_ticket(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.store.tickets.decide([opens(mention_id, "k1")], 1)
    world.store.mentions.record("q2", [(world.store.mentions.get(mention_id).post.id, {})], 1)
    assert world.store.mentions.get(mention_id).status == MentionStatus.TICKETED


def test_unmatched_finds_old_versions_too(world: World) -> None:
    world.sync()
    world.take(world.run(), *(post(number) for number in range(5)))
    world.match(version="q2")
    assert world.store.posts.unmatched("q2", 10) == []
    assert len(world.store.posts.unmatched("q1", 10)) == 5
    assert len(world.store.posts.unmatched("q3", 3)) == 3
    rest = world.store.posts.unmatched("q3", 10, after_id=3)
    assert [it.id for it in rest] == [4, 5]


def test_reopening_sends_back_to_triage_or_to_the_model(world: World) -> None:
    first, second, third = world.analysed(3)
    ignore = replace(opens(second, ""), status=MentionStatus.IGNORED, ticket=None)
    world.store.tickets.decide([opens(first, "k1"), ignore], 1)
    world.store.mentions.reopen([first, second, third], analyse=False)
    assert [it.id for it in world.store.mentions.untriaged(10)] == [second, third]
    world.store.mentions.reopen([first, second, third], analyse=True)
    assert [it.id for it in world.store.mentions.unanalysed(10)] == [first, second, third]
    assert world.store.mentions.get(first).status == MentionStatus.TICKETED
    world.analyse("tone-2")


def test_mentions_are_rebuilt_with_ids_and_tickets(world: World) -> None:
    first, second, third = world.analysed(3)
    world.store.tickets.decide([opens(first, "k1")], 1)
    before = world.store.mentions.list()
    with world.store._db.write() as connection:
        connection.exec_driver_sql("DELETE FROM mentions")
    assert world.match(version="q2") == 0
    world.analyse()
    after = world.store.mentions.list()
    assert [(it.id, it.status, it.ticket_key) for it in after] == [(it.id, it.status, it.ticket_key) for it in before]
    assert world.store.tickets.decide([opens(first, "k1")], 1).tickets_new == 0
    assert world.store.tickets.count() == 1
    assert {second, third} == {it.id for it in world.store.mentions.untriaged(10)}


def test_lists_filter_and_page(world: World) -> None:
    world.sync(source("a", labels={"region": "Lviv"}), source("b"), brands=[brand("Nova Pay"), brand("Ladna")])
    world.take(world.run("a"), post(1, "Де мої ГРОШІ?", published_at=START - timedelta(days=2)), post(2))
    world.take(world.run("b"), post(3))
    world.match("Nova Pay")
    tagged = {1: analysis(language="uk"), 2: analysis(tone=Tone.POSITIVE), 3: analysis(intent=Intent.QUESTION)}
    world.store.mentions.save_analyses([(it, tagged[it.id]) for it in world.store.mentions.unanalysed(10)])
    assert ids(world) == [3, 2, 1]
    assert ids(world, after_id=0) == [1, 2, 3]
    assert ids(world, after_id=1, limit=1) == [2]
    assert ids(world, before_id=3) == [2, 1]
    assert ids(world, limit=0) == [3, 2, 1]
    assert ids(world, brand="Ladna") == []
    assert ids(world, tone=Tone.NEGATIVE) == [3, 1]
    assert ids(world, intent="question") == [3]
    assert ids(world, lang="uk") == [1]
    assert ids(world, source="a") == [2, 1]
    assert ids(world, label="region=Lviv") == [2, 1]
    assert ids(world, status="analysed", search="мої гроші") == [1]
    assert ids(world, search="100%") == []
    assert ids(world, since=START) == [3, 2]
    assert ids(world, until=START) == [1]


def test_posts_are_read_page_by_page(world: World) -> None:
    world.sync()
    world.take(world.run("a"), *(post(number) for number in range(7)))
    world.take(world.run("b"), post(7))
    world.match()
    assert [it.id for it in world.store.posts.iterate(page=3)] == list(range(1, 9))
    assert [it.id for it in world.store.posts.iterate(source="b")] == [8]
    assert len(list(world.store.posts.iterate(brand="Nova Pay"))) == 8
    assert [it.id for it in world.store.posts.iterate(since=world.clock.at)] == [8]
    with pytest.raises(NotFound):
        world.store.posts.get(99)


def test_a_post_edited_while_it_was_matched_waits_for_the_next_pass(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1, "Nova Pay is down"))
    (read,) = world.store.posts.unmatched("q1", 10)
    world.take(run, post(1, "Never mind"))
    brand_id = world.store.config.brands()[0].id
    assert world.store.mentions.record("q1", [(read, {brand_id: ("v1", [HIT])})], 1) == 0
    (waiting,) = world.store.posts.unmatched("q1", 10)
    assert waiting.version == 2


def test_a_decision_on_what_was_edited_meanwhile_is_left_alone(world: World) -> None:
    first, second = world.analysed(2)
    world.take(world.store.runs.get(1), post(1, "Nova Pay works again"))
    world.match()
    world.store.mentions.record("q2", [(world.store.mentions.get(second).post.id, {})], 1)
    count = world.store.tickets.decide([opens(first, "k1"), opens(second, "k2")], 1)
    assert (count.left_alone, count.tickets_new) == (2, 0)
