"""Lessons: corrections become deltas of tone and intent, tried on sentences of our own before they are put in force.

`learn` makes a lesson, `Taught` shows any model as its lesson makes it. Nothing of the model itself is changed: without
a lesson, or with another model than the one it was made for, the outputs are those of the model bit for bit.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol
from zipfile import BadZipFile

import numpy as np

from crawler.model import Analysis, Intent, Tone
from sentiment.learning import Array, Delta, Example, probabilities, shown, trial
from sentiment.memory import PARTS, Memory, name_of, remembered
from sentiment.voter import BUCKETS, Floats, Voter

RECIPE: Final = 2  # counts up when the same corrections would give another lesson
GUARD: Final = Path(__file__).parent / "guard.jsonl"
_VOTER: Final = Path(__file__).parent / "model" / "voter.npz"
HEADS: Final[Mapping[str, tuple[str, ...]]] = {
    "tone": tuple(tone.value for tone in Tone),
    "intent": tuple(intent.value for intent in Intent),
}
_KEPT: Final = "kept_"  # before the arrays of a memory
USES: Final = ("replay", "guard")
_MOST: Final = 2_000_000  # entries of a stored delta; one with more was not made here
_ROUND: Final = 4


class Judge(Protocol):
    """What tags texts; `sentiment.Analyser` does."""

    @property
    def name(self) -> str: ...

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]: ...


@dataclass(frozen=True, slots=True)
class Taught:
    """One post with what is right of it; None where nobody said."""

    text: str
    target: str | None
    language: str
    tone: str | None = None
    intent: str | None = None

    def label(self, head: str) -> int | None:
        """The class of "tone" or "intent"."""
        said = self.tone if head == "tone" else self.intent
        return None if said is None else HEADS[head].index(said)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One version: its key, the model it was made for, what trying it gave, and by "tone" and "intent" the delta and
    the memory in force.
    """

    key: str
    model: str
    deltas: Mapping[str, Delta] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)

    @property
    def in_force(self) -> bool:
        """Whether it changes anything."""
        return bool(self.deltas or self.memories)

    @property
    def version(self) -> str:
        """Eight digits, as in `builtin-1@4db42c4f+1f0c93aa`."""
        return self.key[:8]

    def scores(self, head: str, post: Example) -> Array:
        """The probabilities (classes,) of "tone" or "intent" of one post as this lesson makes them."""
        moved, memory = probabilities(self.deltas.get(head), post), self.memories.get(head)
        return memory.apply(moved, post) if memory else moved

    def packed(self) -> bytes:
        """Deltas and memories as bytes; the same ones give the same bytes."""
        parts: dict[str, Any] = {}
        for head, delta in self.deltas.items():
            parts |= {f"{head}.index": delta.index.astype(np.int32), f"{head}.weights": delta.weights}
            shifts = json.dumps({name: list(values) for name, values in delta.shifts.items()}, sort_keys=True)
            parts[f"{head}.shifts"] = np.frombuffer(shifts.encode(), dtype=np.uint8)
        for head, memory in self.memories.items():
            parts |= {f"{head}.{_KEPT}{name}": part for name, part in memory.parts().items()}
        buffer = io.BytesIO()
        np.savez(buffer, **parts)
        return buffer.getvalue()

    @classmethod
    def unpacked(cls, key: str, model: str, data: bytes, figures: Mapping[str, Any]) -> Lesson:
        """The lesson of `packed`. Raises ValueError on bytes that are none."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as parts:
                deltas = {head: _delta(head, parts) for head in _heads(parts, "index")}
                memories = {head: _memory(head, parts) for head in _heads(parts, f"{_KEPT}index")}
        except (OSError, KeyError, TypeError, AttributeError, EOFError, BadZipFile) as error:
            raise ValueError(f"lesson {key[:8]}: {error}") from error
        return cls(key, model, deltas, figures, memories)


def _heads(parts: Any, name: str) -> list[str]:
    """The heads that have such an array. Raises ValueError for one that is none of ours."""
    found = sorted(file.split(".")[0] for file in parts.files if file.partition(".")[2] == name)
    if strange := set(found) - set(HEADS):
        raise ValueError(f"lesson of {', '.join(sorted(strange))}")
    return found


def _memory(head: str, parts: Any) -> Memory:
    return Memory.from_parts({name: parts[f"{head}.{_KEPT}{name}"] for name in PARTS}, len(HEADS[head]))


def _delta(head: str, parts: Any) -> Delta:
    index, weights = parts[f"{head}.index"].astype(np.int64), parts[f"{head}.weights"]
    shifts = json.loads(parts[f"{head}.shifts"].tobytes())
    classes = len(HEADS[head])
    if weights.shape != (len(index), classes) or len(index) > _MOST or not np.isfinite(weights).all():
        raise ValueError(f"weights {weights.shape} of {head}")
    if len(index) and not (index.min() >= 0 and index.max() < BUCKETS and (np.diff(index) > 0).all()):
        raise ValueError(f"index of {head}")
    return Delta(index, weights.astype(np.float32), {name: tuple(values) for name, values in shifts.items()})


@cache
def weights_of_words() -> Floats:
    """The built-in voter's idf: which features a delta stands on, whatever the model is."""
    return Voter.load(_VOTER).idf


