"""Named kill points: `CRASH_AT=<step>` makes this process die by SIGKILL there. Used by the kill harness only."""

from __future__ import annotations

import os
import signal

STEPS = (
    "after_fetch", "after_parse", "before_commit", "after_commit", "before_finish", "after_match", "after_analyse",
    "after_triage", "after_claim", "before_call", "after_find", "after_call", "before_settle", "after_settle",
    "after_poll",
)  # fmt: skip


def kill_point(step: str) -> None:
    """Die here, at once and without clean-up, when the environment says so."""
    if os.environ.get("CRASH_AT") == step:
        os.kill(os.getpid(), signal.SIGKILL)
