"""The crawl crew: who crawls in which process, and what happens when one of them hangs, swells or dies.

Runs without a browser share one long-lived child; each browser run has a child of its own. A child that is silent, too
heavy or dead is killed with its group. What it had not finished is run again, each run alone; a run that takes a child
down alone is reported as failed, all others go on.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from crawler.engine import osproc
from crawler.engine.child import Child, Message, Start

MIB = 1 << 20
_LEAN = 160 * MIB
_LOOK = 0.25
_NAP = 2.0
# How many children may still be on their way out (new arguments, old age) while a fresh one already works.
_LEAVING = 3
_FAREWELL = 10.0
# Time for a child to give back what a big page took before it counts as fat for good.
_FAT_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take. Seconds and bytes."""

    runs_at_once: int = 16
    browsers_at_once: int = 1
    alone_at_once: int = 2
    silence: float = 10.0
    start: float = 60.0
    run_seconds: float = 420.0
    browser_seconds: float = 420.0
    recycle_rss: int = 300 * MIB
    recycle_runs: int = 500
    rest_seconds: float = 60.0
    rss: int = 768 * MIB
    address_space: int = 2048 * MIB
    browser_rss: int = 1024 * MIB
    browser_tree: int = 1536 * MIB
    browser_gone: float = 8.0
    weigh_seconds: float = 1.0


@dataclass(slots=True)
class _Job:
    run_id: int
    browser: bool
    alone: bool = False
    starts: int = 0
    started: float | None = None


@dataclass(slots=True, eq=False)
class _Worker:
    """One child and what it has in hand. `leaving` workers get nothing new."""

    child: Child
    role: str
    jobs: dict[int, _Job] = field(default_factory=dict)
    given: int = 0
    leaving: bool = False
    browsers: set[int] = field(default_factory=set)
    orphaned_at: float | None = None
    idle_since: float | None = None
    rests_since: float | None = None
    fat_since: float | None = None


