"""The webhook door: a helpdesk says that something happened. Signed over the raw body, in a time window, once.

Two things can be said: news in our own words (`event: helpdesk.ticket`), or anything else that is signed: then the
helpdesk's news are read at once, by its own updated-since query, which is the truth.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crawler.app import App, now
from crawler.errors import CrawlerError
from crawler.model import Change, Remote, TicketStatus

logger = logging.getLogger(__name__)

WINDOW = timedelta(minutes=5)
# Signatures without a time are good for ever: what they signed is remembered for long.
REMEMBER = timedelta(days=30)
LONGEST_BODY = 1 << 20
NEWS = "helpdesk.ticket"


@dataclass(frozen=True, slots=True)
class Signed:
    """A call whose signature is right: when it was signed, as far as that was signed too."""

    at: datetime | None


def take(app: App, name: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
    """Judge one call and act on it: the status to answer, and a word. `headers` are in lower case."""
    sink = app.sinks.get(name)
    secrets = sink.hook_secrets if sink is not None else ()
    signed = check(headers, body, secrets, now())
    if sink is None or signed is None:
        logger.warning("a webhook call for %r was refused: no such door, or a wrong signature or time", name[:100])
        return 401, "not signed by this helpdesk, or too long ago"
    key = f"{name}:{hashlib.sha256(str(signed.at).encode() + body).hexdigest()}"
    if app.store.replies.hook_known(key):
        return 200, "known already"
    try:
        answer = _act(app, name, signed, body)
    except (ValueError, TypeError, RecursionError) as error:
        return 400, f"not understood: {str(error)[:200]}"
    app.store.replies.hook_done(key, now() - REMEMBER)
    return answer


def _act(app: App, name: str, signed: Signed, body: bytes) -> tuple[int, str]:
    data = _json(body)
    # What carries no signed time could be a copy of an old call: it may make us look, but tells us nothing.
    if signed.at is not None and isinstance(data, Mapping) and data.get("event") == NEWS:
        made = app.store.replies.take(name, _news(app, name, data, signed.at))
        return 200, f"{made} events"
    if "changes" in app.sinks[name].can:
        app.store.sink_states.poll_now(name)
        return 202, "news will be read"
    return 200, f"nothing to do; news have event: {NEWS}"


def check(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], at: datetime) -> Signed | None:
    """The first signature of a known form that one of the secrets made, inside the time window; None: there is none."""
    for form in (_ours, _with_time, _zendesk, _hub):
        signed = form(headers, body, secrets)
        if signed is not None and (signed.at is None or abs(at - signed.at) <= WINDOW):
            return signed
    return None


def _ours(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Signed | None:
    """X-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>]; HMAC-SHA256 over the time, a dot and the body."""
    parts = [part.strip().partition("=") for part in headers.get("x-signature", "").split(",")[:10]]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    given = [value for name, _, value in parts if name == "v1"]
    return _timed(stamp, f"{stamp}.".encode() + body, given, secrets)


def _with_time(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Signed | None:
    """X-Chatwoot-Signature: sha256=<hex> over X-Chatwoot-Timestamp, a dot and the body."""
    stamp = headers.get("x-chatwoot-timestamp", "")
    given = [headers.get("x-chatwoot-signature", "").removeprefix("sha256=")]
    return _timed(stamp, f"{stamp}.".encode() + body, given, secrets)


def _zendesk(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Signed | None:
    """X-Zendesk-Webhook-Signature: base64 over X-Zendesk-Webhook-Signature-Timestamp and the body."""
    stamp = headers.get("x-zendesk-webhook-signature-timestamp", "")
    try:
        given = base64.b64decode(headers.get("x-zendesk-webhook-signature", ""), validate=True).hex()
    except ValueError:
        return None
    return _timed(stamp, stamp.encode() + body, [given], secrets)


def _hub(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Signed | None:
    """X-Hub-Signature-256: sha256=<hex>, or X-Hub-Signature: sha1=<hex>, over the body alone."""
    for header, method in (("x-hub-signature-256", "sha256"), ("x-hub-signature", "sha1")):
        name, _, given = headers.get(header, "").partition("=")
        if name == method and _right(body, [given], secrets, method):
            return Signed(None)
    return None


def _timed(stamp: str, message: bytes, given: Sequence[str], secrets: Sequence[str]) -> Signed | None:
    at = _moment(stamp)
    return Signed(at) if at is not None and _right(message, given, secrets, "sha256") else None


def _right(message: bytes, given: Sequence[str], secrets: Sequence[str], method: str) -> bool:
    good = [hmac.new(secret.encode(), message, method).hexdigest().encode() for secret in secrets if secret]
    offered = [value.lower().encode("utf-8", "replace") for value in given if value]
    # Every pair is compared, each in constant time.
    return sum(hmac.compare_digest(one, other) for one in good for other in offered) > 0


def _moment(stamp: str) -> datetime | None:
    try:
        if stamp.isascii() and stamp.isdigit() and len(stamp) <= 13:
            return datetime.fromtimestamp(int(stamp) / (1000 if len(stamp) > 11 else 1), UTC)
        found = datetime.fromisoformat(stamp)
    except (ValueError, OverflowError, OSError):
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _news(app: App, name: str, data: Mapping[str, Any], signed_at: datetime) -> list[tuple[Remote, Change]]:
    """Our own form: {event, id or key, status, assignee, reply: {id, text, author}, at}. Raises ValueError."""
    remote = Remote(_remote_id(app, name, data))
    at = _moment(str(data["at"])) if data.get("at") else signed_at
    if at is None or at > signed_at + WINDOW:
        raise ValueError("`at` is no time with a zone that has come")
    heard = []
    status, assignee, reply = data.get("status"), data.get("assignee"), data.get("reply")
    if status is not None or "assignee" in data:
        wanted = None if status is None else _status(status)
        # A null says that nobody has the ticket any more.
        person = str(assignee or "") if "assignee" in data else None
        heard.append((remote, Change(f"hook/{at.isoformat()}", status=wanted, assignee=person, at=at)))
    if reply is not None:
        if not isinstance(reply, Mapping) or not reply.get("id") or not isinstance(reply.get("text"), str):
            raise ValueError("`reply` needs id and text")
        author = str(reply["author"]) if reply.get("author") else None
        heard.append((remote, Change(str(reply["id"]), str(reply["text"]), author=author, public=True, at=at)))
    return heard


def _status(word: object) -> TicketStatus:
    if word not in (TicketStatus.OPEN.value, TicketStatus.SOLVED.value):
        raise ValueError(f"`status` is open or solved, not {str(word)[:40]!r}")
    return TicketStatus(str(word))


def _remote_id(app: App, name: str, data: Mapping[str, Any]) -> str:
    if data.get("id"):
        return str(data["id"])
    if not isinstance(data.get("key"), str):
        raise ValueError("`id` (the helpdesk's) or `key` (ours) says which ticket")
    try:
        stored = app.store.tickets.get(data["key"])
    except CrawlerError as error:
        raise ValueError(str(error)) from None
    return next((it.remote_id for it in stored.deliveries if it.sink == name and it.remote_id and not it.number), "")
