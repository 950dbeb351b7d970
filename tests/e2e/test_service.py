"""`mention-crawler run`, the real service as processes: it crawls, heals, tells, and goes when it is asked to.

One service serves most of these tests, in the order in which they stand here; each leaves it as it found it.
"""

from __future__ import annotations

import email
import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from e2e.installation import Installation, Service, _free_port, until
from e2e.site import Entry, Site
from postgres_server import PostgresServer

import sentiment
from crawler.app import App, keeping
from crawler.app.service import ServiceParent
from crawler.model import Alert

pytestmark = pytest.mark.e2e

ALERT_SECONDS = 60.0
MODEL = Path(sentiment.__file__).parent / "model"


class Mailbox:
    """Keeps what is mailed."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content)
        message["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        self.messages.append(message)
        return "250 OK"


@dataclass
class World:
    """Two sites, a helpdesk, a pager, a mailbox, and the service that knows them all."""

    place: Installation
    smtp: Controller
    mailbox: Mailbox
    news: Site = field(default_factory=Site)
    flaky: Site = field(default_factory=Site)
    desk: Site = field(default_factory=Site)
    pager: Site = field(default_factory=Site)

    def configure(self, sources: str = "", rest: str = "") -> None:
        """The config with further sources and sections."""
        hook = "kind: webhook, url: '{0}/hook', lookup_url: '{0}/hook/{{key}}'"
        mail = f"kind: email, host: 127.0.0.1, port: {self.smtp.port}, security: none, sender: mc@shop.example"
        self.place.configure(
            f"  - {{name: news, kind: feed, url: '{self.news.url}/feed', every: 1s}}\n"
            f"  - {{name: flaky, kind: feed, url: '{self.flaky.url}/feed', every: 1s}}\n{sources}",
            "sinks:\n"
            f"  - {{name: helpdesk, {hook.format(self.desk.url)}, timeout: 2}}\n"
            f"  - {{name: pager, {hook.format(self.pager.url)}, timeout: 2}}\n"
            f"  - {{name: mail, {mail}, to: [team@shop.example]}}\n"
            f"alerts: {{send_to: [pager, ops@shop.example]}}\n{rest}",
            tickets="tickets: {when: [negative, neutral, positive], sure_at_least: 0.5, send_to: [desk, helpdesk]}",
        )

    @property
    def database(self) -> Path:
        return self.place.folder / "data" / "mentions.db"

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database, read from outside."""
        with closing(sqlite3.connect(self.database, timeout=20)) as base:
            return base.execute(query).fetchall()

    def alerts(self, key: str) -> list[Alert]:
        """Every alert of that condition, oldest first."""
        rows = self.ask("SELECT id, key, cause, source, resolved_at FROM alerts ORDER BY id")
        found = [Alert(name, cause, source, resolved_at=at, id=row) for row, name, cause, source, at in rows]
        return [alert for alert in found if alert.key == key]

    def raised(self, key: str) -> Alert | None:
        """The open alert of that condition."""
        return next((alert for alert in self.alerts(key) if alert.resolved_at is None), None)

    def over(self, key: str) -> bool:
        """Whether that condition was alerted and is resolved."""
        found = self.alerts(key)
        return bool(found) and all(alert.resolved_at is not None for alert in found)

    def say(self, name: str, text: str = "Nova Pay does it again") -> str:
        """One more entry in the news; returns its text."""
        self.news.feeds["/feed"] = [*self.news.feeds["/feed"], Entry(name, f"{text} ({name})")]
        return f"{text} ({name})"

    def ticketed(self, text: str) -> bool:
        """Whether the helpdesk has a ticket of that text."""
        return any(text in ticket["body"] for ticket in self.desk.tickets.values())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    mailbox = Mailbox()
    smtp = Controller(mailbox, hostname="127.0.0.1", port=_free_port())
    smtp.start()
    world = World(Installation(tmp_path_factory.mktemp("service")), smtp, mailbox)
    world.news.feeds["/feed"] = [Entry("1", "Nova Pay lost my transfer"), Entry("2", "Weather is fine")]
    world.flaky.feeds["/feed"] = [Entry("f1", "Nothing at all")]
    world.configure()
    yield world
    for site in (world.news, world.flaky, world.desk, world.pager):
        site.close()
    smtp.stop()


