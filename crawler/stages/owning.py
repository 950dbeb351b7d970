"""Whose post is it: the brand's own accounts and sites, however they are spelt, and nobody else's.

A stranger who takes a name like the brand's must not vanish: an `@account` is compared with the handle where the site
gives one, and with the shown name only where it does not. An address with a path means that account alone.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from crawler.model import Brand, Post
from crawler.text import canonical_url, fold


def is_own(post: Post, brand: Brand) -> bool:
    """True for posts by the accounts and on the sites that the brand calls its own."""
    author = post.author
    handle = _account(author.handle or author.name or "")
    shown = _plain(author.name or "")
    links = [link for link in (_split(post.url), _split(author.url)) if link]
    for name in brand.own:
        place = _place(name)
        if place is None:
            if _account(name) == handle != "" or (not name.strip().startswith("@") and _plain(name) == shown != ""):
                return True
        elif any(_inside(link, place) for link in links) or (not post.url and _on_site(post.site, place)):
            return True
    return False


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return fold(name).strip()


@lru_cache(maxsize=4096)
def _account(name: str) -> str:
    return _plain(name).lstrip("@").strip()


Place = tuple[str, str]
# The same page in another dress; never down to a bare suffix, which would make a whole country our own.
_FRONT = re.compile(r"^(?:www|m|mobile)\.(?=[^.]+\.)")


@lru_cache(maxsize=2048)
def _place(name: str) -> Place | None:
    """`novapay.example` or an address as (host, path); None for handles and plain names."""
    name = name.strip()
    if name.startswith("@") or "." not in name or " " in name or "@" in name:
        return None
    return _split(name if "://" in name else f"https://{name}/")


@lru_cache(maxsize=4096)
def _split(url: str | None) -> Place | None:
    """Host without www. and m., and path without its final slash, both folded."""
    known = canonical_url(url) if url else None
    if known is None:
        return None
    parts = urlsplit(known)
    query = f"?{parts.query}" if parts.query else ""
    return _FRONT.sub("", parts.netloc), fold(parts.path).rstrip("/") + query


def _inside(link: Place, own: Place) -> bool:
    """On the site or below it; of an address with a path, only what continues that path."""
    same_host = link[0] == own[0] or link[0].endswith(f".{own[0]}")
    rest = link[1].removeprefix(own[1])
    return same_host and link[1].startswith(own[1]) and (not own[1] or rest[:1] in ("", "/", "?"))


def _on_site(site: str | None, own: Place) -> bool:
    return site is not None and not own[1] and (site == own[0] or site.endswith(f".{own[0]}"))
