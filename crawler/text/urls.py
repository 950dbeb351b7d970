"""Addresses: one spelling for one page, and the site that a page belongs to. No network."""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

if TYPE_CHECKING:
    from tldextract import TLDExtract

_LONGEST = 4096
_PORTS = {"http": 80, "https": 443}
_TRACKING = re.compile(
    r"utm_.*|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|yclid|ysclid|_openstat|msclkid|mc_[ce]id|igshid|igsh|twclid|ttclid"
    r"|li_fat_id|_ga|_gl|vero_id|phpsessid|jsessionid|aspsessionid.*|oscsid|zenid|cftoken|sessionid|session_id",
    re.IGNORECASE,
)
_SESSION_HASH = re.compile(r"(?:s|sid|session|ssid)=[0-9a-f]{20,64}", re.IGNORECASE)  # of phpBB, vBulletin and kin
_SESSION_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?#]*", re.IGNORECASE)
_POST_ANCHOR = re.compile(
    r"(?:(?:post|comment|issuecomment|discussioncomment|message|msg|reply|review|answer|entry|note|pid|findcomment|elcomment|isso|[pcmr])[-_:]?)?"
    r"(?=[0-9a-f-]*[0-9])[0-9a-f][0-9a-f-]{0,63}",
    re.IGNORECASE,
)
_LONE = re.compile("[\ud800-\udfff]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\s\\]")
_KEEP = "/:;@!$&'()*+,=~%-._?"
# Most links are canonical as they stand; taking them apart and together again costs thirty times as much.
_CANONICAL = re.compile(
    r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::(?!80/|443/|0)[0-9]{1,4})?/(?![^?#]*/\.|\.)[A-Za-z0-9._~/-]*\Z"
)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _escape(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _escaped(part: str) -> str:
    """One spelling of a path or query: needless escapes undone, the needed ones written in capitals."""
    return _ESCAPE.sub(_escape, quote(_BAD_PERCENT.sub("%25", part), safe=_KEEP))


def _path(path: str) -> str:
    """Without session ids, "." and ".." (RFC 3986 5.2.4)."""
    kept: list[str] = []
    for segment in _SESSION_PATH.sub("", path).split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    tail = "/" if kept and path.endswith(("/.", "/..")) else ""
    return _escaped("/" + "/".join(kept) + tail)


def _query(query: str) -> str:
    kept = (
        part
        for part in query.split("&")
        if part and not _TRACKING.fullmatch(part.partition("=")[0]) and not _SESSION_HASH.fullmatch(part)
    )
    return _escaped("&".join(kept))


def _host(host: str) -> str | None:
    """Lower case, punycode, IPv6 in brackets; None when it cannot be a host."""
    host = host.lower().rstrip(".")
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host.partition('%')[0])}]"
        except ValueError:
            return None
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return host if re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", host) and len(host) < 254 else None


def _netloc(parts: SplitResult) -> str | None:
    host = _host(parts.hostname or "")
    if host is None:
        return None
    port = parts.port  # ValueError when it is no port
    return host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"


def canonical_url(url: str, base: str | None = None) -> str | None:
    """One spelling for one page: http/https only, else None.

    Host in lower-case punycode; user names, default ports, tracking and session parameters dropped, the order of the
    others kept; the fragment stays only when it looks like the anchor of a post ("#post123"). Idempotent.
    """
    url = _LONE.sub("\ufffd", url.strip())
    if not url or len(url) > _LONGEST:
        return None
    if _CANONICAL.match(url):
        return url
    try:
        parts = urlsplit(urljoin(base, url) if base else url)
        if parts.scheme not in _PORTS or not (netloc := _netloc(parts)) or _UNSAFE.search(parts.netloc):
            return None
    except ValueError:
        return None
    fragment = parts.fragment if _POST_ANCHOR.fullmatch(parts.fragment) else ""
    return urlunsplit((parts.scheme, netloc, _path(parts.path), _query(parts.query), fragment))


@cache
def _suffixes() -> TLDExtract:
    from tldextract import TLDExtract  # a fifth of a second: only for those who ask

    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@lru_cache(maxsize=10_000)
def _registrable(host: str) -> str | None:
    """None for addresses and bare names. Blogs on shared domains (a.blogspot.com) are sites of their own."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        found = _suffixes()(host)
        if found.suffix and found.domain:
            return f"{found.domain}.{found.suffix}"
        return ".".join(host.split(".")[-2:]) if "." in host else None
    return None


@lru_cache(maxsize=10_000)
def _site(head: str) -> str:
    try:
        parts = urlsplit(head)
        host = _host(parts.hostname or "") if parts.scheme in _PORTS else None
        if host is None:
            return ""
        return _registrable(host) or f"{host}:{parts.port or _PORTS[parts.scheme]}"
    except ValueError:
        return ""


def site_of(url: str) -> str:
    """The registrable domain of an http(s) address, "host:port" of IP addresses and bare names, "" of anything else."""
    return _site("/".join(url.strip().split("/", 3)[:3]))
