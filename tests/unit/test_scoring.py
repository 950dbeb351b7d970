"""Scores of labelled posts, and whether one model is truly better."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crawler.app.measuring import read_posts
from crawler.errors import NotFound
from sentiment.scoring import calibration_error, difference, mcnemar, recalls, score
from sentiment.verdict import Judged, markdown, tables

Ints = npt.NDArray[np.int64]


def labels(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


def test_scores_by_hand() -> None:
    truth, guess = labels(0, 0, 1, 1, 2, 2), labels(0, 1, 1, 1, 2, 0)
    found = score(truth, guess)
    assert (found.recall, found.accuracy, found.count) == (66.67, 66.67, 6)
    assert found.polar == pytest.approx(100 * (0.5 + 2 / 3) / 2, abs=0.01)
    assert recalls(truth, guess) == (50.0, 100.0, 50.0)
    assert recalls(labels(0, 0), labels(0, 1)) == (50.0, None, None)


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    given = np.array([[0.75, 0.2, 0.05]] * 4)
    assert calibration_error(labels(0, 0, 0, 1), given) == pytest.approx(0)
    assert calibration_error(labels(1, 1, 1, 1), given) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("a", "b", "chance"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (0, 10, 0.002), (1, 9, 0.0215)]
)
def test_mcnemar_is_the_binomial_test(a: int, b: int, chance: float) -> None:
    assert mcnemar(a, b) == pytest.approx(chance, abs=1e-4)
    assert mcnemar(b, a) == mcnemar(a, b)


def test_a_real_difference_is_told_from_luck() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 600)
    weak = np.where(rng.random(600) < 0.6, truth, rng.integers(0, 3, 600))
    strong = np.where(rng.random(600) < 0.8, truth, rng.integers(0, 3, 600))
    like_weak = np.where(rng.random(600) < 0.6, truth, rng.integers(0, 3, 600))
    gap = difference(truth, weak, strong)
    assert gap.real and gap.low < gap.points < gap.high and gap.chance < 0.01
    assert not difference(truth, weak, like_weak).real
    assert difference(truth, weak, strong) == gap, "seeded: the same each time"
    same = difference(truth, weak, weak)
    assert (same.points, same.low, same.high, same.chance, same.real) == (0, 0, 0, 1.0, False)
    turned = difference(truth, strong, weak)
    assert (turned.only_a, turned.only_b) == (gap.only_b, gap.only_a)


def test_sets_with_one_class_or_one_post() -> None:
    assert difference(labels(0), labels(0), labels(1)).points == -100
    assert not difference(labels(2, 2), labels(2, 2), labels(2, 2)).real


def judged(count: int = 40) -> Judged:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, count)
    given = np.full((count, 3), 0.1)
    given[np.arange(count), truth] = 0.8
    return Judged(
        ["a", "b"] * (count // 2), ["en"] * count, truth, given, np.zeros(count), np.zeros(count, bool), truth == 0
    )


def test_tables_have_a_line_for_each_set_and_for_all() -> None:
    found = tables(judged())
    assert [row["set"] for row in found["tone"]] == ["a", "b", "all"]
    assert [row["language"] for row in found["language"]] == ["en"]
    assert found["tone"][2]["mR"] == 100 and found["confidence"][0]["right"] == 100
    curve = [row for row in found["curve"] if row["set"] == "all"]
    at = {row["sure at least"]: row for row in curve}
    assert at[0.7]["found by ticket"] == at[0.7]["tickets right"] == 100 and at[0.7]["in review"] == 0
    assert at[0.85]["found by ticket"] == 0 and at[0.85]["by ticket or review"] == 100
    assert all("–" not in line for line in markdown(found["tone"]).splitlines())
    assert markdown([]) == ""


# ---- the files ----


def lines(path: Path, *rows: Any, packed: bool = False) -> Path:
    data = b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def test_plain_and_packed_files_read_the_same(tmp_path: Path) -> None:
    rows = [{"text": "x &amp; y", "tone": "negative", "lang": "en"}, {"text": "y", "tone": "POS", "question": True}]
    plain, packed = lines(tmp_path / "a.jsonl", *rows), lines(tmp_path / "a.jsonl.gz", *rows, packed=True)
    assert read_posts([plain]).rows == read_posts([packed]).rows
    first, second = read_posts([plain]).rows
    assert (first.where, first.text, first.tone, first.language, first.wanted) == ("a", "x & y", 0, "en", True)
    assert (second.tone, second.language, second.wanted) == (2, None, True)


def test_bad_lines_are_named_by_number_and_stop_nothing(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {"text": "fine", "tone": "neutral"},
        b"{",
        b"\xff",
        {"text": 5, "tone": "neutral"},
        {"text": "x", "tone": "angry"},
        {"text": "x", "tone": 1},
        b"[]",
        b"",
        {"text": "no tone"},
        {"text": "fine", "tone": "positive", "target": 5, "lang": None},
    )
    posts = read_posts([path])
    assert [row.tone for row in posts.rows] == [1, 2] and posts.toneless == 1
    assert [int(bad.split(":")[1]) for bad in posts.bad] == [2, 3, 4, 5, 6, 7]
    assert "'angry'; known: negative, neutral, positive" in posts.bad[3]


@pytest.mark.parametrize("data", [b"", b"{}", b"\x1f\x8bnot gzip", b'{"text": "x", "tone": "angry"}'])
def test_a_file_without_posts_is_an_error_that_names_it(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(NotFound, match=r"a\.jsonl"):
        read_posts([path])
    with pytest.raises(NotFound, match="nowhere"):
        read_posts([tmp_path / "nowhere"])
