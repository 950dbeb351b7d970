"""Words of rules in running text."""

from __future__ import annotations

import time

import pytest

from crawler.stages.words import words_in
from crawler.text import fold


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("суд", "подам до СУДУ!"),
        ("суд", "судом закінчиться"),
        ("адвокат", "мій адвокатом каже"),
        ("гроші", "де мої грошей?"),
        ("повернення", "жду повернення"),
        ("court", "see you in Court."),
        ("lawyer", "my lawyers will write"),
        ("refund", "never refunded"),
        ("charge", "charging twice"),
        ("fly", "it flies"),
        ("подам у суд", "я подам   у суд"),
        ("подам у суд", "подам у суди!"),
        ("cash back", "cash-back"),
        ("refund*", "refundability"),
        ("=СУД", "суд"),
        ("💩", "сервіс💩дно"),
        ("#scam", "it is #scam"),
        ("@ceo", "hey @ceo"),
        ("Суд’я", "суд'я сказав"),
        ("ёлка", "елки"),
        ("112", "дзвоню 112"),
    ],
)
def test_found(word: str, text: str) -> None:
    assert words_in([word], fold(text)) == [word]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("суд", "розбили посуд"),
        ("суд", "судно пішло"),
        ("court", "of course it is"),
        ("банк", "на банкеті"),
        ("=суд", "суду"),
        ("sue", "an issue"),
        ("112", "1123 грн"),
        ("подам у суд", "подам скаргу у міський суд"),
        ("", "anything"),
        ("   ", "anything"),
        ("*", "anything"),
    ],
)
def test_not_found(word: str, text: str) -> None:
    assert words_in([word], fold(text)) == []


def test_hostile_text_costs_no_time() -> None:
    text = fold("а" * 65_000 + " ! " * 1000)
    began = time.perf_counter()
    assert words_in(["а б в", "аааааааа", "подам у суд", "(((", "[a-", "x*y"], text) == []
    assert words_in(["суд", "до суду іду"], fold("суд" * 20_000 + "до судук" * 9000)) == []
    assert time.perf_counter() - began < 1.0
