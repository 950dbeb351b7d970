"""Text: cleaning, folding, markup, addresses, dates. Properties over any string, and the cases that people write."""

from __future__ import annotations

import time
import unicodedata
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.text import (
    canonical_url,
    clean_text,
    content_hash,
    fold,
    fold_with_offsets,
    parse_when,
    site_of,
    strip_markup,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ODD = "aеёЁйЇ İßſﬁ½…№ǰŉΐ\u0345\u0301\u0306\u0308\u00ad\u200b\u200d\ufe0f\u1100\u1161\u11a8\uff9e가"
ODD += "\n\t\r\x00\x85\ud83d\ude00’«—™ "
anything = st.text(st.characters()) | st.text(st.sampled_from(ODD), max_size=40)


@settings(max_examples=200, deadline=None)
@given(anything)
def test_fold_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@settings(max_examples=200, deadline=None)
@given(anything)
def test_offsets_agree_with_fold_and_never_fall(text: str) -> None:
    folded, offsets = fold_with_offsets(text)
    assert folded == fold(text)
    assert len(offsets) == len(folded) + 1
    assert all(0 <= first <= second for first, second in pairwise(offsets))
    assert offsets[-1] == len(text)


@settings(max_examples=200, deadline=None)
@given(anything, st.integers(1, 50))
def test_clean_text_can_be_stored_and_is_idempotent(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit)
    assert clean_text(cleaned, limit) == cleaned
    assert len(cleaned) <= limit
    assert "\x00" not in cleaned and "\r" not in cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)


@settings(max_examples=150, deadline=None)
@given(anything)
def test_nothing_raises_on_any_text(text: str) -> None:
    strip_markup(text)
    content_hash(text)
    canonical_url(text)
    canonical_url("https://example.com/" + text, text)
    site_of(text)


def test_every_special_character_folds_alike_alone_and_with_offsets() -> None:
    def special(character: str) -> bool:
        moves = unicodedata.normalize("NFKD", character) != character or character.casefold() != character
        return unicodedata.category(character)[0] in "MCZ" or moves

    ranges = (*range(0xAC00), *range(0xAC00, 0xD7A4, 97), *range(0xD7A4, 0xE000), *range(0xF900, 0x1F300))
    wrong = []
    marked = list(filter(special, map(chr, ranges)))
    for character in marked[:2000] + marked[2000::7]:
        text = f"е{character}\u0301б"
        folded = fold(text)
        if fold(folded) != folded or fold_with_offsets(text)[0] != folded:
            wrong.append(f"U+{ord(character):04X}")
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ёлка, ёж", "елка, еж"),
        ("об’єкт, обʼєкт, об`єкт", "об'єкт, об'єкт, об'єкт"),
        ("«Нова Пей» “Nova” „Пэй“", '"нова пей" "nova" "пэй"'),
        ("так—ні – ‑", "так-ні - -"),
        ("Но́ва По́шта", "нова пошта"),
        ("Но\u00adва\u200bПей\ufeff", "новапей"),
        ("  a\t\n b\u00a0c ", " a b c "),
        ("ＮＯＶＡ ﬁne Ⅷ", "nova fine viii"),
        ("Nova™ Pay®", "nova pay "),
        ("STRASSE Straße ΣΊΣΥΦΟΣ", "strasse strasse σίσυφοσ"),
        ("Їжак Ґанок Йод", "їжак ґанок йод"),
        ("ждём…", "ждем..."),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "name", "original"),
    [
        ("бачив «Но\u00adва Пей» вчора", "нова пей", "Но\u00adва Пей"),
        ("…і Нова   Пей!", "нова пей", "Нова   Пей"),
        ("ＮＯＶＡ № 5", "nova no 5", "ＮＯＶＡ № 5"),
        ("Straße Nova", "nova", "Nova"),
        ("Но́ва Пей", "нова пей", "Но́ва Пей"),
    ],
)
def test_offsets_lead_back_to_the_original(text: str, name: str, original: str) -> None:
    folded, offsets = fold_with_offsets(text)
    start = folded.index(name)
    assert text[offsets[start] : offsets[start + len(name)]] == original


