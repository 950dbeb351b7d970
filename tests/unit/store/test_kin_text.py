"""What is one story and what are two: hand-made repeats and near misses in three languages."""

from __future__ import annotations

import random

import pytest

from crawler.store.kin_text import bands_of, long_enough, same_story, words_of
from crawler.text import fold

UK = (
    "Третій тиждень чекаю повернення коштів від Ladna Pay за скасоване бронювання готелю. "
    "Підтримка щоразу обіцяє розібратися до вечора і кладе слухавку."
)
RU = (
    "Оформил рассрочку в Ladna Pay на холодильник, магазин товар не отгрузил, а платёж всё равно списали. "
    "В чате отвечает робот и закрывает обращение."
)
EN = (
    "Ladna Pay froze my account right after payday and keeps asking for the same passport photo. "
    "Every agent tells me a different story and nobody gives a date."
)


def words(text: str) -> tuple[str, ...]:
    return words_of(fold(text))


def alike(one: str, other: str, *, same_author: bool = False) -> bool:
    """As the store does it: a shared band first, then the words."""
    a, b = words(one), words(other)
    found = a == b or bool(set(bands_of(a)) & set(bands_of(b)))
    return found and same_story(a, b, same_author=same_author)


REPEATS = [
    (UK, UK.upper()),
    (UK, f"RT @kyiv_news: {UK}"),
    (UK, f"{UK} https://t.example/abc #LadnaPay"),
    (UK, UK.replace("розібратися", "розібратись")),
    (UK, UK.replace("скасоване", "скасоваане")),
    (UK, f"Гляньте що роблять: {UK}"),
    (UK, UK[: int(len(UK) * 0.8)] + "…"),
    (RU, RU.replace("ё", "е").replace(",", "")),
    (RU, f"Репост: {RU}"),
    (RU, f"{RU} Максимальный репост!"),
    (RU, RU.replace("холодильник", "холодильнк")),
    (EN, EN.replace("froze", "FROZE").replace(".", "!")),
    (EN, f"via @someone {EN}"),
    (EN, EN.replace("passport", "pasport")),
    (EN, EN[: int(len(EN) * 0.7)] + "..."),
]
ORDER = "Ladna Pay не повернула гроші за замовлення {}, магазин підтвердив скасування, а підтримка мовчить уже {} днів"
CITY = (
    "У відділенні Ladna Pay в місті {} мені відмовилися закрити рахунок і сказали прийти з нотаріусом наступного разу"
)
WHO = "Менеджер {} из Ladna Pay обещал вернуть комиссию за перевод, но деньги так и не пришли на мою карту"
PAID = "I asked Ladna Pay support about the refund for my cancelled flight and they have {} sent the money back to me"
MISSES = [
    (ORDER.format("123", "5"), ORDER.format("456", "5")),
    (ORDER.format("№123", "5"), ORDER.format("№123", "9")),
    (CITY.format("Львів"), CITY.format("Одеса")),
    (
        CITY.format("Київ"),
        CITY.format("Київ")[:30] + " зовсім інша історія про картку яку заблокували без пояснень вночі",
    ),
    (WHO.format("Сергей"), WHO.format("Марина")),
    (PAID.format("now"), PAID.format("not")),
    (RU, RU.replace("холодильник", "телевизор")),
    (RU, RU.replace("не отгрузил", "отгрузил")),
    (UK, UK.replace("готелю", "квитка")),
    (UK, UK.replace("Третій тиждень", "Другий день")),
    (EN, EN.replace("payday", "Christmas")),
    (EN, EN.replace("passport photo", "utility bill")),
    (UK, f"{UK} А в мене списали ще й 300 грн за обслуговування"),
    (UK, f"{UK} А в мене ще й картку заблокували і на роботі тепер питають куди поділася моя зарплата за весь місяць"),
    (UK, UK[: int(len(UK) * 0.8)]),
    ("Ladna Pay не працює, поверніть гроші", "Ladna Pay не працює, поверніть гроші"),
    ("жах", "жах"),
    ("", ""),
]


@pytest.mark.parametrize(("one", "other"), REPEATS)
def test_one_story_in_two_copies(one: str, other: str) -> None:
    assert alike(one, other) and alike(other, one)


@pytest.mark.parametrize(("one", "other"), MISSES)
def test_two_complaints_stay_two(one: str, other: str) -> None:
    assert not (alike(one, other) and long_enough(words(one)))
    assert not (alike(other, one) and long_enough(words(other)))


def test_the_author_may_reword_but_not_turn_the_sense() -> None:
    reworded = UK.replace("щоразу обіцяє", "постійно каже")
    assert not alike(UK, reworded) and alike(UK, reworded, same_author=True)
    assert not alike(PAID.format("now"), PAID.format("not"), same_author=True)
    assert not alike(ORDER.format("123", "5"), ORDER.format("456", "5"), same_author=True)


def test_bands_find_a_copy_with_errors_and_leave_strangers_apart() -> None:
    dice = random.Random(3)
    vocabulary = [f"слово{number}" for number in range(500)]
    found = strangers = 0
    for _ in range(100):
        text = [dice.choice(vocabulary) for _ in range(40)]
        copy = [*text[:20], "описка", *text[21:]]
        other = [dice.choice(vocabulary) for _ in range(40)]
        found += bool(set(bands_of(text)) & set(bands_of(copy)))
        strangers += bool(set(bands_of(text)) & set(bands_of(other)))
    assert found >= 98 and strangers == 0


def test_bands_are_the_same_for_ever() -> None:
    assert bands_of(words(EN))[:2] == BANDS_OF_EN
    assert len(bands_of(words(EN))) == 16 and all(0 <= band < 2**63 for band in bands_of(words(EN)))


@pytest.mark.parametrize("text", ["a " * 40_000, "я" * 60_000, "1 " * 9_000, "не " * 5_000 + "да"])
def test_hostile_texts_cost_little(text: str) -> None:
    import time

    began = time.monotonic()
    alike(text, text[:-4] + " кінець")
    assert time.monotonic() - began < 2


# Bands lie in databases: a version that counts them otherwise finds nothing of the past.
BANDS_OF_EN = (5576405012353487327, 8058505328166815413)
