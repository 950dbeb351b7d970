"""A database in which tickets wait to be sent, made the way the product makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crawler.model import (
    Analysis,
    Brand,
    Decision,
    Document,
    Entity,
    EntityKind,
    Hit,
    Intent,
    MentionStatus,
    Post,
    Priority,
    Ticket,
    Tone,
)

if TYPE_CHECKING:
    from crawler.store import Store

BATCH = 200
BRAND = Brand("Ladna Pay", (Entity(EntityKind.BRAND, "Ladna Pay"),), version="v1")
_TONES = {"negative": 0.9, "neutral": 0.1, "positive": 0.0}
ANALYSIS = Analysis(
    "uk", Tone.NEGATIVE, _TONES, Intent.COMPLAINT, {"complaint": 0.9}, "", (), 0.9, truncated=False, model="none"
)


def fill(store: Store, count: int, sink: str) -> None:
    """`count` posts, mentions and tickets, each with one delivery to `sink` that is due."""
    from crawler.store import SourceRow

    store.config.sync("filled", "", [BRAND], [SourceRow("feed", "feed", {}, domain="d")])
    [brand] = store.config.brands()
    run = store.sources.claim("filling", ["feed"], datetime.now(UTC), 86400.0, 1)[0]
    hit = {brand.id: ("v1", [Hit("Ladna Pay", EntityKind.BRAND, "Ladna Pay", 0, 9)])}
    for start in range(0, count, BATCH):
        now = datetime.now(UTC)
        numbers = range(start, min(count, start + BATCH))
        rows = [(_post(n, now), f"ladna pay {n}", f"{n:032d}", f"id:{n}", "site.example") for n in numbers]
        answer = Document(f"https://site.example/{start}", 200, {}, str(start).encode(), now)
        store.intake.take(run, answer, rows, None, None)
        store.mentions.record("v1", [(post, hit) for post in store.posts.unmatched("v1", BATCH)], 1)
        store.mentions.save_analyses([(it, ANALYSIS) for it in store.mentions.unanalysed(BATCH)])
        waiting = store.mentions.untriaged(BATCH)
        tickets = [(it.id, _ticket(it.post.key, it.post.post.url or "")) for it in waiting]
        decided = [Decision(n, MentionStatus.TICKETED, "negative 90%", "tickets", it, (sink,)) for n, it in tickets]
        store.tickets.decide(decided, 1)


def _post(number: int, now: datetime) -> Post:
    url = f"https://site.example/{number}"
    return Post(f"Ladna Pay {number}", url=url, platform_id=str(number), published_at=now - timedelta(minutes=5))


def _ticket(key: str, url: str) -> Ticket:
    body = "> Третій день чекаю на повернення коштів, підтримка мовчить.\n\nAuthor: Олена\nWhy: negative 90%"
    return Ticket(
        f"mc-{key}", "Ladna Pay: третій день чекаю", body, Priority.HIGH, "Ladna Pay", ("negative",), url, "Олена"
    )
