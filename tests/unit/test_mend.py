"""Hurried writing is mended, plain writing and names are left alone."""

from __future__ import annotations

import pytest

from sentiment.mend import mend, unlinked
from sentiment.tone import ToneModel

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def model() -> ToneModel:
    return ToneModel(threads=1)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("spasibo za otlichnyi servis", "спасибо за отличный сервис"),
        ("prilozhenie ne rabotaet", "приложение не работает"),
        ("zhahlyva pidtrymka, nihto ne vidpovidaye", "жахлива підтримка, ніхто не відповідає"),
        ("cпасибо, всё oтлично", "спасибо, всё отлично"),
        ("ужacный cepвис", "ужасный сервис"),
        ("ужаааас а не банк", "ужас а не банк"),
        ("wooooorst app", "worst app"),
        ("thaaaank you all", "thank you all"),
        ("ужасынй сервис", "ужасный сервис"),
        ("thank you, great sevrice", "thank you, great service"),
    ],
)
def test_hurried_words_become_known_ones(model: ToneModel, text: str, mended: str) -> None:
    assert mend(text, [], model.knows) == mended


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Thank you, the staff of Norvik were lovely",
        "Приложение не работает второй день",
        "Дякую, все швидко і зручно",
        "Das Paket ist nicht angekommen",
        "Gdzie jest moja paczka",
        "Grazie mille per il servizio, ottimo",
        "https://example.com/spasibo-za-otlichnyi-servis",
        "@spasibo_bank #uzhasnyi",
        "12345 !!! 😀",
        "\ud800 \x00",
    ],
)
def test_plain_writing_and_other_languages_stay(model: ToneModel, text: str) -> None:
    assert mend(text, [], model.knows) == text


def test_a_name_asked_about_stays_as_it_stands(model: ToneModel) -> None:
    assert mend("spasibo bank otlichnyi", ["bank"], model.knows) == "спасибо bank отличный"
    assert mend("Сервиc ужасный", ["Сервиc"], model.knows) == "Сервиc ужасный"


@pytest.mark.parametrize(
    "text", ["a" * 65536, "aб" * 32768, "spasibo " * 8000, "ж" * 65536, "' " * 30000, "@a" * 30000]
)
def test_no_text_makes_it_crawl_or_raise(model: ToneModel, text: str) -> None:
    assert mend(text, [], model.knows)


def test_only_the_last_links_of_a_personal_english_post_go() -> None:
    assert unlinked("I love it https://example.com/a https://example.com/b") == "I love it"
    assert unlinked("look at https://example.com/a I said") == "look at https://example.com/a I said"
    assert unlinked("Bank opens a branch https://example.com/a") == "Bank opens a branch https://example.com/a"
    assert unlinked("мне нравится https://example.com/a") == "мне нравится https://example.com/a"
