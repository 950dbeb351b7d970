"""One temperature and, per language, one shift of the neutral logit: fitted on the steering dev sets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sentiment.train.corpus import STEER
from sentiment.train.score import score

Logits = npt.NDArray[np.float64]
SHIFTS = np.arange(-1.0, 1.01, 0.05)
TEMPERATURES = np.arange(0.4, 2.51, 0.05)


def softmax(logits: Logits) -> Logits:
    """Row-wise."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Logits = powers / powers.sum(axis=1, keepdims=True)
    return result


def neutral_shift(sets: list[tuple[Logits, npt.NDArray[np.int64]]]) -> float:
    """The shift with the best mean of mR and mF1 over the sets; each logit of shift must earn a point."""

    def quality(shift: float) -> float:
        moved = [(logits + np.array([0, shift, 0]), truth) for logits, truth in sets]
        scores = [score(truth, logits.argmax(axis=1)) for logits, truth in moved]
        return float(np.mean([(s.recall + s.f1) / 2 for s in scores])) - abs(shift)

    return float(max(SHIFTS, key=quality))


def temperature(logits: Logits, truth: npt.NDArray[np.int64]) -> float:
    """The divisor with the least log loss."""

    def loss(divisor: float) -> float:
        chosen = softmax(logits / divisor)[np.arange(len(truth)), truth]
        return float(-np.log(chosen + 1e-9).mean())

    return float(min(TEMPERATURES, key=loss))


def fit(logits: dict[str, Logits], truth: dict[str, npt.NDArray[np.int64]]) -> dict[str, object]:
    """The content of calibration.json from log-probabilities of the two voters' mean, by dev set."""
    shifts: dict[str, float] = {}
    moved, labels = [], []
    for language, names in STEER.items():
        three = [name for name in names if len(np.unique(truth[name])) == 3]
        shifts[language] = round(neutral_shift([(logits[name], truth[name]) for name in three]), 3)
        for name in three:
            moved.append(logits[name] + np.array([0, shifts[language], 0]))
            labels.append(truth[name])
    divisor = temperature(np.concatenate(moved), np.concatenate(labels))
    return {"temperature": round(divisor, 3), "neutral_shift": {**shifts, "default": 0.0}, "encoder_share": 0.5}
