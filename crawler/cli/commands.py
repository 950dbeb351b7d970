"""All commands in one tree. Each command is short and hands the work to the app; rooms are imported when it runs."""

from __future__ import annotations

import typer

from crawler.cli import (
    admin,
    corrections,
    crawl,
    discover,
    lists,
    model,
    packs,
    recordings,
    redo,
    report,
    review,
    rules,
    watch,
)

app = typer.Typer(
    name="mention-crawler",
    help="Finds what people say about your brands and turns complaints and questions into tickets, once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
admin.add_to(app)
crawl.add_to(app)
lists.add_to(app)
model.add_to(app)
redo.add_to(app)
review.add_to(lists.mentions)
corrections.add_to(lists.mentions, model.group)
rules.add_to(app)
report.add_to(app)
watch.add_to(app)
discover.add_to(app)
packs.add_to(lists.sources)
recordings.add_to(lists.sources)
