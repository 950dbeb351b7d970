"""`telegram` and `sitemap` in real Scrapy against doubles that page, limit, edit, delete, reorder and lie."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rough_site import Request, RoughSite, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
NOW = datetime.now(UTC)


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


def tick(site: RoughSite) -> dict[str, Any]:
    return {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick", "item": "nothing"}}


@dataclass
class Limit:
    """Every `every`th request is refused for a second, and whoever waited is served; who did not breaks the limit."""

    every: int
    asked: int = 0
    refused: int = 0
    breaches: int = 0
    not_before: float = 0.0
    waited: set[str] = field(default_factory=set)

    def refuses(self, request: Request) -> bool:
        now = time.monotonic()
        # What was on its way when the other was refused is no breach.
        self.breaches += self.not_before - 0.5 < now < self.not_before - 0.05
        self.asked += 1
        if self.asked % self.every or request.path in self.waited:
            self.waited.discard(request.path)
            return False
        self.waited.add(request.path)
        self.refused, self.not_before = self.refused + 1, now + 1.0
        request.send("slow down", status=429, Retry_After="1")
        return True


@dataclass
class Channel:
    """Messages by number, with gaps; `silent` ones are pictures, `service` ones say that something was pinned."""

    site: RoughSite
    texts: dict[int, str]
    silent: set[int] = field(default_factory=set)
    service: set[int] = field(default_factory=set)
    shuffled: bool = False
    limit: Limit = field(default_factory=lambda: Limit(4))

    def __post_init__(self) -> None:
        self.site.routes["/s/ladna_news*"] = self._page

    def _page(self, request: Request) -> None:
        if self.limit.refuses(request):
            return
        before = int((parse_qs(urlsplit(request.path).query).get("before") or ["1000000"])[0])
        older = sorted(number for number in self.texts if number < before)
        shown = older[-20:]
        more = f"<a class='tme_messages_more' data-before='{shown[0]}'></a>" if len(older) > 20 else ""
        drawn = [self._drawn(number) for number in shown]
        request.send(f"<html><body>{more}{''.join(drawn[::-1] if self.shuffled else drawn)}</body></html>")

    def _drawn(self, number: int) -> str:
        text = f"<div class='tgme_widget_message_text js-message_text'>{self.texts[number]}</div>"
        at = (NOW - timedelta(hours=1000 - number)).isoformat()
        service = "service_message" if number in self.service else ""
        return (
            f"<div class='tgme_widget_message {service} js-widget_message' data-post='ladna_news/{number}'>"
            f"{'' if number in self.silent else text}<a class='tgme_widget_message_date'>"
            f"<time datetime='{at}'></time></a></div>"
        )


def test_a_channel_lives_on(site: RoughSite) -> None:
    numbers = [n for n in range(1, 80) if n % 7]
    channel = Channel(site, {n: f"Message {n}" for n in numbers}, silent={74, 66}, service={60})
    told = {f"ladna_news/{n}" for n in numbers} - {"ladna_news/74", "ladna_news/66", "ladna_news/60"}

    def live(request: Request) -> None:
        del channel.texts[69], channel.texts[66]
        channel.texts[72] += " said anew"
        channel.texts |= {n: f"Message {n}" for n in range(81, 106)}
        channel.shuffled = False
        request.send("done")

    site.routes["/tick"] = live
    job = {"kind": "telegram", "settings": {"channel": "@ladna_news", "base_url": site.url}}
    first, again, _, lived, quiet = run(job, job, tick(site), job, job, seconds=200)
    assert (first["verdict"], set(first["ids"])) == ("ok", told)
    assert (again["new"], quiet["new"], lived["new"]) == (0, 0, 25)
    assert set(lived["ids"]) == told | {f"ladna_news/{n}" for n in range(81, 106)}
    assert lived["deleted"] == ["ladna_news/69"], "the picture was no post"
    assert "Message 72 said anew" in lived["texts"]
    assert (channel.limit.breaches, channel.limit.refused > 0) == (0, True)


def test_a_page_that_is_drawn_the_other_way_round_takes_nothing_down(site: RoughSite) -> None:
    channel = Channel(site, {n: f"Message {n}" for n in range(1, 31)}, limit=Limit(1000))

    def turn(request: Request) -> None:
        channel.shuffled = True
        del channel.texts[25]
        request.send("done")

    site.routes["/tick"] = turn
    job = {"kind": "telegram", "settings": {"channel": "@ladna_news", "base_url": site.url}}
    _, _, turned = run(job, tick(site), job, seconds=120)
    assert (turned["deleted"], len(turned["ids"])) == ([], 30)


@dataclass
class Press:
    """A site with sitemaps: `maps` by name hold (article, lastmod); `dated` is what the index says of each map."""

    site: RoughSite
    maps: dict[str, list[tuple[str, str]]]
    dated: dict[str, str]
    gone: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    shut: set[str] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)
    limit: Limit = field(default_factory=lambda: Limit(5))

    def __post_init__(self) -> None:
        self.site.routes |= {"/sitemap.xml": self._index, "/maps/*": self._map, "/n/*": self._article}

    def _index(self, request: Request) -> None:
        if self.limit.refuses(request):
            return
        maps = "".join(
            f"<sitemap><loc>{self.site.url}/maps/{name}.xml.gz</loc><lastmod>{self.dated[name]}</lastmod></sitemap>"
            for name in self.maps
        )
        request.send(
            f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{maps}</sitemapindex>", "text/xml"
        )

    def _map(self, request: Request) -> None:
        if self.limit.refuses(request):
            return
        entries = self.maps[request.path.split("/")[-1].split(".")[0]]
        urls = "".join(f"<url><loc>{self.site.url}/n/{n}</loc><lastmod>{at}</lastmod></url>" for n, at in entries)
        body = f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{urls}</urlset>"
        request.send(gzip.compress(body.encode()), "application/gzip")

    def _article(self, request: Request) -> None:
        if self.limit.refuses(request):
            return
        name = request.path.split("/")[-1]
        if name in self.moved:
            request.send("", status=301, Location=f"/n/{self.moved[name]}")
        elif name in self.gone:
            request.send("gone", status=410)
        elif name in self.shut:
            request.send("<title>Log in</title><form><input type='password'></form>")
        else:
            words = f"{self.said.get(name, name)}: Ladna Pay opened an office, and its customers wait in a line. " * 8
            request.send(
                f"<html><head><title>{name}</title></head><body><article><h1>{name}</h1><p>{words}</p></article>"
            )


def ago(hours: int) -> str:
    return (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_sitemaps_that_lie_hide_nothing(site: RoughSite) -> None:
    """The index dates a living map years back, a map dates all entries anew each time; links die, move, are shut."""
    old = "2019-01-01T00:00:00Z"
    maps = {
        "live": [(f"a{n}", ago(n)) for n in range(1, 7)],
        "stale": [("b1", ago(5))],
        "anew": [(f"c{n}", ago(1)) for n in range(25)],
    }
    press = Press(
        site, maps, {"live": ago(1), "stale": old, "anew": ago(1)}, gone={"a5"}, moved={"a6": "a1"}, shut={"a4"}
    )

    def live(request: Request) -> None:
        maps["stale"].append(("b2", ago(0)))
        maps["live"][1] = ("a2", ago(0))
        press.said["a2"] = "said anew"
        maps["anew"] = [(f"c{n}", ago(0)) for n in range(30)]
        request.send("done")

    site.routes["/tick"] = live
    job = {"kind": "sitemap", "settings": {"url": f"{site.url}/sitemap.xml"}}
    first, again, _, lived, quiet = run(job, job, tick(site), job, job, seconds=240)
    told = {"a1", "a2", "a3", "b1", *(f"c{n}" for n in range(25))}
    assert (first["verdict"], {one.split("/")[-1] for one in first["ids"]}) == ("ok", told), first["error"]
    assert (again["new"], again["verdict"]) == (0, "ok")
    now = told | {"b2", *(f"c{n}" for n in range(30))}
    assert {one.split("/")[-1] for one in lived["ids"]} == now
    assert [text for text in lived["texts"] if "said anew" in text]
    assert quiet["new"] == 0
    assert site.asked["/n/c3"] == 1, "a date that stands in all entries is none"
    assert site.asked["/n/a5"] == 1, "what is gone is not asked for again"
    assert (press.limit.breaches, press.limit.refused > 0) == (0, True)


def test_one_article_that_is_gone_is_no_word_of_a_quiet_site(site: RoughSite) -> None:
    """The others were read before; a run that finds but this one new says nothing of the source."""
    maps = {"live": [(f"a{n}", ago(n)) for n in range(1, 4)]}
    Press(site, maps, {"live": ago(1)}, gone={"a9"}, moved={}, shut=set())

    def lose(request: Request) -> None:
        maps["live"].append(("a9", ago(0)))
        request.send("done")

    site.routes["/tick"] = lose
    job = {"kind": "sitemap", "settings": {"url": f"{site.url}/sitemap.xml"}}
    first, _, lost = run(job, tick(site), job, seconds=120)
    assert (first["verdict"], len(first["ids"])) == ("ok", 3)
    assert (lost["verdict"], lost["new"]) == ("ok", 0), lost["error"]
