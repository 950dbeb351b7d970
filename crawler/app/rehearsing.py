"""What today's rules would make of the stored past, compared with what became of it. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crawler.app import App, now
from crawler.model import Brand, MentionStatus, Priority, StoredMention
from crawler.stages import triage
from crawler.store import BY_PERSON, Needs

HANDED = (MentionStatus.TICKETED, MentionStatus.JOINED)
DECIDED = (MentionStatus.REVIEW, MentionStatus.IGNORED, MentionStatus.ANALYSED)
NO_MATCH = "no longer matches"
GAINED, LOST, OUTCOME, MOVED = "ticket gained", "ticket lost", "outcome", "priority moved"


@dataclass(frozen=True, slots=True)
class Compared:
    """One mention: what stands, and what the rules would say. `rule` and `rule_before` are `name@version`."""

    mention: StoredMention
    after: MentionStatus
    rule: str
    reason: str
    priority: Priority | None = None
    priority_before: Priority | None = None
    added: tuple[str, ...] = ()

    @property
    def rule_before(self) -> str:
        return self.mention.rule

    @property
    def change(self) -> str | None:
        """How the outcome differs; None when it does not."""
        before = self.mention.status
        if before in HANDED:
            moved = self.priority_before not in (None, self.priority)
            return LOST if self.after not in HANDED else MOVED if moved else None
        if before is self.after:
            return None
        return GAINED if self.after in HANDED else OUTCOME

    @property
    def turn(self) -> tuple[str, str]:
        """What was and what would be: priorities where these alone differ, else outcomes."""
        if self.change == MOVED and self.priority and self.priority_before:
            return self.priority_before.value, self.priority.value
        return self.mention.status.value, self.after.value


@dataclass(slots=True)
class RuleSums:
    """What one rule decides in the past that was looked at.

    `gained` and `lost` are tickets, `moved` priorities of tickets, `added` tickets that an adding rule gave to.
    """

    ticket: int = 0
    joined: int = 0
    review: int = 0
    ignored: int = 0
    gained: int = 0
    lost: int = 0
    moved: int = 0
    added: int = 0


@dataclass
class Sums:
    """Sums by rule. A lost ticket counts for the rule that opened it, everything else for the one that decides now."""

    by_rule: dict[str, RuleSums] = field(default_factory=dict)

    def of(self, rule: str) -> RuleSums:
        """The sums of a rule, by its name without version."""
        return self.by_rule.setdefault(rule_name(rule), RuleSums())

    def add(self, row: Compared) -> None:
        """Count one mention."""
        name = "ticket" if row.after is MentionStatus.TICKETED else row.after.value
        sums = self.of(row.rule)
        setattr(sums, name, getattr(sums, name) + 1)
        for giver in row.added if row.after in HANDED else ():
            self.of(giver).added += 1
        if row.change == GAINED:
            sums.gained += 1
        elif row.change == MOVED:
            sums.moved += 1
        elif row.change == LOST:
            self.of(row.rule_before).lost += 1


def rule_name(named: str) -> str:
    """`complaints` of `complaints@3f2a9c1d`."""
    name, _, version = named.rpartition("@")
    return name if name and len(version) == 8 else named


def rule_version(named: str) -> str | None:
    """`3f2a9c1d` of `complaints@3f2a9c1d`; None where no rule of the file decided."""
    return named.rpartition("@")[2] if rule_name(named) != named else None


def open_to_rules(mention: StoredMention) -> bool:
    """Whether rules may decide again: no ticket yet, still a mention, and no person has decided."""
    lost = mention.status is MentionStatus.IGNORED and mention.reason == NO_MATCH
    settled = mention.rule in (triage.BY_HAND, triage.WITHDRAWN, BY_PERSON) or mention.analysis is None
    return mention.status in DECIDED and not lost and not settled


def needs_of(app: App) -> Needs:
    """What the rules of the file look at in a mention, and what tells a brand's own posts."""
    rules = app.config.rules
    worded = any(rule.words or rule.not_words or (rule.urgent_if and rule.urgent_if.words) for rule in rules)
    return Needs(
        text=bool(worded),
        author=any(brand.own for brand in app.config.brands),
        hits=any(rule.entity for rule in rules),
        time=any(rule.hours is not None or rule.days for rule in rules),
        sources=any(rule.source or rule.source_kind or rule.label for rule in rules),
    )


def rehearse(
    app: App, mentions: Sequence[StoredMention], brands: Mapping[str, Brand], *, skimmed: bool = False
) -> list[Compared]:
    """Those of `mentions` that rules may judge, or have given a ticket, as the rules of the file see them.

    Of skimmed ones those are read whole that could join a ticket.
    """
    setting, rules = triage.Setting.of(app.config), app.config.rules
    judged = [
        (it, *triage.rule_on(it, rules, brands.get(it.brand), setting))
        for it in mentions
        if open_to_rules(it) or (it.status in HANDED and it.rule != triage.BY_HAND)
    ]
    wanted = [it for it, _, ruling in judged if ruling.status is MentionStatus.TICKETED and it.status not in HANDED]
    joining = _joining(app, app.store.mentions.many([it.id for it in wanted]) if skimmed else wanted)
    opened = [it.ticket_id for it in mentions if it.status is MentionStatus.TICKETED and it.ticket_id]
    urgencies = app.store.tickets.priorities(opened)
    return [
        Compared(
            mention,
            _after(mention, ruling.status, joining),
            rule,
            ruling.reason,
            ruling.priority,
            urgencies.get(mention.ticket_id or 0),
            ruling.added,
        )
        for mention, rule, ruling in judged
    ]


def _joining(app: App, wanted: Sequence[StoredMention]) -> set[int]:
    """Ids of those that would join: a ticket that is open, or one that an earlier one of them would open."""
    found, seen = set(app.store.tickets.open_for(wanted)), set[str]()
    for mention in wanted:
        kin = triage.kin_of(mention)
        if seen & kin:
            found.add(mention.id)
        seen |= kin
    return found


def _after(mention: StoredMention, said: MentionStatus, joining: set[int]) -> MentionStatus:
    """What would become of it: a ticket that there is stays, one that is new may be joined instead."""
    if said is not MentionStatus.TICKETED:
        return said
    if mention.status in HANDED:
        return mention.status
    return MentionStatus.JOINED if mention.id in joining else said


def decide_again(app: App, mentions: Sequence[StoredMention]) -> list[Compared]:
    """Let the rules decide on those that they may decide, and carry it out; what has a ticket keeps it."""
    left = [mention for mention in mentions if open_to_rules(mention)]
    setting, version, rows = triage.Setting.of(app.config), app.store.config.version(), list[Compared]()
    brands = app.brands
    while left:
        made = triage.decide(app.store, left, app.config.rules, brands, now(), setting)
        app.store.tickets.decide(made, version)
        by_id = {decision.mention_id: decision for decision in made}
        for mention in left:
            if (decision := by_id.get(mention.id)) is not None:
                rows.append(Compared(mention, decision.status, decision.rule, decision.reason))
        left = [mention for mention in left if mention.id not in by_id]
    return rows
