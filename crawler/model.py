"""The nouns of the house: frozen value objects that every floor speaks.

Nothing here opens a file, a socket or a database. Times are aware and UTC. Only `Post` and what hangs on it comes from
outside; everything else is made by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EntityKind(StrEnum):
    """What kind of name an entity of a Brand is."""

    BRAND = "brand"
    LEGAL = "legal"
    PERSON = "person"


class Tone(StrEnum):
    """Tone toward the Brand, not of the whole text."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Intent(StrEnum):
    """What the author wants."""

    QUESTION = "question"
    COMPLAINT = "complaint"
    PRAISE = "praise"
    OTHER = "other"


class Verdict(StrEnum):
    """How one crawl of one Source ended."""

    OK = "ok"
    EMPTY = "empty"
    BLOCKED = "blocked"
    CHANGED = "changed"
    TOO_BIG = "too_big"
    TRAP = "trap"
    FAILED = "failed"


class PostOutcome(StrEnum):
    """What became of one post that a source showed; each is counted where it happens."""

    NEW = "new"
    SEEN = "seen"
    EDITED = "edited"
    DROPPED = "dropped"


class MentionStatus(StrEnum):
    """Work status of a Mention. `found` and `analysed` wait for a stage; the others are outcomes."""

    FOUND = "found"
    ANALYSED = "analysed"
    TICKETED = "ticketed"
    JOINED = "joined"
    REVIEW = "review"
    IGNORED = "ignored"


class DeliveryStatus(StrEnum):
    """Where a Delivery stands in the outbox."""

    PENDING = "pending"
    SENT = "sent"
    PARKED = "parked"
    WITHDRAWN = "withdrawn"


class TicketStatus(StrEnum):
    """Life of a Ticket as we know it."""

    OPEN = "open"
    SOLVED = "solved"
    WITHDRAWN = "withdrawn"


class Priority(StrEnum):
    """Urgency of a Ticket, in the words of the config."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class Entity:
    """One name to look for, as written in the config (`text`), and its kind.

    `slips`: also as it comes out when typed in the wrong keyboard layout.
    """

    kind: EntityKind
    text: str
    slips: bool = False


@dataclass(frozen=True, slots=True)
class Brand:
    """What is watched. `version` is the digest of everything that decides matching."""

    name: str
    entities: tuple[Entity, ...]
    about: tuple[str, ...] = ()
    not_about: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    query: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A configured place to crawl.

    `settings` is the validated `Settings` object of the kind; `cursor` and `validators` are JSON-able state that moves
    only in the transaction that stores the posts it covers. `validators` maps URL -> {"etag":..., "last_modified":...}.
    """

    name: str
    kind: str
    settings: Any
    labels: Mapping[str, str] = field(default_factory=dict)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    validators: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    id: int = 0


