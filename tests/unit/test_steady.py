"""The same post gets the same answer: alone, among others, in any order, in any process, before and after lessons."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment import Analyser
from sentiment.corrections import Judge, Lesson, Pupil, Taught, learn

pytestmark = [pytest.mark.model, pytest.mark.property]

POSTS = [
    ("Ladna Pay ate my money again", "Ladna Pay"),
    ("Дякую, Ладна Пей, все прийшло вчасно!", "Ладна Пей"),
    ("подскажите как закрыть счёт в Ladna Pay", "Ladna Pay"),
    ("Norvik is far better than Kvarta, which lost my parcel", "Norvik"),
    ("Norvik is far better than Kvarta, which lost my parcel", "Kvarta"),
    ("ужаааасный сервис, спасибо что хоть ответили", None),
    ("дорого", None),
    ("магазин так себе", None),
    ("", None),
    ("👍👍👍", None),
    ("http://example.com/a #one #two", None),
    ("zorvex24 " * 400, "zorvex24"),
    ("priliozhenie ne rabotaet vtoroj den", None),
    ("\u202eabc\u0301 <b>Ladna Pay</b> \x00", "Ladna Pay"),
]
WRONG = [Taught(f"{text} {n}", name, "en", "positive", "praise") for n in range(6) for text, name in POSTS[:2]]

Post = tuple[str, str | None]
# Two names of one text are judged together on purpose, so either both are in a batch or neither.
PAIR = {post for post in POSTS if post[0].startswith("Norvik")}


@cache
def plain() -> Analyser:
    return Analyser(threads=1)


@cache
def taught() -> Pupil:
    return Pupil(plain(), learn(plain(), WRONG))


def answers(judge: Judge, posts: list[Post]) -> dict[Post, str]:
    found = judge.analyse([text for text, _ in posts], [name for _, name in posts])
    return {post: repr(analysis) for post, analysis in zip(posts, found, strict=True)}


@cache
def alone(judge: Analyser | Pupil) -> dict[Post, str]:
    single = [[post] for post in POSTS if post not in PAIR]
    return {post: said for batch in [*single, sorted(PAIR)] for post, said in answers(judge, batch).items()}


@st.composite
def batches(draw: st.DrawFn) -> list[Post]:
    """Up to 64 posts in any order and number, whole pairs."""
    some = draw(st.lists(st.sampled_from([post for post in POSTS if post not in PAIR]), min_size=1, max_size=62))
    whole = [*some, *PAIR] if draw(st.booleans()) else some
    return draw(st.permutations(whole))


@settings(max_examples=8, deadline=None)
@given(batches())
@pytest.mark.parametrize("judge", [plain, taught])
def test_a_post_does_not_depend_on_its_neighbours(judge: Callable[[], Analyser | Pupil], posts: list[Post]) -> None:
    known = alone(judge())
    assert answers(judge(), posts) == {post: known[post] for post in posts}


def test_several_threads_say_what_one_says() -> None:
    assert answers(Analyser(threads=3), POSTS) == alone(plain())


SCRIPT = """
import json, sys
from sentiment import Analyser
from sentiment.corrections import Lesson, Pupil
posts, key, model, path = json.loads(sys.stdin.read())
data = open(path, "rb").read()
judge = Pupil(Analyser(threads=1), Lesson.unpacked(key, model, data, {}))
found = judge.analyse([text for text, _ in posts], [name for _, name in posts])
print(json.dumps([repr(one) for one in found]))
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Iterator[tuple[Lesson, Path]]:
    """What was learnt, and the file that it lies in."""
    made = learn(plain(), WRONG)
    assert made.in_force
    (tmp_path / "lesson").write_bytes(made.packed())
    yield made, tmp_path / "lesson"


@pytest.mark.process
@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_process_says_the_same_whatever_its_hash_seed(lesson: tuple[Lesson, Path], seed: str) -> None:
    made, path = lesson
    told = json.dumps([POSTS, made.key, made.model, str(path)])
    env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=told, capture_output=True, text=True, check=True, env=env
    )
    assert dict(zip(POSTS, json.loads(done.stdout), strict=True)) == alone(taught())
