"""Models fetched from a hub by its own client: redirects, large files, revisions, rights, and all that can go wrong."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx_kit
import pytest
from e2e.hub_double import SIGNATURE, Hub, Repo, files_of, git_id, serving

from crawler.errors import ModelUnavailable, NotFound, Permanent, Transient
from crawler.model import Tone
from sentiment import Analyser
from sentiment.hub import fetch, find, has_weights, hub_id
from sentiment.models import open_model
from sentiment.spec import ModelSpec

pytestmark = [pytest.mark.e2e, pytest.mark.model]

NEW, OLD, SAFE = "a" * 40, "b" * 40, "c" * 40
TOKEN = "hf_SecretSecretSecretSecret"
TURNED = {"bad": (0.0, 0.0, 9.0), "good": (9.0, 0.0, 0.0)}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """`acme/tone`: ONNX in two commits; what it has beside that is not to be fetched."""
    clutter = {"pytorch_model.bin": b"pickle", "README.md": b"# x", "modeling_tone.py": b"raise SystemExit(9)"}
    ours = {name: onnx_kit.save(tmp_path / "theirs" / name, words) for name, words in WEIGHTS.items()}
    commits = {commit: files_of(folder) | clutter for commit, folder in ours.items()}
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with serving() as served:
        served.repos["acme/tone"] = Repo(commits, {"main": NEW, "v1": OLD, "refs/pr/5": OLD})
        yield served


WEIGHTS = {NEW: onnx_kit.WORDS, OLD: TURNED}


def got(hub: Hub, store: Path, model: str = "acme/tone") -> Path:
    wanted = hub_id(model)
    assert wanted
    return fetch(wanted, store, lambda line: None, hub.url)


def tone(store: Path, model: str = "acme/tone") -> Tone:
    return Analyser(ModelSpec(model, store, store), 1).analyse(["bad"], [None])[0].tone


def test_a_model_comes_through_redirects_and_only_what_is_loaded(hub: Hub, tmp_path: Path) -> None:
    folder = got(hub, tmp_path / "s")
    assert sorted(files_of(folder)) == ["config.json", "model.onnx", "tokenizer.json"]
    assert tone(tmp_path / "s") is Tone.NEGATIVE
    asked = len(hub.asked)
    assert tone(tmp_path / "s") is Tone.NEGATIVE and len(hub.asked) == asked
    assert [SIGNATURE in path for path in hub.paths("store")] == [True]
    assert not any(name in path for path in hub.paths("hub") for name in (".bin", ".py", "README"))


@pytest.mark.parametrize("revision", ["v1", OLD, "refs/pr/5"])
def test_a_pinned_revision_is_the_one_that_is_used(hub: Hub, tmp_path: Path, revision: str) -> None:
    got(hub, tmp_path / "s")
    got(hub, tmp_path / "s", f"acme/tone@{revision}")
    assert tone(tmp_path / "s", f"acme/tone@{revision}") is Tone.POSITIVE
    assert tone(tmp_path / "s") is Tone.NEGATIVE


def test_a_newer_commit_comes_with_the_next_fetch_and_into_the_working_model(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.holder.SETTLED", 0.0)
    hub.repos["acme/tone"].names["main"] = OLD
    got(hub, tmp_path / "s")
    analyser = Analyser(ModelSpec("acme/tone", tmp_path, tmp_path / "s"), 1)
    before = analyser.analyse(["bad"], [None])[0].tone
    hub.repos["acme/tone"].names["main"] = NEW
    got(hub, tmp_path / "s")
    assert (before, analyser.analyse(["bad"], [None])[0].tone) == (Tone.POSITIVE, Tone.NEGATIVE)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_not_what_was_promised_is_removed_and_can_be_fetched_again(
    hub: Hub, tmp_path: Path, name: str
) -> None:
    hub.repos["acme/tone"].lies = frozenset({name})
    with pytest.raises(Permanent, match=rf"{name}: its \w+ is not what the hub says; it was removed"):
        got(hub, tmp_path / "s")
    with pytest.raises(ModelUnavailable):
        tone(tmp_path / "s")
    hub.repos["acme/tone"].lies = frozenset()
    got(hub, tmp_path / "s")
    assert tone(tmp_path / "s") is Tone.NEGATIVE


def test_a_download_that_breaks_off_goes_on_where_it_stood(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 16)  # what it keeps of an answer cut short
    hub.repos["acme/tone"].breaks = [48, 64]
    got(hub, tmp_path / "s")
    ranges = [headers.get("range") for server, verb, _, headers in hub.asked if (server, verb) == ("store", "GET")]
    assert ranges == [None, "bytes=48-", "bytes=112-"]
    assert tone(tmp_path / "s") is Tone.NEGATIVE


def test_a_network_that_goes_away_leaves_nothing_half_and_the_rest_comes_later(hub: Hub, tmp_path: Path) -> None:
    repo = hub.repos["acme/tone"]
    repo.breaks = [10] * 50
    with pytest.raises(Transient, match=r"acme/tone: .*fetch it again"):
        got(hub, tmp_path / "s")
    with pytest.raises(ModelUnavailable, match="run `mention-crawler model fetch acme/tone`"):
        open_model(ModelSpec("acme/tone", tmp_path, tmp_path / "s"), 1)
    repo.breaks, small = [], hub.paths("hub").count(f"/api/resolve-cache/models/acme/tone/{NEW}/config.json")
    got(hub, tmp_path / "s")
    assert tone(tmp_path / "s") is Tone.NEGATIVE
    assert hub.paths("hub").count(f"/api/resolve-cache/models/acme/tone/{NEW}/config.json") == small == 1


def test_a_network_that_goes_away_takes_nothing_from_a_fetched_model(hub: Hub, tmp_path: Path) -> None:
    got(hub, tmp_path / "s")
    hub.repos["acme/tone"].down = True
    with pytest.raises(Transient):
        got(hub, tmp_path / "s")
    assert tone(tmp_path / "s") is Tone.NEGATIVE


@pytest.mark.parametrize(("token", "status"), [(None, 401), (TOKEN, 403)])
def test_a_gated_model_says_what_to_do(
    hub: Hub, tmp_path: Path, token: str | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["acme/tone"].gated = True
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(Permanent, match=r"agree to terms first.*HF_TOKEN") as caught:
        got(hub, tmp_path / "s")
    assert TOKEN not in str(caught.value)


def test_a_private_model_needs_a_token_which_no_other_host_gets_and_no_log_shows(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hub.repos["acme/tone"].token = TOKEN
    with pytest.raises(NotFound, match="private and HF_TOKEN"):
        got(hub, tmp_path / "s")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.repos["acme/tone"].breaks = [10]
    with caplog.at_level(logging.DEBUG):
        got(hub, tmp_path / "s")
    assert tone(tmp_path / "s") is Tone.NEGATIVE
    told = [headers.get("authorization") for server, _, _, headers in hub.asked if server == "store"]
    assert told == [None] * len(told) and len(told) > 1
    assert TOKEN not in caplog.text
    kept = [path for path in (tmp_path / "s").rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []


def test_what_may_not_be_loaded_is_not_fetched(hub: Hub, tmp_path: Path) -> None:
    files = hub.repos["acme/tone"].commits[NEW]
    del files["model.onnx"]
    with pytest.raises(Permanent, match=r"no safetensors and no ONNX weights \(pytorch_model\.bin\)"):
        got(hub, tmp_path / "s")
    assert hub.paths("store") == []


def test_code_of_a_model_is_never_fetched(hub: Hub, tmp_path: Path) -> None:
    files = hub.repos["acme/tone"].commits[NEW]
    files["config.json"] = files["config.json"].replace(
        b'"model_type": "bert"', b'"model_type": "tone", "auto_map": {"AutoConfig": "modeling_tone.ToneConfig"}'
    )
    got(hub, tmp_path / "s")
    assert tone(tmp_path / "s") is Tone.NEGATIVE, "a graph needs none of its code"
    assert not list((tmp_path / "s").rglob("*.py"))


@pytest.mark.parametrize(("model", "says"), [("acme/none", "no such model"), ("acme/tone@v9", "no revision v9")])
def test_what_is_not_there_is_said(hub: Hub, tmp_path: Path, model: str, says: str) -> None:
    with pytest.raises(NotFound, match=says):
        got(hub, tmp_path / "s", model)


def test_parts_of_weights_count_as_fetched_when_all_are_there(hub: Hub, tmp_path: Path) -> None:
    files, names = hub.repos["acme/tone"].commits[NEW], [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = b'{"weight_map": {"a": "%s", "b": "%s"}}' % tuple(name.encode() for name in names)
    files |= {"model.safetensors.index.json": index, names[0]: b"one", names[1]: b"two"}
    folder = got(hub, tmp_path / "s")
    assert {*names, "model.safetensors.index.json"} <= set(files_of(folder)) and "model.onnx" not in files_of(folder)
    wanted = hub_id("acme/tone")
    assert wanted and find(wanted, tmp_path / "s") == folder
    (folder / names[1]).unlink()
    assert not has_weights(folder) and find(wanted, tmp_path / "s") is None


@pytest.mark.process
def test_the_command_finds_the_hub_by_its_usual_setting_and_says_no_secret(hub: Hub, tmp_path: Path) -> None:
    hub.repos["acme/tone"].token, hub.repos["acme/tone"].breaks = TOKEN, [10]
    (tmp_path / "mention-crawler.yaml").write_text("sentiment: {model: acme/tone}\nbrands: [{name: Nova Pay}]\n")
    env = os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf")}
    env |= {"HF_HUB_VERBOSITY": "debug", "HF_DEBUG": "1"}
    command = [str(Path(sys.executable).with_name("mention-crawler")), "model", "fetch", "acme/tone"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "model.onnx").is_file()
    assert TOKEN not in done.stderr + done.stdout and SIGNATURE not in done.stderr + done.stdout


def test_ids_in_git_are_those_of_git() -> None:
    assert git_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
