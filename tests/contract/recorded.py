"""Recordings of source kinds: an answer as it came, the source that reads it, and the posts that it holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from crawler.model import Author, Document, Post, Source
from spiders.answers import response_of
from spiders.base import Reading, SourceSpider

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"


@dataclass(frozen=True)
class Recording:
    """One folder `recordings/<kind>/<case>/`."""

    folder: Path

    @property
    def kind(self) -> str:
        return self.folder.parent.name

    @property
    def about(self) -> dict[str, Any]:
        """url, status, headers, fetched_at; where items may stand in any order, `items` is the pattern of one.

        In JSON `list` is the keys on the way to their list instead.
        """
        return dict(json.loads((self.folder / "response.json").read_text("utf-8")))

    @property
    def in_any_order(self) -> bool:
        return "items" in self.about or "list" in self.about

    @property
    def body(self) -> bytes:
        return (self.folder / "response.body").read_bytes()

    @property
    def expected(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "expected.json").read_text("utf-8")))

    def spider(self, kind: type[SourceSpider]) -> SourceSpider:
        given = YAML(typ="safe").load((self.folder / "source.yaml").read_text("utf-8"))
        assert given.pop("kind") == self.kind
        return kind(source=Source(self.folder.name, self.kind, kind.Settings(**given)))

    def other_ways(self, kind: type[SourceSpider]) -> bool:
        """Whether the source names another way, for when the first is refused."""
        return bool(getattr(self.spider(kind).settings_, "otherwise", ()))

    def read(self, spider: SourceSpider, body: bytes | None = None) -> Reading:
        """What the spider makes of the answer; of `body` in its place when one is given."""
        about = self.about
        when = datetime.fromisoformat(about["fetched_at"])
        document = Document(about["url"], about["status"], about["headers"], self.body if body is None else body, when)
        return spider.read(response_of(document))

    def turned_round(self) -> bytes | None:
        """The answer with its items in the opposite order; None when the recording names no pattern of an item."""
        pattern, body = self.about.get("items"), self.body
        if (list_at := self.about.get("list")) is not None:
            return _reversed_list(json.loads(body), [step for step in list_at.split(".") if step])
        if pattern is None:
            return None
        found = list(re.finditer(pattern.encode(), body, re.S))
        assert len(found) > 1, f"{self.folder}: the pattern of items finds {len(found)}"
        items = b"".join(item[0] for item in reversed(found))
        return body[: found[0].start()] + items + body[found[-1].end() :]


def _reversed_list(data: Any, steps: list[str]) -> bytes:
    """JSON with the list at the end of some keys in the opposite order."""
    found = data
    for step in steps:
        found = found[step]
    assert isinstance(found, list) and len(found) > 1
    found.reverse()
    return json.dumps(data, ensure_ascii=False).encode()


def all_recordings() -> list[Recording]:
    return [Recording(folder) for folder in sorted(RECORDINGS.glob("*/*")) if folder.is_dir()]


def as_json(reading: Reading) -> dict[str, Any]:
    """A reading in the shape of `expected.json`: posts without what is unknown."""
    finding = reading.finding
    return {
        "posts": [_post(post) for post in reading.posts],
        "dropped": len(reading.dropped),
        "requests": [request.url for request in reading.requests],
        "verdict": finding.verdict.value if finding else None,
    }


def key(post: Post) -> str:
    """What tells one post from another, as far as the spider says it."""
    return post.platform_id or post.url or post.text


def _post(post: Post) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in fields(post):
        value = getattr(post, field.name)
        if field.name == "author":
            value = {
                part.name: said for part in fields(Author) if (said := getattr(post.author, part.name)) is not None
            }
        if isinstance(value, datetime):
            value = value.isoformat()
        if value not in (None, {}, False) or field.name == "text":
            shown[field.name] = value
    return shown
