"""Near copies of a corrected post are read as it was corrected; what only looks alike is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sentiment.corrections import weights_of_words
from sentiment.learning import Delta, Example, shown
from sentiment.memory import PARTS, Memory, name_of, remembered

POST = "the app of Norvik closed my account overnight and nobody at the desk could tell me why"
CALM = (0.2, 0.6, 0.2)


def example(text: str, label: int = 0, given: tuple[float, ...] = CALM, target: str | None = "Norvik") -> Example:
    index, values = shown(text, target, weights_of_words())
    return Example(index, values, "en", given, label, target=name_of(target))


def read(memory: Memory, post: Example) -> list[float]:
    return [round(float(score), 4) for score in memory.apply(np.array(post.given), post)]


@pytest.mark.parametrize(
    "copy", [POST, f"RT @someone: {POST}", f"{POST} https://news.example/1", POST.upper(), f"{POST}!!!"]
)
def test_a_copy_is_read_as_its_original_was_corrected(copy: str) -> None:
    found = read(Memory.of([example(POST)]), example(copy))
    assert found[0] > 0.6 and sum(found) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize(
    "other",
    [
        example("the app of Norvik opened my account in a minute", given=CALM),
        example(POST, target="Kvarta"),
        example(POST, given=(0.1, 0.1, 0.8)),
        example("", given=CALM),
    ],
    ids=["other words", "asked about another name", "read as another thing", "nothing"],
)
def test_what_only_looks_alike_is_left_alone(other: Example) -> None:
    assert read(Memory.of([example(POST)]), other) == list(other.given)


def test_copies_that_were_corrected_differently_share_their_word() -> None:
    found = read(Memory.of([example(POST, 0), example(f"{POST} {POST}", 2), example(f"RT {POST}", 2)]), example(POST))
    assert found[2] > found[0] > 0.2


def test_a_memory_survives_its_bytes_exactly() -> None:
    memory = Memory.of([example(POST), example("Norvik saved my day", 2, target="NORVIK")])
    again = Memory.from_parts(memory.parts(), 3)
    assert read(again, example(f"RT {POST}")) == read(memory, example(f"RT {POST}"))
    assert read(again, example("Norvik saved my day", target="norvik"))[2] > 0.6


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("how", ["missing", "short", "strange"])
def test_arrays_that_are_no_memory_are_refused(part: str, how: str) -> None:
    parts = Memory.of([example(POST), example("Norvik saved my day", 2)]).parts()
    if how == "missing":
        del parts[part]
    elif how == "short":
        parts[part] = parts[part][:-1]
    else:
        parts[part] = np.full_like(parts[part], np.nan if parts[part].dtype.kind == "f" else -1)
    if (part, how) == ("targets", "strange"):
        return  # any number names somebody
    with pytest.raises((ValueError, KeyError)):
        Memory.from_parts(parts, 3)


def test_copies_that_contradict_each_other_are_not_remembered() -> None:
    posts = [example(f"{POST} {n}", n % 3) for n in range(12)]
    memory, figures = remembered(posts, [example("plain words", 1)], None)
    assert (memory, figures["remembered"]) == (None, 0)
    assert figures["copies"][0] == 12


def test_what_makes_known_sentences_worse_is_not_remembered() -> None:
    known = [example(f"{POST} {n}", 1) for n in range(20)]
    wrong = [replace(post, label=0) for post in known[::2]]
    assert remembered(wrong, known, None)[0] is None
    assert remembered(wrong, [example("plain words", 1)], None)[0] is not None
    assert remembered([], known, None) == (None, {"remembered": 0})


def test_a_delta_counts_before_the_memory_does() -> None:
    memory, none = Memory.of([example(POST)]), np.empty(0, dtype=np.int64)
    delta = Delta(none, np.empty((0, 3), dtype=np.float32), {"": (0.0, 0.0, 9.0)})
    moved = delta.apply(np.array(CALM), none, np.empty(0, dtype=np.float32), "en")
    assert memory.apply(moved, example(POST)).argmax() == 0
    assert memory.apply(moved, example("other words")).tolist() == moved.tolist()
