"""The door of the stream child: what the parent names, without what the child loads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crawler.stages.stream import Channel, StreamTools


def streams_main(channel: Channel, make_tools: Callable[..., StreamTools], *args: Any) -> None:
    """Body of the child: reads until SIGTERM or ("stop",). `make_tools(*args)` is called in the child."""
    from crawler.stages.stream import serve

    serve(channel, make_tools(*args))
