"""`mention-crawler analyse`: JSON lines in, JSON lines out."""

from __future__ import annotations

import io
import json
from typing import Any, cast

import pytest

from crawler.app.analysing import BATCH, analyse_lines, capped_lines, encoded
from crawler.model import Analysis, Intent, Tone
from sentiment import Analyser

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


class Loud:
    """Stands where no opinion matters: the lines are under test, not the model."""

    def analyse(self, texts: list[str], targets: list[str | None], hints: list[str | None]) -> list[Analysis]:
        assert all(isinstance(text, str) for text in texts)
        assert len(texts) == len(targets) == len(hints)
        scores = {"negative": 0.6, "neutral": 0.3, "positive": 0.1}
        return [
            Analysis("en", Tone.NEGATIVE, scores, Intent.OTHER, {"other": 1.0}, text[:9], (), 0.6, False, "loud")
            for text in texts
        ]


def answers(*lines: bytes, sure: float = 0.7) -> list[dict[str, Any]]:
    return list(analyse_lines(capped_lines(io.BytesIO(b"".join(lines))), cast("Analyser", Loud()), sure))


def test_hostile_lines_get_one_answer_each_in_order() -> None:
    lines = [
        b'\xef\xbb\xbf{"text": "with a byte order mark"}\n',
        b"\xff\xfe not utf-8\n",
        b"[" * 5000 + b"\n",
        b'{"text": "ok", "id": [[1]]}\n',
        b'{"text": "ok", "id": "' + b"x" * 600 + b'"}\n',
        b'{"text": "ok", "id": NaN}\n',
        b'{"text": "ok", "id": 1e999}\n',
        b'{"text": "ok", "target": 5}\n',
        b'{"text": "ok", "target": "' + b"t" * 600 + b'"}\n',
        b'{"text": "ok", "lang": ["en"]}\n',
        b'{"text": null}\n',
        b'{"texts": "x"}\n',
        b'"text"\n',
        b'{"text": "a' + b"b" * (10 << 20) + b'"}\n',
        b'{"text": "a' + b"b" * (17 << 20) + b'"}\n',
        b'{"text": "a\\u0000b \\ud800", "id": "\\ud800"}\n',
        b"  \n",
        b'{"text": "no line end", "target": null}',
    ]
    found = answers(*lines)
    assert ["error" in row for row in found] == [False, *[True] * 12, False, True, False, False]
    assert [row.get("id") for row in found if "error" in row][:2] == [2, 3]
    assert found[13]["truncated"] is True
    assert "longer than 16 MiB" in found[14]["error"]
    assert found[15]["id"] == "\ud800" and "\x00" not in found[15]["intent_reason"]
    for row in found:
        assert json.loads(encoded(row).decode("utf-8")) == row
        assert encoded(row).count(b"\n") == 1


def test_sure_is_what_was_asked_for() -> None:
    assert [answers(b'{"text": "x"}', sure=sure)[0]["sure"] for sure in (0.5, 0.6, 0.7)] == [True, True, False]
