"""Politeness of every crawl, as two Scrapy downloader middlewares: robots.txt with Crawl-delay, and Retry-After.

robots.txt follows RFC 9309: an answer 5xx or 429, or none at all, means "stay away"; 4xx means "no rules". Rules are
kept for 24 hours in the process, so that a re-crawl costs no extra request.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from protego import Protego
from scrapy.downloadermiddlewares.retry import RetryMiddleware
from scrapy.exceptions import DownloadTimeoutError, IgnoreRequest, NotConfigured
from scrapy.http import Request, Response
from scrapy.http.request import NO_CALLBACK

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

KEEP_SECONDS = 24 * 3600.0
KEEP_SITES = 4096
MUTE_SECONDS = 60.0
ROBOTS_BYTES = 500 * 1024
SHORT_WAIT = 15.0
# How long a run waits where an API counts requests and says when it counts anew.
LONG_WAIT = 90.0
# Whoever names more, or a moment that no clock has, is asked again after a day: nobody is left for ever by one answer.
LONGEST_WAIT = 86_400.0
STAY_AWAY = "User-agent: *\nDisallow: /"


class RobotsDenied(IgnoreRequest):
    """robots.txt forbids the request, or could not be read."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one site's robots.txt asks of us; `why` says how it was read when it was not simply there."""

    parser: Any
    until: float
    why: str = ""

    def allows(self, url: str, agent: str) -> bool:
        """Whether the site lets this agent fetch the address."""
        return bool(self.parser.can_fetch(url, agent))

    def delay(self, agent: str) -> float:
        """Seconds between two requests that the site asks for; 0 when it asks for none."""
        return float(self.parser.crawl_delay(agent) or 0.0)


_KNOWN: dict[str, Rules] = {}
_LAST: dict[str, float] = {}
# Sites that kept us waiting for nothing, until when: their other sources need not wait as long, one after the other.
_MUTE: dict[str, float] = {}


def forget_robots() -> None:
    """Forgets every robots.txt read by this process, and when its site was asked last."""
    for known in (_KNOWN, _LAST, _MUTE):
        known.clear()


def retry_after(response: Response, now: float | None = None) -> float | None:
    """Seconds that `Retry-After` asks us to wait (a number or an HTTP date), a day at most; None: nothing readable."""
    value = (response.headers.get(b"Retry-After") or b"").decode("latin-1").strip()
    if value.isdecimal():
        return min(LONGEST_WAIT, float(value))
    try:
        wait = parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now)
        return min(LONGEST_WAIT, max(0.0, wait))
    except (ValueError, TypeError, OverflowError):
        return None


