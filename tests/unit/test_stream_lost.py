"""What of a stream cannot be held or is not opened: passed over, counted and told; nothing else is lost with it."""

from __future__ import annotations

import asyncio
import itertools
import random
import struct
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import plugins
from crawler.app import health
from crawler.errors import Transient
from crawler.model import SKIPPED, Source
from crawler.net import sieve as sieving
from crawler.net.live import ServerEvent, TooLong, _Events
from crawler.net.sieve import Sieve, Signs, Swallowed
from crawler.store.streams import TROUBLE, StreamState
from spiders.stream_clock import StreamClock
from spiders.stream_reading import LightReader
from spiders.stream_session import Batch, Session

KINDS = plugins.family("spiders", "stream", LightReader)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def reader(kind: str = "stream", **given: Any) -> Any:
    shape = {"items": "[@]", "fields": {"id": "id", "text": "text"}}
    asked = {"url": "https://s.example", "posts": [shape]} if kind == "stream" else {}
    return KINDS[kind](Source("sky", kind, KINDS[kind].Settings(**{**asked, **given})))


# ---- server-sent events ---------------------------------------------------------------------------------------------

FLOODS = [
    b"data: " + b"x" * 2000 + b"\n\n",
    b"data: yyyyyyyyyy\n" * 200 + b"\n",
    b"event: update\nid: 3\ndata: a\ndata: " + b"z" * 1500 + b"\r\n\r\n",
    b"data\n" * 3000 + b"\n",
]


@pytest.mark.parametrize("flood", FLOODS, ids=["one line", "many lines", "after others", "empty lines"])
@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_an_event_that_is_too_long_is_passed_over_and_counted(flood: bytes, step: int) -> None:
    signs, said = Signs(), b"data: before\n\n" + flood + b"data: behind\n\n"
    parser, found, most = _Events(1000, Swallowed(signs)), list[bytes](), 0
    for start in range(0, len(said), step):
        found += [event.data for event in parser.feed(said[start : start + step])]
        most = max(most, len(parser._rest) + parser._size)
    assert found == [b"before", b"behind"]
    assert len(signs.lost) == 1 and signs.lost[0] > 1000 and signs.passing > 0
    assert most <= 2000, "what is passed over is not held"


def test_a_comment_that_is_too_long_takes_no_event_with_it() -> None:
    signs = Signs()
    parser = _Events(1000, Swallowed(signs))
    said = b"data: a\n:" + b"c" * 5000 + b"\ndata: b\n\n"
    found = [event for start in range(0, len(said), 300) for event in parser.feed(said[start : start + 300])]
    assert [event.data for event in found if event.name != ":"] == [b"a\nb"] and signs.lost == []


def test_an_event_without_an_end_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieving, "MOST_BYTES", 5000)
    parser = _Events(1000, Swallowed(Signs()))
    with pytest.raises(TooLong):
        for _ in range(100):
            parser.feed(b"data: " + b"x" * 100)


# ---- websockets -----------------------------------------------------------------------------------------------------


def frame(payload: bytes, code: int = 1, final: bool = True) -> bytes:
    size = len(payload)
    head = bytes([size]) if size < 126 else struct.pack(">BH", 126, size) if size < 1 << 16 else b"\x7f"
    head += struct.pack(">Q", size) if size >= 1 << 16 else b""
    return bytes([(0x80 if final else 0) | code]) + head + payload


def chopped(said: bytes, cuts: Sequence[int]) -> list[bytes]:
    return [said[a:b] for a, b in itertools.pairwise([0, *sorted(cuts), len(said)])]


