"""Source kind `feed`: RSS, Atom, RDF and JSON Feed, also of comments; finds the feed of an HTML page by its link."""

from __future__ import annotations

import calendar
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from time import struct_time
from typing import Any

from pydantic import Field
from scrapy.http import Request, Response

from crawler.model import Author, Post, Source, Verdict
from crawler.text import strip_markup
from spiders import answers, feed_cut, feed_json, verdicts
from spiders.base import MIB, SourceSettings, SourceSpider
from spiders.dates import Dates
from spiders.verdicts import Finding

_XML_FEED = re.compile(rb"<(?:[\w-]{1,20}:)?(rss|feed|rdf|channel|item|entry)[\s>]", re.I)
_ENTITY_LEFT = re.compile(r"&(?:lt|gt|amp|quot|nbsp|apos|laquo|raquo|mdash|ndash|hellip|#\d{2,6}|#x[0-9a-fA-F]{2,6});")
_HAS_ZONE = re.compile(r"(?:[+-]\d\d:?\d\d|Z|[A-Z]{2,5})\s*$")
_FEED_TYPES = (
    "application/rss+xml",
    "application/atom+xml",
    "application/feed+json",
    "application/json",
    "application/rdf+xml",
)
_IN_BRACKETS = re.compile(r"\(([^()@]{1,100})\)")
# Of an entry this much is read; a post keeps 65,536 characters of it.
LONGEST = 400_000
_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)


class FeedSpider(SourceSpider):
    """Reads one feed. Unchanged feeds cost one 304; entries may lack id, date, title or author."""

    kind = "feed"
    html = False
    max_bytes = 30 * MIB

    class Settings(SourceSettings):
        url: str = Field(
            description="Address of the feed, or of a page that links to its feed.",
            examples=["https://news.example/rss"],
        )
        pages: int = Field(
            5, ge=1, le=100, description="How many pages of a feed that has `next` links one run may read."
        )

    settings_: Settings

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, **kwargs)
        self._parsed: tuple[Response, Any] | None = None

    def posts(self, response: Response) -> Iterable[Post]:
        """Entries of the feed, the newest 5,000; none of an HTML page."""
        shape = shape_of(response.body)
        if shape == "json":
            feed = self._json(response)
            dates = Dates(self.now(response), self.settings_.timezone)
            return self.each(feed_json.items(feed, feed_cut.NEWEST), lambda item: feed_json.post(item, feed, dates))
        if shape == "html":
            return ()
        feed = self._xml(response)
        dates = Dates(self.now(response), self.settings_.timezone)
        return self.each(feed.entries[: feed_cut.NEWEST], _Entries(feed, dates))

    def follow(self, response: Response) -> Iterable[Request]:
        """The next page of a paged feed, or the feed that an HTML page advertises."""
        shape = shape_of(response.body)
        if shape == "html":
            return [Request(url) for url in self._advertised(response)[:1]]
        if shape == "json":
            following = self._json(response).get("next_url")
        else:
            links = self._xml(response).feed.get("links", ())
            following = next((link.get("href") for link in links if link.get("rel") == "next"), None)
        return [self.next_page(response.urljoin(following))] if isinstance(following, str) and following else []

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        """An HTML page without a feed is a wall, or the wrong address."""
        if shape_of(response.body) != "html" or self._advertised(response):
            return None
        if finding := verdicts.of_page(answers.as_html(response)):
            return finding
        why = "an HTML page instead of a feed, and it links to no feed; open it in a browser and correct `url`"
        return Finding(Verdict.BLOCKED, f"{response.url}: {why}")

    def _advertised(self, response: Response) -> list[str]:
        links = answers.as_html(response).xpath("//link[@href and contains(concat(' ', @rel, ' '), ' alternate ')]")
        found = [link.attrib["href"] for link in links if link.attrib.get("type", "").lower().strip() in _FEED_TYPES]
        return [url for url in map(response.urljoin, found) if url.startswith("http") and url != response.url]

    def _json(self, response: Response) -> Any:
        return self._once(response, lambda: feed_json.load(response.body))

    def _xml(self, response: Response) -> Any:
        return self._once(response, lambda: parsed(response))

    def _once(self, response: Response, parse: Any) -> Any:
        """posts() and follow() look at the same answer: it is parsed once."""
        if self._parsed is None or self._parsed[0] is not response:
            self._parsed = (response, parse())
        return self._parsed[1]


