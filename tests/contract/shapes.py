"""Doubles of the helpdesks that have a preset, written after the public descriptions of their APIs.

Each keeps what it was sent and answers in that helpdesk's shape; what a preset must not rely on is left out.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from helpdesks import HttpHelpdesk, answer

ANSWERED = "Вибачте, гроші повернуто."
NUMBER = re.compile(r"/(\d+)(?=/|\.json|$|\?)")


@dataclass
class Shape(HttpHelpdesk):
    """A double with numbered tickets. `ours` are the settings of the preset beside url and timeout."""

    ours: ClassVar[dict[str, Any]] = {}
    opens: ClassVar[str] = ""
    asks: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def made(self, number: int, data: Any) -> dict[str, Any]:
        """The ticket as it is kept."""

    def created(self, ticket: dict[str, Any]) -> Any:
        return ticket

    @abstractmethod
    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        """Subject and body."""

    @abstractmethod
    def said(self, data: Any) -> str | None:
        """The comment in a write, None when it is none."""

    @abstractmethod
    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        """The answer to a question."""

    def change(self, ticket: dict[str, Any], data: Any) -> None:
        ticket.update(data)

    def _write(self, handler: BaseHTTPRequestHandler) -> None:
        if any(part in handler.path for part in self.asks):
            body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
            self._note(handler, body)
            self._say(handler, json.loads(body))
        else:
            super()._write(handler)

    def _show(self, handler: BaseHTTPRequestHandler) -> None:
        self._say(handler, None)

    def _say(self, handler: BaseHTTPRequestHandler, body: Any) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        data = self.listed(parts.path, query, body)
        headers = (("ETag", f'"{len(self.requests)}"'),)
        answer(handler, 404 if data is None else 200, json.dumps(data).encode(), headers=headers)

    def _store(self, path: str, data: dict[str, Any]) -> Any:
        where = urlsplit(path).path
        if where == self.opens:
            ticket = self.made(len(self.tickets) + 1, data)
            self.tickets.append(ticket)
            return self.created(ticket)
        if (text := self.said(data)) is not None:
            self.comments.append({"ticket": self._number(where, data), "comment": text})
            return {"id": len(self.comments)}
        self.change(self.tickets[self._number(where, data) - 1], data)
        return {}

    def _number(self, path: str, data: Any) -> int:
        found = NUMBER.findall(path)
        return int(found[-1])

    def ticket(self, path: str) -> dict[str, Any] | None:
        found = NUMBER.findall(path)
        number = int(found[-1]) if found else 0
        return self.tickets[number - 1] if 0 < number <= len(self.tickets) else None

    def said_in(self, path: str) -> list[str]:
        return [entry["comment"] for entry in self.comments if entry["ticket"] == self._number(path, None)]

    def page(self, items: list[Any], query: dict[str, str], size: str, start: int) -> list[Any]:
        return items[start : start + int(query.get(size, 30))]


class Zendesk(Shape):
    ours: ClassVar = {"email": "bot@a.example"}
    opens = "/api/v2/tickets.json"

    def made(self, number: int, data: Any) -> dict[str, Any]:
        return {**data["ticket"], "id": number, "status": "new"}

    def created(self, ticket: dict[str, Any]) -> Any:
        return {"ticket": ticket}

    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        return ticket["subject"], ticket["comment"]["html_body"]

    def said(self, data: Any) -> str | None:
        comment = data["ticket"].get("comment")
        return comment and str(comment["html_body"])

    def change(self, ticket: dict[str, Any], data: Any) -> None:
        ticket.update(data["ticket"])

    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path.endswith("/comments.json"):
            said = [{"id": 1, "plain_body": re.sub("<[^>]+>", "", text)} for text in self.said_in(path)]
            return {"comments": [*said, {"id": 2, "plain_body": ANSWERED, "public": True, "author_id": 5}]}
        if path == "/api/v2/search.json":
            assert query["query"].startswith("type:ticket updated>=2026-02-28T")
            return {"results": self.tickets, "next_page": None}
        if path == self.opens:
            return {"tickets": [one for one in self.tickets if one["external_id"] == query.get("external_id")]}
        return {"ticket": self.ticket(path)}


class Freshdesk(Shape):
    ours: ClassVar = {"requester": "web@a.example"}
    opens = "/api/v2/tickets"

    def made(self, number: int, data: Any) -> dict[str, Any]:
        return {**data, "id": number}

    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        return ticket["subject"], ticket["description"]

    def said(self, data: Any) -> str | None:
        return data.get("body")

    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path.endswith("/conversations"):
            said: list[Any] = [{"id": 1, "body_text": text, "private": True} for text in self.said_in(path)]
            said.append({"id": 2, "body_text": ANSWERED, "private": False, "incoming": False, "user_id": 5})
            return said if query.get("page", "1") == "1" else []
        if path == self.opens:
            start = (int(query["page"]) - 1) * int(query["per_page"])
            return self.page([{**one, "description": None} for one in self.tickets[::-1]], query, "per_page", start)
        return self.ticket(path)


class Zammad(Shape):
    ours: ClassVar = {"customer": "web@a.example"}
    opens = "/api/v1/tickets"

    def made(self, number: int, data: Any) -> dict[str, Any]:
        return {**data, "id": number, "state": "new"}

    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        return ticket["title"], ticket["article"]["body"]

    def said(self, data: Any) -> str | None:
        return data.get("body")

    def _number(self, path: str, data: Any) -> int:
        return int(data["ticket_id"]) if data and "ticket_id" in data else super()._number(path, data)

    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        if "/by_ticket/" in path:
            said: list[Any] = [{"id": 1, "body": text, "sender": "Agent"} for text in self.said_in(path)]
            said.append({"id": 2, "body": ANSWERED, "internal": False, "sender": "Agent", "from": "Оля"})
            return [*said, {"id": 3, "body": "мій лист", "internal": False, "sender": "Customer"}]
        if path.endswith("/search") and query["query"].startswith("updated_at:[2026-02-28T"):
            return self.tickets
        if path.endswith("/search"):
            return [one for one in self.tickets if query["query"] in one["article"]["body"]]
        return self.ticket(path)


class JiraSm(Shape):
    ours: ClassVar = {
        "user": "bot", "service_desk": "1", "request_type": "10", "solve_transition": "7", "reopen_transition": "8"
    }  # fmt: skip
    opens = "/rest/servicedeskapi/request"

    def made(self, number: int, data: Any) -> dict[str, Any]:
        fields = [{"fieldId": name, "value": value} for name, value in data["requestFieldValues"].items()]
        links = {"web": f"https://desk.example/portal/1/SD-{number}"}
        status = {"status": "Open", "statusCategory": "NEW"}
        return {"issueKey": f"SD-{number}", "requestFieldValues": fields, "_links": links, "currentStatus": status}

    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        fields = {field["fieldId"]: field["value"] for field in ticket["requestFieldValues"]}
        return fields["summary"], fields["description"]

    def said(self, data: Any) -> str | None:
        return data.get("body")

    def change(self, ticket: dict[str, Any], data: Any) -> None:
        if "id" in data:
            ticket["currentStatus"] = {"statusCategory": {"7": "DONE", "8": "INDETERMINATE"}[data["id"]]}

    def _number(self, path: str, data: Any) -> int:
        return int(re.findall(r"SD-(\d+)", path)[0])

    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        start = int(query.get("start", 0))
        if path.endswith("/comment"):
            found: list[Any] = [{"id": "1", "body": text, "public": False} for text in self.said_in(path)]
            found.append({"id": "2", "body": ANSWERED, "public": True, "author": {"displayName": "Оля"}})
            return {"values": self.page(found, query, "limit", start)}
        if path == self.opens:
            return {"values": self.page(self.tickets[::-1], query, "limit", start), "isLastPage": False}
        return self.tickets[self._number(path, None) - 1]


class Chatwoot(Shape):
    ours: ClassVar = {"account": 1, "inbox": 3, "contact": 25}
    opens = "/api/v1/accounts/1/conversations"
    asks = ("/filter",)

    def made(self, number: int, data: Any) -> dict[str, Any]:
        return {**data, "id": number}

    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        subject, _, body = ticket["message"]["content"].partition("\n\n")
        return subject, body

    def said(self, data: Any) -> str | None:
        return data.get("content")

    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path.endswith("/messages"):
            found: list[Any] = [{"id": 1, "content": text} for text in self.said_in(path.removesuffix("/messages"))]
            answered = {"id": 2, "content": ANSWERED, "private": False, "message_type": 1, "sender": {"name": "Оля"}}
            return {"payload": [*found, answered]}
        if path == self.opens:
            return {"data": {"payload": self.tickets if query.get("page") == "1" else []}}
        if path.endswith("/filter"):
            [condition] = body["payload"]
            key = condition["attribute_key"]
            found = [one for one in self.tickets if one["custom_attributes"][key] in condition["values"]]
            return {"meta": {}, "payload": found}
        return self.ticket(path)


class Glpi(Shape):
    opens = "/apirest.php/Ticket"
    sessions: ClassVar[int] = 0

    def made(self, number: int, data: Any) -> dict[str, Any]:
        return {**data["input"], "id": number, "status": 1}

    def created(self, ticket: dict[str, Any]) -> Any:
        return {"id": ticket["id"], "message": ""}

    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        return ticket["name"], ticket["content"]

    def said(self, data: Any) -> str | None:
        return data["input"].get("content")

    def change(self, ticket: dict[str, Any], data: Any) -> None:
        ticket.update(data["input"])

    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path.endswith("/initSession"):
            return {"session_token": "83af7e620c83a50a18d3eac2f6ed05a3ca0bea62"}
        if path.endswith("/ITILFollowup"):
            said = self.said_in(path.removesuffix("/ITILFollowup"))
            found: list[Any] = [{"id": 1, "content": text, "is_private": 1} for text in said]
            return [*found, {"id": 2, "content": ANSWERED, "is_private": 0, "users_id": 5}]
        return self.tickets[::-1] if path == self.opens else self.ticket(path)


class RequestTracker(Shape):
    ours: ClassVar = {"queue": "Mentions"}
    opens = "/REST/2.0/ticket"

    def made(self, number: int, data: Any) -> dict[str, Any]:
        fields = [{"name": name, "values": [value]} for name, value in data["CustomFields"].items()]
        return {**data, "CustomFields": fields, "id": number, "Status": "new"}

    def created(self, ticket: dict[str, Any]) -> Any:
        return {"id": str(ticket["id"]), "type": "ticket", "_url": "http://wrong.example/"}

    def texts(self, ticket: dict[str, Any]) -> tuple[str, str]:
        return ticket["Subject"], ticket["Content"]

    def said(self, data: Any) -> str | None:
        return data.get("Content")

    def listed(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path.startswith("/REST/2.0/transaction/"):
            return {"items": [{"id": "1", "Content": ANSWERED, "ContentType": "text/plain"}], "total": 1}
        if path.endswith("/attachments"):
            return {"items": [{"id": 1, "Content": text} for text in self.said_in(path.removesuffix("/attachments"))]}
        if path.endswith("/history"):
            kinds = ["Create", *["Comment" for _ in self.said_in(path.removesuffix("/history"))], "Correspond"]
            items = [{"id": str(n), "Type": kind, "Creator": {"id": "olga"}} for n, kind in enumerate(kinds, 90)]
            return {"items": items, "total": len(items), "page": 1}
        if path == "/REST/2.0/tickets":
            if query["query"] == "LastUpdated > '2026-02-28 12:00:00'":
                return {"items": self.tickets, "total": len(self.tickets)}
            field, value = re.findall(r"CF\.\{(\w+)\} = '(.*)'$", query["query"])[0]
            wanted = {"name": field, "values": [value]}
            return {"items": [one for one in self.tickets if wanted in one["CustomFields"]]}
        return self.ticket(path)


SHAPES: dict[str, type[Shape]] = {
    "zendesk": Zendesk,
    "freshdesk": Freshdesk,
    "zammad": Zammad,
    "jira_sm": JiraSm,
    "chatwoot": Chatwoot,
    "glpi": Glpi,
    "request_tracker": RequestTracker,
}
