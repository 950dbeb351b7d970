"""A small site on loopback for tests of the command and the service: feeds, a page, and a hook that takes tickets."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed."""

    id: str
    text: str
    title: str = ""
    author: str = "Reader"


@dataclass
class Site:
    """One web server = one domain. Everything may be changed while it serves.

    `feeds` and `pages` by path; `status` answers a path with an error; `slow` delays it by seconds. POSTs to /hook
    become `tickets` by key, each call stands in `calls`; /hook/KEY finds one. `hook_status` makes the hook refuse.
    """

    feeds: dict[str, Sequence[Entry]] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    served: Counter[str] = field(default_factory=Counter)
    calls: list[dict[str, Any]] = field(default_factory=list)
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    hook_status: int = 200

    def __post_init__(self) -> None:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                _send(self, site.read(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                _send(self, site.take(self.path, json.loads(body)))

            def log_message(self, *_: Any) -> None:
                """Tests read `served` and `calls` instead."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def read(self, path: str) -> Answer:
        """What a GET brings."""
        self.served[path] += 1
        time.sleep(self.slow.get(path, 0.0))
        if path in self.status:
            return self.status[path], "text/plain", b"not now"
        if path in self.feeds:
            return 200, "application/rss+xml; charset=utf-8", self.rss(path).encode()
        if path in self.pages:
            return 200, "text/html; charset=utf-8", self.pages[path].encode()
        if (key := path.removeprefix("/hook/")) in self.tickets and self.hook_status == 200:
            return 200, "application/json", json.dumps({"id": self.tickets[key]["number"]}).encode()
        return 404, "text/plain", b"nothing here"

    def take(self, path: str, body: Mapping[str, Any]) -> Answer:
        """What a POST does: a ticket is kept once for each key, as a careful helpdesk would NOT do: doubles show."""
        self.calls.append({**body, "answered": self.hook_status})
        if self.hook_status != 200:
            return self.hook_status, "text/plain", b"the helpdesk is down"
        number = len(self.calls)
        if body.get("event") == "ticket.created":
            self.tickets[str(body["key"])] = {**body, "number": number}
        return 200, "application/json", json.dumps({"id": number, "url": f"{self.url}/hook/{number}"}).encode()

    def created(self) -> Counter[str]:
        """Key -> how often a ticket of that key was created, refused calls left out."""
        taken = [call for call in self.calls if call.get("event") == "ticket.created" and call["answered"] == 200]
        return Counter(str(call["key"]) for call in taken)

    def rss(self, path: str) -> str:
        """The feed as RSS 2.0."""
        items = "".join(map(self._item, self.feeds[path]))
        return f"<?xml version='1.0'?><rss version='2.0'><channel><title>t</title>{items}</channel></rss>"

    def _item(self, entry: Entry) -> str:
        parts = (
            f"<guid isPermaLink='false'>{escape(entry.id)}</guid>",
            f"<link>{self.url}/post/{escape(entry.id)}</link>",
            f"<title>{escape(entry.title)}</title>" if entry.title else "",
            f"<author>{escape(entry.author)}</author>",
            f"<description>{escape(entry.text)}</description>",
        )
        return f"<item>{''.join(parts)}</item>"

    def close(self) -> None:
        """Stop serving: connections are refused from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle is what these tests are about."""


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    status, kind, body = answer
    try:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    except OSError:
        return


def forum(*posts: tuple[str, str, str]) -> str:
    """A page with (id, author, text) posts, for `kind: page`."""
    shown = "".join(
        f"<article class='message' id='{number}'><b class='who'>{who}</b><a class='link' href='/t/{number}'>#</a>"
        f"<div class='body'>{escape(text)}</div></article>"
        for number, who, text in posts
    )
    return f"<!doctype html><html><head><meta charset='utf-8'><title>Forum</title></head><body>{shown}</body></html>"


FORUM_SETTINGS = """
    item: article.message
    fields: {text: .body, author: .who, url: a.link@href}
"""
