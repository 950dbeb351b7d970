"""What a crawl child is given: picklable arguments here, the live tools made of them there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from crawler.app import App, logs, now
from crawler.config import SourceBlock, settings_of
from crawler.engine.clock import Schedule, after_hours, next_run
from crawler.errors import ConfigError, Problem
from crawler.model import Freshness, Run, Source, Verdict
from crawler.store.pace import wanted_gap

if TYPE_CHECKING:
    from crawler.stages.crawl import Tools
    from crawler.store import SourceState
    from spiders.base import SourceSpider

LEASE_SECONDS = 60.0
LONGEST_PATIENCE = timedelta(hours=6)


def child_arguments(app: App, log_json: bool = False) -> tuple[Any, ...]:
    """Arguments of `stages.crawl.child_main`: how to make the tools, where the config is, and how to log."""
    return make_tools, str(app.config.path), app.config.database_url, log_json


def make_tools(config_path: str, url: str, log_json: bool = False) -> Tools:
    """In the child: the store, the kinds, Scrapy's settings and the egress rules of the config in force."""
    from crawler.scrapy_settings import as_dict
    from crawler.stages.crawl import Tools

    app = App.in_force(config_path, url, durable=False)
    store = app.store
    logs.configure(app.config, as_json=log_json)

    def due_again(run: Run, verdict: Verdict, wait: float | None, fresh: Freshness | None = None) -> datetime:
        return next_run_at(app, store.sources.get(run.source.name), verdict, wait, run, fresh)

    return Tools(
        store=store,
        spider=lambda run: spider_of(app, run),
        settings=as_dict(app.config.user_agent, app.config.allow_private) | {"LOG_ENABLED": False},
        policy=app.policy,
        next_run_at=due_again,
        lease_seconds=LEASE_SECONDS,
    )


def spider_of(app: App, run: Run | Source) -> tuple[type[SourceSpider], Source]:
    """The spider class of a run and its Source with validated settings; the row, not the file, says what they are."""
    source = run.source if isinstance(run, Run) else run
    kind = app.spiders.get(source.kind)
    if kind is None:
        problem = Problem(str(app.config.path), 1, 1, f"source {source.name!r}: there is no kind {source.kind!r}")
        raise ConfigError([problem])
    settings = settings_of(block_of(source.name, source.kind, source.settings), kind.Settings, app.config)
    return kind, Source(source.name, source.kind, settings, source.labels, source.cursor, source.validators, source.id)


def block_of(name: str, kind: str, raw: Mapping[str, Any]) -> SourceBlock:
    """A source block made from a row instead of the file."""
    return SourceBlock(name=name, kind=kind, raw=dict(raw))


def next_run_at(
    app: App,
    state: SourceState,
    verdict: Verdict,
    wait: float | None = None,
    run: Run | None = None,
    fresh: Freshness | None = None,
) -> datetime:
    """When the source is due again: by its schedule and its pace, later if it fails, not before the site's `wait`.

    `wait` is in seconds; `run`, where there is one, has brought what the pace goes by; `fresh` is what the answers said
    of how long they hold.
    """
    at = now()
    good = verdict not in (Verdict.FAILED, Verdict.BLOCKED, Verdict.TRAP, Verdict.TOO_BIG)
    pace, elapsed = app.store.runs.pace_after(run, state) if run and good else (state.pace, None)
    gap = wanted_gap(pace, elapsed)
    schedule, zone = schedule_of(state), app.config.timezone
    if gap is not None and fresh is not None and fresh.seconds:
        gap = max(gap, fresh.seconds)
    # Another share each time: two sources that met once do not meet for ever.
    due = next_run(schedule, at, zone, f"{state.name}#{state.epoch}", gap)
    if good and fresh is not None and fresh.skip_hours:
        due = after_hours(schedule, due, fresh.skip_hours, zone)
    if not good:
        patience = min(LONGEST_PATIENCE, (due - at) * min(8, 1 + state.failures))
        due = max(due, at + patience)
    return max(due, at + timedelta(seconds=wait or 0.0))


def schedule_of(state: SourceState) -> Schedule:
    """The schedule of a source as its row has it."""
    return Schedule.of(state.schedule)
