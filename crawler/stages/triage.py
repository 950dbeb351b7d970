"""triage: rules decide whether a mention becomes a ticket, joins one, goes to review or is ignored; the reason stays.

A rule wants tones and intents. With `sure_at_least: 0.7` a mention whose wanted probability is >= 0.7 becomes a ticket,
one below 0.3 is ignored (we are as sure that it is not wanted), and everything between goes to a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crawler.config import RuleBlock
from crawler.model import (
    Analysis,
    Brand,
    Decision,
    Intent,
    MentionStatus,
    Post,
    Priority,
    StoredMention,
    Ticket,
    Tone,
)
from crawler.stages.crash import kill_point
from crawler.stages.match import full_text
from crawler.store import Store
from crawler.text import fold, site_of

BATCH = 200
SUBJECT_CHARS = 120
QUOTE_CHARS = 3000
_ALARMING = {"threat", "legal"}


@dataclass(slots=True)
class Triaged:
    """Mentions of one pass by outcome."""

    ticketed: int = 0
    joined: int = 0
    review: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one rule says of one mention: outcome, priority, and why in words."""

    status: MentionStatus
    reason: str
    priority: Priority = Priority.NORMAL


def run(
    store: Store,
    rules: Sequence[RuleBlock],
    brands: Mapping[str, Brand],
    now: Callable[[], datetime],
    progress: Callable[[int], None] | None = None,
) -> Triaged:
    """Decide every analysed mention; ticket, deliveries and events of a batch land in one transaction."""
    total, config_version = Triaged(), store.config.version()
    while mentions := store.mentions.untriaged(BATCH):
        decisions = decide(store, mentions, rules, brands, now())
        store.tickets.decide(decisions, config_version)
        kill_point("after_triage")
        _count(total, decisions)
        if progress:
            progress(len(mentions))
    return total


def decide(
    store: Store,
    mentions: Sequence[StoredMention],
    rules: Sequence[RuleBlock],
    brands: Mapping[str, Brand],
    now: datetime,
) -> list[Decision]:
    """One Decision a mention. Follow-ups and reposts join the open ticket, also one opened earlier in this batch."""
    open_tickets = store.tickets.open_for(mentions)
    decisions: list[Decision] = []
    fresh: set[str] = set()
    for mention in mentions:
        rule, ruling = rule_on(mention, rules, brands.get(mention.brand))
        if ruling.status is not MentionStatus.TICKETED:
            decisions.append(Decision(mention.id, ruling.status, ruling.reason, rule))
            continue
        kin = kin_of(mention)
        if mention.id in open_tickets:
            decisions.append(_join(mention, open_tickets[mention.id].id, ruling, rule))
        elif fresh & kin:
            continue  # decided in the next batch, when the ticket it belongs to has an id
        else:
            fresh |= kin
            decisions.append(_open(mention, ruling, rule, rules, now))
    return decisions


def rule_on(mention: StoredMention, rules: Sequence[RuleBlock], brand: Brand | None) -> tuple[str, Ruling]:
    """The name of the first rule that applies, and what it says; without one the mention is ignored."""
    if mention.post.post.deleted:
        return "deleted", Ruling(MentionStatus.IGNORED, "the post is deleted")
    if brand and is_own(mention.post.post, brand):
        return "own", Ruling(MentionStatus.IGNORED, "the brand's own account or site")
    unsure: tuple[str, Ruling] | None = None
    for rule in rules:
        if not _applies(rule, mention):
            continue
        ruling = judge(rule, mention)
        if ruling.status is MentionStatus.TICKETED:
            return rule.name, ruling
        if ruling.status is MentionStatus.REVIEW and unsure is None:
            unsure = rule.name, ruling
    return unsure or ("no rule", Ruling(MentionStatus.IGNORED, _ignored_reason(mention)))


