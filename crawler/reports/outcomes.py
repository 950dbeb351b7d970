"""What became of every mention of one part of the past, as a sum that must come out.

mentions = ticketed + joined + review + ignored + waiting; ignored and review by the rule that said so; ticketed and
joined by where their tickets stand: sent, on its way, parked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crawler.model import MentionStatus
from crawler.store import Outcomes

_WAITING = {MentionStatus.FOUND: "waiting for the tone model", MentionStatus.ANALYSED: "waiting for the rules"}


@dataclass(frozen=True, slots=True)
class Account:
    """One sentence, a row for each outcome, where the tickets stand, and every gap (none when the sum comes out)."""

    sentence: str
    rows: tuple[dict[str, Any], ...]
    tickets: Mapping[str, int]
    gaps: tuple[str, ...]


def account(outcomes: Outcomes) -> Account:
    """Account for every mention."""
    rows, gaps = tuple(_rows(outcomes)), tuple(_gaps(outcomes))
    parts = [f"{row['mentions']} {_said(row)}" for row in rows]
    total = f"{outcomes.mentions} mentions = {' + '.join(parts)}" if parts else "0 mentions"
    stand = " + ".join(f"{count} {where}" for where, count in sorted(outcomes.tickets.items()))
    tickets = f"; tickets of {sum(outcomes.tickets.values())}: {stand}" if stand else ""
    return Account(f"{total}{tickets}; {len(gaps)} unaccounted", rows, outcomes.tickets, gaps)


def _said(row: dict[str, Any]) -> str:
    return f"{row['outcome']} by {row['rule']}" if row["rule"] else str(row["outcome"])


def _rows(outcomes: Outcomes) -> Iterator[dict[str, Any]]:
    """Rows whose sum is compared with the whole: none is got by subtraction."""
    for status in (MentionStatus.TICKETED, MentionStatus.JOINED):
        yield from _row(status.value, outcomes.by_status.get(status, 0))
    for (status_name, rule), count in sorted(outcomes.by_rule.items(), key=lambda item: (item[0][0], -item[1])):
        yield from _row(status_name, count, rule)
    for status, words in _WAITING.items():
        yield from _row(words, outcomes.by_status.get(status, 0))


def _row(outcome: str, count: int, rule: str | None = None) -> Iterator[dict[str, Any]]:
    if count:
        yield {"outcome": outcome, "rule": rule, "mentions": count}


def _gaps(outcomes: Outcomes) -> Iterator[str]:
    total = sum(row["mentions"] for row in _rows(outcomes))
    if total != outcomes.mentions:
        yield f"mentions: {outcomes.mentions} by their rows, {total} by their outcomes"
    for name in sorted({*outcomes.by_status, *outcomes.by_events}):
        here, told = outcomes.by_status.get(name, 0), outcomes.by_events.get(name, 0)
        if here != told:
            yield f"mentions {name}: {here} by their rows, {told} by their last events"
    handed = sum(outcomes.by_status.get(status, 0) for status in (MentionStatus.TICKETED, MentionStatus.JOINED))
    if handed != sum(outcomes.tickets.values()):
        yield f"tickets: {handed} mentions have one, {sum(outcomes.tickets.values())} by their deliveries"
    if outcomes.run_new is not None and outcomes.run_shown is not None and outcomes.run_shown < outcomes.run_new:
        yield f"posts of the run: {outcomes.run_new} new by its counters, {outcomes.run_shown} there"
    for name, ids in outcomes.wrong.items():
        yield f"{name}: ids {', '.join(map(str, ids))}"
