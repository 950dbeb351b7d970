"""Queries of the config: mistakes and warnings, told with their place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.config.reading import Node, Text, read_yaml
from crawler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from crawler.app import App
    from crawler.model import Brand

_SHOWN = 160


def query_problems(app: App) -> list[Problem]:
    """Every brand's query that cannot be read."""
    from crawler.matching import plan

    problems = []
    for number, brand in enumerate(app.config.brands):
        try:
            if brand.query is not None:
                plan(brand.query)
        except ConfigError as error:
            problems += [_placed(app, number, brand, problem) for problem in error.problems]
    return problems


def query_warnings(app: App) -> list[Problem]:
    """Terms of queries and names that will be found in very many texts."""
    from crawler.matching import name_warnings

    found = []
    for number, brand in enumerate(app.config.brands):
        found += [_at_name(app, number, name, message, fix) for name, message, fix in name_warnings(brand)]
        for at, message, fix in _warnings(brand.query or ""):
            text = brand.query or ""
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            found.append(_placed(app, number, brand, Problem("", line, column, message, fix, warning=True)))
    return found


def _warnings(query: str) -> list[tuple[int, str, str]]:
    from crawler.matching import parse, warnings

    try:
        return warnings(parse(query)) if query else []
    except ConfigError:  # told as a mistake already
        return []


def _placed(app: App, number: int, brand: Brand, problem: Problem) -> Problem:
    """A problem of the query moved to where that part of the query stands in the config."""
    query = brand.query or ""
    lines = query.split("\n")
    offset = sum(len(line) + 1 for line in lines[: problem.line - 1]) + problem.column - 1
    line, column = _place_in_file(app, _node(app, number, "query"), query, offset)
    inner = f" (line {problem.line}, column {problem.column} of the query)" if len(lines) > 1 else ""
    message = f"brand {brand.name!r}: query: {problem.message}{inner}"
    fix = problem.fix and problem.fix[:_SHOWN]
    return Problem(str(app.config.path), line, column, message, fix, problem.warning)


def _at_name(app: App, number: int, name: str, message: str, fix: str) -> Problem:
    node = _node(app, number)
    place = next(
        (found for key in ("name", "also") if (found := _scalar(node.child(key) if node else None, name))), node
    )
    line, column = (place.line, place.column) if place else (1, 1)
    return Problem(str(app.config.path), line, column, message, fix, warning=True)


def _scalar(node: Node | None, value: str) -> Node | None:
    if node is None or isinstance(node.value, dict):
        return None
    if isinstance(node.value, list):
        return next((found for part in node.value if (found := _scalar(part, value))), None)
    return node if str(node.value).strip() == value else None


def _node(app: App, number: int, *keys: str) -> Node | None:
    try:
        root = read_yaml(app.config.text, Text(str(app.config.path), tuple(app.config.text.split("\n"))))
    except ConfigError:
        return None
    node, walked = root.down(("brands", number, *keys))
    return node if len(walked) == 2 + len(keys) else None


def _place_in_file(app: App, node: Node | None, value: str, offset: int) -> tuple[int, int]:
    """(line, column) in the file of the character `offset` of a scalar; white space and quoting may differ there."""
    if node is None:
        return 1, 1
    text = app.config.text
    lines = text.split("\n")
    start = place = sum(len(line) + 1 for line in lines[: node.line - 1]) + node.column - 1
    if text[start : start + 1] in ("|", ">"):
        start = place = text.find("\n", start) + 1
    elif text[start : start + 1] in ("'", '"'):
        place = start + 1
    quote = text[start] if place > start else ""
    for char in value[:offset]:
        place = _after(text, place, char, quote)
    while offset < len(value) and text[place : place + 1].isspace() and not value[offset].isspace():
        place += 1
    return text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)


def _after(text: str, place: int, char: str, quote: str) -> int:
    """The place behind `char`, which stands at `place` or, after white space or an escape, a little later."""
    if char.isspace():
        return place + 1 if text[place : place + 1].isspace() else place
    while place < len(text) and text[place].isspace():
        place += 1
    if quote == '"' and text[place : place + 1] == "\\":
        return place + {"x": 4, "u": 6, "U": 10}.get(text[place + 1 : place + 2], 2)
    return place + (2 if quote == "'" and char == "'" else 1)
