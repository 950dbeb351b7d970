"""`sources`, `mentions`, `tickets`, `alerts`, `sinks`: list, show, export, pause, resume, retry, test."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crawler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    LimitOption,
    SinceOption,
    UntilOption,
    cell,
    emit,
    moment,
    say,
    show,
)

if TYPE_CHECKING:
    from crawler.app import App

sources = typer.Typer(name="sources", help="Places that are crawled.", no_args_is_help=True)
mentions = typer.Typer(name="mentions", help="Posts that speak of a brand.", no_args_is_help=True)
tickets = typer.Typer(name="tickets", help="What went to the helpdesks, and what waits.", no_args_is_help=True)
alerts = typer.Typer(name="alerts", help="What needs a person.", no_args_is_help=True)
sinks = typer.Typer(name="sinks", help="Helpdesks that receive tickets.", no_args_is_help=True)

Text = Annotated[str | None, typer.Option()]
RowId = Annotated[int, typer.Argument(min=1, max=2**63 - 1)]


class Format(StrEnum):
    """How `export` writes."""

    JSONL = "jsonl"
    CSV = "csv"


def add_to(app: typer.Typer) -> None:
    """Register the groups."""
    for group in (sources, mentions, tickets, alerts, sinks):
        app.add_typer(group)


@sources.command("list")
def sources_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Sources with their state: verdict, last and next run, pause."""
    from crawler.app import App
    from crawler.app.views import source_rows

    rows = source_rows(App.load(config))
    show(
        rows,
        ("name", "kind", "state", "last_verdict", "last_run_at", "next_run_at", "posts", "error"),
        as_json,
        "no sources",
    )


