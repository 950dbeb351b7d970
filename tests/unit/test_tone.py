"""The built-in tone model: whole, deterministic, above its floors, and never nonsense."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx_kit
import pytest

from crawler.errors import ModelUnavailable
from crawler.model import Tone
from sentiment import Analyser
from sentiment.cues import version
from sentiment.prepare import LONG_TEXT, TARGET_MARK, WINDOW, mark_target, voter_text, window
from sentiment.tone import DEFAULT_FOLDER, LABELS, MAX_PIECES, MAX_VOTER, ToneModel, _chosen

pytestmark = pytest.mark.model

MAX_BYTES = 40 * 1024 * 1024


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(threads=1)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the model folder that a test may spoil."""
    return Path(shutil.copytree(DEFAULT_FOLDER, tmp_path / "model"))


CLEAR = [
    ("I hate this bank, worst service ever, they stole my money", Tone.NEGATIVE),
    ("Thank you so much, best app I have ever used, love it", Tone.POSITIVE),
    ("Opening hours on Monday: 9:00 to 18:00", Tone.NEUTRAL),
    ("Ужасный банк, обманули и нахамили, никому не советую", Tone.NEGATIVE),
    ("Отличный сервис, большое спасибо, я очень доволен", Tone.POSITIVE),
    ("Как оформить кредит в банке", Tone.NEUTRAL),
    ("Жахливий магазин, обманюють людей, гроші не повертають", Tone.NEGATIVE),
    ("Дуже дякую, чудовий магазин, все сподобалось, рекомендую", Tone.POSITIVE),
]


@pytest.mark.parametrize(("text", "tone"), CLEAR)
def test_clear_cases(analyser: Analyser, text: str, tone: Tone) -> None:
    assert analyser.analyse([text], [None])[0].tone is tone


@pytest.mark.parametrize("text", ["Norvik is not good", "Norvik не надёжный", "Norvik не удобный", "Norvik не зручний"])
def test_denied_praise_is_not_positive(analyser: Analyser, text: str) -> None:
    assert analyser.analyse([text], ["Norvik"])[0].tone is not Tone.POSITIVE


def test_more_marks_change_nothing(analyser: Analyser) -> None:
    one, many = analyser.analyse(["Рада собирается в четверг!", "Рада собирается в четверг!!!!!"], [None, None])
    assert one.tone_scores == many.tone_scores


def test_the_name_changes_with_the_wording(analyser: Analyser) -> None:
    assert analyser.name.endswith("." + version())


def test_an_analysis_is_complete(analyser: Analyser) -> None:
    (result,) = analyser.analyse(["Novapay знову не працює, жахливий сервіс"], ["Novapay"])
    assert (result.language, result.tone) == ("uk", Tone.NEGATIVE)
    assert set(result.tone_scores) == set(LABELS)
    assert sum(result.tone_scores.values()) == pytest.approx(1, abs=1e-3)
    assert result.confidence == result.tone_scores[result.tone.value] == max(result.tone_scores.values())
    assert sum(result.intent_scores.values()) == pytest.approx(1, abs=1e-3)
    assert result.intent.value == "complaint"
    assert result.intent_reason
    assert not result.truncated
    assert result.model == analyser.name
    assert result.model.startswith("builtin-1@")


def test_empty_batch_and_wrong_lengths(analyser: Analyser) -> None:
    assert analyser.analyse([], []) == []
    with pytest.raises(ValueError):
        analyser.analyse(["a", "b"], [None])


def test_the_same_answer_alone_and_in_any_batch(analyser: Analyser) -> None:
    texts = [text for text, _ in CLEAR] + ["довгий текст " * 40, "ok"]
    together = analyser.analyse(texts, [None] * len(texts))
    backwards = analyser.analyse(texts[::-1], [None] * len(texts))[::-1]
    assert analyser.analyse(texts, [None] * len(texts)) == together
    assert backwards == together
    assert [analyser.analyse([text], [None])[0] for text in texts] == together
    assert Analyser(threads=3).analyse(texts, [None] * len(texts)) == together


