"""One call of the kind `rest`: written from its template, sent, and judged by what the config says answers mean."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from crawler.errors import CrawlerError, InDoubt, Permanent, Transient
from crawler.net.http import HttpAnswer, as_json, server_of
from sinks.base import Tools
from sinks.http import HttpSink, is_html
from sinks.plain import one_line
from sinks.rest_fill import SECRET, Absent, Values, as_text, fill, fill_path, fill_text, in_json_text, in_xml
from sinks.rest_meaning import Word, meaning_of, wait_of
from sinks.rest_pick import in_answer, scalar
from sinks.rest_settings import Call, Login, RestSettings
from sinks.rest_values import Over, moment_as

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json; charset=utf-8"
_TOLD_APART: tuple[Word, ...] = ("exists", "missing")


class Told(NamedTuple):
    """An answer that is no error: `word` is ok, warn, exists or missing."""

    answer: HttpAnswer
    word: Word


class RestClient(HttpSink):
    """Sends the calls of the config."""

    Settings: ClassVar[type[RestSettings]] = RestSettings
    settings: RestSettings

    def __init__(self, name: str, settings: Any, tools: Tools) -> None:
        super().__init__(name, settings, tools)
        self._session: str | None = None
        self._logging_in = threading.Lock()
        if settings.basic is not None:
            password = settings.basic.password.get_secret_value() if settings.basic.password else "X"
            pair = f"{settings.basic.user.get_secret_value()}:{password}".encode()
            self._basic = "Basic " + base64.b64encode(pair).decode()
            self.secrets.append(self._basic)

    def headers(self) -> Mapping[str, str]:
        plain = _open(self.settings.headers)
        if self.settings.basic is not None:
            plain.setdefault("Authorization", self._basic)
        return plain

    def send(
        self,
        call: Call,
        values: Values,
        *,
        extra: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        reads: bool = False,
        missing: bool = False,
        target: str | None = None,
        also: tuple[int, ...] = (),
    ) -> Told:
        """Send one call. `reads` says that it writes nothing, `missing` that a 404 means "there is none".

        Answers whose status is in `also` come back as they are. `target` is a path
        with query of the same server that stands for the call's own.

        Raises Transient, InDoubt (only of writes), Permanent.
        """
        everywhere = {SECRET + name: text for name, text in _open(self.settings.secrets).items()}
        values = Over(values, {"now": moment_as(self.tools.now(), "iso"), **everywhere})
        url = self._url(call, values, query or {}) if target is None else self._with_query(_origin(self.base) + target)
        content, kind = self._body(call, values)
        headers = _open(call.headers)
        headers |= {name: one_line(fill_text(text, values), 1000) for name, text in call.plain_headers().items()}
        headers = joined({"Content-Type": kind} if kind else {}, headers, extra or {})
        try:
            with self.named():
                answer = self._sent(call.method, url, headers, content)
            return Told(answer, "ok") if answer.status in also else self._judged(call, answer, missing)
        except InDoubt as error:
            if reads:
                raise Transient(str(error), error.retry_after) from None
            raise

    def _sent(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> HttpAnswer:
        for attempt in (1, 2):
            session = self._session_headers()
            answer = self.tools.http.request(
                method,
                url,
                headers=joined({"Accept": "application/json"}, self.headers(), session, headers),
                content=content,
                timeout=self.settings.timeout,
            )
            if answer.status != 401 or not session or attempt == 2:
                break
            self._ended(session)  # a 401 stored nothing
        return answer

    def _ended(self, headers: Mapping[str, str]) -> None:
        """Forget the session that these headers carry, unless another thread has opened a new one already."""
        with self._logging_in:
            if self._session is not None and headers == self._carrying(self._session):
                self._session = None

    def _carrying(self, session: str) -> dict[str, str]:
        sends = self.settings.login.sends if self.settings.login else {}
        return {name: text.replace("{session}", session) for name, text in sends.items()}

    def _session_headers(self) -> dict[str, str]:
        login = self.settings.login
        if login is None:
            return {}
        with self._logging_in:
            if self._session is None:
                self._session = self._logged_in(login)
            return self._carrying(self._session)

    def _logged_in(self, login: Login) -> str:
        own = {} if login.url else self.headers()
        headers = joined({"Accept": "application/json"}, own, _open(login.headers))
        url = login.url.rstrip("/") + login.path if login.url else self._with_query(self.base + login.path)
        content = None
        if login.body is not None:
            content, headers["Content-Type"] = as_json(_open(login.body)), _JSON
        elif login.form is not None:
            content, headers["Content-Type"] = urlencode(_open(login.form)).encode(), _FORM
        try:
            answer = self.tools.http.request(
                login.method, url, headers=headers, content=content, timeout=self.settings.timeout
            )
        except InDoubt as error:
            raise Transient(f"login: {error}", error.retry_after) from None
        if not 200 <= answer.status < 300:
            refused = self._error(None, answer, "login")
            # Nothing was asked for yet: a login that fails leaves no doubt.
            raise Transient(str(refused), refused.retry_after) if isinstance(refused, InDoubt) else refused
        session = scalar(in_answer(answer, login.session))
        if session is None:
            raise Permanent(f"the login answered nothing at {login.session!r}")
        self.secrets.append(session)
        return session

    def _url(self, call: Call, values: Values, query: Mapping[str, Any]) -> str:
        given = fill(call.query, values) | dict(query)
        return self._with_query(self.base + fill_path(call.path, values), given)

    def _with_query(self, url: str, given: Mapping[str, Any] | None = None) -> str:
        pairs: list[tuple[str, str]] = []
        for name, value in (given or {}).items():
            pairs += [(name, as_text(item)) for item in (value if isinstance(value, list) else [value])]
        pairs += list(_open(self.settings.query).items())
        if not pairs:
            return url
        return url + ("&" if urlsplit(url).query else "?") + urlencode(pairs, errors="replace")

    def _body(self, call: Call, values: Values) -> tuple[bytes | None, str | None]:
        limits = self.settings.limits
        if call.form is not None:
            return urlencode(
                _flat(fill(call.form, values, limits)), errors="replace"
            ).encode(), call.content_type or _FORM
        if call.multipart is not None:
            return _multipart(_flat(fill(call.multipart, values, limits)))
        if call.text is not None:
            kind = call.content_type or "text/plain; charset=utf-8"
            return fill_text(call.text, values, _coding(kind)).encode("utf-8", "replace"), kind
        if call.body is not None:
            filled = fill(call.body, values, limits)
            return as_json({} if isinstance(filled, Absent) else filled), call.content_type or _JSON
        return None, None

    def _judged(self, call: Call, answer: HttpAnswer, missing: bool) -> Told:
        word = meaning_of(answer, call.meaning, self.settings.meaning)
        if word is None:
            if 200 <= answer.status < 300:
                word = "ok"
            elif answer.status == 404 and missing:
                word = "missing"
        if word in ("ok", "warn") or word in _TOLD_APART:
            return Told(answer, word)
        raise self._error(word, answer, call.method)

    def _error(self, word: Word | None, answer: HttpAnswer, method: str) -> CrawlerError:
        what = self.mask(
            f"{self.name}: {method} {server_of(answer.url)} answered {answer.status}{self.excerpt(answer)}"
        )
        wait = wait_of(answer, self.settings.retry_after, self.tools.now())
        if word == "permanent":
            return Permanent(what)
        if word == "transient":
            return Transient(what, wait)
        if word == "in_doubt":
            return InDoubt(what, wait)
        usual = self._meaning(method, answer)
        if isinstance(usual, Transient):
            return type(usual)(str(usual), wait)
        return Permanent(f"{usual}{_hint(answer.status, method)}")

    def pick(self, answer: HttpAnswer, spec: str) -> Any:
        """What `spec` names in an answer; None when there is nothing, or an HTML page where JSON is due."""
        if not spec.startswith("header:") and is_html(answer) and not spec.startswith("text:"):
            return None
        try:
            return in_answer(answer, spec)
        except Permanent:
            return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _hint(status: int, method: str) -> str:
    if status == 428:
        return "; set `preconditions: etag` and `read`"
    if status == 404 and method == "GET":
        return '; where it means that there is none, say so: meaning: {"404": missing}'
    return ""


def joined(*parts: Mapping[str, str]) -> dict[str, str]:
    """Headers in one; of two that differ only in case the later one stays."""
    whole: dict[str, tuple[str, str]] = {}
    for part in parts:
        whole |= {name.lower(): (name, value) for name, value in part.items()}
    return dict(whole.values())


def _open(secret: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in secret.items()}


def _coding(kind: str) -> Any:
    if "xml" in kind.lower():
        return in_xml
    return in_json_text if "json" in kind.lower() else str


def _flat(form: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Form fields as pairs: lists repeat the name, mappings become name[key]."""
    pairs: list[tuple[str, str]] = []
    for name, value in form.items():
        full = f"{prefix}[{name}]" if prefix else str(name)
        if isinstance(value, Mapping):
            pairs += _flat(value, full)
        elif isinstance(value, list):
            pairs += [(full, as_text(item)) for item in value]
        else:
            pairs.append((full, as_text(value)))
    return pairs


def _multipart(pairs: list[tuple[str, str]]) -> tuple[bytes, str]:
    boundary = f"mention-crawler-{secrets.token_hex(16)}"
    out = []
    for name, value in pairs:
        safe = one_line(name, 200).replace('"', "%22")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{safe}"\r\n'
        out.append(f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n")
    return ("".join(out) + f"--{boundary}--\r\n").encode(
        "utf-8", "replace"
    ), f"multipart/form-data; boundary={boundary}"
