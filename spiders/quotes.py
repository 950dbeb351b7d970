"""Texts without what they quote: a customer who answers a complaint has not made one."""

from __future__ import annotations

import re

from lxml import etree
from lxml import html as lxml_html

from crawler.text import strip_markup
from spiders.html import Element, text_of

_MAY_QUOTE = re.compile(r"<blockquote|<aside|<q[\s>]|quote|<cite", re.I)
_QUOTES = etree.XPath(
    "//blockquote | //aside[contains(concat(' ', @class, ' '), ' quote ')]"
    " | //*[contains(concat(' ', @class, ' '), ' quote-inline ')]"
)
_IMAGE = re.compile(r"!\[([^\]\[]{0,500})\]\([^()\s]{0,2000}\)")
_LINK = re.compile(r"\[([^\]\[]{1,1000})\]\([^()\s]{0,2000}(?:\s\"[^\"]{0,200}\")?\)")
_EMPHASIS = re.compile(r"(\*\*|__|~~)(?=\S)([^*_~\n]{1,1000}?)(?<=\S)\1")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+", re.M)
_QUOTED = re.compile(r"^ {0,3}(?:>|&gt;)[^\n]*(?:\n|$)", re.M)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]{1,2000}|[^\s<>@]{1,100}@[^\s<>@]{1,200})>")
_BLANKS = re.compile(r"\n{3,}")
# Stands for the end of a line while tags are taken out: there lines mean nothing, here they do.
_LINE_END = "\ue000"


def html_text(markup: str) -> str:
    """HTML as its reader sees it, without quotes; all of it when it is nothing but quotes."""
    if not _MAY_QUOTE.search(markup):
        return strip_markup(markup)
    root = _fragment(markup)
    if root is None:
        return strip_markup(markup)
    without = frozenset(_QUOTES(root))
    return (text_of(root, without) if without else "") or strip_markup(markup)


def _fragment(markup: str) -> Element | None:
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True)
    try:
        return etree.fromstring(f"<div>{markup}</div>".replace("\x00", "").encode("utf-8", "replace"), parser)
    except etree.LxmlError:
        return None


def unquoted(text: str) -> str:
    """Plain text without the lines that begin with `>`; all of it when nothing else stands."""
    return _BLANKS.sub("\n\n", _QUOTED.sub("", text)).strip() or text


def markdown_text(markup: str) -> str:
    """Markdown without quoted lines, comments, marks of links and emphasis; all of it when nothing else stands."""
    said = _without_comments(markup.replace("\r\n", "\n"))
    own = _QUOTED.sub("", said)
    own = own if own.strip() else said
    own = _LINK.sub(r"\1", _IMAGE.sub(r"\1", own))
    own = _AUTOLINK.sub(r"\1", _EMPHASIS.sub(r"\2", _HEADING.sub("", own)))
    return _BLANKS.sub("\n\n", _tagless(own) if "<" in own or "&" in own else own).strip()


def _tagless(markup: str) -> str:
    """Markdown without the tags in it, its lines as they were."""
    lines = strip_markup(markup.replace("\n", _LINE_END)).replace(_LINE_END, "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _without_comments(markup: str) -> str:
    """Markup without <!-- comments -->; linear, and one that never ends is left as it is."""
    first, *rest = markup.split("<!--")
    kept = [first]
    for piece in rest:
        before, mark, after = piece.partition("-->")
        kept.append(after if mark else f"<!--{before}")
    return "".join(kept)
