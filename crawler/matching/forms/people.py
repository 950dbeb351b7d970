"""Parts of personal names: which part is which, their cases for either gender, their Latin spellings.

A part's table maps every folded form to the cases it can stand for; agreement of two parts is a common case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from crawler.matching.forms.declension import CASES, Table, adjective, fixed, man_in_o, merged, noun
from crawler.matching.forms.given_names import counterparts
from crawler.matching.forms.name import plain, unaccented
from crawler.matching.forms.scripts import CYRILLIC, cyrillised, languages_of, romanised, spellings

Cases = frozenset[str]
Forms = dict[str, Cases]
"""Folded form without apostrophes -> the cases it may be."""

BOTH = ("uk", "ru")
Languages = tuple[str, ...]
ALL = frozenset(CASES)
_PATRONYMIC = re.compile(r"(?:[оеєй]вич|йович|ьич|[иіїлкн]ич|[лкмн]іч|[оеєї]вна|івна|ївна|инична|ічна)$")
ANY_PATRONYMIC = re.compile(
    r"(?:[оеєй]вич|йович|[илкнмь]ич|[лкмн]іч|ыч)(?:а|у|ем|еві|е|і)?$|(?:[оеєії]вн|[иі]чн)(?:а|и|і|у|ою|ой|ы|е|о)$"
    r"|(?:ovych|ovich|evich|yovych|iovych|ievich|eevich|ivna|yivna|iivna|ovna|evna|ichna|ych|ich)$"
)
_TITLES = frozenset("dr mr mrs ms prof sir jr sr пан пані г-н г-жа д-р др проф".split())
PARTICLES = frozenset("van von der den de da di du del la le фон ван де ді да дер ля".split())
# Not -ин, -ий, nor the short ones: Константин, Дмитрий, Лев, Ева, Любов, Левко are first names.
_SURE_SURNAME = re.compile(r"^(?!любов$).{2,}[оеєё]ва?$|ый$")
_SHORT_KO = re.compile(r"^[^-]{2,3}ко$")
_SURNAME = re.compile(r"(?:енко|ченко|чук|щук|юк|ський|цький|зький|ська|цька|зька|ский|цкий|ская|цкая|ко|ець|ых|их)$")
# Names of men that end like names of women: a closed class of the grammar, not a register of names.
_MEN_IN_A = frozenset(
    "микола ілля илья микита никита лука хома фома кузьма сава савва данила гаврила фока сила ярема".split()
)
_WOMAN = re.compile(r"(?:івна|ївна|овна|евна|ична|ічна|ська|цька|зька|ская|цкая|[оеє]ва|[иії]на|ая|яя)$")
_MAN = re.compile(r"(?:ич|іч|ський|цький|зький|ский|цкий|[оеє]в|[^ьр][иії]н|ий|ый|ій)$")
_ADJECTIVAL = re.compile(r"(?:ий|ый|ой|ій|ая|яя|[сцз]ь?ка|[нв]а)$")


@dataclass(frozen=True, slots=True)
class Person:
    """A name taken apart: plain lower-case parts; `father` (or a middle name) may be ""."""

    given: str
    father: str
    family: str


def people_of(text: str) -> list[Person]:
    """The ways to take a configured name apart, the likeliest first; none for a single word.

    Given name first unless a comma, a patronymic at the end or the endings say otherwise; where these do not tell in a
    Cyrillic name (Любов Ткач, Коваль Андрій), both ways.
    """
    inverted = "," in text
    words = [word for word in re.split(r"[\s.,]+", plain(text)) if word.strip("'\"-") and word not in _TITLES]
    words = [word for place, word in enumerate(words) if word not in PARTICLES or place == 0]
    if len(words) < 2:
        return []
    letters, names = [word for word in words if len(word) == 1], [word for word in words if len(word) > 1]
    if letters and len(names) == 1:
        return [Person(letters[0], " ".join(letters[1:]), names[0])]
    if len(words) == 2:
        return _two_words(*words, inverted=inverted)
    if inverted or _PATRONYMIC.search(words[2]):
        return [Person(words[1], " ".join(words[2:]), words[0])]
    return [Person(words[0], " ".join(words[1:-1]), words[-1])]


def _two_words(first: str, second: str, *, inverted: bool) -> list[Person]:
    straight, turned = Person(first, "", second), Person(second, "", first)
    if inverted or (_SURNAME.search(first) and not _SURNAME.search(second)):
        return [turned, straight] if _SHORT_KO.search(first) and not inverted else [turned]
    if not CYRILLIC.search(first) or _SURNAME.search(second) or _SURE_SURNAME.search(second):
        return [straight]
    return [straight, turned]


def genders(person: Person) -> str:
    """The gender by the parts: "m", "f", or "mf" when they do not tell."""
    if not CYRILLIC.search(person.family):
        person = Person(*map(_heard, (person.given, person.father.split(" ")[0], person.family)))
    for part in (person.father, person.family):
        if part and _WOMAN.search(part):
            return "f"
        if part and _MAN.search(part) and (part == person.father or not part.endswith(("ой", "ей"))):
            return "m"
    if person.given in _MEN_IN_A:
        return "m"
    if person.given.endswith(("а", "я")):
        return "f"
    return "mf" if person.given.endswith(("ь", "ов", "е", "і")) or len(person.given) == 1 else "m"


def _heard(part: str) -> str:
    """A Latin part as a Cyrillic one, the name of a man if it may be one."""
    readings = cyrillised(part, "uk") if part else ("",)
    return next((reading for reading in readings if reading in _MEN_IN_A), readings[0])


def given_forms(name: str, of: Languages = BOTH) -> Forms:
    """A first name or patronymic of a name in the languages `of`: a noun in both, and its Latin spellings."""
    tables = [_name_table(word, language) for language in BOTH for word in _given_spellings(name, language, of)]
    return _forms(tables, name, of)


def _given_spellings(name: str, language: str, of: Languages) -> list[str]:
    """The name in the letters of the language, and what its bearer is called there."""
    words = list(_spellings(name, language, of))
    if not CYRILLIC.search(name) or (len(of) == 1 and language in of):
        return words
    other = [word for called in counterparts(name, language) for word in _spellings(called, language, of)]
    return list(dict.fromkeys(words + other))


def family_forms(name: str, gender: str, of: Languages = BOTH) -> Forms:
    """A surname of a man ("m"), a woman ("f") or either ("mf"); both parts of a double one change."""
    words = [(word, language) for language in BOTH for word in _spellings(name, language, of)]
    return _forms([_double(word, language, one) for word, language in words for one in gender], name, of)


def languages(person: Person) -> Languages:
    """The languages the whole name may be of."""
    return languages_of(f"{person.given} {person.father} {person.family}")


def _spellings(name: str, language: str, of: Languages) -> tuple[str, ...]:
    """Both ways round when the letters do not tell: Петрова Инна may be of either language."""
    if not CYRILLIC.search(name):
        return cyrillised(name, language) if len(name) > 2 else ()
    return spellings(name, language, ("ru",) if of == BOTH and language == "uk" else of)


def _forms(tables: list[Table], name: str, of: Languages) -> Forms:
    found: dict[str, set[str]] = {}
    for table in tables:
        for case, forms in table.items():
            for form in forms:
                for key in {bare(form), form.replace("ё", "е").replace("'", "")}:
                    found.setdefault(key, set()).add(case)
    latin = [name] if not CYRILLIC.search(name) else _romanised(name, of)
    for spelling in latin:
        for form in (bare(spelling), spelling.replace("'", "")):
            found.setdefault(form, set()).update(CASES)
    return {form: frozenset(cases) for form, cases in found.items()}


def bare(form: str) -> str:
    """A form as it is compared: no ё, no ґ, no apostrophes of any sort, no diacritics."""
    return unaccented(form.replace("ё", "е").replace("ґ", "г").replace("'", "").replace('"', ""))


def _romanised(name: str, of: Languages) -> list[str]:
    found: dict[str, None] = {}
    for language in BOTH:
        words = spellings(name, language, of)
        for word in words if language in of else words[:4]:
            for spelling in romanised(word, language):
                found[spelling] = None
                if spelling.startswith(("yu", "iu")):
                    found["ju" + spelling[2:]] = None
    return list(found)


def _name_table(word: str, language: str) -> Table:
    if not re.fullmatch("[а-яіїєґё']{2,}", word):
        return fixed(word)
    table = man_in_o(word) if word.endswith("о") and language == "uk" else _animate(noun(word, language), word)
    if language == "ru" and word.endswith("ич"):
        talked = word[: -len("ович")] + "ыч" if word.endswith("ович") else word[: -len("евич")] + "ич"
        table = merged(table, noun(talked, "ru")) if word.endswith(("ович", "евич")) else table
    return table or fixed(word)


def _animate(table: Table, word: str) -> Table:
    """A man's name in the accusative is as in the genitive: Ростислава Жука, while Ростислава Жук is a woman."""
    return table | {"A": table["G"]} if "G" in table and re.search("[^аяьв]$|[^о]в$", word) else table


