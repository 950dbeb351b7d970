"""The web server: health, readiness and metrics now; the pages come with their own issue."""

from __future__ import annotations

from typing import Any


def web(channel: Any, config_path: str, url: str, log_json: bool = False) -> None:
    """Body of the web child; imports the server only there, so that the parent stays small."""
    from console.server import main

    main(channel, config_path, url, log_json)
