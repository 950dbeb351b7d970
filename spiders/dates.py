"""Reads the dates of one answer: each wording once, and no further than some tens of wordings that mean nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from crawler.text import parse_when

# dateparser thinks for milliseconds about nonsense, and an answer may hold thousands of it.
MOST_UNREADABLE = 60


class Dates:
    """`now` is the time of fetching; times without a zone are of `timezone`. Same answer, same dates."""

    def __init__(self, now: datetime, timezone: str) -> None:
        self.now, self.timezone = now, timezone
        self._known: dict[str, datetime | None] = {}
        self._unreadable = 0

    def read(self, said: str | None) -> datetime | None:
        """The moment that a wording means (aware UTC), or None."""
        if not said or (said not in self._known and self._unreadable >= MOST_UNREADABLE):
            return None
        if said not in self._known:
            when = self._known[said] = parse_when(said, self.now, tz=self.timezone)
            self._unreadable += when is None
        return self._known[said]

    def first(self, wordings: Iterable[str | None]) -> datetime | None:
        """The first wording that can be read."""
        return next((when for said in wordings if (when := self.read(said))), None)
