"""How each stream fares: written by the process that reads it, every few seconds."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, String, Table, text

from crawler.store.tables.columns import count, metadata, text_, time_
from crawler.store.types import RowId

stream_states = Table(
    "stream_states",
    metadata,
    Column("source_id", RowId, ForeignKey("sources.id"), primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    # Since when it is in this state, and when its reader was last alive.
    time_("since"),
    time_("beat_at"),
    time_("heard_at", nullable=True),
    time_("event_at", nullable=True),
    Column("lag_seconds", Float, nullable=True),
    Column("usual_gap_seconds", Float, nullable=True),
    Column("frames", RowId, nullable=False, server_default=text("0")),
    count("connections"),
    text_("error", nullable=True),
)
