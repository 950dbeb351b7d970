"""The query language case by case: what holds where, what is refused how names and queries live together."""

from __future__ import annotations

import pytest

from crawler.errors import ConfigError
from crawler.matching import Facts, Matcher, explain, parse, plan, warnings
from crawler.model import Brand, Entity, EntityKind
from crawler.text import fold

NAME = Entity(EntityKind.BRAND, "Ladna Pay")


def matcher(query: str | None, names: tuple[Entity, ...] = (), **more: object) -> Matcher:
    return Matcher([Brand("Ladna Pay", names, query=query, id=1, version="v", **more)])  # type: ignore[arg-type]


def found(query: str | None, text: str, facts: Facts | None = None, **more: object) -> list[str] | None:
    """Texts of the hits; None when there is no match."""
    matches = matcher(query, **more).match(fold(text), text, facts)  # type: ignore[arg-type]
    return [hit.form for hit in matches[0].hits] if matches else None


HOLDS = [
    ("суд", "справа в СУДІ", ["СУДІ"]),
    ("=суд", "справа в суді", None),
    ("=суд", "верховний Суд", ["Суд"]),
    ("case:Суд", "верховний Суд", ["Суд"]),
    ("case:Суд", "верховний суд", None),
    ('case:"Ladna Pay"', "ladna pay, LADNA PAY, Ladna Pay", ["Ladna Pay"]),
    ("case:Lad*", "ladna Ladna", ["Ladna"]),
    ('"charged twice"', "They charged, twice!", ["charged, twice"]),
    ('"charged twice"', "twice charged", None),
    ('"подвійне списання"', "через подвійного списання", ["подвійного списання"]),
    ('="подвійне списання"', "через подвійного списання", None),
    ("повер*", "повернення, поверніть", ["повернення", "поверніть"]),
    ("*банк", "ладнабанк банкір", ["ладнабанк"]),
    ("пер*каз", "переказ перекази", ["переказ"]),
    ("*еказ*", "переказами", ["переказами"]),
    (r"5\*", "готель 5* добрий", ["5*"]),
    ("C++ OR AT&T", "c++ and at&t", ["c++", "at&t"]),
    ("a1 AND b1", "b1 then a1", ["b1", "a1"]),
    ("a1 AND b1", "a1", None),
    ("a1 NOT b1", "a1", ["a1"]),
    ("a1 NOT b1", "a1 b1", None),
    ("a1 AND NOT (b1 NOT c1)", "a1 b1 c1", ["a1"]),
    ("a1 OR b1 AND c1", "a1", ["a1"]),
    ("(a1 OR b1) AND c1", "a1", None),
    ("a1 NEAR/0 b1", "b1 - a1", ["b1", "a1"]),
    ("a1 NEAR/1 b1", "a1 x x b1", None),
    ("a1 NEAR/2 b1", "a1 x x b1", ["a1", "b1"]),
    ("a1 ONEAR/2 b1", "b1 a1", None),
    ("a1 NEAR/3 a1", "a1", None),
    ("a1 NEAR/3 a1", "a1 a1", ["a1", "a1"]),
    ("a1 NEAR/3 b1 NEAR/3 c1", "a1 c1 b1", ["a1", "c1", "b1"]),
    ("a1 ONEAR/3 b1 ONEAR/3 c1", "a1 c1 b1", None),
    ("(a1 OR b1) NEAR/1 c1", "x b1 c1", ["b1", "c1"]),
    ("(a1 AND b1) NEAR/1 c1", "a1 c1 x x x b1", None),
    ("(a1 AND b1) NEAR/1 c1", "a1 c1 x x x b1 c1", ["a1", "c1", "b1", "c1"]),
    ("/no\\s?\\d+/", "see No 55", ["No 55"]),
    ("case:/No\\d+/", "no55", None),
    ("/№\\s?\\d+/ NEAR/1 рахунок", "мій рахунок № 55", ["рахунок", "№ 55"]),
    ("«Ладна Пей» OR “друге слово”", "Ладна  Пей", ["Ладна  Пей"]),
    ("п'ять", "п’ять слів", ["п’ять"]),
    ("банк", "банкрот чи некомбанк", None),
    ("banka", "bankа_1", None),
    ("ladna", "_ladna_ каже", ["ladna"]),
    ("ladna", "mail ladna@site.example", None),
    ("銀行 NEAR/1 手数料", "三井銀行の手数料", ["銀行", "手数料"]),
    ("삼성", "삼성은 크다", ["삼성"]),
    ("ソニー", "ソニー銀行とパソニーク", ["ソニー"]),
    ("sony", "sony的电视", ["sony"]),
    ("क्या", "क्या बात", ["क्या"]),
    ("क्य", "क्या बात", None),
    ("🙂 NEAR/0 добре", "все добре 🙂 так", ["добре", "🙂"]),
]


