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
NOTHING = {"lost": 0, "doubled": 0, "invented": 0, "wrong_id": 0, "ledger_gaps": 0}


def wrong(found: dict[str, object]) -> dict[str, object]:
    return {name: found[name] for name in NOTHING}


def test_every_step_of_a_delivery_is_among_those_it_dies_at() -> None:
    assert set(harness.STEPS) < set(STEPS)


def test_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    found = torture(f"sqlite:///{tmp_path}/t.db", tmp_path, kills=6, deliveries=60, seed=5, patience=500)
    assert wrong(found) == NOTHING, found
    assert found["kills"] >= 6 and found["faulty_calls"] >= 10


@pytest.mark.slow
@pytest.mark.postgres
def test_nothing_is_lost_or_doubled_on_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    found = torture(postgres.new_database(), tmp_path, kills=10, deliveries=100, seed=6, patience=500)
    assert wrong(found) == NOTHING, found


@pytest.mark.slow
@pytest.mark.parametrize(("build", "what"), [("no-lookup", "doubled"), ("sent-first", "lost")])
def test_broken_builds_are_caught(tmp_path: Path, build: str, what: str) -> None:
    found = torture(f"sqlite:///{tmp_path}/t.db", tmp_path, kills=6, deliveries=60, seed=5, build=build, patience=500)
    assert int(found[what]) > 0, found
