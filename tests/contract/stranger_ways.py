"""Ways of helpdesks that nobody ships: JSON:API with steps and authors by number, a search by date alone in XML, ids
that only a redirect or a job tells, duplicates refused with the id that is there."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from odd import Call, Said
from strange import ANSWERED, KEY, Strange, basic, good

VND = "application/vnd.api+json"


class ResourceDesk(Strange):
    """JSON:API throughout, the login too; comments want their author's number, a status the number of a step."""

    CONFIG = """
        headers: {Content-Type: application/vnd.api+json, Accept: application/vnd.api+json}
        retry_after: [RateLimit-Reset]
        login:
          path: /sessions
          body: {data: {type: sessions, attributes: {login: robot, secret: "${SECRET}"}}}
          session: json:data.attributes.token
          sends: {Authorization: "Bearer {session}"}
        create:
          path: /cases
          body:
            data:
              type: cases
              attributes: {title: "{subject}", text: "{body}\\n\\n{marker}", ref: "{key}", level: "{priority}"}
          id: json:data.id
          link: json:data.links.self
          check: {data.attributes.title: "{subject}"}
        find:
          path: /cases
          query: {"filter[ref]": "{key}"}
          items: json:data
          match: {attributes.ref: "{key}"}
          pages: {by: next, next: json:links.next}
        comment:
          before: {path: "/people?filter[login]=robot", take: {me: json:data.0.attributes.number}}
          path: /cases/{remote_id}/remarks
          body: {data: {type: remarks, attributes: {text: "{comment}\\n\\n{marker}", author: "{me}"}}}
          seen: {path: "/cases/{remote_id}/remarks", items: json:data, says: json:attributes.text}
        update:
          before:
            path: /cases/{remote_id}/steps
            take: {step: "json:data[attributes.leads-to={status}].id"}
          method: POST
          path: /cases/{remote_id}/steps
          body: {data: {type: steps, id: "{step}"}}
        read: {path: "/cases/{remote_id}", status: json:data.attributes.state,
               statuses: {Opened: open, Shut it: solved}}
        changes:
          path: /cases
          query: {"filter[after]": "{since}"}
          items: json:data
          status: json:attributes.state
          at: json:attributes.touched
          replies:
            path: /cases/{remote_id}/remarks
            items: json:data
            says: json:attributes.text
            public: {attributes.open-to-all: true}
            author: json:attributes.by
    """
    opens = "/cases"
    sessions: int = 0

    def handle(self, call: Call) -> Said:
        data = json.loads(call.body)["data"] if call.body else {}
        if call.body and call.headers.get("content-type") != VND:
            return good({"errors": [{"title": "Unsupported Media Type"}]}, 415)
        if call.path == "/sessions":
            if data["attributes"]["secret"] != KEY:
                return good({"errors": [{"title": "who?"}]}, 422)
            self.sessions += 1
            attributes = {"token": f"t0ken-{self.sessions}", "expires": "2026-03-01T12:05:00Z"}
            return good({"data": {"type": "sessions", "attributes": attributes}}, 201)
        if call.headers.get("authorization") != f"Bearer t0ken-{self.sessions}":
            return good({"errors": [{"title": "session is over"}]}, 401)
        if call.path == "/people":
            return good({"data": [{"id": "p-7", "attributes": {"login": "robot", "number": 7}}]})
        if call.path == "/cases" and call.method == "POST":
            told = data["attributes"]
            made = self.add(key=told["ref"], title=told["title"], text=told["text"])
            return good({"data": self.shown(made)}, 201)
        if call.path == "/cases":
            wanted = call.query.get("filter[ref]")
            found = [one for one in self.tickets if wanted is None or wanted in one["key"]]
            at = int(call.query.get("page[at]", 0))
            ahead = f"{self.url}/cases?page%5Bat%5D={at + 1}" + (f"&filter%5Bref%5D={wanted}" if wanted else "")
            some = [self.shown(one) for one in found[at : at + 1]]
            return good({"data": some, "links": {"next": ahead if at + 1 < len(found) else None}})
        return self.below(self.ticket(call.path.split("/")[2]), call, data)

    def below(self, ticket: dict[str, Any], call: Call, data: dict[str, Any]) -> Said:
        what = call.path.split("/")[3:]
        if what == ["remarks"] and call.method == "POST":
            if data["attributes"]["author"] != 7:
                return good({"errors": [{"title": "author must be a number"}]}, 422)
            ticket["notes"].append(data["attributes"]["text"])
            return good({"data": {"id": "r-1"}}, 201)
        if what == ["remarks"]:
            notes = [{"id": f"r-{n}", "attributes": {"text": text, "open-to-all": False}}
                     for n, text in enumerate(ticket["notes"])]  # fmt: skip
            told = {"id": "r-99", "attributes": {"text": ANSWERED, "open-to-all": True, "by": "Оля"}}
            return good({"data": [*notes, *([told] if ticket.get("answered") else [])]})
        steps = {"opened": {"31": "Shut it"}, "Shut it": {"11": "Opened"}}.get(ticket["state"], {})
        if what == ["steps"] and call.method == "POST":
            if data["id"] not in steps:
                return good({"errors": [{"title": "no such step from here"}]}, 422)
            ticket["state"] = "opened" if data["id"] == "11" else "Shut it"
            return good(None, 204)
        if what == ["steps"]:
            return good({"data": [{"id": id, "attributes": {"leads-to": to}} for id, to in steps.items()]})
        return good({"data": self.shown(ticket)})

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        attributes = {"title": one["title"], "text": one["text"], "ref": one["key"], "touched": "2026-03-01T12:00:00Z",
                      "state": "Opened" if one["state"] == "opened" else one["state"]}  # fmt: skip
        return {
            "type": "cases",
            "id": str(one["id"]),
            "attributes": attributes,
            "links": {"self": f"/cases/{one['id']}"},
        }


