"""`crawl`, `run`, `preview`, `analyse`, `demo`: the commands that do the main job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crawler.cli.common import ConfigOption, Exit, JsonOption, Progress, emit, printable, say, show
from crawler.cli.discover import app_or_none
from crawler.model import Verdict

if TYPE_CHECKING:
    from crawler.app import App
    from crawler.app.crawling import Crawled
    from crawler.app.preview import Preview

RESULT_COLUMNS = (
    "source", "verdict", "fetched", "posts_new", "posts_seen", "posts_edited", "dropped", "mentions_new", "seconds",
    "error",
)  # fmt: skip


FEW = 5


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(crawl)
    app.command()(run)
    app.command()(preview)
    app.command()(analyse)
    app.command()(demo)


def crawl(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources by name; all when none is named.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Crawl now, then match, tag, decide and deliver until nothing is left."""
    from crawler.app import App
    from crawler.app.crawling import crawl as crawl_all

    app = App.load(config)
    bars: list[Progress] = []
    crawled = crawl_all(app, sources or None, _bars(bars, quiet=as_json))
    for bar in bars:
        bar.end()
    report(crawled, as_json)
    app.close()
    failed = any(result.verdict not in (Verdict.OK, Verdict.EMPTY) for result in crawled.results)
    raise typer.Exit(Exit.SOME_SOURCES_FAILED if failed else Exit.OK)


def report(crawled: Crawled, as_json: bool) -> None:
    """One row a source, then the summary and the next two commands."""
    rows = [_row(result) for result in crawled.results]
    show(rows, RESULT_COLUMNS, as_json, empty="no source to crawl: add one to the config")
    summary = crawled.summary()
    if as_json:
        emit({"summary": True, **summary})
        return
    say(
        f"{summary['tickets_new']} new tickets, {summary['deliveries_sent']} delivered, "
        f"{summary['deliveries_waiting']} waiting, {summary['deliveries_parked']} parked, {summary['review']} to review"
    )
    if crawled.skipped:
        say(
            printable(
                f"{len(crawled.skipped)} sources were left, another process crawls their sites: {_few(crawled.skipped)}"
            )
        )
    if crawled.model_error:
        say(f"mentions wait untagged: {crawled.model_error}")
    if crawled.alerts:
        say(f"{crawled.alerts} alerts are open: mention-crawler alerts list")
    say("next: mention-crawler mentions list   ·   mention-crawler tickets list")


def run(config: ConfigOption = None) -> None:
    """The service: crawls on schedule, works, delivers, watches. SIGTERM drains."""
    from console import web
    from crawler.app.service import serve

    raise typer.Exit(serve(config, web))


def preview(
    source: Annotated[str | None, typer.Argument(help="A source by name, or a URL.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Explain this text instead of fetching.")] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Source kind for a URL; found out when absent.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the posts, what would match and become a ticket, and why. Stores nothing, sends nothing.

    An address is looked at without any config, too; no name is looked for then.
    """
    from crawler.app.preview import preview_source, preview_text

    if text is None and source is None:
        raise typer.BadParameter("name a source, a URL, or give --text")
    with _app_for_a_look(config, text is None and "://" in str(source)) as app:
        seen = preview_text(app, text) if text is not None else preview_source(app, str(source), kind)
    _tell_preview(seen, as_json)
    raise typer.Exit(_preview_exit(seen.network_failed, bool(seen.rows)))


@contextmanager
def _app_for_a_look(config: str | None, at_address: bool) -> Iterator[App]:
    """The app of the config; of none at all where an address is looked at and there is none."""
    from crawler.app.discovering import without_config

    app = app_or_none(config, needed=not at_address)
    if app is None:
        say("no config here: the posts are shown, no name is looked for (`watch NAME` looks for one, `init` keeps it)")
        with without_config() as bare:
            yield bare
        return
    try:
        yield app
    finally:
        app.close()


def _tell_preview(seen: Preview, as_json: bool) -> None:
    columns = ("id", "author", "published_at", "text", "mentions", "would_ticket", "why")
    show(seen.rows, columns, as_json, empty="no posts extracted")
    if as_json:
        block = {"source": seen.proposal.source.raw()} if seen.proposal else {}
        emit({"summary": True, "verdict": seen.verdict, "error": seen.error, **block})
    else:
        print(*seen.explained, sep="\n", end="\n" if seen.explained else "")
        say(printable(f"verdict: {seen.verdict}" + (f" ({seen.error})" if seen.error else "")))
        if seen.proposal:
            say(printable(f"read as this source ({seen.proposal.evidence()}):\n{seen.proposal.source.yaml()}"))


def _preview_exit(network_failed: bool, any_rows: bool) -> int:
    if network_failed:
        return Exit.NETWORK
    return Exit.OK if any_rows else Exit.NOTHING_EXTRACTED


def analyse(
    config: ConfigOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="A model folder or hub id instead of the config's, or `builtin`.")
    ] = None,
) -> None:
    """JSONL {"text", "target"?, "id"?, "lang"?} on stdin -> JSONL with language, tone, intent and how sure, on stdout.

    One line out for each line in, in batches of 64; a line that cannot be read gets an "error", and the exit is 1.
    """
    from crawler.app.analysing import analyse_lines, analyser_of, capped_lines, encoded

    used, sure = analyser_of(config, model)
    bad = 0
    for row in analyse_lines(capped_lines(sys.stdin.buffer), used, sure):
        bad += "error" in row
        sys.stdout.buffer.write(encoded(row))
        sys.stdout.buffer.flush()
    if bad:
        say(f"{bad} lines could not be read; their answers say why")
        raise typer.Exit(Exit.FAILED)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the second crawl.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where to keep the demo's data; a temporary folder else.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A small town of sites on this machine is crawled, tagged and ticketed before your eyes; needs no network."""
    from crawler.cli.demo import play

    raise typer.Exit(play(once=once, folder=folder, as_json=as_json))


def _few(names: list[str]) -> str:
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


def _row(result: Any) -> dict[str, Any]:
    return {**asdict(result), "seconds": round(result.seconds, 2)}


def _bars(bars: list[Progress], quiet: bool) -> Callable[[str], Progress]:
    def bar(title: str) -> Progress:
        if bars:
            bars[-1].end()
        bars.append(Progress(title, quiet))
        return bars[-1]

    return bar
