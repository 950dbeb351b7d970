"""The linear voter: hashed word and character n-grams, int8 weights, plain numpy.

Every n-gram is a substring of the prepared text, so one prefix sum of a polynomial hash gives all of them at once
(Rabin-Karp modulo 2^64). About 0.1 ms a post.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.prepare import voter_text

BITS: Final = 19
BUCKETS: Final = 1 << BITS
MAX_CHARS: Final = 4096  # of prepared text; the window of prepare.py is far shorter
_BASE: Final = 0x9E3779B97F4A7C15 | 1
_MASK: Final = (1 << 64) - 1
_SPACE: Final = 32

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def _powers(base: int, count: int) -> Hashes:
    out = np.empty(count, dtype=np.uint64)
    value = 1
    for i in range(count):
        out[i] = value
        value = value * base & _MASK
    return out


_UP: Final = _powers(_BASE, MAX_CHARS + 1)
_DOWN: Final = _powers(pow(_BASE, -1, 1 << 64), MAX_CHARS + 1)


def _bucket(hashes: Hashes, seed: int) -> Ints:
    """Finaliser of splitmix64, then the top bits."""
    with np.errstate(over="ignore"):
        z = hashes + np.uint64(seed * _BASE & _MASK)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - BITS)).astype(np.int64)


def buckets(text: str) -> tuple[Ints, Ints]:
    """(word 1-2 gram buckets, character 3-5 gram buckets inside words) of one text, with repetitions."""
    codes = np.frombuffer(voter_text(text)[:MAX_CHARS].encode("utf-32-le", "replace"), dtype=np.uint32)
    size = len(codes)
    sums = np.zeros(size + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * _UP[:size], out=sums[1:])
    spaces = np.flatnonzero(codes == _SPACE)
    words = [_spans(sums, spaces[:-n] + 1, spaces[n:], n) for n in (1, 2) if len(spaces) > n]
    gaps = np.concatenate(([0], np.cumsum(codes == _SPACE)))
    chars = [_grams(sums, gaps, size, n) for n in (3, 4, 5) if size >= n]
    empty = np.empty(0, dtype=np.int64)
    return np.concatenate([*words, empty]), np.concatenate([*chars, empty])


def _spans(sums: Hashes, starts: Ints, ends: Ints, seed: int) -> Ints:
    with np.errstate(over="ignore"):
        return _bucket((sums[ends] - sums[starts]) * _DOWN[starts], seed)


def _grams(sums: Hashes, gaps: Ints, size: int, n: int) -> Ints:
    starts = np.arange(size - n + 1)
    inside = gaps[starts + n - 1] == gaps[starts + 1]  # no space but at the ends: grams stay within one word
    starts = starts[inside]
    return _spans(sums, starts, starts + n, 16 + n)


def features(text: str, idf: Floats) -> tuple[Ints, Floats]:
    """Sparse vector of one text: unique buckets and weights; words and characters have norm 1 each."""
    parts = [_weigh(group, idf) for group in buckets(text)]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _weigh(group: Ints, idf: Floats) -> tuple[Ints, Floats]:
    index, counts = np.unique(group, return_counts=True)
    values = (1.0 + np.log(counts)).astype(np.float32) * idf[index]
    norm = float(np.sqrt(np.dot(values, values)))
    return index, values / norm if norm else values


class Voter:
    """Scores texts with `voter.npz`: int8 `weights` (BUCKETS, 3), `scale` (3,), `bias` (3,), uint8 `idf`."""

    def __init__(self, weights: npt.NDArray[np.int8], scale: Floats, bias: Floats, idf: Floats) -> None:
        self.weights, self.scale, self.bias, self.idf = weights, scale, bias, idf

    @classmethod
    def load(cls, path: Path) -> Voter:
        """Read `voter.npz`. Raises OSError, KeyError or ValueError on a bad file."""
        with np.load(path, allow_pickle=False) as data:
            weights, scale, bias = data["weights"], data["scale"], data["bias"]
            idf = data["idf"].astype(np.float32) * float(data["idf_step"])
        if weights.shape != (BUCKETS, 3) or idf.shape != (BUCKETS,):
            raise ValueError(f"weights {weights.shape}, expected {(BUCKETS, 3)}")
        return cls(weights, scale.astype(np.float32), bias.astype(np.float32), idf)

    def logits(self, texts: list[str]) -> Floats:
        """(len(texts), 3) logits in the order negative, neutral, positive."""
        out = np.empty((len(texts), 3), dtype=np.float32)
        for row, text in enumerate(texts):
            index, values = features(text, self.idf)
            out[row] = values @ self.weights[index].astype(np.float32)
        return out * self.scale + self.bias
