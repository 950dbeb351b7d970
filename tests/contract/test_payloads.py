"""Real answers of the platforms, recorded by others and read in place: the right posts, or the right verdict."""

from __future__ import annotations

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
JSON, HTML, XML = "application/json", "text/html; charset=utf-8", "application/xml"

SOURCES: dict[str, dict[str, Any]] = {
    "hackernews": {"words": ["x"]},
    "stackexchange": {"words": ["x"]},
    "mastodon": {"url": "https://place.example", "tags": ["x"]},
    "discourse": {"url": "https://place.example"},
    "appstore": {"app": "595068606"},
    "wordpress": {"url": "https://place.example"},
    "github": {"searches": ["x"]},
    "lemmy": {"url": "https://place.example", "words": ["x"]},
    "bluesky": {"words": ["x"]},
    "disqus": {"forum": "x", "key": "k"},
    "youtube": {"channels": ["UCx"], "key": "k"},
    "vk": {"words": ["x"], "token": "t"},
    "reddit": {"words": ["x"]},
    "reddit_oauth": {"words": ["x"], "token": "t"},
    "telegram": {"channel": "some_channel"},
    "forum": {"url": "https://forum.example/thread/1/"},
    "sitemap": {"url": "https://news.example/sitemap.xml", "articles": False, "newer_than": 3650},
}

# kind, file, posts (or the verdict where there are none), and facts of the first post.
CASES: list[tuple[str, str, int | Verdict | str, dict[str, Any]]] = [
    ("hackernews", "hackernews/search_by_date_comments_p1.json", 2, {"platform_id": "18463371", "parent": "18453018"}),
    ("hackernews", "hackernews/item_tree.json", 6, {"platform_id": "18562744", "engagement": {"score": 11}}),
    ("stackexchange", "stackexchange/stackexchange_question_page.json", Verdict.OK, {}),
    ("stackexchange", "stackexchange/stackoverflow.com.rust.html", Verdict.BLOCKED, {}),
    ("mastodon", "mastodon/tag_timeline.1.json", 1, {"text": "#hoot (hashtag toot)", "language_hint": "ja"}),
    ("mastodon", "mastodon/v2_search.1.json", Verdict.EMPTY, {}),
    ("mastodon", "mastodon/stream_user.1.txt", 1, {"text": "it's cool guy"}),
    ("mastodon", "mastodon/activitypub_note_1.json", 1, {}),
    ("mastodon", "nodebb_federated/page.json", 1, {"title": "Welcome to your NodeBB!"}),
    ("discourse", "discourse/api_posts_latest.json", 4, {"platform_id": "15", "thread": "11"}),
    ("discourse", "discourse/discourse_topic_1149.json", 2, {"engagement": {"likes": 6, "comments": 0, "views": 109}}),
    ("discourse", "discourse/discourse_topics.json", "onward", {}),
    ("discourse", "discourse/discourse_topics_pinned.json", "onward", {}),
    ("discourse", "discourse/discourse_topics_last_posted_at_null.json", "onward", {}),
    ("appstore", "appstore/customerreviews_firstPageResponse.json", 50, {"rating": 4.0}),
    ("appstore", "appstore/customerreviews_2026.json", 2, {"rating": 5.0, "engagement": {"likes": 3, "votes": 4}}),
    ("wordpress", "wordpress/wp_v2_comments_view.json", 2, {"parent": "comment-1"}),
    ("wordpress", "wordpress/wp_v2_posts.json", 10, {"title": "Land Sale Auction – June 5-10, 2025"}),
    ("wordpress", "wordpress/woocommerce_product_reviews.json", 10, {"rating": 4.0, "text": "What a lovely cap!"}),
    ("wordpress", "feeds/wordpress_podcast_feed.xml", 10, {}),
    ("github", "github/search_issues.1.json", 30, {"engagement": {"comments": 1017}}),
    ("github", "github/github_issue_1.json", 1, {"title": "title 1"}),
    ("github", "github/github_issue_comments_1.json", 1, {"text": "My first comment"}),
    ("github", "github/abuse_rate_limit.json", Verdict.FAILED, {}),
    ("lemmy", "lemmy/page.json", 1, {"title": "Post title", "language_hint": "fr"}),
    ("lemmy", "lemmy/comment.json", 1, {"parent": "https://enterprise.lemmy.ml/post/55143"}),
    ("lemmy", "lemmy/group_featured_posts.json", 2, {"title": "test 2"}),
    ("bluesky", "bluesky/jetstream_1.ndjson", 2, {"language_hint": "en"}),
    ("bluesky", "bluesky/thread_view_post_with_embed_media.json", Verdict.OK, {}),
    ("disqus", "disqus/threads_listPosts_items.json", 2, {"engagement": {"likes": 14, "dislikes": 0, "score": 14}}),
    ("youtube", "youtube/comment_threads_comment_threads_by_video_paged_1.json", 5, {"thread": "F1UP7wRCPH8"}),
    ("youtube", "youtube/comments_comments_by_parent_paged_1.json", 2, {"text": "this is the third reply!"}),
    ("youtube", "youtube/search_search_by_keywords_p1.json", 25, {"platform_id": "gQ_1zX-F_No"}),
    ("youtube", "youtube/channel_feed_old.xml", 15, {"engagement": {"views": 36}}),
    ("youtube", "youtube/error_permission_resp.json", "onward", {}),
    ("vk", "vk/wall_get.json", 49, {"site": "vk.com"}),
    ("reddit", "reddit/search.rss", 25, {"platform_id": "t3_1qcwxml"}),
    ("reddit", "reddit/thread.rss", 34, {}),
    ("reddit", "reddit/old_reddit_network_policy_block.html", Verdict.BLOCKED, {}),
    ("reddit_oauth", "reddit/subreddit_comments.json", 100, {"platform_id": "t1_d4y8bdp", "engagement": {}}),
    ("reddit_oauth", "reddit/deleted_comment.1.json", 1, {"deleted": True, "text": ""}),
    ("reddit_oauth", "reddit/domain_controversial_deleted_authors.json", 100, {}),
    ("reddit_oauth", "reddit/domain_hot_stickied.json", 100, {"engagement": {"score": 3119, "comments": 713}}),
    ("telegram", "telegram/t_me_s_prstnk_2026.html", 1, {"platform_id": "prstnk_eprst/2", "engagement": {"views": 1}}),
    ("telegram", "telegram/t_me_channel.html", Verdict.BLOCKED, {}),
    ("forum", "forums/villagersandheroes.com.forums.patchnotes.html", 9, {"platform_id": "post-54375"}),
    ("forum", "forums/foren.myoos.de.html", 1, {"title": "Was ist Freie Software", "platform_id": "post-453"}),
    ("forum", "forums/pocketpc.ch.auslieferung.html", 20, {"platform_id": "post-949908", "thread": "thread-122760"}),
    ("forum", "forums/askbot_question.html", 7, {"platform_id": "post-7429"}),
    ("sitemap", "sitemaps/google-news.xml", 2, {"title": "News Article One"}),
    ("sitemap", "sitemaps/sitemap.xml", Verdict.OK, {}),
    ("sitemap", "sitemaps/sitemap.xml.gz", Verdict.OK, {}),
]


