"""What the author wants: question, complaint, praise or other. Rules only: independent of the tone model.

Evidence is added up in logits and turned into scores by softmax, so that "asks and complains" shows as both being high.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from crawler.model import Intent
from sentiment.cues import QUESTION_WORDS, Cue, cues
from sentiment.prepare import window

MAX_CHARS: Final = 6000
BASE_OTHER: Final = 1.5  # evidence needed before a post is anything else
SHORT: Final = 120  # a cue counts in full in a short post; in a long one half, it is one remark among many

_URL: Final = re.compile(r"(?:https?://|www\.)\S+")
_LINK_OR_CUT: Final = re.compile(r"(?:https?://|www\.)\S*|\{link\}")
_RETWEET: Final = re.compile(r"^\W*rt @\w+|(?<!\w)rt @\w+")
_HEADLINE_TAG: Final = re.compile(r"^#\w+")
_QUOTE: Final = re.compile(r"[«\"“][^«»\"“”?]*\?[^«»\"“”]*[»\"”]")
_TAG: Final = re.compile(r"#\w+\??")
_BARE: Final = re.compile(
    r"(?<![^.!?]) *(?:what|why|who|how|really|wtf|что|че|как|правда|серьезно|що|шо|як|справді)? *\?+"
)
_SENTENCE: Final = re.compile(r"[^.!?]+[.!?]*")
_ONE_QUESTION: Final = re.compile(r"\s*[^.!?]+\?+\s*")
_TURNED: Final = re.compile(
    r"^\W*(?:do|does|did|is|are|was|were|can|could|will|would|has|have|should)(?:n't)? (?!you (?:kidding|serious))\w"
)
_RAGE: Final = re.compile(r"\?!|!\?|\?{4,}|!{3,}")
_ADDRESSED: Final = re.compile(
    r"^@\w+|(?<!\w)(?:you|your|u|ur|i|i'm|my|me|we|вы|вас|вам|ваш\w*|ты|тебя|тебе|"
    r"я|мне|меня|мой|моя|мои|мы|нас|нам|ви|ваш\w*|ти|тебе|тобі|мені|мене|мій|моя|мої|ми|нам)(?!\w)"
)
# "We" and "our" are also what a newsroom says.
_PERSONAL: Final = re.compile(
    r"^@\w+|(?<!\w)(?:you|u|i|i'm|my|me|вы|вас|вам|ты|тебя|тебе|я|мне|меня|мой|моя|мои|ви|ти|тобі|мені|мене|мій|мої)(?!\w)"
)
_NEGATED_PRAISE: Final = re.compile(r"(?<!\w)(?:не|ні|not|n't|never|no|без|мало|никак\w*|ніяк\w*)\W+(?:\w+\W+){0,1}$")
_FOLD: Final = str.maketrans({"ё": "е", "’": "'", "ʼ": "'", "`": "'", "\x00": " "})


@dataclass(frozen=True, slots=True)
class IntentResult:
    """Intent with scores that sum to 1 (by Intent value), why, and flags for priority."""

    intent: Intent
    scores: dict[str, float]
    reason: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Evidence:
    weight: float
    reason: str


def detect(text: str, target: str | None = None) -> IntentResult:
    """Decide from wording alone; empty text is `other`. Of a long text only what speaks of `target`. Never raises."""
    shown = window(text, target)[0] if target else text[:MAX_CHARS]
    low = shown.lower().translate(_FOLD)
    plain = " ".join(_URL.sub(" ", low).split())
    found = {
        Intent.QUESTION: _question(low, plain),
        Intent.COMPLAINT: _complaint(plain),
        Intent.PRAISE: _praise(plain),
    }
    logits = {intent: sum(part.weight for part in parts) for intent, parts in found.items()}
    logits[Intent.PRAISE] -= 0.6 * max(0.0, logits[Intent.COMPLAINT])  # "great, broken again" is no praise
    scores = _softmax({**logits, Intent.OTHER: BASE_OTHER})
    best = max(scores, key=lambda intent: scores[intent])
    return IntentResult(best, {str(k): v for k, v in scores.items()}, _reason(best, found.get(best, [])), flags(plain))


def flags(plain: str) -> tuple[str, ...]:
    """Names of the priority cues in prepared (lower-cased, folded) text."""
    return tuple(cue.name for cue in cues("flag") if cue.pattern.search(plain))


def _softmax(logits: dict[Intent, float]) -> dict[Intent, float]:
    powers = {intent: math.exp(value) for intent, value in logits.items()}
    total = sum(powers.values())
    return {intent: power / total for intent, power in powers.items()}


def _reason(intent: Intent, parts: list[_Evidence]) -> str:
    if intent is Intent.OTHER:
        return "no wording of a question, complaint or praise"
    return "; ".join(part.reason for part in sorted(parts, key=lambda p: -p.weight)[:3] if part.weight > 0)


def _cues(known: Iterable[Cue], plain: str) -> list[_Evidence]:
    """One piece of evidence per kind of cue, quoting the wording."""
    hits = ((cue, cue.pattern.search(plain)) for cue in known)
    return [_Evidence(cue.weight, f"{cue.name}: “{_clip(hit.group())}”") for cue, hit in hits if hit]


def _clip(wording: str) -> str:
    return wording.strip(" .,:;!")[:40]


def _question(low: str, plain: str) -> list[_Evidence]:
    plain = _TAG.sub(" ", plain)
    parts = _cues(cues("question"), plain)
    if _asked(plain):
        parts += _mark(plain)
    elif not parts:
        return []
    against = _cues(cues("rhetorical"), plain) + _not_asking(low, plain)
    if parts and not against and len(plain) <= SHORT and _ONE_QUESTION.fullmatch(plain):
        parts.append(_Evidence(0.6, "is one question"))
    return parts + against


def _mark(plain: str) -> list[_Evidence]:
    parts = [_Evidence(1.4, "question mark")]
    if QUESTION_WORDS.search(_asked(plain)):
        parts.append(_Evidence(0.7, "question word"))
    if _TURNED.search(_asked(plain)):
        parts.append(_Evidence(0.7, "begins with the verb"))
    if _ADDRESSED.search(plain):
        parts.append(_Evidence(0.7, "speaks to somebody"))
    if plain.rstrip().endswith("?"):
        parts.append(_Evidence(0.4, "ends with the question"))
    return parts


def _asked(plain: str) -> str:
    """The sentences that end with a question mark, without bare outcries as "What???"."""
    return " ".join(part for part in _SENTENCE.findall(_BARE.sub(" ", plain)) if "?" in part)


def _not_asking(low: str, plain: str) -> list[_Evidence]:
    """Signs that no answer is expected: retweets, headlines, quotes, rage."""
    parts = []
    if _RETWEET.search(low):
        parts.append(_Evidence(-1.5, "retweet"))
    if _LINK_OR_CUT.search(low) and not _PERSONAL.search(plain):
        parts.append(_Evidence(-3.0, "headline with a link"))
    if _HEADLINE_TAG.search(low) and "?" not in plain:
        parts.append(_Evidence(-2.0, "tagged headline"))
    if _QUOTE.search(plain):
        parts.append(_Evidence(-1.0, "quoted question"))
    if _RAGE.search(plain):
        parts.append(_Evidence(-0.6, "outburst"))
    if "?" in plain and not plain.rstrip(" )(!?.").endswith("?") and len(plain.rsplit("?", 1)[1]) > 80:
        parts.append(_Evidence(-0.6, "goes on after the question"))
    return parts


def _complaint(plain: str) -> list[_Evidence]:
    return _soften(_cues(cues("complaint"), plain), plain)


def _praise(plain: str) -> list[_Evidence]:
    kept = []
    for cue in cues("praise"):
        hit = cue.pattern.search(plain)
        if hit and not _NEGATED_PRAISE.search(plain[max(0, hit.start() - 25) : hit.start()]):
            kept.append(_Evidence(cue.weight, f"{cue.name}: “{_clip(hit.group())}”"))
    return kept


def _soften(parts: list[_Evidence], plain: str) -> list[_Evidence]:
    if len(plain) <= SHORT or len(parts) > 1:
        return parts
    return [_Evidence(part.weight * 0.85, part.reason) for part in parts]
