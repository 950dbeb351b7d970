"""`model compare`: two models on the same posts, and whether what differs is more than luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crawler.app.measuring import Labelled, Measured, measure_apart
from sentiment.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Compared:
    """Tables by title, and the verdict in sentences."""

    tables: dict[str, list[dict[str, Any]]]
    sentences: list[str]


def compare(a: ModelSpec, b: ModelSpec, rows: Sequence[Labelled]) -> Compared:
    """One after the other, each in a process of its own. Raises ModelUnavailable naming the one that fails."""
    first, second = measure_apart(a, rows), measure_apart(b, rows)
    scores = [{"model": one.model, **row} for one in (first, second) for row in _tone(one)]
    differences = _differences(first, second)
    notes = [f"{one.model}: {note}" for one in (first, second) for note in one.notes]
    tables = {"tone": scores, "difference": differences, "cost": [first.cost(), second.cost()]}
    return Compared(tables, [*notes, *(_sentence(row, first, second) for row in differences)])


def _tone(measured: Measured) -> list[dict[str, Any]]:
    from sentiment.verdict import tables

    return tables(measured.judged)["tone"]


def _differences(first: Measured, second: Measured) -> list[dict[str, Any]]:
    """A row for each set: B less A in mR, with what chance makes of it."""
    from sentiment.scoring import difference

    found = []
    one, other = first.judged, second.judged
    for name, rows in one.of(one.sets):
        gap = difference(one.truth[rows], one.given[rows].argmax(axis=1), other.given[rows].argmax(axis=1))
        row = {"set": name, "posts": int(rows.sum()), "mR gained": gap.points, "from": gap.low, "to": gap.high}
        more = {"only A right": gap.only_a, "only B right": gap.only_b, "McNemar p": gap.chance, "real": gap.real}
        found.append({**row, **more})
    return found


def _sentence(row: dict[str, Any], first: Measured, second: Measured) -> str:
    better = second.model if row["mR gained"] > 0 else first.model
    verdict = f"{better} is better" if row["real"] else "no difference that luck could not make"
    return f"{row['set']}: {verdict} ({row['mR gained']:+.1f} mR, 95 % of {row['from']:+.1f} to {row['to']:+.1f})"
