"""Templates: JSON-like data in which `{name}` stands for a value. Plain names only, never code; `{{` is a brace.

A placeholder alone keeps the type of its value; a key whose placeholders all stand for nothing is left out. A value
within other text is written for the edge where it lands (URL, XML, JSON within text).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Protocol
from urllib.parse import quote
from xml.sax.saxutils import escape

from sinks.plain import cut

_BRACES = re.compile(r"\{\{|\}\}|\{([a-z_][a-z0-9_]*)\}")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TRIES = 12
Coding = Callable[[str], str]


class Absent:
    """Stands for a key or item that is left out."""


ABSENT = Absent()


class Values(Protocol):
    """What the placeholders stand for. `long` asks for the form that is safe within a formatted text."""

    def get(self, name: str, *, long: bool) -> Any: ...

    def literal(self, text: str) -> str:
        """Text of the template itself, within a formatted text."""

    def also(self, more: Mapping[str, Any]) -> Values:
        """The same with some values more, which are written as safely as the others."""

    def shortened(self, keep: int) -> Values:
        """The same with its long text cut to `keep` characters."""

    @property
    def size(self) -> int:
        """Characters of the long text."""


WHEN, AS_JSON = "$when", "$json"
"""Keys of a template: `$when` leaves its mapping out when it stands for nothing, `$json` makes JSON text of a value."""
SECRET = "secret_"
"""`{secret_NAME}` is one of the sink's `secrets`, wherever a template stands."""
LONG = frozenset({"body", "comment"})


def names_in(template: Any) -> Iterator[str]:
    """Every placeholder of a template, keys included."""
    if isinstance(template, Mapping):
        for key, value in template.items():
            yield from names_in(key)
            yield from names_in(value)
    elif isinstance(template, list | tuple):
        for item in template:
            yield from names_in(item)
    elif isinstance(template, str):
        yield from (name for name in _BRACES.findall(template) if name)


def refuse_unknown(template: Any, known: frozenset[str], where: str) -> None:
    """ValueError for the first placeholder that is not in `known`, with the one that was probably meant."""
    for name in names_in(template):
        if name not in known and not name.startswith(SECRET):
            close = get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {{{close[0]}}}?" if close else f"known: {', '.join(sorted(known))}"
            raise ValueError(
                f"{where}: there is no placeholder {{{name}}} here; {hint} (a plain brace is written twice)"
            )


def fill(template: Any, values: Values, limits: Mapping[str, int] | None = None, path: str = "") -> Any:
    """`template` with its values; ABSENT when all it stands for is nothing."""
    if isinstance(template, Mapping):
        if {WHEN, AS_JSON} & set(template):
            return _special(template, values, limits, path)
        pairs = [
            (fill_text(str(key), values), fill(item, values, limits, f"{path}.{key}" if path else str(key)))
            for key, item in template.items()
        ]
        kept = {key: item for key, item in pairs if not isinstance(item, Absent)}
        return kept if kept or not pairs or not path else ABSENT
    if isinstance(template, list | tuple):
        return [made for item in template for made in _items(item, fill(item, values, limits, path))]
    if not isinstance(template, str):
        return template
    return _limited(template, values, _limit(limits or {}, path))


def _special(template: Mapping[Any, Any], values: Values, limits: Mapping[str, int] | None, path: str) -> Any:
    """A mapping with `$when` or `$json`."""
    if isinstance(fill(template.get(WHEN, "always"), values), Absent):
        return ABSENT
    if AS_JSON not in template:
        return fill({key: item for key, item in template.items() if key != WHEN}, values, limits, path)
    made = fill(template[AS_JSON], values, limits, path)
    if isinstance(made, Absent):
        return made
    return json.dumps(made, ensure_ascii=False).encode("utf-8", "replace").decode()


def _items(template: Any, filled: Any) -> list[Any]:
    """What an item of a list becomes: a list that one placeholder stands for joins it."""
    if isinstance(filled, Absent):
        return []
    return filled if isinstance(filled, list) and isinstance(template, str) else [filled]


def _limit(limits: Mapping[str, int], path: str) -> int | None:
    return limits.get(path, limits.get(path.rpartition(".")[2]))


def _limited(template: str, values: Values, limit: int | None) -> Any:
    filled = _string(template, values)
    if limit is None or not isinstance(filled, str) or len(filled) <= limit:
        return filled
    keep = values.size
    for _ in range(_TRIES if LONG & set(names_in(template)) else 0):
        # Only the long text shrinks: what stands behind it, such as the marker, must stay whole.
        keep = max(0, keep - (len(filled) - limit) - 1)
        filled = str(_string(template, values.shortened(keep)))
        if len(filled) <= limit:
            return filled
    return cut(filled, limit)


def _string(template: str, values: Values) -> Any:
    names = list(names_in(template))
    if not names:
        return _BRACES.sub(_brace, template)
    long = bool(LONG & set(names))
    if len(names) == 1 and template == f"{{{names[0]}}}":
        value = values.get(names[0], long=long)
        return ABSENT if value is None or value == "" or value == [] else value
    if all(values.get(name, long=long) in (None, "", []) for name in names):
        return ABSENT
    return _joined(template, values, long)


def _brace(match: re.Match[str]) -> str:
    return match[0][0] if match[1] is None else match[0]


def _joined(template: str, values: Values, long: bool) -> str:
    out, at = [], 0
    for match in _BRACES.finditer(template):
        before = template[at : match.start()]
        out.append(values.literal(before) if long else before)
        out.append(as_text(values.get(match[1], long=long)) if match[1] else match[0][0])
        at = match.end()
    rest = template[at:]
    whole = "".join([*out, values.literal(rest) if long else rest])
    return whole.strip() if long else whole


def fill_text(template: str, values: Values, coding: Coding = str) -> str:
    """`template` as text, each value written by `coding`; what stands for nothing is empty."""
    return _BRACES.sub(
        lambda match: coding(as_text(values.get(match[1], long=False))) if match[1] else match[0][0], template
    )


def fill_path(template: str, values: Values) -> str:
    """A path whose values are percent-encoded; a value that is a dot segment cannot climb."""
    return fill_text(template, values, in_url)


def in_url(value: str) -> str:
    coded = quote(value.encode("utf-8", "replace"), safe="")
    return coded.replace(".", "%2E") if set(value) == {"."} else coded


def in_xml(value: str) -> str:
    """`value` as XML character data or attribute; characters that XML cannot carry are left out."""
    return escape(_NOT_XML.sub("", value), {'"': "&quot;", "'": "&apos;"})


def in_json_text(value: str) -> str:
    """`value` within the quotes of a JSON string."""
    return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False)[1:-1]


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(as_text, value)) if isinstance(value, list | tuple) else str(value)
