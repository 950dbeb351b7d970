"""Thousands of loopback hosts in one process: feeds that answer as the web does, well or badly; with its own log."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from benchmarks.site import feed, host_of

CRAWL_DELAY = 1.0
SLOW_SECONDS = 2.0
RSS = "application/rss+xml"
# What the feed of a number does: twelve of twenty are well, the others each fail in a way of their own.
WAYS = ("well",) * 12 + ("gone", "broken", "slow", "moved", "garbage", "huge", "wall", "bare")
WALL = b"<!doctype html><title>Just a moment...</title><script>window._cf_chl_opt={}</script>"
BARE = b"<?xml version='1.0'?><rss version='2.0'><channel><title>quiet</title></channel></rss>"
# What a run of each must be judged.
VERDICTS = {
    "well": "ok",
    "slow": "ok",
    "moved": "ok",
    "gone": "failed",
    "broken": "failed",
    "garbage": "failed",
    "huge": "too_big",
    "wall": "blocked",
    "bare": "empty",
}


def way_of(number: int) -> str:
    """How the feed of a number behaves."""
    return WAYS[number % len(WAYS)]


@dataclass
class Log:
    """What the server saw: answers by status, when each host was asked for a page, how many at once."""

    statuses: Counter[int] = field(default_factory=Counter)
    asked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    now: Counter[str] = field(default_factory=Counter)
    at_once: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        """Counts, the smallest gap on hosts that ask for one, and the most requests at once on any host."""
        gaps = [
            later - before for host, times in self.asked.items() if delayed(host) for before, later in pairwise(times)
        ]
        return {
            "statuses": dict(self.statuses),
            "gaps": len(gaps),
            "least_gap": min(gaps, default=None),
            "at_once": max(self.at_once.values(), default=0),
        }


def delayed(host: str) -> bool:
    """Every fifth host asks for a Crawl-delay."""
    return int(host.rsplit(".", 1)[1]) % 5 == 0


class _Server:
    def __init__(self) -> None:
        self.log = Log()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.log.now[host] += 1
            self.log.at_once[host] = max(self.log.at_once[host], self.log.now[host])
            await self._said(host, head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.log.now[host] = max(0, self.log.now[host] - 1)
            writer.close()

    async def _said(self, host: str, head: str, writer: asyncio.StreamWriter) -> None:
        path = head.split(" ", 2)[1]
        if path == "/robots.txt":
            rules = f"User-agent: *\nCrawl-delay: {CRAWL_DELAY:g}\n" if delayed(host) else ""
            await self._send(writer, 200, rules.encode(), "text/plain")
            return
        self.log.asked[host].append(time.monotonic())
        number = int(path.rsplit("/", 1)[1])
        way = way_of(number)
        if way == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if way == "huge":
            # Only its length is told: whoever reads on has not looked.
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 50000000\r\n\r\n<rss>")
            self.log.statuses[200] += 1
            await asyncio.wait_for(writer.drain(), 5)
        elif way == "moved" and not path.startswith("/new/"):
            await self._send(writer, 301, b"", RSS, f"Location: /new/{number}\r\n")
        elif way in ("gone", "broken"):
            await self._send(writer, 404 if way == "gone" else 500, b"no", "text/plain")
        else:
            await self._feed(writer, head, way, number)

    async def _feed(self, writer: asyncio.StreamWriter, head: str, way: str, number: int) -> None:
        odd = {"garbage": bytes(range(256)) * 40, "wall": WALL, "bare": BARE}
        body = odd.get(way) or feed("f", number)
        tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if f'"{tag}"' in head:
            await self._send(writer, 304, b"", RSS, f'ETag: "{tag}"\r\n')
        else:
            kind = "text/html" if way == "wall" else RSS
            await self._send(writer, 200, body, kind, f'ETag: "{tag}"\r\n')

    async def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes, kind: str, more: str = "") -> None:
        self.log.statuses[status] += 1
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        head += f"Connection: close\r\n{more}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


def _serve(line: Any, hosts: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_main(line, hosts))


async def _main(line: Any, hosts: int) -> None:
    server, loop = _Server(), asyncio.get_running_loop()
    first = await asyncio.start_server(server.answer, host_of(0), 0)
    port = first.sockets[0].getsockname()[1]
    doors = [await asyncio.start_server(server.answer, host_of(number), port) for number in range(1, hosts)]
    line.send(port)
    asked = asyncio.Event()
    loop.add_reader(line.fileno(), asked.set)
    while True:
        await asked.wait()
        asked.clear()
        if line.recv() == "stop":
            break
        line.send(server.log.summary())
        server.log = Log(now=server.log.now)
    for door in (first, *doors):
        door.close()


class FeedSite:
    """A running site: its port, and what its log says since it was last asked."""

    def __init__(self, line: Any) -> None:
        self._line, self.port = line, int(line.recv())

    def log(self) -> dict[str, Any]:
        """The summary of the log, which begins anew."""
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
        yield FeedSite(here)
    finally:
        process.terminate()
        process.join()
