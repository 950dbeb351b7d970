"""One item of an API's answer as a post, by the map of its shape. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from crawler.model import Author, Post
from crawler.text import canonical_url
from spiders.api_settings import Shape
from spiders.dates import Dates
from spiders.json_paths import count, path, word

# What platforms write in the place of a text that was taken down: [deleted], [ Removed by … ].
_MARKER = re.compile(r"\[[^\[\]]{1,80}\]")
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_NET = re.compile(r"/Date\((\d{1,17})(?:[+-]\d{4})?\)/")
# Seconds, milliseconds, microseconds and nanoseconds of our time lie far apart.
_SCALES = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))


class Mapper:
    """Reads the items of one shape."""

    def __init__(self, shape: Shape, dates: Dates, url: str) -> None:
        self.shape, self.dates, self.url = shape, dates, url
        self.paths = {name: path(expression) for name, expression in shape.fields.items()}
        self.counts = {name: path(expression) for name, expression in shape.engagement.items()}

    def post(self, item: Mapping[str, Any]) -> Post | None:
        """The post of an item; None where the item is no post, or says nothing. ValueError where its text is gone."""
        if not self.belongs(item):
            return None
        deleted = bool(self.shape.deleted) and truth(path(str(self.shape.deleted))(item))
        raw, title = self._raw("text", item), self._word("title", item)
        text = "\n\n".join(filter(None, map(word, raw))) if isinstance(raw, list) else word(raw)
        if deleted and text and _MARKER.fullmatch(text.strip()):
            text = ""
        if not (text or title or deleted):
            if text is None and title is None and self._gone(item):
                raise ValueError("an item without text where `fields: text` looks")
            return None
        return self._made(item, text or "", title, deleted)

    def belongs(self, item: Mapping[str, Any]) -> bool:
        """Whether an item is a post at all."""
        return not self.shape.only or truth(path(self.shape.only)(item))

    def when(self, item: Mapping[str, Any]) -> datetime | None:
        """The date that orders the list."""
        return self._when(path(self.shape.moved_at)(item)) if self.shape.moved_at else None

    def other_name(self, item: Mapping[str, Any]) -> str | None:
        """The name under which answers to this post name it."""
        return word(path(self.shape.known_as)(item)) if self.shape.known_as else None

    def is_pinned(self, item: Mapping[str, Any]) -> bool:
        """Whether the post stands on top whatever its age."""
        return bool(self.shape.pinned) and truth(path(str(self.shape.pinned))(item))

    def _made(self, item: Mapping[str, Any], text: str, title: str | None, deleted: bool) -> Post:
        return Post(
            text=text,
            url=self._link("url", item),
            title=title,
            platform_id=self._word("id", item),
            site=self._word("site", item),
            author=Author(
                self._word("author", item),
                self._word("author_handle", item),
                self._link("author_url", item),
                _number_of(self._raw("followers", item)),
            ),
            published_at=self._when(self._raw("published_at", item)),
            parent=self._word("parent", item),
            thread=self._word("thread", item),
            rating=_number(self._raw("rating", item)),
            engagement=self._engagement(item),
            region=self._word("region", item),
            language_hint=self._word("language", item),
            deleted=deleted,
        )

    def _raw(self, name: str, item: Mapping[str, Any]) -> Any:
        found = self.paths.get(name)
        said = found(item) if found else None
        # `a && b` of JMESPath is false where `a` is: nothing was said.
        return None if isinstance(said, bool) else said

    def _word(self, name: str, item: Mapping[str, Any]) -> str | None:
        return (word(self._raw(name, item)) or "").strip() or None

    def _link(self, name: str, item: Mapping[str, Any]) -> str | None:
        said = self._word(name, item)
        return canonical_url(said, self.url) if said else None

    def _gone(self, item: Mapping[str, Any]) -> bool:
        """Whether the item lacks even its id: a photo without words is no broken item."""
        return self._word("id", item) is None or not any(
            part in item for part in _first_names(self.shape.fields.get("text", ""))
        )

    def _engagement(self, item: Mapping[str, Any]) -> dict[str, int]:
        found = {name: count(expression(item)) for name, expression in self.counts.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _when(self, said: Any) -> datetime | None:
        if isinstance(said, list):
            return next((when for one in said if not isinstance(one, list) and (when := self._when(one))), None)
        if isinstance(said, bool):
            return None
        found = epoch(said) if isinstance(said, int | float) else self._written(word(said) or "")
        # Before the web there are only dates that a program made of nothing, such as the year 1.
        if found is None or not _EARLIEST <= found <= self.dates.now + timedelta(days=1):
            return None
        return min(found, self.dates.now)

    def _written(self, said: str) -> datetime | None:
        """The moment that words mean, or digits: seconds since 1970, or 20261101."""
        if net := _NET.fullmatch(said.strip()):
            return epoch(int(net[1]))
        digits = said.strip().replace(".", "", 1).isdecimal() and len(said) < 24
        return (epoch(float(said)) if digits else None) or self.dates.read(said)


def _number_of(value: Any) -> int | None:
    """How many; platforms write -1 where they do not tell."""
    found = count(value)
    return found if found is None or found >= 0 else None


def epoch(number: float) -> datetime | None:
    """The moment of seconds, milli-, micro- or nanoseconds since 1970; None for what is none of our time."""
    scale = next((scale for most, scale in _SCALES if 0 < number < most), None)
    if scale is None:
        return None
    found = datetime.fromtimestamp(number / scale, UTC)
    return found if found >= _EARLIEST else None


def truth(value: Any) -> bool:
    """What an answer means by yes: not null, false, 0, "", "false" or an empty list."""
    return bool(value) and not (isinstance(value, str) and value.strip().lower() in ("false", "0", "no"))


def _number(value: Any) -> float | None:
    said = word(value)
    try:
        found = float(said.strip().replace(",", ".")) if said and not isinstance(value, bool) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _first_names(expression: str) -> set[str]:
    """The keys of an item that an expression may begin with: every bare word of it."""
    return set(re.findall(r"\"?([A-Za-z_][\w:]*)\"?", expression))
