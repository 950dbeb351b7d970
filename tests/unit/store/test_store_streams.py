"""What streams need of the store, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from store_kit import World

from crawler import plugins
from crawler.errors import LeaseLost
from crawler.model import Document, Post, PostOutcome, Run, Source, Verdict
from crawler.stages.crawl import Intake
from crawler.store import SourceRow, tables
from crawler.store.streams import LIVE, STOPPED, WAITING, slot_of
from crawler.text import fold, folded_hash
from spiders.stream_reading import LightReader

URL = "https://sky.example/subscribe"
STREAM = {"every_min": 600.0, "every_max": 600.0, "stream": True}


def configure(world: World, *names: str) -> None:
    rows = [SourceRow(name, "jetstream", {}, {}, STREAM, "sky.example") for name in names]
    rows.append(SourceRow("polled", "feed", {}, {}, {"every_min": 600.0, "stream": False}, "sky.example"))
    world.store.config.sync("digest", "text", [], rows)


def claim(world: World, name: str, owner: str = "house") -> Run | None:
    runs = world.store.sources.claim(owner, [name], world.store.sources.now(), 20.0, 1, slot_of, beside=True)
    return runs[0] if runs else None


def arrival(key: str, text: str, deleted: bool = False) -> Any:
    folded = fold(text)
    return Post(text, platform_id=key, deleted=deleted), folded, folded_hash(folded), f"id:{key}", "sky.example"


def document(world: World, *lines: str) -> Document:
    return Document(URL, 200, {}, "\n".join(lines).encode(), world.store.sources.now())


def test_only_streams_that_are_not_paused_are_wanted(world: World) -> None:
    configure(world, "a", "b")
    world.store.sources.pause("b")
    assert [state.name for state in world.store.streams.wanted()] == ["a"]


def test_streams_and_polling_of_one_site_do_not_wait_for_each_other(world: World) -> None:
    configure(world, "a", "b")
    assert claim(world, "a") and claim(world, "b")
    now = world.store.sources.now()
    polled = world.store.sources.claim("house", ["polled"], now, 60.0, 5, lambda state, at: "slot")
    assert [run.source.name for run in polled] == ["polled"]
    assert claim(world, "a", "another") is None, "somebody reads it"


def test_ten_seconds_grow_into_one_document(world: World) -> None:
    configure(world, "a")
    run = claim(world, "a")
    assert run is not None
    lines: list[str] = []
    for number in range(3):
        lines.append(f"line {number}")
        arrived = [arrival(f"k{number}", f"words {number}")]
        cursor = {"place": number}
        found = world.store.intake.take(run, document(world, *lines), arrived, cursor, None, grows=number > 0)
        assert found[PostOutcome.NEW] == 1
    (kept,) = world.store.documents.of("a", None)
    assert kept.body == b"line 0\nline 1\nline 2"
    assert world.store.sources.get("a").cursor == {"place": 2}
    counts = world.store.counts.ledger([])
    assert (counts.documents, counts.document_times, counts.document_posts, counts.bodies) == (1, 3, 3, 1)


def test_what_was_deleted_before_it_was_seen_is_not_stored(world: World) -> None:
    configure(world, "a")
    run = claim(world, "a")
    assert run is not None
    arrived = [arrival("k1", "words"), arrival("k2", "", deleted=True)]
    found = world.store.intake.take(run, document(world, "x"), arrived, None, None)
    assert (found[PostOutcome.NEW], found[PostOutcome.SEEN]) == (1, 1)
    found = world.store.intake.take(run, document(world, "y"), [arrival("k1", "", deleted=True)], None, None)
    assert found[PostOutcome.EDITED] == 1
    assert [(post.post.text, post.post.deleted) for post in world.store.posts.iterate()] == [("words", True)]


def test_the_place_moves_without_posts_but_not_without_the_lease(world: World) -> None:
    configure(world, "a")
    run = claim(world, "a")
    assert run is not None
    world.store.intake.move(run, {"place": 5})
    assert world.store.streams.take_back("house") == 1
    with pytest.raises(LeaseLost):
        world.store.intake.move(run, {"place": 6})
    assert world.store.sources.get("a").cursor == {"place": 5}
    again = claim(world, "a")
    assert again is not None and again.source.cursor == {"place": 5}


def test_how_a_stream_fares_is_told(world: World) -> None:
    configure(world, "a")
    source = world.store.sources.get("a").id
    world.store.streams.tell(source, state=WAITING, error="cut off")
    begun = world.store.streams.states()[source]
    world.clock.tick(5.0)
    world.store.streams.tell(source, state=LIVE, error=None, lag_seconds=0.4, frames=7)
    found = world.store.streams.states()[source]
    assert (found.state, found.error, found.lag_seconds, found.frames) == (LIVE, None, 0.4, 7)
    assert found.since - begun.since == found.beat_at - begun.beat_at == timedelta(seconds=5)
    world.store.streams.tell(source, state=STOPPED)
    assert world.store.streams.states()[source].state == STOPPED


def test_the_pace_is_learned_by_good_runs(world: World) -> None:
    configure(world)
    for new in (3, 2):
        run = world.store.sources.claim("house", ["polled"], world.store.sources.now(), 60.0, 1)[0]
        arrived = [arrival(f"{run.id}-{number}", f"words {run.id} {number}") for number in range(new)]
        world.store.intake.take(run, document(world, str(run.id)), arrived, None, None)
        expected, _ = world.store.runs.pace_after(run, world.store.sources.get("polled"))
        world.store.runs.finish(run, Verdict.OK, None, 1.0, world.store.sources.now())
        assert world.store.sources.get("polled").pace == expected
        world.clock.tick(3600.0)
    pace = world.store.sources.get("polled").pace
    assert pace is not None and pace["posts"] == 2 and pace["seconds"] == pytest.approx(3600.0, abs=5)


HOSTILE: tuple[Any, ...] = (
    "a\x00b", "\ud800", "x" * 300_000, "\u202e" * 50, "%00", -1, 0, 2**63, 10**400, 1e308, True, [], {}, ["x"],
    "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00+23:59", "http://[::1", "at://\x00", None,
)  # fmt: skip


@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: repr(said)[:20])
def test_no_message_keeps_a_batch_from_being_stored(world: World, said: Any) -> None:
    """A message that the database refuses would come back with every connection."""
    kinds = plugins.family("spiders", "stream", LightReader)
    configure(world, "a")
    run = claim(world, "a")
    assert run is not None
    sky = kinds["jetstream"](Source("a", "jetstream", kinds["jetstream"].Settings()))
    reply = {"parent": {"uri": said}, "root": {"uri": said}}
    good = {"text": "words", "createdAt": "2026-11-20T10:00:00Z", "langs": ["uk"], "reply": reply}
    event = {"did": "did:plc:a", "time_us": 1_795_000_000_000_000, "kind": "commit"}
    commit = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "k"}
    events = [{**event, "commit": {**commit, "rkey": "good", "record": good}}]
    events += [{**event, "commit": {**commit, "record": {**good, name: said}}} for name in good]
    events += [{**event, "commit": {**commit, "record": good, name: said}} for name in commit]
    events += [{**event, name: said, "commit": {**commit, "record": good}} for name in ("did", "time_us", "commit")]
    intake, posts, cursor = Intake(world.store, run, lambda: None), list[Post](), dict[str, Any]()
    for number, message in enumerate(events):
        frame = sky._frame(json.dumps(message).replace('"k"', f'"k{number}"').encode())
        found, _ = sky.of_frame(frame, world.store.sources.now()) if frame.data else ([], [])
        posts += found
        cursor.update(frame.cursor or {})
    intake.take(document(world, "{}"), posts, cursor=cursor, validators=None)
    intake.flush()
    state = world.store.sources.get("a")
    assert isinstance(state.cursor["place"], int)
    with world.store._db.read() as connection:
        kept = set(connection.execute(sa.select(tables.posts.c.platform_id)).scalars())
    assert "at://did:plc:a/app.bsky.feed.post/good" in kept
