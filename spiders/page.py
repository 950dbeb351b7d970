"""Source kind `page`: any HTML page by selectors: forums, reviews, comments, lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urljoin

from pydantic import Field
from scrapy.http import Request, Response

from crawler import plugins
from crawler.model import Author, Post, Source
from spiders.base import MOST_POSTS, SourceSettings, SourceSpider
from spiders.dates import Dates
from spiders.html import Element, root_of, text_of
from spiders.selecting import Selecting, picker

_NEXT = "link[rel~=next], a[rel~=next]"
_ANCHOR = re.compile(r"[A-Za-z]{0,20}[-_]?\d{3,20}|[A-Za-z]{1,20}[-_][0-9a-f-]{8,40}")
_NUMBER = re.compile(r"-?\d{1,6}(?:[.,]\d{1,4})?")
# A date among other words: "by Ada on Tue Nov 17, 2026 2:05 pm", "Додав Петро вчора о 12:30".
_DATE_INSIDE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?"
    r"|\d{1,2}[./]\d{1,2}[./]\d{4}(?:\D{1,5}\d{1,2}:\d\d)?"
    r"|\d{1,2} [^\W\d]{3,12}\.?,? \d{4}(?:\D{1,6}\d{1,2}:\d\d)?"
    r"|[^\W\d]{3,9}\.? \d{1,2},? \d{4}(?:\D{1,6}\d{1,2}:\d\d(?: ?[ap]m)?)?"
    r"|(?:сегодня|вчера|сьогодні|вчора|today|yesterday)(?:\D{1,5}\d{1,2}:\d\d)?"
    r"|\d{1,3} [^\W\d]{1,10}\.? (?:назад|тому|ago)",
    re.I,
)
_DATE_PARTS = re.compile(r"[»«·|•\n]|,?\s+#|\s[-–—]\s|:\s")


class Fields(plugins.Settings):
    """Where the parts of a post stand inside an item: `selector` or `selector@attribute`."""

    text: Selecting | None = Field(
        default=None, description="Text of the post; the whole item when absent.", examples=[".content"]
    )
    title: Selecting | None = Field(default=None, description="Title.", examples=["h2.title"])
    author: Selecting | None = Field(default=None, description="Name of the author.", examples=[".author"])
    author_url: Selecting | None = Field(default=None, description="Page of the author.", examples=["a.author@href"])
    published_at: Selecting | None = Field(default=None, description="Date, also in words.", examples=["time@datetime"])
    url: Selecting | None = Field(default=None, description="Link to the post.", examples=["a.permalink@href"])
    id: Selecting | None = Field(default=None, description="The site's own id of the post.", examples=["@data-id"])
    rating: Selecting | None = Field(
        default=None, description="Rating, a number or stars.", examples=[".stars@data-rating"]
    )
    parent: Selecting | None = Field(default=None, description="Id of the post it answers.", examples=["@data-parent"])
    thread: Selecting | None = Field(default=None, description="Thread it belongs to.", examples=["h1"])


class PageSettings(SourceSettings):
    """Settings of `page`, shared by `browser`."""

    item: Selecting = Field(description="One post on the page.", examples=["article.message"])
    fields: Fields = Field(default_factory=Fields, description="Parts of a post, looked for inside the item.")
    next: Selecting | None = Field(
        default=None, description="Link to the next page; rel=next when absent.", examples=["a.next@href"]
    )
    links: Selecting | None = Field(
        None,
        description="Links to pages that are read too, such as the threads of a forum.",
        examples=["a.thread@href"],
    )
    without: tuple[Selecting, ...] = Field(default=("blockquote",), description="Left out of texts, such as quotes.")
    order: Literal["auto", "newest", "oldest"] = Field(
        "auto",
        description="Which posts stand first; auto looks at the dates. Oldest first begins at the last page read.",
    )


class PageSpider(SourceSpider):
    """Reads a list page by page with selectors given as settings."""

    kind = "page"

    class Settings(PageSettings):
        pass

    settings_: PageSettings

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, **kwargs)
        self._tree: tuple[Response, Element] | None = None

    def _adopt(self, source: Source) -> None:
        super()._adopt(source)
        if source.settings is not None:
            self._picks = Picks(source.settings)

    def posts(self, response: Response) -> Iterable[Post]:
        """One post an item."""
        root, picks = self._root(response), self._picks
        items = [item for item in picks.item.all(root)[: MOST_POSTS + 1] if not isinstance(item, str)]
        reader = Reader(response.url, Dates(self.now(response), self.settings_.timezone), picks, root)
        return told_apart(list(self.each(items, reader)))

    def follow(self, response: Response) -> Iterable[Request]:
        """Chosen links, and the next page."""
        root, picks = self._root(response), self._picks
        base = base_of(root, response.url)
        for link in picks.links.values(root) if picks.links else ():
            if url := web_address(base, link):
                yield Request(url)
        for link in picks.next.values(root):
            if (url := web_address(base, link)) and url != response.url.split("#")[0]:
                yield self.next_page(url)
                return

    def _root(self, response: Response) -> Element:
        if self._tree is None or self._tree[0] is not response:
            self._tree = (response, root_of(response))  # type: ignore[arg-type]
        return self._tree[1]


class Picks:
    """The selectors of a source, compiled once."""

    def __init__(self, settings: PageSettings) -> None:
        self.item = picker(settings.item)
        self.next = picker(settings.next or _NEXT).links()
        self.links = picker(settings.links).links() if settings.links else None
        self.without = [picker(selector) for selector in settings.without]
        self.fields = {name: picker(selector) for name, selector in settings.fields if selector}
        for name in ("url", "author_url"):
            if name in self.fields:
                self.fields[name] = self.fields[name].links()


class Reader:
    """Makes a post of one item."""

    def __init__(self, url: str, dates: Dates, picks: Picks, root: Element) -> None:
        self.url, self.dates, self.fields = url, dates, picks.fields
        self.base = base_of(root, url)
        self.without = frozenset(element for pick in picks.without for element in pick.all(root))

    def __call__(self, item: Element) -> Post:
        text, title, rating = self._text(item), self._get("title", item), _rating(self._get("rating", item))
        if not (text or title):
            raise ValueError("an item without text; correct `fields: text`")
        anchor = self._get("id", item) or _anchor(item)
        link = self._get("url", item)
        url = web_address(self.base, link) if link else None
        post = Post(
            text=text,
            url=url or (f"{self.url.split('#')[0]}#{anchor}" if anchor and "id" not in self.fields else self.url),
            title=title,
            platform_id=None if url and "id" not in self.fields else anchor,
            author=Author(self._get("author", item), url=web_address(self.base, self._get("author_url", item) or "")),
            published_at=self._when(item),
            parent=self._get("parent", item),
            thread=self._get("thread", item),
            rating=rating,
        )
        return post if url or anchor else replace(post, platform_id=words_id(post))

    def _get(self, name: str, item: Element) -> str | None:
        pick = self.fields.get(name)
        return pick.value(item) if pick else None

    def _text(self, item: Element) -> str:
        pick = self.fields.get("text")
        if pick and pick.attribute:
            return pick.value(item) or ""
        found = pick.all(item) if pick else [item]
        texts = [text_of(element, self.without) for element in found]
        if not any(texts):
            texts = [text_of(element) for element in found]
        return "\n".join(text for text in texts if text)

    def _when(self, item: Element) -> datetime | None:
        pick = self.fields.get("published_at")
        for said in pick.values(item) if pick else ():
            if when := self._date(said):
                return when
        return None

    def _date(self, said: str) -> datetime | None:
        if when := self.dates.read(said):
            return when
        parts = [part.strip() for part in _DATE_PARTS.split(said[:400]) if part.strip()]
        inside = (found[0] for found in _DATE_INSIDE.finditer(said[:400]))
        return self.dates.first((*inside, *reversed(parts)))


def told_apart(posts: list[Post]) -> list[Post]:
    """Posts that share an id or link but not their words get an id of author and words: none hides another."""
    said: dict[str | None, set[str]] = {}
    for post in posts:
        said.setdefault(post.platform_id or post.url, set()).add(f"{post.title}\n{post.text}")
    if all(len(words) == 1 for words in said.values()):
        return posts
    shared = {key for key, words in said.items() if len(words) > 1}
    return [
        replace(post, platform_id=words_id(post)) if (post.platform_id or post.url) in shared else post
        for post in posts
    ]


def words_id(post: Post) -> str:
    """An id for a post that has none: its author and its words."""
    said = f"{post.author.name}\n{post.title}\n{post.text}".encode("utf-8", "replace")
    return f"text:{hashlib.sha256(said).hexdigest()[:24]}"


def _anchor(item: Element) -> str | None:
    """The item's own anchor when it tells posts apart on the whole site: post123456, not post1."""
    for value in (item.get("id"), item.get("data-id"), item.get("data-post-id"), item.get("data-content")):
        if value and _ANCHOR.fullmatch(value.strip()):
            return str(value.strip())
    for element in item.iter("a"):
        if (value := element.get("name") or element.get("id")) and _ANCHOR.fullmatch(value.strip()):
            return str(value.strip())
    return None


def _rating(said: str | None) -> float | None:
    if not said:
        return None
    if number := _NUMBER.search(said):
        return float(number[0].replace(",", "."))
    return float(said.count("★")) if "★" in said else None


def base_of(root: Element, url: str) -> str:
    found = root.find(".//base[@href]")
    return urljoin(url, found.get("href")) if found is not None else url


def web_address(base: str, link: str) -> str | None:
    try:
        url = urljoin(base, link.strip()) if link else ""
    except ValueError:
        return None
    return url if url.startswith(("http://", "https://")) and len(url) <= 2000 else None
