"""`watch NAME` as a process against an API on this machine: live, in a pipe, interrupted, and with nobody there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from e2e.installation import COMMAND, MARK, Installation, until
from e2e.rough_site import Request, RoughSite

pytestmark = pytest.mark.e2e
START = 1_780_000_000


class Search:
    """The search of a platform, in the form of kind `hackernews`; `said` grows while it is watched."""

    def __init__(self) -> None:
        self.site = RoughSite()
        self.said = ["Nova Pay charged me twice, nobody answers. Terrible!", "I love tea", "Thanks НоваПей, great job"]
        self.site.routes["/api/v1/search_by_date*"] = self._answer

    def _answer(self, request: Request) -> None:
        hits = [
            {"objectID": str(n), "comment_text": text, "author": "ann", "created_at_i": START + 60 * n, "story_id": 1}
            for n, text in enumerate(self.said, 1)
        ]
        request.send(json.dumps({"hits": hits[::-1]}), "application/json")

    def options(self) -> tuple[str, ...]:
        return "--source", "hackernews", "--base-url", f"hackernews={self.site.url}"


@pytest.fixture
def search() -> Iterator[Search]:
    made = Search()
    yield made
    made.site.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    """A folder with nothing in it; what still runs at the end is ended."""
    made = Installation(tmp_path / "empty", {"TMPDIR": str(tmp_path)})
    yield made
    made.kill_all()


def begun(place: Installation, *arguments: str) -> subprocess.Popen[str]:
    """The command without any config in sight."""
    environment = {**os.environ, **place.env, MARK: place.mark, "HOME": str(place.folder.parent)}
    environment.pop("MENTION_CRAWLER_CONFIG", None)
    return subprocess.Popen(
        [str(COMMAND), "watch", *arguments],
        cwd=place.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=200)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def shut(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_mentions_come_live_with_their_tone_and_ctrl_c_sums_up(place: Installation, search: Search) -> None:
    process = begun(place, "Nova Pay", *search.options(), "--json", "--every", "1s")
    told: list[str] = []
    reading = threading.Thread(target=lambda: told.extend(process.stdout or ()), daemon=True)
    reading.start()
    until(lambda: len(told) == 2, 150, "the mentions that are there")
    search.said.append("What are the fees of Nova Pay?")
    until(lambda: len(told) == 3, 150, "the one that came later")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    reading.join()
    shut(process)
    first, second, third, summary = rows("".join(told))
    assert [row["id"] for row in (first, second, third)] and first["published_at"] < second["published_at"]
    assert (first["tone"], first["source"], first["author"]) == ("negative", "hackernews", "ann")
    assert (second["tone"], third["intent"]) == ("positive", "question")
    assert first["url"] == "https://news.ycombinator.com/item?id=1"
    assert (summary["summary"], summary["mentions"], summary["tones"]["negative"]) == (True, 3, 1)
    assert list(place.folder.iterdir()) == [], "nothing is left behind"
    assert [path for path in place.folder.parent.iterdir() if path.name.startswith("mention-crawler")] == []


def test_once_saves_a_config_that_checks_and_crawls(place: Installation, search: Search) -> None:
    code, out, err = ended(begun(place, "Nova Pay", *search.options(), "--once", "--save"))
    assert (code, len(out.splitlines())) == (0, 2), err
    assert "negative" in out.splitlines()[0] and out.splitlines()[0].endswith("item?id=1")
    assert "2 mentions" in err and "wrote" in err
    config = place.folder / "mention-crawler.yaml"
    text = config.read_text(encoding="utf-8")
    assert "# other spellings" in text
    place.run("check")
    [crawled, _] = place.json("crawl")
    assert (crawled["source"], crawled["verdict"], crawled["mentions_new"]) == ("hackernews", "ok", 2)
    code, _, err = ended(begun(place, "Nova Pay", *search.options(), "--once", "--save"))
    assert (code, config.read_text(encoding="utf-8")) == (2, text)
    assert "already there" in err


def test_what_is_older_is_counted_and_not_shown(place: Installation, search: Search) -> None:
    code, out, err = ended(begun(place, "Nova Pay", *search.options(), "--once", "--since", "1h"))
    assert (code, out) == (0, "")
    assert "2 older than --since are not shown" in err


def test_one_that_fails_stops_no_other(place: Installation, search: Search) -> None:
    """The instance of the second kind answers 404 to everything: one line, and the first goes on."""
    also = ("--source", "lemmy", "--base-url", f"lemmy={search.site.url}")
    code, out, err = ended(begun(place, "Nova Pay", *search.options(), *also, "--once", "--json"))
    assert code == 0
    *_, summary = rows(out)
    assert {row["source"]: row["mentions"] for row in summary["sources"]} == {"hackernews": 2, "lemmy": 0}
    assert [line.startswith("lemmy: ") for line in err.splitlines()].count(True) == 1


@pytest.mark.parametrize(
    ("name", "asked"),
    [('Ладна "Пей" & Co 🦊', "Ладна Пей & Co 🦊"), ("Ladna Pay " * 20, ("Ladna Pay " * 10).strip())],
)
def test_odd_names_are_asked_for_as_they_are_and_saved(
    place: Installation, search: Search, name: str, asked: str
) -> None:
    said = name.strip()[:99] if "Ladna" in name else name
    search.said = [f"I wrote to {said} twice, nobody answers!"]
    code, out, err = ended(begun(place, name, *search.options(), "--once", "--save", "--json"))
    assert code == 0, err
    queries = [parse_qs(urlsplit(path).query)["query"][0] for path in search.site.asked if "search_by" in path]
    assert f'"{asked}"' in queries and all(query.count('"') == 2 for query in queries)
    assert ("only its first 99" in err) is (len(name) > 100)
    *_, summary = rows(out)
    assert summary["mentions"] == 1, err
    place.run("check")
    [crawled, _] = place.json("crawl")
    assert (crawled["verdict"], crawled["mentions_new"]) == ("ok", 1)


def test_one_that_limits_is_named_once_however_often_it_is_asked(place: Installation, search: Search) -> None:
    search.site.routes["/api/v3*"] = lambda request: request.send("slow down", status=429)
    search.site.routes["/api/v4*"] = search.site.routes["/api/v3*"]
    also = ("--source", "lemmy", "--base-url", f"lemmy={search.site.url}", "--every", "1s")
    process = begun(place, "Nova Pay", *search.options(), *also)
    until(lambda: search.site.asked.total() > 6, 120, "rounds")
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, out.count("twice")) == (0, 1)
    assert err.count("lemmy: failed") == 1 and "429" in err, err
    assert "2 mentions: 1 negative, 1 positive" in err


def test_nobody_there_is_said_plainly(place: Installation) -> None:
    closed = RoughSite()
    closed.close()
    options = ("--source", "hackernews", "--base-url", f"hackernews={closed.url}")
    code, out, err = ended(begun(place, "Nova Pay", *options, "--save"))
    assert (code, out) == (4, "")
    assert "no source could be reached" in err
    assert not (place.folder / "mention-crawler.yaml").exists()


def test_a_pipe_that_closes_ends_it_in_peace(place: Installation, search: Search) -> None:
    process = begun(place, "Nova Pay", *search.options(), "--every", "1s")
    assert process.stdout is not None
    assert "twice" in process.stdout.readline()
    process.stdout.close()
    begin = time.monotonic()
    while process.poll() is None:
        search.said.append(f"Nova Pay again, number {len(search.said)}")
        time.sleep(0.5)
        assert time.monotonic() - begin < 150
    assert process.returncode == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    shut(process)
