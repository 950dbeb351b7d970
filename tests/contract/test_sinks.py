"""One contract for every kind of sink: a table of situations that real helpdesks were seen in.

A kind that is not in TABLE fails the suite. Each bench knows how to bring its double into a situation; what it cannot
be brought into is named in `never`, with the reason.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from helpdesks import SLOW, HttpHelpdesk, MailOrder, MailServer, MemoryDesk, Notices, Order
from shapes import ANSWERED, SHAPES, Shape

from crawler.errors import CrawlerError, EgressRefused, InDoubt, Permanent, Transient
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from crawler.plugins import discover
from sinks.base import Sink, Tools
from sinks.desk import Desk
from sinks.email import Email
from sinks.webhook import Webhook

KINDS = discover("sinks", Sink)  # type: ignore[type-abstract]
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
SECRET = 's3cr3t-+/=&"x'
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ECHOED = b"@the-secret@"
HTML = Order(status=200, body=b"<!DOCTYPE html><html><title>Log in</title>", kind="text/html; charset=utf-8")


def ticket(key: str = "nova-1", **fields: Any) -> Ticket:
    given = {
        "subject": "Скарга: картка не працює",
        "body": "Картка не працює третій день.\nДе гроші?",
        "priority": Priority.HIGH,
        "brand": "Nova Pay",
        "url": "https://forum.example/t/1#p2",
        "opened_at": NOW,
    }
    return Ticket(key=key, **{**given, **fields})


class Bench(ABC):
    """One kind with its double. `stored` counts tickets from outside; `situations` arranges the next create."""

    never: ClassVar[dict[str, str]] = {}
    otherwise: ClassVar[dict[str, tuple[type[CrawlerError] | None, int]]] = {}
    finds: ClassVar[bool] = True
    secret: ClassVar[str] = SECRET

    @abstractmethod
    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink: ...

    @abstractmethod
    def arrange(self, situation: str) -> None: ...

    @property
    @abstractmethod
    def stored(self) -> int: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def seen(self) -> dict[str, str]:
        """Subject and body of the last ticket, as the helpdesk got them."""

    @abstractmethod
    def comments(self) -> list[str]: ...


CLIENTS: list[HttpClient] = []


@pytest.fixture(autouse=True)
def close_clients() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()


def tools(policy: EgressPolicy | None) -> Tools:
    CLIENTS.append(HttpClient(policy or EgressPolicy(LOOPBACK)))
    return Tools(CLIENTS[-1], now=lambda: NOW)


HTTP_ORDERS = {
    "accepted": Order(store=True),
    **{f"refused {status}": Order(status=status) for status in (400, 401, 403, 404, 410, 413, 422)},
    "duplicate key": Order(status=409),
    "busy": Order(status=429, headers=(("Retry-After", "7"),)),
    "busy until a date": Order(status=429, headers=(("Retry-After", "Sun, 01 Mar 2026 12:01:00 GMT"),)),
    "error before storing": Order(status=500),
    "error after storing": Order(store=True, status=500),
    "bad gateway after storing": Order(store=True, status=502, body=b"<html>bad gateway", kind="text/html"),
    "maintenance": Order(status=503, headers=(("Retry-After", "30"),)),
    "gateway timeout after storing": Order(store=True, status=504),
    "cut before storing": Order(then="cut"),
    "cut after storing": Order(store=True, then="cut"),
    "slow, then stored": Order(store=True, then="slow"),
    "a page": HTML,
    "redirect inside": Order(status=302, headers=(("Location", "http://10.0.0.1/latest/meta-data"),)),
    "secret echoed": Order(status=422, body=b'{"error": "bad token ' + ECHOED + b'"}'),
}


class HttpBench(Bench):
    def __init__(self) -> None:
        self.desk = HttpHelpdesk()

    def arrange(self, situation: str) -> None:
        order = HTTP_ORDERS[situation]
        self.desk.orders = [replace(order, body=order.body.replace(ECHOED, json.dumps(self.secret)[1:-1].encode()))]

    @property
    def stored(self) -> int:
        return len(self.desk.tickets)

    def close(self) -> None:
        self.desk.close()

    def url(self, down: bool) -> str:
        return f"http://127.0.0.1:{dead_port()}" if down else self.desk.url


class WebhookBench(HttpBench):
    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        url = self.url(down)
        settings = Webhook.Settings(url=f"{url}/hook", lookup_url=url + "/t/{key}", secret=SECRET, timeout=1)
        return Webhook("hook", settings, tools(policy))

    def seen(self) -> dict[str, str]:
        return {"subject": self.desk.tickets[-1]["subject"], "body": self.desk.tickets[-1]["body"]}

    def comments(self) -> list[str]:
        return [str(comment["comment"]) for comment in self.desk.comments]


class DjangoBench(HttpBench):
    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        given = {"url": self.url(down) + "/", "token": SECRET, "queue": 1, "page_size": 2, "timeout": 1}
        kind = KINDS["django_helpdesk"]
        return kind("desk2", kind.Settings.model_validate(given), tools(policy))

    def seen(self) -> dict[str, str]:
        return {"subject": self.desk.tickets[-1]["title"], "body": self.desk.tickets[-1]["description"]}

    def comments(self) -> list[str]:
        return [comment["comment"] for comment in self.desk.comments]


class RestBench(HttpBench):
    """`rest` with what its block says; the doubles of test_rest.py show the rest of the language."""

    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        given = {
            "url": self.url(down),
            "timeout": 1,
            "headers": {"Authorization": f"Token {SECRET}"},
            "create": {"path": "/hook", "body": {"key": "{key}", "subject": "{subject}", "body": "{body}"}},
            "find": {"path": "/t/{key}"},
            "comment": {"path": "/hook", "body": {"event": "ticket.changed", "comment": "{comment}"}},
        }
        return KINDS["rest"]("own", KINDS["rest"].Settings.model_validate(given), tools(policy))

    def seen(self) -> dict[str, str]:
        return {"subject": self.desk.tickets[-1]["subject"], "body": self.desk.tickets[-1]["body"]}

    def comments(self) -> list[str]:
        return [str(comment["comment"]) for comment in self.desk.comments]


def bench_of(preset: str) -> type[HttpBench]:
    """The bench of a preset whose double is a shape."""
    shape = SHAPES[preset]

    class PresetBench(HttpBench):
        def __init__(self) -> None:
            self.desk: Shape = shape()

        def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
            given = {"url": self.url(down), "timeout": 1, "token": SECRET, **shape.ours}
            return KINDS[preset](preset, KINDS[preset].Settings.model_validate(given), tools(policy))

        def seen(self) -> dict[str, str]:
            return dict(zip(("subject", "body"), self.desk.texts(self.desk.tickets[-1]), strict=True))

        def comments(self) -> list[str]:
            return [str(comment["comment"]) for comment in self.desk.comments]

    return PresetBench


class GlpiBench(bench_of("glpi")):  # type: ignore[misc]
    never: ClassVar = {"refused 401": "a 401 opens a new session, and the call is made again"}


class NoticeBench(HttpBench):
    """Kinds that tell people and cannot be asked."""

    finds = False
    otherwise: ClassVar = {"a page": (Permanent, 0)}

    @property
    def stored(self) -> int:
        return len({notice["text"] for notice in self.desk.notices})

    def __init__(self) -> None:
        self.desk: Notices = Notices()


class SlackBench(NoticeBench):
    secret = "T00000000/B00000000/abcDEF123456"

    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        given = {"webhook": f"{self.url(down)}/services/{self.secret}", "timeout": 1}
        return KINDS["slack"]("chat", KINDS["slack"].Settings.model_validate(given), tools(policy))

    def seen(self) -> dict[str, str]:
        head, _, body = self.desk.notices[-1]["text"].partition("\n")
        return {"subject": head[2:], "body": body}

    def comments(self) -> list[str]:
        return [notice["text"] for notice in self.desk.notices if "Ще одна" in notice["text"]]


class TelegramBench(NoticeBench):
    secret = "12345678:AAbbCCdd-eeFFgg_hhIIjjKKllMMnnOOpp"

    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        given = {"url": self.url(down), "token": self.secret, "chat": "-100", "timeout": 1}
        return KINDS["telegram"]("chat", KINDS["telegram"].Settings.model_validate(given), tools(policy))

    def seen(self) -> dict[str, str]:
        head, _, body = self.desk.notices[-1]["text"].partition("\n\n")
        return {"subject": head.partition("] ")[2], "body": body}

    def comments(self) -> list[str]:
        return [notice["text"] for notice in self.desk.notices if "reply_parameters" in notice]


class FileBench(Bench):
    never: ClassVar = {
        **{name: "there is no network between us" for name in HTTP_ORDERS if name != "accepted"},
        "down": "there is no network between us",
        "refused address": "there is no network between us",
        "bad TLS": "there is no network between us",
    }

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "tickets.jsonl")

    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        return KINDS["file"]("file", KINDS["file"].Settings.model_validate({"path": str(self.path)}), tools(policy))

    def arrange(self, situation: str) -> None: ...

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.path.read_text("utf-8").splitlines()] if self.path.exists() else []
        return [line for line in found if line["event"] == event]

    @property
    def stored(self) -> int:
        return len(self.lines("ticket"))

    def close(self) -> None:
        self.folder.cleanup()

    def seen(self) -> dict[str, str]:
        last = self.lines("ticket")[-1]
        return {"subject": last["subject"], "body": last["body"]}

    def comments(self) -> list[str]:
        return [line["comment"] for line in self.lines("change")]


class EmailBench(Bench):
    finds = False
    never: ClassVar = {
        "busy until a date": "SMTP has no Retry-After",
        "a page": "SMTP has no pages",
        "redirect inside": "SMTP has no redirects",
        "duplicate key": "SMTP knows no keys",
        "bad TLS": "tests/e2e/test_email.py",
        "bad gateway after storing": "SMTP has no gateways",
        "gateway timeout after storing": "SMTP has no gateways",
        "maintenance": "SMTP says 421, which is `busy`",
        **{f"refused {status}": "one refusal is enough" for status in (401, 403, 404, 410, 413)},
        "error before storing": "a 5xx after DATA is a plain refusal",
        "error after storing": "a 5xx after DATA is a plain refusal",
    }
    orders: ClassVar = {
        "accepted": MailOrder("none"),
        "refused 400": MailOrder("rcpt", "550 no such user"),
        "refused 422": MailOrder("end", "554 we do not like it"),
        "busy": MailOrder("mail", "421 too many connections"),
        "cut before storing": MailOrder("end"),
        "cut after storing": MailOrder("end", stores=True),
        "slow, then stored": MailOrder("end", "250 OK", stores=True, slow=True),
        "secret echoed": MailOrder("rcpt", f"550 {SECRET}"),
    }

    def __init__(self) -> None:
        self.server = MailServer()

    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        port = dead_port() if down else self.server.port
        settings = Email.Settings(
            host="127.0.0.1", port=port, security="none", sender="crawler@a.example", to="desk@b.example",
            password=SECRET, timeout=1,
        )  # fmt: skip
        return Email("mail", settings, tools(policy))

    def arrange(self, situation: str) -> None:
        self.server.orders = [self.orders[situation]]

    @property
    def stored(self) -> int:
        return len({message["Message-ID"] for message in self.server.messages})

    def close(self) -> None:
        self.server.close()

    def seen(self) -> dict[str, str]:
        message = self.server.messages[-1]
        return {"subject": str(message["Subject"]), "body": message.get_content()}

    def comments(self) -> list[str]:
        return [message.get_content() for message in self.server.messages if message["In-Reply-To"]]


DESK_ORDERS = {"accepted": "", "error before storing": "before", "error after storing": "after"}


class DeskBench(Bench):
    never: ClassVar = {
        **{name: "there is no network between us" for name in HTTP_ORDERS if name not in DESK_ORDERS},
        "down": "there is no network between us",
        "refused address": "there is no network between us",
        "bad TLS": "there is no network between us",
    }

    def __init__(self) -> None:
        self.desk = MemoryDesk()

    def sink(self, policy: EgressPolicy | None = None, down: bool = False) -> Sink:
        return Desk("desk", Desk.Settings(), Tools(HttpClient(EgressPolicy()), self.desk))

    def arrange(self, situation: str) -> None:
        self.desk.orders = [DESK_ORDERS[situation]]

    @property
    def stored(self) -> int:
        return len(self.desk.tickets)

    def close(self) -> None: ...

    def seen(self) -> dict[str, str]:
        last = list(self.desk.tickets.values())[-1]
        return {"subject": last.subject, "body": last.body}

    def comments(self) -> list[str]:
        return [change.comment or "" for change in self.desk.changes]


TABLE: dict[str, type[Bench]] = {
    "desk": DeskBench,
    "webhook": WebhookBench,
    "rest": RestBench,
    "email": EmailBench,
    "django_helpdesk": DjangoBench,
    **{preset: bench_of(preset) for preset in SHAPES},
    "glpi": GlpiBench,
    "slack": SlackBench,
    "telegram": TelegramBench,
    "file": FileBench,
}
# situation -> the error that create must raise (None: a Remote), and how many tickets exist then
EXPECTED: dict[str, tuple[type[CrawlerError] | None, int]] = {
    "accepted": (None, 1),
    "duplicate key": (InDoubt, 0),
    **{f"refused {status}": (Permanent, 0) for status in (400, 401, 403, 404, 410, 413, 422)},
    "busy": (Transient, 0),
    "busy until a date": (Transient, 0),
    "error before storing": (InDoubt, 0),
    "error after storing": (InDoubt, 1),
    "bad gateway after storing": (InDoubt, 1),
    "maintenance": (InDoubt, 0),
    "gateway timeout after storing": (InDoubt, 1),
    "cut before storing": (InDoubt, 0),
    "cut after storing": (InDoubt, 1),
    "slow, then stored": (InDoubt, 1),
    "a page": (InDoubt, 0),
    "redirect inside": (Permanent, 0),
    "secret echoed": (Permanent, 0),
}
RETRY_AFTER = {"busy": 7.0, "busy until a date": 60.0, "maintenance": 30.0}


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = TABLE[request.param]()
    yield made
    made.close()


each_kind = pytest.mark.parametrize("bench", sorted(TABLE), indirect=True)


def kinds_that_know(situation: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "bench", [kind for kind in sorted(TABLE) if situation not in TABLE[kind].never], indirect=True
    )


def expected(kind: str, situation: str) -> tuple[type[CrawlerError] | None, int]:
    return TABLE[kind].otherwise.get(situation, EXPECTED[situation])


def cells(*errors: type[CrawlerError] | None) -> pytest.MarkDecorator:
    """The cells of the table whose create ends so (all when none is named)."""
    found = [
        (kind, situation)
        for kind in sorted(TABLE)
        for situation in EXPECTED
        if situation not in TABLE[kind].never and (not errors or expected(kind, situation)[0] in errors)
    ]
    return pytest.mark.parametrize(("bench", "situation"), found, indirect=["bench"])


def test_every_kind_is_in_the_table() -> None:
    assert set(KINDS) == set(TABLE)
    assert set(HTTP_ORDERS) == set(EXPECTED)


@cells()
def test_create(bench: Bench, situation: str) -> None:
    bench.arrange(situation)
    error, stored = bench.otherwise.get(situation, EXPECTED[situation])
    started = time.monotonic()
    if error is None:
        assert isinstance(bench.sink().create(ticket()), Remote)
    else:
        with pytest.raises(error) as caught:
            bench.sink().create(ticket())
        assert type(caught.value) is error
        assert str(caught.value).startswith(bench.sink().name + ": ")
        if isinstance(caught.value, Transient) and not isinstance(bench, EmailBench):
            assert caught.value.retry_after == RETRY_AFTER.get(situation)
    assert time.monotonic() - started < 5
    if "slow" in situation:
        time.sleep(SLOW)
    assert bench.stored == stored


def deliver(sink: Sink, wanted: Ticket, wait: float) -> tuple[Remote | None, bool]:
    """The rule of the delivery stage: after a doubt ask first. Returns the Remote and whether a double is possible."""
    doubtful = flagged = False
    for _ in range(4):
        try:
            if doubtful and "find" in sink.can and (found := sink.find(wanted.key)):
                return found, flagged
            flagged = flagged or (doubtful and "find" not in sink.can)
            return sink.create(wanted), flagged
        except InDoubt:
            doubtful = True
            time.sleep(wait)
        except Transient:
            pass
    return None, flagged


@cells(InDoubt)
def test_after_a_doubt_there_is_exactly_one_ticket_or_a_flag(bench: Bench, situation: str) -> None:
    for other in ("nova-0", "nova-10"):
        bench.sink().create(ticket(other))
    bench.arrange(situation)
    before = bench.stored
    remote, flagged = deliver(bench.sink(), ticket(), SLOW if "slow" in situation else 0)
    assert remote is not None
    assert bench.stored == before + 1
    assert flagged == (not bench.finds)


@each_kind
def test_find_knows_what_is_there_and_what_is_not(bench: Bench) -> None:
    sink = bench.sink()
    assert ("find" in sink.can) == bench.finds
    if not bench.finds:
        with pytest.raises(Permanent, match="cannot find"):
            sink.find("nova-1")
        return
    assert sink.find("nova-1") is None
    made = [sink.create(ticket(f"nova-{number}")) for number in (11, 1, 12, 2, 3)]
    found = sink.find("nova-1")
    assert found is not None
    assert found.id == made[1].id
    assert sink.find("nova-") is None
    assert sink.find("nova-1/..?#%") is None


@kinds_that_know("down")
def test_a_closed_port_is_transient_and_nothing_is_in_doubt(bench: Bench) -> None:
    with pytest.raises(Transient) as caught:
        bench.sink(down=True).create(ticket())
    assert type(caught.value) is Transient


@kinds_that_know("refused address")
def test_private_addresses_are_refused_unless_they_are_named(bench: Bench) -> None:
    with pytest.raises(EgressRefused, match=r"network\.allow_private"):
        bench.sink(EgressPolicy()).create(ticket())
    assert bench.stored == 0


@kinds_that_know("bad TLS")
def test_a_server_whose_tls_is_bad_gets_nothing(bench: Bench) -> None:
    """It speaks no TLS at all; certificates that do not fit are the HTTP client's own tests."""
    assert isinstance(bench, HttpBench)
    bench.desk.url = bench.desk.url.replace("http:", "https:")
    with pytest.raises(Transient) as caught:
        bench.sink().create(ticket())
    assert type(caught.value) is Transient
    assert bench.stored == 0


