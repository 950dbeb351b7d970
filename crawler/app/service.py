"""`run`: the parent claims what is due, keeps web and worker alive, watches, reloads the config. No heavy import."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from crawler import config as config_room
from crawler.app import App, now
from crawler.app.health import watch
from crawler.app.hosting import child_arguments, next_run_at, schedule_of
from crawler.engine.clock import may_run, opens, slot_key
from crawler.engine.errands import errand
from crawler.engine.processes import CrawlCrew, Limits
from crawler.engine.supervisor import Service, Supervisor
from crawler.errors import ConfigError, CrawlerError, LeaseLost, StoreError
from crawler.model import Run, Verdict
from crawler.stages.crawl import child_main
from crawler.store.sources import SourceState

logger = logging.getLogger(__name__)

LEASE = 60.0
RELOAD_EVERY = 3.0
WATCH_EVERY = 10.0
SYNC_SECONDS = 60.0
WORKER_SILENCE = 120.0
PAUSED_BY_DISK = "disk"

WebMain = Callable[..., None]


def serve(config: str | None, web: WebMain | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean end. `web` is the body of the web child."""
    path = str(config_room.find(config))
    app = App.load(path)
    app.store_created()
    service = _Service(app, path)
    service.sync()
    service.supervisor(web).run()
    service.close()
    return 0


class _Service:
    """What the parent does each second: reload, claim, renew, watch."""

    def __init__(self, app: App, path: str) -> None:
        self.app, self.path = app, path
        self.runs: dict[int, Run] = {}
        self.crew = CrawlCrew(child_main, child_arguments(app), Limits(), self._finished, self._failed)
        self.file_seen: tuple[float, int] | None = self._file_state()
        self.due: dict[str, float] = {}
        self.stopping = False

    def supervisor(self, web: WebMain | None) -> Supervisor:
        """The supervisor over worker and web, with this service as its tick."""
        services = {"worker": Service(worker_main, (self.path,), silence=WORKER_SILENCE)}
        if web is not None:
            services["web"] = Service(web, (self.path,), silence=30.0)
        return Supervisor(
            services,
            self.tick,
            idle=self.crew.poll,
            on_down=lambda name, reason: self._alert(f"process:{name}", f"{name} is down: {reason}"),
            on_up=lambda name: self._clear(f"process:{name}"),
            on_stop=self._stop,
            before_kill=self._drain,
        )

    def tick(self) -> None:
        """Once a second. A database that does not answer costs this tick, not the service."""
        try:
            if self._every("reload", RELOAD_EVERY):
                self._reload()
            if self._every("renew", LEASE / 6) and self.runs:
                self.app.store.sources.renew(list(self.runs), self.app.owner, LEASE)
            if self._every("watch", WATCH_EVERY):
                watch(self.app)
            self._claim()
        except StoreError as error:
            logger.warning("the database does not answer: %s", error)

    def close(self) -> None:
        """End children and the database."""
        self._drain(0.0)
        self.crew.kill()
        self.app.close()

    def sync(self) -> None:
        """Bring rows into step with the file, in a short process that may import Scrapy. A bad file changes nothing."""
        answer = errand(sync_main, (self.path,), SYNC_SECONDS)
        if isinstance(answer, str):
            self._alert("config", f"the config could not be taken over: {answer}")
        elif answer["error"]:
            self._alert("config", f"config is wrong, the old one stays in force: {answer['error']}")
        else:
            self.app = self._reopened()
            self._clear("config")

    def _reopened(self) -> App:
        """The app of the new file over the store that is open already."""
        fresh = App.load(self.path)
        fresh.owner = self.app.owner
        fresh.__dict__["store"] = self.app.store
        return fresh

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
        self.app.store.runs.abandoned(now())
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
            if bool(state.schedule.get("browser")) is not browser:
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
        return any(alert.key == PAUSED_BY_DISK for alert in self.app.store.alerts.open())

    def _finished(self, run_id: int) -> None:
        self.runs.pop(run_id, None)

    def _failed(self, run_id: int, reason: str) -> None:
        run = self.runs.pop(run_id, None)
        if run is None:
            return
        store = self.app.store
        try:
            later = next_run_at(self.app, store.sources.get(run.source.name), Verdict.FAILED)
            store.runs.finish(run, Verdict.FAILED, reason, 0.0, later)
        except LeaseLost:
            logger.info("run %s was taken over by another service", run_id)

    def _stop(self) -> None:
        self.stopping = True

    def _drain(self, seconds: float) -> None:
        for run_id in self.crew.drain(seconds):
            run = self.runs.pop(run_id, None)
            if run is not None:
                self.app.store.runs.release(run)

    def _alert(self, key: str, cause: str) -> None:
        logger.warning("%s", cause)
        try:
            self.app.store.alerts.set_(key, cause)
        except StoreError as error:
            logger.warning("the alert could not be stored: %s", error)

    def _clear(self, key: str) -> None:
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


def worker_main(channel: Any, config_path: str) -> None:
    """Body of the worker child: the stages after the crawl, again and again, and the sending of alerts."""
    from crawler.app.alerting import send_alerts
    from crawler.app.work import work

    app, version = App.load(config_path), -1
    while not any(command[0] == "stop" for command in channel.commands()):
        channel.beat()
        try:
            if app.store.config.version() != version:
                app, version = _fresh(app, config_path), app.store.config.version()
            worked = work(app, lambda title: lambda done: channel.beat())
            send_alerts(app)
            idle = not (worked.mentions_new or worked.analysed)
        except CrawlerError as error:
            logger.warning("the worker goes on after: %s", error)
            idle = True
        time.sleep(1.0 if idle else 0.05)


def _fresh(app: App, config_path: str) -> App:
    """The app of the config that was just synced; the model and the store that are open already stay."""
    fresh = App.load(config_path)
    for part in ("store", "model"):
        if part in app.__dict__:
            fresh.__dict__[part] = app.__dict__[part]
    fresh.owner = app.owner
    return fresh
