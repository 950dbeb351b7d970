"""Case forms of one Ukrainian or Russian word, by the ending it has in the nominative.

A table maps a case (one letter of `CASES`) to the forms a word has in it. Without a dictionary an ending can mean two
things ("Нова": an adjective or a noun); then the table holds both, and agreement within a phrase sorts them out.
Words are in lower case; "ё" and "е" are both understood. Source: the school grammars of both languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

CASES = "NGDAILV"
Table = dict[str, tuple[str, ...]]

_VOWELS = frozenset("аеиоуюяэыіїєё")
_HISSES = frozenset("жчшщ")
_BACK = frozenset("гкхґ")
_KEEPS_I = ("світ", "ліс", "хліб", "сніг", "гріх", "дід", "слід", "цвіт", "вік", "ліст", "міст", "мір")
_SOFTENED = {"г": "з", "к": "ц", "х": "с"}
_CALLED = {"г": "ж", "к": "ч", "х": "ш", "ц": "ч"}


def _table(stems: Iterable[str], word: str, **endings: str) -> Table:
    """`endings` names cases; several endings are split by spaces, "-" stands for no ending, "=" for the word itself."""
    stems = list(dict.fromkeys(stems))
    table: Table = {}
    for case, row in endings.items():
        forms = [word] if "=" in row.split() else []
        forms += [stem + ("" if end == "-" else end) for end in row.split() if end != "=" for stem in stems]
        table[case] = tuple(dict.fromkeys(forms))
    return table


def merged(*tables: Table) -> Table:
    """The union of tables, case by case."""
    return {
        case: tuple(dict.fromkeys(form for table in tables for form in table.get(case, ())))
        for case in CASES
        if any(case in table for table in tables)
    }


def fixed(word: str) -> Table:
    """The table of a word that does not change."""
    return dict.fromkeys(CASES, (word,))


def syllables(word: str) -> int:
    """Vowels in the word."""
    return sum(char in _VOWELS for char in word)


# --- Ukrainian -------------------------------------------------------------------------------------------------------


def _uk_feminine_hard(word: str) -> Table:
    stem = word[:-1]
    if stem[-1] in _HISSES:
        return _table([stem], word, N="=", G="і", D="і", A="у", I="ею", L="і", V="е о")
    soft = stem[:-1] + _SOFTENED.get(stem[-1], stem[-1])
    table = _table([stem], word, N="=", G="и", A="у", I="ою", V="о")
    return table | {"D": (soft + "і",), "L": (soft + "і",)}


def _uk_feminine_soft(word: str) -> Table:
    stem = word[:-1]
    if stem[-1] in _VOWELS or stem[-1] in "'й":
        return _table([stem], word, N="=", G="ї", D="ї", A="ю", I="єю", L="ї", V="є")
    return _table([stem], word, N="=", G="і", D="і", A="ю", I="ею", L="і", V="е ю")


def _uk_neuter_doubled(word: str) -> Table:
    return _table([word[:-1]], word, N="=", G="я", D="ю", A="=", I="ям", L="і ї ю", V="=")


def _uk_o(word: str) -> Table:
    stem = word[:-1]
    man = " ові" if stem[-1] in "крлш" else ""  # Дніпрові, but no "правові"
    table = _table([stem], word, N="=", G="а", D="у" + man, A="=", I="ом", L="у і" + man, V="=")
    return table | {"L": (*table["L"], stem[:-1] + _SOFTENED.get(stem[-1], stem[-1]) + "і")}


def man_in_o(word: str) -> Table:
    """The Ukrainian cases of a man's name in -о: Павлові, Павле; Шевченка, Шевченку."""
    return _table([word[:-1]], word, N="=", G="а", D="у ові", A="а", I="ом", L="у ові і", V="= е у")


def _uk_neuter_e(word: str) -> Table:
    stem = word[:-1]
    if stem[-1] in _HISSES:
        return _table([stem], word, N="=", G="а", D="у", A="=", I="ем", L="і у", V="=")
    return _table([stem], word, N="=", G="я", D="ю еві", A="=", I="ем", L="і ю еві", V="=")


