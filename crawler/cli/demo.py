"""`demo`: the town is crawled, the second crawl shows that nothing doubles, the ledger proves it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crawler.app import App
from crawler.cli.common import Exit, Progress, emit, say, show
from crawler.cli.town import Town

MENTION_COLUMNS = ("source", "language", "tone", "intent", "status", "text")
TIDE_SECONDS = 30
TICKET_COLUMNS = ("key", "priority", "sink", "status", "subject", "reason")


def play(once: bool, folder: Path | None, as_json: bool) -> int:
    """The whole play; the exit code is 0 when every promise it shows held."""
    begun = time.monotonic()
    place = folder or Path(tempfile.mkdtemp(prefix="mention-crawler-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    town = Town()
    try:
        town.start()
        app = _open(town, place)
        code = _two_crawls(app, town, as_json, begun)
        app.close()
        if once or code:
            return code
        return _stay(town, place)
    finally:
        town.stop()
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _open(town: Town, place: Path) -> App:
    browser = _browser_found()
    if not browser:
        say("no browser found: the page drawn by JavaScript is left out (apt install chromium brings it in)")
    path = place / "mention-crawler.yaml"
    path.write_text(town.config(place / "data", browser=browser), encoding="utf-8")
    say(f"a small town of sites runs on this machine; its config is {path}\n")
    return App.load(str(path))


def _two_crawls(app: App, town: Town, as_json: bool, begun: float) -> int:
    first = _crawl(app, as_json, "first crawl")
    _show_findings(app, as_json)
    say(f"first tickets {time.monotonic() - begun:.0f} s after the start\n")
    town.advance()
    say("the town lives on: people edit and write. Crawling again ...")
    second = _crawl(app, as_json, "second crawl")
    new, edited, again = (
        sum(getattr(r, name) for r in second.results) for name in ("posts_new", "posts_edited", "posts_seen")
    )
    tickets = second.worked.triaged.ticketed
    say(f"second crawl: {new} new posts, {edited} edited, {again} seen again; {tickets} new tickets, none twice\n")
    return _close_books(app, first, second, as_json)


def _crawl(app: App, as_json: bool, title: str) -> Any:
    from crawler.app.crawling import crawl
    from crawler.cli.crawl import report

    bars: list[Progress] = []

    def bar(name: str) -> Progress:
        if bars:
            bars[-1].end()
        bars.append(Progress(f"{title}: {name}", quiet=as_json))
        return bars[-1]

    crawled = crawl(app, None, bar)
    for each in bars[-1:]:
        each.end()
    report(crawled, as_json)
    return crawled


def _show_findings(app: App, as_json: bool) -> None:
    from crawler.app.views import mention_rows, ticket_rows

    if not as_json:
        print("\nMentions (the newest of each source)")
    show(_some_of_each(mention_rows(app, {}, 0), "source", 3), MENTION_COLUMNS, as_json)
    if not as_json:
        print("\nTickets, with the reason why (some of each priority)")
    show(_some_of_each(ticket_rows(app, {}, 0), "priority", 4), TICKET_COLUMNS, as_json)


def _some_of_each(rows: Iterable[Mapping[str, Any]], column: str, count: int) -> list[Mapping[str, Any]]:
    """The first `count` rows of each value of `column`, in the order they come."""
    seen: Counter[Any] = Counter()
    chosen = []
    for row in rows:
        seen[row[column]] += 1
        if seen[row[column]] <= count:
            chosen.append(row)
    return chosen


def _close_books(app: App, first: Any, second: Any, as_json: bool) -> int:
    books = app.books()
    if as_json:
        emit({"sentence": books.sentence, "gaps": list(books.gaps)})
    else:
        print(books.sentence)
    for gap in books.gaps:
        say(f"gap: {gap}")
    failed = [r for crawled in (first, second) for r in crawled.results if r.verdict == "failed"]
    for result in failed:
        say(f"{result.source} failed: {result.error}")
    if books.gaps:
        return Exit.UNACCOUNTED
    return Exit.SOME_SOURCES_FAILED if failed else Exit.OK


def _stay(town: Town, place: Path) -> int:
    from console import web
    from crawler.app.service import serve

    town.keep_moving(TIDE_SECONDS)
    say(f"the service goes on and people write every {TIDE_SECONDS} seconds; Ctrl-C ends it")
    return serve(str(place / "mention-crawler.yaml"), web)


def _browser_found() -> bool:
    from crawler.app.health import browser_path

    return browser_path() is not None
