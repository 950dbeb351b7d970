"""Base of kinds that read pages with machine-readable data, found from a list page: `schema_org` and `article`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field
from scrapy.http import Request, Response

from crawler.model import Source
from spiders.base import SourceSettings, SourceSpider
from spiders.dates import Dates
from spiders.html import Element, root_of
from spiders.linked_data import found
from spiders.links import article_links
from spiders.said import Speakers
from spiders.selecting import Selecting, picker

_NEXT = "link[rel~=next], a[rel~=next]"


class LinkedSettings(SourceSettings):
    """Settings of kinds that read machine-readable pages, found from a list page."""

    pages: int = Field(default=30, ge=1, le=1000, description="How many pages one run may read.")
    links: Selecting | None = Field(
        default=None,
        description="Links of a list page to follow; what looks like articles when absent.",
        examples=["h2 a@href"],
    )
    next: Selecting | None = Field(
        default=None, description="Link to the next page of the list; rel=next when absent.", examples=["a.next@href"]
    )


class LinkedSpider(SourceSpider):
    """Base of kinds that read a page and what it links to. Has no kind of its own."""

    settings_: LinkedSettings

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, **kwargs)
        self._page: tuple[Response, Element, Speakers] | None = None

    def _read_page(self, response: Response) -> tuple[Element, Speakers]:
        """The tree and the nodes of an answer; posts() and follow() share one parse."""
        if self._page is None or self._page[0] is not response:
            root = root_of(response)  # type: ignore[arg-type]
            nodes = found(root, response.url)
            speakers = Speakers(response.url, Dates(self.now(response), self.settings_.timezone), nodes)
            self._page = (response, root, speakers)
        return self._page[1], self._page[2]

    def onward(self, response: Response, is_list: bool) -> Iterable[Request]:
        """The next page of the list, and from a list (not from what it leads to) its links."""
        if response.meta.get("hop", 0):
            return
        root, _ = self._read_page(response)
        chosen = picker(self.settings_.links).links().values(root) if self.settings_.links else []
        if is_list:
            for link in chosen or ([] if self.settings_.links else article_links(root, response.url)):
                if (url := response.urljoin(link)).startswith(("http://", "https://")):
                    yield Request(url)
        for link in picker(self.settings_.next or _NEXT).links().values(root)[:1]:
            if (url := response.urljoin(link)).startswith(("http://", "https://")):
                yield self.next_page(url)
