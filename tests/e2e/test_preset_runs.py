"""The presets in real Scrapy, each against a double of its platform: all pages of what is there, then what is new."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rough_site import Request, RoughSite, run

pytestmark = pytest.mark.e2e
JSON = "application/json"
START = 1_790_000_000
Answer = Callable[["Double", dict[str, str], str], Any]


def iso(n: int) -> str:
    return datetime.fromtimestamp(START + 60 * n, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Double:
    """`count` posts, numbered from the oldest; `answer` writes one page as the platform does."""

    def __init__(self, site: RoughSite, answer: Answer, count: int) -> None:
        self.site, self.answer, self.count = site, answer, count
        # A limit as platforms have them: the second request in a row is too many, and says for how long.
        self.limited, self.refused, self.breaches, self.not_before = False, 0, 0, 0.0
        self.edited: int | None = None
        site.routes["/*"] = self._reply
        site.routes["/robots.txt"] = lambda request: request.send("", "text/plain", 404)

    def _reply(self, request: Request) -> None:
        parts = urlsplit(request.path)
        posted = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if parts.path == "/tick":
            self.edited, self.count = self.count, self.count + 5
            request.send("grown")
            return
        if self._too_many():
            request.send('{"message": "slow down"}', JSON, 429, Retry_After="1")
            return
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        asked |= json.loads(posted or b"{}")
        said = self.answer(self, asked, parts.path)
        if said is None:
            request.send('{"error": "not here"}', JSON, 404)
            return
        data, headers = said
        body = json.dumps(data)
        if self.edited is not None:
            body = re.sub(rf"\b([a-z]) {self.edited}\b", rf"\1 {self.edited} said anew", body)
        request.send(body, JSON, 200, **headers)

    def _too_many(self) -> bool:
        """Every third request is refused for a second; one that comes earlier than that breaks the limit."""
        if not self.limited:
            return False
        now = time.monotonic()
        if now < self.not_before - 0.05:
            self.breaches += 1
        self.asked = getattr(self, "asked", 0) + 1
        if self.asked % 3 != 2:
            return False
        self.refused, self.not_before = self.refused + 1, now + 1.0
        return True

    def newest(self, skip: int, size: int) -> list[int]:
        return list(range(self.count, 0, -1))[skip : skip + size]


def hackernews(double: Double, asked: dict[str, str], path: str) -> Any:
    least = int(asked.get("numericFilters", "created_at_i>0").split(">")[1])
    found = [n for n in double.newest(0, 10**6) if START + 60 * n > least]
    page = int(asked["page"])
    hits = [{"objectID": str(n), "comment_text": f"c {n}", "created_at_i": START + 60 * n} for n in found]
    return {"hits": hits[100 * page : 100 * page + 100], "page": page, "nbPages": len(found) // 100 + 1}, {}


def stackexchange(double: Double, asked: dict[str, str], path: str) -> Any:
    least, page = int(asked.get("fromdate", 0)), int(asked["page"])
    found = [n for n in double.newest(0, 10**6) if START + 60 * n >= least]
    shown = found[100 * (page - 1) : 100 * page]
    items = [{"question_id": n, "title": f"q {n}", "body": "<p>x</p>", "creation_date": START + 60 * n} for n in shown]
    more = len(found) > 100 * page
    return {"items": items, "has_more": more, "backoff": 1} if more else {"items": items, "has_more": False}, {}


def mastodon(double: Double, asked: dict[str, str], path: str) -> Any:
    if path == "/api/v2/instance":
        closed = {"hashtag_feeds": {"local": "disabled"}, "live_feeds": {"local": "public"}}
        return {"domain": "x", "configuration": {"timelines_access": closed}}, {}
    if path == "/api/v2/search":
        return None
    assert path == "/api/v1/timelines/public", "the rules of the place close hashtags, the search is not there"
    last = int(asked.get("max_id", 10**6))
    shown = [n for n in double.newest(0, 10**6) if n < last][:40]
    who = {"acct": "ada", "username": "ada", "url": "https://m.example/@ada"}
    statuses = [
        {
            "uri": str(n),
            "url": f"https://m.example/@ada/{n}",
            "content": f"<p>s {n}</p>",
            "created_at": iso(n),
            "account": who,
        }
        for n in shown
    ]
    more = f'<{double.site.url}{path}?limit=40&max_id={shown[-1]}>; rel="next"' if shown and shown[-1] > 1 else ""
    return statuses, {"Link": more} if more else {}


def pleroma(double: Double, asked: dict[str, str], path: str) -> Any:
    if path != "/api/v1/timelines/tag/x":
        return None
    said, headers = mastodon(double, asked, "/api/v1/timelines/public")
    return said, {name: value.replace("timelines/public", "timelines/tag/x") for name, value in headers.items()}


def misskey(double: Double, asked: dict[str, Any], path: str) -> Any:
    """Hashtags are closed to guests, the search is open; numbers are of one length, as its own are."""
    if path != "/api/notes/search":
        return None
    assert (asked["query"], asked["limit"]) == ("x", 100)
    last = int(asked.get("untilId", 10**6))
    shown = [n for n in double.newest(0, 10**6) if n < last][:100]
    who = {"id": "u1", "username": "ada", "host": None}
    return [{"id": f"{n:06}", "createdAt": iso(n), "text": f"n {n}", "user": who} for n in shown], {}


def discourse(double: Double, asked: dict[str, str], path: str) -> Any:
    if path != "/posts.json":
        return None
    last = int(asked.get("before", 10**6))
    shown = [n for n in double.newest(0, 10**6) if n <= last][:20]
    posts = [
        {
            "id": n,
            "topic_id": 5,
            "post_number": n,
            "post_type": 1,
            "cooked": f"<p>p {n}</p>",
            "created_at": iso(n),
            "username": "ada",
        }
        for n in shown
    ]
    return {"latest_posts": posts}, {}


def _label(value: object) -> dict[str, str]:
    return {"label": str(value)}


def appstore(double: Double, asked: dict[str, str], path: str) -> Any:
    page = int(path.split("page=")[1].split("/")[0])
    shown = double.newest(50 * (page - 1), 50)
    entries = [
        {
            "id": _label(n),
            "im:rating": _label(1),
            "title": _label("t"),
            "content": _label(f"r {n}"),
            "updated": _label(iso(n)),
        }
        for n in shown
    ]
    return {"feed": {"entry": entries} if len(entries) != 1 else {"entry": entries[0]}} if entries else {"feed": {}}, {}


def wordpress(double: Double, asked: dict[str, str], path: str) -> Any:
    assert path == "/wp-json/wp/v2/comments"
    shown = double.newest(100 * (int(asked["page"]) - 1), 100)
    return [
        {
            "id": n,
            "post": 1,
            "parent": 0,
            "author_name": "Ada",
            "date_gmt": iso(n)[:-1],
            "content": {"rendered": f"<p>c {n}</p>"},
        }
        for n in shown
    ], {}


def github(double: Double, asked: dict[str, str], path: str) -> Any:
    if path.endswith("/comments"):
        number = int(path.split("/")[5])
        return [
            {
                "id": 90_000 + number,
                "body": "c",
                "html_url": f"https://g.example/i/{number}#issuecomment-1",
                "issue_url": "x",
                "created_at": iso(number),
                "user": None,
            }
        ], {}
    page = int(asked.get("page", 1))
    shown = double.newest(100 * (page - 1), 100)
    items = [
        {
            "id": n,
            "number": n,
            "title": f"i {n}",
            "body": None,
            "created_at": iso(n),
            "updated_at": iso(n),
            "html_url": f"https://g.example/i/{n}",
            "url": f"{double.site.url}/repos/o/r/issues/{n}",
            "comments": int(n == 3),
        }
        for n in shown
    ]
    more = f'<{double.site.url}/search/issues?q=x&page={page + 1}>; rel="next"'
    return {"total_count": double.count, "items": items}, {"Link": more} if double.count > 100 * page else {}


def lemmy(double: Double, asked: dict[str, str], path: str) -> Any:
    shown = double.newest(50 * (int(asked["page"]) - 1), 50)
    made = [
        {
            "comment": {
                "ap_id": f"https://l.example/comment/{n}",
                "content": f"c {n}",
                "published": iso(n),
                "path": f"0.{n}",
            },
            "creator": {"name": "ada", "actor_id": "https://l.example/u/ada"},
            "post": {},
            "counts": {},
        }
        for n in shown
    ]
    return {"type_": "All", "comments": made, "posts": []}, {}


def by_cursor(
    size: int, write: Callable[[int], Any], wrap: Callable[[list[Any], str | None], Any], name: str
) -> Answer:
    def answer(double: Double, asked: dict[str, str], path: str) -> Any:
        last = int(asked.get(name, 10**6))
        shown = [n for n in double.newest(0, 10**6) if n < last][:size]
        return wrap([write(n) for n in shown], str(shown[-1]) if shown and shown[-1] > 1 else None), {}

    return answer


bluesky = by_cursor(
    100,
    lambda n: {
        "uri": f"at://did:plc:x/app.bsky.feed.post/{n}",
        "record": {"text": f"b {n}", "createdAt": iso(n)},
        "author": {"handle": "ada", "did": "did:plc:x"},
        "indexedAt": iso(n),
    },
    lambda posts, cursor: {"posts": posts} | ({"cursor": cursor} if cursor else {}),
    "cursor",
)
disqus = by_cursor(
    100,
    lambda n: {"id": str(n), "raw_message": f"d {n}", "createdAt": iso(n)[:-1], "thread": "1"},
    lambda posts, cursor: {"code": 0, "cursor": {"next": cursor, "hasNext": bool(cursor)}, "response": posts},
    "cursor",
)
youtube = by_cursor(
    100,
    lambda n: {
        "id": f"u{n}",
        "snippet": {
            "topLevelComment": {"id": f"u{n}", "snippet": {"textOriginal": f"y {n}", "publishedAt": iso(n)}},
            "totalReplyCount": 0,
        },
    },
    lambda items, cursor: {"items": items} | ({"nextPageToken": cursor} if cursor else {}),
    "pageToken",
)
vk = by_cursor(
    200,
    lambda n: {"id": n, "owner_id": 5, "from_id": 5, "text": f"v {n}", "date": START + 60 * n},
    lambda items, cursor: {"response": {"items": items} | ({"next_from": cursor} if cursor else {})},
    "start_from",
)
reddit_oauth = by_cursor(
    100,
    lambda n: {
        "kind": "t3",
        "data": {"name": f"t3_{n}", "title": f"r {n}", "selftext": "", "created_utc": START + 60 * n},
    },
    lambda things, cursor: {"kind": "Listing", "data": {"children": things, "after": cursor}},
    "after",
)

BY_URL = ("mastodon", "pleroma", "misskey", "discourse", "wordpress", "lemmy")
PRESETS: dict[str, tuple[Answer, int, dict[str, Any]]] = {
    "hackernews": (hackernews, 230, {"words": ["x"]}),
    "stackexchange": (stackexchange, 130, {"words": ["x"]}),
    "mastodon": (mastodon, 90, {"tags": ["x"]}),
    "pleroma": (pleroma, 90, {"tags": ["x"]}),
    "misskey": (misskey, 230, {"tags": ["x"]}),
    "discourse": (discourse, 50, {}),
    "appstore": (appstore, 101, {"app": "12345"}),
    "wordpress": (wordpress, 200, {}),
    "github": (github, 130, {"searches": ["x"]}),
    "lemmy": (lemmy, 70, {"words": ["x"]}),
    "bluesky": (bluesky, 130, {"words": ["x"]}),
    "disqus": (disqus, 130, {"forum": "x", "key": "hush-1"}),
    "youtube": (youtube, 130, {"channels": ["UCx"], "key": "hush-1"}),
    "vk": (vk, 230, {"words": ["x"], "token": "hush-1"}),
    "reddit_oauth": (reddit_oauth, 130, {"words": ["x"], "token": "hush-1"}),
}


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


@pytest.mark.parametrize("kind", sorted(PRESETS))
def test_a_platform_is_read_whole_and_then_what_is_new(site: RoughSite, kind: str) -> None:
    answer, count, given = PRESETS[kind]
    Double(site, answer, count)
    where = "url" if kind in BY_URL else "base_url"
    job = {"kind": kind, "settings": {where: site.url, **given, "overlap": "10m"}}
    tick = {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick", "item": "nothing"}}
    first, again, _, grown = run(job, job, tick, job)
    extra = 1 if kind == "github" else 0
    assert (first["verdict"], first["error"], first["new"]) == ("ok", None, count + extra)
    assert (again["verdict"], again["new"]) == ("ok", 0)
    assert (grown["verdict"], grown["new"]) == ("ok", 5)
    assert len(grown["documents"]) <= 3, "only what may hold something new"
    assert "hush-1" not in json.dumps([first, again, grown])


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(PRESETS))
def test_a_platform_that_limits_and_edits_loses_and_doubles_nothing(site: RoughSite, kind: str) -> None:
    """By the server's own log no request comes ahead of its Retry-After; an edited post is the same post."""
    answer, count, given = PRESETS[kind]
    double = Double(site, answer, count)
    double.limited = True
    where = "url" if kind in BY_URL else "base_url"
    job = {"kind": kind, "settings": {where: site.url, **given, "overlap": "1h"}}
    tick = {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick", "item": "nothing"}}
    first, _, grown = run(job, tick, job, seconds=150)
    extra = 1 if kind == "github" else 0
    assert (first["verdict"], first["new"]) == ("ok", count + extra), first["error"]
    assert (double.breaches, double.refused > 0) == (0, True)
    assert len(set(grown["ids"])) == count + extra + 5
    assert [text for text in (*grown["texts"], *grown["titles"]) if "said anew" in text], "an edit"
