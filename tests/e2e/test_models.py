"""Another model by one setting, through the command and the service: measured, fetched, broken and mended."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import onnx_kit
import pytest
from e2e.site import Entry
from e2e.stock import Stock
from typer.testing import CliRunner, Result

from crawler import config as config_room
from crawler.app import App
from crawler.app.redo import Scope, redo
from crawler.app.work import work
from crawler.errors import ConfigError, CrawlerError

pytestmark = [pytest.mark.e2e, pytest.mark.model]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config and a model called `tone`; the shell stands in it."""
    (tmp_path / "mention-crawler.yaml").write_text("sentiment: {model: tone}\nbrands: [{name: Nova Pay}]\n")
    onnx_kit.save(tmp_path / "tone")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MENTION_CRAWLER_CONFIG", raising=False)
    return tmp_path


def call(*arguments: str, given: str | bytes = "", code: int = 0) -> Result:
    from crawler.cli.commands import app

    result = CliRunner().invoke(app, list(arguments), input=given)
    if isinstance(result.exception, CrawlerError):
        assert code == 1, result.exception
        return result
    assert result.exit_code == code, (result.output, result.exception)
    return result


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def labelled(path: Path, count: int = 30) -> Path:
    texts = {"negative": "bad", "neutral": "plain", "positive": "good"}
    posts = [{"text": f"{word} {n}", "tone": tone, "lang": "en"} for n in range(count) for tone, word in texts.items()]
    # One post in five is judged otherwise: no model is right more often than that.
    posts = [post | {"tone": "neutral"} if n % 5 == 0 else post for n, post in enumerate(posts)]
    path.write_text("".join(json.dumps(post) + "\n" for post in posts), encoding="utf-8")
    return path


def test_analyse_uses_the_config_and_the_option(place: Path) -> None:
    other = onnx_kit.save(place / "other", {"great": (9.0, 0.0, 0.0)})
    line = json.dumps({"text": "great", "id": 1}) + "\n"
    ours, theirs, configured = (
        rows(call("analyse", *more, given=line))[0] for more in (("--model", "builtin"), ("--model", str(other)), ())
    )
    assert (ours["tone"], theirs["tone"]) == ("positive", "negative")
    assert [row["model"].split("@")[0] for row in (ours, theirs, configured)] == ["builtin-1", "other", "tone"]


def test_analyse_answers_every_line_and_says_in_its_exit_that_some_were_bad(place: Path) -> None:
    answered = rows(call("analyse", given=b'{"text": "bad"}\n\xff\n{"text": "good"}\n', code=1))
    assert [row.get("tone", "error") for row in answered] == ["negative", "error", "positive"]


def test_analyse_with_a_broken_model_says_which_file(place: Path) -> None:
    (place / "tone" / "model.onnx").write_bytes(b"rubbish")
    result = call("analyse", given='{"text": "bad"}\n', code=1)
    assert "model.onnx" in str(result.exception) and result.stdout == ""


def test_evaluate_scores_any_model_on_any_file(place: Path) -> None:
    path = labelled(place / "posts.jsonl")
    with path.open("a", encoding="utf-8") as file:
        file.write("not json\n")
    told = rows(call("model", "evaluate", str(path), "--json", code=1))
    assert told[0]["model"].startswith("tone@") and any("uncalibrated" in note for note in told[0]["notes"])
    (tone,) = [row for row in told if row.get("table") == "tone"]
    assert tone["posts"] == 90 and 80 <= tone["accuracy"] < 100
    assert {row["table"] for row in told if "table" in row} == {"tone", "recall", "language", "confidence", "curve"}
    assert f"{path}:91" in told[-1]["error"]
    shown = call("model", "evaluate", "--model", "tone", str(path), code=1).stdout
    assert "| set | posts | mR |" in shown and "| model | posts/s |" in shown


def test_calibration_makes_sureness_honest_and_is_a_new_version(place: Path) -> None:
    path = labelled(place / "posts.jsonl")

    def measured(*more: str) -> tuple[str, float]:
        told = rows(call("model", "evaluate", str(path), "--json", *more))
        (tone,) = [row for row in told if row.get("table") == "tone"]
        return told[0]["model"], tone["calibration error"]

    before, error = measured()
    after, smaller = measured("--calibrate-on", str(path))
    again, _ = measured()
    assert before.endswith(".uncalibrated") and after == again and after.split(".")[:2] == before.split(".")[:2]
    assert smaller < error / 2 and smaller < 0.05
    assert list((place / "data" / "models" / "calibration").glob("tone@*.json"))


def test_the_built_in_model_is_not_calibrated_by_users(place: Path) -> None:
    path = labelled(place / "posts.jsonl")
    result = CliRunner().invoke(
        _app(), ["model", "evaluate", str(path), "--model", "builtin", "--calibrate-on", str(path)]
    )
    assert "calibrated by its own recipe" in str(result.exception)


