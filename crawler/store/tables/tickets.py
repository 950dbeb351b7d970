"""What helpdesks get: tickets, their mentions, the outbox, and the built-in desk."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from crawler.store.tables.columns import count, flag, id_, json_, metadata, ref, text_, time_
from crawler.store.types import CompactJson, RowId

tickets = Table(
    "tickets",
    metadata,
    id_(),
    text_("key"),
    text_("subject"),
    text_("body"),
    Column("priority", String(16), nullable=False),
    ref("brand_id", "brands"),
    text_("brand"),
    json_("tags"),
    text_("url", nullable=True),
    text_("author", nullable=True),
    text_("reason"),
    text_("rule"),
    text_("language", nullable=True),
    Column("status", String(16), nullable=False),
    time_("opened_at"),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    count("mention_count"),
    count("delivery_count"),
    time_("due_at", nullable=True),
    time_("solved_at", nullable=True),
    text_("assignee", nullable=True),
    time_("first_reply_at", nullable=True),
    UniqueConstraint("key"),
)

ticket_mentions = Table(
    "ticket_mentions",
    metadata,
    # No key to mentions or posts: the link outlives them, so that a rebuilt mention finds its ticket again.
    Column("mention_id", RowId, primary_key=True, autoincrement=False),
    ref("ticket_id", "tickets"),
    Column("post_id", RowId, nullable=False),
    ref("brand_id", "brands"),
    flag("opened"),
    text_("site"),
    text_("thread", nullable=True),
    text_("author", nullable=True),
    Column("content_hash", String(64), nullable=True),
    time_("at"),
    # The version of the post that the ticket knows: a later one leaves a note.
    count("noted_version"),
    text_("platform_id", nullable=True),
    text_("author_id", nullable=True),
    Index("ix_ticket_mentions_ticket_id", "ticket_id"),
    Index("ix_ticket_mentions_platform_id", "brand_id", "platform_id"),
    Index("ix_ticket_mentions_author_id", "brand_id", "author_id"),
    Index("ix_ticket_mentions_thread", "brand_id", "thread"),
    Index("ix_ticket_mentions_content_hash", "brand_id", "content_hash"),
)

kin_bands = Table(
    "kin_bands",
    metadata,
    # MinHash bands of the texts that tickets stand for: texts that share one are compared.
    ref("brand_id", "brands"),
    Column("band", BigInteger, nullable=False, autoincrement=False),
    Column("mention_id", RowId, nullable=False, autoincrement=False),
    PrimaryKeyConstraint("brand_id", "band", "mention_id"),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    id_(),
    ref("ticket_id", "tickets"),
    text_("sink"),
    Column("number", Integer, nullable=False),
    Column("change", CompactJson, nullable=True),
    Column("status", String(16), nullable=False),
    count("attempts"),
    flag("doubtful"),
    text_("error", nullable=True),
    text_("owner", nullable=True),
    time_("lease_until", nullable=True),
    time_("not_before"),
    time_("attempted_at", nullable=True),
    time_("settled_at", nullable=True),
    text_("remote_id", nullable=True),
    text_("remote_url", nullable=True),
    Column("remote_status", String(16), nullable=True),
    time_("created_at"),
    time_("doubted_at", nullable=True),
    # When to ask once more whether a doubtful attempt arrived late.
    time_("recheck_at", nullable=True),
    flag("twice"),
    # How often somebody looked for a double after it was sent: once soon, once much later.
    count("looks"),
    time_("twice_at", nullable=True),
    # Which helpdesk took it: a sink's name may lead to another one by now.
    Column("place", String(16), nullable=True),
    UniqueConstraint("ticket_id", "sink", "number"),
    CheckConstraint("(number = 0) = (change IS NULL)", name="change"),
    Index("ix_deliveries_status", "status", "not_before"),
    Index("ix_deliveries_due", "sink", "status", "not_before"),
    Index("ix_deliveries_remote_id", "sink", "remote_id"),
    Index("ix_deliveries_recheck_at", "sink", "recheck_at"),
    Index("ix_deliveries_twice", "sink", sqlite_where=text("twice"), postgresql_where=text("twice")),
)

sink_states = Table(
    "sink_states",
    metadata,
    Column("sink", Text, primary_key=True),
    count("failures"),
    time_("shut_until", nullable=True),
    text_("why", nullable=True),
    time_("cursor", nullable=True),
    time_("polled_at", nullable=True),
)

replies = Table(
    "replies",
    metadata,
    id_(),
    ref("ticket_id", "tickets"),
    text_("sink"),
    text_("key"),
    text_("author", nullable=True),
    text_("text"),
    time_("at"),
    UniqueConstraint("sink", "key"),
    Index("ix_replies_ticket_id", "ticket_id"),
)

hook_calls = Table(
    "hook_calls",
    metadata,
    id_(),
    text_("key"),
    time_("at"),
    UniqueConstraint("key"),
    Index("ix_hook_calls_at", "at"),
)

desk_tickets = Table(
    "desk_tickets",
    metadata,
    id_(),
    text_("key"),
    text_("subject"),
    text_("body"),
    Column("priority", String(16), nullable=False),
    text_("brand"),
    json_("tags"),
    text_("url", nullable=True),
    text_("author", nullable=True),
    text_("reason"),
    text_("language", nullable=True),
    Column("status", String(16), nullable=False),
    time_("created_at"),
    time_("changed_at"),
    count("comment_count"),
    time_("due_at", nullable=True),
    UniqueConstraint("key"),
    Index("ix_desk_tickets_changed_at", "changed_at"),
)

desk_comments = Table(
    "desk_comments",
    metadata,
    id_(),
    ref("desk_id", "desk_tickets"),
    text_("key"),
    text_("text", nullable=True),
    time_("at"),
    # Who answered; NULL: the comment is ours.
    text_("author", nullable=True),
    UniqueConstraint("key"),
    Index("ix_desk_comments_desk_id", "desk_id"),
)
