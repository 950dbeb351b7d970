"""The daily digest: once a day for each brand and recipient, whoever of several services comes first."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crawler.app import App, now
from crawler.app.accounting import bounds_of_day, brand_names
from crawler.app.alerting import targets_of
from crawler.app.naming import demand
from crawler.errors import CrawlerError, InDoubt
from crawler.model import Priority, Ticket
from crawler.reports.digest import Digest, compose

if TYPE_CHECKING:
    from sinks.base import Sink

logger = logging.getLogger(__name__)

LOOK_EVERY = 15.0
LEASE = 600.0
_ALERT = "digest:"


def digest_of(app: App, brand: str, day: str | None = None) -> Digest:
    """The digest of a brand: of a local day, or of the 24 hours up to now. Raises NotFound."""
    demand("brand", brand, brand_names(app))
    since, until = bounds_of_day(day, app.config.timezone)
    last = until or now()
    return _composed(app, brand, since or last - timedelta(days=1), last, day)


def _composed(app: App, brand: str, since: datetime, until: datetime, day: str | None = None) -> Digest:
    shown = day or until.astimezone(ZoneInfo(app.config.timezone)).date().isoformat()
    causes = [alert.cause for alert in app.store.alerts.open()]
    return compose(brand, shown, app.store.digests.numbers(brand, since, until), causes, app.config.language)


@dataclass
class Digester:
    """Sends what is due. Remembers, for this process, what went, so as not to ask the database each second."""

    sent: set[str] = field(default_factory=set)
    look_at: float = 0.0

    def send(self, app: App, at: datetime | None = None) -> int:
        """Send the digests of today that are due and that nobody has sent; how many went."""
        config, moment = app.config.digests, at or now()
        if at is None and time.monotonic() < self.look_at:
            return 0
        self.look_at = time.monotonic() + LOOK_EVERY
        _forget(app)
        if config.at is None:
            return 0
        day, due = _due(config.at, app.config.timezone, moment)
        if moment < due:
            return 0
        targets = targets_of(app, config.send_to)
        names = [brand.name for brand in app.config.brands]
        return sum(self._one(app, name, day, target, sink, due) for name in names for target, sink in targets.items())

    def _one(self, app: App, brand: str, day: date, target: str, sink: Sink, due: datetime) -> bool:
        key = f"{day}/{target}/{brand}"
        if key in self.sent:
            return False
        attempt = app.store.digests.claim(key, app.owner, LEASE)
        if not attempt:
            return False
        ticket = as_ticket(_composed(app, brand, due - timedelta(days=1), due), key, brand, due)
        if not self._told(app, sink, target, ticket, again=attempt > 1):
            return False
        self.sent.add(key)
        return app.store.digests.done(key, app.owner)

    def _told(self, app: App, sink: Sink, target: str, ticket: Ticket, *, again: bool) -> bool:
        """One attempt; what fails is tried again when the claim has run out, and is an Alert until then."""
        try:
            if not (again and "find" in sink.can and sink.find(ticket.key) is not None):
                sink.create(ticket)
        except InDoubt as error:
            if "find" in sink.can:
                return self._failed(app, target, ticket.brand, error)
            # Rather a digest that is missing than one that comes twice.
            logger.warning("the digest may or may not have reached %s: %s", target, error)
        except CrawlerError as error:
            return self._failed(app, target, ticket.brand, error)
        app.store.alerts.clear(_alert(target, ticket.brand))
        return True

    def _failed(self, app: App, target: str, brand: str, error: CrawlerError) -> bool:
        app.store.alerts.set_(_alert(target, brand), f"the digest of {brand} could not be sent to {target}: {error}")
        return False


def _due(at: clock, zone: str, moment: datetime) -> tuple[date, datetime]:
    """The local day of `moment`, and the instant of that day at which its digests are due."""
    local = ZoneInfo(zone)
    day = moment.astimezone(local).date()
    return day, datetime.combine(day, at, tzinfo=local).astimezone(UTC)


def _forget(app: App) -> None:
    """An Alert about somebody who is no longer to be told is over."""
    wanted = {_alert(target, brand.name) for target in app.config.digests.send_to for brand in app.config.brands}
    for alert in app.store.alerts.open():
        if alert.key.startswith(_ALERT) and alert.key not in wanted:
            app.store.alerts.clear(alert.key)


def _alert(target: str, brand: str) -> str:
    return f"{_ALERT}{target}:{brand}"


def as_ticket(digest: Digest, key: str, brand: str, due: datetime) -> Ticket:
    """A digest in the shape that every sink can carry; the same key for the same day, brand and recipient."""
    return Ticket(
        key="mc-digest-" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:16],
        subject=digest.subject,
        body="\n".join(digest.lines),
        priority=Priority.LOW,
        brand=brand,
        tags=("digest",),
        reason=digest.lines[0],
        opened_at=due,
    )
