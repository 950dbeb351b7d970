"""HTML pages as trees, and their elements as the text that a reader sees."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from lxml import etree
from lxml import html as lxml_html
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
_AROUND_BREAK = re.compile(r"[ ]*\n[ ]*")
_MANY_BREAKS = re.compile(r"\n{3,}")


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


def text_of(element: Element, without: Collection[Element] = ()) -> str:
    """What a reader sees of an element: blocks and <br> break lines; elements of `without` are left out. Linear."""
    if isinstance(element, str):
        return " ".join(element.split())
    if not len(element):
        return " ".join((element.text or "").split())
    text = _SPACE.sub(" ", "".join(_pieces(element, set(without)))).replace("\ue000", "\n")
    return _MANY_BREAKS.sub("\n\n", _AROUND_BREAK.sub("\n", text)).strip()


# A private character stands for a wanted line break until the blanks of the source are folded.
_BREAK = "\ue000"


def _pieces(element: Element, without: set[Element]) -> Iterator[str]:
    skipping: Element = None
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if skipping is not None:
            if event == "end" and node is skipping:
                skipping = None
                if node is not element and node.tail:
                    yield node.tail
            continue
        tag = node.tag
        if event == "start":
            if tag in _DROPPED or (without and node in without) or not isinstance(tag, str):
                skipping = node
                continue
            if tag in _BLOCKS or tag == "br":
                yield _BREAK * 2 if tag == "p" else _BREAK
            elif tag in ("td", "th"):
                yield " "
            if node.text:
                yield node.text.replace(_BREAK, " ")
        else:
            if tag in _BLOCKS:
                yield _BREAK
            if node is not element and node.tail:
                yield node.tail.replace(_BREAK, " ")
