"""Drawing pages by a browser: what a spider may wish for, and which browser this machine has. Light to import."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HOW_TO_INSTALL = "install one with `apt-get install chromium` or `playwright install chromium`"
_SYSTEM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/usr/bin/google-chrome-stable")
_MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a page is to be drawn: what to wait for, how often to scroll, what to click and how often."""

    item: str
    wait_for: str | None = None
    scrolls: int = 0
    click: str | None = None
    clicks: int = 0
    wait_seconds: float = 15.0


def browser_path() -> Path | None:
    """The browser to start: Playwright's own, else Debian's chromium, else Chrome; None when there is none.

    MENTION_CRAWLER_CHROMIUM in the environment names another one; then no other is taken.
    """
    return next((path for path in _candidates() if path.is_file() and os.access(path, os.X_OK)), None)


def _candidates() -> Iterable[Path]:
    if chosen := os.environ.get("MENTION_CRAWLER_CHROMIUM"):
        yield Path(chosen)
        return
    default = Path.home() / ".cache" / "ms-playwright"
    own = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or default)
    yield from sorted(own.glob("chromium-*/chrome-linux*/chrome"), reverse=True)
    yield from sorted(own.glob("chromium_headless_shell-*/chrome-*/*headless*shell"), reverse=True)
    yield from map(Path, (*_SYSTEM, *_MAC))
