"""`redo parse|match|analyse|triage`: the same stages over the stored past, no network; `diff` changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crawler.app import App
from crawler.app.hosting import spider_of
from crawler.app.learning import judge
from crawler.app.naming import demand
from crawler.app.rehearsing import decide_again, rehearse
from crawler.app.rematching import rematch
from crawler.app.syncing import sync
from crawler.model import (
    Document,
    PostOutcome,
    Run,
    Source,
    StoredMention,
    Verdict,
)
from crawler.stages import analyse, match, triage
from crawler.stages.crawl import Prepared, prepared
from crawler.store import PERSON

if TYPE_CHECKING:
    from crawler.store import SourceState

PAGE = 500
SNIPPET = 160


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the past."""

    since: datetime | None = None
    brand: str | None = None
    source: str | None = None


@dataclass(slots=True)
class Redone:
    """What changed (or would): rows for people, and sums."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def change(
        self, what: str, row_id: object, brand: str, before: object, after: object, text: str, **more: object
    ) -> None:
        """Note one difference."""
        row = {"change": what, "id": row_id, "brand": brand, "before": before, "after": after, "text": text}
        self.rows.append(row | more)
        self.counts[what] += 1


def redo(app: App, stage: str, scope: Scope, diff: bool) -> Redone:
    """Run one stage again over `scope`; NotFound when brand or source do not exist.

    A diff of match, analyse or triage leaves the rows as they are: looking at a changed query, model or rule must not
    put it in force.
    """
    rehearsal = diff and stage in ("match", "analyse", "triage")
    if not rehearsal:
        sync(app)
    _check(app, scope, rehearsal)
    stages: dict[str, Callable[[App, Scope, bool, Redone], None]] = {
        "parse": _parse,
        "match": _match,
        "analyse": _analyse,
        "triage": _triage,
    }
    done = Redone()
    stages[stage](app, scope, diff, done)
    return done


def _check(app: App, scope: Scope, rehearsal: bool) -> None:
    demand("brand", scope.brand, {*app.brands, *(brand.name for brand in app.config.brands if rehearsal)})
    demand("source", scope.source, [state.name for state in app.store.sources.all(retired=True)])


def _parse(app: App, scope: Scope, diff: bool, done: Redone) -> None:
    """Every Document through today's parser, in the order in which they came: a post may be shown by many sources."""
    readers, newest = _Readers(app, diff), _Newest()
    for document in app.store.documents.of(scope.source, scope.since):
        run, spider = readers.of(document.source_id)
        rows = _read(spider, document)
        done.counts["documents"] += 1
        if run is None:
            newest.note(rows)
        else:
            _store(app, run, document, rows, done)
    readers.close()
    newest.compare(app, done)


class _Readers:
    """The spider of each source, and the redo run that holds its counters; a diff has no runs."""

    def __init__(self, app: App, diff: bool) -> None:
        self.app, self.diff = app, diff
        self.names = {state.id: state.name for state in app.store.sources.all(retired=True)}
        self.open: dict[int, tuple[Run | None, Any]] = {}

    def of(self, source_id: int) -> tuple[Run | None, Any]:
        """The run and the spider of a source, begun when its first Document comes."""
        if source_id not in self.open:
            name = self.names[source_id]
            run = None if self.diff else self.app.store.runs.begin_redo(self.app.owner, name)
            kind, source = spider_of(self.app, _state_source(self.app.store.sources.get(name)))
            self.open[source_id] = run, kind(source=source)
        return self.open[source_id]

    def close(self) -> None:
        """End the runs."""
        for run, _ in self.open.values():
            if run is not None:
                self.app.store.runs.finish(run, Verdict.OK, None, 0.0, None)


def _state_source(state: SourceState) -> Source:
    return Source(state.name, state.kind, state.settings, state.labels, id=state.id)


class _Newest:
    """What the newest answer says of each post: older answers are history, not a difference."""

    def __init__(self) -> None:
        self.posts: dict[tuple[str, str], tuple[str, str]] = {}

    def note(self, rows: Sequence[Prepared]) -> None:
        """Take the posts of one answer; answers come in order."""
        for post, _, digest, key, site in rows:
            self.posts[site, key] = digest, match.full_text(post)[:SNIPPET]

    def compare(self, app: App, done: Redone) -> None:
        """Against the posts that are stored, page by page."""
        keys = list(self.posts)
        for start in range(0, len(keys), PAGE):
            known = app.store.glances.hashes(keys[start : start + PAGE])
            for place in keys[start : start + PAGE]:
                self._compare(place, known.get(place), done)

    def _compare(self, place: tuple[str, str], before: str | None, done: Redone) -> None:
        digest, text = self.posts[place]
        if before is None:
            done.change("new post", place[1], "", None, place[0], text)
        elif before != digest:
            done.change("changed post", place[1], "", before, digest, text)


def _read(spider: Any, document: Document) -> list[Prepared]:
    from spiders.answers import response_of

    posts = spider.read(response_of(document)).posts
    return [row for post in posts if (row := prepared(post, document)) is not None]


def _store(app: App, run: Run, document: Document, rows: Sequence[Prepared], done: Redone) -> None:
    outcome = app.store.intake.take(run, document, rows, None, None)
    for kind, count in outcome.items():
        if count and kind is not PostOutcome.DROPPED:
            done.counts[f"posts {kind.value}"] += count


def _match(app: App, scope: Scope, diff: bool, done: Redone) -> None:
    rematch(app, scope.since, scope.source, scope.brand, diff, done)


def _analyse(app: App, scope: Scope, diff: bool, done: Redone) -> None:
    for mentions in stored_mentions(app, scope, analyse.BATCH):
        # With those that a person read: the names of a post are told apart side by side.
        found = zip(mentions, analyse.analyse(judge(app), mentions), strict=True)
        fresh = [(mention, analysis) for mention, analysis in found if not _by_person(mention)]
        for mention, analysis in fresh:
            old = mention.analysis
            before = f"{old.tone}, {old.intent}" if old else None
            after = f"{analysis.tone}, {analysis.intent}"
            done.counts["mentions"] += 1
            if before != after:
                done.change("tone", mention.id, mention.brand, before, after, match.full_text(mention.post.post))
        if not diff:
            app.store.mentions.save_analyses(fresh)


def _by_person(mention: StoredMention) -> bool:
    """What a person said stays, as long as the post reads as it did."""
    return mention.analysis is not None and mention.analysis.model.startswith(PERSON)


def _triage(app: App, scope: Scope, diff: bool, done: Redone) -> None:
    """A mention that has its ticket keeps it: what today's rules would not open is shown by the diff alone."""
    brands = {brand.name: brand for brand in app.config.brands}
    for mentions in stored_mentions(app, scope, triage.BATCH):
        for row in rehearse(app, mentions, brands) if diff else decide_again(app, mentions):
            done.counts["mentions"] += 1
            if (what := row.change) is not None:
                text, mention, (before, after) = match.full_text(row.mention.post.post), row.mention, row.turn
                done.change(what, mention.id, mention.brand, before, after, text, rule=row.rule)


def stored_mentions(app: App, scope: Scope, size: int) -> Iterator[list[StoredMention]]:
    """The mentions of a part of the past, newest first, page by page."""
    before: int | None = None
    mentions = app.store.mentions
    while page := mentions.list(
        since=scope.since, brand=scope.brand, source=scope.source, before_id=before, limit=size
    ):
        whole = analyse.together(page, size)
        yield list(whole)
        before = whole[-1].id
