"""The `rest` language on helpdesks that no preset knows: plain text and XML, If-Match, cursors, a lagging index."""

from __future__ import annotations

import ipaddress
import json
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from odd import Call, GuardedDesk, Odd, PaperDesk, Said, SlowIndexDesk
from ruamel.yaml import YAML

from crawler.errors import InDoubt, Permanent, Transient
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from sinks.base import Tools
from sinks.rest import Rest

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = "k3y-of-the-desk"
Made = Callable[..., tuple[Any, Rest]]


class Vault:
    def env(self, name: str) -> str:
        return KEY

    def file(self, path: str) -> str:
        raise LookupError(path)


@pytest.fixture
def made() -> Iterator[Made]:
    opened: list[Any] = []

    def make(desk: type[Odd], **more: Any) -> tuple[Any, Rest]:
        running, client = desk(), HttpClient(EgressPolicy(LOOPBACK))
        opened.extend([client, running])
        given = YAML(typ="safe", pure=True).load(textwrap.dedent(desk.CONFIG))  # type: ignore[attr-defined]
        given = {**given, "url": running.url, "timeout": "2s", **more}
        given.pop("kind")
        settings = Rest.Settings.model_validate(given, context={"vault": Vault()})
        return running, Rest("desk", settings, Tools(client, now=lambda: NOW))

    yield make
    for one in opened:
        one.close()


def ticket(key: str = "mc-1", **fields: Any) -> Ticket:
    given = {"subject": "Картка не працює", "body": "Третій день.\nДе гроші?", "priority": Priority.HIGH}
    return Ticket(key=key, brand="Ladna Pay", tags=("Ladna Pay", "negative"), **{**given, **fields})


def test_forms_plain_text_and_xml(made: Made) -> None:
    desk, sink = made(PaperDesk)
    assert sink.can == {"find", "update"}
    remote = sink.create(ticket(body="a=b&c\n<note mark='mention-crawler:mc-1/c'>"))
    assert remote == Remote("1000", f"{desk.url}/show/1000")
    assert desk.tickets[0]["text"] == "a=b&c\n <note mark='mention-crawler:mc-1/c'>"
    sink.create(ticket("mc-12"))
    assert sink.find("mc-1") == Remote("1000", f"{desk.url}/show/1000")
    assert sink.find("mc-2") is None
    change = Change("mc-1/c", comment="<b>&</b>\x00 Ще одна", status=TicketStatus.SOLVED)
    for _ in range(2):
        assert sink.update(remote, change).status is TicketStatus.SOLVED
    assert desk.tickets[0]["notes"] == ["<note mark='mention-crawler:mc-1/c'>&lt;b&gt;&amp;&lt;/b&gt; Ще одна</note>"]
    assert all(KEY not in call.path and call.query["key"] == KEY for call in desk.calls)


def test_an_error_500_may_be_the_users(made: Made) -> None:
    desk, sink = made(PaperDesk)
    desk.first = [(False, Said(500, "bad MAIL address", "text/plain"))]
    with pytest.raises(Permanent, match="bad MAIL"):
        sink.create(ticket())
    desk.first = [(True, Said(500, "oops", "text/plain"))]
    with pytest.raises(InDoubt):
        sink.create(ticket())
    assert sink.find("mc-1") is not None


def test_a_warning_in_a_good_answer_is_told(made: Made) -> None:
    _, sink = made(PaperDesk, statuses={"solved": "gone"})
    after = sink.update(sink.create(ticket()), Change("c", status=TicketStatus.SOLVED))
    assert ["unknown state" in warning for warning in after.warnings] == [True, False]
    assert "the ticket is open and not solved" in after.warnings[1]


def test_ids_in_a_header_cursors_and_markers(made: Made) -> None:
    desk, sink = made(GuardedDesk)
    remotes = [sink.create(ticket(f"mc-{number}", subject="x" * 300)) for number in range(7)]
    assert [remote.id for remote in remotes] == [str(1000 + number) for number in range(7)]
    assert {len(one["title"]) for one in desk.tickets} == {60}
    assert desk.tickets[0]["tags"] == ["Ladna Pay", "negative"]
    assert desk.tickets[0]["level"] == 5
    assert "assignee" not in desk.tickets[0]
    for number in range(7):
        found = sink.find(f"mc-{number}")
        assert found is not None
        assert found.id == remotes[number].id
    assert sink.find("mc-70") is None
    quoted = sink.create(ticket("other", body="they wrote: mention-crawler:mc-99"))
    assert sink.find("mc-99") is None
    assert sink.find("other") == quoted


