"""The misbehaving helpdesk of the harness does what its modes say; and the `webhook` sink against it, mode by mode."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from e2e.helpdesk import Helpdesk

from crawler.errors import InDoubt, Permanent, Transient
from crawler.model import Change, Priority, Ticket
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from sinks.base import Tools
from sinks.webhook import Webhook

pytestmark = pytest.mark.slow

SECRET = "not much of a secret"


@pytest.fixture
def helpdesk(tmp_path: Path) -> Iterator[Helpdesk]:
    with Helpdesk(tmp_path / "desk", secret=SECRET, seconds=0.6) as helpdesk:
        yield helpdesk


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(policy=EgressPolicy(allow_private=(ipaddress.ip_network("127.0.0.0/8"),)))
    yield client
    client.close()


@pytest.fixture
def sink(helpdesk: Helpdesk, http: HttpClient) -> Webhook:
    return webhook(helpdesk, SECRET, http)


def webhook(helpdesk: Helpdesk, secret: str, http: HttpClient) -> Webhook:
    settings = Webhook.Settings(url=helpdesk.url, lookup_url=helpdesk.lookup_url, secret=secret, timeout=0.3)
    return Webhook("help", settings, Tools(http=http))


def ticket(key: str) -> Ticket:
    return Ticket(key, "Гроші зависли", "text", Priority.HIGH, "Ladna Pay", opened_at=datetime(2026, 1, 1, tzinfo=UTC))


def keys(helpdesk: Helpdesk) -> list[str]:
    return [line["key"] for line in helpdesk.stored()]


def test_ok_stores_once_and_can_be_looked_up(helpdesk: Helpdesk, sink: Webhook) -> None:
    assert sink.find("mc-1") is None
    remote = sink.create(ticket("mc-1"))
    assert sink.find("mc-1") == remote or sink.find("mc-1").id == remote.id  # type: ignore[union-attr]
    assert keys(helpdesk) == ["mc-1"] and helpdesk.stored()[0]["subject"] == "Гроші зависли"


def test_it_does_not_hide_a_double(helpdesk: Helpdesk, sink: Webhook) -> None:
    sink.create(ticket("mc-1"))
    sink.create(ticket("mc-1"))
    assert keys(helpdesk) == ["mc-1", "mc-1"]


@pytest.mark.parametrize("mode", ["500", "cut", "slow"])
def test_stored_but_badly_answered_is_in_doubt_and_found(helpdesk: Helpdesk, sink: Webhook, mode: str) -> None:
    helpdesk.mode(mode, times=1)
    with pytest.raises(InDoubt):
        sink.create(ticket("mc-1"))
    assert keys(helpdesk) == ["mc-1"]
    assert sink.find("mc-1") is not None
    sink.create(ticket("mc-2"))
    assert keys(helpdesk) == ["mc-1", "mc-2"]


def test_down_stores_nothing(helpdesk: Helpdesk, sink: Webhook) -> None:
    helpdesk.mode("down")
    with pytest.raises(Transient):
        sink.create(ticket("mc-1"))
    with pytest.raises(Transient):
        sink.find("mc-1")
    assert keys(helpdesk) == []


def test_stopped_is_transient_but_not_in_doubt(helpdesk: Helpdesk, sink: Webhook) -> None:
    helpdesk.stop()
    with pytest.raises(Transient) as caught:
        sink.create(ticket("mc-1"))
    assert not isinstance(caught.value, InDoubt)


def test_tickets_outlive_a_kill(helpdesk: Helpdesk, sink: Webhook) -> None:
    sink.create(ticket("mc-1"))
    helpdesk.stop(kill=True)
    helpdesk.start()
    sink.create(ticket("mc-2"))
    assert sink.find("mc-1") is not None
    assert [line["id"] for line in helpdesk.stored()] == ["1", "2"]


def test_faulty_is_faulty_about_as_often_as_it_says_and_the_same_for_a_seed(tmp_path: Path, http: HttpClient) -> None:
    runs = []
    for folder in ("a", "b"):
        with Helpdesk(tmp_path / folder, seed=7, seconds=0.0) as helpdesk:
            helpdesk.mode("faulty")
            sink = webhook(helpdesk, "", http)
            for number in range(100):
                try:
                    sink.create(ticket(f"mc-{number}"))
                except Transient:
                    continue
            runs.append(helpdesk.calls())
    assert runs[0] == runs[1] and len(runs[0]) == 100
    assert 20 <= sum(not call.endswith(" ok") for call in runs[0]) <= 40


def test_changes_are_kept_apart_from_tickets(helpdesk: Helpdesk, sink: Webhook) -> None:
    remote = sink.create(ticket("mc-1"))
    sink.update(remote, Change("mc-1-c1", comment="wrote again"))
    assert keys(helpdesk) == ["mc-1"]
    assert [line["comment"] for line in helpdesk.lines() if line["event"] == "ticket.changed"] == ["wrote again"]


def test_wrong_signature_is_refused(helpdesk: Helpdesk, http: HttpClient) -> None:
    with pytest.raises(Permanent, match="401"):
        webhook(helpdesk, "another secret", http).create(ticket("mc-1"))
    assert keys(helpdesk) == []
