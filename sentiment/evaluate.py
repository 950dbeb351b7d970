"""`python -m sentiment.evaluate [--sets DIR] [--written DIR] [--into FILE]`: frozen sets on intent, names, language.

Prints Markdown tables, or puts them between the marks of a file (docs/model-card.md). Needs only what the run time
needs; scores of the tone model itself come from `python -m sentiment.train.evaluate`.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from crawler.model import Analysis
from sentiment import Analyser, behaviour, fresh, heldout, language

LANGUAGES: Final = ("en", "ru", "uk")
INTENTS: Final = ("question", "complaint", "praise", "other")
FLAGS: Final = ("threat", "legal", "purchase", "churn")
BEGIN: Final = "<!-- made by python -m sentiment.evaluate: begin -->"
END: Final = "<!-- end -->"
UNTAUGHT: Final = "### Posts written for training, those never taught"
PARTS: Final = (("seen", False), ("held out", True))

Row = dict[str, Any]


def main() -> int:
    """Measure and print, or write into a file. Exit 2 when the file has no marks."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.evaluate", description=__doc__)
    parser.add_argument("--sets", type=Path, default=Path("tests/sentiment_sets"), help="folder with the frozen sets")
    parser.add_argument("--model", type=Path, default=None, help="model folder; the built-in one by default")
    parser.add_argument("--data", type=Path, default=None, help="folder with dev/question.*.jsonl.gz, measured too")
    parser.add_argument("--written", type=Path, default=None, help="folder of the written posts, those never taught")
    parser.add_argument("--into", type=Path, default=None, help="Markdown file whose marked part is written anew")
    args = parser.parse_args()
    analyser = Analyser(args.model, threads=1)
    parts = sections(args.sets, analyser) + ([foreign(args.data, analyser)] if args.data else [])
    parts += [f"{UNTAUGHT}\n\n{heldout.tables(args.written, analyser, table)}"] if args.written else []
    tables = f"Model: `{analyser.name}`\n\n" + "\n".join(parts)
    if args.into is None:
        print(tables, end="")
        return 0
    return write(args.into, tables)


def write(path: Path, tables: str) -> int:
    """Replace what stands between the marks of a file; 2 when it has none."""
    before, begin, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        print(f"{path}: no part marked by {BEGIN} and {END}; add both lines where the tables belong")
        return 2
    path.write_text(f"{before}{BEGIN}\n{tables}{END}{after}", encoding="utf-8")
    return 0


def sections(sets: Path, analyser: Analyser) -> list[str]:
    """Every table with its heading."""
    posts = {name: read(sets / f"intent_{name}.jsonl") for name in LANGUAGES}
    found = {name: _analyse(analyser, rows) for name, rows in posts.items()}
    pairs = read(sets / "two_entities.jsonl")
    return [
        "### Intent\n\n" + intents(posts, found),
        "### Posts written on purpose without the usual words\n\n" + unseen(sets, analyser),
        "### Fresh sets: written before the latest changes\n\n" + fresh.tables(sets, analyser, table),
        "### Intent is no copy of the tone\n\n" + apart(posts, found),
        "### Flags\n\n" + flags(posts, found),
        "### Two names in one post\n\n" + two_names(pairs, analyser),
        "### Language\n\n" + languages(posts, read(sets / "language.jsonl")),
        "### Behaviour of the tone\n\n" + behaviours(posts, analyser),
    ]


