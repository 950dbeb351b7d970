"""One contract for every kind of sink: a table of situations that real helpdesks were seen in.

A kind that is not in TABLE fails the suite. Each bench knows how to bring its double into a situation; what it cannot
be brought into is named in `never`, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from benches import (
    CLIENTS,
    HTTP_ORDERS,
    KINDS,
    NOW,
    TABLE,
    Bench,
    DeskBench,
    EmailBench,
    FileBench,
    HttpBench,
    WebhookBench,
    ticket,
    tools,
)
from helpdesks import SLOW
from shapes import ANSWERED, SHAPES

from crawler.errors import CrawlerError, EgressRefused, InDoubt, Permanent, Transient
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from sinks.base import Sink


@pytest.fixture(autouse=True)
def close_clients() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()


EXPECTED: dict[str, tuple[type[CrawlerError] | None, int]] = {
    "accepted": (None, 1),
    "duplicate key": (InDoubt, 0),
    **{f"refused {status}": (Permanent, 0) for status in (400, 401, 403, 404, 410, 413, 422)},
    "busy": (Transient, 0),
    "busy until a date": (Transient, 0),
    "error before storing": (InDoubt, 0),
    "error after storing": (InDoubt, 1),
    "bad gateway after storing": (InDoubt, 1),
    "maintenance": (InDoubt, 0),
    "gateway timeout after storing": (InDoubt, 1),
    "cut before storing": (InDoubt, 0),
    "cut after storing": (InDoubt, 1),
    "slow, then stored": (InDoubt, 1),
    "a page": (InDoubt, 0),
    "redirect inside": (Permanent, 0),
    "secret echoed": (Permanent, 0),
}
RETRY_AFTER = {"busy": 7.0, "busy until a date": 60.0, "maintenance": 30.0}


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = TABLE[request.param]()
    yield made
    made.close()


each_kind = pytest.mark.parametrize("bench", sorted(TABLE), indirect=True)


def kinds_that_know(situation: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "bench", [kind for kind in sorted(TABLE) if situation not in TABLE[kind].never], indirect=True
    )


def expected(kind: str, situation: str) -> tuple[type[CrawlerError] | None, int]:
    return TABLE[kind].otherwise.get(situation, EXPECTED[situation])


def cells(*errors: type[CrawlerError] | None) -> pytest.MarkDecorator:
    """The cells of the table whose create ends so (all when none is named)."""
    found = [
        (kind, situation)
        for kind in sorted(TABLE)
        for situation in EXPECTED
        if situation not in TABLE[kind].never and (not errors or expected(kind, situation)[0] in errors)
    ]
    return pytest.mark.parametrize(("bench", "situation"), found, indirect=["bench"])


def test_every_kind_is_in_the_table() -> None:
    assert set(KINDS) == set(TABLE)
    assert set(HTTP_ORDERS) == set(EXPECTED)


@cells()
def test_create(bench: Bench, situation: str) -> None:
    bench.arrange(situation)
    error, stored = bench.otherwise.get(situation, EXPECTED[situation])
    started = time.monotonic()
    if error is None:
        assert isinstance(bench.sink().create(ticket()), Remote)
    else:
        with pytest.raises(error) as caught:
            bench.sink().create(ticket())
        assert type(caught.value) is error
        assert str(caught.value).startswith(bench.sink().name + ": ")
        if isinstance(caught.value, Transient) and not isinstance(bench, EmailBench):
            assert caught.value.retry_after == RETRY_AFTER.get(situation)
    assert time.monotonic() - started < 5
    if "slow" in situation:
        time.sleep(SLOW)
    assert bench.stored == stored


def deliver(sink: Sink, wanted: Ticket, wait: float) -> tuple[Remote | None, bool]:
    """The rule of the delivery stage: after a doubt ask first. Returns the Remote and whether a double is possible."""
    doubtful = flagged = False
    for _ in range(4):
        try:
            if doubtful and "find" in sink.can and (found := sink.find(wanted.key)):
                return found, flagged
            flagged = flagged or (doubtful and "find" not in sink.can)
            return sink.create(wanted), flagged
        except InDoubt:
            doubtful = True
            time.sleep(wait)
        except Transient:
            pass
    return None, flagged


@cells(InDoubt)
def test_after_a_doubt_there_is_exactly_one_ticket_or_a_flag(bench: Bench, situation: str) -> None:
    for other in ("nova-0", "nova-10"):
        bench.sink().create(ticket(other))
    bench.arrange(situation)
    before = bench.stored
    remote, flagged = deliver(bench.sink(), ticket(), SLOW if "slow" in situation else 0)
    assert remote is not None
    assert bench.stored == before + 1
    assert flagged == (not bench.finds)


@each_kind
def test_find_knows_what_is_there_and_what_is_not(bench: Bench) -> None:
    sink = bench.sink()
    assert ("find" in sink.can) == bench.finds
    if not bench.finds:
        with pytest.raises(Permanent, match="cannot find"):
            sink.find("nova-1")
        return
    assert sink.find("nova-1") is None
    made = [sink.create(ticket(f"nova-{number}")) for number in (11, 1, 12, 2, 3)]
    found = sink.find("nova-1")
    assert found is not None
    assert found.id == made[1].id
    assert sink.find("nova-") is None
    assert sink.find("nova-1/..?#%") is None


@kinds_that_know("down")
def test_a_closed_port_is_transient_and_nothing_is_in_doubt(bench: Bench) -> None:
    with pytest.raises(Transient) as caught:
        bench.sink(down=True).create(ticket())
    assert type(caught.value) is Transient


@kinds_that_know("refused address")
def test_private_addresses_are_refused_unless_they_are_named(bench: Bench) -> None:
    with pytest.raises(EgressRefused, match=r"network\.allow_private"):
        bench.sink(EgressPolicy()).create(ticket())
    assert bench.stored == 0


@kinds_that_know("bad TLS")
def test_a_server_whose_tls_is_bad_gets_nothing(bench: Bench) -> None:
    """It speaks no TLS at all; certificates that do not fit are the HTTP client's own tests."""
    assert isinstance(bench, HttpBench)
    bench.desk.url = bench.desk.url.replace("http:", "https:")
    with pytest.raises(Transient) as caught:
        bench.sink().create(ticket())
    assert type(caught.value) is Transient
    assert bench.stored == 0