def _uk_masculine(word: str) -> Table:
    stems = uk_oblique(word)
    if word[-1] in _HISSES:
        table = _table(stems, word, N="=", G="а у", D="у еві", A="= а", I="ем", L="і у еві", V="е у")
    else:
        table = _table(stems, word, N="=", G="а у", D="у ові", A="= а", I="ом", L="і у ові", V="е у")
    table["L"] += tuple(stem[:-1] + _SOFTENED[stem[-1]] + "і" for stem in stems if stem[-1] in _SOFTENED)
    table["V"] += tuple(stem[:-1] + _CALLED[stem[-1]] + "е" for stem in stems if stem[-1] in _CALLED)
    if word.endswith(("ар", "яр", "ир", "ор")) and syllables(word) > 1:
        table = merged(table, _table(stems, word, G="я", D="ю еві", A="я", I="ем", L="ю еві і", V="ю"))
    return table


def _uk_masculine_soft(word: str) -> Table:
    stems = uk_oblique(word[:-1], soft=True)
    table = _table(stems, word, N="=", G="я ю", D="ю еві", A="= я", I="ем", L="і ю еві", V="ю е")
    return table | {"V": table["V"] + tuple(stem[:-1] + "че" for stem in stems if stem[-1] == "ц")}


def _uk_feminine_third(word: str) -> Table:
    bare = word.removesuffix("ь")
    stems = _broadened(bare)
    double = bare + bare[-1] if len(bare) > 1 and bare[-2] in _VOWELS and bare[-1] not in "бпвмфр" else bare
    instrumental = bare + "'ю" if bare[-1] in "бпвмф" else double + "ю"
    return _table(stems, word, N="=", G="і", D="і", A="=", L="і", V="е") | {"I": (instrumental,)}


def _uk_short(word: str) -> Table:
    stem = word[:-1]
    stems = [stem]
    if re.search("[брклпт]ій$", word):  # Бій - Бою, Настрій - Настрою, but Валерій - Валерія
        stems = [stem[:-1] + "о", *([stem] if syllables(word) > 1 else [])]
    return _table(stems, word, N="=", G="я ю", D="ю єві", A="= я", I="єм", L="ї ю єві", V="ю")


def _uk_plural(word: str, *, zero: bool = True) -> Table:
    stem = word[:-1]
    soft = word[-1] in "іїя" and stem[-1] not in _HISSES
    genitive = "їв" if stem[-1] in _VOWELS else "ів"
    vowel = "я" if soft else "а"
    table = _table(
        [stem], word, N="=", G=genitive, D=vowel + "м", A="= " + genitive, I=vowel + "ми", L=vowel + "х", V="="
    )
    bare = _without_ending(stem, soft=soft, between="о") if zero else ()
    return table | {"G": table["G"] + bare, "A": table["A"] + bare}


def _uk_adjective(stem: str, word: str, *, soft: bool, gender: str) -> Table:
    e, o, a, u, i, y = ("ь", "ьо", "я", "ю", "і", "і") if soft else ("", "о", "а", "у", "і", "и")
    if soft and stem[-1] in _VOWELS:
        e, o, a, u, i, y = "", "йо", "я", "ю", "ї", "ї"
    if gender == "f":
        oblique = "є" if soft and stem[-1] in _VOWELS else e + "о" if not soft else "ьо"
        return _table(
            [stem], word, N=a, G=oblique + "ї", D=i + "й", A=u, I=oblique + "ю" if not soft else "ьою", L=i + "й", V=a
        )
    if gender == "p":
        x = y if not soft else "і"
        return _table([stem], word, N="=", G=x + "х", D=x + "м", A="= " + x + "х", I=x + "ми", L=x + "х", V="=")
    table = _table([stem], word, N="=", G=o + "го", D=o + "му", I=y + "м", L=f"{o}му {i}м", V="=")
    return table | {"A": (word, *table["G"]) if gender == "m" else (word,)}


