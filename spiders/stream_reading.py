"""Streams without Scrapy: what a frame is, how kind `stream` listens, and how its messages become posts.

The child that reads streams loads this file and not Scrapy. `StreamSpider` (spiders/stream.py) is the same kind for the
rest of the house.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice, product
from math import prod
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from crawler.errors import Transient
from crawler.model import Post, Source
from crawler.net.live import ServerEvent
from crawler.text import fold
from spiders.api_items import found, told
from spiders.api_post import Mapper, epoch
from spiders.api_settings import PLACEHOLDER
from spiders.dates import Dates
from spiders.json_paths import path, word
from spiders.stream_clock import StreamClock
from spiders.stream_settings import StreamSettings

LONGEST_FRAME = 1024 * 1024
MOST_NAMES = 20_000
SHARE = "_share"
"""In the cursor that `listen` is given: the share of its rewind that a stream is taken up before its place."""
SKIP = "_skip"
"""There too: how many steps past its place, because an unreadable message stands right behind it."""
# The first step past an unreadable message, in seconds; the next are four times as far each.
_STEP = 0.0001
_MOST_PLACE = 2**63
# Of values that get no connection so many are named.
_NAMED = 5
_SCALE = {"micros": 1e6, "millis": 1e3, "seconds": 1.0}


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a stream: `data` is one line, as it is kept. `cursor` is what to go on from once it is stored.

    `at` says when it was published, where the stream tells: it shows how far behind we are, and of two messages about
    one post the later counts. `dropped` says why a message holds nothing that can be read; `too_long` that it is
    longer than any post: somebody is told of that.
    """

    data: bytes
    cursor: Mapping[str, Any] | None = None
    at: datetime | None = None
    dropped: str = ""
    too_long: bool = False


def too_long(size: int) -> Frame:
    """What stands for a message of so many bytes."""
    return Frame(b"", dropped=f"a message of {size} bytes: longer than any post", too_long=True)


