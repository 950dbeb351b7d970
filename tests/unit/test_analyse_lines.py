"""`mention-crawler analyse`: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crawler.app.analysing import BATCH, analyse_lines

pytestmark = pytest.mark.model

FIELDS = {
    "id", "language", "tone", "tone_scores", "intent", "intent_scores", "flags", "confidence", "sure",
    "model", "intent_reason", "truncated",
}  # fmt: skip


def run(*rows: object) -> list[dict[str, Any]]:
    return list(analyse_lines(row if isinstance(row, str) else json.dumps(row) for row in rows))


def test_a_result_has_every_field() -> None:
    (row,) = run({"id": "a", "text": "Подскажите, как закрыть счёт?", "target": None, "source": "forum"})
    assert set(row) == FIELDS
    assert (row["id"], row["language"], row["intent"]) == ("a", "ru", "question")
    assert sum(row["tone_scores"].values()) == pytest.approx(1, abs=1e-3)
    assert row["truncated"] is False
    assert json.loads(json.dumps(row)) == row


def test_a_bad_line_is_named_and_stops_nothing() -> None:
    rows = run({"text": "ok"}, "{", "[]", {"text": 5}, "", {"id": 9, "text": "great app"})
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 9]
    assert [("error" in row) for row in rows] == [False, True, True, True, False]
    assert "line 2" in rows[1]["error"]


def test_two_targets_of_one_text_are_told_apart_across_a_batch_edge() -> None:
    text = "Норвик терпеть не могу, а Белком спас"
    rows = run(
        *({"text": f"текст {n}"} for n in range(BATCH - 1)),
        *({"text": text, "target": t} for t in ("Норвик", "Белком")),
    )
    assert [row["tone"] for row in rows[-2:]] == ["negative", "positive"]


def test_a_long_text_says_that_it_was_cut() -> None:
    (row,) = run({"text": "Norvik works well. " + "The weather is fine today. " * 100, "target": "Norvik"})
    assert row["truncated"] is True
