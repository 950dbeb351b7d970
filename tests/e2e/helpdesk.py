"""A helpdesk that can be told to misbehave: a process of its own that takes what the `webhook` sink posts.

Every POST of a ticket opens a NEW ticket, and every POST of a comment (`event: ticket.comment`, with `ticket`) adds
one, whatever its key: a product that sends twice is caught. `GET /tickets/ID/comments` tells them. What was stored is
on disk (one JSON line each, synced) before any answer leaves, so that a kill of anything loses nothing of it.

    helpdesk = Helpdesk(folder, secret="s3cret")
    helpdesk.start()
    helpdesk.mode("500", times=3)    # the next three POSTs are stored and answered 500
    helpdesk.stored()                # [{"id": "1", "key": "mc-...", "event": "ticket.created", ...}, ...]

Modes: `ok`; `500` stores, then says 500; `cut` stores, then closes the connection without an answer; `slow` stores,
then answers after `seconds`; `down` answers 503 and stores nothing; `faulty` does one of these by dice in 30 % of all
calls, look-ups too, the same way for the same seed; `late` closes the connection at once and stores within `late`
seconds; `harsh` is `faulty` with `late` among the faults and a search that sees tickets only after `lag` seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

MODES = ("ok", "500", "cut", "slow", "down", "late", "faulty", "harsh")
FAULTS = ("500", "cut", "slow", "down")
HARSH = (*FAULTS, "late")
FAULTY = 0.3
_CALL_BYTES = len("POST created ok\n")


class Helpdesk:
    """The helpdesk as the test sees it. `folder` keeps its tickets over restarts."""

    def __init__(
        self,
        folder: Path,
        *,
        secret: str = "",
        seed: int = 1,
        seconds: float = 3.0,
        late: float = 5.0,
        lag: float = 0.0,
    ) -> None:
        given = {"secret": secret, "seed": seed, "seconds": seconds, "late": late, "lag": lag}
        self.folder, self._options = folder, [f"--{name}={value}" for name, value in given.items()]
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self) -> str:
        """Start it and return its address."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, "--folder", str(self.folder), *self._options]
        if self.address:
            command += ["--port", self.address.rsplit(":", 1)[1]]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().decode().strip()
        return self.address

    @property
    def url(self) -> str:
        """Where tickets are posted."""
        return f"{self.address}/tickets"

    @property
    def lookup_url(self) -> str:
        """Where a ticket is looked up by `{key}`."""
        return f"{self.address}/tickets/{{key}}"

    def mode(self, mode: str, times: int = 0) -> None:
        """From now on behave so; `times` > 0 says for how many POSTs, then `ok` again."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.address}/_desk/mode", json.dumps({"mode": mode, "times": times}).encode(), timeout=10):
            pass

    def lines(self) -> list[dict[str, Any]]:
        """Everything it stored, tickets and changes, in order."""
        path = self.folder / "stored.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def stored(self) -> list[dict[str, Any]]:
        """Tickets it holds, in order."""
        return [line for line in self.lines() if line["event"] == "ticket.created"]

    def comments(self) -> list[dict[str, Any]]:
        """Comments it holds, in order."""
        return [line for line in self.lines() if line["event"] == "ticket.comment"]

    def calls(self) -> list[str]:
        """Every call in order: `POST created ok`, `GET lookup down`, ..."""
        path = self.folder / "calls.log"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def count_calls(self) -> int:
        """How many calls there were, more or less: told by the size of the file, so that asking costs nothing."""
        path = self.folder / "calls.log"
        return path.stat().st_size // _CALL_BYTES if path.exists() else 0

    def stop(self, kill: bool = False) -> None:
        """End the process, by SIGKILL if wanted."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        if kill:
            process.kill()
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Helpdesk:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


# --- the process


