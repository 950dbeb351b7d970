"""The outcomes of a part of the past add up; each way in which they could not is made on purpose, then looked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from store_kit import START, Clock, World, brand, opens, post, source

from crawler.errors import NotFound
from crawler.model import Decision, MentionStatus, Verdict
from crawler.reports.outcomes import Account, account
from crawler.store import Share, Store


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite", id="sqlite"),
        pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres),
    ],
)
def used(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two brands, two runs on two days, and every outcome. Tests leave it as it was."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('outcomes') / 'mentions.db'}"
    else:
        url = request.getfixturevalue("postgres").new_database()
    clock = Clock()
    with Store.create(url, durable=False, now=clock) as store:
        world = World(store, clock)
        _live(world)
        assert told(world).gaps == ()
        yield world
        assert told(world).gaps == ()


def _live(world: World) -> None:
    world.sync(source("a"), source("b"), brands=[brand(), brand("Bank Kyiv")])
    run = world.run("a")
    world.take(run, *(post(number) for number in range(1, 7)))
    world.match("Nova Pay")
    world.analyse()
    ids = [it.id for it in world.store.mentions.untriaged(10)]
    ignored = [
        Decision(ids[2], MentionStatus.IGNORED, "rule jobs ignores it", "jobs@0a1b2c3d"),
        Decision(ids[3], MentionStatus.IGNORED, "no rule wants it", "no rule"),
        Decision(ids[4], MentionStatus.REVIEW, "unsure", "usual@0a1b2c3d"),
    ]
    world.store.tickets.decide([opens(ids[0], "k1", ("desk", "zammad")), opens(ids[1], "k2")], 1)
    world.store.tickets.decide(ignored, 1)
    world.deliver()
    world.store.runs.finish(run, Verdict.OK, None, 1.0, None)
    world.clock.tick(86400)
    run = world.run("b")
    world.take(run, post(7), post(8), post(1))
    world.match("Bank Kyiv")
    world.analyse()
    (waits, *_) = (it.id for it in world.store.mentions.untriaged(10) if it.brand == "Bank Kyiv")
    world.store.tickets.decide([opens(waits, "k3", ("zammad",))], 1)
    [row] = [it for it in world.store.outbox.claim("me", world.clock(), 9, 60, ["zammad"]) if it.ticket.key == "k3"]
    world.store.outbox.settle("me", [], [], [(row.id, "422 no such queue")])
    world.store.outbox.release("me")
    world.store.runs.finish(run, Verdict.OK, None, 1.0, None)


def told(world: World, **part: Any) -> Account:
    return account(world.store.outcomes.of(Share(**part)))


def sums(it: Account) -> dict[tuple[str, str | None], int]:
    return {(row["outcome"], row["rule"]): row["mentions"] for row in it.rows}


def test_every_outcome_has_its_row(used: World) -> None:
    everything = told(used)
    assert sums(everything)["ticketed", None] == 3
    assert sums(everything)["ignored", "jobs"] == sums(everything)["ignored", "no rule"] == 1
    assert sums(everything)["review", "usual"] == 1
    assert everything.tickets == {"parked": 1, "on its way": 1, "sent": 1}
    assert sum(sums(everything).values()) == sum(used.store.mentions.count().values())
    assert everything.sentence.endswith("; 0 unaccounted")


def test_parts_add_up_to_the_whole(used: World) -> None:
    whole = sum(sums(told(used)).values())
    for name in ("run", "day", "brand"):
        parts: dict[str, list[dict[str, Any]]] = {
            "run": [{"run": 1}, {"run": 2}],
            "day": [
                {"until": START + timedelta(hours=1)},
                {"since": START + timedelta(hours=1)},
            ],
            "brand": [{"brand": "Nova Pay"}, {"brand": "Bank Kyiv"}],
        }
        accounts = [told(used, **part) for part in parts[name]]
        assert [it.gaps for it in accounts] == [(), ()]
        assert all(it.rows for it in accounts), name
        found = sum(sum(sums(it).values()) for it in accounts)
        # The post that both runs showed counts for both.
        twice = len([it for it in used.store.mentions.list() if set(it.post.sources) == {"a", "b"}])
        assert found == whole + (twice if name == "run" else 0), name


def test_parts_can_be_asked_together(used: World) -> None:
    both = told(used, run=1, brand="Nova Pay")
    assert sums(both)["review", "usual"] == 1 and sum(sums(both).values()) == 6
    assert told(used, brand="nobody").sentence == "0 mentions; 0 unaccounted"


def test_a_run_that_there_is_not(used: World) -> None:
    with pytest.raises(NotFound, match="there is no run 99"):
        told(used, run=99)


@pytest.mark.parametrize(
    ("statement", "gap"),
    [
        ("UPDATE mentions SET status = 'ignored' WHERE status = 'review'", "mentions ignored: 3 by their rows, 2"),
        ("UPDATE mentions SET status = 'review', ticket_id = NULL WHERE id = 1", "stand as if they had none: ids 1"),
        ("UPDATE mentions SET ticket_id = 2 WHERE id = 1", "handed over without their ticket: ids 1"),
        ("UPDATE mentions SET reason = '' WHERE status = 'review'", "decided without a reason"),
        ("DELETE FROM ticket_mentions WHERE mention_id = 1", "handed over without their ticket: ids 1"),
        ("DELETE FROM deliveries WHERE ticket_id = 2", "whose ticket goes to no sink: ids 2"),
        ("UPDATE tickets SET status = 'withdrawn' WHERE id = 1", "whose ticket was withdrawn: ids 1"),
        ("UPDATE deliveries SET remote_id = NULL WHERE status = 'sent'", "left no id"),
        ("DELETE FROM events WHERE \"row\" = 'mention' AND row_id = 3 AND after = 'ignored'", "no event tells: ids 3"),
        ("DELETE FROM events WHERE \"row\" = 'mention' AND row_id = 6", "no event tells: ids 6"),
        ("DELETE FROM post_sources WHERE post_id IN (1, 2)", "posts of the run: 6 new by its counters, 4 there"),
    ],
)
def test_each_gap_is_named(used: World, statement: str, gap: str) -> None:
    """Done past the product, without foreign keys; it is undone."""
    with used.store._db.writer.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        raw: Any = connection.connection.driver_connection
        if sqlite:
            raw.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        assert connection.exec_driver_sql(statement).rowcount > 0
        from crawler.store import outcomes

        for part in (Share(run=1), Share(brand="Nova Pay"), Share()):
            gaps = account(outcomes.read(connection, part)).gaps
            if not gap.startswith("posts of the run") or part.run:
                assert any(gap in it for it in gaps), (part, gaps)
        connection.rollback()
        if sqlite:
            raw.execute("PRAGMA foreign_keys=ON")


@pytest.mark.parametrize(
    ("part", "broken", "gap"),
    [
        ("_link", lambda *_, **__: True, "mentions handed over without their ticket"),
        ("_deliveries", lambda *_, **__: 0, "mentions whose ticket goes to no sink"),
        ("_log", lambda *_, **__: None, "mentions whose status no event tells"),
    ],
)
def test_a_broken_build_is_found_out(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, broken: Any, gap: str
) -> None:
    """Triage that forgets to link, to send, or to write down what it did."""
    path = tmp_path / "broken.db"
    shutil.copyfile(sqlite_template, path)
    clock = Clock()
    with Store.open(f"sqlite:///{path}", durable=False, now=clock) as store:
        world = World(store, clock)
        ids = world.analysed(2)
        assert told(world).gaps == ()
        monkeypatch.setattr(f"crawler.store.deciding.Deciding.{part}", broken)
        store.tickets.decide([opens(ids[0], "k1"), opens(ids[1], "k2")], 1)
        assert f"{gap}: ids {ids[0]}, {ids[1]}" in told(world).gaps
