"""Shapes of well-known helpdesk APIs as small doubles, each with the block of `rest` that a user would write for it.

Written after their public descriptions; each keeps tickets as `id key title text state notes level`, whatever it calls
them.
"""

from __future__ import annotations

import base64
import json
import re
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from odd import Call, Odd, Said

KEY = "k3y-of-the-desk"
ANSWERED = "Вибачте, гроші повернуто."


class Strange(Odd):
    """`trouble` is what the next calls that open a ticket meet: whether they store, and what they are told."""

    CONFIG: ClassVar[str] = ""
    opens: ClassVar[str] = "/"
    replies: ClassVar[bool] = True
    query: str = ""

    def heard(self, handler: BaseHTTPRequestHandler) -> Said:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = handler.rfile.read(int(handler.headers.get("content-length", 0))).decode()
        call = Call(
            handler.command, parts.path, query, {name.lower(): value for name, value in handler.headers.items()}, body
        )
        self.calls.append(call)
        self.query = parts.query
        if self.first and self.is_create(call):
            stores, said = self.first.pop(0)
            if stores:
                self.handle(call)
            return said
        return self.handle(call)

    def is_create(self, call: Call) -> bool:
        return call.method == "POST" and call.path == self.opens

    def ticket(self, id: object) -> dict[str, Any]:
        return next(one for one in self.tickets if str(one["id"]) == str(id))

    def keyed(self, key: str) -> list[dict[str, Any]]:
        return [one for one in self.tickets if one.get("key") == key]

    def agent_answers(self) -> None:
        """An agent writes to the customer in the first ticket."""
        self.tickets[0]["answered"] = True


def good(data: Any, status: int = 200, **headers: str) -> Said:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Said(status, "" if data is None else json.dumps(data), headers=named)


def basic(call: Call) -> bool:
    return call.headers.get("authorization") == "Basic " + base64.b64encode(f"robot:{KEY}".encode()).decode()