def _uk_adjectives(word: str) -> Table | None:
    if word.endswith(("ий", "ій")) and len(word) > 3:
        return _uk_adjective(word[:-2], word, soft=word.endswith("ій"), gender="m")
    if word.endswith("а"):
        return _uk_adjective(word[:-1], word, soft=False, gender="f")
    if word.endswith("я"):
        return _uk_adjective(word[:-1], word, soft=True, gender="f")
    if word.endswith(("е", "є")):
        return _uk_adjective(word[:-1], word, soft=word.endswith("є"), gender="n")
    if word.endswith(("і", "ї")):
        hard = _uk_adjective(word[:-1], word, soft=False, gender="p")
        return merged(hard, _uk_adjective(word[:-1], word, soft=True, gender="p")) if word[-2] == "н" else hard
    return None


def uk_oblique(word: str, *, soft: bool = False) -> list[str]:
    """Stems of a masculine word before an ending: with a vowel that falls out, with і turned into о or е.

    `soft`: the word is given without its "ь".
    """
    if soft and word.endswith(("ец", "єц")) and syllables(word) > 1:
        core = word[:-2]
        return [core + ("йц" if core[-1:] in _VOWELS else "ьц" if core[-1:] == "л" else "ц")]
    if soft and re.fullmatch("[^аеиоуюяіїє]{2}ец", word):  # Швець - Шевця
        return [word[0] + "е" + word[1] + "ц", word]
    dropped = _dropped(word, soft=soft)
    return [*_broadened(word), *dropped] if not dropped or not soft else [*dropped, word]


def _broadened(stem: str) -> list[str]:
    """і of a closed last syllable: Харків - Харкова, Сіль - Солі, Київ - Києва; a few roots keep it."""
    place = max(stem.rfind("і"), stem.rfind("ї"))
    if place < 0 or any(char in _VOWELS for char in stem[place + 1 :]) or stem.endswith(_KEEPS_I):
        return [stem]
    if place == len(stem) - 1:
        return [stem]
    before, after = stem[:place], stem[place + 1 :]
    if stem[place] == "ї":
        return [before + "є" + after, stem]
    short = syllables(stem) == 1
    wide = [before + "о" + after]
    if after == "ч" or (not short and after in ("в", "н", "д", "р")):
        wide.append(before + "е" + after)
    native = after in ("л", "н", "д", "г", "в", "р", "т", "ч", "м", "с", "з") if short else after in ("в", "ст")
    return wide if native else [*wide, stem]


def _dropped(word: str, *, soft: bool = False) -> list[str]:
    """The stem without its last vowel where that vowel falls out: Орёл - Орла, Кухоль - Кухля, Ветер - Ветра."""
    if soft and re.fullmatch("[^аеиоуыэюяіїє]ен", word):  # День - Дня
        return [word[0] + "н"]
    if syllables(word) < 2 or len(word) < 4 or word[-2] not in "оеёє" or word[-1] in _VOWELS:
        return []
    core, last = word[:-2], word[-1]
    if word[-2] in "ёе" and last == "к" and core[-1] == "н" and not soft:
        return [core + "ьк", core + "к"]
    falls = {
        "к": core[-1] not in _VOWELS,
        "р": word[-2] != "о" and core[-1] in "твпбгкш",
        "л": core[-1] in "рзтпсвгхкл",
        "н": soft and core[-1] not in "м",
        "т": soft and core[-1] in "кгд",
    }
    return [core + last] if falls.get(last, False) else []


def _without_ending(stem: str, *, soft: bool, between: str) -> tuple[str, ...]:
    """Genitive plural without an ending: рукавичк-и - рукавичок, книг-и - книг."""
    if len(stem) > 2 and stem[-1] == "к" and stem[-2] not in _VOWELS:
        return tuple(stem[:-1].removesuffix("ь") + vowel + "к" for vowel in (between, "е"))
    if soft and stem[-1] in _VOWELS:
        return (stem + "й",)
    if len(stem) > 2 and stem[-2] == "ь":  # деньги - денег
        return (stem[:-2] + "е" + stem[-1],)
    return (stem + "ь",) if soft else (stem,)


