"""Plain text on its way to a helpdesk: cut by characters, kept on one line, without pings, without secrets."""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit

SUBJECT_LIMIT = 120
MASK = "***"
JOINER = "\u200d"
_PING = re.compile(r"(?<![\w.])@(?=\w)")
_LINK = re.compile(r"https?://[A-Za-z0-9/:?&=%.#~+,;@_-]+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>])")
_WIKI = re.compile(r"([\\{}\[\]|!*_~^+?])")
_WIKI_LINE = re.compile(r"(?m)^(\s{0,3})((?:#|-|h[1-6]\.|bq\.))")
_MACRO = re.compile(r"([{#$<%])(?=[{#%])")
_COMMAND = re.compile(r"(?m)^([ \t]*)(/[A-Za-z])")
_LINE_MARKS = re.compile(r"(?m)^(\s{0,3})([#>+~=!-]|\d+(?=[.)]))")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; what is cut off is shown by an ellipsis."""
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "…"


def one_line(text: str, limit: int = SUBJECT_LIMIT) -> str:
    """`text` on one line without control characters, at most `limit` characters: safe as a subject or a header."""
    kept = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") else char for char in text)
    return cut(" ".join(kept.split()), limit)


def no_pings(text: str) -> str:
    """Put a zero-width joiner behind each @ that stands before a name, so that nobody is notified by a quote.

    Mail addresses and links keep theirs: there it names nobody.
    """
    return _outside_links(text, lambda part: _PING.sub("@" + JOINER, part))


def safe_link(url: object) -> str | None:
    """The URL when it is http or https with a host, else None: other schemes run code where a person clicks."""
    if not isinstance(url, str) or any(char.isspace() or ord(char) < 32 for char in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None


def for_markdown(text: str) -> str:
    """Plain text that a Markdown renderer shows as it is; http links stay as they are."""
    return _LINE_MARKS.sub(_escape_mark, _outside_links(text, lambda part: _MARKDOWN.sub(r"\\\1", part)))


def for_html(text: str) -> str:
    """Plain text as HTML that shows it as it is."""
    return html.escape(text).replace("\n", "<br>\n")


def for_wiki(text: str) -> str:
    """Plain text that a wiki renderer (Jira's and the like) shows as it is; http links stay as they are."""
    return _WIKI_LINE.sub(r"\1" + JOINER + r"\2", _outside_links(text, lambda part: _WIKI.sub(r"\\\1", part)))


def no_macros(text: str) -> str:
    """Break what helpdesks replace or obey in a text: {{placeholders}}, #{..}, ${..}, ##tags##, <%..%>, /commands."""
    return _COMMAND.sub(rf"\1{JOINER}\2", _MACRO.sub(rf"\1{JOINER}", text))


def _outside_links(text: str, change: Callable[[str], str]) -> str:
    out: list[str] = []
    at = 0
    for link in _LINK.finditer(text):
        out += [change(text[at : link.start()]), link.group()]
        at = link.end()
    return "".join([*out, change(text[at:])])


def _escape_mark(found: re.Match[str]) -> str:
    blank, mark = found.groups()
    if mark[0].isdigit():
        return f"{blank}{mark}\\"
    return f"{blank}{mark}{JOINER}" if mark in "=~" else f"{blank}\\{mark}"


def mask(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced by ***, also where it stands URL-encoded, JSON-escaped or in base64."""
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        coded = base64.b64encode(secret.encode()).decode()
        for form in (secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], coded):
            text = text.replace(form, MASK)
    return text
