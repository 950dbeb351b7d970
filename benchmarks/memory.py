"""Memory of all processes together (PSS): a crawl without a browser, one with it, and the service at rest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.row import Row
from crawler.engine.osproc import pss, table

MIB = 1 << 20
IDLE_SECONDS = 75
COMMAND = Path(sys.executable).with_name("mention-crawler")


def run() -> Iterator[Row]:
    """Peak of two crawls of the demo town, then the service at rest."""
    from crawler.app.health import browser_path
    from crawler.cli.town import Town

    with tempfile.TemporaryDirectory() as folder, Town() as town:
        config = Path(folder) / "mention-crawler.yaml"
        with_browser = browser_path() is not None
        config.write_text(town.config(Path(folder) / "data", browser=with_browser), encoding="utf-8")
        yield Row("peak of a crawl over HTTP, all processes", f"{_peak(config, 'money-forum', 'city-news')} MiB")
        if with_browser:
            yield Row("peak of a browser run, all processes", f"{_peak(config, 'pay-reviews')} MiB", goal="<= 1536 MiB")
        seldom = re.sub(r"every: \S+", "every: 12h", config.read_text(encoding="utf-8"))
        config.write_text(f"{seldom}\nweb: {{port: 0}}\n", encoding="utf-8")
        yield Row("service at rest, all processes", f"{_at_rest(config)} MiB", goal="<= 400 MiB")


def _peak(config: Path, *sources: str) -> int:
    with _start(config, "crawl", *sources) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, pss(_family(process.pid)))
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"crawl {sources} ended with {process.returncode}")
    return peak // MIB


def _at_rest(config: Path) -> int:
    """After the first round of crawls is over and the crawl child has left: the least of a quarter of a minute."""
    with _start(config, "run") as process:
        try:
            time.sleep(IDLE_SECONDS)
            return min(_sampled(process.pid) for _ in range(15)) // MIB
        finally:
            process.terminate()


def _sampled(pid: int) -> int:
    time.sleep(1)
    return pss(_family(pid))


def _family(root: int) -> set[int]:
    """The process and all that came of it, whatever groups they are in."""
    found, processes = {root}, table()
    while more := {pid for pid, it in processes.items() if it.parent in found} - found:
        found |= more
    return found


def _start(config: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "MENTION_CRAWLER_CONFIG": str(config)}
    quiet = subprocess.DEVNULL
    return subprocess.Popen([str(COMMAND), *arguments], env=environment, stdout=quiet, stderr=quiet)
