"""Persons in text: the surname (or the patronymic) is looked for, and what stands beside it decides.

Иванов Иван Иванович, Ивана Иванова, И. И. Иванов, Иванову И.И., Иваном Ивановичем, Ivan Ivanov, Ivanov I. I.; not
the bare surname, not a namesake with other initials or another patronymic, not parts that do not agree in case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from crawler.matching.forms.brands import brand
from crawler.matching.forms.name import Name, Span, Written, inside_word, refold, stretched_end
from crawler.matching.forms.people import (
    ALL,
    ANY_PATRONYMIC,
    PARTICLES,
    Cases,
    Forms,
    Person,
    bare,
    family_forms,
    genders,
    given_forms,
    languages,
    people_of,
)

_WINDOW = 48
_LONG_DASHES = frozenset("—―⸺⸻")  # these part words, also without blanks
_BEFORE = re.compile(r"([^\W\d_]+(?:['\"-][^\W\d_]+)*)(\.?)( ?)$")
_AFTER = re.compile(r"(,?)( ?)([^\W\d_]+(?:['\"-][^\W\d_]+)*)(\.?)")
_DIGRAPHS = frozenset("ya yu ye yo ia iu ie ja ju je zh kh sh ch ts".split())  # one letter where the name is from
_FAMILY_LIKE = re.compile(r"(?:енк[оау]|чук[ау]?|ськ[а-яії]+|цьк[а-яії]+|ск[а-я]+|[оеє]в[ауы]?|[иії]н[ау]?|ым|им)$")


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int  # with its dot
    text: str
    dotted: bool
    letters: int  # how many letters it has

    @property
    def initial(self) -> bool:
        return self.letters == 1 or (self.dotted and self.text in _DIGRAPHS)


def person(text: str) -> Name:
    """The person as a Name; a single word is a name that counts wherever it stands, in any of its cases."""
    readers = [_Reader(parts) for parts in people_of(text)]
    if not readers:
        return _bare_surname(text)
    keys = refold(set().union(*(reader.keys() for reader in readers)))

    def place(text: str, start: int, end: int, written: Written) -> Span | None:
        found = (reader.place(text, start, end, written) for reader in readers)
        return next(filter(None, found), None)

    return Name(keys, place)


def _bare_surname(text: str) -> Name:
    name = brand(text)
    forms = set(family_forms(text.lower(), "mf")) if text.isalpha() else set()
    return Name(name.keys | refold(forms), name.place)


class _Reader:
    """Tables of one person's parts, and the look at what stands beside the surname or the patronymic."""

    def __init__(self, person: Person) -> None:
        of = languages(person)
        self.given = given_forms(person.given, of)
        self.father = {form: cases for name in person.father.split() for form, cases in given_forms(name, of).items()}
        self.middles = len(person.father.split())
        self.family = family_forms(person.family, genders(person), of)
        self.firsts, self.seconds = _firsts(self.given), _firsts(self.father)
        self.known = bool(person.father)
        self.anchored = self.known and bool(ANY_PATRONYMIC.search(person.father))
        self.person = person

    def keys(self) -> set[str]:
        """The folded surnames, patronymics and glued names; with apostrophes where the name has them."""
        keys = set(self.family) | (set(self.father) if self.anchored else set())
        for part, forms in ((self.person.family, self.family), (self.person.father, self.father)):
            if "'" in part and (part is self.person.family or self.anchored):
                keys |= _with_apostrophe(part, forms)
        pairs = [(given, family) for given in _best(self.given) for family in _best(self.family)]
        pairs = [pair for pair in pairs if pair[0].isascii() == pair[1].isascii()]
        self.glued = {first + last for pair in pairs for first, last in (pair, pair[::-1])}
        return keys | self.glued

    def place(self, text: str, start: int, end: int, written: Written) -> Span | None:
        """`Place` of persons."""
        if inside_word(text, start, end) or stretched_end(text, start, end) is None:
            return None
        if _tied(text, start - 1, written) or _tied(text, end, written):
            return None
        token = bare(text[start:end])
        if token in self.glued:
            return start, end
        if (cases := self.family.get(token)) is not None:
            found = self._before(text, start, cases, written)
            found = found or self._after(text, start, end, cases, written)
            if found:
                return min(start, found[0]), max(end, found[1])
        if self.anchored and (cases := self.father.get(token)) is not None:
            return self._without_family(text, start, end, cases, written)
        return None

    def _before(self, text: str, start: int, cases: Cases, written: Written) -> Span | None:
        """What stands in front of the surname: first name, first name and patronymic, or initials."""
        first = _token_before(text, start)
        if first is None or (first.end == start and not first.dotted):
            return None
        first = self._past_middles(text, first)
        second = _token_before(text, first.start)
        if not first.dotted and self._is_given(first, cases):
            return first.start, start
        if first.initial and not self._capital(first, written):
            return None
        if first.initial and second and second.initial and second.dotted == first.dotted:
            good = second.text in self.firsts and self._is_second(first.text)
            return (second.start, start) if good else None
        if second and not second.dotted and self._is_given(second, cases) and self._is_middle(first, cases):
            return second.start, start
        good = (first.initial and first.text in self.firsts) or self._is_pair(first, written)
        return (first.start, start) if good else None

    def _past_middles(self, text: str, token: _Token) -> _Token:
        """Past particles, and past all middle names or their initials but the first: John Ronald Reuel, J. R. R."""
        left = self.middles - 1
        while (before := _token_before(text, token.start)) is not None:
            particle = token.text in PARTICLES and not token.dotted
            if not particle and not (left > 0 and self._is_middle(token, ALL) and self._is_middle(before, ALL)):
                break
            left -= not particle
            token = before
        return token

    def _after(self, text: str, start: int, end: int, cases: Cases, written: Written) -> Span | None:
        """What stands behind the surname: the same, and with a Latin surname a comma between."""
        first = _token_after(text, end, comma=True)
        if first is None:
            return None
        second = _token_after(text, first.end)
        if text[end] == "," and not (text[start].isascii() or (second and ANY_PATRONYMIC.search(bare(second.text)))):
            return None
        if self._is_given(first, cases):
            if first.dotted or second is None:
                return end, first.end - first.dotted
            return self._with_father(first, second, written)
        if first.initial and first.text in self.firsts and self._capital(first, written):
            two = second and second.initial and second.dotted == first.dotted and self._capital(second, written)
            if second is None or not two:
                return None if self._is_other_family(second, written) else (end, first.end)
            return (end, second.end) if self._is_second(second.text) else None
        return (end, first.end) if self._is_pair(first, written) else None

    def _is_given(self, token: _Token, cases: Cases) -> bool:
        """Whether the token is the first name, in a case that agrees."""
        return not token.initial and bool(self.given.get(bare(token.text), frozenset()) & cases)

    def _with_father(self, first: _Token, second: _Token, written: Written) -> Span | None:
        """Surname, first name, and then what may be a patronymic: a namesake has another one."""
        if second.initial and (second.dotted or self._capital(second, written)) and self.known:
            return (first.start, second.end) if second.text in self.seconds else None
        if bare(second.text) in self.father:
            return first.start, second.end - second.dotted
        if ANY_PATRONYMIC.search(bare(second.text)) and len(second.text) > 5:
            return None if self.anchored else (first.start, second.end - second.dotted)
        return first.start, first.end

    def _without_family(self, text: str, start: int, end: int, cases: Cases, written: Written) -> Span | None:
        """First name and patronymic alone, unless a surname that is not ours stands beside them."""
        first = _token_before(text, start)
        if first is None or first.dotted or text[first.end : start] != " ":
            return None
        if not self.given.get(bare(first.text), frozenset()) & cases:
            return None
        after, before = _token_after(text, end), _token_before(text, first.start)
        if (
            after
            and not after.initial
            and bare(after.text) not in self.family
            and written(after.start, after.end)[:1].isupper()
        ):
            return None
        if before and not before.dotted and _FAMILY_LIKE.search(before.text) and bare(before.text) not in self.family:
            return None if written(before.start, before.end)[:1].isupper() else (first.start, end)
        return first.start, end

    def _is_other_family(self, token: _Token | None, written: Written) -> bool:
        """Whether a surname that is not ours stands there: Максим Г. Петров is not Галкин Максим."""
        if token is None or bare(token.text) in self.family or not _FAMILY_LIKE.search(bare(token.text)):
            return False
        return written(token.start, token.start + 1).isupper()

    def _is_second(self, letter: str) -> bool:
        return letter in self.seconds or not self.known

    def _is_middle(self, token: _Token, cases: Cases) -> bool:
        """Whether the token may stand between first name and surname."""
        if token.initial:
            return self._is_second(token.text)
        word = bare(token.text)
        if word in self.father:
            return bool(self.father[word] & cases) or not self.anchored
        return not self.anchored and not token.dotted and bool(ANY_PATRONYMIC.search(word))

    def _is_pair(self, token: _Token, written: Written) -> bool:
        """Two initials without dots and blanks: Іванов ІІ, RJ Halloway."""
        if token.letters != 2 or not self.known or not written(token.start, token.start + 2).isupper():
            return False
        return token.text[0] in self.firsts and token.text[1] in self.seconds

    def _capital(self, token: _Token, written: Written) -> bool:
        """Whether a single letter is an initial: it has a dot, or is a capital and not a word ("Иванов и Петров")."""
        return token.dotted or written(token.start, token.start + 1).isupper()


