"""`sources packs` and `sources import`: ready blocks, and what other tools know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crawler.cli.common import ConfigOption, Exit, JsonOption, emit, printable, say, show
from crawler.cli.discover import save_blocks

MOST_SHOWN = 20


def add_to(sources: typer.Typer) -> None:
    """Register the commands in the group `sources`."""
    sources.command("packs")(packs)
    sources.command("import")(import_list)


def packs(
    name: Annotated[str | None, typer.Argument(help="A pack, to see its blocks.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ready source blocks by country and branch; `init --pack NAME` writes them. `proved` says what was really read."""
    from crawler.app.naming import demand
    from crawler.app.packs import packs as every

    found = every()
    demand("pack", name, found)
    if name is None:
        columns = ("pack", "country", "branch", "language", "sources", "to_fill", "proved", "title")
        show((pack.as_row() for pack in found.values()), columns, as_json)
        return
    if as_json:
        emit(found[name].as_row())
        return
    print(f"# {found[name].title}; {found[name].checked}")
    for source in found[name].sources([]):
        print(source.yaml(), end="")


def import_list(
    file: Annotated[Path, typer.Argument(help="OPML of a feed reader, or a CSV or text with addresses.")],
    kind: Annotated[str, typer.Option("--kind", help="Kind of the sources made of plain addresses.")] = "feed",
    save: Annotated[bool, typer.Option("--save", help="Write the sources into the config.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make source blocks of the subscriptions of a feed reader (OPML), or of a list of addresses."""
    from crawler.app.importing import read_list

    told = read_list(file, kind)
    for problem in told.unusable[:MOST_SHOWN]:
        say(printable(str(problem)))
    if len(told.unusable) > MOST_SHOWN:
        say(f"and {len(told.unusable) - MOST_SHOWN} more of this sort")
    if save:
        from crawler.app import App

        save_blocks(App.load(config), told.blocks)
    for block in () if save and not as_json else told.blocks:
        if as_json:
            emit(block.raw())
        else:
            print(block.yaml(), end="")
    doubles = f", {told.doubles} stand there twice" if told.doubles else ""
    say(f"{len(told.blocks)} sources, {len(told.unusable)} unusable{doubles}")
    raise typer.Exit(Exit.OK if told.blocks else Exit.NOTHING_EXTRACTED)
