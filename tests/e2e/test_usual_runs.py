"""What a source usually gives, learned from real crawls: what breaks is told within two runs, until it is well again.

Each run comes twelve hours after the one before, by a clock that the child reads from a file; real Scrapy, a loopback
site, both databases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from crawl_kit import Site, wait
from e2e.site import forum

from crawler.app import App, health
from crawler.app.hosting import make_tools as real_tools
from crawler.app.recordings import last_good, online
from crawler.app.syncing import sync
from crawler.engine.processes import CrawlCrew, Limits
from crawler.model import CrawlResult
from crawler.stages.crawl import Tools, child_main
from crawler.store import Store

pytestmark = pytest.mark.e2e
GOOD = 7
SETTINGS = "item: article.message, fields: {text: .body, author: .who, url: a.link@href}"
WALL = "<title>Please log in</title><p>You must be logged in to view this board.</p><input type='password'>"


class Clock:
    """The present moment and some hours, which a file holds."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=float(self.path.read_text() or 0))


def make_tools(config: str, url: str, clock: Path) -> Tools:
    """In the child: the tools of the app, with a store that reads our clock."""
    return replace(real_tools(config, url), store=Store.open(url, durable=False, now=Clock(clock)))


class World:
    """A database, a site with a page for each source, and a crawl child over them."""

    def __init__(self, folder: Path, url: str, names: tuple[str, ...]) -> None:
        self.site, self.names, self.hours = Site(), names, 0.0
        self.clock = folder / "clock"
        self.clock.write_text("0")
        config = folder / "mention-crawler.yaml"
        sources = "".join(
            f"  - {{name: {name}, kind: page, url: '{self.site.url}/{name}', {SETTINGS}}}\n" for name in names
        )
        config.write_text(f"network: {{allow_private: [127.0.0.1]}}\ndatabase: {{url: '{url}'}}\nsources:\n{sources}")
        self.app = App.load(str(config))
        self.store = self.app.__dict__["store"] = Store.open(url, now=Clock(self.clock))
        sync(self.app)
        self.ended: list[int] = []
        self.broken: dict[int, str] = {}
        arguments = (make_tools, str(config), url, self.clock)
        self.crew = CrawlCrew(child_main, arguments, Limits(), self.ended.append, self.broken.__setitem__)

    def crawl(self, hours: float = 12.0) -> dict[str, CrawlResult]:
        """One run of each source, some hours after the last; then the look that raises and ends alerts."""
        self.hours += hours
        self.clock.write_text(str(self.hours))
        found = {}
        for name in self.names:
            [run] = self.store.sources.claim("test", [name], datetime.now(UTC) + timedelta(hours=self.hours), 60.0, 1)
            self.crew.submit(run.id)
            wait(lambda: not self.crew.running(), 60, self.crew.poll)
            assert not self.broken
            found[name] = self.store.runs.result(run.id)
        health.watch(self.app)
        return found

    def alerts(self) -> dict[str, str]:
        """Open alerts by source."""
        return {str(alert.source): alert.cause for alert in self.store.alerts.open() if alert.source}

    def close(self) -> None:
        self.crew.kill()
        self.store.close()
        self.site.close()


@pytest.fixture
def world(store_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(tmp_path, store_url, request.param)
    yield made
    made.close()


def board(first: int, count: int = 20) -> str:
    return forum(
        *(
            (str(n), f"writer{n % 7}", f"Post {n}: the transfer has not come for three days.")
            for n in range(first, first + count)
        )
    )


@pytest.mark.parametrize("world", [("emptied", "walled", "redrawn", "nameless")], indirect=True)
def test_what_breaks_is_told_within_two_runs_and_ends_when_it_is_well(world: World) -> None:
    pages = world.site.pages
    for turn in range(GOOD):
        pages.update({f"/{name}": board(3 * turn) for name in world.names})
        assert {one.verdict.value for one in world.crawl().values()} == {"ok"}
        assert world.alerts() == {}
    good = board(3 * GOOD - 3)
    pages["/emptied"] = forum()
    pages["/walled"] = WALL
    pages["/redrawn"] = good.replace("article", "section")
    pages["/nameless"] = board(3 * GOOD).replace("class='who'", "class='person'")
    found = world.crawl()
    assert {name: one.verdict.value for name, one in found.items()} == {
        "emptied": "changed", "walled": "blocked", "redrawn": "changed", "nameless": "changed",
    }  # fmt: skip
    assert set(world.alerts()) == set(world.names)
    assert "never were fewer than 20" in world.alerts()["emptied"]
    assert "no author" in world.alerts()["nameless"]
    for name in world.names:
        kept = last_good(world.app, name)
        assert kept is not None and kept.posts == 20, name
        assert f"Post {3 * GOOD - 3}:".encode() in kept.body and b"class='who'" in kept.body
    told = {one.what: (one.state, one.why) for one in online(world.app, ["nameless", "emptied"], [])}
    assert told["nameless"] == ("changed", "used to be filled and is empty now: author")
    assert told["emptied"] == ("changed", f"no posts, and its {GOOD} crawls so far all showed some")
    pages.update({f"/{name}": board(3 * GOOD + 3) for name in world.names})
    assert {one.verdict.value for one in world.crawl().values()} == {"ok"}
    assert world.alerts() == {}


@pytest.mark.parametrize("world", [("young", "new")], indirect=True)
def test_a_young_list_that_vanishes_is_told_and_one_that_only_began_is_not(world: World) -> None:
    """Some minutes are enough for a list that keeps its posts; of one with nothing but new posts nobody knows yet."""
    for turn in range(3):
        world.site.pages |= {"/young": board(turn, 8 + turn), "/new": board(100 * turn, 5 + 9 * turn)}
        world.crawl(0.1)
    world.site.pages |= {"/young": forum(), "/new": forum()}
    assert {name: one.verdict.value for name, one in world.crawl(0.1).items()} == {"young": "changed", "new": "empty"}
    assert set(world.alerts()) == {"young"}


@pytest.mark.parametrize("world", [("moody",)], indirect=True)
def test_a_source_of_bursts_that_is_still_at_night_raises_no_alert(world: World) -> None:
    """Two weeks, a run every six hours, 0 to 40 posts by day and none at night, none of them shown twice."""
    chance, first, verdicts = Random(11), 0, []
    for turn in range(56):
        count = 0 if turn % 4 == 0 else chance.randint(0, 40)
        world.site.pages["/moody"] = board(first, count)
        first += count
        verdicts.append(world.crawl(6.0)["moody"].verdict.value)
        assert world.alerts() == {}, (turn, count)
    assert set(verdicts) == {"ok", "empty"}
    world.site.pages["/moody"] = WALL
    world.crawl(6.0)
    assert "log-in page" in world.alerts()["moody"]
