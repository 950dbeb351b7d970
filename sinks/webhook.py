"""Tickets as signed JSON, posted to a URL of your own.

The receiver checks `X-Signature: t=<unix seconds>,v1=<hex>`, where v1 is HMAC-SHA256 with the shared secret over the
time, a dot and the raw body. `Idempotency-Key` and `X-Mention-Crawler-Key` hold the stable key: storing a ticket once
per key makes delivery exactly once. With `lookup_url` we ask before sending again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, Field

from crawler.errors import InDoubt, Permanent
from crawler.model import Change, Remote, Ticket
from crawler.net.http import HttpAnswer, as_json
from crawler.plugins import Secret
from sinks.http import HttpSink, Url, is_html, pick, status_of
from sinks.plain import SUBJECT_LIMIT, one_line, safe_link


def _with_key(value: str | None) -> str | None:
    if value is not None and "{key}" not in value:
        raise ValueError("must hold {key}, e.g. https://hook.example/tickets/{key}")
    if value is not None and safe_link(value) is None:
        raise ValueError("must be an http or https URL, e.g. https://hook.example/tickets/{key}")
    return value


def sign(secret: str, body: bytes, at: int) -> str:
    """The X-Signature header for `body` sent at `at` (unix seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Webhook(HttpSink):
    """Posts every ticket and every change of one as JSON to `url`."""

    kind = "webhook"

    class Settings(HttpSink.Settings):
        url: Url = Field(description="Where tickets are posted", examples=["https://hook.example/tickets"])
        secret: Secret | None = Field(None, description="Signs each call", examples=["${WEBHOOK_SECRET}"])
        lookup_url: Annotated[str | None, AfterValidator(_with_key)] = Field(
            None,
            description="Answers {id, url, status} for a known {key} and 404 for an unknown one: exactly once",
            examples=["https://hook.example/tickets/{key}"],
        )

    @property
    def can(self) -> frozenset[str]:
        return super().can if self.settings.lookup_url else super().can - {"find"}

    def create(self, ticket: Ticket) -> Remote:
        opened = ticket.opened_at.isoformat() if ticket.opened_at else None
        answer = self._post(
            ticket.key,
            {
                "event": "ticket.created",
                "key": ticket.key,
                "subject": one_line(ticket.subject, SUBJECT_LIMIT),
                "body": ticket.body,
                "priority": ticket.priority.value,
                "brand": ticket.brand,
                "tags": list(ticket.tags),
                "url": safe_link(ticket.url),
                "author": ticket.author,
                "reason": ticket.reason,
                "language": ticket.language,
                "opened_at": opened,
                "due_at": ticket.due_at.isoformat() if ticket.due_at else None,
            },
        )
        return self._read(answer, ticket.key)

    def find(self, key: str) -> Remote | None:
        if not self.settings.lookup_url:
            raise self.permanent("cannot look a ticket up; give it a lookup_url")
        url = self.settings.lookup_url.replace("{key}", quote(key, safe=""))
        answer = self.call("GET", url, headers=self._signed(key, b""), also=(404,))
        if answer.status == 404 or (answer.status == 204 and not answer.body):
            return None
        data = self.data(answer)
        found = data[0] if isinstance(data, list) and data else data
        return self._remote(found) if found else None

    def update(self, remote: Remote, change: Change) -> None:
        body = {
            "event": "ticket.changed",
            "key": change.key,
            "id": remote.id,
            "comment": change.comment,
            "priority": change.priority.value if change.priority else None,
            "status": change.status.value if change.status else None,
        }
        self._refuse_page(self._post(change.key, body))

    def _post(self, key: str, body: Mapping[str, Any]) -> HttpAnswer:
        raw = as_json(body)
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": key, **self._signed(key, raw)}
        return self.call("POST", content=raw, headers=headers)

    def call(self, method: str, path: str = "", **options: Any) -> HttpAnswer:
        # The hook's own URL goes out exactly as written: a final slash may matter to the receiver.
        return super().call(method, path or self.settings.url, **options)

    def _signed(self, key: str, body: bytes) -> dict[str, str]:
        headers = {"X-Mention-Crawler-Key": key}
        if self.settings.secret:
            at = int(self.tools.now().timestamp())
            headers["X-Signature"] = sign(self.settings.secret.get_secret_value(), body, at)
        return headers

    def _read(self, answer: HttpAnswer, key: str) -> Remote:
        """The receiver may answer {"id":, "url":}; one that answers nothing of use knows the ticket by our key."""
        self._refuse_page(answer)
        try:
            data = answer.json()
        except Permanent:
            return Remote(id=key)
        return self._remote(data) if pick(data, "id") is not None else Remote(id=key)

    def _refuse_page(self, answer: HttpAnswer) -> None:
        if is_html(answer) and self.settings.lookup_url:
            raise InDoubt(f"{self.name}: the receiver answered {answer.status} with an HTML page; it is asked first")
        if is_html(answer):
            self.data(answer)

    def _remote(self, data: Any) -> Remote:
        remote = self.remote(data, id="id", url="url")
        return Remote(remote.id, remote.url, status_of(pick(data, "status")))
