"""The one HTTP client of the house: synchronous, guarded, and exact about what may have happened.

A failure before the first byte of the request was sent is Transient; a failure after it is InDoubt, because the other
side may have acted. Nothing is retried here, no cookie is kept, no proxy is taken from the environment, and messages
name the server only (a path or query may hold a token).
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2

from crawler.errors import EgressRefused, InDoubt, Permanent, Transient
from crawler.net.guard import EgressPolicy

# Their debug lines show headers of requests and answers, which hold credentials.
for _name in ("httpcore2", "httpx2"):
    logging.getLogger(_name).setLevel(logging.INFO)

MAX_BODY = 10 * 1024 * 1024
USER_AGENT = "mention-crawler"
_REDIRECTS = (301, 302, 303, 307, 308)
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer: `headers` are case-insensitive, `body` is decoded from gzip and the like, `url` is what was asked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def text(self) -> str:
        """The body as text by the charset of its header, else UTF-8; bytes that do not fit become U+FFFD."""
        charset = "utf-8"
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.strip().partition("=")
            if name.lower() == "charset" and value:
                charset = value.strip("\"'")
        try:
            return self.body.decode(charset, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body parsed as JSON; raises Permanent when it is something else (an HTML page, a cut text)."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.headers.get("content-type", "no content type").split(";")[0][:60]
            raise Permanent(f"{server_of(self.url)} answered {self.status} with {kind} where JSON was due") from None


def server_of(url: str) -> str:
    """`scheme://host:port` of a URL: all of it that a message may show."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"
    except ValueError:
        return "the server"


