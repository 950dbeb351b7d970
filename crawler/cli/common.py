"""What every command shares: options, output as table or JSON lines, messages, exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from crawler.errors import ConfigError, CrawlerError, NotFound, Transient


class Exit(IntEnum):
    """Exit codes of the command, one meaning each."""

    OK = 0
    FAILED = 1
    CONFIG = 2
    NOTHING_EXTRACTED = 3
    NETWORK = 4
    SOME_SOURCES_FAILED = 5
    UNACCOUNTED = 6


ConfigOption = Annotated[
    str | None,
    typer.Option("--config", "-c", help="The config file.", envvar="MENTION_CRAWLER_CONFIG", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="2h, 7d, 2026-11-01 or an ISO time.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="As --since.")]
LimitOption = Annotated[int, typer.Option("--limit", min=0, help="At most so many rows; 0 = all.")]


def say(message: str) -> None:
    """A message for people, on stderr."""
    print(message, file=sys.stderr, flush=True)


def with_config(path: Path) -> str:
    """What a command that is proposed needs behind it to find this config from here: nothing, or ` --config FILE`."""
    return "" if path.resolve() == Path.cwd() / "mention-crawler.yaml" else f" --config {shlex.quote(str(path))}"


def exit_code_of(error: CrawlerError) -> int:
    """The exit code that an error of the house ends the command with."""
    if isinstance(error, ConfigError | NotFound):
        return Exit.CONFIG
    return Exit.NETWORK if isinstance(error, Transient) else Exit.FAILED


def emit(row: Mapping[str, Any]) -> None:
    """One JSON line on stdout; times as ISO, enums as their value."""
    print(json.dumps(row, ensure_ascii=False, default=_plain), flush=True)


def show(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool, empty: str = "nothing here") -> int:
    """Rows as JSON lines (whole) or as a table of `columns`; returns how many there were."""
    if as_json:
        count = 0
        for row in rows:
            emit(row)
            count += 1
        return count
    listed = list(rows)
    if not listed:
        say(empty)
        return 0
    _table(listed, columns)
    return len(listed)


# Columns of prose share the width that the others leave, and wrap.
_PROSE = {"text": 3, "subject": 3, "reason": 2, "cause": 3, "why": 2, "error": 2, "settings": 3, "about": 2, "title": 2}


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    for column in columns:
        if column in _PROSE:
            table.add_column(column.replace("_", " "), overflow="fold", ratio=_PROSE[column])
        else:
            table.add_column(column.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "160"))
    Console(width=width).print(table)


def cell(value: Any) -> str:
    """One value for a person: times to the minute, texts on one line, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    text = " ".join(printable(str(value)).split())
    return text if len(text) <= 160 else text[:159] + "…"


def printable(text: str) -> str:
    """Untrusted text for a terminal: no control or bidirectional-override characters get through."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "\N{REPLACEMENT CHARACTER}", text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)


_AGO = re.compile(r"^(\d+)\s*(m|min|h|d|w)$")
_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(value: str | None, option: str = "--since") -> datetime | None:
    """`2h`, `7d`, a date or an ISO time as an aware UTC time; NotFound names the option when it is none of these."""
    if value is None:
        return None
    ago = _AGO.match(value.strip())
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotFound(f"{option} {value!r} is no time; write 2h, 7d, 2026-11-01 or 2026-11-01T10:00+02:00") from None


class Progress:
    """A progress line for one step on stderr: live on a terminal, one line at the end elsewhere."""

    def __init__(self, title: str, quiet: bool = False) -> None:
        self._title, self._done, self._quiet = title, 0, quiet
        self._live = sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        """`done` more rows are finished."""
        self._done += done
        if self._live and not self._quiet:
            print(f"\r\033[K{self._title}: {self._done}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Close the line."""
        if self._done and not self._quiet:
            print(
                f"\r\033[K{self._title}: {self._done}" if self._live else f"{self._title}: {self._done}",
                file=sys.stderr,
            )
