"""Connections that stay open: websockets and server-sent events, under the egress rules of every request.

Names are resolved and checked here, the connection goes to a checked address, redirects are refused (they would go
past the check), nothing is compressed (a compressed frame may swell without end) and every message has a longest size:
what is longer is passed over and counted in `Live.signs`.
What ends a connection is Transient, what no second try mends Permanent; messages name the server only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from crawler.errors import Permanent, Transient
from crawler.net.guard import DEFAULT_PORTS, EgressPolicy
from crawler.net.http import USER_AGENT, server_of
from crawler.net.sieve import Sieve, Signs, Swallowed

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection, connect

# Their debug lines show headers, which hold credentials.
logging.getLogger("websockets").setLevel(logging.WARNING)

MIB = 1024 * 1024
LONGEST = 4 * MIB
OPEN_SECONDS = 15.0
PING_SECONDS = 20.0
_HEAD_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
# Messages that wait in memory before the server is no longer read: a slow database must not fill ours.
_WAITING = 4
_TRY_LATER = (408, 425, 429)
_WHO_ASKS = (401, 403, 407)
_NAME, _VALUE = re.compile(r"[!#-'*+.0-9A-Z^-z|~-]+"), re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
# A peer that is gone without a word, seconds: asked after so many, so often, so many times.
_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 4}
_BROKEN: tuple[type[Exception], ...] = (OSError, EOFError, TimeoutError, ValueError)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event. `id` is the last one that the server named: a place, for streams that go on from it."""

    name: str
    data: bytes
    id: str = ""


class Barred(Permanent):
    """Refused for what has nothing to do with the place in the stream: a token, a certificate, an address."""


class TooLong(Transient):
    """A message that does not end: the connection was given up with it."""