@pytest.fixture(scope="module")
def service(world: World) -> Iterator[Service]:
    service = Service(world.place)
    try:
        until(lambda: service.get("/healthz")[0] == 200, 60, "the service answers")
        until(lambda: world.ticketed("lost my transfer"), 60, "the first ticket")
        yield service
    finally:
        service.kill()


def roles(service: Service) -> dict[str, int]:
    """The children by what they have mapped: nobody's word is taken for it."""
    found: dict[str, int] = {}
    for pid, libraries in service.children().items():
        if "onnxruntime" in libraries:
            found["worker"] = pid
        elif "lxml" in libraries:
            found["crawl"] = pid
        elif "pydantic_core" in libraries:
            found["web"] = pid
    return found


def test_it_crawls_on_schedule_and_answers(world: World, service: Service) -> None:
    served = world.news.served["/feed"]
    until(lambda: world.news.served["/feed"] >= served + 2, 20, "two more crawls")
    assert service.get("/healthz") == (200, "ok\n")
    status, text = service.get("/readyz")
    assert status == 200 and json.loads(text) == {"ready": True, "causes": []}
    metrics = service.get("/metrics")[1]
    assert 'mention_crawler_deliveries{sink="helpdesk",status="sent"} 1.0' in metrics
    assert "127.0.0.1" not in metrics
    assert set(world.desk.created().values()) == {1}


def test_each_process_loads_only_what_it_needs(service: Service) -> None:
    from e2e.installation import mapped

    assert not mapped(service.process.pid) & {"onnxruntime", "lxml", "zope", "tokenizers", "uvloop"}
    found = roles(service)
    assert found.keys() == {"worker", "crawl", "web"}
    assert not mapped(found["worker"]) & {"lxml", "zope"}
    assert not mapped(found["crawl"]) & {"onnxruntime", "tokenizers"}
    assert not mapped(found["web"]) & {"onnxruntime", "lxml", "zope"}


def test_a_new_source_is_crawled_within_seconds(world: World, service: Service) -> None:
    world.news.feeds["/late"] = [Entry("l1", "Late, but Nova Pay is here")]
    world.configure(f"  - {{name: late, kind: feed, url: '{world.news.url}/late', every: 1s}}\n")
    until(lambda: world.news.served["/late"], 30, "the new source")
    text = service.log.read_text()
    assert "in force" in text and "Traceback" not in text


def test_a_broken_edit_changes_nothing_and_heals_itself(world: World, service: Service) -> None:
    world.place.config.write_text("sources:\n  - {name: news, kind: fed}\nbrnds: []\n")
    alert = until(lambda: world.raised("config"), ALERT_SECONDS, "the alert")
    assert ":3:1" in alert.cause and "brands" in alert.cause
    for pid in roles(service).values():
        os.kill(pid, signal.SIGKILL)
    text = world.say("while-broken")
    until(lambda: world.ticketed(text), 60, "the old config stays in force, also for processes that start now")
    assert json.loads(service.get("/readyz")[1])["causes"]
    world.configure()
    until(lambda: world.over("config"), 40, "healed")
    retired = "SELECT name FROM sources WHERE retired_at IS NOT NULL"
    assert world.ask(retired) == [("late",)]


@pytest.mark.parametrize("role", ["worker", "web", "crawl"])
def test_a_killed_child_comes_back(world: World, service: Service, role: str) -> None:
    key = "process:crawl-http" if role == "crawl" else f"process:{role}"
    until(lambda: world.over(key), 40, "the outage before")
    pid, before = until(lambda: roles(service).get(role), 30, role), len(world.alerts(key))
    os.kill(pid, signal.SIGKILL)
    until(lambda: len(world.alerts(key)) > before, 20, "the alert")
    assert "SIGKILL" in world.alerts(key)[-1].cause
    until(lambda: world.over(key), 40, "resolved")
    text = world.say(f"after-{role}")
    until(lambda: world.ticketed(text), 40, "the job goes on")
    assert until(lambda: roles(service).get(role), 30, role) != pid
    assert until(lambda: service.get("/healthz")[0] == 200, 30)