@pytest.mark.parametrize(("query", "text", "hits"), HOLDS)
def test_a_query_holds(query: str, text: str, hits: list[str] | None) -> None:
    assert found(query, text) == hits


@pytest.mark.parametrize(("query", "text", "hits"), HOLDS)
def test_what_is_printed_reads_the_same(query: str, text: str, hits: list[str] | None) -> None:
    assert parse(str(parse(query))) == parse(query)
    assert found(str(parse(query)), text) == hits


FACTS = Facts(
    title=6,
    author="Olena Kit\n@olena_k",
    url="https://m.forum.example/reviews/17?x=1",
    site="forum.example",
    kinds=("page", "feed"),
    language=lambda: "uk",
)


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("title:скарга", True),
        ("text:скарга", False),
        ("title:(скарга OR лист) AND text:картка", True),
        ('title:"на картку"', False),
        ("title:(скарга NEAR/3 картка)", False),
        ("author:olena", True),
        ('author:"olena kit"', True),
        ("author:@olena_k", True),
        ("author:ole", False),
        ("author:ole*", True),
        ("author:olena_*", True),
        ("author:/^olena/", True),
        ("url:/reviews/", True),
        ("url:forum*17", True),
        ("url:https://m.forum.example/reviews", True),
        ("site:forum.example", True),
        ("site:m.forum.example", True),
        ("site:example", True),
        ("site:rum.example", False),
        ("site:(a.example OR forum.example) AND картка", True),
        ("картка NOT site:forum.example", False),
        ("lang:uk", True),
        ("lang:UK AND картка", True),
        ("lang:ru", False),
        ("kind:feed", True),
        ("kind:(api OR page) NOT author:bot", True),
        ("kind:pages", False),
    ],
)
def test_fields(query: str, holds: bool) -> None:
    assert (found(query, "Скарга\nна картку", FACTS) is not None) is holds


def test_a_language_is_asked_only_when_the_rest_holds() -> None:
    def never() -> str:
        raise AssertionError("asked")

    for query in ("картка AND lang:uk", "lang:uk AND картка", "lang:uk AND картка AND суд"):
        assert found(query, "суд, а більше нічого", Facts(language=never)) is None


def test_a_query_of_facts_alone_gives_one_empty_hit_that_says_so() -> None:
    [match] = matcher("site:forum.example").match("x", "x", FACTS)
    assert [(hit.form, hit.start, hit.end, hit.why) for hit in match.hits] == [("", 0, 0, "query, by fields")]


