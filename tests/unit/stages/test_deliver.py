"""deliver: exactly one ticket whatever the helpdesk answers; order, back-off, parking, flags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from stage_kit import RULE, World

from crawler.errors import InDoubt, Permanent, Transient
from crawler.model import DeliveryStatus, Remote, Ticket
from crawler.net.http import HttpAnswer
from crawler.stages import courier, deliver, sending
from crawler.stages.sending import Sent
from sinks.base import Sink, Tools
from sinks.rest import Rest


class Helpdesk(Sink):
    """Remembers what it got; each call first plays the next step of its script."""

    kind = "scripted"

    def __init__(self, *script: Callable[[Helpdesk, Ticket], None]) -> None:
        super().__init__("desk", Sink.Settings(), Tools(http=None))  # type: ignore[arg-type]
        self.script, self.stored, self.looked = list(script), [], 0  # type: ignore[var-annotated]

    def create(self, ticket: Ticket) -> Remote:
        if self.script:
            self.script.pop(0)(self, ticket)
        self.stored.append(ticket.key)
        return Remote(str(len(self.stored)))

    def find(self, key: str) -> Remote | None:
        self.looked += 1
        return Remote(str(self.stored.index(key) + 1)) if key in self.stored else None


class Blind(Helpdesk):
    """Cannot be searched."""

    @property
    def can(self) -> frozenset[str]:
        return super().can - {"find"}


def fails(error: Exception, stored: bool = False) -> Callable[[Helpdesk, Ticket], None]:
    def step(helpdesk: Helpdesk, ticket: Ticket) -> None:
        if stored:
            helpdesk.stored.append(ticket.key)
        raise error

    return step


def ticketed(world: World, count: int = 1) -> None:
    for number in range(count):
        world.shows(world.post(f"neg93 скарга {number}", number, f"автор {number}"))
    world.judge()


def run(world: World, sink: Sink) -> deliver.Outcome:
    return deliver.run(world.store, {"helpdesk": sink}, "test", world.now)


def test_sent_once_and_never_again(world: World) -> None:
    ticketed(world, 3)
    helpdesk = Helpdesk()
    assert run(world, helpdesk).sent == 3
    assert run(world, helpdesk).sent == 0
    assert len(helpdesk.stored) == len(set(helpdesk.stored)) == 3


@pytest.mark.parametrize("stored", [True, False])
def test_after_doubt_the_helpdesk_is_asked_first(world: World, stored: bool) -> None:
    ticketed(world)
    helpdesk = Helpdesk(fails(InDoubt("timed out"), stored))
    assert run(world, helpdesk).later == 1
    world.at += timedelta(minutes=5)
    assert run(world, helpdesk).sent == 1
    assert (helpdesk.looked, len(helpdesk.stored)) == (1, 1)


def test_a_killed_attempt_is_doubtful(world: World) -> None:
    ticketed(world)
    [claimed] = world.store.outbox.claim("dead", world.at, 10, 60.0, ["helpdesk"])
    helpdesk = Helpdesk()
    helpdesk.stored.append(claimed.ticket.key)
    assert run(world, helpdesk).sent == 0
    world.at += timedelta(minutes=5)
    assert run(world, helpdesk).sent == 1
    assert len(helpdesk.stored) == 1


def test_transient_waits_as_long_as_asked(world: World) -> None:
    ticketed(world)
    helpdesk = Helpdesk(fails(Transient("429", retry_after=600)))
    run(world, helpdesk)
    world.at += timedelta(seconds=590)
    assert run(world, helpdesk).sent == 0
    world.at += timedelta(seconds=20)
    assert run(world, helpdesk).sent == 1


def test_permanent_is_parked_with_the_answer_and_the_rest_flows(world: World) -> None:
    ticketed(world, 2)
    helpdesk = Helpdesk(fails(Permanent("422 subject is too rude")))
    done = run(world, helpdesk)
    assert (done.parked, done.sent) == (1, 1)
    parked = [d for t in world.store.tickets.list() for d in t.deliveries if d.status is DeliveryStatus.PARKED]
    assert parked[0].error == "422 subject is too rude"
    assert world.store.outbox.retry() == 1
    assert run(world, helpdesk).sent == 1


def test_a_helpdesk_that_is_down_is_not_hammered(world: World) -> None:
    ticketed(world, 10)
    calls: list[str] = []

    def down(_: Any, ticket: Ticket) -> None:
        calls.append(ticket.key)
        raise Transient("refused")

    helpdesk = Helpdesk(*[down] * 20)
    assert run(world, helpdesk).later == 10
    assert len(calls) == courier.BREAK_AFTER
    world.at += timedelta(hours=1)
    helpdesk.script.clear()
    assert run(world, helpdesk).sent == 10


def test_where_nobody_can_be_asked_a_possible_double_is_flagged(world: World) -> None:
    ticketed(world)
    helpdesk = Blind(fails(InDoubt("cut"), stored=True))
    run(world, helpdesk)
    world.at += timedelta(minutes=5)
    run(world, helpdesk)
    [ticket] = world.store.tickets.list()
    events = world.store.events.of("delivery", ticket.deliveries[0].id)
    assert [e.what for e in events if e.what != "status"] == ["possible duplicate"]


def test_a_sink_that_is_down_holds_up_no_other(world: World) -> None:
    ticketed(world)
    good = Helpdesk()
    broken = Helpdesk(fails(Transient("down")))
    done = deliver.run(world.store, {"other": broken, "helpdesk": good}, "test", world.now)
    assert done.sent == 1


def test_a_build_that_does_not_look_first_doubles(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deliberately broken build: without the look-up the same fault gives two tickets."""
    monkeypatch.setattr(sending, "send", lambda sink, delivery, now: Sent(sink.create(delivery.ticket)))
    ticketed(world)
    helpdesk = Helpdesk(fails(InDoubt("timed out"), stored=True))
    run(world, helpdesk)
    world.at += timedelta(minutes=5)
    run(world, helpdesk)
    assert len(helpdesk.stored) == 2


