"""`python -m sentiment.train.learning_curve --data DIR --held VOTER.npz [--into FILE]`: what corrections give.

A domain that the model never saw: the shipped model on brand tweets that no training set holds (sanders), and a linear
voter trained without bank, telecom and shop posts (`--held`, made when the file is not there) on bank tweets and shop
reviews. So many posts of the domain are judged by a person, the rest is measured. "mistakes": only wrong posts are
corrected, as people do who see nothing but tickets. Figures are the change of F1± in points, mean of the draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sentiment import Analyser, corrections, learning
from sentiment.corrections import HEADS, USES, Judge, Lesson
from sentiment.curve import write_between
from sentiment.evaluate import table
from sentiment.memory import name_of, remembered
from sentiment.prepare import views
from sentiment.scoring import score
from sentiment.tone import softmax
from sentiment.train import corpus, linear
from sentiment.voter import Voter

COUNTS = (10, 30, 100, 300)
DRAWS = 3
SETS = (
    "en.sanders",
    "en.sxsw-brands",
    "ru.sentirueval16-banks",
)  # of the whole model, which was trained on others of the last two
POSTS, TEST = 1500, 600  # of a set, and of these what is measured
LEFT_OUT = ("ru.sentirueval16-banks", "ru.sentirueval16-telecom", "uk.uk-store-reviews")
SEED = 7
BEGIN = "<!-- made by python -m sentiment.train.learning_curve: begin -->"
END = "<!-- learning curve: end -->"

Examples = list[learning.Example]


def held_out(data: Path, path: Path) -> Voter:
    """The voter that never saw the left-out sets; fitted in a minute or two when the file is not there."""
    if not path.exists():
        names = [name for name in corpus.WEIGHTS if name not in LEFT_OUT]
        rows = [row for n in names for row in corpus.read(data / "train" / f"{n}.jsonl.gz", corpus.WEIGHTS[n])]
        idf = linear.document_frequency(linear.texts_of(rows))
        linear.save(path, *linear.fit(rows, idf), idf)
    return Voter.load(path)


class VoterAlone:
    """A linear voter as a scorer of posts."""

    def __init__(self, voter: Voter) -> None:
        self.voter = voter

    def examples(self, rows: Sequence[tuple[str, str | None, str, int]]) -> Examples:
        """Examples of (text, target, language, label)."""
        read = [views(text, target).voter for text, target, _, _ in rows]
        given = softmax(self.voter.logits(read, [language for _, _, language, _ in rows]))
        return [
            learning.Example(
                *learning.shown(text, target, self.voter.idf),
                language,
                tuple(probabilities),
                label,
                target=name_of(target),
            )
            for (text, target, language, label), probabilities in zip(rows, given, strict=True)
        ]


class Whole:
    """The whole model as a scorer of posts."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def examples(self, rows: Sequence[tuple[str, str | None, str, int]]) -> Examples:
        """Examples of (text, target, language, label)."""
        found = self.judge.analyse([row[0] for row in rows], [row[1] for row in rows])
        idf = corrections.weights_of_words()
        return [
            learning.Example(
                *learning.shown(text, target, idf),
                analysis.language,
                tuple(analysis.tone_scores[name] for name in HEADS["tone"]),
                label,
                target=name_of(target),
            )
            for (text, target, _, label), analysis in zip(rows, found, strict=True)
        ]


def rows_of(data: Path, name: str) -> list[tuple[str, str | None, str, int]]:
    """A random part of a dev set, the same each time."""
    rows = corpus.read(data / "dev" / f"{name}.jsonl.gz")
    order = np.random.default_rng(SEED).permutation(len(rows))[:POSTS]
    return [(rows[i].text, rows[i].target, rows[i].language, rows[i].label) for i in order]


def known(scorer: Whole | VoterAlone) -> dict[str, Examples]:
    """The known sentences, by use."""
    rows = corrections.guard()
    found = scorer.examples([(r.text, r.target, r.language, r.label("tone") or 0) for r, _ in rows])
    return {use: [e for e, (_, u) in zip(found, rows, strict=True) if u == use] for use in USES}


def polar(lesson: Lesson, examples: Examples) -> float:
    """F1± of the posts."""
    guess = [np.argmax(lesson.scores("tone", example)) for example in examples]
    return score(np.array([e.label for e in examples]), np.array(guess)).polar


def curve(name: str, scorer: Whole | VoterAlone, data: Path) -> Iterator[list[object]]:
    """Rows of the table: judged posts and mistakes alone."""
    every = scorer.examples(rows_of(data, name))
    part = min(TEST, len(every) // 2)
    test, pool, ours = every[:part], every[part:], known(scorer)
    wrong = [e for e in pool if int(np.argmax(e.given)) != e.label]
    base = polar(Lesson("", ""), test)
    for mode, source in (("judged posts", pool), ("mistakes", wrong)):
        cells = [_cell(source, test, base, ours, count) for count in COUNTS]
        yield [name, type(scorer).__name__, mode, f"{base:.1f}", *cells]
        print(name, mode, cells, flush=True)


def _cell(source: Examples, test: Examples, base: float, ours: dict[str, Examples], count: int) -> str:
    """`gain (draws whose delta is in force)`, or a dash where there are too few posts."""
    if len(source) < count:
        return "–"
    gains, in_force = [], 0
    for draw in range(DRAWS):
        chosen = np.random.default_rng(draw).permutation(len(source))[:count]
        own = [source[i] for i in chosen]
        tried = learning.trial(own, ours["replay"], ours["guard"], 3)
        memory, _ = remembered(own, ours["guard"], tried.delta)
        deltas = {"tone": tried.delta} if tried.delta else {}
        gains.append(polar(Lesson("", "", deltas, {}, {"tone": memory} if memory else {}), test) - base)
        in_force += tried.delta is not None
    return f"{np.mean(gains):+.1f} ({in_force} of {DRAWS})"


def main() -> int:
    """Measure and print, or write into a file. Exit 2 when the file has no marks."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train.learning_curve", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and dev/")
    parser.add_argument("--held", type=Path, required=True, help="voter trained without the left-out sets")
    parser.add_argument("--into", type=Path, default=None, help="Markdown file whose marked part is written anew")
    args = parser.parse_args()
    analyser, voter = Analyser(threads=1), VoterAlone(held_out(args.data, args.held))
    rows = [row for name in SETS for row in curve(name, Whole(analyser), args.data)]
    for name in ("ru.sentirueval16-banks", "uk.uk-store-reviews"):
        rows += curve(name, voter, args.data)
    head = "domain|model|corrected|F1± before|" + "|".join(str(count) for count in COUNTS)
    said = "draws whose delta is in force; near copies count besides"
    note = f"Model: `{analyser.name}`. Points of F1±, mean of {DRAWS} draws ({said}).\n\n"
    text = note + table(head, rows)
    if args.into is None:
        print(text, end="")
        return 0
    return write_between(args.into, text, BEGIN, END)


if __name__ == "__main__":
    raise SystemExit(main())
