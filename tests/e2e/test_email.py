"""The e-mail sink against a real SMTP server (aiosmtpd): TLS, login, what arrives, and that text stays text."""

from __future__ import annotations

import asyncio
import datetime as dt
import email
import email.policy
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crawler.errors import EgressRefused, InDoubt, Permanent, Transient
from crawler.model import Change, Priority, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient
from sinks.base import Tools
from sinks.email import Email

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]
LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
KNOWN_HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Importance", "Content-Type", "MIME-Version",
    "Content-Transfer-Encoding", "X-Mention-Crawler-Key", "X-Mention-Opened", "In-Reply-To", "References",
}  # fmt: skip
PASSWORD = "p4ssw0rd-of-mail"


class Mailbox:
    """Keeps every message that was accepted; addresses at refused.example are refused."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.after_data = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if address.endswith("@refused.example"):
            return "550 no such mailbox"
        if address.endswith("@later.example"):
            return "451 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        content = envelope.content
        assert isinstance(content, bytes)
        self.messages.append(email.message_from_bytes(content, policy=email.policy.SMTP))  # type: ignore[arg-type]
        return self.after_data


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.example")]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    return path


def check_login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=right, handled=right)


class Server:
    """aiosmtpd on two ports: one with STARTTLS and login, one plain; in a loop of its own."""

    def __init__(self, certificate: Path) -> None:
        self.box = Mailbox()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        login = {"authenticator": check_login, "auth_required": True}
        self._secure = {"tls_context": context, "require_starttls": True, **login}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        ports = []
        servers = []
        for options in (self._secure, {}):
            make = partial(SMTP, self.box, hostname="double", loop=self._loop, **options)
            servers.append(await self._loop.create_server(make, "127.0.0.1", 0))
            ports.append(int(servers[-1].sockets[0].getsockname()[1]))
        self.secure, self.plain = ports
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    running = Server(certificate)
    yield running
    running.close()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    policy = EgressPolicy(LOOPBACK, lambda host, port: ["127.0.0.1"])
    with HttpClient(policy) as client:
        yield client


def plain(server: Server, http: HttpClient, **settings: Any) -> Email:
    given = {"host": "mail.example", "port": server.plain, "security": "none", **settings}
    given = {"sender": "crawler@nova.example", "to": ["desk@help.example"], **given}
    return Email("mail", Email.Settings.model_validate(given), Tools(http, now=lambda: NOW))


def secure(server: Server, http: HttpClient, certificate: Path, **settings: Any) -> Email:
    given = {"security": "starttls", "port": server.secure, "ca_file": str(certificate), "user": "robot"}
    return plain(server, http, **{**given, "password": PASSWORD, **settings})


def ticket(**fields: Any) -> Ticket:
    given = {"key": "nova-1", "subject": "Скарга: картка", "body": "Картка не працює.\n.\nДе гроші?", "opened_at": NOW}
    return Ticket(**{"priority": Priority.HIGH, "brand": "Nova Pay", **given, **fields})


def test_a_real_message_arrives_over_tls_with_login(server: Server, http: HttpClient, certificate: Path) -> None:
    remote = secure(server, http, certificate).create(ticket())
    (message,) = server.box.messages
    assert message["Message-ID"] == remote.id
    assert message["Subject"] == "Скарга: картка"
    assert message["From"] == "crawler@nova.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Mention-Crawler-Key"] == "nova-1"
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == "Картка не працює.\n.\nДе гроші?\n"
    assert message["Date"].datetime == NOW


def test_the_message_id_is_the_same_for_the_same_key_only(server: Server, http: HttpClient) -> None:
    mail = plain(server, http)
    assert mail.create(ticket()).id == mail.create(ticket(subject="edited")).id
    assert mail.create(ticket(key="nova-2")).id != mail.create(ticket(key="nova-3")).id
    assert mail.create(ticket(key="ключ\r\nBcc: x@y.example <>")).id.isascii()


def test_a_follow_up_is_an_answer_to_the_first_message(server: Server, http: HttpClient) -> None:
    mail = plain(server, http)
    remote = mail.create(ticket())
    mail.update(remote, Change("c1", "Ще одна скарга", Priority.URGENT, TicketStatus.OPEN))
    follow = server.box.messages[-1]
    assert follow["In-Reply-To"] == follow["References"] == remote.id
    assert follow["Message-ID"] != remote.id
    for word in ("Ще одна скарга", "urgent", "open"):
        assert word in follow.get_content()


@pytest.mark.parametrize(
    "text",
    [
        "x\r\nBcc: all@evil.example",
        "x\nTo: all@evil.example\n\nbody",
        "x\r\n.\r\nMAIL FROM:<evil@evil.example>",
        "x\u2028Bcc: a@evil.example\x00\x85\x0b\x0c",
        "=?utf-8?q?x=0D=0ABcc:_all@evil.example?=",
        "= =?utf-8?b?eA0KQmNjOiBhbGxAZXZpbC5leGFtcGxl?= =??= ==??",
        "=\r?utf-8?q?x=0D=0ABcc:_all@evil.example?=",
        "ё" * 5000,
        "\ud800\udfff",
        "",
    ],
)
def test_no_text_becomes_a_header_or_a_command(server: Server, http: HttpClient, text: str) -> None:
    mail = plain(server, http)
    remote = mail.create(ticket(subject=text, body=text, key=text or "k", author=text))
    mail.update(remote, Change(text or "c", text))
    assert len(server.box.messages) == 2
    for message, envelope in zip(server.box.messages, server.box.envelopes, strict=True):
        assert envelope.rcpt_tos == ["desk@help.example"]
        assert message["To"] == "desk@help.example"
        assert set(message.keys()) <= KNOWN_HEADERS
        assert message["Bcc"] is None
        assert len(str(message["Subject"])) <= 120
        assert message.defects == []


def test_all_or_nobody(server: Server, http: HttpClient) -> None:
    with pytest.raises(Permanent, match="550 no such mailbox"):
        plain(server, http, to=["desk@help.example", "gone@refused.example"]).create(ticket())
    with pytest.raises(Transient, match="451 greylisted") as caught:
        plain(server, http, to="slow@later.example").create(ticket())
    assert not isinstance(caught.value, InDoubt)
    assert server.box.messages == []


def test_a_refusal_after_the_text_is_a_refusal(server: Server, http: HttpClient) -> None:
    server.box.after_data = "554 spam"
    with pytest.raises(Permanent, match="554 spam"):
        plain(server, http).create(ticket())
    server.box.after_data = "452 disk full"
    with pytest.raises(Transient, match="452") as caught:
        plain(server, http).create(ticket())
    assert not isinstance(caught.value, InDoubt)


def test_wrong_login_wrong_certificate_and_no_tls(server: Server, http: HttpClient, certificate: Path) -> None:
    with pytest.raises(Permanent, match="535") as caught:
        secure(server, http, certificate, password="wr0ng-w0rd").create(ticket())
    assert "wr0ng-w0rd" not in str(caught.value)
    with pytest.raises(Transient, match="certificate is not valid"):
        secure(server, http, certificate, ca_file=None).create(ticket())
    with pytest.raises(Transient, match="certificate is not valid"):
        secure(server, http, certificate, host="other.example").create(ticket())
    with pytest.raises(Permanent, match="lacks what the settings ask for"):
        plain(server, http, security="starttls").create(ticket())
    assert server.box.messages == []


def test_the_guard_stands_in_front(server: Server) -> None:
    policy = EgressPolicy(lookup=lambda host, port: ["127.0.0.1"])
    with HttpClient(policy) as http, pytest.raises(EgressRefused, match=r"^mail: mail\.example .*allow_private"):
        plain(server, http).create(ticket())
    assert server.box.messages == []


@pytest.mark.parametrize(
    "address", ["no at", "a@b@c", "a b@c.example", "a@c.example\r\nBcc: x@y.example", "<a@b.example>", "a@"]
)
def test_addresses_are_checked_in_the_settings(address: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail address|host name"):
        Email.Settings(host="mail.example", sender="ok@nova.example", to=(address,))