def _double(word: str, language: str, gender: str) -> Table:
    if "-" not in word:
        return _family_table(word, language, gender)
    tables = [_family_table(part, language, gender) for part in word.split("-")]
    still = fixed(word.split("-")[0])
    rows: Table = {}
    for case in CASES:
        heads = dict.fromkeys((*tables[0].get(case, ()), *still[case]))
        rows[case] = tuple("-".join((head, tail)) for head in heads for tail in tables[-1].get(case, ()))
    return rows if len(tables) == 2 else fixed(word)


def _family_table(word: str, language: str, gender: str) -> Table:
    if not re.fullmatch("[а-яіїєґё']{2,}", word) or re.search(r"(?:[ыи]х|аго|ово)$", word):
        return fixed(word)
    if gender == "f":
        return _woman(word, language)
    if re.search(r"(?:[оеєёії]в|[ыиії]н)$", word) and not word.endswith(("швин", "двін")):
        return _possessive(word, language)
    if word.endswith("о"):
        return man_in_o(word) if language == "uk" else fixed(word)
    table = _animate(noun(word, language), word)
    if _ADJECTIVAL.search(word) and not word.endswith(("а", "я")):
        table = merged(adjective(word, language), {"V": (word,)}, table)
    return table or fixed(word)


def _woman(word: str, language: str) -> Table:
    if re.search(r"(?:[оеєё]ва|[ыиії]на)$", word):
        stem = word[:-1]
        ends = {"N": "а", "G": "ої", "D": "ій", "A": "у", "I": "ою", "L": "ій", "V": "а"}
        if language == "ru":
            ends = {"N": "а", "G": "ой", "D": "ой", "A": "у", "I": "ой ою", "L": "ой", "V": "а"}
        possessive = {case: tuple(stem + end for end in row.split()) for case, row in ends.items()}
        return merged(possessive, noun(word, language)) if re.search("[ыиії]на$", word) else possessive
    if re.search(r"(?:ая|яя|[сцз]ька|[бдзлмнрст]на)$", word):
        return adjective(word, language) or noun(word, language)
    if language == "uk" and word.endswith("а"):  # Біла is declined as an adjective, Сорока as a noun
        return merged(noun(word, language), adjective(word, language))
    return noun(word, language) if word.endswith(("а", "я")) else fixed(word)


def _possessive(word: str, language: str) -> Table:
    """Surnames in -ов, -ев, -ин decline by themselves: Ивановым, Івановим, Іванову."""
    if language == "ru":
        ends = {"N": "", "G": "а", "D": "у", "A": "а", "I": "ым ом", "L": "е", "V": ""}
    else:
        ends = {"N": "", "G": "а", "D": "у ові", "A": "а", "I": "им ом", "L": "у ові і", "V": " е у"}
    table = {case: tuple(word + end for end in row.split(" ")) for case, row in ends.items()}
    broad = {re.sub("ів$", vowel + "в", word) for vowel in "ое"} | {re.sub("їв$", "єв", word)}
    stems = broad - {word} if language == "uk" else set()
    return merged(table, *({c: tuple(s + e for e in r.split(" ")) for c, r in ends.items() if c != "N"} for s in stems))
