"""Register numbers of legal entities: how they are grouped in text, and whether their check digit is right.

EDRPOU (8 digits, Ukraine), RNOKPP (10, Ukrainian tax number of a person), INN (10 and 12), OGRN (13) and OGRNIP (15).
Sources: the published check algorithms of the Ukrainian statistics office and of the Russian tax service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from crawler.matching.forms.name import Name, Span, Written

_WORDS = re.compile(
    r"(?<!\w)(?:єдрпоу|едрпоу|егрпоу|edrpou|рнокпп|rnokpp|іпн|ипн|інн|инн|inn|tin|огрнип|огрн|ogrnip|ogrn|код|code|номер|no)(?!\w)"
)
HELP = "the number as the register of companies has it"
_SMALLEST_FREE = 10
_KINDS = {
    "єдрпоу": "edrpou", "едрпоу": "edrpou", "егрпоу": "edrpou", "edrpou": "edrpou", "рнокпп": "rnokpp",
    "rnokpp": "rnokpp", "іпн": "ipn", "інн": "inn", "инн": "inn", "inn": "inn", "огрнип": "ogrnip", "ogrnip": "ogrnip",
    "огрн": "ogrn", "ogrn": "ogrn",
}  # fmt: skip
_LENGTHS = {"edrpou": (8,), "rnokpp": (10,), "ipn": (10, 12), "inn": (10, 12), "ogrn": (13,), "ogrnip": (15,)}
_BY_LENGTH = {8: ("edrpou",), 10: ("inn", "rnokpp"), 12: ("inn",), 13: ("ogrn",), 15: ("ogrnip",)}
_GROUPS = {
    12: ((2, 2, 6, 2), (4, 4, 4), (3, 3, 3, 3), (2, 2, 2, 2, 2, 2), (4, 6, 2), (2, 10), (6, 6), (2, 2, 8)),
    13: ((1, 3, 3, 3, 3), (1, 2, 2, 8), (1, 2, 2, 2, 5, 1), (1, 2, 2, 7, 1), (4, 4, 5), (3, 3, 3, 4), (5, 4, 4)),
    15: ((3, 3, 3, 3, 3), (1, 2, 2, 2, 8), (1, 2, 2, 9, 1), (5, 5, 5), (4, 4, 4, 3), (3, 4, 4, 4), (1, 2, 2, 10)),
}


def number_in(folded: str) -> tuple[str, str] | None:
    """(kind or "", digits) when the folded text is a register number with or without its word, else None."""
    digits = re.sub(r"[\s-]", "", _WORDS.sub(" ", folded).strip(' :#№.,"'))
    if not digits.isascii() or not digits.isdigit() or not 5 <= len(digits) <= 15:
        return None
    word = _WORDS.search(folded)
    kinds = [_KINDS[found[0]] for found in _WORDS.finditer(folded) if found[0] in _KINDS]
    return ((kinds[0] if kinds else ""), digits) if word or len(digits) in _BY_LENGTH else None


def number(digits: str) -> Name:
    """The number as a Name: as one run of digits, in groups, or with a country or "№" (folded to "no") glued on."""
    keys = {digits, *(" ".join(groups) for groups in _grouped(digits))}
    return Name(frozenset(keys | {prefix + digits for prefix in ("ua", "ru", "no")}), _place)


def _place(text: str, start: int, end: int, written: Written) -> Span | None:
    """Not a part of a longer number, of a sum or of a telephone number."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if re.search(r"\+$|\d[.,]$", before) or re.match(r"[.,]\d", after):
        return None
    if " " in text[start:end] and (re.search(r"\d[ -]$", before) or re.match(r"[ -]\d", after)):
        return None
    return start, end


def _grouped(digits: str) -> Iterator[list[str]]:
    size = len(digits)
    for sizes in _GROUPS.get(size, ()) if size > _SMALLEST_FREE else _splits(size):
        if sum(sizes) == size and len(sizes) > 1:
            place, groups = 0, []
            for one in sizes:
                groups.append(digits[place : place + one])
                place += one
            yield groups


def _splits(size: int) -> Iterator[tuple[int, ...]]:
    """Every way to part a short number into groups of two digits or more."""
    if size >= 2:
        yield (size,)
    for first in range(2, size - 1):
        for rest in _splits(size - first):
            yield (first, *rest)


def number_problem(kind: str, digits: str) -> str | None:
    """What is wrong with a configured number, for people; None when length and check digit are right.

    >>> number_problem("edrpou", "41273854") is None
    True
    """
    kinds = (kind,) if kind else _BY_LENGTH.get(len(digits), ())
    if kind and len(digits) not in _LENGTHS[kind]:
        sizes = " or ".join(map(str, _LENGTHS[kind]))
        return f"{kind.upper()} {digits} has {len(digits)} digits; it must have {sizes}"
    if kinds and not any(_CHECKS[one](digits) for one in kinds):
        name = kind.upper() or "the number"
        return f"{name} {digits} has a wrong check digit, so no document can hold it"
    return None


def _digit(digits: str, weights: Sequence[int], modulus: int = 11) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % modulus


def _edrpou(digits: str) -> bool:
    weights = [7, 1, 2, 3, 4, 5, 6] if 30_000_000 <= int(digits) <= 60_000_000 else [1, 2, 3, 4, 5, 6, 7]
    check = _digit(digits, weights)
    if check == 10:
        check = _digit(digits, [weight + 2 for weight in weights]) % 10
    return check == int(digits[-1])


def _rnokpp(digits: str) -> bool:
    return _digit(digits, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 10 == int(digits[-1])


def _ipn(digits: str) -> bool:
    """A person's number, or the twelve digits of a payer of value added tax, whose check is not published."""
    return len(digits) == 12 or _rnokpp(digits)


def _inn(digits: str) -> bool:
    weights = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    if len(digits) == 10:
        return _digit(digits, weights[2:]) % 10 == int(digits[-1])
    first, second = _digit(digits, weights[1:]) % 10, _digit(digits, weights) % 10
    return (first, second) == (int(digits[-2]), int(digits[-1]))


def _ogrn(digits: str) -> bool:
    return int(digits[:-1]) % (len(digits) - 2) % 10 == int(digits[-1])


_CHECKS: dict[str, Callable[[str], bool]] = {
    "edrpou": _edrpou, "rnokpp": _rnokpp, "ipn": _ipn, "inn": _inn, "ogrn": _ogrn, "ogrnip": _ogrn,
}  # fmt: skip