@kinds_that_know("secret echoed")
def test_no_message_holds_a_secret(bench: Bench) -> None:
    bench.arrange("secret echoed")
    with pytest.raises(Permanent) as caught:
        bench.sink().create(ticket())
    shown = repr(caught.value) + repr(caught.value.__cause__) + repr(vars(caught.value))
    assert "***" in str(caught.value)
    assert bench.secret not in shown
    assert bench.secret not in repr(bench.sink().settings)


@each_kind
def test_a_hostile_ticket_stays_text(bench: Bench) -> None:
    hostile = ticket(
        subject="Bad\r\nBcc: all@evil.example\x00\u2028 @everyone " + "x" * 500,
        body="@channel ping\n.\r\nQUIT\r\n\ud800 <script>alert(1)</script>\n" + "слово " * 5000,
        url="javascript:alert(1)",
    )
    bench.sink().create(hostile)
    seen = bench.seen()
    assert "слово слово" in seen["body"].replace("\r\n", "\n")
    assert bench.stored == 1
    if not isinstance(bench, DeskBench | FileBench):
        assert len(seen["subject"]) <= 120
        assert not set(seen["subject"]) & set("\r\n\x00\u2028")
        assert "javascript:" not in str(seen)


@each_kind
def test_a_follow_up_reaches_the_ticket(bench: Bench) -> None:
    sink = bench.sink()
    if "update" not in sink.can:
        with pytest.raises(Permanent, match="cannot update"):
            sink.update(Remote("1"), Change("c1", "x"))
        return
    remote = sink.create(ticket())
    sink.update(remote, Change("c1", comment="Ще одна скарга", priority=Priority.URGENT, status=TicketStatus.OPEN))
    assert len(bench.comments()) == 1
    assert "Ще одна скарга" in bench.comments()[0]
    assert bench.stored == (1 if bench.finds else 2)


