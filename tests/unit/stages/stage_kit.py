"""A small world for the stages: a real SQLite store, posts put in through the real intake, a scripted model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from crawler.config.blocks import RuleBlock, UrgentIf
from crawler.matching import Matcher
from crawler.model import Analysis, Author, Brand, Document, Entity, EntityKind, Intent, Post, Tone, Verdict
from crawler.reports.ledger import balance
from crawler.reports.outcomes import account
from crawler.stages import analyse, match, triage
from crawler.stages.crawl import Intake
from crawler.store import Share, SourceRow, Store

BRAND = Brand("Nova", (Entity(EntityKind.BRAND, "Nova"),), own=("@nova_official", "nova.example"), version="v1")
RULE = RuleBlock(name="tickets", send_to=("helpdesk",), urgent_if=UrgentIf(words=("суд",), followers_over=1000))


def analysis(negative: float = 0.05, question: float = 0.05, flags: tuple[str, ...] = ()) -> Analysis:
    """An Analysis with these probabilities."""
    tones = {"negative": negative, "neutral": 1 - negative, "positive": 0.0}
    intents = {"question": question, "complaint": 0.0, "praise": 0.0, "other": 1 - question}
    tone = Tone.NEGATIVE if negative > 0.5 else Tone.NEUTRAL
    intent = Intent.QUESTION if question > 0.5 else Intent.OTHER
    return Analysis("uk", tone, tones, intent, intents, "", flags, max(tones.values()), False, "scripted")


@dataclass
class Model:
    """Says what the text asks for: `neg93` is 93 % negative, `q80` an 80 % question."""

    calls: list[int] = field(default_factory=list)

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        self.calls.append(len(texts))
        return [analysis(_share(text, "neg"), _share(text, "q")) for text in texts]


def _share(text: str, word: str) -> float:
    found = [part for part in text.split() if part.startswith(word) and part[len(word) :].isdigit()]
    return int(found[0][len(word) :]) / 100 if found else 0.05


class World:
    """The store with helpers. One at a time: the store behind it stays open, since its statements compile once."""

    current: ClassVar[World]

    @classmethod
    def clock(cls) -> datetime:
        """The time of the world that is."""
        return cls.current.at

    def __init__(self, store: Store) -> None:
        """`store` is empty, and its clock is `World.clock`."""
        self.model, self.at, self.store = Model(), datetime.now(UTC), store
        World.current = self
        self.store.config.sync("one", "", [BRAND], [SourceRow("src", "feed", {}, domain="d")])

    def now(self) -> datetime:
        return self.at

    def shows(self, *posts: Post) -> None:
        """One crawl in which the source shows these posts."""
        run = self.store.sources.claim("test", ["src"], self.at, 60.0, 1)[0]
        document = Document("https://site.example/feed", 200, {}, repr(posts).encode(), self.at)
        Intake(self.store, run, lambda: None).take(document, posts, cursor=None, validators=None)
        self.store.runs.finish(run, Verdict.OK, None, 0.1, self.at + timedelta(hours=1))

    def post(self, text: str, number: int = 1, author: str = "Олена", **more: Any) -> Post:
        """A post that names the brand."""
        given: dict[str, Any] = {"url": f"https://site.example/{number}", "platform_id": str(number), **more}
        return Post(
            text=f"Nova {text}", author=more.pop("by", Author(author)), **{k: v for k, v in given.items() if k != "by"}
        )

    def judge(self, rules: Sequence[RuleBlock] = (RULE,), setting: triage.Setting | None = None) -> triage.Triaged:
        """match, analyse, triage."""
        brands = {brand.name: brand for brand in self.store.config.brands()}
        match.run(self.store, Matcher(list(brands.values())))
        analyse.run(self.store, self.model)
        return triage.run(self.store, rules, brands, self.now, setting=setting)

    def gaps(self) -> tuple[str, ...]:
        return (*balance(self.store.counts.ledger()).gaps, *account(self.store.outcomes.of(Share())).gaps)
