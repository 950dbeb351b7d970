"""The file says what should be, the database what happened: brands and sources of the file become rows, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.app import App
from crawler.app.kinds import source_settings
from crawler.app.queries import query_problems
from crawler.config import SourceBlock
from crawler.errors import ConfigError
from crawler.plugins import Settings
from crawler.text import site_of

if TYPE_CHECKING:
    from crawler.store import SourceRow, SyncReport
    from spiders.base import SourceSpider


def sync(app: App) -> SyncReport:
    """Bring the rows into step with the file, in one transaction; nothing changes when any block is wrong."""
    if problems := query_problems(app):
        raise ConfigError(problems)
    rows = [source_row(app, block) for block in app.config.sources]
    config = app.config
    return app.store.config.sync(config.digest, config.text, config.brands, rows)


def source_row(app: App, block: SourceBlock) -> SourceRow:
    """A source block as a row: settings as written (secrets stay references), and the domain that it shares."""
    from crawler.store import SourceRow

    settings = source_settings(app, block)
    return SourceRow(
        name=block.name,
        kind=block.kind,
        settings=dict(block.raw),
        labels=dict(block.labels),
        schedule={**block.schedule.as_dict(), **_ways(app.spiders[block.kind])},
        domain=domain_of(settings, block.name),
        was=block.was,
    )


def _ways(kind: type[SourceSpider]) -> dict[str, bool]:
    """What the parent must know of a kind without importing Scrapy: does it need a browser, is it a stream."""
    return {"browser": bool(kind.browser), "stream": hasattr(kind, "listen")}


def domain_of(settings: Settings, name: str) -> str:
    """The registrable domain a source talks to: one run at a time for each. Without a URL the source is alone."""
    for field in ("url", "urls", "base_url", "start_url"):
        value = getattr(settings, field, None)
        first = value[0] if isinstance(value, list | tuple) and value else value
        if first:
            return site_of(str(first)) or f"source:{name}"
    return f"source:{name}"
