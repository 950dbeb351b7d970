"""JSON Feed (jsonfeed.org, 1.0 and 1.1) to posts; feedparser does not read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crawler.model import Author, Post
from crawler.text import strip_markup
from spiders.dates import Dates


def load(body: bytes) -> Mapping[str, Any]:
    """The feed as a mapping; raises ValueError when the bytes are no JSON Feed."""
    try:
        feed = json.loads(body.decode("utf-8-sig", "replace"))
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
        raise ValueError(
            "JSON without a list of `items`: no JSON Feed (jsonfeed.org); an API needs a source of its own kind"
        )
    return feed


def items(feed: Mapping[str, Any], most: int) -> list[Any]:
    """The newest items, at most `most`; an item may be anything that JSON has."""
    return list(feed["items"][:most])


def post(item: Mapping[str, Any], feed: Mapping[str, Any], dates: Dates) -> Post:
    """One item as a post. Raises AttributeError when it is not an object, ValueError when it says nothing."""
    html, plain = _str(item.get("content_html")), _str(item.get("content_text"))
    text = strip_markup(html) or plain or strip_markup(_str(item.get("summary")))
    title, number = strip_markup(_str(item.get("title"))) or None, item.get("id")
    said = _str(item.get("date_published")) or _str(item.get("date_modified"))
    if not (text or title):
        raise ValueError("an item without text and title")
    return Post(
        text=text,
        url=_str(item.get("url")) or _str(item.get("external_url")) or None,
        title=title,
        platform_id=str(number) if isinstance(number, (str, int)) and number != "" else None,
        author=_author(item) or _author(feed) or Author(),
        published_at=dates.read(said),
        language_hint=_str(item.get("language") or feed.get("language")) or None,
    )


def _author(of: Mapping[str, Any]) -> Author | None:
    authors = of.get("authors") or of.get("author")
    first = authors[0] if isinstance(authors, list) and authors else authors
    if isinstance(first, str):
        return Author(first)
    if not isinstance(first, dict):
        return None
    return Author(_str(first.get("name")) or None, url=_str(first.get("url")) or None)


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""
