"""Follow-ups of posts that have tickets: each joins one, and its comment waits behind the ticket and its elders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from benchmarks.filling import ANALYSIS
from crawler.model import Decision, Document, EntityKind, Hit, MentionStatus, Post

if TYPE_CHECKING:
    from crawler.store import Store

EACH = 2
BATCH = 200
FIRST = 10_000_000


def follow_up(store: Store, count: int) -> None:
    """`count` posts whose mentions join the first tickets, two to a ticket. Raises ValueError for too many."""
    if not count:
        return
    tickets = [it.ticket.id for it in store.tickets.list(after_id=0, limit=0)]
    if count > EACH * len(tickets):
        raise ValueError(f"{count} follow-ups need {-(-count // EACH)} tickets, there are {len(tickets)}")
    now = datetime.now(UTC)
    # The run that filled the database was never ended: two days later its lease is over.
    run = store.sources.claim("following", ["feed"], now + timedelta(days=2), 86400.0, 1)[0]
    [brand] = store.config.brands()
    hit = {brand.id: ("v1", [Hit("Ladna Pay", EntityKind.BRAND, "Ladna Pay", 0, 9)])}
    for start in range(0, count, BATCH):
        numbers = range(start, min(count, start + BATCH))
        rows = [(_post(n, now), f"again {n}", f"{FIRST + n:032d}", f"id:{FIRST + n}", "other.example") for n in numbers]
        answer = Document(f"https://other.example/{start}", 200, {}, str(start).encode(), now)
        store.intake.take(run, answer, rows, None, None)
        store.mentions.record("v1", [(post, hit) for post in store.posts.unmatched("v1", BATCH)], 1)
        store.mentions.save_analyses([(it, ANALYSIS) for it in store.mentions.unanalysed(BATCH)])
        waiting = store.mentions.untriaged(BATCH)
        store.tickets.decide([_joins(it.id, tickets[n // EACH], n) for n, it in zip(numbers, waiting, strict=True)], 1)


def told(store: Store) -> dict[str, tuple[str, int]]:
    """Every comment that the database says was told: key -> (the ticket's number there, its place in the ticket)."""
    found = {}
    for stored in store.tickets.list(after_id=0, limit=0):
        there = next((it.remote_id for it in stored.deliveries if it.number == 0), None)
        keys = [f"{stored.ticket.key}/m{mention}" for mention in stored.mention_ids[1:]]
        changes = [it for it in stored.deliveries if it.number]
        found |= {key: (str(there), it.number) for key, it in zip(keys, changes, strict=True)}
    return found


def _joins(mention: int, ticket: int, number: int) -> Decision:
    note = f"The author writes again ({number}): still no answer."
    return Decision(mention, MentionStatus.JOINED, "same thread", "tickets", join=ticket, note=note)


def _post(number: int, now: datetime) -> Post:
    return Post(
        f"Ladna Pay again {number}",
        url=f"https://other.example/{number}",
        platform_id=str(FIRST + number),
        published_at=now,
    )
