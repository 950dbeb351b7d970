"""Helpdesks that nobody ships, each with habits that real ones were seen to have. `rest` must manage by its config."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from helpdesks import answer


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Said:
    status: int = 200
    body: str = ""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Odd:
    """A server on loopback whose `handle` answers; `first` answers are given before, each after `handle` ran or not."""

    tickets: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    first: list[tuple[bool, Said]] = field(default_factory=list)

    def __post_init__(self) -> None:
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                said = desk.heard(self)
                answer(self, said.status, said.body.encode(), said.kind, said.headers)

            do_POST = do_PUT = do_PATCH = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def heard(self, handler: BaseHTTPRequestHandler) -> Said:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = handler.rfile.read(int(handler.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in handler.headers.items()}
        call = Call(handler.command, parts.path, query, headers, body)
        self.calls.append(call)
        if call.method == "POST" and self.first:
            stores, said = self.first.pop(0)
            if stores:
                self.handle(call)
            return said
        return self.handle(call)

    def handle(self, call: Call) -> Said:
        raise NotImplementedError

    def add(self, **values: Any) -> dict[str, Any]:
        ticket = {"id": 1000 + len(self.tickets), "state": "opened", "notes": [], "version": 1, **values}
        self.tickets.append(ticket)
        return ticket

    def by_id(self, number: str) -> dict[str, Any]:
        return next(one for one in self.tickets if str(one["id"]) == number)


class PaperDesk(Odd):
    """Forms in, plain text and XML out; a wrong mail address is its error 500."""

    CONFIG = """
        kind: rest
        query: {key: "${DESK_KEY}"}
        create:
          path: /new
          form: {title: "{subject}", text: "{body_indented}", ref: "{key}", from: "{author_email}"}
          id: 'text:no\\. (\\d+)'
          link: "{url}/show/{remote_id}"
        find:
          path: /list.txt
          query: {ref: "{key}"}
          items: 'text:(?m)^\\d+\\|.*$'
          id: 'text:^(\\d+)'
          match: {'text:^\\d+\\|([^|]*)\\|': "{key}"}
        comment:
          path: /show/{remote_id}/note
          content_type: application/xml
          text: "<note mark='{marker}'>{comment}</note>"
          seen: {path: "/show/{remote_id}", items: 'text:<note.*?/note>', says: "text:mark='(.*?)'"}
        update: {method: POST, path: "/show/{remote_id}/state", form: {state: "{status}"}}
        read:
          path: /show/{remote_id}
          status: text:<state>(.*?)</state>
          statuses: {opened: open, shut: solved}
        meaning: {"500 *mail*": permanent, "200 *unknown state*": warn}
    """

    def handle(self, call: Call) -> Said:
        if call.query.get("key") != "k3y-of-the-desk":
            return Said(403, "no", "text/plain")
        form = {name: values[0] for name, values in parse_qs(call.body).items()}
        if call.path == "/new":
            if "@" not in form["from"]:
                return Said(500, "bad mail address", "text/plain")
            made = self.add(title=form["title"], text=form["text"], ref=form["ref"])
            return Said(201, f"Thank you! Your ticket is no. {made['id']}\n", "text/plain")
        if call.path == "/list.txt":
            found = [one for one in self.tickets if call.query["ref"] in one["ref"]]
            return Said(200, "".join(f"{one['id']}|{one['ref']}|{one['state']}\n" for one in found), "text/plain")
        ticket = self.by_id(call.path.split("/")[2])
        if call.path.endswith("/note"):
            ticket["notes"].append(call.body)
            return Said(200, "ok", "text/plain")
        if call.path.endswith("/state"):
            if form["state"] not in ("opened", "shut"):
                return Said(200, "unknown state, left as it was", "text/plain")
            ticket["state"] = form["state"]
        notes = "".join(ticket["notes"])
        return Said(200, f"<ticket><state>{ticket['state']}</state>{notes}</ticket>", "application/xml")


class GuardedDesk(Odd):
    """No search, a cursor, ids in Location, If-Match everywhere, one ticket a title, its own waiting header."""

    CONFIG = """
        kind: rest
        secrets: {pin: "${DESK_KEY}"}
        format: markdown
        limits: {data.title: 60}
        retry_after: X-Come-Back
        preconditions: etag
        create:
          path: /v3/cases
          headers: {X-Day: "{opened_at}"}
          body: {token: "{secret_pin}", data: {title: "{subject}", text: "{body}\\n\\n{marker}", tags: "{tags}",
                        level: "{priority}", assignee: "{due_at}"}}
          id: header:Location
        find:
          method: POST
          path: /v3/search
          body: {page: {after: "{cursor}", take: "{size}"}}
          items: json:data.items
          id: json:ref.number
          contains: {text: "{marker}"}
          pages: {by: cursor, next: "json:data.next", size: 2}
          look_back: 50
        comment: {path: "/v3/cases/{remote_id}/remarks", body: {text: "{comment} {marker}"}}
        update: {method: PATCH, path: "/v3/cases/{remote_id}", body: {state: "{status}", level: "{priority}"}}
        read: {path: "/v3/cases/{remote_id}", status: "json:state", statuses: {opened: open, shut: solved},
               unchanged: [title]}
        priorities: {urgent: 9, high: 5, normal: 3, low: 1}
        meaning: {"409": exists}
    """

    def handle(self, call: Call) -> Said:
        if call.path == "/v3/cases" and call.method == "POST":
            data = json.loads(call.body)["data"]
            if json.loads(call.body)["token"] != "k3y-of-the-desk":
                return Said(401, '{"error": "no"}')
            if any(one["text"] == data["text"] for one in self.tickets):
                return Said(409, '{"error": "we have that"}')
            made = self.add(**data)
            return Said(201, "", headers=(("Location", f"/v3/cases/{made['id']}"),))
        if call.path == "/v3/search":
            newest, page = self.tickets[::-1], json.loads(call.body)["page"]
            start, take = int(page.get("after", "0")), page["take"]
            items = [{"text": one["text"], "ref": {"number": one["id"]}} for one in newest[start : start + take]]
            ahead = start + take if start + take < len(newest) else None
            return Said(200, json.dumps({"data": {"items": items, "next": ahead}}))
        ticket = self.by_id(call.path.split("/")[3])
        etag = f'"v{ticket["version"]}"'
        if call.method == "GET":
            return Said(200, json.dumps(ticket), headers=(("ETag", etag),))
        if "if-match" not in call.headers:
            return Said(428, '{"error": "If-Match is required"}')
        if call.headers["if-match"] != etag:
            return Said(412, '{"error": "changed meanwhile"}')
        ticket["version"] += 1
        if call.path.endswith("/remarks"):
            ticket["notes"].append(json.loads(call.body)["text"])
        else:
            ticket.update(json.loads(call.body))
        return Said(200, json.dumps(ticket))


class SlowIndexDesk(Odd):
    """A search that knows a ticket only when `indexed` says so and ignores what it does not know; next links that name
    another host; drops fields and cuts titles without a word."""

    CONFIG = """
        kind: rest
        basic: {user: robot, password: "${DESK_KEY}"}
        format: html
        create:
          path: /rest/issues
          body: {fields: {name: "{subject}", about: "{body}", external: "{key}", color: "{brand}"}}
          id: "json:issues[0].id"
        find:
          path: /rest/find?external={key}
          items: json:hits
          match: {external: "{key}"}
          pages: {by: link}
          wait: 40s
        read: {path: "/rest/issues/{remote_id}", check: {name: "{subject}", color: "{brand}"}}
        changes:
          path: /rest/changed?after={since}
          since: unix
          items: json:hits
          status: json:state
          at: json:changed
          replies: {path: "/rest/issues/{remote_id}/talk", says: "json:words", public: {hidden: "false"},
                    author: "json:who.name"}
    """
    indexed = 0

    def handle(self, call: Call) -> Said:
        if call.path == "/rest/issues" and call.method == "POST":
            fields = json.loads(call.body)["fields"]
            made = self.add(name=fields["name"][:20], about=fields["about"], external=fields["external"])
            return Said(200, json.dumps({"issues": [{"id": made["id"]}]}))
        if call.path == "/rest/find":
            start = int(call.query.get("from", "0"))
            known = self.tickets[: self.indexed]
            link = (
                f'<http://10.0.0.1/rest/find?from={start + 1}>; rel="next"'
                if start + 1 < len(known)
                else "<x>; rel=last"
            )
            return Said(200, json.dumps({"hits": known[start : start + 1]}), headers=(("Link", link),))
        if call.path == "/rest/changed":
            shown = [{**one, "changed": "2026-03-01T12:00:00Z"} for one in self.tickets]
            return Said(200, json.dumps({"hits": shown}))
        ticket = self.by_id(re.findall(r"\d+", unquote(call.path))[0])
        if call.path.endswith("/talk"):
            return Said(200, json.dumps(ticket["notes"]))
        return Said(200, json.dumps(ticket))
