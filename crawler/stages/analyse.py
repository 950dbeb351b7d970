"""analyse: mentions without an Analysis of the post's present version -> language, tone, intent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

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
    """Tag every waiting mention; return how many. `ModelUnavailable` leaves the rest waiting, untagged."""
    done = 0
    while mentions := store.mentions.unanalysed(BATCH):
        store.mentions.save_analyses(list(zip(mentions, analyse(model, mentions), strict=True)))
        kill_point("after_analyse")
        done += len(mentions)
        if progress:
            progress(len(mentions))
    return done


def analyse(model: Analyses, mentions: Sequence[StoredMention]) -> list[Analysis]:
    """One Analysis a mention, toward the form that was found in its text."""
    texts = [full_text(mention.post.post) for mention in mentions]
    targets = [(mention.hits[0].form if mention.hits else "") or None for mention in mentions]
    return model.analyse(texts, targets, [mention.post.post.language_hint for mention in mentions])
