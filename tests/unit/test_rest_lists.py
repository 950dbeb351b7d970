"""Long lists of changes are read to their end or say that they were not; jobs go on; one host, several helpdesks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from crawler.errors import InDoubt, Permanent
from crawler.model import Priority, Ticket
from crawler.net.http import HttpAnswer
from sinks import rest, rest_pages
from sinks.base import Tools, place_of
from sinks.rest import Rest

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=3)
TICKET = Ticket("mc-1", "subject", "body", Priority.NORMAL, "Ladna Pay")
CREATE = {"path": "/t", "body": {"k": "{key}"}}
LIST = {"path": "/t", "query": {"after": "{since}"}, "pages": {"by": "page", "size": 10, "size_param": "n"}}


class Wire:
    """An HTTP client that `answer` speaks for."""

    def __init__(self, answer: Callable[[str, str], Any]) -> None:
        self.answer, self.calls = answer, list[str]()
        self.refuses: Callable[[str], int] = lambda url: 200

    def request(self, method: str, url: str, **options: Any) -> HttpAnswer:
        query = options.get("params") or {}
        ahead = "&".join(f"{name}={value}" for name, value in query.items())
        whole = url + ("&" if "?" in url and ahead else "?" if ahead else "") + ahead
        self.calls.append(f"{method} {urlsplit(whole).path}")
        said = json.dumps(self.answer(method, whole)).encode()
        return HttpAnswer(self.refuses(whole), {"content-type": "application/json"}, said, url)


def made(wire: Wire, **block: Any) -> Rest:
    given = {"url": "https://h.example", "create": CREATE, **block}
    return Rest("desk", Rest.Settings.model_validate(given), Tools(http=wire, now=lambda: NOW))  # type: ignore[arg-type]


def tickets(count: int, **extra: str) -> Callable[[str, str], Any]:
    """Ten a page, the newest first, a minute between two."""

    def answer(_: str, url: str) -> Any:
        page = int(parse_qs(urlsplit(url).query)["page"][0])
        numbers = range((page - 1) * 10, min(count, page * 10))
        said = [{"id": n, "updated_at": (NOW - timedelta(minutes=n)).isoformat()} for n in numbers]
        return [{**one, **extra} if extra else one for one in said]

    return answer


def test_all_that_changed_is_told_however_much_it_is() -> None:
    sink = made(Wire(tickets(130)), changes={**LIST, "look_back": 30})
    assert len(list(sink.changes(SINCE))) == 130
    assert sink.unread is None


def test_behind_the_last_change_no_more_than_look_back_is_read() -> None:
    wire = Wire(tickets(300))
    sink = made(wire, changes={**LIST, "look_back": 30})
    assert len(list(sink.changes(NOW - timedelta(minutes=99)))) == 100
    assert (sink.unread, len(wire.calls)) == (None, 14)


def test_a_list_without_times_says_that_it_was_cut_off() -> None:
    sink = made(Wire(tickets(60, updated_at="")), changes={**LIST, "look_back": 30})
    assert len(list(sink.changes(SINCE))) == 30
    assert sink.unread and "changes.look_back is 30" in sink.unread
    assert len(list(made(Wire(tickets(30, updated_at="")), changes={**LIST, "look_back": 30}).changes(SINCE))) == 30


def test_the_newest_tickets_are_no_list_that_was_cut_off() -> None:
    pages = LIST["pages"]
    sink = made(Wire(tickets(60, updated_at="")), changes={"path": "/t", "pages": pages, "look_back": 30})
    assert len(list(sink.changes(SINCE))) == 30 and sink.unread is None


def test_a_list_without_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_pages, "_MOST_ITEMS", 40)
    sink = made(Wire(tickets(10**6)), changes={**LIST, "look_back": 30})
    assert len(list(sink.changes(SINCE))) == 40
    assert sink.unread and "more tickets since 2026-02-26 12:00" in sink.unread
    monkeypatch.undo()
    monkeypatch.setattr(rest_pages, "_MOST_PAGES", 5)
    assert len(list(sink.changes(SINCE))) == 50 and sink.unread
    sink.tools.http.answer = tickets(7)  # type: ignore[attr-defined]
    assert len(list(sink.changes(SINCE))) == 7 and sink.unread is None


def test_a_helpdesk_that_refuses_more_pages_has_told_what_it_tells() -> None:
    """As Zendesk's search, which ends with 422 behind a thousand results."""
    rule = {"422": "missing"}
    wire = Wire(tickets(300))
    sink = made(wire, changes={**LIST, "look_back": 30, "meaning": rule})
    wire.refuses = lambda url: 422 if "page=6" in url else 200
    assert len(list(sink.changes(SINCE))) == 50
    assert sink.unread and "more tickets since" in sink.unread
    wire.refuses = lambda url: 404 if "page=6" in url else 200
    assert len(list(sink.changes(SINCE))) == 50 and sink.unread is None


