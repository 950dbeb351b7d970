"""Kinds from `spiders/`, `sinks/`, `plugins/` beside the config and entry points; sinks made from their blocks."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crawler import plugins
from crawler.app.queries import query_problems
from crawler.config import SinkBlock, SourceBlock, settings_of
from crawler.errors import ConfigError, Problem, StoreError

if TYPE_CHECKING:
    from crawler.app import App
    from crawler.plugins import Settings
    from sinks.base import Sink, Tools
    from spiders.base import SourceSpider


def spider_kinds(plugin_dir: Path) -> Mapping[str, type[SourceSpider]]:
    """Every source kind by name."""
    from spiders.base import SourceSpider

    return plugins.discover("spiders", SourceSpider, plugin_dir, "mention_crawler.spiders")


def sink_kinds(plugin_dir: Path) -> Mapping[str, type[Sink]]:
    """Every sink kind by name."""
    from sinks.base import Sink

    return plugins.discover("sinks", Sink, plugin_dir, "mention_crawler.sinks")  # type: ignore[type-abstract]


def source_settings(app: App, block: SourceBlock) -> Settings:
    """The validated settings of one source; ConfigError with its place when the kind or a key is wrong."""
    kind = app.spiders.get(block.kind)
    if kind is None:
        raise _unknown(app, "source", block, list(app.spiders))
    return settings_of(block, kind.Settings, app.config)


def sink_settings(app: App, block: SinkBlock) -> Settings:
    """The validated settings of one sink, secrets resolved."""
    kind = app.sink_kinds.get(block.kind)
    if kind is None:
        raise _unknown(app, "sink", block, list(app.sink_kinds))
    return settings_of(block, kind.Settings, app.config)


def check_blocks(app: App) -> list[Problem]:
    """Every mistake in queries, in the kind settings of sources and sinks, and in the selectors they name."""
    problems = query_problems(app)
    checks = [partial(source_settings, app, block) for block in app.config.sources]
    checks += [partial(sink_settings, app, block) for block in app.config.sinks]
    for check in checks:
        try:
            check()
        except ConfigError as error:
            problems.extend(error.problems)
    return problems + _strays(app) + _unreachable(app) + _kindless(app)


def _strays(app: App) -> list[Problem]:
    """Presets in `plugins/` of a kind that neither sources nor sinks know."""
    known = sorted({*app.spiders, *app.sink_kinds})
    strays = [preset for preset in plugins.presets_in(app.plugin_dir) if preset.content.of not in known]
    return [
        Problem(str(stray.path), stray.line(("of",)), 1, f"there is no kind {stray.content.of!r} to make a preset of")
        for stray in strays
    ]


def _kindless(app: App) -> list[Problem]:
    """Kinds in the rules' `source_kind` that no source could be of."""
    problems = []
    for rule in app.config.rules:
        for index, kind in enumerate(rule.source_kind):
            if kind not in app.spiders:
                close = get_close_matches(kind, list(app.spiders), n=1)
                line, column = rule.place.at("source_kind", index)
                known = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(app.spiders))}"
                message = f"rule {rule.name}: there is no source kind {kind!r}; {known}"
                fix = f"source_kind: [{close[0]}]" if close else "remove it from source_kind"
                problems.append(Problem(str(app.config.path), line, column, message, fix))
    return problems


def _unreachable(app: App) -> list[Problem]:
    """Mail addresses of `alerts.send_to` and of `digest.send_to` need a sink that can mail."""
    sinks = {block.name for block in app.config.sinks}
    mail = any(block.kind == "email" for block in app.config.sinks)
    told = [("alerts", word) for word in app.config.alerts.send_to]
    told += [("digest", word) for word in app.config.digests.send_to]
    fix = "add a sink of kind email, or name one of: " + ", ".join(sorted(sinks) or ["desk"])
    return [
        _at_word(app, word, f"{section}: {word} can only be reached by a sink of kind email", fix)
        for section, word in told
        if not mail and word not in sinks
    ]


def _at_word(app: App, word: str, message: str, fix: str) -> Problem:
    lines = app.config.text.split("\n")
    line = next((number for number, text in enumerate(lines, 1) if word in text.partition("#")[0]), 1)
    return Problem(str(app.config.path), line, lines[line - 1].find(word) + 1, message, fix)


def make_sinks(app: App) -> Mapping[str, Sink]:
    """Sinks by name, in the order of the file."""
    made = tools(app)
    return {
        block.name: app.sink_kinds[block.kind](block.name, sink_settings(app, block), made)
        for block in app.config.sinks
    }


def tools(app: App) -> Tools:
    """What every sink may use: the guarded HTTP client, the built-in desk and the clock."""
    from crawler.app import now
    from crawler.net.http import HttpClient
    from sinks.base import Tools

    try:
        store = app.store
    except StoreError:  # a helpdesk can be tried before there is a database
        return Tools(http=HttpClient(policy=app.policy), now=now)
    return Tools(http=HttpClient(policy=app.policy), desk=store.desk, now=now, ours=store.replies.ours)


def _unknown(app: App, what: str, block: SourceBlock | SinkBlock, known: list[str]) -> ConfigError:
    close = get_close_matches(block.kind, known, n=1)
    line, column = block.place.get("kind", (1, 1))
    message = f"{what} {block.name!r}: there is no kind {block.kind!r}; known: {', '.join(sorted(known))}"
    return ConfigError([Problem(str(app.config.path), line, column, message, f"kind: {close[0]}" if close else None)])
