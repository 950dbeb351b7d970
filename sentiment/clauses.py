"""A post that names several brands, cut into clauses: which of them each clause speaks of.

Names are replaced by placeholders first, so that everything below treats all names alike: swapped names give swapped
results. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_NAMES: Final = 8
MAX_CLAUSES: Final = 60
LEAST_STEM: Final = 4  # letters of a word without its ending
_NAME: Final = re.compile(r"ent(\d)x")

_FOLD: Final = str.maketrans({"ё": "е", "’": "'", "ʼ": "'", "`": "'", "\x00": " "})
_CYRILLIC_WORD: Final = re.compile(r"[\u0400-\u04ff'-]+")
_LAST: Final = re.compile(r"(?:ами|ями|ой|ей|ом|ем|ею|ою|ий|ый|ая|ия|[аеиоуыьюяйіїє])$")  # of an inflected name
_URL: Final = re.compile(r"(?:https?://|www\.)\S+")
CONTRAST: Final = (
    r"but|while|whereas|although|though|even though|however|yet|instead|luckily|thankfully|on the other hand|unlike|"
    r"но|а вот|а|зато|хотя|однако|тогда как|в то время как|пока|наоборот|хорошо что|слава богу|"
    r"але|проте|зате|хоча|однак|тоді як|натомість|поки|навпаки|добре що|слава богу"
)
_BREAK: Final = re.compile(
    rf"(?P<end>[.!?…;\n]+)|(?P<comma>[,:]|\s[-–—]+\s)|(?P<sign>(?<=[^\w\s.,:;!?\"'()\-])\s*(?=ent\d))"
    rf"|(?<=\s)(?P<but>(?:{CONTRAST}|and the|and then|what(?=\s+ent\d))(?=\s))"
    r"|(?<=\s)(?P<join>(?:and|и|і|й|та)(?=\s+(?:в |у )?ent\d))"
    r"|(?<=\s)(?P<verb>(?:and|и|і|й|та)(?=\s+\w{3,}(?:\s+\w+){0,2}\s+ent\d))"
)
_MARK: Final = re.compile(rf"^(?:{CONTRAST})(?!\w)")
_FIRST: Final = re.compile(
    r"(?<!\w)(?:the (?:first|former)(?: one)?|перв(?:ый|ая|ое|ом|ой)|перш(?:ий|а|е|ому|ій))(?!\w)"
)
_SECOND: Final = re.compile(
    r"(?<!\w)(?:the (?:second|latter|other)(?: one)?|втор(?:ой|ая|ое|ом)|друг(?:ой|ая|ий|а|ому|ій)|інш(?:ий|а))(?!\w)"
)
_BEFORE: Final = re.compile(
    r"(?:via|through|to|with|from|for|over|by|my|a|an|old|broken|через|картой|карткой|карткою|из|з|із|с|со|от|від|до|в|во|"
    r"у|к|на|роутер|ноут|телефон\w*|купоном|мой|мій|сломанный|зламаний|старый|старий) $"
)
_MEANS: Final = re.compile(r"(?:via|through|using|через|с помощью|за допомогою) ent\dx")
SAME: Final = re.compile(
    r"(?:(?:exactly )?the same|as well|(?<!\w)too(?= *$)|то же самое|так же поступил|тоже|также|"
    r"те саме|так само|теж|також)(?!\w)|(?<!\w)(?:потом|потім) (?:и|і|й) ent"
)
NEITHER: Final = re.compile(
    r"(?<!\w)(?:neither ent\dx nor|(?:ни|ні) (?:в |у |от |від |на )?ent\dx,? (?:ни|ні) (?:в |у |от |від |на )?ent\dx)"
)
# "и X, и Y", "ни X, ни Y": one list, whatever follows.
_BOTH_OPEN: Final = re.compile(r"(?<!\w)(?:и|ни|і|й|ні|как|як|neither|both) (?:в |у |от |від |на |к |до )?ent\dx\s*$")
_BOTH_GO_ON: Final = re.compile(r"\s*(?:и|ни|і|й|ні|так и|так і|nor|and) (?:в |у |от |від |на |к |до )?ent\dx")
CALM: Final = re.compile(
    r"unchanged|not part of|no comment|has not seen|next to|floor|не измени\w+|не участву\w+|не видят|этаже|рядом с|"
    r"не змінил\w+|не фігуру\w+|не бачать|поверсі|поруч"
)
_OPENS: Final = re.compile(r"[.!?…:;\n\"«“(—–-]\s*$|(?:^|\s)[@#]\w+\W*$")
_NAMELIKE: Final = re.compile(r"(?<![\w@#])[A-ZА-ЯЁІЇЄҐ][\w'’-]{2,40}")
_HEADS: Final = re.compile(
    r"^ (?:card|voucher|phone|router|laptop|sim|coupon|gift card|account|app|bonus|points|discount)(?!\w)"
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause in placeholders: the names in it (first to last), its sentence, whether it begins with a contrast."""

    text: str
    names: tuple[int, ...]
    sentence: int
    contrast: bool


