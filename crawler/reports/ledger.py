"""The ledger: every item has one named outcome, and the books prove it.

The two sides of each comparison were counted in different places by different code; nothing is got by subtraction.
A gap names what is missing and how many, so that a person knows where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crawler.store.counts import Counts
from crawler.store.retention import EXPIRED


@dataclass(frozen=True, slots=True)
class Books:
    """The balance: one sentence for people, the numbers by name, and every gap (none when the books balance)."""

    sentence: str
    lines: Mapping[str, int]
    gaps: tuple[str, ...]


def balance(counts: Counts) -> Books:
    """Balance the books of one consistent reading."""
    gaps = tuple(_gaps(counts))
    return Books(_sentence(counts, len(gaps)), _lines(counts), gaps)


def _gaps(counts: Counts) -> Iterator[str]:
    for name, one, other, what in _pairs(counts):
        if one != other:
            yield f"{name}: {one} by {what[0]}, {other} by {what[1]} ({abs(one - other)} unaccounted)"
    yield from _statuses("mentions", counts.mentions_by_status, counts.mention_flow)
    yield from _statuses("deliveries", counts.deliveries_by_status, counts.delivery_flow)
    for name, ids in _lists(counts):
        if ids:
            yield f"{name}: ids {', '.join(map(str, ids))}"
    for reference, missing in counts.orphans.items():
        if missing:
            yield f"{reference}: {missing} rows point to a row that is gone"


def _pairs(counts: Counts) -> Iterator[tuple[str, int, int, tuple[str, str]]]:
    """name, one count, the other count, and how each was counted."""
    crawl, redo, gone = counts.crawl, counts.redo, counts.expired
    runs, rows, events = "the runs' counters", "their rows", "events"
    yield "posts", counts.posts + gone.posts, crawl.new + redo.new, (rows, runs)
    yield "edits", counts.edits + gone.edits, crawl.edited + redo.edited, ("the posts' versions", runs)
    kept = counts.post_versions + gone.versions
    yield "kept versions", kept, counts.edits + gone.edits, (rows, "the posts' versions")
    yield "documents", counts.documents + gone.documents, crawl.documents, (rows, runs)
    yield "answers", counts.document_times + gone.document_times, crawl.taken, ("the documents", runs)
    shown = counts.document_posts + gone.document_posts
    yield "posts shown", shown, crawl.new + crawl.seen + crawl.edited, ("the documents", runs)
    yield "posts without a source", counts.posts_without_source, 0, (rows, "rule")
    yield "mentions", counts.mentions, counts.mention_counts, (rows, "the posts")
    yield "mentions found", counts.mentions + gone.mentions, counts.mention_flow.created, (rows, events)
    yield "mentions expired", gone.mentions, counts.mention_flow.entered.get(EXPIRED, 0), ("retention", events)
    yield "analyses", counts.analyses, counts.analysis_counts, (rows, "the mentions")
    yield "tagged mentions without their analysis", counts.unanalysed_beyond_found, 0, (rows, "rule")
    yield "tickets", counts.tickets, counts.ticket_flow.created, (rows, events)
    yield "ticket links", counts.ticket_links, counts.ticket_mention_counts, (rows, "the tickets")
    yield "mentions with a ticket", counts.mentions_with_ticket, counts.ticket_links, ("the mentions", "ticket links")
    yield "deliveries", counts.deliveries, counts.delivery_counts, (rows, "the tickets")
    yield "deliveries made", counts.deliveries, counts.delivery_flow.created, (rows, events)
    yield "tickets in the desk", counts.desk, counts.desk_flow.created, (rows, events)
    yield "comments in the desk", counts.desk_comments, counts.desk_comment_counts, (rows, "its tickets")


def _statuses(noun: str, standing: Mapping[Any, int], flow: Any) -> Iterator[str]:
    names = {str(status) for status in standing} | set(flow.entered) - {EXPIRED}
    for name in sorted(names):
        here = next((count for status, count in standing.items() if str(status) == name), 0)
        if here != flow.stays(name):
            yield f"{noun} {name}: {here} by their rows, {flow.stays(name)} by events"


def _lists(counts: Counts) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "runs whose outcomes do not add up to what they parsed", counts.unbalanced_runs
    yield "posts whose number of mentions is wrong", counts.miscounted_posts
    yield "deliveries sent to the desk that it does not have", counts.desk_sent_missing


def _lines(counts: Counts) -> dict[str, int]:
    crawl = counts.crawl
    return {
        "crawl_runs": crawl.runs,
        "answers_fetched": crawl.fetched,
        "answers_unchanged": crawl.unchanged,
        "posts_parsed": crawl.parsed,
        "posts_new": crawl.new,
        "posts_again": crawl.seen,
        "posts_edited": crawl.edited,
        "posts_dropped": crawl.dropped,
        "posts_kept": counts.posts,
        "posts_expired": counts.expired.posts,
        "posts_waiting_for_match": counts.posts_unmatched,
        **{f"mentions_{status.value}": rows for status, rows in sorted(counts.mentions_by_status.items())},
        "tickets": counts.tickets,
        **{f"deliveries_{status.value}": rows for status, rows in sorted(counts.deliveries_by_status.items())},
        "possible_duplicates": counts.possible_duplicates,
    }


def _sentence(counts: Counts, gaps: int) -> str:
    crawl = counts.crawl
    shown = f"{crawl.parsed} seen = {crawl.new} new + {crawl.seen} again + {crawl.edited} edited"
    if crawl.dropped:
        shown += f" + {crawl.dropped} dropped"
    by_status = counts.mentions_by_status
    parts = [f"{rows} {status.value}" for status, rows in sorted(by_status.items())]
    found = f"; {counts.mentions} mentions = {' + '.join(parts)}" if parts else ""
    return f"{shown}{found}; {gaps or 0} unaccounted"
