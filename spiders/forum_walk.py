"""How far a thread is read back from its end, and what tells that a thread moved. Pure, over plain values."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from crawler.model import Post
from spiders.html import Element
from spiders.paging import BARREN_PAGES, Walk

LAST = 3
# How often a thread was looked at says nothing of its posts, and changes all the time.
_LOOKS = r"(?:views?|просмотр\w*|перегляд\w*|aufrufe|hits|zugriffe|vues|visitas|vistas|wyświetle\w*|odsłon\w*)"
_HOW_MANY = r"[\d.,\u00a0 ]{1,14}[KkMmКкТт]?"
_VIEWS = re.compile(rf"\b{_LOOKS}\s{{0,3}}:\s{{0,3}}{_HOW_MANY}|{_HOW_MANY}[ \u00a0]?{_LOOKS}\b", re.I)
_STICKY = re.compile(r"(?:^|[\s_-])(?:sticky|stickybg\d?|pinned|announce(?:ment)?|thumb-?tack)(?:[\s_-]|$)", re.I)
_HIDDEN = re.compile(r"(?:^|\s)(?:hide|hidden|d-none|collapse)(?:\s|$)")


@dataclass(slots=True)
class ThreadWalk(Walk):
    """The walk of one run through one thread, from its last page to what is known.

    It goes on through known pages as far as `overlap` (seconds) behind the newest post of the last complete run
    (`until`), since posts that waited for a moderator come late; and a while longer where the thread moved and nothing
    new was found. Where dates do not run one way (votes, merged threads) all pages are read.
    """

    until: datetime | None = None
    overlap: float = 0.0
    # The run may ask for no further page; it has asked for the next one already.
    full: bool = False
    asked: bool = False
    newest: datetime | None = None
    oldest: datetime | None = None
    mixed: bool = False
    found: bool = False
    done: bool = False
    cut: bool = False
    seen: set[str] = field(default_factory=set)

    def page(self, url: str, posts: Sequence[Post], goes_on: bool) -> dict[str, Any]:
        """See `Walk.page`; `done`, `cut` and `newest` say what the spider must remember beside it."""
        self.pages += 1
        dates = [post.published_at for post in posts if post.published_at]
        self.mixed |= self._out_of_order(dates)
        self.newest = max([*dates, *([self.newest] if self.newest else [])], default=None)
        self.oldest = min(dates, default=self.oldest)
        tired = self.barren >= BARREN_PAGES - 1 and not self.state.get("open") and not self.mixed
        self.done = not goes_on or self.asked or tired or self.settled(posts)
        self.cut = not self.done and (self.full or self.pages >= self.budget)
        return {} if self.done or self.cut else {"open": True}

    def stops(self, posts: Sequence[Post], fresh: int) -> bool:
        """See `Walk.stops`."""
        if self.pages >= self.budget:
            return True
        if not posts:
            return False
        self.barren = 0 if fresh else self.barren + 1
        self.found |= fresh > 0
        if self.settled(posts) and self.found:
            return True
        return self.barren >= BARREN_PAGES and not self.state.get("open") and not self.mixed

    def settled(self, posts: Sequence[Post]) -> bool:
        """True when the end of a page lies behind everything that can be new."""
        last = [post.published_at for post in posts if post.published_at][-LAST:]
        if self.until is None or self.mixed or self.state.get("open") or not last:
            return False
        return max(last) < self.until - timedelta(seconds=self.overlap)

    def skip(self) -> None:
        """The next page is not the one before this one: the thread was entered at its first page."""
        self.oldest = None

    def _out_of_order(self, dates: list[datetime]) -> bool:
        within = any(a < b for a, b in pairwise(dates))
        return within or bool(dates and self.oldest and max(dates) > self.oldest)


def stamp_of(said: Sequence[str]) -> str:
    """A mark of what the row of a thread says of it, without how often it was looked at."""
    words = "\n".join(_VIEWS.sub(" ", one) for one in said)
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=6).hexdigest()


def is_sticky(row: Element) -> bool:
    """Whether a thread stands on top of its list whatever its age."""
    for element in (row, *row.iter("i", "span", "svg", "img", "ul")):
        classes = f"{element.get('class') or ''} {element.get('component') or ''}"
        if _STICKY.search(classes.replace("/", " ")) and not _HIDDEN.search(classes):
            return True
    return False
