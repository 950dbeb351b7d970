"""The posts written for this model (`sentiment/train/written/`): intent and tone of posts, tone toward two names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sentiment.heldout import INTENTS, LANGUAGES
from sentiment.train.corpus import LABELS

FOLDER: Final = Path(__file__).parent / "written"


@dataclass(frozen=True, slots=True)
class Post:
    """One written post; `intent` is an index into INTENTS."""

    text: str
    language: str
    target: str | None
    intent: int
    tone: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One post about two names, with the tone toward each."""

    text: str
    language: str
    names: tuple[str, str]
    tones: tuple[int, int]


def posts(folder: Path = FOLDER) -> list[Post]:
    """Every single post, in a fixed order. Raises OSError, KeyError or ValueError on a bad file."""
    return [
        Post(item["text"], name, item["target"], INTENTS.index(item["intent"]), LABELS.index(item["tone"]))
        for name in LANGUAGES
        for item in _items(folder / f"singles_{name}.jsonl")
    ]


def pairs(folder: Path = FOLDER) -> list[Pair]:
    """Every post about two names, in a fixed order."""
    found = []
    for name in LANGUAGES:
        for item in _items(folder / f"pairs_{name}.jsonl") + _items(folder / f"pairs_{name}2.jsonl"):
            one, two = item["entities"]
            tones = LABELS.index(one["tone"]), LABELS.index(two["tone"])
            found.append(Pair(item["text"], name, (one["target"], two["target"]), tones))
    return found


def _items(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
