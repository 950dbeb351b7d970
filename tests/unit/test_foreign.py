"""Any other model by one setting: ONNX folders without torch, safetensors with it, and every way to be broken."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import foreign_kit
import numpy as np
import onnx_kit
import pytest

from crawler.errors import ModelUnavailable, Permanent
from crawler.model import Tone
from sentiment import Analyser, broken, hub
from sentiment.models import open_model
from sentiment.spec import ModelSpec
from sentiment.temperature import Calibration, fit, read
from sentiment.windows import joined

pytestmark = pytest.mark.model


def opened(folder: Path, **more: Any) -> Any:
    return open_model(ModelSpec(str(folder), **more), 1)


def tone(folder: Path, text: str, **more: Any) -> Tone:
    return Analyser(ModelSpec(str(folder), **more), 1).analyse([text], [None])[0].tone


# ---- ONNX, without torch ----


def test_an_onnx_folder_speaks_in_our_tones(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    assert [tone(folder, text) for text in ("bad bad", "plain", "Good bank")] == list(Tone)
    analysis = Analyser(folder, 1).analyse(["Is it bad?"], [None])[0]
    assert (analysis.language, analysis.intent, analysis.tone) == ("en", "question", Tone.NEGATIVE)
    assert analysis.model.startswith("m@") and analysis.model.endswith(".uncalibrated")


def test_labels_in_any_order_and_by_setting(tmp_path: Path) -> None:
    turned = {"bad": (0, 9), "good": (9, 0)}
    assert tone(onnx_kit.save(tmp_path / "a", turned, ("POS", "NEG")), "bad") is Tone.NEGATIVE
    nameless = onnx_kit.save(tmp_path / "b", turned, ("LABEL_0", "LABEL_1"))
    assert tone(nameless, "good", labels={"LABEL_0": "positive", "LABEL_1": "negative"}) is Tone.POSITIVE
    with pytest.raises(ModelUnavailable, match=r"config\.json: its labels are LABEL_0, LABEL_1"):
        opened(nameless)


def test_stars_are_summed(tmp_path: Path) -> None:
    votes = {"soso": (2.0, 2.0, 2.5, 0.0, 0.0)}
    folder = onnx_kit.save(tmp_path / "m", votes, [f"{n} stars" for n in range(1, 6)])
    found = opened(folder).scores(["soso"], [None], ["en"])[0][0]
    assert found.argmax() == 0 and found.sum() == pytest.approx(1)


def test_two_classes_never_say_neutral_and_say_so(tmp_path: Path) -> None:
    model = opened(onnx_kit.save(tmp_path / "m", {"bad": (5, 0), "good": (0, 5)}, ("negative", "positive")))
    assert model.scores(["hm"], [None], ["en"])[0][0][1] == 0
    assert any("has no neutral" in note for note in model.notes)


@pytest.mark.parametrize(
    "parts",
    [
        {"inputs": ("input_ids",)},
        {"inputs": ("input_ids", "attention_mask", "token_type_ids")},
        {"inputs": ("input_ids", "attention_mask", "position_ids"), "narrow": True},
        {"output": "scores"},
        {"fixed": 16},
    ],
)
def test_graphs_of_several_exporters(tmp_path: Path, parts: dict[str, Any]) -> None:
    assert tone(onnx_kit.save(tmp_path / "m", **parts), "bad bad bad") is Tone.NEGATIVE


def test_a_long_text_is_read_in_windows_and_cut_only_when_it_must_be(tmp_path: Path) -> None:
    model = opened(onnx_kit.save(tmp_path / "m", config={"max_position_embeddings": 16}))
    texts = ["hm " * 100 + "bad " * 20, "bad " * 20 + "hm " * 1000, "hm " * 1000 + "bad " * 20, "bad"]
    found, cut = model.scores(texts, [None] * 4, ["en"] * 4)
    assert found.argmax(axis=1).tolist() == [0, 0, 0, 0]
    assert cut == [False, True, True, False]


def test_a_long_text_is_read_around_its_target(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    text = "Good day. " * 60 + "Novapay is bad bad bad. " + "Good day. " * 60
    about, whole = Analyser(folder, 1).analyse([text, f"{text} "], ["Novapay", None])
    assert about.tone_scores["negative"] > whole.tone_scores["negative"]
    assert (about.truncated, whole.truncated) == (True, False)


def test_our_wording_leans_only_where_asked(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    plain, leaning = opened(folder), opened(folder, wording=True)
    text = "Terrible service, I hate it"
    assert plain.scores([text], [None], ["en"])[0][0] == pytest.approx(1 / 3)
    assert leaning.scores([text], [None], ["en"])[0][0].argmax() == 0
    assert plain.name != leaning.name


def test_scores_do_not_depend_on_neighbours(tmp_path: Path) -> None:
    model = opened(onnx_kit.save(tmp_path / "m"))
    texts = ["bad", "good " * 40, "", "plain bad"]
    together = model.scores(texts, [None] * 4, ["en"] * 4)[0]
    alone = np.concatenate([model.scores([text], [None], ["en"])[0] for text in texts])
    assert np.array_equal(together, alone)


@pytest.mark.process
def test_the_base_install_runs_onnx_folders_without_torch(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    code = (
        "import sys; sys.modules['torch'] = None; from pathlib import Path; from sentiment import Analyser;"
        f"print(Analyser(Path({str(folder)!r})).analyse(['bad'], [None])[0].tone)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "negative"


# ---- versions and pins ----


def test_whatever_decides_the_answer_changes_the_name(tmp_path: Path) -> None:
    names = {
        opened(onnx_kit.save(tmp_path / "a")).name.split("@")[1],
        opened(onnx_kit.save(tmp_path / "b", {**onnx_kit.WORDS, "bad": (8.0, 0, 0)})).name.split("@")[1],
        opened(onnx_kit.save(tmp_path / "c", labels=("positive", "neutral", "negative"))).name.split("@")[1],
    }
    again = opened(onnx_kit.save(tmp_path / "d")).name.split("@")[1]
    assert len(names) == 3 and again in names


def test_a_pinned_hash_is_held(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    right = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert opened(folder, sha256=right.upper()).name
    with pytest.raises(ModelUnavailable, match=f"sha256 is {right}, sentiment.sha256 wants"):
        opened(folder, sha256="0" * 64)


def test_settings_of_other_models_are_refused_for_the_built_in() -> None:
    with pytest.raises(ModelUnavailable, match=r"sentiment\.labels speaks of other models"):
        open_model(ModelSpec(labels={"LABEL_0": "negative"}), 1)


# ---- broken ----


def spoil_nothing(folder: Path) -> None:
    """Leaves it as it is."""


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda f: (f / "model.onnx").unlink(), "no weights; wanted model.onnx"),
    "pickles": (
        lambda f: (f / "model.onnx").rename(f / "pytorch_model.bin"),
        "bin, which can run code",
    ),
    "truncated": (lambda f: cut(f / "model.onnx"), "model.onnx"),
    "empty": (lambda f: (f / "model.onnx").write_bytes(b""), "model.onnx"),
    "garbage": (lambda f: (f / "model.onnx").write_bytes(os.urandom(5000)), "model.onnx"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), r"no tokenizer\.json"),
    "garbage tokenizer": (lambda f: (f / "tokenizer.json").write_text('{"model": 5}'), "tokenizer.json"),
    "deep tokenizer": (lambda f: (f / "tokenizer.json").write_text("[" * 10000), "tokenizer.json"),
    "no config": (lambda f: (f / "config.json").unlink(), r"config\.json: FileNotFoundError"),
    "config is a list": (lambda f: (f / "config.json").write_text("[1]"), r"config\.json"),
    "NaN weights": (lambda f: onnx_kit.save(f, {"ok": (float("nan"),) * 3}), "gives NaN"),
    "wrong count": (lambda f: onnx_kit.save(f, {"ok": (1, 2)}), "gives 2 numbers a text, config.json names 3"),
    "a row a word": (lambda f: onnx_kit.save(f, whole=False), r"has shape \(1, 1, 3\)"),
    "pictures": (lambda f: onnx_kit.save(f, inputs=("input_ids", "pixel_values")), "input pixel_values"),
    "regression": (lambda f: onnx_kit.save(f, config={"problem_type": "regression"}), "problem_type is regression"),
    "a small table": (lambda f: (f / "model.onnx").write_bytes(onnx_kit.graph([[0.0] * 3])), "out of"),
}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("how", SPOILT)
def test_a_broken_folder_is_named_and_back_when_mended(tmp_path: Path, how: str) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    spoil, says = SPOILT[how]
    spoil(folder)
    analyser = Analyser(folder, 1)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match=says):
            analyser.analyse(["ok bad"], [None])
    onnx_kit.save(folder)
    assert analyser.analyse(["bad"], [None])[0].tone is Tone.NEGATIVE


def test_a_broken_model_is_not_read_again_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    cut(folder / "model.onnx")
    analyser, read_files = Analyser(folder, 1), []
    monkeypatch.setattr("sentiment.foreign.digest_of", lambda files: read_files.append(files) or "0")
    for _ in range(5):
        with pytest.raises(ModelUnavailable):
            analyser.analyse(["ok"], [None])
    assert len(read_files) == 1


def test_weights_that_do_not_fit_into_memory_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    monkeypatch.setattr(broken, "available", lambda: 100 << 20)
    with pytest.raises(ModelUnavailable, match="do not fit into 100 MiB of free memory"):
        opened(folder)


def test_free_memory_is_known_here() -> None:
    assert (broken.available() or 0) > 1 << 20


def test_two_graphs_are_a_question(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    (folder / "model.onnx").rename(folder / "a.onnx")
    assert opened(folder).name
    (folder / "b.onnx").write_bytes((folder / "a.onnx").read_bytes())
    with pytest.raises(ModelUnavailable, match=r"which of a\.onnx, b\.onnx"):
        opened(folder)


# ---- the hub ----


@pytest.mark.parametrize("name", ["cardiff/xlm-t", "a/b@main", "a/b@refs/pr/5", "a/b@" + "0" * 40])
def test_hub_ids(name: str) -> None:
    assert str(hub.hub_id(name)) == name


@pytest.mark.parametrize("name", ["builtin", "./a/b", "/a/b", "a/b/c", "../a/b", "a/b@../../x", "~/a", "a b/c", ""])
def test_folders_are_no_hub_ids(name: str) -> None:
    assert hub.hub_id(name) is None


def test_a_hub_model_that_was_never_fetched_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="mention-crawler model fetch nobody/nothing-here"):
        open_model(ModelSpec("nobody/nothing-here", tmp_path, tmp_path / "models"), 1)


def test_only_files_that_we_would_load_are_fetched() -> None:
    many = ["config.json", "tokenizer.json", "pytorch_model.bin", "model.safetensors", "README.md", "onnx/model.onnx"]
    assert hub.chosen(many, "x") == ["config.json", "tokenizer.json", "model.safetensors"]
    assert hub.chosen(["config.json", "onnx/model.onnx", "onnx/model_int8.onnx"], "x")[-1] == "onnx/model.onnx"
    with pytest.raises(Permanent, match=r"pytorch_model\.bin.*refs/pr"):
        hub.chosen(["config.json", "pytorch_model.bin"], "x")


# ---- how sure ----


def test_a_calibration_lowers_the_loss_and_changes_the_version(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 400)
    loud = np.full((400, 3), 0.01)
    loud[np.arange(400), np.where(rng.random(400) < 0.7, truth, rng.integers(0, 3, 400))] = 0.98
    found = fit(loud, truth, ["en"] * 400)
    assert found.temperature > 1.5
    sure = found.apply(loud, ["en"] * 400).max(axis=1).mean()
    assert abs(sure - (loud.argmax(axis=1) == truth).mean()) < 0.05
    folder = onnx_kit.save(tmp_path / "m")
    before = opened(folder).name
    (folder / "calibration.json").write_text(found.as_text(), encoding="utf-8")
    after = opened(folder)
    assert before.endswith(".uncalibrated") and not after.name.endswith(".uncalibrated")
    assert after.scores(["bad"], [None], ["en"])[0][0][0] < 0.99


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"temperature": "x"}', '{"temperature": 0}', '{"temperature": NaN}'])
def test_a_broken_calibration_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelUnavailable, match=r"calibration\.json"):
        read(path)


def test_too_few_posts_calibrate_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit(np.full((10, 3), 1 / 3), np.zeros(10, dtype=np.int64), ["en"] * 10)


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    told = Calibration(1.5, {"default": 0.1, "uk": -0.3}, 80)
    (tmp_path / "c.json").write_text(told.as_text(), encoding="utf-8")
    assert read(tmp_path / "c.json") == told


def test_windows_are_weighed_by_what_they_read() -> None:
    found = joined(np.array([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]]), [[[1, 2, 3], [4]], [[5]]])
    assert found.tolist() == [[0.75, 0.0, 0.25], [0.0, 1.0, 0.0]]


# ---- safetensors, with torch ----


@pytest.mark.parametrize("family", foreign_kit.FAMILIES)
def test_a_hub_style_folder_says_what_its_own_pipeline_says(tmp_path: Path, family: str) -> None:
    pytest.importorskip("torch")
    from transformers import pipeline

    folder = foreign_kit.save(tmp_path / family, family)
    texts = ["The bank is awful", "отличный банк", "", "thank you 😀"]
    found = opened(folder).scores(texts, [None] * 4, ["en"] * 4)[0]
    judge = pipeline("text-classification", model=str(folder), tokenizer=str(folder), top_k=None)
    wanted = [{one["label"]: one["score"] for one in row} for row in judge(texts)]
    assert found == pytest.approx(np.array([[row[name] for name in onnx_kit.THREE] for row in wanted]), abs=1e-5)


def test_half_precision_and_long_posts(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder = foreign_kit.save(tmp_path / "m", "xlm-roberta", half=True)
    found, cut = opened(folder).scores(["я" * 65536, "ok"], [None, None], ["ru", "en"])
    assert np.isfinite(found).all() and cut == [True, False]


def test_a_base_model_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from safetensors.numpy import load_file, save_file

    folder = foreign_kit.save(tmp_path / "m")
    parts = load_file(folder / "model.safetensors")
    bare = {name: value for name, value in parts.items() if not name.startswith("classifier")}
    save_file(bare, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"the weights lack classifier\.bias"):
        opened(folder)


@pytest.mark.parametrize("how", ["truncated", "header", "NaN"])
def test_broken_safetensors_are_named(tmp_path: Path, how: str) -> None:
    pytest.importorskip("torch")
    from safetensors.numpy import load_file, save_file

    folder = foreign_kit.save(tmp_path / "m")
    path = folder / "model.safetensors"
    if how == "NaN":
        save_file({name: value * np.nan for name, value in load_file(path).items()}, path, {"format": "pt"})
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-100] if how == "truncated" else data[:3] + b"\xff" + data[4:])
    with pytest.raises(ModelUnavailable, match="NaN" if how == "NaN" else "safetensors"):
        opened(folder)


def test_remote_code_is_not_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder = foreign_kit.save(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M"},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="custom code"):
        opened(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.process
def test_without_torch_safetensors_say_what_to_install(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    (folder / "model.onnx").rename(folder / "model.safetensors")
    code = (
        "import sys; sys.modules['torch'] = None; from pathlib import Path; from sentiment import Analyser;"
        f"Analyser(Path({str(folder)!r})).analyse(['ok'], [None])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'mention-crawler[torch]'" in done.stderr


def test_preparing_hostile_texts_is_quick(tmp_path: Path) -> None:
    model = opened(onnx_kit.save(tmp_path / "m"))
    began = time.process_time()
    model.scores(["a" * 65536, "bad " * 16384, "\x00\ud800" * 500], [None] * 3, ["en"] * 3)
    assert time.process_time() - began < 3.0


def test_a_manifest_of_something_else_makes_no_model_ours(tmp_path: Path) -> None:
    folder = onnx_kit.save(tmp_path / "m")
    (folder / "manifest.json").write_text('{"start_url": "/"}', encoding="utf-8")
    assert tone(folder, "bad") is Tone.NEGATIVE


def test_two_threads_may_ask_at_once(tmp_path: Path) -> None:
    model = opened(onnx_kit.save(tmp_path / "m"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: model.scores(["bad " * n], [None], ["en"])[0].argmax(), range(1, 60)))
    assert set(found) == {0}
