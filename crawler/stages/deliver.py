"""deliver: pending Deliveries -> tickets in helpdesks, each exactly once.

The claim commits the intent before any call. After any doubt (timeout, 5xx, a killed process) the helpdesk is asked for
the key first. Transient: later, with back-off. Permanent: parked, shown, with the answer. Each sink has a thread of its
own, so that one that is down or slow holds up no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Event, Thread

from crawler.stages.courier import Courier, Outcome
from crawler.stages.returns import POLL_EVERY
from crawler.store import Store
from sinks.base import Sink

LOOK_EVERY = 0.05
LAST_CALLS = 15.0


def run(
    store: Store,
    sinks: Mapping[str, Sink],
    owner: str,
    now: Callable[[], datetime],
    progress: Callable[[int], None] | None = None,
    couriers: Couriers | None = None,
) -> Outcome:
    """Deliver all that is due now and wait for it.

    With `couriers`, which outlive this call, nothing is waited for: sinks that are free begin, and the outcome is what
    they have done since the last call.
    """
    crew = couriers or Couriers()
    crew.kick(store, sinks, owner, now)
    return crew.gather() if couriers is not None else crew.finish(progress)


class Couriers:
    """The threads, one a sink, and what they have done."""

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[Courier, Thread]] = {}
        self._stopping = Event()

    def kick(self, store: Store, sinks: Mapping[str, Sink], owner: str, now: Callable[[], datetime]) -> None:
        """Begin with every sink that is free and has something due, or has not told its news for a while."""
        free = [name for name in sinks if name not in self._jobs]
        tell = store.sink_states.to_poll([name for name in free if "changes" in sinks[name].can], POLL_EVERY)
        for name in dict.fromkeys([*store.outbox.due(now(), free), *tell]):
            courier = Courier(store, name, sinks[name], owner, now, self._stopping)
            # A daemon: a call that hangs must not keep the program from ending; its intent is committed.
            thread = Thread(target=courier.run, name=f"sink-{name}", daemon=True)
            self._jobs[name] = courier, thread
            thread.start()

    def gather(self) -> Outcome:
        """What was done since the last call. Raises what a thread that ended raised."""
        total, errors = Outcome(), []
        for name, (courier, thread) in list(self._jobs.items()):
            ended = not thread.is_alive()
            total += courier.take()
            if ended:
                del self._jobs[name]
                errors += [courier.error] if courier.error else []
        for error in errors:
            raise error
        return total

    def finish(self, progress: Callable[[int], None] | None = None) -> Outcome:
        """Wait for all of them. What `progress` raises stops them after the calls that are on their way."""
        total = Outcome()
        try:
            while self._jobs:
                for _, thread in list(self._jobs.values()):
                    thread.join(LOOK_EVERY)
                done = self.gather()
                total += done
                if progress and done.total:
                    progress(done.total)
        except BaseException:
            self.stop()
            raise
        return total

    def stop(self) -> None:
        """No new calls; those on their way are waited for, for a while."""
        self._stopping.set()
        deadline = time.monotonic() + LAST_CALLS
        for _, thread in self._jobs.values():
            thread.join(max(0.0, deadline - time.monotonic()))


__all__ = ["Couriers", "Outcome", "run"]
