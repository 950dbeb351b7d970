"""Deliveries: how many a second, what 100,000 waiting ones cost, and how soon after a restart the first one goes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.filling import fill
from benchmarks.receiver import receiver, told
from benchmarks.row import Row

if TYPE_CHECKING:
    from crawler.store import Store
    from sinks.base import Sink

AT_ONCE, SLOW = 2000, 300
WAITING = int(os.environ.get("BENCH_WAITING", "100000"))
SINK = "helpdesk"


def run() -> Iterator[Row]:
    """Two rates, then the full outbox."""
    with tempfile.TemporaryDirectory() as folder:
        yield _rate(Path(folder) / "at_once.db", AT_ONCE, 0.0)
        yield _rate(Path(folder) / "slow.db", SLOW, 0.3)
        yield from _full(Path(folder))


def _rate(path: Path, count: int, seconds: float) -> Row:
    from crawler.store import Store

    with Store.create(f"sqlite:///{path}") as store, receiver(seconds) as address:
        fill(store, count, SINK)
        began = time.perf_counter()
        sent = _deliver(store, _sink(store, address))
        spent = time.perf_counter() - began
    assert sent == count, f"{sent} of {count} were sent"
    name = f"a helpdesk that takes {seconds * 1000:.0f} ms" if seconds else "a helpdesk that answers at once"
    return Row(f"deliveries to {name}", f"{sent / spent:.0f} a second", f"{count} tickets, SQLite, synchronous=FULL")


def _deliver(store: Store, sink: Sink) -> int:
    from crawler.stages import deliver

    return deliver.run(store, {SINK: sink}, "benchmark", lambda: datetime.now(UTC)).sent


def _sink(store: Store, address: str) -> Sink:
    from ipaddress import ip_network

    from crawler.net.guard import EgressPolicy
    from crawler.net.http import HttpClient
    from sinks.base import Tools
    from sinks.webhook import Webhook

    client = HttpClient(policy=EgressPolicy(allow_private=(ip_network("127.0.0.0/8"),)))
    settings = Webhook.Settings.model_validate({"url": address, "lookup_url": f"{address}/{{key}}"})
    return Webhook(SINK, settings, Tools(http=client))


def _full(folder: Path) -> Iterator[Row]:
    from crawler.store import Store

    path = folder / "full.db"
    with Store.create(f"sqlite:///{path}", durable=False) as store:
        began = time.perf_counter()
        fill(store, WAITING, SINK)
        filled = time.perf_counter() - began
        claims = [_claim_seconds(store) for _ in range(20)]
    yield Row(f"{WAITING} tickets made", f"{WAITING / filled:.0f} a second", "post, mention, analysis, ticket")
    slowest = max(claims) * 1000
    yield Row(f"a claim of 50 among {WAITING} waiting", f"{sum(claims) * 50:.1f} ms", f"slowest {slowest:.1f} ms")
    shutil.copyfile(path, folder / "again.db")
    yield _memory(folder / "again.db")
    yield _restart(folder, path)


_COMMAND = "from crawler.cli import main; main()"


def _claim_seconds(store: Store) -> float:
    began = time.perf_counter()
    claimed = store.outbox.claim("benchmark", datetime.now(UTC), 50, 60.0, [SINK])
    spent = time.perf_counter() - began
    assert len(claimed) == 50, "the outbox is not as full as it should be"
    store.outbox.release("benchmark")
    return spent


def _memory(path: Path) -> Row:
    with receiver(0.0) as address:
        command = [sys.executable, "-c", _CHILD, f"sqlite:///{path}", address]
        peak, sent, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    rate = f"{int(sent) / float(seconds):.0f} a second"
    return Row(f"a sender with {WAITING} waiting", f"{int(peak) // 1024} MiB at its peak", f"{sent} sent, {rate}")


_CHILD = """
import sys, time
from benchmarks.deliveries import peak_after
print(*peak_after(sys.argv[1], sys.argv[2]))
"""


def peak_after(url: str, address: str, seconds: float = 20.0) -> tuple[int, int, float]:
    """Send for so long; the peak memory of this process in KiB, how many went, and in what time."""
    from crawler.stages import deliver
    from crawler.store import Store

    store, crew = Store.open(url), deliver.Couriers()
    began, sent = time.perf_counter(), 0
    sinks = {SINK: _sink(store, address)}
    while time.perf_counter() - began < seconds:
        sent += deliver.run(store, sinks, "benchmark", lambda: datetime.now(UTC), couriers=crew).sent
        time.sleep(0.1)
    crew.stop()
    sent += crew.gather().sent
    spent = time.perf_counter() - began
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sent, spent


def _restart(folder: Path, path: Path) -> Row:
    """The whole service, started over the full outbox as after a crash: until the helpdesk hears of a ticket."""
    with receiver(0.0) as address:
        config = folder / "mention-crawler.yaml"
        config.write_text(
            f"database: {{url: 'sqlite:///{path}'}}\nnetwork: {{allow_private: [127.0.0.0/8]}}\n"
            "web: {port: 0}\nbrands: [{name: Ladna Pay}]\n"
            "sources: [{name: feed, kind: feed, url: 'http://127.0.0.1:9/feed', cron: '0 0 1 1 *'}]\n"
            f"tickets: {{send_to: [{SINK}]}}\n"
            f"sinks: [{{name: {SINK}, kind: webhook, url: '{address}', lookup_url: '{address}/{{key}}'}}]\n",
            encoding="utf-8",
        )
        _take_over(config)
        command = [sys.executable, "-c", _COMMAND, "run", "--config", str(config)]
        began = time.time()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            first = _first(address, began + 60)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    what = f"the service, {WAITING} waiting"
    return Row("restart to the first delivery", f"{first - began:.1f} s", what, None, "5 s")


def _take_over(config: Path) -> None:
    """The service that fell had this config in force."""
    from crawler.app import App
    from crawler.app.syncing import sync

    app = App.load(str(config))
    sync(app)
    app.close()


def _first(address: str, deadline: float) -> float:
    while time.time() < deadline:
        if found := float(told(address)["first"]):
            return found
        time.sleep(0.05)
    raise AssertionError("nothing was delivered within a minute")
