"""`python -m benchmarks.forms [--misses] [--held]`: word forms against the frozen, hand-made set in `tests/forms`.

How the set is written. `= kind seen|held NAME` opens a name as a config would have it; under it
`uk:` and `ru:` give its cases (`|` between cases, `/` between forms of one case), `en:` its Latin spellings;
`xx.first:`, `xx.patr:` and `xx.last:` give the parts of a person's name, which are joined here in the usual orders;
`xx+:` lists spellings (`;` between), each put into a neutral sentence; `xx!` is a sentence with the name in brackets;
`-xx:` is a sentence without the name, close to it on purpose. `xx` is the language of the sentence.
Names marked `held` were not looked at while the rules were written.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path

from benchmarks.row import Row
from crawler.matching import Matcher
from crawler.model import Brand, Entity, EntityKind
from crawler.text import fold

FOLDER = Path(__file__).parent.parent / "tests" / "forms"
GOAL = 0.98

CASES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "uk": (
        ("Сьогодні {} не працює.", "Кажуть, що {} зачиняють."),
        ("Відповіді від {} немає третій день.", "Після {} самі питання."),
        ("Дякую {} за швидку допомогу.", "Я вже писала скаргу {}, мовчать."),
        ("Хто знає {} ближче, напишіть.", "Скаржуся на {} удруге."),
        ("Більше не зв'язуюся з {}.", "Дуже незадоволена {} після вчорашнього."),
        ("Що нового у {} цього тижня?", "На {} тепер надії мало."),
        ("{}, поверніть гроші!", "Слухай, {}, так не можна."),
    ),
    "ru": (
        ("Сегодня {} не отвечает.", "Говорят, что {} закрывают."),
        ("Ответа от {} нет третий день.", "После {} одни вопросы."),
        ("Спасибо {} за быструю помощь.", "Я уже писала жалобу {}, молчат."),
        ("Кто знает {} поближе, напишите.", "Жалуюсь на {} второй раз."),
        ("Больше не связываюсь с {}.", "Очень недовольна {} после вчерашнего."),
        ("О {} пишут разное.", "При {} такого не было."),
    ),
    "en": (("Has anyone tried {} lately?", "I am done with {}, honestly."),),
}
ANY: Mapping[str, str] = {
    "uk": "Друзі, {} — хтось має досвід?",
    "ru": "Ребята, {} — у кого есть опыт?",
    "en": "My letter about {} was never answered.",
}
_ORDERS = ("{F} {L}", "{L} {F}", "{f}. {L}", "{L} {f}.", "{f}.{L}")
_LONG_ORDERS = ("{F} {P} {L}", "{L} {F} {P}", "{f}. {p}. {L}", "{L} {f}. {p}.", "{f}.{p}. {L}", "{L} {f}.{p}.")


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the set: a sentence and where the name stands in it (`span` None: nowhere)."""

    id: str
    kind: EntityKind
    language: str
    held: bool
    name: str
    text: str
    span: tuple[int, int] | None


@dataclass(slots=True)
class _Name:
    kind: EntityKind
    held: bool
    text: str
    parts: dict[str, list[list[str]]] = field(default_factory=dict)
    sentences: list[tuple[str, str, str | None]] = field(default_factory=list)  # language, frame, name in it


@dataclass(slots=True)
class Score:
    """Counts over some rows: names there, names found, hits at a name, hits elsewhere, near misses and those left."""

    wanted: int = 0
    found: int = 0
    exact: int = 0
    right: int = 0
    wrong: int = 0
    near: int = 0
    spared: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0


def lines() -> list[Line]:
    """The whole set, in the order of the files."""
    return [
        Line(f"{path.stem}:{number}:{count}", name.kind, language, name.held, name.text, *_placed(frame, form))
        for path in sorted(FOLDER.glob("*.txt"))
        for number, name in enumerate(_names(path), 1)
        for count, (language, frame, form) in enumerate(dict.fromkeys(chain(name.sentences, _people(name))), 1)
    ]


def _placed(frame: str, form: str | None) -> tuple[str, tuple[int, int] | None]:
    if form is None:
        return frame, None
    start = frame.index("{}")
    return frame.replace("{}", form, 1), (start, start + len(form))


def _names(path: Path) -> Iterator[_Name]:
    name: _Name | None = None
    for row in filter(None, map(str.strip, path.read_text("utf-8").splitlines())):
        if row.startswith("= "):
            if name:
                yield name
            _, kind, half, text = row.split(" ", 3)
            name = _Name(EntityKind(kind), half == "held", text)
        elif not row.startswith("#"):
            assert name is not None, f"{path}: a row before the first name: {row}"
            _read(name, row)
    if name:
        yield name


def _read(name: _Name, row: str) -> None:
    if row.startswith("-"):
        name.sentences.append((row[1:3], row.split(":", 1)[1].strip(), None))
    elif row[2] == "!":
        before, form, after = re.fullmatch(r"(.*)\[(.+)\](.*)", row[3:].strip()).groups()  # type: ignore[union-attr]
        name.sentences.append((row[:2], before + "{}" + after, form))
    elif row[2] == "+":
        name.sentences += [(row[:2], ANY[row[:2]], form.strip()) for form in row.split(":", 1)[1].split(";")]
    elif row[2] == ".":
        key, cases = row.split(":", 1)
        name.parts[key] = [[form.strip() for form in case.split("/")] for case in cases.split("|")]
    elif row.startswith("en:"):
        forms = [form.strip() for form in row[3:].split(";")]
        name.sentences += [("en", frame, form) for form in forms for frame in CASES["en"][0]]
    else:
        table = zip(CASES[row[:2]], row[3:].split("|"), strict=True)
        name.sentences += [
            (row[:2], frame, form.strip())
            for frames, written in table
            for form in written.split("/")
            for frame in frames
        ]


