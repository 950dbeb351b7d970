"""match: posts whose `matched_with` is not today's query version -> Mentions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from crawler.matching import Facts, Match, Matcher
from crawler.model import Hit, Post, StoredPost
from crawler.stages.crash import kill_point
from crawler.store import Store

BATCH = 500


def full_text(post: Post) -> str:
    """The text that spans refer to: title, newline, text; only the text when there is no title."""
    return f"{post.title}\n{post.text}" if post.title else post.text


def facts_of(stored: StoredPost, kinds: Mapping[str, str]) -> Facts:
    """What queries may ask of a post beside its text; `kinds` are source kinds by the name of the source."""
    post = stored.post
    handle = post.author.handle or ""
    return Facts(
        title=len(post.title) if post.title else 0,
        author="\n".join(filter(None, (post.author.name, handle))),
        url=post.url or "",
        site=post.site or "",
        kinds=tuple(dict.fromkeys(kinds[name] for name in stored.sources if name in kinds)),
        language=lambda: _language(post),
    )


def _language(post: Post) -> str:
    from sentiment.language import detect

    return detect(full_text(post), post.language_hint)


def find(matcher: Matcher, stored: StoredPost, kinds: Mapping[str, str] | None = None) -> list[Match]:
    """Brands in one stored post; reads the folded text, and the original only when something hits."""
    hits = matcher.scan(stored.folded)
    if hits is None:
        return []
    return matcher.settle(hits, stored.folded, full_text(stored.post), facts_of(stored, kinds or {}))


def kinds_of(store: Store) -> dict[str, str]:
    """Source kinds by the name of the source."""
    return {state.name: state.kind for state in store.sources.all(retired=True)}


def run(store: Store, matcher: Matcher, progress: Callable[[int], None] | None = None) -> int:
    """Match every waiting post; return how many Mentions are new."""
    config_version, new, kinds = store.config.version(), 0, kinds_of(store)
    while posts := store.posts.unmatched(matcher.version, BATCH):
        rows = [_row(matcher, post, kinds) for post in posts]
        new += store.mentions.record(matcher.version, rows, config_version)
        kill_point("after_match")
        if progress:
            progress(len(posts))
    return new


def _row(
    matcher: Matcher, stored: StoredPost, kinds: Mapping[str, str]
) -> tuple[StoredPost, Mapping[int, tuple[str, Sequence[Hit]]]]:
    found = find(matcher, stored, kinds)
    return stored, {match.brand_id: (match.query_version, match.hits) for match in found}