@sources.command("show")
def sources_show(name: str, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """One source, whole."""
    from crawler.app import App
    from crawler.app.views import source_row

    _whole(source_row(App.load(config), name), as_json)


@sources.command("kinds")
def sources_kinds(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Source kinds with their settings."""
    from crawler.app.views import kind_rows

    show(kind_rows(config, "spiders"), ("kind", "proved", "about", "settings"), as_json)


@sources.command("pause")
def sources_pause(name: str, config: ConfigOption = None) -> None:
    """Stop crawling a source until `resume`."""
    _known_source(config, name).store.sources.pause(name)
    say(f"{name} is paused; `mention-crawler sources resume {name}` starts it again")


@sources.command("resume")
def sources_resume(name: str, config: ConfigOption = None) -> None:
    """Crawl a paused source again."""
    _known_source(config, name).store.sources.resume(name)
    say(f"{name} is crawled again")


@mentions.command("list")
def mentions_list(
    brand: Text = None,
    tone: Text = None,
    intent: Text = None,
    source: Text = None,
    lang: Text = None,
    label: Text = None,
    status: Text = None,
    search: Text = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mentions, newest first."""
    filters = {"brand": brand, "tone": tone, "intent": intent, "source": source, "lang": lang, "label": label}
    filters |= {"status": status, "search": search}
    rows = _mention_rows(config, filters, since, until, limit)
    # Who asks for one outcome, such as review, wants to know why.
    last = "reason" if status else "status"
    show(rows, ("id", "published_at", "source", "language", "tone", "intent", "text", last), as_json, "no mentions")


@mentions.command("show")
def mentions_show(mention_id: RowId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """One mention with the whole why: entity, form, spans, probabilities, rule, life."""
    from crawler.app import App
    from crawler.app.views import mention_whole

    _whole(mention_whole(App.load(config), mention_id), as_json)


@mentions.command("export")
def mentions_export(
    fmt: Annotated[Format, typer.Option("--format")] = Format.JSONL,
    since: SinceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
) -> None:
    """Every mention, as JSONL or CSV (safe to open in a spreadsheet)."""
    rows = _mention_rows(config, {}, since, until, 0)
    if fmt is Format.JSONL:
        for row in rows:
            emit(row)
        return
    write_csv(rows)


@tickets.command("list")
def tickets_list(
    status: Text = None,
    brand: Text = None,
    sink: Text = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tickets with their delivery: one line a ticket and sink, newest first."""
    from crawler.app import App
    from crawler.app.views import ticket_rows

    filters = {
        "status": status,
        "brand": brand,
        "sink": sink,
        "since": moment(since),
        "until": moment(until, "--until"),
    }
    rows: Iterable[Mapping[str, Any]] = ticket_rows(App.load(config), filters, limit)
    columns: tuple[str, ...] = ("key", "priority", "due_at", "sink", "status", "attempts", "subject", "reason")
    if not as_json:
        rows = list(rows)
        # What is seldom so is a column only where it is.
        columns += tuple(name for name in ("overdue", "possible_duplicate") if any(row[name] for row in rows))
    show(rows, columns, as_json, "no tickets")


@tickets.command("show")
def tickets_show(key: str, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """One ticket, whole: text, why, deliveries, life."""
    from crawler.app import App
    from crawler.app.views import ticket_whole

    _whole(ticket_whole(App.load(config), key), as_json)


@tickets.command("export")
def tickets_export(
    fmt: Annotated[Format, typer.Option("--format")] = Format.JSONL, config: ConfigOption = None
) -> None:
    """Every ticket, as JSONL or CSV."""
    from crawler.app import App
    from crawler.app.views import ticket_rows

    rows = ticket_rows(App.load(config), {}, 0)
    if fmt is Format.CSV:
        write_csv(rows)
        return
    for row in rows:
        emit(row)


@tickets.command("retry")
def tickets_retry(
    key: Annotated[str | None, typer.Argument(help="A ticket's key; all parked ones when none is given.")] = None,
    sink: Text = None,
    config: ConfigOption = None,
) -> None:
    """Put parked and waiting deliveries back in line, due now."""
    from crawler.app import App
    from crawler.app.views import retry

    count = retry(App.load(config), key, sink)
    say(f"{count} deliveries are due now; `mention-crawler crawl` or the service sends them")


@tickets.command("withdraw")
def tickets_withdraw(
    key: Annotated[str, typer.Argument(help="The ticket's key.")],
    ignore: Annotated[bool, typer.Option("--ignore", help="Ignore its mentions instead of reviewing them.")] = False,
    actor: Annotated[str | None, typer.Option("--as", help="Who decides; your login name when absent.")] = None,
    config: ConfigOption = None,
) -> None:
    """Take a ticket back before any helpdesk was called: within the undo window, or while it is held."""
    from crawler.app import App
    from crawler.app.reviewing import who
    from crawler.app.views import withdraw

    count = withdraw(App.load(config), key, actor or who(), ignore)
    say(f"{key} is withdrawn, nothing was sent; {count} mentions {'are ignored' if ignore else 'went to review'}")


@alerts.command("list")
def alerts_list(
    every: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open alerts with cause and source."""
    from crawler.app import App
    from crawler.app.views import alert_rows

    show(
        alert_rows(App.load(config), every),
        ("cause", "source", "first_seen", "last_seen", "resolved_at"),
        as_json,
        "no alerts",
    )


@alerts.command("show")
def alerts_show(number: RowId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """One alert, by its number in `alerts list --json`; of a source also what is usual and its last good answer."""
    from crawler.app import App
    from crawler.app.views import alert_whole

    _whole(alert_whole(App.load(config), number), as_json)


@sinks.command("list")
def sinks_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Sinks with what each can do and what waits."""
    from crawler.app import App
    from crawler.app.views import sink_rows

    show(sink_rows(App.load(config)), ("name", "kind", "can", "sent", "pending", "parked"), as_json, "no sinks")


@sinks.command("kinds")
def sinks_kinds(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Sink kinds with their settings."""
    from crawler.app.views import kind_rows

    show(kind_rows(config, "sinks"), ("kind", "about", "settings"), as_json)


@sinks.command("test")
def sinks_test(name: str, config: ConfigOption = None) -> None:
    """Create a test ticket, look it up and close it: proves address, credentials and fields."""
    from crawler.app import App
    from crawler.app.sinktest import test_sink

    for line in test_sink(App.load(config), name):
        print(line)


def write_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """CSV on stdout; a cell that a spreadsheet would run as a formula gets an apostrophe in front."""
    writer: Any = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row))
            writer.writeheader()
        writer.writerow({name: _safe(value) for name, value in row.items()})


def _safe(value: Any) -> str:
    text = value if isinstance(value, str) else _exact(value)
    dangerous = text[:1] in set("=+-@\t\r\n＝＋－＠") and not text.lstrip("-+").replace(".", "", 1).isdigit()
    return "'" + text if dangerous else text


def _exact(value: Any) -> str:
    """Times as ISO, structures as JSON, nothing for None: a program reads the file too."""
    if value is None or isinstance(value, datetime):
        return value.isoformat() if value else ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list | tuple) else str(value)


def _known_source(config: str | None, name: str) -> App:
    from crawler.app import App
    from crawler.app.views import demand_source

    app = App.load(config)
    demand_source(app, name)
    return app


def _mention_rows(
    config: str | None, filters: dict[str, Any], since: str | None, until: str | None, limit: int
) -> Iterable[Mapping[str, Any]]:
    from crawler.app import App
    from crawler.app.views import mention_rows

    wanted = {**filters, "since": moment(since), "until": moment(until, "--until")}
    return mention_rows(App.load(config), wanted, limit)


def _whole(row: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        emit(row)
        return
    for name, value in row.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            print(f"{name}:")
            for part in value:
                print("  " + " · ".join(f"{key}: {cell(item)}" for key, item in part.items() if item not in (None, "")))
        else:
            print(f"{name}: {cell(value)}")


__all__ = ["Exit", "add_to", "write_csv"]
