"""Tickets in django-helpdesk through its REST API.

It calls its own webhooks inside the request and answers 500 although the ticket is stored; it cannot search by a custom
field. So each ticket carries its key in a marker line (and in a custom field when one is configured), and `find` pages
through the newest tickets.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator

from crawler.model import Change, Priority, Remote, Ticket, TicketStatus
from crawler.plugins import Secret
from sinks.base import Tools
from sinks.http import HttpSink, pick
from sinks.plain import for_markdown, no_pings, one_line

_STATUS = {TicketStatus.OPEN: 2, TicketStatus.SOLVED: 3}
_SOLVED = (3, 4, 5)


def marker(key: str) -> str:
    """The line that carries `key` inside a description or a comment."""
    return f"mention-crawler:{one_line(key, 200)}"


def _carries(text: object, line: str) -> bool:
    """Whether the last line of `text` is the marker; one quoted further up is somebody's words, not ours."""
    return str(text or "").rstrip().rpartition("\n")[2].strip() == line


class DjangoHelpdesk(HttpSink):
    """Creates tickets in one queue; comments, priority and status follow."""

    kind = "django_helpdesk"

    class Settings(HttpSink.Settings):
        token: Secret | None = Field(None, description="API token of a staff user", examples=["${HELPDESK_TOKEN}"])
        user: str | None = Field(None, description="Staff user, when there is no token")
        password: Secret | None = Field(None, description="Password of `user`", examples=["${HELPDESK_PASSWORD}"])
        queue: int = Field(ge=1, description="Number of the queue", examples=[1])
        custom_field: str | None = Field(
            None,
            pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$",
            description="Name of a custom text field that takes the key",
            examples=["external_id"],
        )
        submitter: str | None = Field(
            None, description="Submitter e-mail of every ticket", examples=["bot@example.com"]
        )
        priorities: dict[Priority, int] = Field(
            default={Priority.URGENT: 1, Priority.HIGH: 2, Priority.NORMAL: 3, Priority.LOW: 4},
            description="Priority numbers of the helpdesk (1 is the most urgent)",
        )
        public_comments: bool = Field(False, description="Whether comments are shown to the submitter")
        page_size: int = Field(50, ge=1, le=500, description="Tickets per page while looking for a key")
        look_back: int = Field(1000, ge=1, description="How many of the newest tickets are searched for a key")

        @model_validator(mode="after")
        def _some_login(self) -> DjangoHelpdesk.Settings:
            if self.token is None and (self.user is None or self.password is None):
                raise ValueError('needs token: "${HELPDESK_TOKEN}", or user and password')
            return self

    def __init__(self, name: str, settings: Any, tools: Tools) -> None:
        super().__init__(name, settings, tools)
        if settings.token is not None:
            self._authorization = f"Token {settings.token.get_secret_value()}"
        else:
            pair = f"{settings.user}:{settings.password.get_secret_value()}".encode()
            self._authorization = "Basic " + base64.b64encode(pair).decode()
        self.secrets.append(self._authorization)

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": self._authorization}

    def create(self, ticket: Ticket) -> Remote:
        body = {
            "queue": self.settings.queue,
            "title": one_line(no_pings(ticket.subject)),
            "description": f"{for_markdown(no_pings(ticket.body))}\n\n{marker(ticket.key)}",
            "priority": self._priority(ticket.priority),
        }
        if self.settings.submitter:
            body["submitter_email"] = self.settings.submitter
        if self.settings.custom_field:
            body[self._custom] = ticket.key
        return self._remote(self.data(self.call("POST", "/api/tickets/", json=body)))

    def find(self, key: str) -> Remote | None:
        line = marker(key)
        for found in self._newest():
            if self.settings.custom_field and found.get(self._custom) == key:
                return self._remote(found)
            if _carries(found.get("description"), line):
                return self._remote(found)
        return None

    def update(self, remote: Remote, change: Change) -> None:
        """One follow-up, then the priority. The follow-up carries the change's key and is not written twice."""
        path = f"/api/tickets/{int(remote.id)}/"
        if change.comment or change.status:
            seen = pick(self.data(self.call("GET", path)), "followup_set") or []
            line = marker(change.key)
            if not any(_carries(pick(entry, "comment"), line) for entry in seen):
                self._follow_up(int(remote.id), change, line)
        if change.priority:
            with self.after_write():
                self.call("PATCH", path, json={"priority": self._priority(change.priority)})

    def _follow_up(self, ticket: int, change: Change, line: str) -> None:
        # No title: the helpdesk would rename the ticket to it. `user` must be there, null means the token's owner.
        body: dict[str, Any] = {
            "ticket": ticket,
            "user": None,
            "comment": f"{for_markdown(no_pings(change.comment or ''))}\n\n{line}".lstrip(),
            "public": self.settings.public_comments,
        }
        if change.status:
            body["new_status"] = _STATUS[change.status]
        self.call("POST", "/api/followups/", json=body)

    def _newest(self) -> Iterator[Mapping[str, Any]]:
        """Tickets from the newest backwards, page by page: the API lists them oldest first, whatever is asked."""
        first = self._page(1)
        total = pick(first, "count")
        if not isinstance(total, int):
            raise self.permanent("the list of tickets has no count; is url the root of a django-helpdesk?")
        size = self.settings.page_size
        last = max(1, -(-total // size))
        lowest = max(1, last - -(-self.settings.look_back // size))
        # One page beyond the last: tickets created since the count was read must not hide the one we look for.
        for number in range(last + 1, lowest - 1, -1):
            page = first if number == 1 else self._page(number)
            yield from reversed(pick(page, "results") or [])

    def _page(self, number: int) -> Any:
        params = {"page": number, "page_size": self.settings.page_size}
        answer = self.call("GET", "/api/tickets/", params=params, also=(404,) if number > 1 else ())
        return {} if answer.status == 404 else self.data(answer)

    @property
    def _custom(self) -> str:
        return f"custom_{self.settings.custom_field}"

    def _priority(self, priority: Priority) -> int:
        number = self.settings.priorities.get(priority)
        if number is None:
            raise self.permanent(f"priorities names no number for {priority.value}; add it to this sink")
        return int(number)

    def _remote(self, data: Any) -> Remote:
        remote = self.remote(data)
        status = pick(data, "status")
        known = None if status is None else TicketStatus.SOLVED if status in _SOLVED else TicketStatus.OPEN
        return Remote(remote.id, f"{self.base}/tickets/{remote.id}/", known)
