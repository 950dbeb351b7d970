"""Legal entities: the name counts only beside its legal form, before or behind, short or in full, in any case.

ТОВ «Ладна Пей», «Ладна Пей», ТОВ, Товариства з обмеженою відповідальністю "Ладна Пей", ООО Ладна Пей, Ladna Pay LLC;
not ПАТ «Ладна Пей», which is another company, nor ТОВ «Ладна Пей Плюс». Register numbers: `numbers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from crawler.matching.forms.brands import brand
from crawler.matching.forms.legal_forms import QUOTES, behind, in_front, same, taken_apart
from crawler.matching.forms.name import Name, Span, Written, as_written, plain, refold
from crawler.matching.forms.numbers import number, number_in
from crawler.matching.forms.people import people_of
from crawler.matching.forms.persons import person
from crawler.matching.forms.phrases import LANGUAGES, declined, spelled
from crawler.matching.forms.scripts import CYRILLIC, cyrillised, languages_of, romanised


@dataclass(frozen=True, slots=True)
class _Legal:
    """`kinds` are the legal forms that mean the same; `bare` finds the name without any."""

    kinds: frozenset[str]
    bare: Name
    trader: bool

    def place(self, text: str, start: int, end: int, written: Written) -> Span | None:
        """`Place` of legal entities."""
        front = in_front(text, start)
        if self.trader:
            return self._trader(text, start, end, written, front)
        found = self.bare.place(text, start, end, written)
        after = behind(text, found[1]) if found else None
        if found is None or (after is None and _goes_on(text, start, end)):
            return None
        if front and front[0] in self.kinds:
            return front[1], _closed(text, found[1], front[1])
        return _balanced(text, _opened(text, found[0]), after[1]) if after and after[0] in self.kinds else None

    def _trader(self, text: str, start: int, end: int, written: Written, front: tuple[str, int] | None) -> Span | None:
        """A sole trader is a person behind the legal form; a surname alone will do there, a namesake will not."""
        found = self.bare.place(text, start, end, written)
        front = in_front(text, found[0]) if found else front
        if front is None or front[0] not in self.kinds:
            return None
        if found:
            return front[1], found[1]
        follows = re.match(r" [^\W\d_]+\.?", text[end:])
        named = follows and (follows[0].endswith(".") or written(end + 1, end + 2).isupper())
        return None if named else (front[1], end)


def legal(text: str) -> Name:
    """The legal entity as a Name: a register number, a name with a legal form, or a name alone."""
    folded = plain(text)
    if found := number_in(folded):
        return number(found[1])
    kind, name = taken_apart(folded)
    if kind is None or not name:
        return brand(text)
    kinds = same(kind)
    if kind == "trader" and people_of(name):
        bare = person(name)
        return Name(bare.keys, _Legal(kinds, bare, trader=True).place)
    return Name(refold(_names(name)), _Legal(kinds, Name(frozenset(), as_written), trader=False).place)


def _names(name: str) -> set[str]:
    words = tuple(word.strip("\"'<>,") for word in name.split())
    forms = {name, name.replace('"', ""), " ".join(words), "-".join(words)}
    forms |= {" ".join((*words[:n], '"' + words[n], *words[n + 1 :])) for n in range(1, len(words)) if words[n]}
    if CYRILLIC.search(name):
        forms |= {joint.join(phrase) for phrase in declined(words) for joint in " -"}
        for language in LANGUAGES:
            for row in spelled(words, language)[: None if language in languages_of(name) else 2]:
                forms.update(romanised(" ".join(row), language))
    elif re.fullmatch("[a-z ]+", name):
        for language in LANGUAGES:
            forms.update(cyrillised(name, language))
    return forms


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether the quoted name is longer than what was found: «Ладна Пей Плюс»."""
    if start == 0 or text[start - 1] not in QUOTES or end >= len(text) or text[end] in QUOTES:
        return False
    return re.match(r"[^\"<>.;]{1,60}?[\">]", text[end:]) is not None and not re.match(r"[ ,.]*\"", text[end:])


def _closed(text: str, end: int, start: int) -> int:
    """The closing quotation mark belongs to the name when it was opened within the span."""
    return end + 1 if text[end : end + 1] in tuple(QUOTES) and any(sign in text[start:end] for sign in QUOTES) else end


def _balanced(text: str, start: int, end: int) -> Span:
    """Without a quotation mark at the end that none opened: it is a possessive's, or that of a longer quotation."""
    lone = text[end - 1] in QUOTES and not any(sign in text[start : end - 1] for sign in QUOTES)
    return start, end - lone


def _opened(text: str, start: int) -> int:
    return start - 1 if start and text[start - 1] in QUOTES else start
