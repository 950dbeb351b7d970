"""`model evaluate|compare|fetch`: choose a tone model with numbers, and bring one here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crawler.cli.common import ConfigOption, Exit, JsonOption, Progress, emit, say

if TYPE_CHECKING:
    from crawler.app.measuring import Posts
    from sentiment.spec import ModelSpec

group = typer.Typer(name="model", help="The tone model: measure it, compare it, fetch another.", no_args_is_help=True)

FilesArgument = Annotated[
    list[Path], typer.Argument(help='JSONL files (or .gz) of {"text", "tone", "lang"?, "target"?}.', show_default=False)
]
_TITLES = {
    "tone": "Tone, percent. mR: mean recall of the tones that occur; F1±: mean F1 of negative and positive",
    "recall": "Recall of each tone, percent",
    "language": "By language",
    "confidence": "How often it is right when it is that sure, percent of posts",
    "curve": "Negative posts and questions as tickets or for review, percent, by `sure_at_least`",
}
_SHOWN = 20


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(group)


@group.command("evaluate")
def evaluate(
    files: FilesArgument,
    model: Annotated[
        str | None, typer.Option("--model", help="A folder, a hub id or `builtin`; that of the config when absent.")
    ] = None,
    calibrate_on: Annotated[
        Path | None,
        typer.Option("--calibrate-on", help="First fit how sure it may be on these labelled posts, and keep that."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a tone model on labelled posts with the tables of the model card. Exit 1 when lines cannot be used."""
    from crawler.app.measuring import calibrate, measure, read_posts

    spec = _spec(config, model)
    posts = read_posts(files)
    if calibrate_on:
        path, fitted = calibrate(spec, read_posts([calibrate_on]).rows)
        say(f"temperature {fitted.temperature} fitted on {fitted.posts} posts, kept in {path}")
    bar = Progress("posts", quiet=as_json)
    measured = measure(spec, posts.rows, done=bar)
    bar.end()
    _told(measured, as_json)
    _tell_bad(posts, as_json)


@group.command("compare")
def compare(
    a: Annotated[str, typer.Argument(help="A model: `builtin`, a folder or a hub id.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    files: FilesArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Two tone models on the same labelled posts: scores, whether the difference is real, speed and memory."""
    from crawler.app.comparing import compare as compared
    from crawler.app.measuring import read_posts

    specs = _spec(config, a), _spec(config, b)
    posts = read_posts(files)
    found = compared(*specs, posts.rows)
    for title, rows in found.tables.items():
        _table(title, rows, as_json)
    if not as_json:
        print("\n".join(found.sentences))
    _tell_bad(posts, as_json)


@group.command("fetch")
def fetch(
    model: Annotated[str, typer.Argument(help="Its id on the hub: owner/name or owner/name@revision.")],
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", envvar="HF_ENDPOINT", help="A mirror of the hub.", show_default=False)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Download a tone model from the hub, the only way one ever comes here; prints its folder."""
    from crawler.app.fetching import fetch as bring

    spec = _spec(config, model)
    folder, digest = bring(spec, say, endpoint)
    print(folder)
    say(f"pin it:  sentiment: {{model: {model}, sha256: {digest}}}")


def _spec(config: str | None, model: str | None) -> ModelSpec:
    from crawler.app.analysing import spec_of

    return spec_of(config, model)


def _told(measured: Any, as_json: bool) -> None:
    from sentiment.verdict import tables

    if as_json:
        emit({"model": measured.model, "notes": measured.notes, **measured.cost()})
    else:
        print(f"Model: `{measured.model}`", *(f"- {note}" for note in measured.notes), sep="\n", end="\n\n")
    for name, rows in tables(measured.judged).items():
        _table(name, rows, as_json)
    if not as_json:
        _table("cost", [measured.cost()], as_json)


def _table(name: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    from sentiment.verdict import markdown

    if as_json:
        for row in rows:
            emit({"table": name, **row})
    elif rows:
        print(f"### {_TITLES.get(name, name.capitalize())}\n\n{markdown(rows)}")


def _tell_bad(posts: Posts, as_json: bool) -> None:
    """Name the lines that could not be used; exit 1 when there are any, so that no script overlooks them."""
    for line in posts.bad if as_json else posts.bad[:_SHOWN]:
        if as_json:
            emit({"error": line})
        else:
            say(line)
    if posts.toneless:
        say(f"{posts.toneless} lines say no tone and were left out")
    if posts.bad:
        say(f"{len(posts.bad)} lines could not be used")
        raise typer.Exit(Exit.FAILED)
