"""One temperature and, per language, shifts of the neutral logit (with and without a target), fitted on dev."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sentiment.train.corpus import STEER
from sentiment.train.score import score

Logits = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
SHIFTS = np.arange(-1.0, 1.01, 0.05)
TEMPERATURES = np.arange(0.4, 2.51, 0.05)


def softmax(logits: Logits) -> Logits:
    """Row-wise."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Logits = powers / powers.sum(axis=1, keepdims=True)
    return result


def neutral_shift(sets: list[tuple[Logits, Labels]]) -> float:
    """The shift with the best mean of mR and mF1 over the sets; each logit of shift must earn a point."""

    def quality(shift: float) -> float:
        moved = [(logits + np.array([0, shift, 0]), truth) for logits, truth in sets]
        scores = [score(truth, logits.argmax(axis=1)) for logits, truth in moved]
        return float(np.mean([(s.recall + s.f1) / 2 for s in scores])) - abs(shift)

    return float(max(SHIFTS, key=quality))


def temperature(logits: Logits, truth: Labels) -> float:
    """The divisor with the least log loss."""

    def loss(divisor: float) -> float:
        chosen = softmax(logits / divisor)[np.arange(len(truth)), truth]
        return float(-np.log(chosen + 1e-9).mean())

    return float(min(TEMPERATURES, key=loss))


def fit(logits: dict[str, Logits], truth: dict[str, Labels], targeted: set[str]) -> dict[str, object]:
    """The content of calibration.json from log-probabilities of the two voters' mean, by dev set.

    `targeted` are the sets whose posts name a target: they alone decide `target_shift`.
    """
    three = [name for names in STEER.values() for name in names if len(np.unique(truth[name])) == 3]
    plain = _shifts([name for name in three if name not in targeted], logits, truth)
    marked = _shifts([name for name in three if name in targeted], logits, truth)
    # No Ukrainian set names targets: the other languages lend theirs.
    lent = round(float(np.mean(list(marked.values()))), 3)
    marked = {**dict.fromkeys(STEER, lent), **marked, "default": lent}
    shifts = {name: (marked if name in targeted else plain)[name.split(".")[0]] for name in three}
    moved = np.concatenate([logits[name] + np.array([0, shifts[name], 0]) for name in three])
    divisor = round(temperature(moved, np.concatenate([truth[name] for name in three])), 3)
    return {
        "temperature": divisor,
        "neutral_shift": {**plain, "default": 0.0},
        "target_shift": marked,
        "encoder_share": 0.5,
    }


def _shifts(names: list[str], logits: dict[str, Logits], truth: dict[str, Labels]) -> dict[str, float]:
    """One shift per language of the sets."""
    by_language: dict[str, list[tuple[Logits, Labels]]] = {}
    for name in names:
        by_language.setdefault(name.split(".")[0], []).append((logits[name], truth[name]))
    return {language: round(neutral_shift(sets), 3) for language, sets in by_language.items()}
