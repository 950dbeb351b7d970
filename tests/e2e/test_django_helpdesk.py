"""Our sink against a real django-helpdesk, also one whose webhook is dead: it stores the ticket and answers 500."""

from __future__ import annotations

import ipaddress
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from e2e.installation import Installation
from e2e.life import LEASED
from e2e.site import Entry, Site
from servers.django_helpdesk import Helpdesk, environment

from crawler.errors import EgressRefused, InDoubt, Permanent
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from crawler.plugins import discover
from sinks.base import Sink, Tools

pytestmark = pytest.mark.e2e
KIND = discover("sinks", Sink)["django_helpdesk"]  # type: ignore[type-abstract]
LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return environment()
    except RuntimeError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def helpdesk(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helpdesk]:
    with Helpdesk(python, tmp_path_factory.mktemp("desk")) as running:
        yield running


@pytest.fixture(scope="module")
def broken(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helpdesk]:
    with Helpdesk(python, tmp_path_factory.mktemp("broken"), dead_webhook=True) as running:
        yield running


@pytest.fixture
def http() -> Iterator[HttpClient]:
    with HttpClient(EgressPolicy(LOOPBACK), timeout=30) as client:
        yield client


def sink(helpdesk: Helpdesk, http: HttpClient, **settings: object) -> Sink:
    given = {"url": helpdesk.url, "token": helpdesk.token, "queue": helpdesk.queue, "timeout": 30, **settings}
    return KIND("helpdesk", KIND.Settings.model_validate(given), Tools(http))


def ticket(key: str, subject: str = "Картка не працює", body: str = "Третій день.\n@support де гроші?") -> Ticket:
    return Ticket(key, subject, body, Priority.URGENT, "Nova Pay", url="https://forum.example/1")


def deliver(desk: Sink, wanted: Ticket) -> tuple[Remote, int]:
    """The rule of the delivery stage. Returns the Remote and how often create was called."""
    try:
        return desk.create(wanted), 1
    except InDoubt:
        found = desk.find(wanted.key)
        assert found is not None
        return found, 1


def test_a_ticket_arrives_and_its_life_goes_on(helpdesk: Helpdesk, http: HttpClient) -> None:
    desk = sink(helpdesk, http, custom_field="external_id", submitter="robot@example.test")
    remote = desk.create(ticket("nova-life"))
    assert remote.url == f"{helpdesk.url}/tickets/{remote.id}/"
    stored = helpdesk.ticket(remote.id)
    assert stored["title"] == "Картка не працює"
    assert stored["priority"] == 1
    assert stored["custom_external_id"] == "nova-life"
    assert stored["submitter_email"] == "robot@example.test"
    assert "mention-crawler:nova-life" in stored["description"]

    change = Change("nova-life-c1", comment="Ще один: # не працює", priority=Priority.LOW, status=TicketStatus.SOLVED)
    desk.update(remote, change)
    desk.update(remote, change)
    after = helpdesk.ticket(remote.id)
    assert after["title"] == "Картка не працює"
    assert after["priority"] == 4
    assert after["status"] == 3
    assert [entry["comment"].splitlines()[0] for entry in after["followup_set"]].count("Ще один: # не працює") == 1
    assert desk.find("nova-life") == Remote(remote.id, remote.url, TicketStatus.SOLVED)
    told = {one.id: one.status for one, _ in desk.changes(datetime.now(UTC))}
    assert told[remote.id] is TicketStatus.SOLVED


def test_text_stays_text_when_the_helpdesk_renders_it(helpdesk: Helpdesk, http: HttpClient) -> None:
    body = "# big\n*bold* _it_ `code` [a](http://evil.example) ![i](http://evil.example/x.png)\n"
    body += "1. one\n- two\n> q\n<b>x</b>"
    remote = sink(helpdesk, http).create(ticket("nova-text", "x" * 500, body))
    assert len(helpdesk.ticket(remote.id)["title"]) <= 120
    html = helpdesk.rendered(remote.id)
    for tag in ("<h1", "<em", "<strong", "<code", "<img", "<ol", "<ul", "<li", "<blockquote", "<b>", "<pre"):
        assert tag not in html
    assert "<a " not in html
    for word in ("# big", "*bold*", "[a](http://evil.example)", "1. one", "- two"):
        assert word in html


