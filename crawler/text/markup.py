"""HTML fragments to plain text in linear time, whatever the input is."""

from __future__ import annotations

import html
import re

_BREAKS = re.compile(
    "address|article|aside|blockquote|br|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header"
    "|hr|legend|li|main|nav|ol|option|p|pre|section|summary|table|tbody|tfoot|thead|tr|ul"
)
_CELLS = frozenset(("td", "th"))
_DROPPED = ("script", "style", "noscript", "iframe", "template", "object", "svg")
_START = re.compile(r"<(?=[A-Za-z/!?])")
_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,40})")
_TAG_END = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")  # possessive: no way back, one pass
_CLOSING = {name: re.compile(rf"</{name}(?![A-Za-z0-9:-])", re.IGNORECASE) for name in _DROPPED}
_SPACE = re.compile(r"[ \t\n\r\f\v\u00a0\u2028\u2029]+")
_AROUND_BREAK = re.compile(r" ?\n ?")
_MANY_BREAKS = re.compile(r"\n{3,}")
_LONG_CHARREF = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_COMMENT, _COMMENT_END = "<!--", "-->"


class _Reader:
    """One pass over one fragment; `at` only grows."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.parts: list[str] = []
        self.quotes = True  # False after the first tag whose quotes never close: tags then end at the next ">"

    def text(self, end: int) -> None:
        self.parts.append(_SPACE.sub(" ", _decoded(self.source[self.at : end])))

    def past(self, mark: str, start: int) -> int:
        found = self.source.find(mark, start)
        return len(self.source) if found < 0 else found + len(mark)

    def tag_end(self, start: int) -> int:
        """Where the tag that starts at `start` ends, or -1 when it never does."""
        if self.quotes:
            if match := _TAG_END.match(self.source, start):
                return match.end()
            self.quotes = False
        return self.source.find(">", start) + 1 or -1

    def cdata(self, start: int) -> None:
        self.at = start + len(_CDATA)
        found = self.source.find(_CDATA_END, self.at)
        end = len(self.source) if found < 0 else found
        self.text(end)
        self.at = end + len(_CDATA_END)

    def tag(self, start: int) -> bool:
        """Reads the tag at `start`; False when the rest of the fragment is text after all."""
        end = self.tag_end(start + 1)
        if end < 0:
            return False
        self.at = end
        if match := _NAME.match(self.source, start, end):
            self.opened(match[1].lower(), closing=self.source[start + 1] == "/")
        return True

    def opened(self, name: str, *, closing: bool) -> None:
        if _BREAKS.fullmatch(name):
            self.parts.append("\n\n" if name == "p" else "\n")
        elif name in _CELLS:
            self.parts.append(" ")
        elif name in _CLOSING and not closing and self.source[self.at - 2] != "/":
            found = _CLOSING[name].search(self.source, self.at)
            self.at = self.past(">", found.end()) if found else len(self.source)

    def read(self) -> str:
        while match := _START.search(self.source, self.at):
            start = match.start()
            self.text(start)
            self.at = start
            if self.source.startswith(_CDATA, start):
                self.cdata(start)
            elif self.source.startswith(_COMMENT, start):
                self.at = self.past(_COMMENT_END, start + 2)
            elif not self.tag(start):
                break
        self.text(len(self.source))
        return _tidy("".join(self.parts))


def _decoded(text: str) -> str:
    return html.unescape(_LONG_CHARREF.sub("\ufffd", text)) if "&" in text else text


def _tidy(text: str) -> str:
    text = re.sub(" {2,}", " ", text)
    return _MANY_BREAKS.sub("\n\n", _AROUND_BREAK.sub("\n", text)).strip()


def strip_markup(html: str) -> str:
    """The plain text of an HTML fragment: blocks and <br> break lines, entities decoded, scripts and styles dropped.

    A text without a single tag keeps its own lines. Linear time; never raises.
    """
    if "<" in html and _START.search(html):
        return _Reader(html).read()
    return _decoded(html).strip()
