"""The linear voter: languages with weights of their own, and files that lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sentiment.voter import BUCKETS, Voter, features


def _parts(sign: int, bias: float = 0.0) -> dict[str, Any]:
    weights = np.zeros((BUCKETS, 3), dtype=np.int8)
    weights[:, 2] = sign
    return {"weights": weights, "scale": np.ones(3, dtype=np.float32), "bias": np.full(3, bias, dtype=np.float32)}


def _written(folder: Path, own: dict[str, Any]) -> Path:
    path = folder / "voter.npz"
    common = _parts(1) | {"idf": np.ones(BUCKETS, dtype=np.uint8), "idf_step": np.float32(1)}
    np.savez_compressed(path, **common, **{f"own_uk_{name}": value for name, value in own.items()})
    return path


def test_a_language_with_its_own_weights_is_judged_by_them_alone(tmp_path: Path) -> None:
    voter = Voter.load(_written(tmp_path, _parts(-1)))
    common, own = voter.logits(["добре", "добре"], ["pl", "uk"])
    strength = float(features("добре", voter.idf)[1].sum())
    assert common[2] == pytest.approx(strength) and own[2] == pytest.approx(-strength)


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (_parts(1, float("nan")), "own_uk_bias holds NaN"),
        (_parts(1) | {"weights": np.zeros((5, 3), dtype=np.int8)}, r"own_uk_weights int8 \(5, 3\)"),
        (_parts(1) | {"weights": np.zeros((BUCKETS, 3), dtype=np.float32)}, "own_uk_weights float32"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path: Path, own: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Voter.load(_written(tmp_path, own))


def test_a_language_without_its_bias_is_refused(tmp_path: Path) -> None:
    own = _parts(1)
    del own["bias"]
    with pytest.raises(KeyError, match="own_uk_bias"):
        Voter.load(_written(tmp_path, own))
