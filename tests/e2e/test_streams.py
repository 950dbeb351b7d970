"""Streams as the service reads them: a child process, a real websocket server, and whatever goes wrong between.

Each on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from e2e.stream_double import EventServer, until
from e2e.stream_place import PREFIX, Place, slowness, standing, stream

from crawler import plugins
from crawler.engine import osproc
from crawler.model import Source

pytestmark = [pytest.mark.e2e, pytest.mark.process]


@pytest.fixture
def place(store_url: str) -> Iterator[Place]:
    with standing(store_url) as made:
        yield made


def test_a_post_is_stored_within_two_seconds(place: Place) -> None:
    place.start()
    until(place.live, 120, "a connection")
    place.server.publish("k1", "Ладна Пей зняла гроші двічі")
    waits = [until(lambda: "k1" in place.texts(), 40, "the post")]
    # On a busy machine one of them may have to wait: what is always slow is slow each time.
    for number in range(4):
        place.server.publish(f"n{number}", "words")
        waits.append(until(lambda number=number: f"n{number}" in place.texts(), 40, "the post"))  # type: ignore[misc]
    assert min(waits) < 2.0 + slowness()
    place.server.publish("k2", "а повернути?", reply=(PREFIX + "k1", PREFIX + "k1"))
    until(lambda: "k2" in place.texts(), 40, "the answer")
    row = place.rows("SELECT site, url, author_url, parent, thread FROM posts WHERE platform_id LIKE '%k2'")[0]
    link = "https://bsky.app/profile/did:plc:ada"
    assert row == ("bsky.app", f"{link}/post/k2", link, PREFIX + "k1", PREFIX + "k1")
    until(lambda: place.state().state == "live" and place.state().frames >= 2, 40, "the state")
    assert place.state().lag_seconds is not None and place.state().lag_seconds < 30.0


def test_edits_make_versions_and_deletions_are_marked(place: Place) -> None:
    place.start()
    until(place.live, 120, "a connection")
    place.server.publish("k1", "first words")
    place.server.publish("k2", "stays")
    until(lambda: len(place.texts()) == 2, 40, "both posts")
    place.server.edit("k1", "other words")
    until(lambda: place.texts()["k1"] == "other words", 40, "the edit")
    place.server.delete("k1")
    place.server.delete("never-seen")
    place.server.publish("k3", "last")
    until(lambda: "k3" in place.texts(), 40, "the last post")
    rows = place.rows("SELECT version, deleted, text FROM posts WHERE platform_id LIKE '%k1'")
    assert rows == [(3, 1, "other words")], "what was taken down keeps its words here, and is marked"
    assert set(place.texts()) == {"k1", "k2", "k3"}, "what was never seen is not stored because it was deleted"


@pytest.mark.parametrize(("cut", "shuffle"), [(60, False), (1000, True)], ids=["cut short", "disordered"])
def test_whatever_goes_wrong_no_post_is_lost_or_told_twice(place: Place, cut: int, shuffle: bool) -> None:
    """Cut, doubled, disordered, garbage, ten megabytes, killed in the middle.

    The posts are those that were published, and an edit that is told again makes no version. Cut short, a connection
    ends before it has told again what lies between the rewound place and the last one.
    """
    faults = place.server.faults
    faults.cut, faults.repeat, faults.shuffle = cut, True, shuffle
    child = place.start()
    until(place.live, 120, "a connection")
    place.server.publish("edited", "v1")
    until(lambda: "edited" in place.texts(), 40, "the first post")
    place.server.edit("edited", "v2")
    faults.garbage = [b"{nonsense", b"[" * 5000, b'{"big": "' + b"x" * 10_000_000 + b'"}', b"\xff\xfe\x00", b"[]", b"7"]
    until(lambda: place.texts()["edited"] == "v2", 40, "the edit")
    for number in range(200):
        place.server.publish(f"n{number}", f"post number {number}")
        if number % 50 == 0:
            place.server.noise()
            time.sleep(0.2)
        if number == 120:
            os.kill(child.pid, signal.SIGKILL)
            child.join(5)
            child = place.start()
    expected = {"edited", *(f"n{number}" for number in range(200))}
    until(lambda: set(place.texts()) == expected, 120, "every post")
    faults.cut = 0
    place.server.publish("end", "the last one")
    until(lambda: "end" in place.texts(), 40, "the end")
    assert place.rows("SELECT count(*) FROM posts") == [(202,)]
    assert place.rows("SELECT version FROM posts WHERE platform_id LIKE '%edited'") == [(2,)]
    assert place.rows("SELECT count(*) FROM post_versions") == [(1,)]
    assert place.server.most_open <= 2, "two connections only for the moment in which one was killed"
    assert osproc.rss(child.pid) < 250 << 20, "ten megabytes in one message are dropped, not kept"


def test_two_services_never_read_it_twice(place: Place) -> None:
    # Long enough that a busy machine renews it in time, and waited for longer than it holds without that.
    first = place.start("first", lease=8.0)
    until(place.live, 120, "a connection")
    place.start("second", lease=8.0)
    place.server.publish("k1", "one")
    until(lambda: "k1" in place.texts(), 40, "the post")
    time.sleep(9.0)
    assert place.server.most_open == 1
    os.kill(first.pid, signal.SIGKILL)
    first.join(5)
    place.server.publish("k2", "two")
    until(lambda: "k2" in place.texts(), 120, "the post by the other service")


def test_pausing_and_other_settings_take_effect_in_seconds(place: Place) -> None:
    place.start()
    until(place.live, 120, "a connection")
    place.server.publish("k1", "one", langs=["en"])
    until(lambda: "k1" in place.texts(), 40, "the post")
    place.store.sources.pause("sky")
    until(lambda: not place.server.open, 40, "its end")
    until(lambda: place.state().state == "stopped", 40, "its state")
    place.server.publish("k2", "two", langs=["en"])
    place.store.sources.resume("sky")
    until(lambda: "k2" in place.texts(), 40, "what was published while it was paused")
    place.configure(only_languages=["uk"])
    until(lambda: len(place.server.asked) >= 3, 40, "a new connection")
    place.server.publish("k3", "three", langs=["en"])
    place.server.publish("k4", "чотири", langs=["de", "uk"])
    until(lambda: "k4" in place.texts(), 40, "the post in the language that is wanted")
    assert "k3" not in place.texts()


def test_silence_and_refusal_are_told_and_mended(place: Place) -> None:
    place.configure(silence="2s")
    place.server.faults.silent = True
    place.start()
    until(lambda: len(place.server.asked) >= 2, 120, "a second connection")
    until(lambda: bool(place.state() and place.state().state == "waiting"), 40, "the state")
    place.server.faults.refuse = 503
    until(lambda: "503" in (place.state().error or ""), 40, "the refusal")
    place.server.faults.refuse, place.server.faults.silent = 0, False
    place.server.publish("k1", "one")
    # Nothing was ever stored: without a place only what comes after the connection is told.
    until(place.live, 60, "a connection")

    def is_heard() -> bool:
        # More than once: what is said while a slow machine opens a connection anew is told by nobody.
        place.server.publish(f"l{len(place.server.events)}", "two")
        return bool(place.texts())

    until(is_heard, 40, "a post")
    until(lambda: place.state().state == "live" and place.state().error is None, 40, "the state")


def test_a_term_signal_stores_what_was_read_and_gives_the_stream_back(place: Place) -> None:
    child = place.start()
    until(place.live, 120, "a connection")
    place.server.publish("first", "a place to go on from")
    until(lambda: "first" in place.texts(), 40, "the first post")
    for number in range(50):
        place.server.publish(f"n{number}", f"number {number}")
    time.sleep(0.15)
    child.terminate()
    assert child.join(60)
    assert child.how().endswith("status 0")
    state = place.store.sources.get("sky")
    assert state.lease_until is None and place.state().state == "stopped"
    place.start("another")
    until(lambda: len(place.texts()) == 51, 120, "all of them, by the next one")


def test_ten_seconds_are_one_document_from_which_the_posts_can_be_read_again(place: Place) -> None:
    from spiders.answers import response_of
    from spiders.stream import JsonStreamSpider

    place.start()
    until(place.live, 120, "a connection")
    begun = time.monotonic()
    for number in range(5):
        place.server.publish(f"n{number}", f"number {number}")
        until(lambda number=number: f"n{number}" in place.texts(), 40, "the post")  # type: ignore[misc]
    documents = list(place.store.documents.of("sky", None))
    assert len(documents) <= 2 + (time.monotonic() - begun) / 10
    assert place.rows("SELECT sum(times), sum(posts) FROM documents") == [(5, 5)]
    assert place.rows("SELECT count(*) FROM bodies") == [(len(documents),)]
    kind = plugins.family("spiders", "stream", JsonStreamSpider)["jetstream"]
    spider = kind(source=Source("sky", "jetstream", kind.Settings()))
    ids = [post.platform_id for document in documents for post in spider.read(response_of(document)).posts]
    assert ids == [f"{PREFIX}n{number}" for number in range(5)]


def test_server_sent_events_of_several_hashtags_are_one_stream(place: Place) -> None:
    paths = {tag: f"/api/v1/streaming/hashtag?tag={tag}" for tag in ("LadnaPay", "LadnaBank")}
    with closing(EventServer()) as server:
        place.configure_rows(stream("sky", "mastodon_stream", url=server.url, tags=list(paths), token="t0ken"))
        place.start()
        until(lambda: len(server.asked) == 2, 120, "both connections")
        assert {path for path, _ in server.asked} == set(paths.values())
        assert {said for _, said in server.asked} == {"Bearer t0ken"}
        uri = "https://m.example/users/ada/statuses/7"
        account = {"username": "ada", "acct": "ada", "url": "https://m.example/@ada", "followers_count": 3}
        status = {"id": "7", "uri": uri, "url": "https://m.example/@ada/7", "account": account}
        status |= {"content": "<p>Ладна Пей?</p>", "created_at": "2026-11-20T10:00:00.000Z", "visibility": "public"}
        # Under both hashtags: the post is one.
        for path in paths.values():
            server.say(path, "update", status)
        until(lambda: place.texts() == {uri: "Ладна Пей?"}, 40, "the post")
        edited = status | {"content": "<p>Ладна Пей!</p>", "edited_at": "2026-11-20T10:05:00.000Z"}
        server.say(paths["LadnaPay"], "status.update", edited)
        until(lambda: place.texts() == {uri: "Ладна Пей!"}, 40, "the edit")
        server.say(paths["LadnaPay"], "delete", "7")
        until(lambda: place.rows("SELECT deleted FROM posts") == [(1,)], 40, "the deletion")
        assert "t0ken" not in repr(place.rows("SELECT url, headers FROM documents"))
