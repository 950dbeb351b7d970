"""match: posts whose `matched_with` is not today's query version -> Mentions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from crawler.matching import Facts, Match, Matcher
from crawler.model import Hit, Post, StoredPost
from crawler.stages.crash import kill_point
from crawler.store import Folded, Store

BATCH = 500
Result = tuple[StoredPost, Mapping[int, tuple[str, Sequence[Hit]]]]


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
    return store.sources.kinds()


def look(
    store: Store, matcher: Matcher, page: Sequence[Folded], kinds: Mapping[str, str]
) -> list[tuple[StoredPost, list[Match]]]:
    """Posts of the page in which a brand stands, or that have mentions already, with what stands there now.

    Reads the folded texts alone, and the whole post only of these.
    """
    wanted = [post.id for post in page if post.mentions or matcher.scan(post.folded) is not None]
    return [(post, find(matcher, post, kinds)) for post in store.past.load(wanted)]


def result(post: StoredPost, matches: Sequence[Match]) -> Result:
    """What `store.mentions.record` takes."""
    return post, {one.brand_id: (one.query_version, one.hits) for one in matches}


def run(store: Store, matcher: Matcher, progress: Callable[[int], None] | None = None) -> int:
    """Match every waiting post; return how many Mentions are new."""
    config_version, new, kinds = store.config.version(), 0, dict[str, str]()
    while page := store.past.waiting(matcher.version, BATCH):
        kinds = kinds or kinds_of(store)
        found = look(store, matcher, page, kinds)
        new += store.mentions.record(matcher.version, [result(*one) for one in found], config_version)
        recorded = {post.id for post, _ in found}
        store.past.mark([post for post in page if post.id not in recorded], matcher.version)
        kill_point("after_match")
        if progress:
            progress(len(page))
    return new
