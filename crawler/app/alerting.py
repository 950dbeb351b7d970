"""Alerts leave the house: each one once, and its end once, through the sinks and addresses of `alerts.send_to`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from crawler.app import App, now
from crawler.errors import CrawlerError
from crawler.model import Alert, Priority, Ticket

if TYPE_CHECKING:
    from sinks.base import Sink

logger = logging.getLogger(__name__)

WAIT_AFTER_FAILURE = 30.0
LEASE = 30.0
MAIL = "email"


class Sender:
    """Sends what has not been sent. Remembers, for this process, which of several targets have heard already."""

    def __init__(self) -> None:
        self.told: set[tuple[str, str]] = set()
        self.not_before: dict[str, float] = {}

    def send(self, app: App) -> int:
        """Tell every target of every new alert and of every end; one that fails is tried again later. How many went."""
        targets = targets_of(app, app.config.alerts.send_to)
        waiting = app.store.alerts.unsent() if targets else []
        # Two services on one database tell of an alert once.
        if not waiting or app.store.leases.take("alerts", app.owner, LEASE) is None:
            return 0
        sent = [alert.id for alert in waiting if self._told_all(targets, alert)]
        if sent:
            app.store.alerts.mark_sent(sent)
            self.told.clear()
        return len(sent)

    def _told_all(self, targets: Mapping[str, Sink], alert: Alert) -> bool:
        # Not `all` over a generator: one target that is down must not keep the next from hearing.
        return min([self._tell(name, sink, alert) for name, sink in targets.items()])

    def _tell(self, name: str, sink: Sink, alert: Alert) -> bool:
        ticket = as_ticket(alert)
        if (name, ticket.key) in self.told:
            return True
        if time.monotonic() < self.not_before.get(name, 0.0):
            return False
        try:
            if "find" not in sink.can or sink.find(ticket.key) is None:
                sink.create(ticket)
        except CrawlerError as error:
            self.not_before[name] = time.monotonic() + WAIT_AFTER_FAILURE
            logger.warning("alert %s could not be sent to %s: %s", alert.key, name, error)
            return False
        self.told.add((name, ticket.key))
        return True


def targets_of(app: App, words: Sequence[str]) -> dict[str, Sink]:
    """Sinks by the words of a `send_to`; a mail address is reached through the first sink of kind `email`."""
    mail = next((sink for sink in app.sinks.values() if sink.kind == MAIL), None)
    found: dict[str, Sink] = {}
    for word in words:
        if word in app.sinks:
            found[word] = app.sinks[word]
        elif mail is not None:
            found[word] = type(mail)(mail.name, mail.settings.model_copy(update={"to": (word,)}), mail.tools)
        else:
            logger.warning("nothing can be sent to %s: there is no sink of kind %s", word, MAIL)
    return found


def as_ticket(alert: Alert) -> Ticket:
    """An alert, or its end, in the shape that every sink can carry."""
    over = alert.resolved_at is not None
    state = f"Over since: {alert.resolved_at}" if over else "It is still so."
    return Ticket(
        key=f"mc-alert-{alert.id}" + ("-over" if over else ""),
        subject=f"mention-crawler: {'over: ' if over else ''}{alert.cause}"[:120],
        body=f"{alert.cause}\n\nFirst seen: {alert.first_seen}\n{state}\nCondition: {alert.key}",
        priority=Priority.NORMAL if over else Priority.HIGH,
        brand="mention-crawler",
        tags=("alert",),
        reason=alert.cause,
        opened_at=now(),
    )
