"""A loopback site in a process of its own: feeds and css pages of 20 posts, made in advance, served from memory."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

POSTS = 20
_WORDS = (
    "вчора оплата знову пройшла добре черга каса підтримка відповіла швидко сегодня перевод карта терминал приложение "
    "работает the card payment arrived late nobody answered thanks again everything fine бонус відділення дзвінок"
).split()
_BRAND = ("Нова Каса", "Новій Касі", "Nova Kasa")


def text_of(seed: str, mentioning: bool = False) -> str:
    """A post of about 25 words, the same for the same seed; every `mentioning` one names the brand."""
    dice = random.Random(seed)
    words = [dice.choice(_WORDS) for _ in range(25)]
    if mentioning:
        words.insert(5, dice.choice(_BRAND) + " не повертає гроші")
    return " ".join(words)


def feed(name: str, number: int, mentioning: bool = False, posts: int = POSTS) -> bytes:
    """One RSS feed of 20 posts."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    items = "".join(
        f"<item><guid>{name}-{number}-{i}</guid><title>Запис {i}</title>"
        f"<link>http://site.example/{name}/{number}/{i}</link>"
        f"<dc:creator>автор {i}</dc:creator>"
        f"<pubDate>{(at + timedelta(minutes=i)):%a, %d %b %Y %H:%M:%S} +0000</pubDate>"
        f"<description>{text_of(f'{name}-{number}-{i}', mentioning)}</description></item>"
        for i in range(posts)
    )
    head = (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
    )
    return f"{head}<title>{name}</title>{items}</channel></rss>".encode()


def page(name: str, number: int, last: int) -> bytes:
    """One forum page of 20 posts with a link to the next."""
    items = "".join(
        f'<article class="message" id="post{number * POSTS + i}"><a class="author" href="/u/{i}">автор {i}</a>'
        f'<time datetime="2026-11-01T10:{i:02d}:00Z">1 листопада</time><div class="content"><p>'
        f"{text_of(f'{name}-{number}-{i}')}</p></div>"
        f'<a class="permalink" href="/{name}/t/{number * POSTS + i}">#</a></article>'
        for i in range(POSTS)
    )
    following = f'<a class="next" href="/{name}/page/{number + 1}">next</a>' if number < last else ""
    return f"<html><head><meta charset=utf-8></head><body>{items}{following}</body></html>".encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pages: ClassVar[dict[str, bytes]] = {}
    counter: Any = None

    def do_GET(self) -> None:
        body = self.pages.get(self.path)
        if body is None:
            self._answer(404, b"")
            return
        tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if self.headers.get("If-None-Match") == f'"{tag}"':
            self._answer(304, b"", tag)
        else:
            self._answer(200, body, tag)

    def _answer(self, status: int, body: bytes, tag: str = "") -> None:
        kind = "application/rss+xml" if body[:5] == b"<?xml" else "text/html; charset=utf-8"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        if tag:
            self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        self.wfile.write(body)
        with self.counter.get_lock():
            self.counter[0] += 1
            self.counter[1] += len(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


def host_of(number: int) -> str:
    """The loopback address that stands for a site of its own."""
    return f"127.0.{number // 250}.{number % 250 + 1}"


def _serve(pages: dict[str, bytes], counter: Any, port: Any, hosts: int) -> None:
    _Handler.pages, _Handler.counter = pages, counter
    server = ThreadingHTTPServer((host_of(0), 0), _Handler)
    server.daemon_threads = True
    doors = selectors.DefaultSelector()
    doors.register(server.socket, selectors.EVENT_READ)
    for number in range(1, hosts):
        door = socket.create_server((host_of(number), server.server_address[1]), backlog=16)
        doors.register(door, selectors.EVENT_READ)
    port.send(server.server_address[1])
    while True:
        for key, _ in doors.select():
            server.process_request(*key.fileobj.accept())  # type: ignore[union-attr]


class Site:
    """Address of a running site, and what it has answered: requests and bytes."""

    def __init__(self, port: int, counter: Any) -> None:
        self.url, self._counter = f"http://127.0.0.1:{port}", counter

    def answered(self) -> tuple[int, int]:
        """(requests, body bytes) so far."""
        return int(self._counter[0]), int(self._counter[1])


@contextmanager
def site(pages: dict[str, bytes], hosts: int = 1) -> Iterator[Site]:
    """Serve `pages` (path -> body) at so many loopback addresses until the block ends."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    counter = context.Array("q", [0, 0])
    process = context.Process(target=_serve, args=(pages, counter, there, hosts), daemon=True)
    process.start()
    try:
        yield Site(here.recv(), counter)
    finally:
        process.terminate()
        process.join()
