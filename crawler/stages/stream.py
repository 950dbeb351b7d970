"""The inside of the stream child: every stream that is to be read, each by one task on one loop, without Scrapy.

A stream is claimed like a crawl, under a lease that this process renews: two services never read one twice. Its run
lasts an hour, then the next begins, so that its counters tell of today. Batches are stored by the one thread that
writes; while the database does not answer nothing more is read. A child that is killed loses nothing: what was not
stored is asked for again from the stored place on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from crawler.errors import CrawlerError, LeaseLost, Permanent, StoreError, Transient
from crawler.model import Document, Run, Verdict
from crawler.stages.crawl import Intake
from crawler.store.streams import LIVE, STOPPED, TROUBLE, WAITING, slot_of
from spiders.stream_reading import Reader, Wire
from spiders.stream_session import Batch, Session

if TYPE_CHECKING:
    from crawler.store import SourceState, Store

logger = logging.getLogger(__name__)

LEASE = 20.0
LOOK_SECONDS = 1.0
RENEW_SECONDS = 4.0
RUN_SECONDS = 3600.0
TELL_SECONDS = 2.0
# A stream that waits says so too: who is silent for longer counts as dead.
WAITING_TELL_SECONDS = 10.0
WINDOW_SECONDS = 10.0
WINDOW_BYTES = 4 * 1024 * 1024
FIRST_WAIT, LONGEST_WAIT, REFUSED_WAIT = 1.0, 60.0, 300.0
STEADY = 30.0
# So many ends of its connection in so many seconds are no accident; so many connections without a word neither.
MANY_ENDS, ENDS_SECONDS, MUTE = 20, 600.0, 2
# A stream is never put off for longer than REFUSED_WAIT: what is due later was written by a clock that ran ahead.
FAR_OFF = timedelta(seconds=REFUSED_WAIT + 60.0)
HEADERS = {"content-type": "application/x-ndjson; charset=utf-8"}
T = TypeVar("T")


class Channel(Protocol):
    """The child's line to the parent."""

    def fileno(self) -> int: ...
    def beat(self) -> None: ...
    def commands(self, timeout: float = 0.0) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class StreamTools:
    """What the app hands to the stream child. `reader(run)`: what listens and on what; its errors are the verdict."""

    store: Store
    reader: Callable[[Run], tuple[Reader, Wire]]
    owner: str
    open_now: Callable[[SourceState], bool] = lambda state: True
    lease_seconds: float = LEASE


def serve(channel: Channel, tools: StreamTools) -> None:
    """Read streams until SIGTERM or ("stop",)."""
    asyncio.run(_Host(channel, tools).main())


@dataclass(slots=True, eq=False)
class _Reading:
    """One stream under way. `means` is what its reader was made of: another one is begun when that changes."""

    means: str
    task: asyncio.Task[None] | None = None
    run: Run | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class _Host:
    """Decides each second which streams are read."""

    def __init__(self, channel: Channel, tools: StreamTools) -> None:
        self.channel, self.tools = channel, tools
        self.readings: dict[int, _Reading] = {}
        self.leaving = asyncio.Event()
        # One thread: a database takes one writer at a time, and batches of one stream must not overtake each other.
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="streams")
        self.renewed = time.monotonic()

    async def main(self) -> None:
        """Until the end is asked for; then every stream stores what it has and gives its lease back."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.channel.fileno(), self._obey)
        loop.add_signal_handler(signal.SIGTERM, self.leaving.set)
        beat = loop.create_task(self._beat())
        await self._safely(lambda: self.tools.store.streams.take_back(self.tools.owner))
        while not self.leaving.is_set():
            await self._safely_look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), LOOK_SECONDS)
        for reading in self.readings.values():
            reading.stop.set()
        await asyncio.gather(*(reading.task for reading in self.readings.values() if reading.task))
        beat.cancel()
        loop.remove_reader(self.channel.fileno())
        self.writer.shutdown()

    def _obey(self) -> None:
        if any(command[0] == "stop" for command in self.channel.commands()):
            self.leaving.set()

    async def _beat(self) -> None:
        while True:
            self.channel.beat()
            await asyncio.sleep(1.0)

    async def write(self, call: Callable[[], T]) -> T:
        """Do it in the thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, call)

    async def _safely(self, call: Callable[[], object]) -> None:
        try:
            await self.write(call)
        except StoreError as error:
            logger.warning("the database does not answer: %s", error)

    async def _safely_look(self) -> None:
        try:
            await self._look()
        except StoreError as error:
            logger.warning("the database does not answer: %s", error)

    async def _look(self) -> None:
        wanted = {
            state.id: state for state in await self.write(self.tools.store.streams.wanted) if self.tools.open_now(state)
        }
        for source_id, reading in list(self.readings.items()):
            if reading.task and reading.task.done():
                del self.readings[source_id]
            elif source_id not in wanted or _means(wanted[source_id]) != reading.means:
                reading.stop.set()
        await self._renew()
        await self._claim([state for source_id, state in wanted.items() if source_id not in self.readings])

    async def _renew(self) -> None:
        runs = [reading.run.id for reading in self.readings.values() if reading.run]
        if not runs or time.monotonic() - self.renewed < min(RENEW_SECONDS, self.tools.lease_seconds / 4):
            return
        self.renewed = time.monotonic()
        tools = self.tools
        kept = await self.write(lambda: tools.store.sources.renew(runs, tools.owner, tools.lease_seconds))
        for reading in self.readings.values():
            if reading.run and reading.run.id in runs and reading.run.id not in kept:
                reading.stop.set()

    async def _claim(self, states: list[SourceState]) -> None:
        at, tools = datetime.now(UTC), self.tools
        due = [state for state in states if state.next_run_at is not None and not at < state.next_run_at < at + FAR_OFF]
        if not due:
            return
        for state in due:
            if state.next_run_at and state.next_run_at > at:
                await self.write(lambda state=state: tools.store.sources.set_next(state.id, at))  # type: ignore[misc]
        names = [state.name for state in due]
        runs = await self.write(
            lambda: tools.store.sources.claim(
                tools.owner, names, at, tools.lease_seconds, len(names), slot_of, beside=True
            )
        )
        means = {state.id: _means(state) for state in due}
        for run in runs:
            reading = self.readings[run.source.id] = _Reading(means[run.source.id], run=run)
            reading.task = asyncio.get_running_loop().create_task(_Stream(self, reading, run).read())


