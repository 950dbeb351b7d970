"""`sinks test NAME`: a real ticket through the real helpdesk, found again, commented and closed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

from crawler.app import App, now
from crawler.app.naming import unknown
from crawler.errors import InDoubt, Permanent
from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from sinks.base import Sink

LONGEST_LOOK = 60.0
LOOK_EVERY = 2.0


def test_sink(app: App, name: str) -> Iterator[str]:
    """Lines that say what was proved; the helpdesk's own error when it refuses.

    Raises Permanent at the end when the helpdesk took the ticket but exactly once cannot be kept with these settings.
    """
    sink = app.sinks.get(name)
    if sink is None:
        raise unknown("sink", name, app.sinks)
    ticket = _ticket()
    if "find" in sink.can and sink.find(ticket.key) is not None:
        raise Permanent(f"{name}: it finds a ticket for a key that was never used: the search ignores its condition")
    remote = _created(sink, ticket)
    yield f"created {remote.id} {remote.url or ''}".rstrip()
    yield from _warnings(remote)
    found = _found(sink, ticket.key) if "find" in sink.can else None
    if found is not None:
        yield f"found again by key: {found.id}"
    elif "find" not in sink.can:
        again = "and the helpdesk takes the same key once" if sink.creates_once else "and flagged"
        yield f"cannot search: a doubtful delivery is sent again {again}"
    yield from _closed(sink, ticket, remote)
    if found is None and "find" in sink.can:
        raise Permanent(f"{name}: the ticket is NOT found again by its key: doubles cannot be ruled out; see find")


test_sink.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name says


def _created(sink: Sink, ticket: Ticket) -> Remote:
    """The ticket; after a doubt it is looked for, as a delivery would be."""
    try:
        return sink.create(ticket)
    except InDoubt:
        found = _found(sink, ticket.key) if "find" in sink.can else None
        if found is None:
            raise
        return found


def _found(sink: Sink, key: str) -> Remote | None:
    """Looked for as long as the search of this helpdesk may lag."""
    end = time.monotonic() + min(sink.settle, LONGEST_LOOK)
    while (found := sink.find(key)) is None and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
    return found


def _closed(sink: Sink, ticket: Ticket, remote: Remote) -> Iterator[str]:
    if "update" not in sink.can:
        yield "cannot comment or close: follow-ups stay in our own records"
        return
    change = Change(key=f"{ticket.key}/close", comment="Test finished.", status=TicketStatus.SOLVED)
    after = sink.update(remote, change)
    yield from _warnings(after)
    yield "closed" if after is None or after.status is not TicketStatus.OPEN else "commented; it stays open there"


def _warnings(remote: Remote | None) -> Iterator[str]:
    for warning in remote.warnings if remote else ():
        yield f"warning: {warning}"


def _ticket() -> Ticket:
    return Ticket(
        key=f"mc-test-{uuid4().hex[:12]}",
        subject="Test ticket of mention-crawler · тестова заявка",
        body="This ticket proves that tickets arrive. It can be deleted.\nЦю заявку можна видалити.",
        priority=Priority.LOW,
        brand="test",
        tags=("test",),
        reason="asked for by `sinks test`",
        opened_at=now(),
    )
