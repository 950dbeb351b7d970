"""Case forms of a phrase: its words agree, or only the first or the last of them change.

Пузата Хата - Пузатої Хати (all agree), Дім Книги - Дому Книги (the first words), Альфа Банк - Альфа Банку (the last).
Each way gives a form a case, so that a phrase of any length has some dozens of forms, none of them cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice, product

from crawler.matching.forms.declension import CASES, NUMERALS, Table, adjective, fixed, many_in_a, merged, noun, plural
from crawler.matching.forms.scripts import languages_of, spellings

Phrase = tuple[str, ...]
_DECLINED = re.compile(r"[а-яіїєґё']{3,}$")
_ADJECTIVE = re.compile(r"(?:ый|ая|яя|ое|ее|ые|[сцз]ьк(?:а|ий|і|е)|ск(?:ий|ая|ие))$")  # and nothing else
_ADJECTIVAL = re.compile(rf"{_ADJECTIVE.pattern}|(?:[иі]й|ой|ие|[аеиоіь][нв]а|..[бкртлпсд]на)$")  # perhaps
# A word alone: "липка" is a noun, though "липкая" is a word, too.
_ALONE_ADJECTIVE = re.compile(rf"{_ADJECTIVE.pattern}|(?:[иі]й|ой|[нвлршщжбч]а|ня|[нв]е|ше|[іїы]|ие)$")
_AND = frozenset("и і й та and".split())
_SHORT = re.compile(r"\w{1,3}$|\w{2}[^аеиоуюяєії]{2}$")  # in other letters such a word is another: Дім - дим
_MANY_WORDS = 5
_MANY_SPELLINGS = 6
LANGUAGES = ("uk", "ru")


def _tables(word: str, language: str, *, last: bool) -> tuple[Table, Table]:
    """The cases of a word as what stands before a noun, and as the noun."""
    if not _DECLINED.match(word):
        return fixed(word), fixed(word)
    as_adjective = adjective(word, language)
    as_noun = {} if as_adjective and _ADJECTIVE.search(word) else noun(word, language)
    if last and _ADJECTIVAL.search(word):
        as_noun = merged(as_noun, as_adjective)
    as_noun = as_noun or as_adjective or fixed(word)
    return as_adjective or as_noun, as_noun


def spelled(words: Sequence[str], language: str) -> list[Phrase]:
    """The phrase in the letters of `language`; a handful where these can be written in several ways."""
    of = languages_of(" ".join(words))
    return list(islice(product(*(spellings(word, language, of) for word in words)), _MANY_SPELLINGS))


def declined(words: Sequence[str], *, many: bool = False) -> dict[Phrase, None]:
    """All forms of the phrase in both languages, as tuples of words, the given one first.

    `many`: a single word also in the plural (Сбербанки), which for a name that is a common word is another thing.
    """
    forms: dict[Phrase, None] = {tuple(words): None}
    alone = len(words) == 1 and _SHORT.match(words[0])
    for language in languages_of(words[0]) if alone else LANGUAGES:
        for row in spelled(words, language):
            if len(row) > 1:
                forms.update(dict.fromkeys(_in_language(row, language)))
            else:
                forms.update(((form,), None) for form in word_table(row[0], language, many=many, bare=False))
    return forms


def _in_language(words: Phrase, language: str) -> Iterator[Phrase]:
    yield words
    tables = [_tables(word, language, last=place == len(words) - 1) for place, word in enumerate(words)]
    if not _AND.isdisjoint(words[1:-1]) or words[0] in NUMERALS:  # Рога и Копыта, Три Кота
        tables = [(before, merged(after, many_in_a(word))) for (before, after), word in zip(tables, words, strict=True)]
    still = [fixed(word) for word in words]
    count = len(words)
    for head in range(1, count + 1) if count <= _MANY_WORDS else (1, 2, count):
        qualified = [*(before for before, _ in tables[: head - 1]), tables[head - 1][1]]
        yield from _agreeing([*qualified, *still[head:]])
        yield from _agreeing([*(after for _, after in tables[:head]), *still[head:]])
        yield from _agreeing([tables[0][0], *still[1:]])
    yield from _agreeing([*still[:-1], tables[-1][1]])


def _agreeing(tables: Sequence[Table]) -> Iterator[Phrase]:
    """Forms case by case. Who writes one word in the older way writes all so: only the last word varies freely."""
    for case in CASES:
        rows = [table.get(case, ()) for table in tables]
        if not all(rows):
            continue
        for way in range(max(map(len, rows[:-1]), default=1)):
            before = tuple(forms[min(way, len(forms) - 1)] for forms in rows[:-1])
            yield from ((*before, form) for form in rows[-1])


def word_table(word: str, language: str, *, many: bool = True, bare: bool = True) -> list[str]:
    """Every form of a word that stands alone; `many`: the plural, too, `bare`: its genitive without an ending, too."""
    if not _DECLINED.match(word):
        return [word]
    tables = [_tables(word, language, last=True)[1]]
    if _ALONE_ADJECTIVE.search(word):
        tables.append(adjective(word, language))
    if many and not _ADJECTIVE.search(word):
        tables.append(plural(word, language, bare=bare))
    forms = dict.fromkeys([word, *(form for table in tables for forms in table.values() for form in forms)])
    if not bare and word[-1] in "иіїы":  # "новость" is not Новости
        forms = {form: None for form in forms if form not in (word[:-1], word[:-1] + "ь")}
    return list(forms)


def foreign(word: str, language: str) -> list[str]:
    """The singular of a name heard from another language; what ends in another vowel than а does not change."""
    if not _DECLINED.match(word) or word[-1] in "еэєиіїоуюы":
        return [word]
    return list(dict.fromkeys([word, *(form for forms in noun(word, language).values() for form in forms)]))
