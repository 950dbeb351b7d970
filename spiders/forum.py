"""Source kind `forum`: lists of threads, and threads from their last page back. The program is found by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field
from scrapy.http import Request, Response

from crawler.config.values import Seconds
from crawler.model import Post, Source, Verdict
from crawler.text import canonical_url
from spiders import vanished
from spiders.apart import GONE, ApartSpider
from spiders.base import MOST_POSTS, Reading, SourceSettings
from spiders.dates import Dates
from spiders.forum_engines import BY_NAME, DELETED_CLASS, DELETED_WORDS, ENGINES, Engine
from spiders.forum_walk import ThreadWalk, is_sticky, stamp_of
from spiders.html import Element, root_of
from spiders.linked_data import found
from spiders.page import Fields, PageSettings, Picks, Reader, base_of, told_apart, web_address
from spiders.paging import Walk
from spiders.said import COMMENTS, POSTINGS, REVIEWS, Speakers
from spiders.selecting import picker
from spiders.verdicts import Finding

LOOK_AT = 300_000
KEEP_THREADS = 500
KEEP_RESTS, RESTS = 50, 3
SHUT, SHUT_OUT = timedelta(days=1), (401, 403)
_IN_VAIN = (Verdict.BLOCKED, Verdict.CHANGED, Verdict.EMPTY)
_REST = "rest "
_LOG_IN = "a log-in page"
_PAGE_NUMBERS = (
    re.compile(r"topic[=,]\d{1,12}\.(\d{1,7})"),
    re.compile(r"[?&](?:page|start|st)=(\d{1,7})"),
    re.compile(r"/page[-/]?(\d{1,7})(?:\D|$)"),
    re.compile(r"-(\d{1,5})\.html"),
    re.compile(r"/topic/\d{1,12}/[^/]{1,300}/(\d{1,7})(?:\D|$)"),
)
_NUMBER = re.compile(r"\d{1,15}")
_NUMBERED = re.compile(r"post-\d{1,15}")
Engines = Literal["auto", "xenforo", "phpbb", "vbulletin", "smf", "invision", "nodebb", "askbot", "machina"]


class ForumSettings(SourceSettings):
    """Settings of `forum`."""

    url: str = Field(
        description="Address of a board, a thread, or the whole forum.", examples=["https://forum.example/"]
    )
    pages: int = Field(default=40, ge=1, le=1000, description="How many pages one run may read.", examples=[40])
    threads: int = Field(20, ge=1, le=500, description="How many threads one run reads.")
    engine: Engines = Field("auto", description="Program of the forum; found by itself.", examples=["auto"])
    order: Literal["newest"] = Field("newest", description="Threads are read from their end.")
    overlap: Seconds = Field(
        default=86400.0,
        description="How far behind the newest known post of a thread it is read again, for late posts.",
    )


class ForumSpider(ApartSpider):
    """Reads forums of the known programs: quotes left out, the last pages of a thread first."""

    kind = "forum"
    proved = "real pages of XenForo, phpBB, vBulletin and askbot; the others by their templates"
    can = ("threads", "edits", "deletions")
    notes = "No key. robots.txt is kept to; guests see what the forum shows to guests."
    Settings = ForumSettings
    settings_: ForumSettings

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, **kwargs)
        self._tree: tuple[Response, Element, Engine | None] | None = None

    def posts(self, response: Response) -> Iterable[Post]:
        """Posts of a thread's page, the last one first; without a known program what the page says for machines."""
        root, engine = self._page(response)
        if engine is None or not picker(engine.item).all(root):
            return self._for_machines(response, root, engine)
        texts = engine.fields["text"].split(" || ")
        picks = picks_of(engine, next((text for text in texts if picker(text).all(root)), texts[0]))
        items = picks.item.all(root)[: MOST_POSTS + 1]
        reader = Reader(response.url, Dates(self.now(response), self.settings_.timezone), picks, root)
        place = _Place(response.url, root, engine)
        made = list(self.each(items, lambda item: place.placed(reader, item, first=item is items[0])))
        return [*told_apart(made[::-1]), *self._vanished(place, items, made)]

    def _vanished(self, place: _Place, items: Sequence[Element], made: Sequence[Post]) -> Iterator[Post]:
        """Posts of this thread that once stood between these and stand there no more: they were taken down."""
        known = self.cursor_.get("_known", {}).get(place.thread or "", "")
        if known and (place.alone or vanished.in_order(made)):
            shown = [number for item in items if (number := place.number(item))]
            for number in vanished.gone(known, shown, ends=place.ends, begins=place.begins):
                yield place.gone(number)

    def _for_machines(self, response: Response, root: Element, engine: Engine | None) -> Iterable[Post]:
        if engine and picker(engine.row).all(root):
            return ()
        dates = Dates(self.now(response), self.settings_.timezone)
        speakers = Speakers(response.url, dates, found(root, response.url))
        return told_apart(list(self.each(speakers.wanted(REVIEWS | COMMENTS | POSTINGS), speakers.post)))

    def follow(self, response: Response) -> Iterable[Request]:
        """From a thread its last page and those before it; from a list its threads that have something new."""
        root, engine = self._page(response)
        if engine is None:
            return ()
        if picker(engine.item).all(root):
            return self._in_thread(response, root, engine)
        rows = picker(engine.row).all(root)
        return self._in_list(response, root, engine, rows) if rows else self._boards(response, root, engine)

    # ---- threads ---------------------------------------------------------------------------------------------------

    def _in_thread(self, response: Response, root: Element, engine: Engine) -> Iterator[Request]:
        base = base_of(root, response.url)
        chain: dict[str, Any] = {name: response.meta[name] for name in ("deeper", "chain") if name in response.meta}
        first_look = not response.meta.get("paging") and not response.meta.get("at_last")
        last = _address(base, picker(engine.last).values(root)[-1:]) if first_look else None
        if last and _bare(last) != _bare(response.url) and _page_of(last) > _page_of(response.url):
            yield Request(last, meta={**chain, "at_last": True})
        elif before := _address(base, picker(engine.previous).values(root)[:1]):
            request = self.next_page(before)
            request.meta.update(chain)
            yield request
        if first_look and "deeper" not in response.meta:
            yield from self._rests()

    def _rests(self) -> Iterator[Request]:
        """Threads of which a run could not read all: from the page where it stopped."""
        for key, page in list(self.cursor_.get("_rest", {}).items())[:RESTS]:
            yield Request(page, meta={"chain": f"{_REST}{key}", "at_last": True}, priority=-5)

    def _walk(self, response: Response) -> Walk:
        chain = self._chain(response)
        if chain not in self._walks:
            said = self.source.cursor.get("_until", {}).get(chain)
            until = datetime.fromisoformat(said) if isinstance(said, str) else None
            # What is owed is read to its end, also through pages that are known.
            state = {"open": True} if chain.startswith(_REST) else self._remembered(chain)
            self._walks[chain] = ThreadWalk(self._budget, state, "newest", until=until, overlap=self.settings_.overlap)
        return self._walks[chain]

    def _next_cursor(self, response: Response, reading: Reading) -> dict[str, Any] | None:
        walk = self._walk(response)
        assert isinstance(walk, ThreadWalk)
        onward = next((request.url for request in reading.requests if request.meta.get("paging")), None)
        walk.full = len(self._visited) >= self._most_requests
        walk.seen.add(response.url)
        # Pages that the other walk of this thread has read are no end of what is owed; its own are: they go in a ring.
        walk.asked = onward in (walk.seen if self._chain(response).startswith(_REST) else self._visited)
        moved = super()._next_cursor(response, reading)
        if not reading.posts:
            return self._walled(response, reading) or self._of_list(response, reading, moved)
        if any(request.meta.get("at_last") and "chain" in request.meta for request in reading.requests):
            walk.skip()
            return moved
        places = self._places(self._chain(response), walk, onward)
        return {**(moved or self.cursor_), **places} if places else moved

    def _places(self, chain: str, walk: ThreadWalk, onward: str | None) -> dict[str, Any]:
        """How far a thread was read: up to which post, and from which page the rest is still to be read."""
        until, rest = dict(self.cursor_.get("_until", {})), dict(self.cursor_.get("_rest", {}))
        older = chain.startswith(_REST)
        key = chain.removeprefix(_REST)
        if (walk.done or walk.cut) and not older and walk.newest:
            until.pop(chain, None)
            until[chain] = max(walk.newest, walk.until or walk.newest).isoformat()
        if onward and (walk.cut or (older and not walk.done)):
            rest[key] = onward
        elif older and walk.done:
            rest.pop(key, None)
        return {"_until": _last(until, KEEP_THREADS), "_rest": _last(rest, KEEP_RESTS)}

    def _walled(self, response: Response, reading: Reading) -> dict[str, Any] | None:
        """A thread that asks for a log-in is asked for again when it moves, or a day later."""
        if "deeper" not in response.meta or reading.finding is None or _LOG_IN not in reading.finding.why:
            return None
        key, stamp = response.meta["deeper"]
        walled = {**self.cursor_.get("_walled", {}), key: [stamp, (self.now(response) + SHUT).isoformat()]}
        return {**self.cursor_, "_walled": _last(walled, KEEP_THREADS)}

    async def _taken(self, response: Response) -> list[Request]:
        before = len(self._tally.findings)
        wanted = await super()._taken(response)
        if self._chain(response).startswith(_REST):
            self._owed_in_vain(response, before)
        return wanted

    def _owed_in_vain(self, response: Response, before: int) -> None:
        """The rest of a thread that is gone is owed no more, one that is shut comes after the others: each for itself.

        A site in trouble says nothing of a thread.
        """
        no_page = response.status in (*SHUT_OUT, *GONE)
        said = [one for one in self._tally.findings[before:] if one.why.startswith(response.url)]
        vain = [one for one in said if no_page or one.verdict in _IN_VAIN]
        if not vain:
            return
        self._tally.findings = [one for one in self._tally.findings if one not in vain]
        rest, key = dict(self.cursor_.get("_rest", {})), self._chain(response).removeprefix(_REST)
        page = rest.pop(key, None)
        if page and response.status not in GONE:
            rest[key] = page
        self.cursor_ = {**self.cursor_, "_rest": rest}

    # ---- lists of threads ------------------------------------------------------------------------------------------

    def _in_list(self, response: Response, root: Element, engine: Engine, rows: Sequence[Element]) -> Iterator[Request]:
        base, page = base_of(root, response.url), int(response.meta.get("list_page", 1))
        asked = int(response.meta.get("list_asked", 0))
        moved = [row for row in self._rows(response, root, engine, rows) if row.moved]
        for row in moved[: max(0, self.settings_.threads - asked)]:
            deeper = (row.key, row.stamp)
            yield Request(row.newest or row.url, meta={"deeper": deeper, "chain": row.key, "at_last": bool(row.newest)})
        if page == 1:
            yield from self._rests()
        if asked + len(moved) > self.settings_.threads or not self._goes_on(response, root, engine, rows):
            return
        following = _address(base, picker(engine.following).values(root)[:1])
        if following and _bare(following) != _bare(response.url):
            request = self.next_page(following)
            request.meta.update(list_page=page + 1, list_asked=asked + len(moved))
            yield request

    def _goes_on(self, response: Response, root: Element, engine: Engine, rows: Sequence[Element]) -> bool:
        """Whether threads that moved may stand on the next page: until one stands here that did not.

        What stands on top whatever its age says nothing; nor does what is known where a run was cut off further down.
        """
        found = [row for row in self._rows(response, root, engine, rows) if not row.sticky]
        owed = self.cursor_.get("_lists", {}).get(self._chain(response), 0)
        still = any(not row.moved for row in found)
        return not still or found[-1].bumped or int(response.meta.get("list_page", 1)) < owed

    def _rows(self, response: Response, root: Element, engine: Engine, rows: Sequence[Element]) -> list[_Row]:
        base, known = base_of(root, response.url), self.cursor_.get("_threads", {})
        walled, now = self.cursor_.get("_walled", {}), self.now(response).isoformat()
        found: dict[str, _Row] = {}
        for row in rows:
            if not (thread := _address(base, picker(engine.row_link).values(row)[:1])):
                continue
            key, stamp = canonical_url(thread, base) or thread, stamp_of(picker(engine.row_mark).values(row))
            shut = walled.get(key, ["", ""])
            still = known.get(key) == stamp and not self._remembered(key).get("open")
            still |= shut[0] == stamp and shut[1] > now
            newest = _address(base, picker(engine.row_last).values(row)[:1]) if engine.row_last else None
            made = _Row(key, stamp, thread, newest, is_sticky(row), not still, key in known and not still)
            found.setdefault(key, made)
        return list(found.values())

    def _of_list(self, response: Response, reading: Reading, moved: dict[str, Any] | None) -> dict[str, Any] | None:
        """Remembers how far down a list threads moved, until a run finds them read: a request may fail.

        The first run leaves older threads to the past where it may read no more of them.
        """
        root, engine = self._page(response)
        rows = picker(engine.row).all(root) if engine else []
        if not rows or engine is None:
            return moved
        known, chain = self.cursor_.get("_lists", {}), self._chain(response)
        page, wanted = int(response.meta.get("list_page", 1)), self._rows(response, root, engine, rows)
        into = sum("deeper" in request.meta for request in reading.requests)
        cut = into < sum(row.moved for row in wanted) or len(reading.requests) > self._most_requests - len(
            self._visited
        )
        onward = any(request.meta.get("paging") for request in reading.requests)
        owed = page + onward if onward or cut or (page > 1 and into) else 0
        if cut and not self.source.cursor.get("_threads"):
            owed = 0
        if owed <= 1:
            lists = {name: at for name, at in known.items() if name != chain}
        else:
            lists = {**known, chain: max(owed, known.get(chain, 0)) if cut else owed}
        return moved if lists == known else {**(moved or self.cursor_), "_lists": _last(lists, KEEP_RESTS)}

    @staticmethod
    def _boards(response: Response, root: Element, engine: Engine) -> Iterator[Request]:
        base = base_of(root, response.url)
        links = picker(engine.boards).values(root) if engine.boards else []
        for link in dict.fromkeys(filter(None, (web_address(base, link) for link in links))):
            yield Request(link)

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        """A list whose threads have nothing new is quiet; so is a board that says that it is empty."""
        root, engine = self._page(response)
        if posts or engine is None or self._drops or not picker(engine.row).all(root):
            return None
        return Verdict.OK

    def cursor(self, response: Response, posts: Sequence[Post]) -> Mapping[str, Any] | None:
        """Threads that were read keep their mark, so that they are read again only when it moves."""
        moved = self._learned(response, posts)
        if "deeper" not in response.meta or not posts:
            return moved
        key, stamp = response.meta["deeper"]
        known = {name: said for name, said in self.cursor_.get("_threads", {}).items() if name != key}
        return {"_threads": _last({**known, key: stamp}, KEEP_THREADS), **(moved or {})}

    def _learned(self, response: Response, posts: Sequence[Post]) -> dict[str, Any] | None:
        """The numbers of the posts of each page, as far as they are remembered: what is missing later is seen."""
        shown = [post for post in posts if _NUMBERED.fullmatch(post.platform_id or "") and post.thread]
        root, engine = self._page(response)
        if not shown or engine is None:
            return None
        known: Mapping[str, str] = self.cursor_.get("_known", {})
        begins = not picker(engine.previous).values(root)
        for thread in dict.fromkeys(str(post.thread) for post in shown):
            here = [post for post in reversed(shown) if post.thread == thread]
            numbers = [int(str(post.platform_id).removeprefix("post-")) for post in here if not post.deleted]
            gone = [int(str(post.platform_id).removeprefix("post-")) for post in here if post.deleted]
            known = vanished.learned(known, thread, numbers, gone=gone, begins=begins)
        return {"_known": dict(known)}

    def _page(self, response: Response) -> tuple[Element, Engine | None]:
        if self._tree is None or self._tree[0] is not response:
            root = root_of(response)  # type: ignore[arg-type]
            self._tree = (response, root, engine_of(response.body, root, self.settings_.engine))
        return self._tree[1], self._tree[2]


