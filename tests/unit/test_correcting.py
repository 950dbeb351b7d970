"""What a person says of a mention shows at once, is judged by the rules again and teaches; undone, all is as before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crawler.app import App, learning, now
from crawler.app.syncing import sync
from crawler.cli.commands import app as command
from crawler.model import Analysis, Document, Intent, MentionStatus, Post, Tone, Verdict
from crawler.reports.ledger import balance
from crawler.reports.outcomes import account
from crawler.stages import analyse, match, triage
from crawler.stages.crawl import Intake
from crawler.store import Share

DULL = "Ladna Pay opened a branch in the old market hall"
SOUR = "Ladna Pay gribbled my snorfle again"


class Calm:
    """A model that finds everything neutral; it never saw a gribbled snorfle."""

    name = "calm-1"
    trouble = ""

    def analyse(
        self, texts: Sequence[str], targets: Sequence[str | None], hints: Sequence[str | None] | None = None
    ) -> list[Analysis]:
        tones = {"negative": 0.2, "neutral": 0.7, "positive": 0.1}
        intents = {"question": 0.05, "complaint": 0.1, "praise": 0.05, "other": 0.8}
        one = Analysis("en", Tone.NEUTRAL, tones, Intent.OTHER, intents, "", (), 0.7, False, self.name)
        return [one for _ in texts]


@pytest.fixture
def app(sqlite_template: Path, tmp_path: Path) -> Iterator[App]:
    shutil.copyfile(sqlite_template, tmp_path / "mentions.db")
    config = tmp_path / "mention-crawler.yaml"
    config.write_text(
        f"database: {{url: 'sqlite:///{tmp_path}/mentions.db'}}\nbrands: [{{name: Ladna Pay}}]\n"
        "sources: [{name: feed, kind: feed, url: 'https://site.example/feed'}]\n"
        "tickets: {when: [negative, question], send_to: [desk]}\n"
    )
    app = App.load(str(config))
    app.__dict__["model"] = Calm()
    sync(app)
    yield app
    assert balance(app.store.counts.ledger()).gaps == ()
    assert account(app.store.outcomes.of(Share())).gaps == ()
    app.close()


def shows(app: App, *texts: str) -> None:
    """A crawl that finds these posts, and the stages after it."""
    at = now()
    run = app.store.sources.claim("test", ["feed"], at, 60.0, 1)[0]
    document = Document("https://site.example/feed", 200, {}, repr(texts).encode(), at)
    posts = [Post(text, url=f"https://site.example/{abs(hash(text))}") for text in texts]
    Intake(app.store, run, lambda: None).take(document, posts, cursor=None, validators=None)
    app.store.runs.finish(run, Verdict.OK, None, 0.1, at)
    match.run(app.store, app.matcher())
    analyse.run(app.store, learning.judge(app))
    triage.run(app.store, app.config.rules, app.brands, now, setting=triage.Setting.of(app.config))


def run(app: App, *arguments: str) -> Any:
    return CliRunner().invoke(command, [*arguments, "--config", str(app.config.path)])


def rows(result: Any) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def teach(app: App, count: int = 12) -> None:
    """Sour posts, each corrected to negative, and dull ones confirmed."""
    shows(app, *(f"{SOUR}, case {number} of the week" for number in range(count)))
    shows(app, *(f"{DULL}, hall {number}" for number in range(count)))
    for number in range(1, 2 * count + 1):
        tone = "negative" if number <= count else "neutral"
        rows(run(app, "mentions", "correct", str(number), "--tone", tone, "--as", "olena", "--json"))


def test_a_correction_opens_the_ticket_that_was_missed_and_never_a_second(app: App) -> None:
    shows(app, SOUR)
    assert app.store.mentions.get(1).status is MentionStatus.IGNORED
    (row,) = rows(run(app, "mentions", "correct", "1", "--tone", "negative", "--as", "olena", "--json"))
    assert (row["status"], row["right"]) == ("ticketed", "negative")
    rows(run(app, "mentions", "correct", "1", "--tone", "negative", "--intent", "complaint", "--json"))
    assert app.store.tickets.count() == 1
    (row, _) = rows(run(app, "model", "corrections", "list", "--json"))
    assert (row["said"], row["right"], row["text"]) == ("negative, other", "negative, complaint", SOUR)


def test_what_is_no_mention_is_ignored_by_a_person_and_stays_so(app: App) -> None:
    shows(app, SOUR)
    rows(run(app, "mentions", "correct", "1", "--relevant", "no", "--as", "olena", "--json"))
    rows(run(app, "redo", "triage", "--json"))
    mention = app.store.mentions.get(1)
    assert (mention.status, mention.reason) == (MentionStatus.IGNORED, "olena says it is no mention")
    assert "1 ignored by a person" in account(app.store.outcomes.of(Share())).sentence
    (found,) = rows(run(app, "model", "corrections", "evaluate", "--json"))
    assert found["forms"] == [{"brand": "Ladna Pay", "form": "Ladna Pay", "not_relevant": 1, "corrected": 1}]


def test_undo_brings_back_the_analysis_and_the_outcome(app: App) -> None:
    shows(app, SOUR)
    before = app.store.mentions.get(1)
    (row,) = rows(run(app, "mentions", "correct", "1", "--tone", "positive", "--json"))
    rows(run(app, "model", "corrections", "undo", str(row["correction"]), "--json"))
    after = app.store.mentions.get(1)
    assert (after.analysis, after.status, after.reason) == (before.analysis, before.status, before.reason)
    assert run(app, "model", "corrections", "undo", str(row["correction"])).exit_code != 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1"], "nothing is corrected"),
        (["1", "--tone", "angry"], "there is no tone 'angry'"),
        (["1", "--relevant", "maybe"], "there is no answer 'maybe'"),
        (["77", "--tone", "negative"], "there is no mention 77"),
    ],
)
def test_mistakes_are_named_and_change_nothing(app: App, arguments: list[str], said: str) -> None:
    shows(app, SOUR)
    result = run(app, "mentions", "correct", *arguments)
    assert result.exit_code != 0
    assert said in str(result.exception)
    assert app.store.corrections.stamp() == (0, 0)


def test_ignore_with_a_tone_teaches_on_the_way(app: App) -> None:
    shows(app, SOUR)
    rows(run(app, "mentions", "ignore", "1", "--tone", "positive", "--json"))
    mention = app.store.mentions.get(1)
    assert mention.analysis is not None
    assert (mention.status, mention.rule, mention.analysis.tone) == (MentionStatus.IGNORED, "by hand", Tone.POSITIVE)


def test_what_was_taught_is_found_in_posts_never_seen_and_undone_bit_for_bit(app: App) -> None:
    teach(app)
    fresh = [f"{SOUR} on Friday", f"{DULL} on Friday"]
    untaught = app.model.analyse(fresh, ["Ladna Pay"] * 2)
    taught = learning.judge(app).analyse(fresh, ["Ladna Pay"] * 2)
    assert [it.tone for it in taught] == [Tone.NEGATIVE, Tone.NEUTRAL]
    assert taught[0].model.startswith("calm-1+")
    last = app.store.corrections.list()[0].id
    rows(run(app, "mentions", "correct", "1", "--tone", "positive", "--json"))
    assert learning.judge(app).analyse(fresh, ["Ladna Pay"] * 2) != taught
    rows(run(app, "model", "corrections", "undo", str(last + 1), "--json"))
    made = app.store.lessons.count()
    assert learning.judge(app).analyse(fresh, ["Ladna Pay"] * 2) == taught
    assert app.store.lessons.count() == made
    for correction in app.store.corrections.in_force(100):
        app.store.corrections.undo(correction.id, 1)
    assert learning.judge(app).analyse(fresh, ["Ladna Pay"] * 2) == untaught


def test_new_posts_are_tagged_by_the_newest_version_and_name_it(app: App) -> None:
    teach(app)
    shows(app, f"{SOUR} on Sunday")
    mention = app.store.mentions.list(newest=True, limit=1)[0]
    found = learning.evaluated(app)
    assert mention.analysis is not None
    assert mention.analysis.model == f"calm-1+{found['version']}"
    assert found["in_force"] and found["heads"]["tone"]["corrections"] == 24
    assert mention.status is not MentionStatus.IGNORED


def test_a_redo_leaves_what_a_person_said(app: App) -> None:
    shows(app, SOUR, DULL)
    rows(run(app, "mentions", "correct", "1", "--tone", "positive", "--json"))
    app.store.mentions.reopen([1, 2], analyse=True)
    analyse.run(app.store, learning.judge(app))
    found = app.store.mentions.get(1).analysis
    assert found is not None and found.tone is Tone.POSITIVE
    assert replace(found, model="") != replace(app.model.analyse([SOUR], [None])[0], model="")
