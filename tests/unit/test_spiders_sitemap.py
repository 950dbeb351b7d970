"""Sitemaps: what they name, what is hostile in them, what is told apart."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime
from typing import Any

from crawler.model import Document, Source
from spiders.answers import response_of
from spiders.dates import Dates
from spiders.sitemap import Entry, SitemapSpider, entries_of, unpacked

DATES = Dates(datetime(2026, 11, 20, tzinfo=UTC), "UTC")
URL = "https://n.example/sitemap.xml"
SPACE = "xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'"


def test_images_and_their_addresses_are_no_pages() -> None:
    body = (
        f"<urlset {SPACE} xmlns:image='http://www.google.com/schemas/sitemap-image/1.1'><url><image:image>"
        "<image:loc>https://n.example/a.jpg</image:loc></image:image><loc>/page?a=1&amp;b=2</loc></url></urlset>"
    )
    assert entries_of(body.encode(), URL, DATES) == ([Entry("https://n.example/page?a=1&b=2")], [])


def test_entities_are_not_opened_and_broken_xml_gives_what_it_has() -> None:
    body = (
        "<!DOCTYPE u [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
        f"<urlset {SPACE}><url><loc>https://n.example/&x;</loc></url><url><loc>https://n.example/b</loc></url><url>"
    )
    pages, _ = entries_of(body.encode(), URL, DATES)
    assert [page.url for page in pages or ()] == ["https://n.example/", "https://n.example/b"]


def test_what_is_no_sitemap_is_said_to_be_none() -> None:
    assert entries_of(b"<html><body>news</body></html>", URL, DATES) == (None, [])
    assert entries_of(b"", URL, DATES) == (None, [])
    assert unpacked(b"\x1f\x8b broken") == b""


def test_robots_and_text_name_sitemaps_and_pages() -> None:
    robots = b"User-agent: *\nDisallow: /x\nSITEMAP: https://n.example/s.xml\nSitemap: ftp://n.example/t.xml\n"
    assert entries_of(robots, "https://n.example/robots.txt", DATES) == ([], [Entry("https://n.example/s.xml")])
    lines = b"https://n.example/a\nhttps://n.example/b\n"
    pages, _ = entries_of(lines, "https://n.example/sitemap.txt", DATES)
    assert [page.url for page in pages or ()] == ["https://n.example/a", "https://n.example/b"]


def test_a_bomb_costs_little() -> None:
    begun = time.process_time()
    entries_of(gzip.compress(b"<urlset>" + b"<url>" * 3_000_000), URL, DATES)
    entries_of(gzip.compress(b" " * 100_000_000), URL, DATES)
    assert time.process_time() - begun < 30


def test_a_bare_ampersand_costs_no_part_of_an_address() -> None:
    body = f"<urlset {SPACE}><url><loc> https://n.example/?id=5&cat=2&amp;x=&#49;</loc></url></urlset>"
    assert entries_of(body.encode(), URL, DATES) == ([Entry("https://n.example/?id=5&cat=2&x=1")], [])


def follow(body: str, cursor: dict[str, object] | None = None, **given: object) -> list[str]:
    """The last parts of the addresses that a sitemap leads to."""
    settings = SitemapSpider.Settings.model_validate({"url": URL, **given})
    spider = SitemapSpider(source=Source("s", "sitemap", settings, cursor=cursor or {}))
    headers = {"content-type": "application/xml"}
    reading = spider.read(response_of(Document(URL, 200, headers, body.encode(), datetime(2026, 11, 20, tzinfo=UTC))))
    return [request.url.rsplit("/", 1)[1] for request in reading.requests]


def urlset(*entries: tuple[str, str]) -> str:
    urls = (f"<url><loc>/{name}</loc>{at and f'<lastmod>{at}</lastmod>'}</url>" for name, at in entries)
    return f"<urlset {SPACE}>{''.join(urls)}</urlset>"


def test_what_was_never_read_comes_before_what_changed() -> None:
    entries = [("old1", "2026-11-19T10:00:00Z"), ("old2", "2026-11-19T09:00:00Z"), ("new", "2026-11-18T10:00:00Z")]
    read = {f"https://n.example/old{n}": "2026-11-17T10:00:00+00:00" for n in (2, 1)}
    assert follow(urlset(*entries), {"_read": read}) == ["new", "old2", "old1"]
    assert follow(urlset(*entries), {"_read": read}, pages=3) == ["new", "old2"], "a third of the run for changes"


def test_a_date_that_all_entries_share_is_none() -> None:
    first = urlset(*((f"a{n}", "2026-11-19T10:00:00Z") for n in range(30)))
    again = urlset(*((f"a{n}", "2026-11-19T11:00:00Z") for n in range(31)))
    read = {f"https://n.example/{name}": "" for name in follow(first)}
    assert (len(read), follow(again, {"_read": read})) == (30, ["a30"])


def test_of_a_long_sitemap_without_dates_the_ends_are_read() -> None:
    found = follow(urlset(*((f"a{n}", "") for n in range(3000))))
    assert {"a0", "a99", "a2900", "a2999"} <= set(found) and "a1500" not in found


def test_maps_with_old_dates_are_read_in_turn() -> None:
    def index(*maps: tuple[str, str]) -> str:
        said = "".join(f"<sitemap><loc>/{name}</loc><lastmod>{at}</lastmod></sitemap>" for name, at in maps)
        return f"<sitemapindex {SPACE}>{said}</sitemapindex>"

    maps = index(("live.xml", "2026-11-20"), ("b.xml", "2019-01-01"), ("c.xml", "2018-01-01"))
    assert [follow(maps, {"_turn": turn}) for turn in (0, 1)] == [["live.xml", "b.xml"], ["live.xml", "c.xml"]]
    many = index(*((f"m{n}.xml", "2026-11-20") for n in range(50)))
    assert len(follow(many, pages=20)) == 11, "half of the run is left for articles"


def test_two_indexes_of_one_site_are_both_read_whole_in_time() -> None:
    """Each turn counts once a run, however many indexes take it: else one of them shows the same map for ever."""

    def answer(name: str, count: int) -> Any:
        said = "".join(
            f"<sitemap><loc>/{name}{n}.xml</loc><lastmod>2019-01-01</lastmod></sitemap>" for n in range(count)
        )
        document = Document(
            f"https://n.example/{name}.xml",
            200,
            {"content-type": "application/xml"},
            f"<sitemapindex {SPACE}>{said}</sitemapindex>".encode(),
            datetime(2026, 11, 20, tzinfo=UTC),
        )
        return response_of(document)

    cursor, seen = dict[str, Any](), set[str]()
    for _ in range(4):
        spider = SitemapSpider(
            source=Source("s", "sitemap", SitemapSpider.Settings.model_validate({"url": URL}), cursor=cursor)
        )
        for name, count in (("a", 2), ("b", 4)):
            reading = spider.read(answer(name, count))
            seen |= {request.url.rsplit("/", 1)[1] for request in reading.requests}
            spider.cursor_ |= reading.cursor or {}
        cursor = dict(spider.cursor_)
    assert seen == {*(f"a{n}.xml" for n in range(2)), *(f"b{n}.xml" for n in range(4))}