class Robots:
    """Asks robots.txt before the first request to a site, refuses what it forbids and keeps its Crawl-delay."""

    def __init__(self, crawler: Crawler) -> None:
        if not crawler.settings.getbool("ROBOTSTXT_OBEY"):
            raise NotConfigured
        self.crawler = crawler
        self.agent = str(crawler.settings.get("ROBOTSTXT_USER_AGENT") or crawler.settings["USER_AGENT"])
        self._asking: dict[str, asyncio.Task[Rules]] = {}
        self._begun: set[str] = set()
        # Another process may have asked the site just before: whoever made the crawler says when.
        self._before = float(getattr(crawler, "last_asked", -math.inf))

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Robots:
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Raises RobotsDenied for what the site forbids; slows down where it asks for that."""
        if request.meta.get("dont_obey_robotstxt") or not request.url.startswith(("http://", "https://")):
            return
        rules = await self._rules(request)
        if not rules.allows(request.url, self.agent):
            raise RobotsDenied(rules.why or "robots.txt of the site forbids this page")
        if delay := rules.delay(self.agent):
            self._slow(request, delay)
            await self._after_others(request, delay)

    def process_response(self, request: Request, response: Response) -> Response:
        """Remembers when a site was asked last, for the next run that goes there."""
        self._note(request)
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        """A site whose answer was too big, or never came, was asked all the same."""
        if not isinstance(exception, IgnoreRequest):
            self._note(request)

    def _note(self, request: Request) -> None:
        if request.meta.get("dont_obey_robotstxt"):
            return
        _LAST[_site_of(request)] = time.monotonic()
        _keep_few(_LAST)

    async def _after_others(self, request: Request, delay: float) -> None:
        """The delay stands between runs too: many sources of one site are not asked one right after the other."""
        site = _site_of(request)
        if site in self._begun:
            return
        self._begun.add(site)
        wait = _LAST.get(site, self._before) + delay - time.monotonic()
        if wait > 0:
            await asyncio.sleep(min(wait, LONG_WAIT))

    async def _rules(self, request: Request) -> Rules:
        site = _site_of(request)
        known = _KNOWN.get(site)
        if known and known.until > time.monotonic():
            return known
        if (until := _MUTE.get(site, 0.0)) > time.monotonic():
            raise DownloadTimeoutError(f"robots.txt did not come; asked again in {until - time.monotonic():.0f} s")
        if site not in self._asking:
            self._asking[site] = asyncio.ensure_future(self._ask(site))
        return await self._asking[site]

    async def _ask(self, site: str) -> Rules:
        request = Request(
            f"{site}/robots.txt",
            priority=1000,
            callback=NO_CALLBACK,
            meta={"dont_obey_robotstxt": True, "download_maxsize": 8 * ROBOTS_BYTES, "dont_retry": True},
        )
        engine = self.crawler.engine
        assert engine is not None
        try:
            response = await engine.download_async(request)
        except DownloadTimeoutError:
            _keep_few(_MUTE)
            _MUTE[site] = time.monotonic() + MUTE_SECONDS
            raise
        rules = _read(response)
        if not rules.why:
            if len(_KNOWN) >= KEEP_SITES:
                _KNOWN.clear()
            _KNOWN[site] = rules
        return rules

    def _slow(self, request: Request, delay: float) -> None:
        """Keeps the Crawl-delay exactly: no jitter below it, and AutoThrottle must not shorten it."""
        request.meta["autothrottle_dont_adjust_delay"] = True
        engine = self.crawler.engine
        assert engine is not None
        downloader = cast("Any", engine.downloader)
        key = downloader.get_slot_key(request)
        if key in downloader.per_slot_settings:
            return
        downloader.per_slot_settings[key] = {"delay": delay, "jitter": 0.0, "concurrency": 1}
        if slot := downloader.slots.get(key):
            # lastseen 0: the delay stands between pages, not between robots.txt and the first page.
            slot.delay, slot.jitter, slot.concurrency, slot.lastseen = delay, 0.0, 1, 0


def _keep_few(sites: dict[str, float]) -> None:
    while len(sites) > KEEP_SITES:
        del sites[next(iter(sites))]


def _site_of(request: Request) -> str:
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}"


def _read(response: Response) -> Rules:
    until = time.monotonic() + KEEP_SECONDS
    if response.status == 429 or response.status >= 500:
        why = f"robots.txt answered {response.status}: the whole site is off limits until it can be read"
        return Rules(Protego.parse(STAY_AWAY), until, why)
    text = response.body[:ROBOTS_BYTES].decode("utf-8", "replace") if 200 <= response.status < 300 else ""
    return Rules(Protego.parse(text), until)


class PoliteRetry(RetryMiddleware):
    """Scrapy's retry, but a site that asks for time gets it: a short wait is kept here, a long one ends the request."""

    async def process_response(self, request: Request, response: Response) -> Request | Response:  # type: ignore[override]
        """The answer, or the same request again after the wait that the site asked for."""
        wait = retry_after(response) if response.status in (429, 503) else None
        if wait is None:
            if response.status == 429:
                return response
            return super().process_response(request, response)
        if wait > SHORT_WAIT or request.meta.get("dont_retry"):
            return response
        again = self._retry(request, f"asked to wait {wait:.0f} s")
        if again is None:
            return response
        self._hold(request, wait)
        await asyncio.sleep(wait)
        return again

    def _hold(self, request: Request, wait: float) -> None:
        """The site asked all of us to wait: also what stands in the downloader's queue already."""
        hold(request.url, wait)
        engine = self.crawler.engine
        assert engine is not None
        downloader = cast("Any", engine.downloader)
        if slot := downloader.slots.get(downloader.get_slot_key(request)):
            # Without any delay the queue is not looked at by the clock.
            slot.delay, slot.lastseen = max(slot.delay, 0.01), max(slot.lastseen, time.monotonic() + wait)


