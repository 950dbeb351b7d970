"""The counts give away every deleted row and every skipped counter. Each gap is made on purpose, then looked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from store_kit import Clock, World, opens, post

from crawler.model import Decision, MentionStatus, Verdict
from crawler.reports.ledger import balance
from crawler.store import Store
from crawler.store.counts import count_everything

TABLES = (
    "posts",
    "post_versions",
    "post_sources",
    "mentions",
    "analyses",
    "tickets",
    "ticket_mentions",
    "deliveries",
    "desk_tickets",
    "desk_comments",
    "documents",
    "bodies",
    "runs",
)
COUNTERS = ("new", "seen", "edited", "dropped", "parsed", "taken", "documents")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite", id="sqlite"),
        pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres),
    ],
)
def used(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world where a post went all the way, and others stopped at each earlier step. Tests leave it as it was."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'mentions.db'}"
    else:
        url = request.getfixturevalue("postgres").new_database()
    clock = Clock()
    with Store.create(url, durable=False, now=clock) as store:
        world = World(store, clock)
        _live(world)
        assert world.gaps() == ()
        yield world
        assert world.gaps() == ()


def _live(world: World) -> None:
    world.sync()
    run = world.run("a")
    world.take(run, *(post(number) for number in range(1, 6)))
    world.take(run, post(1), post(2, "Nova Pay, edited"))
    world.store.intake.note(run, dropped=1, unchanged=1)
    world.match()
    world.analyse()
    first, second, third, fourth, fifth = (it.id for it in world.store.mentions.untriaged(10))
    world.store.tickets.decide([opens(first, "k1", ("desk", "zammad")), opens(second, "k2")], 1)
    joins = Decision(third, MentionStatus.JOINED, "same thread", "rule-1", join=1, note="And again")
    world.store.tickets.decide([joins, Decision(fourth, MentionStatus.REVIEW, "unsure", "rule-1")], 1)
    world.deliver()
    world.deliver()
    world.take(run, post(9))
    world.match()
    world.store.runs.finish(run, Verdict.OK, None, 1.0, None)
    assert fifth


def gaps_after(world: World, statement: str) -> tuple[str, ...]:
    """The gaps that the ledger would name, had this been done past the product, without foreign keys; it is undone."""
    with world.store._db.writer.connect() as connection:
        if connection.dialect.name == "sqlite":
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        assert connection.exec_driver_sql(statement).rowcount > 0
        gaps = balance(count_everything(connection)).gaps
        connection.rollback()
        if connection.dialect.name == "sqlite":
            raw.execute("PRAGMA foreign_keys=ON")
    return gaps


@pytest.mark.parametrize("table", TABLES)
def test_any_deleted_row_is_found(used: World, table: str) -> None:
    key = {"ticket_mentions": "mention_id", "post_sources": "post_id", "bodies": "digest"}.get(table, "id")
    for end in ("min", "max"):
        gaps = gaps_after(used, f"DELETE FROM {table} WHERE {key} = (SELECT {end}({key}) FROM {table})")
        assert gaps != (), end


@pytest.mark.parametrize("counter", COUNTERS)
def test_any_skipped_counter_is_found(used: World, counter: str) -> None:
    assert gaps_after(used, f"UPDATE runs SET {counter} = {counter} - 1") != ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mentions SET status = 'ignored' WHERE status = 'review'",
        "UPDATE deliveries SET status = 'parked' WHERE id = (SELECT min(id) FROM deliveries WHERE status = 'sent')",
        "UPDATE mentions SET ticket_id = NULL WHERE status = 'joined'",
        "DELETE FROM events WHERE id = (SELECT max(id) FROM events WHERE \"row\" = 'mention')",
        "UPDATE posts SET version = version + 1 WHERE id = 1",
        "UPDATE posts SET mention_count = 0 WHERE id = 1",
    ],
)
def test_a_status_without_its_history_is_found(used: World, statement: str) -> None:
    assert gaps_after(used, statement) != ()


def test_counts_of_an_untouched_world(used: World) -> None:
    counts = used.store.counts.ledger()
    assert (counts.posts, counts.edits, counts.post_versions, counts.documents, counts.bodies) == (6, 1, 1, 3, 3)
    crawl = counts.crawl
    assert (crawl.parsed, crawl.new, crawl.seen, crawl.edited, crawl.dropped, crawl.unchanged) == (9, 6, 1, 1, 1, 1)
    assert (counts.tickets, counts.deliveries, counts.desk, counts.desk_sent, counts.desk_comments) == (2, 5, 2, 2, 1)
    assert (counts.mentions, counts.analyses, counts.mentions_with_ticket) == (6, 5, 3)
    assert counts.mention_flow.stays("found") == 1
