"""Times that a stream names, beside our own clock: one message from the future is not believed, many in a row are.

A place in the future would hide what comes until then. But where every message lies ahead of us, it is our clock that
is behind, and a stream that believed none of them would never move.
"""

from __future__ import annotations

import time
from collections import deque

SKEW = 300.0
"""Seconds that a message may lie ahead of us: clocks of small machines are minutes off."""
_MANY = 40


class StreamClock:
    """Learns from each message how far the stream's clock is ahead of ours."""

    def __init__(self) -> None:
        self._ahead: deque[float] = deque(maxlen=_MANY)

    @property
    def behind(self) -> float:
        """Seconds by which this machine's clock is behind the stream's; 0 for what is nothing unusual."""
        least = min(self._ahead) if len(self._ahead) == _MANY else 0.0
        return least if least > SKEW else 0.0

    def believes(self, when: float) -> bool:
        """Whether a message may be of that time (seconds since 1970); learns it."""
        self._ahead.append(when - time.time())
        return self.is_past(when)

    def is_past(self, when: float) -> bool:
        """Whether that time lies no further ahead than what is said to be now."""
        return when - time.time() < SKEW + self.behind


__all__ = ["SKEW", "StreamClock"]
