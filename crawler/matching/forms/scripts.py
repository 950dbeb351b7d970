"""One name in other scripts and spellings: Ukrainian <-> Russian letters, Cyrillic <-> Latin, look-alike letters.

Romanisations are whole schemes: a writer who spells "х" as "kh" in one place does so in the next, so that the number
of spellings stays small. Sources: the Ukrainian Cabinet's table of 2010, ISO 9, BGN/PCGN, the Russian passport table,
and what people type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product

CYRILLIC = re.compile(r"[а-яіїєґёўѐ-џ]")
LATIN = re.compile(r"[a-zß-öø-ɏ]")
_SHORT = 4
_MAX_SPELLINGS = 64

# Letters on which writers differ, each with its ways; one way is chosen for a whole name.
_LAT: dict[str, str] = dict(
    zip("абвдезклмнопрстуфыэьъґі", "a b v d e z k l m n o p r s t u f y e _ _ g i".split(), strict=True)
)
# What stands before a vowel, and for "й"; "k" is the Cabinet's way: y at the start of a word and i within.
_GLIDES = (("k", "i"), ("y", "y"), ("y", "i"), ("i", "i"), ("i", "y"), ("k", "y"), ("j", "j"))
_FEW_GLIDES = (("k", "i"), ("y", "y"), ("i", "i"), ("j", "j"))
_WAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # letter: (Ukrainian, Russian)
    "г": (("h", "g"), ("g",)),
    "и": (("y", "i"), ("i",)),
    "х": (("kh", "h"), ("kh", "h")),
    "ц": (("ts", "c", "tz"), ("ts", "c", "tz")),
    "ч": (("ch", "č"), ("ch", "č")),
    "ш": (("sh", "š"), ("sh", "š")),
    "щ": (("shch", "sch", "šč"), ("shch", "sch", "šč")),
    "ж": (("zh", "ž"), ("zh", "ž", "j")),
}
_DIACRITICS = frozenset("čšžŠŽČ")
_VOWELS = frozenset("аеиоуюяэыіїєё")


@lru_cache(maxsize=4096)
def romanised(name: str, language: str) -> tuple[str, ...]:
    """Latin spellings of a lower-case Cyrillic name, the most official first; at most 64.

    >>> romanised("пошта", "uk")[0]
    'poshta'
    """
    found: dict[str, None] = {}
    for ways in _schemes(name, language):
        for glide, short in _GLIDES if "й" in name else _FEW_GLIDES:
            for spelling in _spelled(name, ways | {"й": short}, glide, language):
                found.setdefault(spelling)
                found.setdefault(spelling.replace("ks", "x"))
        if len(found) >= _MAX_SPELLINGS:
            break
    return tuple(found)[:_MAX_SPELLINGS]


def _schemes(name: str, language: str) -> Iterator[dict[str, str]]:
    """Ways to write the letters that are in the name, those nearest to the official one first."""
    letters = [char for char in _WAYS if char in name]
    ways = [_WAYS[char][0 if language == "uk" else 1] for char in letters]
    numbers = sorted(product(*(range(len(way)) for way in ways)), key=sum)
    for choice in numbers:
        scheme = {char: way[number] for char, way, number in zip(letters, ways, choice, strict=True)}
        marked = {scheme[char][0] in _DIACRITICS for char in "чшщж" if char in scheme}
        if len(marked) < 2:  # a writer uses diacritics throughout or not at all
            yield scheme


def _spelled(name: str, ways: dict[str, str], glide: str, language: str) -> Iterable[str]:
    """The spellings of one scheme: endings of adjectives and "е" after a vowel differ within a scheme, too."""
    text = "".join(_letter(name, place, ways, glide, language) for place in range(len(name)))
    yield text
    ends = [word[-2:] for word in name.split()]
    if any(end in ("ий", "ый", "ій") for end in ends):
        for ending in ("y", "yi", "yy", "iy", "ii", "i", "yj", "ij"):
            yield " ".join(
                _spelled_word(word[:-2], ways, glide, language) + ending
                if word[-2:] in ("ий", "ый", "ій")
                else _spelled_word(word, ways, glide, language)
                for word in name.split(" ")
            )
    if language == "ru" and re.search("ё|(?<![бвгджзклмнпрстфхцчшщ])е|ье", name):
        yield from dict.fromkeys(_with_ye(name, ways, glide))


def _with_ye(name: str, ways: dict[str, str], glide: str) -> Iterable[str]:
    """ё as yo, o or e; е after a vowel, a soft sign or at the start as ye."""
    glide = "y" if glide == "k" else glide
    for yo in (glide + "o", "e", glide + "e", *(["o"] if re.search("[жчшщ]ё", name) else [])):
        for ye in ("e", glide + "e"):
            text = re.sub("ь(?=ё)", "", name).replace("ё", "\x01")
            text = re.sub("(^|[ аеиоуыэюяьъ-])е", "\\1\x02", text)
            parts = (
                yo if char == "\x01" else ye if char == "\x02" else _letter(text, n, ways, glide, "ru")
                for n, char in enumerate(text)
            )
            yield "".join(parts)


def _spelled_word(word: str, ways: dict[str, str], glide: str, language: str) -> str:
    return "".join(_letter(word, place, ways, glide, language) for place in range(len(word)))


def _letter(name: str, place: int, ways: dict[str, str], glide: str, language: str) -> str:
    char = name[place]
    if char in ways:
        return ways[char]
    if char in "яюєїё":
        return _iotated(char, name[place - 1] if place else " ", glide, language)
    if char == "й":
        return ways["й"]
    if char == "ь":  # silent but before a vowel: Ильин - Ilyin, Ilin
        soft = place + 1 < len(name) and name[place + 1] in "иоеа"
        return "y" if soft and glide in "yk" else ""
    if char == "'":
        return ""
    return _LAT.get(char, char).replace("_", "")


def _iotated(char: str, before: str, glide: str, language: str) -> str:
    vowel = {"я": "a", "ю": "u", "є": "e", "ї": "i", "ё": "o"}[char]
    if glide == "k":
        glide = "y" if before in " -" else "i"
    if char == "ї":
        return "i" if glide == "i" else glide + "i"
    if char == "ё":
        return "e" if glide == "i" else glide + "o"
    if before == "и" and glide == "i" and language == "ru":
        return "ia"[1:] if char == "я" else vowel  # Мария - Maria
    return glide + vowel


# --- Latin to Cyrillic -----------------------------------------------------------------------------------------------

_TO_CYRILLIC: tuple[tuple[str, str], ...] = (
    ("shch", "щ"), ("sch", "ш"), ("sh", "ш"), ("ch", "ч"), ("zh", "ж"), ("kh", "х"), ("ts", "ц"), ("ph", "ф"),
    ("th", "т"), ("ck", "к"), ("ya", "я"), ("yu", "ю"), ("ia", "ія"), ("iu", "ію"), ("ye", "є"), ("yi", "ї"),
    ("qu", "кв"), ("a", "а"), ("b", "б"), ("c", "к"), ("d", "д"), ("e", "е"), ("f", "ф"), ("g", "г"), ("h", "х"),
    ("i", "і"), ("j", "й"), ("k", "к"), ("l", "л"), ("m", "м"), ("n", "н"), ("o", "о"), ("p", "п"), ("q", "к"),
    ("r", "р"), ("s", "с"), ("t", "т"), ("u", "у"), ("v", "в"), ("w", "в"), ("x", "кс"), ("y", "і"), ("z", "з"),
)  # fmt: skip
_ENGLISH: tuple[tuple[str, str], ...] = (
    (r"\byou", "ю"), ("ts", "тс"), (r"(?<=[aeiou])y\b", "й"), (r"oo", "у"), (r"e[ea]", "і"), (r"igh", "ай"),
    (r"ow\b", "оу"), (r"ou", "ау"), (r"ai", "ей"), (r"\bi(?= |$)", "ай"),
    (r"(?<=[bcdfghklmnprstv])a(?=[bcdfgklmnpstvz]e\b|[cksv]e[bcdfgklmnprst])", "ей"),
    (r"(?<=[bcdfghklmnprstvw])i(?=[bcdfgklmnpstvz]e\b|[fknv]e[bcdfgklmnprst]|ld)", "ай"),
    (r"c(?=[eiy])", "с"), (r"(?<=[a-zа-яі])e\b", ""), (r"(?<=ай[fknv]|ей[cksvс])e(?=[bcdfgklmnprstvс])", ""),
)  # fmt: skip
_LOOKS_ENGLISH = re.compile(
    r"[ai][cfksv]e[bcdfgklmnprst]|[wxq]|ck|oo|ee|ea|gh|th|ph|o[uw]|ai|ay\b|e\b|c(?!h)|([bdfglmnprstz])\1|\bi\b|\byou"
)
# How a Slavic name was romanised, read backwards: Rukavychka, Zoria, Kofeinya.
_SLAVIC: tuple[tuple[str, str], ...] = (
    ("shch", "щ"), ("zh", "ж"), ("kh", "х"), ("sh", "ш"), ("ch", "ч"), ("ts", "ц"), (r"(?<=k)yi", "иї"),
    (r"[yi][yi]\b", "ий"), (r"[yij]a", "я"), (r"[yij]u", "ю"), (r"[yj]e", "є"), (r"[yj]i", "ї"),
    (r"(?<=[aeiouаеиоуяюєї])[yij]", "й"), ("y", "и"), ("h", "г"), ("j", "й"),
)  # fmt: skip
_NINE = re.compile("(?<=[дтзсцжшчр])і(?=[бвгґджзклмнпрстфхцчшщ])")  # after these Ukrainian writes и in foreign names


@lru_cache(maxsize=2048)
def cyrillised(name: str, language: str) -> tuple[str, ...]:
    """Cyrillic spellings of a lower-case Latin name: letter by letter, and as read aloud or as romanised before.

    >>> "гугл" in cyrillised("google", "ru"), "рукавичка" in cyrillised("rukavychka", "uk")
    (True, True)
    """
    english = _LOOKS_ENGLISH.search(name) is not None
    heard = _by_letters(_as_english(name)) if english else _as_slavic(name)
    single = re.sub(r"([^\W\d_])\1", r"\1", heard)
    readings = dict.fromkeys((_by_letters(name), single if len(single) > _SHORT else heard, heard))
    readings |= dict.fromkeys(() if english else (_softened(heard, language),))
    readings |= dict.fromkeys(reading.replace("лу", "лю") for reading in list(readings))
    ay = [reading.replace("ай", "ей") for reading in readings if re.search(r"ай\b", reading)]
    every = dict.fromkeys(ay or readings) | dict.fromkeys(readings)
    if language == "uk":
        return tuple(every | dict.fromkeys(_NINE.sub("и", reading) for reading in every))
    slavic = [] if english else [_as_slavic(name, "ы")]
    return tuple(dict.fromkeys(variant for reading in (*every, *slavic) for variant in _russian_vowels(reading)))


def _softened(text: str, language: str) -> str:
    """With the soft signs that romanising dropped: koval - коваль, kravets - кравець, lozynskyi - лозинський."""
    text = re.sub("л(?=[бвгджзкмнпрстфхцчшщ]|\\b)", "ль", text)
    if language == "uk":
        text = re.sub("ец\\b", "ець", re.sub("(?<=[сц])к(?=(?:ий|а|і|и)\\b)", "ьк", text))
    return re.sub("(?<=к)[иі]\\b", "ий", text) if re.search("ь?к[иі]\\b", text) else text


def _as_slavic(text: str, y: str = "и") -> str:
    for pattern, letter in _SLAVIC:
        text = re.sub(pattern, y if pattern == "y" else letter, text)
    return _by_letters(text)


def _russian_vowels(text: str) -> tuple[str, ...]:
    text = text.replace("ія", "ия").replace("і", "и").replace("ї", "и").replace("є", "е")
    return (text, re.sub("ей$", "эй", text)) if text.endswith("ей") else (text,)


def _by_letters(text: str) -> str:
    text = re.sub("c(?=[eiyеіи])", "ц", text.replace("ch", "ч"))
    for latin, cyrillic in _TO_CYRILLIC:
        text = text.replace(latin, cyrillic)
    return text


def _as_english(text: str) -> str:
    for pattern, sound in _ENGLISH:
        text = re.sub(pattern, sound, text)
    return text


# --- Ukrainian and Russian letters -----------------------------------------------------------------------------------


def to_russian(word: str) -> tuple[str, ...]:
    """How Russian text writes a Ukrainian name that it does not translate; the word itself comes first.

    >>> to_russian("боднарський")
    ('боднарський', 'боднарский')
    """
    text = (
        re.sub("(?<=[сцз])ь(?=к)", "", word).replace("ґ", "г").replace("є", "е").replace("йо", "ё").replace("ьо", "ё")
    )
    found = [text.replace("ї", "и").replace("і", "и")]
    if "ї" in text:
        found.append(text.replace("ї", "е").replace("і", "и"))
    if text.startswith("е"):
        found.append("э" + found[0][1:])
    if word.endswith(("ар", "ор", "яр", "ир")):
        found.append(found[0] + "ь")
    if word.endswith("ій"):
        found.append(found[0][:-2] + "ей")
    if word.endswith("ий") and word[-3:-2] not in "гкх":
        found += [found[0][:-2] + "ый", *([found[0][:-2] + "ой"] if word.endswith("овий") else [])]
    if word.endswith(("ська", "цька", "зька")):
        found.append(found[0] + "я")
    found += [text.replace("'", sign) for text in found if "'" in text for sign in "ьъ"]
    return tuple(dict.fromkeys([word, *found, *_swapped(found[0], _PATRONYMICS_RU)]))


def to_ukrainian(word: str) -> tuple[str, ...]:
    """How Ukrainian text writes a Russian name that it does not translate; the word itself comes first.

    >>> to_ukrainian("вронская")
    ('вронская', 'вронська')
    """
    text = re.sub("([сцз])к(ий|ая)$", "\\1ьк\\2", word)
    text = re.sub("(ая|яя)$", lambda m: m[0][0], text)
    text = re.sub("(?<=[аеоуіяюєь])е", "є", re.sub("ьё", "йо", text).replace("э", "е"))
    text = re.sub("^и", "і", text).replace("иа", "іа").replace("ия", "ія").replace("ие", "іє").replace("ию", "ію")
    text = re.sub("(?<=[бпвмфр])ь(?=[яюєї])", "'", text)
    text = text.replace("ьи", "ьї").replace("ъ", "'").replace("ё", "йо" if "йо" in text else "ьо")
    text = text.replace("жьо", "жо").replace("шьо", "шо").replace("чьо", "чо").replace("щьо", "що")
    found = [re.sub("ый$", "ий", text).replace("ы", "и")]
    if re.search("и(?!й?$)", found[0]):
        found.append(re.sub("и(?!й?$)", "і", found[0]))
    if word.endswith("ей"):
        found.append(found[0][:-2].replace("и", "і") + "ій")
    if word.endswith("ин"):
        found.append(found[0][:-2] + "ін")
    found += [re.sub("(?<=[бвмп])е(?=л)", "є", text) for text in found if re.search("[бвмп]ел", text)]
    found += [re.sub("ев(а?)$", r"єв\1", text) for text in found if re.search("[^аеоуіїюяєь]ева?$", text)]
    return tuple(dict.fromkeys([word, *found, *_swapped(word, _PATRONYMICS_UK)]))


# How patronymics differ: Сергійович - Сергеевич, Юрійович - Юрьевич, Андріївна - Андреевна, Ігорович - Игоревич.
_PATRONYMICS_RU = (
    ("ийович", "еевич ьевич иевич"), ("иёвич", "еевич ьевич иевич"), ("ёвич", "евич"), ("льович", "льевич"),
    ("рович", "ревич"), ("ииевна", "еевна ьевна"), ("иивна", "еевна ьевна иевна"), ("ивна", "овна евна"),
)  # fmt: skip
_PATRONYMICS_UK = (
    ("еевич", "ійович"), ("ьевич", "ійович ьович"), ("иевич", "ійович"), ("ревич", "рович"), ("евич", "йович"),
    ("еевна", "іївна"), ("ьевна", "іївна ьівна"), ("иевна", "іївна"), ("овна", "івна"), ("евна", "івна"),
)  # fmt: skip


def _swapped(word: str, endings: Sequence[tuple[str, str]]) -> list[str]:
    for ending, others in endings:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return [
                word[: -len(ending)].replace("и", "і" if endings is _PATRONYMICS_UK else "и") + one
                for one in others.split()
            ]
    return []


def languages_of(name: str) -> tuple[str, ...]:
    """Whose letters the name has: "uk", "ru", or both when nothing tells them apart."""
    uk, ru = re.search("[іїєґ']|[сцз]ьк|[^ь]ьо", name), re.search(r"[ыэъё]|[сц]к(?:ий|ая|ое)\b|\bи|[аи]я\b", name)
    return ("uk",) if uk and not ru else ("ru",) if ru and not uk else ("uk", "ru")


def spellings(word: str, language: str, of: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The word in the letters of `language`, itself first; `of`: the languages of the name it is a part of."""
    if language in (of or languages_of(word)):
        return (word,)
    return to_ukrainian(word) if language == "uk" else to_russian(word)


# --- look-alikes -----------------------------------------------------------------------------------------------------

_TWINS = dict(zip("асеорхукмтвніјѕ", "aceopxykmtbhijs", strict=True))


def twin(word: str) -> str | None:
    """The lower-case word in letters of the other script that look the same in capitals; None when one has no twin.

    >>> twin("мтс")
    'mtc'
    """
    table = _TWINS if CYRILLIC.search(word) else {latin: cyrillic for cyrillic, latin in _TWINS.items()}
    return "".join(table[char] for char in word) if all(char in table for char in word) else None


_KEYS_LATIN = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
_KEYS = {"uk": "йцукенгшщзхїфівапролджєячсмитьбю'", "ru": "йцукенгшщзхъфывапролджэячсмитьбюё"}


def slipped(word: str) -> Sequence[str]:
    """The word as it comes out with the keyboard in the other layout.

    >>> slipped("банк")
    [',fyr']
    """
    if CYRILLIC.search(word):
        tables = [str.maketrans(keys, _KEYS_LATIN) for language, keys in _KEYS.items()]
    else:
        tables = [str.maketrans(_KEYS_LATIN, keys) for keys in _KEYS.values()]
    return list(dict.fromkeys(word.translate(table) for table in tables))
