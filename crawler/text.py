"""Text at the door and for search: cleaning, folding, markup, hashes, addresses, times."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

_BAD = re.compile("[\x00\ud800-\udfff]")


def clean_text(value: str, limit: int = 65536) -> str:
    if len(value) > limit * 2:
        value = value[: limit * 2]
    if _BAD.search(value):
        value = _BAD.sub("\ufffd", value)
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if not unicodedata.is_normalized("NFC", value):
        value = unicodedata.normalize("NFC", value)
    return value[:limit]


_MAP: dict[int, str | None] = {ord(c): "'" for c in "’ʼ`´‘ʹ′"}
_MAP |= {ord(c): '"' for c in "«»“”„‟″"}
_MAP |= {ord(c): "-" for c in "‐‑‒–—―−"}
_MAP |= {ord("ё"): "е"}
_MAP |= {c: None for c in (0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD, 0x200E, 0x200F)}
_SPACE = re.compile(r"\s+")


def fold(text: str) -> str:
    if not text.isascii():
        if not unicodedata.is_normalized("NFKC", text):
            text = unicodedata.normalize("NFKC", text)
        text = text.casefold().translate(_MAP)
    else:
        text = text.lower().replace("`", "'")
    return _SPACE.sub(" ", text)


def fold_with_offsets(text: str) -> tuple[str, list[int]]:
    out: list[str] = []
    offsets: list[int] = []
    i, n = 0, len(text)
    while i < n:
        j = i + 1
        while j < n and (unicodedata.combining(text[j]) or 0x1160 <= ord(text[j]) <= 0x11FF):
            j += 1
        for char in fold(text[i:j]):
            if char == " " and out and out[-1] == " ":
                continue
            out.append(char)
            offsets.append(i)
        i = j
    offsets.append(n)
    return "".join(out), offsets


_DROP = re.compile(r"<(script|style|template|noscript)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.I | re.S)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_BLOCK = re.compile(r"</?(?:p|div|br|li|ul|ol|tr|table|h[1-6]|blockquote|section|article|pre|hr|dd|dt)\b[^<>]*>", re.I)
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")


def strip_markup(value: str) -> str:
    if "<" in value:
        value = _COMMENT.sub("", _DROP.sub("", value))
        value = _TAG.sub("", _BLOCK.sub("\n", value))
    value = html.unescape(value)
    lines = (" ".join(line.split()) for line in value.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def content_hash(text: str) -> str:
    return hashlib.sha256(fold(text).strip().encode("utf-8", "replace")).hexdigest()[:32]


_TRACK = re.compile(r"^(utm_\w+|fbclid|gclid|yclid|sid|phpsessid|jsessionid)$", re.I)
_ANCHOR = re.compile(r"^(post|comment|p|msg|c|pid|message|reply|isso|answer)?[-_]?\d+$", re.I)


def canonical_url(url: str, base: str | None = None) -> str | None:
    try:
        parts = urlsplit(urljoin(base or "", url.strip()))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        host = parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
        port = parts.port
    except (ValueError, UnicodeError):
        return None
    netloc = f"[{host}]" if ":" in host else host
    if port and port != {"http": 80, "https": 443}[parts.scheme]:
        netloc += f":{port}"
    query = parts.query
    if query and any(_TRACK.match(pair.split("=", 1)[0]) for pair in query.split("&")):
        query = "&".join(pair for pair in query.split("&") if not _TRACK.match(pair.split("=", 1)[0]))
    fragment = parts.fragment if _ANCHOR.match(parts.fragment) else ""
    return urlunsplit((parts.scheme, netloc, parts.path or "/", query, fragment))


@lru_cache(maxsize=1)
def _extract() -> Any:
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@lru_cache(maxsize=4096)
def _site(host: str, port: int | None) -> str:
    found = _extract()(host)
    if found.domain and found.suffix:
        return f"{found.domain}.{found.suffix}"
    return f"{host}:{port}" if port else host


def site_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        return _site(parts.hostname or "", parts.port)
    except ValueError:
        return ""


def parse_when(value: str | None, now: datetime, languages: tuple[str, ...] = ("uk", "ru", "en"), tz: str = "UTC") -> datetime | None:
    if not value or not value.strip():
        return None
    value = value.strip()[:100]
    found = _parsed(value, now, languages, tz)
    if found is None:
        return None
    found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return found if datetime(1995, 1, 1, tzinfo=UTC) <= found <= now + timedelta(days=1) else None


def _parsed(value: str, now: datetime, languages: tuple[str, ...], tz: str) -> datetime | None:
    from zoneinfo import ZoneInfo

    try:
        if value.isdigit() and len(value) in (10, 13):
            return datetime.fromtimestamp(int(value) / (1000 if len(value) == 13 else 1), UTC)
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(tz))
    except (ValueError, OverflowError):
        pass
    try:
        return parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        pass
    import dateparser

    try:
        return dateparser.parse(value, languages=list(languages), settings={"RELATIVE_BASE": now.astimezone(ZoneInfo(tz)).replace(tzinfo=None), "TIMEZONE": tz, "RETURN_AS_TIMEZONE_AWARE": True, "DATE_ORDER": "DMY"})
    except Exception:
        return None