@pytest.mark.property
@given(st.integers(0, 10_000))
@settings(max_examples=120, deadline=None)
def test_the_sieve_keeps_every_byte_but_those_of_long_messages(seed: int) -> None:
    """Whatever the frames are and wherever the bytes are cut."""
    chance = random.Random(seed)
    told, kept, lost = SWITCH, SWITCH, 0
    for _ in range(chance.randrange(1, 8)):
        sizes = [chance.choice([0, 3, 125, 126, 400, 900, 1100, 70_000]) for _ in range(chance.choice([1, 1, 3]))]
        frames = [frame(b"p" * size, 0 if number else 1, number == len(sizes) - 1) for number, size in enumerate(sizes)]
        whole = sum(map(len, frames)) if len(frames) > 1 else sizes[0]
        keeps = whole <= 1000
        if not keeps and sum(sizes) <= 1000 < whole:
            # A message of several frames is measured with their heads: at the border it may go either way.
            continue
        lost += not keeps
        pings = [frame(b"ping", 9) if chance.random() < 0.3 else b"" for _ in frames]
        told += b"".join(itertools.chain.from_iterable(zip(frames, pings, strict=True)))
        # Control frames are passed on at once, so before a message that is held until it is whole.
        held = pings[-1] if len(frames) > 1 else b""
        early = b"".join(pings[:-1]) if len(frames) > 1 else b""
        kept += early + (b"".join(frames) if keeps else b"") + (held if len(frames) > 1 else pings[0])
    signs = Signs()
    sieve = Sieve(1000, signs)
    cuts = [chance.randrange(len(told)) for _ in range(chance.randrange(30))]
    assert b"".join(map(sieve.feed, chopped(told, cuts))) == kept
    assert len(signs.lost) == lost and all(size > 900 for size in signs.lost)
    assert len(sieve._held) == 0 and not sieve.swallowed.hopeless


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n\x81\x7f" + b"x" * 50, b"y" * 100_000])
def test_what_is_no_websocket_is_left_as_it_is(answer: bytes) -> None:
    sieve = Sieve(10, Signs())
    assert b"".join(map(sieve.feed, chopped(answer, range(0, len(answer), 7)))) == answer


def test_a_message_of_endless_parts_is_not_held() -> None:
    sieve = Sieve(1000, Signs())
    sieve.feed(SWITCH + frame(b"a" * 500, 1, final=False))
    for _ in range(100):
        assert sieve.feed(frame(b"b" * 500, 0, final=False)) == b""
        assert len(sieve._held) <= 1000
    assert sieve.feed(frame(b"", 0) + frame(b"next")) == frame(b"next")


# ---- sessions -------------------------------------------------------------------------------------------------------