class WindowDesk(Strange):
    """Forms in, XML out; a creation is told by a redirect alone, and nothing is searched but the days between two."""

    CONFIG = """
        basic: {user: robot, password: "${P}"}
        create:
          path: /desk/new
          form: {name: "{subject}", about: "{body}\\n\\n{marker}"}
          id: header:Location ticket=(\\d+)
          link: "{url}/desk/show?ticket={remote_id}"
          meaning: {"303": ok}
        find:
          path: /desk/list
          query: {from: "{since}", to: "{until}"}
          since: "%d.%m.%Y"
          zone: Europe/Kyiv
          window: 14d
          items: 'text:(?s)<ticket .*?</ticket>'
          id: text:number="(\\d+)"
          contains: {'text:(?s)<about>(.*?)</about>': "{marker}"}
        comment:
          path: /desk/note
          form: {ticket: "{remote_id}", words: "{comment}\\n\\n{marker}"}
          seen: {path: "/desk/notes?ticket={remote_id}", items: 'text:(?s)<note .*?</note>',
                 says: 'text:(?s)<words>(.*?)</words>'}
        update: {method: POST, path: /desk/state, form: {ticket: "{remote_id}", state: "{status}"}}
        read: {path: "/desk/show?ticket={remote_id}", status: text:<state>(.*?)</state>,
               statuses: {new & open: open, done: solved}}
        changes:
          path: /desk/list
          query: {from: "{since}", to: "{until}"}
          since: "%d.%m.%Y"
          zone: Europe/Kyiv
          items: 'text:(?s)<ticket .*?</ticket>'
          id: text:number="(\\d+)"
          status: text:<state>(.*?)</state>
          at: text:<touched>(.*?)</touched>
          replies:
            path: /desk/notes?ticket={remote_id}
            items: 'text:(?s)<note .*?</note>'
            id: text:number="(\\d+)"
            says: 'text:(?s)<words>(.*?)</words>'
            only: {'text:by="(.*?)"': agent}
    """
    opens = "/desk/new"

    def handle(self, call: Call) -> Said:
        if not basic(call):
            return Said(401, "<error>who are you?</error>", "text/xml")
        form = {name: values[0] for name, values in parse_qs(call.body).items()}
        if call.path == self.opens:
            made = self.add(key=form["about"].rpartition(":")[2], title=form["name"], text=form["about"])
            return Said(303, "", "text/html", (("Location", f"{self.url}/desk/show?ticket={made['id']}&new=1"),))
        if call.path == "/desk/list":
            if (call.query.get("from"), call.query.get("to")) not in (
                ("15.02.2026", "02.03.2026"), ("01.03.2026", "02.03.2026")
            ):  # fmt: skip
                return Said(400, "<error>from and to, please, at most 31 days</error>", "text/xml")
            return self.xml("".join(map(self.shown, self.tickets)))
        ticket = self.ticket(form.get("ticket") or call.query["ticket"])
        if call.path == "/desk/note":
            ticket["notes"].append(form["words"].replace("\r\n", "\n"))
        if call.path == "/desk/notes":
            told = [*((n, "robot", text) for n, text in enumerate(ticket["notes"]))]
            told += [(99, "agent", ANSWERED)] if ticket.get("answered") else []
            return self.xml("".join(f'<note number="{n}" by="{by}"><words>{escape(text)}</words></note>'
                                    for n, by, text in told))  # fmt: skip
        if call.path == "/desk/state":
            ticket["state"] = "done" if form["state"] == "done" else "opened"
        return self.xml(self.shown(ticket))

    def xml(self, inner: str) -> Said:
        return Said(200, f'<?xml version="1.0"?><answer>{inner}</answer>', "application/xml; charset=utf-8")

    def shown(self, one: dict[str, Any]) -> str:
        state = "new &amp; open" if one["state"] == "opened" else one["state"]
        return (
            f'<ticket number="{one["id"]}"><state>{state}</state><name>{escape(one["title"])}</name>'
            f"<about>{escape(one['text'])}</about><touched>2026-03-01 14:00:00</touched></ticket>"
        )


