"""Source kind `forum`: lists of threads, and threads from their last page back. The program is found by itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field
from scrapy.http import Request, Response

from crawler.model import Post, Source, Verdict
from crawler.text import canonical_url
from spiders.base import MOST_POSTS, SourceSettings, SourceSpider
from spiders.dates import Dates
from spiders.forum_engines import BY_NAME, DELETED_CLASS, DELETED_WORDS, ENGINES, Engine
from spiders.html import Element, root_of
from spiders.linked_data import found
from spiders.page import Fields, PageSettings, Picks, Reader, base_of, told_apart, web_address
from spiders.said import COMMENTS, POSTINGS, REVIEWS, Speakers
from spiders.selecting import picker
from spiders.verdicts import Finding

LOOK_AT = 300_000
KEEP_THREADS = 500
# So many posts of so many threads are remembered, to see which were taken down.
KEEP_NUMBERS, KEEP_KNOWN = 40, 60
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


class ForumSpider(SourceSpider):
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
        return [*told_apart(made[::-1]), *self._vanished(place, items)]

    def _vanished(self, place: _Place, items: Sequence[Element]) -> Iterator[Post]:
        """Posts of this thread that once stood between these and stand there no more: they were taken down.

        Only a few of many: where most are gone, the page was drawn anew, or cut.
        """
        known = self.cursor_.get("_known", {}).get(place.thread or "", "")
        shown = {number for item in items if (number := place.number(item))}
        if len(shown) < 3 or not known:
            return
        between = [n for n in map(int, known.split()) if min(shown) < n < max(shown) and n not in shown]
        if 3 * len(between) <= len(shown):
            for number in between:
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

    def _in_list(self, response: Response, root: Element, engine: Engine, rows: Sequence[Element]) -> Iterator[Request]:
        base, known, asked = base_of(root, response.url), self.cursor_.get("_threads", {}), 0
        for row in rows:
            thread = _address(base, picker(engine.row_link).values(row)[:1])
            if not thread:
                continue
            key, stamp = canonical_url(thread, base) or thread, _stamp(picker(engine.row_mark).values(row))
            if known.get(key) == stamp and not self._remembered(key).get("open"):
                continue
            asked += 1
            if asked > self.settings_.threads:
                return
            newest = _address(base, picker(engine.row_last).values(row)[:1]) if engine.row_last else None
            yield Request(newest or thread, meta={"deeper": (key, stamp), "chain": key, "at_last": bool(newest)})
        following = _address(base, picker(engine.following).values(root)[:1])
        if asked == len(rows) and following and _bare(following) != _bare(response.url):
            yield self.next_page(following)

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
        moved = self._learned(posts)
        if "deeper" not in response.meta or not posts:
            return moved
        key, stamp = response.meta["deeper"]
        known = {name: said for name, said in self.cursor_.get("_threads", {}).items() if name != key}
        for name in list(known)[: max(0, len(known) - KEEP_THREADS)]:
            del known[name]
        return {"_threads": {**known, key: stamp}, **(moved or {})}

    def _learned(self, posts: Sequence[Post]) -> dict[str, Any] | None:
        """The numbers of the posts of each thread, as far as they are remembered: what is missing later is seen."""
        shown = [post for post in posts if _NUMBERED.fullmatch(post.platform_id or "") and post.thread]
        if not shown:
            return None
        known: dict[str, str] = dict(self.cursor_.get("_known", {}))
        for thread in dict.fromkeys(str(post.thread) for post in shown):
            numbers = {int(n) for n in known.pop(thread, "").split()}
            for post in (one for one in shown if one.thread == thread):
                number = int(str(post.platform_id).removeprefix("post-"))
                (numbers.discard if post.deleted else numbers.add)(number)
            known[thread] = " ".join(map(str, sorted(numbers)[-KEEP_NUMBERS:]))
        for thread in list(known)[: max(0, len(known) - KEEP_KNOWN)]:
            del known[thread]
        return {"_known": known}

    def _page(self, response: Response) -> tuple[Element, Engine | None]:
        if self._tree is None or self._tree[0] is not response:
            root = root_of(response)  # type: ignore[arg-type]
            self._tree = (response, root, engine_of(response.body, root, self.settings_.engine))
        return self._tree[1], self._tree[2]


class _Place:
    """What all posts of one page share: the host, the thread and its title."""

    def __init__(self, url: str, root: Element, engine: Engine) -> None:
        self.url = url.split("#")[0]
        self.engine, self.host = engine, (urlsplit(url).hostname or "").removeprefix("www.")
        canonical = picker("link[rel=canonical]@href").value(root) or ""
        number = next((hit for said in (url, canonical) if (hit := re.search(engine.thread_id, said))), None)
        self.thread = f"thread-{number[1]}" if number else canonical_url(canonical or url)
        self.begins = not picker(engine.previous).values(root)
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
        return replace(post, text="", title=None, deleted=True) if DELETED_WORDS.fullmatch(post.text) else post

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


def _stamp(said: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(said).encode("utf-8", "replace"), digest_size=6).hexdigest()