@dataclass
class Desk:
    """State of the process: what is stored, and how it behaves now."""

    folder: Path
    secret: str
    seconds: float
    dice: random.Random
    mode: str = "ok"
    times: int = 0
    late: float = 5.0
    lag: float = 0.0
    ids: dict[str, tuple[str, float]] = field(default_factory=dict)
    said: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> None:
        """Take up what an earlier process stored."""
        path = self.folder / "stored.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            self._count(json.loads(line))

    def _count(self, line: dict[str, Any]) -> None:
        self.count += 1
        if line["event"] == "ticket.created":
            self.ids.setdefault(line["key"], (line["id"], float(line["at"])))
        if line["event"] == "ticket.comment":
            self.said.setdefault(str(line["ticket"]), []).append((str(line["text"]), float(line["at"])))

    def store(self, body: dict[str, Any], key: str) -> str:
        """Keep one ticket or change for good; returns its number."""
        with self.lock:
            line = {**body, "key": key, "id": str(self.count + 1), "at": time.time()}
            self._append("stored.jsonl", json.dumps(line, ensure_ascii=False))
            self._count(line)
            return str(line["id"])

    def behaviour(self, writes: bool) -> str:
        """How to treat the present call."""
        with self.lock:
            mode = self.mode
            if mode in ("faulty", "harsh"):
                faults = FAULTS if mode == "faulty" or not writes else HARSH
                return self.dice.choice(faults) if self.dice.random() < FAULTY else "ok"
            if not writes:
                return "down" if mode == "down" else "ok"
            if self.times:
                self.times -= 1
                self.mode = self.mode if self.times else "ok"
            return mode

    def sees(self, key: str) -> bool:
        """Whether a search finds the ticket of that key already."""
        return key in self.ids and time.time() >= self.ids[key][1] + self._lag

    def comments(self, ticket: str) -> list[str]:
        """The comments of a ticket that can be read already."""
        return [text for text, at in self.said.get(ticket, []) if time.time() >= at + self._lag]

    @property
    def _lag(self) -> float:
        return self.lag if self.mode == "harsh" else 0.0

    def note(self, text: str) -> None:
        """One more line of `calls.log`."""
        with self.lock:
            self._append("calls.log", text, synced=False)

    def _append(self, name: str, line: str, *, synced: bool = True) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            if synced:
                os.fsync(file.fileno())


class Handler(BaseHTTPRequestHandler):
    """Requests to one desk."""

    desk: Desk
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: the second would wait for an ACK
    timeout = 30

    def log_message(self, *_: Any) -> None:
        """Quiet: `calls.log` tells."""

    def handle(self) -> None:
        # A client that was killed: there is nobody to say anything to.
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        key = unquote(self.path.removeprefix("/tickets/"))
        if key.endswith("/comments"):
            self._behave("GET comment", False, lambda: self._said(key.removesuffix("/comments")))
        else:
            self._behave("GET lookup", False, lambda: self._found(key))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:
            return self._hang_up()
        if self.path == "/_desk/mode":
            order = json.loads(raw)
            self.desk.mode, self.desk.times = order["mode"], order["times"]
            return self._answer(200, {})
        if self.desk.secret and not signed(self.desk.secret, self.headers.get("X-Signature", ""), raw):
            return self._answer(401, {"error": "the signature is wrong"})
        return self._take(json.loads(raw))

    def _take(self, body: dict[str, Any]) -> None:
        key = self.headers.get("X-Mention-Crawler-Key", "")
        what = f"POST {body['event'].removeprefix('ticket.')}"

        def store() -> tuple[int, dict[str, Any]]:
            number = self.desk.store(body, key)
            return 201, {"id": number, "url": f"http://{self.headers['Host']}/tickets/{key}"}

        self._behave(what, True, store)

    def _said(self, ticket: str) -> tuple[int, dict[str, Any]]:
        return 200, {"comments": [{"text": text} for text in self.desk.comments(ticket)]}

    def _found(self, key: str) -> tuple[int, dict[str, Any]]:
        if not self.desk.sees(key):
            return 404, {"error": "no such ticket"}
        return 200, {
            "id": self.desk.ids[key][0],
            "key": key,
            "url": f"http://{self.headers['Host']}/tickets/{key}",
            "status": "open",
        }

    def _behave(self, what: str, writes: bool, act: Any) -> None:
        mode = self.desk.behaviour(writes)
        self.desk.note(f"{what} {mode}")
        if mode == "down":
            return self._answer(503, {"error": "down for maintenance"})
        if mode == "late":
            threading.Timer(self.desk.dice.uniform(0.1, 1.0) * self.desk.late, act).start()
            return self._hang_up()
        status, body = act()
        if mode == "cut":
            return self._hang_up()
        if mode == "slow":
            time.sleep(self.desk.seconds)
        return self._answer(500 if mode == "500" else status, {} if mode == "500" else body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except ConnectionError:
            self.close_connection = True


def handler(desk: Desk) -> type[BaseHTTPRequestHandler]:
    """The request handler of one desk."""
    return type("DeskHandler", (Handler,), {"desk": desk})


def signed(secret: str, header: str, raw: bytes) -> bool:
    """True when `header` (`t=<seconds>,v1=<hex>`) signs `raw` with `secret`."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    wanted = hmac.new(secret.encode(), f"{parts.get('t', '')}.".encode() + raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts.get("v1", ""))


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--secret", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--late", type=float, default=5.0)
    parser.add_argument("--lag", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dice = random.Random(options.seed)
    desk = Desk(options.folder, options.secret, options.seconds, dice, late=options.late, lag=options.lag)
    desk.load()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), handler(desk))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
