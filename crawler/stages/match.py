"""match: posts whose `matched_with` is not today's query version -> Mentions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from crawler.matching import Match, Matcher
from crawler.model import Hit, Post, StoredPost
from crawler.stages.crash import kill_point
from crawler.store import Store

BATCH = 500


def full_text(post: Post) -> str:
    """The text that spans refer to: title, newline, text; only the text when there is no title."""
    return f"{post.title}\n{post.text}" if post.title else post.text


def find(matcher: Matcher, stored: StoredPost) -> list[Match]:
    """Brands in one stored post; reads the folded text, and the original only when something hits."""
    return matcher.match(stored.folded, full_text(stored.post))


def run(store: Store, matcher: Matcher, progress: Callable[[int], None] | None = None) -> int:
    """Match every waiting post; return how many Mentions are new."""
    config_version, new = store.config.version(), 0
    while posts := store.posts.unmatched(matcher.version, BATCH):
        new += store.mentions.record(matcher.version, [_row(matcher, post) for post in posts], config_version)
        kill_point("after_match")
        if progress:
            progress(len(posts))
    return new


def _row(matcher: Matcher, stored: StoredPost) -> tuple[StoredPost, Mapping[int, tuple[str, Sequence[Hit]]]]:
    return stored, {match.brand_id: (match.query_version, match.hits) for match in find(matcher, stored)}
