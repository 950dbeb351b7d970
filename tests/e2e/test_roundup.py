"""`rest` by configuration alone on a real Roundup: messages apart from issues, If-Match, 409 for a wrong word."""

from __future__ import annotations

import ipaddress
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from e2e.installation import Installation
from ruamel.yaml import YAML
from servers.roundup import PASSWORD, Roundup

from crawler.errors import Permanent
from crawler.model import Change, Priority, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from sinks.base import Tools
from sinks.rest import Rest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
CONFIG = """
    name: issues
    kind: rest
    url: URL
    timeout: 60s
    basic: {user: robot, password: "${ROUNDUP_PASSWORD}"}
    headers: {X-Requested-With: rest, Origin: "URL"}
    preconditions: etag
    # It says 409 to some values that it does not take.
    meaning: {"409": permanent}
    create:
      before: {method: POST, path: /rest/data/msg, take: {message: json:data.id},
               body: {author: robot, content: "{body}\\n\\n{marker}"}}
      path: /rest/data/issue
      body: {title: "{subject}", outside: "{key}", priority: "{priority}", messages: ["{message}"]}
      id: json:data.id
      link: "{url}/issue{remote_id}"
    find:
      path: /rest/data/issue
      query: {outside: "{key}", "@fields": "outside,status", "@sort": "-id"}
      items: json:data.collection
      match: {outside: "{key}"}
    comment:
      before: {method: POST, path: /rest/data/msg, take: {message: json:data.id},
               body: {author: robot, content: "{comment}\\n\\n{marker}"}}
      method: PATCH
      path: /rest/data/issue/{remote_id}
      body: {"@op": add, messages: ["{message}"]}
      seen:
        path: /rest/data/issue/{remote_id}
        items: json:data.attributes.messages
        each: {path: "/rest/data/msg/{item}?@verbose=3", value: json:data.attributes}
        says: json:content
    update: {method: PATCH, path: "/rest/data/issue/{remote_id}", body: {status: "{status}", priority: "{priority}"}}
    read:
      path: /rest/data/issue/{remote_id}?@verbose=2
      status: json:data.attributes.status.name
      statuses: {resolved: solved, "*": open}
      check: {data.attributes.title: "{subject}", data.attributes.outside: "{key}"}
      unchanged: json:data.attributes.title
    changes:
      path: /rest/data/issue
      query: {activity: "{since};", "@fields": "status,activity,assignedto", "@verbose": "2", "@sort": "-activity"}
      since: "%Y-%m-%d.%H:%M:%S"
      items: json:data.collection
      status: json:status.name
      assignee: json:assignedto.username
      at: json:activity
      pages: {by: page, param: "@page_index", size: 50, size_param: "@page_size", total: 'json:data["@total_size"]'}
      replies:
        path: /rest/data/issue/{remote_id}
        items: json:data.attributes.messages
        each: {path: "/rest/data/msg/{item}?@verbose=3", value: json:data.attributes}
        says: json:content
        author: json:author.username
    priorities: {urgent: critical, high: urgent, normal: bug, low: wish}
    statuses: {open: chatting, solved: resolved}
"""


class Vault:
    def __init__(self, password: str) -> None:
        self.password = password

    def env(self, name: str) -> str:
        return self.password

    def file(self, path: str) -> str:
        raise LookupError(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roundup]:
    with Roundup(tmp_path_factory.mktemp("roundup")) as running:
        yield running


@pytest.fixture
def http() -> Iterator[HttpClient]:
    with HttpClient(EgressPolicy(LOOPBACK), timeout=60) as client:
        yield client


def block(server: Roundup) -> str:
    return textwrap.dedent(CONFIG).replace("URL", server.url).strip()


def sink(server: Roundup, http: HttpClient, password: str = PASSWORD, **settings: Any) -> Rest:
    given = {**YAML(typ="safe", pure=True).load(block(server)), **settings}
    del given["name"], given["kind"]
    return Rest("issues", Rest.Settings.model_validate(given, context={"vault": Vault(password)}), Tools(http))


def ticket(key: str) -> Ticket:
    body = "Третій день.\nДе гроші? <b>@support</b> {{macro}}"
    return Ticket(key, "Картка не працює", body, Priority.URGENT, "Ladna Pay", author="Олена")


def test_a_ticket_lives(server: Roundup, http: HttpClient) -> None:
    desk = sink(server, http)
    before = datetime.now(UTC) - timedelta(minutes=5)
    assert desk.find("mc-1") is None
    remote = desk.create(ticket("mc-1"))
    desk.create(ticket("mc-10"))
    assert remote.warnings == ()
    stored = server.data(f"/issue/{remote.id}?@verbose=2")["attributes"]
    assert (stored["title"], stored["priority"]["name"]) == ("Картка не працює", "critical")
    found = desk.find("mc-1")
    assert found is not None
    assert found.id == remote.id
    change = Change("mc-1/2", comment="Ще одна скарга", priority=Priority.LOW, status=TicketStatus.SOLVED)
    for _ in range(2):
        after = desk.update(remote, change)
        assert (after.status, after.warnings) == (TicketStatus.SOLVED, ())
    messages = [one["id"] for one in server.data(f"/issue/{remote.id}")["attributes"]["messages"]]
    texts = [server.data(f"/msg/{id}?@verbose=3")["attributes"]["content"] for id in messages]
    assert [text.rpartition("\n")[2] for text in texts] == ["mention-crawler:mc-1", "mention-crawler:mc-1/2"]
    server.answer(remote.id, "Вибачте, гроші повернуто.")
    told = [(one.id, change) for one, change in desk.changes(before) if one.id == remote.id]
    assert [change.status for _, change in told if change.comment is None] == [TicketStatus.OPEN], "it reopens then"
    assert [change.comment for _, change in told if change.comment] == ["Вибачте, гроші повернуто."]


def test_what_it_does_not_take_is_permanent_and_masked(server: Roundup, http: HttpClient) -> None:
    with pytest.raises(Permanent, match="Property nothing not found"):
        wrong = {"path": "/rest/data/issue", "body": {"title": "{key}", "nothing": 1}, "id": "json:data.id"}
        sink(server, http, create=wrong).create(ticket("mc-3"))
    with pytest.raises(Permanent, match="is not a priority"):
        sink(server, http, priorities=dict.fromkeys(Priority, "no-such")).create(ticket("mc-3"))
    with pytest.raises(Permanent, match="401") as caught:
        sink(server, http, password="not-the-pw-of-robot").create(ticket("mc-3"))
    assert "not-the-pw" not in str(caught.value)
    assert sink(server, http).find("mc-3") is None


def test_sinks_test_proves_it_from_a_config(server: Roundup, tmp_path: Any) -> None:
    home = Installation(tmp_path, {"ROUNDUP_PASSWORD": PASSWORD})
    rows = textwrap.indent(block(server), "    ").lstrip()
    home.configure("", rest=f"sinks:\n  - {rows}", tickets="tickets: {send_to: [issues]}")
    home.run("check")
    told = home.run("sinks", "test", "issues").out.splitlines()
    number = told[0].split()[1]
    assert told == [f"created {number} {server.url}/issue{number}", f"found again by key: {number}", "closed"]
