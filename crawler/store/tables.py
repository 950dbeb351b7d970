"""The tables. Their unique keys are the walls of the product: never moved, only added to.

Times are `UtcDateTime`, JSON is compact text. A post's newest version is its row in `posts`; `post_versions` holds what
it said before each edit. `gone_posts` and `gone_mentions` are filled by triggers, so that what is rebuilt from the
documents gets its old ids back.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from crawler.store.types import CompactJson, RowId, UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", RowId, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, cascade: bool = False, nullable: bool = False) -> Column[int]:
    key = ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None)
    return Column(name, RowId, key, nullable=nullable)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _time(name: str, nullable: bool = False) -> Column[object]:
    return Column(name, UtcDateTime, nullable=nullable)


def _text(name: str, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _json(name: str) -> Column[object]:
    return Column(name, CompactJson, nullable=False)


config_versions = Table(
    "config_versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("digest"),
    _text("text"),
    _time("at"),
)

brands = Table(
    "brands",
    metadata,
    _id(),
    _text("name"),
    _json("entities"),
    _json("about"),
    _json("not_about"),
    _json("own"),
    _text("query", nullable=True),
    _json("labels"),
    _text("version"),
    _time("created_at"),
    _time("retired_at", nullable=True),
    UniqueConstraint("name"),
)

sources = Table(
    "sources",
    metadata,
    _id(),
    _text("name"),
    _text("kind"),
    _json("settings"),
    _json("labels"),
    _json("schedule"),
    _text("domain"),
    Column("verify", Boolean, nullable=False, server_default=text("true")),
    _json("cursor"),
    _time("next_run_at", nullable=True),
    _flag("paused"),
    _time("created_at"),
    _time("retired_at", nullable=True),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("lease_run", RowId, nullable=True),
    _text("lease_owner", nullable=True),
    _time("lease_until", nullable=True),
    _time("last_run_at", nullable=True),
    _text("last_verdict", nullable=True),
    _text("last_error", nullable=True),
    _time("last_new_at", nullable=True),
    Column("usual_gap_seconds", Float, nullable=True),
    _count("failures"),
    UniqueConstraint("name"),
    Index("ix_sources_next_run_at", "next_run_at"),
    Index("ix_sources_domain", "domain"),
)

source_urls = Table(
    "source_urls",
    metadata,
    _ref("source_id", "sources"),
    Column("url_digest", String(32), nullable=False),
    _text("url"),
    _text("etag", nullable=True),
    _text("last_modified", nullable=True),
    # What else the spider remembers of this address, given back with the two above.
    Column("also", CompactJson, nullable=True),
    Column("body_digest", String(64), nullable=True),
    Column("document_id", RowId, nullable=True),
    _time("seen_at"),
    UniqueConstraint("source_id", "url_digest"),
)

runs = Table(
    "runs",
    metadata,
    _id(),
    _ref("source_id", "sources"),
    _text("slot"),
    Column("kind", String(8), nullable=False, server_default=text("'crawl'")),
    _text("owner"),
    Column("epoch", Integer, nullable=False),
    _time("started_at"),
    _time("ended_at", nullable=True),
    _text("verdict", nullable=True),
    _text("error", nullable=True),
    Column("seconds", Float, nullable=False, server_default=text("0")),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    _flag("lost"),
    *(_count(name) for name in ("fetched", "unchanged", "taken", "documents")),
    *(_count(name) for name in ("parsed", "new", "seen", "edited", "dropped")),
    UniqueConstraint("source_id", "slot"),
    Index(
        "ix_runs_open", "source_id", postgresql_where=text("ended_at IS NULL"), sqlite_where=text("ended_at IS NULL")
    ),
)

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
    _id(),
    _ref("source_id", "sources"),
    _ref("run_id", "runs"),
    _text("url"),
    Column("status", Integer, nullable=False),
    _text("headers"),
    Column("digest", String(64), ForeignKey("bodies.digest"), nullable=False),
    _time("fetched_at"),
    Column("times", Integer, nullable=False, server_default=text("1")),
    _count("posts"),
    Index("ix_documents_source_id", "source_id", "id"),
    Index("ix_documents_digest", "digest"),
)

posts = Table(
    "posts",
    metadata,
    _id(),
    _text("site"),
    _text("key"),
    Column("version", Integer, nullable=False),
    _count("mention_count"),
    _text("matched_with", nullable=True),
    _time("seen_at"),
    _time("changed_at"),
    _time("published_at", nullable=True),
    _flag("deleted"),
    Column("rating", Float, nullable=True),
    Column("author_followers", RowId, nullable=True),
    _text("author_name", nullable=True),
    _text("author_handle", nullable=True),
    _text("author_url", nullable=True),
    _text("region", nullable=True),
    _text("language_hint", nullable=True),
    _text("engagement", nullable=True),
    _text("platform_id", nullable=True),
    _text("parent", nullable=True),
    _text("thread", nullable=True),
    _text("url", nullable=True),
    Column("content_hash", String(64), nullable=False),
    _text("title", nullable=True),
    _text("text"),
    _text("folded"),
    UniqueConstraint("site", "key"),
    Index("ix_posts_matched_with", "matched_with", "id"),
)

post_versions = Table(
    "post_versions",
    metadata,
    _id(),
    _ref("post_id", "posts", cascade=True),
    Column("number", Integer, nullable=False),
    _text("title", nullable=True),
    _text("text"),
    _flag("deleted"),
    Column("content_hash", String(64), nullable=False),
    _time("replaced_at"),
    Column("replaced_by_run", RowId, nullable=False),
    UniqueConstraint("post_id", "number"),
)

post_sources = Table(
    "post_sources",
    metadata,
    Column("post_id", RowId, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", RowId, ForeignKey("sources.id"), primary_key=True),
    Column("digest", String(32), nullable=False),
    _time("seen_at"),
    Index("ix_post_sources_source_id", "source_id", "post_id"),
    sqlite_with_rowid=False,
)

gone_posts = Table(
    "gone_posts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    _text("site"),
    _text("key"),
    Column("version", Integer, nullable=False),
    UniqueConstraint("key", "site"),
)

mentions = Table(
    "mentions",
    metadata,
    _id(),
    _ref("post_id", "posts", cascade=True),
    _ref("brand_id", "brands"),
    Column("status", String(16), nullable=False),
    _text("reason"),
    _text("rule"),
    Column("ticket_id", RowId, ForeignKey("tickets.id"), nullable=True),
    Column("post_version", Integer, nullable=False),
    Column("analysed_version", Integer, nullable=False, server_default=text("0")),
    Column("analysis_id", RowId, nullable=True),
    _count("analysis_count"),
    _text("query_version"),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    _json("hits"),
    _time("found_at"),
    _time("changed_at"),
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
    _text("reason"),
    _text("rule"),
    Column("ticket_id", RowId, nullable=True),
    Column("config_version", Integer, nullable=False),
    _time("found_at"),
    UniqueConstraint("post_id", "brand_id"),
)

analyses = Table(
    "analyses",
    metadata,
    _id(),
    _ref("mention_id", "mentions", cascade=True),
    Column("post_version", Integer, nullable=False),
    _text("model"),
    _text("language"),
    Column("tone", String(16), nullable=False),
    _json("tone_scores"),
    Column("intent", String(16), nullable=False),
    _json("intent_scores"),
    _text("intent_reason"),
    _json("flags"),
    Column("confidence", Float, nullable=False),
    Column("truncated", Boolean, nullable=False),
    _time("at"),
    UniqueConstraint("mention_id", "post_version", "model"),
)

tickets = Table(
    "tickets",
    metadata,
    _id(),
    _text("key"),
    _text("subject"),
    _text("body"),
    Column("priority", String(16), nullable=False),
    _ref("brand_id", "brands"),
    _text("brand"),
    _json("tags"),
    _text("url", nullable=True),
    _text("author", nullable=True),
    _text("reason"),
    _text("rule"),
    _text("language", nullable=True),
    Column("status", String(16), nullable=False),
    _time("opened_at"),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    _count("mention_count"),
    _count("delivery_count"),
    UniqueConstraint("key"),
)

ticket_mentions = Table(
    "ticket_mentions",
    metadata,
    # No key to mentions or posts: the link outlives them, so that a rebuilt mention finds its ticket again.
    Column("mention_id", RowId, primary_key=True, autoincrement=False),
    _ref("ticket_id", "tickets"),
    Column("post_id", RowId, nullable=False),
    _ref("brand_id", "brands"),
    _flag("opened"),
    _text("site"),
    _text("thread", nullable=True),
    _text("author", nullable=True),
    Column("content_hash", String(64), nullable=True),
    _time("at"),
    Index("ix_ticket_mentions_ticket_id", "ticket_id"),
    Index("ix_ticket_mentions_thread", "brand_id", "thread"),
    Index("ix_ticket_mentions_content_hash", "brand_id", "content_hash"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    _ref("ticket_id", "tickets"),
    _text("sink"),
    Column("number", Integer, nullable=False),
    Column("change", CompactJson, nullable=True),
    Column("status", String(16), nullable=False),
    _count("attempts"),
    _flag("doubtful"),
    _text("error", nullable=True),
    _text("owner", nullable=True),
    _time("lease_until", nullable=True),
    _time("not_before"),
    _time("attempted_at", nullable=True),
    _time("settled_at", nullable=True),
    _text("remote_id", nullable=True),
    _text("remote_url", nullable=True),
    Column("remote_status", String(16), nullable=True),
    _time("created_at"),
    UniqueConstraint("ticket_id", "sink", "number"),
    CheckConstraint("(number = 0) = (change IS NULL)", name="change"),
    Index("ix_deliveries_status", "status", "not_before"),
)

desk_tickets = Table(
    "desk_tickets",
    metadata,
    _id(),
    _text("key"),
    _text("subject"),
    _text("body"),
    Column("priority", String(16), nullable=False),
    _text("brand"),
    _json("tags"),
    _text("url", nullable=True),
    _text("author", nullable=True),
    _text("reason"),
    _text("language", nullable=True),
    Column("status", String(16), nullable=False),
    _time("created_at"),
    _time("changed_at"),
    _count("comment_count"),
    UniqueConstraint("key"),
)

desk_comments = Table(
    "desk_comments",
    metadata,
    _id(),
    _ref("desk_id", "desk_tickets"),
    _text("key"),
    _text("text", nullable=True),
    _time("at"),
    UniqueConstraint("key"),
    Index("ix_desk_comments_desk_id", "desk_id"),
)

events = Table(
    "events",
    metadata,
    _id(),
    _time("at"),
    _text("actor"),
    Column("row", String(16), nullable=False),
    Column("row_id", RowId, nullable=False),
    Column("what", String(32), nullable=False),
    _text("before", nullable=True),
    _text("after", nullable=True),
    _text("note", nullable=True),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    Index("ix_events_row", "row", "row_id", "id"),
    Index("ix_events_at", "at"),
)

alerts = Table(
    "alerts",
    metadata,
    _id(),
    _text("key"),
    _text("cause"),
    _text("source", nullable=True),
    _time("first_seen"),
    _time("last_seen"),
    _time("resolved_at", nullable=True),
    _time("sent_at", nullable=True),
    _time("end_sent_at", nullable=True),
    Index(
        "uq_alerts_open",
        "key",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    _text("owner"),
    Column("epoch", Integer, nullable=False),
    _time("until"),
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
