"""Language, tone and intent of posts: the one interface that stages use.

Importing this package is light; the model and its libraries load when an `Analyser` first needs them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.errors import ModelUnavailable
from crawler.model import Analysis, Tone

if TYPE_CHECKING:
    from sentiment.intent import IntentResult
    from sentiment.models import Scorer
    from sentiment.spec import ModelSpec
    from sentiment.tone import Probabilities
    from sentiment.toward import Toward

__all__ = ["Analyser"]

_ROUND = 4  # decimals of stored scores
_RETRY = 60.0  # seconds until a model that failed is tried again, unless its files change before


class Analyser:
    """Tags posts with language, tone and intent. One per process: it holds the only model session.

    `model` is what the config names, or a folder (the built-in model by default), `threads` those of inference
    (cores - 1 by default).
    """

    def __init__(self, model: Path | ModelSpec | None = None, threads: int | None = None) -> None:
        self._wanted, self._threads = model, threads
        self._loaded: Scorer | None = None
        self._seen: object = None  # the files as they were when the model was loaded, or failed
        self._failure: tuple[float, ModelUnavailable] | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Model and version, as `builtin-1@1a2b3c4d`. Loads the model; raises ModelUnavailable."""
        return self._model().name

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the model, in sentences; nothing of the built-in one. Loads it."""
        return tuple(getattr(self._model(), "notes", ()))

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
            if not self._doubted():
                raise
        return self._analyse(texts, targets, hints)

    def _analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None
    ) -> list[Analysis]:
        from sentiment import intent, language
        from sentiment.mend import unlinked

        model = self._model()
        told, texts = texts, _mended(model, texts, targets)
        known = hints if hints is not None else [None] * len(texts)
        languages = [
            language.detect(text, hint, [target] if target else [])
            for text, target, hint in zip(texts, targets, known, strict=True)
        ]
        # Another model learnt from posts as they were written.
        read = told if getattr(model, "reads_raw", False) else [unlinked(text) for text in texts]
        scores, cut = model.scores(read, targets, languages)
        about = _toward(model, texts, targets, languages)
        for row, found in about.items():
            scores[row] = found.tones
        wishes = [
            intent.detect(text, target, _three(scores[row]), about[row].about if row in about else None)
            for row, (text, target) in enumerate(zip(texts, targets, strict=True))
        ]
        return [_analysis(languages[i], scores[i], wishes[i], cut[i], model.name) for i in range(len(texts))]

    def _model(self) -> Scorer:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> Scorer:
        """Hashing a gigabyte each second would be all that a worker with a broken model did: it waits for a change."""
        from sentiment.models import fingerprint, open_model

        spec = self.spec
        seen = fingerprint(spec)
        if self._failure and seen == self._seen and time.monotonic() - self._failure[0] < _RETRY:
            raise ModelUnavailable(str(self._failure[1]))
        self._seen, self._failure = seen, None
        try:
            return open_model(spec, self._threads)
        except ModelUnavailable as error:
            self._failure = time.monotonic(), error
            raise

    def _doubted(self) -> bool:
        """After a failure at work: whether the files were mended since loading; they are read anew then."""
        from sentiment.models import fingerprint

        with self._lock:
            changed = self._loaded is not None and fingerprint(self.spec) != self._seen
            self._loaded = None if changed else self._loaded
            return changed

    @property
    def spec(self) -> ModelSpec:
        """Which model this is."""
        from sentiment.spec import ModelSpec

        if self._wanted is None or isinstance(self._wanted, ModelSpec):
            return self._wanted or ModelSpec()
        return ModelSpec(str(self._wanted))


def _mended(model: Scorer, texts: Sequence[str], targets: Sequence[str | None]) -> list[str]:
    """What the author meant to type; every name that a text is asked about stays as it stands."""
    from sentiment.mend import mend

    names: dict[str, set[str]] = {}
    for text, target in zip(texts, targets, strict=True):
        names.setdefault(text, set()).update([target] if target else [])
    return [mend(text, names[text], model.knows) for text in texts]


def _toward(
    model: Scorer, texts: Sequence[str], targets: Sequence[str | None], languages: Sequence[str]
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
            found = toward.tones(text, names, _scorer(model, languages[rows[0]]))
        else:
            found = [toward.alone(text, names[0], model.knows)]
        decided = {name: part for name, part in zip(names, found, strict=True) if part}
        by_row |= {row: decided[str(targets[row])] for row in rows if str(targets[row]) in decided}
    return by_row


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
