"""A block's settings against the `Settings` of its kind."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from crawler.config.blocks import Config, SinkBlock, SourceBlock
from crawler.config.frame import SinkFrame, SourceFrame
from crawler.config.loading import validated
from crawler.config.problems import Explainer
from crawler.config.reading import Text
from crawler.config.secrets import Lookup, Unresolved
from crawler.errors import ConfigError

_Settings = TypeVar("_Settings", bound=BaseModel)


def settings_of(
    block: SourceBlock | SinkBlock, settings: type[_Settings], config: Config, *, resolve: bool = True
) -> _Settings:
    """The block's `raw` as the `Settings` of its kind; `${ENV}` and `file:` secrets are looked up (if `resolve`).

    Raises ConfigError: every mistake with its place, the right key and the corrected line.
    """
    is_source = isinstance(block, SourceBlock)
    vault = Lookup(config.path.parent, config.env or os.environ) if resolve else Unresolved()
    try:
        return validated(settings, dict(block.raw), {"vault": vault, "timezone": config.timezone})
    except ValidationError as error:
        what = f"{'source' if is_source else 'sink'} {block.name}"
        also = list((SourceFrame if is_source else SinkFrame).model_fields)
        text = block.place.text or Text(str(config.path))
        explainer = Explainer(text, block.place.node, what, also)
        raise ConfigError(sorted(explainer.problems(error, settings), key=lambda p: (p.line, p.column))) from None
