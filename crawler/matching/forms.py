"""Word forms of names: what an entity of the config may look like in text.

Everything is returned folded (`crawler.text.fold`), so that the automaton compares like with like. The endings come
from the grammar of Ukrainian and Russian nouns and adjectives; a form that no speaker uses costs a few bytes, a
missing one costs a complaint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, product

from crawler.model import Entity, EntityKind
from crawler.text import fold

MAX_FORMS = 3000
_CYRILLIC = re.compile(r"^[а-яіїєґ'-]+$")
_VOWELS = "аеиоуюяэыіїєё"

_HARD = ("", "а", "у", "ом", "ем", "ою", "ой", "е", "і", "ові", "еві", "и", "ы", "ів", "ов", "ам", "ами", "ах")
_FEMININE_A = ("а", "и", "ы", "і", "е", "у", "ою", "ой", "ей", "о")
_FEMININE_YA = ("я", "і", "и", "ї", "е", "ю", "ею", "єю", "ей", "є")
_SOFT = ("ь", "я", "ю", "ем", "єм", "ом", "ям", "і", "и", "е", "ею", "єві", "еві", "ю", "ьою")
_Y_SHORT = ("й", "я", "ю", "ем", "єм", "ї", "и", "і", "єві", "еві", "е")
_NEUTER_O = ("о", "а", "у", "ом", "е", "і")
_NEUTER_E = ("е", "я", "а", "ю", "у", "ем", "єм", "і", "и")
_ADJECTIVE = (
    "ий", "ій", "ый", "ой", "ого", "ому", "им", "ім", "ом", "ым", "а", "ої", "у", "ою", "ая", "ую", "е", "ое", "і",
    "их", "ими", "ие", "ые", "ых", "ыми",
)  # fmt: skip
_ADJECTIVE_SOFT = (
    "ій",
    "ий",
    "ього",
    "ьому",
    "ім",
    "його",
    "его",
    "ему",
    "им",
    "ем",
    "я",
    "яя",
    "ьої",
    "юю",
    "ю",
    "ей",
    "є",
    "ее",
)

_ENDINGS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("ський", "ськ", _ADJECTIVE),
    ("ский", "ск", _ADJECTIVE),
    ("ий", "", _ADJECTIVE),
    ("ый", "", _ADJECTIVE),
    ("ой", "", (*_ADJECTIVE, *_Y_SHORT)),
    ("ій", "", (*_ADJECTIVE_SOFT, "ієм", "ію", "ія", "ії")),
    ("ая", "", _ADJECTIVE),
    ("ова", "ов", (*_FEMININE_A, "ої")),
    ("ева", "ев", (*_FEMININE_A, "ої")),
    ("єва", "єв", (*_FEMININE_A, "ої")),
    ("ина", "ин", (*_FEMININE_A, "ої")),
    ("а", "", (*_FEMININE_A, "ої", "ій")),
    ("я", "", (*_FEMININE_YA, "ї")),
    ("ь", "", _SOFT),
    ("й", "", _Y_SHORT),
    ("о", "", _NEUTER_O),
    ("е", "", _NEUTER_E),
)

_ORG_FORMS = frozenset(
    "тов тзов ооо оао зао ао пао пат ат прат фоп ип дп кп нак llc ltd inc corp gmbh plc jsc ojsc pjsc co sa ag".split()
)
_NUMBER_WORDS = frozenset("едрпоу єдрпоу edrpou инн іпн ипн inn огрн огрнип ogrn код".split())


def forms_of(entity: Entity) -> set[str]:
    """All folded forms of one entity; a text that begins with `=` stands for itself alone."""
    text = entity.text.strip()
    if text.startswith("="):
        return {fold(text[1:]).strip()}
    makers = {EntityKind.BRAND: _brand, EntityKind.LEGAL: _legal, EntityKind.PERSON: _person}
    return {form for form in islice(makers[entity.kind](fold(text).strip()), MAX_FORMS) if form}


def word_forms(word: str) -> set[str]:
    """Case forms of one folded Cyrillic word; any other word is its own only form.

    >>> sorted(word_forms("банк"))[:4]
    ['банк', 'банка', 'банкам', 'банками']
    """
    if not _CYRILLIC.match(word) or len(word) < 3:
        return {word}
    for ending, keep, endings in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            stem = word[: -len(ending)] + keep
            return {word, *(stem + new for new in endings)}
    if word[-1] in _VOWELS:
        return {word}
    return {word, *(word + new for new in _HARD), *_fleeting(word)}


def _fleeting(word: str) -> set[str]:
    """Forms with a vowel that falls out: Павлець -> Павлця is rare in names, but -ок and -ец are common."""
    if word.endswith(("ок", "ек")) and len(word) > 4:
        return {word[:-2] + "к" + new for new in ("а", "у", "ом", "ові", "и", "е")}
    if word.endswith("ец") and len(word) > 4:
        return {word[:-2] + "ц" + new for new in ("а", "у", "ем", "ом", "е")}
    return set()


def _brand(text: str) -> Iterable[str]:
    if text.startswith(("@", "#")):
        return {text, text[1:]} if text.startswith("#") else {text}
    words = re.split(r"[\s-]+", text.replace('"', "").strip())
    phrases = _phrases(words)
    glued = {phrase.replace(" ", joint) for phrase in phrases for joint in ("-", "")} if len(words) > 1 else set()
    return [*phrases, *sorted(glued), f"{text}'s"]


def _phrases(words: list[str]) -> list[str]:
    """Every combination of word forms, the written one first; capped by `MAX_FORMS`."""
    choices = [[word, *sorted(word_forms(word) - {word})] for word in words]
    return [" ".join(parts) for parts in islice(product(*choices), MAX_FORMS // 3)]


def _legal(text: str) -> Iterable[str]:
    words = text.replace('"', " ").replace(",", " ").split()
    if any(word.strip(":№") in _NUMBER_WORDS for word in words) and words[-1].isdigit():
        return {words[-1]}
    org = [word for word in words if word.strip(".") in _ORG_FORMS]
    name = [word for word in words if word.strip(".") not in _ORG_FORMS]
    if not org or not name:
        return [*_phrases(words), text]
    before, bare = " ".join(org), _phrases(name)
    quoted = (f'{before} "{phrase}"' for phrase in bare)
    after = (f"{phrase}{joint}{before}" for phrase in bare for joint in (" ", ", "))
    return [text, *quoted, *(f"{before} {phrase}" for phrase in bare), *after]


def _person(text: str) -> Iterable[str]:
    words = text.split()
    if len(words) < 2:
        return _phrases(words)
    first, last = words[0], words[-1]
    straight, turned = _phrases([first, last]), _phrases([last, first])
    surnames = sorted(word_forms(last))
    initials = [f"{first[0]}. {form}" for form in surnames] + [f"{first[0]}.{form}" for form in surnames]
    initials += [f"{form} {first[0]}." for form in surnames]
    whole = _phrases(words) + _phrases([last, *words[:-1]]) if len(words) > 2 else []
    return [*straight, *turned, *initials, *whole]
