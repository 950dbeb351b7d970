"""Keeps a giant feed small before it is parsed: cuts the bytes to the newest items, in one linear scan."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from crawler.text import parse_when

NEWEST = 5000
_ITEM = re.compile(rb"<(?:[a-zA-Z]{1,20}:)?(?:item|entry)(?=[\s>])")
_DATE = re.compile(rb"<(?:pubDate|published|updated|dc:date|issued|date)\b[^>]{0,100}>([^<]{6,60})<", re.I)
_LAST_ITEM_END = re.compile(rb"</(?:[a-zA-Z]{1,20}:)?(?:item|entry)\s{0,9}>")


def newest(body: bytes, keep: int = NEWEST) -> bytes:
    """The feed with at most `keep` items: the first ones, or the last ones where the dates run upwards."""
    if body.count(b"<item") + body.count(b"<entry") + body.count(b":item") + body.count(b":entry") <= keep:
        return body
    starts = [found.start() for found in _ITEM.finditer(body)]
    if len(starts) <= keep:
        return body
    end = max((found.end() for found in _LAST_ITEM_END.finditer(body, starts[-1])), default=len(body))
    if _runs_upwards(body, starts, end):
        return body[: starts[0]] + body[starts[-keep] :]
    return body[: starts[keep]] + body[end:]


def _runs_upwards(body: bytes, starts: list[int], end: int) -> bool:
    first, last = _date(body[starts[0] : starts[1]]), _date(body[starts[-1] : end])
    return bool(first and last and first < last)


def _date(item: bytes) -> datetime | None:
    found = _DATE.search(item)
    return parse_when(found[1].decode("ascii", "replace").strip(), datetime.now(UTC)) if found else None
