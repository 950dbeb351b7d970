"""One sink at one time: claims what is due, calls the helpdesk, settles, and leaves a sink in peace that fails."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event, Lock

from crawler.errors import Transient
from crawler.model import Delivery, Remote
from crawler.stages import returns, sending
from crawler.stages.crash import kill_point
from crawler.stages.sending import Answer, Later, Parked, Sent
from crawler.store import Pulse, Recheck, Store, Told
from sinks.base import Sink

BATCH = 50
LEASE = 120.0
# No call begins later than this after the lease was renewed: the store reckons with a third of it (`doubted_at`).
RENEW = timedelta(seconds=LEASE / 4)
WAKE_EVERY = 5.0
FIRST_WAIT, LONGEST_WAIT = 5.0, 1800.0
BREAK_AFTER = 3
LONGEST_BREAK = 300.0
SETTLE_EVERY = 0.5
# A creation that arrives after the second look is seen by the last one.
FAR_LOOK = 86_400.0


@dataclass(slots=True)
class Outcome:
    """What became of deliveries."""

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

    @property
    def total(self) -> int:
        """All of them."""
        return self.sent + self.later + self.parked


@dataclass(slots=True)
class _Results:
    """Answers that are not written down yet."""

    sent: list[tuple[int, Remote]] = field(default_factory=list)
    later: list[tuple[int, str, datetime, bool]] = field(default_factory=list)
    parked: list[tuple[int, str]] = field(default_factory=list)
    twice: dict[int, str] = field(default_factory=dict)
    rechecks: dict[int, datetime] = field(default_factory=dict)
    fresh: dict[int, datetime] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        return Outcome(len(self.sent), len(self.later), len(self.parked))

    def add(self, delivery: Delivery, answer: Answer, now: datetime) -> None:
        if isinstance(answer, Parked):
            self.parked.append((delivery.id, answer.error))
        elif isinstance(answer, Later):
            at = answer.not_before or back_off(now, delivery.attempts, answer.retry_after)
            doubtful = delivery.doubtful or answer.doubted_at is not None
            self.later.append((delivery.id, answer.error, at, doubtful))
            if answer.doubted_at is not None:
                self.fresh[delivery.id] = answer.doubted_at
        else:
            self._sent(delivery, answer)

    def _sent(self, delivery: Delivery, answer: Sent) -> None:
        self.sent.append((delivery.id, answer.remote))
        if answer.twice is not None:
            self.twice[delivery.id] = answer.twice
        if answer.recheck_at is not None:
            self.rechecks[delivery.id] = answer.recheck_at


class Courier:
    """Delivers all that is due to one sink. `run` is the body of a thread; `take` tells what it has done so far."""

    def __init__(
        self, store: Store, name: str, sink: Sink, owner: str, now: Callable[[], datetime], stopping: Event
    ) -> None:
        self.store, self.name, self.sink, self.now, self.stopping = store, name, sink, now, stopping
        self.owner = f"{owner}/{name}"
        self.error: Exception | None = None
        self.window = 1
        self._outcome, self._lock = Outcome(), Lock()

    def run(self) -> None:
        """News, then deliveries and second looks, until nothing is due or the sink is to be left in peace."""
        try:
            if not self.store.sink_states.pulse(self.name).shut(self.now()):
                returns.hear(self.store, self.name, self.sink, self.now)
            self.deliver()
        except Exception as error:  # handed to whoever waits for this thread
            self.error = error

    def take(self) -> Outcome:
        """What has been done since the last call."""
        with self._lock:
            taken, self._outcome = self._outcome, Outcome()
        return taken

    def count(self, outcome: Outcome) -> None:
        """Add to what `take` tells."""
        with self._lock:
            self._outcome += outcome

    def deliver(self) -> None:
        """Batch after batch. After failures in a row one delivery goes first and alone: the probe.

        Second looks go between the batches: a backlog that never ends must not put them off for ever.
        """
        while not self.stopping.is_set():
            pulse = self.store.sink_states.pulse(self.name)
            if pulse.shut(self.now()):
                return
            looked = pulse.failures < BREAK_AFTER and self.look_again()
            limit = 1 if pulse.failures >= BREAK_AFTER else BATCH
            claimed_at = self.now()
            claimed = self.store.outbox.claim(self.owner, claimed_at, limit, LEASE, [self.name])
            if not claimed and not (looked or self.look_again()):
                return
            if not claimed:
                continue
            kill_point("after_claim")
            with ThreadPoolExecutor(self.sink.parallel, f"sink-{self.name}") as pool:
                _Batch(self, claimed, claimed_at, pulse, pool).run()

    def look_again(self) -> int:
        """Deliveries that followed a doubt: did the attempt that seemed lost arrive after all? How many were asked."""
        due = self.store.outbox.take_rechecks(self.name, self.now(), LEASE, BATCH)
        if due:
            failures: list[Transient] = []
            with ThreadPoolExecutor(self.sink.parallel, f"look-{self.name}") as pool:
                list(pool.map(lambda row: self._look_once_more(row, failures), due))
        return len(due)

    def _look_once_more(self, row: Recheck, failures: list[Transient]) -> None:
        outbox = self.store.outbox
        if len(failures) >= BREAK_AFTER or self.stopping.is_set():
            # Taken, and not asked: it comes back like one that could not be asked.
            return outbox.put_off_recheck(row.delivery_id, back_off(self.now(), 5))
        try:
            found = [row.remote_id, *(remote.id for remote in sending.look(self.sink, row.key))]
        except Transient as error:
            failures.append(error)
            outbox.put_off_recheck(row.delivery_id, back_off(self.now(), 5))
        except Exception as error:  # a kind of a stranger's may raise anything
            outbox.rechecked(row.delivery_id, self.sink.mask(f"it could not be asked once more: {error}"))
        else:
            twice = sending.doubles([Remote(one) for one in found])
            far = self.now() + timedelta(seconds=FAR_LOOK) if not twice and not row.looks else None
            outbox.rechecked(row.delivery_id, twice, far)


class _Batch:
    """Claimed deliveries on their way: one call at first and after a failure, then twice as many at once each time."""

    def __init__(
        self,
        courier: Courier,
        claimed: list[Delivery],
        claimed_at: datetime,
        pulse: Pulse,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.courier, self.pool, self.before, self.pulse = courier, pool, pulse, pulse
        self.waiting = deque(claimed)
        self.flying: dict[Future[Answer], Delivery] = {}
        self.results = _Results()
        self.window = courier.window
        self.settled_at = time.monotonic()
        self.held_since = claimed_at
        self.lost = False

    def run(self) -> None:
        """Until each has its answer, or the sink has shown that it had better be left in peace."""
        while self.flying or self._may_go_on():
            self._send()
            done, _ = wait(self.flying, timeout=WAKE_EVERY, return_when=FIRST_COMPLETED)
            for future in done:
                self._answered(self.flying.pop(future), future.result())
            self._keep()
        self._settle()
        self._give_back()
        self.courier.window = self.window

    def _may_go_on(self) -> bool:
        if not self.waiting or self.lost or self.courier.stopping.is_set() or self._open():
            return False
        if self.courier.now() - self.held_since >= RENEW:
            self._renew()
        return not self.lost

    def _open(self) -> bool:
        return self.pulse.shut(self.courier.now())

    def _send(self) -> None:
        while len(self.flying) < self.window and self._may_go_on():
            delivery = self.waiting.popleft()
            future = self.pool.submit(sending.attempt, self.courier.sink, delivery, self.courier.now())
            self.flying[future] = delivery

    def _answered(self, delivery: Delivery, answer: Answer) -> None:
        now = self.courier.now()
        self.results.add(delivery, answer, now)
        if not isinstance(answer, Later):
            self.pulse = Pulse(shut_until=self.pulse.shut_until, why=self.pulse.why) if self._open() else Pulse()
            self.window = min(self.courier.sink.parallel, self.window * 2)
        elif answer.failed:
            self.pulse = after_failure(self.pulse, answer, now)
            self.window = 1

    def _keep(self) -> None:
        """What must not wait for the end of the batch: the lease, and answers that nobody has written down."""
        if time.monotonic() - self.settled_at > SETTLE_EVERY:
            self._settle()
        if self.flying and self.courier.now() - self.held_since >= RENEW:
            self._renew()

    def _renew(self) -> None:
        """Hold the claim for longer. Whoever was away too long (a stopped process) has lost it, and calls nobody."""
        now = self.courier.now()
        kept = self.courier.store.outbox.renew(self.courier.owner, now, LEASE)
        self.lost = self.lost or kept < len(self.waiting) + len(self.flying) + self.results.outcome.total
        self.held_since = now

    def _settle(self) -> None:
        results, self.results = self.results, _Results()
        self.settled_at = time.monotonic()
        if self.pulse != self.before:
            self.courier.store.sink_states.tell(self.courier.name, self.pulse)
            self.before = self.pulse
        if results.outcome.total:
            kill_point("before_settle")
            told = Told(results.twice, results.rechecks, results.fresh, self.courier.sink.place)
            self.courier.store.outbox.settle(self.courier.owner, results.sent, results.later, results.parked, told)
            kill_point("after_settle")
            self.courier.count(results.outcome)

    def _give_back(self) -> None:
        if self.waiting:
            self.courier.store.outbox.release(self.courier.owner)
            self.courier.count(Outcome(later=len(self.waiting)))


def after_failure(pulse: Pulse, answer: Later, now: datetime) -> Pulse:
    """The pulse after a failed call: from the third in a row on, or when the sink asked for it, it is left in peace."""
    failures = pulse.failures + 1
    rest = answer.retry_after
    if rest is None and failures >= BREAK_AFTER:
        rest = min(LONGEST_BREAK, FIRST_WAIT * 2 ** min(20, failures - BREAK_AFTER)) * random.uniform(0.8, 1.2)
    if rest is None:
        return replace(pulse, failures=failures, why=answer.error)
    until = now + timedelta(seconds=rest)
    return Pulse(failures, max(until, pulse.shut_until or until), answer.error)


def back_off(now: datetime, attempts: int, retry_after: float | None = None) -> datetime:
    """Exponential back-off with jitter; never earlier than the helpdesk asked for."""
    seconds = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(20, max(0, attempts - 1))) * random.uniform(0.8, 1.2)
    return now + timedelta(seconds=max(seconds, retry_after or 0.0))