class Jobs:
    """Takes tickets by a job, which is done when told."""

    done = False
    forgotten = False

    def __call__(self, method: str, url: str) -> Any:
        if method == "POST":
            return {"job": "j5"}
        return {"id": 77} if self.done and "/jobs/" in url else [] if "/t" in urlsplit(url).path else {}


def job(**more: Any) -> dict[str, Any]:
    return {**CREATE, "job": {"at": "json:job", "path": "/jobs/{job}", "wait": "0.01s"}, **more}


def test_a_job_that_takes_longer_than_its_wait_is_asked_again_and_nothing_is_sent_twice() -> None:
    jobs = Jobs()
    wire = Wire(jobs)
    sink = made(wire, create=job(), find={"path": "/t?k={key}", "match": {"k": "{key}"}})
    for _ in range(2):
        with pytest.raises(InDoubt, match="the job j5 has made no ticket yet"):
            sink.create(TICKET)
    jobs.done = True
    assert sink.create(TICKET).id == "77"
    assert wire.calls == ["POST /t", "GET /jobs/j5", "GET /jobs/j5", "GET /jobs/j5"]


def test_a_job_that_never_ends_is_parked_and_a_retry_asks_it() -> None:
    jobs = Jobs()
    wire = Wire(jobs)
    sink = made(wire, create=job(), find={"path": "/t?k={key}", "match": {"k": "{key}"}})
    for _ in range(rest._JOB_ROUNDS - 1):
        with pytest.raises(InDoubt):
            sink.create(TICKET)
    with pytest.raises(Permanent, match="asked 5 times over"):
        sink.create(TICKET)
    jobs.done = True
    assert sink.create(TICKET).id == "77"
    assert wire.calls.count("POST /t") == 1


def test_a_job_whose_ticket_was_found_is_forgotten() -> None:
    """Whoever sends the ticket anew later, since it was thrown away there, must not be told of the old one."""
    jobs = Jobs()
    found: list[Any] = []
    wire = Wire(lambda method, url: found if "/t?" in url else jobs(method, url))
    sink = made(wire, create=job(), find={"path": "/t?k={key}", "match": {"k": "{key}"}})
    with pytest.raises(InDoubt):
        sink.create(TICKET)
    assert list(sink.find_all(TICKET.key)) == [] and sink._jobs
    found.append({"id": 77, "k": TICKET.key})
    assert [remote.id for remote in sink.find_all(TICKET.key)] == ["77"] and not sink._jobs


def test_a_parked_job_without_find_is_asked_by_a_retry() -> None:
    jobs = Jobs()
    wire = Wire(jobs)
    sink = made(wire, create=job())
    with pytest.raises(Permanent, match="a retry asks the job"):
        sink.create(TICKET)
    jobs.done = True
    assert sink.create(TICKET).id == "77" and wire.calls.count("POST /t") == 1


def test_after_a_death_a_job_has_all_of_its_time_before_anything_is_sent_again() -> None:
    find = {"path": "/t?k={key}", "match": {"k": "{key}"}, "wait": "20s"}
    slow = {**CREATE, "job": {"at": "json:job", "path": "/jobs/{job}", "wait": "90s"}}
    assert made(Wire(Jobs()), create=slow, find=find).settle == 90
    assert made(Wire(Jobs()), find=find).settle == 20


def test_two_paths_of_one_host_are_two_helpdesks() -> None:
    wire = Wire(Jobs())
    north, south = made(wire, url="https://H.example/north/"), made(wire, url="https://h.example/south")
    assert north.place != south.place
    assert north.place == made(wire, url="https://h.example/north").place
    # What an older version wrote down named the host alone; a helpdesk without a path is named as before.
    assert place_of("h.example") in north.places & south.places
    assert made(wire).places == {place_of("h.example")}
