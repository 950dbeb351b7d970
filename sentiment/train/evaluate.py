"""`python -m sentiment.train.evaluate --data DIR [--model DIR]`: the dev table of a model folder as Markdown.

Posts take the way of the run time: mended, in the language that is detected, toward their name. Needs only what the run
time needs. (The table that training writes beside the weights is that of the tone model alone.)
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentiment import Analyser
from sentiment.tone import LABELS, Probabilities
from sentiment.train import card, corpus


class AtRunTime:
    """An analyser in the place of its tone model."""

    def __init__(self, analyser: Analyser) -> None:
        self.analyser = analyser

    def scores(
        self, texts: Sequence[str], targets: Sequence[str | None], languages: Sequence[str]
    ) -> tuple[Probabilities, list[bool]]:
        """Probabilities (len(texts), 3) as they would be stored, and whether each text was cut.

        `languages` are not looked at: the analyser detects them.
        """
        found = self.analyser.analyse(texts, targets)
        told = [[analysis.tone_scores[name] for name in LABELS] for analysis in found]
        return np.array(told), [analysis.truncated for analysis in found]


def main() -> int:
    """Print the dev table and the confidence table."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/")
    parser.add_argument("--model", type=Path, default=None, help="model folder; the built-in one by default")
    args = parser.parse_args()
    analyser, dev = Analyser(args.model), corpus.development(args.data)
    model = AtRunTime(analyser)
    print(f"{analyser.name}\n\n{card.table(model, dev)[0]}\n{card.confidence_table(model, dev)}", end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
