"""Each kind of sink with its double: a bench arranges the situations of the contract and counts from outside."""

from __future__ import annotations

import ipaddress
import json
import socket
import tempfile
from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from helpdesks import HttpHelpdesk, MailOrder, MailServer, MemoryDesk, Notices, Order
from shapes import SHAPES, Shape

from crawler.errors import CrawlerError, Permanent
from crawler.model import Priority, Ticket
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
    never: ClassVar = {
        f"refused {status}": f"a {status} opens a new session, and the call is made again" for status in (401, 403)
    }


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
def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
