"""The parent of `run`: named children kept alive, a tick every second, and a quiet end at SIGTERM.

Children are started by spawn and die with the parent, in whatever way it dies. One that ends or falls silent is started
again after 1, 2, 4 .. 60 s. The thread that calls `run` must be the main thread: it takes the signals.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

from crawler.engine import osproc
from crawler.engine.child import Child, Start

logger = logging.getLogger(__name__)

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
STEADY = 60.0
SETTLE = 2.0
STOP_SECONDS = 20.0
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Service:
    """A child to keep alive: `target(channel, *args)`, module-level and picklable.

    It ends at SIGTERM. With `silence` (seconds) it must call `channel.beat()` oftener than that, or it is killed; the
    first beat may take START_SECONDS. While `needed()` is false it does not live; that must be quick and not raise.
    """

    target: Callable[..., None]
    args: tuple[Any, ...] = ()
    silence: float | None = None
    needed: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class _Slot:
    """A service, its present child and its record. `down` while the caller has been told so."""

    name: str
    service: Service
    child: Child | None = None
    failures: int = 0
    wait: float = 0.0
    not_before: float = 0.0
    down: bool = False
    looked: float = 0.0
    leaving: float | None = None


class Supervisor:
    """Keeps `services` alive until told to stop.

    `tick()` is called about every `tick_seconds` in the parent. `idle(seconds)`, when given, does the waiting between
    ticks (a crawl crew's `poll`). `on_down(name, reason)` and `on_up(name)` come once a change. `on_stop()` is called
    first when the end is asked for: stop claiming. `before_kill(seconds)` then gets the time that is left: drain.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        tick: Callable[[], None],
        *,
        tick_seconds: float = 1.0,
        idle: Callable[[float], object] | None = None,
        on_down: Callable[[str, str], None] | None = None,
        on_up: Callable[[str], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        before_kill: Callable[[float], object] | None = None,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._slots = [_Slot(name, service) for name, service in services.items()]
        self._tick, self._tick_seconds = tick, tick_seconds
        self._idle = idle or self._sleep
        self._on_down, self._on_up = on_down, on_up
        self._on_stop, self._before_kill = on_stop, before_kill
        self._stop_seconds = stop_seconds
        self._asked = 0
        self._bell: tuple[socket.socket, socket.socket] | None = None

    def stop(self) -> None:
        """Ask for the end, from a tick or another thread; asked twice, the end is immediate."""
        self._asked += 1
        if self._bell:
            with contextlib.suppress(OSError):
                self._bell[1].send(b"!")

    def pids(self) -> dict[str, int]:
        """The living children by name."""
        return {slot.name: slot.child.pid for slot in self._slots if slot.child}

    def run(self) -> None:
        """Supervise until SIGTERM, SIGINT or `stop`; returns when no child is left. Errors of `tick` are logged."""
        with self._ears():
            due = 0.0
            while not self._asked:
                self._watch()
                now = time.monotonic()
                if now >= due:
                    self._safely(self._tick)
                    due = now + self._tick_seconds
                pause = max(0.0, min(due - time.monotonic(), self._tick_seconds))
                if not self._safely(partial(self._idle, pause)):
                    self._sleep(pause)
            self._end()

    # the end

    def _end(self) -> None:
        deadline = time.monotonic() + self._stop_seconds
        if self._on_stop:
            self._safely(self._on_stop)
        for slot in self._slots:
            if slot.child:
                slot.child.say("stop")
                slot.child.terminate()
        if self._before_kill and self._asked < 2:
            left = max(0.0, deadline - time.monotonic())
            self._safely(lambda: self._before_kill(left) if self._before_kill else None)
        for slot in self._slots:
            self._put_away(slot, deadline)

    def _put_away(self, slot: _Slot, deadline: float) -> None:
        child, slot.child = slot.child, None
        if child is None:
            return
        while self._asked < 2 and time.monotonic() < deadline and not child.join(0.1):
            child.hear()
        if not child.ended:
            logger.warning("%s did not end in time and was killed", slot.name)
        child.kill()
        child.close()

    # the watch

    def _watch(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.child is None:
                self._start(slot, now)
            elif slot.leaving is not None or not slot.service.needed():
                self._send_off(slot, slot.child, now)
            else:
                self._look(slot, slot.child, now)

    def _start(self, slot: _Slot, now: float) -> None:
        if now < slot.not_before or not slot.service.needed():
            return
        marker = f"{osproc.crew_marker()}.{slot.name}"
        slot.child = Child(slot.service.target, slot.service.args, Start(slot.name, marker))
        slot.looked = now

    def _send_off(self, slot: _Slot, child: Child, now: float) -> None:
        """It is not needed any more: asked to go, and put away when it has gone or does not."""
        child.hear()
        if slot.leaving is None:
            slot.leaving = now
            child.say("stop")
            child.terminate()
        if child.ended or now - slot.leaving > self._stop_seconds:
            child.kill()
            child.close()
            slot.child, slot.leaving, slot.failures = None, None, 0

    def _look(self, slot: _Slot, child: Child, now: float) -> None:
        child.hear()
        # Time in which the parent itself slept is not the child's silence.
        child.silent += min(now - slot.looked, 2 * self._tick_seconds)
        slot.looked = now
        if child.ended:
            self._fell(slot, child, child.how(), now)
        elif reason := self._silent(slot, child):
            self._fell(slot, child, reason, now)
        else:
            self._stands(slot, child, now - child.begun)

    def _silent(self, slot: _Slot, child: Child) -> str | None:
        if slot.service.silence is None:
            return None
        limit = slot.service.silence if child.beaten else max(START_SECONDS, slot.service.silence)
        return f"no sign of life for {limit:.0f} s" if child.silent > limit else None

    def _fell(self, slot: _Slot, child: Child, reason: str, now: float) -> None:
        child.kill()
        child.close()
        slot.child = None
        if now - child.begun > STEADY:
            slot.failures = 0
        slot.wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(slot.failures, 10))
        slot.failures += 1
        slot.not_before = now + slot.wait
        logger.error("%s is down: %s; it is started again in %.0f s", slot.name, reason, slot.wait)
        if not slot.down:
            slot.down = True
            if self._on_down:
                self._safely(lambda: self._on_down(slot.name, reason) if self._on_down else None)

    def _stands(self, slot: _Slot, child: Child, age: float) -> None:
        if age > STEADY:
            slot.failures = 0
        ready = child.beaten or slot.service.silence is None
        # A child that falls again and again is one outage, not many: it is up when it outlived its last wait.
        if slot.down and ready and age > max(SETTLE, slot.wait):
            slot.down = False
            if self._on_up:
                self._safely(lambda: self._on_up(slot.name) if self._on_up else None)

    def _safely(self, call: Callable[[], object]) -> bool:
        """Whether the call came through; an error of it is logged and must not end the service."""
        try:
            call()
        except Exception:
            logger.exception("the supervisor goes on after an error")
            return False
        return True

    # waiting and signals

    def _sleep(self, seconds: float) -> None:
        from multiprocessing.connection import wait

        ears: list[Any] = [slot.child.sentinel for slot in self._slots if slot.child]
        if self._bell:
            ears.append(self._bell[0])
        wait(ears, seconds)

    @contextlib.contextmanager
    def _ears(self) -> Iterator[None]:
        """Signals ring a bell that a wait hears; what stood there before is put back."""
        self._bell = socket.socketpair()
        for end in self._bell:
            end.setblocking(False)
        before = {number: signal.signal(number, self._signalled) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            bell, self._bell = self._bell, None
            for end in bell:
                end.close()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.stop()
