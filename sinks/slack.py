"""Notices in a Slack channel, through an incoming webhook or any service that takes the same JSON.

A webhook cannot be asked what it got: a delivery in doubt is sent again, and flagged.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from crawler.model import Change, Priority, Remote, Ticket
from crawler.plugins import Secret
from sinks.base import Seconds, Sink, Tools
from sinks.http import HttpSink, checked_url, is_html
from sinks.plain import cut, no_pings, one_line, safe_link

_SIGNS = {Priority.URGENT: "🔴", Priority.HIGH: "🟠", Priority.NORMAL: "🟡", Priority.LOW: "⚪"}
_LONGEST = 3000


def escaped(text: str) -> str:
    """Text that Slack shows as it is: the three characters that begin links, mentions and commands are entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Slack(HttpSink):
    """One message a ticket and one a change; no reply comes back."""

    kind = "slack"

    class Settings(Sink.Settings):
        webhook: Secret = Field(description="Address of the incoming webhook", examples=["${SLACK_WEBHOOK}"])
        timeout: Seconds = Field(10.0, description="Time that one call may take", examples=["10s"])

    def __init__(self, name: str, settings: Any, tools: Tools) -> None:
        Sink.__init__(self, name, settings, tools)
        self.base = ""
        # The path is what must not be known; parts of it come back in answers.
        path = settings.webhook.get_secret_value().partition("://")[2].partition("/")[2]
        self.secrets += [part for part in (path, *path.split("/")) if len(part) >= 8]

    def create(self, ticket: Ticket) -> Remote:
        link = safe_link(ticket.url)
        head = f"{_SIGNS[ticket.priority]} {escaped(one_line(no_pings(ticket.subject)))}"
        body = escaped(no_pings(cut(ticket.body, _LONGEST)))
        self._say("\n".join([head, body, *([escaped(link)] if link else []), escaped(one_line(ticket.key))]))
        return Remote(ticket.key, link)

    def update(self, remote: Remote, change: Change) -> None:
        words = [change.comment or "", *(str(word.value) for word in (change.priority, change.status) if word)]
        self._say(f"{escaped(remote.id)}: {escaped(no_pings(cut(' '.join(filter(None, words)), _LONGEST)))}")

    def _say(self, text: str) -> None:
        url = self.settings.webhook.get_secret_value()
        try:
            checked_url(url)
        except ValueError as error:
            raise self.permanent(f"webhook {error}") from None
        answer = self.call(
            "POST", url, json={"text": text, "mrkdwn": False, "unfurl_links": False, "link_names": False}
        )
        if is_html(answer):
            self.data(answer)
