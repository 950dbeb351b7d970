"""`run`: the parent claims what is due, keeps web and worker alive, watches, reloads the config. No heavy import."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from crawler import config as config_room
from crawler.app import App, logs, now
from crawler.app.health import watch
from crawler.app.hosting import child_arguments, next_run_at, schedule_of
from crawler.app.streaming import make_stream_tools
from crawler.app.working import renewed, worker_main
from crawler.engine.clock import Ticker, may_run, opens, slot_key
from crawler.engine.errands import errand
from crawler.engine.processes import CrawlCrew, Limits
from crawler.engine.supervisor import Service, Supervisor
from crawler.errors import ConfigError, CrawlerError, LeaseLost, StoreError
from crawler.model import Run, Verdict
from crawler.stages.crawl import child_main
from crawler.stages.stream_child import streams_main
from crawler.store.sources import SourceState

logger = logging.getLogger(__name__)

LEASE = 60.0
RELOAD_EVERY = 1.0
WATCH_EVERY = 3.0
ABANDONED_EVERY = 3.0
SYNC_SECONDS = 45.0
# The worker has begun by then: a look through a file that is in force must not take its processor away.
FIRST_SYNC = 8.0
PROCESS = "process:"
WORKER_SILENCE = 120.0
STREAM_SILENCE = 30.0
STREAMS_EVERY = 2.0
PAUSED_BY_DISK = "disk"

WebMain = Callable[..., None]


def serve(config: str | None, web: WebMain | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean end. `web` is the body of the web child."""
    path = str(config_room.find(config))
    app = App.load(path)
    log_json = not sys.stderr.isatty()
    logs.configure(app.config, as_json=log_json, level=logging.INFO)
    app.store_created()
    service = ServiceParent(app, path, log_json)
    service.begin()
    service.supervisor(web).run()
    service.close()
    return 0