@pytest.mark.process
def test_another_process_gives_the_same_scores_without_torch_or_recipe(analyser: Analyser) -> None:
    text = "Приложение банка не работает"
    code = (
        "import sys; from sentiment import Analyser;"
        f"print(Analyser(threads=1).analyse([{text!r}], [None])[0].confidence);"
        "print([m for m in ('torch', 'sklearn', 'sentiment.train') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    confidence, loaded = done.stdout.splitlines()
    assert float(confidence) == analyser.analyse([text], [None])[0].confidence
    assert loaded == "[]"


def test_no_text_raises(analyser: Analyser, shared: Path) -> None:
    strings = json.loads((shared / "corpus/blns/blns.dev.json").read_text("utf-8"))
    strings += ["\x00", "\ud800 lone", "😀" * 50, "#a #b", "я" * 65536, "слово " * 11000, "?" * 65536, TARGET_MARK]
    for result in analyser.analyse(strings, [None, "слово"] * (len(strings) // 2) + [None] * (len(strings) % 2)):
        assert sum(result.tone_scores.values()) == pytest.approx(1, abs=1e-3)
        assert np.isfinite(list(result.tone_scores.values())).all()


@pytest.mark.process
def test_import_is_light() -> None:
    heavy = "('transformers', 'onnxruntime', 'numpy', 'langdetect')"
    code = f"import sys, sentiment; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- the folder ----


def test_the_committed_model_is_whole_and_small() -> None:
    manifest = json.loads((DEFAULT_FOLDER / "manifest.json").read_text("utf-8"))
    on_disk = {path.name for path in DEFAULT_FOLDER.iterdir()} - {"manifest.json"}
    assert on_disk == set(manifest["files"])
    for name, entry in manifest["files"].items():
        data = (DEFAULT_FOLDER / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], name
        assert len(data) == entry["bytes"], name
    assert sum((DEFAULT_FOLDER / name).stat().st_size for name in on_disk) <= MAX_BYTES


def test_transformers_reads_the_folder_like_any_hub_model() -> None:
    config = json.loads((DEFAULT_FOLDER / "config.json").read_text("utf-8"))
    assert config["id2label"] == {"0": "negative", "1": "neutral", "2": "positive"}
    assert config["model_type"] == "bert"
    assert (DEFAULT_FOLDER / "model.safetensors").stat().st_size > 1_000_000


@pytest.mark.parametrize("name", ["model.onnx", "voter.npz", "tokenizer.json", "calibration.json"])
def test_an_altered_file_is_refused_by_name(copied: Path, name: str) -> None:
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / name).write_bytes(bytes(data))
    with pytest.raises(ModelUnavailable, match=name):
        ToneModel(copied)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "voter.npz"])
