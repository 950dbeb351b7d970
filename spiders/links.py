"""Links of a list page that lead to articles, where no selector says which: same site, real words, not navigation."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from spiders.html import Element, text_of

_ELSEWHERE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|svg|pdf|zip|mp[34]|css|js|xml|rss|ico)$|"
    r"/(?:tags?|categor(?:y|ies)|authors?|users?|profile|login|sign-?in|register|search|page|about|contacts?|rss|feed|"
    r"privacy|terms|cart|subscribe|wp-admin|wp-login\.php)(?:/|$)",
    re.I,
)
_FRAME = "ancestor::nav or ancestor::header[not(ancestor::article)] or ancestor::footer[not(ancestor::article)]"
MOST_LINKS = 2000


def article_links(root: Element, url: str) -> list[str]:
    """Addresses of what looks like articles, in the order of the page, each once."""
    anchors = root.xpath(f"(//a[@href][not({_FRAME})])[position() <= {MOST_LINKS}]")
    here = urlsplit(url)
    links: dict[str, None] = {}
    for anchor in anchors:
        address = _address(url, anchor.get("href"))
        parts = urlsplit(address)
        if parts.netloc == here.netloc and _leads_on(parts.path, parts.query, here.path) and _named(anchor):
            links.setdefault(address)
    return list(links)


def _address(base: str, href: str) -> str:
    try:
        return urljoin(base, href.strip()).split("#")[0]
    except ValueError:
        return ""


def _leads_on(path: str, query: str, here: str) -> bool:
    return bool(path.strip("/")) and (path != here or bool(query)) and not _ELSEWHERE.search(path)


def _named(anchor: Element) -> bool:
    """Titles have two words or more, or a heading stands around the link."""
    words = text_of(anchor)
    return len(words.split()) >= 2 or len(words) >= 20 or anchor.getparent().tag in ("h1", "h2", "h3", "h4")
