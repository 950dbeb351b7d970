"""`sinks test`: what it says of helpdesks that take the ticket and cannot be trusted with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from crawler.app import sinktest
from crawler.errors import InDoubt, NotFound, Permanent
from crawler.model import Change, Remote, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from sinks.base import Sink, Tools

sinktest_of: Any = sinktest.test_sink


class Desk(Sink):
    """Takes tickets; how it fails is set by the test."""

    kind = "toy"
    settle = 0.0
    sees_all = False
    blind = False
    doubt = False

    def __init__(self) -> None:
        super().__init__("toy", self.Settings(), Tools(HttpClient(EgressPolicy())))
        self.keys: list[str] = []
        self.status: TicketStatus | None = TicketStatus.SOLVED

    def create(self, ticket: Ticket) -> Remote:
        self.keys.append(ticket.key)
        if self.doubt:
            raise InDoubt("toy: 500")
        return Remote("7", "https://desk.example/7", warnings=("title was cut",))

    def find(self, key: str) -> Remote | None:
        return Remote("7") if self.sees_all or (key in self.keys and not self.blind) else None

    def update(self, remote: Remote, change: Change) -> Remote | None:
        return Remote(remote.id, status=self.status)


@dataclass
class App:
    desk: Desk
    sinks: dict[str, Sink] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sinks = {"toy": self.desk}


def lines(desk: Desk, name: str = "toy") -> list[str]:
    return list(sinktest_of(App(desk), name))


def test_a_good_helpdesk() -> None:
    assert lines(Desk()) == [
        "created 7 https://desk.example/7", "warning: title was cut", "found again by key: 7", "closed"
    ]  # fmt: skip


def test_a_doubt_is_looked_up() -> None:
    desk = Desk()
    desk.doubt = True
    assert lines(desk)[0] == "created 7"
    desk.blind = True
    with pytest.raises(InDoubt):
        lines(desk)


def test_a_search_that_shows_anything_is_refused_before_a_ticket_is_made() -> None:
    desk = Desk()
    desk.sees_all = True
    with pytest.raises(Permanent, match="never used"):
        lines(desk)
    assert desk.keys == []


def test_a_ticket_that_is_not_found_again_is_closed_and_told() -> None:
    desk = Desk()
    desk.blind = True
    said: list[str] = []
    with pytest.raises(Permanent, match="NOT found again"):
        said.extend(sinktest_of(App(desk), "toy"))
    assert said[-1] == "closed"


def test_an_ignored_close_is_told() -> None:
    desk = Desk()
    desk.status = TicketStatus.OPEN
    assert lines(desk)[-1] == "commented; it stays open there"


def test_an_unknown_name() -> None:
    with pytest.raises(NotFound, match="toy"):
        lines(Desk(), "tay")
