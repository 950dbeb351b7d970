"""What is wrong, and how to mend it: `doctor`, the conditions behind Alerts, and `/readyz`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from crawler.app import App, keeping, now
from crawler.errors import CrawlerError, StoreError
from crawler.model import SKIPPED
from crawler.store.sources import SourceState
from crawler.store.streams import LIVE, STOPPED, TROUBLE, StreamState

STUCK_AFTER = timedelta(minutes=2)
UNREAD_AFTER, CUT_OFF = timedelta(seconds=45), timedelta(seconds=30)
# Of a stream: seconds without a message that are nothing unusual, and how many of its usual gaps are.
QUIET, MANY_GAPS = 60.0, 30.0
# Friday evening to Tuesday morning: a Monday may be a holiday.
LONG_WEEKEND = 90 * 3600.0
# Connections in which nothing at all was said; how long a single message may be the last; how long a loss is told.
MUTE_CONNECTIONS, ONLY_ONE, TOLD_FOR = 3, 86400.0, timedelta(hours=24)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `doctor`."""

    name: str
    level: Literal["ok", "warning", "failure"]
    text: str
    hint: str = ""

    def as_row(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that needs a person; `key` names it, so that it can be raised once and resolved by itself."""

    key: str
    cause: str
    source: str | None = None


def examine(config: str | None) -> list[Finding]:
    """Every part looked at; a part that cannot be looked at is a failure, never a traceback."""
    findings = [_python(), _browser()]
    try:
        app = App.load(config)
    except CrawlerError as error:
        return [*findings, Finding("config", "failure", str(error), "mention-crawler check names every mistake")]
    findings.append(Finding("config", "ok", str(app.config.path)))
    for part, look in _LOOKS.items():
        findings.append(_looked(part, look, app))
    findings += [Finding("alert", "warning", cause) for cause in _causes(app)]
    app.close()
    return findings


def conditions(app: App) -> Iterator[Condition]:
    """What should be an open Alert now, from the database and the disk alone."""
    yield from _disk_low(app)
    yield from _sources(app)
    yield from _streams(app)
    yield from _stages(app)
    yield from _sinks(app)


def watch(app: App) -> None:
    """Raise an Alert for each condition that holds, resolve those that no longer do."""
    holding = {condition.key: (condition.cause, condition.source) for condition in conditions(app)}
    app.store.alerts.keep(holding, ("source:", "stage:", "sink:", "disk"))


def browser_path() -> str | None:
    """The browser that browser sources would use."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found:
        return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache" / "ms-playwright"))
    return next((str(path) for path in sorted(cache.glob("chromium*/**/chrome")) if path.is_file()), None)


def _disk_low(app: App) -> Iterator[Condition]:
    free, place = keeping.room(app)
    if free < keeping.GIB:
        yield Condition("disk", f"only {free // (1 << 20)} MiB free at {place}: collecting pauses below 1 GiB")


def _sources(app: App) -> Iterator[Condition]:
    odd, quiet = app.store.yields.odd(), dict[str, tuple[int, float]]()
    for state in app.store.sources.all():
        if state.paused:
            continue
        if why := odd.get(state.name):
            yield Condition(f"source:{state.name}:yield", f"{state.name}: {why}", state.name)
        if state.failures >= 1 and state.last_verdict in {"failed", "blocked", "changed", "too_big", "trap"}:
            cause = f"{state.name}: {state.last_verdict} {state.failures} times in a row: {state.last_error or '?'}"
            yield Condition(f"source:{state.name}:failing", cause, state.name)
        elif seconds := _quiet(state):
            quiet[state.name] = state.id, seconds
    for name in _silent(app, quiet):
        yield Condition(f"source:{name}:silent", f"{name}: silent far longer than usual", name)


def _streams(app: App) -> Iterator[Condition]:
    """Streams that nobody reads, that are cut off, or from which less comes than usual."""
    states = app.store.streams.states()
    for source in app.store.streams.wanted() if states else ():
        state = states.get(source.id)
        if state is not None and (cause := _cut_off(state)):
            yield Condition(f"source:{source.name}:stream", f"{source.name}: {cause}", source.name)
        if state is not None and state.state != STOPPED and TROUBLE in (state.error or ""):
            told = (state.error or "").partition(TROUBLE)[2]
            yield Condition(f"source:{source.name}:heard", f"{source.name}: {told}", source.name)
        if cause := _passed_over(source.cursor):
            yield Condition(f"source:{source.name}:skipped", f"{source.name}: {cause}", source.name)


def _passed_over(cursor: Mapping[str, Any]) -> str | None:
    """A loss that cannot be mended is told for a day."""
    try:
        at = datetime.fromisoformat(cursor[SKIPPED])
    except (KeyError, TypeError, ValueError):
        return None
    if now() - at > TOLD_FOR:
        return None
    return (
        f"a part of the stream was passed over at {at:%H:%M:%S} UTC: a message was too long to read, or the server"
        " knew the last place no more"
    )


def _cut_off(state: StreamState) -> str | None:
    at = now()
    if state.state == STOPPED:
        return None
    if at - state.beat_at > UNREAD_AFTER:
        return "nobody reads the stream: is the service running?"
    if state.state != LIVE and at - state.since > CUT_OFF:
        return f"cut off since {state.since:%H:%M:%S} UTC: {state.error or '?'}"
    if state.heard_at is None and state.frames == 0 and state.connections >= MUTE_CONNECTIONS:
        return f"open, but nothing was said in {state.connections} connections: correct `url`, `path` or `query`"
    # From the last message on, whatever connections opened since: one that opens and tells nothing is no better.
    quiet = (at - state.heard_at).total_seconds() if state.heard_at else 0.0
    if state.usual_gap_seconds is not None and quiet > max(QUIET, MANY_GAPS * state.usual_gap_seconds):
        return f"silent for {quiet:.0f} s; a message usually comes every {state.usual_gap_seconds:.1f} s"
    if state.usual_gap_seconds is None and quiet > ONLY_ONE:
        return f"silent for {quiet / 3600:.0f} hours, after its first messages"
    return None


def _quiet(state: SourceState) -> float | None:
    """Seconds without a new post where they are more than three times the usual gap, and than a day; else None."""
    if not state.usual_gap_seconds or not state.last_new_at:
        return None
    seconds = (now() - state.last_new_at).total_seconds()
    return seconds if seconds > max(86400.0, 3 * state.usual_gap_seconds) else None


def _silent(app: App, quiet: Mapping[str, tuple[int, float]]) -> list[str]:
    """Of quiet sources (name -> id and seconds) all but those that rest at weekends, which are left a long one."""
    # Asked for all at once: at a weekend thousands are quiet, and this is looked at every few seconds.
    resting = app.store.yields.resting([one for one, seconds in quiet.values() if seconds <= LONG_WEEKEND])
    return [name for name, (one, _) in quiet.items() if one not in resting]


def _stages(app: App) -> Iterator[Condition]:
    for stage, oldest in app.store.glances.oldest_waiting().items():
        if oldest is not None and now() - oldest > STUCK_AFTER:
            minutes = (now() - oldest).total_seconds() / 60
            yield Condition(
                f"stage:{stage}", f"stage {stage} does not move: the oldest item has waited {minutes:.0f} minutes"
            )


def _sinks(app: App) -> Iterator[Condition]:
    for state in app.store.glances.sinks(sent=False).values():
        why = state.error or "no details"
        if state.parked:
            yield Condition(f"sink:{state.sink}:parked", f"{state.sink}: {state.parked} deliveries are parked: {why}")
        if state.failing:
            yield Condition(f"sink:{state.sink}:down", f"{state.sink}: {state.failing} deliveries wait: {why}")
        if state.pending and state.sink not in {block.name for block in app.config.sinks}:
            cause = f"{state.sink}: {state.pending} deliveries wait for a sink that the config does not have any more"
            yield Condition(f"sink:{state.sink}:gone", f"{cause}: give a sink this name again")
    for sink, count, key in app.store.outbox.doubles():
        cause = f"{sink}: {count} open tickets may be there twice, among them {key}: `tickets show {key}` says why"
        yield Condition(f"sink:{sink}:twice", cause)


def _causes(app: App) -> list[str]:
    """What is wrong now, and the open alerts of what only a running service can see."""
    try:
        found = {alert.key: alert.cause for alert in app.store.alerts.open()}
        return list((found | {condition.key: condition.cause for condition in conditions(app)}).values())
    except CrawlerError:
        return []


def _looked(part: str, look: Callable[[App], str], app: App) -> Finding:
    try:
        return Finding(part, "ok", look(app))
    except CrawlerError as error:
        return Finding(part, "failure", str(error), _HINTS.get(part, ""))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", version)


def _browser() -> Finding:
    path = browser_path()
    if path:
        return Finding("browser", "ok", path)
    hint = "apt-get install chromium, or: playwright install chromium"
    return Finding("browser", "warning", "none found: sources of kind browser fail", hint)


def _database(app: App) -> str:
    return f"{app.store.shown_url}: {app.store.posts.count()} posts"


def _disk(app: App) -> str:
    low = next(_disk_low(app), None)
    if low is not None:
        raise StoreError(low.cause)
    return f"{keeping.room(app)[0] // keeping.GIB} GiB free at {app.config.data_dir}"


def _model(app: App) -> str:
    app.model.analyse(["ok"], [None])
    return "; ".join([app.model.name, *app.model.notes])


def _kinds(app: App) -> str:
    return f"{len(app.spiders)} source kinds, {len(app.sink_kinds)} sink kinds"


def _sink_blocks(app: App) -> str:
    return ", ".join(f"{name} ({sink.kind})" for name, sink in app.sinks.items())


_LOOKS: dict[str, Callable[[App], str]] = {
    "database": _database,
    "disk": _disk,
    "kinds": _kinds,
    "sinks": _sink_blocks,
    "model": _model,
}
_HINTS = {
    "database": "mention-crawler upgrade creates it or brings it up to date",
    "disk": "free some space; collecting goes on by itself",
    "model": "reinstall the package, or set sentiment.model",
    "sinks": "mention-crawler check names the place",
}


# A source or a helpdesk that is down is somebody else's outage; these keep us from doing the job.
_STOPPING = ("process:", "stage:", "disk", "model")


def readiness(app: App) -> tuple[bool, list[str]]:
    """Whether the main job can be done, and every open cause; a database that does not answer is the first of them."""
    try:
        alerts = app.store.alerts.open()
        app.store.config.version()
    except CrawlerError as error:
        return False, [str(error)]
    stopping = any(alert.key.startswith(_STOPPING) for alert in alerts)
    causes = [alert.cause for alert in alerts]
    return not stopping, causes
