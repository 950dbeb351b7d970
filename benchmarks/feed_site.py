"""Thousands of loopback hosts in one process: feeds that answer as the web does, well or badly; with its own log.

Numbers name feeds, and a number says how its feed behaves: of a hundred, 78 are well (four of these bring two new posts
in the second round) and 22 go wrong, each in a way of its own. Every fifth host asks for a Crawl-delay.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import multiprocessing
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from benchmarks.site import POSTS, feed, host_of

CRAWL_DELAY = 1.0
SLOW_SECONDS = 2.0
SHORT_WAIT, LONG_WAIT = 3, 3600
MORE_POSTS = 2
PATIENCE = 60.0
MIB = 1 << 20
RSS = "application/rss+xml"
ODD = (
    *("gone", "removed", "broken", "broken", "wait", "wait", "stay away", "slow", "slow", "moved", "moved"),
    *("drips", "hangs", "floods", "huge", "bomb", "circle", "page", "wall", "bare", "garbage", "torn"),
)
# Every fourth at most is odd: with four feeds a host none has two of them.
WAYS = tuple(ODD[at // 4] if at % 4 == 1 and at // 4 < len(ODD) else "well" for at in range(96)) + ("grows",) * 4
# What a run of each must be judged.
VERDICTS = dict.fromkeys(ODD, "failed") | {
    **dict.fromkeys(("well", "grows", "wait", "slow", "moved"), "ok"),
    **dict.fromkeys(("floods", "huge", "bomb"), "too_big"),
    **dict.fromkeys(("page", "wall"), "blocked"),
    "bare": "empty",
}
# A machine with too much to do takes longer than the patience of a request for the 30 MiB that end a flood.
ALSO = {"floods": "no complete answer in time"}
WALL = b"<!doctype html><title>Just a moment...</title><script>window._cf_chl_opt={}</script>"
PAGE = b"<!doctype html><html><head><title>News</title></head><body><p>Read our news.</p></body></html>"
BARE = b"<?xml version='1.0'?><rss version='2.0'><channel><title>quiet</title></channel></rss>"
BODIES = {"garbage": bytes(range(256)) * 40, "wall": WALL, "page": PAGE, "bare": BARE}


def way_of(number: int) -> str:
    """How the feed of a number behaves."""
    return WAYS[number % len(WAYS)]


def delayed(host: str) -> bool:
    """Every fifth host asks for a Crawl-delay."""
    return int(host.rsplit(".", 1)[1]) % 5 == 0


@cache
def bomb() -> bytes:
    """100 MiB of blanks, packed."""
    return gzip.compress(b"<rss>" + b" " * (100 * MIB), 6)


@dataclass
class Log:
    """What the server saw: answers by status, body bytes (`junk`: of floods and bombs), when hosts were asked."""

    statuses: Counter[int] = field(default_factory=Counter)
    robots: int = 0
    size: int = 0
    junk: int = 0
    asked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    now: Counter[str] = field(default_factory=Counter)
    at_once: Counter[str] = field(default_factory=Counter)
    early: int = 0

    def summary(self) -> dict[str, Any]:
        """Counts, the smallest gap on hosts that ask for one, and the most requests at once on any host."""
        gaps = [
            later - before for host, times in self.asked.items() if delayed(host) for before, later in pairwise(times)
        ]
        return {
            "statuses": dict(self.statuses),
            "robots": self.robots,
            "bytes": self.size,
            "junk": self.junk,
            "pages": sum(len(times) for times in self.asked.values()),
            "gaps": len(gaps),
            "least_gap": min(gaps, default=None),
            "at_once": max(self.at_once.values(), default=0),
            "early": self.early,
        }


class _Server:
    def __init__(self) -> None:
        self.log = Log()
        self.round = 0
        # Feed -> posts that some answer of it has shown, whole; and when a feed may be asked again.
        self.posts: dict[int, int] = {}
        self.not_before: dict[int, float] = {}

    def summary(self) -> dict[str, Any]:
        """What was seen since the last summary; the next round begins."""
        told = self.log.summary() | {"posts": sum(self.posts.values())}
        self.log, self.round = Log(now=self.log.now), self.round + 1
        self.not_before.clear()
        return told

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one answer."""
        host, log = writer.get_extra_info("sockname")[0], self.log
        log.now[host] += 1
        log.at_once[host] = max(log.at_once[host], log.now[host])
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            said = asyncio.ensure_future(self._said(host, head, writer))
            left = asyncio.ensure_future(reader.read())
            _, open_ = await asyncio.wait((said, left), return_when=asyncio.FIRST_COMPLETED)
            for task in open_:
                task.cancel()
            await asyncio.gather(said, left, return_exceptions=True)
        log.now[host] -= 1
        writer.close()

    async def _said(self, host: str, head: str, writer: asyncio.StreamWriter) -> None:
        path = head.split(" ", 2)[1]
        if path == "/robots.txt":
            self.log.robots += 1
            rules = f"User-agent: *\nCrawl-delay: {CRAWL_DELAY:g}\n" if delayed(host) else ""
            await self._send(writer, 200, rules.encode(), "text/plain")
            return
        self.log.asked[host].append(time.monotonic())
        number = int(path.rsplit("/", 1)[1])
        way = "well" if path.startswith("/new/") else way_of(number)
        ways: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
            **dict.fromkeys(("drips", "hangs", "floods", "huge", "torn"), self._cut),
            **dict.fromkeys(("moved", "circle", "gone", "removed", "broken"), self._short),
            **dict.fromkeys(("wait", "stay away"), self._limited),
        }
        await ways.get(way, self._feed)(writer, head, way, number)

    async def _short(self, writer: asyncio.StreamWriter, head: str, way: str, number: int) -> None:
        status = {"gone": 404, "removed": 410, "broken": 500}.get(way, 301)
        to = f"Location: /{'new' if way == 'moved' else 'f'}/{number}\r\n" if status == 301 else ""
        await self._send(writer, status, b"no", "text/plain", to)

    async def _limited(self, writer: asyncio.StreamWriter, head: str, way: str, number: int) -> None:
        """429 to the first request of a round; whoever comes back sooner than asked is counted."""
        at, free = time.monotonic(), self.not_before.get(number)
        self.log.early += free is not None and at < free
        if free is not None and at >= free:
            await self._feed(writer, head, way, number)
            return
        seconds = SHORT_WAIT if way == "wait" else LONG_WAIT
        self.not_before[number] = at + seconds
        await self._send(writer, 429, b"later", "text/plain", f"Retry-After: {seconds}\r\n")

    async def _cut(self, writer: asyncio.StreamWriter, head: str, way: str, number: int) -> None:
        """Answers that never come to an end, or only by their length."""
        if way == "hangs":
            await asyncio.sleep(PATIENCE)
            return
        self.log.statuses[200] += 1
        length = {"huge": "Content-Length: 50000000\r\n", "torn": "Content-Length: 5000\r\n"}.get(way, "")
        writer.write(f"HTTP/1.1 200 X\r\nContent-Type: {RSS}\r\nConnection: close\r\n{length}\r\n<rss>".encode())
        more, pause = (b" " * 65536, 0.0) if way == "floods" else (b" ", 1.0)
        until = time.monotonic() + (0.0 if way == "torn" else PATIENCE)
        while time.monotonic() < until and not writer.is_closing():
            writer.write(more)
            self.log.junk += len(more)
            await writer.drain()
            await asyncio.sleep(pause)

    async def _feed(self, writer: asyncio.StreamWriter, head: str, way: str, number: int) -> None:
        if way == "bomb":
            await self._send(writer, 200, bomb(), RSS, "Content-Encoding: gzip\r\n")
            return
        if way == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        count = POSTS + (MORE_POSTS if way == "grows" and self.round else 0)
        body = BODIES.get(way) or feed("f", number, posts=count)
        tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if f'"{tag}"' in head:
            await self._send(writer, 304, b"", RSS, f'ETag: "{tag}"\r\n')
            return
        kind = "text/html" if way in ("wall", "page") else RSS
        await self._send(writer, 200, body, kind, f'ETag: "{tag}"\r\n')
        if way not in BODIES:
            self.posts[number] = count

    async def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes, kind: str, more: str = "") -> None:
        if kind != "text/plain" or status != 200:
            packed = "gzip" in more
            self.log.statuses[status] += 1
            self.log.size += 0 if packed else len(body)
            self.log.junk += len(body) if packed else 0
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        head += f"Connection: close\r\n{more}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


def _serve(line: Any, hosts: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_main(line, hosts))


async def _main(line: Any, hosts: int) -> None:
    server = _Server()
    first = await asyncio.start_server(server.answer, host_of(0), 0)
    port = first.sockets[0].getsockname()[1]
    doors = [await asyncio.start_server(server.answer, host_of(number), port) for number in range(1, hosts)]
    line.send(port)
    # In a thread: a loop that waits for the next question itself answers nobody meanwhile.
    while await asyncio.to_thread(line.recv) != "stop":
        line.send(server.summary())
    for door in (first, *doors):
        door.close()


class FeedSite:
    """A running site: its port, its process, and what its log says since it was last asked."""

    def __init__(self, line: Any, pid: int) -> None:
        self._line, self.pid, self.port = line, pid, int(line.recv())

    def log(self) -> dict[str, Any]:
        """The summary of the log, which begins anew; so does the next round."""
        self._line.send("log")
        told: dict[str, Any] = self._line.recv()
        return told


@contextmanager
def feed_site(hosts: int) -> Iterator[FeedSite]:
    """Serve at so many loopback addresses until the block ends."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, hosts), daemon=True)
    process.start()
    try:
        yield FeedSite(here, process.pid or 0)
    finally:
        process.terminate()
        process.join()
