"""The small parts of the spiders' room: selectors, texts, walks, walls, robots, mending of JSON, cutting of feeds."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import html
from scrapy.http import HtmlResponse, Request, Response

from crawler.errors import EgressRefused
from crawler.model import Document, Post, Source, Verdict
from crawler.net.guard import EgressPolicy
from crawler.text import strip_markup
from spiders import answers, feed_cut, linked_data, polite, verdicts
from spiders.feed import FeedSpider
from spiders.html import text_of
from spiders.page import PageSpider
from spiders.paging import Walk, keep_walk, oldest_first, trap_of
from spiders.selecting import picker
from spiders.verdicts import Finding

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
URL = "https://site.example/list"


def tree(source: str) -> Any:
    return html.fromstring(source)


def page(body: str, url: str = URL, **meta: Any) -> HtmlResponse:
    return HtmlResponse(url, body=body.encode(), encoding="utf-8", request=Request(url, meta=meta))


# --- selectors


ITEM = '<li class="c" data-id="7"><a href="/u">Ада</a><a name="x">[x]</a><time datetime="2026">now</time><b></b></li>'


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("a", "Ада"),
        ("a@href", "/u"),
        ("@data-id", "7"),
        ("time@title, time@datetime", "2026"),
        ("b, time", "now"),
        ("a[name='x']", "[x]"),
        ("a::text", "Ада"),
        ("a::attr(href)", "/u"),
        ("./a/@href", "/u"),
        ("xpath:string(./time)", "now"),
        ("//li[contains(@class, 'c')]/a[2]", "[x]"),
        ("xpath:count(./a)", "2.0"),
        (".nothing", None),
    ],
)
def test_selectors(selector: str, value: str | None) -> None:
    assert picker(selector).value(tree(ITEM)) == value


def test_links_mean_their_address() -> None:
    assert picker("a").links().values(tree(ITEM)) == ["/u"]


@pytest.mark.parametrize("selector", ["", "a[", "//a[", "a@@b", "./a/@", "div > > a"])
def test_wrong_selectors_are_refused_with_the_selector(selector: str) -> None:
    with pytest.raises(ValueError, match="selector"):
        PageSpider.Settings(url=URL, item=selector)


# --- texts


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>one  two\n three</p>", "one two three"),
        ("<div>a<br>b<script>x</script>c</div>", "a\nbc"),
        ("<div>a<div>b</div>c</div>", "a\nb\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br><br>b", "a\n\nb"),
        ("<tr><td>a</td><td>b</td></tr>", "a b"),
        ("<div>t\ue000x</div>", "t x"),
        ("<div><!-- c -->a<style>b</style> c</div>", "a c"),
    ],
)
def test_text_of_elements(source: str, text: str) -> None:
    assert text_of(tree(f"<section>{source}</section>")) == text


@pytest.mark.parametrize(
    "source", ["<div><p>a</p></div><p>b</p>c", "<h1>a</h1>b<i> c</i><hr>d", "<table><tr><td>a<td>b"]
)
def test_texts_are_broken_as_fragments_are(source: str) -> None:
    """A feed's fragment and a page's element of the same words are the same text."""
    assert text_of(tree(f"<section>{source}</section>")) == strip_markup(source)


def test_text_without_quotes() -> None:
    element = tree("<div><blockquote>they said</blockquote>I say<blockquote>again</blockquote> so</div>")
    assert text_of(element, element.findall("blockquote")) == "I say so"


def test_a_quote_that_is_the_post_itself_is_read() -> None:
    """vBulletin keeps the words of a post in a blockquote; the quotes inside it are still left out."""
    item = tree("<div><blockquote>I say <blockquote>they said</blockquote> so</blockquote></div>")
    outer, inner = item.iter("blockquote")
    assert text_of(outer, [outer, inner]) == "I say so"


def read_page(body: str, **settings: Any) -> list[Post]:
    given = {"url": URL, "item": "article", **settings}
    spider = PageSpider(source=Source("p", "page", PageSpider.Settings(**given)))
    reading = spider.read(answers.response_of(Document(URL, 200, {"content-type": "text/html"}, body.encode(), NOW)))
    assert not reading.broken, reading.finding
    return list(reading.posts)


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("Сообщение Вася » 17 ноя 2026, 14:05", "2026-11-17T12:05"),
        ("by Ada on Tue Nov 17, 2026 2:05 pm", "2026-11-17T12:05"),
        ("Додав Петро вчора о 12:30", "2026-11-19T10:30"),
        ("asked 2026-11-17 23:47:24 -0500", "2026-11-18T04:47"),
        ("#7 · 17.11.2026, 14:05 · Скарга", "2026-11-17T12:05"),
        ("Гість, 3 години тому", "2026-11-20T09:00"),
        ("Ада | 17 листопада 2026 о 14:05", "2026-11-17T12:05"),
        ("давно", None),
    ],
)
def test_dates_among_other_words(said: str, when: str | None) -> None:
    (post,) = read_page(f"<article>text <i>{said}</i></article>", fields={"published_at": "i"}, timezone="Europe/Kyiv")
    assert (post.published_at.isoformat()[:16] if post.published_at else None) == when


def test_posts_that_share_a_link_are_told_apart() -> None:
    body = (
        "".join(f"<article><a href='/topic'>#</a>Words {n}</article>" for n in range(3)) + "<article>Words 1</article>"
    )
    posts = read_page(body, fields={"url": "a"})
    assert len({post.platform_id or post.url for post in posts}) == 4


# --- charsets


@pytest.mark.parametrize("codec", ["utf-8", "cp1251", "koi8-u", "cp866", "utf-8-sig"])
@pytest.mark.parametrize("words", ["Не працює оплата", "Верните деньги", "Дякую, усе добре, але довго"])
def test_short_cyrillic_texts_are_detected(words: str, codec: str) -> None:
    body = f"<html><p>{words}</p></html>".encode(codec, "replace")
    assert words in body.decode(answers.charset_of(body))


@pytest.mark.parametrize(
    ("codec", "header", "meta"),
    [
        ("cp1251", "windows-1251", None),
        ("cp1251", None, "windows-1251"),
        ("cp1251", "iso-8859-1", "windows-1251"),
        ("cp1251", "utf-8", "windows-1251"),
        ("utf-8", "windows-1251", "utf-8"),
        ("utf-8", None, "windows-1251"),
        ("cp1251", "no-such-charset", None),
        ("utf-16", None, None),
    ],
)
def test_declared_charsets(codec: str, header: str | None, meta: str | None) -> None:
    words = "Клієнти скаржаться, що переказ не дійшов і ніхто не відповідає на звернення"
    far = "<script>/* " + "x" * 3000 + " */</script>"
    declared = f'{far}<meta charset="{meta}">' if meta else ""
    body = f"<html><head>{declared}</head><p>{words}</p></html>".encode(codec)
    charset = answers.charset_of(body, f"text/html; charset={header}".encode() if header else b"text/html")
    assert words in body.decode(charset)


def test_western_pages_stay_western() -> None:
    body = "<p>Le café est très bon, mais l'hôtel a été fermé dès l'été à cause des dégâts.</p>".encode("cp1252")
    assert "très" in body.decode(answers.charset_of(body))
    assert "très" in body.decode(answers.charset_of(body, b"text/html; charset=iso-8859-1"))


# --- walks


def posts(*numbers: int, step: int = 0) -> list[Post]:
    return [
        Post(text=str(n), platform_id=str(n), published_at=NOW + timedelta(hours=step * at) if step else None)
        for at, n in enumerate(numbers)
    ]


def test_order_by_dates() -> None:
    assert oldest_first(posts(1, 2, 3, step=1))
    assert not oldest_first(posts(1, 2, 3, step=-1))
    assert not oldest_first(posts(1, 2, 3)) and not oldest_first([])


def test_a_walk_ends_where_the_last_complete_one_began() -> None:
    first = Walk(10)
    state = first.page("/1", posts(9, 8, 7), goes_on=True)
    assert state == {"top": [], "open": True} and not first.stops(posts(9, 8, 7), fresh=3)
    state = first.page("/2", posts(6, 5), goes_on=False)
    assert "open" not in state and len(state["top"]) == 3
    second = Walk(10, state)
    assert not second.stops(posts(12, 11, 10), fresh=3)
    second.page("/2", posts(9, 8), goes_on=True)
    assert second.stops(posts(9, 8), fresh=1)


def test_an_open_walk_goes_on_over_known_pages() -> None:
    walk = Walk(10, {"top": [], "open": True})
    walk.page("/1", posts(9, 8), goes_on=True)
    assert not walk.stops(posts(9, 8), fresh=0)
    closed = Walk(10, {"top": []})
    closed.page("/1", posts(9, 8), goes_on=True)
    assert closed.stops(posts(9, 8), fresh=0)


def test_remembered_walks_are_bounded() -> None:
    walks: dict[str, Any] = {}
    for n in range(500):
        walks = keep_walk(walks, f"/t/{n}", {"page": f"/t/{n}?p=2"}, main=False)
    assert len(walks) <= 202 and "/t/499" in walks and "/t/0" not in walks
    assert keep_walk({}, "/t", {"top": ["a"]}, main=False) == {}


@pytest.mark.parametrize(
    ("url", "trap"),
    [
        ("https://site.example/a/b/c/d", False),
        ("https://site.example/a/a/b", False),
        ("https://site.example/a/a/a", True),
        ("https://site.example/x/a/b/a/b/a/b", True),
        ("https://site.example/calendar/2026/12", False),
        ("https://site.example/calendar?month=2031-05", True),
        ("https://site.example/calendar/1970/01/", True),
        ("https://site.example/topic/2031", False),
        ("https://site.example/?q=" + "x" * 2100, True),
    ],
)
def test_traps(url: str, trap: bool) -> None:
    assert bool(trap_of(url, NOW)) is trap


# --- verdicts


@pytest.mark.parametrize(
    ("findings", "showed", "verdict"),
    [
        ([], 1, Verdict.OK),
        ([], 0, Verdict.FAILED),
        ([Verdict.EMPTY], 0, Verdict.EMPTY),
        ([Verdict.EMPTY, Verdict.CHANGED], 3, Verdict.OK),
        ([Verdict.FAILED, Verdict.EMPTY], 3, Verdict.FAILED),
        ([Verdict.EMPTY, Verdict.BLOCKED], 0, Verdict.BLOCKED),
        ([Verdict.FAILED, Verdict.TRAP, Verdict.TOO_BIG], 9, Verdict.TRAP),
    ],
)
def test_the_verdict_of_a_run_is_its_worst_finding(findings: list[Verdict], showed: int, verdict: Verdict) -> None:
    assert verdicts.sum_up([Finding(found, found.value) for found in findings], showed).verdict is verdict


def test_many_findings_are_summed_up_in_few_words() -> None:
    end = verdicts.sum_up([Finding(Verdict.FAILED, f"page {n} is gone") for n in range(9)], 1)
    assert end.why == "page 0 is gone; page 1 is gone; page 2 is gone (and 6 more)"


@pytest.mark.parametrize(
    ("body", "wall"),
    [
        ("<title>Attention Required! | Cloudflare</title>", True),
        ("<title>Доступ ограничен</title><p>Подтвердите, что вы не робот</p>", True),
        ("<title>Магазин</title><script src='https://smartcaptcha.example/x.js'></script>", True),
        ("<title>Вхід</title><form><input type='password' name=p></form>", True),
        ("<title>Форум</title><p>Нема повідомлень</p>", False),
        ("<title>Форум</title><div class=g-recaptcha></div><p>" + "слово " * 400 + "</p>", False),
        ("<title>Форум</title><form><input type=password></form><p>" + "слово " * 400 + "</p>", False),
        ("<title", False),
    ],
)
def test_walls(body: str, wall: bool) -> None:
    assert bool(verdicts.wall_of(page(body))) is wall


def test_a_page_that_javascript_draws_is_called_so() -> None:
    shell = page("<title>App</title><div id=root></div><script src=/app.js></script>")
    assert "kind: browser" in verdicts.of_nothing(shell, 0).why
    assert "kind: browser" not in verdicts.of_nothing(page("<p>" + "word " * 100 + "</p><script></script>"), 0).why


def test_a_redirect_to_a_log_in_page_is_a_wall() -> None:
    words = "<p>" + "word " * 500 + "</p>"
    assert verdicts.wall_of(page(words, "https://site.example/login?next=/x", redirect_urls=[URL]))
    assert not verdicts.wall_of(page(words, "https://site.example/news", redirect_urls=[URL]))


def test_walls_are_looked_for_in_linear_time() -> None:
    for part in ("<title", "<input ", "<script", "<", "ваш запит "):
        assert verdicts.wall_of(page(part * 30_000)) in (None, "a log-in page")


def test_failures_say_what_to_do() -> None:
    with pytest.raises(EgressRefused) as inside:
        EgressPolicy().resolve("10.0.0.1", 80)
    refused = verdicts.of_failure(inside.value, URL)
    assert refused.verdict is Verdict.FAILED and refused.why.count("network.allow_private") == 1
    odd = verdicts.of_failure(EgressRefused("port 25 is not a web port"), URL)
    assert "allow_private" not in odd.why, "that would not help"
    denied = verdicts.of_failure(polite.RobotsDenied("robots.txt of the site forbids this page"), URL)
    assert denied.verdict is Verdict.BLOCKED and "robots.txt" in denied.why


# --- politeness


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Response:
    return Response(URL, status=status, body=body, headers=headers)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        # Nobody can be left for three hundred years by one answer, and no clock goes that far.
        ("9999999999", 86_400.0),
        ("9" * 400, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after(said: str, seconds: float | None) -> None:
    assert polite.retry_after(answer(503, **{"Retry-After": said}), NOW.timestamp()) == seconds


@pytest.mark.parametrize(
    ("status", "body", "allowed"),
    [
        (200, b"User-agent: *\nDisallow: /list", False),
        (200, b"User-agent: other\nDisallow: /", True),
        (200, b"User-agent: mention-crawler\nAllow: /list\nDisallow: /", True),
        (200, b"\xff\xfe\x00 nonsense " * 1000, True),
        (200, b"", True),
        (404, b"User-agent: *\nDisallow: /", True),
        (403, b"", True),
        (429, b"", False),
        (500, b"", False),
        (503, b"User-agent: *\nAllow: /", False),
    ],
)
def test_what_robots_txt_allows(status: int, body: bytes, allowed: bool) -> None:
    rules = polite._read(answer(status, body))
    assert rules.allows(URL, "mention-crawler") is allowed
    assert bool(rules.why) is (status == 429 or status >= 500)


# --- JSON-LD


@pytest.mark.parametrize(
    "script",
    [
        '{"@type": "Review", "name": "two\nlines\tand\x01more"}',
        '// <![CDATA[\n{"@type": "Review"}\n// ]]>',
        '<!-- {"@type": "Review"} -->',
        '{"@type": "Review",} // by hand',
        '/* plugin */ [{"@type": "Review"}]',
        '{"@type": "Review", "name": "c:\\dir"}',
        "{&quot;@type&quot;: &quot;Review&quot;}",
        '{"@type": "Review"};',
    ],
)
def test_broken_json_ld_is_mended(script: str) -> None:
    nodes = linked_data.found(tree(f'<body><script type="application/ld+json">{script}</script></body>'), URL)
    assert [one.types for one in nodes] == [{"Review"}]


@pytest.mark.parametrize("script", ["", "{", "null", "7", '"text"', "[" * 100_000, '{"@type": 5}', '{"@type": [null]}'])
def test_hopeless_json_ld_is_left_out(script: str) -> None:
    root = tree(f'<body><script type="application/ld+json">{script}</script></body>')
    assert all(not one.types for one in linked_data.found(root, URL))


# --- feeds


def feed_of(count: int, newest_first: bool) -> bytes:
    days = range(count, 0, -1) if newest_first else range(1, count + 1)
    items = "".join(
        f"<item><guid>{n}</guid><pubDate>{(NOW + timedelta(hours=n - count)):%Y-%m-%dT%H:%M:%SZ}</pubDate></item>"
        for n in days
    )
    return f"<rss version='2.0'><channel><title>t</title>{items}</channel></rss>".encode()


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_long_feed_keeps_its_newest_items(newest_first: bool) -> None:
    cut = feed_cut.newest(feed_of(50, newest_first), keep=10)
    assert cut.count(b"<item>") == cut.count(b"</item>") == 10 and cut.endswith(b"</rss>")
    assert b"<guid>50</guid>" in cut and b"<guid>40</guid>" not in cut


def test_a_short_feed_is_left_alone() -> None:
    body = feed_of(5, True)
    assert feed_cut.newest(body, keep=5) is body


def read_feed(body: str, **settings: Any) -> list[Post]:
    spider = FeedSpider(source=Source("f", "feed", FeedSpider.Settings(url=URL, **settings)))
    reading = spider.read(answers.response_of(Document(URL, 200, {"content-type": "text/xml"}, body.encode(), NOW)))
    assert not reading.broken, reading.finding
    return list(reading.posts)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("<author>red@site.example</author>", None),
        ("<author>red@site.example (Леся)</author>", "Леся"),
        ("<author>Леся &lt;red@site.example&gt;</author>", "Леся"),
        ("<author>Леся</author>", "Леся"),
        ("<dc:creator>Леся</dc:creator>", "Леся"),
        ("<dc:creator>Леся</dc:creator><author>red@site.example</author>", "Леся"),
        ("", None),
    ],
)
def test_authors_without_their_addresses(said: str, name: str | None) -> None:
    item = f"<item><title>t</title>{said}</item>"
    head = '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
    (post,) = read_feed(f"{head}{item}</channel></rss>")
    assert post.author.name == name


@pytest.mark.parametrize(
    ("said", "zone", "when"),
    [
        ("Fri, 20 Nov 2026 10:00:00 +0200", "UTC", "2026-11-20T08:00:00+00:00"),
        ("2026-11-20 10:00:00", "UTC", "2026-11-20T10:00:00+00:00"),
        ("2026-11-20 10:00:00", "Europe/Kyiv", "2026-11-20T08:00:00+00:00"),
        ("Пт, 20 ноя 2026 10:00", "Europe/Kyiv", "2026-11-20T08:00:00+00:00"),
        ("20 листопада 2026, 10:00", "Europe/Kyiv", "2026-11-20T08:00:00+00:00"),
        ("Fri, 20 Nov 2099 10:00:00 GMT", "UTC", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "UTC", None),
        ("whenever", "UTC", None),
    ],
)
def test_dates_of_feeds(said: str, zone: str, when: str | None) -> None:
    (post,) = read_feed(
        f"<rss version='2.0'><channel><item><title>t</title><pubDate>{said}</pubDate></item></channel></rss>",
        timezone=zone,
    )
    assert (post.published_at.isoformat() if post.published_at else None) == when


def test_json_that_is_no_feed_says_so() -> None:
    spider = FeedSpider(source=Source("f", "feed", FeedSpider.Settings(url=URL)))
    for body in (b"[1, 2]", json.dumps({"data": []}).encode(), b"{" * 50_000):
        reading = spider.read(answers.response_of(Document(URL, 200, {}, body, NOW)))
        assert reading.finding is not None and reading.finding.verdict is Verdict.FAILED
        assert "JSON" in reading.finding.why


# --- bounds of one answer


def test_dates_that_mean_nothing_are_not_pondered_for_ever() -> None:
    """Thousands of wordings that no reader knows cost a moment, and the posts are kept."""
    body = "".join(f"<article>Words {n}<i>{'1 ' * 40}{n}</i></article>" for n in range(3000))
    begun = time.thread_time()
    posts = read_page(body, fields={"published_at": "i"})
    assert len(posts) == 3000 and not any(post.published_at for post in posts)
    assert time.thread_time() - begun < 5


def test_a_page_of_too_many_posts_says_so() -> None:
    spider = PageSpider(source=Source("p", "page", PageSpider.Settings(url=URL, item="p")))
    body = "".join(f"<p>Words {n}</p>" for n in range(6000)).encode()
    reading = spider.read(answers.response_of(Document(URL, 200, {"content-type": "text/html"}, body, NOW)))
    assert len(reading.posts) == 5000
    assert "more than 5000" in reading.dropped[0]


def test_a_source_without_a_zone_is_read_in_the_zone_of_the_config() -> None:
    given = {"url": "https://site.example/", "item": "p", "fields": {"text": "b"}}
    kyiv = {"timezone": "Europe/Kyiv"}
    assert PageSpider.Settings.model_validate(given, context=kyiv).timezone == "Europe/Kyiv"
    assert PageSpider.Settings.model_validate({**given, "timezone": "UTC"}, context=kyiv).timezone == "UTC"
    assert PageSpider.Settings.model_validate(given).timezone == "UTC"