class TableDesk(Strange):
    """As ServiceNow: a `result` around everything, encoded queries, journals in a table of their own."""

    CONFIG = """
        basic: {user: robot, password: "${P}"}
        create:
          path: /api/now/table/incident
          body: {short_description: "{subject}", description: "{body}\\n\\n{marker}", correlation_id: "{key}",
                 urgency: "{priority}"}
          id: json:result.sys_id
          link: "{url}/nav_to.do?uri=incident.do?sys_id={remote_id}"
          check: {result.short_description: "{subject}"}
        find:
          path: /api/now/table/incident
          query: {sysparm_query: "correlation_id={key}", sysparm_fields: "sys_id,correlation_id"}
          items: json:result
          id: json:sys_id
          match: {correlation_id: "{key}"}
          pages: {by: offset, param: sysparm_offset, size: 2, size_param: sysparm_limit, total: "header:X-Total-Count"}
        comment:
          method: PATCH
          path: /api/now/table/incident/{remote_id}
          body: {work_notes: "{comment}\\n\\n{marker}"}
          seen:
            path: /api/now/table/sys_journal_field?sysparm_query=element_id={remote_id}
            items: json:result
            says: json:value
        update:
          method: PATCH
          path: /api/now/table/incident/{remote_id}
          body: {state: "{status}", urgency: "{priority}", close_code: Solved}
        read: {path: "/api/now/table/incident/{remote_id}", status: json:result.state,
               statuses: {1: open, 2: open, 3: open, 6: solved, 7: solved}}
        changes:
          path: /api/now/table/incident
          query: {sysparm_query: "sys_updated_on>={since}^ORDERBYDESCsys_updated_on"}
          since: "%Y-%m-%d %H:%M:%S"
          zone: Europe/Kyiv
          items: json:result
          id: json:sys_id
          status: json:state
          at: json:sys_updated_on
          replies:
            path: /api/now/table/sys_journal_field?sysparm_query=element_id={remote_id}
            items: json:result
            id: json:sys_id
            says: json:value
            only: {element: comments}
            author: json:sys_created_by
        priorities: {urgent: 1, high: 1, normal: 2, low: 3}
        statuses: {open: 2, solved: 6}
    """
    opens = "/api/now/table/incident"

    def handle(self, call: Call) -> Said:
        if not basic(call):
            return good({"error": {"message": "User Not Authenticated"}, "status": "failure"}, 401)
        id = call.path.rpartition("/")[2]
        if call.path == self.opens and call.method == "POST":
            data = json.loads(call.body)
            made = self.add(key=data["correlation_id"], title=data["short_description"], text=data["description"])
            made |= {"id": f"{made['id']:032x}", "state": "1", "level": data["urgency"]}
            return good({"result": self.shown(made)}, 201, Location=f"/x/{made['id']}")
        if call.path == self.opens:
            query = call.query["sysparm_query"]
            if query.startswith("sys_updated_on"):
                assert query == "sys_updated_on>=2026-03-01 13:00:00^ORDERBYDESCsys_updated_on", query
                return good({"result": [self.shown(one) for one in self.tickets]})
            found = [self.shown(one) for one in self.keyed(query.removeprefix("correlation_id="))]
            at = int(call.query["sysparm_offset"])
            return good({"result": found[at : at + int(call.query["sysparm_limit"])]}, X_Total_Count=str(len(found)))
        if id == "sys_journal_field":
            ticket = self.ticket(call.query["sysparm_query"].partition("=")[2])
            notes = [{"sys_id": f"n{n}", "element": "work_notes", "value": v} for n, v in enumerate(ticket["notes"])]
            told = {"sys_id": "a", "element": "comments", "value": ANSWERED, "sys_created_by": "olga"}
            return good({"result": [*notes, *([told] if ticket.get("answered") else [])]})
        ticket = self.ticket(id)
        if call.method == "PATCH":
            data = json.loads(call.body)
            ticket["notes"] += [data["work_notes"]] if "work_notes" in data else []
            ticket |= {"state": str(data.get("state", ticket["state"])), "level": data.get("urgency", ticket["level"])}
        return good({"result": self.shown(ticket)})

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {"sys_id": one["id"], "correlation_id": one["key"], "short_description": one["title"],
                "state": one["state"], "sys_updated_on": "2026-03-01 12:30:00"}  # fmt: skip


