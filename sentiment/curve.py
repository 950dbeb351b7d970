"""`python -m sentiment.curve --data DIR [--into FILE]`: tickets, reviews and what is missed, by cost and brand set.

The development sets have no truth about questions. So negative posts alone are wanted here, by a rule for `negative`
alone; the last row of a set is the usual rule (`negative` and `question`), with every ticket for a question in a calm
tone counted as false: the truth lies between the two.
"""

from __future__ import annotations

import argparse
import gzip
import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from crawler.model import Analysis, Intent, Tone
from sentiment import Analyser
from sentiment.cost import floor
from sentiment.evaluate import table

SETS: Final = ("en.sanders", "en.sxsw-brands", "ru.sentirueval16-banks")
SURE: Final = (0.6, 0.7, 0.8)
DEAR: Final = (1.0, 4 / 3, 2.0, 3.0, 5.0)
USUAL: Final = (0.7, 4 / 3)
BEGIN: Final = "<!-- made by python -m sentiment.curve: begin -->"
END: Final = "<!-- curve: end -->"
GOAL: Final = "recall 90, ticket precision 70, review at most 30"

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """Posts as the model read them: probabilities of negative and question (n,), contradictions, and the truth."""

    negative: npt.NDArray[np.float64]
    question: npt.NDArray[np.float64]
    complains: Flags
    praises: Flags
    wanted: Flags

    @classmethod
    def of(cls, found: Sequence[Analysis], wanted: Sequence[bool]) -> Seen:
        """The columns of analyses."""
        return cls(
            np.array([a.tone_scores["negative"] for a in found]),
            np.array([a.intent_scores["question"] for a in found]),
            np.array([a.intent is Intent.COMPLAINT for a in found]),
            np.array([a.intent is Intent.PRAISE and a.tone is Tone.NEGATIVE for a in found]),
            np.array(wanted),
        )

    def point(self, sure: float, dear: float, questions: bool) -> tuple[float, float, float, float]:
        """(recall with tickets or review, ticket precision, share in review, share with tickets), in percent."""
        score = np.maximum(self.negative, self.question) if questions else self.negative
        doubted = self.praises & ((self.question < sure) | (not questions))
        tickets = (score >= sure) & ~doubted
        reviews = ((score > floor(sure, dear)) | self.complains) & ~tickets
        caught = (self.wanted & (tickets | reviews)).sum() / max(1, self.wanted.sum())
        right = self.wanted[tickets].mean() if tickets.any() else 1.0
        return 100 * float(caught), 100 * float(right), 100 * float(reviews.mean()), 100 * float(tickets.mean())


def read(path: Path) -> tuple[list[str], list[str | None], list[bool]]:
    """Texts, targets, and whether each is negative. Raises OSError and ValueError as the file system and JSON do."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [html.unescape(row["text"]) for row in rows]
    return texts, [row.get("target") for row in rows], [row["tone"] == "negative" for row in rows]


def measured(data: Path, analyser: Analyser) -> dict[str, Seen]:
    """Each brand set as the run time reads it."""
    found = {}
    for name in SETS:
        texts, targets, wanted = read(data / "dev" / f"{name}.jsonl.gz")
        found[name] = Seen.of(analyser.analyse(texts, targets), wanted)
    return found


def curve(sets: dict[str, Seen]) -> str:
    """Markdown: every point of every set, and whether the three goals hold at once."""
    rows = [row for name, seen in sets.items() for row in _rows(name, seen)]
    return table("set|sure_at_least|missed : false|recall|ticket precision|in review|tickets|all three", rows)


def _rows(name: str, seen: Seen) -> Iterator[list[object]]:
    for sure in SURE:
        for dear in DEAR:
            yield [name, sure, f"{dear:.3g} : 1", *_cells(seen.point(sure, dear, False))]
    yield [f"{name}, usual rule", USUAL[0], f"{USUAL[1]:.3g} : 1", *_cells(seen.point(*USUAL, True))]


def _cells(point: tuple[float, float, float, float]) -> list[str]:
    recall, precision, review, _ = point
    held = recall >= 90 and precision >= 70 and review <= 30
    return [*(f"{value:.1f}" for value in point), "yes" if held else "no"]


def nearest(sets: dict[str, Seen]) -> str:
    """By set, the point that falls least short of the three goals, over all thresholds in steps of a hundredth."""
    lines = []
    for name, seen in sets.items():
        points = [(s / 100, d / 10, seen.point(s / 100, d / 10, False)) for s in range(50, 91) for d in range(10, 61)]
        sure, dear, point = min(points, key=lambda p: _short(p[2]))
        lines.append([name, sure, f"{dear:.3g} : 1", *_cells(point)])
    return table("set|sure_at_least|missed : false|recall|ticket precision|in review|tickets|all three", lines)


def _short(point: tuple[float, float, float, float]) -> float:
    recall, precision, review, _ = point
    return max(0.0, 90 - recall) + max(0.0, 70 - precision) + max(0.0, review - 30)


def main() -> int:
    """Measure and print, or write into a file. Exit 2 when the file has no marks."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.curve", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/")
    parser.add_argument("--model", type=Path, default=None, help="model folder; the built-in one by default")
    parser.add_argument("--into", type=Path, default=None, help="Markdown file whose marked part is written anew")
    args = parser.parse_args()
    analyser = Analyser(args.model, threads=1)
    sets = measured(args.data, analyser)
    text = f"Model: `{analyser.name}`. Percent. Goal: {GOAL}.\n\n{curve(sets)}\nNearest to the goal:\n\n{nearest(sets)}"
    if args.into is None:
        print(text, end="")
        return 0
    return write_between(args.into, text, BEGIN, END)


def write_between(path: Path, text: str, begin: str, end: str) -> int:
    """Replace what stands between two marks of a file; 2 when it has none."""
    before, first, rest = path.read_text("utf-8").partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        print(f"{path}: no part marked by {begin} and {end}; add both lines where the tables belong")
        return 2
    path.write_text(f"{before}{begin}\n{text}{end}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