class ServiceParent:
    """What the parent does each second: reload, claim, renew, watch."""

    def __init__(self, app: App, path: str, log_json: bool = False) -> None:
        self.app, self.path, self.log_json = app, path, log_json
        self.runs: dict[int, Run] = {}
        arguments = child_arguments(app, log_json)
        self.crew = CrawlCrew(child_main, arguments, Limits(), self._finished, self._failed, self._lost)
        self.file_seen: tuple[float, int] | None = self._file_state()
        self.due: dict[str, float] = {}
        # APScheduler is the clock only: its thread rings, the main thread, which owns the children, acts.
        self.rung = threading.Event()
        self.clock = Ticker(self.rung.set)
        self.stopping = False
        self.unsynced = False
        self.streams = False
        self.fallen: set[str] = set()
        self.raised: set[str] = set()

    def supervisor(self, web: WebMain | None) -> Supervisor:
        """The supervisor over worker and web, with this service as its tick."""
        arguments = (self.path, self.app.config.database_url, self.log_json)
        services = {"worker": Service(worker_main, arguments, silence=WORKER_SILENCE)}
        streams = (make_stream_tools, *arguments[:2], f"{self.app.owner}:streams", self.log_json)
        services["streams"] = Service(streams_main, streams, silence=STREAM_SILENCE, needed=lambda: self.streams)
        if web is not None:
            services["web"] = Service(web, arguments, silence=30.0)
        return Supervisor(
            services,
            self.tick,
            idle=self.crew.poll,
            on_down=lambda name, reason: self._alert(f"{PROCESS}{name}", f"{name} is down: {reason}"),
            on_up=lambda name: self._clear(f"{PROCESS}{name}"),
            on_stop=self._stop,
            before_kill=self._drain,
        )

    def begin(self) -> None:
        """Take the file over. Alerts about processes of a service that is gone are over: ours have not fallen yet.

        A file that is in force already need not be waited for: tickets that wait go out while it is looked through.
        """
        store = self.app.store
        for alert in store.alerts.open():
            if alert.key.startswith(PROCESS):
                self._clear(alert.key)
        self.unsynced = store.config.text(store.config.version()) == self.app.config.text
        if self.unsynced:
            self.due["sync"] = time.monotonic() + FIRST_SYNC
        else:
            self.sync()
        self.clock.start()
        logger.info("serving %s", self.path)

    def tick(self) -> None:
        """Once for each stroke of the clock. A database that does not answer costs this tick, not the service."""
        if not self.rung.is_set():
            return
        self.rung.clear()
        try:
            if self._every("reload", RELOAD_EVERY):
                self._reload()
            if self.unsynced and self._every("sync", FIRST_SYNC):
                self.sync()
            if self._every("renew", LEASE / 6) and self.runs:
                self.app.store.sources.renew(list(self.runs), self.app.owner, LEASE)
            if self._every("streams", STREAMS_EVERY):
                self.streams = bool(self.app.store.streams.wanted())
            if self._every("abandoned", ABANDONED_EVERY):
                self.app.store.runs.abandoned(now())
            if self._every("watch", WATCH_EVERY):
                watch(self.app)
            self._claim()
        except StoreError as error:
            logger.warning("the database does not answer: %s", error)

    def close(self) -> None:
        """End children and the database. What we said of our processes is over with them."""
        self.clock.stop()
        self._drain(0.0)
        self.crew.kill()
        for key in [key for key in self.raised if key.startswith(PROCESS)]:
            self._clear(key)
        self.app.close()

    def sync(self) -> None:
        """Bring rows into step with the file, in a short process that may import Scrapy. A bad file changes nothing."""
        self.unsynced = False
        answer = errand(sync_main, (self.path,), SYNC_SECONDS)
        if isinstance(answer, str):
            self._alert("config", f"the config could not be taken over: {answer}")
        elif answer["error"]:
            self._alert("config", f"config is wrong, the old one stays in force: {answer['error']}")
        else:
            before, self.app = self._for_children(), renewed(self.app)
            if self._for_children() != before:
                self.crew.renew(child_arguments(self.app, self.log_json))
            self._clear("config")
            logger.info("config version %s is in force", self.app.store.config.version())

    def _for_children(self) -> tuple[object, ...]:
        """What a living crawl child has read already; the sources themselves come from their rows."""
        config, folder = self.app.config, self.app.plugin_dir
        files = sorted((str(path), path.stat().st_mtime) for path in folder.glob("*.py")) if folder.is_dir() else []
        return config.allow_private, config.user_agent, config.timezone, config.data_dir, files

    def _reload(self) -> None:
        state = self._file_state()
        if state != self.file_seen:
            self.file_seen = state
            self.sync()

    def _file_state(self) -> tuple[float, int] | None:
        try:
            stat = self.app.config.path.stat()
        except OSError:
            return None
        return stat.st_mtime, stat.st_size

    def _claim(self) -> None:
        if self.stopping or self._disk_low():
            return
        for browser in (False, True):
            places = self.crew.room(browser=browser)
            names = self._due_names(browser) if places else []
            if not names:
                continue
            slot = self._slot
            for run in self.app.store.sources.claim(self.app.owner, names, now(), LEASE, places, slot):
                self.runs[run.id] = run
                self.crew.submit(run.id, browser=browser)

    def _due_names(self, browser: bool) -> list[str]:
        """Sources that are due; in quiet hours they are put off to the next opening."""
        at, zone, names = now(), self.app.config.timezone, []
        for state in self.app.store.glances.due(at):
            if bool(state.schedule.get("browser")) is not browser or state.schedule.get("stream"):
                continue
            if may_run(schedule_of(state), at, zone):
                names.append(state.name)
            else:
                self.app.store.sources.set_next(state.id, opens(schedule_of(state), at, zone))
        return names

    def _slot(self, state: SourceState, at: Any) -> str:
        schedule = schedule_of(state)
        moment = at if schedule.cron else (state.next_run_at or at)
        return slot_key(schedule, moment, self.app.config.timezone)

    def _disk_low(self) -> bool:
        return self.app.store.alerts.holds(PAUSED_BY_DISK)

    def _finished(self, run_id: int) -> None:
        run = self.runs.pop(run_id, None)
        if run is not None:
            logger.info("crawled", extra={"run": run_id, "source": run.source.name})
        for role in self.fallen:
            self._clear(f"{PROCESS}crawl-{role}")
        self.fallen.clear()

    def _lost(self, role: str, reason: str) -> None:
        """A crawl child fell; the crew runs its sources again in a new one, and the first that ends resolves this."""
        self.fallen.add(role)
        self._alert(f"{PROCESS}crawl-{role}", f"a crawl process ({role}) is down: {reason}")

    def _failed(self, run_id: int, reason: str) -> None:
        run = self.runs.pop(run_id, None)
        if run is None:
            return
        logger.warning("the crawl failed: %s", reason, extra={"run": run_id, "source": run.source.name})
        store = self.app.store
        try:
            later = next_run_at(self.app, store.sources.get(run.source.name), Verdict.FAILED)
            store.runs.finish(run, Verdict.FAILED, reason, 0.0, later)
        except LeaseLost:
            logger.info("another service has it now", extra={"run": run_id, "source": run.source.name})

    def _stop(self) -> None:
        self.stopping = True

    def _drain(self, seconds: float) -> None:
        for run_id in self.crew.drain(seconds):
            run = self.runs.pop(run_id, None)
            if run is not None:
                self.app.store.runs.release(run)

    def _alert(self, key: str, cause: str) -> None:
        logger.warning("%s", cause)
        self.raised.add(key)
        try:
            self.app.store.alerts.set_(key, cause)
        except StoreError as error:
            logger.warning("the alert could not be stored: %s", error)

    def _clear(self, key: str) -> None:
        self.raised.discard(key)
        try:
            self.app.store.alerts.clear(key)
        except StoreError as error:
            logger.warning("the alert could not be resolved: %s", error)

    def _every(self, what: str, seconds: float) -> bool:
        at = time.monotonic()
        if at < self.due.get(what, 0.0):
            return False
        self.due[what] = at + seconds
        return True


def sync_main(channel: Any, config_path: str) -> dict[str, str]:
    """In a process of its own: check every block and sync the rows."""
    from crawler.app.kinds import check_blocks
    from crawler.app.syncing import sync

    channel.beat()
    try:
        app = App.load(config_path)
        problems = check_blocks(app)
        if problems:
            raise ConfigError(problems)
        sync(app)
    except CrawlerError as error:
        return {"error": str(error)}
    return {"error": ""}
