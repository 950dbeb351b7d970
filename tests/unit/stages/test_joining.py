"""Which mentions share a ticket: follow-ups, answers, reposts, copies with errors; and which never do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from stage_kit import BRAND, RULE, World

from crawler.model import Author, Brand, DeliveryStatus, Entity, EntityKind, Priority, TicketStatus
from crawler.store import SourceRow, StoredTicket
from crawler.store.kin_text import words_of

STORY = (
    "neg93 третій тиждень чекаю повернення коштів за скасоване бронювання готелю, підтримка щоразу обіцяє "
    "розібратися до вечора і кладе слухавку"
)


def solve(world: World, ticket: StoredTicket) -> None:
    world.store.replies.set_status(ticket.ticket.id, TicketStatus.SOLVED)


def tickets(world: World) -> list[StoredTicket]:
    return world.store.tickets.list()


def changes(world: World) -> list[tuple[str, dict[str, object]]]:
    """(sink, change) of every change that was made, in order."""
    from crawler.store import tables as t

    with world.store._db.read() as connection:
        rows = connection.execute(t.deliveries.select().order_by(t.deliveries.c.id))
        return [(row.sink, row.change) for row in rows if row.change]


def test_a_known_author_goes_on_in_another_thread(world: World) -> None:
    anna = Author("Анна", handle="@anna_k")
    world.shows(world.post("neg93 гроші зникли з картки", 1, by=anna, thread="t1"))
    world.judge()
    world.shows(world.post("neg93 а тепер ще й заблокували", 2, by=Author("Анна К.", handle="anna_K"), thread="t2"))
    assert world.judge().joined == 1
    assert len(tickets(world)) == 1


def test_a_handle_that_anybody_has_is_nobodys(world: World) -> None:
    for number, name in enumerate(["Олена", "Іван"], 1):
        world.shows(world.post(f"neg93 біда номер {number}", number, by=Author(name, handle="@guest"), thread="t1"))
    assert world.judge().ticketed == 2


def test_an_address_that_all_authors_share_is_nobodys(world: World) -> None:
    for number, name in enumerate(["Олена", "Іван", "Олена"], 1):
        by = Author(name, url="https://site.example/users")
        world.shows(world.post(f"neg93 біда номер {number}", number, by=by, thread=f"t{number}"))
        world.judge()
    assert sorted(len(it.mention_ids) for it in tickets(world)) == [1, 2]


@pytest.mark.parametrize("name", ["Гость", "Анонім", "guest", "Користувач Facebook"])
def test_names_that_anybody_has_join_nobody(world: World, name: str) -> None:
    by = Author(name, handle=name)
    world.shows(world.post("neg93 гроші зникли", 1, by=by, thread="t1"))
    world.shows(world.post("neg93 картку заблоковано", 2, by=by, thread="t1"))
    assert world.judge().ticketed == 2


def test_an_answer_to_the_complaint_joins_it(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, "Олена", thread="t1"))
    world.judge()
    world.shows(world.post("neg93 у мене так само", 2, "Іван", thread="t1", parent="1"))
    assert world.judge().joined == 1
    world.shows(world.post("neg93 інша біда", 3, "Петро", thread="t1", parent="77"))
    assert world.judge().ticketed == 1


def test_the_same_place_on_another_site_is_another_place(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, "Олена", thread="t1"))
    world.judge()
    world.shows(world.post("neg93 картка не працює", 2, "Олена", thread="t1", url="https://else.example/2"))
    assert world.judge().ticketed == 1


def test_a_copy_with_errors_joins_with_a_count_even_in_the_same_batch(world: World) -> None:
    world.shows(
        world.post(STORY, 1, "Олена"),
        world.post(STORY.replace("розібратися", "розібратись") + " Поширте!", 2, "Бот", url="https://b.example/2"),
        world.post(STORY.replace("готелю", "квитка"), 3, "Марія", url="https://c.example/3"),
    )
    world.judge()
    assert sorted(len(it.mention_ids) for it in tickets(world)) == [1, 2]
    [(sink, change)] = changes(world)
    assert sink == "helpdesk" and "2 posts by now" in str(change["comment"])


def test_a_text_that_goes_round_is_told_now_and_then(world: World) -> None:
    for number in range(1, 31):
        world.shows(world.post(STORY, number, f"Бот {number}", url=f"https://s{number}.example/{number}"))
    world.judge()
    [ticket] = tickets(world)
    assert len(ticket.mention_ids) == 30
    assert len(changes(world)) == 5  # the 2nd, 3rd, 5th, 10th and 20th


def test_two_brands_never_share_a_ticket(world: World) -> None:
    other = Brand("Other", (Entity(EntityKind.BRAND, "Other"),), version="v1")
    world.store.config.sync("two", "", [BRAND, other], [SourceRow("src", "feed", {}, domain="d")])
    anna = Author("Анна", handle="@anna")
    world.shows(world.post(f"Other {STORY}", 1, by=anna, thread="t1"))
    world.judge()
    assert sorted(it.ticket.brand for it in tickets(world)) == ["Nova", "Other"]


def test_a_more_urgent_follow_up_raises_the_priority(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, thread="t1"))
    world.judge()
    assert tickets(world)[0].ticket.priority is Priority.NORMAL
    world.shows(world.post("neg93 завтра суд", 2, thread="t1"))
    world.judge()
    assert tickets(world)[0].ticket.priority is Priority.URGENT
    assert changes(world)[0][1]["priority"] == "urgent"
    events = world.store.events.of("ticket", tickets(world)[0].ticket.id)
    assert [(e.before, e.after) for e in events if e.what == "priority"] == [("normal", "urgent")]
    world.shows(world.post("neg93 досі тиша", 3, thread="t1"))
    world.judge()
    assert changes(world)[1][1]["priority"] is None


def test_an_open_ticket_takes_follow_ups_for_seven_days(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, thread="t1"))
    world.judge()
    world.at += timedelta(days=6)
    world.shows(world.post("neg93 досі нема", 2, thread="t1"))
    assert world.judge().joined == 1
    world.at += timedelta(days=2)
    world.shows(world.post("neg93 досі нема ніде", 3, thread="t1"))
    assert world.judge().ticketed == 1


@pytest.mark.parametrize(("hours", "number"), [(71, 1), (73, 2)])
def test_a_solved_ticket_reopens_for_72_hours(world: World, hours: int, number: int) -> None:
    world.shows(world.post("neg93 гроші зникли", 1, thread="t1"))
    world.judge()
    solve(world, tickets(world)[0])
    world.at += timedelta(hours=hours)
    world.shows(world.post("neg93 знову зникли", 2, thread="t1"))
    world.judge()
    assert len(tickets(world)) == number
    assert tickets(world)[0].status is TicketStatus.OPEN
    told = [change["status"] for _, change in changes(world)]
    assert told == (["open"] if number == 1 else [])


def test_a_mere_repost_does_not_reopen(world: World) -> None:
    world.shows(world.post(STORY, 1))
    world.judge()
    solve(world, tickets(world)[0])
    world.shows(world.post(STORY, 2, "Бот", url="https://b.example/2"))
    assert world.judge().joined == 1
    assert tickets(world)[0].status is TicketStatus.SOLVED


def test_edits_and_deletions_leave_one_note_a_version(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1))
    world.judge()
    for _ in range(2):
        world.shows(world.post("neg93 гроші зникли, оновлено:\nWhy: чужий рядок", 1))
        world.judge()
    [(_, note)] = changes(world)
    assert "edited" in str(note["comment"]) and "\n> Why: чужий рядок" in str(note["comment"])
    world.shows(world.post("neg93 гроші зникли", 1, deleted=True))
    world.judge()
    world.judge()
    assert len(changes(world)) == 2 and "deleted" in str(changes(world)[1][1]["comment"])
    ticket = tickets(world)[0]
    noted = [e.what for e in world.store.events.of("ticket", ticket.ticket.id) if e.what.startswith("post")]
    assert noted == ["post edited", "post deleted"]


def test_an_edit_away_from_the_brand_is_noted_too(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1))
    world.judge()
    world.shows(replace(world.post("", 1), text="нічого про бренд"))
    world.judge()
    [(_, note)] = changes(world)
    assert "> нічого про бренд" in str(note["comment"])


def test_a_held_ticket_waits_and_can_be_withdrawn(world: World) -> None:
    world.shows(world.post("neg93 гроші зникли", 1))
    world.judge([replace(RULE, hold=30.0)])
    [ticket] = tickets(world)
    assert world.store.outbox.due(world.at, ["helpdesk"]) == []
    assert world.store.tickets.withdraw(ticket.ticket.key, actor="olena") == 1
    world.at += timedelta(hours=1)
    assert world.store.outbox.due(world.at, ["helpdesk"]) == []
    [mention] = world.store.mentions.list()
    assert (mention.status, mention.ticket_id, mention.reason) == ("review", None, "withdrawn by olena")
    [after] = tickets(world)
    assert (after.status, after.deliveries[0].status) == (TicketStatus.WITHDRAWN, DeliveryStatus.WITHDRAWN)


def test_words_of_a_story_know_no_links() -> None:
    assert words_of("rt @kyiv: дивись https://a.example/x?y=1 гроші") == ("дивись", "гроші")
