"""Text as the tone model wants it: links and names hidden, the target marked, long posts cut to what speaks of it.

Training and run time share these functions, so that both see the same text. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

TARGET_MARK = "[TGT]"
OTHER = "@x"  # stands for a name that is not asked about
URL_WORD = "httpurl"
USER_WORD = "atuser"
# The same two patterns stand inside tokenizer.json's normaliser: tokenizer and voter must agree on them.
URL_PATTERN = r"(?:https?://|www\.)\S+"
USER_PATTERN = r"@\w+"

LONG_TEXT = 400  # characters: above this the text is cut to the sentences around the target
WINDOW = 600  # characters kept of a long text; about 128 word pieces of Cyrillic text
MOST_READ = 4_000  # characters read of a text without a target
HARD_CAP = 65_536  # characters looked at, whatever comes

_URL = re.compile(URL_PATTERN)
_USER = re.compile(USER_PATTERN)
_STRETCH = re.compile(r"(.)\1{2,}", re.DOTALL)
_TOKEN = re.compile(r"\[tgt\]|\w+(?:'\w+)*|[^\w\s]+")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "ё": "е", "\x00": " "})


def tidy(text: str) -> str:
    """At most HARD_CAP characters that any encoder takes: lone surrogates become question marks, NUL a space."""
    return text[:HARD_CAP].encode("utf-8", "replace").decode("utf-8").replace("\x00", " ")


def mark_target(text: str, target: str | None) -> str:
    """`text` with every occurrence of `target` (any case) replaced by the mark; unchanged without one."""
    name = (target or "").strip()
    return re.sub(_edged(name), f" {TARGET_MARK} ", text, flags=re.IGNORECASE) if name else text


def sides(text: str, names: Sequence[str]) -> list[str]:
    """For each name `text` with it replaced by the mark, and the others by a handle: who they are says nothing.

    All at once and the longest first, so that no name eats a part of another, or of what stands for one.
    """
    wanted = {name.strip().lower(): name.strip() for name in names if name.strip()}
    keys = sorted(wanted, key=lambda key: (-len(wanted[key]), key))
    if not keys:
        return [text] * len(names)
    pattern = re.compile("|".join(f"({_edged(wanted[key])})" for key in keys), re.IGNORECASE)

    def side(name: str) -> str:
        key = name.strip().lower()
        return pattern.sub(lambda hit: f" {TARGET_MARK if keys[(hit.lastindex or 0) - 1] == key else OTHER} ", text)

    return [side(name) for name in names]


def _edged(name: str) -> str:
    # Ends at word edges only: "МТС" must not eat into "автоМТСентр".
    left = r"(?<!\w)" if name[0].isalnum() else ""
    right = r"(?!\w)" if name[-1].isalnum() else ""
    return left + re.escape(name) + right


def voter_text(text: str) -> str:
    """Lower-cased tokens joined by single spaces, with a space at both ends: what the linear voter hashes."""
    plain = _URL.sub(f" {URL_WORD} ", text[:HARD_CAP].lower().translate(_APOSTROPHES))
    plain = _STRETCH.sub(r"\1\1", _USER.sub(f" {USER_WORD} ", plain))
    return f" {' '.join(_TOKEN.findall(plain))} "


@dataclass(frozen=True, slots=True)
class Views:
    """What each voter reads of one post. `cut` says that no voter sees all of it."""

    encoder: str
    voter: str
    cut: bool


def whole(text: str) -> Views:
    """A post asked about nobody: all of it, or both ends of a very long one, where people say what they think."""
    tidied = tidy(text)
    if len(tidied) <= MOST_READ:
        return Views(tidied, tidied, False)
    shown = f"{tidied[: MOST_READ // 2]} {tidied[-MOST_READ // 2 :]}"
    return Views(shown, shown, True)


def views(text: str, target: str | None) -> Views:
    """Mark the target and cut. Without a target the voter reads all: it costs nothing, reviews judge in many places."""
    marked = mark_target(tidy(text), target)
    shown, cut = window(marked, target)
    return Views(shown, shown if target else marked, cut)


def window(text: str, target: str | None) -> tuple[str, bool]:
    """What to read of `text`, and whether something was left out.

    Up to LONG_TEXT characters nothing is cut. Above it the sentences that hold the target (or the mark) and their
    neighbours are kept; without a target the beginning and the end, where reviews put their verdict.
    """
    if len(text) <= LONG_TEXT:
        return text, False
    text = text[:HARD_CAP]
    sentences = [part.strip() for part in _SENTENCE_END.split(text) if part.strip()] or [text[:WINDOW]]
    chosen = _around(sentences, _needles(target))
    if not chosen:
        return _ends(text), len(text) > WINDOW
    kept = " ".join(sentences[index] for index in sorted(chosen))
    if len(kept) <= WINDOW:
        return kept, len(chosen) < len(sentences)
    return _centre(kept, _needles(target)), True


def _needles(target: str | None) -> tuple[str, ...]:
    name = (target or "").strip().lower()
    return (TARGET_MARK.lower(), name) if name else (TARGET_MARK.lower(),)


def _around(sentences: list[str], needles: tuple[str, ...]) -> set[int]:
    """Indices of the sentences with the target, then of their neighbours while the window has room."""
    hits = [i for i, sentence in enumerate(sentences) if any(needle in sentence.lower() for needle in needles)]
    chosen = set(hits)
    room = WINDOW - sum(len(sentences[i]) for i in chosen)
    for step in (1, -1, 2):
        for i in (hit + step for hit in hits):
            if 0 <= i < len(sentences) and i not in chosen and len(sentences[i]) <= room:
                chosen.add(i)
                room -= len(sentences[i])
    return chosen


def _ends(text: str) -> str:
    if len(text) <= WINDOW:
        return text
    half = WINDOW // 2
    return f"{text[:half]} {text[-half:]}"


def _centre(text: str, needles: tuple[str, ...]) -> str:
    low = text.lower()
    found = [at for at in (low.find(needle) for needle in needles) if at >= 0]
    start = max(0, min(found, default=0) - WINDOW // 3)
    return text[start : start + WINDOW]
