"""A person says what is right of a mention: shown at once, judged by the rules again, and learnt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from crawler.app import App
from crawler.app.naming import demand
from crawler.app.rehearsing import decide_again
from crawler.errors import CrawlerError
from crawler.model import Analysis, Intent, StoredMention, Tone
from crawler.stages.match import full_text
from crawler.store import Correction, Judgement
from crawler.text import clean_text

_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Corrected:
    """The correction's id, and the mention as it stands now."""

    id: int
    mention: StoredMention


def judgement(tone: str | None, intent: str | None, relevant: bool | None) -> Judgement:
    """What a person said. Raises NotFound for a tone or intent that there is not, CrawlerError when nothing is said."""
    demand("tone", tone, Tone)
    demand("intent", intent, Intent)
    if not tone and not intent and relevant is None:
        raise CrawlerError("nothing is corrected: say what is right with --tone, --intent or --relevant")
    return Judgement(Tone(tone) if tone else None, Intent(intent) if intent else None, relevant)


def correct(app: App, mention_id: int, right: Judgement, actor: str, *, decide: bool = True) -> Corrected:
    """Record it; with `decide` the rules judge the mention again at once, else triage does when it comes by.

    Raises NotFound, and CrawlerError when the mention waits for the model or changed meanwhile.
    """
    mention = app.store.mentions.get(mention_id)
    if mention.analysis is None:
        raise CrawlerError(f"mention {mention_id} waits for the tone model; try again after `mention-crawler crawl`")
    named = clean_text(actor, _NAME_CHARS) or "somebody"
    part, version = replace(app.store.corrections, actor=named), app.store.config.version()
    shown = shown_as(mention.analysis, right, named) if right.tone or right.intent else None
    number = part.record(mention, full_text(mention.post.post), right, shown, version)
    if decide:
        decide_again(app, [app.store.mentions.get(mention_id)])
    return Corrected(number, app.store.mentions.get(mention_id))


def shown_as(analysis: Analysis, right: Judgement, actor: str) -> Analysis:
    """The Analysis with what the person said in place of what the model said."""
    tone, intent = right.tone or analysis.tone, right.intent or analysis.intent
    return replace(
        analysis,
        tone=tone,
        tone_scores=_sure(Tone, tone) if right.tone else analysis.tone_scores,
        intent=intent,
        intent_scores=_sure(Intent, intent) if right.intent else analysis.intent_scores,
        intent_reason=f"{actor} said so" if right.intent else analysis.intent_reason,
        confidence=1.0 if right.tone else analysis.confidence,
    )


def _sure(names: type[Tone] | type[Intent], right: Tone | Intent) -> dict[str, float]:
    return {name.value: float(name is right) for name in names}


def undo(app: App, correction_id: int, actor: str) -> Correction:
    """Take a correction back; the mention shows and becomes what it would without it. Raises NotFound, CrawlerError."""
    part = replace(app.store.corrections, actor=clean_text(actor, _NAME_CHARS) or "somebody")
    undone = part.undo(correction_id, app.store.config.version())
    standing = app.store.mentions.list(after_id=undone.mention_id - 1, limit=1)
    decide_again(app, [mention for mention in standing if mention.id == undone.mention_id])
    return undone


def rows(app: App, limit: int) -> Iterator[dict[str, Any]]:
    """The stable shape of `model corrections list --json`, newest first."""
    for it in app.store.corrections.list(limit):
        yield {
            "id": it.id,
            "mention": it.mention_id,
            "brand": it.brand,
            "said": f"{it.said.get('tone')}, {it.said.get('intent')}",
            "right": str(it.judgement),
            "who": it.actor,
            "at": it.at,
            "undone_at": it.undone_at,
            "undone_by": it.undone_by,
            "model": it.said.get("model"),
            "language": it.language,
            "form": it.target,
            "text": it.text,
        }
