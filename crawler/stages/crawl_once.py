"""One crawl in this process, into any Intake: what `preview` runs in a child of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.settings import Settings
from scrapy.utils.reactor import install_reactor

from crawler.model import Source

if TYPE_CHECKING:
    from crawler.net.guard import EgressPolicy
    from spiders.base import Intake, SourceSpider

_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"


def run_once(
    spider_class: type[SourceSpider], source: Source, intake: Intake, settings: Mapping[str, Any], policy: EgressPolicy
) -> None:
    """Crawl `source` once; raises what the crawl raised. The reactor of this process is spent afterwards."""
    install_reactor(_REACTOR)
    from twisted.internet import reactor as installed

    from crawler.net.guard_scrapy import install_guard

    reactor: Any = installed
    logging.getLogger("scrapy").setLevel(logging.ERROR)
    install_guard(reactor, policy)
    errors: list[BaseException] = []

    async def main() -> None:
        try:
            await _crawl(spider_class, source, intake, Settings(dict(settings)), policy)
        except BaseException as error:
            errors.append(error)
        finally:
            reactor.stop()

    reactor.callWhenRunning(lambda: asyncio.ensure_future(main()))
    reactor.run(installSignalHandlers=False)
    if errors:
        raise errors[0]


async def _crawl(
    spider_class: type[SourceSpider], source: Source, intake: Intake, settings: Settings, policy: EgressPolicy
) -> None:
    crawler = Crawler(spider_class, settings)
    crawler.intake = intake  # type: ignore[attr-defined]
    crawler.egress = policy  # type: ignore[attr-defined]
    proxy = None
    if getattr(spider_class, "browser", False):
        from crawler.net.proxy import FilteringProxy

        proxy = FilteringProxy(policy)
        crawler.egress_proxy = f"http://127.0.0.1:{await proxy.astart()}"  # type: ignore[attr-defined]
    await AsyncCrawlerRunner(settings).crawl(crawler, source=source)
    if proxy is not None:
        await proxy.astop()
