"""`rest` with configuration alone on the API shapes of helpdesks that no preset knows: the whole life of a ticket."""

from __future__ import annotations

import ipaddress
import json
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from odd import Said
from ruamel.yaml import YAML
from strange import ANSWERED, KEY, SAAS, ContactDesk, HalDesk, Strange
from stranger import ODDER, GraphDesk, RpcDesk, SoapyDesk
from stranger_lists import LISTED, IssueDesk, LaterDesk, PlainDesk
from stranger_ways import WAYS, JobDesk, OnceDesk, ResourceDesk
from stranger_wire import WIRED, EnvelopeDesk, SignedDesk

from crawler.errors import InDoubt, Permanent, Transient
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from sinks.base import Tools
from sinks.rest import Rest

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Made = Callable[..., tuple[Any, Rest]]
ALL = [*SAAS, *ODDER, *WIRED, *LISTED, *WAYS]
each_shape = pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.__name__)


class Vault:
    def __init__(self, key: str) -> None:
        self.key = key

    def env(self, name: str) -> str:
        return self.key

    def file(self, path: str) -> str:
        raise LookupError(path)


@pytest.fixture
def made() -> Iterator[Made]:
    opened: list[Any] = []

    def make(desk: type[Strange], key: str = KEY, **more: Any) -> tuple[Any, Rest]:
        running, client = desk(), HttpClient(EgressPolicy(LOOPBACK))
        opened.extend([client, running])
        given = YAML(typ="safe", pure=True).load(textwrap.dedent(desk.CONFIG))
        given = {**given, "url": running.url, "timeout": "5s", **more}
        settings = Rest.Settings.model_validate(given, context={"vault": Vault(key)})
        return running, Rest("desk", settings, Tools(client, now=lambda: NOW))

    yield make
    for one in opened:
        one.close()


def ticket(key: str = "mc-1", **fields: Any) -> Ticket:
    given = {"subject": "Картка не працює", "body": 'Третій день.\nДе "гроші"? <b>{x}</b>', "priority": Priority.HIGH,
             "author": "Олена"}  # fmt: skip
    return Ticket(key=key, brand="Ladna Pay", tags=("Ladna Pay", "negative"), **{**given, **fields})


@each_shape
def test_a_ticket_lives(made: Made, shape: type[Strange]) -> None:
    desk, sink = made(shape)
    assert sink.find("mc-1") is None
    remote = sink.create(ticket())
    assert remote.warnings == ()
    sink.create(ticket("mc-12"))
    assert [one["key"] for one in desk.tickets] == ["mc-1", "mc-12"]
    assert desk.tickets[0]["title"] == "Картка не працює"
    assert "Третій день." in desk.tickets[0]["text"]
    assert desk.tickets[0]["text"].endswith("mention-crawler:mc-1")
    found = sink.find("mc-1")
    assert found is not None
    assert found.id == remote.id == str(desk.tickets[0]["id"])
    change = Change("mc-1/c", comment="Ще одна & скарга", priority=Priority.LOW, status=TicketStatus.SOLVED)
    for _ in range(2):
        after = sink.update(remote, change)
        assert (after.status, after.warnings) == (TicketStatus.SOLVED, ())
    [note] = desk.tickets[0]["notes"]
    assert note.startswith("Ще одна &") and note.endswith("mention-crawler:mc-1/c")
    assert sink.update(remote, Change("mc-1/d", status=TicketStatus.OPEN)).status is TicketStatus.OPEN


@each_shape
def test_stored_and_told_an_error_is_looked_up(made: Made, shape: type[Strange]) -> None:
    desk, sink = made(shape)
    desk.first = [(True, Said(500, "oops", "text/plain"))]
    with pytest.raises(InDoubt):
        sink.create(ticket())
    found = sink.find("mc-1")
    assert found is not None
    assert found.id == str(desk.tickets[0]["id"])


@each_shape
def test_what_an_agent_did_comes_back(made: Made, shape: type[Strange]) -> None:
    desk, sink = made(shape)
    remote = sink.create(ticket())
    sink.update(remote, Change("mc-1/c", comment="Ще одна", status=TicketStatus.SOLVED))
    desk.agent_answers()
    told = list(sink.changes(NOW - timedelta(hours=1)))
    assert {one.id for one, _ in told} == {remote.id}
    assert [change.status for _, change in told if change.comment is None] == [TicketStatus.SOLVED]
    answers = [change.comment for _, change in told if change.comment is not None]
    assert answers == ([ANSWERED] if shape.replies else [])


