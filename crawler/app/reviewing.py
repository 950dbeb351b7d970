"""A person decides on a mention: a ticket, or none. It bears the person's name and waits to be undone."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, replace

from crawler.app import App, now
from crawler.app.naming import demand
from crawler.errors import CrawlerError
from crawler.model import MentionStatus, Priority, StoredMention
from crawler.stages import triage
from crawler.stages.ticket_words import Why

NO_MATCH = "no longer matches"
_WITH_TICKET = (MentionStatus.TICKETED, MentionStatus.JOINED)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What came of it: the mention as it stands now, and for how many seconds its ticket waits."""

    mention: StoredMention
    hold: float


def who() -> str:
    """The name of the person at the keyboard, as the machine knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"


def make_ticket(
    app: App, mention_id: int, actor: str, priority: str | None = None, sinks: tuple[str, ...] = ()
) -> Reviewed:
    """Open a ticket for a mention, or let it join the open one it belongs to; sent after the undo window.

    Raises NotFound for a mention, priority or sink that there is not, CrawlerError when it cannot be decided now.
    """
    demand("priority", priority, Priority)
    for sink in sinks:
        demand("sink", sink, [block.name for block in app.config.sinks])
    mention = _free(app, mention_id)
    setting, brand = triage.Setting.of(app.config), app.brands.get(mention.brand)
    _, advised = triage.rule_on(mention, app.config.rules, brand, setting)
    urgency = Priority(priority) if priority else advised.priority
    why = Why(urgency, by=actor)
    ruling = replace(
        advised,
        status=MentionStatus.TICKETED,
        reason=why.in_words("en"),
        priority=urgency,
        sinks=sinks or advised.sinks or _usual_sinks(app),
        hold=app.config.undo_window,
        why=why,
    )
    return _carry_out(app, mention, ruling, actor)


def ignore(app: App, mention_id: int, actor: str, reason: str = "") -> Reviewed:
    """Decide that a mention needs no ticket; rules leave it alone from then on, until the post is edited."""
    mention = _free(app, mention_id)
    said = f"{actor} decided: no ticket" + (f": {reason}" if reason else "")
    return _carry_out(app, mention, triage.Ruling(MentionStatus.IGNORED, said), actor)


def _free(app: App, mention_id: int) -> StoredMention:
    """The mention, unless it has its ticket or waits for something else first."""
    mention = app.store.mentions.get(mention_id)
    if mention.status in _WITH_TICKET:
        raise CrawlerError(f"mention {mention_id} already has its ticket {mention.ticket_key}: nothing was changed")
    if mention.status is MentionStatus.FOUND:
        raise CrawlerError(f"mention {mention_id} waits for the tone model; try again after `mention-crawler crawl`")
    if mention.status is MentionStatus.IGNORED and mention.reason == NO_MATCH:
        raise CrawlerError(f"mention {mention_id} no longer speaks of {mention.brand}: nothing was changed")
    return mention


def _usual_sinks(app: App) -> tuple[str, ...]:
    return next((rule.send_to for rule in app.config.rules if rule.send_to), ("desk",))


def _carry_out(app: App, mention: StoredMention, ruling: triage.Ruling, actor: str) -> Reviewed:
    decision = triage.by_hand(app.store, mention, ruling, now(), triage.Setting.of(app.config))
    done = replace(app.store.tickets, actor=actor).decide([decision], app.store.config.version())
    if done.left_alone:
        _free(app, mention.id)
        raise CrawlerError(f"mention {mention.id} was changed by somebody else meanwhile; look again")
    return Reviewed(app.store.mentions.get(mention.id), ruling.hold)