class CrawlCrew:
    """Runs crawls in children. Not thread-safe, and the one thread that uses it must live as long as the crew does.

    `target(channel, *args)` is a module-level function, `args` are picklable. `on_finished(run_id)`: the child wrote
    the end of the run into the database. `on_failed(run_id, reason)`: nobody wrote it; the caller must. A callback that
    raises ends the `poll` it was called from and is called again by the next one. `on_lost(role, reason)`: a child fell
    with work in hand or before anybody asked it to go; this one must not raise.
    """

    def __init__(
        self,
        target: Callable[..., None],
        args: tuple[Any, ...],
        limits: Limits,
        on_finished: Callable[[int], None],
        on_failed: Callable[[int, str], None],
        on_lost: Callable[[str, str], None] | None = None,
    ) -> None:
        self._target, self._args, self._limits = target, args, limits
        self._on_finished, self._on_failed, self._on_lost = on_finished, on_failed, on_lost
        self._http: deque[_Job] = deque()
        self._alone: deque[_Job] = deque()
        self._browser: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._ended: deque[tuple[_Job, str | None]] = deque()
        self._marker = osproc.crew_marker()
        self._born = 0
        self._false_starts = 0
        self._watcher: subprocess.Popen[bytes] | None = None
        self._looked = time.monotonic()
        self._weighed = 0.0
        self._stopping = False
        osproc.sweep()

    # what the caller asks

    def submit(self, run_id: int, browser: bool = False) -> None:
        """Queue a run; it starts at the next `poll` if there is room."""
        job = _Job(run_id, browser)
        (self._browser if browser else self._http).append(job)

    def renew(self, args: tuple[Any, ...]) -> None:
        """Children start with these arguments from now on; those that live end what they have in hand, and go."""
        self._args = args
        for worker in self._workers:
            self._dismiss(worker)

    def room(self, browser: bool = False) -> int:
        """How many more runs could start at once: what is worth claiming."""
        if browser:
            return max(0, self._limits.browsers_at_once - len(self._browser) - len(self._having("browser")))
        busy = sum(len(worker.jobs) for worker in self._having("http"))
        return max(0, self._limits.runs_at_once - len(self._http) - busy)

    def running(self) -> tuple[int, ...]:
        """Every run that was submitted and has not ended, queued ones included."""
        queued = [job.run_id for queue in self._queues() for job in queue]
        untold = [job.run_id for job, _ in self._ended]
        return tuple(queued + untold + [run_id for worker in self._workers for run_id in worker.jobs])

    def pids(self) -> dict[int, str]:
        """The children that live now and their roles: http, alone, browser."""
        return {worker.child.pid: worker.role for worker in self._workers}

    def poll(self, timeout: float = 0.0) -> int:
        """Start, hear and judge for up to `timeout` seconds; returns early, with their number, when runs have ended."""
        deadline = time.monotonic() + timeout
        while True:
            self._dispatch()
            left = deadline - time.monotonic()
            self._wait(min(max(left, 0.0), _LOOK))
            for worker in list(self._workers):
                self._hear(worker)
            self._judge()
            ended = self._tell()
            if ended or left <= 0:
                return ended

    def drain(self, seconds: float) -> tuple[int, ...]:
        """Start nothing more, let what runs end, kill the rest after `seconds`; the ids that did not end."""
        self._stopping = True
        deadline = time.monotonic() + seconds
        unstarted = [job.run_id for queue in self._queues() for job in queue]
        for queue in self._queues():
            queue.clear()
        for worker in self._workers:
            self._dismiss(worker)
        while self._workers and (left := deadline - time.monotonic()) > 0:
            self.poll(min(left, _LOOK))
        return tuple(unstarted) + self.kill()

    def kill(self) -> tuple[int, ...]:
        """End every child now; the ids of runs that did not end. The crew can not be used afterwards."""
        self._stopping = True
        left = [job.run_id for worker in list(self._workers) for job in self._bury(worker)]
        for queue in self._queues():
            left += [job.run_id for job in queue]
            queue.clear()
        self._dismiss_watcher()
        self._tell()
        return tuple(left)

    # who gets what

    def _queues(self) -> tuple[deque[_Job], ...]:
        return self._http, self._alone, self._browser

    def _having(self, role: str) -> list[_Worker]:
        return [worker for worker in self._workers if worker.role == role]

    def _dispatch(self) -> None:
        while self._http and (worker := self._free("http", 1, self._limits.runs_at_once)):
            self._give(worker, self._http.popleft())
        while self._alone and (worker := self._free("alone", self._limits.alone_at_once, 1)):
            self._give(worker, self._alone.popleft())
        while self._browser and (worker := self._free("browser", self._limits.browsers_at_once, 1)):
            self._give(worker, self._browser.popleft())
            worker.leaving = True
        for worker in self._having("alone") if not self._alone else ():
            if not worker.jobs and not worker.leaving:
                self._dismiss(worker)

    def _free(self, role: str, workers: int, jobs: int) -> _Worker | None:
        """A worker of this role with room, started if there may be one more; a leaving one counts while it works."""
        mine = self._having(role)
        for worker in mine:
            if not worker.leaving and len(worker.jobs) < jobs:
                return worker
        busy = sum(len(worker.jobs) for worker in mine)
        staying = sum(not worker.leaving for worker in mine)
        may = busy < workers * jobs and staying < workers and len(mine) <= workers + _LEAVING
        return self._hire(role) if may else None

    def _hire(self, role: str) -> _Worker | None:
        if self._stopping:
            return None
        self._born += 1
        if role == "browser":
            self._hire_watcher()
        start = Start(
            name=f"crawl-{role}-{self._born}",
            marker=f"{self._marker}.{self._born}",
            address_space=0 if role == "browser" else self._limits.address_space,
            lean=_LEAN,
        )
        worker = _Worker(Child(self._target, self._args, start), role)
        self._workers.append(worker)
        return worker

    def _give(self, worker: _Worker, job: _Job) -> None:
        job.started, job.starts = None, job.starts + 1
        worker.jobs[job.run_id] = job
        worker.given += 1
        worker.child.say("run", job.run_id, job.starts > 1)

    def _dismiss(self, worker: _Worker) -> None:
        worker.leaving = True
        worker.child.say("stop")

    # what the children say

    def _wait(self, timeout: float) -> None:
        if any(worker.child.ended for worker in self._workers):
            return
        ears: list[Any] = [worker.child.connection for worker in self._workers]
        ears += [worker.child.sentinel for worker in self._workers]
        if ears:
            wait(ears, timeout)
        else:
            time.sleep(timeout)

    def _hear(self, worker: _Worker) -> None:
        for message in worker.child.hear():
            self._take(worker, message)

    def _take(self, worker: _Worker, message: Message) -> None:
        what, *rest = message
        if what == "beat":
            self._false_starts = 0
        job = worker.jobs.get(rest[0]) if what in ("started", "done", "failed") else None
        if job is None:
            return
        if what == "started":
            job.started = time.monotonic()
            return
        del worker.jobs[job.run_id]
        self._ended.append((job, None if what == "done" else rest[1]))

    def _tell(self) -> int:
        """Report what has ended; what could not be reported stays for the next time. How many were."""
        told = 0
        for _ in range(len(self._ended)):
            job, reason = self._ended[0]
            self._ended.rotate(-1)
            if reason is None:
                self._on_finished(job.run_id)
            else:
                self._on_failed(job.run_id, reason)
            self._ended.remove((job, reason))
            told += 1
        return told

    # who has to go

    def _judge(self) -> None:
        """Look at every child a few times a second and put away those that hang, swell or are dead."""
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        weigh = now - self._weighed >= self._limits.weigh_seconds
        self._weighed = now if weigh else self._weighed
        for worker in list(self._workers):
            # Time in which we ourselves slept or were stopped is not the child's silence.
            # Neither is time in which it stood in line for a processor.
            worker.child.silent += min(passed, _NAP) * (1.0 - worker.child.starved(passed))
            self._judge_one(worker, now, weigh)

    def _judge_one(self, worker: _Worker, now: float, weigh: bool) -> None:
        if worker.child.ended:
            self._hear(worker)
            self._lost(worker, worker.child.how())
            return
        if late := self._late(worker, now):
            self._lost(worker, f"did not end within its {self._wall(late):.0f} s", guilty=late)
            return
        reason = self._silent(worker) or (self._too_heavy(worker) or self._browserless(worker, now) if weigh else None)
        if reason:
            self._lost(worker, reason)
        else:
            self._retire(worker, now)

    def _silent(self, worker: _Worker) -> str | None:
        limit = self._limits.silence if worker.child.beaten else self._limits.start
        if worker.child.silent <= limit:
            return None
        return (
            f"no sign of life for {limit:.0f} s: the parser or the page hangs"
            if worker.child.beaten
            else (f"the crawl process did not start within {limit:.0f} s")
        )

    def _wall(self, job: _Job) -> float:
        return self._limits.browser_seconds if job.browser else self._limits.run_seconds

    def _late(self, worker: _Worker, now: float) -> _Job | None:
        started = [job for job in worker.jobs.values() if job.started is not None]
        return next((job for job in started if now - (job.started or now) > self._wall(job)), None)

    def _too_heavy(self, worker: _Worker) -> str | None:
        limit = self._limits.browser_rss if worker.role == "browser" else self._limits.rss
        if worker.child.rss() > limit:
            return f"took more than {limit // MIB} MiB of memory"
        if worker.role == "browser" and osproc.LINUX:
            return self._heavy_tree(worker)
        return None

    def _heavy_tree(self, worker: _Worker) -> str | None:
        tree = osproc.family(worker.child.start.marker, worker.child.pid)
        worker.browsers |= osproc.browsers(tree - worker.browsers)
        gone = bool(worker.browsers) and not worker.browsers & tree
        worker.orphaned_at = (worker.orphaned_at or time.monotonic()) if gone else None
        if osproc.pss(tree) > self._limits.browser_tree:
            return f"the browser took more than {self._limits.browser_tree // MIB} MiB of memory"
        return None

    def _browserless(self, worker: _Worker, now: float) -> str | None:
        """A crawl whose browser died waits for ever; it gets a moment to notice by itself."""
        if worker.orphaned_at is None or now - worker.orphaned_at < self._limits.browser_gone:
            return None
        return "the browser died in the middle of the run"

    def _retire(self, worker: _Worker, now: float) -> None:
        """Replace an old or fat child once it is idle; one that does not go when asked is put away."""
        fat = worker.child.rss() > self._limits.recycle_rss
        worker.fat_since = (worker.fat_since or now) if fat else None
        spent = worker.given >= self._limits.recycle_runs or now - (worker.fat_since or now) > _FAT_SECONDS
        if worker.role != "browser" and (spent or self._rested(worker, now)):
            worker.leaving = True
        if not worker.leaving or worker.jobs:
            return
        if worker.idle_since is None:
            worker.idle_since = now
            worker.child.say("stop")
        if now - worker.idle_since > _FAREWELL:
            self._lost(worker, "did not go")

    def _rested(self, worker: _Worker, now: float) -> bool:
        """A child with nothing to do gives its memory back; starting one again costs a second."""
        if worker.jobs:
            worker.rests_since = None
            return False
        worker.rests_since = worker.rests_since or now
        return now - worker.rests_since > self._limits.rest_seconds

    # what becomes of their runs

    def _lost(self, worker: _Worker, reason: str, guilty: _Job | None = None) -> None:
        jobs = self._bury(worker)
        if self._on_lost and (jobs or not worker.leaving):
            self._on_lost(worker.role, reason)
        if not worker.child.beaten and jobs:
            self._false_starts += 1
        for job in jobs:
            if job is guilty or self._condemned(worker, job):
                self._ended.append((job, reason))
            else:
                self._again(job)

    def _condemned(self, worker: _Worker, job: _Job) -> bool:
        if not worker.child.beaten:
            return self._false_starts >= 2
        if job.browser:
            return job.started is not None or job.starts >= 2
        return job.alone and (job.started is not None or job.starts >= 4)

    def _again(self, job: _Job) -> None:
        if job.browser:
            self._browser.appendleft(job)
        else:
            job.alone = True
            self._alone.append(job)

    def _bury(self, worker: _Worker) -> list[_Job]:
        """End the process and all that it started; what it still had in hand."""
        self._workers.remove(worker)
        worker.child.kill(whole_family=worker.role == "browser")
        self._hear(worker)
        jobs = list(worker.jobs.values())
        worker.jobs.clear()
        worker.child.close()
        return jobs

    # who kills a browser when we are killed

    def _hire_watcher(self) -> None:
        if not osproc.LINUX or (self._watcher and self._watcher.poll() is None):
            return
        command = [sys.executable, "-I", "-S", osproc.__file__, self._marker]
        self._watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, close_fds=True)

    def _dismiss_watcher(self) -> None:
        """Every family has been put away by now: nothing is left to watch."""
        if self._watcher is None:
            return
        self._watcher.kill()
        self._watcher.communicate()
        self._watcher = None


def total_pss(pids: Iterable[int]) -> int:
    """Proportional memory of these processes in bytes, for metrics."""
    return osproc.pss(pids)
