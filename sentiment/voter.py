"""The linear voter: hashed word and character n-grams, int8 weights, plain numpy.

Every n-gram is a substring of the prepared text, so one prefix sum of a polynomial hash gives all of them at once
(Rabin-Karp modulo 2^64). About 0.1 ms a post.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sentiment.prepare import voter_text

BITS: Final = 19
BUCKETS: Final = 1 << BITS
MAX_CHARS: Final = 4096  # of prepared text; the window of prepare.py is far shorter
_BASE: Final = 0x9E3779B97F4A7C15 | 1
_MASK: Final = (1 << 64) - 1
_SPACE: Final = 32
_OWN: Final = re.compile(r"own_[a-z]+_weights")

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


@dataclass(frozen=True, slots=True)
class Weights:
    """int8 `small` (BUCKETS, 3), `scale` (3,), `bias` (3,): logits are `features @ small * scale + bias`."""

    small: npt.NDArray[np.int8]
    scale: Floats
    bias: Floats

    def of(self, index: Ints, values: Floats) -> Floats:
        """(3,) logits of one text."""
        summed: Floats = values @ self.small[index].astype(np.float32) * self.scale + self.bias
        return summed


class Voter:
    """Scores texts with `voter.npz`: weights for any language, for some their own (`own_en_weights`), uint8 `idf`."""

    def __init__(self, common: Weights, own: Mapping[str, Weights], idf: Floats) -> None:
        self.common, self.own, self.idf = common, dict(own), idf

    @classmethod
    def load(cls, path: Path) -> Voter:
        """Read `voter.npz`. Raises OSError, KeyError or ValueError on a bad file."""
        with np.load(path, allow_pickle=False) as data:
            own = {name[4:-8]: _weights(data, name[:-7]) for name in data.files if _OWN.fullmatch(name)}
            common = _weights(data, "")
            idf = data["idf"].astype(np.float32) * float(data["idf_step"])
        if idf.shape != (BUCKETS,):
            raise ValueError(f"idf {idf.shape}, expected {(BUCKETS,)}")
        return cls(common, own, idf)

    def logits(self, texts: Sequence[str], languages: Sequence[str]) -> Floats:
        """(len(texts), 3) logits in the order negative, neutral, positive."""
        out = np.empty((len(texts), 3), dtype=np.float32)
        for row, (text, language) in enumerate(zip(texts, languages, strict=True)):
            out[row] = self.own.get(language, self.common).of(*features(text, self.idf))
        return out


def _weights(data: Mapping[str, Any], start: str) -> Weights:
    small = data[f"{start}weights"]
    if small.shape != (BUCKETS, 3) or small.dtype != np.int8:
        raise ValueError(f"{start}weights {small.dtype} {small.shape}, expected int8 {(BUCKETS, 3)}")
    scale, bias = (data[f"{start}{name}"].astype(np.float32) for name in ("scale", "bias"))
    if not (np.isfinite(scale).all() and np.isfinite(bias).all()):
        raise ValueError(f"{start}scale or {start}bias holds NaN")
    return Weights(small, scale, bias)