@each_shape
def test_a_wrong_key_is_permanent_and_masked(made: Made, shape: type[Strange]) -> None:
    desk, sink = made(shape, key="wr0ng-key-0000")
    with pytest.raises(Permanent) as caught:
        sink.create(ticket())
    assert "wr0ng" not in str(caught.value)
    assert desk.tickets == []


def test_a_contact_is_made_once_and_used_again(made: Made) -> None:
    desk, sink = made(ContactDesk)
    sink.create(ticket())
    sink.create(ticket("mc-2"))
    sink.create(ticket("mc-3", author="Тарас"))
    assert len(desk.contacts) == 2
    assert desk.tickets[0]["tags"] == ["ladna-pay", "negative"]


def test_what_fails_behind_a_create_is_told_and_no_doubt(made: Made) -> None:
    desk, sink = made(ContactDesk)
    handle = desk.handle
    desk.handle = lambda call: Said(503, "busy") if call.path.endswith("/tags") else handle(call)
    remote = sink.create(ticket())
    assert [warning.split(":")[0] for warning in remote.warnings] == ["POST /tickets/{remote_id}/tags after create"]


def test_nothing_is_sent_when_what_must_come_before_gives_nothing(made: Made) -> None:
    desk, sink = made(ContactDesk)
    handle = desk.handle
    desk.handle = lambda call: Said(200, "{}") if call.path.startswith("/contacts") else handle(call)
    with pytest.raises(Permanent, match=r"nothing gives \{contact\}: the answer before has nothing at 'json:id'"):
        sink.create(ticket())
    desk.handle = lambda call: Said(500, "{}") if call.path.startswith("/contacts") else handle(call)
    with pytest.raises(Exception, match="500") as caught:
        sink.create(ticket())
    assert not isinstance(caught.value, InDoubt), "nothing of the ticket was sent"
    assert desk.tickets == []


def test_a_token_that_ran_out_is_asked_for_again_and_never_shown(made: Made) -> None:
    desk, sink = made(HalDesk)
    for number in range(8):
        sink.create(ticket(f"mc-{number}"))
    assert len(desk.tickets) == 8
    assert desk.token == 3
    assert sink.mask("token t0ken-3") == "token ***"
    assert all("t0ken" not in json.dumps([call.path, dict(call.query), call.body]) for call in desk.calls)


FAILED = {
    SoapyDesk: '{"Error": {"ErrorCode": "TicketCreate.InternalError", "ErrorMessage": "oops"}}',
    RpcDesk: '{"jsonrpc": "2.0", "error": {"code": 200, "message": "oops"}}',
    GraphDesk: '{"data": {"issueCreate": null}, "errors": [{"message": "oops"}]}',
    EnvelopeDesk: "<Envelope><Body><Fault><faultcode>Server</faultcode>oops</Fault></Body></Envelope>",
}
each_failing = pytest.mark.parametrize("shape", FAILED, ids=lambda shape: shape.__name__)


@each_failing
def test_an_error_in_a_good_answer_is_a_doubt_and_not_for_ever(made: Made, shape: type[Strange]) -> None:
    desk, sink = made(shape)
    desk.first = [(True, Said(200, FAILED[shape]))]
    assert sink.create(ticket()).id == str(desk.tickets[0]["id"]), "it was stored all the same, and is found"
    desk.first = [(False, Said(200, FAILED[shape]))] * 2
    with pytest.raises(InDoubt, match=r"and that it failed.*oops"):
        sink.create(ticket("mc-2"))
    with pytest.raises(Permanent, match=r"and that it failed.*2 times"):
        sink.create(ticket("mc-2"))
    assert len(desk.tickets) == 1


@each_failing
def test_a_question_that_failed_is_no_empty_list(made: Made, shape: type[Strange]) -> None:
    desk, sink = made(shape)
    sink.create(ticket())
    desk.handle = lambda call: Said(200, FAILED[shape])
    with pytest.raises(Transient, match="oops") as caught:
        sink.find("mc-2")
    assert type(caught.value) is Transient


