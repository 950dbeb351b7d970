"""What `preview` shows of what was read."""

from __future__ import annotations

from datetime import UTC, datetime

from crawler.app.preview import _once
from crawler.model import Document, Post
from crawler.stages.crawl import prepared


def test_a_post_that_several_words_find_is_shown_once() -> None:
    document = Document("https://a.example/search", 200, {}, b"", datetime(2026, 11, 1, tzinfo=UTC))
    posts = [
        Post(text="tea", platform_id="1"),
        Post(text="kettle", platform_id="2"),
        Post(text="tea", platform_id="1"),
        Post(text="tea", platform_id="1", site="b.example"),
        Post(text="tea"),
    ]
    rows = [row for post in posts if (row := prepared(post, document))]
    assert [(row[0].platform_id, row[4]) for row in _once(rows)] == [
        ("1", "a.example"), ("2", "a.example"), ("1", "b.example"), (None, "a.example"),
    ]  # fmt: skip
