"""The life of a ticket as the command shows it: withdrawn in time, answered, possibly doubled, left in peace."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner
from unit_ticket import given_ticket

from crawler.app import App, now, views
from crawler.cli.commands import app as command
from crawler.errors import Permanent
from crawler.model import Change, MentionStatus, Remote, TicketStatus
from crawler.store import Pulse, Told, tables


@pytest.fixture
def app(sqlite_template: Path, tmp_path: Path) -> Iterator[App]:
    shutil.copyfile(sqlite_template, tmp_path / "life.db")
    config = tmp_path / "mention-crawler.yaml"
    config.write_text(
        f"database: {{url: 'sqlite:///{tmp_path}/life.db'}}\nbrands: [{{name: Ladna Pay}}]\n"
        "sources: [{name: feed, kind: feed, url: 'https://site.example/feed'}]\n"
    )
    app = App.load(str(config))
    yield app
    app.close()


def run(app: App, *arguments: str) -> Any:
    return CliRunner().invoke(command, [*arguments, "--config", str(app.config.path)])


def test_a_ticket_is_withdrawn_before_anything_was_called(app: App) -> None:
    given_ticket(app.store, "desk", None)
    done = run(app, "tickets", "withdraw", "mc-1", "--as", "olena")
    assert done.exit_code == 0 and "nothing was sent" in done.stderr
    [mention] = app.store.mentions.list()
    assert (mention.status, mention.rule) == (MentionStatus.REVIEW, "by hand")
    life = [(row["what"], row["actor"]) for row in views.ticket_whole(app, "mc-1")["life"]][-2:]
    assert life == [("status", "olena"), ("status", "olena")]
    assert app.books().gaps == ()
    assert next(views.ticket_rows(app, {}, 0))["status"] == "withdrawn"


def test_a_withdrawn_ticket_may_be_ignored_at_once(app: App) -> None:
    given_ticket(app.store, "desk", None)
    assert run(app, "tickets", "withdraw", "mc-1", "--ignore").exit_code == 0
    assert app.store.mentions.list()[0].status is MentionStatus.IGNORED


def test_what_was_sent_stays(app: App) -> None:
    given_ticket(app.store, "desk", Remote("7"))
    with pytest.raises(Permanent, match="close it there"):
        views.withdraw(app, "mc-1", "olena", ignore=False)


def test_show_and_list_tell_what_came_back(app: App) -> None:
    ticket_id = given_ticket(app.store, "desk", Remote("7"))
    answer = Change("c1", "Кошти повернуто", author="Ірина", public=True, at=now())
    solved = Change("s", status=TicketStatus.SOLVED, assignee="Ірина", at=now())
    app.store.replies.take("desk", [(Remote("7"), answer), (Remote("7"), solved)])
    whole = views.ticket_whole(app, "mc-1")
    assert (whole["ticket_status"], whole["assignee"]) == ("solved", "Ірина")
    assert [reply["text"] for reply in whole["replies"]] == ["Кошти повернуто"]
    assert {"reply", "first reply", "assignee", "status"} <= {row["what"] for row in whole["life"]}
    shown = run(app, "tickets", "show", "mc-1").stdout
    assert "Кошти повернуто" in shown and "solved" in shown
    assert app.store.replies.of(ticket_id)[0].author == "Ірина"


def test_a_possible_duplicate_is_shown_and_counted(app: App) -> None:
    given_ticket(app.store, "desk", None)
    [claimed] = app.store.outbox.claim("w", now(), 1, 60, ["desk"])
    told = Told(twice={claimed.id: "desk cannot be asked"})
    app.store.outbox.settle("w", [(claimed.id, Remote("7"))], [], [], told)
    assert next(views.ticket_rows(app, {}, 0))["possible_duplicate"] is True
    assert views.ticket_whole(app, "mc-1")["possible_duplicate"] is True
    assert "possible duplicate" in run(app, "tickets", "show", "mc-1").stdout
    assert app.books().lines["possible_duplicates"] == 1


def test_a_sink_that_rests_is_shown_and_is_no_standstill(app: App) -> None:
    given_ticket(app.store, "desk", None)
    later = now() + timedelta(minutes=5)
    assert app.store.glances.oldest_waiting()["deliver"] is not None
    app.store.sink_states.tell("desk", Pulse(4, later, "503"))
    assert app.store.glances.oldest_waiting()["deliver"] is None
    [row] = views.sink_rows(app)
    assert (row["rests_until"], row["why"]) == (later, "503")


def test_what_should_have_been_answered_by_now_is_shown(app: App) -> None:
    ticket_id = given_ticket(app.store, "desk", Remote("7"))
    assert views.ticket_whole(app, "mc-1")["overdue"] is False, "without a target nothing is due"
    assert "overdue" not in run(app, "tickets", "list").stdout
    with app.store._db.write() as connection:
        late = sa.update(tables.tickets).where(tables.tickets.c.id == ticket_id)
        connection.execute(late.values(due_at=now() - timedelta(minutes=1)))
    assert next(views.ticket_rows(app, {}, 0))["overdue"] is True
    assert "overdue" in run(app, "tickets", "list").stdout
    assert "overdue: True" in run(app, "tickets", "show", "mc-1").stdout
    answer = Change("c1", "Кошти повернуто", author="Ірина", public=True, at=now())
    app.store.replies.take("desk", [(Remote("7"), answer)])
    assert next(views.ticket_rows(app, {}, 0))["overdue"] is False
