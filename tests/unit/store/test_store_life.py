"""The life of a ticket on both databases: near-duplicates, holds, withdrawals, second looks, news, sink states."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from store_kit import LONG, World, opens, post, ticket

from crawler.errors import NotFound, Permanent
from crawler.model import (
    Author,
    Change,
    Decision,
    DeliveryStatus,
    MentionStatus,
    Priority,
    Remote,
    TicketStatus,
)
from crawler.store import Pulse, Told

STORY = "My card was blocked by Ladna Pay on Friday evening and nobody could tell me when it will work again"


def mentions_of(world: World, *texts: str) -> list[int]:
    world.sync()
    posts = [post(number, text, author=Author(f"Author {number}")) for number, text in enumerate(texts, 1)]
    world.take(world.run(), *posts)
    world.match()
    world.analyse()
    return [it.id for it in world.store.mentions.untriaged(500)]


def sent(world: World, key: str = "k1", remote: str = "7") -> None:
    [row] = world.store.outbox.claim("w", world.clock(), 10, 60, ["help"])
    assert row.ticket.key == key
    world.store.outbox.settle("w", [(row.id, Remote(remote))], [], [])


def test_near_duplicates_share_the_ticket_of_the_first(world: World) -> None:
    first, copy, other = mentions_of(
        world, STORY, STORY.replace("evening", "evenning") + " Share!", f"{STORY} 17 times"
    )
    count = world.store.tickets.decide([opens(it, f"k{it}") for it in (first, copy, other)], 1)
    assert (count.tickets_new, count.joined) == (2, 1)
    assert world.store.tickets.get(f"k{first}").mention_ids == (first, copy)
    assert world.store.mentions.get(copy).ticket_key == f"k{first}"


def test_a_join_raises_and_reopens(world: World) -> None:
    first, second = mentions_of(world, STORY, LONG)
    decision = opens(first, "k1", ["help"])
    low = replace(decision, ticket=ticket("k1", priority=Priority.LOW))
    world.store.tickets.decide([low], 1)
    ticket_id = world.store.tickets.get("k1").ticket.id
    sent(world)
    assert world.store.replies.set_status(ticket_id, TicketStatus.SOLVED, "by hand")
    assert not world.store.replies.set_status(ticket_id, TicketStatus.SOLVED)
    join = Decision(second, MentionStatus.JOINED, "x", "r", join=ticket_id, note="again", priority=Priority.URGENT)
    world.store.tickets.decide([join], 1)
    stored = world.store.tickets.get("k1")
    assert (stored.status, stored.ticket.priority, stored.solved_at) == (TicketStatus.OPEN, Priority.URGENT, None)
    [change] = world.store.outbox.claim("w", world.clock(), 10, 60, ["help"])
    assert change.change == Change(f"k1/m{second}", "again", Priority.URGENT, TicketStatus.OPEN)


def test_held_and_withdrawn_and_wanted_again(world: World) -> None:
    first, second = mentions_of(world, STORY, LONG)
    until = world.clock() + timedelta(seconds=15)
    held = replace(opens(first, "k1", ("desk", "zammad")), hold_until=until)
    world.store.tickets.decide([held], 1)
    join = Decision(second, MentionStatus.JOINED, "x", "r", join=world.store.tickets.get("k1").ticket.id, note="n")
    world.store.tickets.decide([join], 1)
    assert world.store.outbox.claim("w", world.clock(), 10, 60, ["desk", "zammad"]) == []
    assert world.store.tickets.withdraw("k1", MentionStatus.IGNORED, "olena") == 2
    world.clock.tick(60)
    assert world.store.outbox.claim("w", world.clock(), 10, 60, ["desk", "zammad"]) == []
    assert world.store.outbox.retry() == 0
    assert world.store.mentions.get(first).status == MentionStatus.IGNORED
    with pytest.raises(Permanent, match="withdrawn already"):
        world.store.tickets.withdraw("k1")
    with pytest.raises(NotFound):
        world.store.tickets.withdraw("k9")
    world.store.tickets.decide([opens(first, "k1", ("desk", "other"))], 2)
    stored = world.store.tickets.get("k1")
    assert (stored.status, stored.mention_ids) == (TicketStatus.OPEN, (first,))
    standing = {(it.sink, it.number): it.status for it in stored.deliveries}
    assert standing["desk", 0] == standing["other", 0] == DeliveryStatus.PENDING
    assert standing["zammad", 0] == DeliveryStatus.WITHDRAWN
    events = world.store.events.of("ticket", stored.ticket.id)
    assert [(it.before, it.after) for it in events] == [(None, "open"), ("open", "withdrawn"), ("withdrawn", "open")]
    assert len(world.store.outbox.claim("w", world.clock(), 10, 60, ["desk", "zammad", "other"])) == 2


def test_what_is_on_its_way_cannot_be_withdrawn(world: World) -> None:
    [first] = mentions_of(world, STORY)
    world.store.tickets.decide([opens(first, "k1")], 1)
    world.store.outbox.claim("w", world.clock(), 10, 60, ["desk"])
    with pytest.raises(Permanent, match="on its way to desk"):
        world.store.tickets.withdraw("k1")
    with pytest.raises(ValueError, match="review or are ignored"):
        world.store.tickets.withdraw("k1", MentionStatus.TICKETED)


def test_an_edit_after_the_ticket_leaves_one_note(world: World) -> None:
    [first] = mentions_of(world, STORY)
    world.store.tickets.decide([opens(first, "k1")], 1)
    run = world.run("b")
    for _ in range(2):
        world.take(run, post(1, "It works again, thank you all", author=Author("Author 1")))
        world.match(version="q2")
        world.match(version="q3")
    [create, note] = world.store.tickets.get("k1").deliveries
    assert (create.number, note.number) == (0, 1)


def test_doubt_and_a_second_look(world: World) -> None:
    [first] = mentions_of(world, STORY)
    world.store.tickets.decide([opens(first, "k1", ["help"])], 1)
    now = world.clock()
    [row] = world.store.outbox.claim("w", now, 10, 60, ["help"])
    world.store.outbox.settle("w", [], [(row.id, "cut", now, True)], [], Told(fresh={row.id: now}))
    [again] = world.store.outbox.claim("w", now, 10, 60, ["help"])
    assert (again.doubtful, again.doubted_at) == (True, now)
    soon = now + timedelta(seconds=60)
    told = Told(twice={row.id: "it is there twice"}, rechecks={row.id: soon})
    world.store.outbox.settle("w", [(row.id, Remote("7", warnings=("no priority",)))], [], [], told)
    take = world.store.outbox.take_rechecks
    assert take("help", now, 60, 50) == []
    assert world.store.outbox.due(now, ["help", "x"]) == []
    world.clock.at = soon
    assert world.store.outbox.due(soon, ["help", "x"]) == ["help"]
    assert take("help", soon, 60, 50) == [(row.id, "k1", "7", 0)]
    assert take("help", soon, 60, 50) == [], "it was taken by somebody, who asks now"
    assert take("help", soon + timedelta(seconds=60), 60, 50) == [(row.id, "k1", "7", 0)], "whoever took it died"
    world.store.outbox.put_off_recheck(row.id, soon + timedelta(seconds=5))
    assert take("help", soon, 60, 50) == []
    world.store.outbox.rechecked(row.id, "seen once more")
    world.store.outbox.rechecked(row.id, "told already")
    said = [(it.what, it.note) for it in world.store.events.of("delivery", row.id) if it.what != "status"]
    assert said == [
        ("possible duplicate", "it is there twice"),
        ("warning", "no priority"),
        ("possible duplicate", "seen once more"),
    ]
    assert world.store.tickets.get("k1").possible_duplicate


def test_the_state_of_a_sink(world: World) -> None:
    states, now = world.store.sink_states, world.clock()
    assert states.pulse("zammad") == Pulse()
    shut = Pulse(3, now + timedelta(seconds=5), "503")
    states.tell("zammad", shut)
    assert states.pulse("zammad") == shut and shut.shut(now) and not shut.shut(now + timedelta(seconds=5))
    assert states.to_poll(["zammad", "desk"], 60) == ["zammad", "desk"]
    assert [states.begin_poll("zammad", 60) for _ in range(2)] == [True, False]
    assert states.to_poll(["zammad", "desk"], 60) == ["desk"]
    states.poll_now("zammad")
    assert states.begin_poll("zammad", 60)
    assert states.cursor("zammad") is None
    world.store.replies.take("zammad", [], now)
    assert states.cursor("zammad") == now
    world.store.outbox.retry(sink="desk")
    assert states.pulse("zammad") == shut
    world.store.outbox.retry()
    assert states.pulse("zammad").shut_until is None


def test_news_are_stored_once(world: World) -> None:
    [first] = mentions_of(world, STORY)
    world.store.tickets.decide([opens(first, "k1", ["help"])], 1)
    sent(world)
    at = world.clock()
    news = [
        (Remote("7"), Change("1", status=TicketStatus.SOLVED, assignee="Iryna\x00", at=at)),
        (Remote("7"), Change("c1", "We have sent it back\x00 today", author="Iryna", public=True, at=at)),
        (Remote("7"), Change("c2", "The transfer has not arrived", author="api", public=True, at=at)),
        (Remote("8"), Change("1", status=TicketStatus.SOLVED)),
    ]
    assert world.store.replies.take("help", news) == 5
    assert world.store.replies.take("help", news) == 0
    assert world.store.replies.take("zammad", news) == 0
    stored = world.store.tickets.get("k1")
    assert (stored.status, stored.solved_at, stored.first_reply_at) == (TicketStatus.SOLVED, at, at)
    assert stored.deliveries[0].remote_status == "solved"
    [reply] = world.store.replies.of(stored.ticket.id)
    assert (reply.author, reply.at) == ("Iryna", at)


def test_calls_of_a_webhook_are_remembered(world: World) -> None:
    replies, now = world.store.replies, world.clock()
    assert not replies.hook_known("a")
    for _ in range(2):
        replies.hook_done("a", now - timedelta(days=1))
    assert replies.hook_known("a")