def _tied(text: str, place: int, written: Written) -> bool:
    """Whether a hyphen there makes one name of two: Нечуй-Левицький."""
    if not 0 < place < len(text) - 1 or not (text[place - 1].isalpha() and text[place + 1].isalpha()):
        return False
    return text[place] == "-" and written(place, place + 1) not in _LONG_DASHES


def _firsts(forms: Forms) -> frozenset[str]:
    return frozenset(form[:size] for form in forms for size in (1, 2) if size == 1 or form[:2] in _DIGRAPHS)


def _best(forms: Forms) -> list[str]:
    """The dictionary forms: a few of each script that can be the nominative."""
    nominative = [form for form, cases in forms.items() if "N" in cases]
    return [form for form in nominative if not form.isascii()][:4] + [form for form in nominative if form.isascii()][:4]


def _with_apostrophe(part: str, forms: Forms) -> set[str]:
    """Forms with the apostrophe back in its place."""
    place = part.index("'")
    head = bare(part[:place])
    return {form[:place] + "'" + form[place:] for form in forms if form.startswith(head)}


def _token_before(text: str, end: int) -> _Token | None:
    match = _BEFORE.search(text[max(0, end - _WINDOW) : end])
    if match is None:
        return None
    start = max(0, end - _WINDOW) + match.start()
    return _Token(start, start + len(match[1]) + len(match[2]), match[1], bool(match[2]), len(match[1]))


def _token_after(text: str, start: int, *, comma: bool = False) -> _Token | None:
    """The word behind a blank, behind a comma where that is allowed, or right behind a dot."""
    match = _AFTER.match(text, start)
    if match is None or (match[1] and not comma):
        return None
    if not match[2] and (match[1] or start == 0 or text[start - 1] != "."):
        return None
    return _Token(match.start(3), match.end(), match[3], bool(match[4]), match.end(3) - match.start(3))
