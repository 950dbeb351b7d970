"""Ukrainian or Russian in a few words without telling letters: a table of hashed words and word parts.

Made by `python -m sentiment.train.short`; 64 KiB, plain numpy, some 20 microseconds for a short post.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

BUCKETS: Final = 1 << 16
MAX_WORDS: Final = 40
FILE: Final = Path(__file__).parent / "words" / "short.npz"


def leans(words: Sequence[str]) -> float:
    """Logit of lower-case Cyrillic words: above 0 Ukrainian, below 0 Russian."""
    index = buckets(words[:MAX_WORDS])
    return float(_table()[np.array(index, dtype=np.int64)].sum()) if index else 0.0


def buckets(words: Sequence[str]) -> list[int]:
    """Buckets of whole words and of their parts of three to five letters, word edges included."""
    out: list[int] = []
    for word in words:
        edged = f"^{word[:24]}$"
        out += [_bucket(f"w{edged}")]
        out += [_bucket(edged[at : at + n]) for n in (3, 4, 5) for at in range(len(edged) - n + 1)]
    return out


def _bucket(part: str) -> int:
    return crc32(part.encode("utf-8", "replace")) & (BUCKETS - 1)


@cache
def _table() -> npt.NDArray[np.float32]:
    with np.load(FILE, allow_pickle=False) as data:
        table: npt.NDArray[np.float32] = data["weights"].astype(np.float32) * np.float32(data["scale"])
    if table.shape != (BUCKETS,):
        raise ValueError(f"{FILE}: {table.shape}, expected {(BUCKETS,)}")
    return table