@dataclass(frozen=True, slots=True)
class _Row:
    """One thread in a list: where it is, its mark, and whether there may be something new in it."""

    key: str
    stamp: str
    url: str
    newest: str | None
    sticky: bool
    moved: bool
    # Known, and it moved since.
    bumped: bool


class _Place:
    """What all posts of one page share: the host, the thread and its title."""

    def __init__(self, url: str, root: Element, engine: Engine) -> None:
        self.url = url.split("#")[0]
        self.engine, self.host = engine, (urlsplit(url).hostname or "").removeprefix("www.")
        canonical = picker("link[rel=canonical]@href").value(root) or ""
        number = next((hit for said in (url, canonical) if (hit := re.search(engine.thread_id, said))), None)
        self.thread = f"thread-{number[1]}" if number else canonical_url(canonical or url)
        self.begins = not picker(engine.previous).values(root)
        # Whether the thread ends here, or has no other page at all: then what is missing went nowhere else.
        further = any(_page_of(link) > _page_of(url) for link in picker(engine.last).values(root))
        self.ends = not further and not picker(engine.following).values(root)
        self.alone = self.begins and self.ends
        self.title = picker(engine.title).value(root)

    def number(self, item: Element) -> int | None:
        """The number of a post within its forum."""
        said = picker(self.engine.fields["id"]).value(item) if self.engine.fields.get("id") else None
        # Of another server's post the id is its address.
        numbers = _NUMBER.findall(said or "") if "://" not in (said or "") else []
        return int(numbers[-1]) if numbers else None

    def gone(self, number: int) -> Post:
        """A post that was taken down."""
        return Post("", self.url, platform_id=f"post-{number}", site=self.host, thread=self.thread, deleted=True)

    def placed(self, reader: Reader, item: Element, *, first: bool) -> Post:
        """The post of an item; of one that was taken down what is left: its number, its place, nobody's words."""
        gone = bool(DELETED_CLASS.search(item.get("class") or ""))
        number = self.number(item)
        if gone and number:
            return self.gone(number)
        post = self._post(reader(item), item, first=first)
        return vanished.bare(post) if DELETED_WORDS.fullmatch(post.text) else post

    def _post(self, post: Post, item: Element, *, first: bool) -> Post:
        """The post with its number within this forum, its thread and what it answers; only the first has the title."""
        number = self.number(item)
        said = picker(self.engine.quoted).value(item) if self.engine.quoted else None
        answered = _NUMBER.findall(said or "")
        return replace(
            post,
            site=self.host,
            url=self._link(item, post),
            platform_id=f"post-{number}" if number else post.platform_id,
            parent=f"post-{answered[-1]}" if answered else None,
            thread=self.thread,
            title=self.title if first and self.begins else None,
        )

    def _link(self, item: Element, post: Post) -> str | None:
        """A post of another server is at its own address; one without a link of its own is where its anchor stands."""
        if post.url not in (None, self.url):
            return post.url
        name = post.platform_id or ""
        return name if name.startswith(("https://", "http://")) else f"{self.url}#{item.get('id') or name}"


