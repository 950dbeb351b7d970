"""Near copies of a corrected post are read as it was corrected: reposts, templates, one text sent to ten brands.

A copy counts only where the judge reads both alike and both are asked about the same name: "not" changes few letters,
and what is right of one name is not right of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from sentiment.learning import Array, Delta, Example, Trial, affordable, figures_of, probabilities
from sentiment.voter import BUCKETS, Floats, Ints

NEAR: Final = 0.8  # cosine of hashed words and letters from which a post is a copy
ALIKE: Final = 0.25  # a class whose probability differs by more says that the judge reads another thing
SURE: Final = (0.6, 0.9)  # what a copy weighs beside the judge: one that is just near, and the same text
PARTS: Final = ("index", "rows", "values", "given", "labels", "targets")
_MOST: Final = 2_000_000  # entries of a stored memory; one with more was not made here


@dataclass(frozen=True, slots=True)
class Memory:
    """Corrected posts (n) by their features (m): `index`, `rows` and `values` (m,), sorted by bucket.

    `given` (n, classes) is what the judge gave, `labels` and `targets` (n,) what is right and of whom.
    """

    index: Ints
    rows: Ints
    values: Floats
    given: Array
    labels: Ints
    targets: Ints

    @classmethod
    def of(cls, posts: Sequence[Example]) -> Memory:
        """Of at least one post, each with a feature."""
        sizes = [len(post.index) for post in posts]
        index = np.concatenate([post.index for post in posts])
        order = np.argsort(index, kind="stable")
        values = np.concatenate([_unit(post.values) for post in posts])
        return cls(
            index[order].astype(np.int64),
            np.repeat(np.arange(len(posts)), sizes)[order],
            values[order].astype(np.float16).astype(np.float32),
            np.array([post.given for post in posts], dtype=np.float64),
            np.array([post.label for post in posts], dtype=np.int64),
            np.array([post.target for post in posts], dtype=np.int64),
        )

    def apply(self, scores: Array, post: Example, without: int | None = None) -> Array:
        """`scores` (classes,) of a post, drawn to what its copies were corrected to; the same ones where it has none.

        `without` is the row of a corrected post that is to be forgotten.
        """
        cosine = self._cosines(post)
        copies = (cosine >= NEAR) & (self.targets == post.target)
        copies &= np.abs(self.given - np.array(post.given)).max(axis=1) <= ALIKE
        if without is not None:
            copies[without] = False
        if not copies.any():
            return scores
        near = np.minimum((cosine[copies] - NEAR) / (1 - NEAR), 1.0)
        votes = np.bincount(self.labels[copies], near + 0.01, len(scores))
        share = SURE[0] + (SURE[1] - SURE[0]) * float(near.max())
        result: Array = (1 - share) * scores + share * votes / votes.sum()
        return result

    def _cosines(self, post: Example) -> Array:
        start, end = np.searchsorted(self.index, post.index), np.searchsorted(self.index, post.index, "right")
        sizes = end - start
        # The entries of all its buckets, one run after the other.
        at = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(start, sizes)
        shared = self.values[at] * np.repeat(_unit(post.values), sizes)
        return np.bincount(self.rows[at], shared, len(self.labels)).astype(np.float64)

    def parts(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays to be stored, by the names of PARTS."""
        small = (np.int32, np.int32, np.float16, np.float64, np.int8, np.int64)
        return {name: getattr(self, name).astype(kind) for name, kind in zip(PARTS, small, strict=True)}

    @classmethod
    def from_parts(cls, parts: Mapping[str, npt.NDArray[Any]], classes: int) -> Memory:
        """The memory of `parts`. Raises ValueError and KeyError on arrays that are none."""
        kinds = (np.int64, np.int64, np.float32, np.float64, np.int64, np.int64)
        read = {name: parts[name].astype(kind) for name, kind in zip(PARTS, kinds, strict=True)}
        found = cls(**read)
        posts, size = len(found.labels), len(found.index)
        if found.given.shape != (posts, classes) or not posts or not 0 < size <= _MOST:
            raise ValueError(f"memory of {found.given.shape}")
        if found.rows.shape != (size,) or found.values.shape != (size,) or found.targets.shape != (posts,):
            raise ValueError("memory of unequal parts")
        for numbers, below in ((found.index, BUCKETS), (found.rows, posts), (found.labels, classes)):
            _demand(numbers, below)
        if (np.diff(found.index) < 0).any() or not (np.isfinite(found.values).all() and np.isfinite(found.given).all()):
            raise ValueError("memory out of order")
        return found


def remembered(
    own: Sequence[Example], guard: Sequence[Example], delta: Delta | None
) -> tuple[Memory | None, dict[str, Any]]:
    """What these corrections remember, and figures: `copies` are corrected posts with a copy among the others, with how
    many of them are right before and after. None where copies contradict each other or the known sentences get worse.
    """
    own = affordable(own)
    if not own:
        return None, {"remembered": 0}
    memory = Memory.of(own)
    copies = [0, 0, 0]
    for row, example in enumerate(own):
        given = np.array(example.given)
        found = memory.apply(given, example, without=row)
        if found is not given:
            hits = (1, int(given.argmax()) == example.label, int(found.argmax()) == example.label)
            copies = [count + hit for count, hit in zip(copies, hits, strict=True)]
    fits = copies[2] >= copies[1] and _guarded(memory, guard, delta)
    return memory if fits else None, {"remembered": len(own) if fits else 0, "copies": copies}


def _guarded(memory: Memory, guard: Sequence[Example], delta: Delta | None) -> bool:
    before = [probabilities(delta, example) for example in guard]
    after = [memory.apply(row, example) for row, example in zip(before, guard, strict=True)]
    (loss, right), (lost, kept) = figures_of(before, guard), figures_of(after, guard)
    return Trial(len(guard), guard=(right, kept), guard_loss=(loss, lost), guards=len(guard)).guarded()


def name_of(target: str | None) -> int:
    """A number for whom a text is asked about, the same in any case of letters."""
    return crc32((target or "").strip().casefold().encode("utf-8", "replace"))


def _unit(values: Floats) -> Floats:
    norm = float(np.sqrt(np.dot(values, values)))
    return values / np.float32(norm) if norm else values


def _demand(numbers: Ints, below: int) -> None:
    if numbers.min() < 0 or numbers.max() >= below:
        raise ValueError(f"memory with numbers out of 0 to {below - 1}")