# --- Russian ---------------------------------------------------------------------------------------------------------


def _ru_feminine_hard(word: str) -> Table:
    stem = word[:-1]
    i = "и" if stem[-1] in _BACK or stem[-1] in _HISSES else "ы"
    instrumental = "ей ею ой ою" if stem[-1] in _HISSES or stem[-1] == "ц" else "ой ою"
    return _table([stem], word, N="=", G=i, D="е", A="у", I=instrumental, L="е", V="=")


def _ru_feminine_soft(word: str) -> Table:
    stem = word[:-1]
    if stem[-1] == "и":
        return _table([stem], word, N="=", G="и", D="и", A="ю", I="ей ею", L="и", V="=")
    return _table([stem], word, N="=", G="и", D="е", A="ю", I="ей ею", L="е", V="=")


def _ru_o(word: str) -> Table:
    return _table([word[:-1]], word, N="=", G="а", D="у", A="=", I="ом", L="е", V="=")


def _ru_neuter_e(word: str) -> Table:
    stem = word[:-1]
    if stem[-1] in _HISSES or stem[-1] == "ц":
        return _table([stem], word, N="=", G="а", D="у", A="=", I="ем", L="е", V="=")
    return _table([stem], word, N="=", G="я", D="ю", A="=", I="ем", L="и е" if stem[-1] == "и" else "е", V="=")


def _ru_neuter_mya(word: str) -> Table:
    return _table([word[:-1]], word, N="=", G="ени", D="ени", A="=", I="енем", L="ени", V="=")


def _ru_plural_ya(word: str) -> Table:
    """Друзья - Друзей, Братья - Братьев; a singular such as Статья takes the other way."""
    return _table([word[:-2]], word, N="=", G="ей ьев", D="ьям", A="= ей ьев", I="ьями", L="ьях", V="=")


def ru_oblique(word: str, *, soft: bool = False) -> list[str]:
    """Stems of a masculine word before an ending, with and without a vowel that falls out."""
    if word.endswith("ец") and syllables(word) > 1 and not soft:
        core = word[:-2]
        return [core + ("йц" if core[-1:] in _VOWELS else "ьц" if core[-1:] == "л" else "ц")]
    if word.endswith("яц") and not soft:
        return [word[:-2] + "йц", word]
    return [word, *_dropped(word, soft=soft), *(["льв"] if word == "лев" else [])]


def _ru_masculine(word: str) -> Table:
    stems = ru_oblique(word)
    instrumental = "ом ем" if word[-1] in _HISSES or word[-1] == "ц" else "ом"
    return _table(stems, word, N="=", G="а у", D="у", A="= а", I=instrumental, L="е у", V="=")


def _ru_masculine_soft(word: str) -> Table:
    return _table(ru_oblique(word[:-1], soft=True), word, N="=", G="я", D="ю", A="= я", I="ем", L="е", V="=")


def _ru_feminine_third(word: str) -> Table:
    return _table([word[:-1]], word, N="=", G="и", D="и", A="=", I="ью", L="и", V="=")


def _ru_short(word: str) -> Table:
    stem = word[:-1]
    table = _table([stem], word, N="=", G="я", D="ю", A="= я", I="ем", L="и" if stem[-1] == "и" else "е", V="=")
    if word.endswith("ей") and syllables(word) > 1:
        return merged(table, _table([stem[:-1] + "ь"], word, G="я", D="ю", A="я", I="ем", L="е"))
    return table


def _ru_plural(word: str, *, zero: bool = True) -> Table:
    stem = word[:-1]
    soft = word[-1] == "и" and stem[-1] not in _BACK and stem[-1] not in _HISSES
    vowel = "я" if soft else "а"
    genitive = "ев ей" if soft else "ей" if stem[-1] in _HISSES else "ов"
    table = _table(
        [stem], word, N="=", G=genitive, D=vowel + "м", A="= " + genitive, I=vowel + "ми", L=vowel + "х", V="="
    )
    bare = _without_ending(stem, soft=soft, between="о") if zero else ()
    return table | {"G": table["G"] + bare, "A": table["A"] + bare}


