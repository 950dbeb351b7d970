"""Whoever locks several rows locks them in the order of their ids: two writers never wait for each other in a ring."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from postgres_server import PostgresServer
from store_kit import Clock, World, opens

from crawler.model import Change, Decision, MentionStatus, Remote
from crawler.store import Store

pytestmark = pytest.mark.postgres
# One row by its key needs no order.
SEVERAL = re.compile(r" IN \(| JOIN | FROM sources ")


@pytest.fixture
def locks(postgresql_store: Store) -> Iterator[list[str]]:
    """Every statement that locks rows, as the test goes."""
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FOR UPDATE" in statement:
            said.append(" ".join(statement.split()))

    engine = postgresql_store._db.writer
    sa.event.listen(engine, "before_cursor_execute", hear)
    yield said
    sa.event.remove(engine, "before_cursor_execute", hear)


@pytest.fixture
def there(postgresql_store: Store, postgres: PostgresServer) -> Iterator[World]:
    yield World(postgresql_store, Clock())
    postgres.clean(postgresql_store.url)


def _join(mention: int, ticket: int) -> Decision:
    return Decision(mention, MentionStatus.JOINED, "same thread", "rule-1", join=ticket, note="And again")


def test_locks_of_several_rows_name_an_order(there: World, locks: list[str]) -> None:
    store = there.store
    one, two, three, four, five = there.analysed(5)
    store.mentions.reopen([two, one], analyse=False)
    store.tickets.decide([opens(one, "k1"), opens(two, "k2"), Decision(five, MentionStatus.IGNORED, "no", "none")], 1)
    ids = [store.tickets.get(key).ticket.id for key in ("k2", "k1")]
    store.tickets.decide([_join(three, ids[0]), _join(four, ids[1])], 1)
    there.deliver()
    store.replies.take("desk", [(Remote("77", key="k1"), Change("k1"))])
    store.outbox.retry()
    store.retention.posts(there.clock() + timedelta(days=900))
    store.streams.take_back("somebody")
    several = [text for text in locks if SEVERAL.search(text)]
    assert [text for text in several if "ORDER BY" not in text] == []
    for table in ("mentions", "deliveries", "posts", "sources", "tickets"):
        assert any(f"FROM {table} " in text for text in several), f"the test locks several rows of {table}"


def test_two_writers_in_opposite_order_both_come_through(there: World) -> None:
    store, ids = there.store, there.analysed(60)
    store.tickets.decide([opens(it, f"k{it}") for it in ids[:4]], 1)
    tickets = [store.tickets.get(f"k{it}").ticket.id for it in ids[:4]]
    # Each batch of decisions joins the same tickets, in the opposite order.
    halves = (
        [_join(it, tickets[n % 4]) for n, it in enumerate(ids[4:32])],
        [_join(it, tickets[3 - n % 4]) for n, it in enumerate(ids[32:60])],
    )
    begun = _deadlocks(store)
    threads = [threading.Thread(target=store.tickets.decide, args=(half, 1)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [len(store.tickets.get(f"k{it}").mention_ids) for it in ids[:4]] == [15] * 4
    assert there.gaps() == ()
    assert _deadlocks(store) == begun


def _deadlocks(store: Store) -> int:
    with store._db.read() as connection:
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int(connection.exec_driver_sql(query).scalar_one())
