"""returns: what helpdesks have to tell of our tickets, by their updated-since query, from a cursor in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from crawler.errors import CrawlerError, Transient
from crawler.model import Change, Remote
from crawler.stages.crash import kill_point
from crawler.store import Store
from sinks.base import Sink

logger = logging.getLogger(__name__)

POLL_EVERY = 60.0
FIRST_LOOK = timedelta(days=7)
# Helpdesks stamp a change minutes before their search shows it, and clocks differ: the same news twice is harmless.
OVERLAP = timedelta(minutes=5)
MOST_AT_ONCE = 50_000
UNREAD_FOR = timedelta(days=1)


def hear(store: Store, name: str, sink: Sink, now: Callable[[], datetime]) -> int:
    """Read a sink's news, if it can tell any and nobody read them just now; returns how many Events they made."""
    if "changes" not in sink.can or not store.sink_states.begin_poll(name, POLL_EVERY):
        return 0
    began, cursor = now(), store.sink_states.cursor(name)
    try:
        news = iter(sink.changes((cursor or began - FIRST_LOOK) - OVERLAP))
        heard = list(islice(news, MOST_AT_ONCE))
        unread = f"more than {MOST_AT_ONCE} changes at once" if next(news, None) is not None else sink.unread
        heard.sort(key=lambda it: _aware(it[1].at or began))
    except Transient as error:
        logger.warning("news of %s could not be read: %s", name, error)
        return 0
    except Exception as error:  # a kind of a stranger's may raise anything: its tickets must go out all the same
        said = str(error) if isinstance(error, CrawlerError) else f"{type(error).__name__}: {error}"
        said = sink.mask(f"{name}: what happens to tickets there cannot be read: {said}")
        logger.warning("%s", said)
        store.alerts.set_(f"returns:{name}", said)
        return 0
    kill_point("after_poll")
    made = store.replies.take(name, heard, further(cursor, heard, began), sink.places)
    store.alerts.clear(f"returns:{name}")
    _tell_unread(store, name, unread, began)
    return made


def _tell_unread(store: Store, name: str, unread: str | None, began: datetime) -> None:
    """News that nobody will read any more: the cursor goes on behind them, so the alert stays for a day."""
    key = f"returns-unread:{name}"
    if unread is not None:
        store.alerts.set_(key, f"{name}: {unread}: look at old tickets there by hand")
        return
    seen = [alert.last_seen for alert in store.alerts.open() if alert.key == key]
    if any(at is not None and at <= began - UNREAD_FOR for at in seen):
        store.alerts.clear(key)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"it tells a time without a zone: {at}")
    return at


def further(cursor: datetime | None, heard: Sequence[tuple[Remote, Change]], began: datetime) -> datetime | None:
    """Where the next look begins: at the newest time told, by the helpdesk's clock, but never in the future.

    A helpdesk that tells no times is asked from five minutes before this look; one that tells nothing, from where it
    was.
    """
    if not heard:
        return cursor
    times = [change.at for _, change in heard if change.at is not None]
    newest = min(max(times), began) if times else began - timedelta(minutes=5)
    return max(newest, cursor) if cursor else newest
