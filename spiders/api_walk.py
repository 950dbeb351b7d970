"""How far a run walks through the pages of an API: by dates where posts have them, else as every source does.

Newest first: the walk ends where a page closes with posts older than the newest post of the last complete run, less an
overlap in which late and moved posts are caught. Pinned posts do not count. Oldest first (`{since}` asks for what is
new): every stored page moves the place, so that a run that is cut off goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crawler.model import Post
from spiders.paging import BARREN_PAGES, KEEP_TOP, Walk, mark

# A single old post among new ones (moved, pinned without saying so) must not end a walk.
LAST = 3


@dataclass(slots=True)
class ApiWalk(Walk):
    """The walk of one run over the pages of one question; `moved` gives the date that orders the post of a mark."""

    overlap: float = 0.0
    moved: dict[str, datetime | None] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    newest: datetime | None = None
    now: datetime | None = None
    # The page budget ended before the posts of the last run were reached: some new ones stay unread.
    cut: bool = False

    def learn(self, dated: Mapping[str, datetime | None], pinned: set[str], now: datetime) -> None:
        """Takes in what a page says of its posts beside what they are."""
        self.now = now
        self.moved.update(dated)
        self.pinned |= pinned

    def page(self, url: str, posts: Sequence[Post], goes_on: bool) -> dict[str, Any]:
        """See `Walk.page`; `newest` is what {since} is made of."""
        ordinary = self._ordinary(posts)
        self.pages += 1
        if self.pages == 1:
            self.top = [mark(post) for post in ordinary][:KEEP_TOP]
        # Authors may date their posts: one from the future must not hide all that come before it.
        dates = [when for when in map(self._date, ordinary) if when and (self.now is None or when <= self.now)]
        self.newest = max([*dates, *([self.newest] if self.newest else [])], default=None)
        if self.order == "oldest":
            return self._place(self.newest, self.top) | ({"open": True} if goes_on else {})
        settled = self.settled(ordinary)
        self.cut = goes_on and not settled and self.pages >= self.budget and self.known is not None
        if not goes_on or self.pages >= self.budget or settled:
            return self._place(self.newest, self.top)
        return {**{name: self.state[name] for name in ("newest", "top") if name in self.state}, "open": True}

    def _place(self, newest: datetime | None, top: list[str]) -> dict[str, Any]:
        """Never backwards: a run that saw only old posts does not forget how far an earlier one came."""
        known = self.known
        newest = max(filter(None, (newest, known)), default=None)
        return {"top": top or list(self.state.get("top", ())), **({"newest": newest.isoformat()} if newest else {})}

    @property
    def known(self) -> datetime | None:
        """The newest post of the last complete run."""
        said = self.state.get("newest")
        return datetime.fromisoformat(said) if isinstance(said, str) else None

    def settled(self, ordinary: Sequence[Post]) -> bool:
        """True when the end of a page lies behind everything that is new."""
        if self.known is None:
            return self.reached([mark(post) for post in ordinary])
        last = [when for when in (self._date(post) for post in ordinary) if when][-LAST:]
        if not last:
            return self.reached([mark(post) for post in ordinary])
        return max(last) < self.known - timedelta(seconds=self.overlap)

    def stops(self, posts: Sequence[Post], fresh: int) -> bool:
        """See `Walk.stops`."""
        if self.pages >= self.budget:
            return True
        self.barren = 0 if fresh else self.barren + 1
        if self.order == "oldest":
            return False
        ordinary = self._ordinary(posts)
        if ordinary and self.settled(ordinary):
            return True
        return self.barren >= BARREN_PAGES and not self.state.get("open")

    def _ordinary(self, posts: Sequence[Post]) -> list[Post]:
        return [post for post in posts if mark(post) not in self.pinned]

    def _date(self, post: Post) -> datetime | None:
        return self.moved.get(mark(post)) or post.published_at
