"""A loopback API that behaves as badly as real ones: it pages in five ways, counts requests and answers 429, cuts
answers, reorders, edits, pins and deletes posts, and grows while it is read. It keeps its own log of breaches.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from rough_site import Request, RoughSite

JSON = "application/json"
START = 1_780_000_000


@dataclass
class Said:
    """One post of the platform."""

    id: int
    text: str
    at: int
    pinned: bool = False
    deleted: bool = False
    comments: int = 0


@dataclass
class ApiDouble:
    """`posts` newest first by date, pinned ones on top. `before` runs ahead of every list answer."""

    site: RoughSite
    paging: str = "page"
    size: int = 10
    posts: list[Said] = field(default_factory=list)
    limit: int | None = None
    window: float = 1.0
    breaches: int = 0
    refused: int = 0
    cut: set[int] = field(default_factory=set)
    shuffled: bool = False
    upwards: bool = False
    before: Callable[[int], None] = lambda number: None
    lists: int = 0
    comments_asked: list[int] = field(default_factory=list)
    _begun: float = 0.0
    _used: int = 0

    def __post_init__(self) -> None:
        self.site.routes["/api/posts*"] = self._list
        self.site.routes["/api/comments*"] = self._comments
        self.site.routes["/tick*"] = lambda request: request.send("tick")

    def say(self, *ids: int, **more: Any) -> None:
        self.posts += [Said(n, f"Post number {n}", START + 60 * n, **more) for n in ids]

    def find(self, number: int) -> Said:
        return next(post for post in self.posts if post.id == number)

    def _counted(self, request: Request) -> dict[str, str] | None:
        """The counters for the headers; None when this request was one too many, and it has been answered so."""
        if self.limit is None:
            return {}
        now = time.monotonic()
        if now - self._begun >= self.window:
            self._begun, self._used = now, 0
        self._used += 1
        reset = max(0.0, self._begun + self.window - now)
        if self._used > self.limit:
            self.breaches += 1
            request.send('{"message": "slow down"}', JSON, status=429, Retry_After="1")
            return None
        return {"X_RateLimit_Remaining": str(self.limit - self._used), "X_RateLimit_Reset": f"{reset:.3f}"}

    def _list(self, request: Request) -> None:
        headers = self._counted(request)
        if headers is None:
            return
        self.lists += 1
        self.before(self.lists)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        shown, data = self._page(asked, headers)
        body = json.dumps(data | {"posts": [self._json(post) for post in shown]}).encode()
        if self.lists in self.cut:
            request.begin(JSON, Content_Length=str(len(body)))
            request.wfile.write(body[: len(body) // 2])
            request.close_connection = True
            return
        request.send(body, JSON, 200, **headers)

    def _page(self, asked: dict[str, str], headers: dict[str, str]) -> tuple[list[Said], dict[str, Any]]:
        since = int(asked.get("since", 0))
        found = sorted((post for post in self.posts if post.at >= since), key=lambda post: (-post.pinned, -post.at))
        if self.upwards:
            found.sort(key=lambda post: post.at)
        if self.paging == "cursor":
            # As real ones do: the cursor names the place in time, so new posts do not move it.
            last = int(asked.get("cursor", 10**12))
            found = [post for post in found if post.at < last and not (post.pinned and "cursor" in asked)]
            shown, more = found[: self.size], len(found) > self.size
            data: dict[str, Any] = {"more": more, "cursor": min((p.at for p in shown if not p.pinned), default=None)}
        else:
            begin = int(asked.get("offset", (int(asked.get("page", 1)) - 1) * self.size))
            shown, more = found[begin : begin + self.size], len(found) > begin + self.size
            onward = "/api/posts?" + urlencode({**asked, "page": int(asked.get("page", 1)) + 1})
            data = {"more": more} | ({"next": onward} if more and self.paging == "next" else {})
            if more and self.paging == "link":
                headers["Link"] = f'<{onward}>; rel="next", </api/posts>; rel="first"'
        if self.shuffled:
            random.Random(len(shown)).shuffle(shown)
        return shown, data

    @staticmethod
    def _json(post: Said) -> dict[str, Any]:
        text = "[deleted]" if post.deleted else f"<p>{post.text}</p>"
        who = None if post.deleted else {"name": "Ada", "followers": 0}
        return {
            "id": post.id,
            "html": text,
            "created": post.at,
            "author": who,
            "pinned": post.pinned,
            "removed": post.deleted,
            "comments": post.comments,
        }

    def _comments(self, request: Request) -> None:
        headers = self._counted(request)
        if headers is None:
            return
        number = int(request.path.rsplit("/", 1)[-1])
        self.comments_asked.append(number)
        said = self.find(number)
        comments = [{"id": number * 1000 + n, "html": f"comment {n}", "on": number} for n in range(said.comments)]
        request.send(json.dumps({"comments": comments}), JSON, 200, **headers)


def settings(site: RoughSite, paging: str, **more: Any) -> dict[str, Any]:
    """A source of kind `api` that reads the double."""
    ways: dict[str, dict[str, Any]] = {
        "page": {"by": "page", "param": "page", "more": "more", "short": False},
        "offset": {"by": "offset", "param": "offset", "more": "more", "short": False, "size": 10},
        "cursor": {"by": "cursor", "param": "cursor", "cursor": "cursor", "more": "more"},
        "next": {"by": "next", "cursor": '"next"'},
        "link": {"by": "link"},
    }
    post = {
        "items": "posts",
        "pinned": "pinned",
        "deleted": "removed",
        "fields": {"id": "id", "text": "html(html)", "published_at": "created", "author": "author.name"},
        "engagement": {"comments": "comments"},
    }
    comment = {"items": "comments", "fields": {"id": "id", "text": "html", "parent": "on"}}
    return {
        "url": site.url,
        "path": "/api/posts",
        "paging": ways[paging],
        "posts": [post, comment],
        "pages": 50,
        "overlap": "10m",
        **more,
    }
