"""Legal forms of companies: short forms, the words in full in any case, and how they are recognised beside a name.

What stands in one row is one legal form: ТОВ, ООО and "общество с ограниченной ответственностью" say the same. Sources:
the commercial codes of Ukraine and Russia, and the forms that European registers use.
"""

from __future__ import annotations

import re

QUOTES = "\"'<>"
_WINDOW = 96
_U, _R = "[а-яії]+", "[а-я]+"


def _stock(uk: str, ru: str, en: str) -> str:
    """The words of a joint-stock company whose sort is named by an adjective's stem."""
    words = (f"{uk}{_U} акціонерн{_U} товариств{_U}", f"{ru}{_R} акционерн{_R} обществ{_R}")
    return "|".join((*words, f"{en} joint[ -]stock company"))


def _liability(uk: str, ru: str) -> str:
    return f"товариств{_U} з {uk} відповідальністю|обществ{_R} с {ru} ответственностью"


_TRADER = "|".join(
    (
        f"фізичн{_U} ос[оі]б{_U}[ -]+підприєм{_U}",
        f"фізичн{_U} осіб[ -]+підприєм{_U}",
        f"физическ{_R} лиц{_R}[ -]+предпринимател{_R}",
        f"индивидуальн{_R} предпринимател{_R}",
        "sole (?:proprietor|trader)",
    )
)
_FORMS: dict[str, tuple[str, str]] = {
    "slavic llc": ("тов тзов ооо tob ooo tov tzov", _liability("обмеженою", "ограниченной")),
    "llc": ("llc", "limited liability company"),
    "ltd": ("ltd", "limited"),
    "alc": ("тдв одо", _liability("додатковою", "дополнительной")),
    "pjsc": ("пат пао pjsc pat pao", _stock("публічн", "публичн", "public")),
    "prjsc": ("прат чао прао prjsc prat", _stock("приватн", "частн", "private")),
    "ojsc": ("ват оао ojsc oao", _stock("відкрит", "открыт", "open")),
    "cjsc": ("зат зао cjsc zao", _stock("закрит", "закрыт", "closed")),
    "jsc": ("ат ао jsc ao", f"акціонерн{_U} товариств{_U}|акционерн{_R} обществ{_R}|joint[ -]stock company"),
    "trader": ("фоп флп ип іп спд", _TRADER),
    "private": ("пп чп", f"приватн{_U} підприємств{_U}|частн{_R} предприяти{_R}|private enterprise"),
    "state": ("дп гп", f"державн{_U} підприємств{_U}|государственн{_R} предприяти{_R}|state enterprise"),
    "municipal": ("кп муп", f"комунальн{_U} підприємств{_U}|муниципальн{_R} унитарн{_R} предприяти{_R}"),
    "unitary": ("фгуп гуп", f"государственн{_R} унитарн{_R} предприяти{_R}"),
    "national": ("нак", f"національн{_U} акціонерн{_U} компані{_U}"),
    "farm": ("фг сфг кфх", f"фермерськ{_U} господарств{_U}|фермерск{_R} хозяйств{_R}"),
    "union": ("го бф", f"громадськ{_U} організаці{_U}|благодійн{_U} фонд{_U}"),
    "inc": ("inc", "incorporated"),
    "corp": ("corp", "corporation"),
    "co": ("co", "company"),
    "plc": ("plc", "public limited company"),
    "llp": ("llp", "limited liability partnership"),
    "gmbh co": ("", r"gmbh ?& ?co\.? ?kg(?:aa)?"),
    "gmbh": ("gmbh", "gesellschaft mit beschr(?:ä|ae?)nkter haftung"),
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
}
# The same in another language, or the same company before and after the laws that renamed joint-stock companies.
_SAME = {
    "slavic llc": {"slavic llc", "llc", "ltd"},
    "llc": {"llc", "slavic llc"},
    "ltd": {"ltd", "slavic llc"},
    "jsc": {"jsc", "pjsc", "prjsc", "ojsc", "cjsc"},
    "pjsc": {"pjsc", "jsc", "ojsc"},
    "prjsc": {"prjsc", "jsc", "cjsc"},
    "ojsc": {"ojsc", "jsc", "pjsc"},
    "cjsc": {"cjsc", "jsc", "prjsc"},
}
# What may stand between legal form and name: ТОВ ФК «Ладна», АТ КБ «Ладна», ООО «Торговый дом «Ладна».
_TRADE = (
    "кб|cb|акб|тд|тк|нвп|нпп|нпо|пкф|ск|фк|ук|гк|мкк|мфк|нвф|вкф|фірм[аиоіу]+|фирм[аеойуы]+|"
    f"(?:(?:фінансов|страхов|торгов|будівельн|транспортн){_U} )?компані{_U}|"
    f"(?:(?:финансов|страхов|торгов|строительн|транспортн){_R} )?компани{_R}|"
    f"торгов{_U} (?:дім|дом{_U})|торгов{_R} дом[аоуме]*|комерційн{_U} банк[аоуміве]*|коммерческ{_R} банк[аоуме]*"
)


def _short(word: str) -> str:
    """The short form as one word, or with a dot behind each letter."""
    return rf"{word}|" + r"\. ?".join(word) + r"(?:\.|(?!\w))"


def _alternatives() -> str:
    rows = [
        (kind.replace(" ", "_"), "|".join(part for part in (full, *map(_short, short.split())) if part))
        for kind, (short, full) in _FORMS.items()
    ]
    return "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in rows)


_ALL = _alternatives()
_IN_FRONT = re.compile(rf"(?<![\w.])(?:{_ALL})(?:[ {QUOTES}]+(?:{_TRADE}))?[ {QUOTES}]*$")
_BEHIND = re.compile(rf"[{QUOTES}]* ?,? ?[{QUOTES}]?(?:{_ALL})(?!\w)\.?[{QUOTES}]?")
_AT_START = re.compile(rf"(?:{_ALL})(?!\w)[ ,.]*(?:[ {QUOTES}]*(?:{_TRADE})(?=[ {QUOTES}]))?")
_AT_END = re.compile(rf"[ ,]+(?:{_ALL})\.?$")


def taken_apart(folded: str) -> tuple[str | None, str]:
    """(legal form or None, name without it and without quotes) of a configured legal entity."""
    if match := _AT_START.match(folded):
        return _kind(match), folded[match.end() :].strip(" \"'<>,.")
    if match := _AT_END.search(folded):
        return _kind(match), folded[: match.start()].strip(" \"'<>,")
    return None, folded


def same(kind: str) -> frozenset[str]:
    """The legal forms that say the same as `kind` in another language."""
    return frozenset(_SAME.get(kind, {kind}))


def in_front(text: str, start: int) -> tuple[str, int] | None:
    """(legal form, where it starts) right before `start`, with quotes or blanks between."""
    low = max(0, start - _WINDOW)
    match = _IN_FRONT.search(text[low:start])
    return (_kind(match), low + match.start()) if match else None


def behind(text: str, end: int) -> tuple[str, int] | None:
    """(legal form, where it ends) right behind `end`."""
    match = _BEHIND.match(text, end, end + _WINDOW)
    return (_kind(match), match.end()) if match else None


def _kind(match: re.Match[str]) -> str:
    return next(kind for kind, found in match.groupdict().items() if found).replace("_", " ")
