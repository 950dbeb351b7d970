"""The site of the feeds benchmark: each feed answers in its own way, and the log can be asked for again and again."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from benchmarks.feed_site import BARE, ODD, VERDICTS, WAYS, FeedSite, feed_site, way_of
from benchmarks.site import host_of

pytestmark = pytest.mark.process

HOSTS = 25


@pytest.fixture
def served() -> Iterator[FeedSite]:
    with feed_site(HOSTS) as site:
        yield site


def ask(site: FeedSite, path: str, host: int = 0, tag: str = "") -> tuple[int, bytes, bytes]:
    """(status, head, body) of one request on a connection of its own."""
    with socket.create_connection((host_of(host), site.port), timeout=20) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\n\r\n".encode())
        said = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), head, body


def number_of(way: str) -> int:
    return WAYS.index(way)


def test_every_way_has_a_verdict_and_a_feed() -> None:
    assert set(WAYS) == set(VERDICTS)
    assert set(ODD) < set(WAYS)
    assert way_of(100 + number_of("bomb")) == "bomb"


def test_answers_and_their_log(served: FeedSite) -> None:
    for way, status in (("well", 200), ("gone", 404), ("removed", 410), ("broken", 500), ("moved", 301)):
        assert ask(served, f"/f/{number_of(way)}")[0] == status
    assert ask(served, f"/f/{number_of('bare')}")[2] == BARE
    told = served.log()
    assert (told["pages"], told["posts"], told["at_once"]) == (6, 20, 1)
    assert told["statuses"] == {200: 2, 404: 1, 410: 1, 500: 1, 301: 1}


def test_the_log_begins_anew_and_the_site_goes_on(served: FeedSite) -> None:
    number = number_of("grows")
    _, head, first = ask(served, f"/f/{number}")
    tag = next(line for line in head.decode().split("\r\n") if line.startswith("ETag")).partition(": ")[2]
    assert ask(served, f"/f/{number}", tag=tag)[0] == 304
    assert served.log()["posts"] == 20
    status, _, second = ask(served, f"/f/{number}", tag=tag)
    assert (status, first.count(b"<item>"), second.count(b"<item>")) == (200, 20, 22)
    told = served.log()
    assert (told["pages"], told["posts"]) == (1, 22)
    assert served.log()["pages"] == 0


def test_who_comes_back_too_soon_is_counted(served: FeedSite) -> None:
    number = number_of("stay away")
    assert b"Retry-After: 3600" in ask(served, f"/f/{number}")[1]
    assert ask(served, f"/f/{number}")[0] == 429
    assert served.log()["early"] == 1


def test_gaps_are_measured_where_a_delay_is_asked_for(served: FeedSite) -> None:
    assert b"Crawl-delay: 1" in ask(served, "/robots.txt", host=4)[2]
    assert ask(served, "/robots.txt")[2] == b""
    for host in (4, 4, 0, 0):
        ask(served, "/f/0", host=host)
    told = served.log()
    assert (told["gaps"], told["robots"]) == (1, 2)
    assert 0 <= told["least_gap"] < 20
