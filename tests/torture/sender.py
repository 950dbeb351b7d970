"""One process that delivers until nothing waits, in a hurry.

Its clock runs SPEED times as fast as the wall's since BEGAN, so that leases, back-offs and the wait for late creations
are over in seconds; the helpdesk is told to be as much quicker.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

TIMEOUT = 0.4
# Politeness, not safety: a delivery that failed ten times in a row waits for two minutes of its clock, not for thirty.
LONGEST_WAIT, LONGEST_BREAK = 120.0, 30.0
# The last look for a late double comes a day after the one before; here a minute of this clock.
FAR_LOOK = 60.0


_KEY = {"X-Mention-Crawler-Key": "{key}"}
# The helpdesk in the words of the config: a look-up by key, comments that can be read.
HELPDESK = {
    "create": {
        "path": "/tickets",
        "headers": _KEY,
        "body": {"event": "ticket.created", "subject": "{subject}", "body": "{body}", "priority": "{priority}"},
    },
    "find": {"path": "/tickets/{key}", "match": {"key": "{key}"}},
    "comment": {
        "path": "/tickets",
        "headers": _KEY,
        "body": {"event": "ticket.comment", "ticket": "{remote_id}", "text": "{comment}\n\n{marker}"},
        "seen": {"path": "/tickets/{remote_id}/comments", "items": "json:comments", "says": "json:text"},
    },
}


@dataclass(frozen=True)
class Job:
    """What one sender is to do. `crash_at` is `step:visit`; `build` one of the broken builds."""

    url: str
    address: str
    began: float
    speed: float
    crash_at: str = ""
    build: str = ""


def clock(began: float, speed: float) -> Callable[[], datetime]:
    """The hurried clock; the same in every process."""
    start = datetime.fromtimestamp(began, UTC)
    return lambda: start + timedelta(seconds=(time.time() - began) * speed)


def send(job: Job) -> None:
    """Deliver; ends when every delivery is sent and every second look is done."""
    from e2e.broken import BUILDS

    from crawler.net.guard import EgressPolicy
    from crawler.net.http import HttpClient
    from crawler.stages import courier, deliver
    from crawler.store import Store
    from sinks.base import Tools
    from sinks.rest import Rest

    os.environ["CRASH_AT"] = job.crash_at
    courier.LONGEST_WAIT, courier.LONGEST_BREAK, courier.FAR_LOOK = LONGEST_WAIT, LONGEST_BREAK, FAR_LOOK
    if job.build:
        BUILDS[job.build]()
    now = clock(job.began, job.speed)
    client = HttpClient(policy=EgressPolicy(allow_private=(ip_network("127.0.0.0/8"),)))
    settings = Rest.Settings.model_validate({"url": job.address, "timeout": TIMEOUT, **HELPDESK})
    sink = Rest("helpdesk", settings, Tools(http=client, now=now))
    with Store.open(job.url, now=now) as store:
        while store.outbox.unfinished("helpdesk"):
            deliver.run(store, {"helpdesk": sink}, f"sender:{os.getpid()}:{time.time()}", now)
            time.sleep(0.05)
