"""`mentions correct`, and `model corrections list|undo|evaluate`: what people said of the model, and what it gave."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from crawler.cli.common import ConfigOption, JsonOption, LimitOption, emit, say, show
from crawler.cli.review import ActorOption, IntentOption, MentionId, ToneOption

group = typer.Typer(name="corrections", help="What people corrected, and what was learnt of it.", no_args_is_help=True)
_YES = {"yes": True, "no": False}


def add_to(mentions: typer.Typer, model: typer.Typer) -> None:
    """Register the command in `mentions` and the group in `model`."""
    mentions.command("correct")(correct)
    model.add_typer(group)


def correct(
    mention_id: MentionId,
    tone: ToneOption = None,
    intent: IntentOption = None,
    relevant: Annotated[str | None, typer.Option(help="yes or no: whether it speaks of the brand at all.")] = None,
    actor: ActorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is right of a mention: it shows at once, the rules judge it again, and the model learns."""
    from crawler.app import App
    from crawler.app.correcting import correct as record
    from crawler.app.correcting import judgement
    from crawler.app.naming import demand
    from crawler.app.reviewing import who

    demand("answer", relevant, _YES)
    app = App.load(config)
    right = judgement(tone, intent, None if relevant is None else _YES[relevant])
    done = record(app, mention_id, right, actor or who())
    row = {"correction": done.id, "id": mention_id, "right": str(right), "status": done.mention.status.value}
    row |= {"ticket_key": done.mention.ticket_key, "reason": done.mention.reason}
    if as_json:
        emit(row)
    else:
        ticket = f", ticket {row['ticket_key']}" if row["ticket_key"] else ""
        back = f"`mention-crawler model corrections undo {done.id}` takes it back"
        say(f"mention {mention_id}: {row['right']}; now {row['status']}{ticket}; {back}")
    app.close()


@group.command("list")
def corrections_list(limit: LimitOption = 50, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Corrections, newest first, undone ones too."""
    from crawler.app import App
    from crawler.app.correcting import rows

    columns = ("id", "mention", "brand", "said", "right", "who", "at", "undone_at", "text")
    show(
        rows(App.load(config), limit), columns, as_json, "no corrections: `mention-crawler mentions correct` makes one"
    )


@group.command("undo")
def corrections_undo(
    correction_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="See `model corrections list`.")],
    actor: ActorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a correction back: the mention and the model are as they were without it."""
    from crawler.app import App
    from crawler.app.correcting import undo
    from crawler.app.reviewing import who

    app = App.load(config)
    undone = undo(app, correction_id, actor or who())
    if as_json:
        emit({"correction": undone.id, "id": undone.mention_id, "undone_at": undone.undone_at})
    else:
        say(f"correction {undone.id} of mention {undone.mention_id} is undone")
    app.close()


@group.command("evaluate")
def corrections_evaluate(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Learn now, and show what the corrections gave: left-out corrections, the guard, and the version in force."""
    from crawler.app import App
    from crawler.app.learning import evaluated

    app = App.load(config)
    found = evaluated(app)
    app.close()
    if as_json:
        emit(found)
        return
    heads = [_head(name, figures) for name, figures in found["heads"].items()]
    columns = ("of", "corrections", "in_force", "left_out_right", "left_out_loss", "known_right", "strength", "why")
    show(heads, columns, False, "nothing is learnt yet: `mention-crawler mentions correct` teaches")
    if found["forms"]:
        show(found["forms"], ("brand", "form", "not_relevant", "corrected"), False)
    force = "in force" if found["in_force"] else "not in force"
    state = f"version {found['version']} is {force}; " if found["version"] else ""
    say(f"{found['corrections']} corrections stand, {found['taught']} teach; {state}model {found['model']}")


def _head(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """One row for people; pairs are before -> after."""
    right, loss, known = figures["right"], figures["loss"], figures["guard"]
    return {
        "of": name,
        "corrections": figures["corrections"],
        "in_force": "yes" if figures["in_force"] else "no",
        "left_out_right": f"{right[0]:.0%} -> {right[1]:.0%}",
        "left_out_loss": f"{loss[0]:.2f} -> {loss[1]:.2f}",
        "known_right": f"{known[0]} -> {known[1]} of {figures['guards']}",
        "strength": figures["strength"],
        "why": figures["why"],
    }
