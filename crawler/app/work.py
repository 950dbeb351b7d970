"""The stages after the crawl, run one after the other until nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from crawler.app import App, now
from crawler.app.learning import judge
from crawler.errors import ModelUnavailable
from crawler.stages import analyse, deliver, match, triage

ProgressFor = Callable[[str], Callable[[int], None]]


@dataclass(slots=True)
class Worked:
    """What one pass over the stages did."""

    mentions_new: int = 0
    analysed: int = 0
    triaged: triage.Triaged = field(default_factory=triage.Triaged)
    delivered: deliver.Outcome = field(default_factory=deliver.Outcome)
    model_error: str | None = None
    more: bool = False


class Turn(Exception):
    """Raised by a progress call, between two batches: the stage has had its turn, and the others come first."""


def work(app: App, progress: ProgressFor | None = None, couriers: deliver.Couriers | None = None) -> Worked:
    """match, analyse, triage, deliver. A model that cannot be used leaves mentions waiting, with an Alert.

    With `couriers` the sending goes on beside the next passes; without, it is waited for.
    """
    told = progress or _silent
    store, worked = app.store, Worked()
    if couriers is not None:
        # What waits from before goes while the other stages begin: after a restart they may have much to do.
        couriers.kick(store, app.sinks, app.owner, now)
    with _turn(worked):
        worked.mentions_new = match.run(store, app.matcher(), told("match"))
    with _turn(worked):
        _analyse(app, worked, told("tone"))
    with _turn(worked):
        setting = triage.Setting.of(app.config)
        worked.triaged = triage.run(store, app.config.rules, app.brands, now, told("triage"), setting)
    with _turn(worked):
        worked.delivered = deliver.run(store, app.sinks, app.owner, now, told("tickets"), couriers)
    return worked


def _analyse(app: App, worked: Worked, told: Callable[[int], None]) -> None:
    alerts = app.store.alerts
    try:
        worked.analysed = analyse.run(app.store, judge(app), told)
        told_of = {alert.key for alert in alerts.open()}
        if "model" in told_of:
            app.model.analyse(["ok"], [None])
            alerts.clear("model")
        if trouble := app.model.trouble:
            alerts.set_("model files", f"Changed files of the tone model are not used, the old ones go on: {trouble}")
        elif "model files" in told_of:
            alerts.clear("model files")
    except ModelUnavailable as error:
        worked.model_error = str(error)
        alerts.set_("model", f"Tone model cannot be used, mentions wait untagged: {error}")


@contextmanager
def _turn(worked: Worked) -> Iterator[None]:
    try:
        yield
    except Turn:
        worked.more = True


def _silent(_: str) -> Callable[[int], None]:
    return lambda done: None
