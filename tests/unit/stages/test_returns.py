"""The way back: status, assignee, answers and times come from the helpdesk, once, whatever it repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from stage_kit import World

from crawler.errors import Permanent, Transient
from crawler.model import Change, Remote, Ticket, TicketStatus
from crawler.stages import deliver, returns
from crawler.store import StoredTicket
from sinks.base import Sink, Tools
from sinks.desk import Desk


class Helpdesk(Sink):
    """Tells what the test puts into `news`."""

    kind = "telling"

    def __init__(self) -> None:
        super().__init__("helpdesk", Sink.Settings(), Tools(http=None))  # type: ignore[arg-type]
        self.news: list[tuple[Remote, Change]] = []
        self.asked: list[datetime] = []
        self.error: Exception | None = None
        self.told: list[Change] = []

    def create(self, ticket: Ticket) -> Remote:
        return Remote("7")

    def update(self, remote: Remote, change: Change) -> None:
        self.told.append(change)

    def changes(self, since: datetime) -> Iterable[tuple[Remote, Change]]:
        self.asked.append(since)
        if self.error:
            raise self.error
        return iter(self.news)


@pytest.fixture
def helpdesk(world: World) -> Iterator[Helpdesk]:
    """A helpdesk that has one ticket of ours."""
    world.shows(world.post("neg93 гроші зникли з картки вчора", 1, thread="t1"))
    world.judge()
    sink = Helpdesk()
    run(world, sink)
    yield sink


def run(world: World, sink: Sink) -> None:
    world.at += timedelta(minutes=5)
    deliver.run(world.store, {"helpdesk": sink}, "test", world.now)


def ticket(world: World) -> StoredTicket:
    return world.store.tickets.list()[0]


def said(world: World) -> list[str]:
    return [event.what for event in world.store.events.of("ticket", ticket(world).ticket.id)][1:]


def test_closed_there_is_closed_here_and_opened_again(world: World, helpdesk: Helpdesk) -> None:
    when = world.at + timedelta(minutes=1)
    helpdesk.news = [(Remote("7"), Change("1", status=TicketStatus.SOLVED, assignee="Ірина", at=when))]
    run(world, helpdesk)
    found = ticket(world)
    assert (found.status, found.solved_at, found.assignee) == (TicketStatus.SOLVED, when, "Ірина")
    run(world, helpdesk)
    assert said(world) == ["status", "assignee"]
    helpdesk.news = [(Remote("7"), Change("2", status=TicketStatus.OPEN, at=world.at))]
    run(world, helpdesk)
    assert (ticket(world).status, ticket(world).solved_at) == (TicketStatus.OPEN, None)


def test_an_old_word_does_not_close_what_a_follow_up_opened(world: World, helpdesk: Helpdesk) -> None:
    solved = (Remote("7"), Change("1", status=TicketStatus.SOLVED, at=world.at))
    helpdesk.news = [solved]
    run(world, helpdesk)
    world.shows(world.post("neg93 і знову зникли", 2, thread="t1"))
    world.judge()
    returns.hear(world.store, "helpdesk", helpdesk, world.now)
    assert ticket(world).status is TicketStatus.OPEN
    helpdesk.news = []
    run(world, helpdesk)
    assert [change.status for change in helpdesk.told] == [TicketStatus.OPEN]
    helpdesk.news = [solved]
    run(world, helpdesk)
    assert ticket(world).status is TicketStatus.SOLVED  # it ignored us, or an agent closed it once more


def test_a_public_answer_is_kept_once_and_times_the_first(world: World, helpdesk: Helpdesk) -> None:
    first, second = world.at, world.at + timedelta(hours=1)
    answer = Change("c1", "Ми повернули кошти.", author="Ірина", public=True, at=first)
    helpdesk.news = [
        (Remote("7"), answer),
        (Remote("7"), Change("c2", "не показувати клієнту", author="Ірина", at=first)),
        (Remote("7"), Change("c3", "Дякуємо за звернення", author="Ірина", public=True, at=second)),
        (Remote("99"), Change("c4", "чужий тікет", author="x", public=True, at=second)),
    ]
    run(world, helpdesk)
    run(world, helpdesk)
    replies = world.store.replies.of(ticket(world).ticket.id)
    assert [(it.text, it.author, it.at) for it in replies] == [
        ("Ми повернули кошти.", "Ірина", first),
        ("Дякуємо за звернення", "Ірина", second),
    ]
    assert ticket(world).first_reply_at == first
    assert said(world) == ["reply", "first reply", "reply"]


def test_our_own_words_are_no_answer(world: World, helpdesk: Helpdesk) -> None:
    world.shows(world.post("neg93 минув тиждень, а грошей нема", 2, thread="t1"))
    world.judge()
    run(world, helpdesk)
    body, comment = ticket(world).ticket.body, str(helpdesk.told[0].comment)
    helpdesk.news = [
        (Remote("7"), Change("a", f"<p>{body}</p>", author="API", public=True)),
        (Remote("7"), Change("b", comment.replace("\n", "  "), author="API", public=True)),
    ]
    run(world, helpdesk)
    assert world.store.replies.of(ticket(world).ticket.id) == []
    helpdesk.news = [(Remote("7"), Change("c", f"Готово.\n\n> {body}", author="Ірина", public=True))]
    run(world, helpdesk)
    [reply] = world.store.replies.of(ticket(world).ticket.id)
    assert reply.text.startswith("Готово.")


def test_the_cursor_follows_the_helpdesks_clock_and_overlaps(world: World, helpdesk: Helpdesk) -> None:
    stamp = world.at - timedelta(hours=3)  # its clock is slow
    helpdesk.news = [(Remote("7"), Change("1", status=TicketStatus.SOLVED, at=stamp))]
    run(world, helpdesk)
    run(world, helpdesk)
    assert helpdesk.asked[-1] == stamp - returns.OVERLAP
    helpdesk.news = [(Remote("7"), Change("2", status=TicketStatus.OPEN, at=datetime(2999, 1, 1, tzinfo=UTC)))]
    run(world, helpdesk)
    run(world, helpdesk)
    assert helpdesk.asked[-1] <= world.at


def test_news_are_read_once_a_minute_by_whoever_comes_first(world: World, helpdesk: Helpdesk) -> None:
    asked = len(helpdesk.asked)
    for _ in range(3):
        deliver.run(world.store, {"helpdesk": helpdesk}, "test", world.now)
        deliver.run(world.store, {"helpdesk": helpdesk}, "other service", world.now)
    assert len(helpdesk.asked) == asked
    world.store.sink_states.poll_now("helpdesk")
    deliver.run(world.store, {"helpdesk": helpdesk}, "test", world.now)
    assert len(helpdesk.asked) == asked + 1


def test_news_that_cannot_be_read_hold_up_no_ticket(world: World, helpdesk: Helpdesk) -> None:
    helpdesk.error = Permanent("403: tokens of this kind may not list tickets")
    world.shows(world.post("neg93 заблокували картку", 5, "Іван"))
    world.judge()
    run(world, helpdesk)
    assert ticket(world).deliveries[0].remote_id == "7"
    assert [alert.key for alert in world.store.alerts.open()] == ["returns:helpdesk"]
    helpdesk.error = Transient("down")
    run(world, helpdesk)
    helpdesk.error = None
    run(world, helpdesk)
    assert world.store.alerts.open() == []


def test_the_desk_goes_the_same_way(world: World) -> None:
    desk = Desk("helpdesk", Desk.Settings(), Tools(http=None, desk=world.store.desk))  # type: ignore[arg-type]
    world.shows(world.post("neg93 гроші зникли", 1))
    world.judge()
    run(world, desk)
    [there] = world.store.desk.list()
    world.store.desk.answer(there.id, "Перевіряємо, зачекайте, будь ласка", "Ірина")
    world.store.desk.update(Remote(str(there.id)), Change("by hand", status=TicketStatus.SOLVED))
    run(world, desk)
    assert ticket(world).status is TicketStatus.SOLVED
    assert [it.author for it in world.store.replies.of(ticket(world).ticket.id)] == ["Ірина"]
    with pytest.raises(Permanent, match="no ticket 99"):
        world.store.desk.answer(99, "x", "y")


@pytest.mark.parametrize("news", ["KeyError", "naive time"])
def test_a_kind_that_breaks_while_it_tells_holds_up_no_ticket(world: World, helpdesk: Helpdesk, news: str) -> None:
    helpdesk.secrets.append("s3cret-of-the-desk")
    if news == "KeyError":
        helpdesk.error = KeyError("s3cret-of-the-desk")
    else:
        naive = datetime(2026, 3, 1)  # noqa: DTZ001
        helpdesk.news = [(Remote("7"), Change("a", at=naive))]
    world.shows(world.post("neg93 картку заблоковано знову без пояснень", 2))
    world.judge()
    run(world, helpdesk)
    assert [delivery.status for row in world.store.tickets.list() for delivery in row.deliveries] == ["sent", "sent"]
    [alert] = world.store.alerts.open()
    assert alert.key == "returns:helpdesk" and "s3cret" not in alert.cause


def unread(world: World) -> list[str]:
    return [alert.cause for alert in world.store.alerts.open() if alert.key == "returns-unread:helpdesk"]


def test_news_that_nobody_read_are_told_for_a_day(
    world: World, helpdesk: Helpdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returns, "MOST_AT_ONCE", 2)
    helpdesk.news = [(Remote("7"), Change(str(number), at=world.at)) for number in range(3)]
    run(world, helpdesk)
    assert unread(world) == ["helpdesk: more than 2 changes at once: look at old tickets there by hand"]
    helpdesk.news = helpdesk.news[:2]
    run(world, helpdesk)
    assert unread(world), "the next look begins behind what was not read"
    world.at += timedelta(days=1)
    run(world, helpdesk)
    assert unread(world) == []
    helpdesk.unread = "the list is longer than is read"
    run(world, helpdesk)
    assert "the list is longer than is read" in unread(world)[0]
