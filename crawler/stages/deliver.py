"""deliver: pending Deliveries -> tickets in helpdesks, each exactly once.

The claim commits the intent before any call. After any doubt (timeout, 5xx, a killed process) the helpdesk is asked for
the key first. Transient: later, with back-off. Permanent: parked, shown, with the answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crawler.errors import CrawlerError, InDoubt, Permanent, Transient
from crawler.model import Delivery, Remote
from crawler.stages.crash import kill_point
from crawler.store import Store
from sinks.base import Sink

BATCH = 50
LEASE = 120.0
FIRST_WAIT, LONGEST_WAIT = 5.0, 6 * 3600.0
BREAK_AFTER = 3


@dataclass(slots=True)
class Outcome:
    """What became of the Deliveries of one pass."""

    sent: int = 0
    later: int = 0
    parked: int = 0

    def __iadd__(self, other: Outcome) -> Outcome:
        self.sent, self.later, self.parked = (
            self.sent + other.sent,
            self.later + other.later,
            self.parked + other.parked,
        )
        return self


@dataclass(slots=True)
class _Settled:
    sent: list[tuple[int, Remote]] = field(default_factory=list)
    later: list[tuple[int, str, datetime, bool]] = field(default_factory=list)
    parked: list[tuple[int, str]] = field(default_factory=list)
    perhaps_twice: list[int] = field(default_factory=list)
    failures: int = 0


def run(
    store: Store,
    sinks: Mapping[str, Sink],
    owner: str,
    now: Callable[[], datetime],
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Deliver all that is due now, sink by sink, so that one that is down holds up no other."""
    total = Outcome()
    for name, sink in sinks.items():
        total += _run_sink(store, name, sink, owner, now, progress)
    return total


def _run_sink(
    store: Store,
    name: str,
    sink: Sink,
    owner: str,
    now: Callable[[], datetime],
    progress: Callable[[int], None] | None,
) -> Outcome:
    total = Outcome()
    while claimed := store.outbox.claim(owner, now(), BATCH, LEASE, [name]):
        settled = _deliver(sink, claimed, now)
        kill_point("before_settle")
        _flag(store, name, settled)
        store.outbox.settle(owner, settled.sent, settled.later, settled.parked)
        total += Outcome(len(settled.sent), len(settled.later), len(settled.parked))
        if progress:
            progress(len(claimed))
        if settled.failures >= BREAK_AFTER:
            break
    return total


def _deliver(sink: Sink, claimed: list[Delivery], now: Callable[[], datetime]) -> _Settled:
    """Call the helpdesk for each; after `BREAK_AFTER` failures in a row the rest of the batch waits uncalled."""
    settled = _Settled()
    started = now()
    for delivery in claimed:
        spent = (now() - started).total_seconds()
        if settled.failures >= BREAK_AFTER or spent > LEASE / 2:
            settled.later.append(
                (delivery.id, "waits: the helpdesk is not answering well", _wait(now(), 1), delivery.doubtful)
            )
            continue
        _attempt(sink, delivery, now, settled)
    return settled


def _attempt(sink: Sink, delivery: Delivery, now: Callable[[], datetime], settled: _Settled) -> None:
    try:
        kill_point("before_call")
        remote = _send(sink, delivery)
        kill_point("after_call")
        settled.sent.append((delivery.id, remote))
        settled.failures = 0
        if delivery.doubtful and "find" not in sink.can:
            settled.perhaps_twice.append(delivery.id)
    except Transient as error:
        doubtful = delivery.doubtful or isinstance(error, InDoubt)
        wait = _wait(now(), delivery.attempts, error.retry_after)
        settled.later.append((delivery.id, str(error), wait, doubtful))
        settled.failures += 1
    except CrawlerError as error:
        settled.parked.append((delivery.id, str(error)))


def _flag(store: Store, sink: str, settled: _Settled) -> None:
    """A helpdesk that cannot be asked may have got a doubtful ticket twice: said, never silent."""
    note = f"{sink} cannot be asked whether an earlier attempt arrived"
    for delivery_id in settled.perhaps_twice:
        store.events.add(store.events.event("delivery", delivery_id, "possible duplicate", note=note))


def _send(sink: Sink, delivery: Delivery) -> Remote:
    if delivery.change is not None:
        return _change(sink, delivery)
    if delivery.doubtful and "find" in sink.can:
        found = sink.find(delivery.ticket.key)
        if found is not None:
            return found
    return sink.create(delivery.ticket)


def _change(sink: Sink, delivery: Delivery) -> Remote:
    if delivery.remote is None or delivery.change is None:
        raise Permanent(f"{delivery.sink}: a change without the ticket it belongs to (delivery {delivery.id})")
    if "update" in sink.can:
        sink.update(delivery.remote, delivery.change)
    return delivery.remote


def _wait(now: datetime, attempts: int, retry_after: float | None = None) -> datetime:
    """Exponential back-off with jitter; never earlier than the helpdesk asked for."""
    back_off = min(LONGEST_WAIT, FIRST_WAIT * 2 ** max(0, attempts - 1)) * random.uniform(0.8, 1.2)
    return now + timedelta(seconds=max(back_off, retry_after or 0.0))
