"""What the config comes to: frozen blocks that the other floors read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any

from crawler.config.reading import Node, Text
from crawler.config.rule_frame import Then
from crawler.config.rule_values import Bounds, Week
from crawler.config.values import IPNetwork, Schedule, Window
from crawler.model import Brand, Priority


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands in its file; lines and columns count from 1."""

    node: Node | None = None
    text: Text | None = None

    def get(self, key: str, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """(line, column) of a key of the block."""
        return self.at(key, default=default, key=True)

    def at(self, *path: str | int, default: tuple[int, int] = (1, 1), key: bool = False) -> tuple[int, int]:
        """(line, column) of the value at `path` (of its key when `key`), or of the deepest part of it that exists."""
        if self.node is None:
            return default
        node, walked = self.node.down(path)
        if key and len(walked) < len(path):
            return default
        return (node.key_line, node.key_column) if key and node.key_line else (node.line, node.column)


@dataclass(frozen=True, slots=True)
class SourceBlock:
    """One of `sources`: `raw` holds the settings of its kind as written."""

    name: str
    kind: str
    raw: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    was: str | None = None
    schedule: Schedule = field(default_factory=Schedule)
    verify: bool = True
    place: Place = field(default_factory=Place, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SinkBlock:
    """One of `sinks`: `raw` holds the settings of its kind as written."""

    name: str
    kind: str
    raw: Mapping[str, Any] = field(default_factory=dict)
    place: Place = field(default_factory=Place, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class UrgentIf:
    """What makes a ticket urgent: any of the words, or more followers than the number."""

    words: tuple[str, ...] = ()
    followers_over: int | None = None


@dataclass(frozen=True, slots=True)
class RuleBlock:
    """One rule. Empty conditions allow everything; `version` is the digest of what it says.

    `when` holds tones and intents of which one is enough; `tone` and `intent` must hold both. All three empty: any
    mention. `hold` is in seconds; `days` count from 0 (Monday).
    """

    name: str
    when: tuple[str, ...] = ("negative", "question")
    sure_at_least: float = 0.7
    urgent_if: UrgentIf | None = None
    priority: Priority | None = None
    send_to: tuple[str, ...] = ("desk",)
    brand: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    lang: tuple[str, ...] = ()
    entity: tuple[str, ...] = ()
    label: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: str = ""
    then: Then = Then.TICKET
    source_kind: tuple[str, ...] = ()
    tone: tuple[str, ...] = ()
    intent: tuple[str, ...] = ()
    confidence: Bounds | None = None
    words: tuple[str, ...] = ()
    not_words: tuple[str, ...] = ()
    rating: Bounds | None = None
    followers: Bounds | None = None
    hours: Window | None = None
    days: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hold: float = 0.0
    write_in: str | None = None
    place: Place = field(default_factory=Place, repr=False, compare=False)

    @property
    def named(self) -> str:
        """The name with the version, `complaints@3f2a9c1d`: what decisions are stored under."""
        return f"{self.name}@{self.version[:8]}" if self.version else self.name


@dataclass(frozen=True, slots=True)
class BusinessBlock:
    """Working time: (day from 0, (from, to)) in local time, and days without work as (year or 0, month, day)."""

    hours: Week = ()
    holidays: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DigestBlock:
    """When the daily mail leaves (local time of day, None: never), and whom it goes to."""

    at: time | None = None
    send_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertsBlock:
    """Names of sinks and mail addresses that are told of alerts."""

    send_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SentimentBlock:
    """Which tone model, and how it is to be read; `labels` maps the model's own labels to our tones.

    `dear` is what a missed complaint costs beside a false ticket.
    """

    model: str = "builtin"
    labels: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    wording: bool = False
    dear: float = 4 / 3


@dataclass(frozen=True, slots=True)
class KeepBlock:
    """Retention in seconds; None keeps for ever."""

    posts: float | None = 62208000.0
    unmatched_stream: float = 86400.0


@dataclass(frozen=True, slots=True)
class Config:
    """A file that holds no mistake in its frame. `digest` is sha256 of `text`; paths and the URL are absolute."""

    path: Path
    text: str = field(repr=False)
    digest: str
    timezone: str
    data_dir: Path
    database_url: str = field(repr=False)
    allow_private: tuple[IPNetwork, ...] = ()
    user_agent: str = ""
    contact: str | None = None
    sentiment: SentimentBlock = SentimentBlock()
    keep: KeepBlock = KeepBlock()
    web_host: str = "127.0.0.1"
    web_port: int = 8080
    brands: tuple[Brand, ...] = ()
    sources: tuple[SourceBlock, ...] = ()
    rules: tuple[RuleBlock, ...] = ()
    sinks: tuple[SinkBlock, ...] = ()
    alerts: AlertsBlock = AlertsBlock()
    language: str = "en"
    undo_window: float = 15.0
    targets: Mapping[Priority, float] = field(default_factory=dict)
    business: BusinessBlock = BusinessBlock()
    digests: DigestBlock = DigestBlock()
    env: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def digest_of(parts: Mapping[str, Any] | Sequence[Any]) -> str:
    """16 hex digits that change only with the meaning: keys in any order give the same."""
    data = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(data.encode("utf-8", "replace")).hexdigest()[:16]
