"""What corrections teach: a small delta over the linear voter's hashed features, added to the logits of any model.

The delta is a ridge logistic regression on top of what the model already says, so that without corrections nothing
changes, and fitting needs neither torch nor the training data. The shipped files are never touched. Same corrections,
same model, same delta: a lesson is named by the digest of all that it was made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sentiment.prepare import views, window
from sentiment.voter import Floats, Ints, features

RIDGE: Final = 0.003
FEW: Final = 60  # so many corrections are few: the ridge is twice as strong
HARDLY_ANY: Final = 30  # so few that luck looks like a lesson: at most their share of this is the strength
LUCK: Final = 2.0  # standard errors that the gain on left-out corrections must have
LEAST: Final = 3
EVEN: Final = 3.0  # added to the count of each class, so that a class never seen does not weigh without bound
REPLAY: Final = 1.0  # what all known sentences weigh beside all corrections
STRENGTHS: Final = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)
FOLDS: Final = 5
MANY: Final = 400  # corrections above which two folds must do
SLACK: Final = 100  # one known sentence in so many may turn, and their log loss may grow by one part in as many
STEPS: Final = 80  # of the fit: the loss is smooth and strongly convex, more change nothing that is read
ENTRIES: Final = 500_000  # features of all examples together: about a thousand posts, and 3 s of one core
TINY: Final = 1e-9  # no probability is less
BIAS: Final = 0.3  # how much the common shift counts beside the words

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """One judged post: its features, its language, what the model gave (probabilities), and the right class.

    `target` tells names apart that posts are asked about (see `sentiment.memory.name_of`).
    """

    index: Ints
    values: Floats
    language: str
    given: tuple[float, ...]
    label: int
    weight: float = 1.0
    target: int = 0


def shown(text: str, target: str | None, idf: Floats) -> tuple[Ints, Floats]:
    """The features of a post: of a long one the part that the encoder reads, so that no post outweighs the others."""
    view = views(text, target)
    return features(view.encoder if target else window(view.voter, None)[0], idf)


@dataclass(frozen=True, slots=True)
class Delta:
    """Sparse weights: `index` (n,) sorted buckets, `weights` (n, classes), and shifts (classes,) by language.

    The shift of the language "" counts for every post.
    """

    index: Ints
    weights: Floats
    shifts: Mapping[str, tuple[float, ...]]

    def move(self, index: Ints, values: Floats, language: str) -> Array:
        """What the delta adds to the logits of one post, (classes,)."""
        classes = self.weights.shape[1]
        none = (0.0,) * classes
        moved: Array = np.array(self.shifts.get("", none)) + np.array(self.shifts.get(language, none))
        if not len(self.index):
            return moved
        place = np.minimum(np.searchsorted(self.index, index), len(self.index) - 1)
        known = self.index[place] == index
        moved += values[known].astype(np.float64) @ self.weights[place[known]].astype(np.float64)
        return moved

    def apply(self, given: Array, index: Ints, values: Floats, language: str) -> Array:
        """The probabilities of one post as corrected, (classes,)."""
        found: Array = softmax((np.log(np.maximum(given, TINY)) + self.move(index, values, language))[None])[0]
        return found

    def scaled(self, share: float) -> Delta:
        """The same, weaker."""
        shifts = {name: tuple(share * value for value in shift) for name, shift in self.shifts.items()}
        return Delta(self.index, (self.weights * np.float32(share)).astype(np.float32), shifts)


def softmax(logits: Array) -> Array:
    """Row-wise."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Array = powers / powers.sum(axis=1, keepdims=True)
    return result


