"""A 200 that is not what was asked for is never "no mentions": walls, pauses, errors, broken bytes, by every family."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawler import plugins
from crawler.model import Document, Source, Verdict
from spiders.answers import response_of
from spiders.base import Reading, SourceSpider

KINDS = plugins.discover("spiders", SourceSpider)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
URL = "https://site.example/list"
JSON = "application/json"
PAGES: dict[str, dict[str, Any]] = {
    "page": {"url": URL, "item": "article.post", "fields": {"text": "p"}},
    "feed": {"url": URL},
    "schema_org": {"url": URL},
    "article": {"url": URL},
    "forum": {"url": URL},
    "sitemap": {"url": URL},
    "telegram": {"channel": "ladnapay_news"},
    "wordpress": {"url": "https://site.example"},
    "github": {"searches": ["x"]},
    "hackernews": {"words": ["x"]},
}
FILLER = "Тут багато звичайних слів про чайники, чашки та погоду. " * 40

WALLS = {
    "cloudflare": "<title>Just a moment...</title><script>window._cf_chl_opt={}</script><h1>site.example</h1>",
    "cloudflare 1020": "<title>Access denied | site.example used Cloudflare to restrict access</title><p>Error 1020",
    "imperva": "<html><iframe src='/_Incapsula_Resource?CWUDNSAI=9'>Request unsuccessful. Incident ID: 1</iframe>",
    "ddos-guard": "<title>DDoS-Guard</title><script src='/.well-known/ddos-guard/js-challenge/index.js'></script>",
    "perimeterx": "<title>Access to this page has been denied</title><div id='px-captcha'></div>Press & Hold",
    "datadome": "<title>site.example</title><script src='https://geo.captcha-delivery.com/c.js'></script>",
    "akamai": "<title>Access Denied</title><h1>Access Denied</h1>You don't have permission. Reference #18.",
    "aws waf": "<html><script>AwsWafIntegration.saveReferrer()</script><noscript>enable JavaScript</noscript>",
    "anubis": "<title>Making sure you're not a bot!</title><script id='anubis_challenge'></script>",
    "robot check": "<title>Robot Check</title><p>Sorry, we just need to make sure you're not a robot.</p>",
    "yandex": "<title>Ой!</title><p>Запросы с вашего устройства похожи на автоматические</p>",
    "turnstile": "<title>Forum</title><script src='https://challenges.cloudflare.com/turnstile/v0/api.js'></script>",
    "uk": "<title>Перевірка браузера</title><p>Зачекайте кілька секунд</p>",
    "ru": "<title>Доступ ограничен</title><p>Подтвердите, что запросы отправляли вы</p>",
    "de": "<title>Zugriff verweigert</title><p>Wir haben ungewöhnlichen Datenverkehr festgestellt.</p>",
    "fr": "<title>Accès refusé</title><p>Trafic inhabituel détecté</p>",
    "log-in": "<title>Log in to continue</title><a href='/oauth'>Continue with Mail</a>",
    "log-in form": "<title>Клуб</title><form><input type=password name=p></form>",
    "log-in ru": "<title>Клуб любителей чая</title><p>Необходимо авторизоваться, чтобы читать форум.</p>",
    "log-in uk": "<title>Клуб</title><p>Ця тема доступна тільки для зареєстрованих користувачів</p>",
    "members": "<title>Board</title><p>You must be logged in to view this forum.</p>",
    "consent": "<title>Before you continue</title><form>We use cookies <button>Accept all</button></form>",
    "age": "<title>Club</title><p>Are you at least 18 years old?</p>",
}
PAUSES = {
    "maintenance": "<title>Site under maintenance</title><p>Back at noon",
    "ru": "<title>Технические работы</title><p>Скоро вернёмся",
    "uk": "<title>Портал</title><h1>Проводяться технічні роботи</h1>",
    "database": "<title>Database Error</title><h1>Error establishing a database connection</h1>",
    "board": "<title>Information</title><p>Sorry but this board is currently unavailable.</p>",
    "domain": "<title>site.example</title><h1>This domain is for sale!</h1>",
    "suspended": "<title>Account Suspended</title><p>Contact your hosting provider",
}
GONE = {
    "en": "<title>Page not found</title><p>Try the search",
    "404": "<title>404 — site.example</title><p>Oops",
    "ru": "<title>Ошибка</title><p>Запрошенной темы не существует.</p>",
    "uk": "<title>Сторінку не знайдено</title>",
    "de": "<title>Seite nicht gefunden</title>",
}


def read(kind: str, body: bytes, content_type: str = "text/html; charset=utf-8", cursor: Any = None) -> Reading:
    settings = KINDS[kind].Settings(**PAGES[kind])
    spider = KINDS[kind](source=Source("s", kind, settings, cursor=cursor or {}))
    url = next(iter(spider.requests())).url
    return spider.read(response_of(Document(url, 200, {"content-type": content_type}, body, NOW)))


def html(kind: str, markup: str) -> Reading:
    return read(kind, f"<!doctype html><html><body>{markup}</body></html>".encode())


def judged(reading: Reading) -> Verdict | None:
    assert reading.posts == () and not reading.broken
    return reading.finding.verdict if reading.finding else None


@pytest.mark.parametrize("wall", sorted(WALLS))
@pytest.mark.parametrize("kind", sorted(set(PAGES) - {"github", "wordpress", "hackernews"}))
def test_a_wall_is_blocked(kind: str, wall: str) -> None:
    assert judged(html(kind, WALLS[wall])) is Verdict.BLOCKED


@pytest.mark.parametrize("kind", ["github", "hackernews"])
@pytest.mark.parametrize("wall", ["cloudflare", "log-in", "consent"])
def test_a_wall_where_json_was_expected_is_blocked(kind: str, wall: str) -> None:
    assert judged(html(kind, WALLS[wall])) is Verdict.BLOCKED


@pytest.mark.parametrize("name", sorted(PAUSES))
@pytest.mark.parametrize("kind", sorted(set(PAGES) - {"wordpress"}))
def test_a_site_that_is_down_with_200_has_failed(kind: str, name: str) -> None:
    assert judged(html(kind, PAUSES[name])) is Verdict.FAILED


@pytest.mark.parametrize("name", sorted(GONE))
@pytest.mark.parametrize("kind", sorted(set(PAGES) - {"wordpress"}))
def test_a_page_that_is_not_there_with_200_has_changed(kind: str, name: str) -> None:
    assert judged(html(kind, GONE[name])) is Verdict.CHANGED


@pytest.mark.parametrize(
    "markup",
    [
        f"<title>How sites hold robots off</title><h1>Captcha, access denied, just a moment</h1><p>{FILLER * 2}</p>",
        "<title>Why is there a captcha on every page now? A short note</title><p>We tried to find out why sites ask.",
        "<title>Клуб чаю</title><form>Вхід <input type=password></form><p>Тем ще немає. " + "Правила клубу. " * 30,
        "<title>Forum</title><p>No topics yet. You must be logged in to post a reply. " + "Rules of the club. " * 20,
        "<title>The forbidden city: what to see in two days</title><p>Nothing has been said yet.",
        f"<title>Форум</title><div class=g-recaptcha></div><p>{FILLER}",
        "<title>Пошук</title><p>Повідомлень не знайдено.",
        "<title>Поиск</title><p>Сообщений не найдено. Тем не найдено.",
        "<title>Search</title><p>No posts found. Nothing matches your search.",
    ],
)
def test_a_page_that_speaks_of_walls_is_none(markup: str) -> None:
    assert judged(html("page", markup)) is Verdict.EMPTY


@pytest.mark.parametrize(
    ("kind", "body", "verdict"),
    [
        ("hackernews", b'{"hits": [], "error": "invalid key"}', Verdict.BLOCKED),
        ("hackernews", b'{"status": "error", "message": "boom"}', Verdict.FAILED),
        ("hackernews", b'{"hits": [], "success": false, "message": "please log in"}', Verdict.BLOCKED),
        ("hackernews", b'{"hits": [], "errors": ["too many requests"]}', Verdict.FAILED),
        ("hackernews", b'{"hits": [{"objectID": "1", "comment_text": "a', Verdict.FAILED),
        ("hackernews", b'{\n "hits": [\n  {"objectID": "1"},\n', Verdict.FAILED),
        ("wordpress", b"<br />\n<b>Warning</b>: Undefined array key in /x.php on line 2<br />\n[]", Verdict.FAILED),
        ("hackernews", b"PHP Fatal error:  Uncaught Error in /srv/x.php:3\nStack trace:\n#0 {main}", Verdict.FAILED),
        ("hackernews", gzip.compress(b'{"hits": []}', mtime=0)[:-9], Verdict.FAILED),
        ("github", b'{"items": [], "incomplete_results": true}', Verdict.FAILED),
        ("hackernews", b"", Verdict.CHANGED),
        ("hackernews", b'{"results": []}', Verdict.CHANGED),
    ],
)
def test_json_that_is_no_answer(kind: str, body: bytes, verdict: Verdict) -> None:
    assert judged(read(kind, body, JSON)) is verdict


def test_posts_behind_a_warning_are_read() -> None:
    notice = b"<br />\n<b>Notice</b>: x in <b>/x.php</b> on line <b>2</b><br />\n"
    body = notice + b'{"hits": [{"objectID": "1", "title": "t"}]}'
    assert [post.platform_id for post in read("hackernews", body, JSON).posts] == ["1"]


@pytest.mark.parametrize("kind", ["feed", "sitemap", "page", "article", "schema_org", "forum", "telegram"])
@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"<rss><channel/></rss>", mtime=0)[:-12] + b"xx",
        bytes(range(256)) * 8,
        b"<rss><channel><item><tit",
    ],
)
def test_broken_bytes_are_never_silence(kind: str, body: bytes) -> None:
    assert judged(read(kind, body, "application/octet-stream")) not in (None, Verdict.OK)


@pytest.mark.parametrize("title", ["Site under maintenance", "404", "Just a moment...", "Captcha"])
def test_an_empty_feed_may_be_called_as_it_likes(title: str) -> None:
    body = f"<?xml version='1.0'?><rss version='2.0'><channel><title>{title}</title></channel></rss>"
    assert judged(read("feed", body.encode(), "text/xml")) is Verdict.EMPTY
    said = f'{{"hits": [], "query": "{title}: your request has been blocked"}}'
    assert judged(read("hackernews", said.encode(), JSON)) is Verdict.EMPTY


def test_a_list_that_was_never_empty_has_changed() -> None:
    known = {"_usual": 20}
    assert judged(read("page", FILLER.encode(), cursor=known)) is Verdict.CHANGED
    assert judged(read("hackernews", b'{"hits": []}', JSON, cursor=known)) is Verdict.CHANGED
    assert judged(read("feed", b"<rss version='2.0'><channel></channel></rss>", "text/xml", known)) is Verdict.CHANGED


def test_recorded_block_pages_are_blocked(shared: Path) -> None:
    pages = sorted((shared / "payloads" / "blocked_pages").glob("*.html"))
    assert pages
    for path in pages:
        for kind in ("page", "feed", "article", "forum", "hackernews", "sitemap"):
            assert judged(read(kind, path.read_bytes())) is Verdict.BLOCKED, (path, kind)
