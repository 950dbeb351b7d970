"""One sent ticket in a real store, the quick way."""

from __future__ import annotations

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
    Remote,
    Ticket,
    Tone,
)
from crawler.store import SourceRow, Store
from crawler.store.db import utc_now
from crawler.text import content_hash, fold

_SURE = {"negative": 1.0, "neutral": 0.0, "positive": 0.0}
ANALYSIS = Analysis(
    "uk", Tone.NEGATIVE, _SURE, Intent.COMPLAINT, {"complaint": 1.0}, "", (), 1.0, truncated=False, model="none"
)


def given_ticket(store: Store, sink: str, remote: Remote | None, key: str = "mc-1") -> int:
    """A ticket on its way to `sink`, or there already under `remote`; returns its id."""
    brand = Brand("Ladna Pay", (Entity(EntityKind.BRAND, "Ladna Pay"),), version="v1")
    store.config.sync("one", "", [brand], [SourceRow("feed", "feed", {}, domain="d")])
    run = store.sources.claim("test", ["feed"], utc_now(), 60.0, 1)[0]
    post = Post("Ladna Pay мовчить", url=f"https://site.example/{key}")
    row = (post, fold(post.text), content_hash(post.text), key, "site.example")
    store.intake.take(run, Document("https://site.example/", 200, {}, b"x", utc_now()), [row], None, None)
    [stored] = store.posts.unmatched("v1", 10)
    [known] = store.config.brands()
    store.mentions.record("v1", [(stored, {known.id: ("v1", [Hit("x", EntityKind.BRAND, "x", 0, 1)])})], 1)
    [mention] = store.mentions.unanalysed(10)
    ticket = Ticket(key, "Ladna Pay мовчить", "Ladna Pay мовчить", Priority.NORMAL, "Ladna Pay", opened_at=utc_now())
    store.mentions.save_analyses([(mention, ANALYSIS)])
    store.tickets.decide([Decision(mention.id, MentionStatus.TICKETED, "x", "x", ticket, (sink,))], 1)
    if remote is not None:
        [claimed] = store.outbox.claim("test", utc_now(), 1, 60, [sink])
        store.outbox.settle("test", [(claimed.id, remote)], [], [])
    return store.tickets.get(key).ticket.id
