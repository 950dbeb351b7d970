"""What an address or a page tells of the kinds that could read its site: pure, without a single request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from scrapy.http import HtmlResponse, Response

from spiders import answers
from spiders.dates import Dates
from spiders.feed import shape_of
from spiders.forum import engine_of
from spiders.html import Element, root_of
from spiders.linked_data import found
from spiders.links import article_links
from spiders.said import COMMENTS, POSTINGS, REVIEWS, Speakers

LOOK_AT = 1_000_000
MOST_FEEDS = 4
COMMON_FEEDS = ("/feed/", "/rss", "/rss.xml", "/feed.xml", "/atom.xml")
_FEED_TYPE = re.compile(r"application/(?:(?:rss|atom|rdf)\+xml|feed\+json)", re.I)
_CHANNEL = re.compile(r'"(?:externalId|channelId|browseId)"\s*:\s*"(UC[\w-]{22})"|channel_id=(UC[\w-]{22})')
_DISQUS = re.compile(
    r"disqus_shortname\s*=\s*['\"]([a-z0-9-]{2,60})['\"]|//([a-z0-9-]{2,60})\.disqus\.com/(?:embed|count)\.js", re.I
)
_FEDIVERSE = {
    "mastodon": ("mastodon", "hometown", "glitch", "pleroma", "akkoma", "gotosocial", "takahe"),
    "lemmy": ("lemmy",),
    "discourse": ("discourse",),
    "forum": ("nodebb",),
    "wordpress": ("wordpress",),
}
_EXTENSION = re.compile(r"\.(?:rss|xml|atom|rdf)(?:\.gz)?$|/(?:feed|rss|atom)/?$", re.I)


_ISSO = {
    "items": "replies",
    "nested": "replies",
    "fields": {"id": "id", "text": "html(text)", "author": "author", "published_at": "created", "parent": "parent"},
}


@dataclass(frozen=True, slots=True)
class Lead:
    """A kind that may read the place. `lacks`: what the user must add before it can be tried, such as a key."""

    kind: str
    settings: Mapping[str, Any] = field(hash=False)
    why: str
    lacks: str = ""
    rank: int = 50

    @property
    def key(self) -> str:
        """Leads with one key are one."""
        return f"{self.kind} {json.dumps(dict(self.settings), sort_keys=True, default=str)}"


def site_root(url: str) -> str:
    """The address of a site without its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def of_address(url: str, words: Sequence[str] = ()) -> list[Lead]:
    """Leads in the address itself: platforms whose addresses say what they are."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    path = [part for part in parts.path.split("/") if part]
    maker = _PLATFORMS.get(host)
    return list(maker(path, parts.query, words)) if maker else []


def _telegram(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    name = next((part for part in path if part != "s"), "")
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{3,31}", name) and name not in ("joinchat", "share", "addstickers"):
        yield Lead("telegram", {"channel": name}, "the address of a channel", rank=5)


def _youtube(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    channel = path[1] if len(path) > 1 and path[0] == "channel" else parse_qs(query).get("channel_id", [""])[0]
    if re.fullmatch(r"UC[\w-]{22}", channel):
        yield Lead("youtube", {"channels": [channel]}, "the address of a channel", rank=5)


def _reddit(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    if len(path) > 1 and path[0] == "r" and re.fullmatch(r"\w{2,30}", path[1]):
        place = f"https://www.reddit.com/r/{path[1]}"
        yield Lead("feed", {"url": f"{place}/comments/.rss"}, "newest comments of the subreddit", rank=5)
        yield Lead("feed", {"url": f"{place}/new/.rss"}, "newest posts of the subreddit", rank=6)
    if words:
        yield Lead("reddit", {"words": list(words)}, "the search of the platform", rank=20)


def _github(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    if len(path) > 1 and all(re.fullmatch(r"[\w.-]{1,100}", part) for part in path[:2]):
        yield Lead("github", {"searches": [f"repo:{path[0]}/{path[1]}"]}, "issues of the repository", rank=5)


def _appstore(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    number = next((found[1] for part in path if (found := re.fullmatch(r"id(\d{3,15})", part))), None)
    if number:
        country = path[0].lower() if re.fullmatch("[A-Za-z]{2}", path[0]) else "us"
        yield Lead("appstore", {"app": number, "countries": [country]}, "reviews of the app", rank=5)


def _stackexchange(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    if words:
        yield Lead("stackexchange", {"words": list(words)}, "the search of the platform", rank=5)
    if path[:2] == ["questions", "tagged"] and len(path) > 2:
        address = f"https://stackoverflow.com/feeds/tag/{path[2]}"
        yield Lead("feed", {"url": address}, "newest questions with the tag", rank=6)


def _hackernews(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    if words:
        yield Lead("hackernews", {"words": list(words)}, "the search of the platform", rank=5)


def _vk(path: list[str], query: str, words: Sequence[str]) -> Iterator[Lead]:
    settings = {"words": list(words) or ["…"], "token": "${VK_TOKEN}"}
    yield Lead("vk", settings, "the search of the platform", lacks="a service token in ${VK_TOKEN}", rank=20)


_PLATFORMS = {
    "t.me": _telegram,
    "telegram.me": _telegram,
    "youtube.com": _youtube,
    "reddit.com": _reddit,
    "old.reddit.com": _reddit,
    "github.com": _github,
    "apps.apple.com": _appstore,
    "itunes.apple.com": _appstore,
    "stackoverflow.com": _stackexchange,
    "news.ycombinator.com": _hackernews,
    "vk.com": _vk,
}


def of_answer(response: Response, words: Sequence[str] = ()) -> list[Lead]:
    """Leads in the answer to the address itself: a feed, a sitemap, or what an HTML page links to and is made by."""
    if shape_of(response.body) != "html":
        return _of_data(response)
    page = answers.as_html(response)
    root = root_of(page)
    return [*of_address(response.url, words), *_of_page(page, root, words)]


def _of_data(response: Response) -> list[Lead]:
    head = response.body[:4096].lower()
    if b"<urlset" in head or b"<sitemapindex" in head or response.body[:2] == b"\x1f\x8b":
        return [Lead("sitemap", {"url": response.url}, "it is a sitemap", rank=10)]
    return [Lead("feed", {"url": response.url}, "it is a feed", rank=1)]


def _of_page(page: HtmlResponse, root: Element, words: Sequence[str]) -> Iterator[Lead]:
    text = page.text[:LOOK_AT]
    yield from _feeds(page, root)
    yield from _programs(page, root, text, words)
    yield from _comments(text)
    yield from _isso(page, root)
    yield from _linked(page, root)
    if len(article_links(root, page.url)) >= 5:
        yield Lead("article", {"url": page.url}, "a list of articles", rank=60)


def _feeds(page: HtmlResponse, root: Element) -> Iterator[Lead]:
    links = root.xpath("//link[@href][contains(concat(' ', @rel, ' '), ' alternate ')]")
    addresses = [page.urljoin(link.get("href")) for link in links if _FEED_TYPE.match((link.get("type") or "").strip())]
    anchors = root.xpath("//a[@href][position() <= 2000]")
    linked = [page.urljoin(anchor.get("href").strip()) for anchor in anchors if _EXTENSION.search(_path_of(anchor))]
    same = [address for address in linked if urlsplit(address).netloc == urlsplit(page.url).netloc]
    for address in list(dict.fromkeys([*addresses, *same]))[:MOST_FEEDS]:
        if address.startswith(("http://", "https://")):
            comments = "comment" in address.lower()
            yield Lead("feed", {"url": address}, "a feed that the page links to", rank=11 if comments else 12)
    if not addresses and not same:
        for path in COMMON_FEEDS:
            yield Lead("feed", {"url": site_root(page.url) + path}, "a usual address of feeds", rank=40)


def _path_of(anchor: Element) -> str:
    try:
        return str(urlsplit(urljoin("https://x.example/", anchor.get("href").strip())).path)
    except ValueError:
        return ""


def _programs(page: HtmlResponse, root: Element, text: str, words: Sequence[str]) -> Iterator[Lead]:
    """The program that draws the site, by its own marks."""
    made_by = " ".join(root.xpath("//meta[@name='generator']/@content")).lower()
    here = site_root(page.url)
    if "discourse" in made_by:
        yield Lead("discourse", {"url": here}, "it runs Discourse", rank=5)
    elif engine := engine_of(page.body, root):
        yield Lead("forum", {"url": page.url}, f"it runs {engine.name}", rank=6)
    api = root.xpath("//link[@rel='https://api.w.org/']/@href")
    if api or "wordpress" in made_by or "/wp-content/" in text:
        base = urljoin(page.url, api[0]).split("/wp-json")[0].rstrip("/") if api and "/wp-json" in api[0] else here
        yield Lead("wordpress", {"url": base}, "it runs WordPress: comments of readers", rank=8)
        if "woocommerce" in text:
            settings = {"url": base, "what": "wc/store/v1/products/reviews"}
            yield Lead("wordpress", settings, "it has a WooCommerce shop: reviews", rank=7)
    if "mastodon" in made_by or 'id="mastodon"' in text:
        yield from fediverse("mastodon", here, words)


def _comments(text: str) -> Iterator[Lead]:
    """Comments that another service draws into the page."""
    if named := _DISQUS.search(text):
        settings = {"forum": named[1] or named[2], "key": "${DISQUS_KEY}"}
        yield Lead("disqus", settings, "its comments are kept by Disqus", lacks="a key in ${DISQUS_KEY}", rank=9)
    if channel := _CHANNEL.search(text):
        settings = {"channels": [channel[1] or channel[2]]}
        yield Lead("youtube", settings, "the page of a channel", rank=15)


def _isso(page: HtmlResponse, root: Element) -> Iterator[Lead]:
    """Comments kept by Isso: its script says where, and it answers for one page at a time."""
    named = root.xpath("//*[@data-isso]/@data-isso")
    try:
        base = urljoin(page.url, named[0].strip()).rstrip("/") if named else ""
        here = urlsplit(page.url).path or "/"
    except ValueError:
        return
    if base.startswith(("http://", "https://")):
        asked = {"url": base, "path": "/", "query": {"uri": here}, "posts": [_ISSO], "may_be_empty": True}
        yield Lead("api", asked, "its comments are kept by Isso", rank=9)


def _linked(page: HtmlResponse, root: Element) -> Iterator[Lead]:
    nodes = Speakers(page.url, Dates(answers.fetched_at(page), "UTC"), found(root, page.url))
    if nodes.wanted(REVIEWS | COMMENTS | POSTINGS):
        yield Lead("schema_org", {"url": page.url}, "it says its reviews or comments for machines", rank=14)


def of_nodeinfo(body: bytes) -> str | None:
    """The address of the second document, which the well-known one names."""
    links = _json(body).get("links")
    named = [link.get("href") for link in links if isinstance(link, Mapping)] if isinstance(links, list) else []
    return next((href for href in reversed(named) if isinstance(href, str) and href.startswith("http")), None)


def of_software(body: bytes, here: str, words: Sequence[str]) -> list[Lead]:
    """Leads of what a federated server says that it runs."""
    software = _json(body).get("software")
    name = str(software.get("name", "")).lower() if isinstance(software, Mapping) else ""
    return [lead for kind, names in _FEDIVERSE.items() if name in names for lead in fediverse(kind, here, words)]


def fediverse(kind: str, here: str, words: Sequence[str]) -> Iterator[Lead]:
    """The lead of a federated server; those that search need words."""
    asked = list(words) or ["news"]
    settings: dict[str, Any] = {"url": here}
    if kind == "mastodon":
        settings["tags"] = ["".join(filter(str.isalnum, word.title())) for word in asked]
    elif kind == "lemmy":
        settings["words"] = asked
    yield Lead(kind, settings, "its nodeinfo says so" if kind != "mastodon" else "it runs Mastodon", rank=5)


def of_robots(addresses: Iterable[str]) -> list[Lead]:
    """Sitemaps that robots.txt names, those of news first."""
    named = sorted(dict.fromkeys(addresses), key=lambda url: "news" not in url.lower())
    return [Lead("sitemap", {"url": url}, "robots.txt names this sitemap", rank=30) for url in named[:2]]


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(body[:LOOK_AT])
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
