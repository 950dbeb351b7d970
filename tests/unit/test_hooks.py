"""The webhook door: only what the helpdesk signed, in time and once, is believed; the rest costs nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from unit_ticket import given_ticket

from console.server import build
from crawler.app import App, hooks, now
from crawler.model import Remote, TicketStatus

pytestmark = pytest.mark.slow

SECRET, OLD = "door-secret", "the one before"


@pytest.fixture
def app(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    shutil.copyfile(sqlite_template, tmp_path / "hooks.db")
    monkeypatch.setenv("HOOK", SECRET)
    monkeypatch.setenv("OLD", OLD)
    config = tmp_path / "mention-crawler.yaml"
    config.write_text(
        f"database: {{url: 'sqlite:///{tmp_path}/hooks.db'}}\n"
        "brands: [{name: Ladna Pay}]\n"
        "sources: [{name: feed, kind: feed, url: 'https://site.example/feed'}]\n"
        "tickets: {send_to: [help]}\n"
        "sinks:\n"
        "  - {name: help, kind: webhook, url: 'https://help.example/in',"
        " hook_secret: '${HOOK}', old_hook_secret: '${OLD}'}\n"
        "  - {name: closed, kind: webhook, url: 'https://help.example/in'}\n"
    )
    app = App.load(str(config))
    given_ticket(app.store, "help", Remote("7"))
    yield app
    app.close()


@pytest.fixture
def web(app: App) -> Iterator[TestClient]:
    with TestClient(build(app)) as client:
        yield client


def body(**more: Any) -> bytes:
    return json.dumps({"event": hooks.NEWS, "id": "7", **more}).encode()


def signed(raw: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    value = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
    return {"X-Signature": f"t={stamp},v1={value}"}


def status(app: App) -> str:
    return app.store.tickets.list()[0].status.value


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_signed_news_are_taken(app: App, web: TestClient, secret: str) -> None:
    raw = body(status="solved", assignee="Ірина", reply={"id": 5, "text": "Кошти повернуто", "author": "Ірина"})
    answer = web.post("/hooks/help", content=raw, headers=signed(raw, secret))
    assert answer.status_code == 200, answer.text
    [ticket] = app.store.tickets.list()
    assert (ticket.status, ticket.assignee) == (TicketStatus.SOLVED, "Ірина")
    assert [reply.text for reply in app.store.replies.of(ticket.ticket.id)] == ["Кошти повернуто"]


def test_our_key_names_the_ticket_as_well(app: App, web: TestClient) -> None:
    key = app.store.tickets.list()[0].ticket.key
    raw = json.dumps({"event": hooks.NEWS, "key": key, "status": "solved"}).encode()
    assert web.post("/hooks/help", content=raw, headers=signed(raw)).status_code == 200
    assert status(app) == "solved"


def test_the_same_call_again_does_nothing(app: App, web: TestClient) -> None:
    raw = body(status="solved")
    headers = signed(raw)
    assert web.post("/hooks/help", content=raw, headers=headers).text == "2 events\n"
    app.store.replies.set_status(app.store.tickets.list()[0].ticket.id, TicketStatus.OPEN)
    assert web.post("/hooks/help", content=raw, headers=headers).text == "known already\n"
    assert status(app) == "open"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("help", lambda raw: {}),
        ("help", lambda raw: signed(raw, "guessed")),
        ("help", lambda raw: signed(raw + b" ")),
        ("help", lambda raw: signed(raw, at=time.time() - 301)),
        ("help", lambda raw: signed(raw, at=time.time() + 301)),
        ("help", lambda raw: {"X-Signature": "t=,v1="}),
        ("help", lambda raw: {"X-Signature": "t=99999999999999999999,v1=" + "0" * 64}),
        ("help", lambda raw: {"X-Signature": "v1=" + "\u00e9".encode("latin-1").decode("latin-1") * 5}),
        ("help", lambda raw: {"X-Hub-Signature-256": "sha256="}),
        ("help", lambda raw: {"X-Zendesk-Webhook-Signature": "!!", "X-Zendesk-Webhook-Signature-Timestamp": "x"}),
        ("closed", lambda raw: signed(raw, "")),
        ("nobody", signed),
    ],
)
def test_what_is_not_signed_well_is_refused(app: App, web: TestClient, name: str, make: Any) -> None:
    raw = body(status="solved")
    headers = {key: value.encode("latin-1") for key, value in make(raw).items()}
    assert web.post(f"/hooks/{name}", content=raw, headers=headers).status_code == 401
    assert status(app) == "open"


@pytest.mark.parametrize(
    "more",
    [
        {"status": "deleted"},
        {"reply": "text"},
        {"reply": {"text": "no id"}},
        {"at": "yesterday"},
        {"at": "2999-01-01T00:00:00+00:00"},
        {"id": None},
        {"id": None, "key": "mc-unknown"},
    ],
)
def test_news_that_make_no_sense_are_named(web: TestClient, more: dict[str, Any]) -> None:
    raw = body(**more)
    answer = web.post("/hooks/help", content=raw, headers=signed(raw))
    assert answer.status_code == 400 and answer.text.startswith("not understood: ")


def test_our_own_calls_sent_back_to_us_are_no_news(app: App, web: TestClient) -> None:
    raw = json.dumps({"event": "ticket.changed", "id": "7", "status": "solved", "comment": "x"}).encode()
    assert web.post("/hooks/help", content=raw, headers=signed(raw)).status_code == 200
    assert status(app) == "open"


def test_foreign_signatures_make_us_look(app: App) -> None:
    raw, stamp = b'{"ticket": {"id": 7}}', now().isoformat()
    of_zendesk = base64.b64encode(hmac.new(SECRET.encode(), stamp.encode() + raw, hashlib.sha256).digest()).decode()
    seconds = str(int(time.time()))
    forms = [
        {"x-zendesk-webhook-signature": of_zendesk, "x-zendesk-webhook-signature-timestamp": stamp},
        {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), raw, "sha1").hexdigest()},
        {"x-hub-signature-256": "sha256=" + hmac.new(SECRET.encode(), raw, "sha256").hexdigest()},
        {
            "x-chatwoot-signature": "sha256="
            + hmac.new(SECRET.encode(), f"{seconds}.".encode() + raw, "sha256").hexdigest(),
            "x-chatwoot-timestamp": seconds,
        },
    ]
    for headers in forms:
        assert hooks.check(headers, raw, [SECRET], now()) is not None, headers
        assert hooks.check(headers, raw + b" ", [SECRET], now()) is None, headers
        assert hooks.check(headers, raw, [], now()) is None


def test_a_signature_without_a_time_tells_nothing(app: App, web: TestClient) -> None:
    raw = body(status="solved")
    value = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert web.post("/hooks/help", content=raw, headers={"X-Hub-Signature-256": f"sha256={value}"}).is_success
    assert status(app) == "open"


def test_a_long_body_is_cut_off(web: TestClient) -> None:
    assert web.post("/hooks/help", content=b"x" * (hooks.LONGEST_BODY + 1)).status_code == 413


def test_old_calls_are_forgotten(app: App) -> None:
    app.store.replies.hook_done("a", now())
    assert app.store.replies.hook_known("a")
    app.store.replies.hook_done("b", now() + timedelta(seconds=1))
    assert not app.store.replies.hook_known("a")
