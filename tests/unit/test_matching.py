"""Matching v1: names, aliases, legal entities, people, exclusions, context; exact spans."""

from __future__ import annotations

import pytest

from crawler.matching import Matcher
from crawler.matching.forms import forms_of, word_forms
from crawler.model import Brand, Entity, EntityKind
from crawler.text import fold

NOVA = Brand(
    name="Nova Pay",
    entities=(
        Entity(EntityKind.BRAND, "Nova Pay"),
        Entity(EntityKind.BRAND, "Нова Пей"),
        Entity(EntityKind.BRAND, "@novapay"),
        Entity(EntityKind.LEGAL, "ТОВ «Нова Пей»"),
        Entity(EntityKind.LEGAL, "EDRPOU 12345678"),
        Entity(EntityKind.PERSON, "Іван Кравченко"),
    ),
    not_about=("nova pay phone",),
    version="v1",
    id=7,
)


def found(text: str, brand: Brand = NOVA) -> list[tuple[str, str]]:
    matches = Matcher([brand]).match(fold(text), text)
    return [(hit.form, hit.kind.value) for match in matches for hit in match.hits]


@pytest.mark.parametrize(
    ("text", "form", "kind"),
    [
        ("Nova Pay зависла", "Nova Pay", "brand"),
        ("оплатив через НОВУ ПЕЙ вчора", "НОВУ ПЕЙ", "brand"),
        ("У Новій Пей знову черга", "Новій Пей", "brand"),
        ("nova-pay ate my money", "nova-pay", "brand"),
        ("#novapay not working", "novapay", "brand"),
        ("hey @novapay, answer me", "@novapay", "brand"),
        ("позов до ТОВ «Нова Пей» подано", "ТОВ «Нова Пей»", "legal"),
        ("код 12345678 у реєстрі", "12345678", "legal"),
        ("зустріч з Іваном Кравченком", "Іваном Кравченком", "person"),
        ("Кравченко Іван не відповідає", "Кравченко Іван", "person"),
        ("заява І. Кравченка", "І. Кравченка", "person"),
        ("Nova\u00a0Pay\u200b блокує", "Nova\u00a0Pay", "brand"),
    ],
)
def test_finds_the_forms_people_write(text: str, form: str, kind: str) -> None:
    assert (form, kind) in [(f.rstrip("\u200b"), k) for f, k in found(text)]


@pytest.mark.parametrize(
    "text",
    [
        "innova payment",
        "Nova Payments",
        "нова пейджерна мережа",
        "code 123456789",
        "my Nova Pay phone",
        "Іван Кравчук",
        "",
    ],
)
def test_leaves_near_misses_alone(text: str) -> None:
    assert found(text) == []


def test_an_exclusion_that_holds_the_name_spoils_that_hit_only() -> None:
    text = "My Nova Pay phone is fine. But Nova Pay the bank charged me twice."
    assert [form for form, _ in found(text)] == ["Nova Pay"]
    [match] = Matcher([NOVA]).match(fold(text), text)
    assert match.hits[0].start == text.index("Nova Pay the")


def test_spans_point_into_the_original_text() -> None:
    text = "  «Нова  Пей»…\r\nі ще Nova Pay!"
    for match in Matcher([NOVA]).match(fold(text), text):
        for hit in match.hits:
            assert text[hit.start : hit.end] == hit.form
            assert fold(hit.form).strip() in {"нова пей", "nova pay"}


def test_exact_means_exact() -> None:
    brand = Brand("Сам", (Entity(EntityKind.BRAND, "=Сам"),), id=1)
    assert found("він сам прийшов", brand) == [("сам", "brand")]
    assert found("самого не було", brand) == []


def test_an_ambiguous_word_needs_its_context() -> None:
    apple = Brand("Apple", (Entity(EntityKind.BRAND, "Apple"),), about=("iphone", "оплата"), id=1)
    assert found("an apple a day", apple) == []
    assert found("my iPhone by apple broke", apple) == [("apple", "brand")]
    assert found("apple зняли гроші, проблема з оплатою", apple) == [("apple", "brand")]
    assert found("#apple", apple) == [("apple", "brand")]


def test_two_brands_in_one_text_are_two_matches() -> None:
    rival = Brand("Рівал", (Entity(EntityKind.BRAND, "Рівал"),), id=8)
    text = "Нова Пей краще, ніж Рівал"
    assert {match.brand_id for match in Matcher([NOVA, rival]).match(fold(text), text)} == {7, 8}


def test_the_version_changes_with_any_query() -> None:
    changed = Brand("Nova Pay", NOVA.entities, version="v2", id=7)
    assert Matcher([NOVA]).version == Matcher([NOVA]).version != Matcher([changed]).version


def test_no_brands_match_nothing() -> None:
    assert Matcher([]).match("anything", "anything") == []


def test_declension_follows_the_grammar() -> None:
    assert {"банку", "банком", "банки", "банків"} <= word_forms("банк")
    assert {"нову", "нової", "новою"} <= word_forms("нова")
    assert {"галичини", "галичину", "галичиною"} <= word_forms("галичина")
    assert {"кравченка", "кравченку", "кравченком"} <= word_forms("кравченко")
    assert word_forms("pay") == {"pay"}


def test_forms_stay_few_enough() -> None:
    long = Entity(EntityKind.LEGAL, "ТОВ «Перша Українська Міжнародна Торгова Компанія»")
    assert len(forms_of(long)) <= 3000