MISTAKES = [
    ("", 1, 1, "empty"),
    ("a AND", 1, 6, "found the end after AND: expected a word"),
    ("a b", 1, 3, "expected AND, OR, NOT, NEAR/n or ONEAR/n"),
    ("a and b", 1, 3, "operators are written in capitals"),
    ("a або b", 1, 3, "operators are written in capitals"),
    ("a near/5 b", 1, 3, "operators are written in capitals"),
    ("a OR\n  (b AND\n c", 2, 3, "never closed"),
    ("a)", 1, 2, "closes nothing"),
    ("a AND ()", 1, 8, "the group is empty"),
    ("a NEAR b", 1, 3, "a number of words from 0 to 1000"),
    ("a NEAR/-1 b", 1, 3, "a number of words from 0 to 1000"),
    ("a NEAR/1001 b", 1, 3, "a number of words from 0 to 1000"),
    ("a NEAR/٣ b", 1, 3, "a number of words from 0 to 1000"),
    ("a NEAR/5 NOT b", 1, 10, "NOT cannot stand inside NEAR/5"),
    ("a NEAR/5 (b NOT c)", 1, 13, "NOT cannot stand inside NEAR"),
    ("a NEAR/5 site:x.example", 1, 10, "no place in the text"),
    ("colour:red", 1, 1, "there is no field 'colour'; known: title"),
    ("title:url:x", 1, 7, "url: stands inside title:"),
    ("site:NAMES", 1, 6, "NAMES stands in the text"),
    ('a AND "b', 1, 7, "no closing quote"),
    ("a AND /b", 1, 7, "no closing /"),
    ("a\nOR /b(/", 2, 4, "RE2 cannot read"),
    ("/a*/", 1, 1, "matches everything"),
    ("/(?=a)b/", 1, 1, "RE2 cannot read"),
    ("= a", 1, 1, "= stands right before"),
    ("case:(a)", 1, 1, "case: stands right before"),
    ("NOT a", 1, 1, "NOT alone would match nearly everything"),
    ("NOT a NOT b", 1, 1, "only NOTs"),
    ("a OR NOT b", 1, 6, "NOT alone would match nearly everything"),
    ("a NOT NOT b", 1, 7, "NOT alone would match nearly everything"),
    ("a AND site:(NOT x.example)", 1, 13, "NOT alone"),
    ("a OR b*", 1, 6, "two letters or more beside the *"),
    ("*", 1, 1, "nothing to look for"),
    ('""', 1, 1, "nothing to look for"),
    ("(" * 41 + "a" + ")" * 41, 1, 41, "more than 40 levels"),
    (" NEAR/1 ".join("a" * 42), 1, 1 + 40 * 9 + 2 - 180, "NEARs in a row"),
    (" OR ".join(["a"] * 20_001), 1, 100_001, "more than 20,000 terms"),
]


