"""What is watched and where: brands, sources, runs, leases, the versions of the config."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from crawler.store.tables.columns import count, flag, id_, json_, metadata, ref, text_, time_
from crawler.store.types import CompactJson, RowId

config_versions = Table(
    "config_versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    text_("digest"),
    text_("text"),
    time_("at"),
)

brands = Table(
    "brands",
    metadata,
    id_(),
    text_("name"),
    json_("entities"),
    json_("about"),
    json_("not_about"),
    json_("own"),
    text_("query", nullable=True),
    json_("labels"),
    text_("version"),
    time_("created_at"),
    time_("retired_at", nullable=True),
    UniqueConstraint("name"),
)

sources = Table(
    "sources",
    metadata,
    id_(),
    text_("name"),
    text_("kind"),
    json_("settings"),
    json_("labels"),
    json_("schedule"),
    text_("domain"),
    Column("verify", Boolean, nullable=False, server_default=text("true")),
    json_("cursor"),
    time_("next_run_at", nullable=True),
    flag("paused"),
    time_("created_at"),
    time_("retired_at", nullable=True),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("lease_run", RowId, nullable=True),
    text_("lease_owner", nullable=True),
    time_("lease_until", nullable=True),
    time_("last_run_at", nullable=True),
    text_("last_verdict", nullable=True),
    text_("last_error", nullable=True),
    time_("last_new_at", nullable=True),
    Column("usual_gap_seconds", Float, nullable=True),
    count("failures"),
    Column("pace", CompactJson, nullable=True),
    UniqueConstraint("name"),
    Index("ix_sources_next_run_at", "next_run_at"),
    Index("ix_sources_domain", "domain"),
)

source_urls = Table(
    "source_urls",
    metadata,
    ref("source_id", "sources"),
    Column("url_digest", String(32), nullable=False),
    text_("url"),
    text_("etag", nullable=True),
    text_("last_modified", nullable=True),
    # What else the spider remembers of this address, given back with the two above.
    Column("also", CompactJson, nullable=True),
    Column("body_digest", String(64), nullable=True),
    Column("document_id", RowId, nullable=True),
    time_("seen_at"),
    UniqueConstraint("source_id", "url_digest"),
)

runs = Table(
    "runs",
    metadata,
    id_(),
    ref("source_id", "sources"),
    text_("slot"),
    Column("kind", String(8), nullable=False, server_default=text("'crawl'")),
    text_("owner"),
    Column("epoch", Integer, nullable=False),
    time_("started_at"),
    time_("ended_at", nullable=True),
    text_("verdict", nullable=True),
    text_("error", nullable=True),
    Column("seconds", Float, nullable=False, server_default=text("0")),
    Column("config_version", Integer, nullable=False, server_default=text("0")),
    flag("lost"),
    *(count(name) for name in ("fetched", "unchanged", "taken", "documents")),
    *(count(name) for name in ("parsed", "new", "seen", "edited", "dropped")),
    UniqueConstraint("source_id", "slot"),
    Index(
        "ix_runs_open", "source_id", postgresql_where=text("ended_at IS NULL"), sqlite_where=text("ended_at IS NULL")
    ),
)

# What a source usually gives. `settings` is the digest of kind and settings that it was learned with; `document_id` the
# last good answer, which retention keeps; `odd` what is strange about the flow of its posts now.
yields = Table(
    "yields",
    metadata,
    Column("source_id", RowId, ForeignKey("sources.id"), primary_key=True, autoincrement=False),
    Column("settings", String(32), nullable=False),
    json_("state"),
    text_("odd", nullable=True),
    Column("document_id", RowId, nullable=True),
    time_("at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    text_("owner"),
    Column("epoch", Integer, nullable=False),
    time_("until"),
)
