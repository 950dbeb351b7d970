"""Connections of streams against servers of the loopback: what is said of them, and what a connection's end costs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from crawler import plugins
from crawler.errors import CrawlerError, EgressRefused, Permanent, Transient
from crawler.model import Source
from crawler.net.guard import EgressPolicy
from crawler.net.live import Barred, Live, ServerEvent, _Events, _open, refusal
from crawler.net.sieve import Signs, Swallowed
from spiders.stream_reading import LightReader
from spiders.stream_session import Batch, Session

KINDS = plugins.family("spiders", "stream", LightReader)
LOOPBACK = EgressPolicy((ip_network("127.0.0.0/8"),))


def reader(**given: Any) -> Any:
    asked = {"url": "https://s.example", "posts": [{"items": "[@]", "fields": {"id": "id", "text": "text"}}]}
    return KINDS["stream"](Source("sky", "stream", KINDS["stream"].Settings(**{**asked, **given})))


def refused(way: str, answer: bytes = b"", headers: Mapping[str, str] | None = None, query: str = "") -> CrawlerError:
    """The error of a server that gives this answer to whoever asks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Some go without asking.
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def ask() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        stream = getattr(Live(LOOPBACK), way)(f"http://127.0.0.1:{port}/{query}", headers)
        try:
            await anext(stream)
        finally:
            server.close()

    with pytest.raises(CrawlerError) as told:
        asyncio.run(ask())
    return told.value


@pytest.mark.parametrize("way", ["websocket", "events"])
@pytest.mark.parametrize("value", ["Bearer s3cret\n", "Bearer s3cret ", "s3cret\u0456", "a\r\nX: s3cret"])
def test_a_header_that_cannot_be_sent_is_named_and_not_quoted(way: str, value: str) -> None:
    error = refused(way, headers={"Authorization": value})
    assert isinstance(error, Permanent) and "'Authorization' cannot be sent" in str(error)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("way", ["websocket", "events"])
@pytest.mark.parametrize("value", ["", "x", "Bearer t0ken", "a\tb", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "X_2"])
def test_any_other_header_is_sent(way: str, name: str, value: str) -> None:
    error = refused(way, b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", {name: value})
    assert isinstance(error, Transient) and "answered 503" in str(error)


@pytest.mark.parametrize("way", ["websocket", "events"])
@pytest.mark.parametrize("where", ["/other", "http://10.0.0.1/x", "ws://10.0.0.1/x", "http://[bad", ""])
def test_an_answer_that_sends_us_elsewhere_is_told_as_that(way: str, where: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
    error = refused(way, answer, query="?key=s3cret")
    assert isinstance(error, Permanent) and "sends us elsewhere (302)" in str(error)
    assert "s3cret" not in str(error) and "10.0.0.1" not in str(error)


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system names no times of keep-alive")
def test_a_peer_that_is_gone_without_a_word_is_missed_in_minutes() -> None:
    """Of several connections one may be dead while the others are heard."""

    async def opened() -> tuple[int, int]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            made = await _open("127.0.0.1", server.getsockname()[1], 5.0)
            with made:
                idle, between, count = (
                    made.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{name}"))
                    for name in ("IDLE", "INTVL", "CNT")
                )
                return made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), idle + between * count

    on, seconds = asyncio.run(opened())
    assert on and seconds <= 120


def test_a_long_line_that_comes_in_drops_is_read_once() -> None:
    """Read over with each drop it would hold up every other stream for minutes."""
    parser, found = _Events(2 << 20, Swallowed(Signs())), list[ServerEvent]()
    begun = time.process_time()
    for drop in (b"data: ", *[b"x" * 64] * (1 << 14), b"\r", b"\n\r", b"\n"):
        found += parser.feed(drop)
    assert [len(event.data) for event in found] == [1 << 20]
    assert time.process_time() - begun < 5.0


class Scripted:
    """Connections that say what they are given: messages, an error to end with, or None to stay open."""

    def __init__(self, *connections: Sequence[bytes | Exception | None]) -> None:
        self.connections, self.asked = list(connections), list[str]()

    async def websocket(
        self, url: str, headers: Mapping[str, str] | None = None, hello: Sequence[str] = ()
    ) -> AsyncGenerator[bytes, None]:
        self.asked.append(url)
        for said in self.connections.pop(0):
            if isinstance(said, Exception):
                raise said
            if said is None:
                await asyncio.Event().wait()
            else:
                yield said

    async def events(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[ServerEvent, None]:
        yield ServerEvent("message", b"never asked for")


def test_what_came_while_a_batch_was_stored_is_stored_too_at_the_end() -> None:
    """A stream without a place is never told it again."""
    stored = list[str]()

    async def scene() -> None:
        until = asyncio.Event()

        class Prompt(Scripted):
            async def websocket(self, url: str, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
                yield b'{"id": "0", "text": "before"}'
                await until.wait()
                yield b'{"id": "1", "text": "meanwhile"}'

        async def deliver(batch: Batch) -> None:
            stored.extend(post.text for post in batch.posts)
            until.set()
            for _ in range(20):
                await asyncio.sleep(0)

        await Session(reader(), Prompt(), {}, deliver).connect(until)

    asyncio.run(scene())
    assert stored == ["before", "meanwhile"]


@pytest.mark.parametrize(
    "error", [refusal("https://s.example", 401, {}), Barred("no trust"), EgressRefused("a private address")]
)
def test_a_token_that_is_mended_later_does_not_cost_the_place(error: Exception) -> None:
    """Only a server that refuses the request itself may have forgotten the place."""
    wire = Scripted(*[[error]] * 6, [Transient("the end")])
    kind = reader(cursor="at", cursor_is="number", query={"since": "{cursor}"})

    async def deliver(batch: Batch) -> None:
        """Nothing ever comes."""

    session = Session(kind, wire, {"place": 4}, deliver)
    for _ in range(7):
        with pytest.raises((Permanent, Transient)):
            asyncio.run(session.connect(asyncio.Event()))
    assert wire.asked == ["https://s.example?since=4"] * 7
