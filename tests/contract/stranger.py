"""More shapes of `strange.py`: those that speak HTTP in ways of their own (errors in a 200, RPC)."""

from __future__ import annotations

import json
from typing import Any

from odd import Call, Said
from strange import ANSWERED, KEY, Strange, good


class SoapyDesk(Strange):
    """As Znuny's GenericInterface: sessions in bodies, every error a 200, searches that give bare ids or nothing."""

    CONFIG = """
        login:
          path: /otrs/Session
          body: {UserLogin: robot, Password: "${P}"}
          session: json:SessionID
        meaning: {"200 json:Error.ErrorCode=*.AuthFail": login, "200 json:Error.ErrorCode=*.AccessDenied": permanent,
                  "200 json:Error": failed}
        create:
          path: /otrs/Ticket
          body:
            SessionID: "{session}"
            Ticket: {Title: "{subject}", Queue: Mentions, State: new, Priority: "{priority}",
                     CustomerUser: "{author_email}"}
            Article: {Subject: "{subject}", Body: "{body}\\n\\n{marker}", ContentType: text/plain; charset=utf8}
            DynamicField: [{Name: MentionKey, Value: "{key}"}]
          id: json:TicketID
          link: "{url}/otrs/index.pl?Action=AgentTicketZoom;TicketID={remote_id}"
        find:
          method: POST
          path: /otrs/TicketSearch
          body: {SessionID: "{session}", DynamicField_MentionKey: {Equals: "{key}"}, Limit: 50}
          items: json:TicketID
          each: {method: POST, path: /otrs/TicketGet, value: json:Ticket.0,
                 body: {SessionID: "{session}", TicketID: "{item}", DynamicFields: 1}}
          match: {"DynamicField[Name=MentionKey].Value": "{key}"}
        comment:
          path: /otrs/TicketUpdate
          body: {SessionID: "{session}", TicketID: "{remote_id}",
                 Article: {Subject: Note, Body: "{comment}\\n\\n{marker}"}}
          seen: {method: POST, path: /otrs/TicketGet, items: json:Ticket.0.Article, says: json:Body,
                 body: {SessionID: "{session}", TicketID: "{remote_id}", AllArticles: 1}}
        update:
          method: POST
          path: /otrs/TicketUpdate
          body: {SessionID: "{session}", TicketID: "{remote_id}", Ticket: {State: "{status}", Priority: "{priority}"}}
        read: {method: POST, path: /otrs/TicketGet, body: {SessionID: "{session}", TicketID: "{remote_id}"},
               status: json:Ticket.0.State, statuses: {new: open, open: open, closed successful: solved}}
        priorities: {urgent: 5 very high, high: 4 high, normal: 3 normal, low: 2 low}
        statuses: {open: open, solved: closed successful}
        changes:
          method: POST
          path: /otrs/TicketSearch
          since: "%Y-%m-%d %H:%M:%S"
          body: {SessionID: "{session}", TicketLastChangeTimeNewerDate: "{since}"}
          items: json:TicketID
          each: {method: POST, path: /otrs/TicketGet, body: {SessionID: "{session}", TicketID: "{item}"},
                 value: json:Ticket.0}
          status: json:State
          at: json:Changed
          replies:
            method: POST
            path: /otrs/TicketGet
            body: {SessionID: "{session}", TicketID: "{remote_id}", AllArticles: 1}
            items: json:Ticket.0.Article
            id: json:ArticleID
            says: json:Body
            only: {SenderType: agent, IsVisibleForCustomer: 1}
            author: json:From
    """
    opens = "/otrs/Ticket"
    sessions = 0

    def handle(self, call: Call) -> Said:
        data = json.loads(call.body)
        if call.path == "/otrs/Session":
            if data["Password"] != KEY:
                return self.error("SessionCreate.AuthFail")
            self.sessions += 1
            return good({"SessionID": f"sess-{self.sessions}"})
        if data.get("SessionID") != f"sess-{self.sessions}":
            return self.error("Ticket.AuthFail")
        if call.path == self.opens:
            return self.created(data)
        if call.path == "/otrs/TicketSearch":
            wanted = data.get("DynamicField_MentionKey")
            found = self.keyed(wanted["Equals"]) if wanted else self.tickets
            return good({"TicketID": [str(one["id"]) for one in found]} if found else {})
        ticket = self.ticket(data["TicketID"])
        if call.path == "/otrs/TicketUpdate":
            ticket["notes"] += [data["Article"]["Body"]] if "Article" in data else []
            state = data.get("Ticket", {}).get("State", ticket["state"])
            if state not in ("new", "open", "closed successful"):
                return self.error("TicketUpdate.InvalidParameter")
            ticket["state"] = state
            return good({"TicketID": data["TicketID"]})
        return good({"Ticket": [self.shown(ticket, "AllArticles" in data)]})

    def created(self, data: dict[str, Any]) -> Said:
        if data["Ticket"]["Queue"] != "Mentions":
            return self.error("TicketCreate.InvalidParameter")
        [field] = data["DynamicField"]
        made = self.add(key=field["Value"], title=data["Ticket"]["Title"], text=data["Article"]["Body"])
        made["state"] = "new"
        return good({"TicketID": str(made["id"]), "TicketNumber": "2026030100001"})

    def shown(self, one: dict[str, Any], articles: bool) -> dict[str, Any]:
        told: dict[str, Any] = {"TicketID": str(one["id"]), "State": one["state"], "Changed": "2026-03-01 12:00:00"}
        told["DynamicField"] = [{"Name": "Other", "Value": ""}, {"Name": "MentionKey", "Value": one["key"]}]
        if articles:
            said = [{"ArticleID": n, "Body": text, "SenderType": "agent", "IsVisibleForCustomer": "0"}
                    for n, text in enumerate(one["notes"])]  # fmt: skip
            answer = {
                "ArticleID": 99,
                "Body": ANSWERED,
                "SenderType": "agent",
                "IsVisibleForCustomer": "1",
                "From": "Оля",
            }
            told["Article"] = [*said, *([answer] if one.get("answered") else [])]
        return told

    @staticmethod
    def error(code: str) -> Said:
        return good({"Error": {"ErrorCode": code, "ErrorMessage": f"{code}: no"}})