@kinds_that_know("secret echoed")
def test_no_message_holds_a_secret(bench: Bench) -> None:
    bench.arrange("secret echoed")
    with pytest.raises(Permanent) as caught:
        bench.sink().create(ticket())
    shown = repr(caught.value) + repr(caught.value.__cause__) + repr(vars(caught.value))
    assert "***" in str(caught.value)
    assert bench.secret not in shown
    assert bench.secret not in repr(bench.sink().settings)


@each_kind
def test_a_hostile_ticket_stays_text(bench: Bench) -> None:
    hostile = ticket(
        subject="Bad\r\nBcc: all@evil.example\x00\u2028 @everyone " + "x" * 500,
        body="@channel ping\n.\r\nQUIT\r\n\ud800 <script>alert(1)</script>\n" + "слово " * 5000,
        url="javascript:alert(1)",
    )
    bench.sink().create(hostile)
    seen = bench.seen()
    assert "слово слово" in seen["body"].replace("\r\n", "\n")
    assert bench.stored == 1
    if not isinstance(bench, DeskBench | FileBench):
        assert len(seen["subject"]) <= 120
        assert not set(seen["subject"]) & set("\r\n\x00\u2028")
        assert "javascript:" not in str(seen)


@each_kind
def test_a_follow_up_reaches_the_ticket(bench: Bench) -> None:
    sink = bench.sink()
    if "update" not in sink.can:
        with pytest.raises(Permanent, match="cannot update"):
            sink.update(Remote("1"), Change("c1", "x"))
        return
    remote = sink.create(ticket())
    sink.update(remote, Change("c1", comment="Ще одна скарга", priority=Priority.URGENT, status=TicketStatus.OPEN))
    assert len(bench.comments()) == 1
    assert "Ще одна скарга" in bench.comments()[0]
    assert bench.stored == (1 if bench.finds else 2)


@pytest.mark.parametrize("bench", sorted(SHAPES), indirect=True)
def test_what_happened_there_comes_back(bench: Bench) -> None:
    """Every preset that says so tells the status and the public answer of an agent, and nothing of ours."""
    sink = bench.sink()
    remote = sink.create(ticket())
    sink.update(remote, Change("nova-1/c", comment="Ще одна скарга", status=TicketStatus.SOLVED))
    told = list(sink.changes(NOW - timedelta(days=1)))
    assert {one.id for one, _ in told} == {remote.id}
    assert {change.status for _, change in told if change.comment is None} == {TicketStatus.SOLVED}
    answers = [(change.comment, change.public) for _, change in told if change.comment is not None]
    assert answers == [(ANSWERED, True)]
    assert len({change.key for _, change in told}) == len(told)


def test_a_kind_of_one_s_own_is_small() -> None:
    """What a stranger has to write for a helpdesk with a search: it passes the hardest situation."""
    from sinks.http import HttpSink

    class Toy(HttpSink):
        kind = "toy"

        def create(self, ticket: Ticket) -> Remote:
            body = {"key": ticket.key, "subject": ticket.subject, "body": ticket.body}
            return self.remote(self.data(self.call("POST", "/tickets", json=body)), id="id", url="url")

        def find(self, key: str) -> Remote | None:
            answer = self.call("GET", f"/tickets/{key}", also=(404,))
            return None if answer.status == 404 else self.remote(self.data(answer), id="id", url="url")

    bench = WebhookBench()
    try:
        toy = Toy("toy", Toy.Settings(url=bench.desk.url, timeout=1), tools(None))
        assert toy.can == {"find"}
        for number, situation in enumerate(("error after storing", "cut after storing", "slow, then stored")):
            bench.arrange(situation)
            assert deliver(toy, ticket(f"toy-{number}"), SLOW if "slow" in situation else 0) == (
                Remote(str(number + 1), f"https://desk.example/{number + 1}"), False
            )  # fmt: skip
        assert bench.stored == 3
    finally:
        bench.close()
