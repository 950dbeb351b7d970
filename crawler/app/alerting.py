"""Alerts leave the house: each one once, through the sinks that `alerts.send_to` names."""

from __future__ import annotations

import logging

from crawler.app import App, now
from crawler.errors import CrawlerError
from crawler.model import Alert, Priority, Ticket

logger = logging.getLogger(__name__)


def send_alerts(app: App) -> int:
    """Send what has not been sent; a sink that fails is tried again at the next pass. Returns how many went out."""
    targets = [app.sinks[name] for name in app.config.alerts.send_to if name in app.sinks]
    if not targets:
        return 0
    sent: list[int] = []
    for alert in app.store.alerts.unsent():
        try:
            for sink in targets:
                sink.create(as_ticket(alert))
            sent.append(alert.id)
        except CrawlerError as error:
            logger.warning("alert %s could not be sent: %s", alert.key, error)
    if sent:
        app.store.alerts.mark_sent(sent)
    return len(sent)


def as_ticket(alert: Alert) -> Ticket:
    """An alert in the shape that every sink can carry."""
    return Ticket(
        key=f"mc-alert-{alert.id}",
        subject=f"mention-crawler: {alert.cause}"[:120],
        body=f"{alert.cause}\n\nFirst seen: {alert.first_seen}\nCondition: {alert.key}",
        priority=Priority.HIGH,
        brand="mention-crawler",
        tags=("alert",),
        reason=alert.cause,
        opened_at=now(),
    )
