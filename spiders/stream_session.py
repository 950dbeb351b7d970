"""One connection to a stream, read in batches: half a second of frames at a time, or what fills a batch sooner.

While a batch is stored nothing more is read, so that a slow database slows the server down and not our memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from crawler.errors import EgressRefused, Permanent, Transient
from crawler.model import SKIPPED, Post
from crawler.net.live import Barred, Signs, TooLong
from spiders.paging import mark
from spiders.stream_reading import SHARE, SKIP, Frame, Reader, Wire, too_long

BATCH_SECONDS = 0.5
BATCH_FRAMES = 500
BATCH_BYTES = 4 * 1024 * 1024
KEPT_MARKS = 20_000
STEADY = 30.0
# The second share of its rewind that a stream is taken up before its place; the third is nothing.
_LESS = 0.1
# Of late messages no more than this many are remembered over a restart.
KEPT_LATE = 200
_LATE = timedelta(seconds=120)
# What of a cursor is no place.
_BESIDE = ("_late", SKIPPED)


@dataclass(slots=True)
class Batch:
    """What was heard since the last batch. `cursor` is the whole cursor once this is stored."""

    lines: list[bytes] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    cursor: dict[str, Any] | None = None
    frames: int = 0
    size: int = 0
    newest: datetime | None = None
    too_long: bool = False
    begun: float = field(default_factory=time.monotonic)

    @property
    def full(self) -> bool:
        return self.frames >= BATCH_FRAMES or self.size >= BATCH_BYTES

    def due(self, now: float) -> float:
        """Seconds until it must be stored."""
        return max(0.0, self.begun + BATCH_SECONDS - now)


class Order:
    """Of two messages about one post the later counts, in whatever order they come, and each counts once.

    A stream that is taken up a little before its last place tells the same again: without this an edit, told again
    from its first version on, would look like two more edits. What is younger than the rewind is kept in the cursor.
    """

    def __init__(self, cursor: Mapping[str, Any]) -> None:
        self._told: OrderedDict[str, float] = OrderedDict()
        self._changed: OrderedDict[str, float] = OrderedDict()
        for name, at in dict(cursor.get("_late", {})).items():
            self._told[name] = self._changed[name] = float(at)

    def is_news(self, post: Post, at: datetime | None) -> bool:
        """False for what was told before, or lies before what was told; learns it otherwise."""
        if at is None:
            return True
        name, when = mark(post), at.timestamp()
        known = self._told.get(name)
        if known is not None and when <= known:
            return False
        if known is not None or post.deleted:
            self._remember(self._changed, name, when, KEPT_LATE)
        self._remember(self._told, name, when, KEPT_MARKS)
        return True

    def late(self, newest: datetime | None) -> dict[str, float]:
        """What the cursor must hold: posts that changed not long ago."""
        since = ((newest or datetime.now(UTC)) - _LATE).timestamp()
        return {name: at for name, at in self._changed.items() if at >= since}

    @staticmethod
    def _remember(known: OrderedDict[str, float], name: str, at: float, most: int) -> None:
        known[name] = at
        known.move_to_end(name)
        while len(known) > most:
            known.popitem(last=False)


class Session:
    """Reads one stream through one connection after the other; `deliver` stores a batch and is waited for.

    `cursor` is the place as it was stored last. `heard` is called with each batch before it is stored.
    """

    def __init__(
        self, reader: Reader, wire: Wire, cursor: Mapping[str, Any], deliver: Callable[[Batch], Awaitable[None]]
    ) -> None:
        self._reader, self._wire, self._deliver = reader, wire, deliver
        self._signs: Signs = getattr(wire, "signs", None) or Signs()
        self.cursor: dict[str, Any] = dict(cursor)
        self._order = Order(cursor)
        self._late: dict[str, float] = dict(cursor.get("_late", {}))
        self._batch = Batch()
        # By the monotonic clock, when anything at all was heard.
        self.heard_at: float | None = None
        # Whether the last connection brought the place on. Where it ended before that, the next one is taken up less
        # far back: a server that cuts every connection short would else tell the same for ever.
        self.progressed = True
        self._share, self._lived, self._began = 1.0, STEADY, 0.0
        # How often, since the place moved, a message ended the connection that is longer than any post.
        self._blocked = self._skips = 0
        # How often it was refused for good since anything was heard: perhaps the place is one that the server forgot.
        self._refused = 0

    @property
    def is_open(self) -> bool:
        """Whether the connection of now has opened, or anything was heard through it."""
        return self.heard_at is not None or self._signs.opened > self._began

    async def connect(self, until: asyncio.Event, seconds: float | None = None) -> None:
        """Read until the connection ends (raises), `until` is set, or `seconds` have passed.

        All that was read is stored before it returns or raises.
        """
        frames = self._reader.listen(self._wire, self._way())
        deadline = None if seconds is None else time.monotonic() + seconds
        ended = asyncio.ensure_future(until.wait())
        coming: asyncio.Future[Frame] | None = None
        try:
            while not until.is_set() and not (deadline and time.monotonic() > deadline):
                coming = coming or asyncio.ensure_future(anext(frames))
                both: set[asyncio.Future[Any]] = {coming, ended}
                await asyncio.wait(both, timeout=self._patience(deadline), return_when="FIRST_COMPLETED")
                if coming.done():
                    done, coming = coming, None
                    self._take(done.result())
                else:
                    self._demand_life()
                self._count_lost()
                if self._batch.frames and (self._batch.full or not self._batch.due(time.monotonic())):
                    await self._flush()
        except StopAsyncIteration:
            raise Transient("the stream ended") from None
        except TooLong:
            self._blocked += 1
            raise
        except Permanent as error:
            # A token or a certificate that is mended later must not have cost the place.
            self._refused += not isinstance(error, Barred | EgressRefused)
            raise
        finally:
            self._lived = time.monotonic() - self._began
            await _over(ended, coming)
            if coming is not None and not coming.cancelled() and coming.exception() is None:
                # It came while the last batch was stored.
                self._take(coming.result())
            with contextlib.suppress(Exception):
                await frames.aclose()
            self._count_lost()
            await self._flush()

    def _demand_life(self) -> None:
        """Raises where nothing was heard for too long; what comes of a message that is too long is life."""
        passing, heard = self._signs.passing, self.heard_at or self._began
        if time.monotonic() - max(passing, heard) <= self._reader.silence:
            return
        said = f"nothing was heard for {self._reader.silence:.0f} s: the connection is opened anew"
        # It broke off inside such a message: at the same place it would again.
        raise TooLong(said) if passing > heard and not self._signs.lost else Transient(said)

    def _count_lost(self) -> None:
        """Messages that were too long to be held."""
        while self._signs.lost:
            self._take(too_long(self._signs.lost.pop(0)))

    def _way(self) -> dict[str, Any]:
        """Where the next connection is taken up: before the place, at it, past what nobody can read, or anywhere.

        A server may refuse a place that is older than what it keeps: every third time it is asked without one.
        """
        if not self.progressed:
            self._share = _LESS if self._share > _LESS else 0.0
        elif self._lived >= STEADY:
            self._share = 1.0
        self.progressed, self._began = False, time.monotonic()
        self.heard_at = None
        if self._refused % 3 == 2:
            self._skips = 1
            return {}
        self._skips = max(0, self._blocked - 1)
        return {**self.cursor, SHARE: 0.0 if self._blocked else self._share, SKIP: self._skips}

    def _patience(self, deadline: float | None) -> float:
        now = time.monotonic()
        waits = [1.0, self._batch.due(now) if self._batch.frames else 1.0]
        return min(waits if deadline is None else [*waits, max(0.0, deadline - now)])

    def _take(self, frame: Frame) -> None:
        self.heard_at, self._refused = time.monotonic(), 0
        if not (frame.data or frame.dropped):
            return
        if not self._batch.frames:
            self._batch.begun = self.heard_at
        batch = self._batch
        batch.frames += 1
        if frame.cursor is not None:
            batch.cursor = _later(batch.cursor or self.cursor, frame.cursor)
        if frame.at is not None:
            batch.newest = max(frame.at, batch.newest or frame.at)
        batch.too_long |= frame.too_long
        if frame.dropped:
            batch.dropped.append(frame.dropped)
        else:
            self._read(batch, frame)

    def _read(self, batch: Batch, frame: Frame) -> None:
        posts, dropped = self._reader.of_frame(frame, datetime.now(UTC))
        batch.dropped += dropped
        news = [post for post in posts if self._order.is_news(post, frame.at)]
        if news:
            batch.posts += news
            batch.lines.append(frame.data)
            batch.size += len(frame.data)

    async def _flush(self) -> None:
        batch, self._batch = self._batch, Batch()
        if not batch.frames:
            return
        late = self._order.late(batch.newest)
        if batch.cursor is not None or late != self._late or batch.too_long:
            place = {name: value for name, value in (batch.cursor or self.cursor).items() if name not in _BESIDE}
            batch.cursor = {**place, **({"_late": late} if late else {}), **self._skipped(batch)}
        try:
            await self._deliver(batch)
        except BaseException:
            # What is not stored is asked for again: the next connection begins at the last stored place.
            self._order = Order(self.cursor)
            raise
        self._late = late
        if batch.cursor is not None:
            moved = any(batch.cursor[name] != self.cursor.get(name) for name in batch.cursor if name not in _BESIDE)
            self.progressed |= moved
            self._blocked = 0 if moved else self._blocked
            self.cursor = batch.cursor

    def _skipped(self, batch: Batch) -> dict[str, Any]:
        """When something was passed over unread: known as long as the cursor is, for whoever asks why."""
        leapt = self._skips and batch.cursor is not None and any(name not in _BESIDE for name in self.cursor)
        if leapt or batch.too_long:
            return {SKIPPED: datetime.now(UTC).isoformat(timespec="seconds")}
        return {SKIPPED: self.cursor[SKIPPED]} if SKIPPED in self.cursor else {}


async def _over(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancels what is still waiting, and waits until it has ended."""
    waiting = [task for task in tasks if task is not None]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def _later(known: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of a place never go back: messages may come out of their order."""
    moved = {**known, **new}
    for name, value in new.items():
        before = known.get(name)
        if isinstance(value, int | float) and isinstance(before, int | float) and before > value:
            moved[name] = before
    return moved


def of_batch(batches: Sequence[Batch]) -> bytes:
    """The lines of batches as one document: a message a line."""
    return b"\n".join(line for batch in batches for line in batch.lines)
