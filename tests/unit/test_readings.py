"""Other readings of folded text: look-alike and stretched letters, with offsets that lead back."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.text import fold, readings


@pytest.mark.parametrize("text", ["", "звичайний текст", "plain text", "мова i18n 100грн 2x", "сс аа ее"])
def test_plain_text_has_one_reading(text: str) -> None:
    assert readings(text) == []


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("нoвa пошта", "нова пошта"),
        ("monobаnk", "monobank"),
        ("сбер0банк", "сберобанк"),
        ("гуууугл", "гугл"),
        ("goooogle", "google"),
        ("каааасса", "касса"),
        ("россссия", "россия"),
        ("нoooвa", "нова"),
        ("gοοgle", "google"),
    ],
)
def test_what_was_disguised_is_among_the_readings(text: str, reading: str) -> None:
    assert reading in [found for found, _ in readings(text)]


@given(st.text(alphabet="аоaoc0 бbxхοнН", max_size=40))
def test_offsets_lead_back_and_never_fall(text: str) -> None:
    folded = fold(text)
    found = readings(folded)
    assert len(found) <= 11
    for reading, offsets in found:
        assert len(offsets) == len(reading) + 1
        assert list(offsets) == sorted(offsets)
        assert offsets[len(reading)] == len(folded)
        assert all(reading[n].isspace() == folded[offsets[n]].isspace() for n in range(len(reading)))


@pytest.mark.parametrize("text", ["а" * 65536, "аb" * 32768, "aaaб " * 13000, "0а" * 32768, "ааа" * 20000])
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    start = time.perf_counter()
    readings(text)
    assert time.perf_counter() - start < 2
