"""`init`, `check`, `schema`: the config before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crawler import config as config_room
from crawler.app import App
from crawler.app.packs import chosen
from crawler.app.source_text import add_sources, unfilled
from crawler.errors import ConfigError, NotFound, Problem

FILE_NAME = "mention-crawler.yaml"
SCHEMA_NAME = "mention-crawler.schema.json"


def init(folder: Path, brand: str, packs: Sequence[str] = ()) -> Path:
    """Write config and schema into `folder` and create the database; an existing config is never overwritten.

    `packs` are names of ready blocks that go into it. Raises NotFound for a file that is there, or an unknown pack.
    """
    blocks = chosen(packs, [brand]) if packs else []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    if path.exists():
        raise NotFound(f"{path} is already there; remove it first, or run `init` in another folder")
    path.write_text(config_room.starter(brand), encoding="utf-8")
    if blocks:
        add_sources(path, blocks)
    app = App.load(str(path))
    (folder / SCHEMA_NAME).write_text(json.dumps(_schema(app), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    app.store_created()
    app.close()
    return path


def lines_to_fill(path: Path) -> list[str]:
    """Which lines of a config wait for values of the user's own: `31: app of store-reviews` each."""
    return unfilled(path.read_text(encoding="utf-8"))


def check(config: str | None) -> tuple[list[Problem], str]:
    """Every mistake of the config and every warning, in order of place, and one sentence about the whole."""
    from crawler.app.kinds import check_blocks
    from crawler.app.queries import query_warnings

    path = config_room.find(config)
    try:
        app = App(config_room.load(path))
    except ConfigError as error:
        return error.problems, _verdict(path, error.problems)
    mistakes = check_blocks(app)
    problems = sorted(mistakes + query_warnings(app), key=lambda p: (p.line, p.column))
    return problems, _verdict(path, problems)


def schema(config: str | None) -> dict[str, Any]:
    """The JSON Schema with the kinds of this installation; plug-ins count when a config is found."""
    from crawler.app.kinds import sink_kinds, spider_kinds

    try:
        return _schema(App.load(config))
    except (NotFound, ConfigError):
        nowhere = Path("/nonexistent")
        return config_room.schema(
            {name: kind.Settings for name, kind in spider_kinds(nowhere).items()},
            {name: kind.Settings for name, kind in sink_kinds(nowhere).items()},
        )


def _schema(app: App) -> dict[str, Any]:
    return config_room.schema(
        {name: kind.Settings for name, kind in app.spiders.items()},
        {name: kind.Settings for name, kind in app.sink_kinds.items()},
    )


def _verdict(path: Path, problems: list[Problem]) -> str:
    mistakes = sum(not problem.warning for problem in problems)
    warned = len(problems) - mistakes
    noted = f", {warned} warning{'s' if warned > 1 else ''}" if warned else ""
    if not mistakes:
        return f"{path}: good{noted}"
    return f"{path}: {mistakes} mistake{'s' if mistakes > 1 else ''}{noted}"


def plugin_dir(config: str | None) -> Path:
    """`plugins/` beside the config; a place that does not exist when there is no config."""
    try:
        return config_room.find(config).parent / "plugins"
    except NotFound:
        return Path("/nonexistent")
