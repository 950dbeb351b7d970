"""How often new posts come to a source, learned run by run: what the interval between the bounds of `every` follows.

Posts and the time in which they came are summed with a memory that fades: about the last twenty posts, at least six
hours, at most two weeks. A burst is remembered apart and forgotten by half with each run, so that it counts at once
and does not stay. Pure; times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

Pace = Mapping[str, float]

POSTS_PER_RUN = 1.5
# Where "nothing new" costs a request without a body (304), it may be asked oftener.
POSTS_PER_CHEAP_RUN = 1.0
MEMORY_POSTS = 20.0
SHORTEST_MEMORY, LONGEST_MEMORY = 6 * 3600.0, 14 * 86400.0
BURST = 2


def learn(known: Pace | None, new: int, elapsed: float | None, *, unchanged: bool = False) -> dict[str, float]:
    """The pace after a run that brought `new` posts, `elapsed` seconds after the run before it.

    `elapsed` None: the first run, whose posts are of a past of unknown length. `unchanged`: it was told so (304).
    """
    known = known or {}
    cheap = float(unchanged or bool(known.get("cheap") and new))
    if elapsed is None or elapsed <= 0:
        return {"posts": known.get("posts", 0.0), "seconds": known.get("seconds", 0.0), "burst": 0.0, "cheap": cheap}
    posts, seconds = known.get("posts", 0.0), known.get("seconds", 0.0)
    memory = min(LONGEST_MEMORY, max(SHORTEST_MEMORY, MEMORY_POSTS * seconds / posts if posts else LONGEST_MEMORY))
    kept = math.exp(-elapsed / memory)
    burst = max(new / elapsed if new >= BURST else 0.0, known.get("burst", 0.0) / 2)
    return {"posts": posts * kept + new, "seconds": seconds * kept + elapsed, "burst": burst, "cheap": cheap}


def wanted_gap(pace: Pace | None, elapsed: float | None) -> float | None:
    """Seconds to the next run after which one or two new posts are to be expected; None while nothing is known.

    It is never more than twice the last gap, so that one quiet night does not make a source deaf.
    """
    if not pace or not pace.get("seconds"):
        return None
    # Half a post more than was seen: that none came yet does not mean that none ever will.
    rate = max((pace.get("posts", 0.0) + 0.5) / pace["seconds"], pace.get("burst", 0.0))
    gap = (POSTS_PER_CHEAP_RUN if pace.get("cheap") else POSTS_PER_RUN) / rate
    return min(gap, 2 * elapsed) if elapsed and elapsed > 0 else gap
