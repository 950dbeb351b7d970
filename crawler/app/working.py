"""The worker child of the service: the stages after the crawl, again and again, and the sending of alerts."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from crawler import config as config_room
from crawler.app import App, keeping, logs
from crawler.app.alerting import Sender
from crawler.app.digesting import Digester
from crawler.app.work import Turn, work
from crawler.errors import CrawlerError
from crawler.stages.deliver import Couriers

logger = logging.getLogger(__name__)

IDLE, BUSY = 1.0, 0.05
# A new brand over years of posts must not hold up the tickets of today: each stage works so long at a stretch.
TURN = 5.0


class _Stop(Exception):
    """Raised between two batches when the end was asked for."""


def worker_main(channel: Any, config_path: str, url: str, log_json: bool = False) -> None:
    """Body of the child: works until told to stop, and then ends after the batch in hand."""
    worker = _Worker(channel, App.in_force(config_path, url))
    logs.configure(worker.app.config, as_json=log_json)
    signal.signal(signal.SIGTERM, worker.asked)
    while not worker.stopping():
        try:
            idle = worker.once()
        except _Stop:
            break
        except CrawlerError as error:
            logger.warning("the worker goes on after: %s", error)
            idle = True
        time.sleep(IDLE if idle else BUSY)
    worker.couriers.stop()
    worker.app.close()


class _Worker:
    """The worker's app, of the newest config that was taken over."""

    def __init__(self, channel: Any, app: App) -> None:
        self.channel, self.app, self.version = channel, app, app.store.config.version()
        self.sender = Sender()
        self.digester = Digester()
        self.couriers = Couriers()
        self.end = False
        self.keep_at = 0.0

    def asked(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM."""
        self.end = True

    def stopping(self) -> bool:
        """Whether the end was asked for; beats."""
        self.channel.beat()
        self.end = self.end or any(command[0] == "stop" for command in self.channel.commands())
        return self.end

    def once(self) -> bool:
        """One pass over the stages; True when there was nothing to do."""
        if (version := self.app.store.config.version()) != self.version:
            self.app, self.version = renewed(self.app), version
        worked = work(self.app, self._told, self.couriers)
        self.sender.send(self.app)
        self.digester.send(self.app)
        self._keep()
        return not (worked.more or worked.mentions_new or worked.analysed)

    def _keep(self) -> None:
        if time.monotonic() >= self.keep_at:
            self.keep_at = time.monotonic() + keeping.EVERY
            keeping.keep(self.app)

    def _told(self, title: str) -> Callable[[int], None]:
        began = time.monotonic()

        def done(count: int) -> None:
            if self.stopping():
                raise _Stop
            if time.monotonic() - began > TURN:
                raise Turn

        return done


def renewed(app: App) -> App:
    """The app of the config that was just taken over; the open store stays, and the model if it is the same."""
    text = app.store.config.text(app.store.config.version())
    fresh = App(config_room.load(Path(app.config.path), text=text))
    fresh.owner = app.owner
    fresh.__dict__["store"] = app.store
    if "model" in app.__dict__ and fresh.config.sentiment == app.config.sentiment:
        fresh.__dict__["model"] = app.model
    return fresh
