"""What a source usually gives, learned and told: on both databases."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from store_kit import World, arrival, document, post, source

from crawler.app import health
from crawler.model import Run, Verdict
from crawler.store import Oddity, Yield, tables

FIELDS = ("author", "time", "text", "url", "id")


def full(posts: int = 20, new: int = 2, url: str | None = "http://a.example/", **lacking: int) -> Yield:
    filled = {name: lacking.get(name, posts) for name in FIELDS}
    return Yield(1, posts, new, filled, (300,) * posts, url)


def learn(world: World, what: Yield, verdict: Verdict = Verdict.OK, hours: float = 12.0) -> Oddity | None:
    """One whole run of source `a`, some hours after the one before."""
    world.clock.tick(hours * 3600)
    run = world.claim("a")[0]
    if what.shown:
        body = b"%d" % world.clock().timestamp()
        stored = document(body, at=world.clock())
        world.store.intake.take(run, stored, [arrival(post(1))], None, None)
    oddity = world.store.yields.learn(run, verdict, what)
    world.store.runs.finish(run, verdict, None, 0.1, world.clock())
    return oddity


def learned(world: World, runs: int = 12) -> int:
    world.sync()
    for _ in range(runs):
        assert learn(world, full()) is None
    return world.store.sources.get("a").id


def test_what_posts_always_had_and_lack_is_a_change_and_the_last_good_answer_is_named(world: World) -> None:
    source_id = learned(world)
    good = world.store.yields.of(source_id)["last_good"]
    oddity = learn(world, full(author=0))
    assert oddity is not None and oddity.changed
    assert oddity.why == "20 of 20 posts have no author, which 240 of 240 had before"
    told = world.store.yields.of(source_id)
    assert told["last_good"] == good and good["url"] == "http://a.example/" and good["posts"] == 1
    assert told["usual"]["filled"]["author"] == 1.0
    assert learn(world, full()) is None


def test_no_posts_where_there_always_were_as_many(world: World) -> None:
    learned(world)
    oddity = learn(world, Yield(empty=True), Verdict.EMPTY)
    assert oddity is not None and oddity.changed and "never were fewer than 20" in oddity.why


def test_a_source_that_is_often_empty_may_be_empty(world: World) -> None:
    world.sync()
    for turn in range(40):
        what, verdict = (full(3), Verdict.OK) if turn % 3 else (Yield(empty=True), Verdict.EMPTY)
        assert learn(world, what, verdict) is None


def test_only_what_was_learned_rests_at_weekends(world: World) -> None:
    world.sync()
    source_id = world.store.sources.get("a").id
    assert world.store.yields.resting([source_id]) == set()
    learn(world, full())
    assert world.store.yields.resting([source_id, source_id + 1]) == {source_id}
    for _ in range(16):
        learn(world, full())
    assert world.store.yields.resting([source_id]) == set()


def test_quiet_sources_are_silent_but_for_those_that_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sync()
    learn(world, full())
    monkeypatch.setattr(health, "now", world.clock)
    usual: dict[str, Any] = {"last_new_at": world.clock(), "usual_gap_seconds": 3600.0}
    with world.store.sources.db.write() as connection:
        connection.execute(sa.update(tables.sources).values(usual))

    def silent(hours: float) -> list[str | None]:
        world.clock.at = usual["last_new_at"] + timedelta(hours=hours)
        return [one.source for one in health._sources(app) if one.key.endswith(":silent")]

    app: Any = SimpleNamespace(store=world.store)
    assert [silent(hours) for hours in (23, 50, 91)] == [[], ["b"], ["a", "b"]]


def test_other_settings_begin_anew(world: World) -> None:
    source_id = learned(world)
    world.sync(source("a", settings={"url": "http://a.example/other"}), source("b"), digest="d2")
    assert world.store.yields.of(source_id)["usual"] == {}
    assert learn(world, full(author=0)) is None
    assert world.store.yields.of(source_id)["usual"]["runs"] == 1


def test_a_flood_is_told_and_ends_by_itself(world: World) -> None:
    learned(world)
    oddity = learn(world, full(400, 400))
    assert oddity is not None and not oddity.changed
    assert "400 new posts, never more than 2" in world.store.yields.odd()["a"]
    assert "ids of the site may have changed" in world.store.yields.odd()["a"]
    assert learn(world, full()) is None
    assert world.store.yields.odd() == {}


def test_failed_and_unchanged_runs_teach_nothing(world: World) -> None:
    source_id = learned(world)
    before = world.store.yields.of(source_id)["usual"]
    assert learn(world, Yield(empty=True), Verdict.BLOCKED) is None
    assert learn(world, Yield()) is None
    assert world.store.yields.of(source_id)["usual"] == before


def test_a_run_that_was_taken_over_teaches_nothing(world: World) -> None:
    source_id = learned(world)
    run = world.claim("a")[0]
    stale = Run(run.id, run.source, run.slot, run.owner, run.epoch - 1)
    assert world.store.yields.learn(stale, Verdict.OK, full()) is None
    assert world.store.yields.of(source_id)["usual"]["runs"] == 12


def test_the_last_good_answer_outlives_retention(world: World) -> None:
    source_id = learned(world)
    kept = world.store.yields.of(source_id)["last_good"]["id"]
    world.clock.at += timedelta(days=400)
    gone = world.store.retention.documents(world.clock() - timedelta(days=100))
    assert gone.documents == 11
    assert world.store.documents.get(kept).id == kept
