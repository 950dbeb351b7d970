"""Long texts in pieces that a model can read: which pieces, and one opinion of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

MOST: Final = 8  # windows read of one text: its beginning and its end, where people put what they think

Pieces = list[int]
Floats = npt.NDArray[np.float64]


def windows(tokenizer: Any, texts: Sequence[str], size: int, most: int = MOST) -> tuple[list[list[Pieces]], list[bool]]:
    """Ids of every text in windows of at most `size`, special ones included, and whether some of it is left unread.

    `tokenizer` is a fast one of transformers. A text without any piece still gets one window.
    """
    told = tokenizer(
        list(texts),
        truncation=True,
        max_length=size,
        return_overflowing_tokens=True,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    # A text without a piece, of a tokenizer without special ones: a graph makes NaN of nothing.
    empty = [next((one for one in (tokenizer.unk_token_id, tokenizer.pad_token_id) if one is not None), 0)]
    found: list[list[Pieces]] = [[] for _ in texts]
    for owner, ids in zip(told["overflow_to_sample_mapping"], told["input_ids"], strict=True):
        found[owner].append(ids or empty)
    return [_ends(parts, most) for parts in found], [len(parts) > most for parts in found]


def _ends(parts: list[Pieces], most: int) -> list[Pieces]:
    if len(parts) <= most:
        return parts
    first = (most + 1) // 2
    return parts[:first] + parts[len(parts) - (most - first) :]


def joined(opinions: Floats, parts: Sequence[Sequence[Pieces]]) -> Floats:
    """One row for each text out of the rows of its windows, in order: their mean, each weighed by what it read."""
    out, at = np.empty((len(parts), opinions.shape[1])), 0
    for row, own in enumerate(parts):
        weights = np.array([len(part) for part in own], dtype=np.float64)
        out[row] = np.average(opinions[at : at + len(own)], axis=0, weights=weights)
        at += len(own)
    return out
