"""The process of the town: one loopback HTTP server a site, and one more to steer and to read the served log.

The log is written by the servers themselves, an answer that could not be sent whole is marked `cut`: it says what was
truly served, and shares nothing with the product.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from crawler.cli.town.posts import SITES, World
from crawler.cli.town.sites import Answer, Ask, answer

HOST = "127.0.0.1"


class Log:
    """Served answers, in the order in which they went out."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @contextmanager
    def of(self, **line: Any) -> Iterator[None]:
        """One more answer, sent inside: whoever has received it finds it here already."""
        entry = {"at": datetime.now(UTC).isoformat(), "cut": False, **line}
        with self._lock:
            entry["n"] = len(self._lines) + 1
            self._lines.append(entry)
        try:
            yield
        except OSError:
            entry["cut"] = True
            raise

    def since(self, number: int) -> str:
        """Lines after `number` as JSON lines."""
        with self._lock:
            return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines[number:])


class Town:
    """The running servers. `addresses` maps each site, and `control`, to its base URL."""

    def __init__(self) -> None:
        self.world, self.log = World(datetime.now(UTC).replace(microsecond=0)), Log()
        self._servers = {site: _server(_site_handler(self, site)) for site in SITES}
        self._servers["control"] = _server(_control_handler(self))
        self.addresses = {name: f"http://{HOST}:{server.server_port}" for name, server in self._servers.items()}

    def start(self) -> None:
        """Serve in threads that die with the process."""
        for name, server in self._servers.items():
            threading.Thread(target=server.serve_forever, args=(0.1,), name=name, daemon=True).start()

    def advance(self) -> int:
        """Let the next tide in."""
        return self.world.advance(datetime.now(UTC).replace(microsecond=0))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is everyday life, anything else is told on stderr."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _server(handler: type[BaseHTTPRequestHandler]) -> _Server:
    return _Server((HOST, 0), handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: the second would wait for an ACK
    server_version = "town"
    sys_version = ""
    timeout = 30

    def log_message(self, *_: Any) -> None:
        """The served log is ours; nothing goes to stderr."""

    def reply(self, made: Answer) -> None:
        """Send an answer whole, its length named."""
        self.send_response(made.status)
        for name, value in {"Content-Type": made.kind, "Content-Length": str(len(made.body)), **made.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(made.body)
            self.wfile.flush()


def _site_handler(town: Town, site: str) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            base = town.addresses[site]
            made = answer(site, town.world, Ask(base, self.path, headers, datetime.now(UTC)))
            with town.log.of(
                site=site, host=urlsplit(base).netloc, path=self.path, status=made.status,
                agent=headers.get("user-agent", ""), bytes=len(made.body),
                posts=list(made.posts) if self.command == "GET" else [],
            ):  # fmt: skip
                self.reply(made)

        do_HEAD = do_GET

    return Handler


def _control_handler(town: Town) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            since = parse_qs(parts.query).get("since", ["0"])[0]
            if parts.path != "/_town/log" or not since.isdecimal():
                return self.reply(Answer(b"GET /_town/log?since=N or POST /_town/advance\n", "text/plain", 404))
            return self.reply(Answer(town.log.since(int(since)).encode(), "application/x-ndjson"))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/_town/tides":
                _tides(town, float(body), lambda: None)
            elif self.path != "/_town/advance":
                return self.reply(Answer(b"only /_town/advance and /_town/tides\n", "text/plain", 404))
            tide = town.advance() if self.path == "/_town/advance" else len(town.world.tides)
            return self.reply(Answer(json.dumps({"tide": tide}).encode(), "application/json"))

    return Handler


def serve_child(tide_seconds: float) -> None:
    """Run as a child: addresses as one JSON line on stdout, then serve until stdin ends: until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    town = Town()
    town.start()
    print(json.dumps(town.addresses), flush=True)
    _tides(town, tide_seconds, lambda: None)
    sys.stdin.buffer.read()
    os._exit(0)


def serve_alone(tide_seconds: float) -> None:
    """Run for a look, until Ctrl-C."""
    town = Town()
    town.start()
    for name, address in town.addresses.items():
        print(f"{name:9} {address}", flush=True)
    _tides(town, tide_seconds, lambda: print(f"tide {len(town.world.tides)}", flush=True))
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("the town sleeps")


def _tides(town: Town, seconds: float, told: Callable[[], None]) -> None:
    """Advance every `seconds` in a thread; 0 = only when asked."""

    def run() -> None:
        pause = threading.Event()
        while not pause.wait(seconds):
            town.advance()
            told()

    if seconds > 0:
        threading.Thread(target=run, name="tide", daemon=True).start()
