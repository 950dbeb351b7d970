"""One process that delivers until nothing waits: `python -m torture.sender DATABASE ADDRESS BEGAN SPEED [BUILD]`.

Its clock runs SPEED times as fast as the wall's since BEGAN, so that leases, back-offs and the wait for late creations
are over in seconds; the helpdesk is told to be as much quicker. BUILD is one of the broken builds.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

TIMEOUT = 0.4


def clock(began: float, speed: float) -> Callable[[], datetime]:
    """The hurried clock; the same in every process."""
    start = datetime.fromtimestamp(began, UTC)
    return lambda: start + timedelta(seconds=(time.time() - began) * speed)


def main(url: str, address: str, began: float, speed: float) -> None:
    """Deliver; ends when every delivery is sent and every second look is done."""
    from crawler.net.guard import EgressPolicy
    from crawler.net.http import HttpClient
    from crawler.stages import deliver
    from crawler.store import Store
    from sinks.base import Tools
    from sinks.webhook import Webhook

    now = clock(began, speed)
    settings = {"url": f"{address}/tickets", "lookup_url": f"{address}/tickets/{{key}}", "timeout": TIMEOUT}
    client = HttpClient(policy=EgressPolicy(allow_private=(ip_network("127.0.0.0/8"),)))
    sink = Webhook("helpdesk", Webhook.Settings.model_validate(settings), Tools(http=client, now=now))
    with Store.open(url, now=now) as store:
        while store.outbox.unfinished("helpdesk"):
            deliver.run(store, {"helpdesk": sink}, f"sender:{os.getpid()}", now)
            time.sleep(0.05)


if __name__ == "__main__":
    if len(sys.argv) > 5:
        from e2e.broken import BUILDS

        BUILDS[sys.argv[5]]()
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
