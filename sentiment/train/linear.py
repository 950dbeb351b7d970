"""The linear voter's fit: idf, logistic regression over hashed n-grams, int8 weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from sentiment.prepare import views
from sentiment.train.corpus import Row
from sentiment.voter import BUCKETS, buckets, features

IDF_STEP = 1 / 16
INVERSE_PENALTY = 2.0
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


def fit(rows: list[Row], idf: Floats, penalty: float = INVERSE_PENALTY) -> tuple[Floats, Floats]:
    """Weights (BUCKETS, 3) and bias (3,). Rows with a target are shown twice: marked and raw."""
    raw = [row for row in rows if row.target and row.target in row.text]
    shown = matrix(texts_of(rows) + [row.text for row in raw], idf)
    labels = np.array([row.label for row in [*rows, *raw]])
    share = (np.bincount(labels, minlength=3) / len(labels)) ** -0.7
    weights = np.array([row.weight for row in rows] + [row.weight * 0.5 for row in raw]) * share[labels]
    model = LogisticRegression(C=penalty, max_iter=100, tol=1e-3)
    model.fit(shown, labels, sample_weight=weights / weights.mean())
    return model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)


def save(path: Path, weights: Floats, bias: Floats, idf: Floats) -> None:
    """Write `voter.npz`: int8 weights with one scale per class. The largest 1 in 10,000 weights are clipped."""
    scale = np.quantile(np.abs(weights), 0.9999, axis=0) / 127
    small = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    steps = np.round(idf / IDF_STEP).astype(np.uint8)
    np.savez_compressed(
        path, weights=small, scale=scale.astype(np.float32), bias=bias, idf=steps, idf_step=np.float32(IDF_STEP)
    )
