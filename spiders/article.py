"""Source kind `article`: articles with the comments that their pages carry; from an address, a list or a feed."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree
from pydantic import Field
from scrapy.http import Request, Response

from crawler.model import Author, Post
from crawler.text import canonical_url, strip_markup
from spiders import feed
from spiders.html import Element, text_of
from spiders.linked import LinkedSettings, LinkedSpider
from spiders.linked_data import Found, link, text
from spiders.page import told_apart
from spiders.said import ARTICLES, COMMENTS, Speakers

# Beyond these trafilatura takes seconds to minutes; the text is then taken plainly.
BIGGEST = 2_000_000
MOST_ELEMENTS = 8_000
ENOUGH = 500
_SLUG = re.compile(r"[^/]*(?:\d{3}|[^/-]+-[^/-]+-|\.s?html?$)[^/]*/?$")
_DATED = etree.XPath(
    "//*[not(self::script or self::style or self::body or self::a)]"
    "[contains(@class, 'date') or contains(@class, 'time') or contains(@class, 'publish')]"
    "[string-length(normalize-space()) < 80]"
)
_CREDIT = re.compile(r"фото|photo|getty|imag(?:e|o)\b|знімок|снимок|иллюстрац|ілюстрац", re.I)
# trafilatura keeps caches that are not made for threads, and runs of other sources parse beside this one.
_ONE_AT_A_TIME = threading.Lock()


class ArticleSpider(LinkedSpider):
    """Reads articles: JSON-LD first, then trafilatura; comments of JSON-LD and microdata become posts of their own."""

    kind = "article"

    class Settings(LinkedSettings):
        """Settings of `article`."""

        url: str = Field(description="An article, a list of articles, or a feed.", examples=["https://news.example/"])
        also: tuple[str, ...] = Field(
            default=(), description="Further addresses.", examples=[["https://news.example/a"]]
        )
        comments: bool = Field(default=True, description="Whether comments of the articles are taken too.")

    settings_: Settings

    def requests(self) -> Iterable[Request]:
        for url in (self.settings_.url, *self.settings_.also):
            yield Request(url)

    def posts(self, response: Response) -> Iterable[Post]:
        """The article and its comments; nothing of a list or a feed."""
        if _is_feed(response):
            return
        root, speakers = self._read_page(response)
        if self._is_list(response, root, speakers):
            return
        yield from self.each([response], lambda answer: article(answer, root, speakers))
        if self.settings_.comments:
            yield from told_apart(list(self.each(speakers.wanted(COMMENTS), speakers.post)))

    def follow(self, response: Response) -> Iterable[Request]:
        """Articles that a list or a feed names."""
        if _is_feed(response):
            links = [dict.get(entry, "link") for entry in feed.parsed(response).entries]
            return [Request(url) for url in map(response.urljoin, filter(None, links)) if url.startswith("http")]
        root, speakers = self._read_page(response)
        return self.onward(response, is_list=self._is_list(response, root, speakers))

    def _is_list(self, response: Response, root: Element, speakers: Speakers) -> bool:
        """A list is what a person said is one (`links`), or the first page when nothing marks it as an article."""
        if response.meta.get("hop", 0):
            return False
        return bool(self.settings_.links) or not is_article(root, speakers)


def _is_feed(response: Response) -> bool:
    return feed.shape_of(response.body) == "xml" and b"<" in response.body[:200]


def main_node(speakers: Speakers) -> Found | None:
    """The node of the article itself: of several (teasers) the one that names this page, else the only one."""
    nodes = [
        one for one in speakers.nodes if one.types & ARTICLES and text(one.node.get("headline") or one.node.get("name"))
    ]
    here = canonical_url(speakers.url.split("#")[0])
    for one in nodes:
        named = (one.node.get("url"), one.node.get("mainEntityOfPage"), one.node.get("@id"))
        if any(canonical_url(link(said).split("#")[0], speakers.url) == here for said in named if link(said)):
            return one
    return nodes[0] if len(nodes) == 1 else None


def _headline(one: Found) -> str:
    return text(one.node.get("headline")) or text(one.node.get("name"))


def is_article(root: Element, speakers: Speakers) -> bool:
    """True when the page calls itself an article (schema.org, Open Graph), or its address and text look so."""
    if main_node(speakers) is not None or _meta(root, "og:type") == "article":
        return True
    articles = root.findall(".//article")
    if len(articles) == 1 and len(text_of(articles[0])) > ENOUGH:
        return True
    paragraphs = sum(len(text_of(paragraph)) for paragraph in root.findall(".//p"))
    return bool(_SLUG.search(urlsplit(speakers.url).path)) and paragraphs > ENOUGH // 2


def article(response: Response, root: Element, speakers: Speakers) -> Post:
    """The article of a page. ValueError when the page has no text."""
    one = main_node(speakers)
    body = speakers.words(one.node) if one else ""
    read = _extracted(response, root) if len(body) < ENOUGH else {}
    words = max(body, read.get("text") or "", key=len)
    title = _title(one, root) or read.get("title")
    if not words:
        raise ValueError("a page without the text of an article")
    if title and words.startswith(f"{title}\n"):
        words = words[len(title) :].strip()
    author = speakers.author(one.node.get("author")) if one else Author()
    byline = next(
        (name for name in (_meta(root, "author"), read.get("author")) if name and not _CREDIT.search(name)), None
    )
    return Post(
        text=words,
        url=response.url,
        title=title,
        author=author if author.name else Author(byline),
        published_at=(speakers.when(one.node) if one else None) or _when(root, read, speakers),
        language_hint=(text(one.node.get("inLanguage")) if one else "") or root.get("lang"),
    )


def _title(one: Found | None, root: Element) -> str | None:
    said = _headline(one) if one else ""
    if said or (said := _meta(root, "og:title")):
        return strip_markup(said) or None
    headings = [words for heading in root.findall(".//h1") if (words := text_of(heading))]
    return headings[0] if len(headings) == 1 else None


def _when(root: Element, read: dict[str, str | None], speakers: Speakers) -> datetime | None:
    """Meta element, then the only <time>, then a date shown beside the text, then the day that htmldate found."""
    times = {time.get("datetime") for time in root.findall(".//time[@datetime]")}
    said = [_meta(root, name) for name in ("article:published_time", "datePublished", "pubdate", "date")]
    shown = [text_of(element) for element in _DATED(root)[:20]]
    candidates = [*said, *(times if len(times) == 1 else ()), *(one for one in shown if 6 <= len(one) <= 60)]
    return speakers.dates.first([*candidates, read.get("date")])


def _meta(root: Element, name: str) -> str:
    found = root.xpath("//meta[@property=$name or @name=$name or @itemprop=$name][@content]", name=name)
    return str(found[0].get("content")).strip() if found else ""


def _extracted(response: Response, root: Element) -> dict[str, str | None]:
    """Text and metadata by trafilatura, or the plain text of a page that is too big for it."""
    if len(response.body) > BIGGEST or root.xpath("count(//*)") > MOST_ELEMENTS:
        body = next(
            (found for name in ("article", "main", "body") if (found := root.find(f".//{name}")) is not None), root
        )
        return {"text": text_of(body)}
    import trafilatura

    with _ONE_AT_A_TIME:
        # Without the extensive search, which loads two hundred languages of dates (six seconds of CPU, once).
        params = {"extensive_search": False, "original_date": True}
        found = trafilatura.bare_extraction(
            response.text, url=response.url, include_comments=False, with_metadata=True, date_extraction_params=params
        )
    if found is None:
        return {}
    return {name: getattr(found, name, None) for name in ("text", "title", "author", "date")}
