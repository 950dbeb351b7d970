"""Streams in trouble, and streams beside each other: what is lost is told, and nobody waits for anybody else."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from e2e.stream_double import EventServer, jetstream, until
from e2e.stream_place import PREFIX, Place, slowness, standing, stream

from crawler.app import health
from crawler.engine import osproc
from crawler.model import SKIPPED
from crawler.store import SourceRow

pytestmark = [pytest.mark.e2e, pytest.mark.process]
MIB = 1 << 20
ACCOUNT = {"id": "3", "username": "ada", "acct": "ada", "url": "https://m.example/@ada", "followers_count": 3}


@pytest.fixture
def place(store_url: str) -> Iterator[Place]:
    with standing(store_url) as made:
        yield made


@pytest.fixture
def small(sqlite_template: Path, tmp_path: Path) -> Iterator[Place]:
    """On SQLite only."""
    (tmp_path / "m.db").write_bytes(sqlite_template.read_bytes())
    with standing(f"sqlite:///{tmp_path / 'm.db'}") as made:
        yield made


def causes(place: Place) -> dict[str, str]:
    """The alerts that the service would raise, by key."""
    app: Any = SimpleNamespace(store=place.store)
    return {condition.key: condition.cause for condition in health._streams(app)}


@contextmanager
def mute() -> Iterator[str]:
    """A server that accepts and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()


def status(number: int, words: str, **more: Any) -> dict[str, Any]:
    uri = f"https://m.example/users/ada/statuses/{number}"
    made = {"id": str(number), "uri": uri, "url": f"https://m.example/@ada/{number}", "content": f"<p>{words}</p>"}
    made |= {"account": ACCOUNT, "visibility": "public", "created_at": f"2026-11-20T10:{number:02d}:00.000Z"}
    return made | more


# ---- what cannot be held --------------------------------------------------------------------------------------------


def test_a_message_of_thirty_megabytes_costs_one_count_and_one_alert(small: Place) -> None:
    """Whole or in parts: the connection stays, what comes before and after is stored, and so is the place."""
    child = small.start()
    until(small.live, 120, "a connection")
    small.server.publish("k1", "before")
    until(lambda: "k1" in small.texts(), 40, "the post before")
    small.server.faults.garbage = [b"x" * 30 * MIB, [b"y" * MIB] * 30]
    small.server.publish("k2", "behind")
    until(lambda: set(small.texts()) == {"k1", "k2"}, 60, "the post behind")
    assert len(small.server.asked) == 1, "the connection stayed"
    until(lambda: small.rows("SELECT dropped FROM runs") == [(2,)], 40, "both counts")
    assert SKIPPED in small.cursor() and "too long" in causes(small)["source:sky:skipped"]
    assert osproc.rss(child.pid) < 200 * MIB


def test_a_message_that_comes_back_with_its_place_holds_up_nothing(small: Place) -> None:
    """It stands right before a post, and every connection that is taken up there meets it again."""
    small.start()
    until(small.live, 120, "a connection")
    small.server.faults.poison = {1: b"z" * 6 * MIB}
    for number in range(3):
        small.server.publish(f"n{number}", "words")
    until(lambda: len(small.texts()) == 3, 40, "all posts")
    for _ in range(2):
        before = len(small.server.asked)
        small.server.drop()
        until(lambda before=before: len(small.server.asked) > before and small.live(), 40, "a connection")  # type: ignore[misc]
        small.server.publish(f"later{before}", "words")
        until(lambda before=before: f"later{before}" in small.texts(), 40, "what came later")  # type: ignore[misc]
    assert len(small.texts()) == 5


def test_a_huge_event_among_server_sent_ones_is_passed_over(small: Place) -> None:
    path = "/api/v1/streaming/hashtag?tag=a"
    with closing(EventServer()) as server:
        small.configure_rows(stream("sky", "mastodon_stream", url=server.url, tags=["a"], token="t"))
        small.start()
        until(lambda: len(server.asked) == 1, 120, "a connection")
        server.say(path, "update", status(1, "one"))
        server.say(path, "update", status(2, "x" * 6 * MIB))
        server.say(path, "update", status(3, "three"))
        until(lambda: sorted(small.texts().values()) == ["one", "three"], 60, "the other posts")
        assert len(server.asked) == 1, "the connection stayed"
        until(lambda: small.rows("SELECT dropped FROM runs") == [(1,)], 40, "the count")
        assert "source:sky:skipped" in causes(small)


