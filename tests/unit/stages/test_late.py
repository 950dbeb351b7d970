"""What is learnt late: a creation hours after its doubt, a double in the news, a comment that was in doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from stage_kit import World
from test_deliver import Helpdesk, run, ticketed
from test_doubt import Late, delivery, later, what

from crawler.errors import InDoubt
from crawler.model import Change, MentionStatus, Priority, Remote, Ticket, TicketStatus
from crawler.net.http import HttpAnswer
from crawler.stages import courier, triage
from crawler.stages.ruling import Ruling
from sinks.base import Tools
from sinks.rest import Rest


@pytest.mark.parametrize("hours", [2, 20])
def test_a_creation_hours_later_is_seen_by_the_last_look(world: World, hours: float) -> None:
    ticketed(world)
    helpdesk = Late(world, hours * 3600)
    run(world, helpdesk)
    later(world, helpdesk, 60, times=5)
    assert len(helpdesk.stored) == 1 and what(world) == []
    later(world, helpdesk, courier.FAR_LOOK + 120)
    assert len(helpdesk.stored) == 2 and what(world) == ["possible duplicate"]
    assert [(it.sink, it.tickets) for it in world.store.outbox.doubles()] == [("helpdesk", 1)]


def test_there_are_two_looks_and_no_more(world: World) -> None:
    ticketed(world)
    helpdesk = Late(world, 1e9)
    run(world, helpdesk)
    later(world, helpdesk, 60, times=5)
    asked = helpdesk.looked
    later(world, helpdesk, courier.FAR_LOOK, times=4)
    assert helpdesk.looked == asked + 1
    assert not world.store.outbox.unfinished("helpdesk")


def test_looks_that_fail_come_again_and_do_not_pile_up(world: World) -> None:
    ticketed(world, 12)
    helpdesk = Helpdesk(*[_lost] * 12)
    run(world, helpdesk)
    later(world, helpdesk, 2000, times=20)
    assert helpdesk.script == [] and len(helpdesk.stored) == 12
    calls: list[str] = []

    def fails(key: str) -> Sequence[Remote]:
        calls.append(key)
        raise InDoubt("down")

    find_all, helpdesk.find_all = helpdesk.find_all, fails  # type: ignore[method-assign]
    later(world, helpdesk, courier.FAR_LOOK)
    assert 0 < len(calls) < 12, "a helpdesk that is down is asked a few times, not once for each"
    helpdesk.find_all = find_all  # type: ignore[method-assign]
    later(world, helpdesk, 3600)
    later(world, helpdesk, courier.FAR_LOOK, times=2)
    assert not world.store.outbox.unfinished("helpdesk") and what(world) == []


def _lost(helpdesk: Helpdesk, ticket: Ticket) -> None:
    raise InDoubt("cut")


class Telling(Helpdesk):
    """Tells `news`, reads comments when `reads`, and may lose the answer to a comment that it took."""

    def __init__(self, *, reads: bool = False) -> None:
        super().__init__()
        self.news: list[tuple[Remote, Change]] = []
        self.comments: list[str] = []
        self.reads, self.loses = reads, 0

    @property
    def changes_once(self) -> bool:
        return self.reads

    def update(self, remote: Remote, change: Change) -> None:
        if not (self.reads and change.key in self.comments):
            self.comments.append(change.key)
        if self.loses:
            self.loses -= 1
            raise InDoubt("cut after storing")

    def changes(self, since: datetime) -> Iterable[tuple[Remote, Change]]:
        return iter(self.news)


def heard(world: World, sink: Telling, *news: tuple[Remote, Change]) -> None:
    sink.news = list(news)
    later(world, sink, 300)


def test_a_double_in_the_news_is_flagged_once(world: World) -> None:
    ticketed(world)
    sink = Telling()
    run(world, sink)
    key = world.store.tickets.list()[0].ticket.key
    told = [(Remote("99", key=key), Change("1", at=world.at)), (Remote("1", key=key), Change("2", at=world.at))]
    heard(world, sink, *told)
    heard(world, sink, *told)
    assert what(world) == ["possible duplicate"] and delivery(world).remote_id == "1"
    assert world.store.counts.ledger().possible_duplicates == 1
    assert world.store.outbox.doubles()[0].key == key
    heard(world, sink, (Remote("1"), Change("3", status=TicketStatus.SOLVED, at=world.at)))
    assert world.store.outbox.doubles() == [], "whoever closed it has seen to it"


def test_news_of_strangers_are_no_doubles(world: World) -> None:
    ticketed(world)
    sink = Telling()
    run(world, sink)
    heard(world, sink, (Remote("99", key="mc-of-somebody-else"), Change("1")), (Remote("7"), Change("2")))
    assert what(world) == []


def test_nobody_has_the_ticket_any_more(world: World) -> None:
    ticketed(world)
    sink = Telling()
    run(world, sink)
    heard(world, sink, (Remote("1"), Change("1", assignee="Ірина")))
    heard(world, sink, (Remote("1"), Change("2", assignee="")))
    heard(world, sink, (Remote("1"), Change("3", assignee="")))
    ticket = world.store.tickets.list()[0]
    assert ticket.assignee is None
    said = [(it.what, it.before, it.after) for it in world.store.events.of("ticket", ticket.ticket.id)][1:]
    assert said == [("assignee", None, "Ірина"), ("assignee removed", "Ірина", None)]


@pytest.mark.parametrize("reads", [True, False])
def test_a_comment_in_doubt_is_not_doubled_or_flagged(world: World, reads: bool) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, thread="t"))
    world.judge()
    sink = Telling(reads=reads)
    run(world, sink)
    world.shows(world.post("neg93 і знову зникли", 2, thread="t"))
    world.judge()
    sink.loses = 1
    run(world, sink)
    later(world, sink, 10)
    # Its answer was lost: where comments can be read, a late one is waited for.
    assert len(sink.comments) == (1 if reads else 2)
    later(world, sink, 40)
    assert len(sink.comments) == (1 if reads else 2)
    flags = [it.twice for it in world.store.tickets.list()[0].deliveries]
    assert flags == [False, not reads]


class Moved(Telling):
    """The same name in the config, another helpdesk."""

    server = "another.example"  # type: ignore[assignment]


@pytest.mark.parametrize("moved_along", [True, False])
def test_a_sink_that_leads_elsewhere_tells_no_stranger(world: World, moved_along: bool) -> None:
    """Number 1 of another helpdesk is somebody else's ticket: no comment goes there, and its news are not ours."""
    world.shows(world.post("neg93 гроші зникли", 1, thread="t"))
    world.judge()
    run(world, Telling())
    key = world.store.tickets.list()[0].ticket.key
    world.shows(world.post("neg93 і знову зникли", 2, thread="t"))
    world.judge()
    moved = Moved()
    moved.stored = ["a stranger's", key] if moved_along else ["a stranger's"]
    told: list[str] = []
    moved.update = lambda remote, change: told.append(remote.id)  # type: ignore[method-assign,assignment]
    heard(world, moved, (Remote("1"), Change("1", status=TicketStatus.SOLVED, at=world.at)))
    ticket = world.store.tickets.list()[0]
    assert ticket.status is TicketStatus.OPEN
    assert told == (["2"] if moved_along else [])
    assert ("another helpdesk" in str(ticket.deliveries[1].error)) is not moved_along


