"""`ledger`: the books of everything, or the outcomes of one run, one day, one brand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crawler.app import App
from crawler.app.naming import demand
from crawler.errors import NotFound
from crawler.reports.outcomes import Account, account
from crawler.store import Share


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part: a run's id, a local day as YYYY-MM-DD, a brand's name; all None for everything."""

    run: int | None = None
    day: str | None = None
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the ledger says; `gaps` is empty when it balances."""

    sentences: tuple[str, ...]
    lines: Mapping[str, int]
    outcomes: Account
    gaps: tuple[str, ...]

    def as_row(self) -> dict[str, Any]:
        """For `--json`."""
        row: dict[str, Any] = {"sentence": self.sentences[0], "gaps": list(self.gaps)}
        return row | dict(self.lines) | {"outcomes": list(self.outcomes.rows), "tickets_of": self.outcomes.tickets}


def accounts(app: App, asked: Asked) -> Told:
    """The books, when everything is asked for, with the outcomes of all mentions; else the outcomes of the part.

    Raises NotFound for a run, day or brand that there is not.
    """
    demand("brand", asked.brand, brand_names(app))
    since, until = bounds_of_day(asked.day, app.config.timezone)
    outcomes = account(app.store.outcomes.of(Share(asked.run, since, until, asked.brand)))
    if asked != Asked():
        return Told((outcomes.sentence,), {}, outcomes, outcomes.gaps)
    books = app.books()
    return Told((books.sentence, outcomes.sentence), books.lines, outcomes, (*books.gaps, *outcomes.gaps))


def brand_names(app: App) -> set[str]:
    """Brands of the past, retired ones too, and those of the file."""
    return {*app.store.glances.brands(), *(brand.name for brand in app.config.brands)}


def bounds_of_day(day: str | None, zone: str) -> tuple[datetime | None, datetime | None]:
    """The local day from its first instant to the first of the next, in UTC; also when the clock is changed."""
    if day is None:
        return None, None
    try:
        first = date.fromisoformat(day)
        ends = [first, first + timedelta(days=1)]
    except (ValueError, OverflowError):
        raise NotFound(f"--day {day!r} is no day; write it like 2026-11-22") from None
    local = ZoneInfo(zone)
    since, until = (datetime(at.year, at.month, at.day, tzinfo=local).astimezone(UTC) for at in ends)
    return since, until
