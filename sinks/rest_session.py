"""Sessions and signatures of the kind `rest`: a login call when it is due, an HMAC over every call."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from crawler.errors import InDoubt, Permanent, Transient
from crawler.net.http import as_json
from sinks.rest_body import FORM, JSON, form_of
from sinks.rest_fill import fill_text
from sinks.rest_parts import Basic, Login, Sign
from sinks.rest_pick import in_answer, near, scalar
from sinks.rest_values import Plain

if TYPE_CHECKING:
    from sinks.rest_call import RestClient


class Session:
    """The session of one sink, shared by its threads: opened at first use, and again when it ran out."""

    def __init__(self, sink: RestClient, login: Login) -> None:
        self._sink, self._login = sink, login
        self._held: str | None = None
        self._lock = threading.Lock()

    def opened(self) -> str:
        """The session of now. Raises Transient, Permanent; never InDoubt: a login writes nothing."""
        with self._lock:
            if self._held is None:
                self._held = self._logged_in()
            return self._held

    def ended(self, session: str) -> None:
        """Forget this session, unless another thread has opened a new one already."""
        with self._lock:
            if self._held == session:
                self._held = None

    def headers(self, session: str) -> dict[str, str]:
        """What every other call carries."""
        return {name: text.replace("{session}", session) for name, text in self._login.sends.items()}

    def _logged_in(self) -> str:
        sink, login = self._sink, self._login
        own = {} if login.url else sink.headers()
        basic = {"Authorization": basic_of(login.basic)} if login.basic else {}
        url = login.url.rstrip("/") + login.path if login.url else sink.with_query(sink.base + login.path)
        content, kind = _content(login)
        typed = {"Content-Type": kind_of(kind, own)} if kind else {}
        headers = joined({"Accept": JSON}, own, basic, typed, plain(login.headers))
        try:
            answer = sink.tools.http.request(
                login.method, url, headers=headers, content=content, timeout=sink.settings.timeout
            )
        except InDoubt as error:
            raise Transient(f"login: {error}", error.retry_after) from None
        if not 200 <= answer.status < 300:
            refused = sink.refusal(None, answer, "login")
            # Nothing was asked for yet: a login that fails leaves no doubt.
            raise Transient(str(refused), refused.retry_after) if isinstance(refused, InDoubt) else refused
        session = scalar(in_answer(answer, login.session))
        if session is None:
            said = f"{near(answer, login.session)}{sink.excerpt(answer)}"
            raise Permanent(f"the login answered nothing at {login.session!r}{said}")
        sink.secrets.append(session)
        return session


def _content(login: Login) -> tuple[bytes | None, str | None]:
    if login.body is not None:
        return as_json(plain_tree(login.body)), JSON
    return (form_of(plain(login.form)), FORM) if login.form is not None else (None, None)


def kind_of(kind: str, headers: Mapping[str, str]) -> str:
    """The type of a body: JSON calls itself what the headers of every call say, such as application/vnd.api+json."""
    said = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return said if kind == JSON and "json" in said.lower() else kind


class Signature:
    """Signs the calls of one sink."""

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self._key = _key(sign.secret.get_secret_value(), sign.key)

    def headers(self, method: str, url: str, content: bytes, now: datetime) -> dict[str, str]:
        """The headers that carry the signature of one request."""
        parts = urlsplit(url)
        values = {
            "method": method,
            "path": parts.path,
            "query": parts.query,
            "host": parts.netloc,
            "body": content.decode("utf-8", "replace"),
            "body_hash": hashlib.new(self._sign.hash, content).hexdigest(),
            "timestamp": str(int(now.timestamp())),
            "timestamp_ms": str(int(now.timestamp() * 1000)),
            "date": format_datetime(now, usegmt=True),
            "nonce": secrets.token_hex(16),
        }
        text = fill_text(self._sign.text, Plain(values)).encode()
        made = hmac.new(self._key, text, self._sign.hash).digest()
        values["signature"] = made.hex() if self._sign.written == "hex" else base64.b64encode(made).decode()
        return {name: fill_text(told, Plain(values)) for name, told in self._sign.sends.items()}


def _key(secret: str, written: str) -> bytes:
    try:
        if written == "base64":
            return base64.b64decode(secret, validate=True)
        return bytes.fromhex(secret) if written == "hex" else secret.encode()
    except ValueError:
        raise Permanent(f"sign.secret is not {written}; is sign.key right?") from None


def basic_of(basic: Basic) -> str:
    """The Authorization header of a user name and password."""
    password = basic.password.get_secret_value() if basic.password else "X"
    pair = f"{basic.user.get_secret_value()}:{password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def joined(*parts: Mapping[str, str]) -> dict[str, str]:
    """Headers in one; of two that differ only in case the later one stays."""
    whole: dict[str, tuple[str, str]] = {}
    for part in parts:
        whole |= {name.lower(): (name, value) for name, value in part.items()}
    return dict(whole.values())


def plain_tree(value: Any) -> Any:
    """A tree of secrets as the wire needs it."""
    if isinstance(value, Mapping):
        return {key: plain_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_tree(item) for item in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def plain(secret: Mapping[str, SecretStr]) -> dict[str, str]:
    """Secrets as the wire needs them."""
    return {name: value.get_secret_value() for name, value in secret.items()}
