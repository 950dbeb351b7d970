"""How `watch` shows a mention: folded and coloured on a terminal, one line in a pipe, harmless in both."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from crawler.cli import watch

ROW: dict[str, Any] = {
    "published_at": datetime(2026, 11, 22, 8, 5, tzinfo=UTC),
    "tone": "negative",
    "intent": "complaint",
    "source": "hackernews",
    "author": "Ada \x1b[31m" + "x" * 200,
    "text": "Ladna Pay \x1b]0;title\x07 took\nmy \u202emoney. " + "Дуже довге слово" * 60,
    "url": "https://news.example/item?id=1",
}
COLOUR = re.compile(r"\x1b\[\d+m")


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tty: bool, **more: Any) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: tty)
    watch._Lines()({**ROW, **more})
    return capsys.readouterr().out


def test_a_terminal_of_80_columns_is_never_wrapped_by_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = shown(monkeypatch, capsys, True)
    assert "\x1b[31mnegative\x1b[0m" in out
    plain = COLOUR.sub("", out)
    assert "\x1b" not in plain and "\x07" not in plain and "\u202e" not in plain
    lines = plain.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 5 and lines[-1] == "  https://news.example/item?id=1"
    assert lines[0].startswith("2026-11-22 08:05  negative  complaint  hackernews")


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(monkeypatch, capsys, True)


def test_a_pipe_gets_one_line_and_no_colour(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(monkeypatch, capsys, False, tone=None, intent=None)
    assert out.count("\n") == 1 and "\x1b" not in out and "\x07" not in out
    assert "untagged" in out and out.endswith("  https://news.example/item?id=1\n")


def test_nothing_to_say_is_no_trouble(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for tty in (True, False):
        shown(monkeypatch, capsys, tty, text="", url=None, author=None, source=None)


@pytest.mark.parametrize(
    ("given", "file"),
    [
        (["Ladna Pay", "--save"], "mention-crawler.yaml"),
        (["--save", "Ladna Pay"], "mention-crawler.yaml"),
        (["Ladna Pay", "--save", "my.yaml", "--once"], "my.yaml"),
        (["Ladna Pay", "--save", "--once"], "mention-crawler.yaml"),
        (["Ladna Pay"], None),
    ],
)
def test_save_may_stand_without_a_file(given: list[str], file: str | None) -> None:
    from typer.main import get_command

    from crawler.cli.commands import app

    command: Any = get_command(app)
    context = command.commands["watch"].make_context("watch", list(given))
    assert (context.params["name"], context.params["save"]) == ("Ladna Pay", file)
