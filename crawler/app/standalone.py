"""`scrapy crawl KIND -a source=NAME`: a normal Scrapy run that stores like any other run of that source."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from crawler.app import App, now
from crawler.app.hosting import next_run_at, spider_of
from crawler.app.syncing import sync
from crawler.errors import CrawlerError, LeaseLost
from crawler.model import Source, Verdict
from crawler.stages.crawl import Intake
from crawler.stages.tally import told

if TYPE_CHECKING:
    from spiders.base import SourceSpider

LEASE = 3600.0


def standalone(spider: SourceSpider) -> tuple[Source, Intake, Callable[[], None]]:
    """Claim the source by name; the call at the end closes the run and says when the source is due again."""
    app = App.load()
    app.store_created()
    sync(app)
    runs = app.store.sources.claim(app.owner, [spider.source.name], now(), LEASE, 1)
    if not runs:
        raise CrawlerError(f"{spider.source.name} is being crawled by another process; try again later")
    run, begun = runs[0], time.monotonic()
    kind, source = spider_of(app, run)
    if kind.kind != spider.kind:
        raise CrawlerError(
            f"{source.name} is of kind {source.kind}: scrapy crawl {source.kind} -a source={source.name}"
        )
    # Read by the middlewares, which Scrapy makes after the spider.
    spider.crawler.egress = app.policy  # type: ignore[attr-defined]
    spider.crawler.last_asked = begun - app.store.runs.since_asked(run)  # type: ignore[attr-defined]
    intake = Intake(app.store, run, lambda: None)

    def close() -> None:
        intake.flush()
        verdict, error = intake.hints[-1] if intake.hints else (Verdict.FAILED, "the crawl ended early")
        due = next_run_at(app, app.store.sources.get(source.name), verdict or Verdict.FAILED)
        try:
            verdict, error = told(app.store, run, intake, verdict or Verdict.FAILED, error)
            app.store.runs.finish(run, verdict, error, time.monotonic() - begun, due)
        except LeaseLost as lost:
            spider.logger.warning("%s", lost)
        app.close()

    return source, intake, close