def read(path: Path) -> list[Row]:
    """Rows of one JSONL file. Raises OSError or ValueError as the file system and JSON do."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _analyse(analyser: Analyser, rows: Sequence[Row]) -> list[Analysis]:
    return analyser.analyse([row["text"] for row in rows], [row["target"] for row in rows])


def table(head: str, lines: Iterable[Sequence[object]]) -> str:
    """A Markdown table; `head` holds the column names between bars."""
    columns = head.split("|")
    body = "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)
    return f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n{body}"


def percent(part: int, whole: int) -> str:
    """Rounded, or a dash when there is nothing to count."""
    return f"{100 * part / whole:.0f}" if whole else "–"


def rates(truth: Sequence[str], guess: Sequence[str], label: str) -> str:
    """`recall / precision` of one label, in percent."""
    hit = sum(t == g == label for t, g in zip(truth, guess, strict=True))
    return f"{percent(hit, truth.count(label))} / {percent(hit, guess.count(label))}"


def intents(posts: dict[str, list[Row]], found: dict[str, list[Analysis]]) -> str:
    """Recall / precision by language, part and intent."""
    lines = []
    for name in LANGUAGES:
        for part, held in PARTS:
            kept = [(r, a) for r, a in zip(posts[name], found[name], strict=True) if r["agreed"] and r["held"] is held]
            truth = [row["first"]["intent"] for row, _ in kept]
            guess = [analysis.intent.value for _, analysis in kept]
            right = sum(t == g for t, g in zip(truth, guess, strict=True))
            lines.append([name, part, len(kept), *(rates(truth, guess, i) for i in INTENTS), percent(right, len(kept))])
    note = "Percent; recall / precision.\n\n"
    return note + table("language|part|posts|question|complaint|praise|other|right", lines)


def unseen(sets: Path, analyser: Analyser) -> str:
    """Recall / precision of intents, and both tones right, on the sets that no rule was written for."""
    posts, pairs = read(sets / "unseen_intent.jsonl"), read(sets / "unseen_two_entities.jsonl")
    lines = []
    for name in LANGUAGES:
        rows = [row for row in posts if row["language"] == name]
        truth = [row["first"]["intent"] for row in rows]
        guess = [analysis.intent.value for analysis in _analyse(analyser, rows)]
        some = [row for row in pairs if row["language"] == name]
        both = _both(_together(some, analyser), some)
        lines.append([name, len(rows), *(rates(truth, guess, intent) for intent in INTENTS), f"{both} ({len(some)})"])
    note = "Percent; recall / precision, both tones right (of pairs). Small sets: one pair is 10 points.\n\n"
    return note + table("language|posts|question|complaint|praise|other|both tones right", lines)


def foreign(data: Path, analyser: Analyser) -> str:
    """Questions in posts of other people: recall / precision by set."""
    lines = []
    for path in sorted((data / "dev").glob("question.*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        given = analyser.analyse([row["text"] for row in rows], [None] * len(rows))
        truth = ["question" if row["question"] else "" for row in rows]
        guess = [analysis.intent.value for analysis in given]
        lines.append([path.name.removesuffix(".jsonl.gz"), len(rows), rates(truth, guess, "question")])
    return "### Questions in other people's texts\n\nPercent; recall / precision.\n\n" + table(
        "set|texts|question", lines
    )


def apart(posts: dict[str, list[Row]], found: dict[str, list[Analysis]]) -> str:
    """How often the intent says something else than the tone would."""
    lines = []
    for name in LANGUAGES:
        truth = [(r["first"]["intent"], r["first"]["tone"]) for r in posts[name] if r["agreed"] and r["agreed_tone"]]
        given = [(analysis.intent.value, analysis.tone.value) for analysis in found[name]]
        lines.append([name, *_apart(truth), *_apart(given)])
    head = (
        "language|complaint and not negative|negative and no complaint|praise and not positive|positive and no praise"
    )
    more = "|".join(f"found: {part}" for part in head.split("|")[1:])
    return "Percent of all posts, as judged and as found.\n\n" + table(f"{head}|{more}", lines)


def _apart(pairs: Sequence[tuple[str, str]]) -> list[str]:
    counts = [
        sum((intent == one) is held and (tone == side) is not held for intent, tone in pairs)
        for one, side in (("complaint", "negative"), ("praise", "positive"))
        for held in (True, False)
    ]
    return [percent(count, len(pairs)) for count in counts]


def flags(posts: dict[str, list[Row]], found: dict[str, list[Analysis]]) -> str:
    """Recall and false alarms of each flag over all posts."""
    lines = []
    for flag in FLAGS:
        cells: list[object] = [flag]
        for name in LANGUAGES:
            pairs = [
                (flag in row["first"]["flags"], flag in analysis.flags)
                for row, analysis in zip(posts[name], found[name], strict=True)
                if (flag in row["first"]["flags"]) == (flag in row["second"]["flags"])
            ]
            cells.append(
                f"{pairs.count((True, True))} of {sum(t for t, _ in pairs)}, {pairs.count((False, True))} false"
            )
        lines.append(cells)
    return table("flag|en|ru|uk", lines)


def two_names(rows: list[Row], analyser: Analyser) -> str:
    """Both tones right, by language and way of asking."""
    kept = [row for row in rows if row["agreed"]]
    ways = {
        "both names asked": _together(kept, analyser),
        "one at a time": _singly(kept, analyser),
        "whole post": {
            row["id"]: [a.tone.value for a in analyser.analyse([row["text"]] * 2, [None] * 2)] for row in kept
        },
    }
    lines = []
    for way, given in ways.items():
        for name in LANGUAGES:
            some = [row for row in kept if row["language"] == name]
            cells = [_both(given, [r for r in some if r["held"] is held]) for _, held in PARTS]
            swapped = [r for r in some if r["swap"] in given]
            same = sum(given[r["id"]] == given[r["swap"]] for r in swapped)
            lines.append([way, name, len(some), *cells, _both(given, some, True), percent(same, len(swapped))])
    head = (
        "way|language|posts and swaps|right on both, seen|held out|where the tones differ|swapped names, swapped tones"
    )
    return "Percent.\n\n" + table(head, lines)


def _together(rows: list[Row], analyser: Analyser) -> dict[str, list[str]]:
    return {
        row["id"]: [
            a.tone.value for a in analyser.analyse([row["text"]] * 2, [entity["target"] for entity in row["entities"]])
        ]
        for row in rows
    }


def _singly(rows: list[Row], analyser: Analyser) -> dict[str, list[str]]:
    return {
        row["id"]: [analyser.analyse([row["text"]], [e["target"]])[0].tone.value for e in row["entities"]]
        for row in rows
    }


def _both(given: dict[str, list[str]], rows: list[Row], differ: bool = False) -> str:
    truth = {row["id"]: [entity["first"] for entity in row["entities"]] for row in rows}
    kept = [key for key, tones in truth.items() if not differ or tones[0] != tones[1]]
    return percent(sum(given[key] == truth[key] for key in kept), len(kept))


def languages(posts: dict[str, list[Row]], short: list[Row]) -> str:
    """Language found, by language and length, in the intent sets and the set of short texts."""
    rows = [(name, row["text"], row["target"]) for name in LANGUAGES for row in posts[name]]
    rows += [(row["language"], row["text"], None) for row in short]
    lines = []
    for name in dict.fromkeys(row[0] for row in rows):
        cells = []
        for long in (True, False):
            some = [
                (text, target) for tongue, text, target in rows if tongue == name and (_letters(text) >= 20) is long
            ]
            right = sum(language.detect(text, strip=[target] if target else []) == name for text, target in some)
            cells.append(f"{percent(right, len(some))} ({len(some)})")
        lines.append([name, *cells])
    return "Percent right (of texts).\n\n" + table("language|20 letters and more|shorter", lines)


def _letters(text: str) -> int:
    return sum(c.isalpha() for c in text)


def behaviours(posts: dict[str, list[Row]], analyser: Analyser) -> str:
    """Failure rate of every change, by language."""
    known = list(behaviour.cases(posts))
    before = analyser.analyse([case.original for case in known], [case.target for case in known])
    after = analyser.analyse([case.changed for case in known], [case.changed_target for case in known])
    counts: dict[tuple[str, str], list[bool]] = {}
    for case, old, new in zip(known, before, after, strict=True):
        broken = not behaviour.holds(case, old.tone.value, new.tone.value)
        counts.setdefault((case.change, case.language), []).append(broken)
    lines = [
        [
            change,
            *(
                f"{percent(sum(counts[change, n]), len(counts[change, n]))} ({len(counts[change, n])})"
                for n in LANGUAGES
            ),
        ]
        for change in dict.fromkeys(case.change for case in known)
    ]
    return "Percent of cases that fail (of cases).\n\n" + table("change|en|ru|uk", lines)


if __name__ == "__main__":
    raise SystemExit(main())