@dataclass(slots=True)
class _Table:
    """Examples as one sparse matrix: entries of a row stand together."""

    index: Ints
    columns: Ints
    values: Array
    starts: Ints
    base: Array
    truth: Array
    weights: Array
    groups: Array
    names: list[str]

    @classmethod
    def of(cls, examples: Sequence[Example], classes: int) -> _Table:
        every = np.concatenate([example.index for example in examples])
        index, columns = np.unique(every, return_inverse=True)
        sizes = [len(example.index) for example in examples]
        names = ["", *sorted({example.language for example in examples})]
        groups = np.zeros((len(examples), len(names)))
        groups[:, 0] = BIAS
        for row, example in enumerate(examples):
            groups[row, names.index(example.language)] = BIAS
        weights = np.array([example.weight for example in examples])
        return cls(
            index,
            columns,
            np.concatenate([example.values for example in examples]).astype(np.float64),
            np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64),
            np.log(np.maximum(np.array([example.given for example in examples]), TINY)),
            np.eye(classes)[[example.label for example in examples]],
            weights / weights.sum(),
            groups,
            names,
        )

    def logits(self, weights: Array, shifts: Array) -> Array:
        moved = np.add.reduceat(self.values[:, None] * weights[self.columns], self.starts, axis=0)
        return np.asarray(self.base + moved + self.groups @ shifts)

    def gradient(self, weights: Array, shifts: Array) -> tuple[Array, Array]:
        error = (softmax(self.logits(weights, shifts)) - self.truth) * self.weights[:, None]
        rows = np.repeat(np.arange(len(error)), np.diff([*self.starts, len(self.values)]))
        spread = self.values[:, None] * error[rows]
        size = len(self.index)
        back = [np.bincount(self.columns, spread[:, k], size) for k in range(error.shape[1])]
        return np.stack(back, axis=1), self.groups.T @ error


def fit(examples: Sequence[Example], classes: int, ridge: float) -> Delta:
    """The delta that these examples ask for, by Nesterov's method; every example must have a feature."""
    table = _Table.of(examples, classes)
    weights, shifts = np.zeros((len(table.index), classes)), np.zeros((len(table.names), classes))
    ahead, ahead_shifts = weights, shifts
    step = 1.0 / (1.0 + BIAS**2 + ridge)
    root = np.sqrt(ridge * step)
    speed = (1 - root) / (1 + root)
    for _ in range(STEPS):
        slope, slope_shifts = table.gradient(ahead, ahead_shifts)
        fresh = ahead - step * (slope + ridge * ahead)
        fresh_shifts = ahead_shifts - step * (slope_shifts + ridge * ahead_shifts)
        ahead, ahead_shifts = fresh + speed * (fresh - weights), fresh_shifts + speed * (fresh_shifts - shifts)
        weights, shifts = fresh, fresh_shifts
    kept = {name: tuple(float(BIAS * value) for value in shifts[i]) for i, name in enumerate(table.names)}
    return Delta(table.index, weights.astype(np.float32), kept)


def balanced(examples: Sequence[Example], classes: int) -> list[Example]:
    """The same with weights by which each class counts alike: most posts are neutral, and the others are wanted."""
    counts = np.bincount([example.label for example in examples], minlength=classes) + EVEN
    weights = counts.sum() / counts
    return [replace(example, weight=float(weights[example.label])) for example in examples]


