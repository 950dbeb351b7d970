"""Source kind `browser`: the settings of `page`, with the page drawn by a browser first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field
from scrapy.http import Request, Response
from scrapy.settings import BaseSettings

from crawler.model import Post, Verdict
from spiders.page import PageSettings, PageSpider
from spiders.render import Wish
from spiders.selecting import Selecting
from spiders.verdicts import Finding

_HANDLER = "spiders.render.handler.RenderHandler"


class BrowserSpider(PageSpider):
    """Reads pages that JavaScript draws. Needs Chromium; without one a run fails and says how to install it."""

    kind = "browser"
    browser = True

    class Settings(PageSettings):
        """Settings of `browser`: those of `page` and how the page is drawn."""

        pages: int = Field(default=3, ge=1, le=100, description="How many pages one run may draw.")
        wait_for: Selecting | None = Field(
            default=None,
            description="What must be there before the page is read; the item when absent.",
            examples=[".review"],
        )
        wait_seconds: float = Field(default=15.0, gt=0, le=30, description="How long to wait for it, in seconds.")
        scrolls: int = Field(default=0, ge=0, le=50, description="How often to scroll to the end for more posts.")
        click: Selecting | None = Field(default=None, description="A button that shows more.", examples=["button.more"])
        clicks: int = Field(default=10, ge=0, le=100, description="How often to click it at most.")

    settings_: Settings

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        super().update_settings(settings)
        handlers = {"http": _HANDLER, "https": _HANDLER, "data": None, "file": None, "ftp": None, "s3": None}
        settings.setdict({"DOWNLOAD_HANDLERS": handlers, "CONCURRENT_REQUESTS": 2}, priority="spider")

    def requests(self) -> Iterable[Request]:
        for request in super().requests():
            yield self._drawn(request)

    def follow(self, response: Response) -> Iterable[Request]:
        for request in super().follow(response):
            yield self._drawn(request)

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        missing = response.meta.get("missing") if response.request else None
        if posts or not missing:
            return None
        judged = super()._judge(response, (), (), None)
        if judged is None or judged.verdict is Verdict.BLOCKED:
            return judged
        return Finding(
            judged.verdict, f"{judged.why} ({missing!r} did not appear in {self.settings_.wait_seconds:g} s)"
        )

    def _conditions(self, url: str) -> Mapping[str, str]:
        """None: a browser that is told 304 draws an empty page."""
        return {}

    def _drawn(self, request: Request) -> Request:
        given = self.settings_
        request.meta["render"] = Wish(
            item=given.item,
            wait_for=given.wait_for,
            scrolls=given.scrolls,
            click=given.click,
            clicks=given.clicks,
            wait_seconds=given.wait_seconds,
        )
        return request
