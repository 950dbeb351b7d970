"""Tables of the posts written for training of which one in seven is never taught: what the reader gives there."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sentiment import Analyser

HELD: Final = 7  # one post in so many is never taught
LANGUAGES: Final = ("en", "ru", "uk")
INTENTS: Final = ("question", "complaint", "praise", "other")

Row = dict[str, Any]
Table = Callable[[str, Sequence[Sequence[object]]], str]


def held(text: str) -> bool:
    """Whether a post is never taught, only measured: the same posts in every run."""
    return zlib.crc32(text.encode()) % HELD == 0


def singles(folder: Path, language: str) -> list[Row]:
    """Held posts with one name or none. Raises OSError or ValueError as the file system and JSON do."""
    return _read([folder / f"singles_{language}.jsonl"])


def pairs(folder: Path, language: str) -> list[Row]:
    """Held posts about two names."""
    return _read([folder / f"pairs_{language}.jsonl", folder / f"pairs_{language}2.jsonl"])


def _read(paths: Sequence[Path]) -> list[Row]:
    rows = [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [row for row in rows if held(row["text"])]


def tables(folder: Path, analyser: Analyser, table: Table) -> str:
    """Intent (recall / precision), tone, and both tones of pairs right."""
    lines = [_line(folder, name, analyser) for name in LANGUAGES]
    head = "language|posts|question|complaint|praise|other|intent right|tone right|pairs|both tones right"
    return "Percent; recall / precision.\n\n" + table(head, lines)


def _line(folder: Path, name: str, analyser: Analyser) -> list[object]:
    rows = singles(folder, name)
    found = analyser.analyse([row["text"] for row in rows], [row["target"] for row in rows])
    truth, guess = [row["intent"] for row in rows], [analysis.intent.value for analysis in found]
    rates = [_rates(truth, guess, label) for label in INTENTS]
    tones = sum(row["tone"] == analysis.tone.value for row, analysis in zip(rows, found, strict=True))
    right = sum(a == b for a, b in zip(truth, guess, strict=True))
    two = pairs(folder, name)
    both = sum(both_right(row, analyser) for row in two)
    return [
        *(name, len(rows), *rates, _percent(right, len(rows)), _percent(tones, len(rows))),
        *(len(two), _percent(both, len(two))),
    ]


def both_right(row: Row, analyser: Analyser) -> bool:
    """Whether the tone toward each of the two names is the one that the author meant."""
    names = [entity["target"] for entity in row["entities"]]
    found = analyser.analyse([row["text"]] * 2, names)
    return [analysis.tone.value for analysis in found] == [entity["tone"] for entity in row["entities"]]


def _rates(truth: Sequence[str], guess: Sequence[str], label: str) -> str:
    hit = sum(t == g == label for t, g in zip(truth, guess, strict=True))
    return f"{_percent(hit, truth.count(label))} / {_percent(hit, guess.count(label))}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}" if whole else "–"
