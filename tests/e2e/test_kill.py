"""kill -9 at every named step and at random moments: nothing is lost, nothing is doubled, and broken builds are caught.

The outside checker compares what the sites served, what the database holds and what the helpdesk stored. Fast part:
`pytest tests/e2e/test_kill.py -m "not slow"`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from e2e.life import PLAIN, Life
from postgres_server import PostgresServer

from crawler.cli.town import Town
from crawler.stages.crash import STEPS

pytestmark = pytest.mark.e2e

IN_THE_CHILD = ("after_fetch", "after_parse", "before_commit", "after_commit", "before_finish")
IN_THE_PARENT = (
    *("after_match", "after_analyse", "in_triage", "after_ticket", "after_triage", "after_claim"),
    *("before_call", "after_call", "after_find", "before_settle", "after_settle", "after_poll"),
)
RANDOM_KILLS = 7


def test_every_named_step_is_covered() -> None:
    assert set(IN_THE_CHILD) | set(IN_THE_PARENT) == set(STEPS)


def test_killed_at_each_step_after_the_crawl(begin: Callable[..., Life], town: Town) -> None:
    """One batch of posts is carried through all stages by processes that die one after the other."""
    life = begin()
    for step in IN_THE_PARENT:
        assert life.crawl(crash_at=step).killed, f"no process reached {step}"
        life.pass_time()
        if step == "after_ticket":
            town.advance()  # all that was there is decided now: the next step needs more
    life.recover()
    life.assert_whole()
    assert len(life.helpdesk.stored()) >= 3


def test_helpdesk_was_asked_before_anything_was_sent_again(begin: Callable[..., Life]) -> None:
    life = begin(sources=("blog-comments",))
    assert life.crawl(crash_at="after_call").killed
    assert len(life.helpdesk.stored()) == 1
    life.recover()
    assert any(call.startswith("GET") for call in life.helpdesk.calls())
    life.assert_whole()


def test_harness_catches_a_build_that_sends_again_without_asking(begin: Callable[..., Life]) -> None:
    life = begin(sources=("blog-comments",))
    assert life.crawl(crash_at="after_call", build="no-lookup").killed
    life.recover(build="no-lookup")
    assert "helpdesk ticket doubled" in {difference.what for difference in life.differences()}


def test_harness_catches_a_build_that_writes_sent_before_it_sends(begin: Callable[..., Life]) -> None:
    life = begin(sources=("blog-comments",))
    assert life.crawl(crash_at="before_call", build="sent-first").killed
    life.recover(build="sent-first")
    assert "helpdesk ticket lost" in {difference.what for difference in life.differences()}


@pytest.mark.slow
def test_harness_catches_a_build_that_remembers_the_answer_before_its_posts(begin: Callable[..., Life]) -> None:
    life = begin(sources=("blog-comments",))
    life.crawl(crash_at="after_commit", build="marks-first")
    life.pass_time()
    life.recover(build="marks-first")
    assert "post lost" in {difference.what for difference in life.differences()}


@pytest.mark.slow
def test_killed_at_each_step_of_the_crawl(begin: Callable[..., Life], town: Town) -> None:
    """The crawl child dies at each step while the sites stay as they are, so that no later answer hides a loss."""
    life = begin()
    for step in IN_THE_CHILD:
        before = len(town.log())
        ended = life.crawl(crash_at=step)
        # Once a run has committed, its repetition is told 304 and does not reach the step again.
        told = [line["status"] for line in town.log(since=before) if line["path"] != "/robots.txt"]
        died = ended.code == 5 or (step == "after_commit" and 304 in told)
        assert died, f"{step}: {ended.code}: {ended.stderr[-1000:]}"
        assert life.none_left()
        life.pass_time()
    life.recover()
    life.assert_whole()


@pytest.mark.slow
@pytest.mark.postgres
def test_killed_on_postgresql(begin: Callable[..., Life], town: Town, postgres: PostgresServer) -> None:
    life = begin(sources=PLAIN, database_url=postgres.new_database())
    assert life.crawl(crash_at="before_commit").code == 5
    life.pass_time()
    for step in ("after_triage", "after_call", "before_settle"):
        assert life.crawl(crash_at=step).killed, f"no process reached {step}"
        life.pass_time()
        town.advance()
    life.recover()
    life.assert_whole()


@pytest.mark.slow
def test_killed_at_random_moments(begin: Callable[..., Life], town: Town) -> None:
    """Parents and children die while people write and edit; what was served in between counts all the same."""
    life, dice = begin(sources=("blog-comments", "city-news", "money-forum")), random.Random(20)
    life.crawl_killed_after(2.0, dice)
    life.pass_time()
    life.crawl()
    usual = life.crawl().seconds
    for _ in range(RANDOM_KILLS):
        town.advance()
        life.crawl_killed_after(dice.uniform(0.1, 0.8) * usual, dice)
        assert life.none_left(), "a process outlived the one that started it"
        life.pass_time()
    life.recover()
    life.assert_whole()
    assert life.kills >= RANDOM_KILLS // 2


@pytest.mark.slow
def test_helpdesk_that_fails_three_times_in_ten(begin: Callable[..., Life]) -> None:
    life = begin(sources=("blog-comments", "money-forum"))
    life.helpdesk.mode("faulty")
    life.crawl()
    life.recover(tries=30)
    life.assert_whole()
    assert sum(not call.endswith(" ok") for call in life.helpdesk.calls()) >= 3
