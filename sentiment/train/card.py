"""The model card: dev scores measured through the run-time code, data and licences, and where the model fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sentiment.language import detect
from sentiment.train.calibrate import Logits
from sentiment.train.corpus import Row
from sentiment.train.score import Score, binary_accuracy, calibration_error, score

HEADER = "| dev set | posts | mR | mF1 | F1± | accuracy | neg/pos only | calibration error |\n" + "|---" * 8 + "|\n"

DATA = """
| set | language | licence |
|---|---|---|
| SemEval 2013-16 tweets, acl14 target tweets | en | none stated |
| CrowdFlower SXSW brand tweets | en | CrowdFlower open data |
| BRIGHTER emotions, mapped to tone | en, ru, uk | CC BY 4.0 |
| SentiRuEval 2016 banks and telecom tweets | ru | none stated |
| RuSentiTweet | ru | none stated |
| CEDR emotions, mapped to tone | ru | Apache-2.0 upstream |
| SemEval 2016 restaurant reviews | ru | research use |
| RuSentNE 2023 | ru | MIT |
| ROMIP 2012 quotes | ru | none stated |
| Ukrainian shop reviews | uk | none stated |
| XLM-T tweets, 7 other languages | other | Apache-2.0 repository |
| COSMUS texts, unlabelled (word pieces, word vectors, pre-training) | uk, ru | CC0 |

RuSentiment, NPS chat and other non-commercial sets were not trained on and steered nothing; RuSentiment is only scored.
"""

LIMITS = """
- Sarcasm and irony: most negative sarcastic posts are read as positive or neutral (see `semeval2014-sarcasm`).
- Of two brands in one post the model alone gives almost the same tone; `sentiment/toward.py` judges clause by clause.
- News sentences about an entity (`rusentne2023`) are little better than chance; facts
   without feeling are read as neutral or negative by luck.
- Praise of banks and telecoms is rare in the data and often missed.
- Ukrainian reviews had no neutral class: neutral against negative in long Ukrainian reviews is weak.
- Mixed Ukrainian and Russian: not measured. Other languages: far weaker, see `other.xlmt`.
"""


class Scores(Protocol):
    """A tone model, or what stands in its place."""

    def scores(
        self, texts: Sequence[str], targets: Sequence[str | None], languages: Sequence[str]
    ) -> tuple[Logits, list[bool]]:
        """Probabilities (len(texts), 3), and whether each text was cut."""


def probabilities(model: Scores, rows: list[Row]) -> Logits:
    """(len(rows), 3) through the run-time path, language detected as in production."""
    texts, targets = [row.text for row in rows], [row.target for row in rows]
    languages = [detect(text, strip=[target] if target else []) for text, target in zip(texts, targets, strict=True)]
    return model.scores(texts, targets, languages)[0]


def table(model: Scores, dev: dict[str, list[Row]]) -> tuple[str, dict[str, Score]]:
    """Markdown table over the dev sets, and the scores by set."""
    lines, scores = [], {}
    for name, rows in dev.items():
        truth = np.array([row.label for row in rows])
        given = probabilities(model, rows)
        scores[name] = score(truth, given.argmax(axis=1))
        lines.append(_line(name, scores[name], binary(truth, given), calibration_error(truth, given)))
    return HEADER + "".join(lines), scores


def binary(truth: npt.NDArray[np.int64], given: Logits) -> float:
    """Negative against positive over the rows that are one of both."""
    polar = truth != 1
    return binary_accuracy(truth[polar], given[polar])


def _line(name: str, s: Score, two: float, error: float) -> str:
    numbers = " | ".join(f"{value:.1f}" for value in (s.recall, s.f1, s.polar, s.accuracy, two))
    return f"| {name} | {s.count} | {numbers} | {error:.3f} |\n"


def confidence_table(model: Scores, dev: dict[str, list[Row]]) -> str:
    """Accuracy by confidence over all dev sets in en, ru and uk."""
    names = [name for name in dev if not name.startswith("other.")]
    given = np.concatenate([probabilities(model, dev[name]) for name in names])
    truth = np.concatenate([[row.label for row in dev[name]] for name in names])
    top, right = given.max(axis=1), given.argmax(axis=1) == truth
    lines = ["| confidence | share of posts | right |\n|---|---|---|\n"]
    for low, high in ((0.0, 0.55), (0.55, 0.65), (0.65, 0.75), (0.75, 0.85), (0.85, 1.01)):
        inside = (top >= low) & (top < high)
        if inside.any():
            lines.append(
                f"| {low:.2f}-{min(high, 1):.2f} | {100 * inside.mean():.0f} % | {100 * right[inside].mean():.0f} % |\n"
            )
    return "".join(lines)


def write(model: Scores, dev: dict[str, list[Row]], path: Path) -> str:
    """Write the card; return its dev table."""
    rows, _ = table(model, dev)
    text = f"""# The built-in tone model

Three tones (negative, neutral, positive) for English, Russian and Ukrainian posts that mention a brand. The mean of a
BERT of 3 layers x 192 (word vectors, then masked-language pre-training, then labels; ONNX int8) and a hashed linear
n-gram model with weights for all languages and for English, Russian and Ukrainian their own; then, per language, a
temperature and a shift of the neutral logit for posts with and without a target. Made on two CPU cores by
`python -m sentiment.train --data DIR --out DIR`.

## Dev scores
Percent. mR: mean recall of the classes (chance 33.3). F1±: mean F1 of negative and positive. Language is
detected, not given. Calibration and early stopping looked at tweeteval, sanders, sxsw, rusentitweet, banks, brighter
and uk-store: their scores are slightly kind.

{rows}
{confidence_table(model, dev)}
## Data
{DATA}
## Where it fails
{LIMITS}"""
    path.write_text(text, encoding="utf-8")
    return rows
