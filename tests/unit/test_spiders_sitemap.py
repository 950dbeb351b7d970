"""Sitemaps: what they name, what is hostile in them, what is told apart."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime

from spiders.dates import Dates
from spiders.sitemap import Entry, entries_of, unpacked

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
    begun = time.monotonic()
    entries_of(gzip.compress(b"<urlset>" + b"<url>" * 3_000_000), URL, DATES)
    entries_of(gzip.compress(b" " * 100_000_000), URL, DATES)
    assert time.monotonic() - begun < 10


def test_a_bare_ampersand_costs_no_part_of_an_address() -> None:
    body = f"<urlset {SPACE}><url><loc> https://n.example/?id=5&cat=2&amp;x=&#49;</loc></url></urlset>"
    assert entries_of(body.encode(), URL, DATES) == ([Entry("https://n.example/?id=5&cat=2&x=1")], [])
