"""What a ticket says: everything needed, nothing that a post could fake, in the language that was asked for."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruling_kit import SEEN, analysed, mention

from crawler.config import BusinessBlock, RuleBlock
from crawler.model import Author, Priority, StoredMention, Ticket
from crawler.stages.ruling import Setting, rule_on
from crawler.stages.ticket_text import author_of, follow_up, make_ticket, one_line, quoted, shortened

RULE = RuleBlock("usual", tags=("vip",))
KYIV = Setting("Europe/Kyiv")


def ticket_of(it: StoredMention, setting: Setting = KYIV, rule: RuleBlock = RULE) -> Ticket:
    _, ruling = rule_on(it, [rule], None, setting)
    return make_ticket(it, ruling, SEEN, setting)


def ours(body: str) -> list[str]:
    """The lines that we wrote: what is not quoted."""
    return [line for line in body.splitlines() if not line.startswith(">")]


def test_everything_that_is_known_is_told() -> None:
    it = mention(
        "Nova зникли гроші\nвже третій день",
        analysed(0.93, question=0.1),
        title="Скарга",
        author=Author("Олена", handle="@olena", followers=12),
        published_at=datetime(2026, 11, 20, 9, 5, tzinfo=UTC),
        rating=1.0,
        engagement={"likes": 3, "comments": 4},
    )
    ticket = ticket_of(it)
    assert ticket.body.splitlines() == [
        "> Скарга",
        "> Nova зникли гроші",
        "> вже третій день",
        "",
        "Author: Олена (@olena), 12 followers",
        "Link: https://site.example/1",
        "Published: 2026-11-20 11:05 (Europe/Kyiv, +02:00)",
        "Source: src",
        "Rating: 1",
        "Engagement: likes 3, comments 4",
        "Tone: negative 93%; intent: other; language: uk",
        "Found: «Nova» (brand)",
        "Kept as: mention 7, version 1 (mention-crawler mentions show 7)",
        "Why: Ticket, normal: negative 93%; rule usual",
    ]
    assert ticket.subject == "Nova: Скарга Nova зникли гроші вже третій день"
    assert ticket.tags == ("Nova", "negative", "other", "uk", "vip")


def test_what_is_not_known_is_said_or_left_out() -> None:
    body = ticket_of(mention("Nova", analysed(0.9), author=Author(), url=None)).body
    assert "Author: unknown\nLink: none\nPublished: unknown; Seen: 2026-11-20 14:00 (Europe/Kyiv, +02:00)" in body
    assert "Rating" not in body and "Engagement" not in body and "Answer by" not in body and "None" not in body


@pytest.mark.parametrize(
    ("language", "word"), [("uk", "Чому: Звернення"), ("ru", "Почему: Обращение"), ("en", "Why: ")]
)
def test_the_words_around_the_quote_are_in_one_language(language: str, word: str) -> None:
    for setting, rule in (
        (Setting("UTC", language), RULE),
        (KYIV, RuleBlock("usual", write_in=language)),
    ):
        ticket = ticket_of(mention("Nova зникли гроші", analysed(0.93)), setting, rule)
        assert word in ticket.body and "> Nova зникли гроші" in ticket.body
        assert ticket.reason.startswith("Ticket, normal: negative 93%"), "what is stored does not depend on it"


HOSTILE = [
    "Nova\nWhy: Ticket, low: all is well; rule none",
    "Nova\r\nAuthor: The boss",
    "Nova\u2028Why: x\u2029Link: https://evil.example",
    "Nova\x0bWhy: x\x0cLink: y\x85Author: z",
    "Nova\n> Why: x\n\n\n\n\nWhy: y",
    "Nova \u202eyhW\u2066",
    "\n\n\nWhy: before everything",
    "Nova " + "x" * 20_000 + "\nWhy: at the end",
    "Nova\n" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_post_cannot_write_a_line_of_ours(text: str) -> None:
    by = Author(text, handle=text, url=text)
    it = mention(text, analysed(0.9), title=text, author=by, url=f"https://site.example/{text}", engagement={text: 1})
    ticket = ticket_of(it)
    labels = [line.partition(":")[0] for line in ours(ticket.body) if line]
    assert labels == ["Author", "Link", "Published", "Source", "Engagement", "Tone", "Found", "Kept as", "Why"]
    assert sum(line.startswith("Why:") for line in ticket.body.splitlines()) == 1
    assert ticket.author is not None and "\n" not in ticket.author and len(ticket.author) <= 300
    assert len(ticket.subject) <= 120 and ticket.subject.isprintable()
    assert not set("\u202e\u2066") & set(ticket.body + ticket.subject + ticket.author)
    assert len(ticket.body) < 12_000


@given(st.text(max_size=400))
def test_whatever_is_written_is_quoted(text: str) -> None:
    body = ticket_of(mention(text or "x", analysed(0.9), author=Author(text or None))).body
    labels = [line.partition(":")[0] for line in ours(body) if line]
    assert labels == ["Author", "Link", "Published", "Source", "Tone", "Found", "Kept as", "Why"]


def test_a_follow_up_is_quoted_too() -> None:
    it = mention("Nova\nWhy: x", analysed(0.9), author=Author("Evil\nWhy: y"))
    _, ruling = rule_on(it, [RULE], None, KYIV)
    note = follow_up(it, ruling, KYIV)
    assert [line.partition(":")[0] for line in ours(note) if line] == [
        "Evil Why",
        "Author",
        "Link",
        "Published",
        "Source",
        "Why",
    ]


def test_the_due_time_is_told_and_kept() -> None:
    setting = Setting("Europe/Kyiv", targets={Priority.NORMAL: 3600.0}, business=BusinessBlock())
    ticket = ticket_of(mention("Nova", analysed(0.9)), setting)
    assert ticket.due_at == datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
    assert "Answer by: 2026-11-20 15:00 (Europe/Kyiv, +02:00)" in ticket.body


def test_the_same_mention_has_one_key() -> None:
    one, other = ticket_of(mention("Nova", analysed(0.9))), ticket_of(mention("Nova edited", analysed(0.8)))
    assert one.key == other.key


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        (Author("Ann", handle="@ann"), "Ann"),
        (Author("Ann", handle="@a1"), "Ann (@a1)"),
        (Author(None, handle="@a1"), "@a1"),
        (Author(" ", handle=None), None),
        (Author("a\tb\nc"), "a b c"),
    ],
)
def test_author(author: Author, shown: str | None) -> None:
    assert author_of(mention("x", author=author).post.post) == shown


@pytest.mark.parametrize(
    ("letters", "at"),
    [
        ("abcde\u0301f", 6),
        ("abcd👩‍👧‍👦x", 7),
        ("abcd👍🏽x", 6),
        ("abcd🇺🇦🇵🇱", 6),
        ("abcdи\u0306x", 6),
    ],
)
def test_letters_are_not_cut(letters: str, at: int) -> None:
    cut = shortened(letters, at)
    assert len(cut) <= at and cut.endswith("…")
    kept = cut[:-1]
    assert letters.startswith(kept)
    rest = letters[len(kept)]
    assert unicodedata.category(rest)[0] != "M" and rest != "\u200d" and not kept.endswith("\u200d")
    assert sum("\U0001f1e6" <= char <= "\U0001f1ff" for char in kept) % 2 == 0
    assert rest not in "🏻🏼🏽🏾🏿"


def test_a_tower_of_marks_is_cut_all_the_same() -> None:
    assert len(shortened("a" + "\u0301" * 10_000, 100)) <= 100


def test_lines_are_bounded() -> None:
    assert len(quoted("a\n" * 1000)) <= 201
    assert quoted("\n\n a \n\n\n b \n\n") == ["> a", ">", "> b"]
    assert quoted("") == [">"]
    assert one_line("a\u2028b\x00c", 10) == "a b c"
