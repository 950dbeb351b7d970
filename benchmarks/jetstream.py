"""A stream of 100 posts a second through the whole service: seconds from publication until each post is stored.

The server is a Jetstream in a process of its own. Whoever looks into the database looks twenty times a second, and that
time is part of what is measured. `BENCH_SECONDS` (60) and `BENCH_DATABASE` (a URL; SQLite without) change it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.row import Row
from benchmarks.site import text_of
from crawler.engine.osproc import rss, table

GOAL = 2.0
A_SECOND = 100
BRAND_EVERY = 50
SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))
START_SECONDS, END_SECONDS, LOOK = 180.0, 60.0, 0.05
MIB = 1 << 20
COMMAND = Path(sys.executable).with_name("mention-crawler")


def run() -> Iterator[Row]:
    """One stretch of the stream; then what names no brand goes, and what does stays."""
    with tempfile.TemporaryDirectory() as folder, _server() as (port, published):
        config = Path(folder) / "mention-crawler.yaml"
        _write(config, port, "24h")
        with _service(config) as process:
            url = _database(Path(folder))
            seen = _watched(url, published)
            weight = _of_streams(process.pid, port)
        count = len(seen)
        lags = sorted(stored - when for when, stored in seen.values())
        if count != published.value:
            raise RuntimeError(f"{count} posts were stored of {published.value} that were published")
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        where = url.partition(":")[0]
        what = f"stream to stored post, {count} posts in {SECONDS:.0f} s ({where}; load {load:.1f} a core)"
        p50, p95 = (lags[int(share * (count - 1))] for share in (0.5, 0.95))
        told = f"p50 {p50:.2f} s, p95 {p95:.2f} s, longest {lags[-1]:.2f} s"
        yield Row(what, told, "", p95 / GOAL, f"p95 <= {GOAL:.0f} s")
        yield Row("the child that reads streams", f"{weight // MIB} MiB resident")
        _write(config, port, "1s")
        yield _kept(config, count)


def _write(config: Path, port: int, keep: str) -> None:
    where = os.environ.get("BENCH_DATABASE")
    lines = ["network: {allow_private: [127.0.0.0/8]}", "web: {port: 0}", f"data_dir: {config.parent}/data"]
    lines += [f"database: {{url: '{where}'}}"] if where else []
    lines += [f"keep: {{unmatched_stream: {keep}}}", "brands: [{name: Нова Каса, also: [Nova Kasa]}]", "sources:"]
    lines += [f"  - {{name: sky, kind: jetstream, base_url: 'http://127.0.0.1:{port}'}}"]
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _database(folder: Path) -> str:
    return os.environ.get("BENCH_DATABASE") or f"sqlite:///{folder}/data/mentions.db"


@contextlib.contextmanager
def _service(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "MENTION_CRAWLER_CONFIG": str(config)}
    with (config.parent / "log").open("wb") as log:
        process = subprocess.Popen([str(COMMAND), "run"], env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(40)


def _of_streams(pid: int, port: int) -> int:
    """Resident bytes of the child that reads streams: of all children the one that holds the connection."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[9]}]" for line in lines if int(line[2].rpartition(":")[2], 16) == port}
    children = [child for child, row in table().items() if row.parent == pid]
    return max((rss(child) for child in children if sockets & _open(child)), default=0)


def _open(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(entry.readlink()))
    return found


def _watched(url: str, published: Any) -> dict[str, tuple[float, float]]:
    """Record key -> (published, seen in the database), until the server is done and everything is there."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    seen: dict[str, tuple[float, float]] = {}
    last, until = 0, time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        time.sleep(LOOK)
        try:
            with engine.connect() as connection:
                query = "SELECT id, platform_id FROM posts WHERE id > :last ORDER BY id"
                rows = connection.execute(sa.text(query), {"last": last}).all()
        except sa.exc.DBAPIError:
            continue
        at = time.time()
        last = rows[-1][0] if rows else last
        for _, name in rows:
            key = name.rpartition("/")[2]
            seen[key] = (int(key, 36) / 1e6, at)
        if rows and len(seen) == len(rows):
            until = time.monotonic() + SECONDS + END_SECONDS
        if published.value and len(seen) >= published.value:
            break
    engine.dispose()
    return seen


def _kept(config: Path, stored: int) -> Row:
    """Retention as the service does it, with a second for what names no brand."""
    from crawler.app import App
    from crawler.app.keeping import expire
    from crawler.app.syncing import sync
    from crawler.app.work import work

    app = App.load(str(config))
    app.store_created()
    sync(app)
    work(app)
    time.sleep(1.5)
    named, gone, books = sum(app.store.mentions.count().values()), expire(app), app.books()
    app.close()
    if gone.posts != stored - named or named != -(-stored // BRAND_EVERY) or books.gaps:
        raise RuntimeError(f"{gone.posts} of {stored} posts went, {named} name the brand; gaps: {books.gaps}")
    return Row("of them went by `keep.unmatched_stream`", f"{gone.posts}, and {named} that name the brand stayed")


# ---- the server -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _server() -> Iterator[tuple[int, Any]]:
    """A Jetstream that publishes for a while from the first connection on: its port, and how many it was in the end."""
    context = multiprocessing.get_context("spawn")
    port, published = context.Value("i", 0), context.Value("i", 0)
    process = context.Process(target=_serve, args=(port, published, SECONDS), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.05)
    try:
        yield port.value, published
    finally:
        process.kill()
        process.join()


def _serve(port: Any, published: Any, seconds: float) -> None:
    asyncio.run(_speak(port, published, seconds))


async def _speak(port: Any, published: Any, seconds: float) -> None:
    from websockets.asyncio.server import ServerConnection, serve

    begun: list[float] = []

    async def follow(connection: ServerConnection) -> None:
        if begun:
            raise RuntimeError("a second connection: the first ended")
        begun.append(time.monotonic())
        number = 0
        while number < seconds * A_SECOND:
            due = begun[0] + number / A_SECOND - time.monotonic()
            if due > 0:
                await asyncio.sleep(due)
            await connection.send(_event(number))
            number += 1
        published.value = number
        await connection.wait_closed()

    async with serve(follow, "127.0.0.1", 0, compression=None) as server:
        port.value = next(iter(server.sockets)).getsockname()[1]
        await asyncio.Event().wait()


def _event(number: int) -> str:
    micros = int(time.time() * 1e6)
    record = {"text": text_of(f"s{number}", number % BRAND_EVERY == 0), "langs": ["uk"]}
    record["createdAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(micros / 1e6))
    commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": _base36(micros), "record": record}
    return json.dumps({"did": "did:plc:bench", "time_us": micros, "kind": "commit", "commit": commit})


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, left = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[left] + digits
    return digits