def test_tickets_wait_for_a_helpdesk_that_is_down(world: World, service: Service) -> None:
    world.desk.hook_status = 503
    texts = [world.say(f"down-{number}") for number in range(3)]
    alert = until(lambda: world.raised("sink:helpdesk:down"), ALERT_SECONDS, "the alert")
    assert "503" in alert.cause
    world.desk.hook_status = 200
    until(lambda: all(map(world.ticketed, texts)), 60, "delivered")
    until(lambda: world.over("sink:helpdesk:down"), 20, "resolved")
    assert set(world.desk.created().values()) == {1}


def test_parked_tickets_are_shown_and_retried(world: World, service: Service) -> None:
    world.desk.hook_status = 401
    text = world.say("parked")
    alert = until(lambda: world.raised("sink:helpdesk:parked"), ALERT_SECONDS, "the alert")
    assert "401" in alert.cause and not world.ticketed(text)
    world.desk.hook_status = 200
    other = Installation(world.place.folder)
    assert "1 deliveries" in other.run("tickets", "retry", "--sink", "helpdesk").err
    until(lambda: world.ticketed(text), 30, "delivered")
    until(lambda: world.over("sink:helpdesk:parked"), 20, "resolved")
    assert set(world.desk.created().values()) == {1}


def test_a_failing_source_is_told_once_and_so_is_its_end(world: World, service: Service) -> None:
    key = "source:flaky:failing"
    world.flaky.status["/feed"] = 500
    alert = until(lambda: world.raised(key), ALERT_SECONDS, "the alert")
    assert "flaky" in alert.cause and "500" in alert.cause and alert.source == "flaky"
    start, end = f"mc-alert-{alert.id}", f"mc-alert-{alert.id}-over"
    until(lambda: start in world.pager.tickets, 20, "the pager rings")
    time.sleep(3)
    del world.flaky.status["/feed"]
    # A failing source is asked less often; a person who mended it need not wait.
    until(lambda: world.over(key), 60, "resolved by itself")
    until(lambda: end in world.pager.tickets, 20, "the pager tells of the end")
    assert len(world.alerts(key)) == 1
    assert world.pager.created()[start] == world.pager.created()[end] == 1
    told = until(lambda: [m for m in world.mailbox.messages if "flaky" in str(m["Subject"])][1:] and world.mailbox, 20)
    about = [m for m in told.messages if "flaky" in str(m["Subject"])]
    assert len(about) == 2 and len({m["Message-ID"] for m in about}) == 2
    assert {m["X-Envelope-To"] for m in about} == {"ops@shop.example"}


def test_without_a_model_mentions_wait_and_are_tagged_later(world: World, service: Service) -> None:
    folder = world.place.folder / "tone"
    world.configure(rest="sentiment: {model: tone}")
    text = until(lambda: world.say("untagged"), 1)
    until(lambda: world.raised("model"), ALERT_SECONDS, "the alert for a missing model")
    until(lambda: world.ask("SELECT 1 FROM mentions WHERE status = 'found'"), 30, "the mention waits")
    assert not world.ticketed(text) and service.get("/readyz")[0] == 503
    broken = shutil.copytree(MODEL, world.place.folder / "broken")
    weights, whole = folder / "model.onnx", (broken / "model.onnx").read_bytes()
    (broken / "model.onnx").write_bytes(whole[:-100] + b"\0" * 100)
    broken.rename(folder)
    until(lambda: "model.onnx" in world.alerts("model")[-1].cause, 20, "the alert for a corrupt model")
    assert world.raised("model") and not world.ticketed(text), "a corrupt model tags nothing"
    weights.write_bytes(whole)
    until(lambda: world.ticketed(text), 40, "tagged and delivered")
    until(lambda: world.over("model"), 10, "resolved")
    world.configure()


