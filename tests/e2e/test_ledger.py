"""The ledger is no decoration: take any one row away, or skip any one counter, and it says so by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from e2e.installation import Installation
from e2e.site import Entry
from e2e.stock import EVERYTHING, Stock

pytestmark = pytest.mark.e2e

FIRST = [
    Entry("1", "Nova Pay списав гроші двічі"),
    Entry("2", "Is Nova Pay any good?"),
    Entry("3", "Nothing about them"),
    Entry("4", "Nova Pay helped me", author="Ann"),
]
THEN = [
    Entry("1", "Nova Pay списав гроші двічі. UPD: вже тричі!"),
    *FIRST[1:],
    Entry("5", "Nova Pay again", author="Ann"),
]
# Table -> a word that the gap must name.
ROWS = {
    "documents": "documents",
    "posts": "posts",
    "post_versions": "versions",
    "mentions": "mentions",
    "analyses": "analyses",
    "tickets": "tickets",
    "ticket_mentions": "ticket links",
    "deliveries": "deliveries",
    "desk_tickets": "tickets in the desk",
}
COUNTERS = {
    "runs": ("taken", "documents", "parsed", "new", "seen", "edited", "dropped"),
    "posts": ("mention_count",),
    "mentions": ("analysis_count",),
    "tickets": ("mention_count", "delivery_count"),
    "desk_tickets": ("comment_count",),
}


@pytest.fixture
def stock(store_url: str, tmp_path: Path) -> Iterator[Stock]:
    """A past with new, seen and edited posts, tickets that were joined, and everything delivered."""
    stock = Stock(tmp_path, store_url)
    stock.crawl("news", FIRST)
    stock.work()
    stock.crawl("news", THEN)
    stock.crawl("blog", FIRST[:2])
    stock.work()
    yield stock
    stock.close()


def test_a_whole_past_balances(stock: Stock) -> None:
    assert stock.books().gaps == ()
    assert all(stock.rows(table) for table in ROWS)


def test_each_missing_row_is_named(stock: Stock) -> None:
    silent = []
    for table, word in ROWS.items():
        for row in stock.rows(table):
            where, values = _where(stock, table, row)
            stock.execute(f"DELETE FROM {table} WHERE {where}", **values)
            gaps = stock.books().gaps
            if not any(word in gap for gap in gaps):
                silent.append((table, row, gaps))
            _put_back(stock, table, row)
            assert stock.books().gaps == (), f"{table} was put back"
    assert not silent


def test_each_skipped_counter_is_named(stock: Stock) -> None:
    silent = []
    for table, names in COUNTERS.items():
        for name in names:
            for step in (-1, 1):
                change = f"UPDATE {table} SET {name} = {name} + :step WHERE id = (SELECT min(id) FROM {table})"
                stock.execute(change, step=step)
                if not stock.books().gaps:
                    silent.append((table, name, step))
                stock.execute(change, step=-step)
    assert not silent and stock.books().gaps == ()


def test_a_missing_event_is_named(stock: Stock) -> None:
    """History is a side of the books: without its line a status does not add up."""
    for row in stock.rows("events"):
        if row["what"] != "status" or row["row"] not in ("mention", "ticket", "delivery", "desk"):
            continue
        stock.execute("DELETE FROM events WHERE id = :id", id=row["id"])
        assert stock.books().gaps, row
        _put_back(stock, "events", row)
    assert stock.books().gaps == ()


def test_the_command_exits_6_and_names_the_gap(tmp_path: Path, sqlite_template: Path) -> None:
    place = Installation(tmp_path)
    url = f"sqlite:///{tmp_path / 'data' / 'mentions.db'}"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mentions.db").write_bytes(sqlite_template.read_bytes())
    stock = Stock(tmp_path, url)
    stock.crawl("news", FIRST)
    stock.work()
    stock.execute("DELETE FROM desk_tickets WHERE id = (SELECT min(id) FROM desk_tickets)")
    stock.close()
    ended = place.run("ledger", code=6)
    assert "gap: tickets in the desk" in ended.err and "unaccounted" in ended.out
    books = place.json("ledger", code=6)[0]
    assert any(gap.startswith("tickets in the desk") for gap in books["gaps"])
    assert EVERYTHING.split(":")[0] in place.config.read_text()


def _where(stock: Stock, table: str, row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    keys = [column["name"] for column in sa.inspect(stock.engine).get_columns(table) if column.get("primary_key")]
    keys = keys or sa.inspect(stock.engine).get_pk_constraint(table)["constrained_columns"]
    return " AND ".join(f"{key} = :{key}" for key in keys), {key: row[key] for key in keys}


def _put_back(stock: Stock, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    stock.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(':' + name for name in row)})", **row)