def read(kind: str, path: Path, url: str | None = None) -> Reading:
    settings = KINDS[kind].Settings(**SOURCES[kind])
    spider = KINDS[kind](source=Source("s", kind, settings))
    types = {".html": HTML, ".xml": XML, ".rss": XML, ".atom": XML, ".gz": "application/gzip"}
    headers = {"content-type": types.get(path.suffix, JSON)}
    address = url or next(iter(spider.requests())).url
    return spider.read(response_of(Document(address, 200, headers, path.read_bytes(), NOW)))


@pytest.mark.parametrize(
    ("kind", "name", "expected", "first"), CASES, ids=[f"{kind}-{name}" for kind, name, *_ in CASES]
)
def test_a_real_answer(
    shared: Path, kind: str, name: str, expected: int | Verdict | str, first: dict[str, Any]
) -> None:
    reading = read(kind, shared / "payloads" / name)
    assert not reading.broken, reading.finding
    if isinstance(expected, Verdict):
        assert reading.posts == ()
        assert reading.finding is not None and reading.finding.verdict is expected
        return
    if expected == "onward":
        assert (reading.posts, reading.finding) == ((), None)
        assert reading.requests
        return
    assert (len(reading.posts), reading.dropped) == (expected, ())
    assert {name: getattr(reading.posts[0], name) for name in first} == first
    assert len({post.platform_id or post.url for post in reading.posts}) == len(reading.posts)
    assert all(post.published_at is None or post.published_at.tzinfo for post in reading.posts)


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_answers_of_other_platforms_are_judged_and_break_nothing(shared: Path, kind: str) -> None:
    for path in sorted((shared / "payloads").glob("*/*")):
        if (path.suffix in (".html", ".gz") and kind != "telegram") or path.stat().st_size > 150_000:
            continue
        reading = read(kind, path)
        assert not reading.broken, (path, reading.finding)
        assert reading.posts or reading.requests or reading.finding, path
