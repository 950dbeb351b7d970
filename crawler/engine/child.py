"""One child process: how it starts, what passes over its channel, and how it is put away.

A child is started by spawn, leads its own session and process group, dies with its parent, and has at the other end of
its channel a `Channel`, the only thing that its code needs to know of us. Only ids travel.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from crawler.engine import osproc

Message = tuple[Any, ...]
_CONTEXT = multiprocessing.get_context("spawn")
_LONGEST = 2000
_TRIM_SECONDS = 5.0
_QUIET = 1.0
# However crowded the machine is, a child that hangs is found out in five times the silence it may keep.
_MOST_STARVED = 0.8


class Channel:
    """The child's end. One thread uses it: the one that runs the loop, so that its silence is the loop's silence."""

    def __init__(self, connection: Connection, trim_above: int = 0) -> None:
        self._connection = connection
        self._trim_above = trim_above
        self._trimmed = 0.0

    def fileno(self) -> int:
        """For an event loop's reader: readable when `commands` has something."""
        return self._connection.fileno()

    def beat(self, running: Iterable[int] = ()) -> None:
        """Say "alive", which ids are under way and what this process weighs."""
        self._say("beat", tuple(running), self._weight())

    def _weight(self) -> int:
        weight = osproc.rss()
        if not self._trim_above or weight < self._trim_above or time.monotonic() - self._trimmed < _TRIM_SECONDS:
            return weight
        # Ended crawls hang together in cycles: only a collection lets the big pages go.
        gc.collect()
        osproc.trim_memory()
        self._trimmed = time.monotonic()
        return osproc.rss()

    def started(self, run_id: int) -> None:
        """The run has begun: its wall clock runs from here."""
        self._say("started", run_id)

    def done(self, run_id: int) -> None:
        """The run has ended and the database knows how."""
        self._trimmed = 0.0
        self._say("done", run_id)

    def failed(self, run_id: int, text: str) -> None:
        """The run could not be done or its end could not be written; the parent writes it."""
        self._trimmed = 0.0
        self._say("failed", run_id, text[:_LONGEST])

    def answer(self, value: Any) -> None:
        """The result of an errand; must pickle."""
        self._say("answer", value)

    def broken(self, text: str) -> None:
        """This child cannot work at all."""
        self._say("broken", text[:_LONGEST])

    def commands(self, timeout: float = 0.0) -> list[Message]:
        """What the parent asks: ("run", id, again) and ("stop",). A parent that is gone ends this process at once."""
        found: list[Message] = []
        try:
            while self._connection.poll(0.0 if found else timeout):
                found.append(self._connection.recv())
        except (EOFError, OSError):
            abandon()
        return found

    def _say(self, *message: Any) -> None:
        try:
            self._connection.send(message)
        except (BrokenPipeError, ConnectionError, OSError):
            abandon()


def abandon() -> None:
    """The parent is dead: leave, with everybody in our group, without any farewell."""
    osproc.kill_group(os.getpid())
    os._exit(1)


@dataclass(frozen=True, slots=True)
class Start:
    """How a child starts. `marker` is inherited by all that it starts. `address_space` in bytes (0: no cap).

    `lean` (bytes, 0: no) keeps few heaps and gives freed memory back when the child weighs more than that.
    """

    name: str
    marker: str
    address_space: int = 0
    lean: int = 0


def _enter(connection: Connection, start: Start, parent: int, blob: bytes) -> None:
    """First steps of every child, before anything heavy is imported."""
    with contextlib.suppress(OSError):
        os.setsid()
    osproc.die_with_parent(parent)
    osproc.no_core_dump()
    osproc.limit_address_space(start.address_space)
    os.environ[osproc.MARKER] = start.marker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if start.lean:
        osproc.lean_memory()
    channel = Channel(connection, start.lean)
    try:
        target, args = pickle.loads(blob)
        target(channel, *args)
    except Exception as error:
        channel.broken(f"{type(error).__name__}: {error}")
        raise


class Child:
    """The parent's handle. Must be made by a thread that lives as long as the child may: the kernel watches threads."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], start: Start) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        blob = pickle.dumps((target, args))
        self._process = _CONTEXT.Process(
            target=_enter, args=(theirs, start, os.getpid(), blob), name=start.name, daemon=True
        )
        self._process.start()
        theirs.close()
        self.start = start
        self.pid: int = self._process.pid or 0
        self.begun = time.monotonic()
        self.beaten = False
        self.silent = 0.0
        self.reported = 0
        self._waited: float | None = None
        self.complaint: str | None = None

    @property
    def sentinel(self) -> int:
        """Becomes ready when the process ends; for `multiprocessing.connection.wait`."""
        return self._process.sentinel

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.exitcode is not None

    def how(self) -> str:
        """How the process ended, in words for a person."""
        code = self._process.exitcode
        if self.complaint:
            return self.complaint
        if code is not None and code < 0:
            return f"its process was ended by {_signal_name(-code)}"
        return f"its process ended with status {code}"

    def say(self, *message: Any) -> bool:
        """Send a command; False when the child is not there to hear it."""
        try:
            self.connection.send(message)
        except OSError:
            return False
        return True

    def hear(self) -> list[Message]:
        """Everything the child has said since; beats are noted here and handed on too."""
        found: list[Message] = []
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while self.connection.poll():
                found.append(self.connection.recv())
        for message in found:
            self._note(message)
        return found

    def _note(self, message: Message) -> None:
        self.silent = 0.0
        if message[0] == "beat":
            self.beaten, self.reported = True, message[2]
        elif message[0] == "broken":
            self.complaint = message[1]

    def starved(self, passed: float) -> float:
        """Which share of the last `passed` seconds the process stood in line for a processor: 0 to `_MOST_STARVED`."""
        if self.silent < _QUIET:
            self._waited = None
            return 0.0
        before, self._waited = self._waited, osproc.waited(self.pid)
        if before is None or passed <= 0:
            return 0.0
        return min(_MOST_STARVED, max(0.0, self._waited - before) / passed)

    def rss(self) -> int:
        """Resident bytes: measured from outside where that can be done, so that a hung child is weighed too."""
        return osproc.rss(self.pid) or self.reported

    def terminate(self) -> None:
        """Ask the process by SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def join(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        self._process.join(seconds)
        return self.ended

    def kill(self, *, whole_family: bool = False) -> None:
        """SIGKILL the process and its group; with `whole_family` also everybody who carries its marker."""
        if not self.ended:
            osproc.kill_group(self.pid)
        if whole_family:
            osproc.kill_family(self.start.marker)
        self._process.join(5.0)

    def close(self) -> None:
        """Give the descriptors back. Only after the end."""
        self.connection.close()
        with contextlib.suppress(ValueError):
            self._process.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
