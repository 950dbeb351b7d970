"""Queries through the command: check, preview, and a mention with its why."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.installation import Installation

pytestmark = pytest.mark.e2e

BRANDS = """\
  - {name: Apple, about: [iphone, оплата]}
  - name: Ladna Pay
    query: >-
      NAMES NEAR/3 (суд OR court)
      NOT реклама
"""


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure("", brands=BRANDS)
    return made


def why(place: Installation, text: str) -> str:
    return str(place.json("preview", "--text", text)[0]["why"])


def test_preview_says_why_and_why_not(place: Installation) -> None:
    assert "none of iphone, оплата within 300 characters" in why(place, "an apple a day")
    assert "excluded by NOT реклама" in why(place, "реклама: Ladna Pay у суді")
    assert "have 4 words between them: 3 at most are wanted" in why(place, "Ladna Pay a b c d суд")
    [row, _] = place.json("preview", "--text", "Ladna Pay у суді")
    assert "«Ladna Pay» (brand) at 0-9 (name; query)" in row["mentions"][0]
    assert "«суді» (brand) at 12-16 (query)" in row["mentions"][0]
    told = place.run("preview", "--text", "Ladna Pay у суді, an apple").out
    assert "Ladna Pay: «суді» at 12-16 (brand суд): counts: query" in told
    assert "Apple: «apple» at 21-26 (brand Apple): does not count: none of iphone" in told


def test_check_refuses_a_query_at_its_place(place: Installation) -> None:
    place.configure("", brands=BRANDS.replace("NOT реклама", "AND"))
    said = place.run("check", code=2).out
    line = place.config.read_text(encoding="utf-8").split("\n").index("      AND") + 1
    assert f"mention-crawler.yaml:{line}:" in said and "found the end after AND: expected a word" in said
    assert "expected a word" in place.run("preview", "--text", "x", code=2).err


def test_check_warns_and_stays_good(place: Installation) -> None:
    place.configure("", brands="  - {name: Ladna Pay, query: банк OR ladnapay}")
    ended = place.run("check")
    assert "warning: brand 'Ladna Pay': query: банк is a common word" in ended.out and "1 warning" in ended.err
    [row] = place.json("check")
    assert row["warning"] is True and row["line"] == 4
