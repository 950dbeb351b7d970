"""A Jetstream on loopback: a real websocket server that replays by cursor and misbehaves when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

COLLECTION = "app.bsky.feed.post"


@dataclass
class Faults:
    """What goes wrong. `cut` frames or `lives` seconds end a connection; `garbage` is sent once, in between, and what
    is a list of it in several frames. `poison` stands before the event of that number, whoever asks for it.
    """

    cut: int = 0
    lives: float = 0.0
    repeat: bool = False
    shuffle: bool = False
    garbage: list[bytes | list[bytes]] = field(default_factory=list)
    poison: dict[int, bytes] = field(default_factory=dict)
    silent: bool = False
    refuse: int = 0


class Jetstream:
    """Keeps all events; every connection gets those from its cursor on, and then what is published."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.faults = Faults()
        self.asked: list[dict[str, list[str]]] = []
        self.open = self.most_open = 0
        self._connections: set[ServerConnection] = set()
        self._newest = 0
        self._random = random.Random(7)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # ---- what people do ---------------------------------------------------------------------------------------------

    def publish(self, rkey: str, text: str, did: str = "did:plc:ada", **more: Any) -> dict[str, Any]:
        """A post; `reply` is a pair of parent and root."""
        record = {"$type": COLLECTION, "text": text, "createdAt": _iso(time.time()), "langs": more.pop("langs", ["uk"])}
        if reply := more.pop("reply", None):
            record["reply"] = {"parent": {"uri": reply[0]}, "root": {"uri": reply[1]}}
        return self._event(did, {"operation": more.pop("operation", "create"), "rkey": rkey, "record": record}, **more)

    def edit(self, rkey: str, text: str, did: str = "did:plc:ada") -> dict[str, Any]:
        """The same post with other words."""
        return self.publish(rkey, text, did, operation="update")

    def delete(self, rkey: str, did: str = "did:plc:ada") -> dict[str, Any]:
        """The end of a post."""
        return self._event(did, {"operation": "delete", "rkey": rkey})

    def noise(self) -> None:
        """An event that is no post."""
        self._event("did:plc:tom", {"operation": "create", "rkey": "like", "collection": "app.bsky.feed.like"})

    def _event(self, did: str, commit: dict[str, Any], **more: Any) -> dict[str, Any]:
        self._newest = max(self._newest + 1, int(time.time() * 1e6))
        event = {"did": did, "time_us": self._newest, "kind": "commit", "commit": {"collection": COLLECTION, **commit}}
        self.events.append(event | more)
        return event

    # ---- the server -------------------------------------------------------------------------------------------------

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._received, compression=None) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stop.wait()

    def _received(self, connection: ServerConnection, request: Any) -> Response | None:
        if self.faults.refuse:
            return connection.respond(self.faults.refuse, "no\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        asked = parse_qs(urlsplit(connection.request.path).query)
        cursor = int(asked.get("cursor", [0])[0]) or None
        # From a cursor on everything is told again; without one only what is to come once it counts as open.
        at = len(self.events) if cursor is None else sum(event["time_us"] < cursor for event in self.events)
        self.asked.append(asked)
        self.open += 1
        self._connections.add(connection)
        self.most_open = max(self.most_open, self.open)
        following = asyncio.ensure_future(self._follow(connection, at))
        await connection.wait_closed()
        self.open -= 1
        self._connections.discard(connection)
        following.cancel()
        with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
            await following

    async def _follow(self, connection: ServerConnection, at: int) -> None:
        sent, begun = 0, time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            if self.faults.lives and time.monotonic() - begun > self.faults.lives:
                await connection.close()
                return
            if self.faults.silent:
                continue
            frames: list[str | bytes] = []
            for number, event in enumerate(self.events[at : at + 40], at):
                frames += [self.faults.poison[number]] if number in self.faults.poison else []
                frames.append(json.dumps(event))
            at = min(at + 40, len(self.events))
            if self.faults.repeat:
                frames = [frame for frame in frames for _ in range(2)]
            if self.faults.shuffle:
                self._random.shuffle(frames)
            while self.faults.garbage and frames:
                await connection.send(self.faults.garbage.pop(0))
            for frame in frames:
                await connection.send(frame)
                sent += 1
                if self.faults.cut and sent >= self.faults.cut:
                    # What lies unread when a connection is reset is gone; a server that dies has usually been read.
                    await asyncio.sleep(0.3)
                    connection.transport.abort()
                    return

    def drop(self) -> None:
        """End every connection."""
        for connection in list(self._connections):
            self._loop.call_soon_threadsafe(connection.transport.abort)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


class EventServer:
    """Server-sent events over chunked HTTP: `say` reaches whoever listens to a path, as soon as it is said.

    `pages` (path without query -> JSON) are answered at once, as the API beside the stream.
    """

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        self.said: dict[str, list[bytes]] = {}
        events = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                # What is said from then on, that it asked, is told.
                at = len(events.said.get(self.path, ()))
                events.asked.append((self.path, self.headers.get("Authorization", "")))
                if not self.path.startswith("/api/v1/streaming"):
                    events._answer(self)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                with contextlib.suppress(OSError):
                    events._talk(self, at)

            def log_message(self, *_: Any) -> None:
                """Tests read `asked` instead."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def say(self, path: str, name: str, data: Any) -> None:
        """One event; data that is no text goes as JSON."""
        words = data if isinstance(data, str) else json.dumps(data)
        self.said.setdefault(path, []).append(f"event: {name}\r\ndata: {words}\r\n\r\n".encode())

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        found = self.pages.get(urlsplit(request.path).path)
        body = json.dumps(found).encode()
        request.send_response(404 if found is None else 200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _talk(self, request: BaseHTTPRequestHandler, at: int) -> None:
        ended = time.monotonic() + 120
        chunk = b":)\n"
        while time.monotonic() < ended:
            # In pieces, so that events are cut anywhere.
            for piece in (chunk[:7], chunk[7:]):
                if piece:
                    request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            time.sleep(0.05)
            new = self.said.get(request.path, [])[at:]
            chunk, at = b"".join(new), at + len(new)
            # A sign of life now and then, as the real one gives it.
            chunk = chunk or (b":thump\n" if int(time.monotonic() * 20) % 100 == 0 else b"")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def jetstream() -> Iterator[Jetstream]:
    """A Jetstream for the time of a test."""
    made = Jetstream()
    try:
        yield made
    finally:
        made.close()


def until(said: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds until it was so."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if said():
            return time.monotonic() - begun
        time.sleep(0.05)
    raise AssertionError(f"within {seconds:.0f} s there was no sign of {what}")


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
