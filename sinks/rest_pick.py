"""Where a value stands in an answer: `json:path`, `header:Name`, `text:regex`. Regexes are RE2: linear in what comes.

A JSON path is names and numbers with dots; `*` takes every element, `[name=value]` the elements where it holds (the
name may be a path: `[to.name=Done]`), `["a.b"]` is a name with dots; ` =~ regex` behind a path takes a part of the text
there; `one | other` is the first path at which something stands. `header:Location` alone is its last path segment; a
regex may follow a header's name. A regex gives its first group; of XML, as the text that it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import unescape
from typing import Any
from urllib.parse import unquote, urlsplit

from crawler.errors import Permanent
from crawler.net.http import HttpAnswer

_STEP = re.compile(r"""\[([\w$@:.-]+)=([^\]]*)\]|\[(\d+|\*)\]|([^.\[\]]+)|\[(["'])(.+?)\5\]""")
_CDATA = ("<![CDATA[", "]]>")
_PART = " =~ "
_OR = " | "
_SPEC = re.compile(r"(json|header|text):(.*)", re.DOTALL)
_LONGEST = 2_000_000
_LONGEST_ID = 4000
_DEEP, _WIDE = 5, 200


def checked(spec: str) -> str:
    """`spec` when it can be understood; ValueError says what is wrong."""
    kind, rest = parts(spec)
    if kind == "json":
        for one in rest.split(_OR) if _PART not in rest else [rest]:
            path, _, pattern = one.partition(_PART)
            steps(path)
            regex(pattern)
    elif kind == "text":
        regex(rest)
    else:
        name, _, pattern = rest.strip().partition(" ")
        if not re.fullmatch(r"[A-Za-z0-9-]+", name):
            raise ValueError(f"{spec!r}: header: takes the name of a header, e.g. header:Location")
        if pattern.strip():
            regex(pattern.strip())
    return spec


def parts(spec: str) -> tuple[str, str]:
    """(json | header | text, the rest); a spec without a prefix is a JSON path."""
    found = _SPEC.fullmatch(spec.strip())
    return (found[1], found[2]) if found else ("json", spec.strip())


@cache
def regex(pattern: str) -> Any:
    """A compiled RE2; ValueError when it is none."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else "it does not compile"
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"{pattern!r} is no regular expression of RE2: {said}") from None


@cache
def steps(path: str) -> tuple[tuple[str, str], ...]:
    """A path as (what, value) steps; ValueError when it is none."""
    left = path.strip().removeprefix("$")
    found = []
    at = 0
    while at < len(left):
        if left[at] == ".":
            at += 1
            continue
        match = _STEP.match(left, at)
        if match is None:
            raise ValueError(f"{path!r} is no path; write it like results.0.id or fields[name=key].value")
        at = match.end()
        found.append((match[1], match[2]) if match[1] else ("", match[3] or match[4] or match[6]))
    return tuple(found)


def in_json(data: Any, path: str) -> Any:
    """The value at `path`; None where there is nothing. Steps that take several give a list."""
    if _OR in path and _PART not in path:
        return next((found for one in path.split(_OR) if (found := in_json(data, one)) is not None), None)
    if _PART in path:
        path, _, pattern = path.partition(_PART)
        whole = in_json(data, path)
        found = [in_text(_plain(value), pattern) for value in values_of(whole)]
        return found if isinstance(whole, list) else next(iter(found), None)
    values = _walked(data, path)
    several = any(name or step == "*" for name, step in steps(path))
    return values if several else (values[0] if values else None)


def _walked(data: Any, path: str) -> list[Any]:
    """Every value at `path`; none where there is nothing, one None for a null."""
    values = [data]
    for name, step in steps(path):
        values = [found for value in values for found in _below(value, name, step)]
    return values


def _below(value: Any, name: str, step: str) -> Iterator[Any]:
    if name:
        items = value if isinstance(value, list) else []
        yield from (item for item in items if isinstance(item, Mapping) and _plain(_named(item, name)) == step)
    elif step == "*":
        if isinstance(value, list | Mapping):
            yield from value.values() if isinstance(value, Mapping) else value
    elif isinstance(value, Mapping):
        if step in value:
            yield value[step]
    elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
        yield value[int(step)]


def _named(item: Mapping[str, Any], name: str) -> Any:
    """What a condition compares: a key, or a path below it."""
    return in_json(item, name) if "." in name and name not in item else item.get(name)


class XmlText(str):
    """An item of an XML list: what is taken out of it is read as XML reads it."""


def plain_xml(value: str) -> str:
    """Character data of XML as the text it stands for: entities decoded, CDATA taken out of its wrapping."""
    out, (before, opened, rest) = [], value.partition(_CDATA[0])
    while opened:
        inside, closed, behind = rest.partition(_CDATA[1])
        if not closed:
            break
        out += [unescape(before), inside]
        before, opened, rest = behind.partition(_CDATA[0])
    return "".join([*out, unescape(before), opened, rest])


def _is_xml(answer: HttpAnswer) -> bool:
    return "xml" in answer.headers.get("content-type", "").lower() or answer.body.lstrip()[:5] == b"<?xml"


def in_text(text: str, pattern: str) -> str | None:
    found = regex(pattern).search(text[:_LONGEST])
    if found is None:
        return None
    return str(found.group(1) if found.re.groups else found.group(0))


def in_answer(answer: HttpAnswer, spec: str) -> Any:
    """The value that `spec` names in an answer; None where there is none. Raises Permanent for JSON that is none."""
    kind, rest = parts(spec)
    if kind == "json":
        return in_json(answer.json(), rest) if answer.body.strip() else None
    if kind == "text":
        found = in_text(answer.text, rest)
        return plain_xml(found) if found is not None and _is_xml(answer) else found
    return _in_header(answer.headers, rest)


def _in_header(headers: Mapping[str, str], rest: str) -> str | None:
    name, _, pattern = rest.strip().partition(" ")
    value = headers.get(name.lower())
    if value is None:
        return None
    if pattern.strip():
        return in_text(value, pattern.strip())
    if name.lower() == "location":
        return unquote(urlsplit(value).path.rstrip("/").rpartition("/")[2]) or None
    return value.strip()


def in_item(item: Any, spec: str) -> Any:
    """The value that `spec` names in one item of a list: of JSON, or of text (then the spec is `text:regex`)."""
    kind, rest = parts(spec)
    if isinstance(item, str) and rest.strip(" $"):
        found = in_text(item, rest) if kind == "text" else None
        return plain_xml(found) if found is not None and isinstance(item, XmlText) else found
    return in_json(item, rest) if kind == "json" else None


def items_in(answer: HttpAnswer, spec: str | None) -> list[Any] | None:
    """The items of a list: each match of a `text:` regex, or JSON; None when there is no list where one is due.

    Without a spec the answer is the list, or its one item.
    """
    kind, rest = parts(spec or "json:")
    if kind == "text":
        found = regex(rest).finditer(answer.text[:_LONGEST])
        made: type[str] = XmlText if _is_xml(answer) else str
        return [made(match.group(1) if match.re.groups else match.group(0)) for match in found]
    whole = answer.json() if answer.body.strip() else None
    if _OR in rest:
        rest = next((one for one in rest.split(_OR) if _walked(whole, one)), rest.rpartition(_OR)[2])
    if whole is not None and not _walked(whole, rest):
        return [] if any(name or step == "*" for name, step in steps(rest)) or _says_nothing(whole, rest) else None
    data = None if whole is None else in_json(whole, rest)
    if isinstance(data, Mapping):
        values = list(data.values())
        keyed = spec is not None and bool(values) and all(isinstance(value, Mapping) for value in values)
        return values if keyed else [data] if data else []
    if data is None:
        return []
    return list(data) if isinstance(data, list) else None


def _says_nothing(data: Any, path: str) -> bool:
    """Whether the path ends at an empty `{}` or `[]`: many servers leave a list out that has no items."""
    values = [data]
    for name, step in steps(path):
        below = [found for value in values for found in _below(value, name, step)]
        if not below:
            break
        values = below
    return values in ([{}], [[]])


def scalar(value: Any) -> str | None:
    """An id as text: of a number or text, also as the only one of a list; None when it is neither."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = _plain(value).strip()
    return text if 0 < len(text) <= _LONGEST_ID else None


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def values_of(value: Any) -> Sequence[str]:
    """What may be compared with a condition: the value, or each of a list, as text."""
    found = value if isinstance(value, list) else [value]
    return [_plain(item) for item in found if item is not None]


def near(answer: HttpAnswer, spec: str) -> str:
    """Where an answer holds what was looked for at a wrong path, as a hint: the same name elsewhere; else nothing."""
    kind, path = parts(spec)
    wanted = [step for name, step in steps(path.partition(_PART)[0]) if not name and not step.isdigit() and step != "*"]
    if kind != "json" or not wanted:
        return ""
    try:
        whole = answer.json()
    except Permanent:
        return ""
    found = [place for place in _places(whole) if place.rpartition(".")[2].lower() == wanted[-1].lower()]
    return f" (there is one at json:{min(found, key=len)})" if found else ""


def _places(data: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    if isinstance(data, list):
        data = dict(enumerate(data[:1]))
    if isinstance(data, Mapping) and depth < _DEEP:
        for name, value in list(data.items())[:_WIDE]:
            place = f"{path}.{name}" if path else str(name)
            yield place
            yield from _places(value, place, depth + 1)
