"""Source kind `api`: any JSON API by configuration; platforms are presets (YAML) of it.

What the language cannot say is said in code by subclasses: `first`, `posts`, `follow` may be overridden like anywhere.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from scrapy.http import Request, Response
from twisted.python.failure import Failure

from crawler.model import Post, PostOutcome, Source, Verdict
from spiders import api_answer, polite
from spiders.api_answer import Unreadable
from spiders.api_login import header_of, login_request, why_not
from spiders.api_post import Mapper
from spiders.api_requests import askings, first_values, following, recovered, request_of, with_parameter
from spiders.api_settings import OURS, ApiSettings, Deeper, Login, Route, Shape
from spiders.api_walk import ApiWalk
from spiders.base import MIB, Reading, SourceSpider
from spiders.dates import Dates
from spiders.feed import FeedSpider, shape_of
from spiders.json_paths import path, word
from spiders.paging import Walk, keep_walk, mark
from spiders.verdicts import Finding

KEEP_THREADS, KEEP_NAMES = 500, 600
TURN = 600
# Refusals after which another way to the same posts is worth a try.
_NOT_THIS_WAY = (400, 401, 403, 404, 405, 410, 422, 501)


@dataclass(slots=True)
class _Answer:
    """What one answer came to: data or why not, items by shape, and what the walk must know of its posts."""

    data: Any = None
    why: str = ""
    feed: bool = False
    items: list[tuple[Shape, list[Any]]] = field(default_factory=list)
    dated: dict[str, datetime | None] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    # Ids of posts by the names under which answers to them name them.
    names: dict[str, str] = field(default_factory=dict)
    # Items that are posts and say nothing, such as pictures.
    wordless: int = 0

    @property
    def shown(self) -> int:
        return max((len(items) for _, items in self.items), default=0)


class ApiSpider(SourceSpider):
    """Reads a JSON API: posts by JMESPath, pages by number, offset, cursor or link, single items for comments."""

    kind = "api"
    html = False
    max_bytes = 30 * MIB
    placeholders: ClassVar[tuple[str, ...]] = OURS
    Settings = ApiSettings
    settings_: ApiSettings

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, **kwargs)
        self._read_one: tuple[Response, _Answer] | None = None
        self._asked_deeper = 0
        self._token: str | None = None

    def _adopt(self, source: Source) -> None:
        super()._adopt(source)
        if source.settings is not None:
            lists = max(1, sum(1 for _ in askings(source.settings)))
            self._most_requests = self._budget * lists + source.settings.threads + len(source.settings.otherwise)

    # ---- what is asked ------------------------------------------------------------------------------------------

    def requests(self) -> Iterable[Request]:
        """The first page of each list; before all others the rules of the place, where it has some."""
        if self.settings_.ask is None:
            return [self.first(asking) for asking in self._in_turn()]
        values = first_values(self.settings_, {}, None, 0.0)
        request = request_of(
            self.settings_, values, Route(path=self.settings_.ask.path, query={}, body=None, when=None)
        )
        request.meta.update(ask=True, chain="ask")
        return [request]

    def _in_turn(self) -> list[dict[str, Any]]:
        """What is asked for, each time from another place on: where a limit ends a run, nobody is always the last."""
        lists = list(askings(self.settings_))
        turn = int(time.time() // TURN) % len(lists) if lists else 0
        return [*lists[turn:], *lists[:turn]]

    def first(self, asking: Mapping[str, Any], route: int = 0) -> Request:
        """The first page of one list; `route` 1 and on are the other ways."""
        settings, chain = self.settings_, _chain_of(asking)
        known = self._remembered(chain)
        newest = datetime.fromisoformat(known["newest"]) if isinstance(known.get("newest"), str) else None
        # Oldest first, cut off by the page budget: going on behind the overlap would never get ahead of it.
        ahead = settings.order == "oldest" and known.get("open")
        values = first_values(settings, asking, newest, 0.0 if ahead else settings.overlap)
        request = request_of(settings, values, self._way(route))
        request.meta.update(values=values, chain=chain, route=route, asking=dict(asking))
        return request

    def follow(self, response: Response) -> Iterable[Request]:
        """The next page and what leads deeper; where the answer is no such list, the other way."""
        answer = self._answer(response)
        if response.meta.get("ask"):
            yield from self._asked(answer.data)
            return
        if answer.feed:
            return
        if (answer.why or not (answer.items or self._leads_deeper(answer))) and self._other_way(response):
            yield from self._rerouted(response)
            return
        if ("deeper" not in response.meta or self.settings_.paging.by == "link") and (
            nearer := self._next(response, answer)
        ):
            yield nearer
        if response.meta.get("hop", 0) < 2:
            yield from self._deeper(response, answer)

    def _way(self, route: int) -> Route | None:
        return self.settings_.otherwise[route - 1] if route else None

    def _next(self, response: Response, answer: _Answer) -> Request | None:
        settings, values = self.settings_, self._values(response)
        following_ = following(settings, response, answer.data, answer.shown, values)
        if following_ is None:
            return None
        if isinstance(following_, str):
            request = self.next_page(following_, headers=request_of(settings, values).headers)
        else:
            made = request_of(settings, {**values, **following_}, self._way(int(response.meta.get("route", 0))))
            request = self.next_page(made.url, method=made.method, headers=made.headers, body=made.body)
        now = following_ if isinstance(following_, dict) else {}
        request.meta.update(values={**values, **now}, asking=response.meta.get("asking", {}))
        request.meta["route"] = response.meta.get("route", 0)
        return request

    def _deeper(self, response: Response, answer: _Answer) -> Iterator[Request]:
        """Single items that are new or have changed since they were read."""
        known = dict(self.cursor_.get("_threads", {}))
        for deeper in self.settings_.deeper:
            items = path(deeper.items)(answer.data)
            for item in items if isinstance(items, list) else ():
                if self._asked_deeper >= self.settings_.threads:
                    return
                if (request := self._into(item, deeper, response, known)) is not None:
                    self._asked_deeper += 1
                    known.update([request.meta["deeper"]])
                    yield request

    def _into(self, item: Any, deeper: Deeper, response: Response, known: Mapping[str, Any]) -> Request | None:
        key = word(path(deeper.key)(item))
        stamp = word(path(deeper.mark)(item)) if deeper.mark else "read"
        if not key or known.get(key) == stamp or (deeper.only and not path(deeper.only)(item)):
            return None
        values = {name: word(path(expression)(item)) for name, expression in deeper.values.items()}
        if any(value is None for value in values.values()):
            return None
        asking = response.meta.get("asking", {})
        made = request_of(
            self.settings_.model_copy(update={"path": deeper.path, "query": deeper.query, "method": "GET"}),
            {**first_values(self.settings_, asking, None, 0.0), **values, self.settings_.paging.by: None},
        )
        made.meta["deeper"] = (key, stamp)
        return made

    # ---- other ways to the same posts ---------------------------------------------------------------------------

    def _asked(self, rules: Any) -> Iterator[Request]:
        """The first request of each list, by the first way that the rules leave open; silence opens all."""
        ways = [self.settings_.ask, *self.settings_.otherwise]
        closed = [bool(way and way.when) and path(str(way and way.when))(rules) is False for way in ways]
        if not all(closed):
            for asking in self._in_turn():
                yield self.first(asking, closed.index(False))

    def _other_way(self, response: Response) -> bool:
        first_page = not response.meta.get("paging") and not {"deeper", "ask"} & set(response.meta)
        return first_page and int(response.meta.get("route", 0)) < len(self.settings_.otherwise)

    def _rerouted(self, response: Response) -> list[Request]:
        values = self._values(response)
        asking = {name: values[name] for name in self.settings_.each}
        return [self.first(asking, int(response.meta.get("route", 0)) + 1)]

    def _values(self, response: Response) -> Mapping[str, Any]:
        """What the names in the request stood for; of a kept answer they are read back from its address."""
        given: Mapping[str, Any] | None = response.meta.get("values")
        return recovered(self.settings_, response.url) if given is None else given

    # ---- what an answer holds ------------------------------------------------------------------------------------

    def posts(self, response: Response) -> Iterable[Post]:
        """The posts of every list in the answer; of a feed its entries."""
        answer = self._answer(response)
        if answer.feed:
            return self._of_feed(response)
        said = list(self._of_lists(response, answer))
        known = {**self.cursor_.get("_names", {}), **answer.names}
        return [replace(post, parent=known[post.parent]) if post.parent in known else post for post in said]

    def _of_lists(self, response: Response, answer: _Answer) -> Iterator[Post]:
        dates = Dates(self.now(response), self.settings_.timezone)
        given: set[str] = set()
        for shape, items in answer.items:
            mapper = Mapper(shape, dates, response.url)
            around = api_answer.told(items, shape, answer.data, response.url)
            for post in self.each(around, lambda item, mapper=mapper: self._made(mapper, item, answer)):  # type: ignore[misc]
                # A list may name a post twice, and two shapes may find the same one.
                if (name := mark(post)) not in given:
                    given.add(name)
                    yield post

    def _made(self, mapper: Mapper, item: Mapping[str, Any], answer: _Answer) -> Post | None:
        post = mapper.post(item)
        if post is None:
            answer.wordless += mapper.belongs(item)
        else:
            answer.dated[mark(post)] = mapper.when(item)
            if post.platform_id and (name := mapper.other_name(item)) and name != post.platform_id:
                answer.names[name] = post.platform_id
            if mapper.is_pinned(item):
                answer.pinned.add(mark(post))
        return post

    def _of_feed(self, response: Response) -> Iterator[Post]:
        """The entries of a feed, under the ids that the API gives the same posts."""
        import re2

        given = {"url": self.settings_.url, "timezone": self.settings_.timezone}
        settings = FeedSpider.Settings.model_validate(given)
        feed = FeedSpider(source=Source(self.source.name, FeedSpider.kind, settings))
        by_id, cut = self.settings_.feed_id, self.settings_.feed_without
        host = urlsplit(response.url).hostname if self._by_host else None
        for post in feed.posts(response):
            found = re2.search(by_id, post.platform_id or post.url or "") if by_id else None
            text = re2.sub(cut, "", post.text) if cut else post.text
            number = found[found.re.groups and 1] if found else post.platform_id
            title = post.title if self.settings_.feed_titles or not text else None
            yield replace(post, platform_id=number, text=text, title=title, site=host or post.site)
        self._drops += feed._drops

    @property
    def _by_host(self) -> bool:
        """Ids of this platform are unique within one host only."""
        return any(shape.fields.get("site") == "_host" for shape in self.settings_.posts)

    def _answer(self, response: Response) -> _Answer:
        """posts(), follow() and verdict() look at the same answer: it is parsed once."""
        if self._read_one is None or self._read_one[0] is not response:
            self._read_one = (response, self._parsed(response))
        return self._read_one[1]

    def _parsed(self, response: Response) -> _Answer:
        if shape_of(response.body) == "xml" and response.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
            return _Answer(feed=True)
        try:
            declared = response.headers.get(b"Content-Type") or b""
            data = api_answer.load(response.body, self.settings_.prefix, declared)
        except Unreadable as error:
            return _Answer(why=str(error))
        shapes = ((shape, api_answer.found(shape, data)) for shape in self.settings_.posts)
        return _Answer(data, items=[(shape, items) for shape, items in shapes if items is not None])

    def cursor(self, response: Response, posts: Sequence[Post]) -> Mapping[str, Any] | None:
        """Single items that were read keep their mark, so that they are read again only when it moves."""
        names = self._answer(response).names
        known = {name: said for name, said in self.cursor_.get("_names", {}).items() if name not in names}
        kept = {"_names": dict([*known.items(), *names.items()][-KEEP_NAMES:])} if names else None
        if "deeper" not in response.meta or not self._answer(response).items:
            return kept
        key, stamp = response.meta["deeper"]
        known = {name: said for name, said in self.cursor_.get("_threads", {}).items() if name != key}
        for name in list(known)[: max(0, len(known) - KEEP_THREADS)]:
            del known[name]
        return {"_threads": {**known, key: stamp}, **(kept or {})}

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        """Errors that come as answers, no JSON, JSON of another shape; OK where empty is nothing unusual."""
        answer = self._answer(response)
        if answer.feed:
            return None
        if response.meta.get("ask"):
            closed = not any(True for _ in self._asked(answer.data))
            why = f"{response.url}: the rules of the place leave no way to its posts open"
            return Finding(Verdict.BLOCKED, why) if closed else None
        if answer.why:
            return None if self._other_way(response) else api_answer.of_no_json(response, answer.why)
        finding, _ = api_answer.trouble_in(answer.data, self.settings_.errors, response.url)
        if finding or posts:
            return None if finding and finding.verdict is Verdict.BLOCKED and self._other_way(response) else finding
        if answer.items and (said := api_answer.error_in(answer.data)):
            return api_answer.of_error(response, said)
        if noise := api_answer.noise_before(response.body):
            why = f"{response.url}: no posts, and the server's program complains: {noise}"
            return Finding(Verdict.FAILED, f"{why}; it is tried again at the next run")
        if not answer.items:
            return self._of_no_list(response, answer)
        return Verdict.OK if self._fairly_empty(response, answer) and not self._drops else None

    def _of_no_list(self, response: Response, answer: _Answer) -> Verdict | Finding | None:
        if self._other_way(response) or self._leads_deeper(answer):
            return None
        if response.meta.get("paging") and not api_answer.message_of(answer.data):
            # Past its end a list may be left out.
            return Verdict.OK
        return api_answer.of_strange(response, answer.data)

    def _leads_deeper(self, answer: _Answer) -> bool:
        return any(path(deeper.items)(answer.data) is not None for deeper in self.settings_.deeper)

    def _fairly_empty(self, response: Response, answer: _Answer) -> bool:
        """No posts, and no wonder: items without words, a further page, or nothing new since the last time."""
        asked = response.meta.get("values", {})
        onward = bool(response.meta.get("paging")) or "deeper" in response.meta
        return bool(answer.wordless) or onward or asked.get("since") is not None or self.settings_.may_be_empty

    # ---- the walk ------------------------------------------------------------------------------------------------

    def _walk(self, response: Response) -> Walk:
        chain = self._chain(response)
        if chain not in self._walks:
            walk = ApiWalk(self._budget, self._remembered(chain), self.settings_.order)
            walk.overlap, walk.always = self.settings_.overlap, "deeper" not in response.meta
            self._walks[chain] = walk
        return self._walks[chain]

    def _next_cursor(self, response: Response, reading: Reading) -> dict[str, Any] | None:
        answer, walk = self._answer(response), self._walk(response)
        if isinstance(walk, ApiWalk):
            walk.learn(answer.dated, answer.pinned, self.now(response))
        moved = super()._next_cursor(response, reading)
        at_end = response.meta.get("paging") and not (reading.posts or reading.dropped or reading.requests)
        if at_end and reading.finding is not None and reading.finding.verdict is Verdict.OK:
            # Nothing more where more might have been: the walk is complete.
            moved, chain = moved or {**self.cursor_}, self._chain(response)
            place = walk.page(response.url, (), goes_on=False)
            moved["_walks"] = keep_walk(moved.get("_walks", {}), chain, place, main=not response.meta.get("hop"))
        return moved

    # ---- politeness and errors -------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[Any]:
        """The token first, where the API wants one and there is something to log in with."""
        if self._login is None:
            async for request in super().start():
                yield request
        else:
            yield self._login_first(None)

    @property
    def _login(self) -> Login | None:
        login = self.settings_.login
        return login if login is not None and login.wanted else None

    def _login_first(self, then: Request | None) -> Request:
        assert self._login is not None
        request = login_request(self._login, self.settings_.url)
        request.meta["then"] = then
        return request.replace(callback=self._logged_in, errback=self.failed)

    async def _logged_in(self, response: Response) -> AsyncIterator[Any]:
        """Takes the token; the answer itself, which is a secret, goes nowhere."""
        assert self._login is not None
        self._note(fetched=1)
        self._token = header_of(self._login, response)
        then: Request | None = response.meta["then"]
        if self._token is None:
            worse = Verdict.BLOCKED if response.status in (400, 401, 403) else Verdict.FAILED
            self._found(Finding(worse, f"{why_not(response)}; correct the login of the source"))
        elif then is not None:
            yield self._carrying(then)
        else:
            async for request in super().start():
                yield request

    def _carrying(self, request: Request) -> Request:
        """The request with what proves who asks; nothing of it goes to hosts that the config does not name."""
        if urlsplit(request.url).netloc not in self._hosts:
            headers = {name: value for name, value in request.headers.items() if name.decode() not in self._proofs}
            return request.replace(headers=headers) if len(headers) < len(request.headers) else request
        url = request.url
        for name, secret in self.settings_.secrets.items():
            url = with_parameter(url, name, secret.get_secret_value())
        if self._token is not None:
            request.headers["Authorization"] = self._token
        return request if url == request.url else request.replace(url=url)

    @cached_property
    def _hosts(self) -> frozenset[str]:
        """Where the config itself asks."""
        settings = self.settings_
        ways = [*(way.path for way in settings.otherwise), *(deeper.path for deeper in settings.deeper)]
        said = [settings.url, settings.path, *ways, settings.ask.path if settings.ask else ""]
        return frozenset(urlsplit(one).netloc for one in said if "://" in one)

    @cached_property
    def _proofs(self) -> frozenset[str]:
        """Names of the headers of the config, as Scrapy writes them."""
        return frozenset({"Authorization", *(name.title() for name in self.settings_.headers)} - {"Accept"})

    async def parse(self, response: Response, **kwargs: Any) -> AsyncIterator[Any]:
        """As everywhere, but secret parameters never leave the request, and what the API asks for is waited."""
        response = self._masked(response)
        async for request in super().parse(response, **kwargs):
            yield request

    async def failed(self, failure: Failure) -> None:
        """A request without an answer: its address is told without its secrets."""
        request: Request = failure.request  # type: ignore[attr-defined]
        failure.request = request.replace(url=self._without_secrets(request.url))  # type: ignore[attr-defined]
        await super().failed(failure)

    def _onward(self, response: Response, reading: Reading, outcomes: Mapping[PostOutcome, int]) -> list[Request]:
        wanted = super()._onward(response, reading, outcomes)
        walk = self._walk(response)
        if isinstance(walk, ApiWalk) and walk.cut:
            why = f"{response.url}: more new posts than {self._budget} pages hold; the oldest of them were not read"
            self._found(Finding(Verdict.TOO_BIG, f"{why}: raise `pages`, or crawl more often (`every`)"))
        if wait := self._asked_to_wait(response):
            if wait > polite.LONG_WAIT:
                self.retry_after = max(wait, self.retry_after or 0.0)
                return []
            polite.hold(response.url, wait)
        return wanted

    def _asked_to_wait(self, response: Response) -> float:
        """Seconds that the answer itself asks us to stay away."""
        data = self._answer(response).data
        said = path(self.settings_.backoff)(data) if self.settings_.backoff else None
        _, after_error = api_answer.trouble_in(data, self.settings_.errors, response.url)
        asked = float(said) if isinstance(said, int | float) and not isinstance(said, bool) else 0.0
        return min(86400.0, max(asked, after_error or 0.0, polite.asked_wait(response) or 0.0))

    def _refused(self, response: Response, finding: Finding) -> list[Request]:
        if response.meta.get("ask"):
            # A place without rules of its own: the usual order of ways.
            return [self._prepared(request, 0) for request in self._asked(None)]
        if response.status == 401 and self._login is not None and not response.meta.get("again") and response.request:
            # A token lives for an hour or two; a second refusal is a refusal.
            again = response.request.replace(url=self._without_secrets(response.request.url))
            again.meta["again"] = True
            return [self._login_first(again)]
        data = self._answer(response).data
        named, wait = api_answer.trouble_in(data, self.settings_.errors, response.url)
        # What asks to be waited for is no closed way: another one would hide it.
        if wait is None and response.status in _NOT_THIS_WAY and self._other_way(response):
            return [self._prepared(request, 0) for request in self._rerouted(response)]
        if "deeper" in response.meta and response.status in (403, 404, 410):
            # A topic that is gone takes nothing from the list it stood in.
            return []
        if response.meta.get("paging") and not named and self.settings_.full is None and response.status in (400, 422):
            # How long a page is was not said, so the one behind the last was asked for.
            return []
        if (wait := wait or polite.asked_wait(response)) and response.status in (403, 429, 503):
            self.retry_after = min(polite.LONGEST_WAIT, wait)
        return super()._refused(response, named or api_answer.refused(response, data) or finding)

    def _prepared(self, request: Request, depth: int, resume: bool = True) -> Request:
        # A list of posts is no deeper than its first page, whatever was asked before it.
        prepared = super()._prepared(request, 0 if "asking" in request.meta else depth, resume=False)
        return self._carrying(prepared)

    def _masked(self, response: Response) -> Response:
        url = self._without_secrets(response.url)
        return response if url == response.url else response.replace(url=url)

    def _without_secrets(self, url: str) -> str:
        for name in self.settings_.secrets:
            url = with_parameter(url, name, None)
        return url


def _chain_of(asking: Mapping[str, Any]) -> str:
    """The name of one list of pages: what it asks for, not its address, which may change from run to run."""
    said = "&".join(f"{name}={value}" for name, value in asking.items())
    return f"api?{said}"
