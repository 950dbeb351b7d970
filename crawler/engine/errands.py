"""An errand: one call in a child process of its own, with a deadline, whose answer comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

from crawler.engine import osproc
from crawler.engine.child import Channel, Child, Start

_numbers = count(1)


def errand(target: Callable[..., Any], args: tuple[Any, ...], seconds: float, *, address_space: int = 0) -> Any:
    """`target(channel, *args)` in a child; its picklable answer, or a str that says why there is none.

    A child that is silent or late is killed with everything it started. `target` must not answer with a str.
    """
    start = Start("errand", f"{osproc.crew_marker()}.errand{next(_numbers)}", address_space)
    child = Child(_run, (target, args), start)
    try:
        return _answer(child, time.monotonic() + seconds, seconds)
    finally:
        child.kill(whole_family=True)
        child.close()


def _run(channel: Channel, target: Callable[..., Any], args: tuple[Any, ...]) -> None:
    channel.answer(target(channel, *args))


def _answer(child: Child, deadline: float, seconds: float) -> Any:
    while time.monotonic() < deadline:
        child.connection.poll(0.2)
        ended = child.ended
        for what, *rest in child.hear():
            if what == "answer":
                return rest[0]
        if ended:
            return child.how()
    return f"no answer within {seconds:.0f} s"