def _app() -> Any:
    from crawler.cli.commands import app

    return app


@pytest.mark.process
def test_compare_says_whether_the_difference_is_real(place: Path) -> None:
    path = labelled(place / "posts.jsonl")
    onnx_kit.save(place / "blind", {"hm": (0.0, 1.0, 0.0)})
    told = rows(call("model", "compare", "blind", "tone", str(path), "--json"))
    (gap,) = [row for row in told if row["table"] == "difference"]
    assert gap["real"] and gap["mR gained"] > 20 and gap["from"] > 0
    assert [row["posts/s"] > 0 and row["peak MiB"] > 10 for row in told if row["table"] == "cost"] == [True, True]
    with pytest.raises(AssertionError):
        call("model", "compare", "nowhere", "tone", str(path))


# ---- the past ----


def test_a_changed_model_shows_its_difference_first_and_changes_nothing_by_it(store_url: str, tmp_path: Path) -> None:
    stock = Stock(tmp_path, store_url)
    stock.crawl("news", [Entry("1", "Nova Pay good"), Entry("2", "Nova Pay bad"), Entry("3", "Nova Pay again")])
    stock.work()
    onnx_kit.save(tmp_path / "turned", {"good": (9.0, 0.0, 0.0), "bad": (0.0, 0.0, 9.0)})
    before = {table: stock.rows(table) for table in ("mentions", "analyses", "events", "config_versions")}
    text = stock.path.read_text("utf-8")
    stock.path.write_text(f"{text}sentiment: {{model: turned}}\n", encoding="utf-8")
    app = App(config_room.load(stock.path))
    app.__dict__["store"] = stock.opened.store
    shown = redo(app, "analyse", Scope(), diff=True)
    assert {table: stock.rows(table) for table in before} == before, "a diff changes nothing, not even the config"
    changed = {row["text"]: row["after"] for row in shown.rows}
    assert changed["Nova Pay good"].startswith("negative") and changed["Nova Pay bad"].startswith("positive")
    done = redo(app, "analyse", Scope(), diff=False)
    assert [row["after"] for row in done.rows] == [row["after"] for row in shown.rows]
    tones = {m.post.post.text: m.analysis for m in stock.opened.store.mentions.list()}
    assert {text: str(found.tone) for text, found in tones.items() if found}["Nova Pay good"] == "negative"
    assert all(found is not None and found.model.startswith("turned@") for found in tones.values())
    stock.close()


# ---- broken and mended, while the program runs ----


def test_a_model_that_gives_no_numbers_leaves_posts_untagged_until_it_is_mended(tmp_path: Path, store_url: str) -> None:
    stock = Stock(tmp_path, store_url)
    onnx_kit.save(tmp_path / "tone", {"nova": (float("nan"),) * 3})
    text = stock.path.read_text("utf-8")
    stock.path.write_text(f"{text}sentiment: {{model: tone}}\n", encoding="utf-8")
    app = App(config_room.load(stock.path))
    app.__dict__["store"] = stock.opened.store

    def alerts() -> list[str]:
        return [alert.cause for alert in app.store.alerts.open() if alert.key == "model"]

    def tones() -> list[str]:
        return [str(row.analysis.tone) if row.analysis else "none" for row in app.store.mentions.list()]

    stock.crawl("news", [Entry("1", "Nova Pay bad"), Entry("2", "НоваПей bad")])
    work(app)
    assert "gives NaN" in alerts()[0] and sorted(tones()) == ["negative", "none"], "one waits, the other does not"
    (tmp_path / "tone" / "tokenizer.json").write_text("{", encoding="utf-8")
    work(app)
    assert "tokenizer.json" in alerts()[0] and len(alerts()) == 1, "the alert follows what is broken now"
    onnx_kit.save(tmp_path / "tone")
    worked = work(app)
    assert worked.analysed == 1 and worked.model_error is None and tones() == ["negative"] * 2
    assert alerts() == [], "over by itself, without a restart"
    stock.close()


# ---- the hub ----


