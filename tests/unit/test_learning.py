"""Corrections become a delta that does what was taught and no harm: poisoned, contradictory and hostile ones too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from crawler.model import Analysis, Intent, Tone
from sentiment import corrections
from sentiment.corrections import Lesson, Pupil, Taught, key_of, learn

GUARD = corrections.guard()
TONES = ("negative", "neutral", "positive")
HOSTILE = ["", " ", "\x00\ud800", "?" * 70_000, "💔" * 3000, "<script>alert(1)</script>", "a" * 65_536, "\u202e\u0301"]


class Careful:
    """Right about the known sentences and unsure of everything else: what a good model is to a foreign domain."""

    name = "careful-1"

    def __init__(self) -> None:
        self.known = {row.text: row for row, _ in corrections.guard()}

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Analysis:
        row = self.known.get(text)
        right = (row.tone, row.intent) if row else ("neutral", "other")
        share = 0.6 if row else 0.5
        tones = {name: share if name == right[0] else (1 - share) / 2 for name in TONES}
        intents = {i.value: share if i.value == right[1] else (1 - share) / 3 for i in Intent}
        tone, intent = Tone(str(right[0])), Intent(str(right[1]))
        return Analysis("en", tone, tones, intent, intents, "", (), share, False, self.name)


def taught(text: str, tone: str | None = None, intent: str | None = None) -> Taught:
    return Taught(text, None, "en", tone, intent)


def domain(count: int) -> list[Taught]:
    """A domain with words of its own: what is snorfled is bad, what is gleamy is good."""
    sour = [taught(f"my order {n} got snorfled by them", "negative", "complaint") for n in range(count)]
    fine = [taught(f"the gleamy box {n} of theirs", "positive", "praise") for n in range(count)]
    plain = [taught(f"they open at {n} o'clock", "neutral", "other") for n in range(count)]
    return [*sour, *fine, *plain]


@cache
def lesson_of(count: int) -> Lesson:
    """Of so many posts of each kind; made once."""
    return learn(Careful(), domain(count))


def read(lesson: Lesson, *texts: str) -> list[Analysis]:
    return Pupil(Careful(), lesson).analyse(list(texts), [None] * len(texts))


def test_what_was_taught_carries_over_to_posts_never_seen() -> None:
    lesson = lesson_of(8)
    assert lesson.figures["tone"]["in_force"] and lesson.figures["intent"]["in_force"]
    found = read(lesson, "our order got snorfled by them too", "such a gleamy day", "they open tomorrow")
    assert [it.tone.value for it in found] == ["negative", "positive", "neutral"]
    assert found[0].intent is Intent.COMPLAINT and found[0].intent_reason == "as corrected posts like it"
    assert found[0].model == f"careful-1+{lesson.version}"
    assert abs(sum(found[0].tone_scores.values()) - 1) < 0.001


def test_the_guard_is_never_worse_by_more_than_one_in_a_hundred() -> None:
    figures = lesson_of(8).figures["tone"]
    before, after = figures["guard"]
    assert after >= before - figures["guards"] // 100
    assert figures["guard_loss"][1] <= 1.01 * figures["guard_loss"][0]


def test_the_same_corrections_in_any_order_are_the_same_lesson_bit_for_bit() -> None:
    one, other = lesson_of(8), learn(Careful(), list(reversed(domain(8))))
    assert (one.key, one.packed()) == (other.key, other.packed())
    again = Lesson.unpacked(one.key, one.model, one.packed(), one.figures)
    assert read(again, "snorfled again", "gleamy") == read(one, "snorfled again", "gleamy")


def test_another_model_or_other_corrections_are_another_lesson() -> None:
    rows = domain(3)
    assert key_of("a", rows) == key_of("a", [*reversed(rows)])
    assert len({key_of("a", rows), key_of("b", rows), key_of("a", rows[1:])}) == 3


def test_a_lesson_for_another_model_changes_nothing() -> None:
    lesson = replace(lesson_of(8), model="another-1")
    assert read(lesson, "snorfled") == Careful().analyse(["snorfled"], [None])
    assert Pupil(Careful(), lesson).name == "careful-1"


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([taught(f"{row.text} {n}", "positive") for n, (row, _) in enumerate(GUARD[::4])], id="one tone"),
        pytest.param([taught("the same text", "negative")] * 10_000, id="one text ten thousand times"),
        pytest.param([taught(f"this is {n}", TONES[n % 3]) for n in range(30)], id="noise"),
        pytest.param([taught(text, "negative", "question") for text in HOSTILE], id="hostile"),
    ],
)
def test_poison_does_no_harm(rows: list[Taught]) -> None:
    lesson, judge = learn(Careful(), rows), Careful()
    ours = [row for row, _ in corrections.guard()]
    found = Pupil(judge, lesson).analyse([row.text for row in ours], [row.target for row in ours])
    right = sum(it.tone.value == row.tone for it, row in zip(found, ours, strict=True))
    assert right >= 0.99 * len(ours)
    for text in HOSTILE:
        (analysis,) = Pupil(judge, lesson).analyse([text], [None])
        assert all(np.isfinite(list(analysis.tone_scores.values())))


def test_too_few_corrections_teach_nothing_and_it_is_said() -> None:
    lesson = learn(Careful(), [taught("snorfled", "negative")])
    assert lesson.deltas == {}
    assert "corrections are needed" in lesson.figures["tone"]["why"]
    assert learn(Careful(), []).deltas == {}


def _broken(change: str) -> bytes:
    import io

    delta = lesson_of(8).deltas["tone"]
    index, weights = delta.index.astype(np.int32), delta.weights.copy()
    parts: dict[str, Any] = {"tone.index": index, "tone.weights": weights}
    parts["tone.shifts"] = np.frombuffer(b'{"": [0.0, 0.0, 0.0]}', dtype=np.uint8)
    if change == "nan":
        weights[0] = np.nan
    elif change == "shape":
        parts["tone.weights"] = weights[:, :2]
    elif change == "order":
        parts["tone.index"] = index[::-1]
    else:
        del parts["tone.shifts"]
    buffer = io.BytesIO()
    np.savez(buffer, **parts)
    return buffer.getvalue()


@pytest.mark.parametrize("change", ["nan", "shape", "order", "part"])
def test_a_broken_lesson_is_refused(change: str) -> None:
    with pytest.raises(ValueError):
        Lesson.unpacked("k" * 64, "careful-1", _broken(change), {})


def test_bytes_that_are_no_lesson_are_refused() -> None:
    for data in (b"", b"PK\x03\x04", b"\x93NUMPY garbage"):
        with pytest.raises(ValueError):
            Lesson.unpacked("k" * 64, "careful-1", data, {})
