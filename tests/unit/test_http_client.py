"""The HTTP client: where it connects, how long it waits, and what its errors claim."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crawler.errors import EgressRefused, InDoubt, Permanent, Transient
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpClient

LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
OK = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n"
    b"Content-Type: text/plain; charset=windows-1251\r\n\r\n\xe4\xe0"
)
Serve = Callable[[Callable[[socket.socket, bytes], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose script gets each connection and the head of its first request."""
    with contextlib.ExitStack() as stack:

        def start(script: Callable[[socket.socket, bytes], None]) -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def run() -> None:
                while True:
                    try:
                        conn, _ = listener.accept()
                    except OSError:
                        return
                    threading.Thread(target=one, args=(conn,), daemon=True).start()

            def one(conn: socket.socket) -> None:
                with conn, contextlib.suppress(OSError):
                    head = b""
                    while b"\r\n\r\n" not in head and (data := conn.recv(65536)):
                        head += data
                    script(conn, head)

            stack.callback(lambda: listener.shutdown(socket.SHUT_RDWR))
            threading.Thread(target=run, daemon=True).start()
            return int(listener.getsockname()[1])

        yield start


def client(**options: object) -> HttpClient:
    return HttpClient(EgressPolicy(LOOPBACK), **{"timeout": 5.0, **options})  # type: ignore[arg-type]


def test_an_answer_is_read_and_its_charset_obeyed(serve: Serve) -> None:
    heads: list[bytes] = []

    def script(conn: socket.socket, head: bytes) -> None:
        heads.append(head)
        conn.sendall(OK)

    port = serve(script)
    with client() as http:
        answer = http.request("GET", f"http://127.0.0.1:{port}/a", params={"q": "да"}, headers={"user-agent": "me"})
    assert (answer.status, answer.text, answer.headers["CONTENT-length"]) == (200, "да", "2")
    assert b"GET /a?q=%D0%B4%D0%B0 HTTP/1.1" in heads[0]
    assert b"user-agent: me" in heads[0]
    assert heads[0].lower().count(b"user-agent") == 1


def test_it_connects_to_the_address_that_was_checked_and_keeps_the_name(serve: Serve) -> None:
    asked: list[str] = []
    heads: list[bytes] = []

    def lookup(host: str, port: int) -> list[str]:
        # The second look-up of a rebinding name would lead elsewhere: there must be none.
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    def script(conn: socket.socket, head: bytes) -> None:
        heads.append(head)
        conn.sendall(OK)

    port = serve(script)
    with HttpClient(EgressPolicy(LOOPBACK, lookup)) as http:
        assert http.request("GET", f"http://rebind.example:{port}/").status == 200
    assert asked == ["rebind.example"]
    assert f"Host: rebind.example:{port}".encode().lower() in heads[0].lower()


def test_a_name_that_leads_inside_is_refused_before_any_byte(serve: Serve) -> None:
    hits: list[bytes] = []
    port = serve(lambda conn, head: hits.append(head))
    policy = EgressPolicy(lookup=lambda host, port: ["127.0.0.1"])
    with HttpClient(policy) as http, pytest.raises(EgressRefused, match=r"network\.allow_private"):
        http.request("GET", f"http://inside.example:{port}/")
    assert hits == []


def test_redirects_are_off_and_each_followed_hop_is_checked(serve: Serve) -> None:
    seen: list[bytes] = []

    def script(conn: socket.socket, head: bytes) -> None:
        seen.append(head)
        where = {b"/1": b"/2", b"/3": b"http://10.0.0.1/", b"/4": b"file:///etc/passwd"}.get(head.split()[1])
        if where is None:
            conn.sendall(OK)
        else:
            conn.sendall(
                b"HTTP/1.1 302 Found\r\nLocation: " + where + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )

    base = f"http://127.0.0.1:{serve(script)}"
    with client() as http:
        assert http.request("GET", f"{base}/1").status == 302
        answer = http.request("GET", f"{base}/1", headers={"X-Key": "k"}, redirects=3)
        assert (answer.status, answer.url) == (200, f"{base}/2")
        assert b"X-Key" in seen[-1]
        assert http.request("POST", f"{base}/1", redirects=3).status == 302
        for path in ("/3", "/4"):
            with pytest.raises(EgressRefused):
                http.request("GET", base + path, redirects=3)


def test_headers_of_the_caller_do_not_cross_to_another_origin(serve: Serve) -> None:
    seen: list[bytes] = []

    def other(conn: socket.socket, head: bytes) -> None:
        seen.append(head)
        conn.sendall(OK)

    there = serve(other)
    moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{there}/\r\nContent-Length: 0\r\n\r\n".encode()
    here = serve(lambda conn, head: conn.sendall(moved))
    with client() as http:
        http.request("GET", f"http://127.0.0.1:{here}/", headers={"Authorization": "Token s3cret"}, redirects=1)
    assert b"s3cret" not in seen[0]


