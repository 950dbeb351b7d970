"""Tables of the fresh frozen sets: written before the changes that they measure, read while these were made."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from crawler.model import Analysis
from sentiment import Analyser, language

LANGUAGES: Final = ("en", "ru", "uk")
INTENTS: Final = ("question", "complaint", "praise", "other")
LONG: Final = 20  # letters

Row = dict[str, Any]
Table = Callable[[str, Sequence[Sequence[object]]], str]


def read(path: Path) -> list[Row]:
    """Rows of one JSONL file. Raises OSError or ValueError as the file system and JSON do."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def tables(sets: Path, analyser: Analyser, table: Table) -> str:
    """Intent, questions, flags, names, odd writing and language of the fresh sets, as Markdown."""
    posts = [_posts(name, sets, analyser) for name in LANGUAGES]
    head = "language|question|complaint|praise|other|asks or not|flags|both tones right|asked one at a time|swapped"
    kinds = table("odd writing|tone right (of texts)", _odd(sets, analyser))
    tongues = table("language|20 letters and more|shorter", _tongues(read(sets / "fresh_language.jsonl")))
    note = (
        "Intents and questions: found / called so / there are. Flags: found of those there are, false of posts. "
        "Pairs: of posts and swaps.\n\n"
    )
    return f"{note}{table(head, posts)}\n{kinds}\n{tongues}"


def _of(rows: list[Row], name: str) -> list[Row]:
    return [row for row in rows if row["language"] == name]


def _analyse(analyser: Analyser, rows: list[Row]) -> list[Analysis]:
    return analyser.analyse([row["text"] for row in rows], [None] * len(rows))


def _counts(truth: Sequence[bool], guess: Sequence[bool]) -> str:
    hits = sum(t and g for t, g in zip(truth, guess, strict=True))
    return f"{hits} / {sum(guess)} / {sum(truth)}"


def _posts(name: str, sets: Path, analyser: Analyser) -> list[object]:
    rows = _of(read(sets / "fresh_intent.jsonl"), name)
    found = [analysis.intent.value for analysis in _analyse(analyser, rows)]
    truth = [row["first"]["intent"] for row in rows]
    cells: list[object] = [name]
    cells += [_counts([t == intent for t in truth], [f == intent for f in found]) for intent in INTENTS]
    asking = _of(read(sets / "fresh_questions.jsonl"), name)
    guess = [analysis.intent.value == "question" for analysis in _analyse(analyser, asking)]
    cells.append(_counts([row["question"] for row in asking], guess))
    return [*cells, _flags(_of(read(sets / "fresh_flags.jsonl"), name), analyser), *_pairs(sets, name, analyser)]


def _flags(rows: list[Row], analyser: Analyser) -> str:
    given = [(set(row["flags"]), set(a.flags)) for row, a in zip(rows, _analyse(analyser, rows), strict=True)]
    there = [pair for pair in given if pair[0]]
    return f"{sum(t <= f for t, f in there)} of {len(there)}, {sum(bool(f - t) for t, f in given)} of {len(given)}"


def _pairs(sets: Path, name: str, analyser: Analyser) -> list[object]:
    rows = _of(read(sets / "fresh_two_entities.jsonl"), name)
    truth = {row["id"]: [entity["first"] for entity in row["entities"]] for row in rows}
    both, single = {}, {}
    for row in rows:
        names = [entity["target"] for entity in row["entities"]]
        both[row["id"]] = [a.tone.value for a in analyser.analyse([row["text"]] * 2, names)]
        single[row["id"]] = [analyser.analyse([row["text"]], [target])[0].tone.value for target in names]
    same = sum(single[row["id"]] == single[row["swap"]] for row in rows)
    right = [sum(given[key] == truth[key] for key in truth) for given in (both, single)]
    return [f"{right[0]} of {len(rows)}", right[1], same]


def _odd(sets: Path, analyser: Analyser) -> list[list[object]]:
    rows = read(sets / "fresh_tone.jsonl")
    right = [row["tone"] == a.tone.value for row, a in zip(rows, _analyse(analyser, rows), strict=True)]
    out: list[list[object]] = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [ok for row, ok in zip(rows, right, strict=True) if row["kind"] == kind]
        out.append([kind, f"{sum(some)} ({len(some)})"])
    return out


def _tongues(rows: list[Row]) -> list[list[object]]:
    out: list[list[object]] = []
    for name in dict.fromkeys(row["language"] for row in rows):
        cells: list[object] = [name]
        for long in (True, False):
            some = [row["text"] for row in _of(rows, name) if (sum(map(str.isalpha, row["text"])) >= LONG) is long]
            cells.append(f"{sum(language.detect(text) == name for text in some)} ({len(some)})")
        out.append(cells)
    return out
