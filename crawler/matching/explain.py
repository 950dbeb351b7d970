"""Why a brand is found in a text, and why not: every name that stands there, and where its query fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crawler.matching.matcher import Matcher, Sighting, Watch, hits_of, judge_names, query_spots
from crawler.matching.query_eval import Evaluation, Place
from crawler.matching.query_plan import Either, Every, Fact, Leaf, Named, Pair, Step
from crawler.matching.reading import Facts, Reading

_MANY = 5
_LINES = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen in a text, `kept` as a hit or not, and why. Without a place in the text `form` is empty.

    `start` and `end` are offsets in the original.
    """

    brand: str
    kept: bool
    what: str
    form: str
    start: int
    end: int
    why: str

    def __str__(self) -> str:
        place = f"«{self.form}» at {self.start}-{self.end} " if self.form else ""
        return f"{self.brand}: {place}({self.what}): {'counts: ' if self.kept else 'does not count: '}{self.why}"


def explain(matcher: Matcher, folded: str, original: str, facts: Facts | None = None) -> list[Finding]:
    """Everything that speaks for or against each brand of the matcher in one text."""
    reading = Reading(folded, original, facts)
    sightings = matcher.sightings(matcher.scan(folded, wake=True) or {}, reading)
    findings: list[Finding] = []
    for number, watch in enumerate(matcher.watches):
        findings += _of_brand(watch, sightings.get(number, Sighting()), reading)
    findings += _inside_words(matcher, reading)
    return findings


def _of_brand(watch: Watch, sighting: Sighting, reading: Reading) -> Iterator[Finding]:
    name = watch.brand.name
    names = judge_names(watch, sighting, reading)
    spots = query_spots(watch, sighting, names, reading)
    hits = hits_of(watch, names, spots, reading)
    for hit in hits:
        yield Finding(name, True, f"{hit.kind} {hit.entity}", hit.form, hit.start, hit.end, hit.why)
    places = {(hit.start, hit.end) for hit in hits}
    for one in names:
        start, end = reading.source(one.found.span)
        if (start, end) not in places and (not one.kept or not hits):
            why = one.why if not one.kept else "the query decides alone and does not hold"
            what = f"{one.found.entity.kind} {one.found.entity.text}"
            yield Finding(name, False, what, reading.original[start:end], start, end, why)
    if watch.plan is not None and spots is None:
        kept = [one.found.span for one in names if one.kept]
        evaluation = Evaluation(watch.plan.words, reading, sighting.words, kept)
        yield Finding(name, False, "query", "", 0, 0, _lacking(watch.plan.root, evaluation))


def _inside_words(matcher: Matcher, reading: Reading) -> list[Finding]:
    found: dict[tuple[str, int], Finding] = {}
    for brand, span in matcher.inside_words(reading.folded):
        start, end = reading.source(span)
        finding = Finding(brand.name, False, "name", reading.original[start:end], start, end, "part of a longer word")
        known = found.get((brand.name, start))
        if known is None or known.end < end:
            found[brand.name, start] = finding
        if len(found) >= _LINES:
            break
    return list(found.values())


def _lacking(step: Step, evaluation: Evaluation) -> str:
    """Why the step does not hold."""
    if isinstance(step, Every):
        failing = next((part for part in step.parts if evaluation.spots(part) is None), None)
        return _lacking(failing, evaluation) if failing else _forbidden(step, evaluation)
    if isinstance(step, Either):
        if all(isinstance(part, Leaf) for part in step.parts):
            return f"none of {_list([_shown(part) for part in step.parts])} is there"
        return "neither: " + "; nor: ".join(_lacking(part, evaluation) for part in step.parts[:_MANY])
    if isinstance(step, Pair):
        return _apart(step, evaluation)
    if isinstance(step, Named):
        return "no name of the brand counts here" + (f" in the {step.zone}" if step.zone else "")
    return f"the post's fields do not say {step.shown}" if isinstance(step, Fact) else f"{step.shown} is not there"


def _forbidden(step: Every, evaluation: Evaluation) -> str:
    for part in step.nots:
        spots = evaluation.spots(part)
        if spots is not None:
            where = f" «{evaluation.reading.written((spots[0].start, spots[0].end))}» stands there" if spots else ""
            return f"excluded by NOT {_shown(part)}:{where or ' the fields of the post say so'}"
    return "it holds"


def _apart(step: Pair, evaluation: Evaluation) -> str:
    lefts, rights = evaluation.places(step.left), evaluation.places(step.right)
    if not lefts or not rights:
        return _lacking(step.right if lefts else step.left, evaluation)
    gap, left, right = min((_gap(a, b), a, b) for a in lefts[:200] for b in rights[:200])
    texts = [evaluation.reading.written((p.spots[0].start, p.spots[-1].end)) for p in (left, right)]
    order = f", «{texts[0]}» first" if step.ordered else ""
    return f"«{texts[0]}» and «{texts[1]}» have {gap} words between them: {step.distance} at most are wanted{order}"


def _gap(left: Place, right: Place) -> int:
    return max(0, right.first - left.last - 1, left.first - right.last - 1)


def _shown(step: Step) -> str:
    if isinstance(step, Either | Every):
        return f"({_list([_shown(part) for part in step.parts])})"
    return step.shown


def _list(texts: list[str]) -> str:
    more = f" and {len(texts) - _MANY} more" if len(texts) > _MANY else ""
    return ", ".join(texts[:_MANY]) + more