class ObjectDesk(Strange):
    """As HubSpot: everything is `properties`, searched by POST, its notes are objects of their own."""

    CONFIG = """
        headers: {Authorization: "Bearer ${TOKEN}"}
        create:
          path: /crm/v3/objects/tickets
          body:
            properties: {subject: "{subject}", content: "{body}\\n\\n{marker}", mention_key: "{key}",
                         hs_pipeline_stage: "1", hs_ticket_priority: "{priority}"}
          check: {properties.mention_key: "{key}"}
        find:
          method: POST
          path: /crm/v3/objects/tickets/search
          body:
            filterGroups: [{filters: [{propertyName: mention_key, operator: EQ, value: "{key}"}]}]
            properties: [mention_key, hs_pipeline_stage]
            limit: "{size}"
            after: "{cursor}"
          items: json:results
          match: {properties.mention_key: "{key}"}
          pages: {by: cursor, next: "json:paging.next.after", size: 1}
        comment:
          path: /crm/v3/objects/notes
          body:
            properties: {hs_note_body: "{comment}\\n\\n{marker}", hs_timestamp: "{now}"}
            associations: [{to: {id: "{remote_number}"}, types: [{associationCategory: HUBSPOT_DEFINED,
                            associationTypeId: 228}]}]
          seen:
            method: POST
            path: /crm/v3/objects/notes/search
            body: {filterGroups: [{filters: [{propertyName: associations.ticket, operator: EQ, value: "{remote_id}"}]}],
                   properties: [hs_note_body]}
            items: json:results
            says: json:properties.hs_note_body
        update:
          method: PATCH
          path: /crm/v3/objects/tickets/{remote_id}
          body: {properties: {hs_pipeline_stage: "{status}", hs_ticket_priority: "{priority}"}}
        read: {path: "/crm/v3/objects/tickets/{remote_id}?properties=hs_pipeline_stage",
               status: json:properties.hs_pipeline_stage, statuses: {1: open, 2: open, 3: open, 4: solved}}
        priorities: {urgent: HIGH, high: HIGH, normal: MEDIUM, low: LOW}
        dates: unix_ms
        changes:
          method: POST
          path: /crm/v3/objects/tickets/search
          since: unix_ms
          body: {filterGroups: [{filters: [{propertyName: hs_lastmodifieddate, operator: GTE, value: "{since}"}]}],
                 properties: [hs_pipeline_stage]}
          items: json:results
          status: json:properties.hs_pipeline_stage
          at: json:updatedAt
    """
    opens = "/crm/v3/objects/tickets"
    replies = False

    def handle(self, call: Call) -> Said:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return good({"status": "error", "category": "INVALID_AUTHENTICATION"}, 401)
        data = json.loads(call.body) if call.body else {}
        if call.path == self.opens:
            given = data["properties"]
            made = self.add(key=given["mention_key"], title=given["subject"], text=given["content"])
            made |= {"state": "1", "level": given["hs_ticket_priority"]}
            return good(self.shown(made), 201)
        if call.path.endswith("/search"):
            return self.search(call.path, data)
        if call.path.endswith("/notes"):
            assert data["properties"]["hs_timestamp"] == 1772366400000
            self.ticket(data["associations"][0]["to"]["id"])["notes"].append(data["properties"]["hs_note_body"])
            return good({"id": "9"}, 201)
        ticket = self.ticket(call.path.rpartition("/")[2])
        if call.method == "PATCH":
            told = data["properties"]
            ticket["state"] = told.get("hs_pipeline_stage", ticket["state"])
            ticket["level"] = told.get("hs_ticket_priority", ticket["level"])
        return good(self.shown(ticket))

    def search(self, path: str, data: dict[str, Any]) -> Said:
        [told] = data["filterGroups"][0]["filters"]
        if "/notes/" in path:
            notes = self.ticket(told["value"])["notes"]
            return good({"results": [{"id": str(n), "properties": {"hs_note_body": v}} for n, v in enumerate(notes)]})
        if told["operator"] == "GTE":
            return good({"results": [self.shown(one) for one in self.tickets if told["value"] == 1772362800000]})
        at = int(data.get("after", 0))
        found = self.keyed(told["value"])
        ahead = {"paging": {"next": {"after": str(at + 1)}}} if at + 1 < len(found) else {}
        return good({"total": len(found), "results": [self.shown(one) for one in found[at : at + 1]], **ahead})

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        told = {"mention_key": one["key"], "hs_pipeline_stage": one["state"], "subject": one["title"]}
        return {"id": str(one["id"]), "properties": told, "updatedAt": "2026-03-01T12:30:00.000Z"}


