"""What the frozen sets demand of intent, names and language, and that the sets themselves are sound."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sentiment import Analyser, evaluate

pytestmark = pytest.mark.model

SETS = Path(__file__).parent.parent / "sentiment_sets"
LANGUAGES = evaluate.LANGUAGES


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(threads=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_intent_sets_are_large_and_judged_twice(language: str) -> None:
    rows = evaluate.read(SETS / f"intent_{language}.jsonl")
    assert len(rows) >= 300
    assert len({row["text"] for row in rows}) == len({row["id"] for row in rows}) == len(rows)
    share = Counter(row["first"]["intent"] for row in rows)
    assert 0.25 <= share["question"] / len(rows) <= 0.30
    for row in rows:
        assert row["agreed"] == (row["first"]["intent"] == row["second"]["intent"])
        assert row["target"] is None or row["target"] in row["text"]


def test_every_pair_has_its_swapped_partner() -> None:
    rows = {row["id"]: row for row in evaluate.read(SETS / "two_entities.jsonl")}
    assert Counter(row["language"] for row in rows.values() if not row["id"].endswith("s")).total() >= 300
    for row in rows.values():
        partner = rows[row["swap"]]
        assert partner["swap"] == row["id"]
        assert [e["first"] for e in partner["entities"]] == [e["first"] for e in row["entities"]]
        assert [e["name"] for e in partner["entities"]] == [e["name"] for e in row["entities"]][::-1]
        assert all(entity["target"] in row["text"] for entity in row["entities"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_of_the_held_part(analyser: Analyser, language: str) -> None:
    rows = [row for row in evaluate.read(SETS / f"intent_{language}.jsonl") if row["held"] and row["agreed"]]
    given = analyser.analyse([row["text"] for row in rows], [row["target"] for row in rows])
    found = [analysis.intent.value == "question" for analysis in given]
    truth = [row["first"]["intent"] == "question" for row in rows]
    hits = sum(a and b for a, b in zip(found, truth, strict=True))
    assert hits / sum(truth) >= 0.90
    assert hits / sum(found) >= 0.65


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_names_of_the_held_part(analyser: Analyser, language: str) -> None:
    rows = [row for row in evaluate.read(SETS / "two_entities.jsonl") if row["held"] and row["language"] == language]
    given = {
        row["id"]: [a.tone.value for a in analyser.analyse([row["text"]] * 2, [e["target"] for e in row["entities"]])]
        for row in rows
        if row["agreed"]
    }
    right = [given[row["id"]] == [e["first"] for e in row["entities"]] for row in rows if row["agreed"]]
    assert sum(right) / len(right) >= 0.60
    assert all(given[row["id"]] == given[row["swap"]] for row in rows if row["agreed"])


def test_intent_is_no_copy_of_the_tone(analyser: Analyser) -> None:
    rows = evaluate.read(SETS / "intent_en.jsonl")
    given = analyser.analyse([row["text"] for row in rows], [row["target"] for row in rows])
    assert any(a.intent.value == "complaint" and a.tone.value != "negative" for a in given)
    assert any(a.tone.value == "negative" and a.intent.value != "complaint" for a in given)
    assert any(a.tone.value == "positive" and a.intent.value != "praise" for a in given)


def test_languages_of_short_texts() -> None:
    from sentiment.language import detect

    rows = evaluate.read(SETS / "language.jsonl")
    right = [detect(row["text"]) == row["language"] for row in rows]
    assert sum(right) / len(right) >= 0.93
    called = {detect(row["text"]) for row in rows if row["language"] == "be"}
    assert not called & {"uk", "ru"}


def test_tables_are_written_between_the_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card.md"
    card.write_text(f"above\n{evaluate.BEGIN}\nold\n{evaluate.END}\nbelow\n", encoding="utf-8")
    assert evaluate.write(card, "new\n") == 0
    assert card.read_text("utf-8") == f"above\n{evaluate.BEGIN}\nnew\n{evaluate.END}\nbelow\n"
    card.write_text("no marks", encoding="utf-8")
    assert evaluate.write(card, "new\n") == 2
    assert "add both lines" in capsys.readouterr().out
