"""After a doubt: late creations, second looks, breakers that outlive processes, slow sinks beside quick ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from stage_kit import RULE, World
from test_deliver import Blind, Helpdesk, fails, run, ticketed

from crawler.errors import InDoubt, Permanent, Transient
from crawler.model import Delivery, Remote, Ticket
from crawler.stages import deliver
from crawler.store import DeliveryState, Store
from sinks.base import Sink


class Late(Helpdesk):
    """Stores what it took in doubt only after `seconds`: the look-up before that finds nothing."""

    def __init__(self, world: World, seconds: float) -> None:
        super().__init__(self._lose)
        self.world, self.seconds, self.coming = world, seconds, list[tuple[Any, str]]()

    def _lose(self, _: Helpdesk, ticket: Ticket) -> None:
        self.coming.append((self.world.at + timedelta(seconds=self.seconds), ticket.key))
        raise InDoubt("timed out")

    def find_all(self, key: str) -> Sequence[Remote]:
        self.looked += 1
        self.stored += [late for at, late in self.coming if at <= self.world.at]
        self.coming = [(at, late) for at, late in self.coming if at > self.world.at]
        return [Remote(str(number)) for number, there in enumerate(self.stored, 1) if there == key]


def delivery(world: World) -> DeliveryState:
    return world.store.tickets.list()[0].deliveries[0]


def what(world: World) -> list[str]:
    return [event.what for event in world.store.events.of("delivery", delivery(world).id) if event.what != "status"]


def later(world: World, helpdesk: Sink, seconds: float = 10, times: int = 1) -> None:
    for _ in range(times):
        world.at += timedelta(seconds=seconds)
        run(world, helpdesk)


@pytest.mark.parametrize("seconds", [1, 15, 29])
def test_a_late_creation_is_waited_out(world: World, seconds: float) -> None:
    ticketed(world)
    helpdesk = Late(world, seconds)
    run(world, helpdesk)
    later(world, helpdesk, times=60)
    assert len(helpdesk.stored) == 1 and helpdesk.looked >= 2
    assert delivery(world).remote_id == "1" and what(world) == []


def test_one_that_comes_even_later_is_seen_and_said(world: World) -> None:
    ticketed(world)
    helpdesk = Late(world, 70)
    run(world, helpdesk)
    later(world, helpdesk, times=60)
    assert len(helpdesk.stored) == 2
    assert what(world) == ["possible duplicate"] and delivery(world).twice
    assert world.store.counts.ledger().possible_duplicates == 1


def test_a_ticket_that_never_came_is_made_once(world: World) -> None:
    ticketed(world)
    helpdesk = Late(world, 1e9)
    run(world, helpdesk)
    later(world, helpdesk, times=60)
    assert len(helpdesk.stored) == 1 and what(world) == []


def test_without_a_search_the_doubt_is_flagged_at_once(world: World) -> None:
    ticketed(world)
    helpdesk = Blind(fails(InDoubt("cut")))
    run(world, helpdesk)
    later(world, helpdesk)
    assert delivery(world).twice and world.store.counts.ledger().possible_duplicates == 1


def test_retry_of_a_parked_ticket_looks_first(world: World) -> None:
    """A 2xx without an id, a page of HTML: the ticket may be there all the same."""
    ticketed(world)
    helpdesk = Helpdesk(fails(Permanent("answered 200 with an HTML page"), stored=True))
    run(world, helpdesk)
    assert world.store.outbox.retry() == 1
    run(world, helpdesk)
    assert helpdesk.stored == [world.store.tickets.list()[0].ticket.key]
    assert delivery(world).remote_id == "1" and not delivery(world).twice


def test_a_retry_without_doubt_is_no_duplicate(world: World) -> None:
    ticketed(world)
    helpdesk = Blind(fails(Permanent("401")))
    run(world, helpdesk)
    world.store.outbox.retry()
    run(world, helpdesk)
    assert len(helpdesk.stored) == 1 and not delivery(world).twice


def test_a_failed_look_up_is_no_new_doubt(world: World) -> None:
    ticketed(world)
    helpdesk = Late(world, 1e9)
    run(world, helpdesk)
    find_all = helpdesk.find_all
    helpdesk.find_all = fails_to_find  # type: ignore[method-assign]
    later(world, helpdesk, 40)
    assert len(helpdesk.stored) == 0
    helpdesk.find_all = find_all  # type: ignore[method-assign]
    later(world, helpdesk, 40)
    assert len(helpdesk.stored) == 1


def fails_to_find(key: str) -> Sequence[Remote]:
    raise InDoubt("the search timed out")


def test_retry_after_holds_for_the_whole_sink(world: World) -> None:
    ticketed(world, 5)
    helpdesk = Helpdesk(fails(Transient("429", retry_after=600)))
    run(world, helpdesk)
    later(world, helpdesk, 100, times=5)
    assert helpdesk.stored == []
    later(world, helpdesk, 110)
    assert len(helpdesk.stored) == 5


def test_the_breaker_outlives_the_process_and_lets_one_probe_through(world: World) -> None:
    ticketed(world, 10)
    calls: list[str] = []

    def down(_: Helpdesk, ticket: Ticket) -> None:
        calls.append(ticket.key)
        raise Transient("refused")

    run(world, Helpdesk(*[down] * 3))
    other = Store.open(world.store.url, durable=False, now=world.now)
    again = Helpdesk(down)
    assert deliver.run(other, {"helpdesk": again}, "another process", world.now).total == 0
    world.at += timedelta(seconds=10)
    deliver.run(other, {"helpdesk": again}, "another process", world.now)
    assert len(calls) == 4 and again.stored == []  # one probe, and it failed
    world.at += timedelta(seconds=30)
    deliver.run(other, {"helpdesk": again}, "another process", world.now)
    assert len(again.stored) >= 6
    assert other.sink_states.pulse("helpdesk").failures == 0
    other.close()


def test_a_person_who_retries_opens_the_breaker(world: World) -> None:
    ticketed(world, 4)
    run(world, Helpdesk(*[fails(Transient("refused"))] * 3))
    helpdesk = Helpdesk()
    assert run(world, helpdesk).sent == 0
    world.store.outbox.retry()
    run(world, helpdesk)
    assert len(helpdesk.stored) == 4


class Slow(Helpdesk):
    """Takes its time, and counts how many calls are on their way."""

    parallel = 4

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.flying, self.most, self.lock = seconds, 0, 0, threading.Lock()

    def create(self, ticket: Ticket) -> Remote:
        with self.lock:
            self.flying += 1
            self.most = max(self.most, self.flying)
        time.sleep(self.seconds)
        with self.lock:
            self.flying -= 1
            return super().create(ticket)


@pytest.mark.slow
def test_a_slow_sink_holds_up_neither_the_others_nor_the_caller(world: World) -> None:
    for number in range(2):
        world.shows(world.post(f"neg93 скарга {number}", number, f"автор {number}"))
    world.judge([RULE.__class__(name="both", send_to=("slow", "helpdesk"))])
    slow, quick, crew = Slow(1.5), Helpdesk(), deliver.Couriers()
    began = time.monotonic()
    deliver.run(world.store, {"slow": slow, "helpdesk": quick}, "w", world.now, couriers=crew)
    assert time.monotonic() - began < 1
    while len(quick.stored) < 2:
        assert time.monotonic() - began < 1.4
        time.sleep(0.02)
    assert slow.stored == []
    assert crew.finish().sent == 4


def test_several_calls_at_once_but_one_at_a_time_for_each_ticket(world: World) -> None:
    ticketed(world, 12)
    helpdesk = Slow(0.05)
    assert run(world, helpdesk).sent == 12
    assert 2 <= helpdesk.most <= 4
    assert len(set(helpdesk.stored)) == 12


def test_a_crash_of_a_strangers_kind_parks_and_masks(world: World) -> None:
    ticketed(world)
    helpdesk = Helpdesk(fails(ZeroDivisionError("hunter2")))
    helpdesk.secrets = ["hunter2"]
    assert run(world, helpdesk).parked == 1
    assert "ZeroDivisionError" in str(delivery(world).error) and "hunter2" not in str(delivery(world).error)


def test_what_the_helpdesk_dropped_is_told(world: World) -> None:
    class Drops(Helpdesk):
        def create(self, ticket: Ticket) -> Remote:
            return Remote(super().create(ticket).id, warnings=("priority was not taken over",))

    ticketed(world)
    run(world, Drops())
    events = world.store.events.of("delivery", delivery(world).id)
    assert [(e.what, e.note) for e in events if e.what != "status"] == [("warning", "priority was not taken over")]


class Lasting(Helpdesk):
    """Each call takes 50 seconds of the world's time; at the third, somebody else takes the claim over."""

    def __init__(self, world: World, thief: bool) -> None:
        super().__init__()
        self.world, self.thief = world, thief

    def create(self, ticket: Ticket) -> Remote:
        self.world.at += timedelta(seconds=50)
        if self.thief and len(self.stored) == 2:
            self.world.at += timedelta(seconds=500)
            self.world.store.outbox.claim("thief", self.world.at, 50, 120.0, ["helpdesk"])
        return super().create(ticket)


def test_a_lease_is_renewed_while_calls_take_long(world: World) -> None:
    ticketed(world, 6)
    assert run(world, Lasting(world, thief=False)).sent == 6
    assert world.store.outbox.claim("other", world.at, 50, 120.0, ["helpdesk"]) == []


def test_who_was_away_too_long_calls_nobody(world: World) -> None:
    """A process that was stopped and goes on later: its claim is another's now."""
    ticketed(world, 6)
    helpdesk = Lasting(world, thief=True)
    run(world, helpdesk)
    assert len(helpdesk.stored) == 3


def test_the_time_of_doubt_of_a_killed_call_is_never_too_early(world: World) -> None:
    ticketed(world)
    world.store.outbox.claim("dead", world.at, 1, 120.0, ["helpdesk"])
    world.store.outbox.renew("dead", world.at + timedelta(seconds=100), 120.0)
    world.at += timedelta(seconds=221)
    [again] = world.store.outbox.claim("alive", world.at, 1, 120.0, ["helpdesk"])
    assert isinstance(again, Delivery) and again.doubtful and again.doubted_at is not None
    assert again.doubted_at >= world.at - timedelta(seconds=221 - 100)
