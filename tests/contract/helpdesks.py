"""Helpdesk doubles on loopback that do as they are told, once: store, refuse, answer 500 after storing, cut, be slow.

One speaks HTTP in the dialects of our kinds, one speaks SMTP, one is the built-in desk in memory. Each keeps what it
stored, so that a test can count tickets from outside.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import itertools
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from crawler.errors import StoreError
from crawler.model import Change, Remote, Ticket

SLOW = 1.6


@dataclass(frozen=True)
class Order:
    """What the next write meets: stored or not, then an answer, a cut, or nothing for SLOW seconds."""

    store: bool = False
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b'{"error": "told so"}'
    kind: str = "application/json"
    then: str = "answer"


@dataclass
class HttpHelpdesk:
    """Speaks the `webhook` and the `django_helpdesk` dialects; `orders` are used up by writes, one each."""

    orders: list[Order] = field(default_factory=list)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                desk._write(self)

            do_PATCH = do_PUT = do_POST

            def do_GET(self) -> None:
                desk._note(self, b"")
                desk._show(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _show(self, handler: BaseHTTPRequestHandler) -> None:
        status, data = self._read(handler.path)
        answer(handler, status, json.dumps(data).encode())

    def _note(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, handler.path, headers, body))

    def _write(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        self._note(handler, body)
        order = self.orders.pop(0) if self.orders else Order(store=True)
        if order.then == "slow":
            time.sleep(SLOW)
        made = self._store(handler.path, json.loads(body)) if order.store else {}
        if order.then == "cut":
            handler.close_connection = True
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
        elif order.status:
            answer(handler, order.status, order.body, order.kind, order.headers)
        else:
            answer(handler, 201, json.dumps(made).encode())

    def _store(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        if path == "/api/followups/" or data.get("event") == "ticket.changed":
            self.comments.append(data)
            return {"id": len(self.comments)}
        if path.startswith("/api/tickets/") and path != "/api/tickets/":
            ticket = self.tickets[int(path.split("/")[3]) - 1]
            ticket.update(data)
            return ticket
        number = len(self.tickets) + 1
        made = {**data, "id": number, "url": f"https://desk.example/{number}", "status": 1}
        self.tickets.append(made)
        return made

    def _read(self, path: str) -> tuple[int, Any]:
        parts = urlsplit(path)
        if parts.path == "/api/tickets/":
            query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
            size, page = query["page_size"], query["page"]
            found = self.tickets[(page - 1) * size : page * size]
            return (200, {"count": len(self.tickets), "results": found}) if found or page == 1 else (404, {})
        if parts.path.startswith("/api/tickets/"):
            number = int(parts.path.split("/")[3])
            comments = [comment for comment in self.comments if comment["ticket"] == number]
            return 200, {**self.tickets[number - 1], "followup_set": comments}
        key = unquote(parts.path.rpartition("/")[2])
        found = [ticket for ticket in self.tickets if ticket.get("key") == key]
        return (200, {**found[0], "status": "open"}) if found else (404, {"error": "unknown"})


@dataclass
class Notices(HttpHelpdesk):
    """Takes messages and answers like a chat."""

    notices: list[dict[str, Any]] = field(default_factory=list)

    def _store(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        self.notices.append(data)
        return {"ok": True, "result": {"message_id": len(self.notices)}}


def answer(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    kind: str = "application/json",
    headers: tuple[tuple[str, str], ...] = (),
) -> None:
    with contextlib.suppress(OSError):
        handler.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@dataclass(frozen=True)
class MailOrder:
    """A reply to one step (mail, rcpt, data, end) in place of the usual one, or a cut at it; `stores` still stores."""

    step: str
    reply: str = ""
    stores: bool = False
    slow: bool = False


@dataclass
class MailServer:
    """A small SMTP server; `orders` are used up one a connection."""

    orders: list[MailOrder] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        order = self.orders.pop(0) if self.orders else MailOrder("none")
        with conn, conn.makefile("rwb") as stream, contextlib.suppress(OSError, ValueError):
            self._say(stream, "220 double")
            for line in stream:
                step = line[:4].strip().lower().decode()
                if step == "data" and order.step != "data":
                    self._say(stream, "354 go on")
                    raw = b"".join(itertools.takewhile(lambda part: part != b".\r\n", stream))
                    step = "end"
                    if order.step != "end" or order.stores:
                        self.messages.append(email.message_from_bytes(raw, policy=email.policy.SMTP))  # type: ignore[arg-type]
                if step == order.step:
                    if order.slow:
                        time.sleep(SLOW)
                    if not order.reply:
                        return
                    self._say(stream, order.reply)
                else:
                    self._say(stream, "221 bye" if step == "quit" else "250 OK")

    @staticmethod
    def _say(stream: Any, line: str) -> None:
        stream.write(line.encode() + b"\r\n")
        stream.flush()


@dataclass
class MemoryDesk:
    """The built-in desk without a database; `orders` name what fails: "before" or "after" storing."""

    orders: list[str] = field(default_factory=list)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def create(self, ticket: Ticket) -> Remote:
        order = self.orders.pop(0) if self.orders else ""
        if order == "before":
            raise StoreError("the database is locked")
        self.tickets.setdefault(ticket.key, ticket)
        if order == "after":
            raise StoreError("the disk is full")
        return Remote(ticket.key)

    def find(self, key: str) -> Remote | None:
        return Remote(key) if key in self.tickets else None

    def update(self, remote: Remote, change: Change) -> None:
        self.changes.append(change)