@dataclass(frozen=True, slots=True)
class Author:
    """Who published a post, as far as the site says. Everything is untrusted text."""

    name: str | None = None
    handle: str | None = None
    url: str | None = None
    followers: int | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One thing somebody published, as a spider parsed it.

    `site` defaults to the registrable host of `url`; identity is (site, platform_id), else (site, canonical url), else
    (site, content hash): the store computes it. None means unknown and is kept apart from 0 and "".
    """

    text: str
    url: str | None = None
    title: str | None = None
    platform_id: str | None = None
    site: str | None = None
    author: Author = Author()
    published_at: datetime | None = None
    parent: str | None = None
    thread: str | None = None
    rating: float | None = None
    engagement: Mapping[str, int] = field(default_factory=dict)
    region: str | None = None
    language_hint: str | None = None
    deleted: bool = False


SKIPPED = "_skipped"
"""In the cursor of a stream: when a message that nobody can read was passed over."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long the answers of a run said that they hold: `seconds`, and hours of the day (UTC) in which none comes."""

    seconds: float = 0.0
    skip_hours: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where an entity stands: offsets into `title, newline, text` of the post (no title: the text).

    Of a query, `entity` is the term. `why` says which rule counted it: a name with its context, or the query.
    """

    entity: str
    kind: EntityKind
    form: str
    start: int
    end: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the model thinks of one post toward one Brand. Scores sum to 1; `confidence` is that of the tone."""

    language: str
    tone: Tone
    tone_scores: Mapping[str, float]
    intent: Intent
    intent_scores: Mapping[str, float]
    intent_reason: str
    flags: tuple[str, ...]
    confidence: float
    truncated: bool
    model: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a helpdesk receives. `key` is stable per ticket; a sink sends it as external id or marker.

    All texts are plain text: each sink escapes for its own edge. `mention_url` is the permalink of the first mention.
    """

    key: str
    subject: str
    body: str
    priority: Priority
    brand: str
    tags: tuple[str, ...] = ()
    url: str | None = None
    author: str | None = None
    reason: str = ""
    language: str | None = None
    opened_at: datetime | None = None
    id: int = 0
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """A ticket as the helpdesk knows it. `status` is in our words (open/solved) when the sink can say it.

    `warnings` say what the helpdesk dropped or changed of what it was sent, as reading it back showed. `key` is ours,
    as far as the helpdesk shows it with a ticket that it tells of.
    """

    id: str
    url: str | None = None
    status: TicketStatus | None = None
    warnings: tuple[str, ...] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a ticket that exists: a comment, a new priority, a new status. `key` is unique per change.

    The rest is for what a helpdesk tells us (`Sink.changes`): who wrote the comment and whether the customer may read
    it (`public`), who has the ticket now ("": nobody any more), and when it happened by the helpdesk's clock.
    """

    key: str
    comment: str | None = None
    priority: Priority | None = None
    status: TicketStatus | None = None
    author: str | None = None
    public: bool = False
    assignee: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An operator's public answer, as the helpdesk `sink` told it. `key` is unique in that sink."""

    sink: str
    key: str
    text: str
    author: str | None = None
    at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class CrawlResult:
    """What one crawl of one source came to; the shape of one line of `crawl --json`."""

    source: str
    verdict: Verdict
    fetched: int = 0
    posts_new: int = 0
    posts_seen: int = 0
    posts_edited: int = 0
    dropped: int = 0
    mentions_new: int = 0
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One fetched response: the raw truth that posts can be rebuilt from. `body` is as sent, after content decoding."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime
    id: int = 0
    source_id: int = 0


@dataclass(frozen=True, slots=True)
class StoredPost:
    """A post as the database holds it. `folded` is `text.fold(title + newline + text)`; `sources` are names."""

    id: int
    key: str
    version: int
    post: Post
    folded: str
    seen_at: datetime
    matched_with: str | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredMention:
    """A mention with its post and, when there is one, the newest Analysis."""

    id: int
    brand: str
    brand_id: int
    post: StoredPost
    hits: tuple[Hit, ...]
    status: MentionStatus
    analysis: Analysis | None = None
    ticket_id: int | None = None
    ticket_key: str | None = None
    reason: str = ""
    query_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What triage decided for one mention; `ticket` opens one, `join` adds the mention to an open ticket by id.

    `rule` is the rule with its version, `name@digest`. `priority` is what the mention deserves, also when it joins, and
    `due_at` by when it should be answered then.
    Nothing of the ticket leaves the house before `hold_until`.
    """

    mention_id: int
    status: MentionStatus
    reason: str
    rule: str
    ticket: Ticket | None = None
    sinks: tuple[str, ...] = ()
    join: int | None = None
    note: str | None = None
    priority: Priority | None = None
    hold_until: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One Ticket (or one Change to it) on its way to one Sink.

    `doubtful` means an earlier attempt may have taken effect: look before sending. `doubted_at` is the last moment in
    which such an attempt can have been made; None with `doubtful`: a person asks to look first. `remote` is known for
    changes, and so is `place`: which helpdesk has the ticket.
    """

    id: int
    sink: str
    ticket: Ticket
    attempts: int
    doubtful: bool
    remote: Remote | None = None
    change: Change | None = None
    doubted_at: datetime | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One crawl of one Source, claimed under a lease: writes with another `epoch` are refused."""

    id: int
    source: Source
    slot: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that needs a person. `key` names the condition; one open Alert a key."""

    key: str
    cause: str
    source: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    resolved_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Append-only history: who or what changed which row, from what to what."""

    at: datetime
    actor: str
    row: str
    row_id: int
    what: str
    before: str | None = None
    after: str | None = None
    note: str | None = None
    id: int = 0
