"""The config file: read with positions, checked as a whole, turned into blocks that the other floors read.

config = load(find(None))
settings = settings_of(config.sources[0], PageSettings, config)
"""

from __future__ import annotations

from crawler.config.blocks import (
    AlertsBlock,
    BusinessBlock,
    Config,
    DigestBlock,
    KeepBlock,
    Place,
    RuleBlock,
    SentimentBlock,
    SinkBlock,
    SourceBlock,
    UrgentIf,
)
from crawler.config.loading import find, load
from crawler.config.rule_frame import Then
from crawler.config.rule_values import Bounds
from crawler.config.schema import frame_table, schema, settings_table, starter
from crawler.config.settings import settings_of
from crawler.config.values import Duration, Schedule, Seconds

__all__ = [
    "AlertsBlock",
    "Bounds",
    "BusinessBlock",
    "Config",
    "DigestBlock",
    "Duration",
    "KeepBlock",
    "Place",
    "RuleBlock",
    "Schedule",
    "Seconds",
    "SentimentBlock",
    "SinkBlock",
    "SourceBlock",
    "Then",
    "UrgentIf",
    "find",
    "frame_table",
    "load",
    "schema",
    "settings_of",
    "settings_table",
    "starter",
]
