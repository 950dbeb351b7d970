"""Selectors as data: `selector` or `selector@attribute`; CSS, or XPath when it begins with `/`, `./`, `(`, `xpath:`.

Alternatives are separated by commas, each with its own attribute, and the first that gives a word wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from lxml import etree
from pydantic import AfterValidator

from spiders.html import Element, text_of

_ATTRIBUTE = re.compile(r"^(?P<css>.*?)\s*@(?P<attribute>[A-Za-z_][\w:.-]*)$", re.S)
_XPATH = ("/", "./", "(", "..")
# Commas between alternatives, not those inside [..], (..) or quotes.
_COMMA = re.compile(r",(?![^\[]*\])(?![^(]*\))(?=(?:[^\"']*[\"'][^\"']*[\"'])*[^\"']*$)")


@dataclass(frozen=True, slots=True)
class Part:
    """One alternative: a compiled path (None: the element itself) and the attribute that is meant (None: its text)."""

    path: Any
    attribute: str | None

    def all(self, element: Element) -> list[Any]:
        """Everything found in an element."""
        found = [element] if self.path is None else self.path(element)
        return found if isinstance(found, list) else [found]

    def word(self, found: Any) -> str | None:
        """Attribute value or text of one thing that was found, or None."""
        if isinstance(found, (str, bytes, int, float, bool)):
            return str(found).strip() or None
        if self.attribute:
            return (found.get(self.attribute) or "").strip() or None
        return text_of(found) or None


@dataclass(frozen=True, slots=True)
class Picker:
    """A compiled selector: `all` gives elements (or strings of an XPath), `value` and `values` their words."""

    parts: tuple[Part, ...]

    @property
    def attribute(self) -> str | None:
        return self.parts[0].attribute

    def all(self, element: Element) -> list[Any]:
        return [found for part in self.parts for found in part.all(element)]

    def values(self, element: Element) -> list[str]:
        """Attribute values or texts of everything found, without empty ones."""
        return [word for part in self.parts for found in part.all(element) if (word := part.word(found))]

    def value(self, element: Element) -> str | None:
        """The first attribute value or text that is not empty."""
        for part in self.parts:
            for found in part.all(element):
                if word := part.word(found):
                    return word
        return None

    def links(self) -> Picker:
        """The same selector where a link is wanted: an element without an attribute means its href."""
        return Picker(tuple(part if part.attribute else _Link(part.path, None) for part in self.parts))


class _Link(Part):
    def word(self, found: Any) -> str | None:
        if hasattr(found, "get"):
            return (found.get("href") or "").strip() or None
        return Part.word(self, found)


@lru_cache(maxsize=2048)
def picker(selector: str) -> Picker:
    """Compiles a selector. ValueError says what is wrong with it."""
    spec = selector.strip()
    if not spec:
        raise ValueError("a selector is empty")
    if spec.startswith(_XPATH) or spec.startswith("xpath:"):
        return Picker((Part(_xpath(spec.removeprefix("xpath:").strip(), selector), None),))
    if "@" not in spec:
        return Picker((_part(spec, selector),))
    return Picker(tuple(_part(piece.strip(), selector) for piece in _COMMA.split(spec)))


def _part(spec: str, selector: str) -> Part:
    split = _ATTRIBUTE.match(spec)
    css, attribute = (split["css"], split["attribute"]) if split else (spec, None)
    return Part(_xpath(_css(css, selector), selector) if css.strip() else None, attribute)


def _css(css: str, selector: str) -> str:
    from parsel.csstranslator import HTMLTranslator

    try:
        return HTMLTranslator().css_to_xpath(css)
    except Exception as error:
        raise ValueError(f"selector {selector!r} is not CSS: {error}; XPath begins with / or ./ or xpath:") from error


def _xpath(path: str, selector: str) -> Any:
    try:
        return etree.XPath(path, regexp=True, smart_strings=False)
    except etree.XPathSyntaxError as error:
        raise ValueError(f"selector {selector!r} is not valid: {error}") from error


def _checked(selector: str) -> str:
    picker(selector)
    return selector


Selecting = Annotated[str, AfterValidator(_checked)]
"""A field of Settings that holds a selector: a wrong one is refused when the config is read."""
