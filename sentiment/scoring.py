"""How right a model is: mR, mF1, F1±, calibration, and whether one model is truly better than another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

RESAMPLES: Final = 2000
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Score:
    """Percentages over one set; `recall` and `f1` are means over the classes that occur, `polar` over neg and pos."""

    recall: float
    f1: float
    polar: float
    accuracy: float
    count: int


def score(truth: Labels, guess: Labels) -> Score:
    """Compare label arrays of equal length (0 negative, 1 neutral, 2 positive)."""
    recalls, f1s = {}, {}
    for label in range(3):
        hit = float(np.sum((truth == label) & (guess == label)))
        is_true, is_guess = float(np.sum(truth == label)), float(np.sum(guess == label))
        if is_true:
            recalls[label] = hit / is_true
            f1s[label] = 2 * hit / (is_true + is_guess)
    polar = [f1s.get(0, 0.0), f1s.get(2, 0.0)]
    means = (list(recalls.values()), list(f1s.values()), polar, truth == guess)
    recall, f1, mean_polar, accuracy = (round(100 * float(np.mean(values)), 2) for values in means)
    return Score(recall, f1, mean_polar, accuracy, len(truth))


def recalls(truth: Labels, guess: Labels) -> tuple[float | None, ...]:
    """Recall of each class in percent, None for a class that does not occur."""
    return tuple(
        round(100 * float(np.mean(guess[truth == label] == label)), 1) if (truth == label).any() else None
        for label in range(3)
    )


def binary_accuracy(truth: Labels, probabilities: Probabilities) -> float:
    """Accuracy of negative against positive, for sets without a neutral class."""
    return round(100 * float(np.mean((probabilities[:, 2] > probabilities[:, 0]) == (truth == 2))), 2)


def calibration_error(truth: Labels, probabilities: Probabilities, bins: int = 10) -> float:
    """Expected calibration error of the top probability, 0..1."""
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    slot = np.minimum((top * bins).astype(int), bins - 1)
    gaps = [abs(float(top[slot == b].mean() - right[slot == b].mean())) * np.mean(slot == b) for b in np.unique(slot)]
    return float(np.sum(gaps))


@dataclass(frozen=True, slots=True)
class Difference:
    """B less A on the same posts: points of mR with a 95 % interval, and what McNemar's exact test says of accuracy."""

    points: float
    low: float
    high: float
    only_a: int
    only_b: int
    chance: float

    @property
    def real(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def difference(truth: Labels, a: Labels, b: Labels, resamples: int = RESAMPLES) -> Difference:
    """Paired bootstrap over posts (the same draws for both models; seeded, so that it repeats) and McNemar."""
    counts_a, counts_b = _cells(truth, a), _cells(truth, b)
    rng, size = np.random.default_rng(_SEED), len(truth)
    # A draw of posts with replacement is a draw of how often each kind of post (truth, A, B) comes.
    kinds, index = np.unique(np.stack([truth, a, b]), axis=1, return_inverse=True)
    share = np.bincount(index.ravel()) / size
    drawn = rng.multinomial(size, share, size=resamples)
    gaps = _mean_recall(drawn, kinds[0], kinds[2]) - _mean_recall(drawn, kinds[0], kinds[1])
    low, high = np.nanpercentile(gaps, [2.5, 97.5])
    only_a, only_b = int(np.sum((a == truth) & (b != truth))), int(np.sum((b == truth) & (a != truth)))
    points = counts_b - counts_a
    return Difference(
        round(points, 2), round(float(low), 2), round(float(high), 2), only_a, only_b, mcnemar(only_a, only_b)
    )


def _cells(truth: Labels, guess: Labels) -> float:
    known = [value for value in recalls(truth, guess) if value is not None]
    return float(np.mean(known))


def _mean_recall(drawn: npt.NDArray[np.int64], truth: Labels, guess: Labels) -> Probabilities:
    """mR in percent of each draw (draws, kinds); classes that a draw misses do not count."""
    per_class = []
    for label in range(3):
        of, hit = drawn[:, truth == label].sum(axis=1), drawn[:, (truth == label) & (guess == label)].sum(axis=1)
        per_class.append(np.where(of > 0, hit / np.maximum(of, 1), np.nan))
    table = np.stack(per_class)
    known = (~np.isnan(table)).sum(axis=0)
    result: Probabilities = 100 * np.nansum(table, axis=0) / np.maximum(known, 1)
    return result


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact probability of so uneven a split of the posts that only one model has right, 0..1."""
    whole, least = only_a + only_b, min(only_a, only_b)
    logs = [math.lgamma(whole + 1) - math.lgamma(k + 1) - math.lgamma(whole - k + 1) for k in range(least + 1)]
    tail = sum(math.exp(log - whole * math.log(2)) for log in logs)
    return round(min(1.0, 2 * tail), 4)