def as_json(data: Any) -> bytes:
    """`data` as UTF-8 JSON; a lone surrogate, which no wire can carry, becomes a question mark."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")


class _Deadline(threading.local):
    """When the request of this thread must be over, by the monotonic clock."""

    at: float | None = None

    def left(self, timeout: float | None) -> float | None:
        if self.at is None:
            return timeout
        left = self.at - time.monotonic()
        return left if timeout is None else min(left, timeout)


class _Stream(httpcore2.NetworkStream):
    """A network stream whose every wait ends at the deadline of the whole request."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0:
            raise httpcore2.ReadTimeout("the whole time is used up")
        return self._inner.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0:
            raise httpcore2.WriteTimeout("the whole time is used up")
        self._inner.write(buffer, left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0:
            raise httpcore2.ConnectTimeout("the whole time is used up")
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _GuardedBackend(httpcore2.NetworkBackend):
    """Connects to an address that the policy checked; the host's name stays in TLS and in the Host header."""

    def __init__(self, policy: EgressPolicy, deadline: _Deadline) -> None:
        self._policy = policy
        self._deadline = deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        self._policy.check_port(port)
        addresses = self._policy.resolve(host, port, self._left(timeout))
        for number, address in enumerate(addresses, 1):
            try:
                # A share of the time each, so that one dead address does not starve the others.
                share = self._left(timeout) / (len(addresses) - number + 1)
                stream = self._inner.connect_tcp(address, port, share, local_address, socket_options)
                return _Stream(stream, self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise httpcore2.ConnectError("no address")  # pragma: no cover - resolve() never answers an empty list

    def _left(self, timeout: float | None) -> float:
        left = self._deadline.left(timeout)
        if left is not None and left <= 0:
            raise httpcore2.ConnectTimeout("the whole time is used up")
        return 30.0 if left is None else left


@cache
def _system_trust() -> ssl.SSLContext:
    """The system's certificates, read once a process."""
    return httpcore2.default_ssl_context()


class _Body(httpx2.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class _Transport(httpx2.BaseTransport):
    """httpx2's transport over a connection pool of our backend; httpcore2's errors pass through as they are."""

    def __init__(self, backend: _GuardedBackend, ssl_context: ssl.SSLContext | None) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl_context or _system_trust(),
            max_connections=32,
            # Shorter than any server's own: a request on a connection that is being closed would be in doubt.
            keepalive_expiry=1.0,
            retries=0,
            network_backend=backend,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        answer = self._pool.handle_request(
            httpcore2.Request(
                request.method,
                target,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, Iterable)
        stream = _Body(answer.stream)
        return httpx2.Response(answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


@dataclass(slots=True)
class _Progress:
    """Whether the request began to leave this machine."""

    sent: bool = False
    server: str = ""
    method: str = ""

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        # The pool says so just before the first byte is written.
        if event.endswith("send_request_headers.started"):
            self.sent = True


@dataclass
class HttpClient:
    """Sends requests within `policy`. Thread-safe; close it (or use `with`) when done.

    `timeout` is the deadline in seconds of one whole request, from the look-up of the name to the last byte of the
    body. `ssl_context` replaces the system's certificate store, for servers with a certificate authority of their own.
    """

    policy: EgressPolicy
    timeout: float = 20.0
    user_agent: str = USER_AGENT
    ssl_context: ssl.SSLContext | None = None
    max_body: int = MAX_BODY
    _deadline: _Deadline = field(init=False, repr=False)
    _transport: _Transport = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._deadline = _Deadline()
        self._transport = _Transport(_GuardedBackend(self.policy, self._deadline), self.ssl_context)

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        timeout: float | None = None,
        redirects: int = 0,
    ) -> HttpAnswer:
        """Send one request and return its answer, whatever its status.

        `redirects` > 0 follows that many hops of a GET or HEAD; each hop is checked anew and headers of the caller do
        not cross to another origin. Raises Transient, InDoubt (may have taken effect), EgressRefused, Permanent.
        """
        self._deadline.at = time.monotonic() + (timeout or self.timeout)
        try:
            answer = self._once(method, url, headers, json, content, params)
            for _ in range(redirects if method in _SAFE else 0):
                target = answer.headers.get("location")
                if answer.status not in _REDIRECTS or not target:
                    break
                answer = self._hop(method, answer.url, target, headers)
            return answer
        finally:
            self._deadline.at = None

    def _hop(self, method: str, origin: str, target: str, headers: Mapping[str, str] | None) -> HttpAnswer:
        try:
            url = str(httpx2.URL(origin).join(target))
        except (httpx2.InvalidURL, ValueError):
            raise Permanent(f"{server_of(origin)} redirects to something that is not a URL") from None
        return self._once(method, url, headers if server_of(url) == server_of(origin) else None, None, None, None)

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        json: Any,
        content: bytes | None,
        params: Mapping[str, str | int] | None,
    ) -> HttpAnswer:
        self.policy.check_url(url)
        progress = _Progress(server=server_of(url), method=method)
        try:
            request = self._build(method, url, headers, json, content, params, progress)
            response = self._transport.handle_request(request)
            try:
                body = self._read(response)
            finally:
                response.close()
        except (EgressRefused, Transient, Permanent):
            raise
        except (httpcore2.LocalProtocolError, httpx2.InvalidURL, UnicodeError, ValueError, TypeError) as error:
            raise self._unsendable(error, progress) from None
        except _NET_ERRORS as error:
            raise self._failure(error, progress) from None
        return HttpAnswer(response.status_code, response.headers, body, str(request.url))

    def _build(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        json: Any,
        content: bytes | None,
        params: Mapping[str, str | int] | None,
        progress: _Progress,
    ) -> httpx2.Request:
        merged = {"User-Agent": self.user_agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
        known = {name.lower(): name for name in merged}
        for name, value in (headers or {}).items():
            merged.pop(known.get(name.lower(), ""), None)
            merged[name] = value
        left = self._deadline.left(self.timeout)
        extensions = {"timeout": httpx2.Timeout(left).as_dict(), "trace": progress.trace}
        target = httpx2.URL(url, params=params) if params else httpx2.URL(url)
        if json is not None:
            merged["Content-Type"] = "application/json; charset=utf-8"
            content = as_json(json)
        return httpx2.Request(method, target, headers=merged, content=content, extensions=extensions)

    def _read(self, response: httpx2.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > self.max_body:
                raise _TooBig
            parts.append(chunk)
        return b"".join(parts)

    def _unsendable(self, error: Exception, progress: _Progress) -> Permanent | InDoubt:
        """A request that we could not even write down: nobody but us can mend it."""
        what = f"{progress.method} {progress.server}: the request cannot be sent ({type(error).__name__})"
        if progress.sent and not isinstance(error, httpcore2.LocalProtocolError):
            return InDoubt(f"{progress.method} {progress.server}: the answer cannot be read ({type(error).__name__})")
        return Permanent(what)

    def _failure(self, error: Exception, progress: _Progress) -> Transient | Permanent:
        what = f"{progress.method} {progress.server}: {_in_words(error, self.max_body)}"
        if not progress.sent:
            return Transient(what)
        if isinstance(error, _TooBig) and progress.method in _SAFE:
            return Permanent(what)
        return InDoubt(f"{what} after the request was sent; it may have taken effect")


class _TooBig(Exception):
    """The body passed the cap."""


_NET_ERRORS: tuple[type[Exception], ...] = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpx2.HTTPError,
    OSError,
    _TooBig,
)


def _in_words(error: Exception, cap: int) -> str:
    """The failure in words a person can act on; never the library's text, which may quote the request."""
    cause = error.__cause__ or error.__context__ or error
    if isinstance(error, _TooBig):
        return f"the answer is larger than {cap // 1024} KiB"
    if isinstance(error, httpcore2.ConnectTimeout | httpcore2.PoolTimeout):
        return "no connection in time"
    if isinstance(error, httpcore2.TimeoutException):
        return "no answer in time"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not valid ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or 'no common ground'})"
    if isinstance(error, httpcore2.ConnectError):
        return f"no connection ({_os_reason(cause)})"
    if isinstance(error, httpx2.DecodingError):
        return "the answer's compression is broken"
    return f"the connection broke ({_os_reason(cause)})"


def _os_reason(error: BaseException) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__
