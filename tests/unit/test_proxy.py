"""The filtering proxy: what it carries, what it refuses, and that nothing slips past the check."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from crawler.net import proxy as module
from crawler.net.guard import EgressPolicy
from crawler.net.proxy import BROWSER_HOSTS, FilteringProxy

LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
Script = Callable[[socket.socket, bytes], None]


class Site:
    """A TCP server on loopback; the script gets each connection and the first bytes up to a blank line."""

    def __init__(self, script: Script) -> None:
        self.heads: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self._script = script
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.listener.accept()
                threading.Thread(target=self._one, args=(conn,), daemon=True).start()

    def _one(self, conn: socket.socket) -> None:
        with conn, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (data := conn.recv(65536)):
                head += data
            self.heads.append(head)
            self._script(conn, head)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def ok(conn: socket.socket, head: bytes) -> None:
    conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def site() -> Iterator[Callable[[Script], Site]]:
    with contextlib.ExitStack() as stack:

        def start(script: Script) -> Site:
            made = Site(script)
            stack.callback(made.close)
            return made

        yield start


@pytest.fixture
def proxy() -> Iterator[FilteringProxy]:
    running = FilteringProxy(EgressPolicy(LOOPBACK, lookup))
    running.start()
    yield running
    running.stop()


NAMES = {
    "site.example": ["127.0.0.1"],
    "inside.example": ["10.0.0.1"],
    "mixed.example": ["169.254.169.254", "127.0.0.1"],
}


def lookup(host: str, port: int) -> list[str]:
    if host in NAMES:
        return NAMES[host]
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


def ask(proxy: FilteringProxy, raw: bytes, until: bytes | None = None) -> bytes:
    """Send raw bytes and read to the end (or until `until` is in the answer)."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as conn:
        conn.sendall(raw)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while (until is None or until not in got) and (data := conn.recv(65536)):
                got += data
        return got


def get(proxy: FilteringProxy, url: str, extra: str = "") -> bytes:
    return ask(proxy, f"GET {url} HTTP/1.1\r\nHost: whatever\r\n{extra}\r\n".encode())


def test_http_is_carried_in_origin_form_and_closed_after_one_answer(proxy: FilteringProxy, site: Callable) -> None:
    there = site(ok)
    extra = "Proxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nCookie: a=b\r\n"
    answer = get(proxy, f"http://site.example:{there.port}/a?b=c", extra)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"ok"
    assert b"Connection: close" in head
    assert b"keep-alive" not in head.lower()
    sent = there.heads[0]
    assert sent.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert f"Host: site.example:{there.port}\r\n".encode() in sent
    assert b"whatever" not in sent
    assert b"proxy" not in sent.lower()
    assert b"Cookie: a=b" in sent
    assert proxy.seen == {("site.example", True): 1}


def test_a_second_request_on_the_connection_goes_nowhere_else(proxy: FilteringProxy, site: Callable) -> None:
    other = site(ok)
    there = site(ok)
    raw = f"GET http://site.example:{there.port}/1 HTTP/1.1\r\nHost: x\r\n\r\n"
    raw += f"GET http://127.0.0.1:{other.port}/2 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert ask(proxy, raw.encode()).count(b"200 OK") == 1
    assert other.heads == []


def test_connect_is_a_plain_tunnel(proxy: FilteringProxy, site: Callable) -> None:
    def echo(conn: socket.socket, head: bytes) -> None:
        conn.sendall(head)
        while data := conn.recv(65536):
            conn.sendall(data)

    there = site(echo)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as conn:
        conn.sendall(f"CONNECT site.example:{there.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        stream = conn.makefile("rb")
        assert stream.readline() == b"HTTP/1.1 200 Connection established\r\n"
        assert stream.readline() == b"\r\n"
        big = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n" + bytes(range(256)) * 4096
        threading.Thread(target=conn.sendall, args=(big,)).start()
        assert stream.read(len(big)) == big
        stream.close()


def test_a_body_goes_up_and_a_large_one_comes_down(proxy: FilteringProxy, site: Callable) -> None:
    def script(conn: socket.socket, head: bytes) -> None:
        body = head.partition(b"\r\n\r\n")[2]
        while len(body) < 3_000_000:
            body += conn.recv(65536)
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + body[::-1])

    there = site(script)
    body = bytes(range(250)) * 12_000
    head = f"POST http://site.example:{there.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = ask(proxy, head.encode() + body)
    assert answer.partition(b"\r\n\r\n")[2] == body[::-1]


REFUSED = [
    "127.0.0.2", "127.1", "2130706434", "0x7f000002", "0177.0.0.2", "localhost.inside.example", "inside.example",
    "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[fd00::1]", "0.0.0.0", "100.64.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", REFUSED)
def test_other_addresses_are_refused_both_ways(proxy: FilteringProxy, host: str) -> None:
    NAMES["localhost.inside.example"] = ["127.0.0.3"]
    if host == "127.1":
        host = "127.2"
    connect = ask(proxy, f"CONNECT {host}:8443 HTTP/1.1\r\n\r\n".encode())
    absolute = get(proxy, f"http://{host}:8080/")
    assert connect.startswith(b"HTTP/1.1 403 ")
    assert absolute.startswith(b"HTTP/1.1 403 ")
    assert sum(proxy.refused().values()) == 2
    assert not proxy.allowed()
    assert all("network.allow_private" in reason for reason in proxy.reasons.values())
    # A page may read the answer: it must not map our network for it.
    assert b"10.0.0.1" not in connect + absolute


