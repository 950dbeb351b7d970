"""Source kind `sitemap`: the articles that a site's sitemaps name, also news sitemaps, indexes and packed ones."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from lxml import etree
from pydantic import Field
from scrapy.http import Request, Response

from crawler.model import Author, Post, Source, Verdict
from crawler.text import canonical_url, site_of
from spiders import answers
from spiders.apart import GONE, ApartSpider
from spiders.article import ArticleSpider
from spiders.base import MIB, SourceSettings
from spiders.dates import Dates
from spiders.verdicts import Finding

MOST_URLS = 50_000
MOST_BYTES = 60 * MIB
KEEP_READ = 1000
# Where dates say nothing of a long sitemap, what is new stands at one of its ends.
EDGE = 100
LIARS = 20
_NEWS = "http://www.google.com/schemas/sitemap-news/"
_ADDRESS = re.compile(rb"(<(?:\w{1,20}:)?loc>)([^<]{1,4096})")
_BARE_AND = re.compile(rb"&(?!#?\w{1,20};)")
_ROBOTS_LINE = re.compile(rb"^\s*sitemap\s*:\s*(\S{1,2000})", re.I | re.M)


@dataclass(frozen=True, slots=True)
class Entry:
    """One address of a sitemap and what the sitemap says of it."""

    url: str
    changed: datetime | None = None
    title: str | None = None
    language: str | None = None
    publication: str | None = None
    news: bool = False


class SitemapSpider(ApartSpider):
    """Reads sitemaps and the articles that are new in them; what a news sitemap says is a post at once."""

    kind = "sitemap"
    leads = "entry"
    html = False
    max_bytes = 50 * MIB
    proved = "recorded sitemaps; news sitemaps by the examples of their description"
    can = ("edits",)
    notes = "No key. robots.txt is kept to. News sitemaps hold the last two days, other sitemaps everything."

    class Settings(SourceSettings):
        url: str = Field(
            description="Address of a sitemap, of an index, of robots.txt, or the site itself.",
            examples=["https://news.example/sitemap-news.xml"],
        )
        pages: int = Field(60, ge=1, le=1000, description="How many sitemaps and articles one run may read.")
        articles: bool = Field(True, description="Read the articles too; without them only what the sitemap says.")
        within: str | None = Field(None, description="Only addresses with this text in them.", examples=["/news/"])
        newer_than: int = Field(3, ge=1, le=3650, description="Days: older entries are passed over.", examples=[3])

    settings_: Settings

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, **kwargs)
        self._read_one: tuple[Response, list[Entry] | None, list[Entry]] | None = None

    def requests(self) -> Iterable[Request]:
        """The sitemap; of a bare site its robots.txt, which names them."""
        parts = urlsplit(self.settings_.url)
        # Where addresses are plain, a sitemap is a question to the front page: /?sitemap=index.
        whole = parts.path.strip("/") or "sitemap" in parts.query
        yield Request(self.settings_.url if whole else f"{parts.scheme}://{parts.netloc}/robots.txt")

    def posts(self, response: Response) -> Iterable[Post]:
        """The article of a page; of a news sitemap its titles where articles are not read."""
        entries, maps = self._sitemap(response)
        if entries is None:
            return self._article(response)
        if maps or self.settings_.articles:
            return ()
        return self.each(self._wanted(response, entries), _titled)

    def follow(self, response: Response) -> Iterable[Request]:
        """Sitemaps of an index and articles that are new or changed since they were read."""
        entries, _ = self._sitemap(response)
        chosen, others = self._maps(response)
        # Indexes give dates that were true once: whoever believes them never sees what is new behind them.
        in_turn = others[self._turn_of_run % len(others) :][:1] if others else []
        for entry in (*chosen, *in_turn):
            yield Request(entry.url)
        if self.settings_.articles:
            for entry in self._unread(response, entries or []):
                yield Request(entry.url, meta={"entry": (entry.url, _stamp(entry))})

    def _unread(self, response: Response, entries: Sequence[Entry]) -> list[Entry]:
        """What was never read, latest first; then what changed since, as far as a third of the run goes.

        Some sites date everything anew each time: that must not keep new articles from being read.
        """
        read, here = self.cursor_.get("_read", {}), site_of(response.url)
        # A sitemap speaks for its own site only.
        own = [entry for entry in self._wanted(response, entries) if site_of(entry.url) == here]
        fresh = [entry for entry in own if entry.url not in read]
        fresh.sort(key=lambda entry: entry.changed or self.now(response), reverse=True)
        order = {url: place for place, url in enumerate(read)}
        changed = [entry for entry in own if entry.url in read and read[entry.url] != _stamp(entry)]
        changed.sort(key=lambda entry: order[entry.url])
        return [*fresh, *changed[: max(1, self._budget // 3)]]

    def cursor(self, response: Response, posts: Sequence[Post]) -> Mapping[str, Any] | None:
        """Articles that were read are read again only when their sitemap says that they changed."""
        if "entry" in response.meta:
            return {"_read": self._with_read(response)} if posts else None
        _, others = self._maps(response)
        return {"_turn": self._turn_of_run + 1} if len(others) > 1 else None

    @property
    def _turn_of_run(self) -> int:
        """One turn a run: a site may have several indexes, and each of them must see them all."""
        return int(self.source.cursor.get("_turn", 0))

    def _with_read(self, response: Response) -> dict[str, str]:
        url, stamp = response.meta["entry"]
        read = {name: said for name, said in self.cursor_.get("_read", {}).items() if name != url}
        return dict([*read.items(), (url, stamp)][-KEEP_READ:])

    def _keep_out(self, response: Response, shut: list[Finding]) -> None:
        """An article that is gone is not asked for again until its sitemap says something new of it."""
        if response.status in GONE:
            self.cursor_ = {**self.cursor_, "_read": self._with_read(response)}

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        """A sitemap without anything new is quiet; a page where one should be is not."""
        entries, maps = self._sitemap(response)
        if entries is None or posts:
            return None
        if entries or maps:
            return Verdict.OK
        why = f"{response.url}: names no sitemap and no page; give the address of a sitemap as `url`"
        return Finding(Verdict.EMPTY, why)

    def _article(self, response: Response) -> Iterable[Post]:
        settings = ArticleSpider.Settings(url=self.settings_.url, timezone=self.settings_.timezone)
        reader = ArticleSpider(source=Source(self.source.name, ArticleSpider.kind, settings))
        posts = list(reader.posts(answers.as_html(response)))
        self._drops += reader._drops
        return posts

    def _wanted(self, response: Response, entries: Sequence[Entry]) -> list[Entry]:
        """Recent entries; of a long sitemap whose dates say nothing its ends, of a short one all."""
        oldest = self.now(response) - timedelta(days=self.settings_.newer_than)
        within, known = self.settings_.within, _trusted(entries)
        silent = sum(entry.changed is None and not entry.news for entry in known) > KEEP_READ
        ends = {entry.url for entry in (*known[:EDGE], *known[-EDGE:])} if silent else set()
        return [
            entry
            for entry in known
            if (entry.changed >= oldest if entry.changed else entry.news or not silent or entry.url in ends)
            and (not within or within in entry.url)
        ]

    def _maps(self, response: Response) -> tuple[list[Entry], list[Entry]]:
        """Recent sitemaps of an index, so many that half of the run is left for articles, and all the others."""
        _, maps = self._sitemap(response)
        recent = self._recent_maps(response, maps)
        chosen = recent[: max(1, self._budget // 2)]
        return chosen, [*recent[len(chosen) :], *(entry for entry in maps if entry not in recent)]

    def _recent_maps(self, response: Response, maps: Sequence[Entry]) -> list[Entry]:
        """Sitemaps of an index that may hold something new, news first, then the latest changed."""
        oldest = self.now(response) - timedelta(days=self.settings_.newer_than + 1)
        recent = [entry for entry in maps if entry.changed is None or entry.changed >= oldest]
        recent.sort(key=lambda entry: ("news" in entry.url, entry.changed or oldest), reverse=True)
        return recent

    def _sitemap(self, response: Response) -> tuple[list[Entry] | None, list[Entry]]:
        """Pages (None: the answer is no sitemap) and sitemaps that an answer names; parsed once."""
        if self._read_one is None or self._read_one[0] is not response:
            dates = Dates(self.now(response), self.settings_.timezone)
            self._read_one = (response, *entries_of(response.body, response.url, dates))
        return self._read_one[1], self._read_one[2]


def _stamp(entry: Entry) -> str:
    return entry.changed.isoformat() if entry.changed else ""


def _trusted(entries: Sequence[Entry]) -> list[Entry]:
    """Entries without the one date that a program wrote into all of them."""
    dates = {entry.changed for entry in entries if not entry.news}
    if len(entries) < LIARS or len(dates) != 1 or None in dates:
        return list(entries)
    return [entry if entry.news else replace(entry, changed=None) for entry in entries]


def entries_of(body: bytes, url: str, dates: Dates) -> tuple[list[Entry] | None, list[Entry]]:
    """What a sitemap, an index, a text sitemap or a robots.txt names: pages and sitemaps. None pages: none of these."""
    body = unpacked(body)
    if urlsplit(url).path.endswith("/robots.txt"):
        found = [match.decode("utf-8", "replace") for match in _ROBOTS_LINE.findall(body[:MIB])]
        return [], [Entry(address) for address in found if address.startswith(("http://", "https://"))]
    head = body[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<urlset" in head or b"<sitemapindex" in head or (head.startswith(b"<?xml") and b"sitemap" in head):
        return _of_xml(body, url, dates)
    lines = body[: 5 * MIB].split()
    if lines and urlsplit(url).path.endswith(".txt") and all(line.startswith(b"http") for line in lines[:50]):
        return [Entry(line.decode("utf-8", "replace")) for line in lines[:MOST_URLS]], []
    return None, []


def unpacked(body: bytes) -> bytes:
    """The bytes of a gzip file, no more than 60 MiB of them; other bytes as they are."""
    if body[:2] != b"\x1f\x8b":
        return body
    opener = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        return opener.decompress(body, MOST_BYTES)
    except zlib.error:
        return b""


def _of_xml(body: bytes, url: str, dates: Dates) -> tuple[list[Entry], list[Entry]]:
    """Entries one by one, each forgotten when it is read: a sitemap may have 50 MiB."""
    pages: list[Entry] = []
    maps: list[Entry] = []
    reader = etree.iterparse(
        # Addresses with a bare & are common, and a parser that forgives would leave out what follows it.
        io.BytesIO(_ADDRESS.sub(lambda found: found[1] + _BARE_AND.sub(b"&amp;", found[2]), body)),
        events=("end",),
        tag=("{*}url", "{*}sitemap"),
        recover=True,
        no_network=True,
        resolve_entities=False,
        remove_comments=True,
    )
    try:
        for _, node in reader:
            if entry := _entry(node, url, dates):
                (pages if _name(node) == "url" else maps).append(entry)
            node.clear()
            if len(pages) + len(maps) >= MOST_URLS:
                break
    except etree.LxmlError:
        pass  # what was read before the break counts
    return pages, maps


def _entry(node: Any, base: str, dates: Dates) -> Entry | None:
    said: dict[str, str] = {}
    own = node.tag.rpartition("}")[0]
    for part in node.iter("*"):
        space, _, name = part.tag.rpartition("}")
        words = part.text
        # Images and videos of an entry have addresses too.
        if words and not words.isspace() and (space == own or _NEWS in space):
            said.setdefault(f"news:{name}" if _NEWS in space else name, words.strip())
    address = canonical_url(said.get("loc", ""), base)
    if not address or not address.startswith(("http://", "https://")):
        return None
    return Entry(
        address,
        dates.first((said.get("news:publication_date"), said.get("lastmod"))),
        said.get("news:title"),
        said.get("news:language"),
        said.get("news:name"),
        any(key.startswith("news:") for key in said),
    )


def _name(node: Any) -> str:
    """The name of an element without its namespace; "" of what is no element."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _titled(entry: Entry) -> Post | None:
    if not entry.title:
        return None
    return Post(
        text="",
        title=entry.title,
        url=entry.url,
        author=Author(entry.publication),
        published_at=entry.changed,
        language_hint=entry.language,
    )