@dataclass(frozen=True)
class Live:
    """Opens lasting connections within `policy`. `ssl_context` replaces the system's certificates."""

    policy: EgressPolicy
    user_agent: str = USER_AGENT
    ssl_context: ssl.SSLContext | None = None
    longest: int = LONGEST
    # What is known of the connections beside their messages: a quiet stream is open all the same.
    signs: Signs = field(default_factory=Signs)

    async def websocket(
        self, url: str, headers: Mapping[str, str] | None = None, hello: Sequence[str] = ()
    ) -> AsyncGenerator[bytes, None]:
        """Messages of the websocket at `url` (written http/https), text as UTF-8; `hello` is sent first.

        One that is longer than `longest` is left out and its size put into `signs.lost`. Raises Transient or Permanent.
        """
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

        parts = self._checked(url, headers)
        where = urlunsplit(("wss" if parts.scheme == "https" else "ws", *parts[1:4], ""))
        sieve = Sieve(self.longest, self.signs)
        async with self._errors_of(url, InvalidHandshake):
            connected = await self._connect(parts)
            trust, name = self._secured(parts)
            try:
                socket_ = await _straight()(
                    where,
                    sock=connected,
                    ssl=trust,
                    server_hostname=name,
                    compression=None,
                    max_size=self.longest,
                    max_queue=_WAITING,
                    open_timeout=OPEN_SECONDS,
                    close_timeout=2.0,
                    ping_interval=PING_SECONDS,
                    ping_timeout=PING_SECONDS,
                    additional_headers=dict(headers or {}),
                    user_agent_header=self.user_agent,
                    proxy=None,
                    create_connection=_sieved(sieve),
                )
            except InvalidStatus as error:
                connected.close()
                raise refusal(url, error.response.status_code, dict(error.response.headers.raw_items())) from None
            except BaseException:
                connected.close()
                raise
        self.signs.opened = monotonic()
        try:
            for message in hello:
                await socket_.send(message)
            while True:
                yield await socket_.recv(decode=False)
        except ConnectionClosed as error:
            raise _ended(url, error, sieve.swallowed) from None
        finally:
            await socket_.close()

    async def events(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[ServerEvent, None]:
        """Server-sent events at `url`, comments as events named ":". Raises Transient or Permanent.

        One that is longer than `longest` is left out and its size put into `signs.lost`.
        """
        parts = self._checked(url, headers)
        async with self._errors_of(url):
            connected = await self._connect(parts)
            trust, name = self._secured(parts)
            opening = asyncio.open_connection(sock=connected, ssl=trust, server_hostname=name)
            reader, writer = await asyncio.wait_for(opening, OPEN_SECONDS)
        parser = _Events(self.longest, Swallowed(self.signs))
        try:
            async with contextlib.aclosing(self._body(url, parts, reader, writer, headers or {})) as body:
                async for chunk in body:
                    for event in parser.feed(chunk):
                        yield event
        finally:
            writer.close()
        raise Transient(f"{server_of(url)} ended the stream")

    async def _body(
        self,
        url: str,
        parts: SplitResult,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        headers: Mapping[str, str],
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a 200 answer as they come."""
        import h11

        line = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        ours = {"Host": parts.netloc, "User-Agent": self.user_agent, "Accept": "text/event-stream"}
        ours |= {"Accept-Encoding": "identity", "Cache-Control": "no-store", **headers}
        async with self._errors_of(url, h11.ProtocolError, UnicodeError):
            asked = h11.Request(method="GET", target=target, headers=list(ours.items()))
            writer.write(line.send(asked) or b"")
            writer.write(line.send(h11.EndOfMessage()) or b"")
            await writer.drain()
            while True:
                event = line.next_event()
                if event is h11.NEED_DATA:
                    line.receive_data(await reader.read(_READ_BYTES))
                elif isinstance(event, h11.Response):
                    _demand_stream(url, event.status_code, {k.decode(): v.decode("latin-1") for k, v in event.headers})
                    self.signs.opened = monotonic()
                elif isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                    return

    def _checked(self, url: str, headers: Mapping[str, str] | None) -> SplitResult:
        self.policy.check_url(url)
        for name, value in (headers or {}).items():
            # Libraries would quote the value in their errors, and it may be a secret.
            if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
                wrong = "a blank at an end, a line end or a letter that is not ASCII"
                raise Barred(f"{server_of(url)}: the header {name[:60]!r} cannot be sent, it holds {wrong}; correct it")
        return urlsplit(url)

    def _secured(self, parts: SplitResult) -> tuple[ssl.SSLContext | None, str | None]:
        """The certificates to trust and the name they must be of; nothing for plain http."""
        return (self.ssl_context or _system_trust(), parts.hostname) if parts.scheme == "https" else (None, None)

    async def _connect(self, parts: SplitResult) -> socket.socket:
        """A socket that is connected to a checked address of the host."""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        self.policy.check_port(port)
        addresses = await asyncio.to_thread(self.policy.resolve, parts.hostname or "", port)
        last: OSError = OSError("no address")
        for address in addresses:
            try:
                return await _open(address, port, OPEN_SECONDS / len(addresses))
            except OSError as error:
                last = error
        raise last

    @contextlib.asynccontextmanager
    async def _errors_of(self, url: str, *more: type[Exception]) -> AsyncIterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise Barred(f"{server_of(url)}: its certificate is not trusted ({error.verify_message})") from None
        except (*_BROKEN, *more) as error:
            said = (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]
            raise Transient(f"{server_of(url)}: no lasting connection ({said})") from None


async def _open(address: str, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _ALIVE.items():
            # One of several connections that is dead would else be missed by nobody.
            if hasattr(socket, name):
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (address, port)), seconds)
    except BaseException:
        made.close()
        raise
    return made


@cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def refusal(url: str, status: int, headers: Mapping[str, str]) -> Transient | Permanent:
    """The error of an answer that opens no stream."""
    said = {name.lower(): value for name, value in headers.items()}
    if status in _TRY_LATER or status >= 500:
        wait = _seconds(said.get("retry-after", ""))
        return Transient(f"{server_of(url)} answered {status}; it is asked again later", wait)
    if 300 <= status < 400:
        return Barred(f"{server_of(url)} sends us elsewhere ({status}); write the new address into the source")
    kind = Barred if status in _WHO_ASKS else Permanent
    return kind(f"{server_of(url)} answered {status} and opens no stream; correct `url`, `path` or the token")


def _seconds(value: str) -> float | None:
    if value.strip().isdecimal():
        return min(86400.0, float(value))
    try:
        return min(86400.0, max(0.0, parsedate_to_datetime(value).timestamp() - time()))
    except (ValueError, TypeError, OverflowError):
        return None


def _demand_stream(url: str, status: int, headers: Mapping[str, str]) -> None:
    if status != 200:
        raise refusal(url, status, headers)
    said = {name.lower(): value.lower() for name, value in headers.items()}
    if said.get("content-encoding", "identity").strip() not in ("", "identity"):
        raise Barred(f"{server_of(url)} compresses its stream, although it was asked not to")
    if "html" in said.get("content-type", ""):
        raise Barred(f"{server_of(url)} answers with a web page, not with a stream: a wall, or a wrong `path`")


def _straight() -> type[connect]:
    """What connects, and takes no answer for another address to go to."""
    from websockets.asyncio.client import connect

    class Straight(connect):
        def process_redirect(self, exc: Exception) -> Exception:
            return exc

    return Straight


def _sieved(sieve: Sieve) -> type[ClientConnection]:
    """A connection that never sees what is too long."""
    from websockets.asyncio.client import ClientConnection

    class Sieved(ClientConnection):
        def data_received(self, data: bytes) -> None:
            left = sieve.feed(data)
            if sieve.swallowed.hopeless:
                self.transport.abort()
            elif left:
                super().data_received(left)

    return Sieved


def _ended(url: str, error: Any, swallowed: Swallowed) -> Transient:
    received, sent = error.rcvd, error.sent
    if swallowed.hopeless or (sent is not None and sent.code == 1009):
        return TooLong(f"{server_of(url)} sent a message that does not end")
    said = f"code {received.code}" if received is not None else "without a word"
    return Transient(f"{server_of(url)} ended the stream ({said})")


@dataclass(slots=True)
class _Events:
    """Bytes in, server-sent events out; lines may end in any of the three ways, and be cut anywhere."""

    longest: int
    swallowed: Swallowed
    _rest: bytearray = field(default_factory=bytearray)
    _held: bool = False
    # The rest of the present line is thrown away, which is a comment or not; and so is the present event.
    _skips_line: bool = False
    _comment: bool = False
    _skips: bool = False
    _data: list[bytes] = field(default_factory=list)
    _size: int = 0
    _name: str = ""
    _id: str = ""
    _begun: bool = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that these bytes complete. Raises TooLong for one that has no end."""
        said = b"\r" + chunk if self._held else chunk
        # A carriage return at the end may be half of a line end.
        self._held = said.endswith(b"\r")
        whole = (said[:-1] if self._held else said).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # Only what is new is searched: a long line that comes in drops must not be read over and over.
        begun, *ends = whole.split(b"\n")
        self._rest += begun
        found = list[ServerEvent]()
        for end in ends:
            line, self._rest = bytes(self._rest), bytearray(end)
            if (event := self._line(line)) is not None:
                found.append(event)
        if self._skips_line or self._size + len(self._rest) > self.longest:
            self._swallow(bytes(self._rest))
            self._rest.clear()
        if self.swallowed.hopeless:
            raise TooLong("the server sent an event that does not end")
        return found

    def _swallow(self, line: bytes) -> None:
        """Throws away a line that is too long, and the event that it is of; a comment is of none."""
        if not self._skips_line:
            self._skips_line, self._comment = True, line.startswith(b":")
        if not self._comment:
            self._lose(line)

    def _lose(self, part: bytes) -> None:
        self.swallowed.more(self._size + len(part))
        self._skips, self._data, self._size = True, [], 0

    def _line(self, line: bytes) -> ServerEvent | None:
        if self._skips_line:
            # Its end: the rest of what was thrown away.
            self._skips_line = False
            return None
        if not self._begun:
            self._begun, line = True, line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._done()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not name:
            return ServerEvent(":", value)
        if name == b"data":
            self._add(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")[:100]
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")[:500]
        return None

    def _add(self, value: bytes) -> None:
        if self._skips or self._size + len(value) > self.longest:
            self._lose(value)
            return
        # With its line end: empty lines would fill the memory without a size.
        self._size += len(value) + 1
        self._data.append(value)

    def _done(self) -> ServerEvent | None:
        data, name, skips = b"\n".join(self._data), self._name, self._skips
        self._data, self._size, self._name, self._skips = [], 0, "", False
        if skips:
            self.swallowed.done()
            return None
        return ServerEvent(name or "message", data, self._id) if data else None


__all__ = ["Barred", "Live", "ServerEvent", "Signs", "TooLong", "refusal"]
