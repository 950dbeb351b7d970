"""`report`: what a period came to."""

from __future__ import annotations

from typing import Annotated

import typer

from crawler.cli.common import ConfigOption, JsonOption, emit

group = typer.Typer(name="report", help="What a period came to.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(group)


@group.callback()
def _reports() -> None:
    """What a period came to."""


@group.command("digest")
def report_digest(
    brand: Annotated[str | None, typer.Option("--brand", help="The brand's name; all when absent.")] = None,
    day: Annotated[
        str | None, typer.Option("--day", help="A local day: 2026-11-22; the last 24 hours if absent.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Five lines about a brand's day, as the daily mail says them."""
    from crawler.app import App
    from crawler.app.digesting import digest_of

    app = App.load(config)
    names = [brand] if brand else [it.name for it in app.config.brands]
    for number, name in enumerate(names):
        digest = digest_of(app, name, day)
        if as_json:
            emit({"brand": name, "subject": digest.subject, "lines": list(digest.lines)})
        else:
            print("\n" * (number > 0) + "\n".join([digest.subject, "", *digest.lines]))
    app.close()