class ContactDesk(Strange):
    """As Intercom: a ticket belongs to a contact that is looked up or made before; open is true or false."""

    CONFIG = """
        headers: {Authorization: "Bearer ${TOKEN}", Intercom-Version: "2.11"}
        create:
          before:
            - method: POST
              path: /contacts/search
              body: {query: {field: external_id, operator: "=", value: "{author_email}"}}
              take: {contact: json:data.0.id}
            - {method: POST, path: /contacts, unless: contact, take: {contact: json:id},
               body: {external_id: "{author_email}", name: "{author}"}}
          path: /tickets
          body:
            ticket_type_id: "7"
            contacts: [{id: "{contact}"}]
            ticket_attributes: {_default_title_: "{subject}", _default_description_: "{body}\\n\\n{marker}",
                                mention_key: "{key}"}
          after:
            - {method: POST, path: "/tickets/{remote_id}/tags", body: {tags: "{slugs}"}}
        find:
          method: POST
          path: /tickets/search
          body:
            query: {operator: AND, value: [{field: ticket_attribute.mention_key, operator: "=", value: "{key}"}]}
            pagination: {per_page: "{size}", starting_after: "{cursor}"}
          items: json:tickets
          match: {ticket_attributes.mention_key: "{key}"}
          pages: {by: cursor, next: json:pages.next.starting_after}
        comment:
          path: /tickets/{remote_id}/reply
          body: {message_type: note, type: admin, admin_id: "3", body: "{comment}\\n\\n{marker}"}
          seen: {path: "/tickets/{remote_id}", items: json:ticket_parts.ticket_parts, says: json:body}
        update: {path: "/tickets/{remote_id}", body: {open: "{status}"}}
        read: {path: "/tickets/{remote_id}", status: json:open, statuses: {true: open, false: solved}}
        changes:
          method: POST
          path: /tickets/search
          since: unix
          body: {query: {field: updated_at, operator: ">", value: "{since}"}}
          items: json:tickets
          replies:
            path: /tickets/{remote_id}
            items: json:ticket_parts.ticket_parts
            says: json:body
            only: {part_type: comment}
            author: json:author.name
    """
    opens = "/tickets"
    contacts: list[str]

    def handle(self, call: Call) -> Said:
        if call.headers.get("authorization") != f"Bearer {KEY}" or "intercom-version" not in call.headers:
            return good({"type": "error.list", "errors": [{"code": "unauthorized"}]}, 401)
        self.contacts = getattr(self, "contacts", [])
        data = json.loads(call.body) if call.body else {}
        if call.path == "/contacts/search":
            who = data["query"]["value"]
            return good({"data": [{"id": f"c{self.contacts.index(who)}"}] if who in self.contacts else []})
        if call.path == "/contacts":
            self.contacts.append(data["external_id"])
            return good({"id": f"c{len(self.contacts) - 1}"})
        if call.path == "/tickets/search":
            told = data["query"]
            found = self.tickets if told.get("operator") == ">" else self.keyed(told["value"][0]["value"])
            return good({"tickets": [self.shown(one) for one in found], "pages": {"next": None}})
        if call.path == "/tickets":
            given = data["ticket_attributes"]
            assert data["contacts"][0]["id"] in [f"c{n}" for n in range(len(self.contacts))]
            text = given["_default_description_"]
            return good(self.shown(self.add(key=given["mention_key"], title=given["_default_title_"], text=text)))
        ticket = self.ticket(call.path.split("/")[2])
        if call.path.endswith("/tags"):
            ticket["tags"] = data["tags"]
        elif call.path.endswith("/reply"):
            ticket["notes"].append(data["body"])
        elif call.method == "PUT":
            assert isinstance(data["open"], bool)
            ticket["state"] = "opened" if data["open"] else "shut"
        return good(self.shown(ticket))

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        parts = [{"id": str(n), "part_type": "note", "body": text} for n, text in enumerate(one["notes"])]
        told = {"id": "a", "part_type": "comment", "body": ANSWERED, "author": {"name": "Оля"}}
        is_open = one["state"] == "opened"
        return {"id": str(one["id"]), "ticket_attributes": {"mention_key": one["key"]}, "open": is_open,
                "ticket_parts": {"ticket_parts": [*parts, *([told] if one.get("answered") else [])]},
                "updated_at": 1772366400}  # fmt: skip


