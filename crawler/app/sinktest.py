"""`sinks test NAME`: a real ticket through the real helpdesk, found again and closed."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from crawler.app import App, now
from crawler.app.naming import unknown
from crawler.model import Change, Priority, Ticket, TicketStatus


def test_sink(app: App, name: str) -> Iterator[str]:
    """Lines that say what was proved; the helpdesk's own error when it refuses."""
    sink = app.sinks.get(name)
    if sink is None:
        raise unknown("sink", name, app.sinks)
    ticket = _ticket()
    remote = sink.create(ticket)
    yield f"created {remote.id} {remote.url or ''}".rstrip()
    if "find" in sink.can:
        found = sink.find(ticket.key)
        yield f"found again by key: {found.id}" if found else "NOT found again by key: doubles cannot be ruled out"
    else:
        yield "cannot search: a doubtful delivery is sent again and flagged"
    if "update" in sink.can:
        change = Change(key=f"{ticket.key}/close", comment="Test finished.", status=TicketStatus.SOLVED)
        sink.update(remote, change)
        yield "closed"


test_sink.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name says


def _ticket() -> Ticket:
    return Ticket(
        key=f"mc-test-{uuid4().hex[:12]}",
        subject="Test ticket of mention-crawler",
        body="This ticket proves that tickets arrive. It can be deleted.",
        priority=Priority.LOW,
        brand="test",
        reason="asked for by `sinks test`",
        opened_at=now(),
    )