@each_failing
def test_a_change_that_failed_in_a_good_answer_is_parked(made: Made, shape: type[Strange]) -> None:
    desk, sink = made(shape)
    remote = sink.create(ticket())
    handle = desk.handle
    desk.handle = lambda call: Said(200, FAILED[shape]) if is_write(call.body) else handle(call)
    for change in (Change("c", comment="x"), Change("d", status=TicketStatus.SOLVED)):
        with pytest.raises(Permanent, match="oops"):
            sink.update(remote, change)


def is_write(body: str) -> bool:
    words = (
        "TicketUpdate",
        "message_post",
        '"write"',
        "commentCreate",
        "issueUpdate",
        "addNote",
        "setState",
        '"Article"',
    )
    return any(word in body for word in (*words, '"Ticket": {'))


def test_a_session_in_a_body_is_opened_again_when_a_good_answer_says_so(made: Made) -> None:
    desk, sink = made(SoapyDesk)
    remote = sink.create(ticket())
    desk.sessions = 7
    sink.update(remote, Change("mc-1/c", comment="Ще одна"))
    assert desk.sessions == 8
    assert len(desk.tickets[0]["notes"]) == 1


def test_a_patch_says_only_what_changes(made: Made) -> None:
    desk, sink = made(SignedDesk)
    sink.update(sink.create(ticket()), Change("c", status=TicketStatus.SOLVED))
    [patch] = [json.loads(call.body) for call in desk.calls if call.method == "PATCH"]
    assert patch == [{"op": "replace", "path": "/state", "value": "shut"}]


def test_what_is_accepted_for_later_is_waited_for_however_often(made: Made) -> None:
    desk, sink = made(LaterDesk)
    accepted = Said(202, '{"status": "accepted"}')
    desk.first = [(False, accepted)] * 4
    for _ in range(4):
        with pytest.raises(InDoubt, match="waited for, and looked for"):
            sink.create(ticket())
    assert sink.settle == 10.0
    assert sink.create(ticket()).id == "cnv_1000"


def test_too_many_calls_are_told_by_a_403_of_its_own(made: Made) -> None:
    desk, sink = made(IssueDesk)
    reset = str(int(NOW.timestamp()) + 90)
    spent = (("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", reset))
    desk.first = [(False, Said(403, "{}", headers=spent)), (False, Said(403, "{}"))]
    with pytest.raises(Transient) as caught:
        sink.create(ticket())
    assert caught.value.retry_after == 90
    with pytest.raises(Permanent):
        sink.create(ticket())


def test_a_desk_that_cannot_be_asked(made: Made) -> None:
    desk, sink = made(PlainDesk)
    assert sink.can == frozenset()
    assert sink.create(ticket()).id == "1000"
    desk.first = [(False, Said(400, "Valid API key required"))]
    with pytest.raises(Permanent, match="Valid API key"):
        sink.create(ticket())


def test_comments_that_seen_cannot_see_are_told(made: Made) -> None:
    seen = {"path": "/repos/ladna/mentions/issues/{remote_id}/comments", "says": "json:text"}
    comment = {"path": "/repos/ladna/mentions/issues/{remote_id}/comments", "body": {"body": "{comment} {marker}"}}
    _, sink = made(IssueDesk, comment={**comment, "seen": seen | {"query": {"per_page": 50}}})
    remote = sink.create(ticket())
    [warning] = sink.update(remote, Change("mc-1/c", comment="Ще одна")).warnings
    assert "its marker is not at 'json:text'" in warning


def test_a_status_alone_writes_no_empty_comment(made: Made) -> None:
    """The text of the comment may stand in the call before it."""
    note = {"path": "/notes", "method": "POST", "body": {"text": "{comment}"}, "take": {"note": "json:id"}}
    comment = {"path": "/t/{remote_id}/notes", "before": note, "body": {"note": "{note}"}}
    update = {"path": "/t/{remote_id}", "body": {"state": "{status}"}}
    desk, sink = made(IssueDesk, comment=comment, update=update, read=None)
    desk.handle = lambda call: Said(200, '{"id": 5}')
    sink.update(Remote("7"), Change("c", status=TicketStatus.SOLVED))
    assert [(call.path, call.body) for call in desk.calls] == [("/t/7", '{"state": "solved"}')]


