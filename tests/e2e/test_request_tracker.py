"""The preset request_tracker against a real Request Tracker 5: its silent drops are told, its search is exact."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from servers.request_tracker import RequestTracker, installed

from crawler.errors import Permanent
from crawler.model import Change, Priority, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from crawler.plugins import discover
from sinks.base import Sink, Tools

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
KIND = discover("sinks", Sink)["request_tracker"]  # type: ignore[type-abstract]
LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    if not installed():
        pytest.skip("Request Tracker 5 is not installed; `tools/servers.sh all` installs it as root on Debian")
    with RequestTracker(tmp_path_factory.mktemp("rt")) as running:
        yield running


@pytest.fixture
def http() -> Iterator[HttpClient]:
    with HttpClient(EgressPolicy(LOOPBACK), timeout=60) as client:
        yield client


def sink(server: RequestTracker, http: HttpClient, **settings: object) -> Sink:
    given = {"url": server.url, "token": server.token, "queue": "Mentions", "timeout": 60, **settings}
    return KIND("rt", KIND.Settings.model_validate(given), Tools(http))


def ticket(key: str, subject: str = "Картка не працює") -> Ticket:
    body = "Третій день.\nДе гроші? <b>@support</b> {{macro}}"
    return Ticket(key, subject, body, Priority.URGENT, "Ladna Pay", tags=("Ladna Pay", "negative"), author="Олена")


def test_a_ticket_lives(server: RequestTracker, http: HttpClient) -> None:
    desk = sink(server, http, tags_field="Tags", requestor="web@example.test")
    before = datetime.now(UTC) - timedelta(minutes=5)
    assert desk.find("mc-1") is None
    remote = desk.create(ticket("mc-1"))
    assert remote.warnings == ()
    assert remote.url == f"{server.url}/Ticket/Display.html?id={remote.id}"
    stored = server.get(f"/ticket/{remote.id}")
    assert stored["Subject"] == "Картка не працює"
    assert stored["Priority"] in ("100", 100, "High")
    assert {field["name"]: field["values"] for field in stored["CustomFields"]} == {
        "ExternalID": ["mc-1"], "Tags": ["Ladna Pay", "negative"]
    }  # fmt: skip
    desk.create(ticket("mc-10"))
    found = desk.find("mc-1")
    assert found is not None
    assert found.id == remote.id

    change = Change("mc-1/2", comment="Ще одна скарга", priority=Priority.LOW, status=TicketStatus.SOLVED)
    for _ in range(2):
        after = desk.update(remote, change)
        assert after is not None
        assert (after.status, after.warnings) == (TicketStatus.SOLVED, ())
    texts = [item["Content"] for item in server.get(f"/ticket/{remote.id}/attachments?fields=Content")["items"]]
    assert len([text for text in texts if "mention-crawler:mc-1/2" in text]) == 1
    assert server.get(f"/ticket/{remote.id}")["Status"] == "resolved"
    told = {one.id: change.status for one, change in desk.changes(before)}
    assert told[remote.id] is TicketStatus.SOLVED
    server.say(remote.id, "Вибачте, гроші повернуто.")
    said = [change for one, change in desk.changes(before) if one.id == remote.id and change.comment]
    assert [(change.comment, change.author) for change in said] == [("Вибачте, гроші повернуто.", "robot")]


def test_what_it_drops_without_a_word_is_told(server: RequestTracker, http: HttpClient) -> None:
    lost = sink(server, http, key_field="NoSuchField").create(ticket("mc-2"))
    assert any("sent 'mc-2', the helpdesk has nothing" in warning for warning in lost.warnings)
    desk = sink(server, http, statuses={"solved": "finished"})
    remote = desk.create(ticket("mc-3"))
    after = desk.update(remote, Change("mc-3/1", status=TicketStatus.SOLVED))
    assert after is not None
    assert any("the ticket is open and not solved" in warning for warning in after.warnings)


def test_mistakes_are_permanent_and_masked(server: RequestTracker, http: HttpClient) -> None:
    with pytest.raises(Permanent, match="403"):
        sink(server, http, queue="Nope").create(ticket("mc-4"))
    with pytest.raises(Permanent, match="401") as caught:
        sink(server, http, token="1-14-not-a-token-of-anybody").create(ticket("mc-4"))
    assert "not-a-token" not in str(caught.value)
