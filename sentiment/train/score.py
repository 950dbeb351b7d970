"""Metrics of tone; they live with the run time, which measures other people's models by them too."""

from __future__ import annotations

from sentiment.scoring import Labels, Probabilities, Score, binary_accuracy, calibration_error, score

__all__ = ["Labels", "Probabilities", "Score", "binary_accuracy", "calibration_error", "score"]