class RpcDesk(Strange):
    """As Odoo: JSON-RPC, one path for everything, positions for arguments, an `error` in a 200."""

    CONFIG = """
        secrets: {password: "${P}"}
        meaning: {"200 json:error.data.name=*AccessDenied": permanent, "200 json:error": failed}
        format: html
        create:
          path: /jsonrpc
          body:
            jsonrpc: "2.0"
            method: call
            params: {service: object, method: execute_kw, args: [
                base, 2, "{secret_password}", helpdesk.ticket, create,
                [{name: "{subject}", description: "{body}\\n\\n{marker}", x_key: "{key}", priority: "{priority}"}]]}
          id: json:result
          link: "{url}/web#id={remote_id}&model=helpdesk.ticket"
        find:
          method: POST
          path: /jsonrpc
          body: {jsonrpc: "2.0", method: call, params: {service: object, method: execute_kw, args:
                 [base, 2, "{secret_password}", helpdesk.ticket, search_read, [[[x_key, "=", "{key}"]]],
                  {fields: [x_key]}]}}
          items: json:result
          match: {x_key: "{key}"}
        comment:
          path: /jsonrpc
          body: {jsonrpc: "2.0", method: call, params: {service: object, method: execute_kw, args:
                 [base, 2, "{secret_password}", helpdesk.ticket, message_post, ["{remote_number}"],
                  {body: "{comment}<br>{marker}"}]}}
          seen:
            method: POST
            path: /jsonrpc
            body: {jsonrpc: "2.0", method: call, params: {service: object, method: execute_kw, args:
                   [base, 2, "{secret_password}", mail.message, search_read, [[[res_id, "=", "{remote_number}"]]], {}]}}
            items: json:result
            says: json:body
        update:
          method: POST
          path: /jsonrpc
          body: {jsonrpc: "2.0", method: call, params: {service: object, method: execute_kw, args:
                 [base, 2, "{secret_password}", helpdesk.ticket, write,
                  [["{remote_number}"], {stage_id: "{status}", priority: "{priority}"}]]}}
        read:
          method: POST
          path: /jsonrpc
          body: {jsonrpc: "2.0", method: call, params: {service: object, method: execute_kw, args:
                 [base, 2, "{secret_password}", helpdesk.ticket, read, [["{remote_number}"]]]}}
          status: json:result.0.stage_id.0
          statuses: {1: open, 2: open, 4: solved}
        priorities: {urgent: "3", high: "2", normal: "1", low: "0"}
        statuses: {open: 2, solved: 4}
        changes:
          method: POST
          path: /jsonrpc
          since: "%Y-%m-%d %H:%M:%S"
          body: {jsonrpc: "2.0", method: call, params: {service: object, method: execute_kw, args:
                 [base, 2, "{secret_password}", helpdesk.ticket, search_read, [[[write_date, ">=", "{since}"]]]]}}
          items: json:result
          at: json:write_date
          status: json:stage_id.0
          replies:
            method: POST
            path: /jsonrpc
            body: {jsonrpc: "2.0", method: call, params: {service: object, method: execute_kw, args:
                   [base, 2, "{secret_password}", mail.message, search_read, [[[res_id, "=", "{remote_number}"]]], {}]}}
            items: json:result
            says: json:body
            only: {message_type: comment}
    """
    opens = "/jsonrpc"

    def is_create(self, call: Call) -> bool:
        return '"create"' in call.body

    def handle(self, call: Call) -> Said:
        _, _, password, model, method, told, *more = json.loads(call.body)["params"]["args"]
        if password != KEY:
            name = "odoo.exceptions.AccessDenied"
            return good({"jsonrpc": "2.0", "error": {"code": 200, "data": {"name": name, "message": password}}})
        if method == "create":
            [given] = told
            made = self.add(key=given["x_key"], title=given["name"], text=given["description"].rstrip(), state=1)
            return good({"jsonrpc": "2.0", "id": None, "result": made["id"]})
        if model == "mail.message":
            return good({"result": self.messages(self.ticket(told[0][0][2]))})
        if method == "search_read":
            field, _, wanted = told[0][0]
            return good(
                {"result": [self.shown(one) for one in (self.keyed(wanted) if field == "x_key" else self.tickets)]}
            )
        ticket = self.ticket(told[0][0] if isinstance(told[0], list) else told[0])
        if method == "message_post":
            ticket["notes"].append(more[0]["body"])
        elif method == "write":
            ticket |= {"state": told[1].get("stage_id", ticket["state"])}
        return good({"result": [self.shown(ticket)] if method == "read" else True})

    def messages(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        said = [{"id": n, "body": text, "message_type": "comment"} for n, text in enumerate(one["notes"])]
        answer = {"id": 99, "body": f"<p>{ANSWERED}</p>", "message_type": "comment"}
        return [*said, *([answer] if one.get("answered") else [])]

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        stage = {1: "New", 2: "In Progress", 4: "Solved"}[one["state"]]
        return {
            "id": one["id"],
            "x_key": one["key"],
            "stage_id": [one["state"], stage],
            "write_date": "2026-03-01 12:00:00",
        }


class GraphDesk(Strange):
    """As Linear: GraphQL; errors in a 200, also beside an empty list; the status is a date that may be null."""

    CONFIG = """
        headers: {Authorization: "${TOKEN}"}
        format: markdown
        meaning: {"200 json:errors.0.extensions.type=authentication error": permanent}
        create:
          path: /graphql
          graphql: "mutation($i: IssueCreateInput!) { issueCreate(input: $i) { success issue { id url title } } }"
          variables: {i: {teamId: T1, title: "{subject}", description: "{body}\\n\\n{marker}", priority: "{priority}"}}
          id: json:data.issueCreate.issue.id
          link: json:data.issueCreate.issue.url
          check: {data.issueCreate.issue.title: "{subject}"}
        find:
          method: POST
          path: /graphql
          graphql: "query($m: String!) { issues(filter: {description: {contains: $m}}) { nodes { id url description }}}"
          variables: {m: "{marker}"}
          items: json:data.issues.nodes
          contains: {description: "{marker}"}
          link: json:url
        comment:
          path: /graphql
          graphql: "mutation($id: String!, $b: String!) { commentCreate(input: {issueId: $id, body: $b}) { success } }"
          variables: {id: "{remote_id}", b: "{comment}\\n\\n{marker}"}
          seen:
            method: POST
            path: /graphql
            graphql: "query($id: String!) { issue(id: $id) { comments { nodes { id body } } } }"
            variables: {id: "{remote_id}"}
            items: json:data.issue.comments.nodes
        update:
          method: POST
          path: /graphql
          graphql: "mutation($id: String!, $i: IssueUpdateInput!) { issueUpdate(id: $id, input: $i) { success } }"
          variables: {id: "{remote_id}", i: {stateId: "{status}", priority: "{priority}"}}
          meaning: {"200 json:data.issueUpdate.success=false": failed}
        read:
          method: POST
          path: /graphql
          graphql: "query($id: String!) { issue(id: $id) { completedAt } }"
          variables: {id: "{remote_id}"}
          status: json:data.issue.completedAt
          statuses: {null: open, "*": solved}
        changes:
          method: POST
          path: /graphql
          graphql: |
            query($s: DateTime!) { issues(filter: {updatedAt: {gte: $s}}) { nodes { id completedAt updatedAt }}}
          variables: {s: "{since}"}
          items: json:data.issues.nodes
          status: json:completedAt
          at: json:updatedAt
          replies:
            method: POST
            path: /graphql
            graphql: "query($id: String!) { issue(id: $id) { comments { nodes { id body } } } }"
            variables: {id: "{remote_id}"}
            items: json:data.issue.comments.nodes
        priorities: {urgent: 1, high: 2, normal: 3, low: 4}
        statuses: {open: todo, solved: done}
    """
    opens = "/graphql"

    def is_create(self, call: Call) -> bool:
        return "issueCreate" in call.body

    def handle(self, call: Call) -> Said:
        data = json.loads(call.body)
        query, given = data["query"], data["variables"]
        assert query.count("{") == query.count("}"), query
        if call.headers.get("authorization") != KEY:
            error = {"message": "Authentication required", "extensions": {"type": "authentication error"}}
            return good({"data": None, "errors": [error]})
        if "issueCreate" in query:
            made = self.add(title=given["i"]["title"], text=given["i"]["description"])
            made |= {"id": f"9cfb-{made['id']}", "key": made["text"].rpartition("mention-crawler:")[2], "done": None}
            return good({"data": {"issueCreate": {"success": True, "issue": self.shown(made)}}})
        if "issues(" in query:
            found = [one for one in self.tickets if "m" not in given or given["m"] in one["text"]]
            return good({"data": {"issues": {"nodes": [self.shown(one) for one in found]}}})
        ticket = self.ticket(given["id"])
        if "commentCreate" in query:
            ticket["notes"].append(given["b"])
        elif "issueUpdate" in query:
            state = given["i"].get("stateId")
            ticket["done"] = {"done": "2026-03-01T12:00:00Z", "todo": None, None: ticket["done"]}[state]
            return good({"data": {"issueUpdate": {"success": True}}})
        told = [*ticket["notes"], *([ANSWERED] if ticket.get("answered") else [])]
        nodes = [{"id": str(n), "body": text} for n, text in enumerate(told)]
        return good({"data": {"issue": {**self.shown(ticket), "comments": {"nodes": nodes}}}, "errors": None})

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        told = {"id": one["id"], "url": f"https://l.example/{one['id']}", "title": one["title"]}
        at = "2026-03-01T12:00:00Z"
        return {**told, "description": one["text"], "completedAt": one["done"], "updatedAt": at}


ODDER: tuple[type[Strange], ...] = (SoapyDesk, RpcDesk, GraphDesk)
