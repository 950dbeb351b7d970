"""Scrapy's own list of spiders with the presets in it: `scrapy list` shows every kind, `scrapy crawl KIND` runs it."""

from __future__ import annotations

from scrapy.spiderloader import SpiderLoader

from crawler import plugins
from spiders.base import SourceSpider


class KindLoader(SpiderLoader):
    """Finds kinds as the house does: modules and presets of this package."""

    def _load_all_spiders(self) -> None:
        for kind, spider in plugins.discover("spiders", SourceSpider).items():
            self._spiders[kind] = spider