def parsed(response: Response) -> Any:
    """The answer through feedparser: always bytes (a str would be opened as path or URL), cut to the newest items."""
    import feedparser

    charset = answers.charset_of(response.body, response.headers.get(b"Content-Type") or b"")
    body = feed_cut.newest(response.body.lstrip())
    # Markup is taken off by strip_markup: cleaning it for a browser here would double the time.
    return feedparser.parse(
        body,
        response_headers={"content-type": f"application/xml; charset={charset}"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def shape_of(body: bytes) -> str:
    """`json`, `html` or `xml` (also when broken) by the first bytes."""
    head = body[:4096].lstrip(b"\xef\xbb\xbf \t\r\n\x00")
    if head[:1] in (b"{", b"["):
        return "json"
    if _XML_FEED.search(head) or head[:5] == b"<?xml":
        lower = head.lower()
        return "html" if b"<html" in lower and not _XML_FEED.search(head[: lower.find(b"<html")]) else "xml"
    return "html" if head[:1] == b"<" or b"<html" in head.lower() else "xml"


class _Entries:
    """Makes posts of the entries of one feed; knows which ids and links of it cannot tell entries apart."""

    def __init__(self, feed: Any, dates: Dates) -> None:
        self.dates = dates
        self.latest = dates.now + timedelta(days=1)
        self.language = feed.feed.get("language")
        self.home = feed.feed.get("link")
        self.ids = {id_ for id_, links in _links_of_ids(feed.entries).items() if len(links) > 1}
        links = Counter(dict.get(entry, "link") for entry in feed.entries if not dict.get(entry, "id"))
        self.links = {link for link, times in links.items() if times > 1}

    def __call__(self, entry: Any) -> Post:
        url = dict.get(entry, "feedburner_origlink") or dict.get(entry, "link")
        title = _plain(dict.get(entry, "title") or "")
        text = _text(entry)
        if not (text or title):
            raise ValueError("an entry without text and title")
        return Post(
            text=text,
            url=url,
            title=title or None,
            platform_id=self._id(entry, url, title, text),
            author=_author(entry),
            published_at=self._when(entry),
            parent=(dict.get(entry, "thr_in-reply-to") or {}).get("ref") if "thr_in-reply-to" in entry else None,
            thread=url.split("#")[0] if url and "#" in url else None,
            rating=_rating(entry),
            engagement=_engagement(entry),
            language_hint=dict.get(entry, "language") or self.language,
        )

    def _id(self, entry: Any, url: str | None, title: str, text: str) -> str | None:
        """The entry's own id, unless others of the feed share it; a link that all share is told apart by the words."""
        id_ = dict.get(entry, "id")
        if id_ and id_ not in self.ids:
            return str(id_)
        if url and (url in self.links or (url == self.home and not id_)):
            return "text:" + hashlib.sha256(f"{url}\n{title}\n{text}".encode("utf-8", "replace")).hexdigest()[:24]
        return None

    def _when(self, entry: Any) -> datetime | None:
        for name in ("published", "updated", "created"):
            said = dict.get(entry, name)
            if not said:
                continue
            known: struct_time | None = dict.get(entry, name + "_parsed")
            naive = self.dates.timezone != "UTC" and not _HAS_ZONE.search(said)
            if when := (_utc(known) if known and not naive else self.dates.read(said)):
                return when if _EARLIEST <= when <= self.latest else None
        return None


def _links_of_ids(entries: Sequence[Any]) -> dict[str, set[str]]:
    links: dict[str, set[str]] = {}
    for entry in entries:
        if id_ := dict.get(entry, "id"):
            links.setdefault(id_, set()).add(dict.get(entry, "link") or "")
    return links


def _utc(known: struct_time) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(known), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(entry: Any) -> str:
    """The fullest text of an entry: its longest content, else its summary."""
    contents = sorted((part.get("value") or "" for part in dict.get(entry, "content") or ()), key=len, reverse=True)
    for value in (*contents, dict.get(entry, "summary") or ""):
        if text := _plain(value):
            return text
    return ""


def _plain(value: str) -> str:
    value = value[:LONGEST]
    if "<" not in value and "&" not in value:
        return value.strip()
    text = strip_markup(value)
    # Many feeds escape twice: what still reads as markup is taken off once more.
    return strip_markup(text) if _ENTITY_LEFT.search(text) else text


def _engagement(entry: Any) -> dict[str, int]:
    said = {
        "comments": dict.get(entry, "slash_comments") or dict.get(entry, "thr_total"),
        "views": (dict.get(entry, "media_statistics") or {}).get("views"),
    }
    return {name: int(value) for name, value in said.items() if value and value.isdecimal() and len(value) < 12}


def _rating(entry: Any) -> float | None:
    """Stars that app stores write into their feeds."""
    said = str(dict.get(entry, "im_rating") or "").strip()
    return float(said) if re.fullmatch(r"\d(?:\.\d)?", said) else None


def _author(entry: Any) -> Author:
    """Name and page of the author; an e-mail address is nobody's name and is left out."""
    detail, said = dict.get(entry, "author_detail") or {}, dict.get(entry, "author") or ""
    names = (_name(part.get("name") or "") for part in dict.get(entry, "authors") or ())
    # feedparser cuts long addresses in two and calls the rest a name: an address is read from what was said
    name = _name(said) if "@" in said else next((name for name in names if name), "") or _name(said)
    if not name and "@" in said:
        name = next((name for name in names if name and name not in said), "")
    return Author(_plain(name), url=detail.get("href")) if name else Author()


def _name(said: str) -> str:
    """The name in `Ada`, `ada@x.example (Ada)` and `Ada <ada@x.example>`; "" when there is only an address."""
    if "@" not in said:
        return said.strip()
    in_brackets = _IN_BRACKETS.search(said)
    outside = "" if "(" in said else said.split("<")[0].strip(" \"'")
    return in_brackets[1].strip() if in_brackets else outside if "@" not in outside else ""
