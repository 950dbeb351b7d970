"""One bounded walk over a site that nobody knows yet: every lead is tried by the kind that it names, nothing is stored.

Requests go the way of every crawl: robots.txt, Crawl-delay, the egress guard, limits of size and time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from scrapy.http import Request, Response
from twisted.python.failure import Failure

from crawler.errors import CrawlerError
from crawler.model import Document, Post, Source, Verdict
from spiders import answers, leads, verdicts
from spiders.base import SourceSettings, SourceSpider
from spiders.dates import Dates
from spiders.feed import shape_of
from spiders.leads import Lead
from spiders.sitemap import entries_of
from spiders.verdicts import Finding

MOST_REQUESTS = 25
MOST_OF_ONE = 3
ENOUGH = 5
MOST_POSTS = 300
# Leads are guesses: none of them may keep the look waiting as long as the address itself.
LEAD_SECONDS = 10
FIELDS = ("author", "published_at", "url", "platform_id", "rating", "parent")
_GOOD = (Verdict.OK, Verdict.EMPTY)


@dataclass(slots=True)
class Trial:
    """What came of one lead: the posts of its first answers, or why there are none."""

    lead: Lead
    posts: list[Post] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    tried: bool = False
    requests: int = 0
    onward: int = 0
    verdict: Verdict | None = None
    why: str = ""

    @property
    def newest(self) -> datetime | None:
        """When the newest post was published, as far as the posts say."""
        return max((post.published_at for post in self.posts if post.published_at), default=None)

    def filled(self) -> dict[str, float]:
        """The share of posts in which a field is known, of fields that are known at all."""
        known: Counter[str] = Counter()
        for post in self.posts:
            values = {name: getattr(post, name) for name in FIELDS} | {"author": post.author.name or post.author.handle}
            known.update(name for name, value in values.items() if value is not None)
        return {name: round(known[name] / len(self.posts), 2) for name in FIELDS if known[name]}

    @property
    def worth(self) -> tuple[int, int, float, int]:
        """The order of proposals: what gave posts first, then the better kind, fuller posts, more of them."""
        found = min(len(self.posts), 1)
        return (-found, self.lead.rank, -sum(self.filled().values()), -len(self.posts))


@dataclass(frozen=True, slots=True)
class Task:
    """What an Explorer is given as its settings: where, with which kinds and words, and how far it may go."""

    url: str
    kinds: Mapping[str, type[SourceSpider]]
    words: tuple[str, ...] = ()
    timezone: str = "UTC"
    most: int = MOST_REQUESTS
    pages: int = 1


class Explorer(SourceSpider):
    """Looks at an address, follows its leads, and keeps what each gave in `intake` (a list of Trials).

    It has no `kind`: nobody can configure it.
    """

    html = False
    Settings = SourceSettings

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, name="explorer", **kwargs)
        self.task: Task = source.settings
        self._asked = 0
        self._tried: set[str] = set()

    @property
    def trials(self) -> Any:
        """Where what came of leads is gathered."""
        return self.intake

    async def start(self) -> AsyncIterator[Any]:
        chosen = leads.of_address(self.task.url, self.task.words)
        for lead in chosen:
            for request in self._try(lead, None):
                yield request
        # A platform says by its address what it is: its pages are for people, and often behind a log-in.
        for request in () if chosen else self._ask(Request(self.task.url), self._page, self._no_page, priority=100):
            yield request

    def _ask(
        self, request: Request, then: Callable[..., Any], lost: Callable[..., Any], priority: int
    ) -> Iterator[Any]:
        """The request, while there are some left."""
        if self._asked >= self.task.most:
            return
        self._asked += 1
        patience = {} if request.url == self.task.url else {"download_timeout": LEAD_SECONDS}
        meta = {"download_maxsize": self.max_bytes, **patience, **request.meta}
        yield request.replace(callback=then, errback=lost, priority=priority, meta=meta, dont_filter=True)

    async def closed(self, reason: str) -> None:
        """A look ends without a verdict of its own: its Trials say what was found."""
        if reason == "closespider_timeout":
            self.trials.said("the look was ended at its time limit; what it found before is told", Verdict.FAILED)

    async def _page(self, response: Response) -> AsyncIterator[Any]:
        """The address itself."""
        answers.stamp(response)
        if finding := self._refusal(response):
            self.trials.said(finding.why, finding.verdict)
        else:
            for lead in leads.of_answer(response, self.task.words):
                for request in self._try(lead, response):
                    yield request
            if shape_of(response.body) != "html":
                return
        root = leads.site_root(response.url)
        for path, then in (("/robots.txt", self._robots), ("/.well-known/nodeinfo", self._nodeinfo)):
            for request in self._ask(Request(root + path), then, self._nothing, priority=50):
                yield request

    def _refusal(self, response: Response) -> Finding | None:
        if finding := verdicts.of_status(response):
            return finding
        wall = verdicts.wall_of(answers.as_html(response)) if shape_of(response.body) == "html" else None
        return Finding(Verdict.BLOCKED, f"{response.url}: {wall}") if wall else None

    async def _no_page(self, failure: Failure) -> None:
        request: Request = failure.request  # type: ignore[attr-defined]
        finding = verdicts.of_failure(failure.value or Exception("no answer"), request.url)
        self.trials.said(finding.why, finding.verdict, network=finding.verdict is Verdict.FAILED)

    async def _nothing(self, failure: Failure) -> None:
        """What was only asked in case it is there."""

    async def _robots(self, response: Response) -> AsyncIterator[Any]:
        dates = Dates(self.now(response), self.task.timezone)
        _, named = entries_of(response.body, response.url, dates) if response.status == 200 else (None, [])
        here = [entry.url for entry in named if _same_site(entry.url, self.task.url)]
        found = leads.of_robots(here) or [
            Lead("sitemap", {"url": f"{leads.site_root(response.url)}/sitemap.xml"}, "the usual address", rank=45)
        ]
        for lead in found:
            for request in self._try(lead, None):
                yield request

    async def _nodeinfo(self, response: Response) -> AsyncIterator[Any]:
        address = leads.of_nodeinfo(response.body) if response.status == 200 else None
        if address and urlsplit(address).netloc == urlsplit(response.url).netloc:
            for request in self._ask(Request(address), self._software, self._nothing, priority=20):
                yield request

    async def _software(self, response: Response) -> AsyncIterator[Any]:
        here = leads.site_root(response.url)
        for lead in leads.of_software(response.body, here, self.task.words) if response.status == 200 else ():
            for request in self._try(lead, None):
                yield request

    # one lead

    def _try(self, lead: Lead, known: Response | None) -> Iterator[Any]:
        """The first request of the lead's kind; an answer that is here already is read at once."""
        if lead.key in self._tried or lead.kind not in self.task.kinds:
            return
        self._tried.add(lead.key)
        trial = Trial(lead)
        self.trials.append(trial)
        if lead.lacks:
            trial.why = f"needs {lead.lacks}"
            return
        try:
            spider = self._spider(lead)
            first = list(islice(spider.requests(), self.task.pages))
        except (ValueError, CrawlerError) as error:
            trial.why = " ".join(str(error).split())[:200]
            return
        for request in first:
            if known is not None and request.method == "GET" and request.url == known.url:
                yield from self._read(known, trial, spider)
            else:
                yield from self._ask_for(trial, spider, request, 0)

    def _spider(self, lead: Lead) -> SourceSpider:
        kind = self.task.kinds[lead.kind]
        context = {"timezone": self.task.timezone}
        settings = kind.Settings.model_validate(dict(lead.settings), context=context)
        return kind(source=Source(self.source.name, lead.kind, settings))

    def _ask_for(self, trial: Trial, spider: SourceSpider, request: Request, depth: int) -> Iterator[Any]:
        if trial.requests >= MOST_OF_ONE * self.task.pages:
            return
        trial.requests += 1
        made = spider._prepared(request, depth, resume=False)
        given = partial(self._proved, trial=trial, spider=spider)
        yield from self._ask(made, given, partial(self._lost, trial=trial), priority=60 - trial.lead.rank // 2)

    async def _proved(self, response: Response, trial: Trial, spider: SourceSpider) -> AsyncIterator[Any]:
        answers.stamp(response)
        for request in self._read(response, trial, spider):
            yield request

    def _read(self, response: Response, trial: Trial, spider: SourceSpider) -> Iterator[Any]:
        """What the kind makes of an answer; where it shows too little, what the kind would ask next."""
        trial.tried = True
        if finding := verdicts.of_status(response):
            trial.verdict, trial.why = trial.verdict or finding.verdict, trial.why or finding.why
            return
        reading = spider.read(response)
        trial.posts += reading.posts[: MOST_POSTS - len(trial.posts)]
        trial.onward += len(reading.requests)
        if reading.finding and not trial.posts:
            trial.verdict, trial.why = reading.finding.verdict, reading.finding.why
        elif trial.posts:
            trial.verdict, trial.why = Verdict.OK, ""
        if len(trial.posts) < ENOUGH:
            depth = int(response.meta.get("hop", 0)) + 1
            for request in reading.requests[: MOST_OF_ONE - 1]:
                yield from self._ask_for(trial, spider, request, depth)

    async def _lost(self, failure: Failure, trial: Trial) -> None:
        request: Request = failure.request  # type: ignore[attr-defined]
        finding = verdicts.of_failure(failure.value or Exception("no answer"), request.url)
        if not trial.posts:
            trial.verdict, trial.why = finding.verdict, finding.why


def _same_site(one: str, other: str) -> bool:
    """Whether two addresses are of one host, `www` aside."""
    hosts = [(urlsplit(url).netloc or "").lower().removeprefix("www.") for url in (one, other)]
    return hosts[0] == hosts[1]


class Trials(list[Trial]):
    """The Trials of one walk, and what was said of the address itself."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.unreachable = False
        self.verdict: Verdict | None = None

    def said(self, note: str, verdict: Verdict, network: bool = False) -> None:
        """Remember what went wrong with the address itself."""
        self.notes.append(note)
        self.verdict = self.verdict or verdict
        self.unreachable |= network

    def best_first(self) -> list[Trial]:
        """Trials in the order in which they are worth proposing."""
        return sorted(self, key=lambda trial: trial.worth)


def gave_posts(trials: Sequence[Trial]) -> list[Trial]:
    """Those that really gave posts."""
    return [trial for trial in trials if trial.posts]
