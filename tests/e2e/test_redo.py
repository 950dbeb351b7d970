"""`redo`: the past is rebuilt from stored answers, equal to what it was; a diff tells the truth and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.installation import Installation
from e2e.site import Entry
from e2e.stock import BRANDS, EVERYTHING, Stock

from crawler.app.redo import Redone, Scope, redo

pytestmark = pytest.mark.e2e

FIRST = [
    Entry("1", "Nova Pay списав гроші двічі", author="Оля"),
    Entry("2", "What are the fees of Nova Pay?"),
    Entry("3", "Bank Kyiv is closed today"),
    Entry("4", "Nova Pay helped me", author="Ann"),
]
THEN = [
    Entry("1", "Nova Pay списав гроші двічі. UPD: вже тричі!", author="Оля"),
    *FIRST[1:],
    Entry("5", "НоваПей працює"),
]
WORDS = ("documents", "posts", "post_versions", "post_sources", "mentions", "tickets", "deliveries", "desk_tickets")


@pytest.fixture
def stock(store_url: str, tmp_path: Path) -> Iterator[Stock]:
    stock = Stock(tmp_path, store_url)
    stock.crawl("news", FIRST)
    stock.work()
    stock.crawl("news", THEN)
    stock.crawl("blog", [FIRST[3], Entry("6", "Nova Pay у блозі")])
    stock.work()
    yield stock
    stock.close()


def run(stock: Stock, stage: str, diff: bool = False, **scope: Any) -> Redone:
    return redo(stock.opened, stage, Scope(**scope), diff)


def past(stock: Stock) -> dict[str, Any]:
    """What must come back as it was: ids, keys, versions, texts, statuses, tickets."""
    return {
        "posts": stock.rows("posts", ("changed_at",)),
        "sources": [(row["post_id"], row["source_id"]) for row in stock.rows("post_sources")],
        "mentions": stock.rows("mentions", ("changed_at", "analysis_id", "analysis_count", "query_version")),
        "tickets": stock.rows("tickets"),
        "links": stock.rows("ticket_mentions"),
        "deliveries": stock.rows("deliveries"),
        "desk": stock.rows("desk_tickets"),
    }


def everything(stock: Stock) -> dict[str, list[dict[str, Any]]]:
    tables = (*WORDS, "ticket_mentions", "analyses", "events", "runs", "sources", "brands")
    return {table: stock.rows(table) for table in tables}


def test_the_past_is_rebuilt_equal(stock: Stock) -> None:
    before = past(stock)
    assert len(before["posts"]) == 6 and len(before["mentions"]) == 5 and before["tickets"]
    stock.delete_past()
    assert stock.rows("posts") == [] and stock.rows("mentions") == []
    run(stock, "parse")
    run(stock, "match")
    worked = stock.work()
    assert worked.triaged.ticketed == worked.triaged.joined == worked.delivered.sent == 0, "no second ticket"
    after = past(stock)
    for noun in before:
        assert after[noun] == before[noun], noun
    assert stock.books().gaps == ()


def test_rebuilding_what_is_there_changes_nothing(stock: Stock) -> None:
    before = past(stock)
    for stage in ("parse", "match", "analyse", "triage"):
        run(stock, stage)
    assert stock.work().triaged.ticketed == 0
    assert past(stock) == before and stock.books().gaps == ()


def test_a_diff_changes_nothing(stock: Stock) -> None:
    before = everything(stock)
    for stage in ("parse", "match", "analyse", "triage"):
        done = run(stock, stage, diff=True)
        assert done.rows == [], (stage, done.rows)
    assert everything(stock) == before


def test_a_diff_of_parse_shows_what_is_missing(stock: Stock) -> None:
    stock.execute("DELETE FROM mentions")
    stock.execute("DELETE FROM posts WHERE id = (SELECT max(id) FROM posts)")
    stock.execute("UPDATE posts SET content_hash = 'other' WHERE id = 2")
    done = run(stock, "parse", diff=True)
    assert sorted(row["change"] for row in done.rows) == ["changed post", "new post"]
    assert next(row for row in done.rows if row["change"] == "new post")["text"] == "Nova Pay у блозі"


def test_a_new_brand_finds_its_past(stock: Stock) -> None:
    stock.configure(brands=f"{BRANDS}\n  - {{name: Bank Kyiv}}")
    done = run(stock, "match", diff=True)
    assert [(row["change"], row["brand"], row["text"]) for row in done.rows] == [
        ("mention gained", "Bank Kyiv", "Bank Kyiv is closed today")
    ]
    tickets = len(stock.rows("tickets"))
    run(stock, "match", brand="Bank Kyiv")
    assert stock.work().triaged.ticketed == 1
    assert len(stock.rows("tickets")) == tickets + 1 and stock.books().gaps == ()


def test_a_changed_brand_gains_and_loses(stock: Stock) -> None:
    stock.configure(brands="  - {name: Nova Pay, not_about: [helped me]}\n  - {name: Bank Kyiv}", in_force=False)
    before, brands = stock.rows("mentions"), stock.rows("brands")
    rows = run(stock, "match", diff=True).rows
    assert {(row["change"], row["brand"], row["text"]) for row in rows} == {
        ("mention gained", "Bank Kyiv", "Bank Kyiv is closed today"),
        ("mention lost", "Nova Pay", "Nova Pay helped me"),
    }
    assert stock.rows("mentions") == before and stock.rows("brands") == brands, "looking puts nothing in force"
    run(stock, "match")
    left = {row["text"] for row in run(stock, "match", diff=True).rows}
    # A mention that has its ticket keeps it, and so stays a difference to look at; nothing else is left.
    assert left <= {"Nova Pay helped me"} and stock.books().gaps == ()


def test_one_brand_again_leaves_the_others_alone(stock: Stock) -> None:
    stock.configure(brands="  - {name: Nova Pay, not_about: [helped me]}\n  - {name: Bank Kyiv}")
    before = {row["id"]: row for row in stock.rows("mentions")}
    done = run(stock, "match", brand="Bank Kyiv")
    assert [(row["change"], row["brand"]) for row in done.rows] == [("mention gained", "Bank Kyiv")]
    after = {row["id"]: row for row in stock.rows("mentions")}
    assert {number: after[number] for number in before} == before and len(after) == len(before) + 1
    assert stock.work().mentions_new == 0, "the posts still wait for the other brand, and it finds nothing new"
    assert stock.books().gaps == ()


def test_a_new_brand_alone_marks_the_posts_as_read(stock: Stock) -> None:
    stock.configure(brands=f"{BRANDS}\n  - {{name: Bank Kyiv}}")
    run(stock, "match", brand="Bank Kyiv")
    marks = {row["matched_with"] for row in stock.rows("posts")}
    assert marks == {stock.opened.matcher().version}


def test_a_changed_query_alone_marks_the_posts_as_read(stock: Stock) -> None:
    stock.configure(brands=f"{BRANDS}\n  - {{name: Bank Kyiv, query: 'bank AND kyiv'}}")
    run(stock, "match")
    stock.configure(brands=f"{BRANDS}\n  - {{name: Bank Kyiv, query: 'NAMES NOT closed'}}")
    done = run(stock, "match", brand="Bank Kyiv")
    assert [(row["change"], row["why"]) for row in done.rows] == [
        ("mention lost", "the query decides alone and does not hold; excluded by NOT closed: «closed» stands there")
    ]
    assert {row["matched_with"] for row in stock.rows("posts")} == {stock.opened.matcher().version}


def test_a_changed_rule_gains_and_loses_tickets(stock: Stock) -> None:
    stock.configure(rule="tickets: {when: [question], sure_at_least: 0.6}")
    lost = run(stock, "triage", diff=True)
    kept = [row for row in stock.rows("mentions") if row["status"] in ("ticketed", "joined")]
    asked = "What are the fees of Nova Pay?"
    assert {row["change"] for row in lost.rows} == {"ticket lost"}
    assert len(lost.rows) == len(kept) - 1 and asked not in {row["text"] for row in lost.rows}
    before = past(stock)
    run(stock, "triage")
    assert past(stock)["tickets"] == before["tickets"], "a ticket is never taken back"


def test_a_wider_rule_gains_tickets(store_url: str, tmp_path: Path) -> None:
    stock = Stock(tmp_path, store_url)
    try:
        stock.configure(rule="tickets: {when: [question], sure_at_least: 0.6}")
        stock.crawl("news", FIRST)
        stock.work()
        opened = len(stock.rows("tickets"))
        stock.configure(rule=EVERYTHING)
        gained = run(stock, "triage", diff=True)
        assert {row["text"] for row in gained.rows} == {FIRST[0].text, FIRST[3].text}
        assert {row["change"] for row in gained.rows} == {"ticket gained"}
        assert len(stock.rows("tickets")) == opened == 1
        run(stock, "triage")
        assert stock.work().delivered.sent == 2
        assert len(stock.rows("tickets")) == 3 and stock.books().gaps == ()
        run(stock, "triage")
        assert len(stock.rows("tickets")) == 3
    finally:
        stock.close()


def test_the_command_rebuilds(tmp_path: Path, sqlite_template: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mentions.db").write_bytes(sqlite_template.read_bytes())
    place, stock = Installation(tmp_path), Stock(tmp_path, f"sqlite:///{tmp_path / 'data' / 'mentions.db'}")
    stock.crawl("news", FIRST)
    stock.work()
    before = past(stock)
    stock.delete_past()
    assert {row["change"] for row in place.json("redo", "parse", "--diff") if "change" in row} == {"new post"}
    assert place.json("reparse")[-1] == {"summary": True, "documents": 1, "posts seen": 4}
    gained = place.json("match")
    assert gained[-1]["mention gained"] == 3
    stock.work()
    assert past(stock) == before
    place.run("ledger")
    stock.close()
