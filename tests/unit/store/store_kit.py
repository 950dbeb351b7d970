"""Small builders for tests of the store: a clock that stands still, posts, and a world that has come some way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crawler.model import (
    Analysis,
    Author,
    Brand,
    Decision,
    Document,
    Entity,
    EntityKind,
    Hit,
    Intent,
    MentionStatus,
    Post,
    PostOutcome,
    Priority,
    Run,
    Ticket,
    Tone,
)
from crawler.reports.ledger import balance
from crawler.store import SourceRow, Store
from crawler.text import content_hash, fold

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = "The transfer has not arrived for three days and the support line only plays music to me."


class Clock:
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.at = START

    def reset(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def tick(self, seconds: float = 1.0) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at


def brand(name: str = "Nova Pay", version: str = "v1", **changes: Any) -> Brand:
    return Brand(name, (Entity(EntityKind.BRAND, name),), version=version, **changes)


def source(name: str, domain: str | None = None, **changes: Any) -> SourceRow:
    values: dict[str, Any] = {"kind": "feed", "settings": {"url": f"http://{name}.example/"}} | changes
    return SourceRow(name, domain=domain or f"{name}.example", **values)


def post(number: int = 1, text: str | None = None, **changes: Any) -> Post:
    values: dict[str, Any] = {"url": f"http://a.example/{number}", "author": Author(name=f"Author {number}")}
    return Post(text=text if text is not None else f"{number}: {LONG}", **(values | changes))


def arrival(it: Post, key: str | None = None, site: str = "a.example") -> tuple[Post, str, str, str, str]:
    full = f"{it.title}\n{it.text}" if it.title else it.text
    return it, fold(full), content_hash(full), key or f"url:{it.url}", site


def document(body: bytes = b"<html/>", url: str = "http://a.example/", at: datetime = START) -> Document:
    return Document(url, 200, {"content-type": "text/html"}, body, at)


def analysis(model: str = "tone-1", tone: Tone = Tone.NEGATIVE, **changes: Any) -> Analysis:
    values: dict[str, Any] = {
        "language": "en",
        "tone": tone,
        "tone_scores": {"negative": 0.8, "neutral": 0.15, "positive": 0.05},
        "intent": Intent.COMPLAINT,
        "intent_scores": {"complaint": 0.9, "other": 0.1},
        "intent_reason": "does not work",
        "flags": ("urgent",),
        "confidence": 0.8,
        "truncated": False,
        "model": model,
    }
    return Analysis(**(values | changes))


def ticket(key: str, **changes: Any) -> Ticket:
    values: dict[str, Any] = {
        "subject": f"About {key}",
        "body": "The transfer has not arrived",
        "priority": Priority.HIGH,
        "brand": "Nova Pay",
        "tags": ("negative",),
        "url": "http://a.example/1",
        "reason": "negative 0.80",
    }
    return Ticket(key=key, **(values | changes))


def opens(mention_id: int, key: str, sinks: Sequence[str] = ("desk",)) -> Decision:
    return Decision(mention_id, MentionStatus.TICKETED, "negative 0.80", "rule-1", ticket(key), tuple(sinks))


class World:
    """A store with a config, and the steps of a post's trip through it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.bodies = 0

    def sync(self, *sources: SourceRow, brands: Sequence[Brand] = (), digest: str = "d1") -> None:
        self.store.config.sync(digest, f"# {digest}", brands or [brand()], sources or [source("a"), source("b")])

    def claim(self, *names: str, owner: str = "me", seconds: float = 60) -> list[Run]:
        return self.store.sources.claim(owner, names or None, self.clock(), seconds, 100)

    def run(self, name: str = "a") -> Run:
        (run,) = self.claim(name)
        return run

    def take(self, run: Run, *posts: Post, **changes: Any) -> dict[PostOutcome, int]:
        """Take posts in an answer whose body is new, unless `body` is given."""
        self.bodies += 1
        body = changes.pop("body", b"body %d" % self.bodies)
        answer = document(body, changes.pop("url", "http://a.example/"), self.clock.tick())
        cursor: Mapping[str, Any] | None = changes.pop("cursor", None)
        rows = [arrival(it, **changes) for it in posts]
        return self.store.intake.take(run, answer, rows, cursor, None)

    def match(self, *brands: str, version: str = "q1") -> int:
        """Every waiting post mentions these brands (all when none is named)."""
        known = {it.name: it.id for it in self.store.config.brands()}
        hit = Hit("Nova Pay", EntityKind.BRAND, "nova pay", 0, 8)
        found = {known[name]: ("v1", [hit]) for name in brands or known}
        new = 0
        while posts := self.store.posts.unmatched(version, 500):
            new += self.store.mentions.record(version, [(it, found) for it in posts], 1)
        return new

    def analyse(self, model: str = "tone-1") -> int:
        waiting = self.store.mentions.unanalysed(500)
        return self.store.mentions.save_analyses([(it, analysis(model)) for it in waiting])

    def analysed(self, count: int = 3) -> list[int]:
        """Ids of `count` mentions that wait for triage."""
        self.sync()
        self.take(self.run(), *(post(number) for number in range(1, count + 1)))
        self.match()
        self.analyse()
        return [it.id for it in self.store.mentions.untriaged(500)]

    def deliver(self, sink: str = "desk") -> int:
        rows = self.store.outbox.claim("me", self.clock(), 100, 60, [sink])
        done = []
        for row in rows:
            if row.change and row.remote:
                self.store.desk.update(row.remote, row.change)
            done.append((row.id, row.remote or self.store.desk.create(row.ticket)))
        assert self.store.outbox.settle("me", done, [], []) == []
        return len(rows)

    def gaps(self) -> tuple[str, ...]:
        return balance(self.store.counts.ledger()).gaps