def test_required_if_match_and_a_conflict(made: Made) -> None:
    desk, sink = made(GuardedDesk)
    remote = sink.create(ticket())
    after = sink.update(remote, Change("c1", comment="Ще *одна*", priority=Priority.URGENT, status=TicketStatus.SOLVED))
    assert after.status is TicketStatus.SOLVED
    assert after.warnings == ()
    assert (desk.tickets[0]["level"], desk.tickets[0]["state"]) == (9, "shut")
    assert desk.tickets[0]["notes"] == ["Ще \\*одна\\* mention-crawler:c1"]
    desk.first = [(False, Said(412))] * 9
    with pytest.raises(Transient, match="changes faster"):
        sink.update(remote, Change("c2", comment="x"))


def test_a_duplicate_is_looked_up(made: Made) -> None:
    desk, sink = made(GuardedDesk)
    first = sink.create(ticket())
    assert sink.create(ticket()).id == first.id
    assert len(desk.tickets) == 1


def test_waiting_headers_of_their_own(made: Made) -> None:
    desk, sink = made(GuardedDesk, retry_after=["X-Come-Back", "X-Reset"])
    for header, value, wait in (("X-Come-Back", "9", 9), ("X-Reset", str(int(NOW.timestamp()) + 75), 75)):
        desk.first = [(False, Said(429, "", headers=((header, value),)))]
        with pytest.raises(Transient) as caught:
            sink.create(ticket())
        assert caught.value.retry_after == wait


def test_a_change_of_a_ticket_that_is_gone_is_not_lost_in_silence(made: Made) -> None:
    desk, sink = made(PaperDesk, meaning={"404": "missing"})
    remote = sink.create(ticket())
    desk.handle = lambda call: Said(200, "") if call.method == "GET" else Said(404, "no such ticket", "text/plain")
    with pytest.raises(Permanent, match="ticket 1000 is not there any more"):
        sink.update(remote, Change("mc-1/c", comment="Ще одна"))


def test_a_lagging_index_is_waited_for(made: Made) -> None:
    desk, sink = made(SlowIndexDesk)
    sink.create(ticket())
    assert sink.find("mc-1") is None
    assert sink.settle == 40.0
    desk.indexed = 1
    assert sink.find("mc-1") == Remote("1000")


def test_links_to_other_hosts_are_followed_at_home_only(made: Made) -> None:
    desk, sink = made(SlowIndexDesk)
    for number in range(3):
        sink.create(ticket(f"mc-{number}"))
    desk.indexed = 3
    assert sink.find("mc-2") == Remote("1002")
    assert [one.id for one in sink.find_all("mc-2")] == ["1002"]


def test_two_tickets_for_one_key_are_both_seen(made: Made) -> None:
    desk, sink = made(SlowIndexDesk)
    for _ in range(2):
        sink.create(ticket())
    desk.indexed = 2
    assert [one.id for one in sink.find_all("mc-1")] == ["1000", "1001"]


def test_a_search_that_ignores_its_condition_is_not_believed(made: Made) -> None:
    desk, sink = made(SlowIndexDesk, find={"path": "/rest/find?external={key}", "items": "json:hits"})
    sink.create(ticket("mc-other"))
    desk.indexed = 1
    with pytest.raises(Permanent, match=r"add find\.match"):
        sink.find("mc-1")
    found = sink.find("mc-other")
    assert found is not None, "what shows the key itself needs no condition"


def test_dropped_fields_and_cut_titles_are_told(made: Made) -> None:
    _, sink = made(SlowIndexDesk)
    remote = sink.create(ticket(subject="A title of more than twenty characters"))
    assert remote.warnings == (
        "name: sent 'A title of more than twenty characters', the helpdesk has 'A title of more than'",
        "color: sent 'Ladna Pay', the helpdesk has nothing",
    )


@pytest.mark.parametrize("body", ['{"status": "queued"}', "<html>Log in</html>", ""])
def test_success_without_an_id_is_looked_for(made: Made, body: str) -> None:
    desk, sink = made(SlowIndexDesk)
    desk.first = [(True, Said(200, body, "text/html" if "html" in body else "application/json"))]
    with pytest.raises(InDoubt, match="looked for before"):
        sink.create(ticket())
    desk.indexed = 1
    desk.first = [(False, Said(200, body))]
    assert sink.create(ticket()).id == "1000"


def test_success_without_an_id_does_not_go_on_for_ever(made: Made) -> None:
    desk, sink = made(SlowIndexDesk)
    desk.first = [(True, Said(200, "{}"))] * 2
    with pytest.raises(InDoubt):
        sink.create(ticket())
    with pytest.raises(Permanent, match=r"mend create\.id or find"):
        sink.create(ticket())
    blind = made(SlowIndexDesk, find=None)
    blind[0].first = [(True, Said(200, "{}"))]
    with pytest.raises(Permanent, match="may exist"):
        blind[1].create(ticket())


