"""Source kind `stream`: JSON messages of a websocket or of server-sent events, by configuration; base of others.

`run` reads streams without end in a child of their own (crawler/stages/stream.py). `crawl` and `preview` listen for
`listen_for` seconds, as this spider.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from scrapy.http import Request, Response

from crawler.errors import CrawlerError, Permanent
from crawler.model import Document, Post, Source, Verdict
from crawler.net.live import Live
from spiders import answers
from spiders.base import _STORING, SourceSpider
from spiders.stream_reading import Frame, StreamReading, Wire
from spiders.stream_session import Batch, Session, of_batch
from spiders.stream_settings import OURS, StreamKindSettings, StreamSettings
from spiders.verdicts import Finding

HEADERS = {"content-type": "application/x-ndjson; charset=utf-8"}


class StreamSpider(SourceSpider):
    """Base of kinds that listen. A kind writes `listen` and `posts`; a document is some seconds of frames, one a line.

    `listen(wire, cursor)` is an async generator of Frames. It opens what it needs through `wire`
    (`wire.websocket(url)` and `wire.events(url)`, which keep the egress rules), goes on from `cursor` (what the last
    stored Frame carried), and ends or raises when the connection does: it is called again after a growing wait.
    Nothing else is its business: batches, the one transaction that moves posts and cursor together, leases, alerts and
    lag are the house's.
    """

    html = False
    Settings: ClassVar[type[StreamKindSettings]] = StreamKindSettings
    settings_: StreamKindSettings

    def listen(self, wire: Wire, cursor: Mapping[str, Any]) -> AsyncGenerator[Frame, None]:
        """Frames from the cursor on."""
        raise NotImplementedError(f"source kind {self.kind!r} must define listen(wire, cursor)")

    @property
    def address(self) -> str:
        """What its documents are kept under."""
        return self.settings_.url

    @property
    def silence(self) -> float:
        """Seconds without a word after which the connection counts as dead."""
        return self.settings_.silence

    @property
    def troubles(self) -> Iterable[str]:
        """What is wrong although the stream is heard, in words for a person."""
        return ()

    def of_frame(self, frame: Frame, when: datetime) -> tuple[list[Post], list[str]]:
        """The posts of one frame, and what was dropped of it."""
        reading = self.read(answers.response_of(Document(self.address, 200, HEADERS, frame.data, when)))
        return list(reading.posts), list(reading.dropped)

    def requests(self) -> Iterable[Request]:
        """None: a stream is not fetched."""
        return ()

    def verdict(self, response: Response, posts: Sequence[Post]) -> Verdict | Finding | None:
        """A kept document always holds posts."""
        if posts or self._drops:
            return None
        return Finding(Verdict.CHANGED, f"{response.url}: no message of the stream is a post; correct `posts`")

    # ---- a stretch of listening, for `crawl` and `preview` ----------------------------------------------------------

    async def start(self) -> AsyncIterator[Any]:
        """Listens for a while; `run` never stops."""
        policy = getattr(self.crawler, "egress", None)
        wire = Live(policy, str(self.crawler.settings.get("USER_AGENT"))) if policy else None
        if wire is None:
            self._found(Finding(Verdict.FAILED, "a stream needs the egress rules of `crawl`, `preview` or `run`"))
            return
        session = Session(self, wire, self.cursor_, self._keep)
        try:
            await session.connect(asyncio.Event(), self.settings_.listen_for)
            # Quiet is nothing unusual, once somebody has answered.
            self._tally.showed += 1
            for trouble in self.troubles:
                self._found(Finding(Verdict.TOO_BIG, trouble))
        except CrawlerError as error:
            verdict = Verdict.BLOCKED if isinstance(error, Permanent) else Verdict.FAILED
            self._found(Finding(verdict, str(error)))
        for request in self.requests():
            yield request

    async def _keep(self, batch: Batch) -> None:
        await asyncio.wrap_future(_STORING.submit(self._store_batch, batch))

    def _store_batch(self, batch: Batch) -> None:
        assert self.intake is not None
        if batch.dropped:
            self.intake.note(dropped=len(batch.dropped))
        document = Document(self.address, 200, HEADERS, of_batch([batch]), datetime.now(UTC))
        self.intake.take(document, batch.posts, cursor=batch.cursor, validators=None)
        self._tally.showed += len(batch.posts)


class JsonStreamSpider(StreamReading, StreamSpider):
    """A stream of JSON messages: by websocket or server-sent events, its posts by JMESPath."""

    kind = "stream"
    proved = "recorded events of two platforms"
    notes = "One connection, never two at once; taken up a little before the last stored message."
    placeholders: ClassVar[tuple[str, ...]] = OURS
    Settings = StreamSettings
    settings_: StreamSettings
    source: Source

    def posts(self, response: Response) -> Iterable[Post]:
        """The posts of kept messages, one a line."""
        lines = [line for line in response.body.split(b"\n") if line.strip()]
        return self.of_lines(lines, response.url, self.now(response), self._drops.append)


__all__ = ["Frame", "JsonStreamSpider", "StreamSpider", "Wire"]
