"""How the tone behaves when a text is changed in a way that should, or should not, change it.

Every case is an original and a changed text with what must hold. The originals are posts of the frozen sets and small
sentences; changes are seeded, so that every run makes the same cases.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

SAME: Final = "same"  # the tone must not change
NOT_POSITIVE: Final = "not positive"
NOT_NEGATIVE: Final = "not negative"

NAMES: Final = ("Norvik", "Ладна Пей", "Zorvex24", "@belcom_ua", "Кварта")
GOOD: Final = {
    "en": ("good", "reliable", "helpful", "friendly", "great", "excellent"),
    "ru": ("хороший", "надежный", "удобный", "отличный", "приятный", "замечательный"),
    "uk": ("хороший", "надійний", "зручний", "чудовий", "приємний", "прекрасний"),
}
BAD: Final = {
    "en": ("bad", "awful", "useless", "terrible", "rude", "slow"),
    "ru": ("плохой", "ужасный", "бесполезный", "отвратительный", "медленный", "кошмарный"),
    "uk": ("поганий", "жахливий", "нікчемний", "огидний", "повільний", "кошмарний"),
}
FRAMES: Final = {
    "en": ("{x} is {not}{very}{word}", "I think {x} is {not}{very}{word}", "the service of {x} is {not}{very}{word}"),
    "ru": ("{x} {not}{very}{word}", "по-моему {x} {not}{very}{word}", "банк {x} {not}{very}{word}"),
    "uk": ("{x} {not}{very}{word}", "як на мене {x} {not}{very}{word}", "банк {x} {not}{very}{word}"),
}
NOT: Final = {"en": "not ", "ru": "не ", "uk": "не "}
VERY: Final = {"en": ("very ", "really ", "extremely "), "ru": ("очень ", "крайне "), "uk": ("дуже ", "вкрай ")}
_WORD: Final = re.compile(r"[^\W\d_]{5,}")


@dataclass(frozen=True, slots=True)
class Case:
    """One change of one text, in one language, and what must hold between the tones of both texts."""

    change: str
    language: str
    original: str
    changed: str
    target: str | None
    changed_target: str | None
    must: str


def cases(posts: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Case]:
    """All cases: `posts` are the rows of the intent sets by language."""
    for language, rows in posts.items():
        yield from _sentences(language)
        dice = random.Random(f"behaviour {language}")
        for row in rows:
            yield from _of_post(language, str(row["text"]), row["target"], str(row["first"]["tone"]), dice)


def holds(case: Case, before: str, after: str) -> bool:
    """Whether the tones of original and changed text are as they must be."""
    if case.must == SAME:
        return before == after
    return after != case.must.removeprefix("not ")


def _sentences(language: str) -> Iterator[Case]:
    for frame in FRAMES[language]:
        for words, must in ((GOOD, NOT_POSITIVE), (BAD, NOT_NEGATIVE)):
            kept = NOT_NEGATIVE if must == NOT_POSITIVE else NOT_POSITIVE
            for word in words[language]:
                plain = _fill(frame, "Norvik", word)
                # "Not awful" may well be negative still; "not good" is never positive.
                if must == NOT_POSITIVE:
                    denied = _fill(frame, "Norvik", word, denied=NOT[language])
                    yield Case("negation", language, plain, denied, "Norvik", "Norvik", must)
                for very in VERY[language]:
                    strong = _fill(frame, "Norvik", word, very=very)
                    yield Case("intensifier", language, plain, strong, "Norvik", "Norvik", kept)
                for name in NAMES[1:]:
                    other = _fill(frame, name, word)
                    yield Case("name in a sentence", language, plain, other, "Norvik", name, SAME)


def _fill(frame: str, name: str, word: str, denied: str = "", very: str = "") -> str:
    return frame.replace("{x}", name).replace("{not}", denied).replace("{very}", very).replace("{word}", word)


def _of_post(language: str, text: str, target: str | None, tone: str, dice: random.Random) -> Iterator[Case]:
    if target:
        for name in NAMES:
            yield Case("name in a post", language, text, text.replace(target, name), target, name, SAME)
    for change, changed in (
        ("typo", _typo(text, target, dice)),
        ("all capitals", text.upper()),
        ("a link at the end", f"{text} https://example.com/p/1"),
        ("more marks", f"{text}!!!" if text.endswith("!") else f"{text}??" if text.endswith("?") else text),
    ):
        if changed != text:
            named = target.upper() if target and change == "all capitals" else target
            yield Case(change, language, text, changed, target, named, SAME)
    if tone != "neutral":
        sign, must = (" 😡", NOT_POSITIVE) if tone == "negative" else (" 😍", NOT_NEGATIVE)
        yield Case("emoji that agrees", language, text, text + sign, target, target, must)


def _typo(text: str, target: str | None, dice: random.Random) -> str:
    """Two neighbouring letters inside one word of five letters and more change places; the name stays whole."""
    words = [hit for hit in _WORD.finditer(text) if not target or hit.group() not in target]
    if not words:
        return text
    start = dice.choice(words).start() + 1 + dice.randrange(2)
    return text[:start] + text[start + 1] + text[start] + text[start + 2 :]
