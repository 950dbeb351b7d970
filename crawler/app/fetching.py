"""`model fetch`: bring a model of the hub here, and see that it could be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crawler.errors import NotFound
from sentiment.spec import ModelSpec


def fetch(spec: ModelSpec, say: Callable[[str], None], endpoint: str | None = None) -> tuple[Path, str]:
    """(folder, sha256 of the weights to pin). Raises as `sentiment.hub.fetch` does, and ModelUnavailable for labels."""
    from sentiment import foreign, hub

    wanted = hub.hub_id(spec.model)
    if wanted is None or spec.store is None:
        raise NotFound(f"{spec.model!r} is no hub id; write owner/name or owner/name@revision")
    folder = hub.fetch(wanted, spec.store, say, endpoint)
    say(f"labels: {foreign.labels_of(folder, spec).said()}")
    return folder, foreign.digest_of(foreign.weight_files(folder))
