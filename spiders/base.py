"""The base of every source kind: one file in this folder with `kind`, `Settings` and pure `posts(response)` is a kind.

Scrapy fetches; this class judges each answer, keeps it as a Document, hands its posts to the Intake (which cleans them;
ONE transaction per answer, in a thread, so that the reactor keeps beating), decides how far to walk, and ends a run
with one verdict.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeVar

import scrapy
from scrapy.crawler import Crawler
from scrapy.exceptions import CloseSpider
from scrapy.http import Request, Response
from twisted.python.failure import Failure

from crawler import plugins
from crawler.errors import StoreError
from crawler.model import Document, Freshness, Post, PostOutcome, Source, Verdict
from spiders import answers, polite, verdicts
from spiders.freshness import freshness_of, joined, kept
from spiders.paging import Walk, keep_walk, trap_of
from spiders.source_settings import SourceSettings as SourceSettings
from spiders.verdicts import Finding

logger = logging.getLogger(__name__)

# One thread stores for all runs of a process: a database takes one writer at a time, and more threads only fight.
_STORING = ThreadPoolExecutor(1, thread_name_prefix="intake")

STAND_STILL = 0.02
MOST_POSTS = 5000
MIB = 1024 * 1024
DEPTH = 3
T = TypeVar("T")


class Intake(Protocol):
    """Where answers go. The app attaches one to `crawler.intake`. `take` blocks; the spider calls it in a thread."""

    def take(
        self,
        document: Document,
        posts: Sequence[Post],
        *,
        cursor: Mapping[str, Any] | None,
        validators: Mapping[str, str] | None,
    ) -> Mapping[PostOutcome, int]:
        """Stores one answer with its posts in one transaction and counts it as fetched; says what became of the posts.

        `cursor` replaces the source's cursor (None keeps it). `validators` (etag, last_modified, and what else the
        spider wrote) belong to `document.url`. Raises LeaseLost when another process took the run over.
        """

    def note(
        self,
        *,
        fetched: int = 0,
        dropped: int = 0,
        unchanged: int = 0,
        verdict: Verdict | None = None,
        error: str | None = None,
        emptied: bool = False,
    ) -> None:
        """Counts what left no document (304, error pages), broken entries, at the end of a run its verdict. Quick.

        `emptied`: it is `changed` for nothing but that there were posts the time before and are none now.
        """


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer holds: posts, reasons of dropped entries, further requests, cursor and a finding."""

    posts: tuple[Post, ...] = ()
    dropped: tuple[str, ...] = ()
    requests: tuple[Request, ...] = ()
    cursor: Mapping[str, Any] | None = None
    finding: Finding | None = None
    broken: bool = False


@dataclass(slots=True)
class _Tally:
    """What a run came to so far."""

    showed: int = 0
    findings: list[Finding] = field(default_factory=list)


