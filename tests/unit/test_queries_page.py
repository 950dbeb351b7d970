"""docs/queries.md tells the truth: every row of its tables is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.errors import ConfigError
from crawler.matching import Facts, Matcher, parse, plan, warnings
from crawler.model import Brand, Entity, EntityKind
from crawler.text import fold

PAGE = Path(__file__).resolve().parents[2] / "docs" / "queries.md"
KINDS = ("names", "queries", "post", "mistakes", "warnings")


def rows() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(the comment before the table, the cells of one row)."""
    lines, number = PAGE.read_text(encoding="utf-8").split("\n"), 0
    while number < len(lines):
        marked = re.fullmatch(r"<!-- (.*) -->", lines[number])
        number += 1
        if marked is None:
            assert not lines[number - 1].startswith("|"), f"a table that is not run: line {number}"
            continue
        assert marked[1].split(":")[0] in KINDS
        for line in lines[number + 2 :]:
            if not line.startswith("|"):
                break
            cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
            yield marked[1], cells
        while lines[number].startswith("|"):
            number += 1


ROWS = list(rows())


def of_kind(*kinds: str) -> list[tuple[str, tuple[str, ...]]]:
    return [row for row in ROWS if row[0].split(":")[0] in kinds]


def parts(comment: str) -> dict[str, list[str]]:
    return {
        key.strip(): [word.strip() for word in values.split(",")]
        for key, _, values in (part.partition(":") for part in comment.split(";"))
    }


def found(brand: Brand, text: str, facts: Facts) -> str:
    matches = Matcher([brand]).match(fold(text), text, facts)
    return ", ".join(hit.form for match in matches for hit in match.hits) or "no"


@pytest.mark.parametrize(("comment", "cells"), of_kind("names", "queries"))
def test_what_is_found(comment: str, cells: tuple[str, ...]) -> None:
    given = parts(comment) if ":" in comment else {}
    if len(cells) == 2:
        cells = ("", *cells)
    brand = Brand(
        "b",
        tuple(Entity(EntityKind.BRAND, name) for name in given.get("names", [])),
        about=tuple(given.get("about", ())),
        not_about=tuple(given.get("not_about", ())),
        query=cells[0] or None,
        id=1,
    )
    assert found(brand, cells[1].replace(" / ", "\n"), Facts()) == cells[2]


@pytest.mark.parametrize(("comment", "cells"), of_kind("post"))
def test_what_is_found_by_fields(comment: str, cells: tuple[str, ...]) -> None:
    told = comment.partition(":")[2]
    given = {key.strip(): value for key, _, value in (part.partition("=") for part in told.split(";"))}
    facts = Facts(
        title=len(given["title"]),
        author=given["author"].replace(", ", "\n"),
        url=given["url"],
        site=given["site"],
        kinds=(given["kind"],),
        language=lambda: given["lang"],
    )
    assert found(Brand("b", (), query=cells[0], id=1), f"{given['title']}\n{cells[1]}", facts) == cells[2]


@pytest.mark.parametrize(("comment", "cells"), of_kind("mistakes"))
def test_what_is_refused(comment: str, cells: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=re.escape(cells[1])):
        plan(cells[0])


@pytest.mark.parametrize(("comment", "cells"), of_kind("warnings"))
def test_what_is_warned_of(comment: str, cells: tuple[str, ...]) -> None:
    assert ", ".join(message.split()[0] for _, message, _ in warnings(parse(cells[0]))) in (cells[1], "")
    assert bool(warnings(parse(cells[0]))) is (cells[1] != "no")


def test_every_kind_of_table_is_there() -> None:
    assert len(ROWS) > 55 and all(of_kind(kind) for kind in KINDS)