class Once(Blind):
    """Cannot be searched, and takes the same key once."""

    creates_once = True  # type: ignore[assignment]

    def create(self, ticket: Ticket) -> Remote:
        made = super().create(ticket)
        self.stored = list(dict.fromkeys(self.stored))
        return Remote("1") if ticket.key in self.stored else made


@pytest.mark.parametrize(("kind", "flagged"), [(Once, 0), (Blind, 1)])
def test_a_helpdesk_that_takes_a_key_once_makes_no_possible_double(
    world: World, kind: type[Helpdesk], flagged: int
) -> None:
    ticketed(world)
    helpdesk = kind(fails(InDoubt("timed out"), stored=True))
    run(world, helpdesk)
    world.at += timedelta(minutes=5)
    assert run(world, helpdesk).sent == 1
    assert world.store.counts.ledger().possible_duplicates == flagged


def test_a_doubt_begins_when_the_call_was_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ticketed(world)
    [claimed] = world.store.outbox.claim("one", world.at, 10, 60.0, ["helpdesk"])
    clock = iter([100.0, 160.9])
    monkeypatch.setattr(sending.time, "monotonic", lambda: next(clock))
    answer = sending.attempt(Helpdesk(fails(InDoubt("timed out"))), claimed, world.at)
    assert isinstance(answer, sending.Later)
    assert answer.doubted_at == world.at + timedelta(seconds=60)


class Behind:
    """One host with two helpdesks; the one below /sick fails."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def request(self, method: str, url: str, **_: Any) -> HttpAnswer:
        self.calls.append(url)
        status, body = (503, b"{}") if "/sick/" in url else (201, b'{"id": %d}' % len(self.calls))
        return HttpAnswer(status, {"content-type": "application/json"}, body, url)


def behind(http: Behind, name: str) -> Rest:
    settings = {"url": f"https://h.example/{name}", "create": {"path": "/t", "body": {"k": "{key}"}}}
    return Rest(name, Rest.Settings.model_validate(settings), Tools(http=http))  # type: ignore[arg-type]


def test_a_helpdesk_that_fails_shuts_no_other_of_the_same_host(world: World) -> None:
    for number in range(6):
        world.shows(world.post(f"neg93 скарга {number}", number, f"автор {number}"))
    world.judge([replace(RULE, send_to=("sick", "well"))])
    http = Behind()
    sinks = {name: behind(http, name) for name in ("sick", "well")}
    done = deliver.run(world.store, sinks, "test", world.now)
    assert (done.sent, world.store.sink_states.pulse("well").shut(world.at)) == (6, False)
    assert world.store.sink_states.pulse("sick").shut(world.at)
    assert sum("/sick/" in url for url in http.calls) < 6, "it is left in peace"
