"""Question, complaint, praise or other, from wording alone."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest

from crawler.model import Intent
from sentiment.intent import detect

pytestmark = pytest.mark.model

HOSTILE = [
    "a" * 65536,
    "@" * 65536,
    "a@" * 32768,
    "a.b" * 20000,
    '"' + "?" * 65536,
    "? " * 32768,
    "@a" * 32768,
    "не " * 20000,
    "почему ты " * 6000,
    " " * 65536,
    "\n" * 65536,
    "http://" * 9000,
    "можно " * 10000,
    "want to " * 8000,
    "'a" * 30000,
]


@pytest.mark.parametrize(
    "text",
    [
        "Подскажите как подключить роуминг",
        "Подскажите, пожалуйста, как отключить смс",
        "Как можно вернуть товар без чека?",
        "Кто-нибудь знает, работает ли сегодня отделение",
        "Хотелось бы узнать условия кредита",
        "Коли буде новий тариф",
        "Підкажіть будь ласка, чи можна оформити картку онлайн",
        "Чи є у вас доставка до Львова?",
        "Скільки коштує доставка?",
        "how do I change my pin",
        "Does anyone know if they ship to Canada",
        "What time do you open on Sunday?",
        "Could you please tell me where my order is",
    ],
)
def test_questions_with_and_without_a_mark(text: str) -> None:
    assert detect(text).intent is Intent.QUESTION


@pytest.mark.parametrize(
    "text",
    [
        "do the night buses run on new year's eve",
        "my card expires in June will the new one come by post",
        "wondering whether the pack renews by itself",
        "кто рожал в этом роддоме, поделитесь впечатлениями",
        "думаю взять планшет, какой год брать",
        "Отправляете в Минск?",
        "тёмная тема планируется или нет",
        "нужна ли прописка чтобы взять карту",
        "цікаво, а роутер свій можна поставити",
        "а по суботах доставляєте",
        "чи треба направлення на мрт",
        "почім зараз сімейний тариф",
        "Магазин принимает карты иностранных банков? Родственник хочет перевести напрямую.",
        "почему с меня дважды сняли за обслуживание, можете проверить?",
    ],
)
def test_questions_in_everyday_wording(text: str) -> None:
    assert detect(text).intent is Intent.QUESTION


@pytest.mark.parametrize(
    "text",
    [
        "«Где наши деньги?» — спрашивали пикетчики у офиса в понедельник",
        "Вопрос не в том, вырастут ли ставки, а когда, считает экономист",
        "сусідка весь час питає де я купила пальто",
        "я у меня другой оператор, не подскажу",
        "Як я переніс усе життя в один застосунок: тред",
        "who would have thought that the little shop would grow",
        "do you people even read the tickets?!",
    ],
)
def test_told_questions_ask_nothing(text: str) -> None:
    assert detect(text).intent is not Intent.QUESTION


@pytest.mark.parametrize(
    "text",
    [
        "ни одной проблемы за шесть лет",
        "претензій не маю, все вирішили",
        "three years, not a single outage, thank you",
        "молодец курьер, привёз раньше срока",
    ],
)
def test_denied_blame_is_no_complaint(text: str) -> None:
    assert detect(text).intent is Intent.PRAISE


@pytest.mark.parametrize(
    "text",
    [
        "The ATM on Mill Road has been out of order since Monday.",
        "Заказывал зелёный чехол, привезли серый.",
        "Пуші не приходять",
    ],
)
def test_a_report_in_neutral_words_is_a_complaint_whatever_the_tone(text: str) -> None:
    assert detect(text).intent is Intent.COMPLAINT
    assert detect(text, tone=(0.1, 0.8, 0.1)).intent is Intent.COMPLAINT


def test_the_tone_never_makes_or_breaks_a_question() -> None:
    text = "Подскажите, когда заработает приложение?"
    asked = [detect(text, tone=tone) for tone in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))]
    assert [result.intent for result in asked] == [Intent.QUESTION] * 2


def test_only_what_is_said_of_the_target_praises_or_complains() -> None:
    text = "Норвик потерял посылку, а Белком спасибо, выручил"
    assert detect(text, "Белком", about="спасибо, выручил").intent is Intent.PRAISE
    assert detect(text, "Норвик", about="потерял посылку").intent is Intent.COMPLAINT


def test_news_about_a_court_raises_no_flag() -> None:
    assert detect("Суд признал оператора виновным, акции компании просели").flags == ()


@pytest.mark.parametrize(
    "text",
    [
        "Приложение не работает третий день",
        "Списали деньги дважды и никто не отвечает",
        "Ужасный сервис, хамят на кассе",
        "Магазин не повертає гроші вже місяць",
        "Застосунок постійно зависає, жах",
        "Кур'єр загубив посилку, чекаю вже 2 тижні",
        "I was charged twice and nobody answers",
        "Your app keeps crashing, please fix it",
        "Still waiting for my refund, worst bank ever",
        "Верните деньги!",
    ],
)
def test_complaints(text: str) -> None:
    assert detect(text).intent is Intent.COMPLAINT


@pytest.mark.parametrize(
    "text",
    [
        "Спасибо, всё быстро и вежливо, рекомендую",
        "Отличный банк, очень доволен",
        "Дуже задоволений, швидко і професійно, дякую",
        "Найкращий магазин, все сподобалось",
        "Love the new app, great job",
        "Excellent support, thank you!",
    ],
)
def test_praise(text: str) -> None:
    assert detect(text).intent is Intent.PRAISE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "😀",
        "Банк открыл новое отделение в центре города",
        "Компанія опублікувала звіт за квартал",
        "The bank opened a new branch downtown",
        "Как получить кредит в банке? https://example.com/kredit",
        "Are the banks ready for winter? http://example.com/news",
        "#Как взять кредит",
    ],
)
def test_news_headlines_and_nothing_are_other(text: str) -> None:
    assert detect(text).intent is Intent.OTHER


@pytest.mark.parametrize(
    "text", ["Сколько можно издеваться над клиентами?!", "Скільки можна брехати людям?!", "Are you kidding me?"]
)
def test_rhetorical_questions_ask_nothing(text: str) -> None:
    assert detect(text).intent is not Intent.QUESTION


@pytest.mark.parametrize("text", ["не рекомендую этот банк", "not happy with this", "не раджу нікому"])
def test_negated_praise_is_no_praise(text: str) -> None:
    assert detect(text).intent is not Intent.PRAISE


def test_a_complaint_that_asks_shows_both() -> None:
    result = detect("Почему карта не работает второй день? Подскажите, что делать")
    assert result.scores["question"] > 0.3
    assert result.scores["complaint"] > result.scores["praise"]


def test_scores_sum_to_one_and_the_reason_quotes_the_wording() -> None:
    result = detect("Подскажите, когда заработает приложение?")
    assert sum(result.scores.values()) == pytest.approx(1)
    assert set(result.scores) == {intent.value for intent in Intent}
    assert "подскажите" in result.reason


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Я подаю на вас в суд", "legal"),
        ("Звернуся до суду і до поліції", "legal"),
        ("I will sue this company", "legal"),
        ("Закрываю счет и ухожу в другой банк", "churn"),
        ("Переходжу до іншого оператора", "churn"),
        ("cancel my subscription", "churn"),
        ("Хочу купить телефон, есть в наличии?", "purchase"),
        ("Скільки коштує цей тариф", "purchase"),
        ("where can I buy this", "purchase"),
        ("я взорву ваш офис", "threat"),
    ],
)
def test_flags(text: str, flag: str) -> None:
    assert flag in detect(text).flags


def test_everyday_words_raise_no_flag() -> None:
    assert detect("Сегодня хорошая погода, иду в кино, рассудок и судьба").flags == ()


def test_of_a_long_text_only_the_part_about_the_target_counts() -> None:
    filler = "Погода сегодня ясная и ветер слабый. " * 30
    text = f"Дом всегда красивый и супер, люблю. {filler}Novapay не работает уже неделю. {filler}"
    assert detect(text, "Novapay").intent is Intent.COMPLAINT


def test_no_text_raises_and_long_texts_are_quick(shared: Path) -> None:
    strings = json.loads((shared / "corpus/blns/blns.dev.json").read_text("utf-8"))
    for text in [*strings, "? " * 32768, "я" * 65536, "не " * 20000, '"' * 65536, "a?" * 32768]:
        assert sum(detect(text).scores.values()) == pytest.approx(1)


@pytest.mark.parametrize(("language", "recall", "precision"), [("en", 0.85, 0.5), ("ru", 0.85, 0.6), ("uk", 0.85, 0.6)])
def test_questions_on_labelled_brand_posts(shared: Path, language: str, recall: float, precision: float) -> None:
    """Floors on small sets (45-100 posts): they catch a broken rule, they are no claim of quality."""
    path = shared / f"data/tone/dev/question.{language}.q-brand-ai-labelled.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = [detect(row["text"]).intent is Intent.QUESTION for row in rows]
    hits = sum(guess and row["question"] for guess, row in zip(found, rows, strict=True))
    assert hits / sum(row["question"] for row in rows) >= recall
    assert hits / sum(found) >= precision


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:4] for text in HOSTILE])
def test_no_text_makes_the_patterns_crawl(text: str) -> None:
    detect("warm up, dear detectors of all the languages in this world")
    started = time.perf_counter()
    assert detect(text)
    assert time.perf_counter() - started < 1.0
