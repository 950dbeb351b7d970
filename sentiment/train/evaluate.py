"""`python -m sentiment.train.evaluate --data DIR [--model DIR]`: the dev table of a model folder as Markdown.

Needs only what the run time needs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sentiment.tone import ToneModel
from sentiment.train import card, corpus


def main() -> int:
    """Print the dev table and the confidence table."""
    parser = argparse.ArgumentParser(prog="python -m sentiment.train.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/")
    parser.add_argument("--model", type=Path, default=None, help="model folder; the built-in one by default")
    args = parser.parse_args()
    model, dev = ToneModel(args.model), corpus.development(args.data)
    print(f"{model.name}\n\n{card.table(model, dev)[0]}\n{card.confidence_table(model, dev)}", end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
