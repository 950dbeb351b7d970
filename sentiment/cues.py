"""Wording that tells what an author wants, read from `words/*.txt`: one file a language, general grammar, no brands.

Every pattern is matched on lower-cased text with ё written as е and one kind of apostrophe. A weight is evidence in
logits: 1 is a hint, 2 nearly decides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "words"
_HEADER: Final = re.compile(r"\[(?P<kind>[\w-]+) \| (?P<name>[^|]+) \| (?P<weight>-?[\d.]+)\]")

QUESTION_WORDS: Final = re.compile(
    r"(?<!\w)(?:who|whom|whose|what|what's|when|where|where's|why|how|which|"
    r"кто|кого|кому|что|чего|чему|когда|где|куда|откуда|почему|зачем|как|"
    r"какой|какая|какое|какие|каким|каких|сколько|чей|чья|ли|"
    r"хто|чого|що|коли|де|куди|звідки|чому|навіщо|як|який|яка|яке|які|якої|яким|яких|скільки|чий|чия|чи)(?!\w)"
)


LATIN: Final = "latin"
CYRILLIC: Final = "cyrillic"
ANY: Final = "any"
_SCRIPTS: Final = {"en": LATIN, "ru": CYRILLIC, "uk": CYRILLIC, "any": ANY}

# What may stand before the words that begin a sentence: greetings, small words, somebody's name.
_OPENERS: Final = (
    r"(?:(?:and|but|so|ok|okay|hey|hi|hello|um|well|also|please|pls|guys|folks|just|now|btw|quick one|"
    r"good (?:day|morning|evening)|"
    r"а|и|но|ну|та|то|так|или|да|же|ребята|ребят|люди|народ|друзья|девочки|девчонки|пожалуйста|здравствуйте|привет|извините|"
    r"кстати|добрый (?:день|вечер)|доброе утро|й|і|але|або|бо|шо|будь ласка|вітаю|привіт|вибачте|дівчата|друзі|шановні|"
    r"до речі|доброго дня|добрий (?:день|вечір)|доброго ранку|@\w+)[,!.]? ){0,3}"
)
_MACROS: Final = {
    "<S>": r"(?:^|(?<=[.!?…:;()»\"”—–-] )|(?<=[\"«“(]))" + _OPENERS,
    "<C>": r"(?:^|(?<=[.!?…:;(),»\"”—–-] )|(?<=[\"«“(]))" + _OPENERS,
}


@dataclass(frozen=True, slots=True)
class Cue:
    """One kind of wording: its name for the reason string, its weight, its script, its pattern over all languages."""

    kind: str
    name: str
    weight: float
    script: str
    pattern: re.Pattern[str]


@cache
def cues(kind: str, scripts: frozenset[str] = frozenset((LATIN, CYRILLIC, ANY))) -> tuple[Cue, ...]:
    """Cues of a kind (`question`, `rhetorical`, `complaint`, `mishap`, `flag`, ...) for text in these scripts."""
    return tuple(cue for cue in _all() if cue.kind == kind and cue.script in scripts)


@cache
def _all() -> tuple[Cue, ...]:
    found: dict[tuple[str, str, float, str], list[str]] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        for key, pattern in _entries(path):
            found.setdefault((*key, _SCRIPTS[path.stem]), []).append(_expand(pattern))
    return tuple(Cue(*key, _compile(key[1], parts)) for key, parts in found.items())


def _compile(name: str, parts: list[str]) -> re.Pattern[str]:
    """Words begin at a word's edge; signs, as emoji, may stick to a word."""
    edge = "" if name.endswith(" sign") else r"(?<!\w)"
    return re.compile(rf"{edge}(?:{'|'.join(parts)})")


def _expand(pattern: str) -> str:
    for name, meaning in _MACROS.items():
        pattern = pattern.replace(name, meaning)
    return pattern


def _entries(path: Path) -> Iterator[tuple[tuple[str, str, float], str]]:
    """((kind, name, weight), pattern) of one file."""
    key = ("", "", 0.0)
    for line in read_lines(path):
        header = _HEADER.fullmatch(line)
        if header:
            key = (header["kind"], header["name"].strip(), float(header["weight"]))
        else:
            yield key, line


@cache
def version() -> str:
    """Digest of words, small models beside them and the reader: part of the model's name, as each makes another."""
    files = sorted(path for path in FOLDER.rglob("*.txt"))
    files += [*sorted(FOLDER.glob("*.npz")), *sorted(FOLDER.parent.glob("reader/manifest.json"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:6]


def read_lines(path: Path) -> list[str]:
    """Lines without comments and blanks, continuation lines joined."""
    joined: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("  "):
            joined[-1] += line[2:]
        else:
            joined.append(line)
    return joined