def test_a_step_is_chosen_by_the_name_of_the_status(made: Made) -> None:
    """Helpdesks whose statuses are set by steps with numbers of their own, which are asked for."""
    steps = {"path": "/t/{remote_id}/steps", "take": {"step": "json:steps[to={status}].id"}}
    update = {"path": "/t/{remote_id}/steps", "method": "POST", "before": steps, "body": {"step": "{step}"}}
    desk, sink = made(IssueDesk, update=update, read=None, statuses={"solved": "Done]", "open": "Reopened"})
    told = '{"steps": [{"id": 11, "to": "Reopened"}, {"id": 31, "to": "Done"}]}'
    desk.handle = lambda call: Said(200, told if call.method == "GET" else "{}")
    sink.update(Remote("7"), Change("c", status=TicketStatus.SOLVED))
    assert [call.body for call in desk.calls if call.method == "POST"] == ['{"step": 31}']
    sink.update(Remote("7"), Change("d", priority=Priority.LOW))
    assert len(desk.calls) == 2, "nothing to say, nothing asked"


def test_an_accepted_job_is_followed_to_its_ticket(made: Made) -> None:
    desk, sink = made(JobDesk)
    remote = sink.create(ticket())
    assert (remote.id, remote.url, remote.status) == ("1000", f"{desk.url}/t/1000", None)
    assert [call.path for call in desk.calls] == ["/v2/intake", *["/v2/work/j5"] * 3]


def test_a_job_that_does_not_end_or_fails_is_no_ticket_and_no_second_one(made: Made) -> None:
    desk, sink = made(JobDesk)
    desk.turns = 10**6
    with pytest.raises(Permanent, match="the job j5 has made no ticket yet, and there is no `find`"):
        sink.create(ticket())
    desk.broken = True
    with pytest.raises(Permanent, match=r"and that it failed.*no such queue"):
        sink.create(ticket())
    found = {"path": "/v2/found?ref={key}", "match": {"ref": "{key}"}}
    desk, sink = made(JobDesk, find=found)
    desk.turns = 10**6
    with pytest.raises(InDoubt, match="the job j5 has made no ticket yet; it is looked for"):
        sink.create(ticket())
    handle = desk.handle
    desk.handle = lambda call: Said(429, "{}") if call.path.startswith("/v2/work") else handle(call)
    with pytest.raises(InDoubt, match="429"):
        sink.create(ticket())


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(Said(429, '{"retry_in": 7}'), 7), (Said(429, "{}", headers=(("RateLimit", '"hour";r=0;t=51'),)), 51),
     (Said(429, '{"retry_in": "2026-03-01T12:02:00Z"}'), 120), (Said(429, '{"retry_in": {"a": 1}}'), None)],
)  # fmt: skip
def test_when_to_come_back_may_stand_anywhere(made: Made, said: Said, seconds: float | None) -> None:
    desk, sink = made(JobDesk)
    desk.first = [(False, said)]
    with pytest.raises(Transient) as caught:
        sink.create(ticket())
    assert caught.value.retry_after == seconds
    assert not isinstance(caught.value, InDoubt)


def test_a_helpdesk_that_names_the_ticket_it_has_needs_no_search(made: Made) -> None:
    desk, sink = made(OnceDesk)
    desk.first = [(True, Said(500, "oops"))]
    with pytest.raises(InDoubt):
        sink.create(ticket())
    again = sink.create(ticket())
    assert (again.id, again.url) == ("1000", f"{desk.url}/t/1000")
    assert len(desk.tickets) == 1
    assert sink.creates_once and "find" not in sink.can


def test_the_author_of_a_comment_is_looked_up_and_a_session_is_opened_again(made: Made) -> None:
    desk, sink = made(ResourceDesk)
    remote = sink.create(ticket())
    assert remote.url == f"{desk.url}/cases/1000"
    desk.sessions += 1
    sink.update(remote, Change("mc-1/c", comment="Ще одна"))
    [remark] = [call for call in desk.calls if call.method == "POST" and call.path.endswith("/remarks")]
    assert json.loads(remark.body)["data"]["attributes"]["author"] == 7
    assert "t0ken" not in sink.mask("t0ken-3")


def test_a_status_that_no_step_leads_to_is_told_unless_it_stands_there(made: Made) -> None:
    desk, sink = made(ResourceDesk)
    remote = sink.create(ticket())
    assert sink.update(remote, Change("a", status=TicketStatus.OPEN)).warnings == ()
    desk.ticket(1000)["state"] = "lost"
    with pytest.raises(Permanent, match=r"nothing gives \{step\}"):
        sink.update(remote, Change("b", status=TicketStatus.SOLVED))