class HalDesk(Strange):
    """As Help Scout: a token by client credentials that runs out, 201 without a body, lists in `_embedded`."""

    CONFIG = """
        login:
          path: /v2/oauth2/token
          form: {grant_type: client_credentials, client_id: robot, client_secret: "${SECRET}"}
          session: json:access_token
          sends: {Authorization: "Bearer {session}"}
        format: html
        create:
          path: /v2/conversations
          body:
            subject: "{subject}"
            type: email
            mailboxId: 1
            status: active
            customer: {email: "{author_email}"}
            threads: [{type: customer, customer: {email: "{author_email}"}, text: "{body}\\n\\n{marker}"}]
            fields: [{id: 5, value: "{key}"}]
          id: header:Resource-ID
        find:
          path: /v2/conversations
          query: {status: all, query: '(customField:"{key}")'}
          items: json:_embedded.conversations
          match: {"customFields[id=5].value": "{key}"}
          pages: {by: next, next: json:_links.next.href, total: json:page.totalElements}
        comment:
          path: /v2/conversations/{remote_id}/notes
          body: {text: "{comment}\\n\\n{marker}"}
          seen: {path: "/v2/conversations/{remote_id}/threads", items: json:_embedded.threads, says: json:body}
        update:
          method: PATCH
          path: /v2/conversations/{remote_id}
          body: {op: replace, path: /status, value: "{status}"}
        read: {path: "/v2/conversations/{remote_id}", status: json:status,
               statuses: {active: open, pending: open, closed: solved}}
        changes:
          path: /v2/conversations
          query: {status: all, modifiedSince: "{since}"}
          items: json:_embedded.conversations
          at: json:userUpdatedAt
          replies:
            path: /v2/conversations/{remote_id}/threads
            items: json:_embedded.threads
            says: json:body
            only: {type: message}
            author: json:createdBy.first
    """
    opens = "/v2/conversations"
    left: int = 0
    token: int = 0

    def handle(self, call: Call) -> Said:
        if call.path == "/v2/oauth2/token":
            if parse_qs(call.body)["client_secret"] != [KEY]:
                return good({"error": "invalid_client"}, 401)
            self.token, self.left = self.token + 1, 3
            return good({"token_type": "bearer", "access_token": f"t0ken-{self.token}", "expires_in": 7200})
        if call.headers.get("authorization") != f"Bearer t0ken-{self.token}" or self.left <= 0:
            return good({"error": "invalid_token"}, 401)
        self.left -= 1
        data = json.loads(call.body) if call.body else {}
        if call.path == self.opens and call.method == "POST":
            made = self.add(key=data["fields"][0]["value"], title=data["subject"], text=data["threads"][0]["text"])
            return good(None, 201, Resource_ID=str(made["id"]), Location=f"/v2/conversations/{made['id']}")
        if call.path == self.opens:
            wanted = re.findall(r'\(customField:"(.*)"\)', call.query.get("query", ""))
            found = self.keyed(wanted[0]) if wanted else self.tickets
            page = {"totalElements": len(found)}
            return good({"_embedded": {"conversations": [self.shown(one) for one in found]}, "page": page} if found
                        else {"_links": {}, "page": page})  # fmt: skip
        ticket = self.ticket(call.path.split("/")[3])
        if call.path.endswith("/threads"):
            notes = [{"id": n, "type": "note", "body": text} for n, text in enumerate(ticket["notes"])]
            told = {"id": 99, "type": "message", "body": f"<p>{ANSWERED}</p>", "createdBy": {"first": "Оля"}}
            return good({"_embedded": {"threads": [*notes, *([told] if ticket.get("answered") else [])]}})
        if call.path.endswith("/notes"):
            ticket["notes"].append(data["text"])
            return good(None, 201)
        if call.method == "PATCH":
            ticket["state"] = data["value"]
            return good(None, 204)
        return good(self.shown(ticket))

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        fields = [{"id": 4, "value": "x"}, {"id": 5, "value": one["key"]}]
        state = {"opened": "active"}.get(one["state"], one["state"])
        return {"id": one["id"], "status": state, "customFields": fields, "userUpdatedAt": "2026-03-01T12:00:00Z"}


SAAS: tuple[type[Strange], ...] = (TableDesk, ObjectDesk, ContactDesk, HalDesk)
