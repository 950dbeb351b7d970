"""How far a run walks: page budget, the place where the last complete run began, traps. Pure, over plain values.

A source shows its newest posts first, or its oldest (a forum thread). Newest first: the walk ends at a page that closes
with a post which stood on the first page of the last COMPLETE run (pinned posts stand on top, so they do not end it).
Until a run is complete the cursor says `open`, and the next run walks on through known pages. Oldest first: the next
run begins at the last page that was read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from crawler.model import Post

KEEP_TOP = 50
KEEP_WALKS = 200
BARREN_PAGES = 3
_DATE_IN_URL = re.compile(r"(?:^|[/=_-])((?:19|20|21)\d\d)[/_-](?:0?[1-9]|1[0-2])(?:\D|$)")


def trap_of(url: str, now: datetime) -> str | None:
    """Says why a link looks like an endless maze, or None."""
    parts = urlsplit(url)
    if len(url) > 2000:
        return "an address of more than 2,000 characters"
    steps = [step for step in parts.path.split("/") if step]
    if _repeats(steps):
        return f"a path that repeats itself ({parts.path[:80]})"
    for found in _DATE_IN_URL.finditer(f"{parts.path}?{parts.query}"):
        if not 1990 <= int(found[1]) <= now.year + 2:
            return f"an endless calendar ({found[0].strip('/=_-')})"
    return None


def _repeats(steps: Sequence[str]) -> bool:
    """True when a run of 1 to 3 path steps stands three times in a row."""
    for size in (1, 2, 3):
        for at in range(len(steps) - 3 * size + 1):
            run = steps[at : at + size]
            if run == steps[at + size : at + 2 * size] == steps[at + 2 * size : at + 3 * size]:
                return True
    return False


def mark(post: Post) -> str:
    """A short mark of one post, the same in every run: 10 hex digits of its id, link or text."""
    return hashlib.blake2b((post.platform_id or post.url or post.text).encode(), digest_size=5).hexdigest()


def oldest_first(posts: Sequence[Post]) -> bool:
    """True when the dates of a page run upwards: a thread, not a list of news."""
    dates = [post.published_at for post in posts if post.published_at]
    return len(dates) >= 2 and dates[0] < dates[-1] and all(a <= b for a, b in pairwise(dates))


@dataclass(slots=True)
class Walk:
    """The walk of one run over one list of pages. `state` is what the last run left of it in the cursor."""

    budget: int
    state: Mapping[str, Any] = field(default_factory=dict)
    order: str = "auto"
    pages: int = 0
    barren: int = 0
    top: list[str] = field(default_factory=list)
    upwards: bool = False
    # Whether the place is remembered also where one page holds everything.
    always: bool = False

    def page(self, url: str, posts: Sequence[Post], goes_on: bool) -> dict[str, Any]:
        """Takes one page in before it is stored; returns what the cursor must hold once these posts are stored."""
        marks = [mark(post) for post in posts]
        self.pages += 1
        if self.pages == 1:
            self.top = marks[:KEEP_TOP]
        self.upwards = self.order == "oldest" or (self.order == "auto" and (self.upwards or oldest_first(posts)))
        if self.upwards:
            return {"page": url}
        done = not goes_on or self.pages >= self.budget or self.reached(marks)
        return {"top": self.top} if done else {"top": list(self.state.get("top", ())), "open": True}

    def reached(self, marks: Sequence[str]) -> bool:
        """True when a page closes with a post that headed the last complete run."""
        return bool(marks) and marks[-1] in self.state.get("top", ())

    def stops(self, posts: Sequence[Post], fresh: int) -> bool:
        """True when no further page is wanted after a page that brought `fresh` new or edited posts."""
        if self.pages >= self.budget:
            return True
        self.barren = 0 if fresh else self.barren + 1
        if self.upwards:
            return not posts and self.barren >= BARREN_PAGES
        if self.reached([mark(post) for post in posts]):
            return True
        known = bool(posts) and not fresh and not self.state.get("open")
        return known or self.barren >= (BARREN_PAGES if not self.state.get("open") else self.budget)


def keep_walk(walks: Mapping[str, Any], chain: str, state: dict[str, Any], *, main: bool) -> dict[str, Any]:
    """The remembered walks with this one last. Of deeper lists (threads) only the reached page is worth its bytes."""
    rest = {name: walk for name, walk in walks.items() if name != chain}
    if not main and not {"page", "open"} & set(state):
        return rest
    for name in list(rest)[: max(0, len(rest) - KEEP_WALKS)]:
        del rest[name]
    return {**rest, chain: state}