def test_only_allowed_addresses_of_a_name_are_used(proxy: FilteringProxy, site: Callable) -> None:
    assert get(proxy, f"http://mixed.example:{site(ok).port}/").endswith(b"ok")


@pytest.mark.parametrize("host", [*BROWSER_HOSTS, "x.gvt1.com", "UPDATE.googleapis.com.", "a.b.services.mozilla.com"])
def test_calls_of_the_browser_itself_are_refused(host: str) -> None:
    running = FilteringProxy(EgressPolicy(LOOPBACK, lambda name, port: ["127.0.0.1"]))
    running.start()
    try:
        assert ask(running, f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 403 ")
        assert running.refused() == {host.lower().rstrip("."): 1}
    finally:
        running.stop()


@pytest.mark.parametrize("port", [22, 25, 6379, 0, 65536, 99999])
def test_ports_that_are_not_of_the_web_are_refused(proxy: FilteringProxy, port: int) -> None:
    assert ask(proxy, f"CONNECT site.example:{port} HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n",
        b"GET https://site.example/ HTTP/1.1\r\n\r\n",
        b"GET ftp://site.example/ HTTP/1.1\r\n\r\n",
        b"GET file:///etc/passwd HTTP/1.1\r\n\r\n",
        b"GET http://user:pw@site.example/ HTTP/1.1\r\n\r\n",
        b"GET http:///x HTTP/1.1\r\n\r\n",
        b"GET http://site.example:port/ HTTP/1.1\r\n\r\n",
        b"GET http://site.example/ HTTP/2\r\n\r\n",
        b"GET http://site.example/ HTTP/1.1\r\nX-Bad\x00: 1\r\n\r\n",
        b"GET http://site.example/ HTTP/1.1\r\nX: 1\r\n folded\r\n\r\n",
        b"GET http://site.example/ HTTP/1.1\r\nX: a\nEvil: b\r\n\r\n",
        b"GET http://site.example/\xd1\x8f HTTP/1.1\r\n\r\n",
        b"CONNECT site.example HTTP/1.1\r\n\r\n",
        b"CONNECT user@site.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT :443 HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    ],
)
def test_what_is_no_proxy_request_is_refused(proxy: FilteringProxy, raw: bytes) -> None:
    assert ask(proxy, raw).startswith(b"HTTP/1.1 400 ")


def test_heads_are_bounded_in_size_and_time(proxy: FilteringProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    big = b"GET http://site.example/ HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n"
    assert ask(proxy, big)[:13] in (b"HTTP/1.1 431 ", b"")
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.2)
    started = time.monotonic()
    assert ask(proxy, b"GET http://site.example/ HTTP/1.1\r\nX: 1") == b""
    assert time.monotonic() - started < 5


def test_a_server_that_misbehaves_gives_502(proxy: FilteringProxy, site: Callable) -> None:
    for script in (
        lambda conn, head: None,
        lambda conn, head: conn.sendall(b"SSH-2.0-x\r\n\r\n"),
        lambda conn, head: conn.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"),
    ):
        there = site(script)
        assert get(proxy, f"http://site.example:{there.port}/").startswith(b"HTTP/1.1 502 ")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert get(proxy, f"http://site.example:{port}/").startswith(b"HTTP/1.1 502 ")
    assert get(proxy, "http://unknown.example/").startswith(b"HTTP/1.1 502 ")


def test_a_connection_that_does_not_move_is_cut(
    proxy: FilteringProxy, site: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.2)
    there = site(lambda conn, head: time.sleep(5))
    started = time.monotonic()
    assert get(proxy, f"http://site.example:{there.port}/").startswith(b"HTTP/1.1 502 ")
    tunnel = f"CONNECT site.example:{there.port} HTTP/1.1\r\n\r\n\r\n\r\n".encode()
    assert ask(proxy, tunnel) == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert time.monotonic() - started < 4


def test_stopping_cuts_what_is_open(site: Callable) -> None:
    there = site(lambda conn, head: time.sleep(5))
    running = FilteringProxy(EgressPolicy(LOOPBACK, lookup))
    port = running.start()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as conn:
        conn.sendall(f"CONNECT site.example:{there.port} HTTP/1.1\r\n\r\n".encode())
        assert conn.recv(100).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        running.stop()
        running.stop()
        assert conn.recv(100) == b""
    assert time.monotonic() - started < 3
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_it_runs_in_a_loop_that_is_there(site: Callable) -> None:
    there = site(ok)

    async def main() -> bytes:
        running = FilteringProxy(EgressPolicy(LOOPBACK, lookup))
        port = await running.astart()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET http://site.example:{there.port}/ HTTP/1.1\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await running.astop()
        return answer

    assert asyncio.run(main()).endswith(b"ok")
