"""Runs `mention-crawler demo --once` and draws what it printed as docs/demo.svg, the picture of the README."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

TARGET = Path(__file__).resolve().parent.parent / "docs" / "demo.svg"
COLUMNS = 150
MENTIONS, TICKETS = 9, 7


def main() -> None:
    """Play the demo and write the picture."""
    command = [str(Path(sys.executable).with_name("mention-crawler")), "demo", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ mention-crawler demo --once", style="bold"))
    for line in _chosen(done.stdout.splitlines()):
        console.print(Text(line[:COLUMNS], style="bold" if line.startswith(("Mentions", "Tickets")) else ""))
    TARGET.write_text(console.export_svg(title="mention-crawler demo"), encoding="utf-8")


def _environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": str(COLUMNS)}


def _chosen(lines: list[str]) -> list[str]:
    """The first crawl whole, the first rows of mentions and tickets, the second crawl and the last sentence."""
    chosen: list[str] = []
    room: int | None = None
    for line in lines:
        if line.startswith(("Mentions", "Tickets", "source ")):
            room = {"M": MENTIONS * 2, "T": TICKETS * 2}.get(line[0])
            if chosen:
                chosen.append("")
        if line.strip() and (room is None or room >= 0):
            chosen.append(line)
            room = None if room is None else room - 1
    return chosen


if __name__ == "__main__":
    main()
