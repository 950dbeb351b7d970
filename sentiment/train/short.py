"""`python -m sentiment.train.short --data DIR --out FILE`: the table that tells short Ukrainian from short Russian.

Texts that letters or their set tell apart give windows of one to four words without telling letters; a logistic model
over hashed whole words and word parts is fitted on them in plain numpy. About a
minute on one core, the same bytes each time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.short import BUCKETS, buckets
from sentiment.train import corpus

EPOCHS: Final = 3
RATE: Final = 0.5
PENALTY: Final = 1e-6
WINDOWS: Final = 110_000  # of each language
SHARED_LEAST: Final = 6  # occurrences in each language
SHARED_RATIO: Final = 60  # of the larger count to the smaller one
SHARED_TIMES: Final = 6
_WORD: Final = re.compile(r"[\u0400-\u04ff]+(?:['’ʼ`][\u0400-\u04ff]+)*")
_CLUTTER: Final = re.compile(r"(?:https?://|www\.)\S+|[@#]\w+")
_TELLING: Final = re.compile("[іїєґыэъёўәғқңөұүһјљњћђџѓќѕ]")

Floats = npt.NDArray[np.float32]


def main() -> int:
    """Fit and write."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train.short", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and unlabelled/")
    parser.add_argument("--out", type=Path, required=True, help="short.npz to write")
    args = parser.parse_args()
    windows = _windows(args.data)
    weights = _fit(windows)
    scale = float(np.quantile(np.abs(weights[weights != 0]), 0.999)) / 127
    small = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    np.savez_compressed(args.out, weights=small, scale=np.float32(scale))
    print(f"{len(windows)} windows -> {args.out} ({args.out.stat().st_size:,} bytes)")
    return 0


def _windows(data: Path) -> list[tuple[list[str], float]]:
    """(words, 1 for Ukrainian or 0 for Russian), shuffled by a fixed seed."""
    dice = random.Random("short")
    found: dict[float, list[list[str]]] = {0.0: [], 1.0: []}
    for text, label in _texts(data):
        words = _WORD.findall(_CLUTTER.sub(" ", text.lower()))
        at = 0
        while at < len(words):
            size = dice.randint(1, 4)
            some = [word for word in words[at : at + size] if not _TELLING.search(word)]
            at += size
            if sum(map(len, some)) > 2:
                found[label].append(some)
    for rows in found.values():
        dice.shuffle(rows)
    shared = _shared(found)
    for rows in found.values():
        # A word of both languages must tell nothing, however often one pool's subject makes it stand there.
        own = [[word for word in row if word not in shared] for row in rows[:WINDOWS]]
        rows[:] = [row for row in own if row] + [[word] for word in sorted(shared) for _ in range(SHARED_TIMES)]
    mixed = [(row, label) for label, rows in found.items() for row in rows]
    dice.shuffle(mixed)
    return mixed


def _shared(found: dict[float, list[list[str]]]) -> frozenset[str]:
    """Words that texts of both languages use, not as a stray word of the other one."""
    counts = [Counter(word for row in found[label] for word in row) for label in (0.0, 1.0)]
    return frozenset(
        word
        for word, count in counts[0].items()
        if min(count, counts[1][word]) >= SHARED_LEAST
        and max(count, counts[1][word]) <= SHARED_RATIO * min(count, counts[1][word])
    )


def _texts(data: Path) -> Iterator[tuple[str, float]]:
    for path in sorted((data / "train").glob("[ru][uk].*.jsonl.gz")):
        if any(word in path.name for word in corpus.NEVER):
            continue
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield from _labelled(json.loads(line)["text"], path.name[:2])
    for text in corpus._unlabelled(data / "unlabelled" / "uk-ru-social.parquet"):
        yield from _labelled(text, "")


def _labelled(text: str, said: str) -> Iterator[tuple[str, float]]:
    """Without the letters of the other language; what no set vouches for needs two letters of its own."""
    low = text.lower()
    uk, ru = len(re.findall("[іїєґ]", low)), len(re.findall("[ыэъё]", low))
    if not ru and (uk > 1 or (said == "uk" and uk)):
        yield text, 1.0
    elif not uk and (ru > 1 or (said == "ru" and ru)):
        yield text, 0.0


def _fit(windows: list[tuple[list[str], float]]) -> Floats:
    """Logistic regression by AdaGrad, one window at a time."""
    weights, past = np.zeros(BUCKETS, dtype=np.float32), np.full(BUCKETS, 1e-3, dtype=np.float32)
    features = [np.array(buckets(words), dtype=np.int64) for words, _ in windows]
    for _ in range(EPOCHS):
        for index, (_, label) in zip(features, windows, strict=True):
            guess = 1 / (1 + np.exp(-np.clip(weights[index].sum(), -30, 30)))
            slope = (guess - label) + PENALTY * weights[index]
            past[index] += slope * slope
            weights[index] -= RATE * slope / np.sqrt(past[index]) / np.sqrt(len(index))
    return weights


if __name__ == "__main__":
    raise SystemExit(main())
