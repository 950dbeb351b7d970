"""First names and patronymics in the other of the two languages, by the sound laws that part them.

Олександр - Александр, Володимир - Владимир, Олена - Елена, Микола - Николай, Дмитро - Дмитрий, Гліб - Глеб. The rules
give more than is in use; the surname beside the name, in a case that agrees, makes up for that.
"""

from __future__ import annotations

import re

_Rules = tuple[tuple[str, tuple[str, ...]], ...]

_STARTS_RU: _Rules = (
    ("^о(?=л)", ("а", "е")), ("^о", ("а",)), ("^воло(?=д)", ("вла",)), ("^ми(?=к)", ("ни",)), ("^га(?=нн)", ("а",)),
    (r"(?<=^\w\w)і(?=\w$)", ("е",)), ("^тетя", ("татья",)), ("^катер", ("екатер",)), ("^хо(?=м)", ("фо",)),
)  # fmt: skip
_ENDS_RU: _Rules = (
    ("тро$", ("тр", "трий")), ("вло$", ("вел",)), ("айло$", ("аил",)),
    ("(?<=[рн])ило$", ("илл", "иил")), ("кола$", ("колай",)), ("лія$", ("лья",)), ("(?<=ге)н$", ("ний",)),
    ("орій$", ("орий",)), ("ій$", ("ей", "ий")), ("ко$", ("к",)), ("айович$", ("аевич",)),
    ("трович$", ("трович", "триевич")), ("айлівна$", ("айловна",)), ("аївна$", ("аевна",)),
    ("трівна$", ("тровна", "триевна")),
)  # fmt: skip
_STARTS_UK: _Rules = (
    ("^але", ("оле",)), ("^еле", ("оле",)), ("^влад(?=им)", ("волод",)), ("^ни(?=к)", ("ми",)), ("^а(?=нн)", ("га",)),
    (r"(?<=^\w\w)е(?=\w$)", ("і",)), ("^татья", ("тетя",)), ("^екатер", ("катер",)), ("^ф(?=ом)", ("х",)),
    ("^е(?=[вг])", ("є",)),
)  # fmt: skip
_ENDS_UK: _Rules = (
    ("трий$", ("тро",)), ("(?<=[её])тр$", ("тро",)), ("вел$", ("вло",)), ("аил$", ("айло",)),
    ("и(?:лл|ил)$", ("ило",)),
    ("колай$", ("кола",)), ("лья$", ("лія",)), ("(?<=ге)ний$", ("н",)), ("аевич$", ("айович",)),
    ("триевич$", ("трович",)),
    ("аевна$", ("аївна",)), ("триевна$", ("трівна",)),
)  # fmt: skip


def counterparts(name: str, language: str) -> list[str]:
    """What `name`, in lower case and of the other language, may be called in `language`; possibly nothing.

    >>> counterparts("володимир", "ru"), counterparts("павел", "uk")
    (['владимир'], ['павло'])
    """
    starts, ends = (_STARTS_RU, _ENDS_RU) if language == "ru" else (_STARTS_UK, _ENDS_UK)
    begun = [name, *_by(starts, name)]
    found = [variant for one in begun for variant in (one, *_by(ends, one))]
    return [variant for variant in dict.fromkeys(found) if variant != name]


def _by(rules: _Rules, name: str) -> list[str]:
    """By the first rule that holds."""
    for pattern, others in rules:
        if re.search(pattern, name):
            return [re.sub(pattern, other, name) for other in others]
    return []
