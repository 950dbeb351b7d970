"""Sentences that read like a question though no mark says so: a hashed linear model over the voter's features.

It was trained on sentences whose end marks were taken away (`python -m sentiment.train.questions`), so it knows the
wording and the order of words, never the mark. It does not know whether an answer is expected: intent.py judges that.
"""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment import voter
from sentiment.cues import cues

BITS: Final = 18
BUCKETS: Final = 1 << BITS
LANGUAGES: Final = ("en", "ru", "uk")
MIN_WORDS: Final = 2
MAX_WORDS: Final = 30
MAX_SENTENCES: Final = 40  # looked at in one post
FILE: Final = Path(__file__).parent / "words" / "questions.npz"

_SHIFT: Final = voter.BITS - BITS
_FOLD: Final = str.maketrans({"ё": "е", "’": "'", "ʼ": "'", "`": "'", "\x00": " "})
_END: Final = re.compile(r"[.!?…\n]+")
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class QuestionModel:
    """`questions.npz`: int8 `weights` (BUCKETS,), `scale`, `bias`, uint8 `idf` in steps of `idf_step`."""

    def __init__(self, weights: npt.NDArray[np.int8], scale: float, bias: float, idf: Floats) -> None:
        self._weights, self._scale, self._bias, self._idf = weights, scale, bias, idf

    @classmethod
    def load(cls, path: Path = FILE) -> QuestionModel:
        """Read a file. Raises OSError, KeyError or ValueError on a bad one."""
        with np.load(path, allow_pickle=False) as data:
            weights, idf = data["weights"], data["idf"].astype(np.float32) * float(data["idf_step"])
            scale, bias = float(data["scale"]), float(data["bias"])
        if weights.shape != (BUCKETS,) or idf.shape != (BUCKETS,):
            raise ValueError(f"weights {weights.shape}, expected {(BUCKETS,)}")
        return cls(weights, scale, bias, idf)

    def probability(self, sentence: str) -> float:
        """That a sentence (without end mark) asked; 0 where it is too short or too long to tell."""
        plain = folded(sentence)
        if not MIN_WORDS <= len(plain.split()) <= MAX_WORDS or _told(plain):
            return 0.0
        index, amounts = values(plain, self._idf)
        logit = float(amounts @ self._weights[index].astype(np.float32)) * self._scale + self._bias
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


def _told(plain: str) -> bool:
    """Somebody's knowing or saying, an order, a duty, a condition: such sentences may hold a question's words."""
    return any(cue.pattern.search(plain) for cue in cues("told"))


@cache
def shipped() -> QuestionModel:
    """The model of this package, read once."""
    return QuestionModel.load()


def likeliest(text: str) -> tuple[float, str]:
    """The sentence of `text` without a question mark that reads most like a question: (probability, sentence)."""
    best = (0.0, "")
    at = 0
    for count, hit in enumerate(_END.finditer(text + "\n")):
        if count >= MAX_SENTENCES:
            break
        sentence, at = text[at : hit.start()].strip(), hit.end()
        if "?" not in hit.group() and sentence:
            best = max(best, (shipped().probability(sentence), sentence))
    return best


def folded(sentence: str) -> str:
    """Lower case, one kind of apostrophe, single blanks, no signs at either end."""
    return " ".join(sentence.lower().translate(_FOLD).split()).strip(" ,;:-–—\"'«»“”()")


def groups(plain: str) -> tuple[Ints, Ints]:
    """(word buckets, character buckets) of a folded sentence whose first and last words are marked as such."""
    words, chars = voter.buckets(f"^ {plain} $")
    return words >> _SHIFT, chars >> _SHIFT


def values(plain: str, idf: Floats) -> tuple[Ints, Floats]:
    """Sparse vector of a folded sentence: buckets and weights; words and characters have norm 1 each."""
    index, amounts = [], []
    for group in groups(plain):
        some, counts = np.unique(group, return_counts=True)
        weights = (1.0 + np.log(counts)).astype(np.float32) * idf[some]
        index.append(some)
        amounts.append(weights / (float(np.sqrt(np.dot(weights, weights))) or 1.0))
    return np.concatenate(index), np.concatenate(amounts).astype(np.float32)
