"""A loopback server for spiders: each path is a function that answers as it likes, also as no server should."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HTML = "text/html; charset=utf-8"
Route = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; routes write their answer through it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.site.answer(self)  # type: ignore[attr-defined]

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Tests read `asked` instead."""

    def send(self, body: str | bytes, kind: str = HTML, status: int = 200, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.begin(kind, status, Content_Length=str(len(data)), **headers)
        self.wfile.write(data)

    def begin(self, kind: str = HTML, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


class RoughSite:
    """`routes` by path; a path that ends in * answers for everything below it. `asked` counts requests."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.asked: Counter[str] = Counter()
        self.headers: dict[str, Mapping[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self._server.daemon_threads = True
        self._server.site = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Request) -> None:
        path = request.path
        self.asked[path] += 1
        self.headers[path] = dict(request.headers.items())
        found = self.routes.get(path) or next(
            (route for name, route in self.routes.items() if name.endswith("*") and path.startswith(name[:-1])), None
        )
        try:
            found(request) if found else request.send("not here", status=404)
        except (BrokenPipeError, ConnectionResetError):
            request.close_connection = True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def run(*jobs: Mapping[str, Any], seconds: float = 60) -> list[dict[str, Any]]:
    """Crawls the jobs in a child process with real Scrapy; fails when the child breaks or takes too long."""
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("spider_runs.py"))],
        input=json.dumps([{"name": "source", **job} for job in jobs]),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    answers = [json.loads(line) for line in child.stdout.splitlines()]
    assert len(answers) == len(jobs), child.stderr[-3000:]
    return answers
