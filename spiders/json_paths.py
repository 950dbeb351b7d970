"""JMESPath with the few functions that the answers of platforms need; compiled once, checked when the config is read.

Functions beside JMESPath's own: html(x), markdown(x), unquoted(x), plain(x), text(x), lines([x, ...]), words([x, ...]),
link('https://…/{}', x), match('pattern', x), host(url), utc(date), count(x), find(list, 'key', value). All take
anything and give null for what they cannot read: an answer never makes them raise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import jmespath
from jmespath import functions
from pydantic import AfterValidator

from crawler.text import strip_markup
from spiders.quotes import html_text, markdown_text, unquoted

ANY: dict[str, list[str]] = {"types": []}
_WIKI_LINK = re.compile(r"\[(?:club|id|public|event)\d{1,20}(?::[^\]|]{0,80})?\|([^\]\[|]{1,300})\]")
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?")
_COUNT = re.compile(r"(\d{1,3}(?:[ \u00a0,.]\d{3})+|\d{1,15}(?:[.,]\d{1,3})?)\s?([KkMmBbКкМмТт]?)")
_SCALE = {"k": 1e3, "к": 1e3, "т": 1e3, "m": 1e6, "м": 1e6, "b": 1e9, "": 1.0}
_LONGEST = 400_000
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Databases count no further.
_MOST = 1e18


class _Functions(functions.Functions):  # type: ignore[misc]
    """What `Options(custom_functions=...)` wants: methods named `_func_NAME`."""

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_html(self, value: Any) -> str | None:
        """HTML as its reader sees it, without what it quotes."""
        said = word(value)
        return None if said is None else html_text(said[:_LONGEST])

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_markdown(self, value: Any) -> str | None:
        """Markdown without quoted lines, links and comments."""
        said = word(value)
        return None if said is None else markdown_text(said[:_LONGEST])

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_unquoted(self, value: Any) -> str | None:
        """Plain text without its quoted lines."""
        said = word(value)
        return None if said is None else unquoted(said[:_LONGEST])

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_plain(self, value: Any) -> str | None:
        """Text whose entities and stray tags are undone; `[club1|Name]` is the name."""
        said = word(value)
        return None if said is None else _WIKI_LINK.sub(r"\1", strip_markup(said[:_LONGEST]))

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_text(self, value: Any) -> str | None:
        return word(value)

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_lines(self, values: Any) -> str | None:
        """What is there of several texts, each in its own paragraph, none twice."""
        said = dict.fromkeys(filter(None, map(word, values))) if isinstance(values, list) else {}
        return "\n\n".join(said) or None

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_words(self, values: Any) -> str | None:
        """What is there of several words, with blanks between, such as first and last name."""
        said = [found.strip() for found in map(word, values) if found] if isinstance(values, list) else []
        return " ".join(said) or None

    @functions.signature(ANY, {"types": [], "variadic": True})  # type: ignore[untyped-decorator]
    def _func_link(self, template: Any, *values: Any) -> str | None:
        """`{}` of the template filled in order, percent-encoded; null when one is missing."""
        words = [word(value) for value in values]
        if not isinstance(template, str) or not all(words) or template.count("{}") != len(words):
            return None
        return template.format(*(_quoted(said or "") for said in words))

    @functions.signature(ANY, ANY)  # type: ignore[untyped-decorator]
    def _func_match(self, pattern: Any, value: Any) -> str | None:
        """The first group (or all) of what a pattern (RE2) finds."""
        import re2

        said = word(value)
        found = re2.search(pattern, said[:_LONGEST]) if said and isinstance(pattern, str) else None
        return str(found[found.re.groups and 1]) if found and found[found.re.groups and 1] is not None else None

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_host(self, value: Any) -> str | None:
        try:
            return urlsplit(word(value) or "").hostname
        except ValueError:
            return None

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_utc(self, value: Any) -> str | None:
        """A date that names no zone, said to be UTC."""
        said = word(value)
        return f"{said}Z" if said and _NAIVE.fullmatch(said.strip()) else said

    @functions.signature(ANY)  # type: ignore[untyped-decorator]
    def _func_count(self, value: Any) -> int | None:
        return count(value)

    @functions.signature(ANY, ANY, ANY)  # type: ignore[untyped-decorator]
    def _func_find(self, items: Any, key: Any, value: Any) -> Any:
        """The first object of a list whose `key` has the value; an object of objects is looked through too."""
        if isinstance(items, dict):
            items = list(items.values())
        wanted = word(value) or object()
        for item in items if isinstance(items, list) else ():
            # Numbers come as words from some servers.
            if (
                isinstance(item, dict)
                and value is not None
                and (item.get(key) == value or word(item.get(key)) == wanted)
            ):
                return item
        return None


def _quoted(said: str) -> str:
    """Percent-encoded once: some servers give parts of addresses encoded already."""
    encoded = "%" in said and not _BAD_PERCENT.search(said)
    return quote(said, safe="@:~,!%" if encoded else "@:~,!")


_OPTIONS = jmespath.Options(custom_functions=_Functions())


class Path:
    """One compiled expression."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._parsed = jmespath.compile(expression)

    def __call__(self, data: Any) -> Any:
        """The value, or None when the data is of another shape than the expression thinks."""
        try:
            return self._parsed.search(data, options=_OPTIONS)
        except (jmespath.exceptions.JMESPathError, TypeError, ValueError, OverflowError, RecursionError):
            # The library compares a text with a number by Python's own rules, which raise.
            return None


@lru_cache(maxsize=4096)
def path(expression: str) -> Path:
    """Compiles an expression. ValueError says what is wrong with it and where."""
    try:
        made = Path(expression)
    except jmespath.exceptions.JMESPathError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{expression!r} is no JMESPath: {said[:200]}") from None
    _known_functions(expression, made._parsed.parsed)
    return made


def _known_functions(expression: str, node: Mapping[str, Any]) -> None:
    """JMESPath finds an unknown function only when it meets data: here it is found in the config."""
    name = node.get("value")
    known = _Functions.FUNCTION_TABLE
    if node.get("type") == "function_expression" and name not in known:
        raise ValueError(f"{expression!r}: there is no function {name!r}; known: {', '.join(sorted(known))}")
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            _known_functions(expression, child)


def _checked(expression: str) -> str:
    path(expression)
    return expression


JsonPath = Annotated[str, AfterValidator(_checked)]
"""A field of Settings that holds a JMESPath expression: a wrong one is refused when the config is read."""


def word(value: Any) -> str | None:
    """Text of a plain value; None of null, objects and lists."""
    if isinstance(value, bool) or value is None:
        return None if value is None else str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value) if isinstance(value, str | int) else None


def count(value: Any) -> int | None:
    """A whole number of a JSON number or of words such as "12.5M" and "1 234"; None for what is no number."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) if abs(value) < _MOST else None
    found = _COUNT.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 40 else None
    if not found:
        return None
    grouped = re.fullmatch(r"\d{1,3}(?:[ \u00a0,.]\d{3})+", found[1]) and not found[2]
    digits = re.sub(r"\D", "", found[1]) if grouped else found[1].replace(",", ".").replace(" ", "")
    number = float(digits.replace("\u00a0", "")) * _SCALE[found[2].lower()]
    return int(number) if number < _MOST else None