def judge(rule: RuleBlock, mention: StoredMention) -> Ruling:
    """Apply one rule to one analysed mention."""
    analysis = mention.analysis
    if analysis is None:
        return Ruling(MentionStatus.REVIEW, "not analysed")
    wanted = _wanted(rule, analysis)
    score = max((value for _, value in wanted), default=0.0)
    words = _urgent_words(rule, mention)
    if score >= rule.sure_at_least:
        priority = _priority(rule, mention, analysis, words)
        return Ruling(MentionStatus.TICKETED, _because(wanted, rule, words, priority), priority)
    if score > 1 - rule.sure_at_least:
        return Ruling(
            MentionStatus.REVIEW, f"unsure: {_scores(wanted)}, below {rule.sure_at_least:.0%}; rule {rule.name}"
        )
    if Tone.NEGATIVE in rule.when and analysis.intent is Intent.COMPLAINT and analysis.tone is not Tone.POSITIVE:
        return Ruling(MentionStatus.REVIEW, f"the words complain, the tone is {analysis.tone}; rule {rule.name}")
    return Ruling(MentionStatus.IGNORED, _ignored_reason(mention))


def ticket_key(mention: StoredMention) -> str:
    """Stable for one post and brand, in every process, after every rebuild: `mc-` and 16 hex digits."""
    post = mention.post
    identity = f"{mention.brand}\n{post.post.site}\n{post.key}"
    return "mc-" + hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:16]


def is_own(post: Post, brand: Brand) -> bool:
    """True for posts by the accounts and on the sites that the brand calls its own."""
    author = post.author
    handles = {fold(value).lstrip("@") for value in (author.handle, author.name) if value}
    sites = {site_of(value) for value in (post.url, author.url) if value} | ({post.site} if post.site else set())
    return any(
        (name.startswith("@") and fold(name).lstrip("@") in handles)
        or fold(name) in handles
        or site_of_own(name) in sites
        for name in brand.own
    )


def site_of_own(name: str) -> str | None:
    """`novapay.example` or a whole URL as a site; None for handles and plain names."""
    if name.startswith("@") or "." not in name or " " in name:
        return None
    return site_of(name if "://" in name else f"https://{name}/")


def kin_of(mention: StoredMention) -> set[str]:
    """What two mentions must share to belong together: the same author in one thread, or the same words."""
    post = mention.post
    author = post.post.author.handle or post.post.author.name
    kin = {f"{mention.brand}|text|{hashlib.sha256(post.folded.encode('utf-8', 'replace')).hexdigest()}"}
    if author and post.post.thread:
        kin.add(f"{mention.brand}|thread|{post.post.site}|{post.post.thread}|{author}")
    return kin


def _applies(rule: RuleBlock, mention: StoredMention) -> bool:
    language = mention.analysis.language if mention.analysis else None
    wanted = (
        (rule.brand, {mention.brand}),
        (rule.source, set(mention.post.sources)),
        (rule.lang, {language} if language else set()),
        (rule.entity, {hit.kind.value for hit in mention.hits}),
    )
    labelled = all(mention.labels.get(name) in values for name, values in rule.label.items())
    return labelled and all(not allowed or set(allowed) & present for allowed, present in wanted)


def _wanted(rule: RuleBlock, analysis: Analysis) -> list[tuple[str, float]]:
    tones, intents = set(Tone), set(Intent)
    tone_words = [word for word in rule.when if word in tones]
    scores = [(word, analysis.tone_scores.get(word, 0.0)) for word in tone_words]
    if len(tone_words) > 1:
        scores.append((" or ".join(tone_words), sum(value for _, value in scores)))
    return scores + [(word, analysis.intent_scores.get(word, 0.0)) for word in rule.when if word in intents]


def _urgent_words(rule: RuleBlock, mention: StoredMention) -> list[str]:
    if not rule.urgent_if:
        return []
    folded = f" {mention.post.folded} "
    tokens = set("".join(c if c.isalnum() else " " for c in folded).split())
    return [
        w for w in rule.urgent_if.words if fold(w) in tokens or (" " in w and fold(w) in folded) or _stem_in(w, tokens)
    ]


def _stem_in(word: str, tokens: set[str]) -> bool:
    """Word forms without a dictionary: a word of five letters or more also counts with another ending."""
    stem = fold(word)[:-1]
    return len(stem) >= 4 and any(token.startswith(stem) and len(token) - len(stem) <= 3 for token in tokens)


