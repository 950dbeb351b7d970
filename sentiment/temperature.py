"""How sure another model may be: one temperature and a shift of neutral by language, fitted on labelled posts.

Kept per version of the model, beside the data, or in the model's own folder as `calibration.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable

FILE: Final = "calibration.json"
LEAST: Final = 50  # posts below which nothing is fitted; of a language, below which it gets no shift of its own
_TEMPERATURES: Final = np.exp(np.linspace(math.log(0.25), math.log(6.0), 60))
_SHIFTS: Final = np.arange(-2.0, 2.01, 0.1)
_TINY: Final = 1e-9

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Divisor of log-probabilities, what is added to neutral's by language, and on how many posts it was fitted."""

    temperature: float = 1.0
    neutral_shift: dict[str, float] = field(default_factory=dict)
    posts: int = 0

    def apply(self, probabilities: Floats, languages: Sequence[str]) -> Floats:
        """(n, 3) probabilities, calibrated."""
        logits = np.log(probabilities + _TINY)
        default = self.neutral_shift.get("default", 0.0)
        logits[:, 1] += [self.neutral_shift.get(language, default) for language in languages]
        return softmax(logits / self.temperature)

    def as_text(self) -> str:
        """The content of its file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read(path: Path) -> Calibration | None:
    """The file's calibration, None when there is no file. Raises ModelUnavailable naming a broken one."""
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        shifts = {str(name): float(value) for name, value in told.get("neutral_shift", {}).items()}
        found = Calibration(float(told["temperature"]), shifts, int(told.get("posts", 0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"tone model: {path}: {type(error).__name__}: {error}; mend or remove it") from error
    if not (0.01 <= found.temperature <= 100 and all(abs(value) <= 20 for value in shifts.values())):
        raise ModelUnavailable(f"tone model: {path}: its numbers make no sense; mend or remove it")
    return found


def fit(probabilities: Floats, truth: Labels, languages: Sequence[str]) -> Calibration:
    """The calibration with the least log loss; `probabilities` (n, 3) are uncalibrated, `truth` indices of tones.

    Posts without neutral ones (or a model without it) get a temperature alone. Raises ValueError below LEAST posts.
    """
    if len(truth) < LEAST:
        raise ValueError(f"{len(truth)} posts are too few to calibrate on; at least {LEAST} are needed")
    logits = np.log(probabilities + _TINY)
    shifts: dict[str, float] = {}
    if len(np.unique(truth)) == 3 and probabilities[:, 1].max() > 0:
        shifts = {"default": _shift(logits, truth)}
        for name in sorted(set(languages)):
            own = np.array([language == name for language in languages])
            if own.sum() >= LEAST and len(np.unique(truth[own])) == 3:
                shifts[name] = _shift(logits[own], truth[own])
    moved = logits.copy()
    moved[:, 1] += [shifts.get(language, shifts.get("default", 0.0)) for language in languages]
    divisor = min(_TEMPERATURES, key=lambda t: _loss(moved / t, truth))
    return Calibration(round(float(divisor), 4), shifts, len(truth))


def _shift(logits: Floats, truth: Labels) -> float:
    """Fitted together with a temperature of its own, which is then forgotten: one temperature serves all languages."""
    grid = [(float(shift), float(divisor)) for shift in _SHIFTS for divisor in _TEMPERATURES[::4]]
    best = min(grid, key=lambda at: _loss((logits + np.array([0, at[0], 0])) / at[1], truth))
    return round(best[0], 2)


def _loss(logits: Floats, truth: Labels) -> float:
    chosen = softmax(logits)[np.arange(len(truth)), truth]
    return float(-np.log(chosen + _TINY).mean())


def softmax(logits: npt.NDArray[Any]) -> Floats:
    """Row-wise, in float64."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result