def forms(name: str) -> re.Pattern[str] | None:
    """The name in any case: Cyrillic words with other endings, Latin ones with a plural or possessive s."""
    folded = " ".join(name.lower().translate(_FOLD).split())
    if not folded:
        return None
    left = r"(?<!\w)" if folded[0].isalnum() else ""
    return re.compile(left + r"\s+".join(_endings(word) for word in folded.split(" ")) + r"(?!\w)")


def _endings(word: str) -> str:
    if not _CYRILLIC_WORD.fullmatch(word):
        return re.escape(word) + r"(?:'?s)?"
    stem = word if len(word) < 5 else _LAST.sub("", word)
    return re.escape(stem) + (r"\w{0,3}" if len(stem) > 3 else r"\w{0,2}" if len(stem) == 3 else "")


def named(text: str, names: Sequence[str]) -> tuple[str, list[int]]:
    """Folded text with every name as a placeholder, and for each name the placeholder that stands for it (-1: absent).

    Two spellings of one brand that match the same words share a placeholder.
    """
    low = _URL.sub(" ", text.lower().translate(_FOLD))
    spots: dict[tuple[int, int], int] = {}
    # The longest first: of "Ladna" and "Ladna Pay" the second must not lose its word to the first.
    for number, name in sorted(enumerate(names[:MAX_NAMES]), key=lambda entry: -len(entry[1])):
        pattern = forms(name)
        for hit in pattern.finditer(low) if pattern else ():
            if not any(start < hit.end() and hit.start() < end for start, end in spots):
                spots[hit.span()] = number
    ordered = sorted(spots.items())
    parts, at = [], 0
    for (start, end), number in ordered:
        parts += [low[at:start], f"ent{number}x"]
        at = end
    present = set(spots.values())
    return "".join([*parts, low[at:]]), [number if number in present else -1 for number in range(len(names))]


def guess(text: str, target: str, common: Callable[[str], bool]) -> list[str]:
    """Words of `text` that look like other names: capitalised inside a sentence, or at its start when not `common`.

    A guess: use it only where what follows from it is plain. At most MAX_NAMES - 1, each once.
    """
    own = forms(target.lstrip("@#"))
    found: dict[str, str] = {}
    for hit in _NAMELIKE.finditer(text):
        low = hit.group().lower().translate(_FOLD)
        opens = not text[: hit.start()].strip() or _OPENS.search(text[: hit.start()])
        if not (own and own.search(low)) and not (opens and _everyday(low, common)):
            found.setdefault(low[:5], hit.group())
    return list(found.values())[: MAX_NAMES - 1] if not text.isupper() else []


def _everyday(low: str, common: Callable[[str], bool]) -> bool:
    """Whether a word that opens a sentence is none but a word: "They're", "Частые" beside "частый"."""
    plain = low.partition("'")[0]
    endings = range(1, min(3, len(plain) - LEAST_STEM) + 1)
    return common(low) or common(plain) or any(common(plain[:-cut]) for cut in endings)


def split(low: str) -> list[Clause]:
    """Clauses in order. A name list ("X, Y and Z") stays in one piece."""
    pieces, at, sentence = [], 0, 0
    for hit in _BREAK.finditer(low):
        word = hit["but"] or hit["join"] or hit["verb"]
        piece = low[at : hit.start()]
        if hit["comma"] and _list_goes_on(piece, low[hit.end() :]):
            continue
        if hit["join"] and not _says_something(piece):
            continue
        if hit["verb"] and not (_NAME.search(piece) and len(bare(piece).split()) > 1):
            continue
        pieces.append((piece, sentence))
        sentence += bool(hit["end"])
        at = hit.start() if word else hit.end()
    pieces.append((low[at:], sentence))
    kept = [(" ".join(text.split()), number) for text, number in pieces]
    return [_clause(text, number) for text, number in kept if text][:MAX_CLAUSES]


def _list_goes_on(before: str, after: str) -> bool:
    if _BOTH_OPEN.search(before) and _BOTH_GO_ON.match(after):
        return True
    return bool(
        re.search(r"ent\dx\s*$", before)
        and re.match(r"\s*(?:and |or |и |или |і |та |чи |ни |ні |nor )?ent\dx\s*(?:,|and|и|і|$)", after)
    )


