"""A helpdesk in a process of its own that takes its time: `python -m benchmarks.receiver 0.3` answers after 300 ms.

It prints its address, and on a GET how many tickets it has and when the first one came (unix seconds).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def receiver(seconds: float) -> Iterator[str]:
    """A running one; its address."""
    command = [sys.executable, "-m", "benchmarks.receiver", str(seconds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
    finally:
        process.kill()
        process.wait()


def told(address: str) -> dict[str, Any]:
    """What it has: {"tickets", "first"}."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=10) as answer:
        return dict(json.load(answer))


class Receiver:
    """Counts tickets."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.tickets, self.first = seconds, 0, 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").lower().split("\r\n")
                length = next((int(it.split(":")[1]) for it in lines if it.startswith("content-length:")), 0)
                await reader.readexactly(length)
                body = await self._answer(lines[0].startswith("post"))
                start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                writer.write(start + str(len(body)).encode() + b"\r\n\r\n" + body)
                await writer.drain()

    async def _answer(self, post: bool) -> bytes:
        if not post:
            return json.dumps({"tickets": self.tickets, "first": self.first}).encode()
        self.first = self.first or time.time()
        await asyncio.sleep(self.seconds)
        self.tickets += 1
        return json.dumps({"id": self.tickets}).encode()


async def main(seconds: float) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(Receiver(seconds).serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