class Hub(BaseHTTPRequestHandler):
    """What the hub answers for one model with these files."""

    files: dict[str, bytes]
    lie: bool = False
    asked: list[str]

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, whole: bool) -> None:
        self.asked.append(self.path)
        path = self.path.split("?")[0]
        if path.startswith("/api/models/acme/tone/tree/"):
            tree = [
                {"type": "file", "path": one["rfilename"], "oid": "b" * 40, **one} for one in self._told()["siblings"]
            ]
            return self._send(json.dumps(tree).encode(), {"Content-Type": "application/json"}, whole)
        if path.startswith("/api/models/acme/tone"):
            return self._send(json.dumps(self._told()).encode(), {"Content-Type": "application/json"}, whole)
        name = path.removeprefix(f"/acme/tone/resolve/{COMMIT}/").removeprefix("/acme/tone/resolve/main/")
        if name not in self.files:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if path.startswith("/acme/tone") else "RepoNotFound")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        data = self.files[name]
        etag = hashlib.sha256(data).hexdigest()
        return self._send(data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, whole)

    def _told(self) -> dict[str, Any]:
        listed = []
        for name, data in self.files.items():
            digest = "0" * 64 if self.lie else hashlib.sha256(data).hexdigest()
            lfs = (
                {"sha256": digest, "oid": digest, "size": len(data), "pointerSize": 130}
                if name.endswith(".onnx")
                else None
            )
            listed.append({"rfilename": name, "size": len(data), **({"lfs": lfs} if lfs else {})})
        return {"id": "acme/tone", "modelId": "acme/tone", "sha": COMMIT, "siblings": listed, "private": False}

    def _send(self, data: bytes, headers: dict[str, str], whole: bool) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if whole:
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


COMMIT = "a" * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Hub]]]:
    """A hub on this machine with one ONNX model, as a URL, and its handler."""
    folder = onnx_kit.save(tmp_path / "theirs")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    kept = {"onnx/model.onnx": files.pop("model.onnx"), "pytorch_model.bin": b"pickle", "README.md": b"x", **files}
    handler = type("OneHub", (Hub,), {"files": kept, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


def test_a_hub_model_comes_only_when_it_is_fetched(place: Path, hub: tuple[str, type[Hub]]) -> None:
    url, handler = hub
    line = '{"text": "bad"}\n'
    assert "model fetch acme/tone" in str(call("analyse", "--model", "acme/tone", given=line, code=1).exception)
    assert handler.asked == []
    folder = Path(call("model", "fetch", "acme/tone", "--endpoint", url).stdout.strip())
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "config.json",
        "model.onnx",
        "tokenizer.json",
    ]
    fetched = len(handler.asked)
    (row,) = rows(call("analyse", "--model", "acme/tone", given=line))
    assert row["tone"] == "negative" and row["model"].startswith("acme/tone@")
    assert len(handler.asked) == fetched, "using it asks nobody"


def test_a_file_that_is_not_what_the_hub_promised_is_thrown_away(place: Path, hub: tuple[str, type[Hub]]) -> None:
    url, handler = hub
    handler.lie = True
    result = call("model", "fetch", "acme/tone", "--endpoint", url, code=1)
    assert "sha256 is not what the hub says" in str(result.exception)
    assert "model.onnx" not in [path.name for path in (place / "data").rglob("*") if path.exists()]


def test_a_hub_that_does_not_answer_and_a_model_that_is_not_there(place: Path, hub: tuple[str, type[Hub]]) -> None:
    url, _ = hub
    for name, where in (("acme/tone", "http://127.0.0.1:9"), ("acme/nothing", url)):
        result = CliRunner().invoke(_app(), ["model", "fetch", name, "--endpoint", where])
        assert isinstance(result.exception, CrawlerError) and name in str(result.exception)


# ---- the page ----

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_run(place: Path) -> None:
    labelled(place / "posts.jsonl", 20)
    labelled(place / "others.jsonl", 20)
    onnx_kit.save(place / "models" / "ours")
    told = [line for kind, text in BLOCK.findall(PAGE.read_text("utf-8")) if kind == "sh" for line in text.splitlines()]
    # Fetching needs the hub, comparing processes of its own; both have tests above.
    ran = [shlex.split(line)[1:] for line in told if " fetch " not in line and " compare " not in line]
    assert len(ran) == len(told) - 2 == 3
    for arguments in ran:
        assert call(*arguments).stdout


def test_the_settings_of_the_page_load(tmp_path: Path) -> None:
    blocks = [text for kind, text in BLOCK.findall(PAGE.read_text("utf-8")) if kind == "yaml"]
    assert len(blocks) == 2
    for text in blocks:
        path = tmp_path / "mention-crawler.yaml"
        path.write_text(text, encoding="utf-8")
        assert config_room.load(path).sentiment.model == "models/ours"
    assert config_room.load(path).sentiment.labels["LABEL_2"] == "positive"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sha256: abc", "sha256"),
        ("labels: {LABEL_0: angry}", "labels"),
        ("modle: x", "model"),
        ("wording: perhaps", "wording"),
    ],
)
def test_mistakes_in_the_setting_are_named(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "mention-crawler.yaml"
    path.write_text(f"sentiment:\n  {line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"mention-crawler\.yaml:2:\d+: .*{says}"):
        config_room.load(path)
