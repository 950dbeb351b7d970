"""The filtering forward proxy that a browser is started with: nothing else sees every connection of a page.

Route handlers of a browser miss redirected subresources and WebSockets; a proxy sees all of them. It speaks
absolute-form HTTP and CONNECT (TLS and WebSockets), resolves each name itself, checks every address and connects to
a checked one.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from urllib.parse import urlsplit

from crawler.errors import CrawlerError, EgressRefused, Transient
from crawler.net.guard import EgressPolicy, normal_host

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024
CONNECT_SECONDS = 10.0
HEAD_SECONDS = 15.0
IDLE_SECONDS = 120.0
MAX_CONNECTIONS = 512
_CHUNK = 64 * 1024
_REMEMBERED_HOSTS = 10_000

# Hosts that browsers call on their own account (updates, accounts, field trials, safe browsing); no page needs them.
BROWSER_HOSTS = (
    "accounts.google.com",
    "android.clients.google.com",
    "aus5.mozilla.org",
    "clients.google.com",
    "clients1.google.com",
    "clients2.google.com",
    "clients3.google.com",
    "clients4.google.com",
    "clients5.google.com",
    "clients6.google.com",
    "clients2.googleusercontent.com",
    "clientservices.googleapis.com",
    "content-autofill.googleapis.com",
    "detectportal.firefox.com",
    "dl.google.com",
    "edge.microsoft.com",
    "edgedl.me.gvt1.com",
    "gvt1.com",
    "mtalk.google.com",
    "optimizationguide-pa.googleapis.com",
    "passwordsleakcheck-pa.googleapis.com",
    "safebrowsing.google.com",
    "safebrowsing.googleapis.com",
    "services.mozilla.com",
    "settings.services.mozilla.com",
    "tools.google.com",
    "translate-pa.googleapis.com",
    "update.googleapis.com",
)
_HOP_HEADERS = (
    b"connection",
    b"proxy-connection",
    b"proxy-authorization",
    b"keep-alive",
    b"te",
    b"upgrade",
    b"trailer",
)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class _Refusal(Exception):
    """An answer of our own: status line and a sentence."""

    def __init__(self, status: str, message: str) -> None:
        self.status = status
        super().__init__(message)


class FilteringProxy:
    """A forward proxy on 127.0.0.1 with a port of its own.

    `start()` runs it in a thread and returns the port; `astart()` runs it in the running loop. `seen` counts what was
    asked for: (host, allowed) -> times; `reasons` says why a host was refused. `deny` are hosts refused by name,
    subdomains included.
    """

    def __init__(self, policy: EgressPolicy, deny: Iterable[str] = BROWSER_HOSTS) -> None:
        self.policy = policy
        self.deny = frozenset(deny)
        self.seen: Counter[tuple[str, bool]] = Counter()
        self.reasons: dict[str, str] = {}
        self.port = 0
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> int:
        """Serve in a thread; returns the port. Raises OSError when no socket can be opened."""
        started: Future[int] = Future()

        async def main() -> None:
            stop = self._stop = asyncio.Event()
            try:
                started.set_result(await self.astart())
            except BaseException as error:
                started.set_exception(error)
                return
            await stop.wait()
            await self.astop()

        self._thread = threading.Thread(target=lambda: asyncio.run(main()), name="egress-proxy", daemon=True)
        self._thread.start()
        return started.result(timeout=10)

    def stop(self) -> None:
        """Stop what `start` began and cut its connections; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None:
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(timeout=10)

    async def astart(self) -> int:
        """Serve in the running loop; returns the port."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=MAX_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def astop(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def refused(self) -> dict[str, int]:
        """How often each refused host was asked for."""
        return {host: times for (host, allowed), times in self.seen.items() if not allowed}

    def allowed(self) -> dict[str, int]:
        """How often each allowed host was asked for."""
        return {host: times for (host, allowed), times in self.seen.items() if allowed}

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= MAX_CONNECTIONS:
            writer.close()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._exchange(reader, writer)
        except _Refusal as refusal:
            await _answer(writer, refusal.status, str(refusal))
        except EgressRefused as error:
            # The page may read this: it learns nothing of our network. The reason is in `reasons` and in the log.
            log.info("%s", error)
            await _answer(writer, "403 Forbidden", "refused by the egress guard")
        except Transient as error:
            log.info("%s", error)
            await _answer(writer, "502 Bad Gateway", "no connection")
        except (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            pass
        except Exception:
            log.exception("the egress proxy dropped a connection")
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, headers = await _read_head(reader)
        if method == b"CONNECT":
            host, port = _authority(target)
            far_reader, far_writer = await self._connect(host, port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _pipe_both(reader, writer, far_reader, far_writer)
            return
        host, port, authority, path = _absolute(target)
        far_reader, far_writer = await self._connect(host, port)
        far_writer.write(_request_head(method, path, authority, headers))
        await _pipe_both(reader, writer, far_reader, far_writer, rewrite=True)

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = normal_host(host)
        try:
            self._check_name(name, port)
            addresses = await asyncio.to_thread(self.policy.resolve, name, port, CONNECT_SECONDS)
        except CrawlerError as error:
            self._count(name, False)
            if name in self.reasons or len(self.reasons) < _REMEMBERED_HOSTS:
                self.reasons[name] = str(error)
            raise
        self._count(name, True)
        for address in addresses:
            with suppress(OSError, TimeoutError):
                opened = asyncio.open_connection(address, port, limit=MAX_HEAD)
                return await asyncio.wait_for(opened, CONNECT_SECONDS)
        raise Transient(f"{name}:{port} does not answer")

    def _check_name(self, name: str, port: int) -> None:
        self.policy.check_port(port)
        labels = name.split(".")
        if any(".".join(labels[start:]) in self.deny for start in range(len(labels))):
            raise EgressRefused(f"{name} is a host that browsers call on their own account; pages do not need it")

    def _count(self, host: str, allowed: bool) -> None:
        if len(self.seen) < _REMEMBERED_HOSTS or (host, allowed) in self.seen:
            self.seen[host, allowed] += 1
        log.info("egress %s %s", "allowed" if allowed else "refused", host)


class _Flow:
    """Both directions of one exchange, ended when neither moved for IDLE_SECONDS."""

    def __init__(self) -> None:
        self._last = asyncio.get_running_loop().time()

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Copy until the source ends, then tell the sink so."""
        with suppress(OSError):
            while data := await self._read(source):
                sink.write(data)
                await sink.drain()
            if sink.can_write_eof():
                sink.write_eof()

    async def _read(self, source: asyncio.StreamReader) -> bytes:
        clock = asyncio.get_running_loop().time
        while True:
            try:
                data = await asyncio.wait_for(source.read(_CHUNK), IDLE_SECONDS)
            except TimeoutError:
                if clock() - self._last >= IDLE_SECONDS:
                    return b""
            else:
                self._last = clock()
                return data


