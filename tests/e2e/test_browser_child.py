"""Browser runs: each in a child of its own; whatever dies, the run says so, nothing is left, and the next run works."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crawl_kit import Place, Site, crew_of, wait

from crawler.engine import osproc
from crawler.engine.processes import MIB, CrawlCrew, Limits
from crawler.model import Verdict
from spiders.render import browser_path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.browser,
    pytest.mark.skipif(not osproc.LINUX, reason="needs /proc"),
    pytest.mark.skipif(browser_path() is None, reason="no browser on this machine"),
]

PAGE = """<!doctype html><meta charset=utf-8><title>Відгуки</title><div id=list></div><script>
setTimeout(() => {{
  for (const id of {ids})
    list.insertAdjacentHTML("beforeend", `<article id="${{id}}"><p>Відгук ${{id}}: банк не відповідає.</p></article>`)
}}, {delay})
</script>"""
SETTINGS = {"item": "article", "fields": {"text": "p", "id": "@id"}, "wait_for": "article"}
VICTIMS = ("browser", "browser", "driver", "browser", "renderer", "browser", "child", "browser")


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    served.pages["/reviews"] = PAGE.format(ids=[f"r-{n}" for n in range(10)], delay=800)
    yield served
    served.close()


@pytest.fixture
def place(tmp_path: Path, site: Site) -> Iterator[Place]:
    made = Place(tmp_path)
    made.sources(("reviews", "browser", {"url": f"{site.url}/reviews", **SETTINGS}))
    yield made
    made.close()


def markers(crew: CrawlCrew) -> list[str]:
    return [worker.child.start.marker for worker in crew._workers]


def relatives() -> set[int]:
    """Everybody that a crew of this process ever started and that still lives, children of other tests excepted."""
    return {pid for pid in osproc.table() if (osproc.marker_of(pid) or "").startswith(osproc.crew_marker())}


def test_a_drawn_page_is_stored_and_nobody_stays(site: Site, place: Place) -> None:
    with crew_of(place) as crew:
        results = place.crawl(crew, browser=True, seconds=60)
        wait(lambda: not crew.pids(), 15, crew.poll)
        assert relatives() == set()
        again = place.crawl(crew, browser=True, seconds=60)
    assert results["reviews"].verdict is Verdict.OK, results
    assert (results["reviews"].posts_new, again["reviews"].posts_seen) == (10, 10)
    assert place.failed == {}
    place.balance()


def test_a_killed_browser_fails_its_run_and_the_next_one_is_complete(site: Site, place: Place) -> None:
    shower(place, kills=3, complete_every=3)


@pytest.mark.slow
def test_twenty_kills_at_random_moments(site: Site, place: Place) -> None:
    shower(place, kills=20, complete_every=5)


def shower(place: Place, kills: int, complete_every: int, seed: int = 20261122) -> None:
    dice = random.Random(seed)
    with crew_of(place) as crew:
        for number in range(kills):
            (run,) = place.claim()
            crew.submit(run.id, browser=True)
            victim = VICTIMS[number % len(VICTIMS)]
            struck = strike(crew, run.id, victim, dice.uniform(0.0, 0.7))
            wait(lambda: not crew.running(), 30, crew.poll)
            result = place.store.runs.result(run.id)
            assert time.monotonic() - struck < 30
            assert result.verdict is Verdict.FAILED, (number, victim, result)
            assert result.error
            wait(lambda: not crew.pids(), 15, crew.poll)
            assert relatives() == set(), (number, victim)
            if number % complete_every == complete_every - 1:
                complete(place, crew)
    place.balance()


def strike(crew: CrawlCrew, run_id: int, victim: str, delay: float) -> float:
    """Kill one process of the run a moment after the browser has come up; when that was."""
    found: set[int] = set()

    def up() -> bool:
        nonlocal found
        found = victims(crew, victim)
        return bool(found) and bool(victims(crew, "browser"))

    wait(up, 60, crew.poll)
    end = time.monotonic() + delay
    while time.monotonic() < end:
        crew.poll(0.05)
    assert crew.running() == (run_id,), "the run was over before the blow"
    for pid in victims(crew, victim):
        os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def victims(crew: CrawlCrew, victim: str) -> set[int]:
    if not crew.pids():
        return set()
    (marker,), (child,) = markers(crew), crew.pids()
    if victim == "child":
        return {child}
    tree = osproc.family(marker, child)
    lines = {pid: cmdline(pid) for pid in tree}
    if victim == "renderer":
        return {pid for pid, line in lines.items() if "--type=renderer" in line}
    if victim == "driver":
        return {pid for pid, line in lines.items() if "run-driver" in line}
    return osproc.browsers(tree)


def cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def complete(place: Place, crew: CrawlCrew) -> None:
    result = place.crawl(crew, browser=True, seconds=60)["reviews"]
    assert result.verdict is Verdict.OK, result
    assert place.keys() == {f"r-{n}" for n in range(10)}
    wait(lambda: not crew.pids(), 15, crew.poll)


def test_a_browser_that_takes_too_much_memory_is_put_away(site: Site, place: Place) -> None:
    site.pages["/reviews"] = PAGE.format(ids=["r-0"], delay=12_000)
    with crew_of(place, Limits(browser_tree=150 * MIB)) as crew:
        results = place.crawl(crew, browser=True, seconds=60)
        assert relatives() == set()
    assert results["reviews"].verdict is Verdict.FAILED
    assert "150 MiB" in results["reviews"].error


PARENT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from crawl_kit import Place
from crawler.engine import osproc
if __name__ == "__main__":
    place = Place(Path({folder!r}))
    crew = place.crew()
    (run,) = place.claim()
    crew.submit(run.id, browser=True)
    told = False
    while True:
        crew.poll(0.1)
        tree = set().union(*(osproc.family(w.child.start.marker, w.child.pid) for w in crew._workers))
        if not told and osproc.browsers(tree) and len(tree) > 6:
            told = True
            print(*tree, crew._watcher.pid, flush=True)
"""


def test_a_killed_parent_leaves_no_browser(site: Site, place: Place, tmp_path: Path) -> None:
    site.pages["/reviews"] = PAGE.format(ids=["r-0"], delay=12_000)
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(tests=str(Path(__file__).parent), folder=str(place.folder)))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) > 6
        parent.kill()
    wait(lambda: not any((proc := osproc.read(pid)) and proc.state not in "ZX" for pid in pids), 10)
