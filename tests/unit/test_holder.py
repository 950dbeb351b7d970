"""New weights beneath a working model: taken at the next batch when they are whole, never half."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import onnx_kit
import pytest

from crawler.model import Tone
from sentiment import Analyser, holder, models

pytestmark = pytest.mark.model

TURNED = {"bad": (0.0, 0.0, 9.0), "good": (9.0, 0.0, 0.0)}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as whole as soon as they are seen."""
    monkeypatch.setattr(holder, "SETTLED", 0.0)


def tone(analyser: Analyser) -> Tone:
    return analyser.analyse(["bad"], [None])[0].tone


def test_new_weights_are_at_work_with_the_next_batch_and_have_a_name_of_their_own(
    tmp_path: Path, at_once: None
) -> None:
    analyser = Analyser(onnx_kit.save(tmp_path / "m"), 1)
    before = analyser.analyse(["bad"], [None])[0]
    onnx_kit.save(tmp_path / "m", TURNED)
    after = analyser.analyse(["bad"], [None])[0]
    assert (before.tone, after.tone) == (Tone.NEGATIVE, Tone.POSITIVE)
    assert before.model != after.model == analyser.name


def test_files_that_were_just_written_are_left_until_they_stand_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "SETTLED", 3600.0)
    analyser = Analyser(onnx_kit.save(tmp_path / "m"), 1)
    assert tone(analyser) is Tone.NEGATIVE
    onnx_kit.save(tmp_path / "m", TURNED)
    assert tone(analyser) is Tone.NEGATIVE
    monkeypatch.setattr(holder, "SETTLED", 0.0)
    assert tone(analyser) is Tone.POSITIVE


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("how", ["half", "gone"])
def test_a_half_copied_folder_leaves_the_old_model_at_work(tmp_path: Path, at_once: None, name: str, how: str) -> None:
    analyser = Analyser(onnx_kit.save(tmp_path / "m"), 1)
    assert (tone(analyser), analyser.notes) == (Tone.NEGATIVE, Analyser(tmp_path / "m", 1).notes)
    onnx_kit.save(tmp_path / "m", TURNED)
    path = tmp_path / "m" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2]) if how == "half" else path.unlink()
    assert tone(analyser) is Tone.NEGATIVE
    assert name.split(".")[0] in analyser.trouble and analyser.trouble in analyser.notes[-1]
    path.write_bytes(whole)
    assert (tone(analyser), analyser.trouble) == (Tone.POSITIVE, "")


def test_a_folder_that_goes_away_takes_nothing_from_a_model_at_work(tmp_path: Path, at_once: None) -> None:
    analyser = Analyser(onnx_kit.save(tmp_path / "m"), 1)
    assert tone(analyser) is Tone.NEGATIVE
    shutil.move(tmp_path / "m", tmp_path / "away")
    assert tone(analyser) is Tone.NEGATIVE


def test_what_does_not_load_is_read_once_and_not_with_each_batch(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyser = Analyser(onnx_kit.save(tmp_path / "m"), 1)
    assert tone(analyser) is Tone.NEGATIVE
    (tmp_path / "m" / "model.onnx").write_bytes(b"rubbish")
    tries, opened = [], models.open_model

    def counted(*given: Any) -> Any:
        tries.append(given)
        return opened(*given)

    monkeypatch.setattr(models, "open_model", counted)
    assert [tone(analyser) for _ in range(5)] == [Tone.NEGATIVE] * 5
    assert len(tries) == 1


def test_files_that_change_while_they_are_read_are_read_anew(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyser, opened = Analyser(onnx_kit.save(tmp_path / "m"), 1), models.open_model
    assert tone(analyser) is Tone.NEGATIVE
    onnx_kit.save(tmp_path / "m", TURNED)

    def slow(*given: Any) -> Any:
        found = opened(*given)
        (tmp_path / "m" / "late.txt").write_text("the copy goes on")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(models, "open_model", slow)
        assert tone(analyser) is Tone.NEGATIVE
    assert tone(analyser) is Tone.POSITIVE


def test_a_look_at_unchanged_files_loads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analyser = Analyser(onnx_kit.save(tmp_path / "m"), 1)
    assert tone(analyser) is Tone.NEGATIVE
    monkeypatch.setattr(models, "open_model", None)
    assert tone(analyser) is Tone.NEGATIVE
