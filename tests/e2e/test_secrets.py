"""A secret goes to the one place it is meant for, never into log, database, export, ticket or message."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e.installation import Installation, Service, until
from e2e.site import Entry, Site

from crawler import config as config_room
from crawler.app import logs

pytestmark = pytest.mark.e2e

IN_ENV = "canary-of-the-hook-7Qx93"
IN_FILE = "canary-of-the-mail-4Lm27"
CANARIES = (IN_ENV, IN_FILE)
COMMANDS = (
    ("check",), ("crawl", "--json"), ("crawl",), ("mentions", "list", "--json"), ("mentions", "export"),
    ("mentions", "export", "--format", "csv"), ("tickets", "list", "--json"), ("tickets", "export"), ("sinks", "list"),
    ("sources", "list", "--json"), ("sources", "show", "news", "--json"), ("alerts", "list", "--all", "--json"),
    ("doctor", "--json"), ("ledger", "--json"), ("sinks", "test", "hook"), ("sinks", "test", "mail"), ("schema",),
    ("redo", "triage", "--diff", "--json"), ("backup", "copy.db"),
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    """A helpdesk that answers with what it was sent, a mail server that is not there: everything there is to leak."""
    site, gone = Site(), Site()
    gone.close()
    site.feeds["/feed"] = [Entry("1", "Nova Pay lost my money")]
    place = Installation(tmp_path, {"HOOK_SECRET": IN_ENV})
    (tmp_path / "mail.secret").write_text(IN_FILE + "\n", encoding="utf-8")
    place.configure(
        f"  - {{name: news, kind: feed, url: '{site.url}/feed', every: 1s}}\n"
        f"  - {{name: gone, kind: feed, url: '{gone.url}/feed', every: 1s}}",
        "sinks:\n"
        f"  - {{name: hook, kind: webhook, url: '{site.url}/hook', secret: '${{HOOK_SECRET}}'}}\n"
        "  - {name: mail, kind: email, host: 127.0.0.1, port: 9, security: none, user: me, sender: me@shop.example,"
        " to: [you@shop.example], password: 'file:mail.secret'}\n"
        "alerts: {send_to: [hook, mail]}",
        tickets="tickets: {when: [negative, neutral, positive], sure_at_least: 0.5, send_to: [desk, hook, mail]}",
    )
    yield place
    site.close()


def test_no_command_shows_a_secret(place: Installation) -> None:
    shown = {arguments: place.run(*arguments, code=None) for arguments in COMMANDS}
    assert [a for a, ended in shown.items() if any(c in ended.out + ended.err for c in CANARIES)] == []
    assert "created" in shown["sinks", "test", "hook"].out, "the hook was really called"
    service = Service(place)
    try:
        until(lambda: service.get("/readyz")[0], 40)
        until(lambda: place_alerts(place) >= 2, 40, "alerts of the dead site and the dead mail server")
        pages = [service.get(path)[1] for path in ("/healthz", "/readyz", "/metrics")]
        assert service.stop() == 0
    finally:
        service.kill()
    assert not any(canary in text for canary in CANARIES for text in (*pages, service.log.read_text()))
    kept = [path for path in place.folder.rglob("*") if path.is_file() and path.name != "mail.secret"]
    assert any(path.name == "mentions.db" for path in kept) and any(path.name == "copy.db" for path in kept)
    assert [path.name for path in kept if any(canary.encode() in path.read_bytes() for canary in CANARIES)] == []


def place_alerts(place: Installation) -> int:
    with closing(sqlite3.connect(place.folder / "data" / "mentions.db", timeout=20)) as base:
        return int(base.execute("SELECT count(*) FROM alerts").fetchone()[0])


@pytest.mark.parametrize("as_json", [True, False])
def test_the_log_masks_what_a_library_may_say(place: Installation, as_json: bool) -> None:
    """The net below the trapeze: whoever writes a secret into a message, it does not reach the stream."""
    config = config_room.load(place.config, {"HOOK_SECRET": IN_ENV})
    assert set(logs.secrets_of(config)) == {IN_ENV, IN_FILE}
    lines = logs.Lines(logs.secrets_of(config), as_json)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "sent %s and %s", (IN_ENV, IN_FILE), None)
    record.source, record.run = "news", 7
    text = lines.format(record)
    assert not any(canary in text for canary in CANARIES) and text.count("***") == 2
    assert "news" in text and "7" in text
