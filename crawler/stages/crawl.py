"""crawl: one Source fetched and parsed, its posts stored, in a child process that may be killed at any moment.

What a spider yields passes `Intake` (cleaning, identity, one transaction per answer). `child_main` is what a child
process runs; Scrapy is imported there only, because the parent names this module too.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from crawler.errors import LeaseLost
from crawler.model import Author, Document, Freshness, Post, PostOutcome, Run, Source, Verdict
from crawler.stages.crash import kill_point
from crawler.stages.tally import Tally
from crawler.text import canonical_url, clean_text, fold, folded_hash, site_of

if TYPE_CHECKING:
    from crawler.net.guard import EgressPolicy
    from crawler.store import Store
    from spiders.base import SourceSpider

# A post with its folded text, content hash, identity within the site, and site: what the store takes.
Prepared = tuple[Post, str, str, str, str]

_LONGEST_KEY = 200
_LONGEST_NAME = 300
_LONGEST_ID = 500
_BIGGEST = 2**53


class Channel(Protocol):
    """The child's line to the parent; only ids travel."""

    def fileno(self) -> int: ...
    def beat(self, running: Iterable[int] = ()) -> None: ...
    def started(self, run_id: int) -> None: ...
    def done(self, run_id: int) -> None: ...
    def failed(self, run_id: int, text: str) -> None: ...
    def commands(self, timeout: float = 0.0) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What the app hands to a crawl child.

    `spider(run)`: the class and the Source with validated settings; its errors are the run's verdict. `next_run_at(run,
    verdict, wait, fresh)`: when the source is due again, `wait` being the seconds that the site asked for, if it did,
    and `fresh` how long its answers said that they hold.
    `lease_seconds` is the lease that each renewal sets.
    """

    store: Store
    spider: Callable[[Run], tuple[type[SourceSpider], Source]]
    settings: Mapping[str, Any]
    policy: EgressPolicy
    next_run_at: Callable[[Run, Verdict, float | None, Freshness | None], datetime]
    lease_seconds: float = 60.0


def child_main(channel: Channel, make_tools: Callable[..., Tools], *args: Any) -> None:
    """Body of a crawl child: serves ("run", id, again) until ("stop",). `make_tools(*args)` is called in the child."""
    from crawler.stages.crawl_host import serve

    serve(channel, make_tools(*args))


class Intake:
    """Where posts of one run come in; implements `spiders.base.Intake`. Called from threads and from the loop."""

    def __init__(self, store: Store, run: Run, on_lost: Callable[[], None]) -> None:
        self._store, self._run, self._on_lost = store, run, on_lost
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self.run_id = run.id
        self.lost = False
        self.taken = 0
        self.unchanged = 0
        self.tally = Tally()
        self.hints: list[tuple[Verdict | None, str | None]] = []

    def take(
        self,
        document: Document,
        posts: Sequence[Post],
        *,
        cursor: Mapping[str, Any] | None,
        validators: Mapping[str, str] | None,
        grows: bool = False,
    ) -> dict[PostOutcome, int]:
        """Store one answer with its posts and the cursor that covers them, in one transaction. Blocks.

        `grows`: it takes the place of this run's last document of its address, of which it is the longer version.
        Raises LeaseLost when somebody else crawls this source now; nothing was written then.
        """
        kill_point("after_parse")
        rows = [row for post in posts if (row := prepared(post, document))]
        if dropped := len(posts) - len(rows):
            self.note(dropped=dropped)
        kill_point("before_commit")
        try:
            outcome = dict(self._store.intake.take(self._run, document, rows, cursor, validators, grows=grows))
        except LeaseLost:
            self._lose()
            raise
        kill_point("after_commit")
        with self._lock:
            self.taken += len(rows)
            self.tally.add(document.url, [row[0] for row in rows], outcome.get(PostOutcome.NEW, 0))
        return outcome | {PostOutcome.DROPPED: outcome.get(PostOutcome.DROPPED, 0) + dropped}

    def note(
        self,
        *,
        fetched: int = 0,
        dropped: int = 0,
        unchanged: int = 0,
        verdict: Verdict | None = None,
        error: str | None = None,
        emptied: bool = False,
    ) -> None:
        """Remember what brought no posts. Never blocks: the counters reach the database with `flush`."""
        with self._lock:
            self.tally.emptied |= emptied
            for name, count in (("fetched", fetched), ("dropped", dropped), ("unchanged", unchanged)):
                if count:
                    self._waiting[name] = self._waiting.get(name, 0) + count
            self.unchanged += unchanged
            if verdict or error:
                self.hints.append((verdict, error))

    def flush(self) -> None:
        """Write the counters that `note` gathered. Blocks; LeaseLost as in `take`."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            self._store.intake.note(self._run, **waiting)
        except LeaseLost:
            self._lose()
            raise

    def _lose(self) -> None:
        self.lost = True
        self._on_lost()


def prepared(post: Post, document: Document) -> Prepared | None:
    """One post cleaned and identified, or None when there is nothing in it that could be kept."""
    text = clean_text(post.text).strip()
    title = _word(post.title, _LONGEST_ID)
    if not (text or title or post.deleted):
        return None
    url = canonical_url(post.url, document.url) if post.url else None
    site = post.site or site_of(url or document.url)
    full = f"{title}\n{text}" if title else text
    folded = fold(full)
    digest = folded_hash(folded)
    platform_id = _word(post.platform_id, _LONGEST_ID)
    clean = _cleaned(post, text, title, url, site, platform_id, document.url)
    return clean, folded, digest, identity(platform_id, url, digest), site


def identity(platform_id: str | None, url: str | None, digest: str) -> str:
    """Who a post is within its site: the platform's id, else the link, else the content."""
    kind, value = ("id", platform_id) if platform_id else ("url", url) if url else ("hash", digest)
    if len(value or "") > _LONGEST_KEY:
        kind, value = f"{kind}#", hashlib.sha256((value or "").encode()).hexdigest()
    return f"{kind}:{value}"


def _cleaned(
    post: Post, text: str, title: str | None, url: str | None, site: str, platform_id: str | None, base: str
) -> Post:
    return Post(
        text=text,
        url=url,
        title=title,
        platform_id=platform_id,
        site=site,
        author=_author(post.author, base),
        published_at=_aware(post.published_at),
        parent=_word(post.parent, _LONGEST_ID),
        thread=_word(post.thread, _LONGEST_ID),
        rating=post.rating if post.rating is not None and math.isfinite(post.rating) else None,
        engagement=_counts(post.engagement),
        region=_word(post.region, _LONGEST_NAME),
        language_hint=_word(post.language_hint, 35),
        deleted=post.deleted,
    )


_NOBODY = Author()
# One author's link comes with each of their posts.
_link = lru_cache(maxsize=2048)(canonical_url)


def _author(author: Author, base: str) -> Author:
    if author == _NOBODY:
        return _NOBODY
    return Author(
        name=_word(author.name, _LONGEST_NAME),
        handle=_word(author.handle, _LONGEST_NAME),
        url=_link(author.url, base) if author.url else None,
        followers=_count(author.followers) if author.followers is not None else None,
    )


def _word(value: str | None, limit: int) -> str | None:
    """A short text without blanks at its ends; None for none and for nothing but blanks."""
    return (clean_text(value, limit).strip() or None) if value else None


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _count(value: int) -> int:
    return max(-_BIGGEST, min(_BIGGEST, int(value)))


def _counts(found: Mapping[str, int]) -> dict[str, int]:
    return {clean_text(str(name), 60): _count(value) for name, value in list(found.items())[:20]} if found else {}
