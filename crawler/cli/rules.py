"""`rules list|test`: what the rules are, and what they would make of the stored past."""

from __future__ import annotations

import typer

from crawler.cli.common import ConfigOption, JsonOption, LimitOption, SinceOption, emit, moment, say, show
from crawler.cli.redo import BrandOption, SourceOption

group = typer.Typer(name="rules", help="What becomes a ticket, and what would.", no_args_is_help=True)
_SUMS = ("rule", "version", "ticket", "joined", "review", "ignored", "gained", "lost", "moved", "added")


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(group)


@group.command("list")
def rules_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The rules of the file, in the order in which they are asked."""
    from crawler.app import App
    from crawler.app.ruling import rule_rows

    columns = ("order", "rule", "version", "then", "if", "sure_at_least", "priority", "tags", "send_to")
    show(rule_rows(App.load(config)), columns, as_json, "no rules")


@group.command("test")
def rules_test(
    since: SinceOption = None,
    brand: BrandOption = None,
    source: SourceOption = None,
    limit: LimitOption = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tickets gained and lost if the rules of the file had been in force; changes nothing."""
    from crawler.app import App
    from crawler.app.redo import Scope
    from crawler.app.ruling import try_rules

    app = App.load(config)
    tested = try_rules(app, Scope(since=moment(since), brand=brand, source=source))
    show(tested.rules, _SUMS, as_json)
    shown = tested.changes[: limit or None]
    show(shown, ("change", "id", "brand", "before", "after", "rule", "text"), as_json, "no difference")
    sums = {name: sum(row[name] for row in tested.rules) for name in ("gained", "lost", "moved")}
    if as_json:
        emit({"summary": True, "mentions": tested.mentions, **sums})
    else:
        rest = tested.differences - len(shown)
        more = f"; {rest} more differences with --limit 0" if rest else ""
        found = f"{sums['gained']} tickets gained, {sums['lost']} lost, {sums['moved']} of another priority"
        say(f"{tested.mentions} mentions: {found}{more}; nothing was changed")
    app.close()