class SourceSpider(scrapy.Spider):
    """A normal Scrapy spider over one Source. Subclasses set `kind` and `Settings` and write `posts`.

    The class has no `name`, so that Scrapy lists only kinds; `name` of a kind is its `kind`.
    """

    kind: ClassVar[str]
    Settings: ClassVar[type[SourceSettings]] = SourceSettings
    html: ClassVar[bool] = True
    browser: ClassVar[bool] = False
    max_bytes: ClassVar[int] = 10 * MIB
    # For people, in docs and `sources kinds`: what real answers it was read against ("unproved": none), its limits and
    # terms, and what it can. Presets say it in their file.
    proved: ClassVar[str] = ""
    notes: ClassVar[str] = ""
    can: ClassVar[tuple[str, ...]] = ()
    source: Source
    # Seconds that the site asked us to stay away (429/503 with a long Retry-After); the clock reads it after the run.
    retry_after: float | None = None
    # How long the first answers said that they hold; the clock reads that too.
    freshness: Freshness | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            cls.name = cls.kind

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.intake: Intake | None = None
        self._on_closed: Callable[[], object] | None = None
        self._tally = _Tally()
        self._drops: list[str] = []
        self._turn = asyncio.Lock()
        self._visited: set[str] = set()
        self._walks: dict[str, Walk] = {}
        self._adopt(source)

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, source: Source | str = "", **kwargs: Any) -> SourceSpider:
        """`source` is a Source (the app), or its name (`scrapy crawl KIND -a source=NAME`: the app comes by wiring)."""
        given = source if isinstance(source, Source) else Source(source, cls.kind, None)
        spider = super().from_crawler(crawler, *args, source=given, **kwargs)
        if not isinstance(source, Source) or not hasattr(crawler, "intake"):
            spider._stand_alone(crawler)
        spider.intake = crawler.intake  # type: ignore[attr-defined]
        return spider

    def _stand_alone(self, crawler: Crawler) -> None:
        if not self.source.name:
            raise ValueError(f"name the source: scrapy crawl {self.kind} -a source=NAME")
        source, intake, self._on_closed = plugins.wiring("intake")(self)
        crawler.intake = intake  # type: ignore[attr-defined]
        self._adopt(source)

    def _adopt(self, source: Source) -> None:
        self.source = source
        self.settings_ = source.settings
        self.cursor_: dict[str, Any] = dict(source.cursor)
        self._budget: int = getattr(source.settings, "pages", 1)
        self._most_requests = self._budget

    # ---- what a kind writes -------------------------------------------------------------------------------------

    def requests(self) -> Iterable[Request]:
        """The first requests of a run; by default the page at `url`."""
        yield Request(self.settings_.url)

    def posts(self, response: Response) -> Iterable[Post]:
        """PURE: the posts that an answer shows. Links may be relative to it, texts raw: the Intake cleans both."""
        raise NotImplementedError(f"source kind {self.kind!r} must define posts(response)")

    def follow(self, response: Response) -> Iterable[Request]:
        """PURE, optional: next pages (made by `self.next_page`) and deeper pages (a plain Request)."""
        return ()

    def cursor(self, response: Response, posts: Sequence[Post]) -> Mapping[str, Any] | None:
        """PURE, optional: what to remember for the next run; read it back from `self.source.cursor`."""
        return None

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        """PURE, optional: what the answer itself says went wrong, or OK where it is empty and that is nothing unusual.

        None lets the base judge.
        """
        return None

    # ---- helpers for kinds --------------------------------------------------------------------------------------

    def each(self, items: Iterable[T], make: Callable[[T], Post | None]) -> Iterator[Post]:
        """Makes a post of each item; one that breaks is dropped and counted, the others are kept. None is skipped."""
        for item in items:
            try:
                post = make(item)
            except Exception as error:
                self._drops.append(f"{type(error).__name__}: {error}"[:200])
            else:
                if post is not None:
                    yield post

    def next_page(self, url: str, **kwargs: Any) -> Request:
        """A request for the next page of the same list: it costs page budget, not depth."""
        request = Request(url, **kwargs)
        request.meta["paging"] = True
        return request

    def now(self, response: Response) -> datetime:
        """The time of fetching: the base of relative dates."""
        return answers.fetched_at(response)

    # ---- reading one answer, without network or store: the crawl, `preview`, `redo parse` and tests share it -------

    def read(self, response: Response) -> Reading:
        """Reads one answer: posts, follow, cursor and verdict of the kind, guarded. Never raises Exception."""
        if self.html:
            response = answers.as_html(response)
        self._drops = []
        try:
            posts = tuple(islice(self.each(self.posts(response), _sound), MOST_POSTS + 1))
            if len(posts) > MOST_POSTS:
                self._drops.append(f"an answer with more than {MOST_POSTS} posts: the rest is not read; narrow `item`")
                posts = posts[:MOST_POSTS]
            requests = tuple(self.follow(response))
            cursor = self.cursor(response, posts)
            said = self.verdict(response, posts) or verdicts.of_cut(response)
        except Exception as error:
            why = f"{response.url}: kind {self.kind!r} could not read the answer: {type(error).__name__}: {error}"
            logger.warning("%s", why, exc_info=True, extra={"source": self.source.name})
            finding = Finding(Verdict.FAILED, why[:500])
            return Reading(dropped=tuple(self._drops), finding=finding, broken=True)
        if requests and not posts and not said and self.html and verdicts.of_page(response):
            # A block page has links too; they lead to its captcha.
            requests = ()
        return Reading(posts, tuple(self._drops), requests, cursor, self._judge(response, posts, requests, said))

    def _judge(
        self, response: Response, posts: Sequence[Post], requests: Sequence[Request], said: Verdict | Finding | None
    ) -> Finding | None:
        if isinstance(said, Verdict):
            said = Finding(said, f"{response.url}: {said.value}" if said is not Verdict.OK else "")
        if said or posts or requests:
            return said
        if self._drops:
            return Finding(
                Verdict.CHANGED, f"{response.url}: all {len(self._drops)} entries are broken: {self._drops[0]}"
            )
        return verdicts.of_nothing(response, int(self.cursor_.get("_usual", 0)))

    # ---- Scrapy's side ---------------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[Any]:
        try:
            first = list(self.requests())
        except Exception as error:
            self._found(Finding(Verdict.FAILED, f"kind {self.kind!r} could not make its requests: {error}"))
            return
        for request in first:
            yield self._prepared(request, depth=0)

    async def parse(self, response: Response, **kwargs: Any) -> AsyncIterator[Any]:
        """Judges and stores one answer, then yields what is worth fetching next."""
        answers.stamp(response)
        async with self._turn:
            wanted = await self._taken(response)
        for request in wanted:
            yield request

    async def failed(self, failure: Failure) -> None:
        """A request without an answer."""
        request: Request = failure.request  # type: ignore[attr-defined]
        if isinstance(failure.value, CloseSpider):
            raise failure.value
        self._found(verdicts.of_failure(failure.value or Exception("no answer"), request.url))

    async def _taken(self, response: Response) -> list[Request]:
        if response.status in (200, 304) and not (response.meta.get("paging") or response.meta.get("hop")):
            known = self._known(response.meta.get("asked", response.url))
            self.freshness = joined(self.freshness, freshness_of(response, known))
        if response.status == 304:
            self._tally.showed += 1
            self._note(fetched=1, unchanged=1)
            return []
        if finding := verdicts.of_status(response):
            self._note(fetched=1)
            return self._refused(response, finding)
        # Read on the loop, so that a parser that hangs in C silences the beat; only the database is waited for aside.
        storing = _STORING.submit(self._store, response, self.read(response))
        # A moment of standing still costs less than two threads that fight for the interpreter; a locked database,
        # which takes longer, is waited for while the loop goes on beating.
        done, _ = wait([storing], STAND_STILL)
        reading, outcomes = storing.result() if done else await asyncio.wrap_future(storing)
        quiet = reading.finding is not None and reading.finding.verdict is Verdict.OK
        if reading.finding and not quiet:
            self._found(reading.finding)
        if outcomes is None:
            return []
        self._tally.showed += len(reading.posts) or quiet
        return self._onward(response, reading, outcomes)

    def _refused(self, response: Response, finding: Finding) -> list[Request]:
        if resumed := response.meta.get("resumed"):
            return [self._prepared(Request(resumed), response.meta["hop"], resume=False)]
        if response.status in (429, 503):
            self.retry_after = polite.retry_after(response)
            if self.retry_after:
                finding = Finding(finding.verdict, f"{finding.why} (it asks us to wait {self.retry_after:.0f} s)")
        past_the_end = response.meta.get("paging") and response.status in (404, 410)
        if not past_the_end:
            self._found(finding)
        return []

    def _store(self, response: Response, reading: Reading) -> tuple[Reading, Mapping[PostOutcome, int] | None]:
        """Stores one answer; runs in a thread. A broken reader never loses the answer."""
        assert self.intake is not None
        document = answers.document_of(response)
        if reading.dropped:
            logger.warning("%s: %d entries dropped: %s", response.url, len(reading.dropped), reading.dropped[0])
            self.intake.note(dropped=len(reading.dropped))
        cursor = self._next_cursor(response, reading)
        validators = self._validators(response) if reading.posts and not reading.broken else None
        try:
            outcomes = self.intake.take(document, reading.posts, cursor=cursor, validators=validators)
        except StoreError as error:
            finding = Finding(Verdict.FAILED, f"{response.url}: could not be stored: {error}")
            return Reading(finding=finding), None
        if cursor is not None:
            self.cursor_ = dict(cursor)
        return reading, outcomes

    def _next_cursor(self, response: Response, reading: Reading) -> dict[str, Any] | None:
        """The whole cursor as it must stand once these posts are stored, or None when nothing of it moves."""
        if not reading.posts:
            return {**self.cursor_, **reading.cursor} if reading.cursor else None
        moved: dict[str, Any] = {**self.cursor_, **(reading.cursor or {})}
        if not response.meta.get("paging"):
            moved["_usual"] = len(reading.posts)
        goes_on = any(request.meta.get("paging") for request in reading.requests)
        walk, chain = self._walk(response), self._chain(response)
        state = walk.page(response.url, reading.posts, goes_on)
        if goes_on or walk.pages > 1 or walk.always or self._remembered(chain):
            moved["_walks"] = keep_walk(moved.get("_walks", {}), chain, state, main=not response.meta.get("hop"))
        return moved if moved != self.cursor_ else None

    def _chain(self, response: Response) -> str:
        """The address at which a list of pages begins; it names the walk in the cursor."""
        return str(response.meta.get("chain", response.url))

    def _walk(self, response: Response) -> Walk:
        chain = self._chain(response)
        if chain not in self._walks:
            order = getattr(self.settings_, "order", "auto")
            self._walks[chain] = Walk(self._budget, self._remembered(chain), order)
        return self._walks[chain]

    def _remembered(self, chain: str) -> dict[str, Any]:
        known: dict[str, Any] = self.source.cursor.get("_walks", {}).get(chain, {})
        return known

    def _onward(self, response: Response, reading: Reading, outcomes: Mapping[PostOutcome, int]) -> list[Request]:
        fresh = outcomes.get(PostOutcome.NEW, 0) + outcomes.get(PostOutcome.EDITED, 0)
        stop = self._walk(response).stops(reading.posts, fresh)
        depth = int(response.meta.get("hop", 0))
        wanted = []
        for request in reading.requests:
            paging = bool(request.meta.get("paging"))
            if (paging and stop) or (not paging and depth >= DEPTH) or not self._worth(request, response):
                continue
            if paging:
                request.meta["chain"] = self._chain(response)
            wanted.append(self._prepared(request, depth if paging else depth + 1))
        return wanted

    def _worth(self, request: Request, response: Response) -> bool:
        """Within the page budget, not yet asked for in this run, and no trap."""
        if _name(request) in self._visited or len(self._visited) >= self._most_requests:
            return False
        if request.method == "GET" and request.url == response.url:
            return False
        if trap := trap_of(request.url, self.now(response)):
            self._found(Finding(Verdict.TRAP, f"{response.url} leads into {trap}; narrow `next` or `url`"))
            return False
        return True

    def _prepared(self, request: Request, depth: int, resume: bool = True) -> Request:
        """A request as this base sends it: answers come back here, with what they need to be judged in `meta`."""
        paging = request.meta.get("paging")
        page = None if paging or not resume else self._remembered(request.url).get("page")
        if page and page != request.url:
            chain, request = request.url, request.replace(url=page)
            request.meta.update(resumed=chain, chain=chain)
        self._visited.add(_name(request))
        request.callback, request.errback = request.callback or self.parse, request.errback or self.failed
        request.meta.setdefault("download_maxsize", self.max_bytes)
        request.meta.update(hop=depth, asked=request.url)
        request.meta.setdefault("chain", request.url)
        # An open walk must see the page again, changed or not: the rest of its list is still unread.
        if not paging and not self._remembered(request.meta["chain"]).get("open"):
            for header, value in self._conditions(request.url).items():
                request.headers.setdefault(header, value)
        # `_visited` knows what this run asked for; Scrapy's filter would drop a retry from the first page.
        return request.replace(dont_filter=True)

    # ---- conditional requests ----------------------------------------------------------------------------------------

    @property
    def _digest(self) -> str:
        """Changes with the settings: after an edit the page is read again although the site calls it unchanged."""
        text = self.settings_.model_dump_json() if hasattr(self.settings_, "model_dump_json") else repr(self.settings_)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def _validators(self, response: Response) -> dict[str, str] | None:
        said = {
            "etag": (response.headers.get(b"ETag") or b"").decode("latin-1"),
            "last_modified": (response.headers.get(b"Last-Modified") or b"").decode("latin-1"),
        }
        marks = {name: value for name, value in said.items() if value and len(value) <= 500}
        if not marks:
            return None
        marks["with"] = self._digest
        if (asked := response.meta.get("asked", response.url)) != response.url:
            marks["asked"] = asked
        return marks | kept(response)

    def _conditions(self, url: str) -> Mapping[str, str]:
        names, known = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}, self._known(url)
        return {header: known[name] for name, header in names.items() if known.get(name)}

    def _known(self, url: str) -> Mapping[str, str]:
        """What was kept of the last answer to this request, unless it was read by other settings."""
        for address, known in self.source.validators.items():
            if url == known.get("asked", address) and known.get("with") == self._digest:
                return known
        return {}

    # ---- the end of a run --------------------------------------------------------------------------------------------

    def _found(self, finding: Finding) -> None:
        self._tally.findings.append(finding)

    def _note(self, **counts: Any) -> None:
        assert self.intake is not None
        self.intake.note(**counts)

    async def closed(self, reason: str) -> None:
        """Ends the run: one verdict for everything that was found."""
        if reason == "closespider_timeout":
            self._found(Finding(Verdict.FAILED, "the run was ended at its time limit; what it read before is kept"))
        end = verdicts.sum_up(self._tally.findings, self._tally.showed)
        try:
            emptied = {"emptied": True} if verdicts.only_emptied(end, self._tally.findings) else {}
            self._note(verdict=end.verdict, error=end.why or None, **emptied)
        finally:
            if self._on_closed:
                self._on_closed()


def _name(request: Request) -> str:
    """What tells one request of a run from another: the address, and what is posted to it."""
    return request.url if request.method == "GET" else f"{request.url} {hashlib.blake2b(request.body).hexdigest()}"


def _sound(post: Post) -> Post:
    """The post as it is; raises TypeError where a kind made one that nobody could store."""
    if not isinstance(post, Post) or not isinstance(post.text, str):
        raise TypeError(f"a post needs its text as str, not {post!r:.100}")
    return post
