"""Several names in one post: clauses, comparison, contrast, and the same answer when the names are swapped."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from crawler.model import Intent, Tone
from sentiment import Analyser, clauses, compare, toward
from sentiment.clauses import guess

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(threads=1)


def tones(analyser: Analyser, text: str, names: Sequence[str]) -> list[Tone]:
    return [found.tone for found in analyser.analyse([text] * len(names), list(names))]


CONTRASTS = [
    ("I can't stand Norvik, Belcom saved me", "Norvik", "Belcom"),
    ("Норвик терпеть не могу, а Белком спас", "Норвик", "Белком"),
    ("Норвік терпіти не можу, а Белком врятував", "Норвік", "Белком"),
    ("Norvik is way worse than Belcom", "Norvik", "Belcom"),
    ("Норвик гораздо хуже Белкома", "Норвик", "Белкома"),
    ("Белком набагато кращий за Норвік", "Норвік", "Белком"),
    ("ушла из Норвика в Белком и не жалею", "Норвика", "Белком"),
    ("Norvik 👎 Belcom 👍", "Norvik", "Belcom"),
    ("Norvik: 2/10, Belcom: 10/10", "Norvik", "Belcom"),
]


@pytest.mark.parametrize(("text", "worse", "better"), CONTRASTS)
def test_each_name_gets_its_own_tone(analyser: Analyser, text: str, worse: str, better: str) -> None:
    assert tones(analyser, text, [worse, better]) == [Tone.NEGATIVE, Tone.POSITIVE]


@pytest.mark.parametrize(("text", "worse", "better"), CONTRASTS)
def test_swapped_names_give_swapped_tones(analyser: Analyser, text: str, worse: str, better: str) -> None:
    swapped = text.replace(worse, "\0").replace(better, worse).replace("\0", better)
    assert tones(analyser, swapped, [better, worse]) == [Tone.NEGATIVE, Tone.POSITIVE]


@pytest.mark.parametrize("name", ["Zorvex24", "@belcom_ua", "Ладна Пей", "Кварта"])
def test_the_name_itself_says_nothing(analyser: Analyser, name: str) -> None:
    assert tones(analyser, f"{name} терпеть не могу, Норвик спас", [name, "Норвик"]) == [Tone.NEGATIVE, Tone.POSITIVE]


def test_names_in_one_list_share_the_verdict(analyser: Analyser) -> None:
    assert tones(analyser, "Норвик и Белком одинаковые жулики", ["Норвик", "Белком"]) == [Tone.NEGATIVE] * 2
    assert tones(analyser, "Norvik and Belcom are both excellent", ["Norvik", "Belcom"]) == [Tone.POSITIVE] * 2


def test_a_name_that_only_stands_there_is_neutral(analyser: Analyser) -> None:
    text = "Used a Norvik voucher at Belcom and the cashier was incredibly rude"
    assert tones(analyser, text, ["Norvik", "Belcom"]) == [Tone.NEUTRAL, Tone.NEGATIVE]


def test_intent_is_that_toward_the_name(analyser: Analyser) -> None:
    text = "Норвик потерял посылку, деньги не возвращает. Белком спас, большое спасибо!"
    bad, good = analyser.analyse([text, text], ["Норвик", "Белком"])
    assert (bad.intent, good.intent) == (Intent.COMPLAINT, Intent.PRAISE)


def test_a_plain_contrast_is_seen_when_only_one_name_is_asked(analyser: Analyser) -> None:
    text = "Раньше был Норвик, ужасный сервис, зато Белком просто супер"
    assert analyser.analyse([text], ["Белком"])[0].tone is Tone.POSITIVE
    assert analyser.analyse([text], ["Норвик"])[0].tone is Tone.NEGATIVE


def test_one_name_leaves_the_decision_to_the_model() -> None:
    names = ["Норвик", "Белком"]
    calm = lambda parts: [(0, 1, 0)] * len(parts)  # noqa: E731
    assert toward.tones("Норвик ужасный банк", names, calm, lambda text, some: []) == [None] * 2


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Норвик", "норвика"),
        ("Норвик", "норвиком"),
        ("Ладна Пей", "ладну пей"),
        ("Norvik", "norvik's"),
        ("Люмо", "люмо"),
    ],
)
def test_a_name_is_found_in_its_other_forms(name: str, form: str) -> None:
    pattern = clauses.forms(name)
    assert pattern
    assert pattern.search(f"о {form} говорят")


@pytest.mark.parametrize(("name", "text"), [("Норвик", "норвежский"), ("Lumo", "lumora"), ("Тал", "талантливый")])
def test_a_name_is_not_found_in_longer_words(name: str, text: str) -> None:
    pattern = clauses.forms(name)
    assert pattern
    assert not pattern.search(text)


def test_of_two_overlapping_names_the_longer_wins() -> None:
    low, placed = clauses.named("Ladna Pay is fine, Ladna is not", ["Ladna", "Ladna Pay"])
    assert low == "ent1x is fine, ent0x is not"
    assert placed == [0, 1]


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("ent0x is better than ent1x", {0: 1, 1: -1}),
        ("ent0x is not better than ent1x", {0: -1, 1: 1}),
        ("ent0x значно гірший за ent1x", {0: -1, 1: 1}),
        ("i left ent0x for ent1x", {0: -1, 1: 1}),
        ("ent0x is on the left of ent1x", {}),
        ("ent0x is good and ent1x is even better", {}),
    ],
)
def test_comparisons(sentence: str, found: dict[int, int]) -> None:
    assert compare.pairs(sentence) == found


@pytest.mark.parametrize(
    "text",
    [
        "Норвик Белком " * 4000,
        "Норвик, " * 8000,
        "Норвик лучше " * 5000,
        "Норвик " + "а" * 60000,
        "Белком \x00 Норвик \ud800",
    ],
)
def test_no_text_raises_or_crawls(analyser: Analyser, text: str) -> None:
    started = time.perf_counter()
    results = analyser.analyse([text, text], ["Норвик", "Белком"])
    assert all(sum(found.tone_scores.values()) == pytest.approx(1, abs=1e-3) for found in results)
    assert time.perf_counter() - started < 3.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ladna was late. They're asleep there", []),
        ("Ladna підвела. Безкоштовні лише слова", []),
        ("Ladna підвела. Кварта виручила", ["Кварта"]),
        ("Norvik's fine, Ladna is not", ["Norvik's"]),
    ],
)
def test_a_word_that_opens_a_sentence_is_a_name_only_when_it_is_no_word(text: str, found: list[str]) -> None:
    everyday = {"they", "безкоштовн", "asleep"}
    assert guess(text, "Ladna", everyday.__contains__) == found
