"""The tables. Their unique keys are the walls of the product: never moved, only added to."""

from __future__ import annotations

from crawler.store.tables.columns import metadata
from crawler.store.tables.history import alerts, digests, events, expired
from crawler.store.tables.learning import corrections, lessons
from crawler.store.tables.posts import (
    analyses,
    bodies,
    documents,
    gone_mentions,
    gone_posts,
    mentions,
    post_sources,
    post_versions,
    posts,
    triggers,
)
from crawler.store.tables.streaming import stream_states
from crawler.store.tables.tickets import (
    deliveries,
    desk_comments,
    desk_tickets,
    hook_calls,
    kin_bands,
    replies,
    sink_states,
    ticket_mentions,
    tickets,
)
from crawler.store.tables.watching import brands, config_versions, leases, runs, source_urls, sources, yields

__all__ = [
    "alerts",
    "analyses",
    "bodies",
    "brands",
    "config_versions",
    "corrections",
    "deliveries",
    "desk_comments",
    "desk_tickets",
    "digests",
    "documents",
    "events",
    "expired",
    "gone_mentions",
    "gone_posts",
    "hook_calls",
    "kin_bands",
    "leases",
    "lessons",
    "mentions",
    "metadata",
    "post_sources",
    "post_versions",
    "posts",
    "replies",
    "runs",
    "sink_states",
    "source_urls",
    "sources",
    "stream_states",
    "ticket_mentions",
    "tickets",
    "triggers",
    "yields",
]
