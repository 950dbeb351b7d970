"""triage: rules decide whether a mention becomes a ticket, joins one, goes to review or is ignored; the reason stays.

`ruling` says what the rules make of one mention, `ticket_text` what a ticket says. Here a batch of mentions becomes
decisions: which open a ticket, and which join one that is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crawler.config import RuleBlock
from crawler.model import Brand, Decision, MentionStatus, StoredMention
from crawler.stages.crash import kill_point
from crawler.stages.owning import is_own
from crawler.stages.ruling import BY_HAND, NO_RULE, WITHDRAWN, Ruling, Setting, rule_on
from crawler.stages.ticket_text import follow_up, make_ticket, ticket_key
from crawler.stages.working_hours import due_at
from crawler.store import Store, TriageCount
from crawler.text import folded_hash

__all__ = [
    "BATCH",
    "BY_HAND",
    "NO_RULE",
    "WITHDRAWN",
    "Ruling",
    "Setting",
    "Triaged",
    "by_hand",
    "decide",
    "decided",
    "is_own",
    "kin_of",
    "make_ticket",
    "rule_on",
    "run",
    "ticket_key",
]

BATCH = 200
# Shorter texts say the same in the mouths of strangers. Waiting for each other, a wave of them would take for ever.
SHORTEST_REPOST = 40


@dataclass(slots=True)
class Triaged:
    """Mentions of one pass by outcome."""

    ticketed: int = 0
    joined: int = 0
    review: int = 0
    ignored: int = 0

    def add(self, done: TriageCount) -> None:
        """Add what a batch came to in the database: a mention may join a ticket that was opened a moment ago."""
        self.ticketed, self.joined = self.ticketed + done.ticketed, self.joined + done.joined
        self.review, self.ignored = self.review + done.review, self.ignored + done.ignored


def run(
    store: Store,
    rules: Sequence[RuleBlock],
    brands: Mapping[str, Brand],
    now: Callable[[], datetime],
    progress: Callable[[int], None] | None = None,
    setting: Setting | None = None,
) -> Triaged:
    """Decide every analysed mention; ticket, deliveries and events of a batch land in one transaction."""
    total, config_version = Triaged(), store.config.version()
    while mentions := store.mentions.untriaged(BATCH):
        decisions = decide(store, mentions, rules, brands, now(), setting)
        done = store.tickets.decide(
            decisions,
            config_version,
            before_commit=lambda: kill_point("in_triage"),
            after_commit=lambda: kill_point("after_ticket"),
        )
        kill_point("after_triage")
        total.add(done)
        if progress:
            progress(len(mentions))
    return total


def decide(
    store: Store,
    mentions: Sequence[StoredMention],
    rules: Sequence[RuleBlock],
    brands: Mapping[str, Brand],
    now: datetime,
    setting: Setting | None = None,
) -> list[Decision]:
    """One Decision a mention. Follow-ups and reposts join the open ticket.

    Left out is a mention that belongs to a ticket opened by this very batch: ask again when that one has an id.
    """
    setting = setting or Setting()
    ruled = [(it, *rule_on(it, rules, brands.get(it.brand), setting)) for it in mentions]
    # Looking for the ticket that a mention belongs to costs far more than the rules: only where one is wanted.
    open_tickets = store.tickets.open_for([it for it, _, ruling in ruled if ruling.status is MentionStatus.TICKETED])
    decisions: list[Decision] = []
    fresh: set[str] = set()
    for mention, rule, ruling in ruled:
        if ruling.status is not MentionStatus.TICKETED:
            decisions.append(Decision(mention.id, ruling.status, ruling.reason, rule, priority=ruling.priority))
        elif mention.id in open_tickets:
            decisions.append(_joining(mention, open_tickets[mention.id].id, ruling, rule, now, setting))
        elif not fresh & (kin := kin_of(mention)):
            fresh |= kin
            decisions.append(decided(mention, ruling, rule, now, setting))
    return decisions


def decided(mention: StoredMention, ruling: Ruling, rule: str, now: datetime, setting: Setting) -> Decision:
    """The decision that opens a ticket; it leaves the house after the rule's `hold`."""
    return Decision(
        mention.id,
        MentionStatus.TICKETED,
        ruling.reason,
        rule,
        ticket=make_ticket(mention, ruling, now, setting),
        sinks=ruling.sinks,
        priority=ruling.priority,
        hold_until=_held(ruling, now),
    )


def _held(ruling: Ruling, now: datetime) -> datetime | None:
    return now + timedelta(seconds=ruling.hold) if ruling.hold else None


def by_hand(store: Store, mention: StoredMention, ruling: Ruling, now: datetime, setting: Setting) -> Decision:
    """What a person decided: a ticket of its own or in the open one it belongs to, or none at all."""
    if ruling.status is not MentionStatus.TICKETED:
        return Decision(mention.id, ruling.status, ruling.reason, BY_HAND)
    if (ticket := store.tickets.open_for([mention]).get(mention.id)) is not None:
        joining = _joining(mention, ticket.id, ruling, BY_HAND, now, setting)
        # What a person did can be undone for a while, a comment like a ticket.
        return replace(joining, hold_until=_held(ruling, now))
    return decided(mention, ruling, BY_HAND, now, setting)


def kin_of(mention: StoredMention) -> set[str]:
    """What two mentions must share to belong together: the same author in one thread, or the same words."""
    post = mention.post
    author = post.post.author.handle or post.post.author.name
    kin = set()
    if len(post.folded) >= SHORTEST_REPOST:
        kin.add(f"{mention.brand}|text|{folded_hash(post.folded)}")
    if author and post.post.thread:
        kin.add(f"{mention.brand}|thread|{post.post.site}|{post.post.thread}|{author}")
    return kin


def _joining(
    mention: StoredMention, ticket_id: int, ruling: Ruling, rule: str, now: datetime, setting: Setting
) -> Decision:
    return Decision(
        mention.id,
        MentionStatus.JOINED,
        f"joins an open ticket; {ruling.reason}",
        rule,
        join=ticket_id,
        note=follow_up(mention, ruling, setting),
        priority=ruling.priority,
        due_at=due_at(ruling.priority, now, setting.targets, setting.business, setting.timezone),
    )