def test_500_after_storing_ends_with_exactly_one_ticket(broken: Helpdesk, http: HttpClient) -> None:
    """With the custom field, and by the marker alone, over several pages."""
    fields = sink(broken, http, custom_field="external_id", page_size=3)
    marked = sink(broken, http, page_size=3)
    with pytest.raises(InDoubt):
        marked.create(ticket("nova-500"))
    assert len(broken.tickets()) == 1
    found = marked.find("nova-500")
    assert found is not None
    for number in range(8):
        remote, _ = deliver(fields if number % 2 else marked, ticket(f"nova-{number}"))
        assert broken.ticket(remote.id)["description"].endswith(f"mention-crawler:nova-{number}")
    assert marked.find("nova-500") == found
    assert len(broken.tickets()) == 9


def test_many_at_once_through_a_broken_helpdesk(broken: Helpdesk, http: HttpClient) -> None:
    desk = sink(broken, http, page_size=5)
    before = len(broken.tickets())
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: deliver(desk, ticket(f"many-{number}")), range(20)))
    keys = [entry["description"].rpartition(":")[2] for entry in broken.tickets()[before:]]
    assert sorted(keys) == sorted(f"many-{number}" for number in range(20))
    assert len({remote.id for remote, _ in done}) == 20


def test_find_does_not_take_one_key_for_another(helpdesk: Helpdesk, http: HttpClient) -> None:
    desk = sink(helpdesk, http, custom_field="external_id", page_size=2)
    desk.create(ticket("nova-12"))
    desk.create(ticket("other", body="quoted:\nmention-crawler:nova-1\nand mention-crawler:nova-13"))
    assert desk.find("nova-1") is None
    assert desk.find("nova-13") is None


def test_wrong_credentials_and_fields_are_permanent_and_masked(helpdesk: Helpdesk, http: HttpClient) -> None:
    with pytest.raises(Permanent, match="401") as caught:
        sink(helpdesk, http, token="wrong-token").create(ticket("x"))
    assert "wrong-token" not in str(caught.value)
    with pytest.raises(Permanent, match="400"):
        sink(helpdesk, http, queue=99).create(ticket("x"))
    with pytest.raises(Permanent, match="400"):
        sink(helpdesk, http, priorities={"urgent": 99}).create(ticket("x"))
    basic = sink(helpdesk, http, token=None, user="robot", password="pw-of-robot")
    assert basic.find("never made") is None
    with pytest.raises(Permanent, match=r"404|HTML"):
        sink(helpdesk, http, url=helpdesk.url + "/login").find("x")


def test_the_guard_stands_in_front(helpdesk: Helpdesk) -> None:
    with HttpClient(EgressPolicy()) as http, pytest.raises(EgressRefused):
        sink(helpdesk, http).create(ticket("x"))


@pytest.mark.slow
def test_killed_processes_and_errors_after_storing_leave_one_ticket_each(broken: Helpdesk, tmp_path: Path) -> None:
    """The whole way from a feed, with the command killed before and behind the call; every create answers 500."""
    home = Installation(tmp_path, {"DESK_TOKEN": broken.token})
    before = len(broken.tickets())
    words = ("зняла гроші двічі", "не повертає гроші", "заблокувала картку")
    with closing(Site(feeds={"/feed": [Entry(str(n), f"Nova Pay {text}") for n, text in enumerate(words)]})) as site:
        sink = (
            f"kind: django_helpdesk, url: '{broken.url}', token: '${{DESK_TOKEN}}', queue: {broken.queue}, timeout: 30"
        )
        home.configure(
            f"  - {{name: news, kind: feed, url: '{site.url}/feed'}}",
            rest=f"sinks: [{{name: helpdesk, {sink}}}]",
            tickets="tickets: {when: [negative, neutral, positive], sure_at_least: 0.5, send_to: [helpdesk]}",
        )
        for step in ("before_call", "after_find", "after_call", "before_settle", ""):
            home.env["CRASH_AT"] = step
            home.run("crawl", code=None)
            _pass_time(tmp_path / "data" / "mentions.db")
        for _ in range(4):
            home.run("crawl")
            _pass_time(tmp_path / "data" / "mentions.db")
        sent = home.json("tickets", "list")
    stored = [entry["description"].rpartition(":")[2] for entry in broken.tickets()[before:]]
    assert sorted(stored) == sorted(ticket["key"] for ticket in sent)
    assert len(set(stored)) == len(stored) == 3
    assert {ticket["status"] for ticket in sent} == {"sent"}


def _pass_time(path: Path) -> None:
    """Let every lease and back-off run out."""
    with closing(sqlite3.connect(path)) as base, base:
        for table, columns in LEASED.items():
            base.execute(f"UPDATE {table} SET {', '.join(f'{column} = {column} - 600000000' for column in columns)}")