def test_what_changed_there_comes_back(made: Made) -> None:
    desk, sink = made(SlowIndexDesk, read={"path": "/rest/issues/{remote_id}", "statuses": {"shut": "solved"}})
    sink.create(ticket())
    desk.tickets[0]["state"] = "shut"
    desk.tickets[0]["notes"] = [
        {"id": 1, "words": "Вибачте!", "hidden": False, "who": {"name": "Олег"}},
        {"id": 2, "words": "between us", "hidden": True, "who": {"name": "Олег"}},
        {"id": 3, "words": "ours mention-crawler:mc-1/x", "hidden": False},
        {"id": 4, "words": "Повернули.\n> скарга\n> mention-crawler:mc-1", "hidden": False},
    ]
    told = list(sink.changes(NOW))
    assert {remote.id for remote, _ in told} == {"1000"}
    state, public, private, quoting = (change for _, change in told)
    assert str(quoting.comment).startswith("Повернули.") and quoting.public
    assert (state.status, state.at) == (TicketStatus.SOLVED, NOW)
    assert (public.comment, public.author, public.public) == ("Вибачте!", "Олег", True)
    assert (private.comment, private.public) == ("between us", False)
    assert public.key != private.key
    assert desk.calls[-2].query == {"after": str(int(NOW.timestamp()))}
    assert [change.key for _, change in sink.changes(NOW)] == [change.key for _, change in told]


def test_html_is_text_and_the_limit_keeps_the_marker(made: Made) -> None:
    about = {"fields": {"about": "{body}\n{marker}", "name": "{subject}", "external": "{key}"}}
    create = {"path": "/rest/issues", "body": about, "id": "json:issues[0].id"}
    desk, sink = made(SlowIndexDesk, create=create, limits={"about": 200})
    body = "<script>alert(1)</script> {{ticket.id}} @all\n/close\n" + "&" * 500
    sink.create(ticket(body=body))
    about_there = desk.tickets[0]["about"]
    assert len(about_there) <= 200
    assert about_there.endswith("mention-crawler:mc-1")
    for bad in ("<script", "{{", "@all", "\n/close"):
        assert bad not in about_there


