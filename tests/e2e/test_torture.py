"""The short form of `make torture`: two senders, kills, a harsh helpdesk; and the broken builds that it must catch."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres_server import PostgresServer
from torture import __main__ as harness
from torture.__main__ import torture

from crawler.stages.crash import STEPS

# Back-offs are random: a tail of several minutes is rare, and no fault.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
NOTHING = dict.fromkeys(harness.WRONG, 0)


def wrong(found: dict[str, object]) -> dict[str, object]:
    return {name: found[name] for name in NOTHING}


def test_every_step_of_a_delivery_is_among_those_it_dies_at() -> None:
    assert set(harness.STEPS) < set(STEPS)


def test_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    found = torture(f"sqlite:///{tmp_path}/t.db", tmp_path, kills=6, deliveries=50, seed=5, patience=500, comments=20)
    assert wrong(found) == NOTHING, found
    assert found["kills"] >= 6 and found["faulty_calls"] >= 10 and found["comments"] == 20


@pytest.mark.slow
@pytest.mark.postgres
def test_nothing_is_lost_or_doubled_on_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    found = torture(postgres.new_database(), tmp_path, kills=10, deliveries=80, seed=6, patience=500, comments=40)
    assert wrong(found) == NOTHING, found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "what"),
    [
        ("no-lookup", "doubled"),
        ("sent-first", "lost"),
        ("comment-blindly", "comments_doubled"),
        ("comment-lost", "comments_lost"),
    ],
)
def test_broken_builds_are_caught(tmp_path: Path, build: str, what: str) -> None:
    comments = 60 if "comment" in build else 0
    url = f"sqlite:///{tmp_path}/t.db"
    found = torture(url, tmp_path, kills=6, deliveries=60, seed=5, build=build, patience=500, comments=comments)
    assert int(found[what]) > 0, found


def line(key: str, ticket: str) -> dict[str, str]:
    return {"key": key, "ticket": ticket, "event": "ticket.comment"}


@pytest.mark.parametrize(
    ("there", "wrong"),
    [
        ([line("a", "1"), line("b", "1")], {}),
        ([line("a", "1")], {"comments_lost": 1}),
        ([line("a", "1"), line("b", "1"), line("a", "1")], {"comments_doubled": 1, "comments_unordered": 1}),
        ([line("b", "1"), line("a", "1")], {"comments_unordered": 1}),
        ([line("a", "1"), line("b", "2")], {"comments_misplaced": 1}),
        ([line("a", "1"), line("b", "1"), line("c", "1")], {"comments_invented": 1}),
    ],
)
def test_the_judge_of_comments(there: list[dict[str, str]], wrong: dict[str, int]) -> None:
    found = harness.judge_comments({"a": ("1", 1), "b": ("1", 2)}, there)
    assert {name: count for name, count in found.items() if count and name != "comments"} == wrong
