"""More shapes of `strange.py`: labels and Link headers, ids within URLs, cursors, ids that come later, JSON patches."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, ClassVar
from urllib.parse import parse_qs

from odd import Call, Said
from strange import ANSWERED, KEY, Strange, good


class IssueDesk(Strange):
    """As the issues of GitHub, Gitea and their like: no field for a key, pages by Link, 403 for too many calls."""

    CONFIG = """
        headers: {Authorization: "Bearer ${TOKEN}", Accept: application/vnd.github+json}
        format: markdown
        meaning: {"403 header:X-RateLimit-Remaining=0": transient}
        retry_after: [Retry-After, X-RateLimit-Reset]
        create:
          path: /repos/ladna/mentions/issues
          body: {title: "{subject}", body: "{body}\\n\\n{marker}", labels: [mention, "priority:{priority}"]}
          id: json:number
          link: json:html_url
          check: {title: "{subject}", "labels.*.name": [mention, "priority:{priority}"]}
        find:
          path: /repos/ladna/mentions/issues?state=all&labels=mention&sort=created&direction=desc
          id: json:number
          link: json:html_url
          contains: {body: "{marker}"}
          pages: {by: link, size: 2, size_param: per_page}
          look_back: 300
        comment:
          path: /repos/ladna/mentions/issues/{remote_id}/comments
          body: {body: "{comment}\\n\\n{marker}"}
          seen: {path: "/repos/ladna/mentions/issues/{remote_id}/comments", pages: {by: link, size_param: per_page}}
        update: {method: PATCH, path: "/repos/ladna/mentions/issues/{remote_id}", body: {state: "{status}"}}
        read: {path: "/repos/ladna/mentions/issues/{remote_id}", status: json:state,
               statuses: {open: open, closed: solved}}
        changes:
          path: /repos/ladna/mentions/issues?state=all&labels=mention
          query: {since: "{since}"}
          id: json:number
          link: json:html_url
          assignee: json:assignee.login
          pages: {by: link, size_param: per_page}
          replies: {path: "/repos/ladna/mentions/issues/{remote_id}/comments", author: json:user.login}
    """
    opens = "/repos/ladna/mentions/issues"

    def handle(self, call: Call) -> Said:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return good({"message": "Bad credentials"}, 401)
        data = json.loads(call.body) if call.body else {}
        if call.path == self.opens and call.method == "POST":
            key = data["body"].rpartition("mention-crawler:")[2]
            made = self.add(key=key, title=data["title"], text=data["body"], labels=data["labels"], state="open")
            return good(self.shown(made), 201)
        if call.path == self.opens:
            at, size = int(call.query.get("page", 1)), int(call.query["per_page"])
            newest = [self.shown(one) for one in self.tickets[::-1]]
            ahead = f'<https://api.example{self.opens}?per_page={size}&page={at + 1}>; rel="next"'
            more: Any = {"Link": ahead} if at * size < len(newest) else {}
            return good(newest[(at - 1) * size : at * size], **more)
        ticket = self.ticket(call.path.split("/")[5])
        if call.path.endswith("/comments"):
            ticket["notes"] += [data["body"]] if call.method == "POST" else []
            told = [*ticket["notes"], *([ANSWERED] if ticket.get("answered") else [])]
            return good([{"id": n, "body": text, "user": {"login": "olga"}} for n, text in enumerate(told)])
        ticket |= {"state": data.get("state", ticket["state"])}
        return good(self.shown(ticket))

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        labels = [{"name": name} for name in one["labels"]]
        return {"id": 7_000_000_000 + one["id"], "number": one["id"], "title": one["title"], "body": one["text"],
                "html_url": f"https://g.example/i/{one['id']}", "state": one["state"], "labels": labels,
                "assignee": None, "updated_at": "2026-03-01T12:00:00Z"}  # fmt: skip


class LaterDesk(Strange):
    """As Front: a message is accepted (202) and becomes a conversation later; its id stands within a URL only."""

    CONFIG = """
        headers: {Authorization: "Bearer ${TOKEN}"}
        format: html
        create:
          path: /inboxes/inb_1/imported_messages
          body: {external_id: "{key}", subject: "{subject}", body: "{body}<br>{marker}",
                 sender: {handle: "{author_email}"}, to: [desk@desk.example], metadata: {is_inbound: true}}
          id: json:_links.related.conversation =~ /conversations/(cnv_\\w+)$
        find:
          path: /messages/alt:ext:{key}
          id: json:_links.related.conversation =~ /conversations/(cnv_\\w+)$
          match: {external_id: "{key}"}
          wait: 10s
        comment:
          path: /conversations/{remote_id}/comments
          body: {body: "{comment} {marker}"}
          seen: {path: "/conversations/{remote_id}/comments", items: json:_results, says: json:body,
                 pages: {by: next, next: json:_pagination.next}}
        update: {method: PATCH, path: "/conversations/{remote_id}", body: {status: "{status}"}}
        read: {path: "/conversations/{remote_id}", status: json:status,
               statuses: {assigned: open, unassigned: open, archived: solved}}
        statuses: {open: open, solved: archived}
        changes:
          path: /conversations/search/after:{since}
          since: unix
          items: json:_results
          pages: {by: next, next: json:_pagination.next}
          replies:
            path: /conversations/{remote_id}/messages
            items: json:_results
            says: json:body
            only: {is_inbound: false}
            author: json:author.first_name
            at: json:created_at
    """
    opens = "/inboxes/inb_1/imported_messages"

    def handle(self, call: Call) -> Said:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return good({"_error": {"status": 401, "title": "Unauthenticated"}}, 401)
        data = json.loads(call.body) if call.body else {}
        if call.path == self.opens:
            made = self.add(key=data["external_id"], title=data["subject"], text=data["body"], state="unassigned")
            made["id"] = f"cnv_{made['id']}"
            return good({"status": "accepted", "message_uid": "2fe0af"}, 202)
        if call.path.startswith("/messages/alt:ext:"):
            found = self.keyed(call.path.rpartition(":")[2])
            if not found:
                return good({"_error": {"status": 404}}, 404)
            link = f"https://ladna.api.example/conversations/{found[0]['id']}"
            return good({"id": "msg_1", "external_id": found[0]["key"], "_links": {"related": {"conversation": link}}})
        if call.path.startswith("/conversations/search/"):
            assert call.path.endswith("after:1772362800")
            return good({"_results": [self.shown(one) for one in self.tickets], "_pagination": {"next": None}})
        ticket = self.ticket(call.path.split("/")[2])
        if call.path.endswith("/comments"):
            ticket["notes"] += [data["body"]] if call.method == "POST" else []
            at = int(call.query.get("page_token", 0))
            ahead = (
                f"https://ladna.api.example{call.path}?page_token={at + 1}" if at + 1 < len(ticket["notes"]) else None
            )
            some = [{"id": f"com_{at}", "body": text} for text in ticket["notes"][at : at + 1]]
            return good({"_results": some, "_pagination": {"next": ahead}})
        if call.path.endswith("/messages"):
            told = {"id": "msg_9", "is_inbound": False, "body": f"<p>{ANSWERED}</p>", "author": {"first_name": "Оля"}}
            ours = {"id": "msg_1", "is_inbound": True, "body": ticket["text"]}
            return good({"_results": [ours, *([told] if ticket.get("answered") else [])]})
        if call.method == "PATCH":
            ticket["state"] = {"archived": "archived", "open": "unassigned"}[data["status"]]
            return good(None, 204)
        return good(self.shown(ticket))

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {"id": one["id"], "status": one["state"], "updated_at": 1772366400.5}


class OrgDesk(Strange):
    """As Zoho Desk: a token by refresh token, an organisation header, 204 for no hits, offsets that begin at 1."""

    CONFIG = """
        login:
          path: /oauth/v2/token
          form: {grant_type: refresh_token, client_id: robot, refresh_token: "${R}", client_secret: "${S}"}
          session: json:access_token
          sends: {Authorization: "Zoho-oauthtoken {session}"}
        headers: {orgId: "603"}
        format: html
        create:
          before:
            - {path: "/api/v1/contacts/search?email={author_email}", take: {contact: json:data.0.id}}
            - {method: POST, path: /api/v1/contacts, body: {lastName: "{author}", email: "{author_email}"},
               unless: contact, take: {contact: json:id}}
          path: /api/v1/tickets
          body: {subject: "{subject}", departmentId: "1", contactId: "{contact}", description: "{body}<br>{marker}",
                 priority: "{priority}", cf: {cf_mention_key: "{key}"}}
          link: json:webUrl
        find:
          path: /api/v1/tickets/search
          query: {customField1: "cf_mention_key:{key}"}
          items: json:data
          match: {cf.cf_mention_key: "{key}"}
          pages: {by: offset, param: from, start: 1, size: 1, size_param: limit}
        comment:
          path: /api/v1/tickets/{remote_id}/comments
          body: {content: "{comment}<br>{marker}", isPublic: "false", contentType: html}
          seen: {path: "/api/v1/tickets/{remote_id}/comments", items: json:data, says: json:content}
        update: {method: PATCH, path: "/api/v1/tickets/{remote_id}", body: {status: "{status}", priority: "{priority}"}}
        read: {path: "/api/v1/tickets/{remote_id}", status: json:statusType,
               statuses: {open: open, on hold: open, closed: solved}}
        statuses: {open: Open, solved: Closed}
        changes:
          path: /api/v1/tickets/search
          query: {modifiedTimeRange: "{since},2999-01-01T00:00:00Z", sortBy: -modifiedTime}
          items: json:data
          at: json:modifiedTime
          pages: {by: offset, param: from, start: 1, size: 1, size_param: limit}
          replies:
            path: /api/v1/tickets/{remote_id}/conversations
            items: json:data
            says: json:summary
            only: {direction: out}
            public: {visibility: public}
            author: json:author.name
    """
    opens = "/api/v1/tickets"

    def handle(self, call: Call) -> Said:
        if call.path == "/oauth/v2/token":
            right = parse_qs(call.body)["refresh_token"] == [KEY]
            return good({"access_token": "1000.t0ken"} if right else {"error": "invalid_code"})
        if call.headers.get("authorization") != "Zoho-oauthtoken 1000.t0ken" or call.headers.get("orgid") != "603":
            return good({"errorCode": "INVALID_OAUTH"}, 401)
        data = json.loads(call.body) if call.body else {}
        if "/contacts" in call.path:
            return good({"id": "190"}) if call.method == "POST" else Said(204)
        if call.path == self.opens:
            assert data["contactId"] == "190"
            made = self.add(key=data["cf"]["cf_mention_key"], title=data["subject"], text=data["description"])
            made["state"] = "Open"
            return good(self.shown(made))
        if call.path.endswith("/search"):
            key = call.query.get("customField1", "").removeprefix("cf_mention_key:")
            found, at = self.keyed(key) if key else self.tickets, int(call.query["from"]) - 1
            page = [self.shown(one) for one in found[at : at + int(call.query["limit"])]]
            return good({"data": page, "count": len(found)}) if page else Said(204)
        ticket = self.ticket(call.path.split("/")[4])
        if call.path.endswith("/comments"):
            ticket["notes"] += [data["content"]] if call.method == "POST" else []
            return good({"data": [{"id": n, "content": text} for n, text in enumerate(ticket["notes"])]})
        if call.path.endswith("/conversations"):
            told = {
                "id": "9",
                "direction": "out",
                "visibility": "public",
                "summary": ANSWERED,
                "author": {"name": "Оля"},
            }
            return good({"data": [told]}) if ticket.get("answered") else Said(204)
        ticket["state"] = data.get("status", ticket["state"])
        return good(self.shown(ticket))

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {"id": str(one["id"]), "cf": {"cf_mention_key": one["key"]}, "status": one["state"],
                "statusType": one["state"], "webUrl": f"https://z.example/{one['id']}",
                "modifiedTime": "2026-03-01T12:00:00.000Z"}  # fmt: skip


class PatchDesk(Strange):
    """As Azure DevOps: JSON patches with a type of their own, a query language that gives bare ids, dotted names."""

    CONFIG = """
        basic: {user: robot, password: "${P}"}
        query: {api-version: "7.1"}
        format: html
        create:
          path: /mentions/_apis/wit/workitems/$Issue
          content_type: application/json-patch+json
          body:
            - {op: add, path: /fields/System.Title, value: "{subject}"}
            - {op: add, path: /fields/System.Description, value: "{body}<br>{marker}"}
            - {op: add, path: /fields/Custom.MentionKey, value: "{key}"}
            - {op: add, path: /fields/System.Tags, value: "{tags}"}
            - {$when: "{due_at}", op: add, path: /fields/Custom.Due, value: "{due_at}"}
          link: json:_links.html.href
          check: {'fields["System.Title"]': "{subject}"}
        find:
          method: POST
          path: /mentions/_apis/wit/wiql
          body: {query: "SELECT [System.Id] FROM workitems WHERE [Custom.MentionKey] = '{key}'"}
          items: json:workItems
          each: {path: "/_apis/wit/workitems/{item}"}
          match: {'fields["Custom.MentionKey"]': "{key}"}
        comment:
          path: /mentions/_apis/wit/workItems/{remote_id}/comments
          body: {text: "{comment}<br>{marker}"}
          seen: {path: "/mentions/_apis/wit/workItems/{remote_id}/comments", items: json:comments, says: json:text,
                 pages: {by: cursor, param: continuationToken, next: json:continuationToken}}
        update:
          method: PATCH
          path: /_apis/wit/workitems/{remote_id}
          content_type: application/json-patch+json
          body:
            - {$when: "{status}", op: add, path: /fields/System.State, value: "{status}"}
            - {$when: "{priority}", op: add, path: /fields/Microsoft.VSTS.Common.Priority, value: "{priority}"}
        read: {path: "/_apis/wit/workitems/{remote_id}", status: 'json:fields["System.State"]',
               statuses: {To Do: open, Doing: open, Done: solved}}
        priorities: {urgent: 1, high: 2, normal: 3, low: 4}
        statuses: {open: Doing, solved: Done}
        changes:
          method: POST
          path: /mentions/_apis/wit/wiql?timePrecision=true
          body: {query: "SELECT [System.Id] FROM workitems WHERE [System.ChangedDate] >= '{since}'"}
          items: json:workItems
          each: {path: "/_apis/wit/workitems/{item}"}
          status: 'json:fields["System.State"]'
          at: 'json:fields["System.ChangedDate"]'
          replies:
            path: /mentions/_apis/wit/workItems/{remote_id}/comments
            items: json:comments
            says: json:text
            author: json:createdBy.displayName
            pages: {by: cursor, param: continuationToken, next: json:continuationToken}
    """
    opens = "/mentions/_apis/wit/workitems/$Issue"

    def handle(self, call: Call) -> Said:
        robot = "Basic " + base64.b64encode(f"robot:{KEY}".encode()).decode()
        if call.headers.get("authorization") != robot or call.query.get("api-version") != "7.1":
            return good({"message": "TF400813: not authorized"}, 401)
        data = json.loads(call.body) if call.body else {}
        if call.path == self.opens:
            assert call.headers["content-type"] == "application/json-patch+json"
            given = {step["path"].rpartition("/")[2]: step["value"] for step in data}
            assert "Custom.Due" not in given
            made = self.add(key=given["Custom.MentionKey"], title=given["System.Title"], state="To Do")
            return good(self.shown(made | {"text": given["System.Description"]}, made))
        if call.path.endswith("/wiql"):
            keys = re.findall(r"MentionKey\\] = '(.*)'|MentionKey] = '(.*)'", data["query"])
            found = self.keyed("".join(keys[0])) if keys else self.tickets
            return good({"queryType": "flat", "workItems": [{"id": one["id"], "url": "x"} for one in found]})
        ticket = self.ticket(re.findall(r"/work[iI]tems/(\d+)", call.path)[0])
        if call.path.endswith("/comments"):
            ticket["notes"] += [data["text"]] if call.method == "POST" else []
            told = [*ticket["notes"], *([ANSWERED] if ticket.get("answered") else [])]
            return good({"comments": [{"id": n, "text": text} for n, text in enumerate(told)]})
        for step in data if call.method == "PATCH" else []:
            ticket["state"] = step["value"] if "State" in step["path"] else ticket["state"]
        return good(self.shown(ticket, ticket))

    def shown(self, one: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
        kept.update(one)
        fields = {"System.Title": one["title"], "System.State": one["state"], "Custom.MentionKey": one["key"]}
        return {"id": one["id"], "fields": {**fields, "System.ChangedDate": "2026-03-01T12:00:00.123Z"},
                "_links": {"html": {"href": f"https://az.example/{one['id']}"}}}  # fmt: skip


class PlainDesk(Strange):
    """As osTicket: the answer is the ticket's number as plain text that calls itself HTML; nothing can be asked."""

    CONFIG: ClassVar[str] = """
        headers: {X-API-Key: "${KEY}"}
        create:
          path: /api/tickets.json
          body: {name: "{author}", email: "{author_email}", subject: "{subject}", message: "data:text/plain,{body}",
                 source: API}
          id: 'text:^\\s*(\\d+)\\s*$'
          meaning: {"400 *valid api key*": permanent}
    """
    opens = "/api/tickets.json"

    def handle(self, call: Call) -> Said:
        if call.headers.get("x-api-key") != KEY:
            return Said(401, "Valid API key required", "text/html; charset=UTF-8")
        data = json.loads(call.body)
        made = self.add(title=data["subject"], text=data["message"].removeprefix("data:text/plain,"))
        return Said(201, f"{made['id']}", "text/html; charset=UTF-8")


LISTED: tuple[type[Strange], ...] = (IssueDesk, LaterDesk, OrgDesk, PatchDesk)
