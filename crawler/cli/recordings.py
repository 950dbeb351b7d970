"""`sources record` and `sources selftest`: real answers kept, and read again to see which platform changed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.cli.common import ConfigOption, Exit, JsonOption, emit, printable, say, show, with_config
from crawler.cli.discover import app_or_none

if TYPE_CHECKING:
    from crawler.app.recordings import Tested

_COLUMNS = ("what", "kind", "state", "posts", "why")


def add_to(sources: typer.Typer) -> None:
    """Register the commands in the group `sources`."""
    sources.command("record")(record)
    sources.command("selftest")(selftest)
    sources.command("sample")(sample)


def record(
    source: Annotated[str, typer.Argument(help="A source by name, or a URL.")],
    into: Annotated[
        Path | None, typer.Option("--into", help="Folder of recordings; `recordings` beside the config else.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep one real answer and the posts read from it; cookies, keys and secrets are taken out."""
    from crawler.app import App
    from crawler.app.recordings import record as keep

    app = App.load(config)
    kept = keep(app, source, into)
    if as_json:
        emit({"folder": str(kept.folder), "posts": kept.posts, "verdict": kept.verdict, "bytes": kept.bytes})
    else:
        print(kept.folder)
        where = with_config(app.config.path) + (f" --from {shlex.quote(str(into))}" if into else "")
        say(f"{kept.posts} posts, {kept.bytes} bytes; next: mention-crawler sources selftest{where}")
    raise typer.Exit(Exit.OK if kept.posts else Exit.NOTHING_EXTRACTED)


def selftest(
    sources: Annotated[list[str] | None, typer.Argument(help="With --online: only these sources.")] = None,
    online: Annotated[bool, typer.Option("--online", help="Also fetch one live answer of each source.")] = False,
    recordings: Annotated[
        Path | None, typer.Option("--from", help="Folder of recordings; `recordings` beside the config else.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read all recordings again, those that are shipped and your own; online, tell which platform changed its shape."""
    from crawler.app.recordings import FOLDER, shipped
    from crawler.app.recordings import online as live
    from crawler.app.recordings import selftest as reread

    if sources and not online:
        raise typer.BadParameter("naming sources needs --online; recordings are always read all together")
    app = app_or_none(config, needed=online)
    own = recordings or (app.config.path.parent / FOLDER if app else Path(FOLDER))
    folders = [shipped(), own]
    told = _tell([] if sources else reread(app, folders), as_json)
    if app is not None and online:
        told += _tell(live(app, sources or (), folders), as_json)
    raise typer.Exit(_end(told))


def sample(
    source: Annotated[str, typer.Argument(help="A source by name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the last good answer of a source, kept since before it went wrong; exit 3 where there is none yet."""
    from crawler.app import App
    from crawler.app.recordings import last_good

    app = App.load(config)
    kept = last_good(app, source)
    app.close()
    if kept is None:
        say(f"{source}: no good answer yet; the crawls of a source keep one")
        raise typer.Exit(Exit.NOTHING_EXTRACTED)
    text = kept.body.decode(kept.charset, "replace")
    about = {"url": kept.url, "fetched_at": kept.fetched_at, "posts": kept.posts, "bytes": len(kept.body)}
    if as_json:
        emit(about | {"body": text})
        return
    say(printable(f"{kept.posts} posts, fetched {kept.fetched_at:%Y-%m-%d %H:%M} UTC from {kept.url}"))
    print(printable(text))


def _tell(tested: Iterable[Tested], as_json: bool) -> list[Tested]:
    """All of them as JSON lines; for people those that are not as they were, and a sum."""
    told = []
    for one in tested:
        told.append(one)
        if as_json:
            emit(one.as_row())
    if not as_json and told:
        other = [one.as_row() for one in told if one.state != "ok" or one.online]
        if other:
            show(other, _COLUMNS, as_json)
        what = "sources" if told[0].online else "recordings"
        good = sum(one.state == "ok" for one in told)
        say(f"{good} of {len(told)} {what} are as they were")
    return told


def _end(told: list[Tested]) -> int:
    """Recordings that read otherwise are our fault; sources that changed are the platform's."""
    if any(one.state != "ok" and not one.online for one in told):
        return Exit.FAILED
    return Exit.SOME_SOURCES_FAILED if any(one.state not in ("ok", "empty") for one in told) else Exit.OK
