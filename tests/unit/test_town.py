"""The demo town: its sites, its served log, its tides, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from crawler.cli.town import SITES, Town, story
from crawler.cli.town.posts import WRITTEN_TIDES, World, grown, written
from crawler.cli.town.render import forum_date

BRAND = re.compile(r"ладн(?:а|ої|ій|у|ою|ой)\s?п[еэ]й|ладнапей|ladna\s?pay|вербиченк|verbychenko|єдрпоу", re.IGNORECASE)
NOISE = re.compile(r"Ladna Pay Cup|пейзажистка", re.IGNORECASE)


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with Town() as town:
        yield town


@pytest.fixture
def fresh_town() -> Iterator[Town]:
    with Town() as town:
        yield town


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; an error status is an answer too."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def last(town: Town, site: str) -> dict[str, Any]:
    return [line for line in town.log() if line["site"] == site][-1]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("site", SITES)
def test_each_site_has_a_front_page_and_robots(town: Town, site: str) -> None:
    status, _, robots = get(town.sites[site] + "/robots.txt")
    assert status == 200 and b"Disallow: /private/" in robots
    assert get(town.sites[site] + "/")[0] == 200
    assert get(town.sites[site] + "/no-such-page")[0] == 404


def test_sites_are_apart(town: Town) -> None:
    assert len(set(town.sites.values())) == len(SITES)
    assert all(address.startswith("http://127.0.0.1:") for address in town.sites.values())


def test_forum_is_windows_1251_and_only_the_page_itself_says_so(town: Town) -> None:
    _, headers, body = get(town.sites["forum"] + "/topic/7")
    assert headers["Content-Type"] == "text/html"
    assert b"charset=windows-1251" in body
    assert "Ладна Пей".encode("windows-1251") in body
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")
    assert "Ґ«»—".encode("windows-1251").decode("windows-1251") == "Ґ«»—"


def test_forum_pages_show_every_post_once_newest_first(town: Town) -> None:
    seen: list[str] = []
    url: str | None = "/topic/7"
    while url:
        page = get(town.sites["forum"] + url)[2].decode("windows-1251")
        assert re.findall(r'id="post(\d+)"', page) == [
            post["id"].split("-")[1] for post in last(town, "forum")["posts"]
        ]
        seen += re.findall(r'id="post(\d+)"', page)
        found = re.search(r'class="next"[^>]*href="([^"]+)"', page)
        url = found[1] if found else None
    assert seen == sorted(seen, key=int, reverse=True)
    assert len(seen) == len(set(seen)) == sum(not post.tide for post in written("forum"))


def test_permalink_opens_the_page_with_the_post(town: Town) -> None:
    old = get(town.sites["forum"] + "/topic/7?p=101")[2].decode("windows-1251")
    assert 'id="post101"' in old and 'id="post200"' not in old


@pytest.mark.parametrize(("site", "path"), [("news", "/feed.xml"), ("blog", "/comments.atom")])
def test_unchanged_feed_is_304_and_costs_no_body(fresh_town: Town, site: str, path: str) -> None:
    url = fresh_town.sites[site] + path
    status, headers, body = get(url)
    ElementTree.fromstring(body)
    assert status == 200 and len(last(fresh_town, site)["posts"]) > 20
    by_tag = get(url, If_None_Match=headers["ETag"])
    by_time = get(url, If_Modified_Since=headers["Last-Modified"])
    assert (by_tag[0], by_tag[2]) == (by_time[0], by_time[2]) == (304, b"")
    assert last(fresh_town, site)["posts"] == [] and last(fresh_town, site)["status"] == 304
    fresh_town.advance()
    assert get(url, If_None_Match=headers["ETag"])[0] == 200
    assert get(url, If_Modified_Since=headers["Last-Modified"])[0] == 200


def test_reviews_are_not_in_the_page_but_in_what_its_script_asks_for(town: Town) -> None:
    page = get(town.sites["reviews"] + "/")[2].decode()
    assert not BRAND.search(page) and "/app.js" in page
    assert b"fetch(" in get(town.sites["reviews"] + "/app.js")[2]
    first, total = _reviews(town, 0)
    rest = [row for offset in range(12, total, 12) for row in _reviews(town, offset)[0]]
    assert len({row["id"] for row in first + rest}) == total == sum(not post.tide for post in written("reviews"))


def _reviews(town: Town, offset: int) -> tuple[list[dict[str, Any]], int]:
    answer = json.loads(get(f"{town.sites['reviews']}/api/reviews.json?offset={offset}&limit=12")[2])
    return answer["reviews"], answer["total"]


def test_articles_carry_their_comments_in_json_ld(town: Town) -> None:
    links = re.findall(r'href="(/article/\d+)"', get(town.sites["magazine"] + "/")[2].decode())
    assert len(links) == 6
    for link in links:
        page = get(town.sites["magazine"] + link)[2].decode()
        data = json.loads(re.findall(r'ld\+json">(.*?)</script>', page, re.DOTALL)[0])
        article, *comments = last(town, "magazine")["posts"]
        assert data["@type"] == "NewsArticle" and data["articleBody"].split("\n\n") == article["parts"]
        assert [comment["text"] for comment in data["comment"]] == [comment["parts"][0] for comment in comments]
        assert len(comments) >= 1


def test_log_names_exactly_what_went_out(town: Town) -> None:
    body = get(town.sites["blog"] + "/comments.atom")[2].decode()
    entry = last(town, "blog")
    assert entry["status"] == 200 and entry["path"] == "/comments.atom" and entry["bytes"] == len(body.encode())
    texts = [squeezed(content) for content in re.findall(r"&lt;p&gt;(.*?)&lt;/p&gt;", body)]
    assert len(texts) == len(entry["posts"])
    assert all(post["version"] == 1 and post["url"].startswith(town.sites["blog"]) for post in entry["posts"])


def test_log_can_be_read_on(town: Town) -> None:
    before = len(town.log())
    get(town.sites["news"] + "/feed.xml", User_Agent="reader/1")
    (line,) = town.log(since=before)
    assert line["agent"] == "reader/1" and line["n"] == before + 1 and line["site"] == "news"


def test_tide_brings_new_posts_and_edits(fresh_town: Town) -> None:
    url = fresh_town.sites["blog"] + "/comments.atom"
    get(url)
    before = {post["id"]: post for post in last(fresh_town, "blog")["posts"]}
    assert fresh_town.advance() == 1
    get(url)
    after = {post["id"]: post for post in last(fresh_town, "blog")["posts"]}
    edited = [key for key in before if after[key]["version"] == 2]
    assert len(edited) == 2 and all(after[key]["parts"] != before[key]["parts"] for key in edited)
    assert len(after) - len(before) == story()["tides"][1]["new"]["blog"] == 3
    same = set(before) - set(edited)
    assert all(before[key] == after[key] for key in same)


def test_tides_never_run_dry_and_never_repeat_themselves() -> None:
    world = World(datetime.now(UTC))
    for _ in range(40):
        world.advance(datetime.now(UTC))
    texts = Counter(post.body for site in SITES for post in grown(site, 40))
    assert sum(texts.values()) == 4 * (40 - WRITTEN_TIDES)
    assert texts.most_common(1)[0][1] == 1
    shown = [post.id for site in SITES for post in world.shown(site)]
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("told", [False, True])
def test_tides_come_by_themselves(told: bool) -> None:
    with Town(tide_seconds=0.0 if told else 0.05) as town:
        if told:
            town.keep_moving(0.05)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            get(town.sites["forum"] + "/topic/7")
            if any(post["id"] == "forum-205" for post in last(town, "forum")["posts"]):
                return
            time.sleep(0.05)
    pytest.fail("no post of the first tide within ten seconds")


def test_there_is_enough_and_it_is_varied() -> None:
    posts = [post for site in SITES for post in written(site)]
    assert 120 <= sum(not post.tide for post in posts) <= 400
    assert len({post.body for post in posts if post.label not in ("other", "own")}) >= 60
    doubles = [body for body, count in Counter(post.body for post in posts).items() if count > 1]
    assert doubles == [post.body for post in posts if post.repost_of]
    assert Counter(post.language for post in posts).keys() == {"uk", "ru", "en"}
    assert {"complaint", "question", "question-", "praise", "neutral", "own", "other"} == {post.label for post in posts}


def test_labels_say_the_truth_about_the_brand() -> None:
    for post in (post for site in SITES for post in written(site)):
        for body in filter(None, (post.body, post.edit)):
            text = NOISE.sub("", f"{post.title} {body}")
            article_names_it = post.label == "neutral"
            assert bool(BRAND.search(text)) == (post.label != "other"), (post.site, post.number, text, article_names_it)


def test_follow_ups_are_by_the_same_author() -> None:
    posts = {post.name: post for post in written("forum") if post.name}
    follow_ups = [post for post in written("forum") if post.after]
    assert len(follow_ups) >= 3
    signed = Counter(post.author for post in written("forum") if not post.after)
    assert all(count == 1 or name in "Модератор Sergey_1980" for name, count in signed.items())
    assert all(post.author == posts[post.after].author for post in follow_ups)


@pytest.mark.parametrize(
    ("ago", "language", "wanted"),
    [
        (timedelta(minutes=1), "uk", "1 хвилину тому"),
        (timedelta(minutes=3), "ru", "3 минуты назад"),
        (timedelta(minutes=11), "uk", "11 хвилин тому"),
        (timedelta(minutes=25), "ru", "25 минут назад"),
        (timedelta(hours=3), "uk", "сьогодні о 11:30"),
        (timedelta(hours=20), "ru", "вчера в 18:30"),
        (timedelta(days=2), "uk", "2 дні тому"),
        (timedelta(days=5), "ru", "5 дней назад"),
        (timedelta(days=8), "uk", "3 березня 2026, 14:30"),
        (timedelta(days=8), "ru", "3 марта 2026, 14:30"),
    ],
)
def test_dates_as_a_forum_writes_them(ago: timedelta, language: str, wanted: str) -> None:
    now = datetime(2026, 3, 11, 12, 30, tzinfo=UTC)
    assert forum_date(now - ago, now, language)[0] == wanted


def test_config_names_every_site_and_can_leave_the_browser_out(town: Town, tmp_path: Path) -> None:
    whole = town.config(tmp_path, sinks={"helpdesk": "kind: webhook, url: http://127.0.0.1:1/"})
    assert all(address in whole for address in town.sites.values())
    assert "send_to: [desk, helpdesk]" in whole and "{name: helpdesk, kind: webhook" in whole and str(tmp_path) in whole
    without = town.config(tmp_path, browser=False)
    assert (
        "kind: browser" not in without and town.sites["reviews"] not in without and "$" not in without.split("\n", 1)[1]
    )


def test_story_points_at_posts_that_exist() -> None:
    ids = {f"{post.site}-{post.number}" for site in SITES for post in written(site)}
    points = story()["points"]
    assert {point["what"] for point in points} >= {"own", "repost", "follow-up", "urgent", "excluded", "edited"}
    assert all(point["id"] in ids for point in points)


def test_stop_leaves_nothing() -> None:
    town = Town()
    sites, pid = town.start(), town.pid
    town.stop()
    town.stop()
    assert pid is not None and not Path(f"/proc/{pid}").exists()
    with pytest.raises(urllib.error.URLError):
        get(sites["news"] + "/")


@pytest.mark.process
def test_dies_with_its_parent() -> None:
    code = (
        "import time; from crawler.cli.town import Town; t = Town(); t.start(); print(t.pid, flush=True); time.sleep(9)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    """Running, and not merely waiting to be reaped by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
