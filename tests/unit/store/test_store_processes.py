"""Several processes on one database: nobody gets the same work, nobody sees a lock, a killed one leaves no half."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import pytest
from store_kit import START, World, arrival, document, opens, post, source

from crawler.store import Store

pytestmark = pytest.mark.process

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["crawler.store", "store_kit", "psycopg"])
KILLS = 20


def together(target: Callable[..., None], *args: Any, count: int = 4) -> list[Any]:
    """Run `target(pipe, number, *args)` in `count` processes that start at once; returns what each sent."""
    pairs = [CONTEXT.Pipe() for _ in range(count)]
    gate = CONTEXT.Barrier(count)
    workers = [
        CONTEXT.Process(target=_guarded, args=(target, gate, theirs, number, *args))
        for number, (_, theirs) in enumerate(pairs)
    ]
    for worker in workers:
        worker.start()
    answers = [ours.recv() for ours, _ in pairs]
    for worker in workers:
        worker.join(60)
    for pair in pairs:
        for end in pair:
            end.close()
    return answers


def _guarded(target: Callable[..., Any], gate: Any, pipe: Connection, number: int, *args: Any) -> None:
    gate.wait(60)
    try:
        pipe.send(target(number, *args))
    except Exception as error:
        pipe.send(error)


def test_four_claimers_get_different_sources(world: World) -> None:
    world.sync(*(source(f"s{number}") for number in range(40)))
    answers = together(_claim_sources, world.store.url)
    claimed = [name for names in answers for name in names]
    assert len(claimed) == 40
    assert len(set(claimed)) == 40


def _claim_sources(number: int, url: str) -> list[str]:
    mine: list[str] = []
    with Store.open(url, durable=False) as store:
        while runs := store.sources.claim(f"owner {number}", None, START, 60, 3):
            mine += [run.source.name for run in runs]
    return mine


def test_four_deliverers_get_different_deliveries(world: World) -> None:
    mentions = world.analysed(30)
    world.store.tickets.decide([opens(it, f"k{it}") for it in mentions], 1)
    answers = together(_claim_deliveries, world.store.url)
    claimed = [row for rows in answers for row in rows]
    assert len(claimed) == len(set(claimed)) == 30


def _claim_deliveries(number: int, url: str) -> list[int]:
    mine: list[int] = []
    later = START + timedelta(hours=1)
    with Store.open(url, durable=False) as store:
        while rows := store.outbox.claim(f"owner {number}", later, 4, 60, ["desk"]):
            mine += [row.id for row in rows]
    return mine


def test_the_same_posts_from_four_processes_are_stored_once(world: World) -> None:
    world.sync(*(source(f"s{number}") for number in range(4)))
    runs = [world.run(f"s{number}").id for number in range(4)]
    answers = together(_take_same, world.store.url, runs)
    assert sum(new for new, _ in answers) == 100
    assert sum(seen for _, seen in answers) == 300
    assert [len(it.sources) for it in world.store.posts.iterate()] == [4] * 100


def _take_same(number: int, url: str, runs: list[int]) -> tuple[int, int]:
    total = [0, 0]
    with Store.open(url, durable=False) as store:
        run = store.runs.get(runs[number])
        order = list(range(10))
        random.Random(number).shuffle(order)
        for part in order:
            rows = [arrival(post(part * 10 + place)) for place in range(10)]
            outcome = store.intake.take(run, document(b"%d" % part), rows, None, None)
            total[0] += outcome["new"]  # type: ignore[index]
            total[1] += outcome["seen"]  # type: ignore[index]
    return total[0], total[1]


def test_one_of_four_gets_the_lease(world: World) -> None:
    epochs = together(_take_lease, world.store.url)
    assert sorted(epoch or 0 for epoch in epochs) == [0, 0, 0, 1]


def _take_lease(number: int, url: str) -> int | None:
    with Store.open(url) as store:
        return store.leases.take("clock", f"owner {number}", 60, START)


def test_the_same_decisions_from_four_processes_make_one_ticket_each(world: World) -> None:
    mentions = world.analysed(20)
    answers = together(_decide, world.store.url, mentions)
    assert sum(answers) == 20
    assert world.store.tickets.count() == 20


def _decide(number: int, url: str, mentions: list[int]) -> int:
    with Store.open(url, durable=False) as store:
        return store.tickets.decide([opens(it, f"k{it}") for it in mentions], 1).tickets_new


def test_reading_then_writing_in_many_threads_never_meets_a_lock(world: World) -> None:
    world.sync()
    run = world.run()
    world.store.alerts.set_("counter", "0")
    stop = threading.Event()

    def bump() -> int:
        for _ in range(25):
            world.store._db.transact(_bump)
            world.store.intake.note(run, fetched=1)
        return 25

    def read() -> None:
        while not stop.is_set():
            world.store.counts.ledger()

    with ThreadPoolExecutor(6) as pool:
        reader = pool.submit(read)
        done = [pool.submit(bump) for _ in range(4)]
        assert sum(future.result() for future in done) == 100
        stop.set()
        reader.result()
    (alert,) = world.store.alerts.open()
    assert (alert.cause, world.store.runs.result(run.id).fetched) == ("100", 100)


def _bump(connection: Any) -> None:
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    cause = connection.exec_driver_sql(f"SELECT cause FROM alerts WHERE key = 'counter'{lock}").scalar_one()
    connection.exec_driver_sql(f"UPDATE alerts SET cause = '{int(cause) + 1}' WHERE key = 'counter'")


def test_a_writer_killed_in_the_middle_leaves_no_half(world: World) -> None:
    world.sync()
    dice = random.Random(7)
    posts = 0
    for _ in range(KILLS):
        run = world.run("a")
        ours, theirs = CONTEXT.Pipe()
        writer = CONTEXT.Process(target=_write_for_ever, args=(theirs, world.store.url, run.id, posts))
        writer.start()
        ours.recv()
        time.sleep(dice.uniform(0.001, 0.03))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        ours.close()
        theirs.close()
        assert (world.gaps(), world.store.check()) == ((), [])
        posts = world.store.posts.count()
        place = world.store.runs.get(run.id).source.cursor
        assert place.get("posts", posts) == posts, "the source's place moved without the posts it covers"
        world.clock.tick(61)
        assert [it.id for it in world.store.runs.abandoned(world.clock())] == [run.id]
    assert posts > KILLS


def _write_for_ever(pipe: Connection, url: str, run_id: int, number: int) -> None:
    with Store.open(url, durable=False) as store:
        run = store.runs.get(run_id)
        while True:
            rows = [arrival(post(number + place)) for place in range(20)]
            again = [arrival(post(place, f"edit {number}")) for place in range(min(number, 3))]
            number += 20
            store.intake.take(run, document(b"%d" % number), rows + again, {"posts": number}, None)
            pipe.send("at work")
