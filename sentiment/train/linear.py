"""The linear voter's fit: idf, logistic regression over hashed n-grams, int8 weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from sentiment.prepare import views
from sentiment.train.corpus import Row
from sentiment.voter import BUCKETS, buckets, features

IDF_STEP = 1 / 16
INVERSE_PENALTY = 2.0
OWN = ("en", "ru", "uk")
SHARE_ALONE = 0.4  # of the language alone; the rest is what all taught together
Floats = npt.NDArray[np.float32]


def texts_of(rows: list[Row]) -> list[str]:
    """What the voter reads of each row: target marked, long posts cut around it."""
    return [views(row.text, row.target).voter for row in rows]


def document_frequency(texts: list[str]) -> Floats:
    """uint8-able idf per bucket in steps of IDF_STEP; never-seen buckets get the largest."""
    seen = np.zeros(BUCKETS, dtype=np.int64)
    for text in texts:
        for group in buckets(text):
            seen[np.unique(group)] += 1
    idf = np.log((1 + len(texts)) / (1 + seen)) + 1
    return (np.clip(np.round(idf / IDF_STEP), 1, 255) * IDF_STEP).astype(np.float32)


def matrix(texts: list[str], idf: Floats) -> csr_matrix:
    """(len(texts), BUCKETS) sparse float32 matrix."""
    parts = [features(text, idf) for text in texts]
    ends = np.concatenate(([0], np.cumsum([len(index) for index, _ in parts])))
    index = np.concatenate([part[0] for part in parts]).astype(np.int32)
    values = np.concatenate([part[1] for part in parts]).astype(np.float32)
    return csr_matrix((values, index, ends), shape=(len(texts), BUCKETS))


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights (BUCKETS, 3) and bias (3,)."""

    weights: Floats
    bias: Floats

    def mixed(self, other: Fitted, share: float) -> Fitted:
        """`share` of the other, the rest of this one."""
        weights = (1 - share) * self.weights + share * other.weights
        return Fitted(weights.astype(np.float32), ((1 - share) * self.bias + share * other.bias).astype(np.float32))


def fit(rows: list[Row], idf: Floats) -> tuple[Fitted, dict[str, Fitted]]:
    """What all languages taught together, and that mixed with what each of OWN taught alone.

    Rows with a target are shown twice: marked and raw.
    """
    raw = [row for row in rows if row.target and row.target in row.text]
    shown, every = matrix(texts_of(rows) + [row.text for row in raw], idf), [*rows, *raw]
    weights = np.array([row.weight for row in rows] + [row.weight * 0.5 for row in raw])
    common = _fit(shown, every, weights)
    own = {}
    for language in OWN:
        chosen = np.flatnonzero([row.language == language for row in every])
        alone = _fit(shown[chosen], [every[i] for i in chosen], weights[chosen])
        own[language] = common.mixed(alone, SHARE_ALONE)
    return common, own


def _fit(shown: csr_matrix, rows: list[Row], weights: npt.NDArray[np.float64]) -> Fitted:
    labels = np.array([row.label for row in rows])
    share = (np.bincount(labels, minlength=3) / len(labels)) ** -0.7
    weights = weights * share[labels]
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=100, tol=1e-3)
    model.fit(shown, labels, sample_weight=weights / weights.mean())
    return Fitted(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32))


def save(path: Path, common: Fitted, own: dict[str, Fitted], idf: Floats) -> None:
    """Write `voter.npz`: int8 weights with one scale per class, for all languages and for each of `own`."""
    arrays = _small(common, "")
    for language, fitted in own.items():
        arrays |= _small(fitted, f"own_{language}_")
    steps = np.round(idf / IDF_STEP).astype(np.uint8)
    np.savez_compressed(path, **arrays, idf=steps, idf_step=np.float32(IDF_STEP))


def _small(fitted: Fitted, start: str) -> dict[str, npt.NDArray[Any]]:
    """The largest 1 in 10,000 weights are clipped."""
    scale = np.quantile(np.abs(fitted.weights), 0.9999, axis=0) / 127
    small = np.clip(np.round(fitted.weights / scale), -127, 127).astype(np.int8)
    return {f"{start}weights": small, f"{start}scale": scale.astype(np.float32), f"{start}bias": fitted.bias}
