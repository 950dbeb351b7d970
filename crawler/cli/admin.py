"""`init`, `check`, `schema`, `ledger`, `doctor`, `upgrade`, `backup`: set-up and upkeep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from crawler.cli.common import ConfigOption, Exit, JsonOption, emit, say, with_config

_PROBLEM = ("file", "line", "column", "message", "fix", "warning")
FolderArgument = Annotated[Path, typer.Argument(help="Where to put the config.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (init, check, schema, ledger, doctor, upgrade, backup):
        app.command()(command)
    app.callback()(_root)


def _version(wanted: bool) -> None:
    if wanted:
        from crawler.plugins import version

        print(f"mention-crawler {version()}")
        raise typer.Exit(Exit.OK)


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Finds what people say about your brands and turns complaints and questions into tickets, once."""


def init(
    folder: FolderArgument = Path(),
    brand: Annotated[str, typer.Option("--brand", help="The brand to watch.")] = "My Brand",
    pack: Annotated[
        list[str] | None, typer.Option("--pack", help="Ready sources: `sources packs` lists them. May be given again.")
    ] = None,
) -> None:
    """Write a commented mention-crawler.yaml with its schema beside it, and create the database."""
    from crawler.app.setting_up import init as make
    from crawler.app.setting_up import lines_to_fill

    path = make(folder, brand, pack or ())
    say(f"wrote {path}")
    for line in lines_to_fill(path):
        say(f"  to fill in: {path.name}:{line}")
    where = with_config(path)
    say(f"next: edit it, then  mention-crawler check{where}   ·   mention-crawler crawl{where}")


def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the config: every mistake as file:line:column with the corrected line."""
    from crawler.app.setting_up import check as problems_of

    problems, summary = problems_of(config)
    for problem in problems:
        if as_json:
            emit({name: getattr(problem, name) for name in _PROBLEM})
        else:
            print(problem)
    say(summary)
    raise typer.Exit(Exit.CONFIG if any(not problem.warning for problem in problems) else Exit.OK)


def schema(config: ConfigOption = None) -> None:
    """The JSON Schema of the config, for editors."""
    from crawler.app.setting_up import schema as make

    print(json.dumps(make(config), ensure_ascii=False, indent=2))


def ledger(
    run: Annotated[int | None, typer.Option("--run", min=1, max=2**63 - 1, help="Posts that this run found.")] = None,
    day: Annotated[str | None, typer.Option("--day", help="Mentions found on this local day: 2026-11-22.")] = None,
    brand: Annotated[str | None, typer.Option("--brand", help="Mentions of this brand.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that every post, mention and ticket has a named outcome; exit 6 names what is missing."""
    from crawler.app import App
    from crawler.app.accounting import Asked, accounts

    app = App.load(config)
    told = accounts(app, Asked(run, day, brand))
    if as_json:
        emit(told.as_row())
    else:
        for name, value in told.lines.items():
            print(f"{name.replace('_', ' '):28} {value}")
        print("\n".join(told.sentences))
    for gap in told.gaps:
        say(f"gap: {gap}")
    app.close()
    raise typer.Exit(Exit.UNACCOUNTED if told.gaps else Exit.OK)


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Versions, database, disk, browser, model, sinks, alerts: each with a hint how to mend it."""
    from crawler.app.health import examine

    findings = examine(config)
    for finding in findings:
        if as_json:
            emit(finding.as_row())
        else:
            mark = {"ok": "ok  ", "warning": "warn", "failure": "FAIL"}[finding.level]
            print(f"{mark}  {finding.name:10} {finding.text}" + (f"\n      {finding.hint}" if finding.hint else ""))
    raise typer.Exit(Exit.FAILED if any(f.level == "failure" for f in findings) else Exit.OK)


def upgrade(config: ConfigOption = None) -> None:
    """Bring the database to this program's schema; creates it when it is not there."""
    from crawler.app import App
    from crawler.store import Store

    app = App.load(config)
    store: Any = Store.create(app.config.database_url)
    store.close()
    say("the database is up to date")


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    config: ConfigOption = None,
) -> None:
    """A consistent copy of the database, made while everything runs."""
    from crawler.app import App

    app = App.load(config)
    app.store.backup(target)
    app.close()
    say(f"wrote {target}")
