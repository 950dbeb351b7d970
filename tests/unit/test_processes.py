"""The crawl crew with toy children: small functions that hang, swell, crash or work on demand."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.engine import osproc
from crawler.engine.child import Child, Start
from crawler.engine.processes import MIB, CrawlCrew, Limits

pytestmark = pytest.mark.process

QUICK = Limits(silence=0.8, start=20.0, run_seconds=30.0, browser_gone=0.3, weigh_seconds=0.1)


def toy(channel: Any, beat: float = 0.1) -> None:
    """Does what the run id asks: 13 hangs in C, 66 swells, 77 dies, 99 fails, >= 1000 is slow."""
    running: dict[int, float] = {}
    stop = False
    while running or not stop:
        channel.beat(running)
        for what, *rest in channel.commands(beat):
            if what == "stop":
                stop = True
                continue
            channel.started(rest[0])
            running[rest[0]] = time.monotonic() + (rest[0] / 1000 if rest[0] >= 1000 else 0.05)
        for run_id in [run_id for run_id, at in running.items() if at <= time.monotonic()]:
            _do(channel, run_id)
            del running[run_id]


def _do(channel: Any, run_id: int) -> None:
    if run_id == 13:
        ctypes.PyDLL(None).sleep(60)
    if run_id == 66:
        ballast = bytearray(120 * MIB)
        while ballast:
            channel.beat((run_id,))
            time.sleep(0.05)
    if run_id == 77:
        os.kill(os.getpid(), signal.SIGSEGV)
    channel.failed(run_id, "asked to") if run_id == 99 else channel.done(run_id)


def nobody(channel: Any) -> None:
    raise RuntimeError("no such database")


def with_grandchild(channel: Any, note: str) -> None:
    """A browser child: starts a process in a session of its own, as a browser does."""
    channel.beat()
    helper = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(120)", "--remote-debugging-pipe"], start_new_session=True
    )
    Path(note).write_text(str(helper.pid))
    while True:
        channel.beat()
        for what, *rest in channel.commands(0.1):
            if what == "run":
                channel.started(rest[0])


class Log:
    def __init__(self) -> None:
        self.finished: list[int] = []
        self.failed: dict[int, str] = {}

    def fail(self, run_id: int, reason: str) -> None:
        self.failed[run_id] = reason


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def crews(log: Log) -> Iterator[Callable[..., CrawlCrew]]:
    made: list[CrawlCrew] = []

    def make(target: Callable[..., None] = toy, args: tuple[Any, ...] = (), limits: Limits = QUICK) -> CrawlCrew:
        made.append(CrawlCrew(target, args, limits, log.finished.append, log.fail))
        return made[-1]

    yield make
    for crew in made:
        crew.kill()


def until(crew: CrawlCrew, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while crew.running() and time.monotonic() < end:
        crew.poll(0.2)
    assert not crew.running(), f"still running after {seconds} s: {crew.running()}"


def alive(pid: int) -> bool:
    proc = osproc.read(pid)
    return proc is not None and proc.state not in "ZX"


def test_runs_end_and_share_one_child(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews()
    for run_id in (1, 2, 3, 99):
        crew.submit(run_id)
    crew.poll(0)
    assert list(crew.pids().values()) == ["http"]
    until(crew)
    assert sorted(log.finished) == [1, 2, 3]
    assert log.failed == {99: "asked to"}


def test_only_the_run_that_hangs_alone_fails(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews()
    for run_id in (13, *range(1, 12)):
        crew.submit(run_id)
    until(crew, 15)
    assert sorted(log.finished) == list(range(1, 12))
    assert list(log.failed) == [13]
    assert "no sign of life" in log.failed[13]


def test_a_child_that_swells_is_killed_and_named(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews(limits=Limits(silence=5.0, rss=100 * MIB, start=20.0, weigh_seconds=0.1))
    crew.submit(66)
    crew.submit(4)
    until(crew)
    assert log.finished == [4]
    assert "100 MiB" in log.failed[66]


def test_a_crash_is_tried_once_more_alone_and_told_by_its_signal(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews()
    crew.submit(77)
    crew.submit(5)
    until(crew)
    assert log.finished == [5]
    assert "SIGSEGV" in log.failed[77]


def test_the_wall_deadline_fails_only_the_late_run(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews(limits=Limits(silence=5.0, run_seconds=0.6, start=20.0))
    crew.submit(9000)
    crew.submit(6)
    until(crew)
    assert log.finished == [6]
    assert "within" in log.failed[9000]


def test_a_child_that_cannot_start_fails_its_runs_with_the_cause(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews(nobody)
    crew.submit(1)
    until(crew)
    assert "no such database" in log.failed[1]


def test_old_children_are_replaced_when_idle(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews(limits=Limits(recycle_runs=2, silence=5.0))
    seen = set()
    for run_id in (1, 2, 3):
        crew.submit(run_id)
        until(crew)
        crew.poll(0.3)
        seen |= set(crew.pids())
    assert len(seen) >= 2
    assert log.finished == [1, 2, 3]


def test_a_child_with_nothing_to_do_leaves_and_another_comes(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews(limits=Limits(silence=5.0, start=20.0, rest_seconds=0.3))
    crew.submit(1)
    until(crew)
    deadline = time.monotonic() + 15
    while crew.pids() and time.monotonic() < deadline:
        crew.poll(0.1)
    assert crew.pids() == {}
    crew.submit(2)
    until(crew)
    assert log.finished == [1, 2]


def test_drain_lets_runs_end_and_names_those_that_did_not(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews()
    for run_id in (1100, 60000):
        crew.submit(run_id)
    while not any(worker.child.beaten for worker in crew._workers):
        crew.poll(0.1)
    assert crew.drain(1.5) == (60000,)
    assert log.finished == [1100]
    assert crew.pids() == {}


def test_a_stopped_parent_does_not_count_as_the_child_s_silence(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews(limits=Limits(silence=3.0, start=20.0))
    crew.submit(1)
    until(crew)
    crew._looked -= 3600
    crew.poll(0)
    assert len(crew.pids()) == 1


@pytest.mark.skipif(not osproc.LINUX, reason="needs /proc")
def test_the_family_of_a_browser_child_goes_with_it(crews: Callable[..., CrawlCrew], log: Log, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    crew = crews(with_grandchild, (str(note),))
    crew.submit(1, browser=True)
    while not note.exists() or not note.read_text():
        crew.poll(0.1)
    helper = int(note.read_text())
    assert alive(helper)
    os.kill(next(iter(crew.pids())), signal.SIGKILL)
    until(crew)
    assert "SIGKILL" in log.failed[1]
    assert not alive(helper)


@pytest.mark.skipif(not osproc.LINUX, reason="needs /proc")
def test_a_run_whose_browser_died_fails(crews: Callable[..., CrawlCrew], log: Log, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    crew = crews(with_grandchild, (str(note),))
    crew.submit(1, browser=True)
    end = time.monotonic() + 10
    while not any(worker.browsers for worker in crew._workers) and time.monotonic() < end:
        crew.poll(0.1)
    os.kill(int(note.read_text()), signal.SIGKILL)
    until(crew)
    assert "browser died" in log.failed[1]


PARENT = """
import sys, time
sys.path.insert(0, {tests!r})
from crawler.engine.processes import CrawlCrew, Limits
from test_processes import toy, with_grandchild
if __name__ == "__main__":
    print_ = lambda *a: print(*a, flush=True)
    http = CrawlCrew(toy, (), Limits(), print_, print_)
    web = CrawlCrew(with_grandchild, ({note!r},), Limits(), print_, print_)
    http.submit(60000); web.submit(1, browser=True)
    told = False
    while True:
        http.poll(0.1); web.poll(0.1)
        if not told and all(w.child.beaten for c in (http, web) for w in c._workers):
            told = True
            print_(*http.pids(), *web.pids(), web._watcher.pid)
