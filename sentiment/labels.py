"""The labels of somebody else's model, read as our three tones by their names. Standard library and numpy only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable

TONES: Final = ("negative", "neutral", "positive")

# Stems, so that every ending of a language counts: "негативная", "négatifs".
_STEMS: Final = (
    ("negativ", "négatif", "негатив", "отрицател", "negatyw", "olumsuz"),
    ("neutral", "neutr", "нейтрал", "nötr", "obojętn"),
    ("positiv", "positif", "позитив", "положител", "pozytyw", "pozitiv", "olumlu"),
)
_WORDS: Final = (("neg", "bad"), ("neu",), ("pos", "good"))
_MORE: Final = re.compile(r"^(?:very|extremely|somewhat|slightly|rather|mostly|очень|дуже|muy|très|tres|sehr|molto)\s+")
_STARS: Final = re.compile(r"^(?:rating\s*)?([1-5])\s*(?:stars?|étoiles?|etoiles?|звезд\w*|зір\w*|sterne?)$")
_NAMELESS: Final = re.compile(r"^(?:label[\s_]*)?\d+$")
_BY_STARS: Final = {1: 0, 2: 0, 3: 1, 4: 2, 5: 2}
_SIGNS: Final = {"-1": 0, "0": 1, "1": 2, "+1": 2}


@dataclass(frozen=True, slots=True)
class LabelMap:
    """How a model's labels become tones: `names` in the order of its outputs, `tones` an index into TONES for each."""

    names: tuple[str, ...]
    tones: tuple[int, ...]

    @property
    def lacks(self) -> tuple[str, ...]:
        """Tones that the model can never give; at most neutral."""
        return tuple(tone for index, tone in enumerate(TONES) if index not in self.tones)

    def summed(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n, labels) to (n, 3). Added up by hand: a matrix product rounds differently with the number of rows."""
        out = np.zeros((len(probabilities), len(TONES)))
        for label, tone in enumerate(self.tones):
            out[:, tone] += probabilities[:, label]
        return out

    def said(self) -> str:
        """For people and for the model's version: `1 star=negative, ...`."""
        return ", ".join(f"{name}={TONES[tone]}" for name, tone in zip(self.names, self.tones, strict=True))


def tone_of(name: str) -> int | None:
    """Index into TONES of one label's name, None when it says nothing: `NEG`, `Very Positive`, `2 stars`."""
    plain = _plain(name)
    if stars := _STARS.match(plain):
        return _BY_STARS[int(stars[1])]
    word = _MORE.sub("", plain)
    if " " in word:
        return None
    stems_of = enumerate(zip(_STEMS, _WORDS, strict=True))
    return next((tone for tone, (stems, words) in stems_of if word.startswith(stems) or word in words), None)


def read_labels(names: Sequence[str], given: Mapping[str, str], place: str) -> LabelMap:
    """The map of a model with outputs `names`; `given` (label -> tone) decides before the names do.

    Raises ModelUnavailable naming the labels found when one cannot be read, and when negative or positive is missing.
    """
    asked = {_plain(name): TONES.index(tone) for name, tone in given.items()}
    if strangers := ", ".join(name for name in given if _plain(name) not in {_plain(own) for own in names}):
        raise ModelUnavailable(
            f"tone model: {place}: sentiment.labels names {strangers}; the model's labels are {_listed(names)}"
        )
    by_name = _all_of(names)
    tones = [asked.get(_plain(name), by_name.get(name)) for name in names]
    unread = [name for name, tone in zip(names, tones, strict=True) if tone is None]
    if unread:
        raise ModelUnavailable(f"tone model: {place}: its labels are {_listed(names)}; {_advice(unread)}")
    found = LabelMap(tuple(names), tuple(tone for tone in tones if tone is not None))
    if missing := {"negative", "positive"} & set(found.lacks):
        raise ModelUnavailable(
            f"tone model: {place}: its labels are {_listed(names)}; none of them is {' or '.join(sorted(missing))}: "
            "this is no model of tone, or sentiment.labels maps it wrongly"
        )
    return found


def _all_of(names: Sequence[str]) -> dict[str, int]:
    """Tones by name; names that are numbers are read together: 1 to 5 are stars, -1 to 1 are signs."""
    plain = [_plain(name) for name in names]
    if sorted(plain) == ["1", "2", "3", "4", "5"]:
        return {name: _BY_STARS[int(name)] for name in names}
    if "-1" in plain and all(name in _SIGNS for name in plain):
        return {name: _SIGNS[_plain(name)] for name in names}
    found = {name: tone_of(name) for name in names}
    return {name: tone for name, tone in found.items() if tone is not None}


def _advice(unread: Sequence[str]) -> str:
    why = "such names say nothing" if all(_NAMELESS.match(_plain(name)) for name in unread) else "not all can be read"
    example = ", ".join(f"{name}: {tone}" for name, tone in zip(unread, TONES, strict=False))
    return f"{why}; say what they mean, for example sentiment: {{labels: {{{example}}}}} (see the model's card)"


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKC", str(name)).casefold().strip()
    return re.sub(r"[\s_]+", " ", text)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(str(name)[:40] for name in names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "none"