def _ru_adjective_m(word: str) -> Table:
    stem, last = word[:-2], word[-3]
    if word.endswith("ий") and last not in _BACK:
        table = _table([stem + "ь" if last == "т" else stem], word, N="=", G="его", D="ему", I="им", L="ем", V="=")
    else:
        i = "и" if last in _BACK or last in _HISSES else "ы"
        table = _table([stem], word, N="=", G="ого", D="ому", I=i + "м", L="ом", V="=")
    return table | {"A": (word, *table["G"])}


def _ru_adjectives(word: str) -> Table | None:
    stem = word[:-2]
    if len(word) < 4:
        return None
    if word.endswith(("ый", "ий", "ой")):
        return _ru_adjective_m(word)
    if word.endswith("ая"):
        oblique = "ей ою ой" if stem[-1] in _HISSES else "ой"
        return _table([stem], word, N="=", G=oblique, D=oblique, A="ую", I=oblique + " ою", L=oblique, V="=")
    if word.endswith("яя"):
        return _table([stem], word, N="=", G="ей", D="ей", A="юю", I="ей ею", L="ей", V="=")
    if word.endswith(("ое", "ее")):
        o, i = ("о", "и" if stem[-1] in _BACK else "ы") if word.endswith("ое") else ("е", "и")
        return _table([stem], word, N="=", G=o + "го", D=o + "му", A="=", I=i + "м", L=o + "м", V="=")
    if word.endswith(("ые", "ие")):
        i = word[-2]
        return _table([stem], word, N="=", G=i + "х", D=i + "м", A=f"= {i}х", I=i + "ми", L=i + "х", V="=")
    if word.endswith("а"):  # a Ukrainian adjective in Russian text: Нова Пошта - Новой Пошты, Новая Пошта
        return _table([word[:-1]], word, N="= ая", G="ой", D="ой", A="у ую", I="ой ою", L="ой", V="=")
    return None


# --- both ------------------------------------------------------------------------------------------------------------

# Cases in Ukrainian and in Russian; after these the noun turns into the plural (Три Кота - Трём Котам).
NUMERALS = {
    "два": ("=|двох|двом|= двох|двома|двох", "=|двух|двум|= двух|двумя|двух"),
    "дві": ("=|двох|двом|= двох|двома|двох", "=|двух|двум|= двух|двумя|двух"),
    "две": ("=|двох|двом|= двох|двома|двох", "=|двух|двум|= двух|двумя|двух"),
    "три": ("=|трьох|трьом|= трьох|трьома|трьох", "=|трех|трем|= трех|тремя|трех"),
    "чотири": ("=|чотирьох|чотирьом|= чотирьох|чотирма|чотирьох", "=|четырех|четырем|= четырех|четырьмя|четырех"),
    "четыре": ("=|чотирьох|чотирьом|= чотирьох|чотирма|чотирьох", "=|четырех|четырем|= четырех|четырьмя|четырех"),
}
_Rule = tuple[tuple[str, ...], tuple[Callable[[str], Table], ...]]
_UK: tuple[_Rule, ...] = (
    (("лля", "ння", "ття", "ддя", "сся", "ззя", "ччя", "жжя", "'я"), (_uk_neuter_doubled, _uk_feminine_soft)),
    (("а",), (_uk_feminine_hard,)),
    (("я",), (_uk_feminine_soft,)),
    (("о",), (_uk_o,)),
    (("е",), (_uk_neuter_e,)),
    (("ець", "єць"), (_uk_masculine_soft,)),
    (("ість", "любов", "кров", "бров"), (_uk_feminine_third,)),
    (("ь",), (_uk_masculine_soft, _uk_feminine_third)),
    (("ч", "ж", "ш", "щ"), (_uk_masculine, _uk_feminine_third)),
    (("ий",), ()),
    (("й",), (_uk_short,)),
    (("и", "і", "ї"), (_uk_plural,)),
)
_RU: tuple[_Rule, ...] = (
    (("ая", "яя", "ое", "ее", "ые", "ый"), ()),
    (("а",), (_ru_feminine_hard,)),
    (("мя",), (_ru_neuter_mya, _ru_feminine_soft)),
    (("ья",), (_ru_feminine_soft, _ru_plural_ya)),
    (("я",), (_ru_feminine_soft,)),
    (("о",), (_ru_o,)),
    (("е",), (_ru_neuter_e,)),
    (("ость",), (_ru_feminine_third,)),
    (("ь",), (_ru_masculine_soft, _ru_feminine_third)),
    (("й",), (_ru_short,)),
    (("и", "ы"), (_ru_plural,)),
)


