"""One delivery and its helpdesk: ask first after a doubt, wait a late creation out, create, say what stays unsure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crawler.errors import CrawlerError, InDoubt, Permanent, Transient
from crawler.model import Delivery, Remote
from crawler.stages.crash import kill_point
from sinks.base import Sink

LATER_LOOK = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """The helpdesk has it. `twice`: why it may have it two times; `recheck_at`: when to look once more."""

    remote: Remote
    twice: str | None = None
    recheck_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """To be tried again. `doubted_at` is set when this very call may have taken effect; `failed` False: not called."""

    error: str
    retry_after: float | None = None
    not_before: datetime | None = None
    doubted_at: datetime | None = None
    failed: bool = True


@dataclass(frozen=True, slots=True)
class Parked:
    """A person must look."""

    error: str


Answer = Sent | Later | Parked


class NotYet(Exception):
    """A call in doubt may still take effect until `until`: nothing is sent before."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__("an earlier attempt may still take effect: waiting before it is made again")


def attempt(sink: Sink, delivery: Delivery, now: datetime) -> Answer:
    """Try one delivery; nothing that a sink raises gets further than here."""
    began = time.monotonic()
    try:
        kill_point("before_call")
        answer = send(sink, delivery, now)
        kill_point("after_call")
        return answer
    except NotYet as wait:
        return Later(str(wait), not_before=wait.until, failed=False)
    except Transient as error:
        # The doubt begins when the call was given up: a long timeout must not use up the time that is waited for it.
        ended = now + timedelta(seconds=int(time.monotonic() - began))
        return Later(str(error), error.retry_after, doubted_at=ended if isinstance(error, InDoubt) else None)
    except CrawlerError as error:
        return Parked(str(error))
    except Exception as error:  # a kind of a stranger's: its mistake must not stop the others
        return Parked(sink.mask(f"{delivery.sink}: the kind {sink.kind} failed: {type(error).__name__}: {error}"))


def send(sink: Sink, delivery: Delivery, now: datetime) -> Sent:
    """Make one delivery. Raises what the sink raises, and NotYet."""
    if delivery.change is not None:
        return _change(sink, delivery, now)
    doubtful = delivery.doubtful and not sink.idempotent
    if not doubtful:
        return Sent(sink.create(delivery.ticket))
    if "find" not in sink.can:
        unsure = delivery.doubted_at and not sink.creates_once
        return Sent(sink.create(delivery.ticket), _blind(sink) if unsure else None)
    recheck_at = now + timedelta(seconds=max(LATER_LOOK, 2 * sink.settle)) if delivery.doubted_at else None
    if found := look(sink, delivery.ticket.key):
        return Sent(found[0], doubles(found), recheck_at)
    if delivery.doubted_at and now < (settled := delivery.doubted_at + timedelta(seconds=sink.settle)):
        raise NotYet(settled)
    return Sent(sink.create(delivery.ticket), None, recheck_at)


def look(sink: Sink, key: str) -> Sequence[Remote]:
    """What the helpdesk has under `key`. A look-up that fails changes nothing: it is never in doubt."""
    try:
        found = sink.find_all(key)
    except InDoubt as error:
        raise Transient(str(error), error.retry_after) from None
    kill_point("after_find")
    return found


def doubles(found: Sequence[Remote]) -> str | None:
    """What to say when the helpdesk has several tickets for one of ours."""
    ids = list(dict.fromkeys(remote.id for remote in found))
    return f"the helpdesk has it {len(ids)} times: {', '.join(ids[:10])}" if len(ids) > 1 else None


def _blind(sink: Sink) -> str:
    return f"{sink.name} cannot be asked whether an earlier attempt arrived"


def _change(sink: Sink, delivery: Delivery, now: datetime) -> Sent:
    """Make a change. The same priority or status twice does no harm; a comment in doubt does.

    Where comments can be read, a late one is waited out before the sink looks for it; elsewhere it is flagged.
    """
    if delivery.remote is None or delivery.change is None:
        raise Permanent(f"{delivery.sink}: a change without the ticket it belongs to (delivery {delivery.id})")
    if "update" not in sink.can:
        return Sent(delivery.remote)
    remote = _there(sink, delivery, delivery.remote)
    unsure = delivery.doubted_at if delivery.change.comment and not sink.idempotent else None
    if unsure and sink.changes_once and now < (settled := unsure + timedelta(seconds=sink.settle)):
        raise NotYet(settled)
    told = sink.update(remote, delivery.change)
    twice = "an earlier attempt of this comment was in doubt: it may stand there twice"
    return Sent(told or remote, twice if unsure and not sink.changes_once else None)


def _there(sink: Sink, delivery: Delivery, remote: Remote) -> Remote:
    """The ticket where the sink leads now. In another helpdesk its number is a stranger's: the key decides."""
    if delivery.place is None or delivery.place in sink.places:
        return remote
    if found := look(sink, delivery.ticket.key) if "find" in sink.can else ():
        return found[0]
    raise Permanent(
        f"{delivery.sink}: ticket {remote.id} was made in another helpdesk than this sink leads to now:"
        " tell it there, or lead the sink back and retry"
    )
