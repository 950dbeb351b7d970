"""The crawl child with real Scrapy, a database and a site on loopback: what happens when things break half way."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from crawl_kit import Place, Site, crew_of, wait

from crawler.engine import osproc
from crawler.engine.processes import MIB, Limits
from crawler.model import Verdict

pytestmark = pytest.mark.e2e

HANGS = '''
import ctypes
from spiders.base import SourceSpider

class Hangs(SourceSpider):
    """Its parser sleeps in C: the loop stands still, as it would in lxml."""
    kind = "hangs"
    def posts(self, response):
        ctypes.CDLL(None).sleep(600)
        return ()
'''
SWELLS = '''
from spiders.base import SourceSpider

class Swells(SourceSpider):
    """Its parser takes memory by the mebibyte and keeps it."""
    kind = "swells"
    def posts(self, response):
        hoard = []
        while True:
            hoard.append(bytearray(b"x") * (1 << 20))
'''


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def feeds(site: Site, count: int, posts: int = 20) -> list[tuple[str, str, dict[str, str]]]:
    """Give the site feeds of their own posts, and make a source for each."""
    site.feeds = {f"/feed/{n}": [f"{n}-{i}" for i in range(posts)] for n in range(count)}
    return [(f"feed-{n}", "feed", {"url": f"{site.url}/feed/{n}"}) for n in range(count)]


def test_posts_are_stored_once_however_often_they_are_seen(site: Site, place: Place) -> None:
    place.sources(*feeds(site, 3))
    with crew_of(place) as crew:
        first = place.crawl(crew)
        again = place.crawl(crew)
        site.feeds["/feed/1"] = [*site.feeds["/feed/1"], "1-fresh"]
        third = place.crawl(crew)
        assert list(crew.pids().values()) == ["http"]
    assert [(r.verdict, r.posts_new, r.posts_seen) for r in first.values()] == [(Verdict.OK, 20, 0)] * 3
    assert [(r.verdict, r.posts_new, r.posts_seen) for r in again.values()] == [(Verdict.OK, 0, 20)] * 3
    assert third["feed-1"].posts_new == 1
    assert place.keys() == site.truth()
    place.balance()
    assert place.failed == {}


def test_what_went_wrong_at_the_site_is_the_verdict_of_its_run_only(site: Site, place: Place) -> None:
    place.sources(
        *feeds(site, 1),
        ("gone", "feed", {"url": f"{site.url}/nowhere"}),
        ("closed", "feed", {"url": "http://127.0.0.1:9/"}),
        ("private", "feed", {"url": "http://10.1.2.3/"}),
        ("wrong", "feed", {"url": "no address"}),
    )
    with crew_of(place) as crew:
        results = place.crawl(crew)
    verdicts = {name: result.verdict for name, result in results.items()}
    failed = dict.fromkeys(("gone", "closed", "private", "wrong"), Verdict.FAILED)
    assert verdicts == {"feed-0": Verdict.OK} | failed
    assert "404" in results["gone"].error
    assert "allow_private" in results["private"].error
    assert all(results[name].error for name in failed)


def test_one_source_hangs_in_c_and_the_other_nineteen_finish(site: Site, place: Place) -> None:
    (place.plugin_dir / "hangs.py").write_text(HANGS)
    place.sources(*feeds(site, 19), ("bad", "hangs", {"url": f"{site.url}/feed/0"}))
    begun = time.monotonic()
    with crew_of(place) as crew:
        runs = {run.source.name: run.id for run in place.claim()}
        for run_id in runs.values():
            crew.submit(run_id)
        good = set(runs.values()) - {runs["bad"]}
        wait(lambda: good <= set(place.finished), 30, crew.poll)
        assert time.monotonic() - begun < 30
        wait(lambda: not crew.running(), 30, crew.poll)
    assert list(place.failed) == [runs["bad"]]
    assert "no sign of life" in place.failed[runs["bad"]]
    assert place.store.runs.result(runs["bad"]).verdict is Verdict.FAILED
    assert place.keys() == site.truth()
    place.balance()


def test_a_parser_that_takes_all_memory_fails_alone(site: Site, place: Place) -> None:
    (place.plugin_dir / "swells.py").write_text(SWELLS)
    place.sources(*feeds(site, 3), ("bad", "swells", {"url": f"{site.url}/feed/0"}))
    with crew_of(place, Limits(address_space=1024 * MIB)) as crew:
        results = place.crawl(crew)
        peak = max(worker.child.rss() for worker in crew._workers) if crew.pids() else 0
    assert results.pop("bad").verdict is Verdict.FAILED
    assert {result.verdict for result in results.values()} == {Verdict.OK}
    assert peak < 768 * MIB
    assert place.keys() == site.truth()


def test_a_locked_database_is_waited_for_and_the_child_stays_alive(site: Site, place: Place) -> None:
    place.sources(*feeds(site, 4))
    with crew_of(place, Limits(silence=2.5)) as crew:
        place.crawl(crew)
        before = set(crew.pids())
        site.feeds["/feed/0"] = [*site.feeds["/feed/0"], "0-fresh"]
        for run in place.claim():
            crew.submit(run.id)
        with closing(sqlite3.connect(place.folder / "mentions.db", isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            end = time.monotonic() + 5
            while time.monotonic() < end:
                crew.poll(0.2)
            lock.execute("ROLLBACK")
        wait(lambda: not crew.running(), 30, crew.poll)
        assert set(crew.pids()) == before
    assert place.failed == {}
    assert place.keys() == site.truth()
    place.balance()


@pytest.mark.parametrize("step", ["after_fetch", "after_parse", "before_commit", "after_commit", "before_finish"])
def test_a_child_killed_at_each_step_loses_and_doubles_nothing(
    site: Site, place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    place.sources(*feeds(site, 3))
    with crew_of(place) as crew:
        for run in place.claim():
            crew.submit(run.id)
        monkeypatch.setenv("CRASH_AT", step)
        crew.poll(0)
        monkeypatch.delenv("CRASH_AT")
        first = set(crew.pids())
        wait(lambda: not crew.running(), 30, crew.poll)
        assert not first & set(crew.pids()), "the child was to die"
    assert place.failed == {}
    assert place.keys() == site.truth()
    place.balance()


def test_random_kills_lose_and_double_nothing(site: Site, place: Place) -> None:
    killed = shower_of_kills(site, place, kills=6)
    assert killed == 6


@pytest.mark.slow
def test_many_random_kills_lose_and_double_nothing(site: Site, place: Place) -> None:
    killed = shower_of_kills(site, place, kills=30)
    assert killed == 30


def shower_of_kills(site: Site, place: Place, kills: int, seed: int = 20261122) -> int:
    """Crawl again and again while the child is killed at random moments; new posts come all the time."""
    dice, killed, round_ = random.Random(seed), 0, 0
    sources = feeds(site, 6, posts=8)
    place.sources(*sources)
    with crew_of(place) as crew:
        while killed < kills:
            round_ += 1
            for path in site.feeds:
                site.feeds[path] = [*site.feeds[path], f"{path[6:]}-round-{round_}"]
            for run in place.claim():
                crew.submit(run.id)
            crew.poll(0)
            wait(lambda: any(w.child.beaten for w in crew._workers) or not crew.running(), 30, crew.poll)
            time.sleep(dice.uniform(0, 0.25))
            for pid in crew.pids():
                os.kill(pid, signal.SIGKILL)
                killed += 1
            wait(lambda: not crew.running(), 60, crew.poll)
        place.crawl(crew)
    with closing(sqlite3.connect(place.folder / "mentions.db")) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert place.keys() == site.truth()
    place.balance()
    return min(killed, kills)


@pytest.mark.skipif(not osproc.LINUX, reason="needs SIGSTOP of a process group")
def test_late_writes_of_a_child_that_slept_past_its_lease_are_refused(site: Site, place: Place, tmp_path: Path) -> None:
    place.lease = 2.0
    place.sources(*feeds(site, 1))
    site.slow["/feed/0"] = 2.0
    other = Place(tmp_path, owner="other")
    with crew_of(place) as crew, crew_of(other) as second:
        (slept,) = place.claim()
        crew.submit(slept.id)
        crew.poll(0)
        wait(lambda: any(w.jobs and w.jobs[slept.id].started for w in crew._workers), 20, crew.poll)
        pid = next(iter(crew.pids()))
        os.killpg(pid, signal.SIGSTOP)
        time.sleep(place.lease + 0.5)
        site.slow.clear()
        taken = other.crawl(second)
        os.killpg(pid, signal.SIGCONT)
        end = time.monotonic() + 20
        while slept.id not in place.finished and time.monotonic() < end:
            crew.poll(0.2)
        assert slept.id in place.finished, "a lost lease ends the run quietly"
        assert set(crew.pids()) == {pid}
    assert taken["feed-0"].verdict is Verdict.OK
    assert taken["feed-0"].posts_new == 20
    late = place.store.runs.result(slept.id)
    assert (late.posts_new, late.posts_seen) == (0, 0)
    assert late.verdict is Verdict.FAILED
    state = place.store.sources.get("feed-0")
    assert state.last_verdict == "ok"
    assert state.next_run_at is not None
    assert state.next_run_at > datetime.now(UTC)
    assert place.keys() == site.truth()
    place.balance()
    other.close()