def test_a_refused_connection_is_transient(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with client() as http, pytest.raises(Transient, match="Connection refused") as caught:
        http.request("POST", f"http://127.0.0.1:{port}/token-in-path", json={})
    assert not isinstance(caught.value, InDoubt)
    assert "token-in-path" not in str(caught.value)


def cut(conn: socket.socket, head: bytes) -> None:
    conn.close()


def reset(conn: socket.socket, head: bytes) -> None:
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    conn.close()


def half_head(conn: socket.socket, head: bytes) -> None:
    conn.sendall(b"HTTP/1.1 201 Cre")


def half_body(conn: socket.socket, head: bytes) -> None:
    conn.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nabc")


def garbage(conn: socket.socket, head: bytes) -> None:
    conn.sendall(b"SSH-2.0-OpenSSH_9\r\n\r\n")


def broken_gzip(conn: socket.socket, head: bytes) -> None:
    conn.sendall(b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")


def silent(conn: socket.socket, head: bytes) -> None:
    time.sleep(3)


def drip(conn: socket.socket, head: bytes) -> None:
    conn.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(60):
        conn.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("script", [cut, reset, half_head, half_body, garbage, broken_gzip, silent, drip])
def test_whatever_happens_after_the_request_left_is_in_doubt(serve: Serve, script: Callable[..., None]) -> None:
    port = serve(script)
    started = time.monotonic()
    with client(timeout=0.6) as http, pytest.raises(InDoubt, match="may have taken effect"):
        http.request("POST", f"http://127.0.0.1:{port}/", json={"a": 1})
    assert time.monotonic() - started < 2


def test_the_deadline_covers_the_look_up_too() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(2)
        return ["127.0.0.1"]

    started = time.monotonic()
    with HttpClient(EgressPolicy(LOOPBACK, slow), timeout=0.2) as http, pytest.raises(Transient) as caught:
        http.request("POST", "http://slow.example/")
    assert time.monotonic() - started < 1
    assert not isinstance(caught.value, InDoubt)


def test_nothing_is_retried(serve: Serve) -> None:
    heads: list[bytes] = []

    def script(conn: socket.socket, head: bytes) -> None:
        heads.append(head)

    port = serve(script)
    with client() as http, pytest.raises(InDoubt):
        http.request("POST", f"http://127.0.0.1:{port}/", json={})
    assert len(heads) == 1


def test_the_body_is_capped_also_when_it_was_compressed(serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * 3_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    port = serve(lambda conn, _: conn.sendall(head + bomb))
    with client(max_body=1_000_000) as http:
        with pytest.raises(Permanent, match="larger than 976 KiB"):
            http.request("GET", f"http://127.0.0.1:{port}/")
        with pytest.raises(InDoubt):
            http.request("POST", f"http://127.0.0.1:{port}/")


def test_a_header_that_would_break_out_is_never_sent(serve: Serve) -> None:
    heads: list[bytes] = []
    port = serve(lambda conn, head: heads.append(head))
    with client() as http:
        for value in ("a\r\nX-Evil: 1", "a\nb", "\0", "ключ"):
            with pytest.raises(Permanent, match="cannot be sent"):
                http.request("GET", f"http://127.0.0.1:{port}/", headers={"X-Key": value})
    assert b"".join(heads) == b""


def test_json_that_is_not_json_is_permanent(serve: Serve) -> None:
    # The script ends after one answer: without "close" the second request may go out on a connection that is gone.
    page = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
    deep = b"[" * 200_000
    answers = [page, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(deep) + deep]
    port = serve(lambda conn, _: conn.sendall(answers.pop(0)))
    with client() as http:
        with pytest.raises(Permanent, match="text/html where JSON was due"):
            http.request("GET", f"http://127.0.0.1:{port}/").json()
        with pytest.raises(Permanent):
            http.request("GET", f"http://127.0.0.1:{port}/").json()


def test_environment_proxies_and_cookies_are_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    def script(conn: socket.socket, head: bytes) -> None:
        heads.append(head)
        conn.sendall(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: s=1\r\n\r\n", 1))

    port = serve(script)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with client() as http:
        for _ in range(2):
            assert http.request("GET", f"http://127.0.0.1:{port}/").status == 200
    assert b"cookie" not in heads[1].lower()


def test_url_and_headers_stay_out_of_the_logs(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    port = serve(lambda conn, head: conn.sendall(OK))
    with caplog.at_level(logging.DEBUG), client() as http:
        http.request("GET", f"http://127.0.0.1:{port}/p4th?k=qu3ry", headers={"Authorization": "h34der"})
    assert not [word for word in ("p4th", "qu3ry", "h34der") if word in caplog.text]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for desk.example that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desk.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("desk.example")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "desk.pem"
    no_password = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password))
    return path


def tls_server(certificate: Path) -> int:
    """A TLS server that answers OK to every request; returns its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            while True:
                conn, _ = listener.accept()
                with conn, contextlib.suppress(OSError), context.wrap_socket(conn, server_side=True) as tls:
                    tls.recv(65536)
                    tls.sendall(OK)

    threading.Thread(target=run, daemon=True).start()
    return int(listener.getsockname()[1])


def test_certificates_are_verified_against_the_name(certificate: Path) -> None:
    port = tls_server(certificate)
    policy = EgressPolicy(LOOPBACK, lambda host, port: ["127.0.0.1"])
    trusting = ssl.create_default_context(cafile=str(certificate))
    with HttpClient(policy, ssl_context=trusting) as http:
        assert http.request("GET", f"https://desk.example:{port}/").status == 200
        with pytest.raises(Transient, match="certificate is not valid") as caught:
            http.request("POST", f"https://other.example:{port}/")
        assert not isinstance(caught.value, InDoubt)
    with HttpClient(policy) as http, pytest.raises(Transient, match="certificate is not valid"):
        http.request("POST", f"https://desk.example:{port}/")
