"""The demo town: a small world of sites on loopback in which people talk about an invented payment service.

    town = Town()
    sites = town.start()               # {"news": "http://127.0.0.1:40001", "forum": ..., ...}
    text = town.config(Path("demo"))   # a commented mention-crawler.yaml for these sites
    town.advance()                     # new posts and edits appear
    town.keep_moving(20)               # ... and from now on by themselves
    town.log()                         # what the sites truly served, answer by answer
    town.stop()

Brand, company, owner and every person in it are made up. The town runs in a process of its own and stops with its
parent, however that ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crawler.errors import CrawlerError

__all__ = ["SITES", "Town", "story"]

SITES = ("news", "forum", "reviews", "magazine", "blog")
_STOP_SECONDS = 5.0


class Town:
    """The town as its parent sees it. `tide_seconds` > 0 lets new posts come by themselves, 0 only on `advance()`."""

    def __init__(self, tide_seconds: float = 0.0) -> None:
        self._tide_seconds = tide_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._addresses: Mapping[str, str] = {}

    def start(self) -> Mapping[str, str]:
        """Start the process and return the base URL of each site; CrawlerError when it does not come up."""
        command = [sys.executable, "-m", "crawler.cli.town", "--child", "--tide", str(self._tide_seconds)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise CrawlerError("the demo town did not start: its process ended before it served; see the message above")
        self._addresses = json.loads(line)
        return self.sites

    @property
    def sites(self) -> Mapping[str, str]:
        """Base URL of each site."""
        return {name: self._addresses[name] for name in SITES}

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def config(self, data_dir: Path, browser: bool = True, sinks: Mapping[str, str] | None = None) -> str:
        """A mention-crawler.yaml for these sites, data in `data_dir`; without `browser` the reviews stay out.

        `sinks` maps names of further sinks to their settings as YAML; tickets go to the desk and to each of them.
        """
        from crawler.cli.town.guide import config_text

        return config_text(self.sites, data_dir, browser, sinks or {})

    def advance(self) -> int:
        """Let the next tide in: new posts and edits. Returns its number."""
        return int(json.loads(self._ask("/_town/advance", b""))["tide"])

    def keep_moving(self, seconds: float) -> None:
        """From now on a tide comes in every `seconds` by itself."""
        self._ask("/_town/tides", str(seconds).encode())

    def log(self, since: int = 0) -> list[dict[str, Any]]:
        """What was served, one entry an answer, after entry number `since`."""
        return [json.loads(line) for line in self._ask(f"/_town/log?since={since}").decode().splitlines()]

    def stop(self) -> None:
        """End the process and wait for it. Harmless when it is gone already."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self._addresses["control"] + path, body, timeout=10) as answer:
            return bytes(answer.read())

    def __enter__(self) -> Town:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def story() -> Mapping[str, Any]:
    """What to expect of the town: names, counts by tide, and the few posts worth pointing at."""
    from crawler.cli.town.guide import story as told

    return told()
