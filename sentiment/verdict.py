"""What a model made of labelled posts, as tables: those of the model card, for any model and any posts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sentiment.scoring import binary_accuracy, calibration_error, recalls, score

BINS: Final = ((0.0, 0.55), (0.55, 0.65), (0.65, 0.75), (0.75, 0.85), (0.85, 1.01))
SURENESS: Final = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)

Row = dict[str, Any]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """Posts of one or several sets with what is true of them and what the model said; all arrays are as long.

    `truth` (n,) indices of tones, `given` (n, 3) probabilities, `asked` (n,) those of a question, `complains` (n,)
    whether the words complain, `wanted` (n,) whether a post is truly negative or a question.
    """

    sets: Sequence[str]
    languages: Sequence[str]
    truth: npt.NDArray[np.int64]
    given: npt.NDArray[np.float64]
    asked: npt.NDArray[np.float64]
    complains: Flags
    wanted: Flags

    def of(self, names: Sequence[str]) -> Iterable[tuple[str, Flags]]:
        """Each name of a column with the rows it holds, and `all` when there are several."""
        column = np.array(names)
        found = [(str(name), column == name) for name in dict.fromkeys(names)]
        return [*found, ("all", np.ones(len(column), dtype=bool))] if len(found) > 1 else found


def tables(judged: Judged) -> Mapping[str, list[Row]]:
    """Every table by its title; each row has the same keys."""
    return {
        "tone": [_tone(judged, name, rows) for name, rows in judged.of(judged.sets)],
        "recall": [_recall(judged, name, rows) for name, rows in judged.of(judged.sets)],
        "language": [_language(judged, name, rows) for name, rows in judged.of(judged.languages)],
        "confidence": list(_confidence(judged)),
        "curve": [row for name, rows in judged.of(judged.sets) for row in _curve(judged, name, rows)],
    }


def _tone(judged: Judged, name: str, rows: Flags) -> Row:
    truth, given = judged.truth[rows], judged.given[rows]
    found, polar = score(truth, given.argmax(axis=1)), truth != 1
    return {
        "set": name,
        "posts": found.count,
        "mR": round(found.recall, 1),
        "mF1": round(found.f1, 1),
        "F1±": round(found.polar, 1),
        "accuracy": round(found.accuracy, 1),
        "neg/pos only": round(binary_accuracy(truth[polar], given[polar]), 1) if polar.any() else None,
        "calibration error": round(calibration_error(truth, given), 3),
    }


def _recall(judged: Judged, name: str, rows: Flags) -> Row:
    truth, guess = judged.truth[rows], judged.given[rows].argmax(axis=1)
    negative, neutral, positive = recalls(truth, guess)
    return {"set": name, "negative": negative, "neutral": neutral, "positive": positive}


def _language(judged: Judged, name: str, rows: Flags) -> Row:
    truth, given = judged.truth[rows], judged.given[rows]
    found = score(truth, given.argmax(axis=1))
    error = round(calibration_error(truth, given), 3)
    return {"language": name, "posts": found.count, "mR": round(found.recall, 1), "calibration error": error}


def _confidence(judged: Judged) -> Iterable[Row]:
    top, right = judged.given.max(axis=1), judged.given.argmax(axis=1) == judged.truth
    for low, high in BINS:
        inside = (top >= low) & (top < high)
        if inside.any():
            share, hits = round(100 * float(inside.mean()), 1), round(100 * float(right[inside].mean()), 1)
            yield {"confidence": f"{low:.2f}-{min(high, 1):.2f}", "share": share, "right": hits}


def _curve(judged: Judged, name: str, rows: Flags) -> Iterable[Row]:
    """Tickets and review at each `sure_at_least`, decided as a rule for negative posts and questions decides."""
    wanted, chance = judged.wanted[rows], np.maximum(judged.given[rows, 0], judged.asked[rows])
    if not wanted.any():
        return
    for sure in SURENESS:
        ticket = chance >= sure
        review = ~ticket & ((chance > 1 - sure) | judged.complains[rows])
        yield {
            "set": name,
            "sure at least": sure,
            "wanted": int(wanted.sum()),
            "found by ticket": _share(wanted & ticket, wanted),
            "by ticket or review": _share(wanted & (ticket | review), wanted),
            "tickets right": _share(wanted & ticket, ticket),
            "in review": round(100 * float(review.mean()), 1),
        }


def _share(part: Flags, whole: Flags) -> float | None:
    return round(100 * float(part.sum() / whole.sum()), 1) if whole.any() else None


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table with the keys of the first row as its head; empty without rows."""
    if not rows:
        return ""
    head = list(rows[0])
    lines = [f"| {' | '.join('–' if row[key] is None else str(row[key]) for key in head)} |\n" for row in rows]
    return f"| {' | '.join(head)} |\n{'|---' * len(head)}|\n{''.join(lines)}"