@pytest.mark.parametrize(("query", "line", "column", "message"), MISTAKES)
def test_a_mistake_names_its_place_and_what_was_expected(query: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(query)
    [problem] = caught.value.problems
    assert message in problem.message
    assert (problem.line, problem.column) == (line, column)
    assert problem.fix


@pytest.mark.parametrize("query", ["a OR b AND c", "NOT (a OR b) AND c", "a NOT (b OR c) NEAR/3 d", "title:(a AND b)"])
def test_brackets_are_printed_where_they_matter(query: str) -> None:
    assert parse(str(parse(query))) == parse(query)
    assert str(parse("((a))")) == "a" and str(parse("a NOT b")) == "a AND NOT b"


def test_a_query_works_beside_the_names() -> None:
    names = (NAME,)
    assert found("картка NEAR/2 зламана", "Ladna Pay і все", names=names) == ["Ladna Pay"]
    assert found("картка NEAR/2 зламана", "зламана картка", names=names) == ["зламана", "картка"]
    assert found("ladna AND картка", "Ladna Pay, картка", names=names) == ["Ladna Pay", "картка"]


def test_a_query_with_names_decides_alone() -> None:
    names = (NAME,)
    query = "NAMES NEAR/3 (суд OR court) NOT реклама"
    assert found(query, "Ladna Pay чудова", names=names) is None
    assert found(query, "суд і Ladna Pay", names=names) == ["суд", "Ladna Pay"]
    assert found(query, "суд і Ladna Pay, реклама", names=names) is None
    [match] = matcher(query, names).match(fold("суд і Ladna Pay"), "суд і Ladna Pay")
    assert [(hit.entity, hit.why) for hit in match.hits] == [("суд", "query"), ("Ladna Pay", "name; query")]


def test_names_in_a_query_keep_their_context() -> None:
    apple = (Entity(EntityKind.BRAND, "Apple"),)
    more = {"names": apple, "about": ("iphone",), "not_about": ("apple pie",)}
    assert found("NAMES AND broke", "my apple broke", **more) is None
    assert found("NAMES AND broke", "my iphone of apple broke", **more) == ["apple", "broke"]


def test_words_in_quoted_text_do_not_count() -> None:
    text = "> Ladna Pay і суд\n[quote=Ann]суд[/quote]\nтак, картка"
    assert found("суд AND картка", text, names=(NAME,)) is None
    assert found("картка NOT суд", text, names=(NAME,)) == ["картка"]
    assert found("суд", "> суд") == ["суд"], "nothing but a quotation is a post of its own"
    assert found("суд", ">5 років суд\nі ще") == ["суд"], "more than five is no quotation"


def why_not(query: str | None, text: str, **more: object) -> list[str]:
    made = matcher(query, **more)  # type: ignore[arg-type]
    return [finding.why for finding in explain(made, fold(text), text) if not finding.kept]


@pytest.mark.parametrize(
    ("query", "text", "why"),
    [
        ("суд AND картка", "суд", "картка is not there"),
        ("суд AND (картка OR рахунок)", "суд", "none of картка, рахунок is there"),
        ("суд NEAR/2 картка", "суд a b c картка", "«суд» and «картка» have 3 words between them: 2 at most are wanted"),
        ("суд ONEAR/2 картка", "картка суд", ", «суд» first"),
        ("суд NOT картка", "суд картки", "excluded by NOT картка: «картки» stands there"),
        ("суд AND site:a.example", "суд", "the post's fields do not say site:a.example"),
    ],
)
def test_explain_says_why_a_query_does_not_hold(query: str, text: str, why: str) -> None:
    assert any(why in reason for reason in why_not(query, text))


def test_explain_says_why_a_name_does_not_count() -> None:
    apple = (Entity(EntityKind.BRAND, "Apple"),)
    assert why_not(None, "an apple", names=apple, about=("iphone",)) == [
        "none of iphone within 300 characters, and no second signal"
    ]
    assert why_not(None, "apple pie", names=apple, not_about=("apple pie",)) == ["stands in the excluded «apple pie»"]
    assert why_not(None, "pineapples", names=apple) == ["part of a longer word"]
    assert why_not(None, "> apple\nyes", names=apple) == ["stands in quoted text"]
    assert why_not("NAMES AND суд", "apple", names=apple)[0] == "the query decides alone and does not hold"


def test_hits_say_why_they_count() -> None:
    apple = (Entity(EntityKind.BRAND, "Apple"), Entity(EntityKind.LEGAL, "Apple LLC"))

    def whys(text: str) -> list[str]:
        matches = matcher(None, apple, about=("iphone",)).match(fold(text), text)
        return [hit.why for match in matches for hit in match.hits]

    assert whys("apple iphone") == ["name, near «iphone»"]
    assert whys("#apple") == ["name, tagged"]
    assert whys("Apple LLC каже: apple") == ["name, legal name", "name, beside «Apple LLC»"]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("банк", ["банк"]),
        ("банк AND переказ", []),
        ("банк OR переказ", ["банк"]),
        ("банк NEAR/5 переказ", []),
        ("переказ NOT банк", []),
        ("title:на OR ок", ["на", "ок"]),
        ("ab* OR bankom*", ["ab*"]),
        ("site:на.example", []),
    ],
)
def test_terms_that_are_too_common_are_warned_of(query: str, terms: list[str]) -> None:
    assert [message.split()[0] for _, message, _ in warnings(parse(query))] == terms


def test_many_brands_share_one_automaton() -> None:
    brands = [Brand(f"b{n}", (), query=f"слово{n} OR спільне", id=n + 1) for n in range(50)]
    made = Matcher(brands)
    assert len(made.match("спільне", "спільне")) == 50
    assert [match.brand_id for match in made.match("слово7", "слово7")] == [8]


def test_a_gate_before_many_forms_lets_nothing_pass_unseen() -> None:
    odd = ["c++", "🙂", "삼성", "ソニー", "п'ять", "a-b", "_x", "@handle", "#tag", "1+1"]
    entities = tuple(Entity(EntityKind.BRAND, f"={text}") for text in [*odd, *(f"слово{n} ще" for n in range(6000))])
    made = Matcher([Brand("b", entities, query="*сере*", id=1)])
    assert made.forms > 4096
    for text in [*odd, "слово5999 ще", "посередині"]:
        for whole in (text, f"x {text}, y", f"({text})"):
            assert [hit.form for m in made.match(whole, whole) for hit in m.hits] == [text], whole
    assert made.match("слово5 і слово6", "слово5 і слово6") == []
