"""Tickets as e-mail: plain text, a stable Message-ID, follow-ups in the same thread.

A mailbox cannot be asked what it holds, so there is no `find`: after a cut at the wrong moment the same message may go
out again, with the same Message-ID, by which most mail servers and helpdesks drop the copy.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from email.utils import format_datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from crawler import plugins
from crawler.errors import CrawlerError, EgressRefused, InDoubt, Permanent, Transient
from crawler.model import Change, Priority, Remote, Ticket
from crawler.net.guard import EgressPolicy, normal_host
from crawler.plugins import Secret
from sinks.base import Seconds, Sink
from sinks.plain import SUBJECT_LIMIT, one_line

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[^\s@<>,;:\"\\\[\]()]+")
_PORTS = {"starttls": 587, "ssl": 465, "none": 25}
_IMPORTANCE = {Priority.URGENT: "high", Priority.HIGH: "high", Priority.NORMAL: "normal", Priority.LOW: "low"}


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value) or len(value) > 254:
        raise ValueError(f"{value[:80]!r} is not an e-mail address, e.g. help@example.com")
    local, _, domain = value.rpartition("@")
    try:
        return f"{local}@{normal_host(domain)}"
    except EgressRefused as error:
        raise ValueError(str(error)) from None


Address = Annotated[str, AfterValidator(_address)]


def message_id(key: str, domain: str) -> str:
    """The Message-ID of `key`: the same for the same key, of safe characters whatever the key holds."""
    return f"<mc-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:40]}@{domain}>"


def header(text: str, limit: int = SUBJECT_LIMIT) -> str:
    """`text` as the value of one header line.

    Python's own header class decodes encoded words in what it is given, line breaks included, and writes them out as
    they are: `=?` is parted so that there is none.
    """
    return one_line(text.replace("=?", "= ?"), limit)


class Email(Sink):
    """Sends each ticket as one message, and each change as an answer to it."""

    kind = "email"

    class Settings(plugins.Settings):
        host: str = Field(description="SMTP server", examples=["smtp.example.com"])
        port: int | None = Field(None, ge=1, le=65535, description="587 for starttls, 465 for ssl, 25 for none")
        security: Literal["starttls", "ssl", "none"] = Field("starttls", description="How the connection is protected")
        ca_file: str | None = Field(None, description="Certificates to trust instead of the system's (PEM file)")
        user: str | None = Field(None, description="SMTP login", examples=["mentions@example.com"])
        password: Secret | None = Field(None, description="SMTP password", examples=["${SMTP_PASSWORD}"])
        sender: Address = Field(description="From address", examples=["mentions@example.com"])
        to: tuple[Address, ...] = Field(min_length=1, description="Recipients", examples=[["help@example.com"]])
        timeout: Seconds = Field(20.0, description="Time that one step of the sending may take", examples=["20s"])

        @field_validator("to", mode="before")
        @classmethod
        def _one_is_enough(cls, value: object) -> object:
            return (value,) if isinstance(value, str) else value

    def create(self, ticket: Ticket) -> Remote:
        message = self._message(ticket.key, ticket.subject, ticket.body, ticket.priority)
        message["X-Mention-Crawler-Key"] = header(ticket.key, 200)
        if ticket.opened_at is not None:
            message["X-Mention-Opened"] = format_datetime(ticket.opened_at)
        self._send(message)
        return Remote(id=str(message["Message-ID"]))

    def update(self, remote: Remote, change: Change) -> None:
        lines = [change.comment or ""]
        lines += [f"Priority: {change.priority.value}"] if change.priority else []
        lines += [f"Status: {change.status.value}"] if change.status else []
        body = "\n\n".join(line for line in lines if line)
        message = self._message(change.key, f"Re: {body}", body, change.priority)
        parent = header(remote.id, 200)
        message["In-Reply-To"] = parent
        message["References"] = parent
        self._send(message)

    def _message(self, key: str, subject: str, body: str, priority: Priority | None) -> EmailMessage:
        settings = self.settings
        message = EmailMessage(policy=MAIL_POLICY)
        message["From"] = settings.sender
        message["To"] = ", ".join(settings.to)
        message["Subject"] = header(subject) or "Mention"
        message["Date"] = format_datetime(self.tools.now())
        message["Message-ID"] = message_id(key, settings.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message["Importance"] = _IMPORTANCE[priority or Priority.NORMAL]
        message.set_content(body.encode("utf-8", "replace").decode(), subtype="plain", charset="utf-8")
        return message

    def _send(self, message: EmailMessage) -> None:
        settings = self.settings
        port = settings.port or _PORTS[settings.security]
        where = f"{settings.host}:{port}"
        with self._meaning(where), self._connected(port) as smtp:
            if settings.user:
                password = settings.password.get_secret_value() if settings.password else ""
                smtp.login(settings.user, password)
            self._check(smtp.mail(settings.sender), "the sender")
            for address in settings.to:
                self._check(smtp.rcpt(address), f"the recipient {address}")
            self._data(smtp, message.as_bytes(), where)

    def _data(self, smtp: smtplib.SMTP, raw: bytes, where: str) -> None:
        """From the DATA command on, a cut leaves the message in doubt; a reply decides."""
        try:
            reply = smtp.data(raw)
        except smtplib.SMTPDataError as error:
            reply = (error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b"")
        except (OSError, smtplib.SMTPException) as error:
            said = f"{where}: cut while the message was sent ({type(error).__name__}); it may have gone out"
            raise InDoubt(self.mask(f"{self.name}: {said}")) from None
        self._check(reply, "the message")

    def _check(self, reply: tuple[int, bytes], what: str) -> None:
        code, said = reply
        if 200 <= code < 300:
            return
        text = self.mask(f"{self.name}: {self.settings.host} refused {what}: {code} {_readable(said)}")
        raise Transient(text) if code < 500 else Permanent(text)

    @contextmanager
    def _connected(self, port: int) -> Iterator[smtplib.SMTP]:
        settings = self.settings
        policy = self.tools.http.policy
        if settings.security == "ssl":
            smtp: smtplib.SMTP = _GuardedSSL(policy, settings.host, port, settings.timeout, self._context())
        else:
            smtp = _GuardedSMTP(policy, settings.host, port, settings.timeout)
        try:
            if settings.security == "starttls":
                smtp.starttls(context=self._context())
            smtp.ehlo_or_helo_if_needed()
            yield smtp
            # The message is accepted by now: a failing good-bye changes nothing.
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
        finally:
            smtp.close()

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.settings.ca_file)
        except OSError:
            raise self.permanent(f"ca_file {self.settings.ca_file} cannot be read") from None

    @contextmanager
    def _meaning(self, where: str) -> Iterator[None]:
        """Errors before DATA: nothing went out, so they are Transient unless the server or the guard says never."""
        try:
            yield
        except CrawlerError as error:
            if str(error).startswith(f"{self.name}: "):
                raise
            raise type(error)(self.mask(f"{self.name}: {error}")) from None
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
            text = self.mask(f"{self.name}: {where} answered {error.smtp_code} {_readable(said)}; nothing was sent")
            raise (Permanent(text) if error.smtp_code >= 500 else Transient(text)) from None
        except smtplib.SMTPNotSupportedError as error:
            raise self.permanent(f"{where} lacks what the settings ask for ({error}); see security and user") from None
        except ssl.SSLCertVerificationError as error:
            text = f"{self.name}: {where}: its TLS certificate is not valid ({error.verify_message})"
            raise Transient(text) from None
        except (OSError, smtplib.SMTPException) as error:
            reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            raise Transient(f"{self.name}: {where}: no connection ({reason}); nothing was sent") from None


def _readable(said: bytes) -> str:
    return one_line(said.decode("utf-8", "replace"), 200)


def _guarded_connection(policy: EgressPolicy, host: str, port: int, timeout: float) -> socket.socket:
    """A connection to an address of `host` that the policy allows; no second look-up."""
    end = time.monotonic() + timeout
    failure: OSError = TimeoutError("no time left")
    for address in policy.resolve(host, port, timeout):
        try:
            return socket.create_connection((address, port), max(0.001, end - time.monotonic()))
        except OSError as error:
            failure = error
    raise failure


class _GuardedSMTP(smtplib.SMTP):
    """smtplib's client over a guarded connection; `_get_socket` is the hook that its own SSL class uses."""

    def __init__(self, policy: EgressPolicy, host: str, port: int, timeout: float) -> None:
        self._open: Callable[[], socket.socket] = lambda: _guarded_connection(policy, host, port, timeout)
        super().__init__(host, port, local_hostname="localhost", timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = self._open()
        sock.settimeout(timeout)
        return sock


class _GuardedSSL(_GuardedSMTP):
    """The same with TLS from the first byte; the certificate is checked against the host's name."""

    def __init__(self, policy: EgressPolicy, host: str, port: int, timeout: float, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(policy, host, port, timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = super()._get_socket(host, port, timeout)
        try:
            return self._context.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
