"""A real Isso on loopback, and a page that shows its comments by Isso's own script."""

from __future__ import annotations

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from servers.venv import Server, environment, free_port

CONFIG = """[general]
dbpath = {folder}/comments.db
host = {site}/
latest-enabled = true
max-age = 1h
[moderation]
enabled = false
[server]
listen = {url}
[guard]
enabled = false
[rss]
base = {site}
limit = 100
"""
PAGE = """<!doctype html><html lang="uk"><title>Про оплату карткою</title><body><h1>Про оплату карткою</h1>
<script data-isso="{url}/" src="{url}/js/embed.min.js"></script><section id="isso-thread" data-title="t"></section>"""


class Isso(Server):
    """Isso with an empty database; `page` is the address of the page that carries its thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        python = environment("isso", ["isso==0.14.0", "setuptools<81"])
        self.url = f"http://127.0.0.1:{free_port()}"
        self._site = _PageServer(PAGE.format(url=self.url))
        self.page = f"{self._site.url}/post1.html"
        config = folder / "isso.cfg"
        config.write_text(CONFIG.format(folder=folder, site=self._site.url, url=self.url))
        self.serve([str(python.with_name("isso")), "-c", str(config), "run"], folder)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        super().__exit__(kind, error, tb)
        self._site.close()

    @property
    def feed(self) -> str:
        """The Atom feed of the page's comments."""
        return f"{self.url}/feed?uri=/post1.html"

    def say(self, author: str, text: str, parent: int | None = None) -> int:
        """Add a comment; returns its number."""
        body = {"author": author, "text": text, "title": "t", **({"parent": parent} if parent else {})}
        return int(self._call("POST", "/new?uri=/post1.html", body)["id"])

    def edit(self, number: int, text: str) -> None:
        """What its author may do for an hour: the cookie that came with the comment proves who it is."""
        self._call("PUT", f"/id/{number}", {"text": text}, self._cookies[number])

    def _call(self, method: str, path: str, body: dict[str, Any], cookie: str = "") -> Any:
        headers = {"Content-Type": "application/json", "Origin": self._site.url, "Cookie": cookie}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            said = json.load(answer)
            given = answer.headers.get("Set-Cookie", "").split(";")[0]
        if method == "POST":
            self._cookies = {**getattr(self, "_cookies", {}), int(said["id"]): given}
        return said


class _PageServer:
    def __init__(self, page: str) -> None:
        body = page.encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path.endswith(".html")
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body if found else b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