"""


@pytest.mark.skipif(not osproc.LINUX, reason="needs prctl")
def test_a_parent_that_is_killed_takes_everybody_along(tmp_path: Path) -> None:
    note, script = tmp_path / "pid", tmp_path / "parent.py"
    script.write_text(PARENT.format(tests=str(Path(__file__).parent), note=str(note)))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        while not note.exists() or not note.read_text():
            time.sleep(0.05)
        pids.append(int(note.read_text()))
        assert all(alive(pid) for pid in pids)
        parent.kill()
    end = time.monotonic() + 8
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert [pid for pid in pids if alive(pid)] == []


@pytest.mark.skipif(not osproc.LINUX, reason="needs /proc")
def test_the_sweep_takes_orphans_of_dead_crews_only() -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = osproc.crew_marker()
    space = ours.split(".")[0]
    lost = {**os.environ, osproc.MARKER: f"{space}.999999.1.1"}
    with (
        subprocess.Popen(sleeper, env=lost, start_new_session=True) as orphan,
        subprocess.Popen(sleeper, env={**os.environ, osproc.MARKER: f"{ours}.1"}, start_new_session=True) as kept,
    ):
        time.sleep(0.1)
        osproc.sweep()
        assert orphan.wait(5) == -signal.SIGKILL
        assert kept.poll() is None
        kept.kill()


def test_new_arguments_reach_new_runs_while_old_ones_end(crews: Callable[..., CrawlCrew], log: Log) -> None:
    crew = crews()
    crew.submit(2000)
    while not any(worker.child.beaten for worker in crew._workers):
        crew.poll(0.1)
    (old,) = crew.pids()
    crew.renew((0.05,))
    crew.submit(1)
    while 1 not in log.finished:
        crew.poll(0.1)
    assert log.finished == [1], "the new run does not wait for the old one"
    assert set(crew.pids()) > {old}
    until(crew)
    assert log.finished == [1, 2000]
    assert log.failed == {}


def test_what_a_callback_could_not_take_is_told_again() -> None:
    told: list[int] = []

    def finished(run_id: int) -> None:
        told.append(run_id)
        if told.count(run_id) == 1:
            raise OSError("the database is locked")

    crew = CrawlCrew(toy, (), QUICK, finished, lambda run_id, reason: finished(run_id))
    try:
        for run_id in (1, 2, 99):
            crew.submit(run_id)
        end = time.monotonic() + 10
        while crew.running() and time.monotonic() < end:
            with contextlib.suppress(OSError):
                crew.poll(0.2)
        assert sorted(told) == [1, 1, 2, 2, 99, 99]
    finally:
        crew.kill()


def test_a_system_without_proc_still_crawls(
    crews: Callable[..., CrawlCrew], log: Log, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(osproc, "LINUX", False)
    monkeypatch.setattr(osproc, "_PROC", tmp_path / "nothing")
    assert osproc.sweep() == 0
    crew = crews()
    for run_id in (1, 13):
        crew.submit(run_id)
    crew.submit(2, browser=True)
    until(crew, 15)
    assert sorted(log.finished) == [1, 2]
    assert list(log.failed) == [13]


def busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.skipif(not osproc.LINUX, reason="only Linux counts it")
def test_time_in_line_for_a_processor_is_known() -> None:
    """Three processes on one processor: each stands in line most of the time."""
    context = multiprocessing.get_context("fork")
    crowd = [context.Process(target=busy, args=(5.0,), daemon=True) for _ in range(3)]
    for process in crowd:
        process.start()
        os.sched_setaffinity(process.pid or 0, {min(os.sched_getaffinity(0))})
    before = sum(osproc.waited(process.pid or 0) for process in crowd)
    time.sleep(0.6)
    after = sum(osproc.waited(process.pid or 0) for process in crowd)
    for process in crowd:
        process.kill()
        process.join()
    assert after - before > 0.3
    assert osproc.waited(2**22 + 1) == 0.0


@pytest.mark.parametrize(("stood", "share"), [(0.0, 0.0), (0.1, 0.4), (5.0, 0.8)])
def test_a_child_in_line_for_a_processor_is_not_silent(
    stood: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = iter([10.0, 10.0 + stood])
    monkeypatch.setattr(osproc, "waited", lambda pid: next(waited))
    child = Child(busy, (0.0,), Start("toy", "toy-marker"))
    try:
        assert child.starved(0.25) == 0.0
        child.silent = 2.0
        assert child.starved(0.25) == 0.0
        assert child.starved(0.25) == pytest.approx(share)
    finally:
        child.kill()
        child.close()
