"""The supervisor with toy services: they are kept alive, told of, stopped and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from crawler.engine import osproc
from crawler.engine.supervisor import Service, Supervisor

pytestmark = pytest.mark.process


def steady(channel: Any) -> None:
    while True:
        channel.beat()
        if any(command[0] == "stop" for command in channel.commands(0.1)):
            return


def stubborn(channel: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel.beat()
    time.sleep(60)


def mute(channel: Any) -> None:
    channel.beat()
    time.sleep(60)


def falling(channel: Any) -> None:
    raise RuntimeError("port 8080 is taken")


class Watch:
    """Runs a supervisor in the main thread and stops it when `until` holds, or after `seconds`."""

    def __init__(self, services: dict[str, Service], **more: Any) -> None:
        self.down: list[tuple[str, str]] = []
        self.up: list[str] = []
        self.ticks = 0
        self.until = lambda: False
        self.supervisor = Supervisor(
            services,
            self._tick,
            tick_seconds=0.05,
            on_down=lambda *told: self.down.append(told),
            on_up=self.up.append,
            **more,
        )

    def _tick(self) -> None:
        self.ticks += 1
        if self.until() or time.monotonic() > self.end:
            self.supervisor.stop()

    def run(self, seconds: float = 8.0) -> None:
        self.end = time.monotonic() + seconds
        self.supervisor.run()


def alive(pid: int) -> bool:
    proc = osproc.read(pid)
    return proc is not None and proc.state not in "ZX"


def test_a_killed_child_comes_back_and_both_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.engine.supervisor.FIRST_WAIT", 0.1)
    monkeypatch.setattr("crawler.engine.supervisor.SETTLE", 0.1)
    watch = Watch({"web": Service(steady), "worker": Service(steady)})
    seen: list[int] = []

    def until() -> bool:
        pids = watch.supervisor.pids()
        if not seen and len(pids) == 2 and all(slot.child and slot.child.beaten for slot in watch.supervisor._slots):
            seen.extend(pids.values())
            os.kill(pids["web"], signal.SIGKILL)
        return bool(watch.up)

    watch.until = until
    watch.run()
    assert watch.down == [("web", "its process was ended by SIGKILL")]
    assert watch.up == ["web"]
    assert watch.ticks > 3
    assert not any(alive(pid) for pid in seen)


def test_a_child_that_cannot_stand_is_told_once_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.engine.supervisor.FIRST_WAIT", 0.05)
    watch = Watch({"web": Service(falling)})
    watch.until = lambda: watch.supervisor._slots[0].failures >= 3
    watch.run()
    assert watch.supervisor._slots[0].failures >= 3
    assert watch.down == [("web", "RuntimeError: port 8080 is taken")]
    assert watch.up == []


def test_a_silent_child_is_replaced() -> None:
    watch = Watch({"worker": Service(mute, silence=0.5)})
    watch.until = lambda: bool(watch.down)
    watch.run()
    assert watch.down == [("worker", "no sign of life for 0 s")]


def test_sigterm_stops_claiming_drains_and_kills_what_stays() -> None:
    told: list[Any] = []
    watch = Watch(
        {"worker": Service(stubborn)},
        on_stop=lambda: told.append("stop"),
        before_kill=lambda seconds: told.append(seconds),
        stop_seconds=0.5,
    )
    pids: list[int] = []

    def until() -> bool:
        slot = watch.supervisor._slots[0]
        if slot.child and slot.child.beaten and not pids:
            pids.append(slot.child.pid)
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    watch.until = until
    begun = time.monotonic()
    watch.run()
    assert told[0] == "stop"
    assert 0 < told[1] <= 0.5
    assert time.monotonic() - begun < 5
    assert pids
    assert not alive(pids[0])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_error_in_a_tick_or_a_pause_does_not_end_the_service() -> None:
    ticks = []

    def idle(seconds: float) -> None:
        raise OSError("database")

    def tick() -> None:
        ticks.append(1)
        if len(ticks) > 3:
            supervisor.stop()
        raise OSError("disk")

    supervisor = Supervisor({}, tick, tick_seconds=0.01, idle=idle)
    guard = threading.Timer(5, supervisor.stop)
    guard.start()
    supervisor.run()
    guard.cancel()
    assert len(ticks) == 4


PARENT = """
import sys
sys.path.insert(0, {tests!r})
from crawler.engine.supervisor import Service, Supervisor
from test_supervisor import steady
if __name__ == "__main__":
    def tick():
        if all(slot.child and slot.child.beaten for slot in supervisor._slots):
            print(*supervisor.pids().values(), flush=True)
    supervisor = Supervisor({{"web": Service(steady), "worker": Service(steady)}}, tick, tick_seconds=0.1)
    supervisor.run()
"""


@pytest.mark.skipif(not osproc.LINUX, reason="needs prctl")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_child_outlives_the_parent(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(tests=str(Path(__file__).parent)))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(number)
        parent.stdout.close()
        parent.wait(10)
    end = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    assert [pid for pid in pids if alive(pid)] == []
