"""Text on its way to a helpdesk: one line, cut by characters, no pings, no markup, no headers."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.model import Change, Priority, Remote, Ticket
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from sinks.base import Tools
from sinks.email import Email, message_id
from sinks.http import HttpSink, pick, retry_after
from sinks.plain import JOINER, cut, for_markdown, no_pings, one_line, safe_link

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
any_text = st.text(st.characters(), max_size=300) | st.text("=?utf-8qb_ \r\n\t\x00:;<>@ёї", max_size=300)


@given(any_text, st.integers(1, 150))
def test_one_line_is_one_line_within_the_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(f"x{line}x".splitlines()) == 1
    assert one_line(line, limit) == line
    line.encode()


@given(any_text)
def test_pings_are_broken_and_nothing_else_changes(text: str) -> None:
    assert no_pings(text).replace(JOINER, "") == text.replace(JOINER, "")


def test_where_pings_are() -> None:
    assert no_pings("@all, (@бот) привіт") == f"@{JOINER}all, (@{JOINER}бот) привіт"
    assert no_pings("a@b.example https://x.example/@name") == "a@b.example https://x.example/@name"


def test_cut_counts_characters() -> None:
    assert cut("їжак", 4) == "їжак"
    assert cut("їжаки", 4) == "їжа…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# not a heading", "\\# not a heading"),
        ("1. one\n- two\n> three", "1\\. one\n\\- two\n\\> three"),
        ("[a](javascript:x) `b` *c* _d_ <e>", "\\[a\\](javascript:x) \\`b\\` \\*c\\* \\_d\\_ \\<e\\>"),
        ("see https://forum.example/a_b*c?d=[1] ok", "see https://forum.example/a_b\\*c?d=\\[1\\] ok"),
        ("Звичайний текст, 100%!", "Звичайний текст, 100%!"),
    ],
)
def test_markdown_is_escaped_and_links_stay(text: str, shown: str) -> None:
    assert for_markdown(text) == shown


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//x.example",
        "http://",
        "https://x.example/\na",
        "x",
        "",
        None,
        5,
        "http://[",
    ],
)
def test_links_are_http_or_nothing(url: object) -> None:
    assert safe_link(url) is None
    assert safe_link("https://forum.example/1#p2") == "https://forum.example/1#p2"


def test_pick_reads_json_by_path() -> None:
    data = {"result": {"items": [{"id": 7}, {"id": 0}]}}
    assert pick(data, "result.items.0.id") == 7
    assert pick(data, "result.items.1.id") == 0
    for path in ("result.items.2.id", "result.x", "result.items.id", "result.items.-1", "a.b.c"):
        assert pick(data, path) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("1e9", 86400.0),
        ("inf", 86400.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 99 Mar 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Importance", "Content-Type", "MIME-Version",
    "Content-Transfer-Encoding", "X-Mention-Crawler-Key", "X-Mention-Opened", "In-Reply-To", "References",
}  # fmt: skip


class Kept(Email):
    """The sink with its message kept in place of the sending."""

    raw = b""

    def _send(self, message: email.message.EmailMessage) -> None:
        self.raw = message.as_bytes()


@settings(max_examples=100, deadline=None)
@given(any_text, any_text, any_text)
def test_no_text_makes_a_mail_header(subject: str, body: str, key: str) -> None:
    options = Email.Settings(host="mail.example", sender="a@nova.example", to=("b@help.example",))
    mail = Kept("mail", options, Tools(HttpClient(EgressPolicy()), now=lambda: NOW))
    mail.create(Ticket(key, subject, body, Priority.LOW, "B", opened_at=NOW))
    for raw in (mail.raw, mail.update(Remote(key), Change(key, body)) or mail.raw):
        message = email.message_from_bytes(raw, policy=email.policy.SMTP)
        assert set(message.keys()) <= HEADERS
        assert len(message.keys()) == len(set(message.keys()))
        assert message["To"] == "b@help.example"


@pytest.mark.parametrize(
    ("value", "seconds"), [(5, 5.0), ("10s", 10.0), ("1.5 s", 1.5), ("2m", 120.0), ("250ms", 0.25)]
)
def test_time_limits_are_written_like_other_times(value: object, seconds: float) -> None:
    assert HttpSink.Settings.model_validate({"url": "https://help.example", "timeout": value}).timeout == seconds


@pytest.mark.parametrize("value", [0, -1, "10h", "soon", "0s", 301, "6m", None])
def test_wrong_time_limits_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="timeout"):
        HttpSink.Settings.model_validate({"url": "https://help.example", "timeout": value})


@pytest.mark.parametrize("url", ["help.example", "ftp://help.example", "https://u:p@help.example/", "javascript:x"])
def test_wrong_urls_are_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(ValueError, match=r"https://help\.example|user name"):
        HttpSink.Settings.model_validate({"url": url})


def test_message_ids() -> None:
    assert message_id("k", "a.example") == message_id("k", "a.example") != message_id("l", "a.example")
    assert message_id("\r\n<>\ud800", "a.example").count("@") == 1
