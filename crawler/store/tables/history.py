"""What happened: events and alerts."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, UniqueConstraint, text

from crawler.store.tables.columns import count, id_, metadata, text_, time_
from crawler.store.types import RowId

events = Table(
    "events",
    metadata,
    id_(),
    time_("at"),
    text_("actor"),
    Column("row", String(16), nullable=False),
    Column("row_id", RowId, nullable=False),
    Column("what", String(32), nullable=False),
    text_("before", nullable=True),
    text_("after", nullable=True),
    text_("note", nullable=True),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    Index("ix_events_row", "row", "row_id", "id"),
    Index("ix_events_at", "at"),
)

alerts = Table(
    "alerts",
    metadata,
    id_(),
    text_("key"),
    text_("cause"),
    text_("source", nullable=True),
    time_("first_seen"),
    time_("last_seen"),
    time_("resolved_at", nullable=True),
    time_("sent_at", nullable=True),
    time_("end_sent_at", nullable=True),
    Index(
        "uq_alerts_open",
        "key",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

expired = Table(
    "expired",
    metadata,
    id_(),
    time_("at"),
    # What one pass of retention took away: rows, and what had been counted on them.
    *(count(name) for name in ("posts", "edits", "versions", "mentions", "analyses")),
    *(count(name) for name in ("documents", "document_times", "document_posts")),
)

digests = Table(
    "digests",
    metadata,
    id_(),
    # Brand, day and target: whoever writes the row first sends.
    text_("key"),
    text_("owner"),
    time_("lease_until"),
    count("attempts"),
    time_("sent_at", nullable=True),
    UniqueConstraint("key"),
)
