"""Kind `file`: exports are read piece by piece, and on from where the last run ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rough_site import run

pytestmark = pytest.mark.e2e


def job(path: Path, **more: Any) -> dict[str, Any]:
    return {"kind": "file", "settings": {"path": str(path), **more}}


def lines(*numbers: int) -> str:
    return "".join(json.dumps({"id": n, "text": f"Post {n}", "created_at": 1_795_082_400 + n}) + "\n" for n in numbers)


def test_a_long_file_is_read_in_pieces_and_once(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(*range(1200)) + "not json\n", "utf-8")
    first, again = run(job(path), job(path))
    assert (first["verdict"], first["new"], first["dropped"], len(first["documents"])) == ("ok", 1200, 1, 3)
    assert (again["verdict"], again["documents"]) == ("ok", [])


def test_a_run_that_dies_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(lines(*range(1200)), "utf-8")
    first, second = run({**job(path), "die_after": 1}, job(path))
    assert (first["new"], second["new"], second["seen"]) == (500, 700, 0)


def test_rows_of_several_lines_and_other_code_pages(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    body = 'ID;Author;Comment_Body\r\n1;Ада;"Каса\r\nзламалась; ""знову"""\r\n2;Том;добре\r\n'
    path.write_bytes(body.encode("cp1251"))
    [told] = run(job(path, fields={"text": "Comment_Body"}, encoding="windows-1251"))
    assert (told["verdict"], told["texts"]) == ("ok", ['Каса\r\nзламалась; "знову"', "добре"])


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    [told] = run(job(tmp_path / "none.csv"))
    assert told["verdict"] == "failed"
    assert "none.csv" in told["error"] and "correct `path`" in told["error"]


def test_a_line_separator_within_a_text_ends_no_row(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text('{"id": 1, "text": "one\u2028two"}\n{"id": 2, "text": "three\u0085"}\n', "utf-8", newline="")
    [told] = run(job(path))
    assert (told["verdict"], told["new"], told["dropped"]) == ("ok", 2, 0)


def test_one_json_document_is_read_as_rows(tmp_path: Path) -> None:
    """A list over many lines, or within an object; a file that grew is read again, each post once."""
    path = tmp_path / "posts.json"
    posts = [{"id": n, "text": f"Post {n}"} for n in range(1100)]
    path.write_text(json.dumps(posts, indent=1), "utf-8")
    wrapped = tmp_path / "wrapped.json"
    wrapped.write_text(json.dumps({"total": 3, "items": posts[:3]}), "utf-8")
    half = tmp_path / "half.json"
    half.write_text(json.dumps(posts[:3], indent=1)[:40], "utf-8")
    first, again, inner, broken = run(
        job(path), job(path), {**job(wrapped), "name": "wrapped"}, {**job(half), "name": "half"}
    )
    assert (first["verdict"], first["new"], len(first["documents"])) == ("ok", 1100, 3)
    assert (again["verdict"], again["documents"]) == ("ok", [])
    assert (inner["verdict"], inner["new"]) == ("ok", 3)
    assert broken["verdict"] == "failed" and "still being written" in broken["error"]
