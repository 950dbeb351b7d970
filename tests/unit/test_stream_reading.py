"""Streams without a wire: events from bytes, frames from messages, order from disorder, and what is asked for next."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import plugins
from crawler.app import health
from crawler.errors import EgressRefused, Permanent, Transient
from crawler.model import SKIPPED, Post, Source
from crawler.net.guard import EgressPolicy
from crawler.net.live import Live, ServerEvent, TooLong, _Events, refusal
from crawler.net.sieve import Signs, Swallowed
from crawler.stages.stream import LONGEST_WAIT, REFUSED_WAIT, waiting
from crawler.store.streams import StreamState
from spiders.stream_reading import Frame, LightReader, _merged
from spiders.stream_session import Batch, Order, Session

KINDS = plugins.family("spiders", "stream", LightReader)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def reader(kind: str = "jetstream", **given: Any) -> Any:
    return KINDS[kind](Source("sky", kind, KINDS[kind].Settings(**given)))


def told(rkey: str, at: int, operation: str = "create", text: str = "words") -> bytes:
    record = {"text": text, "createdAt": "2026-11-20T10:00:00Z", "langs": ["uk"]}
    commit = {"operation": operation, "collection": "app.bsky.feed.post", "rkey": rkey}
    commit |= {} if operation == "delete" else {"record": record}
    return json.dumps({"did": "did:plc:a", "time_us": at, "kind": "commit", "commit": commit}).encode()


# ---- server-sent events ---------------------------------------------------------------------------------------------

SSE = (
    b"\xef\xbb\xbf:)\r\n\r\nevent: update\r\ndata: {\"a\":\ndata: 1}\n\nid: 7\rdata:x\r\rretry: 5\nevent: lonely\n\n"
    b"data\n\nid\ndata: last\n\nbroken: 1\ndata: never ended"
)  # fmt: skip
EVENTS = [
    (":", b")", ""),
    ("update", b'{"a":\n1}', ""),
    ("message", b"x", "7"),
    ("message", b"last", ""),
]


@pytest.mark.property
@given(st.lists(st.integers(0, len(SSE)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    parser, places = _Events(1000, Swallowed(Signs())), [0, *sorted(cuts), len(SSE)]
    found = [event for a, b in itertools.pairwise(places) for event in parser.feed(SSE[a:b])]
    assert [(event.name, event.data, event.id) for event in found] == EVENTS


# ---- the wire -------------------------------------------------------------------------------------------------------


async def _first(messages: AsyncGenerator[Any, None]) -> Any:
    try:
        return await anext(messages)
    finally:
        await messages.aclose()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://10.0.0.1/", "http://169.254.169.254/latest"])
@pytest.mark.parametrize("way", ["websocket", "events"])
def test_a_private_address_is_refused_before_anything_is_sent(url: str, way: str) -> None:
    with pytest.raises(EgressRefused):
        asyncio.run(_first(getattr(Live(EgressPolicy()), way)(url)))


def test_nobody_there_is_worth_another_try() -> None:
    with pytest.raises(Transient):
        asyncio.run(_first(Live(EgressPolicy((ip_network("127.0.0.0/8"),))).websocket("http://127.0.0.1:2/")))


@pytest.mark.parametrize(("status", "kind"), [(401, Permanent), (404, Permanent), (302, Permanent), (503, Transient)])
def test_a_refusal_names_the_server_and_no_more(status: int, kind: type[Exception]) -> None:
    error = refusal("https://sky.example/subscribe?token=secret", status, {"Retry-After": "40"})
    assert isinstance(error, kind)
    assert "sky.example" in str(error) and "secret" not in str(error)
    assert getattr(error, "retry_after", None) == (40.0 if kind is Transient else None)


def test_waits_grow_heed_the_server_and_are_never_all_the_same() -> None:
    waits = [waiting(failures, Transient("cut")) for failures in range(1, 12)]
    assert waits[0] <= 1.0 and max(waits) <= LONGEST_WAIT
    assert waiting(1, Transient("busy", 40.0)) >= 40.0
    assert REFUSED_WAIT / 2 <= waiting(5, Permanent("no")) <= REFUSED_WAIT
    assert len({waiting(8, Transient("cut")) for _ in range(20)}) > 10


# ---- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        *(b"", b"  ", b"{", b"[" * 100_000, b"\xff\xfe", b"7", b'"words"', b"null", b"[]", b"{}", b"x" * 2_000_000),
        b'{"time_us": 1%s}' % (b"0" * 400),
        *(b'{"time_us": 9e99}', b'{"time_us": -1}', b'{"time_us": true}', b'{"time_us": "1", "kind": []}'),
        b'{"kind": "commit", "did": {}, "commit": {"rkey": [], "collection": 7}}',
    ],
)
def test_no_message_breaks_a_reader(message: bytes) -> None:
    sky = reader()
    frame = sky._frame(message)
    assert frame.cursor is None
    posts, _ = sky.of_frame(frame, NOW) if frame.data else ([], [])
    assert posts == []


def test_a_place_in_the_future_is_not_believed() -> None:
    """It would hide everything until then, once the stream is taken up there."""
    ahead = int((datetime.now(UTC) + timedelta(days=400)).timestamp() * 1e6)
    frame = reader()._frame(told("k", ahead))
    assert (frame.cursor, frame.at) == (None, None)
    assert len(reader().of_frame(frame, NOW)[0]) == 1


@pytest.mark.parametrize(
    "said", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "", None, 7, "soon", [], "1970-01-01"]
)
def test_a_date_that_is_none_is_when_it_was_published(said: Any) -> None:
    """Programs write the year 1 where they know no date."""
    at = 1_763_632_800_000_000
    event = json.loads(told("k", at))
    event["commit"]["record"]["createdAt"] = said
    ((post,), _) = reader().of_frame(Frame(json.dumps(event).encode()), NOW)
    assert post.published_at == datetime.fromtimestamp(at / 1e6, UTC)


def test_a_stream_is_taken_up_a_little_before_its_place_and_secrets_stay_out_of_its_address() -> None:
    sky = reader(query={"cursor": "{cursor}"}, secrets={"key": "s3cret"})
    place, size = {"place": 1_795_000_000_000_000}, "&maxMessageSizeBytes=1000000"
    (asked,) = sky._addresses({"cursor": sky._taken_up(place)}, secret=True)
    assert asked.endswith(f"/subscribe?wantedCollections=app.bsky.feed.post{size}&cursor=1794999995000000&key=s3cret")
    assert "s3cret" not in sky.address and "cursor" not in sky.address
    assert sky._taken_up({**place, "_share": 0.0}) == place["place"]
    assert sky._taken_up({}) is None


def test_a_deletion_that_names_another_id_is_of_the_post_that_was_told() -> None:
    masto = reader("mastodon_stream", url="https://m.example", tags=["a"], token="t")
    uri = "https://m.example/users/ada/statuses/7"
    status = {
        "id": "7",
        "uri": uri,
        "content": "<p>x</p>",
        "account": {"username": "ada", "url": "https://m.example/@ada"},
    }
    lines = [b'{"event":"update","id":"","data":%s}' % json.dumps(status).encode()]
    lines += [b'{"event":"delete","id":"","data":"%d"}' % number for number in (7, 8)]
    found = [masto.of_frame(masto._frame(line), NOW)[0] for line in lines]
    assert [[(post.platform_id, post.deleted) for post in posts] for posts in found] == [
        [(uri, False)],
        [(uri, True)],
        [],
    ]


def test_the_same_post_through_search_and_stream_is_one() -> None:
    """Both presets name post, parent and thread alike, so the store sees one post."""
    from scrapy.http import Request, TextResponse

    from spiders.api import ApiSpider

    search = plugins.family("spiders", "api", ApiSpider)["bluesky"]
    spider = search(source=Source("b", "bluesky", search.Settings(words=["x"])))
    uri, root = "at://did:plc:a/app.bsky.feed.post/k", "at://did:plc:b/app.bsky.feed.post/r"
    record = {
        "text": "words",
        "createdAt": "2026-11-20T10:00:00Z",
        "reply": {"parent": {"uri": root}, "root": {"uri": root}},
    }
    author = {"did": "did:plc:a", "handle": "ada.example"}
    view = {"uri": uri, "author": author, "record": record, "indexedAt": "2026"}
    url = "https://public.api.bsky.app/xrpc/app.bsky.feed.searchPosts?q=x"
    answer = TextResponse(url, body=json.dumps({"posts": [view]}).encode(), request=Request(url), encoding="utf-8")
    (polled,) = spider.posts(answer)
    commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "k", "record": record}
    event = {"did": "did:plc:a", "time_us": 1_763_632_800_000_000, "kind": "commit", "commit": commit}
    ((heard,), _) = reader().of_frame(Frame(json.dumps(event).encode()), NOW)
    for name in ("platform_id", "site", "url", "text", "parent", "thread", "published_at"):
        assert getattr(heard, name) == getattr(polled, name), name
    assert heard.author.url == polled.author.url


# ---- order and sessions ---------------------------------------------------------------------------------------------


@pytest.mark.property
@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_in_whatever_order_and_however_often_it_is_told_the_last_word_counts(seed: int) -> None:
    chance = random.Random(seed)
    events = [(f"k{chance.randrange(6)}", at, chance.random() < 0.2) for at in range(40)]
    expected = {key: (at, deleted) for key, at, deleted in events}
    mixed = events + chance.sample(events, 20)
    chance.shuffle(mixed)
    order, stored = Order({}), dict[str, tuple[int, bool]]()
    for number, (key, at, deleted) in enumerate(mixed):
        when = NOW + timedelta(seconds=at)
        if order.is_news(Post("", platform_id=key, deleted=deleted), when):
            stored[key] = at, deleted
        if number == 30:
            # A restart, after which everything is told again: only what changed is remembered.
            order = Order({"_late": order.late(when)})
            for key_, at_, deleted_ in sorted(events, key=lambda event: event[1]):
                if order.is_news(Post("", platform_id=key_, deleted=deleted_), NOW + timedelta(seconds=at_)):
                    stored[key_] = at_, deleted_
    assert stored == expected


class Wire:
    """Tells what it is given, then ends."""

    def __init__(self, *connections: Sequence[bytes]) -> None:
        self.connections, self.asked = list(connections), list[str]()

    async def websocket(
        self, url: str, headers: Mapping[str, str] | None = None, hello: Sequence[str] = ()
    ) -> AsyncGenerator[bytes, None]:
        self.asked.append(url)
        for message in self.connections.pop(0):
            yield message
            await asyncio.sleep(0)

    async def events(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[ServerEvent, None]:
        self.asked.append(url)
        for message in self.connections.pop(0):
            yield ServerEvent("update", message)


async def _heard(session: Session, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Transient):
            await session.connect(asyncio.Event())


def test_what_could_not_be_stored_is_asked_for_again() -> None:
    batches, stored = list[Batch](), list[str]()

    async def deliver(batch: Batch) -> None:
        batches.append(batch)
        if len(batches) == 2:
            raise Transient("the database is away")
        stored.extend(post.text for post in batch.posts)

    first, second = told("k1", 1_795_000_000_000_000, text="one"), told("k2", 1_795_000_001_000_000, text="two")
    wire = Wire([first], [second], [first, second])
    session = Session(reader(), wire, {}, deliver)
    asyncio.run(_heard(session, 3))
    assert "cursor" not in wire.asked[0]
    assert wire.asked[1].endswith("cursor=1794999995000000") and wire.asked[2] > ""
    assert stored == ["one", "one", "two"] and session.cursor["place"] == 1_795_000_001_000_000


class Replay:
    """A server that replays from the place it is asked for, with one message that ends every connection."""

    def __init__(self, messages: Sequence[tuple[int, bytes]], wall: int) -> None:
        self.messages, self.wall, self.asked = messages, wall, list[int]()

    async def websocket(
        self, url: str, headers: Mapping[str, str] | None = None, hello: Sequence[str] = ()
    ) -> AsyncGenerator[bytes, None]:
        place = int(url.rpartition("cursor=")[2]) if "cursor=" in url else 0
        self.asked.append(place)
        for at, message in self.messages:
            if at >= place:
                if at == self.wall:
                    raise TooLong("longer than any post")
                yield message
                await asyncio.sleep(0)
        raise Transient("the end")

    events = None


@pytest.mark.parametrize("gap", [100, 40_000, 7_000_000])
def test_a_message_that_nobody_can_read_is_passed_over_and_known(gap: int) -> None:
    """A cursor brings it back each time: the stream must go on behind it, and the loss be told."""
    base, stored = 1_795_000_000_000_000, list[str]()

    async def deliver(batch: Batch) -> None:
        stored.extend(post.text for post in batch.posts)

    at = {"before": base, "behind": base + 12 * gap}
    server = Replay(
        [(at["before"], told("k1", base, text="before")), (base + gap, b""), (at["behind"], told("k2", at["behind"]))],
        base + gap,
    )
    session = Session(reader(), server, {}, deliver)  # type: ignore[arg-type]
    for _ in range(14):
        asyncio.run(_heard(session, 1))
        if session.cursor["place"] == at["behind"]:
            break
        assert SKIPPED not in session.cursor
    assert set(stored) == {"before", "words"} and session.cursor["place"] == at["behind"]
    assert datetime.fromisoformat(session.cursor[SKIPPED]).tzinfo is not None
    assert all(place <= base + 5 * gap for place in server.asked)
    # What cuts the connection later does not lead back to it and past more.
    for _ in range(3):
        asyncio.run(_heard(session, 1))
    assert server.asked[-1] <= at["behind"] and SKIPPED in session.cursor


@pytest.mark.parametrize("knows", [True, False])
def test_a_place_that_the_server_refuses_is_left_once_nothing_else_helps(knows: bool) -> None:
    """Servers keep some days: a stream that was off for longer must not stay cut off for ever."""
    asked, stored = list[str](), list[str]()

    class Forgetful(Wire):
        async def websocket(
            self, url: str, headers: Mapping[str, str] | None = None, hello: Sequence[str] = ()
        ) -> AsyncGenerator[bytes, None]:
            asked.append("with" if "cursor=" in url else "without")
            if "cursor=17" in url or not knows:
                raise Permanent("400: it refuses")
            yield told("k", 1_795_000_000_000_000, text="heard")

    async def deliver(batch: Batch) -> None:
        stored.extend(post.text for post in batch.posts)

    session = Session(reader(rewind="0s"), Forgetful(), {"place": 1_700_000_000_000_000}, deliver)
    for _ in range(5):
        with pytest.raises((Permanent, Transient)):
            asyncio.run(session.connect(asyncio.Event()))
    assert asked[:3] == ["with", "with", "without"]
    assert (stored[:1], SKIPPED in session.cursor) == (["heard"] if knows else [], knows)
    assert asked.count("without") == 1, "another time it is asked for its place again"


def test_when_one_of_several_connections_ends_all_are_opened_anew() -> None:
    async def ends() -> AsyncGenerator[bytes, None]:
        yield b"1"

    async def stays() -> AsyncGenerator[bytes, None]:
        yield b"2"
        await asyncio.Event().wait()

    async def heard() -> list[bytes]:
        found = list[bytes]()
        with pytest.raises(Transient):
            async for message in _merged([ends(), stays()]):
                found.append(message)
        return found

    assert sorted(asyncio.run(asyncio.wait_for(heard(), 20))) == [b"1", b"2"]


def test_past_a_place_of_words_there_is_only_the_end_of_the_stream() -> None:
    sky = reader(cursor_is="text", query={"cursor": "{cursor}"})
    assert (sky._taken_up({"place": "abc", "_skip": 0}), sky._taken_up({"place": "abc", "_skip": 1})) == ("abc", None)
    assert reader(cursor_is="number")._taken_up({"place": 7, "_skip": 2}) == 11
    late = int(datetime.now(UTC).timestamp() * 1e6)
    assert sky._taken_up({"place": late}) == late
    assert reader()._taken_up({"place": late - 10, "_skip": 30}) <= datetime.now(UTC).timestamp() * 1e6


def state(
    state: str = "live", beat: float = 1, since: float = 900, heard: float | None = 1, **more: Any
) -> StreamState:
    def ago(seconds: float) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=seconds)

    heard_at = None if heard is None else ago(heard)
    return StreamState(state, ago(since), ago(beat), heard_at=heard_at, **more)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"usual_gap_seconds": 0.5, "frames": 9, "connections": 1}, None),
        ({"beat": 60}, "nobody reads"),
        ({"state": "stopped", "beat": 9000}, None),
        ({"state": "waiting", "since": 40, "error": "code 1006"}, "cut off since .* code 1006"),
        ({"state": "waiting", "since": 5}, None),
        ({"heard": 100, "usual_gap_seconds": 0.5, "frames": 9}, "silent for 100 s; .* every 0.5 s"),
        ({"heard": 100, "usual_gap_seconds": 10.0, "frames": 9}, None),
        ({"heard": 301, "usual_gap_seconds": 10.0, "frames": 9}, "silent for 301 s"),
        ({"heard": None, "connections": 2}, None),
        ({"heard": None, "connections": 3}, "nothing was said in 3 connections"),
        ({"heard": None, "connections": 3, "frames": 1}, None),
        ({"heard": 90_000, "frames": 1}, "silent for 25 hours"),
        ({"heard": 80_000, "frames": 1}, None),
    ],
)
def test_what_of_a_stream_is_an_alert(said: Mapping[str, Any], cause: str | None) -> None:
    found = health._cut_off(state(**said))
    assert found is None if cause is None else re.search(cause, found or "")


@pytest.mark.parametrize(("hours", "told"), [(1, True), (25, False)])
def test_what_was_passed_over_is_told_for_a_day(hours: int, told: bool) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours)
    assert bool(health._passed_over({SKIPPED: at.isoformat()})) is told
    assert health._passed_over({}) is health._passed_over({SKIPPED: "x"}) is health._passed_over({SKIPPED: 7}) is None


def test_an_edit_that_is_told_again_after_a_restart_is_no_news() -> None:
    events = [told("k", 1_795_000_000_000_000, text="v1"), told("k", 1_795_000_001_000_000, "update", "v2")]
    stored: list[str] = []

    async def deliver(batch: Batch) -> None:
        stored.extend(post.text for post in batch.posts)

    session = Session(reader(), Wire(events), {}, deliver)
    asyncio.run(_heard(session, 1))
    again = Session(reader(), Wire(events), json.loads(json.dumps(session.cursor)), deliver)
    asyncio.run(_heard(again, 1))
    assert stored == ["v1", "v2"]


def test_a_batch_is_bounded_however_fast_a_server_talks() -> None:
    sizes: list[tuple[int, int]] = []

    async def deliver(batch: Batch) -> None:
        sizes.append((batch.frames, batch.size))

    many = [told(f"k{n}", 1_795_000_000_000_000 + n, text="x" * 20_000) for n in range(700)]
    asyncio.run(_heard(Session(reader(), Wire(many), {}, deliver), 1))
    assert sum(frames for frames, _ in sizes) == 700
    assert max(frames for frames, _ in sizes) <= 500 and max(size for _, size in sizes) < 5 << 20


def test_filters_pass_what_says_no_language_and_every_deletion() -> None:
    sky = reader(only_languages=["uk-UA"], only_words=["ладна"])
    texts = {"Ладна Пей": True, "інше": False, "ЛАДНА!": True}
    for text, wanted in texts.items():
        assert bool(sky.of_frame(Frame(told("k", 1, text=text)), NOW)[0]) is wanted
    assert sky.of_frame(Frame(told("k", 1, "delete")), NOW)[0][0].deleted


def test_the_child_reads_presets_without_scrapy() -> None:
    """In a process of its own, since here everything is loaded."""
    import subprocess

    code = "import sys, crawler.stages.stream, crawler.app.streaming; sys.exit('scrapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_the_kind_of_the_page_listens() -> None:
    """The example of docs/add-a-source.md, as it stands there."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "add-a-source.md").read_text("utf-8")
    code = next(text for text in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "StreamSpider" in text)
    assert len(code.splitlines()) <= 25
    names: dict[str, Any] = {"__name__": "ticker"}
    exec(code, names)
    kind = names["TickerSpider"]
    stored: list[Post] = []

    async def deliver(batch: Batch) -> None:
        stored.extend(batch.posts)

    wire = Wire([b"1|Ada|\xd1\x87\xd0\xb0\xd0\xb9", b"2|Tom|leaks"], [])
    spider = kind(source=Source("t", "ticker", kind.Settings(url="https://ticker.example")))
    session = Session(spider, wire, {}, deliver)
    asyncio.run(_heard(session, 2))
    assert [(post.platform_id, post.author.name, post.text) for post in stored] == [
        ("1", "Ada", "чай"),
        ("2", "Tom", "leaks"),
    ]
    assert wire.asked == ["https://ticker.example?after=0", "https://ticker.example?after=2"]
