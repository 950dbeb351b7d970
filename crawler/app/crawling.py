"""`crawl`: claim, crawl in children, and run the other stages as the answers come in, until nothing is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from crawler.app import App, now
from crawler.app.alerting import Sender
from crawler.app.health import watch
from crawler.app.hosting import child_arguments, next_run_at
from crawler.app.naming import demand
from crawler.app.syncing import sync
from crawler.app.work import ProgressFor, Worked, work
from crawler.engine.processes import CrawlCrew, Limits
from crawler.errors import LeaseLost
from crawler.model import CrawlResult, Run, Verdict
from crawler.stages.crawl import child_main

if TYPE_CHECKING:
    from crawler.store import SourceState

LEASE = 60.0
BUSY_WAIT = 90.0
LOOK_AHEAD = 4


@dataclass(slots=True)
class Crawled:
    """What `crawl` came to: one result a source, and the sums of the stages after it."""

    results: list[CrawlResult] = field(default_factory=list)
    worked: Worked = field(default_factory=Worked)
    skipped: list[str] = field(default_factory=list)
    waiting: int = 0
    alerts: int = 0

    @property
    def model_error(self) -> str | None:
        """Why mentions wait untagged, when they do."""
        return self.worked.model_error

    def summary(self) -> dict[str, Any]:
        """The last line of `crawl --json`."""
        return {
            "tickets_new": self.worked.triaged.ticketed,
            "deliveries_sent": self.worked.delivered.sent,
            "deliveries_waiting": self.waiting,
            "deliveries_parked": self.worked.delivered.parked,
            "joined": self.worked.triaged.joined,
            "review": self.worked.triaged.review,
            "ignored": self.worked.triaged.ignored,
            "alerts_open": self.alerts,
            "untagged": self.worked.model_error is not None,
        }


def crawl(app: App, names: Sequence[str] | None = None, progress: ProgressFor | None = None) -> Crawled:
    """Crawl the named sources (all that are not paused when None), then everything after it."""
    app.store_created()
    sync(app)
    wanted = _wanted(app, names)
    job = _CrawlJob(app, wanted, progress)
    try:
        job.run()
    finally:
        job.close()
    _add(job.crawled.worked, work(app, progress))
    job.crawled.waiting = sum(state.pending for state in app.store.glances.sinks().values())
    watch(app)
    Sender().send(app)
    job.crawled.alerts = len(app.store.alerts.open())
    found = app.store.glances.new_mentions(job.since)
    job.crawled.results = [replace(one, mentions_new=found.get(one.source, 0)) for one in job.crawled.results]
    return job.crawled


def _wanted(app: App, names: Sequence[str] | None) -> dict[str, SourceState]:
    states = {state.name: state for state in app.store.sources.all()}
    if names is None:
        return {name: state for name, state in states.items() if not (state.paused or _is_read(state))}
    for name in names:
        demand("source", name, states)
    return {name: states[name] for name in names}


def _is_read(state: SourceState) -> bool:
    """Whether a service reads this stream already."""
    return bool(state.schedule.get("stream") and state.lease_until and state.lease_until > now())


class _CrawlJob:
    """Claims sources as their domains come free, hands them to the crew, and works on what comes back."""

    def __init__(self, app: App, wanted: dict[str, SourceState], progress: ProgressFor | None) -> None:
        self.app, self.left, self.progress = app, dict(wanted), progress
        self.domains = {name: state.domain for name, state in wanted.items()}
        self.bar = progress("crawl") if progress else (lambda done: None)
        self.crawled, self.runs, self.since = Crawled(), dict[int, Run](), now()
        self.crew = CrawlCrew(child_main, child_arguments(app), Limits(), self._finished, self._failed)
        self.ended_since_work = 0
        self.renewed = time.monotonic()
        # The stages work beside the crawl: a model that thinks must not keep the next sites waiting.
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="stages")
        self.working: Future[Worked] | None = None

    def run(self) -> None:
        """Until every wanted source has been crawled or is held by somebody else for too long."""
        idle_since = time.monotonic()
        self.app.store.runs.abandoned(now())
        while self.left or self.runs:
            if self._claim() or self.runs:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > BUSY_WAIT:
                self.crawled.skipped = list(self.left)
                self._give_up()
                return
            self.crew.poll(0.5)
            self._renew()
            self._work_meanwhile()
        if self.working is not None:
            self._worked(self.working)

    def close(self) -> None:
        """End the children; runs that did not end are given back. The stages end what they have in hand."""
        left = self.crew.kill()
        self.worker.shutdown()
        for run_id in left:
            if run_id in self.runs:
                self.app.store.runs.release(self.runs.pop(run_id))

    def _claim(self) -> int:
        room = {True: self.crew.room(browser=True), False: self.crew.room(browser=False)}
        claimed = 0
        for browser, places in room.items():
            names = self._window(browser, places)
            if not places or not names:
                continue
            taken = self.app.store.sources.claim(self.app.owner, names, now(), LEASE, places)
            for run in taken:
                self.left.pop(run.source.name, None)
                self.runs[run.id] = run
                self.crew.submit(run.id, browser=browser)
            claimed += len(taken)
            if not taken:
                # Somebody else holds them: the next look is at the others.
                self.left.update({name: self.left.pop(name) for name in names})
        return claimed

    def _window(self, browser: bool, places: int) -> list[str]:
        """The next few names whose domains are free here: a claim that looks at all makes many sources quadratic."""
        busy = {self.domains.get(run.source.name, "") for run in self.runs.values()} - {""}
        found: list[str] = []
        for name, state in self.left.items():
            if bool(state.schedule.get("browser")) is browser and state.domain not in busy:
                found.append(name)
                busy |= {state.domain} - {""}
            if len(found) >= LOOK_AHEAD * places:
                break
        return found

    def _renew(self) -> None:
        if self.runs and time.monotonic() - self.renewed > LEASE / 6:
            self.app.store.sources.renew(list(self.runs), self.app.owner, LEASE)
            self.renewed = time.monotonic()

    def _finished(self, run_id: int) -> None:
        self.runs.pop(run_id, None)
        self.crawled.results.append(self.app.store.runs.result(run_id))
        self.ended_since_work += 1
        self.bar(1)

    def _failed(self, run_id: int, reason: str) -> None:
        run = self.runs.pop(run_id, None)
        if run is None:
            return
        try:
            later = next_run_at(self.app, self.app.store.sources.get(run.source.name), Verdict.FAILED)
            result = self.app.store.runs.finish(run, Verdict.FAILED, reason, 0.0, later)
        except LeaseLost:
            result = CrawlResult(run.source.name, Verdict.FAILED, error="another process has taken this source over")
        self.crawled.results.append(result)
        self.bar(1)

    def _work_meanwhile(self) -> None:
        """Tickets need not wait for the slowest site: work whenever some run has ended."""
        if self.working is not None and self.working.done():
            self._worked(self.working)
        if self.ended_since_work and self.runs and self.working is None:
            self.ended_since_work = 0
            self.working = self.worker.submit(work, self.app)

    def _worked(self, done: Future[Worked]) -> None:
        self.working = None
        _add(self.crawled.worked, done.result())

    def _give_up(self) -> None:
        for name in self.left:
            error = "another process is crawling this site; try again later"
            self.crawled.results.append(CrawlResult(name, Verdict.FAILED, error=error))


def _add(total: Worked, part: Worked) -> None:
    total.mentions_new += part.mentions_new
    total.analysed += part.analysed
    for name in ("ticketed", "joined", "review", "ignored"):
        setattr(total.triaged, name, getattr(total.triaged, name) + getattr(part.triaged, name))
    total.delivered += part.delivered
    total.model_error = part.model_error


Told = Callable[[str], None]
