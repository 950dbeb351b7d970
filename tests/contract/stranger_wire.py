"""More shapes of `strange.py`: JSON in forms, SOAP, signed calls with JSON patches."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from html import escape, unescape
from typing import Any, ClassVar
from urllib.parse import parse_qs

from odd import Call, Said
from strange import ANSWERED, KEY, Strange, good


class FormDesk(Strange):
    """As ManageEngine ServiceDesk Plus: JSON as text in a form field, its own status codes within a 200."""

    CONFIG = """
        headers: {authtoken: "${TOKEN}", Accept: application/vnd.manageengine.sdp.v3+json}
        meaning: {"2xx json:response_status.status_code=4001": permanent,
                  "2xx json:response_status.status=failed": failed}
        format: html
        create:
          path: /api/v3/requests
          form:
            input_data:
              $json: {request: {subject: "{subject}", description: "{body}<br>{marker}", priority: {name: "{priority}"},
                                udf_fields: {udf_sline_1: "{key}"}}}
          id: json:request.id
        find:
          path: /api/v3/requests
          query:
            input_data:
              $json: {list_info: {row_count: "{size}", start_index: "{offset}",
                                  search_fields: {udf_fields.udf_sline_1: "{key}"}}}
          items: json:requests
          match: {udf_fields.udf_sline_1: "{key}"}
          pages: {by: offset, start: 1, size: 2, total: json:list_info.total_count}
        comment:
          path: /api/v3/requests/{remote_id}/notes
          form: {input_data: {$json: {note: {description: "{comment}<br>{marker}", show_to_requester: false}}}}
          seen: {path: "/api/v3/requests/{remote_id}/notes", items: json:notes, says: json:description}
        update:
          path: /api/v3/requests/{remote_id}
          form: {input_data: {$json: {request: {status: {name: "{status}"}, priority: {name: "{priority}"}}}}}
        read: {path: "/api/v3/requests/{remote_id}", status: json:request.status.name,
               statuses: {Open: open, Closed: solved}}
        changes:
          path: /api/v3/requests
          since: unix_ms
          query: {input_data: {$json: {list_info: {filter_by: {name: All}, from: "{since}"}}}}
          items: json:requests
          status: json:status.name
          at: json:last_updated_time.value
    """
    opens = "/api/v3/requests"
    replies = False

    def handle(self, call: Call) -> Said:
        if call.headers.get("authtoken") != KEY:
            return self.told({"status_code": 4001, "status": "failed", "messages": [{"message": "bad authtoken"}]})
        raw = parse_qs(call.body).get("input_data", [call.query.get("input_data", "{}")])[0]
        data = json.loads(raw)
        if call.path == self.opens and call.method == "POST":
            given = data["request"]
            made = self.add(key=given["udf_fields"]["udf_sline_1"], title=given["subject"], text=given["description"])
            made["state"] = "Open"
            return self.told({"status_code": 2000, "status": "success"}, request=self.shown(made))
        if call.path == self.opens:
            asked = data["list_info"]
            if "from" in asked:
                assert asked["from"] == 1772362800000
                return self.told({"status": "success"}, requests=[self.shown(one) for one in self.tickets])
            found, at = self.keyed(asked["search_fields"]["udf_fields.udf_sline_1"]), int(asked["start_index"]) - 1
            page = [self.shown(one) for one in found[at : at + asked["row_count"]]]
            return self.told({"status": "success"}, requests=page, list_info={"total_count": len(found)})
        ticket = self.ticket(call.path.split("/")[4])
        if call.path.endswith("/notes"):
            ticket["notes"] += [data["note"]["description"]] if call.method == "POST" else []
            return self.told({"status": "success"}, notes=[{"description": text} for text in ticket["notes"]])
        if call.method == "PUT":
            ticket["state"] = data["request"].get("status", {}).get("name", ticket["state"])
        return self.told({"status": "success"}, request=self.shown(ticket))

    def told(self, status: dict[str, Any], **more: Any) -> Said:
        return good({"response_status": status, **more})

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {"id": str(one["id"]), "udf_fields": {"udf_sline_1": one["key"]}, "status": {"name": one["state"]},
                "last_updated_time": {"value": "1772366400000"}}  # fmt: skip


class EnvelopeDesk(Strange):
    """SOAP: one path, XML both ways, a fault is a 500 or, for some, a 200."""

    CONFIG = """
        basic: {user: robot, password: "${P}"}
        meaning: {"500 *<faultcode>client</faultcode>*": permanent, "200 *<faultcode>*": failed}
        create:
          path: /soap
          headers: {SOAPAction: createTicket}
          content_type: text/xml; charset=utf-8
          text: >-
            <Envelope><Body><createTicket><title>{subject}</title><text>{body}&#10;{marker}</text><ref>{key}</ref>
            </createTicket></Body></Envelope>
          id: text:<ticketId>(\\w+)</ticketId>
        find:
          method: POST
          path: /soap
          content_type: text/xml; charset=utf-8
          text: <Envelope><Body><findTickets><ref>{key}</ref></findTickets></Body></Envelope>
          items: 'text:(?s)<ticket>.*?</ticket>'
          id: text:<id>(\\w+)</id>
          match: {"text:<ref>(.*?)</ref>": "{key}"}
        comment:
          path: /soap
          content_type: text/xml; charset=utf-8
          text: >-
            <Envelope><Body><addNote><id>{remote_id}</id><text>{comment}&#10;{marker}</text></addNote></Body></Envelope>
          seen:
            method: POST
            path: /soap
            content_type: text/xml; charset=utf-8
            text: <Envelope><Body><getTicket><id>{remote_id}</id></getTicket></Body></Envelope>
            items: 'text:(?s)<note.*?</note>'
            says: 'text:(?s)<note[^>]*>(.*)</note>'
        update:
          method: POST
          path: /soap
          content_type: text/xml; charset=utf-8
          text: <Envelope><Body><setState><id>{remote_id}</id><state>{status}</state></setState></Body></Envelope>
        read:
          method: POST
          path: /soap
          content_type: text/xml; charset=utf-8
          text: <Envelope><Body><getTicket><id>{remote_id}</id></getTicket></Body></Envelope>
          status: text:<state>(\\w+)</state>
          statuses: {opened: open, shut: solved}
        changes:
          method: POST
          path: /soap
          content_type: text/xml; charset=utf-8
          text: <Envelope><Body><findTickets><since>{since}</since></findTickets></Body></Envelope>
          items: 'text:(?s)<ticket>.*?</ticket>'
          id: text:<id>(\\w+)</id>
          status: text:<state>(\\w+)</state>
          at: text:<changed>(.*?)</changed>
          replies:
            method: POST
            path: /soap
            content_type: text/xml; charset=utf-8
            text: <Envelope><Body><getTicket><id>{remote_id}</id></getTicket></Body></Envelope>
            items: 'text:(?s)<note.*?</note>'
            id: 'text:<note id="(\\d+)"'
            says: 'text:(?s)<note[^>]*>(.*)</note>'
    """
    opens = "/soap"

    def is_create(self, call: Call) -> bool:
        return "<createTicket>" in call.body

    def handle(self, call: Call) -> Said:
        given = {name: unescape(text) for name, text in re.findall(r"(?s)<(\w+)>([^<]*)</\1>", call.body)}
        if call.headers.get("authorization") != "Basic cm9ib3Q6azN5LW9mLXRoZS1kZXNr":
            return self.xml("<Fault><faultcode>Client</faultcode><faultstring>who are you</faultstring></Fault>", 500)
        if "createTicket" in call.body:
            made = self.add(key=given["ref"], title=given["title"], text=given["text"])
            return self.xml(f"<ticketId>{made['id']}</ticketId>")
        if "findTickets" in call.body:
            found = self.keyed(given["ref"]) if "ref" in given else self.tickets
            return self.xml("".join(map(self.shown, found)))
        ticket = self.ticket(given["id"])
        if "addNote" in call.body:
            ticket["notes"].append(given["text"])
        elif "setState" in call.body:
            if given["state"] not in ("opened", "shut"):
                return self.xml("<Fault><faultcode>Server</faultcode></Fault>")
            ticket["state"] = given["state"]
        return self.xml(self.shown(ticket))

    def shown(self, one: dict[str, Any]) -> str:
        told = [*one["notes"], *([ANSWERED] if one.get("answered") else [])]
        notes = "".join(f'<note id="{n}">{escape(text)}</note>' for n, text in enumerate(told))
        fields = {"id": one["id"], "ref": one["key"], "state": one["state"], "changed": "2026-03-01T12:00:00Z"}
        return f"<ticket>{''.join(f'<{name}>{text}</{name}>' for name, text in fields.items())}{notes}</ticket>"

    def xml(self, inner: str, status: int = 200) -> Said:
        return Said(status, f"<Envelope><Body>{inner}</Body></Envelope>", "text/xml; charset=utf-8")


class SignedDesk(Strange):
    """Every call signed over time, method, path, query and body; tickets stored under our own key."""

    CONFIG: ClassVar[str] = """
        sign:
          secret: "${SIGNING_KEY}"
          text: "{timestamp}\\n{method}\\n{path}\\n{query}\\n{body_hash}"
          written: base64
          sends: {X-Time: "{timestamp}", X-Signature: "v1={signature}"}
        create: {method: PUT, path: "/cases/{key}", id: "{key}",
                 body: {title: "{subject}", text: "{body}\\n\\n{marker}"}}
        find: {path: "/cases/{key}", id: json:ref}
        comment: {path: "/cases/{remote_id}/notes?kind=internal", body: {text: "{comment}\\n\\n{marker}"},
                  seen: {path: "/cases/{remote_id}/notes", says: json:text}}
        update: {method: PATCH, path: "/cases/{remote_id}",
                 body: [{$when: "{status}", op: replace, path: /state, value: "{status}"},
                        {$when: "{priority}", op: replace, path: /level, value: "{priority}"}]}
        read: {path: "/cases/{remote_id}", status: json:state, statuses: {opened: open, shut: solved}}
        changes:
          path: /cases
          query: {changed-after: "{since}"}
          since: "%a, %d %b %Y %H:%M:%S GMT"
          id: json:ref
          at: json:changed
          replies: {path: "/cases/{remote_id}/notes", says: json:text}
    """

    def is_create(self, call: Call) -> bool:
        return call.method == "PUT"

    def handle(self, call: Call) -> Said:
        body_hash = hashlib.sha256(call.body.encode()).hexdigest()
        text = "\n".join([call.headers["x-time"], call.method, call.path, self.query, body_hash])
        made = base64.b64encode(hmac.new(KEY.encode(), text.encode(), "sha256").digest()).decode()
        if call.headers["x-signature"] != f"v1={made}":
            return good({"error": "bad signature"}, 403)
        if call.path == "/cases":
            assert call.query["changed-after"] == "Sun, 01 Mar 2026 11:00:00 GMT"
            return good([self.shown(one) for one in self.tickets])
        key = call.path.split("/")[2]
        data = json.loads(call.body) if call.body else {}
        if call.method == "PUT":
            if not self.keyed(key):
                self.add(id=key, key=key, title=data["title"], text=data["text"])
            return good(None, 204)
        if not self.keyed(key):
            return good({"error": "no such case"}, 404)
        [ticket] = self.keyed(key)
        if call.path.endswith("/notes"):
            ticket["notes"] += [data["text"]] if call.method == "POST" else []
            told = [*ticket["notes"], *([ANSWERED] if ticket.get("answered") else [])]
            return good([{"id": n, "text": text} for n, text in enumerate(told)])
        for change in data if call.method == "PATCH" else []:
            assert set(change) == {"op", "path", "value"}, change
            ticket[change["path"][1:]] = change["value"]
        return good(self.shown(ticket))

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {"ref": one["key"], "state": one["state"], "changed": "Sun, 01 Mar 2026 12:00:00 GMT"}


WIRED: tuple[type[Strange], ...] = (FormDesk, EnvelopeDesk, SignedDesk)