class JobDesk(Strange):
    """Answers with a job, which makes the ticket in its own time; nothing can be searched."""

    CONFIG = """
        headers: {X-Key: "${KEY}"}
        retry_after: [json:retry_in, 'header:RateLimit t=(\\d+)']
        create:
          path: /v2/intake
          body: {title: "{subject}", text: "{body}", ref: "{key}"}
          job:
            at: json:job.href =~ /work/(\\w+)$
            path: /v2/work/{job}
            id: json:made.0.ticket
            wait: 2s
            meaning: {"200 json:state=broken": failed}
          link: "{url}/t/{remote_id}"
    """
    opens = "/v2/intake"
    turns: int = 2
    broken: bool = False

    def handle(self, call: Call) -> Said:
        if call.headers.get("x-key") != KEY:
            return good({"why": "key"}, 401)
        if call.path == self.opens:
            data = json.loads(call.body)
            self.add(key=data["ref"], title=data["title"], text=data["text"])
            return good({"id": "job-is-no-ticket", "job": {"href": "https://inside.example/v2/work/j5"}}, 202)
        assert call.path == "/v2/work/j5"
        self.turns -= 1
        if self.broken:
            return good({"state": "broken", "why": "no such queue"})
        made = [{"ticket": self.tickets[-1]["id"]}] if self.turns < 0 else []
        return good({"id": "j5", "state": "done" if made else "running", "made": made})


class OnceDesk(Strange):
    """Knows what it was sent before and says which ticket that is; there is no other way to ask."""

    CONFIG = """
        headers: {X-Key: "${KEY}"}
        create:
          path: /tickets
          body: {title: "{subject}", text: "{body}", dedup: "{key}"}
          id: json:ticket.no
          existing: json:error.existing.no
          link: "{url}/t/{remote_id}"
        meaning: {"409 json:error.code=DUPLICATE": exists}
    """
    opens = "/tickets"

    def handle(self, call: Call) -> Said:
        if call.headers.get("x-key") != KEY:
            return good({"why": "key"}, 401)
        data = json.loads(call.body)
        if known := self.keyed(data["dedup"]):
            return good({"error": {"code": "DUPLICATE", "existing": {"no": known[0]["id"]}}}, 409)
        return good({"ticket": {"no": self.add(key=data["dedup"], title=data["title"], text=data["text"])["id"]}}, 201)


WAYS: tuple[type[Strange], ...] = (ResourceDesk, WindowDesk)
