"""Word forms of names: declension, scripts, persons, legal entities; every case here is of other names than the set."""

from __future__ import annotations

import pytest

from crawler.matching import Matcher
from crawler.matching.forms import forms_of, name_of, word_forms
from crawler.matching.forms.numbers import number_in, number_problem
from crawler.matching.forms.scripts import cyrillised, romanised, slipped, to_russian, to_ukrainian, twin
from crawler.model import Brand, Entity, EntityKind
from crawler.text import fold


def found(kind: EntityKind, name: str, text: str) -> list[str]:
    matcher = Matcher([Brand(name, (Entity(kind, name),), version="1", id=1)])
    return [hit.form for match in matcher.match(fold(text), text) for hit in match.hits]


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("Ранкова Зоря", "замовила в Ранковій Зорі", "Ранковій Зорі"),
        ("Ранкова Зоря", "работаю с Ранковой Зорей", "Ранковой Зорей"),
        ("Ранкова Зоря", "#РанковаЗоря знову", "РанковаЗоря"),
        ("Ранкова Зоря", "rankova-zoria is late", "rankova-zoria"),
        ("Тернопіль", "у Тернополі дощ", "Тернополі"),
        ("Ведмідь", "бачила ведмедя", "ведмедя"),
        ("Піч", "з піччю", "піччю"),
        ("Стрілець", "скарга на Стрільця", "Стрільця"),
        ("Кофейная Лавка", "был в Кофейной лавке", "Кофейной лавке"),
        ("Третий Глаз", "писал Третьему Глазу", "Третьему Глазу"),
        ("Ковёр", "на ковре", "ковре"),
        ("Воробей", "воробья видел", "воробья"),
        ("Дом Игрушки", "в Доме Игрушки тихо", "Доме Игрушки"),
        ("ХБК", "до ХБК'у дзвонила", "ХБК'у"),
        ("ХБК", "з ХБК-ом", "ХБК-ом"),
        ("Tavrida", "купили в Тавриде", "Тавриде"),
        ("Tavrida", "у Тавриді", "Тавриді"),
        ("Greenleaf", "Greenleaf’ом задоволена", "Greenleaf’ом"),
        ("Greenleaf", "the Greenleaf's parcel", "Greenleaf's"),
        ("ЛотосБанк", "Лотос-банком", "Лотос-банком"),
        ("Лотос", "цей Лoтoс не працює", "Лoтoс"),
        ("Лотос", "Лоооотооос!!!", "Лоооотооос"),
        ("Лотос", "лотос🌸 чудовий", "лотос"),
        ("Кав'ярка", "у Кав’ярці та кавʼярку", "Кав’ярці"),
        ("ТОП", "TOП і все", "TOП"),
        ("Лотос24", "в Лотосе24 і Лотос-24", "Лотос-24"),
        ("Лотос24", "в Лотосе 24", "Лотосе 24"),
        ("Ґудзик", "Гудзика немає", "Гудзика"),
        ("Три Коня", "у Трьох Коней", "Трьох Коней"),
        ("День", "до Дня", "Дня"),
        ("Гарний Настрій", "з Гарним Настроєм", "Гарним Настроєм"),
        ("Бій", "перед Боєм", "Боєм"),
        ("Друзья", "с Друзьями", "Друзьями"),
        ("Время", "о Времени", "Времени"),
        ("Здание", "за Зданием", "Зданием"),
        ("Рога и Копыта", "с Рогами и Копытами", "Рогами и Копытами"),
        ("Koval", "у Ковалі", "Ковалі"),
        ("M0re", "m0re than that", "m0re"),
        ("Лотосбанк", "мій лотос6анк", "лотос6анк"),
        ("Ранкова Зоря", "#Ранкова_Зоря", "Ранкова_Зоря"),
        ("Ранкова Зоря", "see rankova_zoria", "rankova_zoria"),
        ("Lifebell", "лайфбелл і лайфбел", "лайфбел"),
        ("Ранкова Зоря", "ask @rankovazoria!", "@rankovazoria"),
        ("Lifebell", "cc @LifeBell, please", "@LifeBell"),
        ("Parcels.ua", "#parcelsua знову", "parcelsua"),
        ("Parcels.ua", "на Parcels.ua", "Parcels.ua"),
        ("Рачия", "в Рачії", "Рачії"),
        ("Лотос Такси", "вызвал Лотос.Такси", "Лотос.Такси"),
    ],
)
def test_a_brand_is_found_as_people_write_it(name: str, text: str, form: str) -> None:
    assert form in found(EntityKind.BRAND, name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Лотос", "лотосовий чай"),
        ("Кав", "у кав'ярні тихо"),
        ("Дім", "дим і діма"),
        ("Сіль", "сіли в селі, силою"),
        ("Вода", "водій їде"),
        ("Новости", "одна новость"),
        ("Nike", "нікого, никому"),
        ("Лента", "лентами и лентах"),
        ("Сім", "у сім'ю"),
        ("Зоря", "зоряне небо"),
        ("Neil", "O'Neil called"),
        ("@lotos", "mail info@lotos.example and @lotos.fans"),
        ("=Лотос", "до Лотоса далеко"),
        ("Ранкова Зоря", "Ранкове зоряне небо"),
        ("Lifebell", "mail info@lifebell.example, x@lifebell and @lifebell.fans and @lifebell_fans"),
        ("=Lifebell", "cc @lifebell"),
    ],
)
def test_a_near_miss_is_left_alone(name: str, text: str) -> None:
    assert found(EntityKind.BRAND, name, text) == []


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("ТОВ «Зоря»", "ТОВ «Зоря»"),
        ('Товариством з обмеженою відповідальністю "Зоря"', 'Товариством з обмеженою відповідальністю "Зоря"'),
        ("директор т.о.в. Зоря", "т.о.в. Зоря"),
        ("ООО Зоря", "ООО Зоря"),
        ("Zoria LLC", "Zoria LLC"),
        ("«ЗОРЯ», ТОВ", "«ЗОРЯ», ТОВ"),
        ("ТОВ ФК «Зоря»", "ТОВ ФК «Зоря»"),
        ("ТОВ «Фінансова компанія «Зоря»", "ТОВ «Фінансова компанія «Зоря»"),
        ("he said “sue Zoria LLC” and left", "Zoria LLC"),
        ("Zoria LLC's letter", "Zoria LLC"),
        ("from “Zoria LLC” today", "“Zoria LLC”"),
    ],
)
def test_a_legal_entity_is_found_beside_its_legal_form(text: str, form: str) -> None:
    assert found(EntityKind.LEGAL, "ТОВ «Зоря»", text) == [form]