def test_folding_is_fast() -> None:
    text = "Вчера в отделении банка «Нова Пей» мне отказали — снова! Хто знає, чому… Why so?\n" * 12_000

    def seconds() -> float:
        started = time.process_time()
        fold(text)
        return time.process_time() - started

    assert len(text) / min(seconds() for _ in range(3)) > 5_000_000


def test_clean_text_keeps_pairs_and_replaces_what_cannot_be_stored() -> None:
    assert clean_text("a\x00b\ud83d\ude00c\ud800d\r\ne\rf") == "a\ufffdb😀c\ufffdd\ne\nf"
    assert clean_text("е\u0308 й") == "ё й"
    assert clean_text("абв", 2) == "аб"


@pytest.mark.parametrize("text", ["a" + "\u0301\u0323" * 40_000, "\u0f73" * 40_000, "\uff9e\u0301" * 40_000])
def test_piles_of_marks_take_linear_time(text: str) -> None:
    started = time.process_time()
    clean_text(text)
    fold(text)
    fold_with_offsets(text)
    assert time.process_time() - started < 1.5


def test_content_hash_is_of_what_is_read() -> None:
    assert content_hash("Нова  Пей — «так»") == content_hash(' нова пей - "ТАК"\n')
    assert content_hash("так") != content_hash("ні")
    assert len(content_hash("")) == 32


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Перший<br>другий</p><p>третій</p>", "Перший\nдругий\n\nтретій"),
        ("a&nbsp;&amp;&lt;b&gt; &#1090;&#x43e;", "a &<b> то"),
        ("<b>a</b> &amp;&nbsp;b", "a & b"),
        ("<script>alert('</p>')</script>x<style>p{}</style>y<!-- c -->z", "xyz"),
        ("<SCRIPT>a</Script >b", "b"),
        ("<script>never closed", ""),
        ("<a title=\"x > y\" href='>'>link</a> end", "link end"),
        ('<a title="open>text</a> end', "text end"),
        ("1 < 2 and 3 <4 <3", "1 < 2 and 3 <4 <3"),
        ("cut <b", "cut <b"),
        ("<![CDATA[kept <i>]]> on", "kept <i> on"),
        ("plain\n\ntext", "plain\n\ntext"),
        ("<div><div>a</div>\n <div>b</div></div>", "a\nb"),
        ("<table><tr><td>1<td>2</tr></table>", "1 2"),
        ("&#99999999999;&#xFFFFFFFFF;x", "\ufffd\ufffdx"),
        ("<p>a</p>\n\n\n\n<p>b</p>", "a\n\nb"),
        ("a<br><br><br>b<br>c", "a\n\nb\nc"),
        ("<?xml version='1'?><!DOCTYPE html>x", "x"),
        ("<svg/><p>kept</p>", "kept"),
    ],
)
def test_strip_markup(html: str, text: str) -> None:
    assert strip_markup(html) == text


QUARTER = 1 << 18


