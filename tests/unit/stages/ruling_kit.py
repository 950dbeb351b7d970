"""Mentions made by hand, for what needs no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from crawler.model import (
    Analysis,
    Author,
    EntityKind,
    Hit,
    Intent,
    MentionStatus,
    Post,
    StoredMention,
    StoredPost,
    Tone,
)
from crawler.text import fold

SEEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday


def analysed(
    negative: float = 0.05,
    question: float = 0.05,
    complaint: float = 0.0,
    positive: float = 0.0,
    language: str = "uk",
    flags: tuple[str, ...] = (),
) -> Analysis:
    """An Analysis with these probabilities; the rest is neutral, and other."""
    tones = {"negative": negative, "neutral": 1 - negative - positive, "positive": positive}
    intents = {"question": question, "complaint": complaint, "praise": 0.0, "other": 1 - question - complaint}
    tone, intent = max(tones, key=tones.__getitem__), max(intents, key=intents.__getitem__)
    return Analysis(
        language, Tone(tone), tones, Intent(intent), intents, "", flags, max(tones.values()), False, "scripted"
    )


def mention(text: str = "Nova", analysis: Analysis | None = None, **facts: Any) -> StoredMention:
    """A mention of Nova in a post with these facts; `sources`, `labels`, `kind` and `seen_at` are not the post's."""
    sources, labels = facts.pop("sources", ("src",)), facts.pop("labels", {})
    kind, seen_at = facts.pop("kind", EntityKind.BRAND), facts.pop("seen_at", SEEN)
    given: dict[str, Any] = {"url": "https://site.example/1", "author": Author("Олена"), **facts}
    post = Post(text=text, **given)
    stored = StoredPost(
        5, "1", 1, post, fold(f"{post.title}\n{text}" if post.title else text), seen_at, sources=sources
    )
    hits = (Hit("Nova", kind, "Nova", 0, 4),)
    found = analysis if analysis is not None else analysed()
    return StoredMention(7, "Nova", 1, stored, hits, MentionStatus.ANALYSED, found, labels=labels)