class OldestFirst(Odd):
    """Lists its tickets oldest first, three a page whatever is asked, and tells the last page in a Link header."""

    CONFIG = """
        kind: rest
        create: {path: /t, body: {text: "{body} {marker}"}}
        find:
          path: /t
          contains: {text: "{marker}"}
          pages: {by: page, start: 0, param: p, order: oldest, last: 'header:Link p=(\\d+)[^>]*>; rel="last"'}
          look_back: 7
    """

    def handle(self, call: Call) -> Said:
        if call.method == "POST":
            return Said(201, json.dumps(self.add(**json.loads(call.body))))
        page = int(call.query.get("p", "0"))
        last = max(0, (len(self.tickets) - 1) // 3)
        link = f'</t?p=0>; rel="first", </t?p={last}>; rel="last"' if last else '</t?p=0>; rel="first"'
        return Said(200, json.dumps(self.tickets[page * 3 : page * 3 + 3]), headers=(("Link", link),))


FIND: dict[str, Any] = YAML(typ="safe", pure=True).load(textwrap.dedent(OldestFirst.CONFIG))["find"]


def test_the_newest_tickets_of_a_list_that_begins_with_the_oldest(made: Made) -> None:
    desk, sink = made(OldestFirst)
    for number in range(12):
        remote = sink.create(ticket(f"mc-{number}"))
        assert sink.find(f"mc-{number}") == Remote(remote.id), number
    blind = made(OldestFirst, find={**FIND, "pages": {**FIND["pages"], "last": "header:X-None"}})
    blind[0].tickets = desk.tickets
    assert blind[1].find("mc-11") is not None, "a last page that is not told is looked for"
    assert sink.find("mc-0") is None, "further back than look_back"


class OldFashioned(Odd):
    """Opens tickets by GET, closes them by an empty POST, and writes its words with capitals."""

    CONFIG = """
        kind: rest
        create: {method: GET, path: /open, query: {what: "{subject}", ref: "{key}"}, id: "text:#(.+)"}
        find: {path: "/by-ref/{key}", id: "text:#(.+)", items: "text:#.+"}
        update: {method: POST, path: "/{remote_id}/to/{status}"}
        read: {path: "/{remote_id}", status: "text:is (.+)", statuses: {Open: open, Closed: solved}}
    """

    def handle(self, call: Call) -> Said:
        if call.path == "/open":
            return Said(200, f"#{self.add(ref=call.query['ref'])['id']}", "text/plain")
        if call.path.startswith("/by-ref/"):
            found = [one for one in self.tickets if one["ref"] == call.path.removeprefix("/by-ref/")]
            return Said(200, f"#{found[0]['id']}", "text/plain") if found else Said(404, "none", "text/plain")
        ticket = self.by_id(call.path.split("/")[1])
        if call.method == "POST":
            assert call.headers["content-length"] == "0"
            ticket["state"] = call.path.rpartition("/")[2]
        return Said(200, f"It is {ticket['state']}", "text/plain")


def test_a_ticket_that_is_opened_by_get_is_in_doubt_as_any_other(made: Made) -> None:
    desk, sink = made(OldFashioned)
    assert sink.find("mc-1") is None
    remote = sink.create(ticket())
    assert sink.find("mc-1") == Remote(remote.id)
    assert sink.update(remote, Change("c", status=TicketStatus.SOLVED)).status is TicketStatus.SOLVED
    assert desk.tickets[0]["state"] == "Closed"
    down = made(OldFashioned, timeout="0.2s")[1]
    down.tools.http.request = _cut  # type: ignore[method-assign]
    with pytest.raises(InDoubt):
        down.create(ticket())
    with pytest.raises(Transient) as caught:
        down.find("mc-1")
    assert type(caught.value) is Transient


def _cut(*args: Any, **options: Any) -> Any:
    raise InDoubt("GET http://desk.example: no answer in time after the request was sent")


class KeyedDesk(Odd):
    """Stores what is put under our key, once; lists bare ids; wants name and password in the body of each call."""

    CONFIG = """
        kind: rest
        secrets: {password: "${DESK_KEY}"}
        create:
          method: PUT
          path: /tickets/{key}
          headers: {If-None-Match: "*"}
          body: {user: robot, password: "{secret_password}", title: "{subject}", due: "{due_at}"}
          id: "{key}"
          meaning: {"412": exists}
        find:
          method: POST
          path: /search
          body: {user: robot, password: "{secret_password}", ref: "{key}"}
          items: json:ids
          id: "json:"
        comment: {path: "/tickets/{remote_id}/notes", body: {password: "{secret_password}", text: "{comment}"}}
    """

    def handle(self, call: Call) -> Said:
        data = json.loads(call.body)
        if data["password"] != KEY:
            return Said(403, json.dumps({"error": f"not {data['password']}"}))
        if call.path == "/search":
            ids = [one["key"] for one in self.tickets if one["key"] == data["ref"]]
            return Said(200, json.dumps({"ids": ids or None}))
        key = call.path.split("/")[2]
        if call.path.endswith("/notes"):
            next(one for one in self.tickets if one["key"] == key)["notes"].append(data["text"])
        elif any(one["key"] == key for one in self.tickets):
            return Said(412)
        else:
            self.add(key=key)
        return Said(204)


def test_tickets_under_our_own_key_and_secrets_in_bodies(made: Made) -> None:
    desk, sink = made(KeyedDesk)
    assert sink.find("mc-1") is None
    remote = sink.create(ticket())
    assert remote == Remote("mc-1")
    assert sink.create(ticket()) == remote
    assert len(desk.tickets) == 1
    sink.update(remote, Change("c", comment="Ще одна"))
    assert desk.tickets[0]["notes"] == ["Ще одна"]
    wrong = made(KeyedDesk, secrets={"password": "${OTHER}"})[1]
    wrong.settings.secrets["password"]._secret_value = "0ther-password"
    wrong.secrets.append("0ther-password")
    with pytest.raises(Permanent, match=r"not \*\*\*"):
        wrong.create(ticket())


def test_a_list_of_bare_ids_is_read_for_the_status_and_replies_are_plain_text(made: Made) -> None:
    read = {"path": "/state/{remote_id}", "status": "json:s", "statuses": {"opened": "open", "shut": "solved"}}
    changes = {
        "path": "/changed", "items": "json:ids", "id": "json:",
        "replies": {"path": "/said/{remote_id}", "says": "json:html"},
    }  # fmt: skip
    desk, sink = made(KeyedDesk, format="html", read=read, changes=changes)
    told = {
        "/changed": {"ids": ["7", "8"]},
        "/state/7": {"s": "shut"},
        "/said/7": [{"id": 1, "html": "<p>Повернули &amp; вибачте</p><p>Олег</p>"}],
    }
    desk.handle = lambda call: Said(200, json.dumps(told[call.path])) if call.path in told else Said(404, "{}")
    state, reply, gone = (change for _, change in sink.changes(NOW))
    assert (state.status, gone.status) == (TicketStatus.SOLVED, None)
    assert reply.comment.split() == ["Повернули", "&", "вибачте", "Олег"]


def test_now_is_the_clock_s(made: Made) -> None:
    desk, sink = made(
        KeyedDesk, comment={"path": "/tickets/{remote_id}/notes", "body": {"text": "{now}", "password": KEY}}
    )
    remote = sink.create(ticket())
    sink.update(remote, Change("c", comment="x"))
    assert desk.tickets[0]["notes"] == ["2026-03-01T12:00:00Z"]
