"""`watch NAME`: no config at all; what is said of a name comes in live, with its tone, from every keyless search."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from crawler.cli.common import Exit, JsonOption, SinceOption, cell, emit, moment, printable, say, with_config

if TYPE_CHECKING:
    from crawler.app.watch_loop import Watched
    from crawler.app.watching import Wish

_COLOURS = {"negative": "31", "positive": "32", "neutral": "2"}
_TEXT_LINES = 3
_SAVED = "mention-crawler.yaml"


class _WatchCommand(TyperCommand):
    """`--save` may stand without a file: then the usual name is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given: list[str] = []
        for place, word in enumerate(args):
            given.append(word)
            following = args[place + 1] if place + 1 < len(args) else ""
            if word == "--save" and not following.endswith((".yaml", ".yml", "/")):
                given.append(_SAVED)
        return super().parse_args(ctx, given)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(cls=_WatchCommand)(watch)


def watch(
    name: Annotated[str, typer.Argument(help="The name to watch, as people write it; forms are found by themselves.")],
    also: Annotated[list[str] | None, typer.Option("--also", help="Another spelling or @handle.")] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this kind of source; may be given again.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Ask each source once, then end.")] = False,
    since: SinceOption = None,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="[FILE]", help=f"Write the config of what answered ({_SAVED}); never over one."),
    ] = None,
    every: Annotated[str | None, typer.Option("--every", help="How often to ask: 5m, or bounds 2m..30m.")] = None,
    base_url: Annotated[
        list[str] | None,
        typer.Option(
            "--base-url",
            help="KIND=URL: ask a kind at another address.",
            envvar="MENTION_CRAWLER_WATCH_BASE_URL",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Watch a name without any config: mentions with their tone, live, from every source that needs no key."""
    from crawler.app.watching import Wish, base_of

    bases = dict(base_of(given) for given in base_url or ())
    wish = Wish.of(name, also or (), source or (), bases=bases, every=every)
    try:
        code = _watch(wish, once, since, save, as_json)
    except KeyboardInterrupt:  # before there was anything to sum up
        code = Exit.OK
    except BrokenPipeError:
        # `| head` has seen enough; nothing may be written at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.OK
    raise typer.Exit(code)


def _watch(wish: Wish, once: bool, since: str | None, save: str | None, as_json: bool) -> int:
    from crawler.app.watch_loop import Watch
    from crawler.app.watch_start import opened, target_of
    from crawler.app.watching import search_words

    oldest = moment(since)
    target = target_of(save) if save is not None else None
    if wish.cut:
        say(f"the name is long: only its first {len(wish.name)} characters are looked for")
    with opened(wish) as (app, sources):
        names = ", ".join(source.name for source in sources)
        say(f"asking {names} for {', '.join(f'«{word}»' for word in search_words(wish))}; Ctrl-C ends it")
        watch = Watch(app, emit if as_json else _Lines(), say, oldest)

        def keep(watched: Watched) -> None:
            if not watched.answered:
                return
            if target is not None:
                _save(target, wish, sources, watched)
            if not once:
                say(f"{_count(watched.shown.total(), 'mention')} so far; waiting for new ones")

        try:
            watch.run(once, keep)
        except KeyboardInterrupt:
            # Another Ctrl-C must not tear the summary apart.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _summary(watch.watched, as_json)
            return Exit.OK
        _summary(watch.watched, as_json)
        return Exit.OK if watch.watched.answered else Exit.NETWORK


def _save(target: Path, wish: Wish, sources: list[Any], watched: Watched) -> None:
    from crawler.app.watch_start import save

    count = save(target, wish, sources, watched.answered)
    say(f"wrote {target} with {_count(count, 'source')}; next: mention-crawler crawl{with_config(target)}")


def _summary(watched: Watched, as_json: bool) -> None:
    told = watched.summary()
    if as_json:
        emit({"summary": True, **told})
        return
    if watched.rounds and not watched.answered:
        say("no source could be reached or would answer: is there a network? Each said why above")
        return
    tones = ", ".join(f"{count} {tone}" for tone, count in told["tones"].items() if count)
    say(f"{_count(told['mentions'], 'mention')}" + (f": {tones}" if tones else ""))
    if watched.older:
        say(f"{watched.older} older than --since are not shown")
    if watched.answered and not told["mentions"] and not watched.older:
        posts = sum(source["posts"] for source in told["sources"])
        say(f"{_count(posts, 'post')} seen, none of them speaks of this name; --also adds spellings")
    for source in told["sources"]:
        say(f"  {source['source']:14} {source['verdict'] or 'not asked yet':9} {_count(source['mentions'], 'mention')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class _Lines:
    """Mentions for people: on a terminal in colour and folded, in a pipe one line each."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.coloured = self.live and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, row: Mapping[str, Any]) -> None:
        tone, intent = row["tone"] or "untagged", row["intent"] or ""
        head = [cell(row["published_at"]), f"{tone:8}", f"{intent:9}", f"{row['source'] or '':13}"]
        text, link = " ".join(printable(row["text"]).split()), printable(row["url"] or "")
        if not self.live:
            print("  ".join([*head, _cut(text, 500), link]), flush=True)
            return
        width = max(40, shutil.get_terminal_size().columns)
        head[1] = self._paint(head[1], _COLOURS.get(tone, "2"))
        author = _cut(cell(row["author"]), max(0, width - 58))
        print("  ".join([*head, author]).rstrip())
        folded = textwrap.wrap(text, width - 2, max_lines=_TEXT_LINES, placeholder=" …")
        print(*(f"  {line}" for line in folded), sep="\n")
        print(self._paint(f"  {link}", "36"), flush=True)

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self.coloured else text


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(0, length - 1)] + "…"
