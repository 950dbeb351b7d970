"""What a recording may hold: an answer and a source block without cookies, authorisation, keys and secrets."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from crawler.app.source_text import SourceText
from crawler.model import Document

HIDDEN = "SECRET"
_HEADERS = re.compile(
    r"content-(?:type|language)|etag|last-modified|link|retry-after|(?:x-)?rate-?limit-\S+|x-wp-total(?:pages)?", re.I
)
# A reference such as ${API_KEY} says nothing, and keeps the block usable.
_PARAMETER = re.compile(
    r"([?&;](?:[\w-]*(?:token|secret|passw\w*|api[_-]?key|signature)|key|sig|sid|session\w*|auth\w*)=)"
    r"(?!\$\{)[^&#\s\"'<>]+",
    re.I,
)
_USER = re.compile(r"(https?://)[^/\s@\"'<>]+@")
# In a body only what has no other meaning: page tokens and the like are what paging is read from.
_IN_BODY = re.compile(
    rb"([?&;](?:(?:access|refresh|id|auth|session)[_-]?token|api[_-]?key|client[_-]?secret|passw(?:or)?d|phpsessid"
    rb"|jsessionid|session(?:[_-]?id)?|sid)=)[\w.%~+/=-]{8,}",
    re.I,
)
_IN_JSON = re.compile(
    rb'("(?:(?:access|refresh|id|auth|session|csrf|xsrf)[_-]?token|api[_-]?key|client[_-]?secret|passw(?:or)?d'
    rb'|session[_-]?id)"\s{0,9}:\s{0,9}")(?:[^"\\]|\\.)++(?=")',
    re.I,
)
_NAMED = re.compile(r"authori[sz]ation|cookie|token|secret|passw|api[_-]?key|^key$|signature|^sig$|session", re.I)
_SENT = ("headers", "query", "cookies", "basic", "body", "form")
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1251")


def _as_json(text: str) -> str:
    return json.dumps(text)[1:-1]


_WAYS: tuple[Callable[[str], str], ...] = (
    str,
    quote,
    quote_plus,
    lambda text: quote(text, safe=""),
    lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    _as_json,
    lambda text: _as_json(text).replace("/", "\\/"),
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    escape,
    lambda text: b64encode(text.encode("utf-8", "replace")).decode().rstrip("="),
)


class Scrubber:
    """Takes secrets out of an answer, in every spelling in which a server may have sent them back."""

    def __init__(self, secrets: Sequence[str]) -> None:
        spelled = {way(secret) for secret in secrets for way in _WAYS}
        self.secrets = sorted(spelled, key=len, reverse=True)

    def clean(self, document: Document) -> Document:
        """The document as it may be kept."""
        headers = {name: self.text(value) for name, value in document.headers.items() if _HEADERS.fullmatch(name)}
        body = document.body
        for encoding in _ENCODINGS:
            for secret in self._encoded(encoding):
                body = body.replace(secret, HIDDEN.encode(encoding))
        hidden = rb"\g<1>" + HIDDEN.encode()
        body = _IN_JSON.sub(hidden, _IN_BODY.sub(hidden, body))
        return Document(self.text(document.url), document.status, headers, body, document.fetched_at)

    def _encoded(self, encoding: str) -> Iterator[bytes]:
        for secret in self.secrets:
            try:
                yield secret.encode(encoding)
            except UnicodeEncodeError:
                continue

    def text(self, text: str) -> str:
        """A header or an address without secrets."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return _USER.sub(r"\1", _PARAMETER.sub(rf"\1{HIDDEN}", text))

    def source(self, source: SourceText) -> SourceText:
        """The block as it may be kept: what somebody wrote into it as it is, and not as ${NAME}, goes too."""
        return replace(source, settings={key: self._value(value, key) for key, value in source.settings.items()})

    def _value(self, value: Any, key: str, sent: bool = False) -> Any:
        if isinstance(value, Mapping):
            inner = sent or key in _SENT
            return {name: self._value(one, str(name), inner) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(one, key, sent) for one in value]
        if not isinstance(value, str):
            return value
        referred = "${" in value or value.startswith("file:")
        return HIDDEN if sent and _NAMED.search(key) and not referred else self.text(value)