@dataclass(slots=True)
class _Host:
    """What one host lets us ask: `left` requests until `until`; `flying` are on their way. None left is no limit."""

    left: int | None = None
    until: float = 0.0
    held: float = 0.0
    flying: int = 0


_HOSTS: dict[str, _Host] = {}


class Held(IgnoreRequest):
    """The API asked for more time than a run has."""


def _host_of(url: str) -> _Host:
    if len(_HOSTS) > KEEP_SITES:
        for name in [name for name, host in _HOSTS.items() if not host.flying]:
            del _HOSTS[name]
    return _HOSTS.setdefault(urlsplit(url).netloc, _Host())


def hold(url: str, seconds: float) -> None:
    """No request goes to the host of an address for so long; for the whole process."""
    host = _host_of(url)
    host.held = max(host.held, time.monotonic() + seconds)


def asked_wait(response: Response) -> float | None:
    """Seconds that an answer asks us to wait: Retry-After, or the reset of a counter that stands at 0."""
    if response.headers.get(b"Retry-After"):
        return retry_after(response)
    counted = counter(response)
    return counted[1] if counted and counted[0] < 1 else None


def counter(response: Response, now: float | None = None) -> tuple[int, float] | None:
    """Requests that are left and seconds until they are counted anew, as APIs say it in their headers."""
    for prefix in (b"X-RateLimit-", b"RateLimit-", b"X-Rate-Limit-"):
        left = (response.headers.get(prefix + b"Remaining") or b"").decode("latin-1").strip()
        reset = (response.headers.get(prefix + b"Reset") or b"").decode("latin-1").strip()
        wait = _until(reset, time.time() if now is None else now) if left and reset else None
        if wait is not None:
            try:
                return int(float(left)), wait
            except (ValueError, OverflowError):
                return None
    return None


def _until(reset: str, now: float) -> float | None:
    """A reset is a moment (seconds since 1970, or ISO) or a number of seconds from now."""
    try:
        number = float(reset)
    except ValueError:
        try:
            number = datetime.fromisoformat(reset.replace("Z", "+00:00")).timestamp()
        except ValueError:
            return None
    if not math.isfinite(number):
        return None
    return min(LONGEST_WAIT, max(0.0, number - now if number > 1e8 else number))


class RateLimits:
    """Keeps the limits that APIs count in their headers: a request that would be one too many waits for the reset."""

    async def process_request(self, request: Request) -> None:
        """Waits until the host may be asked; raises Held where that is longer than a run has."""
        host = _host_of(request.url)
        while (wait := self._wait(host)) > 0:
            if wait > LONG_WAIT:
                raise Held(f"the API counts requests and wants {wait:.0f} s of peace")
            await asyncio.sleep(wait)
        host.flying += 1
        request.meta["flying"] = True
        if host.left is not None:
            host.left -= 1

    @staticmethod
    def _wait(host: _Host) -> float:
        now = time.monotonic()
        if host.left is not None and host.until <= now:
            host.left = None
        spent = host.left is not None and host.left < 1
        return max(host.held - now, host.until - now if spent else 0.0)

    def process_response(self, request: Request, response: Response) -> Response:
        """Reads the counters of an answer; requests that are on their way are not in them yet."""
        host = self._landed(request)
        if (counted := counter(response)) is not None:
            host.left, host.until = counted[0] - host.flying, time.monotonic() + counted[1]
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        """A request without an answer is on its way no longer."""
        self._landed(request)

    @staticmethod
    def _landed(request: Request) -> _Host:
        host = _host_of(request.url)
        host.flying -= int(request.meta.pop("flying", False))
        return host