HOSTILE = ["<", "<a ", "<!--", "<script>", "<![CDATA[", "<b '>'", "&#", "&", "&amp;", "<p>", " \n", "</", "<a", '<a "']
HOSTILE += ["<svg/>", "<p> ", "]]>", "&#9", '<b x="', "<b>\n", "<br> <p>"]


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("tail", ["", '">', "<b>"])
def test_markup_takes_linear_time(unit: str, tail: str) -> None:
    text = unit * (QUARTER // len(unit)) + tail
    started = time.process_time()
    strip_markup(text)
    assert time.process_time() - started < 1


def test_a_mebibyte_of_angle_brackets_takes_less_than_a_second() -> None:
    started = time.process_time()
    assert strip_markup("<" * (4 * QUARTER)) == "<" * (4 * QUARTER)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://Example.COM:80/a/./b/../c?b=2&a=1#top", "http://example.com/a/c?b=2&a=1"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://example.com/t?utm_source=x&id=5&fbclid=1&gclid=2&yclid=3", "https://example.com/t?id=5"),
        ("https://example.com/t?PHPSESSID=1", "https://example.com/t"),
        ("https://example.com/t;jsessionid=AB12?x", "https://example.com/t?x"),
        ("https://forum.example/v?sid=0123456789abcdef0123456789abcdef&t=1", "https://forum.example/v?t=1"),
        ("https://forum.example/v?sid=12", "https://forum.example/v?sid=12"),
        ("https://forum.example/t#post123", "https://forum.example/t#post123"),
        ("https://forum.example/t#comment-5", "https://forum.example/t#comment-5"),
        ("https://forum.example/t#p12", "https://forum.example/t#p12"),
        ("https://forum.example/t#section", "https://forum.example/t"),
        ("https://forum.example/t#reply", "https://forum.example/t"),
        (
            "http://приклад.укр/шлях?q=тест",
            "http://xn--80aikifvh.xn--j1amh/%D1%88%D0%BB%D1%8F%D1%85?q=%D1%82%D0%B5%D1%81%D1%82",
        ),
        ("http://straße.example/", "http://xn--strae-oqa.example/"),
        ("http://user:secret@example.com/x", "http://example.com/x"),
        ("http://example.com/%7Euser/%d0%bf", "http://example.com/~user/%D0%BF"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://example.com/a b", "http://example.com/a%20b"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("/rel", "https://base.example/rel"),
        ("?page=2", "https://base.example/dir/page?page=2"),
        ("  https://example.com/x \n", "https://example.com/x"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("http://[::FFFF:7f00:1]/", "http://[::ffff:7f00:1]/"),
        ("javascript:alert(1)", None),
        ("mailto:a@example.com", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("http://", None),
        ("http://[::1", None),
        ("http://exa mple.com/", None),
        ("http://example.com:99999/", None),
        ("http://a..b/", None),
        ("https://example.com/" + "a" * 5000, None),
    ],
)
def test_canonical_url(url: str, canonical: str | None) -> None:
    found = canonical_url(url, "https://base.example/dir/page")
    assert found == canonical
    assert found is None or canonical_url(found) == found


@settings(max_examples=150, deadline=None)
@given(anything, anything)
def test_canonical_url_is_idempotent(path: str, query: str) -> None:
    if found := canonical_url(f"https://example.com/{path}?{query}"):
        assert canonical_url(found) == found


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.forum.example.co.uk/x", "example.co.uk"),
        ("https://news.example.com.ua:8443/x", "example.com.ua"),
        ("https://alice.blogspot.com/", "alice.blogspot.com"),
        ("https://deep.sub.forum.example/", "forum.example"),
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080"),
        ("http://127.0.0.1/x", "127.0.0.1:80"),
        ("https://[::1]/", "[::1]:443"),
        ("http://localhost:5000", "localhost:5000"),
        ("https://intranet/", "intranet:443"),
        ("ftp://example.com/", ""),
        ("nonsense", ""),
    ],
)
def test_site_of(url: str, site: str) -> None:
    assert site_of(url) == site


