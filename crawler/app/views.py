"""Rows for people and for `--json`: one stable shape for each noun."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from crawler.app import App, now
from crawler.app.naming import demand, unknown
from crawler.app.rehearsing import rule_name, rule_version
from crawler.errors import NotFound
from crawler.model import DeliveryStatus, Event, Intent, MentionStatus, StoredMention, TicketStatus, Tone
from crawler.stages.match import full_text

if TYPE_CHECKING:
    from crawler.store import StoredTicket, StreamState

PAGE = 500


def source_rows(app: App) -> list[dict[str, Any]]:
    """Every source that is not retired, with its state in one word."""
    posts, states = app.store.glances.posts_by_source(), app.store.sources.all()
    streams = app.store.streams.states()
    rows = [_source(state, posts.get(state.name, 0), streams.get(state.id)) for state in states]
    known = {state.name for state in states}
    new = [block for block in app.config.sources if block.name not in known]
    return rows + [{"name": block.name, "kind": block.kind, "state": "new", "posts": 0, "error": None} for block in new]


def demand_source(app: App, name: str) -> None:
    """NotFound unless a source in force has that name; one that is new in the file gets its row first."""
    rows = {state.name for state in app.store.sources.all()}
    if name not in rows and any(block.name == name for block in app.config.sources):
        from crawler.app.syncing import sync

        sync(app)
        return
    demand("source", name, rows)


def source_row(app: App, name: str) -> dict[str, Any]:
    """One source, whole; NotFound names the known ones."""
    for state in app.store.sources.all():
        if state.name == name:
            return asdict(state) | app.store.yields.of(state.id)
    raise unknown("source", name, [state.name for state in app.store.sources.all()])


def kind_rows(config: str | None, package: str) -> list[dict[str, Any]]:
    """Kinds with their first line of documentation and their settings."""
    from crawler.app.kinds import sink_kinds, spider_kinds
    from crawler.app.setting_up import plugin_dir

    kinds: Mapping[str, Any] = (spider_kinds if package == "spiders" else sink_kinds)(plugin_dir(config))
    return [
        {
            "kind": name,
            "about": (kind.__doc__ or "").strip().split("\n")[0],
            "proved": _proved(kind),
            "settings": list(getattr(kind.Settings, "documented", ()) or kind.Settings.model_fields),
        }
        for name, kind in sorted(kinds.items())
    ]


def _proved(kind: Any) -> str:
    """`unproved` for kinds never read against a real answer, `yes` for the others; "" where a kind says nothing."""
    preset = vars(kind).get("preset")
    said = preset.content.proved if preset is not None else getattr(kind, "proved", "")
    return ("unproved" if "unproved" in said else "yes") if said else ""


def mention_rows(app: App, filters: Mapping[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    """Mentions, newest first, read page by page; `limit` 0 = all. NotFound for a filter that names nothing."""
    _check_mention_filters(app, filters)
    return islice(_mentions(app, {name: value for name, value in filters.items() if value}), limit or None)


def mention_whole(app: App, mention_id: int) -> dict[str, Any]:
    """One mention with the whole why and its life."""
    mention = app.store.mentions.get(mention_id)
    life = app.store.events.of("mention", mention_id) + app.store.events.of("post", mention.post.id)
    return {
        **mention_row(mention),
        "hits": [asdict(hit) for hit in mention.hits],
        "query_version": mention.query_version,
        "model": mention.analysis.model if mention.analysis else None,
        "intent_reason": mention.analysis.intent_reason if mention.analysis else None,
        "flags": list(mention.analysis.flags) if mention.analysis else [],
        "post_version": mention.post.version,
        "sources": list(mention.post.sources),
        "rule": rule_name(mention.rule),
        "rule_version": rule_version(mention.rule),
        "rating": mention.post.post.rating,
        "followers": mention.post.post.author.followers,
        "engagement": dict(mention.post.post.engagement),
        "life": [_event(event) for event in sorted(life, key=lambda event: event.at)],
    }


def mention_row(mention: StoredMention) -> dict[str, Any]:
    """The stable shape of `mentions list --json`."""
    post, analysis = mention.post.post, mention.analysis
    first = mention.hits[0] if mention.hits else None
    return {
        "id": mention.id,
        "brand": mention.brand,
        "entity": first.entity if first else None,
        "entity_kind": first.kind.value if first else None,
        "source": mention.post.sources[0] if mention.post.sources else None,
        "url": post.url,
        "author": post.author.name or post.author.handle,
        "published_at": post.published_at or mention.post.seen_at,
        "text": full_text(post),
        "spans": [[hit.start, hit.end] for hit in mention.hits],
        "language": analysis.language if analysis else None,
        "tone": analysis.tone.value if analysis else None,
        "tone_scores": dict(analysis.tone_scores) if analysis else None,
        "intent": analysis.intent.value if analysis else None,
        "confidence": analysis.confidence if analysis else None,
        "status": mention.status.value,
        "ticket_key": mention.ticket_key,
        "reason": mention.reason,
    }


def ticket_rows(app: App, filters: Mapping[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    """One row a ticket and sink, newest first; the stable shape of `tickets list --json`. NotFound as above."""
    demand("status", filters.get("status"), DeliveryStatus)
    demand("brand", filters.get("brand"), app.store.glances.brands())
    demand("sink", filters.get("sink"), sink_names(app))
    return islice(_tickets(app, {name: value for name, value in filters.items() if value}), limit or None)


def ticket_whole(app: App, key: str) -> dict[str, Any]:
    """One ticket with its text, deliveries and life."""
    stored = app.store.tickets.get(key)
    life = app.store.events.of("ticket", stored.ticket.id)
    for delivery in stored.deliveries:
        life += app.store.events.of("delivery", delivery.id)
    return {
        **asdict(stored.ticket),
        "overdue": _overdue(stored),
        "ticket_status": stored.status.value,
        "rule": rule_name(stored.rule),
        "rule_version": rule_version(stored.rule),
        "solved_at": stored.solved_at,
        "assignee": stored.assignee,
        "first_reply_at": stored.first_reply_at,
        "possible_duplicate": stored.possible_duplicate,
        "mention_ids": list(stored.mention_ids),
        "replies": [asdict(reply) for reply in app.store.replies.of(stored.ticket.id)],
        "deliveries": [asdict(delivery) for delivery in stored.deliveries],
        "life": [_event(event) for event in sorted(life, key=lambda event: event.at)],
    }


def alert_rows(app: App, every: bool) -> list[dict[str, Any]]:
    """Open alerts, or all of them."""
    return [asdict(alert) for alert in (app.store.alerts.list() if every else app.store.alerts.open())]


def alert_whole(app: App, number: int) -> dict[str, Any]:
    """One alert; of a source also what it usually gives and its last good answer. NotFound."""
    found = next((alert for alert in app.store.alerts.list(limit=10_000) if alert.id == number), None)
    if found is None:
        raise NotFound(f"there is no alert {number}: `mention-crawler alerts list --all --json` shows them")
    state = next((one for one in app.store.sources.all(retired=True) if one.name == found.source), None)
    return asdict(found) | (app.store.yields.of(state.id) if state is not None else {})


def sink_rows(app: App) -> list[dict[str, Any]]:
    """Sinks with abilities and what stands in their outbox."""
    states = app.store.glances.sinks()
    return [
        {
            "name": name,
            "kind": sink.kind,
            "can": sorted(sink.can),
            **{status: getattr(states.get(name), status, 0) for status in ("sent", "pending", "parked")},
            **_rest(app, name),
        }
        for name, sink in app.sinks.items()
    ]


def _rest(app: App, sink: str) -> dict[str, Any]:
    """Until when a sink that failed, or asked for it, is left in peace, and why."""
    pulse = app.store.sink_states.pulse(sink)
    return {"rests_until": pulse.shut_until, "why": pulse.why} if pulse.shut(now()) else {}


def retry(app: App, key: str | None, sink: str | None) -> int:
    """Deliveries made due now; NotFound for a ticket or a sink that there is not."""
    if key is not None:
        app.store.tickets.get(key)
    demand("sink", sink, sink_names(app))
    return app.store.outbox.retry(ticket_key=key, sink=sink)


def withdraw(app: App, key: str, actor: str, ignore: bool) -> int:
    """Take a held ticket back; returns how many mentions it had. NotFound, and Permanent once it is on its way."""
    return app.store.tickets.withdraw(key, MentionStatus.IGNORED if ignore else MentionStatus.REVIEW, actor)


def sink_names(app: App) -> set[str]:
    """Sinks of the config, and those of the past that have deliveries."""
    return {block.name for block in app.config.sinks} | set(app.store.glances.sinks())


def _check_mention_filters(app: App, filters: Mapping[str, Any]) -> None:
    demand("tone", filters.get("tone"), Tone)
    demand("intent", filters.get("intent"), Intent)
    demand("status", filters.get("status"), MentionStatus)
    demand("brand", filters.get("brand"), app.store.glances.brands())
    demand("source", filters.get("source"), [state.name for state in app.store.sources.all(retired=True)])
    label = filters.get("label")
    if label and "=" not in label:
        raise NotFound(f"--label {label!r} names no value; write it as name=value, for example region=Київ")


def _mentions(app: App, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    before: int | None = None
    while page := app.store.mentions.list(**filters, before_id=before, limit=PAGE):
        yield from map(mention_row, page)
        before = page[-1].id


def _flow(stream: StreamState) -> str:
    """`live, 0.4 s behind`: what a stream does, and how old its last message was when it came."""
    lag = stream.lag_seconds
    return stream.state if lag is None or stream.state != "live" else f"{stream.state}, {lag:.1f} s behind"


def _of_stream(stream: StreamState) -> dict[str, Any]:
    """What only a stream has; its cursor stands beside that of every source."""
    told = {"stream": stream.state, "lag_seconds": stream.lag_seconds, "heard_at": stream.heard_at}
    return told | {"frames": stream.frames, "connections": stream.connections}


def _source(state: Any, posts: int, stream: StreamState | None = None) -> dict[str, Any]:
    row = asdict(state) | (_of_stream(stream) if stream else {})
    return {
        "name": state.name,
        "kind": state.kind,
        "state": "paused" if state.paused else "failing" if state.failures else _flow(stream) if stream else "ready",
        "posts": posts,
        "error": state.last_error or (stream.error if stream else None),
        **{name: value for name, value in row.items() if name not in {"name", "kind", "settings", "last_error"}},
    }


def _tickets(app: App, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    after = 0
    while page := app.store.tickets.list(**filters, after_id=after, newest=True, limit=PAGE):
        for stored in page:
            yield from _ticket(stored, filters.get("sink"))
        after = page[-1].ticket.id


def _ticket(stored: StoredTicket, sink: str | None) -> Iterator[dict[str, Any]]:
    """One row a sink: its creating delivery; `attempts` counts the changes too."""
    ticket = stored.ticket
    for delivery in stored.deliveries:
        if delivery.number or (sink and delivery.sink != sink):
            continue
        yield {
            "key": ticket.key,
            "mention_ids": list(stored.mention_ids),
            "subject": ticket.subject,
            "priority": ticket.priority.value,
            "sink": delivery.sink,
            "status": delivery.status.value,
            "remote_id": delivery.remote_id,
            "remote_url": delivery.remote_url,
            "attempts": delivery.attempts,
            "reason": ticket.reason,
            "brand": ticket.brand,
            "opened_at": ticket.opened_at,
            "due_at": ticket.due_at,
            "overdue": _overdue(stored),
            "error": delivery.error,
            "ticket_status": stored.status.value,
            "assignee": stored.assignee,
            "possible_duplicate": delivery.twice,
        }


def _overdue(stored: StoredTicket) -> bool:
    """Whether an open ticket should have had its first answer by now."""
    due, waits = stored.ticket.due_at, stored.status is TicketStatus.OPEN and stored.first_reply_at is None
    return due is not None and waits and due < now()


def _event(event: Event) -> dict[str, Any]:
    row = asdict(event)
    return {name: row[name] for name in ("at", "what", "before", "after", "actor", "note")}
