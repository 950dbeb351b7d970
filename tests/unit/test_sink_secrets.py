"""Canaries: no error, log line or repr of a sink shows a secret, in whatever coding the helpdesk gives it back."""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from crawler.errors import CrawlerError
from crawler.model import Change, Priority, Remote, Ticket
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from crawler.plugins import discover
from sinks.base import Sink, Tools, secrets_of
from sinks.plain import mask
from sinks.webhook import Webhook

DJANGO = discover("sinks", Sink)["django_helpdesk"]  # type: ignore[type-abstract]
CANARY = 'c4nary/+ "quoted"&=%'
PATH_CANARY = "c4nary-in-the-path"
TICKET = Ticket("k-1", "s", "b", Priority.LOW, "B")
FORMS = [
    CANARY,
    quote(CANARY),
    quote(CANARY, safe=""),
    json.dumps(CANARY)[1:-1],
    base64.b64encode(CANARY.encode()).decode(),
    base64.b64encode(f"robot:{CANARY}".encode()).decode(),
]


class Echo(BaseHTTPRequestHandler):
    """A helpdesk that gives back whatever it got, and the canary in every coding."""

    status = 422

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        said = {"error": FORMS, "headers": dict(self.headers.items()), "path": self.path}
        body = json.dumps(said, ensure_ascii=False).encode()[:4000]
        self.send_response(type(self).status)
        self.send_header("Location", f"http://robot:{quote(CANARY, safe='')}@127.0.0.1/{quote(CANARY, safe='')}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PATCH = do_POST


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    with HttpClient(EgressPolicy((ipaddress.ip_network("127.0.0.0/8"),)), timeout=5) as client:
        yield client


def sinks(url: str, http: HttpClient) -> list[Sink]:
    place = f"{url}/{PATH_CANARY}"
    hook = Webhook.Settings.model_validate({"url": place, "lookup_url": place + "/{key}", "secret": CANARY})
    basic = DJANGO.Settings.model_validate({"url": url, "user": "robot", "password": CANARY, "queue": 1})
    token = DJANGO.Settings.model_validate({"url": url, "token": CANARY, "queue": 1})
    tools = Tools(http)
    made: list[Sink] = [Webhook("hook", hook, tools)]
    return [*made, DJANGO("basic", basic, tools), DJANGO("token", token, tools)]


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 409, 422, 429, 500, 503])
def test_no_error_and_no_log_line_shows_the_canary(
    url: str, http: HttpClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(Echo, "status", status)
    shown: list[str] = []
    settings = ""
    with caplog.at_level(logging.DEBUG):
        for sink in sinks(url, http):
            for call in (
                lambda sink=sink: sink.create(TICKET),
                lambda sink=sink: sink.find("k-1"),
                lambda sink=sink: sink.update(Remote("1"), Change("c", "text", Priority.LOW)),
            ):
                try:
                    call()
                except CrawlerError as error:
                    shown += [str(error), "".join(traceback.format_exception(error))]
            settings += repr(sink.settings)
    text = "\n".join(shown) + caplog.text
    assert len(shown) > 3
    assert [form for form in (*FORMS, PATH_CANARY) if form in text] == []
    assert [form for form in FORMS if form in settings] == []


def test_masking_knows_the_usual_codings() -> None:
    for form in FORMS[:-1]:
        assert mask(f"before {form} after", [CANARY]) == "before *** after"
    assert mask("nothing to hide", ["", CANARY]) == "nothing to hide"
    assert mask("abcd abc", ["abc", "abcd"]) == "*** ***"


def test_secrets_are_found_however_deep(url: str, http: HttpClient) -> None:
    hook, basic, token = sinks(url, http)
    assert secrets_of(hook.settings) == [CANARY]
    assert secrets_of([{"a": hook.settings}, (token.settings,)]) == [CANARY, f"Token {CANARY}", CANARY, CANARY]
    assert any(CANARY not in secret for secret in basic.secrets), "the coded form of basic credentials is a secret too"