def _priority(rule: RuleBlock, mention: StoredMention, analysis: Analysis, words: list[str]) -> Priority:
    followers = mention.post.post.author.followers or 0
    limit = rule.urgent_if.followers_over if rule.urgent_if else None
    if words or (limit is not None and followers > limit):
        return Priority.URGENT
    if rule.priority is not None:
        return Priority(rule.priority)
    both = analysis.tone is Tone.NEGATIVE and analysis.intent in (Intent.QUESTION, Intent.COMPLAINT)
    return Priority.HIGH if both or _ALARMING & set(analysis.flags) else Priority.NORMAL


def _because(wanted: list[tuple[str, float]], rule: RuleBlock, words: list[str], priority: Priority) -> str:
    sure = [f"{word} {value:.0%}" for word, value in wanted if value >= rule.sure_at_least]
    named = f"; words {', '.join(f'«{word}»' for word in words)}" if words else ""
    return f"Ticket, {priority}: {' and '.join(sure)}{named}; rule {rule.name}"


def _ignored_reason(mention: StoredMention) -> str:
    analysis = mention.analysis
    if analysis is None:
        return "no rule applies"
    return f"no rule wants it: {analysis.tone} {analysis.confidence:.0%}, {analysis.intent}"


def _scores(wanted: list[tuple[str, float]]) -> str:
    return ", ".join(f"{word} {value:.0%}" for word, value in wanted)


def _join(mention: StoredMention, ticket_id: int, ruling: Ruling, rule: str) -> Decision:
    post = mention.post.post
    note = f"{post.author.name or 'Someone'} wrote again: {post.text[:QUOTE_CHARS]}\n{post.url or ''}".strip()
    return Decision(
        mention.id, MentionStatus.JOINED, f"joins an open ticket; {ruling.reason}", rule, join=ticket_id, note=note
    )


def _open(mention: StoredMention, ruling: Ruling, rule: str, rules: Sequence[RuleBlock], now: datetime) -> Decision:
    sinks = next((tuple(block.send_to) for block in rules if block.name == rule), ())
    ticket = make_ticket(mention, ruling, now)
    return Decision(mention.id, MentionStatus.TICKETED, ruling.reason, rule, ticket=ticket, sinks=sinks)


def make_ticket(mention: StoredMention, ruling: Ruling, now: datetime) -> Ticket:
    """The ticket of a mention, in plain text: quote first, then who, where, when, then why."""
    post, analysis = mention.post.post, mention.analysis
    tags = [mention.brand, *([analysis.tone, analysis.intent, analysis.language] if analysis else [])]
    return Ticket(
        key=ticket_key(mention),
        subject=_subject(mention),
        body=_body(mention, ruling),
        priority=ruling.priority,
        brand=mention.brand,
        tags=tuple(str(tag) for tag in tags),
        url=post.url,
        author=post.author.name or post.author.handle,
        reason=ruling.reason,
        language=analysis.language if analysis else None,
        opened_at=now,
    )


def _subject(mention: StoredMention) -> str:
    words = " ".join(full_text(mention.post.post).split())
    head = f"{mention.brand}: "
    room = SUBJECT_CHARS - len(head)
    return head + (words if len(words) <= room else words[: room - 1].rstrip() + "…")


def _body(mention: StoredMention, ruling: Ruling) -> str:
    post, analysis = mention.post.post, mention.analysis
    quote = full_text(post)
    quote = quote if len(quote) <= QUOTE_CHARS else quote[:QUOTE_CHARS] + "…"
    lines = [quote, "", f"Author: {post.author.name or post.author.handle or 'unknown'}"]
    lines.append(f"Link: {post.url or 'none'}")
    lines.append(f"Published: {post.published_at.isoformat() if post.published_at else 'unknown'}")
    lines.append(f"Source: {', '.join(mention.post.sources) or post.site or 'unknown'}")
    if analysis:
        lines.append(
            f"Tone: {analysis.tone} {analysis.confidence:.0%}; intent: {analysis.intent}; language: {analysis.language}"
        )
    lines.append(f"Found: {', '.join(sorted({f'«{hit.form}» ({hit.kind})' for hit in mention.hits}))}")
    return "\n".join([*lines, f"Why: {ruling.reason}"])


def _count(total: Triaged, decisions: Sequence[Decision]) -> None:
    for decision in decisions:
        setattr(total, decision.status.value, getattr(total, decision.status.value) + 1)