def _says_something(piece: str) -> bool:
    """ "X one star and Y five" has two verdicts, "X and Y are fine" has one."""
    return bool(_NAME.search(piece)) and not re.search(r"ent\dx\s*$", piece)


def _clause(text: str, sentence: int) -> Clause:
    return Clause(text, names_in(text), sentence, bool(_MARK.search(text)))


def together(clause: Clause) -> bool:
    """Whether its names stand in one list, so that what is said holds for all of them."""
    joint = r"(?:,|and|&|\+|or|nor|и|или|ни|і|й|та|чи|ні|да|что|що|with|с|з|із)"
    return bool(
        re.search(rf"ent\dx,? ?{joint} (?:в |у |от |від |ни |ні )?ent\dx", clause.text)
        or re.search(
            r"(?<!\w)(?:both|neither|either|оба|обе|обидва|обидві|обоє|одинаков\w+|однаков\w+)(?!\w)", clause.text
        )
    )


def subject(clause: Clause) -> int:
    """Of several names the one that the clause speaks of: the first when it acts, else the last."""
    first = _NAME.search(clause.text)
    if first is None:
        return -1
    before, after = clause.text[: first.start()], clause.text[first.end() :]
    if len(before.split()) <= 2 and not _BEFORE.search(before) and not _HEADS.search(after):
        return int(first[1])
    return clause.names[-1]


def subjects(clauses: Sequence[Clause]) -> list[tuple[int, ...]]:
    """For each clause the names that its verdict is about: its own, those of "the first", else the last ones."""
    out: list[tuple[int, ...]] = []
    order = list(dict.fromkeys(name for clause in clauses for name in clause.names))
    current: tuple[int, ...] = ()
    for index, clause in enumerate(clauses):
        if clause.names and current and len(clause.names) == 1 and _MEANS.search(clause.text):
            out.append(current)  # "…, ordered through Y, shameful": Y is only a means
            continue
        if clause.names:
            several = len(clause.names) > 1
            current = clause.names if not several or together(clause) else (subject(clause),)
            out.append(current)
            continue
        pointed = _called(clauses, index) or _pointed(clause.text, order) or _shared(clauses, index)
        if not current and not pointed:  # "Despite the queues, X is great": what comes before belongs to the first name
            current = next(((c.names[0],) for c in clauses[index:] if c.names and c.sentence == clause.sentence), ())
            out.append(current)
            current = ()
            continue
        current = pointed or current
        out.append(current)
    return out


def _called(clauses: Sequence[Clause], index: int) -> tuple[int, ...]:
    """The name alone after this clause: "Thanks for nothing, X"."""
    after = clauses[index + 1] if index + 1 < len(clauses) else None
    alone = after and after.names and after.sentence == clauses[index].sentence and not bare(after.text)
    return after.names if after and alone else ()


def _shared(clauses: Sequence[Clause], index: int) -> tuple[int, ...]:
    """The one name that an earlier clause mentions with a word of this one: "flight X, hotel Y. The hotel was fine"."""
    words = _long_words(clauses[index].text)
    found = [clause.names for clause in clauses[:index] if len(clause.names) == 1 and words & _long_words(clause.text)]
    return found[0] if len(set(found)) == 1 else ()


def _long_words(text: str) -> set[str]:
    return {word[:6] for word in re.findall(r"[^\W\d_]{5,}", bare(text))}


def bare(text: str) -> str:
    """A clause without placeholders, for a reader who should not see whom it speaks of."""
    return " ".join(_NAME.sub(" ", text).split())


def sentences(low: str) -> list[str]:
    """Sentences of text in placeholders."""
    return [part for part in re.split(r"[.!?…;\n]+", low) if part.strip()]


def names_in(text: str) -> tuple[int, ...]:
    """Placeholders of a text, first to last, each once."""
    return tuple(dict.fromkeys(int(hit[1]) for hit in _NAME.finditer(text)))


def leads(clause: Clause) -> bool:
    """Whether a name stands within its first three words."""
    first = _NAME.search(clause.text)
    return first is not None and len(clause.text[: first.start()].split()) <= 2


def acts(clause: Clause) -> bool:
    """Whether its name is what the clause is about, not a means or a place on the way."""
    first = _NAME.search(clause.text)
    return first is not None and not _BEFORE.search(clause.text[: first.start()])


def _pointed(text: str, order: Sequence[int]) -> tuple[int, ...]:
    if len(order) == 2:
        if _FIRST.search(text):
            return (order[0],)
        if _SECOND.search(text):
            return (order[1],)
    return ()
