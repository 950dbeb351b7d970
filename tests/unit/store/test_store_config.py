"""The file becomes rows: added, changed, renamed, retired, back again; each file a version."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_kit import World, brand, document, post, source

from crawler.errors import NotFound
from crawler.model import Entity, EntityKind


def test_a_first_sync_adds_everything_and_a_repeat_nothing(world: World) -> None:
    rows = [source("a"), source("b")]
    first = world.store.config.sync("d1", "text", [brand()], rows)
    assert first.version == 1
    assert first.added == ("brand Nova Pay", "source a", "source b")
    again = world.store.config.sync("d1", "text", [brand()], rows)
    assert again == replace(first, added=())
    assert (world.store.config.version(), world.store.config.text(1)) == (1, "text")


def test_brands_come_back_whole(world: World) -> None:
    whole = brand(
        about=("оплата",),
        not_about=("nova pay phone",),
        own=("@novapay",),
        query="nova NEAR/5 pay",
        labels={"region": "Київ"},
    )
    whole = replace(whole, entities=(*whole.entities, Entity(EntityKind.LEGAL, "ТОВ «Нова Пей»")))
    world.sync(brands=[whole])
    (stored,) = world.store.config.brands()
    assert stored.id > 0
    assert replace(stored, id=0) == whole


def test_changes_are_reported_and_numbered(world: World) -> None:
    world.sync()
    report = world.store.config.sync(
        "d2", "text 2", [brand(version="v2")], [source("a"), source("b", labels={"x": "y"})]
    )
    assert (report.version, report.changed) == (2, ("brand Nova Pay", "source b"))
    assert world.store.sources.get("b").labels == {"x": "y"}
    (event,) = [it for it in world.store.events.of("source", world.store.sources.get("b").id) if it.what == "changed"]
    assert (event.after, event.note) == ("labels", "b")


def test_what_leaves_the_file_is_retired_and_can_return(world: World) -> None:
    world.sync()
    run = world.run("b")
    world.take(run, post(1))
    old = world.store.sources.get("b")
    report = world.store.config.sync("d2", "", [brand()], [source("a")])
    assert report.retired == ("source b",)
    assert [it.name for it in world.store.sources.all()] == ["a"]
    assert [it.name for it in world.store.sources.all(retired=True)] == ["a", "b"]
    assert world.store.posts.count() == 1
    world.clock.tick(3600)
    assert world.claim(owner="later")[0].source.name == "a"
    report = world.store.config.sync("d3", "", [brand()], [source("a"), source("b")])
    assert (report.changed, report.added) == (("source b",), ())
    assert world.store.sources.get("b").id == old.id


def test_a_rename_keeps_the_row(world: World) -> None:
    world.sync()
    old = world.store.sources.get("b")
    report = world.store.config.sync("d2", "", [brand()], [source("a"), replace(source("b"), name="c", was="b")])
    assert (report.renamed, report.added, report.retired) == (("source c",), (), ())
    assert world.store.sources.get("c").id == old.id
    with pytest.raises(NotFound):
        world.store.sources.get("b")


def test_other_settings_forget_the_place_and_other_labels_do_not(world: World) -> None:
    world.sync()
    run = world.run("a")
    world.store.intake.take(run, document(), [], {"page": 5}, {"etag": "x"})
    world.store.config.sync("d2", "", [brand()], [source("a", labels={"x": "y"}), source("b")])
    kept = world.store.runs.get(run.id).source
    assert (kept.cursor, len(kept.validators)) == ({"page": 5}, 1)
    world.store.config.sync("d3", "", [brand()], [source("a", settings={"url": "http://new.example/"}), source("b")])
    fresh = world.store.runs.get(run.id).source
    assert (fresh.cursor, fresh.validators) == ({}, {})


def test_a_changed_source_is_due_at_once(world: World) -> None:
    world.sync()
    state = world.store.sources.get("a")
    world.store.sources.set_next(state.id, world.clock.tick(9999))
    now = world.clock()
    world.store.config.sync("d2", "", [brand()], [source("a", schedule={"every": 60}), source("b")])
    assert world.store.sources.get("a").next_run_at == now
