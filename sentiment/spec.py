"""Which tone model, and how it is to be read: what the config says, in the words of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BUILTIN: Final = "builtin"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """`model` is `builtin`, a folder (relative to `base`) or a hub id with an optional `@revision`.

    `store` is where fetched models and calibrations lie (None: nowhere). `labels` maps the model's labels to tones,
    `sha256` pins its weights, `wording` lets our wording lean its tone.
    """

    model: str = BUILTIN
    base: Path = field(default_factory=Path)
    store: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    wording: bool = False
