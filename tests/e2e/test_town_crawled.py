"""The whole town through the whole product, judged by the outside checker: served = stored = delivered, once each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e.life import PLAIN, Ended, Life

from crawler.app.health import browser_path
from crawler.cli.town import Town, story

pytestmark = pytest.mark.e2e


def counts(ended: Ended, what: str) -> int:
    return sum(row[what] for row in ended.rows if "source" in row)


def crawled(life: Life) -> Ended:
    ended = life.crawl()
    ended.assert_good()
    return ended


@pytest.mark.slow
def test_town_is_stored_and_delivered_exactly_once(begin: Callable[..., Life], town: Town) -> None:
    life = begin(sources=PLAIN)
    first = crawled(life)
    life.assert_whole()
    assert counts(first, "posts_new") == sum(
        count for site, count in story()["tides"][0]["new"].items() if site != "reviews"
    )
    again = crawled(life)
    assert counts(again, "posts_new") == counts(again, "posts_edited") == again.rows[-1]["tickets_new"] == 0
    town.advance()
    later = crawled(life)
    tide = story()["tides"][1]
    assert counts(later, "posts_new") == sum(tide["new"].values()) - tide["new"]["reviews"]
    assert counts(later, "posts_edited") == tide["edited"] - 1
    life.assert_whole()


@pytest.mark.slow
def test_unchanged_feeds_cost_nothing_and_robots_are_read_first(begin: Callable[..., Life], town: Town) -> None:
    life = begin(sources=("blog-comments", "city-news"))
    crawled(life)
    before = len(town.log())
    crawled(life)
    repeated = [line for line in town.log(since=before) if line["path"] != "/robots.txt"]
    assert [line["status"] for line in repeated] == [304, 304]
    for site in ("blog", "news"):
        first = next(line for line in town.log() if line["site"] == site)
        assert first["path"] == "/robots.txt" and first["agent"].startswith("mention-crawler")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(browser_path() is None, reason="no Chromium: apt-get install chromium")
def test_reviews_drawn_by_javascript(begin: Callable[..., Life], town: Town) -> None:
    life = begin(sources=("pay-reviews",), browser=True)
    crawled(life)
    town.advance()
    crawled(life)
    life.assert_whole()
