"""Named kill points: `CRASH_AT=<step>` makes this process die by SIGKILL there, `<step>:3` when it comes there for the
third time. Used by the kill harness only."""

from __future__ import annotations

import os
import signal
from collections import Counter

STEPS = (
    "after_fetch", "after_parse", "before_commit", "after_commit", "before_finish", "after_match", "after_analyse",
    "in_triage", "after_ticket", "after_triage", "after_claim", "before_call", "after_find", "after_call",
    "before_settle", "after_settle", "after_poll",
)  # fmt: skip


_visits: Counter[str] = Counter()


def kill_point(step: str) -> None:
    """Die here, at once and without clean-up, when the environment says so."""
    wanted, _, times = os.environ.get("CRASH_AT", "").partition(":")
    if wanted == step:
        _visits[step] += 1
        if _visits[step] >= int(times or 1):
            os.kill(os.getpid(), signal.SIGKILL)
