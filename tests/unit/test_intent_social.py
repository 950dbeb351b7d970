"""Intent of posts as people type them: outcries, thanks for harm, a house that answers, names set apart."""

from __future__ import annotations

import pytest

from crawler.model import Intent
from sentiment.intent import detect
from sentiment.language import detect as language_of

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    "text",
    [
        "Is it just me or is Norvik completely down in Derby",
        "thinking of a savings account, Norvik or Quickmart, which is better",
        "выбираю вклад, Норвик или Квант что выгоднее",
        "у кого сегодня норвик не грузит историю",
        "обираю тариф, Норвік чи Квант що вигідніше",
        "у кого зараз норвік не пускає в кабінет",
    ],
)
def test_questions_as_people_type_them(text: str) -> None:
    assert detect(text).intent is Intent.QUESTION


@pytest.mark.parametrize(
    "text",
    [
        "How many more times do I have to confirm my address?",
        "See you in court @norvik.",
        "thanks Norvik for losing my only suitcase 👏👏",
        "когда же норвик наконец починит вход",
        "шо за хрень опять пинг 400",
        "ну спасибо, Норвик, списали триста рублей за пустой счет 👏",
        "шо за хня, знов інтернета нема",
        "ну дякую, Норвік, списали триста гривень за порожній рахунок 👏",
        "Норвік знову лежить",
    ],
)
def test_outcries_and_thanks_for_harm_complain(text: str) -> None:
    assert detect(text).intent is Intent.COMPLAINT


@pytest.mark.parametrize(
    "text",
    [
        "thanks Norvik for not losing my suitcase this time",
        "спасибо, Норвик, что не потеряли мою посылку",
        "дякую, Норвік, що не загубили мою посилку",
        "don't know why people hate on Norvik",
        "не понимаю почему все ругают норвик",
        "не розумію чому всі лають норвік",
        "вылетели вовремя, спасибо экипажу",
        "вилетіли вчасно, дякую екіпажу",
    ],
)
def test_denied_harm_is_no_complaint(text: str) -> None:
    assert detect(text).intent is not Intent.COMPLAINT


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ann, thanks for reaching out! Could you send us your booking reference via DM so we can check?",
        "Анна, спасибо за обращение! Пришлите, пожалуйста, номер заказа в директ, проверим",
        "Анно, дякуємо за звернення! Надішліть, будь ласка, номер замовлення в приватні повідомлення",
    ],
)
def test_a_house_that_answers_a_customer_wants_nothing(text: str) -> None:
    assert detect(text).intent is Intent.OTHER


def test_a_customer_who_quotes_such_an_answer_still_asks() -> None:
    assert detect("I did send you a DM, please message us they say. Can you tell me where my order is?").intent is (
        Intent.QUESTION
    )


def test_a_verdict_on_one_of_two_names_is_praise_or_complaint() -> None:
    text, cold, warm = "left Norvik for Quickmart", (0.7, 0.25, 0.05), (0.05, 0.25, 0.7)
    assert detect(text, "Norvik", cold, "left").intent is Intent.COMPLAINT
    assert detect(text, "Quickmart", warm, "for").intent is Intent.PRAISE
    assert detect(text, "Norvik", cold).intent is Intent.OTHER


@pytest.mark.parametrize("name", ["Фудран", "Норвек"])
def test_endings_of_a_brand_decide_no_language(name: str) -> None:
    """What is left of "Фудране" without the name is a Bulgarian word."""
    assert language_of(f"Заказал в {name}е в 18:40, сейчас 20:15.", None, [name]) == "ru"


def test_a_short_name_is_not_cut_out_of_words() -> None:
    assert language_of("Ось і маємо, о котрій відкриваєтесь", None, ["О"]) == "uk"
    assert language_of("the other one is in the mother board", None, ["the"]) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "the app isn't reliable or helpful",
        "it wasn't a good experience",
        "I dont love the new menu",
        "the card does not feel great",
        "this isn't amazing",
    ],
)
def test_a_short_not_denies_praise(text: str) -> None:
    assert detect(text).intent is not Intent.PRAISE


@pytest.mark.parametrize("text", ["the new app doesn't crash", "It isn't broken", "they didn't overcharge, not a scam"])
def test_a_short_not_denies_blame(text: str) -> None:
    assert detect(text).intent is not Intent.COMPLAINT


@pytest.mark.parametrize(
    "text",
    [
        "can't recommend Norvik enough",
        "I cannot thank the team at Norvik enough",
        "couldn't be happier with Norvik",
        "Couldn't have asked for a better start",
    ],
)
def test_a_not_that_heightens_praise_denies_nothing(text: str) -> None:
    assert detect(text).intent is Intent.PRAISE
