"""Temperatures and shifts: found again where they were put in, honest about what they claim, and by language."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sentiment.cost import floor
from sentiment.curve import Seen
from sentiment.tone import Calibration
from sentiment.train import calibrate

SETS = {
    "en.tweeteval": 1.6,
    "en.sanders": 0.8,
    "en.sxsw-brands": 0.8,
    "ru.rusentitweet": 1.0,
    "ru.sentirueval16-banks": 1.0,
    "ru.brighter-emotion": 1.0,
    "uk.brighter-emotion": 2.0,
    "uk.uk-store-reviews": 2.0,
}
MARKED = {"en.sanders", "en.sxsw-brands", "ru.sentirueval16-banks"}


def made() -> tuple[dict[str, calibrate.Logits], dict[str, calibrate.Labels]]:
    """Log-probabilities that are too sure by a known factor."""
    rng, logits, truth = np.random.default_rng(3), {}, {}
    for name, factor in SETS.items():
        true = rng.normal(0, 1.5, (3000, 3))
        given = calibrate.softmax(true)
        truth[name] = np.array([rng.choice(3, p=row) for row in given])
        logits[name] = np.log(calibrate.softmax(true * factor))
    return logits, truth


def test_each_language_gets_the_temperature_that_it_needs_with_and_without_a_target() -> None:
    logits, truth = made()
    fitted = calibrate.fit(logits, truth, MARKED)
    found = fitted["temperatures"]
    assert isinstance(found, dict)
    for group, factor in {"en": 1.6, "en.target": 0.8, "ru": 1.0, "uk": 2.0}.items():
        assert found[group] == pytest.approx(factor, rel=0.2)
    calibration = Calibration(**json.loads(json.dumps(fitted)))
    assert calibration.divisor("en", True) == found["en.target"] != calibration.divisor("en", False)
    assert calibration.divisor("de", False) == calibration.temperature


def test_what_is_fitted_on_one_half_holds_on_the_other() -> None:
    logits, truth = made()
    lines = calibrate.other_half(logits, truth, MARKED).splitlines()[2:]
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert float(cells[2]) <= 0.05
        for claim, cell in zip(calibrate.CLAIMS, cells[3:], strict=True):
            assert int(cell.split(" %")[0]) >= 100 * claim - 2


def test_sets_that_may_not_be_trained_on_decide_nothing() -> None:
    logits, truth = made()
    before = calibrate.fit(logits, truth, MARKED)
    logits["ru.rusentiment"], truth["ru.rusentiment"] = -logits["uk.brighter-emotion"], truth["uk.brighter-emotion"]
    assert calibrate.fit(logits, truth, MARKED) == before


def test_the_manifest_follows_the_calibration(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "m", "files": {"other": {"sha256": "x"}}}))
    calibrate.write(tmp_path, {"temperature": 1.0})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["files"]["other"] == {"sha256": "x"}
    assert manifest["files"]["calibration.json"]["bytes"] == (tmp_path / "calibration.json").stat().st_size


def test_old_calibrations_are_read_as_before() -> None:
    old = Calibration(temperature=0.9, neutral_shift={"en": 0.2}, target_shift={}, encoder_share=0.5)
    assert {old.divisor(language, marked) for language in ("en", "uk") for marked in (True, False)} == {0.9}


def test_the_dearer_a_missed_complaint_the_lower_the_floor() -> None:
    assert floor(0.7, 1.0) == pytest.approx(0.3)
    assert floor(0.7, 3.0) == pytest.approx(0.1)
    assert floor(0.2, 0.1) == 0.2


def test_points_of_the_curve_are_counted() -> None:
    seen = Seen(
        negative=np.array([0.9, 0.8, 0.25, 0.1, 0.75]),
        question=np.zeros(5),
        complains=np.array([False, False, False, True, False]),
        praises=np.array([False, False, False, False, True]),
        wanted=np.array([True, False, True, True, False]),
    )
    assert seen.point(0.7, 1.0, False) == pytest.approx((200 / 3, 50.0, 40.0, 40.0))
    assert seen.point(0.7, 1.5, False) == pytest.approx((100.0, 50.0, 60.0, 40.0))
