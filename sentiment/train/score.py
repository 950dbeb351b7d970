"""Metrics of tone: mR, mF1, F1± and accuracy, in percent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


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
    values = (np.mean(list(recalls.values())), np.mean(list(f1s.values())), np.mean(polar), np.mean(truth == guess))
    return Score(*(round(100 * float(value), 2) for value in values), len(truth))


def binary_accuracy(truth: Labels, probabilities: Probabilities) -> float:
    """Accuracy of negative against positive, for sets without a neutral class."""
    return round(100 * float(np.mean((probabilities[:, 2] > probabilities[:, 0]) == (truth == 2))), 2)


def calibration_error(truth: Labels, probabilities: Probabilities, bins: int = 10) -> float:
    """Expected calibration error of the top probability, 0..1."""
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    slot = np.minimum((top * bins).astype(int), bins - 1)
    gaps = [abs(float(top[slot == b].mean() - right[slot == b].mean())) * np.mean(slot == b) for b in np.unique(slot)]
    return float(np.sum(gaps))