class Wire(Protocol):
    """What `listen` may open; see `crawler.net.live.Live`."""

    def websocket(
        self, url: str, headers: Mapping[str, str] | None = None, hello: Sequence[str] = ()
    ) -> AsyncGenerator[bytes, None]: ...
    def events(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[ServerEvent, None]: ...


class Reader(Protocol):
    """What listens to a stream and reads it; a `StreamSpider` is one too."""

    source: Source

    @property
    def address(self) -> str: ...
    @property
    def silence(self) -> float: ...
    def listen(self, wire: Wire, cursor: Mapping[str, Any]) -> AsyncGenerator[Frame, None]: ...
    def of_frame(self, frame: Frame, when: datetime) -> tuple[list[Post], list[str]]: ...


class IsoDates(Dates):
    """Dates as machines write them, and no others: words in a stream must not cost milliseconds each."""

    def read(self, said: str | None) -> datetime | None:
        """See `Dates.read`."""
        try:
            when = datetime.fromisoformat((said or "").strip()[:40])
            return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None


class StreamReading:
    """Kind `stream`: JSON messages of a websocket or of server-sent events, read by the shapes of kind `api`."""

    source: Source
    settings_: StreamSettings

    @cached_property
    def names(self) -> dict[str, dict[str, str]]:
        """What posts are called in messages that name them by another id (`known_as`); may be handed on."""
        return {}

    @cached_property
    def _clock(self) -> StreamClock:
        return StreamClock()

    @property
    def address(self) -> str:
        """The address of the stream without its place and without secrets: what its documents are kept under."""
        return next(self._addresses(dict.fromkeys(("cursor",))))

    @property
    def silence(self) -> float:
        """Seconds without a word after which the connection counts as dead."""
        return self.settings_.silence

    @property
    def troubles(self) -> Iterator[str]:
        """What is wrong although the stream is heard, in words for a person."""
        if left_out := self.left_out:
            yield left_out
        if behind := self._clock.behind:
            yield f"this machine's clock is {behind / 60:.0f} minutes behind that of the stream: correct it"

    @property
    def left_out(self) -> str:
        """Which values of `each` get no connection, and what to do; empty when all do."""
        each, most = self.settings_.each, self.settings_.connections
        wanted = prod(len(values) for values in each.values())
        if wanted <= most:
            return ""
        unheard = islice(product(*each.values()), most, most + _NAMED)
        named = ", ".join("+".join(map(_plain, values)) for values in unheard)
        more = f" and {wanted - most - _NAMED} more" if wanted - most > _NAMED else ""
        return (
            f"{most} of {wanted} connections are opened, nothing is heard of {named}{more}: raise `connections`, or"
            " name fewer"
        )

    # ---- listening --------------------------------------------------------------------------------------------------

    async def listen(self, wire: Wire, cursor: Mapping[str, Any]) -> AsyncGenerator[Frame, None]:
        """Frames of the stream from the cursor on; raises when the connection ends."""
        lines = [self._lines(wire, url) for url in self._addresses({"cursor": self._taken_up(cursor)}, secret=True)]
        merged = lines[0] if len(lines) == 1 else _merged(lines)
        async with aclosing(merged) as messages:
            async for line in messages:
                yield self._frame(line)

    async def _lines(self, wire: Wire, url: str) -> AsyncGenerator[bytes, None]:
        settings = self.settings_
        headers = {name: secret.get_secret_value() for name, secret in settings.headers.items()}
        if settings.by == "websocket":
            hello = [said if isinstance(said, str) else json.dumps(said) for said in settings.hello]
            async with aclosing(wire.websocket(url, headers, hello)) as messages:
                async for message in messages:
                    yield message
            return
        async with aclosing(wire.events(url, headers)) as events:
            async for event in events:
                # A comment is a sign of life and nothing else.
                yield b"" if event.name == ":" else _wrapped(event)

    def _addresses(self, values: Mapping[str, Any], secret: bool = False) -> Iterator[str]:
        settings = self.settings_
        names = list(settings.each)
        for combination in islice(product(*(settings.each[name] for name in names)), settings.connections):
            known = {**values, **dict(zip(names, combination, strict=True))}
            pairs = [pair for name, value in settings.query.items() for pair in _pairs(name, value, known)]
            if secret:
                pairs += [(name, value.get_secret_value()) for name, value in settings.secrets.items()]
            where = PLACEHOLDER.sub(lambda m, known=known: quote(_plain(known.get(m[1])), safe=""), settings.path)  # type: ignore[misc]
            query = urlencode(pairs, errors="replace")
            base = settings.url.rstrip("/") + ("/" + where.lstrip("/") if where else "")
            yield f"{base}{'&' if '?' in base else '?'}{query}" if query else base

    def _taken_up(self, cursor: Mapping[str, Any]) -> Any:
        """The place to ask for: a time is rewound, since late messages stand before it."""
        place, scale = cursor.get("place"), _SCALE.get(self.settings_.cursor_is)
        if skips := cursor.get(SKIP):
            return _past(place, scale, skips)
        if scale is None or not isinstance(place, int | float) or isinstance(place, bool):
            return place
        # A clock that ran ahead, here or there, has been corrected since: what comes from now on is wanted.
        known = place if self._clock.is_past(place / scale) else datetime.now(UTC).timestamp() * scale
        return max(0, int(known - self.settings_.rewind * scale * cursor.get(SHARE, 1.0)))

    def _frame(self, message: bytes) -> Frame:
        if len(message) > LONGEST_FRAME:
            return too_long(len(message))
        line = message.translate(_ONE_LINE).strip()
        if not line:
            return Frame(b"")
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            return Frame(b"", dropped=f"no JSON ({str(error)[:100]}): {line[:60]!r}")
        return Frame(self._named(line, data), self._place(data), self._when(data))

    def _named(self, line: bytes, data: Any) -> bytes:
        """The line, with the post's own id where the message names it by another."""
        names = self.settings_.known_as
        if names is None or not isinstance(data, dict):
            return line
        known, other, own = self.names, word(path(names.id)(data)), word(path(names.is_)(data))
        if other and own:
            link = word(path(names.link)(data)) if names.link else None
            known[other[:200]] = {"known": own[:500], **({"known_url": link[:1000]} if link else {})}
            if len(known) > MOST_NAMES:
                del known[next(iter(known))]
        said = path(names.named)(data)
        told = None if isinstance(said, bool) else known.get(word(said) or "")
        return line if told is None else json.dumps({**data, **told}, ensure_ascii=False).encode("utf-8", "replace")

    def _place(self, data: Any) -> Mapping[str, Any] | None:
        """The place of a message; a time that lies ahead of us would skip what comes until then."""
        said = path(self.settings_.cursor)(data) if self.settings_.cursor else None
        if self.settings_.cursor_is == "text":
            return {"place": said[:500]} if isinstance(said, str) and said else None
        if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < _MOST_PLACE:
            return None
        scale = _SCALE.get(self.settings_.cursor_is)
        if scale is not None and not (said > 0 and self._clock.believes(said / scale)):
            return None
        return {"place": int(said)}

    def _when(self, data: Any) -> datetime | None:
        said = path(self.settings_.time)(data) if self.settings_.time else None
        if isinstance(said, bool) or not isinstance(said, int | float | str):
            return None
        when = IsoDates(datetime.now(UTC), "UTC").read(said) if isinstance(said, str) else epoch(said)
        return when if when is None or self._clock.believes(when.timestamp()) else None

    # ---- reading ----------------------------------------------------------------------------------------------------

    def of_frame(self, frame: Frame, when: datetime) -> tuple[list[Post], list[str]]:
        """The posts of one frame and what was dropped of it; `when` is the time of receiving."""
        dropped: list[str] = []
        return list(self.of_lines([frame.data], self.address, when, dropped.append)), dropped

    def of_lines(self, lines: Iterable[bytes], url: str, when: datetime, drop: Callable[[str], None]) -> Iterator[Post]:
        """PURE: the posts of kept lines; `drop` is told of each that cannot be read."""
        mappers = [Mapper(shape, IsoDates(when, self.settings_.timezone), url) for shape in self.settings_.posts]
        for line in lines:
            try:
                data = json.loads(line)
                yield from self._of_message(data, mappers, url)
            except Exception as error:
                drop(f"{type(error).__name__}: {error}"[:200])

    def _of_message(self, data: Any, mappers: Sequence[Mapper], url: str) -> Iterator[Post]:
        for mapper in mappers:
            for item in told(found(mapper.shape, data) or (), mapper.shape, data, url):
                post = mapper.post(item)
                if post is not None and self._wanted(post, item):
                    yield _without_its_text(post) if post.deleted else post

    def _wanted(self, post: Post, item: Mapping[str, Any]) -> bool:
        """Whether the filters let the post pass; a deletion says neither language nor words, and always does."""
        settings = self.settings_
        if post.deleted:
            return True
        if settings.only_languages:
            said = path(settings.languages)(item) if settings.languages else post.language_hint
            named = {language.split("-")[0].lower() for language in map(word, _listed(said)) if language}
            if named and not named & {language.split("-")[0].lower() for language in settings.only_languages}:
                return False
        if settings.only_words:
            text = fold(f"{post.title or ''}\n{post.text}")
            return any(fold(wanted) in text for wanted in settings.only_words)
        return True


class LightReader(StreamReading):
    """A reader of kind `stream`, or of a preset of it, that is no spider."""

    Settings = StreamSettings
    placeholders = ("cursor",)

    def __init__(self, source: Source) -> None:
        self.source, self.settings_ = source, source.settings


def _past(place: Any, scale: float | None, skips: int) -> Any:
    """Behind `place`, ever farther, never ahead of now. Behind words there is only the end of the stream."""
    if not isinstance(place, int | float) or isinstance(place, bool):
        return None
    far = 4 ** min(skips - 1, 20)
    if scale is None:
        return int(place + far)
    return int(min(place + max(1.0, _STEP * scale * far), max(place, datetime.now(UTC).timestamp() * scale)))


_ONE_LINE = bytes.maketrans(b"\r\n\x00", b"   ")


def _wrapped(event: ServerEvent) -> bytes:
    """A server-sent event as one JSON object; data that is no JSON (an id) stays words."""
    name, place = json.dumps(event.name), json.dumps(event.id)
    data = event.data.translate(_ONE_LINE).strip()
    if data[:1] not in (b"{", b"["):
        data = json.dumps(data.decode("utf-8", "replace")).encode()
    return b'{"event":%s,"id":%s,"data":%s}' % (name.encode(), place.encode(), data)


def _without_its_text(post: Post) -> Post:
    """What a site took down is not told again."""
    return replace(post, text="", title=None)


def _pairs(name: str, value: Any, known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The parameters of one name, templates filled in; what stands for nothing is left out."""
    for one in value if isinstance(value, tuple | list) else (value,):
        if isinstance(one, str):
            names = PLACEHOLDER.findall(one)
            if any(known.get(inner) is None for inner in names):
                continue
            one = PLACEHOLDER.sub(lambda match: _plain(known[match[1]]), one)
        if one is not None:
            yield name, _plain(one)


def _plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def _merged(lines: Sequence[AsyncGenerator[bytes, None]]) -> AsyncGenerator[bytes, None]:
    """Several connections as one; the end of one is the end of all."""
    waiting: asyncio.Queue[bytes | BaseException] = asyncio.Queue(len(lines))

    async def pump(line: AsyncGenerator[bytes, None]) -> None:
        try:
            async for message in line:
                await waiting.put(message)
            await waiting.put(Transient("one of its connections ended"))
        except Exception as error:
            await waiting.put(error)

    tasks = [asyncio.create_task(pump(line)) for line in lines]
    try:
        while True:
            message = await waiting.get()
            if not isinstance(message, BaseException):
                yield message
                continue
            # What the others have read already is not lost with the one that ended.
            for _ in range(2 * len(lines)):
                await asyncio.sleep(0)
                if not waiting.empty() and isinstance(late := waiting.get_nowait(), bytes):
                    yield late
            raise message
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


__all__ = ["Frame", "IsoDates", "LightReader", "Reader", "StreamReading", "Wire"]
