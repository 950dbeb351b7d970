"""Tone toward one of several names in a post: a verdict on each clause, given to the names that it speaks of.

A post with one name is the tone model's own business. With several names the whole text says little about each, so
clauses are judged one by one (the model's opinion of the clause and its wording), comparisons are read as such, and
what stands against a plain verdict in a contrast gets the opposite one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sentiment import clauses, compare, intent
from sentiment.clauses import Clause

_MARKS: Final = re.compile(r"(?<!\d)(\d{1,2}) ?(?:/|из|з|out of) ?(5|10)(?!\d)")
_FIVE: Final = re.compile(r"^(?:\w+ )?(?:five|5|пять|пятерк\w|п'ять|п'ятірк\w)(?: stars?| звезд| зірок)?$")
_ONE: Final = re.compile(
    r"(?:one|1) star(?!\w)|(?:единиц|одиниц|двойк|двійк)[уаю](?!\w)|^(?:\w+ )?(?:one|two|1|2|один|два)$"
)

Three = tuple[float, float, float]
Scorer = Callable[[Sequence[str]], Sequence[Three]]
Sides = Callable[[str, Sequence[str]], Sequence[Three]]  # (text, names) -> logits toward each

MAX_CHARS: Final = 6000
SHORT: Final = 300  # longer posts have too many capitals to guess names from
_CLUTTER: Final = re.compile(r"https?://|(?<!\w)rt @|#\w", re.IGNORECASE)  # capitals mean little there
MODEL_SHARE: Final = 1.2  # of the model's margin between positive and negative in a clause's verdict
WORDS_SHARE: Final = 0.45  # of the evidence of praise less that of complaint
WORDS_CAP: Final = 3.0
DOUBT: Final = 0.2  # a smaller margin of the model is none
PLAIN: Final = 0.45  # a verdict this far from 0 is one
FOILED: Final = 1.0  # "unlike X, Y …" praises Y unless Y is plainly blamed
COMPARED: Final = 1.2  # verdict of a comparison
OPPOSITE: Final = 0.9  # how much of a plain verdict the other side of a contrast gets, turned round
DENIED_BOTH: Final = 0.9  # "neither X nor Y sent a bill"
DENIED_BLAME: Final = 1.0  # "neither let me down"
STEEP: Final = 1.5  # from verdict to logits
READ_SHARES: Final = (1.5, 0.3, 0.1)  # of the reader's logits, by how many verdicts are plain without it
NEUTRAL: Final = 0.95  # neutral logit: PLAIN * STEEP and a little


@dataclass(frozen=True, slots=True)
class Toward:
    """(negative, neutral, positive) toward one name, and what the text says about it (lower-cased, without names)."""

    tones: Three
    about: str


def tones(text: str, names: Sequence[str], score: Scorer, read: Sides) -> list[Toward | None]:
    """What a text says toward each of `names`, or None where the clauses do not decide.

    `score` gives the tone model's probabilities of texts, `read` what the reader makes of each name. Of fewer than two
    names in the text nothing is decided.
    """
    low, placed = clauses.named(text[:MAX_CHARS], names)
    if len({number for number in placed if number >= 0}) < 2:
        return [None] * len(names)
    parts = clauses.split(low)
    verdicts = _verdicts(parts, low, score)
    share = READ_SHARES[min(2, sum(abs(value) >= PLAIN for value in verdicts.values()))]
    asked = [row for row, number in enumerate(placed) if number in verdicts]
    sides = read(text[:MAX_CHARS], [names[row] for row in asked])
    found: list[Toward | None] = [None] * len(names)
    for row, side in zip(asked, sides, strict=True):
        found[row] = _toward(parts, placed[row], verdicts[placed[row]], _shared(side, share))
    return found


def alone(text: str, target: str, common: Callable[[str], bool]) -> Toward | None:
    """The same for one name whose rivals nobody has named: only where wording alone sets it against another.

    `common` says whether a lower-case word is an everyday one.
    """
    if len(text) > SHORT or _CLUTTER.search(text):
        return None
    rivals = [name for name in clauses.guess(text, target, common) if intent.leaning(name) == 0]
    low, placed = clauses.named(text, [target, *rivals])
    if placed[0] < 0 or len(set(placed)) < 2:
        return None
    parts = clauses.split(low)
    verdicts = _verdicts(parts, low, lambda texts: [(0.0, 1.0, 0.0)] * len(texts))
    own = verdicts[placed[0]]
    against = any(own * value < 0 and abs(value) >= PLAIN for value in verdicts.values())
    return _toward(parts, placed[0], own) if abs(own) >= PLAIN and against else None


def _toward(parts: list[Clause], number: int, verdict: float, side: Three = (0.0, 0.0, 0.0)) -> Toward:
    about = (
        clauses.bare(part.text) for part, names in zip(parts, clauses.subjects(parts), strict=True) if number in names
    )
    return Toward(_probabilities(verdict, side), ". ".join(about))


def _shared(side: Three, share: float) -> Three:
    return share * side[0], share * side[1], share * side[2]


def _probabilities(verdict: float, side: Three) -> Three:
    rules = (-STEEP * verdict, NEUTRAL, STEEP * verdict)
    powers = [math.exp(rule + read) for rule, read in zip(rules, side, strict=True)]
    total = sum(powers)
    return powers[0] / total, powers[1] / total, powers[2] / total


def _verdicts(parts: list[Clause], low: str, score: Scorer) -> dict[int, float]:
    """A number per name: negative, about 0, or positive."""
    values = _judge(parts, score)
    about = clauses.subjects(parts)
    found = {name: 0.0 for part in parts for name in part.names}
    for index, names in enumerate(about):
        for name in names:
            if abs(values[index]) > abs(found[name]) or found[name] * values[index] > 0:
                found[name] = _add(found[name], values[index])
    _compare(low, found)
    return _contrast(parts, about, found)


def _add(before: float, value: float) -> float:
    """The stronger of two verdicts, strengthened a little by one on the same side."""
    if before * value > 0:
        strong, weak = max(before, value, key=abs), min(before, value, key=abs)
        return strong + 0.3 * weak
    return value if abs(value) > abs(before) else before


def _judge(parts: list[Clause], score: Scorer) -> list[float]:
    plain = [clauses.bare(part.text) for part in parts]
    values = [_value(text, opinion[2] - opinion[0]) for text, opinion in zip(plain, score(plain), strict=True)]
    return [_neither(part, value) for part, value in zip(parts, values, strict=True)]


def _neither(part: Clause, value: float) -> float:
    """ "Neither X nor Y bothered" denies what it says: plain words become blame, blame becomes praise."""
    if len(part.names) < 2 or not clauses.NEITHER.search(part.text):
        return value
    return -max(DENIED_BOTH, abs(value)) if value > -DENIED_BLAME else -value / 2


def _value(text: str, margin: float) -> float:
    if not any(c.isalnum() or ord(c) > 0x2000 for c in text):
        return 0.0
    words = intent.verdict(text) + _rating(text)
    kept = math.copysign(max(0.0, abs(margin) - DOUBT), margin)
    return MODEL_SHARE * kept + WORDS_SHARE * max(-WORDS_CAP, min(WORDS_CAP, words))


def _rating(text: str) -> float:
    """ "2/10", "4 из 5", or a bare number after a name, in evidence."""
    given = _MARKS.search(text)
    if given:
        share = int(given[1]) / int(given[2])
        return 2.5 * (1 if share >= 0.7 else -1 if share <= 0.5 else 0)
    return 2.5 if _FIVE.search(text) else -2.5 if _ONE.search(text) else 0.0


def _compare(low: str, found: dict[int, float]) -> None:
    """Comparisons overrule: "X is better than Y" has one verdict in two directions."""
    for sentence in clauses.sentences(low):
        for name, sign in compare.pairs(sentence).items():
            found[name] = sign * max(COMPARED, abs(found.get(name, 0.0)))
        beside = compare.foil(sentence)
        others = [name for name in clauses.names_in(sentence) if name != beside]
        if beside >= 0 and len(others) == 1:
            side = -1.0 if found[others[0]] < -FOILED else 1.0
            found[others[0]], found[beside] = side * COMPARED, -side * COMPARED


def _contrast(parts: list[Clause], about: list[tuple[int, ...]], found: dict[int, float]) -> dict[int, float]:
    """Two names in two clauses set against each other: a plain verdict on one turns the unclear other."""
    if len(found) != 2:
        return found
    heads = [(part, names[0]) for part, names in zip(parts, about, strict=True) if part.names and len(names) == 1]
    for (first, one), (second, two) in pairwise(heads):
        if one == two or any(clauses.CALM.search(part.text) for part in (first, second)):
            continue
        alike = clauses.SAME.search(second.text) is not None
        if not (alike or _opposed(first, second)):
            continue
        if abs(found[one]) >= PLAIN > abs(found[two]):
            found[two] = (OPPOSITE if alike else -OPPOSITE) * found[one]
        elif abs(found[two]) >= PLAIN > abs(found[one]):
            found[one] = (OPPOSITE if alike else -OPPOSITE) * found[two]
    return found


def _opposed(first: Clause, second: Clause) -> bool:
    """A contrast word between two names that both act, or both clauses begin alike with their name."""
    mirrored = all(len(part.names) == 1 and clauses.leads(part) for part in (first, second))
    same_way = clauses.acts(first) == clauses.acts(second)
    return same_way and (mirrored or first.contrast or second.contrast)
