"""Forums: which program drew a page, where a page leads, what is read when no program is known."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from crawler.model import Document, Source, Verdict
from spiders.answers import response_of
from spiders.base import Reading
from spiders.forum import ForumSpider, _page_of, engine_of
from spiders.forum_engines import BY_NAME
from spiders.html import root_of

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def answer(body: str, url: str = "https://f.example/") -> Any:
    return response_of(Document(url, 200, {"content-type": "text/html; charset=utf-8"}, body.encode(), NOW))


def read(body: str, url: str = "https://f.example/", cursor: dict[str, Any] | None = None) -> Reading:
    settings = ForumSpider.Settings.model_validate({"url": "https://f.example/"})
    return ForumSpider(source=Source("s", "forum", settings, cursor=cursor or {})).read(answer(body, url))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("<html id='XF'><div class='structItem structItem--thread'><a href='/threads/x.1/'>x</a></div>", "xenforo"),
        ("<body id='phpbb'><ul class='topiclist topics'><li class='row'><a class='topictitle' href='a'>x</a>", "phpbb"),
        ("<html id='vbulletin_html'><ol><li class='threadbit'><a class='title' href='a'>x</a>", "vbulletin"),
        ("<script>smf_theme_url='x'</script><div id='messageindex'><table><tbody><tr><td>x", "smf"),
        ("<body data-pageapp='forums'><li class='ipsDataItem' data-rowid='5'><a href='/topic/5-x/'>x</a>", "invision"),
        ("<ul component='category'><li component='category/topic'><h3><a href='/topic/5'>x</a>", "nodebb"),
        ("<div class='short-summary'><h2><a href='/question/5/x/'>x</a></h2></div>", "askbot"),
        (
            "<div class='topiclist'><div class='card-body'><div class='row'><a class='topic-name-link' href='a'>x",
            "machina",
        ),
        ("<html><body><p>Powered by phpBB, says an article.</p></body></html>", "phpbb"),
        ("<html><body><p>words</p></body></html>", None),
    ],
)
def test_the_program_is_found_by_what_stands_on_the_page(body: str, name: str | None) -> None:
    response = answer(body)
    found = engine_of(response.body, root_of(response))
    assert (found.name if found else None) == name


def test_the_front_page_leads_to_its_boards() -> None:
    reading = read("<html id='XF'><h3 class='node-title'><a href='/forums/a.1/'>A</a></h3><p>words</p>")
    assert [request.url for request in reading.requests] == ["https://f.example/forums/a.1/"]
    assert reading.finding is None


def test_a_list_leads_to_threads_that_moved() -> None:
    row = "<li class='row'><a class='topictitle' href='/viewtopic.php?t={0}'>t</a><dd class='posts'>{1}</dd></li>"
    rows = row.format(1, 5) + row.format(2, 7)
    page = f"<body id='phpbb'><ul class='topiclist topics'>{rows}</ul><a rel='next' href='/viewforum.php?f=1&start=25'>"
    first = read(page)
    assert [request.url.rsplit("/", 1)[1] for request in first.requests] == [
        "viewtopic.php?t=1",
        "viewtopic.php?t=2",
        "viewforum.php?f=1&start=25",
    ]
    key, stamp = first.requests[0].meta["deeper"]
    known = read(page, cursor={"_threads": {key: stamp}})
    assert [request.url.rsplit("/", 1)[1] for request in known.requests] == ["viewtopic.php?t=2"]
    opened = {"_threads": {key: stamp}, "_walks": {key: {"open": True}}}
    assert len(read(page, cursor=opened).requests) == 3, "a thread whose walk was cut off is read again"


def test_without_a_known_program_the_page_speaks_for_machines() -> None:
    data = (
        '{"@type": "DiscussionForumPosting", "headline": "H", "text": "Ladna Pay is down", "author": {"name": "Ada"}}'
    )
    reading = read(f'<html><script type="application/ld+json">{data}</script></html>')
    assert [(post.text, post.author.name) for post in reading.posts] == [("Ladna Pay is down", "Ada")]


def test_a_wall_is_no_empty_forum() -> None:
    reading = read("<html id='XF'><title>Log in</title><form><input type='password'></form>")
    assert reading.finding is not None and reading.finding.verdict is Verdict.BLOCKED


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://f.example/threads/t.77/page-9", 9),
        ("https://f.example/threads/t.77/", 1),
        ("https://f.example/viewtopic.php?t=12&start=40", 40),
        ("https://f.example/index.php?topic=8.20", 20),
        ("https://f.example/topic/x-3/?page=4", 4),
        ("https://f.example/topic/9-x/page/6/", 6),
    ],
)
def test_page_numbers_in_addresses(url: str, page: int) -> None:
    assert _page_of(url) == page


def test_a_comment_of_invision_4_is_one_post() -> None:
    body = (
        "<body data-pageapp='forums'><h1 class='ipsType_pageTitle'>T</h1><article id='elComment_500'>"
        "<h3 class='cAuthorPane_author'>Ada</h3><div data-commentid='500' data-commentapp='forums'>"
        "<div class='ipsComment_meta'><time datetime='2026-11-01T10:00:00Z'></time></div>"
        "<div data-role='commentContent'>mine</div></div></article>"
        "<div data-commentid='501' data-commentapp='forums'><div data-role='commentContent'>alone</div></div>"
    )
    posts = read(body, "https://f.example/topic/9-t/").posts
    assert [(post.platform_id, post.author.name) for post in posts] == [("post-501", None), ("post-500", "Ada")]


def test_the_head_of_a_quote_of_vbulletin_3_is_no_word_of_the_author() -> None:
    body = (
        "<meta name='generator' content='vBulletin 3.8'><div id='posts'><div><table id='post7'><tr><td>"
        "<div id='post_message_7'><div><div class='smallfont'>Цитата:</div><table cellpadding='6'><tr><td class='alt2'>"
        "quoted</td></tr></table></div>mine</div></td></tr></table></div></div>"
    )
    [post] = read(body, "https://f.example/showthread.php?t=7").posts
    assert post.text == "mine"


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("showthread.php?t=5", "5"),
        ("showthread.php?t=5&page=2", "5"),
        ("showthread.php?s=abc9&t=5#post7", "5"),
        ("showthread.php?5-Title-2024", "5"),
        ("showthread.php?5-Title/page2", "5"),
        ("showthread.php?p=33", None),
        ("forum/board/5-title/page2", "5"),
        ("threads/5", "5"),
        ("2024/forum/5-title", "5"),
    ],
)
def test_all_pages_of_a_thread_are_of_one_thread(address: str, number: str | None) -> None:
    found = re.search(BY_NAME["vbulletin"].thread_id, f"https://v.example/{address}")
    assert (found and found[1]) == number


def rows(*said: tuple[int, int, str], following: str = "/viewforum.php?f=1&start=25") -> str:
    """A list of threads: number, answers, class of the row."""
    drawn = "".join(
        f"<li class='row {mark}'><a class='topictitle' href='/viewtopic.php?t={n}'>t</a>"
        f"<dd class='posts'>{count}</dd></li>"
        for n, count, mark in said
    )
    return f"<body id='phpbb'><ul class='topiclist topics'>{drawn}</ul><a rel='next' href='{following}'>"


def known(*said: tuple[int, int, str]) -> dict[str, Any]:
    return {
        "_threads": dict(request.meta["deeper"] for request in read(rows(*said)).requests if "deeper" in request.meta)
    }


def led(reading: Reading) -> list[str]:
    return [request.url.rsplit("?", 1)[1] for request in reading.requests]


def test_a_thread_that_always_stands_on_top_does_not_end_the_walk() -> None:
    before = known((1, 5, "sticky"), (2, 7, ""))
    assert led(read(rows((1, 5, "sticky"), (3, 1, ""), (4, 1, "")), cursor=before)) == ["t=3", "t=4", "f=1&start=25"]
    assert led(read(rows((1, 5, "sticky"), (3, 1, ""), (2, 7, "")), cursor=before)) == ["t=3"]


def test_a_list_is_walked_again_as_far_as_threads_were_owed() -> None:
    before = known((2, 7, ""), (3, 1, ""))
    owed = {**before, "_lists": {"https://f.example/": 2}}
    page = rows((2, 7, ""), (3, 1, ""))
    assert (led(read(page, cursor=before)), led(read(page, cursor=owed))) == ([], ["f=1&start=25"])


def test_a_thread_that_asks_for_a_log_in_is_left_for_a_day() -> None:
    before = known((2, 7, ""), (3, 1, ""))
    [(key, stamp), _] = before["_threads"].items()
    shut = {"_threads": {}, "_walled": {key: [stamp, "2026-11-20T08:00:00+00:00"]}}
    assert led(read(rows((2, 7, ""), (3, 1, "")), cursor=shut))[0] == "t=3"
    shut["_walled"] = {key: [stamp, "2026-11-19T08:00:00+00:00"]}
    assert led(read(rows((2, 7, ""), (3, 1, "")), cursor=shut))[0] == "t=2"