def test_a_comment_by_hand_waits_to_be_undone(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, thread="t"))
    world.judge()
    sink = Telling()
    run(world, sink)
    world.shows(world.post("neg05 і що тепер", 2, thread="t"))
    world.judge()
    [mention] = world.store.mentions.list(status=MentionStatus.IGNORED)
    ruling = Ruling(MentionStatus.TICKETED, "a person", Priority.NORMAL, sinks=("helpdesk",), hold=15.0)
    decision = triage.by_hand(world.store, mention, ruling, world.at, triage.Setting())
    world.store.tickets.decide([decision], 1)
    later(world, sink, 10)
    assert sink.comments == []
    later(world, sink, 10)
    assert len(sink.comments) == 1


def test_what_dies_inside_the_decision_leaves_nothing_and_after_it_all(world: World) -> None:
    world.shows(world.post("neg93 скарга"))
    decided: list[int] = []

    def dies() -> None:
        decided.append(1)
        raise ZeroDivisionError

    world.judge(rules=[])
    [mention] = world.store.mentions.list()
    world.store.mentions.reopen([mention.id], analyse=False)
    brands = {brand.name: brand for brand in world.store.config.brands()}
    from stage_kit import RULE

    made = triage.decide(world.store, world.store.mentions.untriaged(5), [RULE], brands, world.at)
    with pytest.raises(ZeroDivisionError):
        world.store.tickets.decide(made, 1, before_commit=dies)
    assert world.store.tickets.count() == 0
    with pytest.raises(ZeroDivisionError):
        world.store.tickets.decide(made, 1, after_commit=dies)
    assert world.store.tickets.count() == 1 and len(decided) == 2


class Answers:
    """An HTTP client that answers from a table of paths, and counts."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[str]()

    def request(self, method: str, url: str, **_: Any) -> HttpAnswer:
        import json

        self.asked.append(url.removeprefix("https://h.example/"))
        return HttpAnswer(200, {}, json.dumps(self.answers[self.asked[-1].split("/")[0]]).encode(), url)


def test_only_tickets_of_ours_are_read(world: World) -> None:
    items = [{"id": number, "updated_at": "2026-03-01T12:00:00Z", "owner": None} for number in range(300)]
    items[250] |= {"ext": "mc-00", "owner": {"name": "Ірина"}}
    http = Answers(tickets=items, notes=[{"id": 5, "body": "Готово"}])
    questions: list[int] = []

    def ours(sink: str, ids: Collection[str]) -> Collection[str]:
        questions.append(len(ids))
        return {"7"} & set(ids)

    settings = {
        "url": "https://h.example",
        "create": {"path": "/tickets", "body": {"t": "{subject}", "ext": "{key}"}},
        "find": {"path": "/tickets", "match": {"ext": "{key}"}},
        "changes": {"path": "/tickets", "assignee": "json:owner.name", "replies": {"path": "/notes/{remote_id}"}},
    }
    sink = Rest("h", Rest.Settings.model_validate(settings), Tools(http=http, ours=ours))  # type: ignore[arg-type]
    told = list(sink.changes(datetime.fromisoformat("2026-03-01T00:00:00+00:00")))
    assert [(it.id, it.key, change.assignee) for it, change in told] == [
        ("7", None, ""), ("7", None, None), ("250", "mc-00", None),
    ]  # fmt: skip
    assert http.asked == ["tickets", "notes/7"] and questions == [100, 100, 100]


def test_the_desk_knows_by_when_to_answer(world: World) -> None:
    due = world.at + timedelta(hours=4)
    ticket = Ticket("mc-1", "s", "b", Priority.HIGH, "Nova", due_at=due)
    world.store.desk.create(ticket)
    assert world.store.desk.list()[0].ticket.due_at == due