@cache
def _ground() -> str:
    """Digest of what every lesson stands on: the recipe, the features, the guard."""
    parts = (str(RECIPE).encode(), weights_of_words().tobytes(), GUARD.read_bytes())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def key_of(model: str, rows: Sequence[Taught]) -> str:
    """The digest of all that a lesson is made of; the order of the corrections is none of it."""
    said = sorted((r.text, r.target or "", r.language, r.tone or "", r.intent or "") for r in rows)
    whole = json.dumps([_ground(), model, said], ensure_ascii=True)
    return hashlib.sha256(whole.encode()).hexdigest()


@cache
def guard() -> tuple[tuple[Taught, str], ...]:
    """Our own sentences, and what each is for: "replay" is learnt along, "guard" must stay as good as it was."""
    rows = [json.loads(line) for line in GUARD.read_text("utf-8").splitlines()]
    return tuple((Taught(*(r[k] for k in ("text", "target", "language", "tone", "intent"))), r["use"]) for r in rows)


def learn(judge: Judge, rows: Sequence[Taught]) -> Lesson:
    """The lesson of these corrections, tried and in force only where it does no harm.

    Rows that say the same of one text and target count once. Raises ModelUnavailable as the judge does.
    """
    ordered = sorted(set(rows), key=lambda r: (r.text, r.target or "", r.language, r.tone or "", r.intent or ""))
    own, known = _examples(judge, ordered), guard()
    ours = _examples(judge, [row for row, _ in known])
    deltas: dict[str, Delta] = {}
    memories: dict[str, Memory] = {}
    figures: dict[str, Any] = {}
    for head in HEADS:
        use = {part: [e[head] for e, (_, u) in zip(ours, known, strict=True) if u == part] for part in USES}
        mine = [e[head] for e in own if head in e]
        tried = trial(mine, use["replay"], use["guard"], len(HEADS[head]))
        memory, copies = remembered(mine, use["guard"], tried.delta)
        figures[head] = {**tried.figures(), **copies}
        deltas |= {head: tried.delta} if tried.delta is not None else {}
        memories |= {head: memory} if memory is not None else {}
    return Lesson(key_of(judge.name, rows), judge.name, deltas, figures, memories)


def _examples(judge: Judge, rows: Sequence[Taught]) -> list[dict[str, Example]]:
    """By row, an example for each head that was judged."""
    given = judge.analyse([r.text for r in rows], [r.target for r in rows], [r.language for r in rows])
    idf, made = weights_of_words(), []
    for row, analysis in zip(rows, given, strict=True):
        index, values = shown(row.text, row.target, idf)
        made.append(
            {
                head: Example(
                    index, values, analysis.language, _scores(analysis, head), label, target=name_of(row.target)
                )
                for head in HEADS
                if (label := row.label(head)) is not None and len(index)
            }
        )
    return made


def _scores(analysis: Analysis, head: str) -> tuple[float, ...]:
    scores = analysis.tone_scores if head == "tone" else analysis.intent_scores
    return tuple(float(scores.get(name, 0.0)) for name in HEADS[head])


class Pupil:
    """A judge as its lesson makes it. Without one, or with one for another model, the judge itself."""

    def __init__(self, judge: Judge, lesson: Lesson | None = None) -> None:
        self.judge, self.lesson = judge, lesson

    @property
    def name(self) -> str:
        """The model with the version of what it learnt: `builtin-1@4db42c4f+1f0c93aa`."""
        name = self.judge.name
        return f"{name}+{self.lesson.version}" if self._fits(name) and self.lesson else name

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        """As the judge's, moved by the lesson."""
        found = self.judge.analyse(texts, targets, hints)
        if not found or self.lesson is None or not self._fits(found[0].model):
            return found
        return [self._moved(*row) for row in zip(found, texts, targets, strict=True)]

    def _fits(self, model: str) -> bool:
        return self.lesson is not None and self.lesson.in_force and self.lesson.model == model

    def _moved(self, analysis: Analysis, text: str, target: str | None) -> Analysis:
        assert self.lesson is not None  # _fits says so
        (index, values), about = shown(text, target, weights_of_words()), name_of(target)
        model = f"{analysis.model}+{self.lesson.version}"
        if not len(index):
            return replace(analysis, model=model)
        moved: dict[str, Any] = {"model": model}
        for head in sorted({*self.lesson.deltas, *self.lesson.memories}, reverse=True):
            given = _scores(analysis, head)
            scores = self.lesson.scores(head, Example(index, values, analysis.language, given, 0, target=about))
            named = {name: round(float(score), _ROUND) for name, score in zip(HEADS[head], scores, strict=True)}
            moved |= _read(head, named, analysis)
        return replace(analysis, **moved)


def _read(head: str, scores: dict[str, float], analysis: Analysis) -> dict[str, Any]:
    best = max(scores, key=lambda name: scores[name])
    if head == "tone":
        return {"tone": Tone(best), "tone_scores": scores, "confidence": scores[best]}
    reason = analysis.intent_reason if best == analysis.intent else "as corrected posts like it"
    return {"intent": Intent(best), "intent_scores": scores, "intent_reason": reason}


__all__ = ["Judge", "Lesson", "Pupil", "Taught", "guard", "key_of", "learn"]