# ---- beside each other ----------------------------------------------------------------------------------------------


def test_one_stream_in_trouble_holds_up_no_other_and_each_tells_its_own(small: Place) -> None:
    with jetstream() as refusing, jetstream() as ending, mute() as nobody, jetstream() as quiet:
        refusing.faults.refuse, ending.faults.lives, quiet.faults.silent = 503, 0.3, True
        servers = {"sky": small.server, "refusing": refusing, "ending": ending, "quiet": quiet}
        rows = [
            stream(name, "jetstream", base_url=server.url, silence="60s" if name == "sky" else "1s")
            for name, server in servers.items()
        ]
        many = {"url": nobody, "tags": ["a", "b", "c"], "token": "t", "connections": 2, "silence": "1s"}
        small.configure_rows(*rows, stream("nobody", "mastodon_stream", **many))
        child = small.start()
        until(small.live, 120, "a connection")

        def ended_often() -> bool:
            # It tells something each time, else it would be asked less and less often.
            ending.publish(f"e{len(ending.events)}", "words")
            return "20 times" in causes(small).get("source:ending:heard", "")

        # Meanwhile the others fail and fail again.
        waits = list[float]()
        for number in range(10):
            small.server.publish(f"k{number}", "words")
            waits.append(until(lambda number=number: f"k{number}" in small.texts(), 40, "the post"))  # type: ignore[misc]
        assert sorted(waits)[len(waits) // 2] < 2.0 + slowness()
        until(lambda: "503" in (small.state("refusing").error or ""), 40, "the refusal")
        until(lambda: small.state("nobody").connections >= 2, 40, "another try")
        assert "nothing was heard for 1 s" in (small.state("nobody").error or "")
        until(ended_often, 150, "what ends all the time")
        heard = "nothing at all is heard"
        until(lambda: heard in causes(small).get("source:quiet:heard", ""), 60, "what opens and says nothing")
        # From the first that was stored on nothing is missing; before it there was no place to go on from.
        until(lambda: f"e{len(ending.events) - 1}" in small.texts(), 60, "the last word of the ending one")
        stored = {int(key[1:]) for key in small.texts() if key.startswith("e")}
        assert stored == set(range(min(stored), len(ending.events)))
        assert "source:sky:stream" not in causes(small) and "source:sky:heard" not in causes(small)
        assert osproc.rss(child.pid) < 150 * MIB


def test_who_waits_for_long_is_not_said_to_be_dead(small: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses for good is asked every five minutes: the reader lives all the same, and says why."""
    small.server.faults.refuse = 403
    small.start()
    until(lambda: "403" in str(getattr(small.state(), "error", "")), 120, "the refusal")
    until(lambda: small.state().connections >= 3, 60, "three tries")
    told = small.state().beat_at
    until(lambda: small.state().beat_at > told, 60, "a sign of life while it waits")
    monkeypatch.setattr(health, "CUT_OFF", health.CUT_OFF * 0)
    assert "403" in causes(small)["source:sky:stream"]


def test_a_clock_that_ran_ahead_keeps_no_stream_waiting(small: Place) -> None:
    """What it wrote as due in an hour is due now, since a stream is never put off for longer than some minutes."""
    assert small.store.path is not None
    with closing(sqlite3.connect(small.store.path)) as base:
        base.execute("UPDATE sources SET next_run_at = next_run_at + 3600000000")
        base.commit()
    small.start()
    until(small.live, 120, "a connection")
    small.server.publish("k1", "words")
    until(lambda: "k1" in small.texts(), 40, "the post")


# ---- with a poll of the same platform -------------------------------------------------------------------------------


def test_a_post_that_is_polled_and_streamed_is_one_with_one_history(place: Place) -> None:
    """Mastodon: new posts, an edit and a deletion, told by either side first."""
    path = "/api/v1/streaming/hashtag?tag=LadnaPay"
    with closing(EventServer()) as server:
        raw = {"url": server.url, "tags": ["LadnaPay"], "token": "t"}
        polled = SourceRow("polled", "mastodon", raw, {}, {"every_min": 1.0, "every_max": 1.0}, "m.example")
        place.configure_rows(stream("heard", "mastodon_stream", **raw), polled)
        place.start()
        until(lambda: any(asked.startswith("/api/v1/streaming") for asked, _ in server.asked), 120, "a connection")
        timeline = "/api/v1/timelines/tag/LadnaPay"
        first, answer = status(1, "first"), status(2, "answer", in_reply_to_id="1", in_reply_to_account_id="9")
        open_to_all = {
            "configuration": {"timelines_access": {"hashtag_feeds": {"local": "public", "remote": "public"}}}
        }
        server.pages["/api/v2/instance"] = open_to_all
        # One is polled first, the other is heard first.
        server.pages[timeline] = [first]
        place.poll("polled")
        server.say(path, "update", answer)
        until(lambda: len(place.texts()) == 2, 40, "both posts")
        server.say(path, "update", first)
        server.pages[timeline] = [answer, first]
        place.poll("polled")
        until(lambda: place.rows("SELECT count(*) FROM post_sources") == [(4,)], 40, "both ways to both posts")
        assert sorted(place.rows("SELECT text, version, deleted FROM posts")) == [("answer", 1, 0), ("first", 1, 0)]
        assert len(place.rows("SELECT DISTINCT parent FROM posts WHERE parent IS NOT NULL")) == 1
        # An edit that the poll shows first, and one that the stream tells first.
        server.pages[timeline] = [answer, first | {"content": "<p>first, edited</p>"}]
        place.poll("polled")
        server.say(path, "status.update", first | {"content": "<p>first, edited</p>", "edited_at": "2026-11-20T11:00Z"})
        server.say(path, "status.update", answer | {"content": "<p>answer!</p>", "edited_at": "2026-11-20T11:01Z"})
        until(lambda: "answer!" in place.texts().values(), 40, "the edit")
        # An answer out of a cache brings nothing old back.
        place.poll("polled")
        edited = [("answer!", 2, 0), ("first, edited", 2, 0)]
        assert sorted(place.rows("SELECT text, version, deleted FROM posts")) == edited
        server.say(path, "delete", "1")
        until(lambda: place.rows("SELECT text FROM posts WHERE deleted") == [("first, edited",)], 40, "the deletion")
        server.pages[timeline] = [answer | {"content": "<p>answer!</p>"}]
        place.poll("polled")
        assert place.rows("SELECT count(*) FROM posts") == [(2,)]
        assert len(place.rows("SELECT id FROM posts WHERE deleted")) == 1


def test_a_post_of_the_search_and_of_the_jetstream_is_one(small: Place) -> None:
    """Bluesky: the search finds what the stream told, and the other way round."""
    uri = f"{PREFIX}k1"
    with closing(EventServer()) as server:
        raw = {"words": ["Ладна"], "base_url": server.url, "other_url": server.url}
        polled = SourceRow("polled", "bluesky", raw, {}, {"every_min": 1.0, "every_max": 1.0}, "bsky.app")
        small.configure_rows(stream("sky", "jetstream", base_url=small.server.url), polled)
        small.start()
        until(small.live, 120, "a connection")
        event = small.server.publish("k1", "Ладна Пей мовчить")
        until(lambda: "k1" in small.texts(), 40, "the post")
        author = {"did": "did:plc:ada", "handle": "ada.example", "displayName": "Ada"}
        view = {"uri": uri, "cid": "c", "author": author, "record": event["commit"]["record"], "likeCount": 4}
        view["indexedAt"] = event["commit"]["record"]["createdAt"]
        server.pages["/xrpc/app.bsky.feed.searchPosts"] = {"posts": [view]}
        small.poll("polled")
        small.server.delete("k1")
        until(lambda: small.rows("SELECT deleted FROM posts") == [(1,)], 40, "the deletion")
        found = small.rows("SELECT version, author_handle, engagement FROM posts")
        assert [(version, handle, json.loads(counts)["likes"]) for version, handle, counts in found] == [
            (2, "ada.example", 4)
        ]