@pytest.mark.parametrize("text", ["зоря сходить", "ПАТ «Зоря»", "ТОВ «Зоря Плюс»", "ТОВ «Нова Зоря»", "АТ і зоря"])
def test_another_legal_entity_is_left_alone(text: str) -> None:
    assert found(EntityKind.LEGAL, "ТОВ «Зоря»", text) == []


def test_a_legal_name_is_found_hyphenated_and_romanised() -> None:
    assert found(EntityKind.LEGAL, "ТОВ «Срібний Лотос»", "до ТОВ «Срібний-Лотос»") == ["ТОВ «Срібний-Лотос»"]
    assert found(EntityKind.LEGAL, "ПАО «Лотос»", 'from PAO "Lotos" today') == ['PAO "Lotos"']


@pytest.mark.parametrize("text", ["код 41273854", "ЄДРПОУ 4127 3854", "(41 27 38 54)", "№41273854", "UA41273854"])
def test_a_register_number_is_found_in_groups(text: str) -> None:
    assert len(found(EntityKind.LEGAL, "ЄДРПОУ 41273854", text)) == 1


@pytest.mark.parametrize("text", ["+41273854", "141273854", "41273854,50 грн", "4127 3854 1111 2222", "41273855"])
def test_a_longer_number_is_left_alone(text: str) -> None:
    assert found(EntityKind.LEGAL, "ЄДРПОУ 41273854", text) == []


