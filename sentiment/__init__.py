"""Language, tone and intent of posts: the one interface that stages use.

Importing this package is light; the model and its libraries load when an `Analyser` first needs them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.errors import ModelUnavailable
from crawler.model import Analysis, Tone
from sentiment.holder import Holder
from sentiment.spec import ModelSpec

if TYPE_CHECKING:
    from sentiment.intent import IntentResult
    from sentiment.models import Scorer
    from sentiment.reader import Reader
    from sentiment.tone import Probabilities
    from sentiment.toward import Sides, Toward

__all__ = ["Analyser"]

_ROUND = 4  # decimals of stored scores


class Analyser:
    """Tags posts with language, tone and intent. One per process: it holds the only model session.

    `model` is what the config names, or a folder (the built-in model by default), `threads` those of inference
    (cores - 1 by default).
    """

    def __init__(self, model: Path | ModelSpec | None = None, threads: int | None = None) -> None:
        self.spec: ModelSpec = _spec(model)
        self._held = Holder(self.spec, threads)
        self._threads, self._lock = threads, threading.Lock()
        self._reader: Reader | None = None

    @property
    def name(self) -> str:
        """Model and version, as `builtin-1@1a2b3c4d`. Loads the model; raises ModelUnavailable."""
        return self._model().name

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the model, in sentences; nothing of the built-in one. Loads it."""
        told = tuple(getattr(self._model(), "notes", ()))
        return (*told, f"its files changed and are not used: {self.trouble}") if self.trouble else told

    @property
    def trouble(self) -> str:
        """Why files that changed are not the model at work; empty when they are. Loads nothing."""
        return self._held.trouble

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        """One Analysis per text, in order.

        `targets` are the brand's name as it stands in each text (None: the whole text counts), `hints` the languages of
        the threads or sources. Raises ModelUnavailable when the model is missing, corrupt or gives nonsense, and
        ValueError when the lengths differ; no text raises anything.
        """
        try:
            return self._analyse(texts, targets, hints)
        except ModelUnavailable:
            if not self._held.doubted():
                raise
        return self._analyse(texts, targets, hints)

    def _analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None
    ) -> list[Analysis]:
        from sentiment import intent, language
        from sentiment.mend import unlinked

        model, reader = self._model(), self._reading()
        told, texts = texts, _mended(model, texts, targets)
        known = hints if hints is not None else [None] * len(texts)
        languages = [
            language.detect(text, hint, [target] if target else [])
            for text, target, hint in zip(texts, targets, known, strict=True)
        ]
        # Another model learnt from posts as they were written.
        read = told if getattr(model, "reads_raw", False) else [unlinked(text) for text in texts]
        scores, cut = model.scores(read, targets, languages)
        about = _toward(model, texts, targets, languages, reader.toward)
        for row, found in about.items():
            scores[row] = found.tones
        wishes = [
            intent.detect(text, target, _three(scores[row]), about[row].about if row in about else None)
            for row, (text, target) in enumerate(zip(texts, targets, strict=True))
        ]
        wishes = _reread(reader, wishes, texts, targets, languages)
        return [_analysis(languages[i], scores[i], wishes[i], cut[i], model.name) for i in range(len(texts))]

    def _reading(self) -> Reader:
        with self._lock:
            if self._reader is None:
                from sentiment.reader import Reader

                self._reader = Reader(threads=self._threads or 0)
            return self._reader

    def _model(self) -> Scorer:
        self._reading()  # its digest is part of the model's name: without it the name would be another model's
        return self._held.model()


def _spec(model: Path | ModelSpec | None) -> ModelSpec:
    """Which model is meant."""
    if model is None or isinstance(model, ModelSpec):
        return model or ModelSpec()
    return ModelSpec(str(model))


def _mended(model: Scorer, texts: Sequence[str], targets: Sequence[str | None]) -> list[str]:
    """What the author meant to type; every name that a text is asked about stays as it stands."""
    from sentiment.mend import mend

    names: dict[str, set[str]] = {}
    for text, target in zip(texts, targets, strict=True):
        names.setdefault(text, set()).update([target] if target else [])
    return [mend(text, names[text], model.knows) for text in texts]


def _toward(
    model: Scorer, texts: Sequence[str], targets: Sequence[str | None], languages: Sequence[str], read: Sides
) -> dict[int, Toward]:
    """By row: the tone toward its target where the text speaks of several names.

    The names are those that the same text is asked about, else what looks like a name.
    """
    from sentiment import toward

    asked: dict[str, list[int]] = {}
    for row, (text, target) in enumerate(zip(texts, targets, strict=True)):
        if target:
            asked.setdefault(text, []).append(row)
    by_row: dict[int, Toward] = {}
    for text, rows in asked.items():
        names = list(dict.fromkeys(str(targets[row]) for row in rows))
        if len(names) > 1:
            found = toward.tones(text, names, _scorer(model, languages[rows[0]]), read)
        else:
            found = [toward.alone(text, names[0], model.knows)]
        decided = {name: part for name, part in zip(names, found, strict=True) if part}
        by_row |= {row: decided[str(targets[row])] for row in rows if str(targets[row]) in decided}
    return by_row


def _reread(
    reader: Reader,
    wishes: list[IntentResult],
    texts: Sequence[str],
    targets: Sequence[str | None],
    languages: Sequence[str],
) -> list[IntentResult]:
    """Posts whose wording says nothing, in the languages that the reader learnt, are read once more."""
    from sentiment import intent
    from sentiment.reader import LANGUAGES

    rows = [row for row, wish in enumerate(wishes) if intent.calm(wish) and languages[row] in LANGUAGES]
    found = reader.wants([texts[row] for row in rows], [targets[row] for row in rows])
    out = list(wishes)
    for row, margins in zip(rows, found, strict=True):
        out[row] = intent.reread(wishes[row], texts[row], margins)
    return out


def _three(scores: Probabilities) -> tuple[float, float, float]:
    return float(scores[0]), float(scores[1]), float(scores[2])


def _scorer(model: Scorer, language: str) -> Callable[[Sequence[str]], list[tuple[float, float, float]]]:
    def score(parts: Sequence[str]) -> list[tuple[float, float, float]]:
        found = model.scores(parts, [None] * len(parts), [language] * len(parts))[0]
        return [_three(row) for row in found]

    return score


def _analysis(language: str, scores: Probabilities, wish: IntentResult, cut: bool, model: str) -> Analysis:
    tones = {tone.value: round(float(score), _ROUND) for tone, score in zip(_ORDER, scores, strict=True)}
    best = max(_ORDER, key=lambda tone: tones[tone.value])
    return Analysis(
        language=language,
        tone=best,
        tone_scores=tones,
        intent=wish.intent,
        intent_scores={name: round(score, _ROUND) for name, score in wish.scores.items()},
        intent_reason=wish.reason,
        flags=wish.flags,
        confidence=tones[best.value],
        truncated=cut,
        model=model,
    )


_ORDER = (Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE)
