"""Selectors as data: `selector` or `selector@attribute`; CSS, or XPath when it begins with `/`, `./`, `(`, `xpath:`."""

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


@dataclass(frozen=True, slots=True)
class Picker:
    """A compiled selector: `all` gives elements or strings, `text` and `value` the first one's words."""

    path: Any
    attribute: str | None

    def all(self, element: Element) -> list[Any]:
        found = [element] if self.path is None else self.path(element)
        return found if isinstance(found, list) else [found]

    def values(self, element: Element) -> list[str]:
        """Attribute values or texts of everything found, without empty ones."""
        return [value for found in self.all(element) if (value := self._value(found))]

    def value(self, element: Element) -> str | None:
        """The first attribute value or text that is not empty."""
        for found in self.all(element):
            if value := self._value(found):
                return value
        return None

    def _value(self, found: Any) -> str | None:
        if isinstance(found, (str, bytes, int, float, bool)):
            return str(found).strip() or None
        if self.attribute:
            return (found.get(self.attribute) or "").strip() or None
        return text_of(found) or None


@lru_cache(maxsize=2048)
def picker(selector: str) -> Picker:
    """Compiles a selector. ValueError says what is wrong with it."""
    spec = selector.strip()
    if not spec:
        raise ValueError("a selector is empty")
    if spec.startswith(_XPATH) or spec.startswith("xpath:"):
        return Picker(_xpath(spec.removeprefix("xpath:").strip(), selector), None)
    split = _ATTRIBUTE.match(spec)
    css, attribute = (split["css"], split["attribute"]) if split else (spec, None)
    if not css.strip():
        return Picker(None, attribute)
    return Picker(_xpath(_css(css, selector), selector), attribute)


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

__all__ = ["Picker", "Selecting", "picker"]
