"""The items of an answer in JSON, found by a shape. Pure, and free of Scrapy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from spiders.api_settings import Shape
from spiders.json_paths import path

DEEPEST = 60
MOST_ITEMS = 5001


def found(shape: Shape, data: Any) -> list[Any] | None:
    """The items of one shape: None where the answer has nothing like it, [] where it is there and empty."""
    items = path(shape.items)(data)
    if items is None or isinstance(items, str | int | float | bool):
        return None
    return list(items) if isinstance(items, list) else [items]


def told(items: Sequence[Any], shape: Shape, data: Any, url: str) -> Iterator[dict[str, Any]]:
    """Items with what stands around them, nested ones after the one they are nested in. No more than MOST_ITEMS."""
    parts = urlsplit(url)
    around = {"_doc": data, "_host": parts.hostname or "", "_site": f"{parts.scheme}://{parts.netloc}", "_url": url}
    stack: list[tuple[Any, Any, int]] = [(item, None, 0) for item in reversed(items)]
    for _ in range(MOST_ITEMS):
        if not stack:
            return
        item, above, depth = stack.pop()
        own = item if isinstance(item, dict) else {"_item": item}
        here = {**own, **around, "_up": above}
        yield here
        inner = path(shape.nested)(here) if shape.nested and depth < DEEPEST else None
        if isinstance(inner, list):
            stack.extend((one, own, depth + 1) for one in reversed(inner) if isinstance(one, dict))
