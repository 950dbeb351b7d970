"""analyse: mentions without an Analysis of the post's present version -> language, tone, intent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from crawler.errors import ModelUnavailable
from crawler.model import Analysis, StoredMention
from crawler.stages.crash import kill_point
from crawler.stages.match import full_text
from crawler.store import Store

BATCH = 64


class Analyses(Protocol):
    """What a tone model must offer; `sentiment.Analyser` does."""

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]: ...


def run(store: Store, model: Analyses, progress: Callable[[int], None] | None = None) -> int:
    """Tag every waiting mention; return how many.

    Posts that the model fails on do not hold up the others: they wait, untagged, and ModelUnavailable tells of them at
    the end. A model that fails on everything raises at once.
    """
    done, after, failure = 0, 0, None
    while mentions := together(store.mentions.unanalysed(BATCH, after), BATCH):
        tagged, failed = _tagged(model, mentions)
        store.mentions.save_analyses(tagged)
        kill_point("after_analyse")
        done, after, failure = done + len(tagged), mentions[-1].id, failure or failed
        if progress:
            progress(len(tagged))
    if failure:
        raise failure
    return done


def together(mentions: Sequence[StoredMention], most: int) -> Sequence[StoredMention]:
    """A full page without its last post, whose mentions it may have cut: names are told apart side by side."""
    end = len(mentions)
    while len(mentions) >= most and end and mentions[end - 1].post.id == mentions[-1].post.id:
        end -= 1
    return mentions[: end or None]


def _tagged(
    model: Analyses, mentions: Sequence[StoredMention]
) -> tuple[list[tuple[StoredMention, Analysis]], ModelUnavailable | None]:
    """What could be tagged, and the first failure. Raises ModelUnavailable when the model tags nothing at all."""
    try:
        return list(zip(mentions, analyse(model, mentions), strict=True)), None
    except ModelUnavailable:
        model.analyse(["ok"], [None])
    tagged, failure = [], None
    for mention in mentions:
        try:
            tagged.append((mention, analyse(model, [mention])[0]))
        except ModelUnavailable as error:
            failure = failure or ModelUnavailable(f"mention {mention.id} waits: {error}")
    return tagged, failure


def analyse(model: Analyses, mentions: Sequence[StoredMention]) -> list[Analysis]:
    """One Analysis a mention, toward the form that was found in its text."""
    texts = [full_text(mention.post.post) for mention in mentions]
    targets = [(mention.hits[0].form if mention.hits else "") or None for mention in mentions]
    return model.analyse(texts, targets, [mention.post.post.language_hint for mention in mentions])
