"""HTML pages as trees, and their elements as the text that a reader sees."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from lxml import etree
from lxml import html as lxml_html

if TYPE_CHECKING:
    from scrapy.http import TextResponse

Element = Any

_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3"
        " h4 h5 h6 header hr legend li main nav ol option p pre section summary table tbody tfoot thead tr ul",
    )
)
_DROPPED = frozenset(("script", "style", "noscript", "iframe", "template", "object", "svg"))
_SPACE = re.compile(r"[ \t\r\n\f\v\u00a0]+")
# Private characters stand for wanted breaks until the blanks of the source are folded.
_LINE, _PARAGRAPH, _BR = "\ue000", "\ue001", "\ue002"
_PRIVATE = str.maketrans(dict.fromkeys((_LINE, _PARAGRAPH, _BR), " "))
_BREAKS = re.compile(f" ?[{_LINE}{_PARAGRAPH}{_BR}][ {_LINE}{_PARAGRAPH}{_BR}]*")


def root_of(response: TextResponse) -> Element:
    """The page as a tree; an empty page is an empty tree. libxml2 reads no further than 2,048 levels deep."""
    # huge_tree: the plain limit of 256 levels loses old forum pages, whose <font> elements never close.
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True)
    text = response.text.replace("\x00", "").encode("utf-8", "replace")
    try:
        root = etree.fromstring(text or b"<html/>", parser)
    except etree.LxmlError:
        root = None
    return etree.fromstring(b"<html/>", parser) if root is None else root


def text_of(element: Element, without: Collection[Element] = frozenset()) -> str:
    """What a reader sees of an element, broken into lines as `crawler.text.strip_markup` does it; linear time.

    Elements of `without` inside it are left out.
    """
    if isinstance(element, str):
        return " ".join(element.split())
    if not len(element):
        return " ".join((element.text or "").split())
    return _BREAKS.sub(_broken, _SPACE.sub(" ", "".join(_pieces(element, without)))).strip()


def _broken(found: re.Match[str]) -> str:
    return "\n\n" if _PARAGRAPH in found[0] or found[0].count(_BR) > 1 else "\n"


def _pieces(element: Element, without: Collection[Element]) -> Iterator[str]:
    """Words and breaks in the order of the page; whole elements are skipped where they say nothing or are unwanted."""
    skipped: Element = None
    for event, node in etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        if skipped is None and event == "start" and (node.tag in _DROPPED or (node in without and node is not element)):
            skipped = node
        elif skipped is None and event in ("start", "end"):
            yield _mark(node.tag, event)
            if event == "start" and node.text:
                yield node.text.translate(_PRIVATE)
        if skipped is not None and (event != "end" or node is not skipped):
            continue
        skipped = None
        if event != "start" and node is not element and node.tail:
            yield node.tail.translate(_PRIVATE)


def _mark(tag: str, event: str) -> str:
    if tag == "p":
        return _PARAGRAPH
    if tag in _BLOCKS:
        return _LINE
    if event == "start":
        return _BR if tag == "br" else " " if tag in ("td", "th") else ""
    return ""
