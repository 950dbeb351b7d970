"""Deliberately broken builds: the same command with one promise taken out, to prove that the harness notices.

python tests/e2e/broken.py no-lookup crawl --config ...      sends again after a doubt without asking first
python tests/e2e/broken.py sent-first crawl --config ...     writes "sent" before it sends
python tests/e2e/broken.py marks-first crawl --config ...    commits the feed's ETag before the posts it covers
python tests/e2e/broken.py comment-blindly run --config ...  writes a comment again without looking for it
python tests/e2e/broken.py comment-lost run --config ...     takes a comment in doubt for written
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

BUILD = "MENTION_CRAWLER_TEST_BUILD"


def no_lookup() -> None:
    """A delivery in doubt is simply sent again."""
    from crawler.stages import sending

    send = sending.send

    def send_blindly(sink: Any, delivery: Any, now: Any) -> Any:
        if delivery.change is not None:
            return send(sink, delivery, now)
        return sending.Sent(sink.create(delivery.ticket))

    sending.send = send_blindly


def sent_first() -> None:
    """Every claimed delivery is marked as sent, then sent."""
    from crawler.model import Remote
    from crawler.store.outbox import Outbox

    claim = Outbox.claim

    def claim_and_settle(self: Any, owner: str, now: Any, limit: int, lease: float, sinks: Any) -> Any:
        claimed = claim(self, owner, now, limit, lease, sinks)
        self.settle(owner, [(delivery.id, Remote("?")) for delivery in claimed], [], [])
        return claimed

    Outbox.claim = claim_and_settle  # type: ignore[method-assign]


def comment_blindly() -> None:
    """A comment in doubt is simply written again."""
    from sinks.rest_changes import Changer

    Changer._is_seen = lambda self, seen: False  # type: ignore[method-assign]


def comment_lost() -> None:
    """A comment in doubt is taken for written."""
    from crawler.stages import sending

    send = sending.send

    def send_once(sink: Any, delivery: Any, now: Any) -> Any:
        if delivery.change is not None and delivery.doubtful:
            return sending.Sent(delivery.remote)
        return send(sink, delivery, now)

    sending.send = send_once


def marks_first() -> None:
    """The validators of an answer are committed in a transaction of their own, before its posts."""
    from crawler.stages.crash import kill_point
    from crawler.store.intake import Intake

    take = Intake.take

    def take_twice(self: Any, run: Any, document: Any, posts: Any, cursor: Any, validators: Any, **more: Any) -> Any:
        take(self, run, document, [], cursor, validators, **more)
        kill_point("after_commit")
        return take(self, run, document, posts, cursor, validators, **more)

    Intake.take = take_twice  # type: ignore[method-assign]


BUILDS: dict[str, Callable[[], None]] = {
    "no-lookup": no_lookup,
    "sent-first": sent_first,
    "marks-first": marks_first,
    "comment-blindly": comment_blindly,
    "comment-lost": comment_lost,
}

if __name__ == "__main__":
    os.environ[BUILD] = sys.argv.pop(1)
if name := os.environ.get(BUILD):
    # Children are spawned: they import this file under another name and are broken in the same way.
    BUILDS[name]()
if __name__ == "__main__":
    from crawler.cli import main

    sys.argv[0] = "mention-crawler"
    main()
