"""What a run showed, added up as its answers come in: the store learns from it what the source usually gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crawler.errors import StoreError
from crawler.model import Post, Run, Verdict

if TYPE_CHECKING:
    from crawler.stages.crawl import Intake
    from crawler.store import Store, Yield

# Lengths of so many texts say what is typical.
MOST_LENGTHS = 500
_ADVICE = "the site may have changed: `sources show` names the last good answer, `preview` shows today's"
_HAS: dict[str, Callable[[Post], Any]] = {
    "author": lambda post: post.author.name or post.author.handle,
    "time": lambda post: post.published_at is not None,
    "text": lambda post: post.text,
    "url": lambda post: post.url,
    "id": lambda post: post.platform_id,
    "rating": lambda post: post.rating is not None,
}


@dataclass(slots=True)
class Tally:
    """Posts of a run: how many, how many with each field, the lengths of their texts, and the fullest answer."""

    answers: int = 0
    shown: int = 0
    new: int = 0
    filled: dict[str, int] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)
    fullest: tuple[int, str | None] = (0, None)
    # The spider found posts the time before and none now, and nothing else that is odd.
    emptied: bool = False

    def add(self, url: str, posts: Sequence[Post], new: int) -> None:
        """Count one answer. Deleted posts have lost their fields for good: they say nothing of its make."""
        alive = [post for post in posts if not post.deleted]
        self.new += new
        if not alive:
            return
        self.answers += 1
        self.shown += len(alive)
        self.fullest = max(self.fullest, (len(alive), url), key=lambda one: one[0])
        for name, has in _HAS.items():
            self.filled[name] = self.filled.get(name, 0) + sum(bool(has(post)) for post in alive)
        self.lengths += [len(post.text) for post in alive][: MOST_LENGTHS - len(self.lengths)]

    def as_yield(self, verdict: Verdict, unchanged: int) -> Yield:
        """For the store. Pages that had not changed are neither quiet nor empty."""
        from crawler.store import Yield

        nothing = not self.shown and not unchanged
        return Yield(
            answers=self.answers,
            shown=self.shown,
            new=self.new,
            filled=self.filled,
            lengths=tuple(self.lengths),
            sample=self.fullest[1],
            quiet=nothing and verdict is Verdict.OK,
            empty=nothing and verdict is Verdict.EMPTY,
        )


def told(store: Store, run: Run, intake: Intake, verdict: Verdict, error: str | None) -> tuple[Verdict, str | None]:
    """The verdict of a run in the light of what its source usually gives; `changed` where it left that.

    Without posts after one that had some it may be `empty` as well: sources that are still at night are no broken ones.
    """
    said, verdict = verdict, Verdict.EMPTY if intake.tally.emptied and verdict is Verdict.CHANGED else verdict
    try:
        oddity = store.yields.learn(run, verdict, intake.tally.as_yield(verdict, intake.unchanged))
    except StoreError as trouble:
        # What was not learned costs nothing; a run that cannot be ended does.
        return said, error or str(trouble)
    if oddity is None or not oddity.changed:
        return verdict, error
    return Verdict.CHANGED, f"{oddity.why}; {_ADVICE}"