async def _pipe_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
    rewrite: bool = False,
) -> None:
    """Carry bytes both ways until the far side ends; `rewrite` makes the answer's head say that it closes."""
    flow = _Flow()
    up = asyncio.ensure_future(flow.pump(reader, far_writer))
    try:
        if rewrite:
            writer.write(await _response_head(far_reader))
        await flow.pump(far_reader, writer)
    finally:
        up.cancel()
        far_writer.close()
        with suppress(asyncio.CancelledError):
            await up


async def _answer(writer: asyncio.StreamWriter, status: str, message: str) -> None:
    body = f"{message}\n".encode("utf-8", "replace")
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    with suppress(OSError):
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()


async def _lines(reader: asyncio.StreamReader, seconds: float) -> list[bytes]:
    """The lines of one head, within the size and time limits."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), seconds)
    except asyncio.LimitOverrunError:
        raise _Refusal("431 Request Header Fields Too Large", f"more than {MAX_HEAD} bytes of headers") from None
    return head[:-4].split(b"\r\n")


def _headers(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    found = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or b"\n" in value or b"\r" in value or b"\0" in value:
            raise _Refusal("400 Bad Request", "a header line that is not one")
        found.append((name, value.strip()))
    return found


async def _read_head(reader: asyncio.StreamReader) -> tuple[bytes, str, list[tuple[bytes, bytes]]]:
    lines = await _lines(reader, HEAD_SECONDS)
    parts = lines[0].split(b" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not parts[2].startswith(b"HTTP/1."):
        raise _Refusal("400 Bad Request", "not a proxy request")
    try:
        return parts[0], parts[1].decode("ascii"), _headers(lines[1:])
    except UnicodeDecodeError:
        raise _Refusal("400 Bad Request", "the URL is not percent-encoded") from None


def _authority(target: str) -> tuple[str, int]:
    """Host and port of a CONNECT target."""
    host, colon, port = target.rpartition(":")
    if not colon or not host or not port.isdigit() or len(port) > 5 or "@" in host:
        raise _Refusal("400 Bad Request", "CONNECT needs host:port")
    return host, int(port)


def _absolute(target: str) -> tuple[str, int, str, str]:
    """Host, port, authority and path of an absolute-form target; only plain http comes this way."""
    try:
        parts = urlsplit(target)
        port = parts.port or 80
    except ValueError:
        raise _Refusal("400 Bad Request", "the URL cannot be parsed") from None
    if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc:
        raise _Refusal("400 Bad Request", "the proxy takes absolute http URLs and CONNECT only")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.hostname, port, parts.netloc, path


def _request_head(method: bytes, path: str, authority: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The head in origin form; one request a connection, so that no later one slips past the check."""
    kept = [(name, value) for name, value in headers if name.lower() not in (*_HOP_HEADERS, b"host")]
    lines = [b"%s %s HTTP/1.1" % (method, path.encode()), b"Host: " + authority.encode(), b"Connection: close"]
    return b"\r\n".join([*lines, *(name + b": " + value for name, value in kept)]) + b"\r\n\r\n"


async def _response_head(reader: asyncio.StreamReader) -> bytes:
    """The far side's final head with its connection headers replaced; interim answers are dropped."""
    while True:
        try:
            lines = await _lines(reader, IDLE_SECONDS)
        except (asyncio.IncompleteReadError, _Refusal, TimeoutError):
            raise _Refusal("502 Bad Gateway", "the server sent no usable answer") from None
        if not re.match(rb"HTTP/1\.[01] \d{3}", lines[0]):
            raise _Refusal("502 Bad Gateway", "the server does not speak HTTP/1")
        if lines[0][9:10] != b"1":
            break
    kept = [name + b": " + value for name, value in _headers(lines[1:]) if name.lower() not in _HOP_HEADERS]
    return b"\r\n".join([lines[0], *kept, b"Connection: close"]) + b"\r\n\r\n"
