"""How long an answer says that it holds: Cache-Control and Expires, and of feeds ttl, skipHours and sy:updatePeriod.

Read off the bytes: a feed that no parser takes says its ttl all the same. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from scrapy.http import Response

from crawler.model import Freshness
from spiders import answers

# Caches of whole sites say hours of what changes in minutes: that much of it is believed.
MOST_CACHED = 3600.0
MOST_SAID = 86400.0
_HEAD = 64 * 1024
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})", re.I)
_TTL = re.compile(rb"<ttl>\s*(\d{1,6})\s*</ttl>", re.I)
_PERIOD = re.compile(rb"<sy:updatePeriod>\s*(hourly|daily|weekly|monthly|yearly)\s*</sy:updatePeriod>", re.I)
_FREQUENCY = re.compile(rb"<sy:updateFrequency>\s*(\d{1,4})\s*</sy:updateFrequency>", re.I)
_SKIPPED = re.compile(rb"<skipHours>(.{0,2000}?)</skipHours>", re.I | re.S)
_HOUR = re.compile(rb"<hour>\s*(\d{1,2})\s*</hour>", re.I)
_SECONDS = {b"hourly": 3600.0, b"daily": 86400.0, b"weekly": 604800.0, b"monthly": 2.6e6, b"yearly": 3.15e7}


def freshness_of(response: Response, known: Mapping[str, str] | None = None) -> Freshness:
    """What one answer says; of an unchanged one (304) what its body said when it came, as `kept` gave it."""
    said = _of_body(response.body[:_HEAD]) if response.status != 304 else _read(known or {})
    return Freshness(max(min(_cached(response), MOST_CACHED), said.seconds), said.skip_hours)


def kept(response: Response) -> dict[str, str]:
    """What the body says of its freshness, to be remembered with its validators; empty where it says nothing."""
    said = _of_body(response.body[:_HEAD])
    hours = {"skip": ",".join(map(str, sorted(said.skip_hours)))} if said.skip_hours else {}
    return hours | ({"ttl": f"{said.seconds:.0f}"} if said.seconds else {})


def _read(known: Mapping[str, str]) -> Freshness:
    ttl, hours = known.get("ttl", ""), known.get("skip", "").split(",")
    return Freshness(float(ttl) if ttl.isdecimal() else 0.0, frozenset(int(hour) for hour in hours if hour.isdecimal()))


def _of_body(head: bytes) -> Freshness:
    is_feed = b"<rss" in head or b"<rdf" in head.lower() or b"<feed" in head
    return Freshness(min(_of_feed(head), MOST_SAID), _skipped(head)) if is_feed else Freshness()


def joined(known: Freshness | None, new: Freshness) -> Freshness:
    """Of two lists of one source: the one that holds shortest decides."""
    if known is None:
        return new
    return Freshness(min(known.seconds, new.seconds), known.skip_hours & new.skip_hours)


def _cached(response: Response) -> float:
    control = b",".join(response.headers.getlist(b"Cache-Control")).decode("latin-1").lower()
    if "no-store" in control or "no-cache" in control or ("must-revalidate" in control and "max-age" not in control):
        return 0.0
    if found := _MAX_AGE.search(control):
        age = (response.headers.get(b"Age") or b"0").decode("latin-1").strip()
        return max(0.0, float(found[1]) - (float(age) if age.isdecimal() and len(age) < 10 else 0.0))
    expires = (response.headers.get(b"Expires") or b"").decode("latin-1")
    try:
        return max(0.0, (parsedate_to_datetime(expires) - answers.fetched_at(response)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _of_feed(head: bytes) -> float:
    """Minutes of `ttl`; a period is how often a feed changes at the most, so half of it is waited."""
    if found := _TTL.search(head):
        return float(found[1]) * 60
    if period := _PERIOD.search(head):
        times = _FREQUENCY.search(head)
        return _SECONDS[period[1].lower()] / max(1, int(times[1]) if times else 1) / 2
    return 0.0


def _skipped(head: bytes) -> frozenset[int]:
    found = _SKIPPED.search(head)
    # RSS counts them from 0 or from 1 to 24: 24 is midnight.
    return frozenset(int(hour) % 24 for hour in _HOUR.findall(found[1]) if int(hour) <= 24) if found else frozenset()