@cache
def picks_of(engine: Engine, text: str) -> Picks:
    """The compiled selectors of a program, with the selector of texts that fits the page."""
    fields = Fields(**{**engine.fields, "text": text})
    given = {"url": "https://forum.example/", "item": engine.item, "fields": fields, "without": engine.without}
    return Picks(PageSettings.model_validate(given))


def engine_of(body: bytes, root: Element, wanted: str = "auto") -> Engine | None:
    """The program that drew a page: the one whose posts or lists stand in it, of these the one whose signs it has."""
    if wanted != "auto":
        return BY_NAME[wanted]
    head = body[:LOOK_AT].lower().replace(b"'", b'"')
    signed = [engine for engine in ENGINES if engine.sign.search(head)]
    for engine in (*signed, *(engine for engine in ENGINES if engine not in signed)):
        if picker(engine.item).all(root) or picker(engine.row).all(root):
            return engine
    return signed[0] if signed else None


def _address(base: str, links: Sequence[str]) -> str | None:
    return web_address(base, links[0]) if links else None


def _bare(url: str) -> str:
    return canonical_url(url.split("#")[0]) or url


def _page_of(url: str) -> int:
    """The page number in the address of a thread; 1 where none stands."""
    said = next((hit for pattern in _PAGE_NUMBERS if (hit := pattern.search(url))), None)
    return int(said[1]) if said else 1


def _last(kept: dict[str, Any], most: int) -> dict[str, Any]:
    """The youngest entries."""
    return dict(list(kept.items())[-most:])
