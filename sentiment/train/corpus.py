"""The labelled sets: which are used, how much each counts, and what is never trained on."""

from __future__ import annotations

import gzip
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LABELS = ("negative", "neutral", "positive")

# Weight of each training set: brand posts are what the product reads, news and quotes are far from it.
WEIGHTS = {
    "en.semeval2013-16": 1.0,
    "en.acl14-twitter": 1.0,
    "en.sxsw-brands": 1.0,
    "en.brighter-emotion": 0.5,
    "ru.sentirueval16-banks": 1.5,
    "ru.sentirueval16-telecom": 1.5,
    "ru.rusentitweet": 1.5,
    "ru.cedr-emotion": 0.7,
    "ru.brighter-emotion": 0.7,
    "ru.semeval16-rest-ru": 0.7,
    "ru.rusentne2023": 0.4,
    "ru.romip2012-quotes": 0.4,
    "uk.brighter-emotion": 2.0,
    "uk.uk-store-reviews": 1.5,
    "other.xlmt": 0.8,
}
# Their text feeds the word pieces and word vectors; their labels have no neutral class and would skew it.
TEXT_ONLY = ("en.semeval-topicBD",)
NEVER = ("rusentiment", "nps-chat", "kartaslov")  # non-commercial licences
# Dev sets that may steer training; the rest is only reported.
STEER = {
    "en": ("en.tweeteval", "en.sanders", "en.sxsw-brands"),
    "ru": ("ru.rusentitweet", "ru.sentirueval16-banks", "ru.brighter-emotion"),
    "uk": ("uk.brighter-emotion", "uk.uk-store-reviews"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text; `label` is an index into LABELS, `weight` multiplies its loss."""

    text: str
    label: int
    language: str
    target: str | None = None
    weight: float = 1.0


def read(path: Path, weight: float = 1.0) -> list[Row]:
    """Rows of one JSONL.gz file; rows without a tone are left out."""
    return list(_rows(path, weight))


def _rows(path: Path, weight: float) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            if item.get("tone") in LABELS:
                label = LABELS.index(item["tone"])
                yield Row(html.unescape(item["text"]), label, item["lang"], item.get("target"), weight)


def training(data: Path) -> list[Row]:
    """Every training row, in a fixed order. Raises FileNotFoundError naming a missing set."""
    rows: list[Row] = []
    for name, weight in WEIGHTS.items():
        if any(word in name for word in NEVER):
            raise ValueError(f"{name}: non-commercial set, must not be trained on")
        rows += read(data / "train" / f"{name}.jsonl.gz", weight)
    return rows


def development(data: Path) -> dict[str, list[Row]]:
    """All dev sets with a tone by name (`en.tweeteval`, ...), without the question sets."""
    paths = sorted((data / "dev").glob("*.jsonl.gz"))
    return {p.name.removesuffix(".jsonl.gz"): read(p) for p in paths if not p.name.startswith("question.")}


def raw_texts(data: Path, rows: list[Row]) -> list[str]:
    """Texts for word pieces and word vectors: training, text-only and unlabelled; Ukrainian thrice."""
    texts = [row.text for row in rows for _ in range(3 if row.language == "uk" else 1)]
    for name in TEXT_ONLY:
        texts += [row.text for row in read(data / "train" / f"{name}.jsonl.gz")]
    return texts + 3 * _unlabelled(data / "unlabelled" / "uk-ru-social.parquet")


def _unlabelled(path: Path) -> list[str]:
    if not path.exists():
        return []
    import pyarrow.parquet as parquet

    table = parquet.read_table(path)
    column = next(name for name in ("text", "document_content") if name in table.column_names)
    return [text for text in table.column(column).to_pylist() if text]