def _people(name: _Name) -> Iterator[tuple[str, str, str | None]]:
    """Declined parts joined in the usual orders: the plain one for every case, three others in turn."""
    for language in ("uk", "ru"):
        given, family = name.parts.get(f"{language}.first"), name.parts.get(f"{language}.last")
        father = name.parts.get(f"{language}.patr", [])
        if not given or not family:
            continue
        orders = _ORDERS[1:] + (_LONG_ORDERS if father else ())
        turn = 0
        for case, frames in enumerate(CASES[language]):
            for first, last, middle in _sets(given[case], family[case], father[case] if father else [""]):
                chosen = [_ORDERS[0], *(orders[(turn + n) % len(orders)] for n in range(3))]
                turn += 3
                for place, order in enumerate(chosen):
                    form = order.format(F=first, L=last, P=middle, f=first[:1], p=middle[:1])
                    yield language, frames[place % len(frames)], form


def _sets(first: list[str], last: list[str], middle: list[str]) -> Iterator[tuple[str, str, str]]:
    for a, b, c in zip_longest(first, last, middle):
        yield a or first[-1], b or last[-1], c or middle[-1]


def score(rows: Sequence[Line]) -> tuple[dict[tuple[str, str, str], Score], list[tuple[Line, list[str]]]]:
    """Scores by (kind, language, half), and the rows that went wrong with what was found in them."""
    scores: dict[tuple[str, str, str], Score] = {}
    wrong: list[tuple[Line, list[str]]] = []
    matchers: dict[tuple[EntityKind, str], Matcher] = {}
    for row in rows:
        key = (row.kind, row.name)
        if key not in matchers:
            matchers[key] = Matcher([Brand("x", (Entity(row.kind, row.name),), version="1", id=1)])
        hits = [hit for match in matchers[key].match(fold(row.text), row.text) for hit in match.hits]
        counts = scores.setdefault((row.kind, row.language, "held" if row.held else "seen"), Score())
        if not _count(counts, row, [(hit.start, hit.end) for hit in hits]):
            wrong.append((row, [hit.form for hit in hits]))
    return scores, wrong


def _count(counts: Score, row: Line, hits: list[tuple[int, int]]) -> bool:
    right = [hit for hit in hits if row.span and hit[0] < row.span[1] and row.span[0] < hit[1]]
    counts.right += len(right)
    counts.wrong += len(hits) - len(right)
    if row.span is None:
        counts.near += 1
        counts.spared += not hits
    else:
        counts.wanted += 1
        counts.found += bool(right)
        counts.exact += any(_bare(row.text, hit) == _bare(row.text, row.span) for hit in right)
    return len(right) == len(hits) and bool(right) == (row.span is not None)


def _bare(text: str, span: tuple[int, int]) -> str:
    """What counts of a span: without quotes, emoji and marks at its ends, and without a possessive."""
    return re.sub(r"^[\W_]+|(['’ʼ`]s)?[\W_]*$", "", text[span[0] : span[1]].replace("\u200b", ""))


def _sum(scores: Sequence[Score]) -> Score:
    counts: Counter[str] = Counter()
    for one in scores:
        counts.update({slot: getattr(one, slot) for slot in Score.__slots__})
    return Score(**counts)


def run() -> Iterator[Row]:
    """Recall and precision of each half of the set, for the common table."""
    scores, _ = score(lines())
    for half in ("seen", "held"):
        total = _sum([one for key, one in scores.items() if key[2] == half])
        yield Row(f"word forms, {half} names: recall", f"{total.recall:.4f}", goal=f">= {GOAL}")
        yield Row(f"word forms, {half} names: precision", f"{total.precision:.4f}", goal=f">= {GOAL}")


def main() -> None:
    """Print a row for each kind and language, seen and held apart; `--misses` lists what went wrong."""
    parser = argparse.ArgumentParser(description="Score word forms against tests/forms.")
    parser.add_argument("--misses", action="store_true", help="list the seen rows that went wrong")
    parser.add_argument("--held", action="store_true", help="with --misses: list the held rows, too")
    options = parser.parse_args()
    rows = lines()
    scores, wrong = score(rows)
    print(f"{len(rows)} rows, {len({(row.kind, row.name) for row in rows})} names\n")
    print("| kind | language | half | names there | recall | precision | same span | near misses left alone |")
    print("|---|---|---|---|---|---|---|---|")
    for key, one in sorted(scores.items()):
        _print_row(key, one)
    for half in ("seen", "held"):
        _print_row(("all", "all", half), _sum([one for key, one in scores.items() if key[2] == half]))
    for row, hits in wrong if options.misses else []:
        if options.held or not row.held:
            print(row.id, row.name, "|", row.text, "|", row.span and row.text[slice(*row.span)], "| got", hits)


def _print_row(key: tuple[str, str, str], one: Score) -> None:
    exact = one.exact / one.found if one.found else 1.0
    print(
        f"| {' | '.join(key)} | {one.wanted} | {one.recall:.3f} | {one.precision:.3f} | {exact:.3f}"
        f" | {one.spared} of {one.near} |"
    )


if __name__ == "__main__":
    main()
