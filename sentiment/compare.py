"""Wording that sets one name against another: who comes out better. Works on text with placeholders (clauses.py)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from sentiment.cues import read_lines

E: Final = r"ent(\d)x"
GAP: Final = r"[^.!?;]{0,60}?"
_BETTER: Final = (
    r"(?:better|faster|cheaper|nicer|kinder|quicker|safer|easier|friendlier|"
    r"more (?:reliable|honest|helpful|polite|pleasant|convenient)|superior|ahead of|"
    r"лучше|быстрее|дешевле|удобнее|надежнее|честнее|вежливее|приятнее|выгоднее|проще|круче|"
    r"кращ\w+|краще|швидш\w+|дешевш\w+|зручніш\w+|надійніш\w+|чесніш\w+|приємніш\w+|вигідніш\w+|крутіш\w+)"
)
_WORSE: Final = (
    r"(?:worse|slower|more expensive|pricier|dearer|ruder|inferior|less (?:reliable|honest|helpful|polite)|"
    r"хуже|медленнее|дороже|грубее|слабее|гірш\w*|повільніш\w+|дорожч\w+|слабш\w+)"
)
_NOT: Final = re.compile(r"(?<!\w)(?:not|n't|no|never|не|ні|isn't)(?!\w)[^.!?,]{0,20}$")
_EVEN: Final = re.compile(r"(?:even|еще|ще|still|and|to|from) $")

_THAN: Final = "(,? than |,? за |,? ніж |,? чем |,? від |,? чим |,? аніж | )"

_FOLDER: Final = Path(__file__).parent / "words" / "compare"
# One name before the verdict on the other: "compared to X", "unlike X".
_FOIL: Final = re.compile(
    r"(?:compared (?:to|with)|next to|unlike|in contrast to|after|после|після|"
    r"по сравнению с|в сравнении с|в отличие от|"
    rf"порівняно з|у порівнянні з|на відміну від) {E}"
)


@cache
def _known() -> tuple[tuple[int, re.Pattern[str]], ...]:
    """(sign of the first name, pattern) of `words/compare/pairs.txt`; the first that matches decides."""
    lines = read_lines(_FOLDER / "pairs.txt")
    return tuple((1 if line.startswith("+-") else -1, re.compile(_expand(line[2:].strip()))) for line in lines)


def _expand(pattern: str) -> str:
    return r"(?<!\w)" + pattern.replace("<E>", E).replace("<GAP>", GAP)


def pairs(sentence: str) -> dict[int, int]:
    """Names with +1 (better) or -1 (worse) of one sentence in placeholders; empty when it compares nothing."""
    for sign, pattern in _known():
        hit = pattern.search(sentence)
        if hit and hit[1] != hit[2]:
            return {int(hit[1]): sign, int(hit[2]): -sign}
    return _comparative(sentence)


def foil(sentence: str) -> int:
    """The name that only serves for comparison ("unlike X"), or -1."""
    hit = _FOIL.search(sentence)
    return int(hit[1]) if hit else -1


def _comparative(sentence: str) -> dict[int, int]:
    for wording, sign in ((_BETTER, 1), (_WORSE, -1)):
        hit = re.search(rf"{E}([^.!?;]{{0,50}}?)(?<!\w){wording}{_THAN}(?:у |в |with |at )?{E}", sentence)
        if not hit or hit[1] == hit[4] or _EVEN.search(hit[2]):
            continue
        turned = -sign if _NOT.search(hit[2]) else sign
        return {int(hit[1]): turned, int(hit[4]): -turned}
    return {}
