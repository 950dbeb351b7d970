"""`rules list` and `rules test`: the rules of the file, and what they would make of the stored past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import time
from typing import Any

from crawler.app import App
from crawler.app.accounting import brand_names
from crawler.app.naming import demand
from crawler.app.redo import Scope
from crawler.app.rehearsing import GAINED, LOST, Compared, Sums, needs_of, rehearse, rule_name
from crawler.config import RuleBlock
from crawler.stages.match import full_text

_CONDITIONS = (
    *("when", "tone", "intent", "confidence", "brand", "source", "source_kind", "lang", "entity", "label", "words"),
    *("not_words", "rating", "followers", "hours", "days", "flags"),
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SNIPPET = 160
MOST_CHANGES = 100_000


@dataclass(slots=True)
class Tried:
    """What a test of the rules found: a row for each rule, and one for each mention whose outcome would change.

    `changes` holds the newest MOST_CHANGES of `differences`.
    """

    rules: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    mentions: int
    differences: int


def rule_rows(app: App) -> list[dict[str, Any]]:
    """The rules of the file in their order."""
    return [
        {
            "order": number,
            "rule": rule.name,
            "version": rule.version[:8],
            "then": rule.then.value,
            "if": conditions(rule),
            "sure_at_least": rule.sure_at_least if rule.when or rule.tone or rule.intent else None,
            "priority": rule.priority.value if rule.priority else None,
            "tags": list(rule.tags),
            "send_to": list(rule.send_to),
        }
        for number, rule in enumerate(app.config.rules, 1)
    ]


def conditions(rule: RuleBlock) -> str:
    """The conditions of a rule on one line, as the file says them; "any mention" without one."""
    given = [(name, getattr(rule, name)) for name in _CONDITIONS]
    found = [f"{name}: {_shown(name, value)}" for name, value in given if value not in ((), None) and value != {}]
    return "; ".join(found) or "any mention"


def _shown(name: str, value: object) -> str:
    if name == "days" and isinstance(value, tuple):
        return ", ".join(_DAYS[day] for day in value)
    if isinstance(value, tuple):
        return " - ".join(f"{at:%H:%M}" for at in value) if isinstance(value[0], time) else ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{label}={'|'.join(words)}" for label, words in value.items())
    return str(value)


def try_rules(app: App, scope: Scope) -> Tried:
    """Judge the stored mentions by the rules of the file; nothing is changed, the file is not taken over.

    Raises NotFound when brand or source do not exist.
    """
    demand("brand", scope.brand, brand_names(app))
    demand("source", scope.source, [state.name for state in app.store.sources.all(retired=True)])
    brands = {brand.name: brand for brand in app.config.brands}
    sums, changes, count, differences = Sums(), list[dict[str, Any]](), 0, 0
    pages = app.store.skims.pages(needs_of(app), since=scope.since, brand=scope.brand, source=scope.source)
    for mentions in pages:
        moved = []
        for row in rehearse(app, mentions, brands, skimmed=True):
            count += 1
            sums.add(row)
            if row.change is not None:
                moved.append(row)
        # Every difference is counted; of the first ones the text is read too.
        changes += _whole_rows(app, moved[: max(0, MOST_CHANGES - len(changes))])
        differences += len(moved)
    return Tried(list(_rows(app, sums)), changes, count, differences)


def _whole_rows(app: App, moved: list[Compared]) -> list[dict[str, Any]]:
    whole = {it.id: it for it in app.store.mentions.many([row.mention.id for row in moved])}
    return [change_row(replace(row, mention=whole.get(row.mention.id, row.mention))) for row in moved]


def change_row(row: Compared) -> dict[str, Any]:
    """One mention whose outcome would be another."""
    mention, (before, after) = row.mention, row.turn
    by = {GAINED: row.rule, LOST: row.rule_before}.get(str(row.change), row.rule)
    return {
        "change": row.change,
        "id": mention.id,
        "brand": mention.brand,
        "before": before,
        "after": after,
        "rule": rule_name(by),
        "why": row.reason,
        "text": full_text(mention.post.post)[:SNIPPET],
    }


def _rows(app: App, sums: Sums) -> Iterator[dict[str, Any]]:
    """Rules in the order of the file, then what else decided: rules that are gone, `no rule`, `own`, `deleted`."""
    versions = {rule.name: rule.version[:8] for rule in app.config.rules}
    for name in [*versions, *(name for name in sorted(sums.by_rule) if name not in versions)]:
        yield {"rule": name, "version": versions.get(name), **asdict(sums.of(name))}
