"""The digest: five lines, once a day for each brand and recipient, by whichever service comes first."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler import config as config_room
from crawler.app import App, digesting
from crawler.app.digesting import Digester, digest_of
from crawler.app.syncing import sync
from crawler.errors import ConfigError, InDoubt, NotFound, Permanent, Transient
from crawler.model import Remote, Ticket
from crawler.reports.digest import compose
from crawler.store import DayNumbers, Store
from sinks.base import Sink, Tools

NUMBERS = DayNumbers(42, 30, {"negative": 12, "neutral": 25, "positive": 4}, 8, 3, 5, 4, 2, 1, 6, 7)
TEXT = """\
timezone: Europe/Kyiv
brands: [{name: Nova}, {name: Ladna Pay}]
digest: {at: "09:00", send_to: [ear]}
sinks:
  - {name: ear, kind: webhook, url: https://ear.example/}
"""
NINE = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)  # in Kyiv


class Ear(Sink):
    """Hears, or fails as it is told to."""

    kind = "ear"

    def __init__(self, *script: Exception | None, searchable: bool = False) -> None:
        super().__init__("ear", Sink.Settings(), Tools(http=None))  # type: ignore[arg-type]
        self.script, self.heard, self.searchable = list(script), list[Ticket](), searchable

    def create(self, ticket: Ticket) -> Remote:
        error = self.script.pop(0) if self.script else None
        if error is None or isinstance(error, InDoubt):
            self.heard.append(ticket)
        if error is not None:
            raise error
        return Remote("1")

    def find(self, key: str) -> Remote | None:
        return Remote("1") if any(ticket.key == key for ticket in self.heard) else None

    @property
    def can(self) -> frozenset[str]:
        return super().can if self.searchable else super().can - {"find"}


class House:
    """Some services over one database, whose clock is ours."""

    def __init__(self, folder: Path, url: str) -> None:
        self.path, self.url, self.at = folder / "mention-crawler.yaml", url, NINE
        self.path.write_text(f"database: {{url: '{url}'}}\n{TEXT}", encoding="utf-8")
        self.stores: list[Store] = []

    def service(self, ear: Ear) -> App:
        app = App(config_room.load(self.path))
        store = Store.open(self.url, durable=False, now=lambda: self.at)
        self.stores.append(store)
        sinks: Mapping[str, Any] = {"ear": ear}
        app.__dict__.update({"store": store, "sinks": sinks})
        if len(self.stores) == 1:
            sync(app)
        return app

    def close(self) -> None:
        for store in self.stores:
            store.close()


@pytest.fixture
def house(sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    path = tmp_path / "digest.db"
    shutil.copyfile(sqlite_template, path)
    house = House(tmp_path, f"sqlite:///{path}")
    yield house
    house.close()


def test_five_lines() -> None:
    digest = compose("Nova", "2026-11-22", NUMBERS, ["a source\nfails", "b"], "en")
    assert digest.subject == "Nova, 2026-11-22: mentions 42, negative 12, tickets 8"
    assert digest.lines == (
        "Mentions: 42 (30 the day before)",
        "Tone: 12 negative, 25 neutral, 4 positive, 1 not tagged yet",
        "Tickets: 8 opened, 3 follow-ups, 5 solved",
        "Waiting: 4 in review, 2 undecided, 1 on their way, 6 parked, 7 overdue",
        "Alerts: 2: a source fails; b",
    )


@pytest.mark.parametrize("language", ["en", "uk", "ru"])
def test_five_lines_in_each_language(language: str) -> None:
    digest = compose("No {va}", "2026-11-22", NUMBERS, ["x {y}"] * 9, language)
    assert len(digest.lines) == 5 and not any("\n" in line for line in digest.lines)
    assert all(str(number) in " ".join(digest.lines) for number in (42, 30, 12, 25, 8, 3, 5, 6, 7))


def test_once_a_day_for_each_brand_by_one_of_two_services(house: House) -> None:
    one, other = Ear(), Ear()
    apps = [house.service(one), house.service(other)]
    digesters = [Digester(), Digester()]
    early = NINE - timedelta(seconds=1)
    assert [digester.send(app, early) for digester, app in zip(digesters, apps, strict=True)] == [0, 0]
    for _ in range(3):
        for digester, app in zip(digesters, apps, strict=True):
            digester.send(app, NINE)
    assert sorted(ticket.brand for ticket in one.heard + other.heard) == ["Ladna Pay", "Nova"]
    assert Digester().send(apps[0], NINE + timedelta(hours=5)) == 0, "a restart sends nothing again"
    house.at += timedelta(days=1)
    assert Digester().send(apps[0], NINE + timedelta(days=1)) == 2


def test_the_day_is_local_also_when_the_clock_changes(house: House) -> None:
    ear = Ear()
    app = house.service(ear)
    summer = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
    assert Digester().send(app, summer - timedelta(minutes=1)) == 0
    assert Digester().send(app, summer) == 2


@pytest.mark.parametrize("error", [Transient("down"), Permanent("no such box")])
def test_what_fails_is_an_alert_and_tried_again(house: House, error: Exception) -> None:
    ear = Ear(error, error)
    app, digester = house.service(ear), Digester()
    assert digester.send(app, NINE) == 0 and ear.heard == []
    assert {alert.key for alert in app.store.alerts.open()} == {"digest:ear:Nova", "digest:ear:Ladna Pay"}
    assert digester.send(app, NINE) == 0, "not before the claim has run out"
    house.at += timedelta(seconds=digesting.LEASE + 1)
    assert digester.send(app, NINE + timedelta(hours=1)) == 2
    assert app.store.alerts.open() == [] and len(ear.heard) == 2


def test_an_alert_about_somebody_who_is_no_longer_told_is_over(house: House) -> None:
    app, digester = house.service(Ear(Permanent("no such box"))), Digester()
    digester.send(app, NINE)
    assert [alert.key for alert in app.store.alerts.open()] == ["digest:ear:Nova"], "the other brand's went"
    house.path.write_text(house.path.read_text().replace('at: "09:00", send_to: [ear]', ""), encoding="utf-8")
    digester.send(house.service(Ear()), NINE)
    assert app.store.alerts.open() == []


@pytest.mark.parametrize("searchable", [True, False])
def test_after_a_doubt_it_does_not_come_twice(house: House, searchable: bool) -> None:
    ear = Ear(InDoubt("cut"), InDoubt("cut"), searchable=searchable)
    app, digester = house.service(ear), Digester()
    digester.send(app, NINE)
    house.at += timedelta(seconds=digesting.LEASE + 1)
    digester.send(app, NINE)
    assert sorted(ticket.brand for ticket in ear.heard) == ["Ladna Pay", "Nova"]


def test_a_service_that_dies_while_sending_is_followed_by_another(house: House) -> None:
    ear = Ear()
    app = house.service(ear)
    assert app.store.digests.claim("2026-11-22/ear/Nova", "dead", digesting.LEASE) == 1
    assert Digester().send(app, NINE) == 1
    house.at += timedelta(seconds=digesting.LEASE + 1)
    assert Digester().send(app, NINE) == 1 and len(ear.heard) == 2


def test_the_command_prints_what_the_mail_says(house: House) -> None:
    app = house.service(Ear())
    assert digest_of(app, "Nova").lines[0] == "Mentions: 0 (0 the day before)"
    assert digest_of(app, "Nova", "2026-03-29").subject.startswith("Nova, 2026-03-29")
    with pytest.raises(NotFound, match="there is no brand 'Nowa'"):
        digest_of(app, "Nowa")
    with pytest.raises(NotFound, match="is no day"):
        digest_of(app, "Nova", "yesterday")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("digest: {at: '25:00', send_to: [desk]}", "hours go to 23"),
        ("digest: {at: '09:00'}", "send_to names nobody"),
        ("digest: {send_to: [boss@example.com]}", "at does not say when"),
        ("digest: {at: '09:00', send_to: [dsk]}", "neither a sink nor a mail address; did you mean 'desk'"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "mention-crawler.yaml"
    path.write_text(f"brands: [{{name: Nova}}]\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        config_room.load(path, {})
