"""Base of kinds whose lists lead to single pages: one that is shut or gone says nothing of the others."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from scrapy.http import Request, Response

from crawler.model import Source, Verdict
from spiders.base import SourceSpider
from spiders.verdicts import Finding

logger = logging.getLogger(__name__)

GONE = (404, 410)
FEW = 2


class ApartSpider(SourceSpider):
    """Judges single pages (those with `leads` in their meta) together. Has no kind of its own."""

    leads: ClassVar[str] = "deeper"

    def __init__(self, source: Source, **kwargs: Any) -> None:
        super().__init__(source, **kwargs)
        self._open, self._gone, self._shut = 0, 0, list[Finding]()

    async def _taken(self, response: Response) -> list[Request]:
        before = len(self._tally.findings)
        wanted = await super()._taken(response)
        if self.leads in response.meta:
            self._set_aside(response, before)
        return wanted

    def _set_aside(self, response: Response, before: int) -> None:
        said = self._tally.findings[before:]
        shut = [one for one in said if one.verdict is Verdict.BLOCKED or response.status in (403, *GONE)]
        self._tally.findings[before:] = [one for one in said if one not in shut]
        self._shut += shut
        self._gone += len(shut) if response.status in GONE else 0
        self._open += not said
        if shut:
            self._keep_out(response, shut)

    def _keep_out(self, response: Response, shut: list[Finding]) -> None:
        """Optional: remembers a page that is not worth asking for again soon."""

    async def closed(self, reason: str) -> None:
        """Where no page was open, or most are shut, it is the site that is shut; one or two that are gone are gone."""
        few_gone = len(self._shut) == self._gone <= FEW
        if len(self._shut) > 2 * self._open and not few_gone:
            self._tally.findings += self._shut
        elif self._shut:
            logger.info("%s: %d pages are shut: %s", self.source.name, len(self._shut), self._shut[0].why)
        await super().closed(reason)