@pytest.mark.parametrize(
    ("kind", "digits", "wrong"),
    [
        ("edrpou", "41273854", False), ("edrpou", "41273855", True), ("edrpou", "00134829", False),
        ("edrpou", "4127385", True), ("inn", "7812459030", False), ("inn", "772349816528", False),
        ("inn", "772349816529", True), ("ogrn", "1027839405175", False), ("ogrnip", "316774628190532", False),
        ("ogrnip", "316774628190533", True), ("rnokpp", "2847519365", False),
        ("ipn", "412738526543", False), ("ipn", "2847519366", True), ("", "41273855", True),
    ],
)  # fmt: skip
def test_check_digits(kind: str, digits: str, wrong: bool) -> None:
    problem = number_problem(kind, digits)
    assert (problem is not None) == wrong
    assert problem is None or digits in problem


def test_a_joint_stock_company_keeps_its_name_when_the_law_renames_it() -> None:
    assert found(EntityKind.LEGAL, "ПАТ КБ «Лотос»", "АТ «Лотос»") == ["АТ «Лотос»"]
    assert found(EntityKind.LEGAL, "ПАТ КБ «Лотос»", "ПАТ КБ ЛОТОС") == ["ПАТ КБ ЛОТОС"]
    assert found(EntityKind.LEGAL, "ПАТ КБ «Лотос»", "ПрАТ «Лотос»") == []


def test_a_number_is_told_from_a_name() -> None:
    assert number_in("єдрпоу 4127 3854") == ("edrpou", "41273854")
    assert number_in("41273854") == ("", "41273854")
    assert number_in("24/7") is None
    assert number_in("тов 5 елемент") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Микола Ткачук", "з Миколою Ткачуком"),
        ("Микола Ткачук", "Ткачука Миколу"),
        ("Микола Ткачук", "М. Ткачукові"),
        ("Микола Ткачук", "ткачук м.п."),
        ("Микола Ткачук", "Микола Петрович Ткачук"),
        ("Микола Ткачук", "Mykola Tkachuk's letter"),
        ("Ткачук Микола Петрович", "Миколою Петровичем"),
        ("Ткачук Микола Петрович", "Ткачук МП"),
        ("Ткачук Микола Петрович", "М. П. Ткачук"),
        ("Дарья Лебедева", "Лебедевой Дарье"),
        ("Дарья Лебедева", "Дар'я Лебедєва"),
        ("Іван Ґудзь", "Івана Гудзя"),
        ("Іван Ґудзь", "Іваном Ґудзем"),
        ("Любов Ткач", "Любові Ткач"),
        ("Олександр Ткачук", "с Александром Ткачуком"),
        ("Микола Сорока", "Николаем Сорокой"),
        ("Наталія Ткачук", "Наталье Ткачук"),
        ("Николай Белов", "Миколі Бєлову"),
        ("Хлеб Громов", "Хлібом Громовим"),
        ("Mykola Tkachuk", "Миколою Ткачуком"),
        ("Olena Melnyk", "Олену Мельник"),
        ("Шевчук Є. П.", "Є. Шевчука"),
        ("J. R. R. Hobbling", "J.R.R. Hobbling"),
        ("John Ronald Reuel Hobbling", "John Hobbling"),
        ("Vincent van Dijken", "Vincent van Dijken"),
        ("Dr. Maria Santos", "Maria Santos"),
        ("Ткачук Дмитро Олексійович", "Дмитрия Алексеевича Ткачука"),
        ("Микола Ткачук", "Ткачук, Микола Петрович"),
        ("Олег Швець", "Олега Шевця"),
        ("Ganna Moore", "Moore, Ganna"),
        ("Sean O'Dowd", "Sean O’Dowd"),
        ("Ivan Moroz", "Ivan Moroz—the owner"),
        ("Бондар Вікторія", "Вікторії Бондар"),
        ("Жук Ростислав", "Р. Жука"),
        ("Белов Дмитрий", "Дмитрию Белову"),
        ("Белов Дмитрий", "Д. Белов"),
        ("Коваль Марина", "М. Коваль"),
        ("Левко Жук", "Л. Жуком"),
        ("Толстов Лев", "Льва Толстова"),
        ("Дем'ян Лук'янчук", "Демьяна Лукьянчука"),
    ],
)
def test_a_person_is_found(name: str, text: str) -> None:
    assert len(found(EntityKind.PERSON, name, text)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Микола Ткачук", "Ткачук прийшов"),
        ("Микола Ткачук", "Микола Ткаченко"),
        ("Микола Ткачук", "П. М. Ткачук"),
        ("Микола Ткачук", "Ткачук, Микола і Сидір"),
        ("Микола Ткачук", "Бачив Миколу. Ткачук пішов"),
        ("Микола Ткачук", "Микола Левченко-Ткачук"),
        ("Микола Ткачук", "Микола Ткачук–Левченко"),
        ("Sean Dowd", "Sean O'Dowd"),
        ("Ткачук Микола Петрович", "Ткачук Микола Іванович"),
        ("Ткачук Микола Петрович", "Ткачук М. І."),
        ("Ткачук Микола Петрович", "Микола Петрович Левченко"),
        ("Ростислав Жук", "Ростислава Жук"),
        ("Иван Петров", "Сидоров и Петров"),
        ("Максим Галкин", "Максим Г. Петров"),
    ],
)
def test_a_namesake_is_left_alone(name: str, text: str) -> None:
    assert found(EntityKind.PERSON, name, text) == []