def test_two_services_never_run_a_slot_twice_and_late_writes_are_refused(world: World, service: Service) -> None:
    world.news.feeds["/slow"] = [Entry("s1", "Nova Pay is slow")]
    world.news.slow["/slow"] = 5.0
    world.configure(f"  - {{name: slow, kind: feed, url: '{world.news.url}/slow', every: 1h}}\n")
    place = Installation(world.place.folder, port=world.place.port)
    until(lambda: world.news.served["/slow"], 30, "the first service has asked for the slow page")
    stopped = list(world.place.processes())
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    second = Service(place, "second")
    try:
        world.news.slow.clear()
        with closing(sqlite3.connect(world.database, timeout=20)) as base, base:
            base.execute("UPDATE sources SET lease_until = lease_until - 120000000")
        until(lambda: world.ask("SELECT 1 FROM posts WHERE text LIKE '%slow%'"), 60, "the second takes over")
        taken = until(lambda: world.raised("process:web"), 20, "its web server finds the port taken, and says so")
        assert f"127.0.0.1:{place.port}" in taken.cause and "set web.port" in taken.cause
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        until(lambda: world.ask("SELECT 1 FROM runs WHERE lost"), 20, "the late run was taken away")
        time.sleep(3)
        runs = world.ask(
            "SELECT source_id, slot, lost, new + seen + edited, owner FROM runs WHERE ended_at IS NOT NULL"
        )
        done = [(source, slot.split("#")[0]) for source, slot, lost, _, _ in runs if not lost]
        assert len(done) == len(set(done)), "a slot ran twice"
        assert [count for _, _, lost, count, _ in runs if lost] and not any(c for _, _, lost, c, _ in runs if lost)
        assert len({owner for *_, owner in runs}) >= 2, "both services crawled"
        assert world.ask("SELECT count(*) FROM posts WHERE text LIKE '%slow%'") == [(1,)]
        assert second.stop() == 0
        assert world.over("process:web") and "Traceback" not in second.log.read_text()
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        second.kill()
    assert set(world.desk.created().values()) == {1}
    Installation(world.place.folder).run("ledger")


def test_it_drains_at_sigterm_and_leaves_nothing(world: World, service: Service) -> None:
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 20
    assert until(lambda: not world.place.processes(), 5)
    assert world.ask("SELECT count(*) FROM sources WHERE lease_run IS NOT NULL") == [(0,)]
    log = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert all({"at", "level", "logger", "message"} <= row.keys() for row in log)
    assert {row["source"] for row in log if "source" in row and isinstance(row["run"], int)} >= {"news", "flaky"}
    Installation(world.place.folder).run("ledger")
    assert set(world.desk.created().values()) == {1}


@pytest.mark.postgres
def test_it_serves_on_postgresql_by_the_url_alone(tmp_path: Path, postgres: PostgresServer) -> None:
    url, site = postgres.new_database(), Site()
    site.feeds["/feed"] = [Entry("1", "Nova Pay lost my transfer")]
    place = Installation(tmp_path, {"MENTION_CRAWLER__DATABASE__URL": url})
    hook = f"{{name: hook, kind: webhook, url: '{site.url}/hook', lookup_url: '{site.url}/hook/{{key}}'}}"
    rule = "tickets: {when: [negative, neutral, positive], sure_at_least: 0.5, send_to: [desk, hook]}"
    news = f"  - {{name: news, kind: feed, url: '{site.url}/feed', every: 1s}}"
    place.configure(news, f"sinks: [{hook}]", tickets=rule)
    service = Service(place)
    try:
        until(lambda: len(site.tickets) == 1, 60, "the first ticket")
        os.kill(until(lambda: roles(service).get("crawl"), 20), signal.SIGKILL)
        site.feeds["/feed"] = [*site.feeds["/feed"], Entry("2", "Nova Pay found my transfer")]
        until(lambda: len(site.tickets) == 2, 40, "the second ticket")
        assert service.get("/metrics")[1].count('sink="hook",status="sent"} 2.0') == 1
        assert service.stop() == 0
    finally:
        service.kill()
        site.close()
    assert set(site.created().values()) == {1} and not list(tmp_path.rglob("*.db"))
    assert place.json("ledger")[0]["tickets"] == 2


def test_a_full_disk_pauses_collecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Installation(tmp_path)
    place.configure("  - {name: news, kind: feed, url: 'http://127.0.0.1:9/feed', every: 1s}")
    app = App.load(str(place.config))
    app.store_created()
    parent = ServiceParent(app, str(place.config))
    try:
        parent.begin()
        monkeypatch.setattr(keeping, "free_bytes", lambda place: 100 << 20)
        parent.rung.set()
        parent.tick()
        assert [alert.key for alert in app.store.alerts.open()] == ["disk"] and not parent.runs
        assert "100 MiB" in app.store.alerts.open()[0].cause
        monkeypatch.undo()
        parent.due.clear()
        parent.rung.set()
        parent.tick()
        assert app.store.alerts.open() == [] and len(parent.runs) == 1
    finally:
        parent.close()
