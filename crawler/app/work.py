"""The stages after the crawl, run one after the other until nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from crawler.app import App, now
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


def work(app: App, progress: ProgressFor | None = None) -> Worked:
    """match, analyse, triage, deliver. A model that cannot be used leaves mentions waiting, with an Alert."""
    told = progress or _silent
    store, worked = app.store, Worked()
    worked.mentions_new = match.run(store, app.matcher(), told("match"))
    try:
        worked.analysed = analyse.run(store, app.model, told("tone"))
        store.alerts.clear("model")
    except ModelUnavailable as error:
        worked.model_error = str(error)
        store.alerts.set_("model", f"Tone model cannot be used, mentions wait untagged: {error}")
    worked.triaged = triage.run(store, app.config.rules, app.brands, now, told("triage"))
    worked.delivered = deliver.run(store, app.sinks, app.owner, now, told("tickets"))
    return worked


def _silent(_: str) -> Callable[[int], None]:
    return lambda done: None
