"""The five sites of the town. Each turns (path, query, headers) into an Answer and tells which posts it showed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from crawler.cli.town.posts import Shown, World
from crawler.cli.town.render import fill, forum_date, iso, newest, paragraphs, raw, served

PAGE = 20
FEED = 40
ROBOTS = "User-agent: *\nDisallow: /private/\nCrawl-delay: 0.05\n"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a site sends back; `posts` goes to the served log."""

    body: bytes
    kind: str = HTML
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    posts: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: `base` is the site's own address, `headers` have lower-case names."""

    base: str
    target: str
    headers: Mapping[str, str]
    now: datetime

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    def number(self, name: str, default: int) -> int:
        """A whole number from the query, or `default` when it is absent or nonsense."""
        value = parse_qs(urlsplit(self.target).query).get(name, [""])[0]
        return int(value) if value.isdecimal() and len(value) < 9 else default


MISSING = Answer(b"Not here.\n", "text/plain; charset=utf-8", 404)


def answer(site: str, world: World, ask: Ask) -> Answer:
    """What `site` says to `ask`."""
    if ask.path == "/robots.txt":
        return Answer(ROBOTS.encode(), "text/plain; charset=utf-8")
    return SITES[site](world, ask)


def _conditional(ask: Ask, body: str, kind: str, shown: list[Shown], posts: Sequence[Mapping[str, Any]]) -> Answer:
    """200 with validators, or 304 without a body when the reader has this very state already."""
    changed = newest(shown)
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Last-Modified": format_datetime(changed, usegmt=True), "Cache-Control": "max-age=0"}
    if _has_it(ask, etag, changed):
        return Answer(b"", kind, 304, headers)
    return Answer(body.encode(), kind, 200, headers, posts)


def _has_it(ask: Ask, etag: str, changed: datetime) -> bool:
    if "if-none-match" in ask.headers:
        return etag in ask.headers["if-none-match"]
    try:
        return parsedate_to_datetime(ask.headers.get("if-modified-since", "")) >= changed
    except (TypeError, ValueError):
        return False


def _list(title: str, shown: Sequence[Shown], link: Callable[[Shown], str], head: str = "") -> Answer:
    items = "\n".join(
        f'<li><a href="{link(post)}">{escape(post.written.title or post.written.author)}</a></li>' for post in shown
    )
    return Answer(fill("page.html", title=title, language="uk", head_=head, body_=f"<ul>{items}</ul>").encode())


def _single(shown: Sequence[Shown], path: str, prefix: str, base: str) -> Answer:
    """One post on a page of its own, for a reader who followed the permalink."""
    post = next((post for post in shown if path == f"{prefix}{post.written.number}"), None)
    if post is None:
        return MISSING
    written = post.written
    page = fill(
        "page.html",
        title=written.title or written.author,
        language=written.language,
        head_="",
        body_=paragraphs(post.body),
    )
    return Answer(page.encode(), posts=[served(post, base + path)])


# --- news: RSS with validators


def news(world: World, ask: Ask) -> Answer:
    """`/feed.xml` (RSS), `/news/N`, `/`."""
    shown = world.shown("news")[::-1]
    if ask.path == "/feed.xml":
        return _rss(ask, shown[:FEED])
    if ask.path == "/":
        feed = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
        return _list("Міські вісті", shown, lambda post: f"/news/{post.written.number}", feed)
    return _single(shown, ask.path, "/news/", ask.base)


def _rss(ask: Ask, shown: list[Shown]) -> Answer:
    urls = [f"{ask.base}/news/{post.written.number}" for post in shown]
    items = [
        fill(
            "feed_item.xml", title=post.written.title, url=url, number=post.written.number, author=post.written.author,
            published=format_datetime(post.published), body=f"<p>{escape(post.body)}</p>",
        )
        for post, url in zip(shown, urls, strict=True)
    ]  # fmt: skip
    body = fill("feed.xml", base=ask.base, items_="\n".join(items))
    posts = [served(post, url) for post, url in zip(shown, urls, strict=True)]
    return _conditional(ask, body, "application/rss+xml; charset=utf-8", shown, posts)