class Lossy:
    """Tells some messages; where one is None, its connection has passed over a long one."""

    def __init__(self, *messages: bytes | None) -> None:
        self.messages, self.signs = messages, Signs()

    async def websocket(
        self, url: str, headers: Mapping[str, str] | None = None, hello: Sequence[str] = ()
    ) -> AsyncGenerator[bytes, None]:
        for message in self.messages:
            if message is None:
                self.signs.passing = time.monotonic()
                self.signs.lost.append(5_000_000)
            else:
                yield message
            await asyncio.sleep(0)
        raise Transient("the end")

    async def events(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[ServerEvent, None]:
        yield ServerEvent("message", b"never asked for")


def heard(wire: Any, kind: Any, cursor: Mapping[str, Any]) -> tuple[Session, list[Batch]]:
    batches = list[Batch]()

    async def deliver(batch: Batch) -> None:
        batches.append(batch)

    session = Session(kind, wire, cursor, deliver)
    with pytest.raises(Transient):
        asyncio.run(session.connect(asyncio.Event()))
    return session, batches


@pytest.mark.parametrize("oversized", [None, b'{"id": "x", "text": "%s"}' % (b"x" * 1_500_000)], ids=["gone", "held"])
def test_a_message_that_was_too_long_is_counted_and_told_and_the_place_moves_past_it(oversized: bytes | None) -> None:
    kind = reader(cursor="at", cursor_is="number", query={"since": "{cursor}"})
    lines = [b'{"id": "%d", "text": "t", "at": %d}' % (number, number) for number in (5, 6)]
    session, batches = heard(Lossy(lines[0], oversized, lines[1]), kind, {"place": 4})
    assert [post.platform_id for batch in batches for post in batch.posts] == ["5", "6"]
    (reason,) = (reason for batch in batches for reason in batch.dropped)
    assert "longer than any post" in reason
    assert session.cursor["place"] == 6
    assert datetime.fromisoformat(session.cursor[SKIPPED]).tzinfo is not None


def test_a_stream_without_places_tells_its_loss_too() -> None:
    session, batches = heard(Lossy(None), reader(), {})
    assert set(session.cursor) == {SKIPPED} and [len(batch.dropped) for batch in batches] == [1]


def test_a_server_that_stops_inside_a_long_message_is_asked_past_it() -> None:
    """At the same place it would stop again."""

    class Stuck(Lossy):
        async def websocket(self, url: str, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
            self.signs.passing = time.monotonic() + 0.01
            await asyncio.sleep(60)
            yield b""

    kind = reader(silence="0.1s", cursor="at", cursor_is="number", query={"since": "{cursor}"})

    async def deliver(batch: Batch) -> None:
        """Nothing ever comes."""

    session = Session(kind, Stuck(), {"place": 4}, deliver)
    for _ in range(2):
        with pytest.raises(TooLong):
            asyncio.run(session.connect(asyncio.Event()))
    assert kind._taken_up(session._way()) == 5


# ---- connections ----------------------------------------------------------------------------------------------------


def test_values_beyond_the_most_connections_are_told_and_not_opened() -> None:
    many = reader("mastodon_stream", url="https://m.example", tags=[f"t{n}" for n in range(20)], token="t")
    assert len(list(many._addresses({}))) == 10
    (trouble,) = many.troubles
    assert trouble.startswith("10 of 20 connections are opened, nothing is heard of t10, t11, t12, t13, t14 and 5 more")
    raised = reader("mastodon_stream", url="https://m.example", tags=["a", "b"], token="t", connections=2)
    assert len(list(raised._addresses({}))) == 2 and list(raised.troubles) == []


def test_a_million_combinations_cost_nothing() -> None:
    values = [str(number) for number in range(1000)]
    huge = reader(each={"a": values, "b": values}, query={"a": "{a}", "b": "{b}"}, connections=3)
    assert len(list(huge._addresses({}))) == 3
    assert "3 of 1000000" in next(iter(huge.troubles)) and "0+3" in huge.left_out


def test_a_stream_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"each\.tag has no value"):
        reader("mastodon_stream", url="https://m.example", tags=[], token="t")


def test_accounts_of_a_jetstream_share_one_connection() -> None:
    (asked,) = reader("jetstream", accounts=["did:plc:a", "did:plc:b"])._addresses({})
    assert "wantedDids=did%3Aplc%3Aa&wantedDids=did%3Aplc%3Ab" in asked
    (asked,) = reader("jetstream")._addresses({})
    assert "wantedDids" not in asked


@pytest.mark.parametrize("state", ["live", "waiting"])
@pytest.mark.parametrize(
    ("error", "told"),
    [(f"{TROUBLE}too many", "sky: too many"), (f"code 1006; {TROUBLE}too many", "sky: too many"), ("code 1006", None)],
)
def test_a_trouble_of_a_stream_that_is_read_stays_an_alert_between_connections(
    state: str, error: str, told: str | None
) -> None:
    now = datetime.now(UTC)
    known = StreamState(state, now - timedelta(seconds=3), now, heard_at=now, error=error)
    streams = SimpleNamespace(states=lambda: {1: known}, wanted=lambda: [SimpleNamespace(id=1, name="sky", cursor={})])
    app: Any = SimpleNamespace(store=SimpleNamespace(streams=streams))
    found = {condition.key: condition.cause for condition in health._streams(app)}
    assert found == ({} if told is None else {"source:sky:heard": told})


# ---- clocks ---------------------------------------------------------------------------------------------------------


def test_one_message_from_the_future_is_not_believed_and_many_in_a_row_are() -> None:
    clock, ahead = StreamClock(), time.time() + 3600
    assert not clock.believes(ahead) and clock.believes(time.time())
    for _ in range(60):
        told = clock.believes(ahead)
    assert told and 3500 < clock.behind < 3700
    assert not clock.believes(ahead + 3600), "what lies ahead of the others is no better than before"
    clock.believes(time.time())
    assert clock.behind == 0.0


def test_a_machine_whose_clock_is_behind_moves_on_and_says_so() -> None:
    sky, ahead = reader("jetstream"), int((time.time() + 3600) * 1e6)
    frames = [sky._frame(b'{"kind": "commit", "time_us": %d}' % (ahead + number)) for number in range(60)]
    assert frames[0].cursor is None and frames[-1].cursor == {"place": ahead + 59}
    assert frames[-1].at is not None and "60 minutes behind" in " ".join(sky.troubles)


def test_a_place_that_a_wrong_clock_left_behind_hides_nothing() -> None:
    sky, now = reader("jetstream"), datetime.now(UTC).timestamp() * 1e6
    assert sky._taken_up({"place": int(now + 7200e6)}) <= now


def test_what_posts_are_called_outlives_a_stretch_of_reading() -> None:
    first, second = (reader("mastodon_stream", url="https://m.example", tags=["a"], token="t") for _ in range(2))
    second.names = first.names
    uri = "https://m.example/users/ada/statuses/7"
    account = b'{"username": "ada", "url": "https://m.example/@ada"}'
    first._frame(b'{"event":"update","data":{"id":"7","uri":"%s","account":%s}}' % (uri.encode(), account))
    gone = second._frame(b'{"event":"delete","data":"7"}')
    ((post,), _) = second.of_frame(gone, datetime.now(UTC))
    assert (post.platform_id, post.deleted) == (uri, True)
