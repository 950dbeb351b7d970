"""`discover URL`: how a site could be read, with the source blocks that were proved on it, ready to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crawler.cli.common import ConfigOption, Exit, JsonOption, emit, printable, say, with_config

if TYPE_CHECKING:
    from crawler.app import App
    from crawler.app.discovering import Discovered, Proposal
    from crawler.app.source_text import SourceText


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(discover)


def discover(
    url: Annotated[str, typer.Argument(help="A site, a forum, a channel, an app: any address.")],
    word: Annotated[
        list[str] | None, typer.Option("--word", help="What platforms are asked for; the brands of the config else.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Write the best proposal into the config.")] = False,
    pick: Annotated[
        list[int] | None, typer.Option("--pick", min=1, help="Write this proposal (its number) into the config.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find out how a site can be read: feeds, sitemaps, forum programs, platforms; each is tried before it is told."""
    from crawler.app.discovering import discover as explore

    app = app_or_none(config, needed=save or bool(pick))
    if not as_json:
        say(f"looking at {url}: at most 25 requests, as polite as a crawl")
    found = explore(app, url, tuple(word or ()))
    for number, proposal in enumerate(found.proposals, 1):
        if as_json:
            emit({"number": number, **proposal.as_row()})
        else:
            _tell(number, proposal)
    for note in found.notes:
        say(printable(note))
    if app is not None:
        _save(app, found, [1] if save and not pick else pick or [])
    raise typer.Exit(_end(found, as_json, save or bool(pick)))


def app_or_none(config: str | None, needed: bool) -> App | None:
    """The app of the config; none where there is no config and none is needed."""
    from crawler.app import App
    from crawler.errors import NotFound

    try:
        return App.load(config)
    except NotFound:
        if needed or config is not None:
            raise
        return None


def _tell(number: int, proposal: Proposal) -> None:
    mark = "" if proposal.proved else " (not proved)"
    print(f"# {number}. {proposal.source.kind}{mark}: {printable(proposal.evidence())}")
    print(printable(proposal.source.yaml()))


def _save(app: App, found: Discovered, numbers: list[int]) -> None:
    from crawler.errors import NotFound

    wrong = [number for number in numbers if number > len(found.proposals)]
    if wrong:
        raise NotFound(f"there is no proposal {wrong[0]}; there are {len(found.proposals)}")
    save_blocks(app, [found.proposals[number - 1].source for number in numbers])


def save_blocks(app: App, blocks: list[SourceText]) -> None:
    """Write blocks into the config and say which."""
    from crawler.app.source_text import add_sources

    if not blocks:
        return
    added = add_sources(app.config.path, blocks)
    for block in added.known:
        say(f"{block.address} is in the config already")
    if added.blocks:
        names = ", ".join(block.name for block in added.blocks[:10])
        more = f" and {len(added.blocks) - 10} more" if len(added.blocks) > 10 else ""
        where = with_config(added.path)
        say(f"wrote {names}{more} into {added.path}; next: mention-crawler check{where} · mention-crawler crawl{where}")


def _end(found: Discovered, as_json: bool, saved: bool) -> int:
    if found.proved:
        if not as_json and not saved:
            say("paste a block below `sources:`, or run this again with --save or --pick NUMBER")
        return Exit.OK
    if found.network_failed:
        return Exit.NETWORK
    say("nothing was found that gives posts by itself; `kind: page` reads any list by selectors, see docs/sources.md")
    return Exit.NOTHING_EXTRACTED
