"""What was found: documents, posts, mentions and what the model thinks of them.

`gone_posts` and `gone_mentions` are filled by triggers, so that what is rebuilt from the documents gets its old ids
back.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from crawler.store.tables.columns import count, flag, id_, json_, metadata, ref, text_, time_
from crawler.store.types import RowId

bodies = Table(
    "bodies",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    id_(),
    ref("source_id", "sources"),
    ref("run_id", "runs"),
    text_("url"),
    Column("status", Integer, nullable=False),
    text_("headers"),
    Column("digest", String(64), ForeignKey("bodies.digest"), nullable=False),
    time_("fetched_at"),
    Column("times", Integer, nullable=False, server_default=text("1")),
    count("posts"),
    Index("ix_documents_source_id", "source_id", "id"),
    Index("ix_documents_digest", "digest"),
)

posts = Table(
    "posts",
    metadata,
    id_(),
    text_("site"),
    text_("key"),
    Column("version", Integer, nullable=False),
    count("mention_count"),
    text_("matched_with", nullable=True),
    time_("seen_at"),
    time_("changed_at"),
    time_("published_at", nullable=True),
    flag("deleted"),
    Column("rating", Float, nullable=True),
    Column("author_followers", RowId, nullable=True),
    text_("author_name", nullable=True),
    text_("author_handle", nullable=True),
    text_("author_url", nullable=True),
    text_("region", nullable=True),
    text_("language_hint", nullable=True),
    text_("engagement", nullable=True),
    text_("platform_id", nullable=True),
    text_("parent", nullable=True),
    text_("thread", nullable=True),
    text_("url", nullable=True),
    Column("content_hash", String(64), nullable=False),
    text_("title", nullable=True),
    text_("text"),
    text_("folded"),
    UniqueConstraint("site", "key"),
    Index("ix_posts_matched_with", "matched_with", "id"),
)

post_versions = Table(
    "post_versions",
    metadata,
    id_(),
    ref("post_id", "posts", cascade=True),
    Column("number", Integer, nullable=False),
    text_("title", nullable=True),
    text_("text"),
    flag("deleted"),
    Column("content_hash", String(64), nullable=False),
    time_("replaced_at"),
    Column("replaced_by_run", RowId, nullable=False),
    UniqueConstraint("post_id", "number"),
)

post_sources = Table(
    "post_sources",
    metadata,
    Column("post_id", RowId, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", RowId, ForeignKey("sources.id"), primary_key=True),
    Column("digest", String(32), nullable=False),
    time_("seen_at"),
    Index("ix_post_sources_source_id", "source_id", "post_id"),
    sqlite_with_rowid=False,
)

gone_posts = Table(
    "gone_posts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    text_("site"),
    text_("key"),
    Column("version", Integer, nullable=False),
    # Retention took it: a site that still shows it does not bring it back.
    flag("expired"),
    UniqueConstraint("key", "site"),
)

mentions = Table(
    "mentions",
    metadata,
    id_(),
    ref("post_id", "posts", cascade=True),
    ref("brand_id", "brands"),
    Column("status", String(16), nullable=False),
    text_("reason"),
    text_("rule"),
    Column("ticket_id", RowId, ForeignKey("tickets.id"), nullable=True),
    Column("post_version", Integer, nullable=False),
    Column("analysed_version", Integer, nullable=False, server_default=text("0")),
    Column("analysis_id", RowId, nullable=True),
    count("analysis_count"),
    text_("query_version"),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    json_("hits"),
    time_("found_at"),
    time_("changed_at"),
    UniqueConstraint("post_id", "brand_id"),
    Index("ix_mentions_status", "status", "id"),
    Index("ix_mentions_brand_id", "brand_id", "id"),
    Index("ix_mentions_ticket_id", "ticket_id"),
    Index(
        "ix_mentions_unanalysed",
        "id",
        sqlite_where=text("analysed_version < post_version"),
        postgresql_where=text("analysed_version < post_version"),
    ),
)

gone_mentions = Table(
    "gone_mentions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("post_id", RowId, nullable=False),
    Column("brand_id", RowId, nullable=False),
    Column("status", String(16), nullable=False),
    text_("reason"),
    text_("rule"),
    Column("ticket_id", RowId, nullable=True),
    Column("config_version", Integer, nullable=False),
    time_("found_at"),
    UniqueConstraint("post_id", "brand_id"),
)

analyses = Table(
    "analyses",
    metadata,
    id_(),
    ref("mention_id", "mentions", cascade=True),
    Column("post_version", Integer, nullable=False),
    text_("model"),
    text_("language"),
    Column("tone", String(16), nullable=False),
    json_("tone_scores"),
    Column("intent", String(16), nullable=False),
    json_("intent_scores"),
    text_("intent_reason"),
    json_("flags"),
    Column("confidence", Float, nullable=False),
    Column("truncated", Boolean, nullable=False),
    time_("at"),
    UniqueConstraint("mention_id", "post_version", "model"),
)

_GONE_POST = (
    "INSERT INTO gone_posts (id, site, key, version) VALUES (OLD.id, OLD.site, OLD.key, OLD.version)"
    " ON CONFLICT (key, site) DO UPDATE SET version ="
    " CASE WHEN excluded.version > gone_posts.version THEN excluded.version ELSE gone_posts.version END"
)
_KEPT = ("id", "post_id", "brand_id", "status", "reason", "rule", "ticket_id", "config_version", "found_at")
_GONE_MENTION = (
    f"INSERT INTO gone_mentions ({', '.join(_KEPT)}) VALUES ({', '.join('OLD.' + name for name in _KEPT)})"
    " ON CONFLICT (post_id, brand_id) DO UPDATE SET status = excluded.status, reason = excluded.reason,"
    " rule = excluded.rule, ticket_id = excluded.ticket_id, config_version = excluded.config_version"
)


def triggers(dialect: str) -> list[str]:
    """The statements that make deleted posts and mentions leave their ids behind, for "sqlite" or "postgresql"."""
    pairs = (("posts", _GONE_POST), ("mentions", _GONE_MENTION))
    if dialect == "sqlite":
        return [f"CREATE TRIGGER keep_{table} AFTER DELETE ON {table} BEGIN {body}; END" for table, body in pairs]
    statements = []
    for table, body in pairs:
        statements += [
            f"CREATE FUNCTION keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$",
            f"CREATE TRIGGER keep_{table} AFTER DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_{table}()",
        ]
    return statements
