"""HTML fragments to plain text in linear time, whatever the input is."""

from __future__ import annotations

import html
import re

_BLOCKS = (
    "address article aside blockquote center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5"
    " h6 header hr legend li main nav ol option pre section summary table tbody tfoot thead tr ul"
)
_DROPPED = ("script", "style", "noscript", "iframe", "template", "object", "svg")
_START = re.compile(r"<(?=[A-Za-z/!?])")
_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,40})")
_TAG_END = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")  # possessive: no way back, one pass
_CLOSING = {name: re.compile(rf"</{name}(?![A-Za-z0-9:-])", re.IGNORECASE) for name in _DROPPED}
_SIMPLE_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]*+)(?:\s[^>\"']*+)?>")
_SPACE = re.compile(r"[\x00-\x20\u2028\u2029]+")
_LINE, _PARAGRAPH = "\x1e", "\x1d"  # ends of blocks, until runs of them are counted; the source holds none any more
_MARKS = dict.fromkeys(_BLOCKS.split(), _LINE) | {"p": _PARAGRAPH, "br": "\n", "td": " ", "th": " "}
_MANY_SPACES = re.compile("  +")
_BREAKS_RUN = re.compile(f" ?[\n{_LINE}{_PARAGRAPH}][ \n{_LINE}{_PARAGRAPH}]*")
_LONG_CHARREF = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_COMMENT, _COMMENT_END = "<!--", "-->"


class _Reader:
    """One pass over one fragment; `at` only grows."""

    def __init__(self, source: str) -> None:
        self.source = _SPACE.sub(" ", source)
        self.at = 0
        self.parts: list[str] = []
        self.quotes = True  # False after the first tag whose quotes never close: tags then end at the next ">"

    def text(self, end: int) -> None:
        if end > self.at:
            self.parts.append(_decoded(self.source[self.at : end]))

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
        if match := _SIMPLE_TAG.match(self.source, start):
            self.at = match.end()
            self.opened(match[2].lower(), closing=bool(match[1]))
            return True
        end = self.tag_end(start + 1)
        if end < 0:
            return False
        self.at = end
        if match := _NAME.match(self.source, start, end):
            self.opened(match[1].lower(), closing=self.source[start + 1] == "/")
        return True

    def opened(self, name: str, *, closing: bool) -> None:
        if mark := _MARKS.get(name):
            self.parts.append(mark)
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
        return _BREAKS_RUN.sub(_broken, _MANY_SPACES.sub(" ", "".join(self.parts))).strip()


def _broken(match: re.Match[str]) -> str:
    """A blank line between paragraphs and for two <br>, else one line end however many blocks end together."""
    run = match[0]
    return "\n\n" if _PARAGRAPH in run or run.count("\n") > 1 else "\n"


def _decoded(text: str) -> str:
    if "&" in text:
        text = html.unescape(_LONG_CHARREF.sub("\ufffd", text))
    return text.replace("\u00a0", " ")


def strip_markup(html: str) -> str:
    """The plain text of an HTML fragment: blocks and <br> break lines, entities decoded, scripts and styles dropped.

    A text without a single tag keeps its own lines. Linear time; never raises.
    """
    if "<" in html and _START.search(html):
        return _Reader(html).read()
    return _decoded(html).strip()