def test_a_missing_file_is_refused_by_name(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(ModelUnavailable, match=name):
        ToneModel(copied)


def test_a_missing_folder_is_refused_when_used_and_not_before(tmp_path: Path) -> None:
    analyser = Analyser(tmp_path / "nowhere")
    with pytest.raises(ModelUnavailable, match="nowhere"):
        analyser.analyse(["ok"], [None])


@pytest.mark.parametrize("name", ["model.onnx", "voter.npz", "tokenizer.json", "calibration.json"])
def test_rubbish_with_a_right_hash_is_refused_by_name(copied: Path, name: str) -> None:
    (copied / name).write_bytes(b"rubbish")
    _sign(copied)
    with pytest.raises(ModelUnavailable, match=name):
        ToneModel(copied)


def test_a_model_that_gives_nan_is_refused(copied: Path) -> None:
    with np.load(copied / "voter.npz") as data:
        parts: dict[str, Any] = dict(data)
    np.savez_compressed(copied / "voter.npz", **{**parts, "bias": np.full(3, np.nan, dtype=np.float32)})
    _sign(copied)
    with pytest.raises(ModelUnavailable, match="NaN"):
        ToneModel(copied)


def _sign(folder: Path) -> None:
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    files = {name: {"sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()} for name in names}
    (folder / "manifest.json").write_text(json.dumps({"name": "spoiled", "files": files}), encoding="utf-8")


# ---- preparing text ----


def test_the_target_is_marked_as_a_word_in_any_case() -> None:
    assert mark_target("НОВАПЕЙ и новапей, но не новапейка", "Новапей").count(TARGET_MARK) == 2
    assert mark_target("text", None) == "text"
    assert TARGET_MARK in mark_target("Ask @novapay!", "@novapay")
    assert mark_target("a.b axb", "a.b").count(TARGET_MARK) == 1


def test_voter_text_hides_links_and_names() -> None:
    assert voter_text("Дякую https://a.example/x @Someone!!!!") == " дякую httpurl atuser !! "


def test_long_text_keeps_the_sentences_around_the_target() -> None:
    filler = "Погода сьогодні гарна, вітер слабкий. " * 20
    shown, cut = window(f"{filler}Novapay мене підвів. {filler}", "Novapay")
    assert cut
    assert "Novapay мене підвів" in shown
    assert len(shown) <= WINDOW


def test_short_text_is_left_alone_and_long_text_without_target_keeps_both_ends() -> None:
    assert window("x" * LONG_TEXT, None) == ("x" * LONG_TEXT, False)
    shown, cut = window("start " + "word " * 500 + "finish", None)
    assert cut
    assert shown.startswith("start")
    assert shown.endswith("finish")


def test_of_a_long_post_beginning_and_end_are_read(analyser: Analyser) -> None:
    filler = "Сьогодні четвер, за вікном вулиця і будинок. " * 60
    worst = "Жахливий магазин, обманюють людей, гроші не повертають. " * 4
    plain, first, last = analyser.analyse([filler, worst + filler, filler + worst], [None] * 3)
    for found in (first, last):
        assert found.tone_scores["negative"] > plain.tone_scores["negative"] + 0.2
        assert not found.truncated


def test_truncated_is_said_only_when_something_was_left_unread(analyser: Analyser) -> None:
    texts = ["слово " * 80, "слово " * 600, "слово " * 700, "слово " * 10_000]
    assert [found.truncated for found in analyser.analyse(texts, [None] * 4)] == [False, False, True, True]


def test_the_pieces_around_the_target_are_kept() -> None:
    row = [5] * 300 + [9] + [6] * 300
    kept = _chosen(row, 9)
    assert len(kept) == MAX_PIECES - 2 and 9 in kept and 5 in kept and 6 in kept
    assert _chosen([*row[:301]], 9)[-1] == 9
    assert _chosen(row, 7) == [5] * 63 + [6] * 63
    assert _chosen([1, 2], 9) == [1, 2]


def test_truncated_is_said(analyser: Analyser) -> None:
    long = "Novapay працює добре. " + "Сьогодні гарна погода і сонце. " * 60
    short, cut = analyser.analyse(["Novapay працює добре.", long], ["Novapay", "Novapay"])
    assert (short.truncated, cut.truncated) == (False, True)


# ---- floors ----


@pytest.mark.parametrize(
    "text", ["a" * 65536, "@" * 65536, "\n" * 65536, ". " * 32768, "nova. " * 10000, "http://" * 9000]
)
def test_no_text_makes_preparing_crawl(analyser: Analyser, text: str) -> None:
    started = time.process_time()
    analyser.analyse([text, text], [None, "nova"])
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    ("name", "measure", "floor"),
    [
        ("en.tweeteval", "recall", 62.0),
        ("ru.sentirueval16-banks", "polar", 48.0),
        ("uk.brighter-emotion", "recall", 60.0),
    ],
)
def test_dev_floors_on_a_sample(analyser: Analyser, shared: Path, name: str, measure: str, floor: float) -> None:
    with gzip.open(shared / f"data/tone/dev/{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][:: 3 if name != "uk.brighter-emotion" else 1]
    given = analyser.analyse([row["text"] for row in rows], [row.get("target") for row in rows])
    truth = [row["tone"] for row in rows]
    guess = [result.tone.value for result in given]
    assert _measure(truth, guess, measure) >= floor


def _measure(truth: list[str], guess: list[str], measure: str) -> float:
    """Percent: mean recall of the classes, or mean F1 of negative and positive."""
    labels = LABELS if measure == "recall" else ("negative", "positive")
    values = []
    for label in labels:
        hit = sum(t == g == label for t, g in zip(truth, guess, strict=True))
        values.append(
            hit / truth.count(label) if measure == "recall" else 2 * hit / (truth.count(label) + guess.count(label))
        )
    return 100 * float(np.mean(values))


# ---- what a signed folder may still do ----


def test_a_voter_that_unpacks_into_gigabytes_is_not_opened(copied: Path) -> None:
    with zipfile.ZipFile(copied / "voter.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("weights.npy", b"\0" * (MAX_VOTER + 1))
    _sign(copied)
    with pytest.raises(ModelUnavailable, match=r"voter\.npz: ValueError: unpacks to 64 MiB"):
        ToneModel(copied)


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        ({"table": [[0.0] * 2] * 24000}, r"gives \(1, 2\) a text"),
        ({"table": [[0.0] * 3] * 24000, "inputs": ("input_ids",)}, "attention_mask"),
        ({"table": [[0.0] * 3]}, "out of data bounds"),
        ({"table": [[float("nan")] * 3] * 24000}, "gives NaN"),
    ],
)
def test_weights_of_another_shape_are_refused_by_name(copied: Path, graph: dict[str, Any], says: str) -> None:
    (copied / "model.onnx").write_bytes(onnx_kit.graph(**graph))
    _sign(copied)
    with pytest.raises(ModelUnavailable, match=rf"model\.onnx.*{says}"):
        ToneModel(copied)
