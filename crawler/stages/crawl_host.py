"""The inside of a crawl child: Scrapy on a running asyncio reactor, up to 16 runs side by side.

The loop beats every second, so that a parser that hangs in C is seen as silence; whatever waits for the database waits
in threads, so that a locked database is not. A run whose lease is lost stops without a word: somebody else has it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scrapy import signals
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.settings import Settings
from scrapy.utils.log import configure_logging
from scrapy.utils.reactor import install_reactor

from crawler.errors import CrawlerError, LeaseLost, StoreError
from crawler.model import Run, Verdict
from crawler.stages.crash import kill_point
from crawler.stages.crawl import Channel, Intake, Tools
from crawler.stages.tally import told

if TYPE_CHECKING:
    from crawler.net.proxy import FilteringProxy

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
THREADS = 40
_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"
_GOOD_ENDS = ("finished", "closespider_timeout")


def serve(channel: Channel, tools: Tools) -> None:
    """Install the reactor, crawl what the parent asks for, and return after "stop" when all runs have ended."""
    install_reactor(_REACTOR)
    from twisted.internet import reactor as installed

    from crawler.net.guard_scrapy import install_guard

    reactor: Any = installed
    settings = Settings()
    settings.setdict(dict(tools.settings), priority="project")
    configure_logging(settings)
    install_guard(reactor, tools.policy)
    host = _Host(channel, tools, settings)
    reactor.callWhenRunning(lambda: asyncio.ensure_future(host.main(reactor)))
    reactor.run(installSignalHandlers=False)
    if host.broken:
        raise host.broken


@dataclass(slots=True, eq=False)
class _Running:
    """One run under way."""

    run: Run | None = None
    intake: Intake | None = None
    crawler: Crawler | None = None
    begun: float = field(default_factory=time.monotonic)
    # When the site was asked last, as far as the database knows; a run that took a child down asked just now.
    asked: float = -math.inf

    @property
    def lost(self) -> bool:
        return self.intake is not None and self.intake.lost


class _Host:
    """Everything here happens on the loop; `broken` is the error that ended it."""

    def __init__(self, channel: Channel, tools: Tools, settings: Settings) -> None:
        self.channel, self.tools, self.settings = channel, tools, settings
        # One for all runs: making it looks through settings and loaders, which costs as much as reading a feed.
        self._runner = AsyncCrawlerRunner(settings)
        self.broken: BaseException | None = None
        self._running: dict[int, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving = asyncio.Event()
        self._stopping = False
        self._proxy: FilteringProxy | None = None

    async def main(self, reactor: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="store"))
        loop.add_reader(self.channel.fileno(), self._obey)
        beat = loop.create_task(self._beat())
        keep = loop.create_task(self._keep_leases())
        try:
            await self._leaving.wait()
        except BaseException as error:
            self.broken = error
        finally:
            for task in (beat, keep):
                task.cancel()
            loop.remove_reader(self.channel.fileno())
            reactor.stop()

    def _obey(self) -> None:
        for what, *rest in self.channel.commands():
            if what == "run":
                task = asyncio.ensure_future(self._crawl(*rest))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
            elif what == "stop":
                self._stopping = True
                self._go_when_idle()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._go_when_idle()

    def _go_when_idle(self) -> None:
        if self._stopping and not self._tasks:
            self._leaving.set()

    async def _beat(self) -> None:
        while True:
            self.channel.beat(self._running)
            await asyncio.sleep(BEAT_SECONDS)

    async def _keep_leases(self) -> None:
        """Renew six times a lease; in a thread, because the database may be locked."""
        while True:
            await asyncio.sleep(self.tools.lease_seconds / 6)
            owners: dict[str, list[int]] = {}
            for running in self._running.values():
                if running.run:
                    owners.setdefault(running.run.owner, []).append(running.run.id)
            for owner, run_ids in owners.items():
                try:
                    await asyncio.to_thread(self.tools.store.sources.renew, run_ids, owner, self.tools.lease_seconds)
                except StoreError as error:
                    logger.warning("leases could not be renewed: %s", error)

    # one run

    async def _crawl(self, run_id: int, again: bool = False) -> None:
        running = self._running[run_id] = _Running()
        self.channel.started(run_id)
        try:
            running.run, ago = await asyncio.to_thread(self._begin, run_id)
            running.asked = time.monotonic() - (0.0 if again else ago)
            verdict, error = await self._fetched(running)
            await self._finish(running, verdict, error)
        except LeaseLost:
            self._running.pop(run_id)
            self.channel.done(run_id)
        except Exception as error:
            logger.exception("run %s broke", run_id)
            self._running.pop(run_id)
            self.channel.failed(run_id, _words(error))
        else:
            self._running.pop(run_id)
            self.channel.done(run_id)

    def _begin(self, run_id: int) -> tuple[Run, float]:
        run = self.tools.store.runs.get(run_id)
        return run, self.tools.store.runs.since_asked(run)

    async def _fetched(self, running: _Running) -> tuple[Verdict, str | None]:
        """Crawl one run to its end and judge it. Mistakes in its settings are its verdict, not a broken child."""
        assert running.run is not None
        run = running.run
        running.intake = Intake(self.tools.store, run, self._stopper(running))
        try:
            spider_class, source = self.tools.spider(run)
            crawler = running.crawler = await self._crawler(spider_class, running.intake)
            crawler.last_asked = running.asked  # type: ignore[attr-defined]
            await self._runner.crawl(crawler, source=source)
        except CrawlerError as error:
            return Verdict.FAILED, str(error)
        return judged(running.intake, crawler.stats.get_stats() if crawler.stats else {})

    async def _crawler(self, spider_class: Any, intake: Intake) -> Crawler:
        crawler = Crawler(spider_class, self.settings)
        crawler.intake = intake  # type: ignore[attr-defined]
        crawler.egress = self.tools.policy  # type: ignore[attr-defined]
        if getattr(spider_class, "browser", False):
            crawler.egress_proxy = await self._proxy_address()  # type: ignore[attr-defined]
        crawler.signals.connect(_after_fetch, signals.response_received, weak=False)
        return crawler

    async def _proxy_address(self) -> str:
        """Where the browser must send everything: a proxy of our own that checks each address it connects to."""
        from crawler.net.proxy import FilteringProxy

        if self._proxy is None:
            self._proxy = FilteringProxy(self.tools.policy)
            await self._proxy.astart()
        return f"http://127.0.0.1:{self._proxy.port}"

    def _stopper(self, running: _Running) -> Callable[[], None]:
        """Stops the run from any thread."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.call_soon_threadsafe(self._stop, running)

        return stop

    def _stop(self, running: _Running) -> None:
        if running.crawler is not None and running.crawler.crawling:
            task = asyncio.ensure_future(running.crawler.stop_async())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _finish(self, running: _Running, verdict: Verdict, error: str | None) -> None:
        assert running.run is not None
        if running.lost:
            raise LeaseLost(f"run {running.run.id} of {running.run.source.name} was taken over")
        await asyncio.to_thread(self._write_end, running, running.run, verdict, error)

    def _write_end(self, running: _Running, run: Run, verdict: Verdict, error: str | None) -> None:
        """What is left to be told to the database, in one thread's turn."""
        seconds = time.monotonic() - running.begun
        if running.intake is not None:
            running.intake.flush()
            verdict, error = told(self.tools.store, run, running.intake, verdict, error)
        spider = running.crawler.spider if running.crawler else None
        wait, fresh = getattr(spider, "retry_after", None), getattr(spider, "freshness", None)
        due = self.tools.next_run_at(run, verdict, wait, fresh)
        kill_point("before_finish")
        self.tools.store.runs.finish(run, verdict, error, seconds, due)


def _after_fetch(**_: Any) -> None:
    kill_point("after_fetch")


def judged(intake: Intake, stats: Mapping[str, Any]) -> tuple[Verdict, str | None]:
    """The verdict of a run: what the spider said of it, unless Scrapy's own counters tell of something worse."""
    said = [(verdict, error) for verdict, error in intake.hints if verdict is not None]
    if crashes := stats.get("spider_exceptions/count", 0):
        return Verdict.FAILED, f"the spider broke {crashes} times; see the log"
    if not said:
        errors = [error for _, error in intake.hints if error]
        return Verdict.FAILED, "; ".join(errors) or f"the crawl ended early ({stats.get('finish_reason', 'no reason')})"
    verdict, error = said[-1]
    reason = stats.get("finish_reason", "finished")
    if reason not in _GOOD_ENDS and verdict in (Verdict.OK, Verdict.EMPTY):
        return Verdict.FAILED, error or f"the crawl was ended early ({reason})"
    return verdict, error


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, CrawlerError) else f"{type(error).__name__}: {error}"
