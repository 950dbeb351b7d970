"""Notices in a Telegram chat, by a bot.

The bot interface cannot be searched: a delivery in doubt is sent again, and flagged.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import Field

from crawler.errors import CrawlerError, Permanent, Transient
from crawler.model import Change, Remote, Ticket
from crawler.net.http import HttpAnswer
from crawler.plugins import Secret
from sinks.http import HttpSink, Url, pick
from sinks.plain import no_pings, one_line, safe_link

_LONGEST = 4096


def _units(text: str) -> int:
    """The length of a text as Telegram counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "replace")) // 2


def _fitted(text: str, room: int) -> str:
    if _units(text) <= room:
        return text
    return text.encode("utf-16-le", "replace")[: 2 * max(0, room - 1)].decode("utf-16-le", "ignore") + "…"


class Telegram(HttpSink):
    """One plain message a ticket, and an answer to it for each change; plain text cannot be anything else there."""

    kind = "telegram"

    class Settings(HttpSink.Settings):
        url: Url = Field("https://api.telegram.org", description="Address of the bot interface")
        token: Secret = Field(description="Token of the bot", examples=["${TELEGRAM_TOKEN}"])
        chat: str = Field(description="Number or @name of the chat", examples=["-1001234567890"], min_length=1)

    def create(self, ticket: Ticket) -> Remote:
        link = safe_link(ticket.url) or ""
        head = f"[{ticket.priority.value}] {one_line(no_pings(ticket.subject))}\n\n"
        tail = f"\n\n{link}\n{one_line(ticket.key)}"
        room = _LONGEST - _units(head) - _units(tail)
        answer = self._say(head + _fitted(no_pings(ticket.body.replace("\x00", "")), room) + tail)
        return Remote(str(pick(self.data(answer), "result.message_id") or ticket.key), link or None)

    def update(self, remote: Remote, change: Change) -> None:
        words = [change.comment or "", *(str(word.value) for word in (change.priority, change.status) if word)]
        more = {"reply_parameters": {"message_id": int(remote.id), "allow_sending_without_reply": True}}
        self._say(_fitted(no_pings("\n".join(filter(None, words))), _LONGEST), more if remote.id.isdigit() else {})

    def _say(self, text: str, more: dict[str, Any] | None = None) -> HttpAnswer:
        token = quote(self.settings.token.get_secret_value(), safe=":")
        path = f"/bot{token}/sendMessage"
        return self.call("POST", path, json={"chat_id": self.settings.chat, "text": text, **(more or {})})

    def _meaning(self, method: str, answer: HttpAnswer) -> CrawlerError:
        error = super()._meaning(method, answer)
        try:
            wait = pick(answer.json(), "parameters.retry_after") if answer.status == 429 else None
        except Permanent:
            wait = None
        return Transient(str(error), float(wait)) if isinstance(wait, int | float) else error