@pytest.mark.parametrize("bench", sorted(SHAPES), indirect=True)
def test_what_happened_there_comes_back(bench: Bench) -> None:
    """Every preset that says so tells the status and the public answer of an agent, and nothing of ours."""
    sink = bench.sink()
    remote = sink.create(ticket())
    sink.update(remote, Change("nova-1/c", comment="Ще одна скарга", status=TicketStatus.SOLVED))
    told = list(sink.changes(NOW - timedelta(days=1)))
    assert {one.id for one, _ in told} == {remote.id}
    assert {change.status for _, change in told if change.comment is None} == {TicketStatus.SOLVED}
    answers = [(change.comment, change.public) for _, change in told if change.comment is not None]
    assert answers == ([] if "request_tracker" in type(sink).kind else [(ANSWERED, True)])
    assert len({change.key for _, change in told}) == len(told)


def test_a_kind_of_one_s_own_is_small() -> None:
    """What a stranger has to write for a helpdesk with a search: it passes the hardest situation."""
    from sinks.http import HttpSink

    class Toy(HttpSink):
        kind = "toy"

        def create(self, ticket: Ticket) -> Remote:
            body = {"key": ticket.key, "subject": ticket.subject, "body": ticket.body}
            return self.remote(self.data(self.call("POST", "/tickets", json=body)), id="id", url="url")

        def find(self, key: str) -> Remote | None:
            answer = self.call("GET", f"/tickets/{key}", also=(404,))
            return None if answer.status == 404 else self.remote(self.data(answer), id="id", url="url")

    bench = WebhookBench()
    try:
        toy = Toy("toy", Toy.Settings(url=bench.desk.url, timeout=1), tools(None))
        assert toy.can == {"find"}
        for number, situation in enumerate(("error after storing", "cut after storing", "slow, then stored")):
            bench.arrange(situation)
            assert deliver(toy, ticket(f"toy-{number}"), SLOW if "slow" in situation else 0) == (
                Remote(str(number + 1), f"https://desk.example/{number + 1}"), False
            )  # fmt: skip
        assert bench.stored == 3
    finally:
        bench.close()
