"""What needs a person becomes one Alert, tells once, and goes by itself: each condition made true and untrue again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from e2e.site import Entry
from e2e.stock import Stock

from crawler.app import health, now
from crawler.app.alerting import Sender
from crawler.app.working import _Stop, _Worker
from crawler.errors import Transient
from crawler.model import Remote, Ticket, Verdict

pytestmark = pytest.mark.e2e

ENTRIES = [Entry(str(number), f"Nova Pay again, number {number}") for number in range(3)]


@pytest.fixture
def stock(store_url: str, tmp_path: Path) -> Iterator[Stock]:
    stock = Stock(tmp_path, store_url)
    stock.crawl("news", ENTRIES)
    stock.work()
    yield stock
    stock.close()


def ago(stock: Stock, **past: float) -> object:
    """An instant of the past as a raw column value."""
    at = now() - timedelta(**past)
    return int(at.timestamp() * 1_000_000) if stock.url.startswith("sqlite") else at


def open_keys(stock: Stock) -> list[str]:
    health.watch(stock.opened)
    return [alert.key for alert in stock.opened.store.alerts.open()]


def test_nothing_is_wrong_with_a_working_past(stock: Stock) -> None:
    assert open_keys(stock) == []
    assert health.readiness(stock.opened) == (True, [])


STUCK = {
    "match": "UPDATE posts SET matched_with = NULL, changed_at = :at WHERE id = 1",
    "analyse": "UPDATE mentions SET status = 'found', changed_at = :at WHERE id = 1",
    "triage": "UPDATE mentions SET status = 'analysed', changed_at = :at WHERE id = 1",
    "deliver": "UPDATE deliveries SET status = 'pending', attempts = 0, not_before = :at WHERE id = 1",
}


@pytest.mark.parametrize("stage", STUCK)
def test_a_stage_that_does_not_move_is_told(stock: Stock, stage: str) -> None:
    stock.execute(STUCK[stage], at=ago(stock, minutes=1))
    assert open_keys(stock) == [], "a minute is no standstill"
    stock.execute(STUCK[stage], at=ago(stock, minutes=5))
    assert open_keys(stock) == [f"stage:{stage}"] == open_keys(stock)
    ready, causes = health.readiness(stock.opened)
    assert not ready and "5 minutes" in causes[0]
    stock.execute(STUCK[stage], at=ago(stock, seconds=1))
    assert open_keys(stock) == []
    assert len(stock.rows("alerts")) == 1


def test_a_silent_source_is_told(stock: Stock) -> None:
    silent = "UPDATE sources SET usual_gap_seconds = :gap, last_new_at = :at WHERE name = 'news'"
    stock.execute(silent, gap=3600.0, at=ago(stock, hours=20))
    assert open_keys(stock) == []
    stock.execute(silent, gap=3600.0, at=ago(stock, hours=30))
    assert open_keys(stock) == ["source:news:silent"]
    stock.opened.store.sources.pause("news")
    assert open_keys(stock) == [], "a paused source is silent on purpose"
    stock.opened.store.sources.resume("news")
    assert open_keys(stock) == ["source:news:silent"]
    stock.crawl("news", [*ENTRIES, Entry("new", "at last")])
    assert open_keys(stock) == []


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.BLOCKED, Verdict.CHANGED, Verdict.TRAP, Verdict.TOO_BIG])
def test_every_bad_end_of_a_crawl_is_told(stock: Stock, verdict: Verdict) -> None:
    store = stock.opened.store
    run = store.sources.claim("test", ["news"], now(), 60.0, 1)[0]
    store.runs.finish(run, verdict, "why it was so", 0.1, now())
    assert open_keys(stock) == ["source:news:failing"]
    assert "why it was so" in store.alerts.open()[0].cause and store.alerts.open()[0].source == "news"
    assert health.readiness(stock.opened)[0], "somebody else's outage does not take us out of service"
    stock.crawl("news", ENTRIES)
    assert open_keys(stock) == []


class Ear:
    """A sink that may be deaf."""

    kind, can = "ear", frozenset[str]()

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.deaf = False

    def create(self, ticket: Ticket) -> Remote:
        if self.deaf:
            raise Transient("deaf")
        self.heard.append(ticket.key)
        return Remote("1")


def test_each_target_hears_once_also_when_another_is_deaf(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    ears = {"one": Ear(), "two": Ear()}
    ears["one"].deaf = True
    monkeypatch.setattr("crawler.app.alerting.targets_of", lambda app, words: ears)
    stock.opened.store.alerts.set_("disk", "full")
    sender = Sender()
    assert [sender.send(stock.opened) for _ in range(3)] == [0, 0, 0]
    assert ears["two"].heard == ["mc-alert-1"] and ears["one"].heard == []
    ears["one"].deaf = False
    assert sender.send(stock.opened) == 0, "a deaf one is not shouted at every second"
    sender.not_before.clear()
    assert sender.send(stock.opened) == 1 and sender.send(stock.opened) == 0
    stock.opened.store.alerts.clear("disk")
    assert sender.send(stock.opened) == 1
    assert [ear.heard for ear in ears.values()] == [["mc-alert-1", "mc-alert-1-over"]] * 2


def test_two_services_tell_once(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear()
    monkeypatch.setattr("crawler.app.alerting.targets_of", lambda app, words: {"ear": ear})
    stock.opened.store.alerts.set_("disk", "full")
    assert stock.opened.store.leases.take("alerts", "the other service", 30.0) == 1
    assert Sender().send(stock.opened) == 0 and ear.heard == []


class Silent:
    """A channel to a parent that says nothing."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, ...]] = []

    def beat(self, running: object = ()) -> None: ...

    def commands(self, timeout: float = 0.0) -> list[tuple[str, ...]]:
        return self.orders


def test_a_stage_with_much_to_do_gives_way(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog in one stage does not keep the tickets of the others waiting."""
    monkeypatch.setattr("crawler.app.working.TURN", -1.0)
    monkeypatch.setattr("crawler.stages.match.BATCH", 2)
    stock.execute("UPDATE posts SET matched_with = NULL")
    stock.execute("UPDATE mentions SET status = 'found', analysed_version = 0 WHERE id = 1")
    worker = _Worker(Silent(), stock.opened)
    assert worker.once() is False, "there is more"
    waiting = [row["matched_with"] for row in stock.rows("posts")].count(None)
    assert waiting == 1, "one batch of two was matched, then the others had their turn"
    assert {row["status"] for row in stock.rows("mentions")} <= {"ticketed", "joined"}
    worker.once()
    assert worker.once() is True
    assert [row["matched_with"] for row in stock.rows("posts")].count(None) == 0


def test_the_end_comes_between_two_batches(stock: Stock) -> None:
    channel = Silent()
    worker = _Worker(channel, stock.opened)
    channel.orders = [("stop",)]
    stock.execute("UPDATE posts SET matched_with = NULL")
    told: Callable[[int], None] = worker._told("match")
    with pytest.raises(_Stop):
        told(1)
    with pytest.raises(_Stop):
        worker.once()
    assert stock.books().gaps == ()
