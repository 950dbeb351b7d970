"""Logging of every process: stderr, words for a person or JSON lines, run and source bound, secrets masked."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.config import Config

SHORTEST = 6
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FILE = re.compile(r"\bfile:([^\s'\",}\]]+)")


def configure(config: Config, *, as_json: bool = False, level: int = logging.WARNING) -> None:
    """Send the log of this process to stderr; what was configured before is put aside."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(secrets_of(config), as_json))
    # On the handler too: Scrapy opens the root logger to everything.
    handler.setLevel(level)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def secrets_of(config: Config) -> tuple[str, ...]:
    """The values behind every `${NAME}` and `file:` of the config, longest first."""
    found = {config.env.get(name, "") for name in _ENV.findall(config.text)}
    for name in _FILE.findall(config.text):
        try:
            found.add((config.path.parent / Path(name).expanduser()).read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            continue
    return tuple(sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True))


class Lines(logging.Formatter):
    """One record a line."""

    def __init__(self, secrets: Iterable[str], as_json: bool) -> None:
        super().__init__()
        self.secrets, self.as_json = tuple(secrets), as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        bound = _bound(record)
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        if self.as_json:
            row = {"at": at, "level": record.levelname.lower(), "logger": record.name, **bound, "message": text}
            return self._masked(json.dumps(row, ensure_ascii=False, default=str))
        place = " ".join(f"{name}={value}" for name, value in bound.items())
        return self._masked(
            f"{at} {record.levelname.lower():7} {record.name}: {text}" + (f" [{place}]" if place else "")
        )

    def _masked(self, line: str) -> str:
        for secret in self.secrets:
            for shown in {secret, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(secret)[1:-1]}:
                line = line.replace(shown, "***")
        return line


def _bound(record: logging.LogRecord) -> dict[str, object]:
    """`run` and `source` given with the record, or those of the spider that wrote it."""
    bound = {name: value for name in ("run", "source") if (value := getattr(record, name, None)) is not None}
    spider = getattr(record, "spider", None)
    source = getattr(spider, "source", None)
    if source is not None:
        bound.setdefault("source", source.name)
    run = getattr(getattr(spider, "intake", None), "run_id", None)
    return bound | ({"run": run} if run is not None and "run" not in bound else {})
