"""Claims, leases, slots and how sources fared."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest
from store_kit import START, World, brand, post, source

from crawler.errors import LeaseLost, NotFound
from crawler.model import Verdict
from crawler.store import SourceState


def names(world: World, *wanted: str, owner: str = "me") -> list[str]:
    return [run.source.name for run in world.claim(*wanted, owner=owner)]


def test_due_sources_are_claimed_once(world: World) -> None:
    world.sync()
    assert sorted(names(world)) == ["a", "b"]
    assert names(world, owner="other") == []


def test_the_most_overdue_come_first_and_limit_holds(world: World) -> None:
    world.sync(*(source(name) for name in "abc"))
    for hours, name in ((2, "a"), (3, "b"), (1, "c")):
        world.store.sources.set_next(world.store.sources.get(name).id, START - timedelta(hours=hours))
    runs = world.store.sources.claim("me", None, START, 60, 2)
    assert [run.source.name for run in runs] == ["b", "a"]


def test_one_live_run_a_domain(world: World) -> None:
    world.sync(source("a", "same.example"), source("b", "same.example"), source("c", ""), source("d", ""))
    assert sorted(names(world)) == ["a", "c", "d"] or sorted(names(world)) == ["b", "c", "d"]
    assert names(world, "b", owner="other") == []
    world.clock.tick(61)
    assert len(names(world, "a", "b", owner="other")) == 1


def test_paused_and_not_due_sources_wait_unless_named(world: World) -> None:
    world.sync()
    world.store.sources.pause("a")
    world.store.sources.set_next(world.store.sources.get("b").id, START + timedelta(hours=1))
    assert names(world) == []
    assert world.store.sources.get("a").paused
    assert sorted(names(world, "a", "b")) == ["a", "b"]
    world.store.sources.resume("a")
    assert not world.store.sources.get("a").paused
    with pytest.raises(NotFound, match="nobody"):
        world.store.sources.pause("nobody")


def test_the_clock_never_takes_a_named_source_early(world: World) -> None:
    world.sync()
    world.store.sources.set_next(world.store.sources.get("b").id, START + timedelta(hours=1))
    runs = world.store.sources.claim("me", ["a", "b"], START, 60, 10, lambda state, now: f"{state.name} {now}")
    assert [(run.source.name, run.slot) for run in runs] == [("a", f"a {START}")]


def test_a_slot_runs_once(world: World) -> None:
    world.sync(source("a"))

    def slot(state: SourceState, now: datetime) -> str:
        return "2026-11-22 14:00"

    def claim(owner: str) -> list[str]:
        return [run.slot for run in world.store.sources.claim(owner, None, world.clock(), 60, 10, slot)]

    (run,) = world.store.sources.claim("me", None, world.clock(), 60, 10, slot)
    world.store.runs.finish(run, Verdict.OK, None, 1.0, world.clock())
    assert claim("other") == []
    assert world.store.sources.get("a").next_run_at == START + timedelta(seconds=60)
    world.clock.tick(60)
    assert claim("other") == []


def test_a_slot_whose_process_died_runs_again(world: World) -> None:
    world.sync(source("a"))
    (dead,) = world.store.sources.claim("me", None, START, 60, 10, lambda *_: "slot")
    assert world.store.runs.abandoned(START + timedelta(seconds=59)) == []
    world.clock.tick(61)
    assert [run.id for run in world.store.runs.abandoned(world.clock())] == [dead.id]
    state = world.store.sources.get("a")
    assert (state.last_verdict, state.last_error, state.failures) == ("failed", "process died", 1)
    (again,) = world.store.sources.claim("other", None, world.clock(), 60, 10, lambda *_: "slot")
    assert (again.slot, again.epoch) == ("slot#2", 2)
    assert world.store.runs.abandoned(world.clock()) == []


def test_an_expired_lease_can_be_claimed_and_its_run_is_closed(world: World) -> None:
    world.sync(source("a"))
    late = world.run("a")
    world.clock.tick(61)
    (taker,) = world.claim(owner="other")
    assert (taker.owner, taker.epoch) == ("other", 2)
    assert world.store.runs.result(late.id).error == "process died"
    with pytest.raises(LeaseLost):
        world.store.runs.release(late)


def test_renewing_keeps_the_lease_and_tells_what_is_lost(world: World) -> None:
    world.sync()
    runs = world.claim(seconds=10)
    ids = sorted(run.id for run in runs)
    world.clock.tick(9)
    assert world.store.sources.renew(ids, "me", 10) == ids
    assert world.store.sources.renew(ids, "other", 10) == []
    world.clock.tick(9)
    assert world.claim(owner="other") == []
    world.clock.tick(2)
    world.claim("a", owner="other")
    lost = next(run.id for run in runs if run.source.name == "a")
    assert world.store.sources.renew(ids, "me", 10) == [run_id for run_id in ids if run_id != lost]


def test_release_gives_an_unrun_run_back(world: World) -> None:
    world.sync(source("a"))
    (run,) = world.store.sources.claim("me", None, START, 60, 10, lambda *_: "slot")
    world.store.runs.release(run)
    (again,) = world.store.sources.claim("other", None, START, 60, 10, lambda *_: "slot")
    assert (again.slot, again.epoch) == ("slot", 2)


def test_release_closes_a_half_done_run(world: World) -> None:
    world.sync(source("a"))
    (run,) = world.store.sources.claim("me", None, START, 60, 10, lambda *_: "slot")
    world.take(run, post(1))
    world.store.runs.release(run)
    assert world.store.runs.result(run.id).posts_new == 1
    (again,) = world.store.sources.claim("other", None, world.clock(), 60, 10, lambda *_: "slot")
    assert again.slot == "slot#2"
    assert world.store.runs.since_asked(again) == 0.0, "its Crawl-delay stands for whoever comes next"


def test_finish_tells_the_source_how_it_went(world: World) -> None:
    world.sync(source("a"))
    due = START + timedelta(hours=1)
    world.store.runs.finish(world.run("a"), Verdict.BLOCKED, "login wall", 1.0, due)
    world.store.runs.finish(world.run("a"), Verdict.CHANGED, "no item", 1.0, due)
    state = world.store.sources.get("a")
    assert (state.failures, state.last_verdict, state.last_error) == (2, "changed", "no item")
    assert (state.next_run_at, state.lease_owner, state.last_run_at) == (due, None, world.clock())
    world.store.runs.finish(world.run("a"), Verdict.OK, None, 1.0, due)
    state = world.store.sources.get("a")
    assert (state.failures, state.last_verdict, state.last_error) == (0, "ok", None)


def test_the_usual_gap_follows_the_posts(world: World) -> None:
    world.sync(source("a"))
    gaps = []
    for number, pause in enumerate((0, 100, 500)):
        world.clock.tick(pause - 1)
        run = world.run("a")
        world.take(run, post(number))
        world.store.runs.finish(run, Verdict.OK, None, 1.0, None)
        gaps.append(world.store.sources.get("a").usual_gap_seconds)
    assert gaps == [None, 100.0, 200.0]


def test_the_run_knows_its_source(world: World) -> None:
    world.sync(source("a", settings={"url": "http://a.example/", "token": "${TOKEN}"}, labels={"region": "Lviv"}))
    run = world.run("a")
    again = world.store.runs.get(run.id)
    assert again == run
    assert (again.source.settings["token"], again.source.labels) == ("${TOKEN}", {"region": "Lviv"})
    with pytest.raises(NotFound):
        world.store.runs.get(999)


def test_the_life_of_a_run_is_written_down(world: World) -> None:
    world.sync(source("a"))
    run = world.run("a")
    world.store.runs.finish(run, Verdict.EMPTY, "nothing there", 1.0, None)
    steps = [(it.before, it.after, it.note) for it in world.store.events.of("run", run.id)]
    assert steps == [(None, "running", "a"), ("running", "empty", "nothing there")]


def test_a_retired_source_is_never_claimed(world: World) -> None:
    world.sync()
    world.store.config.sync("d2", "", [brand()], [source("a")])
    assert names(world, "a", "b") == ["a"]


def test_a_host_with_many_sources_hides_nobody(world: World) -> None:
    """The others stand behind hundreds of one domain that wait longer."""
    many = [source(f"many-{number}", "many.example") for number in range(520)]
    world.sync(*many, source("other"), source("third"))
    for name in ("other", "third"):
        world.store.sources.set_next(world.store.sources.get(name).id, START)
    world.clock.tick(60)
    due = [state.name for state in world.store.glances.due(world.clock())]
    assert len(due) == 3
    assert {"other", "third"} < set(due)


def test_a_kind_with_many_sources_hides_no_other(world: World) -> None:
    """Hundreds of pages wait for the one browser; feeds need none."""
    world.sync(*(source(f"page-{number}", kind="page") for number in range(510)), source("late"))
    world.store.sources.set_next(world.store.sources.get("late").id, START)
    due = [state.name for state in world.store.glances.due(world.clock.tick(60))]
    assert due[-1] == "late" and len(due) == 501


def test_of_one_domain_each_kind_is_due(world: World) -> None:
    """What can not be crawled just now, such as a page for the browser, does not stand before the rest."""
    world.sync(source("a", "same.example"), source("b", "same.example", kind="page"), source("c", "same.example"))
    world.store.sources.set_next(world.store.sources.get("c").id, START - timedelta(hours=1))
    assert [state.name for state in world.store.glances.due(START)] == ["c", "b"]


def test_when_a_site_was_asked_last(world: World) -> None:
    world.sync(source("a", "same.example"), source("b", "same.example"), source("c"))
    assert world.store.runs.since_asked(world.run("a")) == math.inf
    (run,) = world.store.runs.abandoned(world.clock.tick(61))
    world.store.runs.finish(world.run("a"), Verdict.OK, None, 1.0, START)
    world.clock.tick(7)
    assert run.source.name == "a"
    assert world.store.runs.since_asked(world.run("b")) == 7.0
    assert world.store.runs.since_asked(world.run("c")) == math.inf


def test_kinds_of_all_sources(world: World) -> None:
    world.sync(source("a"), source("b", kind="page"))
    world.sync(source("a"), digest="d2")
    assert world.store.sources.kinds() == {"a": "feed", "b": "page"}
