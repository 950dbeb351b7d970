"""Source kind `schema_org`: reviews, comments, forum postings, questions and answers that pages carry for machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field
from scrapy.http import Request, Response

from crawler.model import Post
from spiders.linked import LinkedSettings, LinkedSpider
from spiders.page import told_apart
from spiders.said import COMMENTS, POSTINGS, REVIEWS

_KINDS = {"reviews": REVIEWS, "comments": COMMENTS, "postings": POSTINGS}


class SchemaOrgSpider(LinkedSpider):
    """Reads what a page says of itself in JSON-LD and microdata."""

    kind = "schema_org"

    class Settings(LinkedSettings):
        """Settings of `schema_org`."""

        take: tuple[Literal["reviews", "comments", "postings"], ...] = Field(
            default=("reviews", "comments", "postings"), description="What to take.", examples=[["reviews"]]
        )

    settings_: Settings

    def posts(self, response: Response) -> Iterable[Post]:
        _, speakers = self._read_page(response)
        kinds = frozenset().union(*(_KINDS[name] for name in self.settings_.take))
        return told_apart(list(self.each(speakers.wanted(kinds), speakers.post)))

    def follow(self, response: Response) -> Iterable[Request]:
        _, speakers = self._read_page(response)
        empty = not speakers.wanted(REVIEWS | COMMENTS | POSTINGS)
        return self.onward(response, is_list=bool(self.settings_.links) or empty)
