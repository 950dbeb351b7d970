"""Word forms of names: what an entity of the config may look like in text.

`name_of(entity)` gives what the matcher needs: keys for the automaton and a second look at each place where one stands.
Everything is made by rule from the grammar and the scripts of Ukrainian, Russian and English, not from lists of names.
"""

from __future__ import annotations

from functools import lru_cache

from crawler.matching.forms.brands import brand
from crawler.matching.forms.legal import legal
from crawler.matching.forms.name import Name, Place, Written, as_written, plain
from crawler.matching.forms.numbers import HELP, number_in, number_problem
from crawler.matching.forms.persons import person
from crawler.matching.forms.phrases import LANGUAGES, word_table
from crawler.matching.forms.scripts import spellings
from crawler.model import Brand, Entity, EntityKind
from crawler.text import fold

__all__ = ["Name", "Place", "Written", "forms_of", "name_of", "word_forms", "wrong_numbers"]


def name_of(entity: Entity) -> Name:
    """How to find the entity. A text that begins with `=` stands for itself alone."""
    text = entity.text.strip()
    if text.startswith("=") and text[1:].strip():
        return Name(frozenset((fold(text[1:]).strip(),)), as_written)
    if entity.kind is EntityKind.LEGAL:
        return legal(text)
    if entity.kind is EntityKind.PERSON and not text.startswith(("@", "#")):
        return person(text)
    return brand(text, slips=entity.slips)


def forms_of(entity: Entity) -> frozenset[str]:
    """The keys of the entity's Name: every folded form that may begin a hit."""
    return name_of(entity).keys


def wrong_numbers(brand: Brand) -> list[tuple[str, str, str]]:
    """(number as configured, what is wrong, what helps) for register numbers that no document can hold."""
    entities = [entity.text for entity in brand.entities if entity.kind is EntityKind.LEGAL]
    found = [(text, number_in(plain(text))) for text in entities]
    problems = [(text, number_problem(*parts)) for text, parts in found if parts is not None]
    return [(text, f"brand {brand.name!r}: {text!r}: {problem}", HELP) for text, problem in problems if problem]


@lru_cache(maxsize=8192)
def word_forms(word: str) -> frozenset[str]:
    """Case forms, singular and plural, of one folded Cyrillic word in both languages; any other word is its own form.

    >>> {"банк", "банку", "банками"} <= word_forms("банк")
    True
    """
    lowered = plain(word)
    forms = {
        form
        for language in LANGUAGES
        for variant in spellings(lowered, language)
        for form in word_table(variant, language)
    }
    return frozenset({word, *(form.replace("ё", "е") for form in forms)})