DATES = [
    ("2026-11-14T10:15:00Z", "2026-11-14 10:15"),
    ("2026-11-14T10:15:00.123456+02:00", "2026-11-14 08:15"),
    ("2026-11-14 10:15:00", "2026-11-14 10:15"),
    ("2026-11-14 10:15:00 UTC", "2026-11-14 10:15"),
    ("2026-11-14", "2026-11-14 00:00"),
    ("Sat, 14 Nov 2026 10:15:00 +0200", "2026-11-14 08:15"),
    ("Sat, 14 Nov 2026 10:15:00 GMT", "2026-11-14 10:15"),
    ("14 Nov 2026 10:15:00 -0000", "2026-11-14 10:15"),
    ("1794651300", "2026-11-14 10:15"),
    ("1794651300123", "2026-11-14 10:15"),
    ("1794651300.5", "2026-11-14 10:15"),
    ("14.11.2026 10:15", "2026-11-14 10:15"),
    ("04.05.2026", "2026-05-04 00:00"),
    ("14/11/2026", "2026-11-14 00:00"),
    ("14.11.26, 10:15", "2026-11-14 10:15"),
    ("14 листопада 2026, 10:15", "2026-11-14 10:15"),
    ("14 листопада 2026 р. о 10:15", "2026-11-14 10:15"),
    ("14 ноября 2026 г. в 10:15", "2026-11-14 10:15"),
    ("сб, 14 ноя 2026 10:15", "2026-11-14 10:15"),
    ("14 мая 2026", "2026-05-14 00:00"),
    ("14 травня 2026", "2026-05-14 00:00"),
    ("14 ноября", "2026-11-14 00:00"),
    ("Nov 14, 2026", "2026-11-14 00:00"),
    ("November 14, 2026, 10:15", "2026-11-14 10:15"),
    ("Nov 14, 2026 10:15 PM", "2026-11-14 22:15"),
    ("вчера в 14:05", "2026-11-21 14:05"),
    ("Вчора о 14:05", "2026-11-21 14:05"),
    ("сьогодні, 09:00", "2026-11-22 09:00"),
    ("yesterday", "2026-11-21 12:00"),
    ("yesterday at 14:05", "2026-11-21 14:05"),
    ("позавчера", "2026-11-20 12:00"),
    ("2 години тому", "2026-11-22 10:00"),
    ("3 часа назад", "2026-11-22 09:00"),
    ("5 минут назад", "2026-11-22 11:55"),
    ("5 хв. тому", "2026-11-22 11:55"),
    ("2 дні тому", "2026-11-20 12:00"),
    ("1 год тому", "2026-11-22 11:00"),
    ("1 год назад", "2025-11-22 12:00"),
    ("3 days ago", "2026-11-19 12:00"),
    ("a month ago", "2026-10-22 12:00"),
    ("только что", "2026-11-22 12:00"),
    ("щойно", "2026-11-22 12:00"),
    ("09:30", "2026-11-22 09:30"),
    ("23:30", "2026-11-21 23:30"),
    ("Posted on Nov 14, 2026", "2026-11-14 00:00"),
    ("Опубліковано: 14 листопада 2026, 10:15", "2026-11-14 10:15"),
]


@pytest.mark.parametrize(("written", "read"), DATES)
def test_parse_when(written: str, read: str) -> None:
    found = parse_when(written, NOW)
    assert found is not None and found.tzinfo is UTC
    assert found.strftime("%Y-%m-%d %H:%M") == read


NO_DATES = ["", "  ", "soon", "2026", "31.02.2026", "14.11.1994", "2199-01-01", "2026-11-24", "-1", "0", "9" * 19, "🎂"]
NO_DATES += ["1 1 1 1 1", "ago " * 25, "1 " * 50, "x" * 5000, "1" * 101, "0001-01-01T00:00:00+23:59", "999999 days ago"]


@pytest.mark.parametrize("written", [None, "99:99", "\x00", *NO_DATES])
def test_what_is_no_date(written: str | None) -> None:
    assert parse_when(written, NOW) is None


def test_times_without_a_zone_are_of_the_source() -> None:
    read = parse_when("14.11.2026 10:15", NOW, tz="Europe/Kyiv")
    assert read == datetime(2026, 11, 14, 8, 15, tzinfo=UTC)
    late = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)  # half past midnight of the 23rd in Kyiv
    assert parse_when("вчера в 23:50", late, tz="Europe/Kyiv") == datetime(2026, 11, 22, 21, 50, tzinfo=UTC)
    assert parse_when("5 минут назад", late, tz="Europe/Kyiv") == late - timedelta(minutes=5)
    assert parse_when("14.11.2026 10:15", NOW, tz="Nowhere/Land") == datetime(2026, 11, 14, 10, 15, tzinfo=UTC)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120) | st.text(st.sampled_from("0123456789 .:-/,agоtomусnv"), max_size=60))
def test_parse_when_never_raises_and_stays_in_bounds(written: str) -> None:
    found = parse_when(written, NOW)
    assert found is None or datetime(1995, 1, 1, tzinfo=UTC) <= found <= NOW + timedelta(days=1)


def test_every_naughty_string_passes(shared: Path) -> None:
    files = sorted((shared / "corpus" / "blns").glob("*.txt")) + sorted((shared / "corpus" / "blns").glob("*.json"))
    assert files
    for line in (line for file in files for line in file.read_text("utf-8", "replace").splitlines()):
        text = clean_text(strip_markup(line))
        folded, offsets = fold_with_offsets(text)
        assert folded == fold(text) and len(offsets) == len(folded) + 1
        parse_when(line, NOW)
