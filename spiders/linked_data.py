"""schema.org data of a page (JSON-LD and microdata) as plain nodes: references resolved, types as short names."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spiders.html import Element

Node = dict[str, Any]

SCRIPT_CHARS = 2_000_000
MOST_NODES = 5000
MOST_SCOPES = 2000
MOST_PROPERTIES = 6000
DEEPEST = 40
_TOO_DEEP = "boolean(//*[@itemscope][count(ancestor::*[@itemscope]) > 8])"
_BAD_ESCAPE = re.compile(r"\\(?![\"\\/bfnrtu])")
_CONTROL = re.compile(r"[\x00-\x1f]+")
_WRAPPING = re.compile(r"^\s*(?:<!--|//<!\[CDATA\[|/\*<!\[CDATA\[\*/|<!\[CDATA\[)|(?://\s*)?(?:-->|\]\]>)\s*$")


@dataclass(frozen=True, slots=True)
class Found:
    """One typed node and the typed nodes around it, the innermost last."""

    node: Node
    types: frozenset[str]
    around: tuple[Node, ...]


def found(root: Element, url: str) -> list[Found]:
    """Every typed node of a page: JSON-LD first, then microdata; what cannot be read is left out."""
    nodes: list[Found] = []
    for item in (*json_ld(root), *microdata(root, url)):
        for one in _walk(item, ()):
            nodes.append(one)
            if len(nodes) >= MOST_NODES:
                return nodes
    return nodes


def json_ld(root: Element) -> list[Any]:
    """The data of every JSON-LD script; broken JSON is mended where that is safe (control characters, comments)."""
    scripts = root.xpath("//script[contains(translate(@type, 'LDJSON', 'ldjson'), 'ld+json')]")
    return [data for script in scripts if (data := _read("".join(script.itertext()))) is not None]


def _read(text: str) -> Any:
    if not text.strip() or len(text) > SCRIPT_CHARS:
        return None
    # Mending goes from mild to rough; the first reading that parses is taken.
    for mend in (_as_it_is, _unwrapped, _escaped, _without_comments, html.unescape):
        try:
            return json.loads(mend(text), strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _as_it_is(text: str) -> str:
    return text


def _unwrapped(text: str) -> str:
    return _WRAPPING.sub("", _WRAPPING.sub("", text)).strip().rstrip(";")


def _escaped(text: str) -> str:
    return _BAD_ESCAPE.sub(r"\\\\", _CONTROL.sub(" ", _unwrapped(text)))


def _without_comments(text: str) -> str:
    import jstyleson

    return str(jstyleson.dispose(_BAD_ESCAPE.sub(r"\\\\", _unwrapped(text)) + "\n"))


def microdata(root: Element, url: str) -> list[Any]:
    """The page's microdata in the shape of JSON-LD; none of a page that extruct would read for minutes."""
    scopes, props = root.xpath("count(//*[@itemscope])"), root.xpath("count(//*[@itemprop])")
    if not 0 < scopes <= MOST_SCOPES or props > MOST_PROPERTIES or root.xpath(_TOO_DEEP):
        return []
    from extruct.w3cmicrodata import MicrodataExtractor

    return [_uniform(item, 0) for item in MicrodataExtractor().extract_items(root, url)]


def _uniform(value: Any, depth: int) -> Any:
    if isinstance(value, list):
        return [_uniform(one, depth) for one in value]
    if not isinstance(value, dict) or depth > DEEPEST:
        return value
    node = {name: _uniform(one, depth + 1) for name, one in value.get("properties", {}).items()}
    if "type" in value:
        node["@type"] = value["type"]
    if "id" in value:
        node["@id"] = value["id"]
    return node


def types_of(node: Node) -> frozenset[str]:
    """Short names of a node's types: `https://schema.org/Review` and `schema:Review` are `Review`."""
    said = node.get("@type")
    names = said if isinstance(said, list) else [said]
    return frozenset(re.split(r"[/#:]", name.rstrip("/"))[-1] for name in names if isinstance(name, str))


def _walk(value: Any, around: tuple[Node, ...]) -> Iterator[Found]:
    """Typed nodes in the order of the page."""
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, around)
        return
    if not isinstance(value, dict) or len(around) >= DEEPEST:
        return
    types = types_of(value)
    if types:
        yield Found(value, types, around)
    inside = (*around, value) if types else around
    for one in value.values():
        if isinstance(one, (dict, list)):
            yield from _walk(one, inside)


def resolved(value: Any, nodes: dict[str, Node]) -> Any:
    """The node that a bare `{"@id": …}` means, or the value itself."""
    if isinstance(value, dict) and set(value) == {"@id"} and isinstance(value["@id"], str):
        return nodes.get(value["@id"], value)
    return value


def ids_of(nodes: list[Found]) -> dict[str, Node]:
    """Nodes by `@id`, for `resolved`."""
    index: dict[str, Node] = {}
    for one in nodes:
        id_ = one.node.get("@id")
        if isinstance(id_, str) and len(one.node) > 1:
            index.setdefault(id_, one.node)
    return index


def first(value: Any) -> Any:
    """The first of a list, or the value; None of an empty list."""
    while isinstance(value, list):
        value = next((one for one in value if one not in (None, "", [], {})), None)
    return value


def text(value: Any) -> str:
    """The words of a value: a string, a number, `@value`, or a node's name; "" when it has none."""
    value = first(value)
    if isinstance(value, dict):
        value = first(value.get("@value", value.get("name")))
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).strip()


def link(value: Any) -> str:
    """The address in a value: a string, or a node's url or @id."""
    value = first(value)
    if isinstance(value, dict):
        value = first(value.get("url")) or value.get("@id")
    return value.strip() if isinstance(value, str) else ""