@lru_cache(maxsize=4096)
def _noun(word: str, language: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    rules, other = (_UK, _uk_masculine) if language == "uk" else (_RU, _ru_masculine)
    for endings, makers in rules:
        if word.endswith(endings):
            return tuple(merged(*(maker(word) for maker in makers)).items())
    return tuple((other(word) if word[-1] not in _VOWELS else fixed(word)).items())


def noun(word: str, language: str) -> Table:
    """The cases of a noun; a word that can be none gives an empty table, an indeclinable one itself in all cases."""
    return dict(_noun(word, language)) if len(word) > 1 else fixed(word)


def adjective(word: str, language: str) -> Table:
    """The cases of an adjective in the gender and number it is given in; empty when the word cannot be one."""
    if word in NUMERALS:
        return _table(
            [""], word, **dict(zip("NGDAIL", NUMERALS[word][language == "ru"].split("|"), strict=True)), V="="
        )
    if len(word) < 4:
        return {}
    return (_uk_adjectives(word) if language == "uk" else _ru_adjectives(word)) or {}


def plural(word: str, language: str, *, bare: bool = True) -> Table:
    """The plural cases of a noun given in the singular; `bare`: with a genitive that has no ending (книга - книг)."""
    many = _plural(word, language, bare=bare)
    if word[-1] in "аяоеь" and many and not word.endswith("ь"):  # книга has no "книгів"
        genitive = tuple(form for form in many["G"] if not form.endswith(("ів", "їв", "ов", "ев")))
        many |= {"G": genitive, "A": (*many["N"], *genitive)}
    return many


def many_in_a(word: str) -> Table:
    """The cases of a plural in -а or -я (рога, копыта), or of what stands behind a numeral; empty for other words."""
    if len(word) < 4 or word[-1] not in "ая":
        return {}
    if word[-1] == "я":
        return _table([word[:-1]], word, N="=", G="ей ів", D="ям", A="= ей ів", I="ями", L="ях", V="=")
    return _table([word[:-1]], word, N="=", G="ов ів -", D="ам", A="=", I="ами", L="ах", V="=")


def _plural(word: str, language: str, *, bare: bool) -> Table:
    rule = noun(word, language)
    if word[-1] in "аяоеь" or (word[-1] == "й" and len(word) > 3):
        stem = word[:-1]
    else:
        stem = rule["G"][0][:-1] if rule.get("G") and rule["G"][0] != word else word
    if word.endswith(("ий", "ый")) or (word[-1] in _VOWELS and word[-1] not in "аяое") or len(stem) < 2:
        return {}
    if language == "uk":
        soft = word[-1] in "яьй" or stem[-1] in "ц"
        ending = "ї" if soft and stem[-1] in _VOWELS else "і" if soft or stem[-1] in _HISSES else "и"
        ending = {"о": "а", "е": "я" if stem[-1] not in _HISSES else "а"}.get(word[-1], ending)
    else:
        ending = "и" if word[-1] in "яьй" or stem[-1] in _BACK or stem[-1] in _HISSES else "ы"
        ending = {"о": "а", "е": "я"}.get(word[-1], ending)
    return (_uk_plural if language == "uk" else _ru_plural)(stem + ending, zero=bare and word[-1] in _VOWELS)
