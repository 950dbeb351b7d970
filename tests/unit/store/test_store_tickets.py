"""Decisions, tickets, joins and the outbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from store_kit import LONG, START, World, opens, post, ticket

from crawler.errors import NotFound, Permanent
from crawler.model import (
    Author,
    Change,
    Decision,
    Delivery,
    DeliveryStatus,
    MentionStatus,
    Priority,
    Remote,
    TicketStatus,
)
from crawler.store import TriageCount


def claim(world: World, owner: str = "w", *sinks: str) -> list[Delivery]:
    return world.store.outbox.claim(owner, world.clock(), 10, 60, sinks or ("desk", "zammad"))


def join(mention_id: int, ticket_id: int) -> Decision:
    return Decision(mention_id, MentionStatus.JOINED, "same thread", "rule-1", join=ticket_id, note="And again")


def test_a_ticket_with_its_deliveries_and_history(world: World) -> None:
    mention_id, _ = world.analysed(2)
    count = world.store.tickets.decide([opens(mention_id, "k1", ("desk", "zammad", "desk"))], 7)
    assert count == TriageCount(ticketed=1, tickets_new=1, deliveries_new=2)
    stored = world.store.tickets.get("k1")
    assert replace(stored.ticket, id=0, opened_at=None) == ticket("k1")
    assert (stored.mention_ids, stored.status, stored.rule) == ((mention_id,), TicketStatus.OPEN, "rule-1")
    assert [(it.sink, it.number, it.status) for it in stored.deliveries] == [
        ("desk", 0, DeliveryStatus.PENDING),
        ("zammad", 0, DeliveryStatus.PENDING),
    ]
    mention = world.store.mentions.get(mention_id)
    assert (mention.status, mention.ticket_key, mention.reason) == (MentionStatus.TICKETED, "k1", "negative 0.80")
    assert [it.after for it in world.store.events.of("mention", mention_id)] == ["found", "analysed", "ticketed"]
    assert [it.after for it in world.store.events.of("delivery", stored.deliveries[0].id)] == ["pending"]


def test_deciding_twice_makes_no_second_ticket(world: World) -> None:
    first, second = world.analysed(2)
    world.store.tickets.decide([opens(first, "k1")], 1)
    again = world.store.tickets.decide([opens(first, "other"), opens(second, "k2"), opens(second, "k3")], 1)
    assert again == TriageCount(ticketed=1, left_alone=2, tickets_new=1, deliveries_new=1)
    assert world.store.tickets.count() == 2


def test_a_taken_key_joins_its_ticket(world: World) -> None:
    first, second = world.analysed(2)
    count = world.store.tickets.decide([opens(first, "k1"), opens(second, "k1")], 1)
    assert (count.tickets_new, count.joined, count.ticketed) == (1, 1, 1)
    assert world.store.tickets.get("k1").mention_ids == (first, second)


def test_review_and_ignore_keep_the_reason(world: World) -> None:
    first, second = world.analysed(2)
    unsure = Decision(first, MentionStatus.REVIEW, "unsure: 0.55", "rule-1")
    calm = Decision(second, MentionStatus.IGNORED, "positive", "rule-1")
    assert world.store.tickets.decide([unsure, calm], 1) == TriageCount(review=1, ignored=1)
    assert world.store.mentions.get(first).reason == "unsure: 0.55"
    world.store.tickets.decide([opens(first, "k1")], 2)
    assert [it.after for it in world.store.events.of("mention", first)][-2:] == ["review", "ticketed"]


def test_decisions_that_make_no_sense_are_refused_whole(world: World) -> None:
    first, second = world.analysed(2)
    with pytest.raises(NotFound, match="no ticket 99"):
        world.store.tickets.decide([opens(first, "k1"), join(second, 99)], 1)
    with pytest.raises(ValueError, match="carries none"):
        world.store.tickets.decide([replace(opens(first, "k1"), ticket=None)], 1)
    with pytest.raises(ValueError, match="not an outcome"):
        world.store.tickets.decide([Decision(first, MentionStatus.FOUND, "", "")], 1)
    assert world.store.tickets.count() == 0


def test_open_tickets_of_one_thread_and_of_one_text(world: World) -> None:
    world.sync()
    anna, bob = Author("Anna"), Author("Bob")
    world.take(
        world.run(),
        post(1, "It does not work, I am telling you all", author=anna, thread="t1"),
        post(2, "Still does not work, nobody answers me here", author=anna, thread="t1"),
        post(3, "It works for me, no idea what you all want", author=bob, thread="t1"),
        post(4, "It does not work, I am telling you all!", author=anna, thread="t2"),
        post(5, LONG, author=anna),
        post(6, LONG.upper(), author=bob),
        post(7, "bad", author=anna),
        post(8, "bad", author=bob),
    )
    world.match()
    world.analyse()
    mentions = {it.id: it for it in world.store.mentions.untriaged(10)}
    world.store.tickets.decide([opens(1, "k1"), opens(5, "k5"), opens(7, "k7")], 1)
    found = world.store.tickets.open_for([mentions[number] for number in (2, 3, 4, 6, 8)])
    assert {number: it.key for number, it in found.items()} == {2: "k1", 6: "k5"}
    world.clock.tick(8 * 86400)
    assert world.store.tickets.open_for(list(mentions.values())) == {}


def test_tickets_are_listed_newest_first(world: World) -> None:
    first, second, third = world.analysed(3)
    world.store.tickets.decide([opens(first, "k1"), opens(second, "k2", ("zammad",)), opens(third, "k3")], 1)
    world.deliver()
    listed = world.store.tickets.list
    assert [it.ticket.key for it in listed()] == ["k3", "k2", "k1"]
    assert [it.ticket.key for it in listed(after_id=0, limit=2)] == ["k1", "k2"]
    assert [it.ticket.key for it in listed(after_id=3, newest=True)] == ["k2", "k1"]
    assert [it.ticket.key for it in listed(sink="zammad")] == ["k2"]
    assert [it.ticket.key for it in listed(status=DeliveryStatus.SENT)] == ["k3", "k1"]
    assert listed(brand="Other") == listed(since=world.clock.tick()) == []
    assert world.store.tickets.get(2).ticket.key == "k2"
    with pytest.raises(NotFound):
        world.store.tickets.get("k9")


def test_the_intent_is_written_before_the_call(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.store.tickets.decide([opens(mention_id, "k1")], 1)
    (row,) = claim(world)
    assert (row.attempts, row.doubtful, row.ticket.key, row.change) == (1, False, "k1", None)
    assert world.store.tickets.get("k1").deliveries[0].attempts == 1
    assert claim(world, "other") == []


def test_a_claim_that_was_never_settled_comes_back_doubtful(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.store.tickets.decide([opens(mention_id, "k1", ("zammad",))], 1)
    (row,) = claim(world, "dies")
    world.clock.tick(61)
    (again,) = claim(world, "other")
    assert (again.id, again.attempts, again.doubtful) == (row.id, 2, True)
    assert world.store.outbox.settle("dies", [(row.id, Remote("1"))], [], []) == [row.id]
    assert world.store.outbox.settle("other", [(row.id, Remote("2", "http://x/2"))], [], []) == []
    (delivery,) = world.store.tickets.get("k1").deliveries
    assert (delivery.status, delivery.remote_id, delivery.doubtful) == (DeliveryStatus.SENT, "2", False)


def test_the_doubt_outlives_an_owner_that_did_not_try(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.store.tickets.decide([opens(mention_id, "k1")], 1)
    claim(world, "dies")
    world.clock.tick(61)
    claim(world, "gives back")
    world.store.outbox.release("gives back")
    (again,) = claim(world, "third")
    assert again.doubtful
    assert world.store.tickets.get("k1").deliveries[0].doubtful


def test_later_keeps_the_error_the_time_and_the_doubt(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.store.tickets.decide([opens(mention_id, "k1")], 1)
    (row,) = claim(world)
    at = world.clock() + timedelta(minutes=5)
    world.store.outbox.settle("w", [], [(row.id, "timed out", at, True)], [])
    assert claim(world) == []
    (waiting,) = world.store.outbox.waiting(world.clock())
    assert (waiting.count, waiting.due, waiting.failing, waiting.last_error) == (1, 0, 1, "timed out")
    world.clock.at = at
    (again,) = claim(world)
    assert (again.doubtful, again.attempts) == (True, 2)
    world.store.outbox.settle("w", [], [(row.id, "refused", at, False)], [])
    assert claim(world)[0].doubtful is False


def test_release_gives_back_what_was_not_tried(world: World) -> None:
    (mention_id,) = world.analysed(1)
    world.store.tickets.decide([opens(mention_id, "k1")], 1)
    claim(world)
    assert world.store.outbox.release("w") == 1
    (again,) = claim(world, "other")
    assert (again.doubtful, again.attempts) == (False, 1)


def test_parked_waits_for_a_person(world: World) -> None:
    first, second = world.analysed(2)
    world.store.tickets.decide([opens(first, "k1"), opens(second, "k2", ("zammad",))], 1)
    rows = claim(world)
    world.store.outbox.settle("w", [], [], [(row.id, "422: no such group") for row in rows])
    world.clock.tick(99999)
    assert claim(world) == []
    assert [(it.sink, it.status.value) for it in world.store.outbox.waiting(START)] == [
        ("desk", "parked"),
        ("zammad", "parked"),
    ]
    assert world.store.outbox.retry(ticket_key="k1") == 1
    assert world.store.outbox.retry(sink="zammad") == 1
    assert world.store.outbox.retry() == 2
    assert len(claim(world)) == 2
    steps = [(it.before, it.after) for it in world.store.events.of("delivery", rows[0].id)]
    assert steps == [(None, "pending"), ("pending", "parked"), ("parked", "pending")]


def test_a_change_waits_for_its_ticket_and_for_earlier_changes(world: World) -> None:
    first, second, third = world.analysed(3)
    world.store.tickets.decide([opens(first, "k1", ("zammad",))], 1)
    ticket_id = world.store.tickets.get("k1").ticket.id
    assert world.store.tickets.decide([join(second, ticket_id), join(third, ticket_id)], 1).deliveries_new == 2
    (create,) = claim(world)
    assert create.change is None
    assert claim(world, "other") == []
    world.store.outbox.settle("w", [(create.id, Remote("77", "http://x/77"))], [], [])
    (change,) = claim(world)
    assert change.change == Change(f"k1/m{second}", "And again")
    assert change.remote == Remote("77", "http://x/77")
    world.store.outbox.settle("w", [], [], [(change.id, "no comments here")])
    (later,) = claim(world)
    assert later.change is not None and later.change.key == f"k1/m{third}"


def test_a_parked_ticket_holds_its_changes_back(world: World) -> None:
    first, second = world.analysed(2)
    world.store.tickets.decide([opens(first, "k1")], 1)
    world.store.tickets.decide([join(second, world.store.tickets.get("k1").ticket.id)], 1)
    (create,) = claim(world)
    world.store.outbox.settle("w", [], [], [(create.id, "no")])
    assert claim(world) == []


def test_claims_of_other_sinks_and_limits(world: World) -> None:
    mentions = world.analysed(3)
    world.store.tickets.decide([opens(it, f"k{it}", ("desk", "zammad")) for it in mentions], 1)
    assert {row.sink for row in claim(world, "w", "zammad")} == {"zammad"}
    assert len(world.store.outbox.claim("w", world.clock(), 2, 60, ["desk"])) == 2
    assert world.store.outbox.claim("w", world.clock(), 2, 60, []) == []


def test_the_desk_takes_a_ticket_once(world: World) -> None:
    desk = world.store.desk
    first = desk.create(ticket("k1"))
    assert desk.create(ticket("k1", subject="again")) == first
    assert desk.find("k1") == first and desk.find("k2") is None
    assert first.status == TicketStatus.OPEN
    change = Change("k1/m2", "More of it", Priority.URGENT, TicketStatus.SOLVED)
    for _ in range(2):
        desk.update(first, change)
    (there,) = desk.list()
    assert (there.ticket.subject, there.ticket.priority, there.status) == (
        "About k1",
        Priority.URGENT,
        TicketStatus.SOLVED,
    )
    assert [text for _, text in there.comments] == ["More of it"]
    assert desk.list(status="open") == []
    with pytest.raises(Permanent, match="no ticket 99"):
        desk.update(Remote("99"), change)
    with pytest.raises(Permanent, match="no ticket x-1"):
        desk.update(Remote("x-1"), change)


def test_the_whole_way_to_the_desk(world: World) -> None:
    first, second = world.analysed(2)
    world.store.tickets.decide([opens(first, "k1")], 1)
    world.store.tickets.decide([join(second, world.store.tickets.get("k1").ticket.id)], 1)
    assert [world.deliver(), world.deliver(), world.deliver()] == [1, 1, 0]
    (there,) = world.store.desk.list()
    assert [text for _, text in there.comments] == ["And again"]
