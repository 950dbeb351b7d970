"""`redo parse|match|analyse|triage`: work over the stored past, without the network."""

from __future__ import annotations

from typing import Annotated

import typer

from crawler.cli.common import ConfigOption, JsonOption, SinceOption, emit, moment, say, show

BrandOption = Annotated[str | None, typer.Option("--brand", help="Only this brand.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only posts of this source.")]
DiffOption = Annotated[bool, typer.Option("--diff", help="Show what would change; change nothing.")]

group = typer.Typer(name="redo", help="Work over the stored past, without the network.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register `redo STAGE` and the short names `match` and `reparse`."""
    for name in ("parse", "match", "analyse", "triage"):
        group.command(name, help=_HELP[name])(_command(name))
    app.add_typer(group)
    app.command("match", help=_HELP["match"])(_command("match"))
    app.command("reparse", help=_HELP["parse"])(_command("parse"))


_HELP = {
    "parse": "Rebuild posts from the stored documents.",
    "match": "Find brands in the stored posts again.",
    "analyse": "Tag tone and intent again.",
    "triage": "Decide again what becomes a ticket.",
}


def _command(stage: str):  # type: ignore[no-untyped-def]  # typer reads the inner signature
    def command(
        since: SinceOption = None,
        brand: BrandOption = None,
        source: SourceOption = None,
        diff: DiffOption = False,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from crawler.app import App
        from crawler.app.redo import Scope, redo

        app = App.load(config)
        done = redo(app, stage, Scope(since=moment(since), brand=brand, source=source), diff=diff)
        more = {"match": ("why",), "triage": ("rule",)}.get(stage, ())
        show(done.rows, ("change", "id", "brand", "before", "after", *more, "text"), as_json, empty="no difference")
        if as_json:
            emit({"summary": True, **done.counts})
        else:
            say(", ".join(f"{count} {what}" for what, count in done.counts.items()) or "nothing to do")
        app.close()

    return command
