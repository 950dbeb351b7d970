"""`watch NAME`, how it goes on: sources are claimed when they are due, crawled in a child, matched, tagged and shown.

The stages are those of the service; nothing becomes a ticket. What a source cannot do is told once and stops no other.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crawler.app import App, now
from crawler.app.hosting import child_arguments, next_run_at
from crawler.app.syncing import sync
from crawler.app.views import mention_row
from crawler.engine.processes import CrawlCrew, Limits
from crawler.errors import LeaseLost, ModelUnavailable
from crawler.model import CrawlResult, Run, Verdict
from crawler.stages import analyse, match
from crawler.stages.crawl import child_main

LEASE = 60.0
# The machine of somebody who just tries it may be busy with other things.
SILENCE = 30.0
CLAIM_EVERY = 1.0
PAGE = 200
ANSWERED = (Verdict.OK, Verdict.EMPTY)
_ADDRESS = re.compile(r"https?://([^\s/?#]+)\S*?(:?)(?=\s|$)")
_LONGEST = 160
Show = Callable[[Mapping[str, Any]], None]
Tell = Callable[[str], None]


def in_short(error: str | None) -> str:
    """The first reason of an error on one line, with the host of an address in its place."""
    first = " ".join((error or "no reason given").split())
    named = _ADDRESS.search(first)
    if named and (again := _ADDRESS.search(first, named.end())):
        first = first[: again.start()].rstrip("; ")
    short = _ADDRESS.sub(r"\1\2", first)
    return short if len(short) <= _LONGEST else short[: _LONGEST - 1] + "…"


@dataclass(slots=True)
class SourceTally:
    """What one source came to: runs, posts and how its last run ended."""

    runs: int = 0
    posts: int = 0
    answered: bool = False
    verdict: Verdict | None = None
    error: str | None = None

    def take(self, result: CrawlResult) -> bool:
        """Count a run; whether it ended in another way than the run before it."""
        changed = (self.verdict, self.error) != (result.verdict, result.error)
        self.runs, self.posts = self.runs + 1, self.posts + result.posts_new
        self.answered |= result.verdict in ANSWERED
        self.verdict, self.error = result.verdict, result.error
        return changed


@dataclass(slots=True)
class Watched:
    """What was seen: mentions shown, by source and by tone; those older than asked for are only counted."""

    sources: dict[str, SourceTally] = field(default_factory=dict)
    shown: Counter[str] = field(default_factory=Counter)
    tones: Counter[str] = field(default_factory=Counter)
    older: int = 0
    untagged: str | None = None
    first_seconds: float | None = None

    @property
    def rounds(self) -> bool:
        """Whether each source has been asked once."""
        return all(tally.runs for tally in self.sources.values())

    @property
    def answered(self) -> list[str]:
        """Sources that gave a good answer at least once."""
        return [name for name, tally in self.sources.items() if tally.answered]

    def summary(self) -> dict[str, Any]:
        """The last line of `watch --json`."""
        sources = [
            {
                "source": name,
                "verdict": tally.verdict.value if tally.verdict else None,
                "posts": tally.posts,
                "mentions": self.shown[name],
                "error": tally.error,
            }
            for name, tally in self.sources.items()
        ]
        tones = {tone: self.tones[tone] for tone in ("negative", "neutral", "positive")}
        first = None if self.first_seconds is None else round(self.first_seconds, 1)
        told = {"mentions": self.shown.total(), "older": self.older, "first_after_seconds": first}
        return {**told, "tones": tones, "sources": sources}


class Watch:
    """One watch over the sources of an app. `show` gets each mention as a row, `tell` a line for people."""

    def __init__(self, app: App, show: Show, tell: Tell, since: datetime | None = None) -> None:
        self.app, self.show, self.tell, self.since = app, show, tell, since
        self.watched = Watched({block.name: SourceTally() for block in app.config.sources})
        self._runs: dict[int, Run] = {}
        self._begun = self._renewed = time.monotonic()
        self._claimed = float("-inf")
        self._ended, self._last_id = 0, 0
        self._warned = False
        # The model thinks beside the crawl, and loads while the first answers are on their way.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="stages")
        self._working: Future[list[dict[str, Any]]] | None = None
        self._on_round: Callable[[Watched], None] | None = None

    def run(self, once: bool, on_round: Callable[[Watched], None] | None = None) -> Watched:
        """Until somebody interrupts; with `once`, or when no source answers at all, until each was asked once.

        `on_round` is called when each source has been asked once.
        """
        self._on_round = on_round
        self.app.store_created()
        sync(self.app)
        self._worker.submit(self._warm)
        crew = CrawlCrew(child_main, child_arguments(self.app), Limits(silence=SILENCE), self._finished, self._failed)
        try:
            while not self._over(once):
                self._claim(crew)
                crew.poll(0.25)
                self._renew()
                self._work()
        finally:
            crew.kill()
            self._worker.shutdown(cancel_futures=True)
        return self.watched

    def _over(self, once: bool) -> bool:
        if not self.watched.rounds or self._runs or self._working or self._ended:
            return False
        if self._on_round is not None:
            self._on_round(self.watched)
            self._on_round = None
        return once or not self.watched.answered

    def _claim(self, crew: CrawlCrew) -> None:
        places = crew.room()
        if not places or time.monotonic() - self._claimed < CLAIM_EVERY:
            return
        self._claimed = time.monotonic()
        due = [state.name for state in self.app.store.glances.due(now())]
        for run in self.app.store.sources.claim(self.app.owner, due, now(), LEASE, places) if due else ():
            self._runs[run.id] = run
            crew.submit(run.id)

    def _renew(self) -> None:
        if self._runs and time.monotonic() - self._renewed > LEASE / 6:
            self.app.store.sources.renew(list(self._runs), self.app.owner, LEASE)
            self._renewed = time.monotonic()
        elif not self._runs:
            self.app.store.runs.abandoned(now())

    def _finished(self, run_id: int) -> None:
        self._runs.pop(run_id, None)
        self._take(self.app.store.runs.result(run_id))

    def _failed(self, run_id: int, reason: str) -> None:
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        later = next_run_at(self.app, self.app.store.sources.get(run.source.name), Verdict.FAILED)
        try:
            self._take(self.app.store.runs.finish(run, Verdict.FAILED, reason, 0.0, later))
        except LeaseLost:
            self._take(CrawlResult(run.source.name, Verdict.FAILED, error=reason))

    def _take(self, result: CrawlResult) -> None:
        self._ended += 1
        tally = self.watched.sources[result.source]
        changed = tally.take(result)
        if changed and result.verdict not in ANSWERED:
            again = self.app.store.sources.get(result.source).next_run_at
            when = f"; asked again at {again.astimezone():%H:%M}" if again else ""
            self.tell(f"{result.source}: {result.verdict.value}: {in_short(result.error)}{when}")
        elif changed and tally.runs > 1:
            self.tell(f"{result.source}: answers again")

    # matching and tagging, in the worker's thread

    def _warm(self) -> None:
        self.app.matcher()
        try:
            self.app.model.analyse(["ok"], [None])
        except ModelUnavailable:
            return  # said when the first mention has to go without

    def _work(self) -> None:
        if self._working is not None and self._working.done():
            done, self._working = self._working, None
            self._show(done.result())
        if self._ended and self._working is None:
            self._ended = 0
            self._working = self._worker.submit(self._found)

    def _found(self) -> list[dict[str, Any]]:
        """New mentions, tagged, the oldest first."""
        store = self.app.store
        match.run(store, self.app.matcher())
        try:
            analyse.run(store, self.app.model)
        except ModelUnavailable as error:
            self.watched.untagged = str(error)
        rows: list[dict[str, Any]] = []
        while page := store.mentions.list(after_id=self._last_id, limit=PAGE):
            self._last_id = page[-1].id
            rows += [mention_row(mention) for mention in page]
        return sorted(rows, key=lambda row: row["published_at"])

    def _show(self, rows: list[dict[str, Any]]) -> None:
        if self.watched.untagged and not self._warned:
            self._warned = True
            self.tell(f"mentions come without tone: {self.watched.untagged}")
        for row in rows:
            if self.since is not None and row["published_at"] < self.since:
                self.watched.older += 1
                continue
            if self.watched.first_seconds is None:
                self.watched.first_seconds = time.monotonic() - self._begun
            self.watched.shown[row["source"]] += 1
            self.watched.tones[row["tone"] or ""] += 1
            self.show(row)
