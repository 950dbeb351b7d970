"""Legal entities: the name counts only beside its legal form, before or behind, short or in full, in any case.

ТОВ «Ладна Пей», «Ладна Пей», ТОВ, Товариства з обмеженою відповідальністю "Ладна Пей", ООО Ладна Пей, Ladna Pay LLC;
not ПАТ «Ладна Пей», which is another company, nor ТОВ «Ладна Пей Плюс». Register numbers: `numbers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from crawler.matching.forms.brands import brand
from crawler.matching.forms.name import Name, Span, Written, as_written, plain, refold
from crawler.matching.forms.numbers import number, number_in
from crawler.matching.forms.people import person_of
from crawler.matching.forms.persons import person
from crawler.matching.forms.phrases import LANGUAGES, declined, spelled
from crawler.matching.forms.scripts import CYRILLIC, cyrillised, languages_of, romanised

_WINDOW = 96
# Legal form -> short forms, and patterns of the words in full. What stands in one row is one legal form.
_FORMS: dict[str, tuple[str, str]] = {
    "slavic llc": (
        "тов тзов ооо tob ooo tov tzov",
        "товариств[а-яі]+ з обмеженою відповідальністю|обществ[а-я]+ с ограниченной ответственностью",
    ),
    "llc": ("llc", "limited liability company"),
    "ltd": ("ltd", "limited"),
    "alc": ("тдв одо", "товариств[а-яі]+ з додатковою відповідальністю|обществ[а-я]+ с дополнительной ответственностью"),
    "pjsc": ("пат пао pjsc", "публічн[а-яії]+ акціонерн[а-яії]+ товариств[а-яі]+|публичн[а-я]+ акционерн[а-я]+ обществ[а-я]+|public joint[ -]stock company"),
    "prjsc": ("прат чао прао prjsc", "приватн[а-яії]+ акціонерн[а-яії]+ товариств[а-яі]+|частн[а-я]+ акционерн[а-я]+ обществ[а-я]+|private joint[ -]stock company"),
    "ojsc": ("ват оао ojsc", "відкрит[а-яії]+ акціонерн[а-яії]+ товариств[а-яі]+|открыт[а-я]+ акционерн[а-я]+ обществ[а-я]+|open joint[ -]stock company"),
    "cjsc": ("зат зао cjsc", "закрит[а-яії]+ акціонерн[а-яії]+ товариств[а-яі]+|закрыт[а-я]+ акционерн[а-я]+ обществ[а-я]+|closed joint[ -]stock company"),
    "jsc": ("ат ао jsc", "акціонерн[а-яії]+ товариств[а-яі]+|акционерн[а-я]+ обществ[а-я]+|joint[ -]stock company"),
    "trader": (
        "фоп флп ип іп спд",
        "фізичн[а-яії]+ ос[оі]б[а-яі]*[ -]+підприєм[а-яі]+|физическ[а-я]+ лиц[а-я]+[ -]+предпринимател[а-я]+|индивидуальн[а-я]+ предпринимател[а-я]+|sole (?:proprietor|trader)",
    ),
    "private": ("пп чп", "приватн[а-яії]+ підприємств[а-яі]+|частн[а-я]+ предприяти[а-я]+|private enterprise"),
    "state": ("дп гп", "державн[а-яії]+ підприємств[а-яі]+|государственн[а-я]+ предприяти[а-я]+|state enterprise"),
    "municipal": ("кп муп", "комунальн[а-яії]+ підприємств[а-яі]+|муниципальн[а-я]+ унитарн[а-я]+ предприяти[а-я]+"),
    "unitary": ("фгуп гуп", "государственн[а-я]+ унитарн[а-я]+ предприяти[а-я]+"),
    "national": ("нак", "національн[а-яії]+ акціонерн[а-яії]+ компані[а-яії]+"),
    "farm": ("фг сфг кфх", "фермерськ[а-яії]+ господарств[а-яі]+|фермерск[а-я]+ хозяйств[а-я]+"),
    "union": ("го бф", "громадськ[а-яії]+ організаці[а-яії]+|благодійн[а-яії]+ фонд[а-яіу]*"),
    "inc": ("inc", "incorporated"),
    "corp": ("corp", "corporation"),
    "co": ("co", "company"),
    "plc": ("plc", "public limited company"),
    "llp": ("llp", "limited liability partnership"),
    "gmbh": ("gmbh", "gesellschaft mit beschränkter haftung|gesellschaft mit beschrankter haftung"),
    "ag": ("ag", "aktiengesellschaft"),
    "kg": ("kg", "kommanditgesellschaft"),
    "sa": ("sa", "société anonyme|sociedad anónima"),
    "sas": ("sas", "société par actions simplifiée"),
    "sarl": ("sarl", "société à responsabilité limitée"),
    "srl": ("srl", "società a responsabilità limitata"),
    "spa": ("spa", "società per azioni"),
    "sl": ("sl", "sociedad limitada"),
    "bv": ("bv", "besloten vennootschap"),
    "nv": ("nv", "naamloze vennootschap"),
    "sro": ("sro", "společnost s ručením omezeným"),
    "spzoo": ("", r"sp\.? ?z ?o\.? ?o\.?|spółka z ograniczoną odpowiedzialnością"),
    "oy": ("oy oyj", "osakeyhtiö"),
    "ab": ("ab", "aktiebolag"),
    "as": ("as", "aksjeselskap"),
    "ou": ("oü", "osaühing"),
    "uab": ("uab", "uždaroji akcinė bendrovė"),
    "sia": ("sia", "sabiedrība ar ierobežotu atbildību"),
}  # fmt: skip
_SAME = {"slavic llc": {"slavic llc", "llc", "ltd"}, "llc": {"llc", "slavic llc"}, "ltd": {"ltd", "slavic llc"}}
_QUOTES = "\"'<>"


def _short(word: str) -> str:
    return rf"{re.escape(word)}|" + r"\. ?".join(map(re.escape, word)) + r"(?:\.|(?!\w))"


def _alternatives() -> str:
    rows = [
        (kind.replace(" ", "_"), "|".join(part for part in (full, *map(_short, short.split())) if part))
        for kind, (short, full) in _FORMS.items()
    ]
    return "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in rows)


_ALL_FORMS = _alternatives()
_IN_FRONT = re.compile(rf"(?<![\w.])(?:{_ALL_FORMS})[ {_QUOTES}]*$")
_BEHIND = re.compile(rf"[{_QUOTES}]* ?,? ?[{_QUOTES}]?(?:{_ALL_FORMS})(?!\w)\.?[{_QUOTES}]?")
_AT_START = re.compile(rf"(?:{_ALL_FORMS})(?!\w)[ ,.]*")
_AT_END = re.compile(rf"[ ,]+(?:{_ALL_FORMS})\.?$")


@dataclass(frozen=True, slots=True)
class _Legal:
    """`kinds` are the legal forms that mean the same; `bare` finds the name without any."""

    kinds: frozenset[str]
    bare: Name
    trader: bool

    def place(self, text: str, start: int, end: int, written: Written) -> Span | None:
        """`Place` of legal entities."""
        front = _in_front(text, start)
        if self.trader:
            return self._trader(text, start, end, written, front)
        found = self.bare.place(text, start, end, written)
        if found is None or _goes_on(text, start, end):
            return None
        if front and front[0] in self.kinds:
            return front[1], _closed(text, found[1], front[1])
        behind = _BEHIND.match(text, found[1])
        if behind and _kind(behind) in self.kinds:
            return _opened(text, found[0]), behind.end()
        return None

    def _trader(self, text: str, start: int, end: int, written: Written, front: tuple[str, int] | None) -> Span | None:
        """A sole trader is a person behind the legal form; a surname alone will do there, a namesake will not."""
        found = self.bare.place(text, start, end, written)
        front = _in_front(text, found[0]) if found else front
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
    kind, name = _taken_apart(folded)
    if kind is None or not name:
        return brand(text)
    kinds = frozenset(_SAME.get(kind, {kind}))
    if kind == "trader" and person_of(name):
        bare = person(name)
        return Name(bare.keys, _Legal(kinds, bare, trader=True).place)
    return Name(refold(_names(name)), _Legal(kinds, Name(frozenset(), as_written), trader=False).place)


def _taken_apart(folded: str) -> tuple[str | None, str]:
    if match := _AT_START.match(folded):
        return _kind(match), folded[match.end() :].strip(" \"'<>,.")
    if match := _AT_END.search(folded):
        return _kind(match), folded[: match.start()].strip(" \"'<>,")
    return None, folded


def _kind(match: re.Match[str]) -> str:
    return next(kind for kind, found in match.groupdict().items() if found).replace("_", " ")


def _names(name: str) -> set[str]:
    words = tuple(word.strip("\"'<>,") for word in name.split())
    forms = {name, name.replace('"', ""), " ".join(words)}
    if CYRILLIC.search(name):
        forms |= {" ".join(phrase) for phrase in declined(words)}
        for language in LANGUAGES:
            for row in spelled(words, language)[: None if language in languages_of(name) else 2]:
                forms.update(romanised(" ".join(row), language))
    elif re.fullmatch("[a-z ]+", name):
        for language in LANGUAGES:
            forms.update(cyrillised(name, language))
    return forms


def _in_front(text: str, start: int) -> tuple[str, int] | None:
    """(legal form, where it starts) right before `start`."""
    low = max(0, start - _WINDOW)
    match = _IN_FRONT.search(text[low:start])
    return (_kind(match), low + match.start()) if match else None


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether the quoted name is longer than what was found: «Ладна Пей Плюс»."""
    if start == 0 or text[start - 1] not in _QUOTES or end >= len(text) or text[end] in _QUOTES:
        return False
    return re.match(r"[^\"<>.;]{1,60}?[\">]", text[end:]) is not None and not re.match(r"[ ,.]*\"", text[end:])


def _closed(text: str, end: int, start: int) -> int:
    """The closing quotation mark belongs to the name when it was opened within the span."""
    return (
        end + 1 if text[end : end + 1] in tuple(_QUOTES) and any(sign in text[start:end] for sign in _QUOTES) else end
    )


def _opened(text: str, start: int) -> int:
    return start - 1 if start and text[start - 1] in _QUOTES else start
