"""A real WordPress: comments by REST, where REST is closed by their feed, posts by feed and sitemap, and 304."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installation import Installation
from servers.wordpress import WordPress, installed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not installed(), reason="no WordPress with PHP and MariaDB: tools/servers.sh all, as root"),
]
BRAND = "  - {name: Ladna Pay, also: [Ладна Пей]}"


@pytest.fixture(scope="module")
def site() -> Iterator[WordPress]:
    # MariaDB runs as a user of its own, who gets into no folder of pytest's.
    folder = Path(tempfile.mkdtemp(prefix="wordpress-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        with WordPress(folder / "it") as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def result(place: Installation) -> dict[str, Any]:
    [row] = [row for row in place.run("crawl", "--json", code=None, timeout=400).rows if "source" in row]
    return row


def texts(place: Installation) -> dict[str, dict[str, Any]]:
    rows = place.run("mentions", "list", "--limit", "1000", "--json", timeout=200).rows
    assert len({row["text"] for row in rows}) == len(rows), "each once"
    return {row["text"]: row for row in rows}


def test_comments_by_rest_through_edits_answers_and_pages(site: WordPress, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    what = f"{{name: blog, kind: wordpress, url: '{site.url}', path: '/index.php', overlap: 48h,"
    query = "query: {rest_route: '/wp/v2/comments', per_page: 25, page: '{page}', orderby: date, order: desc},"
    place.configure(f"  - {what} {query} paging: {{by: page, size: 25}}}}", brands=BRAND)
    post = site.post("Оплата карткою", "Ладна Пей тепер і в нас.")
    first = site.comment(post, "Оксана", "Ладна Пей двічі списала гроші.")
    site.comment(post, "Том", "<b>Ladna Pay</b> did the same to me &amp; my wife.", parent=first)
    site.comments(post, {f"Автор {number}": f"Ладна Пей: коментар {number}." for number in range(58)})
    told = result(place)
    assert (told["verdict"], told["posts_new"]) == ("ok", 61), told
    found = texts(place)
    assert "Ladna Pay did the same to me & my wife." in found
    assert found["Ладна Пей двічі списала гроші."]["author"] == "Оксана"
    assert all(row["published_at"] for row in found.values())
    assert len(found) == 60, "the greeting of a new site speaks of nobody"
    site.edit(first, "Ладна Пей тричі списала гроші.")
    site.comment(post, "Пізній", "Ладна Пей: ще один.")
    told = result(place)
    assert (told["posts_new"], told["posts_edited"]) == (1, 1), told
    place.run("ledger", timeout=200)


def test_rest_is_found_under_plain_addresses_and_the_feed_gives_the_same_posts(site: WordPress, tmp_path: Path) -> None:
    """/wp-json answers 200 with the front page of this site; the second source is left only the comment feed."""
    place = Installation(tmp_path)
    post = site.post("Стрічка", "x")
    number = site.comment(post, "Ірина", "Ладна Пей у стрічці коментарів.")
    feed = (
        f"{{name: blog, kind: wordpress, url: '{site.url}', otherwise: [{{path: /, query: {{feed: comments-rss2}}}}]}}"
    )
    place.configure(f"  - {feed}", brands=BRAND)
    told = result(place)
    assert told["verdict"] == "ok" and told["posts_new"], told
    seen = told["posts_new"]
    place.configure(f"  - {{name: blog, kind: wordpress, url: '{site.url}'}}", brands=BRAND)
    told = result(place)
    assert told["posts_seen"] + told["posts_edited"] >= seen, "the same ids by both ways"
    assert told["verdict"] == "ok", told
    row = texts(place)["Ладна Пей у стрічці коментарів."]
    assert row["author"] == "Ірина" and f"comment-{number}" in row["url"]
    place.run("ledger", timeout=200)


def test_the_feed_of_posts_is_not_sent_twice(site: WordPress, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure(f"  - {{name: posts, kind: feed, url: '{site.url}/?feed=rss2'}}", brands=BRAND)
    site.post("Новина", "Ладна Пей відкрила відділення.")
    assert result(place)["verdict"] == "ok"
    again = result(place)
    assert (again["verdict"], again["posts_new"], again["posts_seen"]) == ("ok", 0, 0), "304: nothing was sent"
    site.post("Новина 2", "Ладна Пей закрила відділення.")
    assert result(place)["posts_new"] == 1
    place.run("ledger", timeout=200)


def test_the_sitemap_leads_to_articles(site: WordPress, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    url = f"{site.url}/?sitemap=posts&sitemap-subtype=post&paged=1"
    place.configure(f"  - {{name: map, kind: sitemap, url: '{url}', newer_than: 3650}}", brands=BRAND)
    site.post("Стаття для мапи", "<p>Ладна Пей змінила тарифи на перекази, і клієнти це помітили одразу.</p>" * 6)
    told = result(place)
    assert told["verdict"] == "ok", told
    assert any("змінила тарифи" in text for text in texts(place))
    place.run("ledger", timeout=200)