# --- forum: windows-1251, pages, dates in words


def forum(world: World, ask: Ask) -> Answer:
    """`/topic/7?page=N`, newest first; `?p=N` is the permalink of one post and opens the page that it stands on."""
    if ask.path == "/":
        return _list("Форум «Гаманець»", world.shown("forum")[:1], lambda _: "/topic/7")
    if ask.path != "/topic/7":
        return MISSING
    shown = world.shown("forum")[::-1]
    pages = max(1, -(-len(shown) // PAGE))
    page = _page_of(shown, ask.number("p", 0)) or min(max(1, ask.number("page", 1)), pages)
    return _topic(ask, shown, page, pages)


def _page_of(shown: list[Shown], number: int) -> int:
    return next((place // PAGE + 1 for place, post in enumerate(shown) if post.written.number == number), 0)


def _topic(ask: Ask, shown: list[Shown], page: int, pages: int) -> Answer:
    by_name = {post.written.name: post for post in shown if post.written.name}
    drawn = [_message(ask, post, by_name) for post in shown[(page - 1) * PAGE : page * PAGE]]
    older = f'<a class="next" rel="next" href="/topic/7?page={page + 1}">Старіші</a>' if page < pages else ""
    body = fill("forum.html", page=page, pages=pages, posts_="".join(text for text, _ in drawn), older_=older)
    # The header names no charset on purpose: old forums leave that to the meta element.
    return Answer(body.encode("windows-1251", "xmlcharrefreplace"), "text/html", posts=[entry for _, entry in drawn])


def _message(ask: Ask, post: Shown, by_name: Mapping[str, Shown]) -> tuple[str, Mapping[str, Any]]:
    written, quoted = post.written, by_name.get(post.written.quote)
    when, exact = forum_date(post.published, ask.now, written.language)
    quote = fill("quote.html", author=quoted.written.author, body=quoted.body) if quoted else ""
    text = fill(
        "forum_post.html", number=written.number, author=written.author, when=when, quote_=quote, body=post.body
    )
    url = f"{ask.base}/topic/7?p={written.number}#post{written.number}"
    return text, served(post, url, exact, quote=quoted.body if quoted else None)


# --- reviews: drawn by JavaScript


def reviews(world: World, ask: Ask) -> Answer:
    """`/` (an empty shell), `/app.js`, `/api/reviews.json?offset=&limit=`, `/review/N`."""
    shown = world.shown("reviews")[::-1]
    if ask.path == "/":
        return Answer(raw("reviews.html").encode())
    if ask.path == "/app.js":
        return Answer(raw("reviews.js").encode(), "text/javascript; charset=utf-8")
    if ask.path == "/api/reviews.json":
        return _reviews(ask, shown)
    return _single(shown, ask.path, "/review/", ask.base)


def _reviews(ask: Ask, shown: list[Shown]) -> Answer:
    start = ask.number("offset", 0)
    part = shown[start : start + min(ask.number("limit", 12), 50)]
    urls = [f"{ask.base}/review/{post.written.number}" for post in part]
    rows = [
        {
            "id": post.id, "url": url, "title": post.written.title, "text": post.body, "author": post.written.author,
            "stars": post.written.stars, "at": iso(post.published),
        }
        for post, url in zip(part, urls, strict=True)
    ]  # fmt: skip
    body = json.dumps({"total": len(shown), "reviews": rows}, ensure_ascii=False)
    posts = [served(post, url, stars=post.written.stars) for post, url in zip(part, urls, strict=True)]
    return Answer(body.encode(), "application/json; charset=utf-8", posts=posts)


# --- magazine: articles with comments in JSON-LD


def magazine(world: World, ask: Ask) -> Answer:
    """`/` (an index), `/article/N` with a NewsArticle and its Comments in JSON-LD."""
    shown = world.shown("magazine")
    articles = [post for post in shown if not post.written.article]
    if ask.path == "/":
        return _list("Журнал «Набережна»", articles[::-1], lambda post: f"/article/{post.written.number}")
    for post in articles:
        if ask.path == f"/article/{post.written.number}":
            return _article(ask, post, [other for other in shown if other.written.article == post.written.number])
    return MISSING


def _article(ask: Ask, post: Shown, comments: list[Shown]) -> Answer:
    url = f"{ask.base}/article/{post.written.number}"
    urls = [f"{url}#comment-{comment.written.number}" for comment in comments]
    drawn = [
        fill("comment.html", number=comment.written.number, author=comment.written.author, body=comment.body)
        for comment in comments
    ]
    page = fill(
        "article.html", title=post.written.title, language=post.written.language, url=url, author=post.written.author,
        data_=_json_ld(post, url, list(zip(comments, urls, strict=True))), published=iso(post.published),
        day=f"{post.published:%d.%m.%Y}", paragraphs_=paragraphs(post.body), comments_="\n".join(drawn),
    )  # fmt: skip
    said = [served(comment, where, part_of=url) for comment, where in zip(comments, urls, strict=True)]
    return Answer(page.encode(), posts=[served(post, url, whole=False), *said])


def _json_ld(post: Shown, url: str, comments: list[tuple[Shown, str]]) -> str:
    data = {
        "@context": "https://schema.org", "@type": "NewsArticle", "@id": url, "url": url,
        "headline": post.written.title,
        "articleBody": post.body, "inLanguage": post.written.language, "datePublished": iso(post.published),
        "author": {"@type": "Person", "name": post.written.author}, "commentCount": len(comments),
        "comment": [
            {
                "@type": "Comment", "@id": where, "url": where, "text": comment.body,
                "datePublished": iso(comment.published), "author": {"@type": "Person", "name": comment.written.author},
            }
            for comment, where in comments
        ],
    }  # fmt: skip
    return json.dumps(data, ensure_ascii=False, indent=1).replace("</", "<\\/")


# --- blog: an Atom feed of comments


def blog(world: World, ask: Ask) -> Answer:
    """`/comments.atom`, and `/` with the comments on one page."""
    shown = world.shown("blog")[::-1]
    if ask.path == "/comments.atom":
        return _atom(ask, shown[:FEED])
    if ask.path != "/":
        return MISSING
    said = "".join(
        f'<div id="comment-{post.written.number}"><b>{escape(post.written.author)}</b>{paragraphs(post.body)}</div>'
        for post in shown
    )
    return Answer(fill("page.html", title="Two Passports", language="en", head_="", body_=said).encode())


def _atom(ask: Ask, shown: list[Shown]) -> Answer:
    urls = [f"{ask.base}/#comment-{post.written.number}" for post in shown]
    items = [
        fill(
            "comments_item.xml", number=post.written.number, author=post.written.author, url=url,
            published=iso(post.published), updated=iso(post.changed), body=f"<p>{escape(post.body)}</p>",
        )
        for post, url in zip(shown, urls, strict=True)
    ]  # fmt: skip
    body = fill("comments.xml", base=ask.base, updated=iso(newest(shown).astimezone(UTC)), items_="\n".join(items))
    # A feed's own title of a comment ("By Ruth") says nothing, so the log asks only for the text.
    posts = [served(post, url, title=f"By {post.written.author}") for post, url in zip(shown, urls, strict=True)]
    return _conditional(ask, body, "application/atom+xml; charset=utf-8", shown, posts)


SITES: Mapping[str, Callable[[World, Ask], Answer]] = {
    "news": news, "forum": forum, "reviews": reviews, "magazine": magazine, "blog": blog,
}  # fmt: skip
