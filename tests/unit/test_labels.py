"""Labels of other people's models become our tones by their names, or are named in the error."""

from __future__ import annotations

import pytest

from crawler.errors import ModelUnavailable
from sentiment.labels import TONES, read_labels, tone_of


def tones(*names: str, **given: str) -> list[str]:
    return [TONES[tone] for tone in read_labels(names, given, "config.json").tones]


@pytest.mark.parametrize(
    "names",
    [
        ("negative", "neutral", "positive"),
        ("NEG", "NEU", "POS"),
        ("Negative ", "Neutral", "Positive"),
        ("негативный", "нейтральный", "позитивный"),
        ("НЕГАТИВНА", "НЕЙТРАЛЬНА", "ПОЗИТИВНА"),
        ("отрицательный", "нейтральный", "положительный"),
        ("négatif", "neutre", "positif"),
        ("negativo", "neutro", "positivo"),
        ("negatywny", "neutralny", "pozytywny"),
        ("-1", "0", "1"),
    ],
)
def test_names_of_many_languages(names: tuple[str, ...]) -> None:
    assert tones(*names) == list(TONES)
    assert tones(*reversed(names)) == list(reversed(TONES))


@pytest.mark.parametrize(
    "names",
    [
        ("1 star", "2 stars", "3 stars", "4 stars", "5 stars"),
        ("1", "2", "3", "4", "5"),
        ("Very Negative", "Negative", "Neutral", "Positive", "Very Positive"),
        ("very_negative", "negative", "neutral", "positive", "very_positive"),
    ],
)
def test_five_steps(names: tuple[str, ...]) -> None:
    assert tones(*names) == ["negative", "negative", "neutral", "positive", "positive"]


def test_two_classes_say_what_they_lack() -> None:
    assert read_labels(("NEGATIVE", "POSITIVE"), {}, "x").lacks == ("neutral",)
    assert read_labels(("negative", "neutral", "positive"), {}, "x").lacks == ()


@pytest.mark.parametrize("names", [("LABEL_0", "LABEL_1", "LABEL_2"), ("0", "1", "2"), ("label 0", "label 1")])
def test_nameless_labels_need_the_setting_and_the_error_names_them(names: tuple[str, ...]) -> None:
    with pytest.raises(ModelUnavailable, match=f"{names[0]}, {names[1]}.*sentiment: {{labels: {{{names[0]}: negative"):
        tones(*names)


def test_the_setting_decides_before_the_names() -> None:
    assert tones("LABEL_0", "LABEL_1", LABEL_0="positive", label_1="negative") == ["positive", "negative"]
    assert tones("negative", "positive", "speech", speech="neutral") == ["negative", "positive", "neutral"]
    assert tones("negative", "positive", negative="positive", positive="negative") == ["positive", "negative"]


def test_a_setting_for_labels_that_are_not_there_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="names LABEL_9; the model's labels are negative, positive"):
        tones("negative", "positive", LABEL_9="neutral")


@pytest.mark.parametrize("names", [("joy", "anger"), ("spam", "ham"), ("negative", "mixed"), ("negation", "position")])
def test_models_of_something_else_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ModelUnavailable, match="labels"):
        tones(*names)


def test_both_ends_are_needed() -> None:
    with pytest.raises(ModelUnavailable, match="none of them is negative"):
        tones("neutral", "positive")


@pytest.mark.parametrize("name", ["", " ", "non-negative", "not negative", "\ud800", "6 stars", "0 stars", "possibly"])
def test_other_names_say_nothing(name: str) -> None:
    assert tone_of(name) is None