class _Stream:
    """One stream for the time of one run."""

    def __init__(self, host: _Host, reading: _Reading, run: Run) -> None:
        self.host, self.reading, self.run = host, reading, run
        self.tools = host.tools
        self.intake = Intake(self.tools.store, run, lambda: None)
        self.begun = time.monotonic()
        self.failures = 0
        self.told: float = 0.0
        self.state = ""
        # Why the last connection ended, until another is open; when connections ended; how many in a row were mute.
        self.ended: str | None = None
        self.ends: deque[float] = deque(maxlen=MANY_ENDS)
        self.mute = 0
        self.window: list[bytes] = []
        self.window_size, self.window_begun = 0, 0.0
        self.frames = self.connections = 0
        self.gap: float | None = None
        self.newest: datetime | None = None
        self.heard: datetime | None = None

    async def read(self) -> None:
        """Until it is told to stop, or an hour has passed; ends the run whatever happens."""
        verdict, error = Verdict.OK, None
        try:
            await self._resume()
            reader, wire = await self.host.write(lambda: self.tools.reader(self.run))
            session = Session(reader, wire, self.run.source.cursor, lambda batch: self._keep(reader, batch))
            while not self.reading.stop.is_set() and time.monotonic() - self.begun < RUN_SECONDS:
                await self._connected(session, reader)
        except LeaseLost:
            logger.info("another process reads it now", extra={"source": self.run.source.name})
            return
        except CrawlerError as problem:
            verdict, error = Verdict.FAILED, str(problem)
        except Exception as problem:
            logger.exception("the stream %s broke", self.run.source.name)
            verdict, error = Verdict.FAILED, f"{type(problem).__name__}: {problem}"
        await self._finish(verdict, error)

    async def _resume(self) -> None:
        """What was counted before goes on."""
        states = await self.host.write(self.tools.store.streams.states)
        if known := states.get(self.run.source.id):
            self.frames, self.connections, self.gap = known.frames, known.connections, known.usual_gap_seconds
            self.newest, self.heard = known.event_at, known.heard_at
        await self._tell(state=WAITING, error=None)

    async def _connected(self, session: Session, reader: Reader) -> None:
        """One connection; then the wait before the next."""
        begun, self.connections = time.monotonic(), self.connections + 1
        look = asyncio.ensure_future(self._watch(session, reader))
        try:
            await session.connect(self.reading.stop, max(0.1, RUN_SECONDS - (begun - self.begun)))
            # The hour is over: what the next one opens is the same connection to whoever counts those that failed.
            self.connections -= 1
            return
        except (Transient, Permanent) as problem:
            error: Transient | Permanent = problem
        finally:
            # Before anything else is told: it says that the stream is live.
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)
        self._remember_end(session, error)
        if session.progressed or time.monotonic() - begun > STEADY:
            self.failures = 0
        self.failures += 1
        wait = waiting(self.failures, error)
        logger.warning("%s: %s; again in %.1f s", self.run.source.name, error, wait)
        await self._rest(wait, reader)

    def _remember_end(self, session: Session, error: Exception) -> None:
        self.ended = str(error)[:500]
        self.ends.append(time.monotonic())
        if session.heard_at is not None:
            self.mute = 0
        elif session.is_open:
            self.mute += 1

    async def _rest(self, seconds: float, reader: Reader) -> None:
        """Wait, and say so now and then."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.reading.stop.is_set():
            await self._tell(state=WAITING, error=self._said(reader, self.ended))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.reading.stop.wait(), min(left, WAITING_TELL_SECONDS))

    async def _watch(self, session: Session, reader: Reader) -> None:
        """Tells that the stream is live once it is open, and goes on while it is quiet."""
        while True:
            await asyncio.sleep(0.5)
            passed = time.monotonic() - self.told
            if session.is_open and passed > TELL_SECONDS:
                await self._live(reader, session)
            elif passed > WAITING_TELL_SECONDS:
                why = self.ended or "the server has not answered yet"
                await self._tell(state=WAITING, error=self._said(reader, why))

    async def _live(self, reader: Reader, session: Session | None = None) -> None:
        """Tell that it is read; whatever is wrong all the same is an alert."""
        if session is None or session.heard_at is not None:
            self.mute = 0
        await self._tell(state=LIVE, error=self._said(reader))

    def _said(self, reader: Reader, why: str | None = None) -> str | None:
        """Why it waits, and what is wrong beside that."""
        troubles = "; ".join(self._troubles(reader))[:700]
        return "; ".join(filter(None, (why, troubles and TROUBLE + troubles))) or None

    def _troubles(self, reader: Reader) -> Iterator[str]:
        """In words that stay the same as long as the trouble does."""
        yield from getattr(reader, "troubles", ())
        if self.mute >= MUTE:
            yield f"it opens, but nothing at all is heard ({self.ended})"
        if len(self.ends) == MANY_ENDS and time.monotonic() - self.ends[0] < ENDS_SECONDS:
            yield f"its connection ended {MANY_ENDS} times within {ENDS_SECONDS / 60:.0f} minutes ({self.ended})"

    async def _keep(self, reader: Reader, batch: Batch) -> None:
        """Store a batch; while the database does not answer, wait for it and read nothing."""
        if batch.dropped:
            logger.warning("%s: %d messages dropped: %s", self.run.source.name, len(batch.dropped), batch.dropped[0])
            self.intake.note(dropped=len(batch.dropped))
        while True:
            try:
                await self.host.write(lambda: self._store(reader, batch))
                break
            except LeaseLost:
                raise
            except StoreError as error:
                if self.reading.stop.is_set():
                    raise
                logger.warning("%s waits for the database: %s", self.run.source.name, error)
                await asyncio.sleep(1.0)
        self._learn(batch)
        if time.monotonic() - self.told > TELL_SECONDS or self.state != LIVE:
            await self._live(reader)

    def _store(self, reader: Reader, batch: Batch) -> None:
        """In the writing thread: posts, place and the window's document in one transaction."""
        if not batch.posts:
            if batch.cursor is not None:
                self.tools.store.intake.move(self.run, batch.cursor)
            self.intake.flush()
            return
        grows = bool(self.window) and not self._window_full()
        lines = [*(self.window if grows else ()), *batch.lines]
        document = Document(reader.address, 200, HEADERS, b"\n".join(lines), datetime.now(UTC))
        self.intake.take(document, batch.posts, cursor=batch.cursor, validators=None, grows=grows)
        self.intake.flush()
        if not grows:
            self.window_begun, self.window_size = time.monotonic(), 0
        self.window, self.window_size = lines, self.window_size + batch.size

    def _window_full(self) -> bool:
        return time.monotonic() - self.window_begun > WINDOW_SECONDS or self.window_size > WINDOW_BYTES

    def _learn(self, batch: Batch) -> None:
        at = datetime.now(UTC)
        if self.heard is not None:
            gap = max(0.0, (at - self.heard).total_seconds()) / batch.frames
            self.gap = gap if self.gap is None else 0.9 * self.gap + 0.1 * gap
        self.heard, self.frames = at, self.frames + batch.frames
        if batch.newest is not None:
            self.newest = batch.newest

    async def _tell(self, state: str, error: str | None) -> None:
        self.told, self.state = time.monotonic(), state
        lag = max(0.0, ((self.heard or self.newest) - self.newest).total_seconds()) if self.newest else None
        values = {
            "state": state,
            "error": error,
            "heard_at": self.heard,
            "event_at": self.newest,
            "lag_seconds": lag,
            "usual_gap_seconds": self.gap,
            "frames": self.frames,
            "connections": self.connections,
        }
        with contextlib.suppress(StoreError):
            await self.host.write(lambda: self.tools.store.streams.tell(self.run.source.id, **values))

    async def _finish(self, verdict: Verdict, error: str | None) -> None:
        """End the run. A stream whose settings are wrong is tried again when they change, or after five minutes."""
        seconds, at = time.monotonic() - self.begun, datetime.now(UTC)
        due = datetime.fromtimestamp(at.timestamp() + (REFUSED_WAIT if error else 0.0), UTC)
        finish = self.tools.store.runs.finish
        with contextlib.suppress(StoreError):
            await self.host.write(lambda: finish(self.run, verdict, error, seconds, due))
            await self._tell(state=WAITING if error else STOPPED, error=error)


def waiting(failures: int, error: Exception) -> float:
    """Seconds before the next connection: they grow, are never the same for all, and heed what the server asked."""
    asked = getattr(error, "retry_after", None) or 0.0
    grown = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 10))
    if isinstance(error, Permanent):
        grown = REFUSED_WAIT if failures > 2 else max(grown, 5.0)
    return float(max(asked, grown * random.uniform(0.5, 1.0)))


def _means(state: SourceState) -> str:
    """What a reader is made of: its kind and settings. Other changes need no new connection."""
    return repr((state.kind, state.settings))
