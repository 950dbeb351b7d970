"""The sentence model: questions without their mark, told sentences, bad files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from crawler.model import Intent
from sentiment.intent import detect
from sentiment.questions import BUCKETS, FILE, QuestionModel, likeliest, shipped

pytestmark = pytest.mark.model


@pytest.mark.parametrize("language", ["ru", "uk"])
def test_questions_without_a_mark_in_other_peoples_sentences(shared: Path, language: str) -> None:
    """Rules alone found 41 and 48 of 100."""
    path = shared / f"data/tone/dev/question.{language}.tatoeba-nomark.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = [detect(row["text"]).intent is Intent.QUESTION for row in rows]
    hits = sum(guess and row["question"] for guess, row in zip(found, rows, strict=True))
    assert hits / sum(row["question"] for row in rows) >= 0.52
    assert hits / sum(found) >= 0.85


@pytest.mark.parametrize(
    "text", ["Я не понимаю, почему он ушёл", "Ти маєш робити те, що маєш", "I wonder how he did it"]
)
def test_a_told_question_is_none(text: str) -> None:
    assert shipped().probability(text) == 0.0


def test_a_marked_sentence_is_left_to_the_rules() -> None:
    assert likeliest("Вы тут работаете?")[0] == 0.0
    assert likeliest("")[0] == 0.0


def test_the_file_is_small_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    assert FILE.stat().st_size <= 1 << 20
    bad = tmp_path / "questions.npz"
    some = np.zeros(3, dtype=np.int8)
    np.savez(bad, weights=some, idf=some, idf_step=1.0, scale=1.0, bias=0.0)
    with pytest.raises(ValueError, match=str(BUCKETS)):
        QuestionModel.load(bad)


@pytest.mark.parametrize(
    "text",
    [
        "Was I surprised? No. Did they apologise? Also no.",
        "RT @citynews: Is Tarson too big to fail?",
        "Want to win a year of free coffee? Follow @quickmart and repost",
        "Знаете, за что я люблю Норвик? Ни за что.",
        "і оце у вас зветься пріоритетна посадка @tarson?",
        "«И как мы жили без сетмакса?» — мама каждый вечер",
    ],
)
def test_no_answer_is_expected(text: str) -> None:
    assert detect(text).intent is not Intent.QUESTION


@pytest.mark.parametrize(
    "text",
    [
        "Why does the app ask for my location? Genuinely curious",
        "А зачем приложению геолокация? Правда интересно",
        "Уважаемый банк, как пополнить телефон с карты? Спасибо.",
        "Скільки коштує доставка? Дякую",
    ],
)
def test_a_closing_word_answers_nothing(text: str) -> None:
    assert detect(text).intent is Intent.QUESTION


@pytest.mark.parametrize(
    "text",
    [
        "Day nine. The router still blinks red and the ticket says “in progress”.",
        "суп чуть тёплый и половина в пакете",
        "кур'єр перекинув коробку через паркан просто в калюжу",
    ],
)
def test_mishaps_without_a_word_of_blame_are_complaints(text: str) -> None:
    assert detect(text, tone=(0.35, 0.5, 0.15)).intent is Intent.COMPLAINT


@pytest.mark.parametrize(
    "text",
    [
        "no I won't sue, life is short",
        "не буду подавать в суд, жизнь коротка",
        "Норвік виграв суд у колишнього постачальника",
        "новый спикер просто всех убил на саммите",
        "никуда от Тарсона не уйду, дважды выручили",
        "Basketball court next to Belcom reopens",
    ],
)
def test_words_of_law_and_violence_that_threaten_nobody(text: str) -> None:
    assert detect(text).flags == ()
