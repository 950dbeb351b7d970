"""What people corrected, and what was learnt of it."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from crawler.store.tables.columns import flag, id_, json_, metadata, text_, time_
from crawler.store.types import RowId

corrections = Table(
    "corrections",
    metadata,
    id_(),
    # No key to mentions or analyses: what a person taught outlives the post that it was taught with.
    Column("mention_id", RowId, nullable=False),
    Column("post_version", Integer, nullable=False),
    text_("brand"),
    Column("digest", String(64), nullable=False),
    text_("text"),
    text_("language"),
    text_("target", nullable=True),
    json_("said"),
    Column("tone", String(16), nullable=True),
    Column("intent", String(16), nullable=True),
    Column("relevant", Boolean, nullable=True),
    Column("before_id", RowId, nullable=True),
    Column("analysis_id", RowId, nullable=True),
    text_("actor"),
    time_("at"),
    time_("undone_at", nullable=True),
    text_("undone_by", nullable=True),
    Index("ix_corrections_mention_id", "mention_id"),
)

lessons = Table(
    "lessons",
    metadata,
    id_(),
    # The digest of all that it was made of: the same corrections and the same model give the same lesson.
    Column("key", String(64), nullable=False),
    text_("model"),
    flag("in_force"),
    json_("figures"),
    Column("delta", LargeBinary, nullable=False),
    time_("at"),
    UniqueConstraint("key"),
)
