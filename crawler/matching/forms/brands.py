"""Forms of trade marks: declined, glued, hyphenated, joined by a dot, in the other script, as hashtag and @handle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from crawler.matching.forms.name import Name, Span, Written, as_written, parts_of, plain, refold
from crawler.matching.forms.phrases import LANGUAGES, Phrase, declined, foreign, spelled
from crawler.matching.forms.scripts import CYRILLIC, LATIN, cyrillised, languages_of, romanised, slipped, twin

# Words of trade that compounds end in; people write such names in two words, or with a hyphen.
_COMPOUND = re.compile(
    "([^\\W\\d_]{3,})(банк|bank|газ|gas|світ|svit|маркет|market|пошта|почта|poshta|post|сервіс|сервис|service|торг|trade|"
    "трейд|буд|строй|stroy|тех|tech|телеком|telecom|нафта|нефть|енерго|энерго|energo|energy|кредит|credit|страх|card|"
    "кард|pay|пей|пэй|фарм|pharm|авто|auto|груп|групп|group|фінанс|финанс|finance|інвест|инвест|invest|софт|soft|шоп|"
    "shop|центр|center|фуд|food|таксі|такси|taxi|транс|trans|пром|prom|медіа|медиа|media|мобайл|mobile|net|нет)$"
)
_SHORTEST_HEARD = 4
_LONGEST_TWIN = 5
_LONGEST_GLUED = 3
_OUTER = " \"'.,;:!?()[]"
_CONSONANT_ENDINGS = ("а", "у", "ом", "ові", "і", "е", "ем", "ів", "ы", "и")
_A_ENDINGS = ("у", "ою", "ой", "и", "ы", "і", "е")


def brand(text: str, *, slips: bool = False) -> Name:
    """The trade mark as a Name."""
    if text.startswith(("@", "#")):
        return _tag(plain(text))
    forms = {plain(text), plain(text).strip(_OUTER), *_phrases(text)}
    if slips:
        forms |= {slip for form in list(forms) for slip in slipped(form) if len(form) > 3}
    return Name(refold(forms), _as_written_or_handle)


def _as_written_or_handle(text: str, start: int, end: int, written: Written) -> Span | None:
    return (_handle if text[start] == "@" else as_written)(text, start, end, written)


def _tag(text: str) -> Name:
    if text.startswith("#"):
        return Name(frozenset((text, text[1:])) if text[1:] else frozenset((text,)), as_written)
    return Name(frozenset((text,)), _handle)


def _handle(text: str, start: int, end: int, written: Written) -> Span | None:
    """An @handle is the whole of it: neither the domain of a mail address nor the first part of a dotted handle."""
    if start and (text[start - 1].isalnum() or text[start - 1] in "._-"):
        return None
    return None if re.match(r"[.-]?\w", text[end : end + 2]) else (start, end)


def _phrases(text: str) -> Iterator[str]:
    written = [word.strip(_OUTER) for word in parts_of(text)]
    words = tuple(filter(None, map(plain, written)))
    if not words:
        return
    yield from ("_".join(words), ".".join(words))
    if CYRILLIC.search(" ".join(words)):
        yield from _declined(words, many=bool(_COMPOUND.match(words[-1])))
        if len(words) <= _LONGEST_GLUED:
            yield from (".".join(phrase) for phrase in declined(words))
    if len(words) == 1 and (seam := _COMPOUND.match(words[0])):
        halves = (seam[1], seam[2])
        forms = declined(halves) if CYRILLIC.search(words[0]) else (halves,)
        yield from (joint.join(form) for form in forms for joint in "- ")
    for phrase in _latin(words):
        yield from _joined(phrase)
        yield "_".join(phrase)
        yield from ("@" + joint.join(phrase) for joint in ("", "_"))
    if not CYRILLIC.search(" ".join(words)) and LATIN.search(" ".join(words)):
        yield from _latin_declined(words)
    yield from _twins(written)


def _joined(phrase: Phrase) -> Iterable[str]:
    return dict.fromkeys(joint.join(phrase) for joint in (" ", "-", ""))


def _declined(words: Phrase, *, many: bool = False) -> Iterator[str]:
    """The forms of a Cyrillic name; a long one is glued or hyphenated only as it is."""
    yield from _joined(words)
    for phrase in declined(words, many=many):
        if len(words) <= _LONGEST_GLUED:
            yield from _joined(phrase)
        else:
            yield " ".join(phrase)


def _latin(words: Phrase) -> Iterator[Phrase]:
    """The words as they are when Latin, or romanised by every scheme of each language they may be of."""
    name = " ".join(words)
    if not CYRILLIC.search(name):
        yield words
        return
    for language in LANGUAGES:
        for row in spelled(words, language)[: None if language in languages_of(name) else 2]:
            for spelling in romanised(" ".join(row), language):
                yield tuple(spelling.split(" "))


def _latin_declined(words: Phrase) -> Iterator[str]:
    """Cyrillic readings of a Latin name with their cases, and the Latin name with a Cyrillic ending."""
    endings = _A_ENDINGS if words[-1].endswith("a") else _CONSONANT_ENDINGS
    stem = words[-1].removesuffix("a")
    if stem and stem[-1] not in "eiouy'":
        for ending in endings:
            yield from _joined((*words[:-1], stem + ending))
    if sum(map(len, words)) < _SHORTEST_HEARD or not all(re.fullmatch("[a-z]+", word) for word in words):
        return
    name = " ".join(words)
    for language in LANGUAGES:
        for reading in cyrillised(name, language):
            if " " in reading:
                yield from _declined(tuple(reading.split(" ")))
            elif len(reading) >= _SHORTEST_HEARD:
                yield from foreign(reading, language)


def _twins(written: list[str]) -> Iterator[str]:
    """A short name in capitals is also typed in the letters of the other script: МТС as MTC."""
    name = "".join(written)
    if name.isupper() and 2 <= len(name) <= _LONGEST_TWIN and (other := twin(plain(name))):
        yield other
