"""The reader: wants and tone toward names, the same in every company, and what it may overrule."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from crawler.errors import ModelUnavailable
from crawler.model import Intent
from sentiment import Analyser, clauses, heldout, toward
from sentiment.intent import READ_FROM, IntentResult, detect, reread
from sentiment.reader import FOLDER, LANGUAGES, Reader

pytestmark = pytest.mark.model

WRITTEN = Path(__file__).parents[2] / "sentiment" / "train" / "written"
CALM = IntentResult(Intent.OTHER, {"question": 0.1, "complaint": 0.2, "praise": 0.1, "other": 0.6}, "nothing", ())


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(threads=1)


def test_names_mean_nothing_to_it(reader: Reader) -> None:
    texts = ["Заказ из Норвика едет третью неделю", "Заказ из Белкома едет третью неделю"]
    one, other = reader.wants(texts, ["Норвика", "Белкома"])
    assert one == other
    left = reader.toward("Left Norvik for Tarson", ["Norvik", "Tarson"])
    assert left == reader.toward("Left Belcom for Kubo", ["Belcom", "Kubo"])
    assert left != left[::-1]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I love {} and hate {}", ("Bank", "X")),
        ("{} is bad, {} is good", ("Ladna", "Ladna Pay")),
        ("{} молчит, {} ответил", ("C++ (a.*", "C++")),
        ("{} 10/10, {} is a shame", ("😀", "😀😀")),
        ("{} never answers, {} did at once", ("@x", "TGT")),
    ],
)
def test_odd_names_are_names_like_others(reader: Reader, text: str, names: tuple[str, str]) -> None:
    """One that is a part of the other, or of what stands for a hidden name."""
    plain = ("Norvik", "Belcom")
    assert reader.toward(text.format(*names), names) == reader.toward(text.format(*plain), plain)
    assert reader.toward(text.format(*names), names[::-1]) == reader.toward(text.format(*plain), plain)[::-1]


def test_hostile_texts_and_names_raise_nothing(reader: Reader) -> None:
    names = ["", "  ", "\x00", "\ud800", "(a.*", "[", "\\", "😀", "x" * 5000]
    for text in ("", "\x00 \ud800 (a.*", "x" * 65_536, "[TGT] " * 3000, "\n" * 65_536):
        assert len(reader.toward(text, names)) == len(names)
        assert len(reader.wants([text] * len(names), names)) == len(names)


def test_only_names_that_are_judged_are_read() -> None:
    """Each costs a run of the model: a post that lists a hundred must not cost seconds."""
    names, asked = [f"Name{number}" for number in range(100)], list[int]()

    def read(text: str, some: Sequence[str]) -> list[tuple[float, float, float]]:
        asked.append(len(some))
        return [(0.0, 0.0, 0.0)] * len(some)

    found = toward.tones(" and ".join(names), names, lambda texts: [(0.1, 0.8, 0.1)] * len(texts), read)
    assert asked == [clauses.MAX_NAMES]
    assert sum(part is not None for part in found) == clauses.MAX_NAMES


def test_without_the_reader_nothing_is_judged_and_nothing_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is in the model's name: a name made without it would be that of another model."""
    whole = Analyser(threads=1).name
    folder = tmp_path / "reader"
    shutil.copytree(FOLDER, folder)
    (folder / "manifest.json").rename(tmp_path / "away")
    monkeypatch.setattr("sentiment.reader.Reader.__init__.__defaults__", (folder, 0))
    waiting = Analyser(threads=1)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="reader"):
            waiting.analyse(["ok"], [None])
        with pytest.raises(ModelUnavailable, match="reader"):
            _ = waiting.name
    (tmp_path / "away").rename(folder / "manifest.json")
    assert waiting.analyse(["Third week of silence"], [None])[0].model == whole == waiting.name


def test_company_changes_nothing(reader: Reader) -> None:
    texts = ["Третій тиждень тиша", "ok", "", "🔥" * 50, "слово " * 3000, "Paid twice for one ticket"]
    alone = [reader.wants([text], [None])[0] for text in texts]
    assert reader.wants(texts, [None] * len(texts)) == alone
    assert reader.wants(texts[::-1], [None] * len(texts)) == alone[::-1]
    assert reader.wants([], []) == []


def test_a_name_far_into_a_long_text_is_read(reader: Reader) -> None:
    text = "Так и живём, день за днём, ничего нового. " * 80 + "А Норвик опять списал деньги дважды и молчит."
    assert reader.toward(text, ["Норвик"])[0][0] > 0


@pytest.mark.parametrize(
    ("file", "harm"),
    [
        ("model.onnx", lambda path: path.write_bytes(path.read_bytes()[:-100])),
        ("model.onnx", lambda path: path.unlink()),
        ("tokenizer.json", lambda path: path.write_text("{}")),
        ("manifest.json", lambda path: path.write_text("no")),
    ],
)
def test_a_broken_folder_is_named(tmp_path: Path, file: str, harm: Callable[[Path], object]) -> None:
    folder = tmp_path / "reader"
    shutil.copytree(FOLDER, folder)
    harm(folder / file)
    with pytest.raises(ModelUnavailable, match="reader"):
        Reader(folder)


def test_it_is_heard_only_where_wording_says_nothing() -> None:
    sure = {Intent.QUESTION: 9.0, Intent.COMPLAINT: READ_FROM + 1, Intent.PRAISE: -3.0}
    heard = reread(CALM, "Day nineteen", sure)
    assert (heard.intent, heard.reason) == (Intent.COMPLAINT, "reads like a complaint")
    assert sum(heard.scores.values()) == pytest.approx(1.0)
    assert max(heard.scores, key=lambda name: heard.scores[name]) == "complaint"
    assert reread(CALM, "Day nineteen", dict.fromkeys(sure, READ_FROM - 0.1)) == CALM
    assert reread(CALM, "Day nineteen https://news.example/1", sure) == CALM
    assert reread(CALM, "Day nineteen", {}) == CALM
    asked = detect("Where is my parcel?")
    assert reread(asked, "Where is my parcel?", sure) == asked


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_helps_with_posts_that_it_was_never_taught(analyser: Analyser, language: str) -> None:
    """The wording alone, which must be worse, is the broken build."""
    rows = heldout.singles(WRITTEN, language)
    found = analyser.analyse([row["text"] for row in rows], [row["target"] for row in rows])
    bare = [detect(row["text"], row["target"]).intent for row in rows]
    truth = [row["intent"] for row in rows]
    right = sum(analysis.intent == intent for analysis, intent in zip(found, truth, strict=True)) / len(rows)
    before = sum(intent == told for intent, told in zip(bare, truth, strict=True)) / len(rows)
    assert len(rows) > 100
    assert right >= before + 0.05
    assert right >= 0.55


@pytest.mark.parametrize("language", LANGUAGES)
def test_pairs_that_it_was_never_taught(analyser: Analyser, language: str) -> None:
    rows = heldout.pairs(WRITTEN, language)
    assert len(rows) > 100
    assert sum(heldout.both_right(row, analyser) for row in rows) / len(rows) >= 0.35