def taught(own: Sequence[Example], replay: Sequence[Example], classes: int) -> Delta:
    """The delta of corrections, held by sentences that are known: few corrections move little."""
    mine = balanced(own, classes)
    held = balanced(replay, classes)
    share = REPLAY * sum(e.weight for e in mine) / max(TINY, sum(e.weight for e in held))
    held = [replace(example, weight=example.weight * share) for example in held]
    return fit([*mine, *held], classes, RIDGE * (1 + FEW / len(own)))


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a delta gave; `delta` is None where it is not put in force, and `why` says why.

    `loss` and `right` are (before, after) of left-out corrections, each class counting alike: mean log loss and share.
    `guard` counts the known sentences that are right, of `guards`; `errors` is the gain in loss by its standard error.
    """

    examples: int
    delta: Delta | None = None
    why: str = ""
    strength: float = 0.0
    loss: tuple[float, float] = (0.0, 0.0)
    right: tuple[float, float] = (0.0, 0.0)
    guard: tuple[int, int] = (0, 0)
    guard_loss: tuple[float, float] = (0.0, 0.0)
    guards: int = 0
    errors: float = 0.0

    def guarded(self) -> bool:
        """Whether the known sentences are read as well as before."""
        turned, lost = self.guard[0] - self.guard[1], self.guard_loss[1] - self.guard_loss[0]
        return turned <= self.guards // SLACK and lost <= self.guard_loss[0] / SLACK

    def harmless(self) -> bool:
        """Whether nothing that was tried came out worse."""
        gains = self.loss[1] <= self.loss[0] and self.right[1] >= self.right[0]
        return self.guarded() and gains and self.errors >= LUCK

    def worse(self) -> str:
        """What speaks against it."""
        if not self.guarded():
            return "it makes the known sentences worse"
        if self.loss[1] > self.loss[0] or self.right[1] < self.right[0]:
            return "it makes corrections that were left out worse"
        return "what it gains on corrections that were left out may be luck: more of them will tell"

    def figures(self) -> dict[str, Any]:
        """For people and the database."""
        return {
            "corrections": self.examples,
            "in_force": self.delta is not None,
            "why": self.why,
            "strength": self.strength,
            "loss": [round(value, 4) for value in self.loss],
            "right": [round(value, 4) for value in self.right],
            "guard": list(self.guard),
            "guard_loss": [round(value, 4) for value in self.guard_loss],
            "guards": self.guards,
        }


def trial(own: Sequence[Example], replay: Sequence[Example], guard: Sequence[Example], classes: int) -> Trial:
    """Fit, and take the strongest share that makes neither the guard nor the left-out corrections worse."""
    own = affordable(own)
    if len(own) < LEAST:
        return Trial(len(own), None, f"{LEAST} corrections are needed")
    folds = _folds(own, replay, classes)
    delta = taught(own, replay, classes)
    known, left_out = _judged(None, guard), _left_out(folds, None)
    for share in _strengths(len(own)):
        part = delta.scaled(share)
        safe, after = _judged(part, guard), _left_out(folds, share)
        tried = Trial(
            examples=len(own),
            delta=part,
            strength=share,
            loss=(left_out.loss, after.loss),
            right=(left_out.right, after.right),
            guard=(known[1], safe[1]),
            guard_loss=(known[0], safe[0]),
            guards=len(guard),
            errors=after.errors(left_out),
        )
        if tried.harmless():
            return tried
    return replace(tried, delta=None, why=tried.worse(), strength=0.0)


def _strengths(count: int) -> list[float]:
    most = max(STRENGTHS[-1], count / HARDLY_ANY)
    return [share for share in STRENGTHS if share <= most]


def affordable(own: Sequence[Example]) -> list[Example]:
    """As many as may be learnt in seconds, spread over all of them."""
    entries = sum(len(example.index) for example in own)
    every = max(1, -(-entries // ENTRIES))
    return list(own[::every])


def _judged(delta: Delta | None, examples: Sequence[Example]) -> tuple[float, int]:
    return figures_of([probabilities(delta, example) for example in examples], examples)


def figures_of(found: Sequence[Array], examples: Sequence[Example]) -> tuple[float, int]:
    """(mean log loss, how many are right)."""
    losses = [-np.log(max(TINY, row[example.label])) for row, example in zip(found, examples, strict=True)]
    right = sum(int(row.argmax()) == example.label for row, example in zip(found, examples, strict=True))
    return float(np.mean(losses)), right


def probabilities(delta: Delta | None, example: Example) -> Array:
    """What the model gave, as the delta moves it, (classes,)."""
    given = np.array(example.given)
    return given if delta is None else delta.apply(given, example.index, example.values, example.language)


def _folds(own: Sequence[Example], replay: Sequence[Example], classes: int) -> list[tuple[Delta, list[Example]]]:
    """(delta of the others, left out), weighted by class."""
    count = min(len(own), FOLDS if len(own) <= MANY else 2)
    weighted = balanced(own, classes)
    parts = []
    for fold in range(count):
        rest = [example for row, example in enumerate(own) if row % count != fold]
        parts.append((taught(rest, replay, classes), weighted[fold::count]))
    return parts


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """Weighted losses of left-out corrections (n,), their weights (n,), and the share that is right."""

    losses: Array
    weights: Array
    right: float

    @property
    def loss(self) -> float:
        """Mean, each class counting alike."""
        return float(self.losses.sum() / self.weights.sum())

    def errors(self, before: _LeftOut) -> float:
        """How many standard errors the loss is less than before."""
        gains = before.losses - self.losses
        error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
        return float(gains.mean() / max(TINY, error))


def _left_out(folds: Sequence[tuple[Delta, list[Example]]], share: float | None) -> _LeftOut:
    losses, weights, right = [], [], 0.0
    for delta, left_out in folds:
        part = None if share is None else delta.scaled(share)
        for example in left_out:
            found = probabilities(part, example)
            losses.append(-example.weight * float(np.log(max(TINY, found[example.label]))))
            weights.append(example.weight)
            right += example.weight * (int(found.argmax()) == example.label)
    return _LeftOut(np.array(losses), np.array(weights), right / sum(weights))