def test_spans_cover_the_whole_of_what_was_written() -> None:
    text = 'Учора «ТОВ "Зоря"» і Нoва Пoшшшта…'
    brand = Brand(
        "x", (Entity(EntityKind.BRAND, "Нова Пошта"), Entity(EntityKind.LEGAL, "ТОВ Зоря")), version="1", id=1
    )
    for match in Matcher([brand]).match(fold(text), text):
        assert [text[hit.start : hit.end] for hit in match.hits] == ['ТОВ "Зоря"', "Нoва Пoшшшта"]


def test_forms_stay_few() -> None:
    names = ["Ранкова Зоря", "Лотос", "Nova Pay", "Перша Українська Міжнародна Торгова Компанія", "Greenleaf"]
    assert max(len(forms_of(Entity(EntityKind.BRAND, name))) for name in names) < 700
    assert len(forms_of(Entity(EntityKind.PERSON, "Ткачук Микола Петрович"))) < 150


@pytest.mark.parametrize(
    "text", ["", " ", "=", "«»", "'", "-", ".", "@", "#", "a", "и", "0", "ь", "ТОВ", "ТОВ «»", "І. І.", "a" * 5000,
             "й" * 300, "\u202e\u0000", "🔥", "ы-ы-ы", "'''", "ь ь", "О'", "ець", "ФОП", "ФОП І", "х х х х х х х х х х"]
)  # fmt: skip
@pytest.mark.parametrize("kind", list(EntityKind))
def test_no_name_breaks_the_rules(kind: EntityKind, text: str) -> None:
    name = name_of(Entity(kind, text))
    assert len(name.keys) < 5000
    assert all(key.strip() and key == fold(key) for key in name.keys)
    for key in list(name.keys)[:20]:
        name.place(key, 0, len(key), lambda start, end, key=key: key[start:end])  # type: ignore[misc]


def test_word_forms_are_for_words_of_all_sorts() -> None:
    assert {"новина", "новини", "новин", "новинами", "новину"} <= word_forms("новина")
    assert {"вікно", "вікна", "вікнах", "вікном"} <= word_forms("вікно")
    assert word_forms("pay") == {"pay"}
    assert word_forms("24") == {"24"}


def test_scripts() -> None:
    assert {"kharkiv", "harkiv"} <= set(romanised("харків", "uk"))
    assert "yatseniuk" in romanised("яценюк", "uk")
    assert "гугл" in cyrillised("google", "ru")
    assert "вронська" in to_ukrainian("вронская")
    assert "боднарский" in to_russian("боднарський")
    assert twin("мтс") == "mtc"
    assert twin("дтек") is None
    assert "ghbdsn" in slipped("привіт") or "ghbdtn" in slipped("привет")


def test_keyboard_slips_are_an_option() -> None:
    assert "kjnjc" not in forms_of(Entity(EntityKind.BRAND, "Лотос"))
    assert {"kjnjc", "kjnjce"} <= forms_of(Entity(EntityKind.BRAND, "Лотос", slips=True))
