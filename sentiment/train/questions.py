"""`python -m sentiment.train.questions --data DIR --out FILE`: the model that knows a question without its mark.

Weak labels: sentences of the training pools and of the unlabelled texts, a question being what ended with a question
mark; then end marks are taken away. Non-commercial sets are never read. Under two minutes on one core, the same bytes
each time.
"""

from __future__ import annotations

import argparse
import gzip
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from sentiment.questions import BUCKETS, LANGUAGES, MAX_WORDS, MIN_WORDS, folded, groups, values
from sentiment.train import corpus

INVERSE_PENALTY: Final = 3.0
UNMARKED: Final = 0.35  # weight of a sentence that ends without any mark: some of these are questions
PER_LANGUAGE: Final = 60_000  # sentences; the rest of the largest pools adds little but time
ASKED_SHARE: Final = 0.25  # what questions weigh in every language
IDF_STEP: Final = 1 / 16
_PARTS: Final = re.compile(r"([^.!?…\n]+)([.!?…]*)")
_CLUTTER: Final = re.compile(r"(?:https?://|www\.)\S+|[@#]\w+|^\W*rt(?!\w)\W*", re.IGNORECASE)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sentence:
    """Text without end marks, whether it asked, and how much it counts."""

    text: str
    asked: bool
    weight: float
    language: str


def main() -> int:
    """Fit and write."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train.questions", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and unlabelled/")
    parser.add_argument("--out", type=Path, required=True, help="questions.npz to write")
    args = parser.parse_args()
    rows = sentences(args.data)
    idf = document_frequency(rows)
    weights, bias = fit(rows, idf)
    save(args.out, weights, bias, idf)
    asked = sum(row.asked for row in rows)
    print(f"{len(rows)} sentences, {asked} questions -> {args.out} ({args.out.stat().st_size:,} bytes)")
    return 0


def sentences(data: Path) -> list[Sentence]:
    """Every usable sentence once, in a fixed order, at most PER_LANGUAGE of each language (all questions first)."""
    found: dict[tuple[str, str], Sentence] = {}
    for text, language in _texts(data):
        for row in _cut(text, language):
            found.setdefault((language, row.text), row)
    out: list[Sentence] = []
    for language in LANGUAGES:
        some = [row for row in found.values() if row.language == language]
        asked, told = [r for r in some if r.asked], [r for r in some if not r.asked]
        room = max(0, PER_LANGUAGE - len(asked))
        step = max(1, -(-len(told) // room)) if room else len(told)
        out += asked[:PER_LANGUAGE] + told[::step]
    return out


def _texts(data: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((data / "train").glob("*.jsonl.gz")):
        if any(word in path.name for word in corpus.NEVER):
            continue
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                item = json.loads(line)
                if item["lang"] in LANGUAGES:
                    yield html.unescape(item["text"]), item["lang"]
    for text in corpus._unlabelled(data / "unlabelled" / "uk-ru-social.parquet"):
        yield text, "ru" if len(re.findall("[ыэъё]", text.lower())) > len(re.findall("[іїєґ]", text.lower())) else "uk"


def _cut(text: str, language: str) -> Iterator[Sentence]:
    for part, mark in _PARTS.findall(_CLUTTER.sub(" ", text)):
        plain = folded(part)
        if MIN_WORDS <= len(plain.split()) <= MAX_WORDS and sum(map(str.isalpha, plain)) > len(plain) // 2:
            yield Sentence(plain, "?" in mark, 1.0 if mark else UNMARKED, language)


def document_frequency(rows: list[Sentence]) -> Floats:
    """Idf per bucket in steps of IDF_STEP; buckets never seen get the largest."""
    seen = np.zeros(BUCKETS, dtype=np.int64)
    for row in rows:
        for group in groups(row.text):
            seen[np.unique(group)] += 1
    idf = np.log((1 + len(rows)) / (1 + seen)) + 1
    return (np.clip(np.round(idf / IDF_STEP), 1, 255) * IDF_STEP).astype(np.float32)


def fit(rows: list[Sentence], idf: Floats) -> tuple[Floats, float]:
    """Weights (BUCKETS,) and bias; questions weigh the same share in every language."""
    parts = [values(row.text, idf) for row in rows]
    ends = np.concatenate(([0], np.cumsum([len(index) for index, _ in parts])))
    shown = csr_matrix(
        (np.concatenate([part[1] for part in parts]), np.concatenate([part[0] for part in parts]), ends),
        shape=(len(rows), BUCKETS),
    )
    labels = np.array([row.asked for row in rows])
    weight = np.array([row.weight for row in rows])
    tongues = np.array([row.language for row in rows])
    for language in LANGUAGES:
        for asked, share in ((True, ASKED_SHARE), (False, 1 - ASKED_SHARE)):
            some = (tongues == language) & (labels == asked)
            weight[some] *= share / max(1.0, float(weight[some].sum()))
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=60, tol=1e-3)
    model.fit(shown, labels, sample_weight=weight * len(rows) / weight.sum())
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def save(path: Path, weights: Floats, bias: float, idf: Floats) -> None:
    """int8 weights with one scale (the largest 1 in 10,000 clipped), uint8 idf."""
    scale = float(np.quantile(np.abs(weights), 0.9999)) / 127
    small = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    steps = np.round(idf / IDF_STEP).astype(np.uint8)
    np.savez_compressed(
        path, weights=small, scale=np.float32(scale), bias=np.float32(bias), idf=steps, idf_step=np.float32(IDF_STEP)
    )


if __name__ == "__main__":
    raise SystemExit(main())
