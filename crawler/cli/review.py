"""`mentions ticket|ignore ID`: what a person decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crawler.cli.common import ConfigOption, JsonOption, emit, say

if TYPE_CHECKING:
    from crawler.app import App

MentionId = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The mention's id: see `mentions list`.")]
ActorOption = Annotated[str | None, typer.Option("--as", help="Who decides; your login name when absent.")]
ToneOption = Annotated[str | None, typer.Option(help="The right tone: negative, neutral or positive; teaches.")]
IntentOption = Annotated[str | None, typer.Option(help="Likewise: question, complaint, praise or other.")]


def add_to(mentions: typer.Typer) -> None:
    """Register the commands in the group `mentions`."""
    mentions.command("ticket")(ticket)
    mentions.command("ignore")(ignore)


def ticket(
    mention_id: MentionId,
    priority: Annotated[str | None, typer.Option(help="low, normal, high or urgent.")] = None,
    sink: Annotated[list[str] | None, typer.Option(help="Where to; that of the rule when absent.")] = None,
    tone: ToneOption = None,
    intent: IntentOption = None,
    actor: ActorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a ticket for a mention, such as one in review."""
    from crawler.app import App
    from crawler.app.reviewing import make_ticket, who

    app = App.load(config)
    _learn(app, mention_id, tone, intent, actor or who())
    done = make_ticket(app, mention_id, actor or who(), priority, tuple(sink or ()))
    row = _row(done)
    if as_json:
        emit(row)
    else:
        say(f"mention {mention_id}: {row['status']}, ticket {row['ticket_key']}{_back(row)}")
    app.close()


def ignore(
    mention_id: MentionId,
    reason: Annotated[str, typer.Option(help="Why, in a few words.")] = "",
    tone: ToneOption = None,
    intent: IntentOption = None,
    actor: ActorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide that a mention needs no ticket; rules leave it alone from then on."""
    from crawler.app import App
    from crawler.app.reviewing import ignore as decide
    from crawler.app.reviewing import who

    app = App.load(config)
    _learn(app, mention_id, tone, intent, actor or who())
    done = decide(app, mention_id, actor or who(), reason)
    emit(_row(done)) if as_json else say(f"mention {mention_id}: ignored; `mentions ticket {mention_id}` undoes it")
    app.close()


def _learn(app: App, mention_id: int, tone: str | None, intent: str | None, actor: str) -> None:
    """What the person says of tone and intent on the way is a correction."""
    from crawler.app.correcting import correct, judgement

    if tone is not None or intent is not None:
        correct(app, mention_id, judgement(tone, intent, None), actor, decide=False)


def _back(row: dict[str, Any]) -> str:
    if row["status"] != "ticketed":
        return ""
    return f"; for {row['hold']:g} s `mention-crawler tickets withdraw {row['ticket_key']}` undoes it"


def _row(done: Any) -> dict[str, Any]:
    mention = done.mention
    return {
        "id": mention.id,
        "status": mention.status.value,
        "ticket_key": mention.ticket_key,
        "reason": mention.reason,
        "rule": mention.rule,
        "hold": done.hold,
    }
