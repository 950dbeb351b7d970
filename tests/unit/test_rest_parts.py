"""The parts of the `rest` language: placeholders, paths, meanings, limits; mistakes name what was meant."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from crawler.errors import Transient
from crawler.model import Priority, Ticket, TicketStatus
from crawler.net.guard import EgressPolicy
from crawler.net.http import HttpAnswer, HttpClient
from crawler.plugins import check_preset, discover
from sinks.base import Sink, Tools
from sinks.http import is_html
from sinks.rest import Rest, _same
from sinks.rest_changes import _has_no_zone, moment_of, own_words
from sinks.rest_fill import ABSENT, fill, fill_path, fill_text, in_json_text, in_xml
from sinks.rest_meaning import like, meaning_of, wait_of
from sinks.rest_pick import in_answer, in_json, items_in, near
from sinks.rest_session import joined
from sinks.rest_values import carries, marker, of_ticket, our_word, their_words

CODED = "a%2F..%2Fb%3F%23%26%3D%25%D1%8F"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TICKET = Ticket(
    "mc-1", "Subject\r\nX: y", "Line {{one}}\n@all <b>", Priority.HIGH, "Ladna Pay",
    tags=("Ladna Pay", "negative"), url="javascript:alert(1)", author='Olena" <x@y.example>', opened_at=NOW,
)  # fmt: skip


def values(format: str = "text", **priorities: Any) -> Any:
    return of_ticket(TICKET, "https://h.example", format, priorities or {"high": 2}, "mentions.invalid")


class Vault:
    """Refuses what stands in the file, and knows every secret."""

    def env(self, name: str) -> str:
        return "x" * 9

    file = env


def answer(body: object, status: int = 200, **headers: str) -> HttpAnswer:
    raw = body if isinstance(body, str) else json.dumps(body)
    return HttpAnswer(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, raw.encode(), "http://x"
    )


def test_a_placeholder_alone_keeps_its_type_and_nothing_is_left_out() -> None:
    body = {"p": "{priority}", "text": "P{priority}", "t": "{tags}", "all": ["x", "{tags}"], "u": "{url}", "k{key}": 1,
            "n": {"u": "{url}"}, "null": None, "plain": "{{x}}", "list": ["{url}"]}  # fmt: skip
    assert fill(body, values()) == {
        "p": 2, "text": "P2", "t": ["Ladna Pay", "negative"], "all": ["x", "Ladna Pay", "negative"], "kmc-1": 1,
        "null": None, "plain": "{x}", "list": [],
    }  # fmt: skip
    assert fill("{url}", values()) is ABSENT


def test_no_value_is_read_as_a_template() -> None:
    hostile = Ticket("{subject}", "{key}", "{key} {marker}", Priority.LOW, "{body}")
    filled = fill({"a": "{subject}", "b": "{body}", "c": "{brand}"}, of_ticket(hostile, "", "text", {}, "x.invalid"))
    assert filled == {"a": "{key}", "b": "{key} {marker}", "c": "{body}"}


@pytest.mark.parametrize(
    ("template", "key", "made"),
    [
        ("/t/{key}/x?e={key}&f=1", "a/../b?#&=%я", f"/t/{CODED}/x?e={CODED}&f=1"),
        ("/t/{key}/x", "..", "/t/%2E%2E/x"),
        ("/t/{{{key}}}", "k", "/t/{k}"),
    ],
)  # fmt: skip
def test_paths_are_percent_encoded(template: str, key: str, made: str) -> None:
    ticket = Ticket(key, "s", "b", Priority.LOW, "B")
    assert fill_path(template, of_ticket(ticket, "", "text", {}, "x.invalid")) == made


def test_other_edges_are_escaped_too() -> None:
    assert fill_text('<a b="{author}">{brand}</a>', values(), in_xml) == '<a b="Olena x@y.example">Ladna Pay</a>'
    assert in_xml("<&'\x00\x0b\ufffe>") == "&lt;&amp;&apos;&gt;"
    assert json.loads('"' + in_json_text('a"b\\c\nd\ud800') + '"') == 'a"b\\c\nd?'


@pytest.mark.parametrize(
    ("format", "bad"),
    [
        ("text", ["{{", "@all"]),
        ("markdown", ["{{", "@all", "<b>"]),
        ("html", ["{{", "@all", "<b>"]),
        ("wiki", ["{{", "@all", " {"]),
    ],
)
def test_strangers_text_does_not_act(format: str, bad: list[str]) -> None:
    filled = fill({"b": "{body}\n\n{marker}", "s": "{subject}"}, values(format))
    assert filled["b"].endswith("mention-crawler:mc-1")
    assert [word for word in bad if word in filled["b"]] == []
    assert filled["s"] == "Subject X: y"


def test_the_requester_is_safe() -> None:
    filled = fill({"name": "{author}", "mail": "{author_email}"}, values())
    assert filled["name"] == "Olena x@y.example"
    name, _, domain = filled["mail"].partition("@")
    assert (len(name), domain) == (len("author-") + 16, "mentions.invalid")


def test_limits_cut_the_long_text_and_keep_what_follows() -> None:
    ticket = Ticket("mc-1", "s" * 200, "&" * 400, Priority.LOW, "B")
    for format in ("text", "html", "markdown"):
        made = of_ticket(ticket, "", format, {}, "x.invalid")
        filled = fill({"t": {"d": "{body}\n{marker}", "s": "{subject}"}}, made, {"t.d": 100, "s": 10})
        assert len(filled["t"]["d"]) <= 100
        assert filled["t"]["d"].endswith("mention-crawler:mc-1")
        assert filled["t"]["s"] == "sssssssss…"


def test_only_the_last_marker_counts() -> None:
    mine = marker("mc-1")
    assert carries(f"text\n{mine}", mine)
    assert carries(f"<p>text</p><p>{mine}</p>", mine)
    assert carries(f"text {mine}\n-- \nSent by a helpdesk", mine)
    assert not carries(f"{mine} quoted\nmention-crawler:mc-12", mine)
    assert not carries("mention-crawler:mc-12", mine)
    assert not carries(None, mine)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", 1), ("$.a.b", 1), ("list[1].id", 8), ("list.1.id", 8), ("list.*.id", [7, 8]),
        ("list[id=8].name", ["x"]),
        ("list[*].id", [7, 8]), ("fields[name=Key Two].values.*", ["v"]), ("nothing.at.all", None), ("a.b.c", None),
        ("list.9.id", None), ("", {"a": {"b": 1}}),
    ],
)  # fmt: skip
def test_json_paths(path: str, found: object) -> None:
    data = {
        "a": {"b": 1},
        "list": [{"id": 7}, {"id": 8, "name": "x"}],
        "fields": [{"name": "Key Two", "values": ["v"]}],
    }
    assert in_json({"a": {"b": 1}} if path == "" else data, path) == found


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("json:id", 5), ("id", 5), ("header:Location", "77 a"), (r"header:Location /t/(\d+)", "77"),
        ("header:X-No", None),
        (r"text:\"id\": (\d+)", "5"), ("text:no(x)", None), (r"text:\d", "5"),
    ],
)  # fmt: skip
def test_where_an_id_may_stand(spec: str, found: object) -> None:
    assert in_answer(answer({"id": 5}, location="https://x.example/t/77%20a/?q=1"), spec) == found


def test_lists_of_every_shape() -> None:
    assert items_in(answer([1, 2]), None) == [1, 2]
    assert items_in(answer({"id": 1}), None) == [{"id": 1}]
    assert items_in(answer({}), None) == []
    assert items_in(answer(""), "json:items") == []
    assert items_in(answer({"items": {"7": {"id": 7}, "8": {"id": 8}}}), "json:items") == [{"id": 7}, {"id": 8}]
    assert items_in(answer({"items": None}), "json:items") == []
    assert items_in(answer({"error": "x"}), "json:items") is None
    assert items_in(answer({}), "json:items") == items_in(answer([]), "json:items") == []
    assert items_in(answer({"_embedded": {}, "page": 1}), "json:_embedded.items") == []
    assert items_in(answer({"data": None, "errors": []}), "json:data.items") is None
    assert items_in(answer({"data": {"a": 1}}), "json:data.items") is None
    assert items_in(answer({"pages": []}), "json:pages.*.items") == []
    assert items_in(answer("a|1\nb|2"), r"text:(?m)^\w\|\d$") == ["a|1", "b|2"]


def test_the_more_special_meaning_wins() -> None:
    rules: Any = {"5xx": "in_doubt", "500": "transient", "500 *Email*": "permanent", "404": "missing"}
    assert meaning_of(answer("bad email", 500), rules) == "permanent"
    assert meaning_of(answer("oops", 500), rules) == "transient"
    assert meaning_of(answer("oops", 502), rules) == "in_doubt"
    assert meaning_of(answer("oops", 200), rules) is None
    assert meaning_of(answer("x", 404), {"404": "permanent"}, rules) == "permanent"
    assert like("abc", "a*c") and like("abc", "*") and not like("abc", "b*") and not like("ab", "ab*b")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        (str(int(NOW.timestamp()) + 90), 90),
        ("soon", None),
        ("nan", None),
    ],
)
def test_waits(value: str, seconds: float | None) -> None:
    assert wait_of(answer("", 429, x_wait=value), ("X-Other", "X-Wait"), NOW) == seconds


BLOCK = {"url": "https://x.example", "create": {"path": "/t", "body": {"k": "{key}"}}}


@pytest.mark.parametrize(
    ("rule", "body", "holds"),
    [
        ("200 json:errors", {"errors": [{"m": 1}]}, True),
        ("200 json:errors", {"errors": []}, False),
        ("2xx json:error", {"error": None}, False),
        ("200 json:error", "not json", False),
        ("200 no json:result", {"result": False}, True),
        ("200 no json:result", {"result": 7}, False),
        ("200 json:success=false", {"success": False}, True),
        ("200 json:Error.Code=*.AuthFail", {"Error": {"Code": "TicketGet.AuthFail"}}, True),
        ("200 json:Error.Code=*.AuthFail", {"Error": {"Code": "TicketGet.AuthFailed"}}, False),
        ("200 json:m[type=error].text=no*", {"m": [{"type": "info"}, {"type": "error", "text": "Nope"}]}, True),
        ("200 header:X-Left=0", {}, True),
        ("500 json:a", {"a": 1}, False),
    ],
)  # fmt: skip
def test_what_an_answer_holds_decides(rule: str, body: object, holds: bool) -> None:
    rules: Any = {rule: "failed"}
    assert meaning_of(answer(body, 200, x_left="0"), rules) == ("failed" if holds else None)


def test_paths_with_dots_and_parts_of_a_text() -> None:
    data = {"@odata.next": "u", "self": "https://x/t/12?a=1", "all": [{"u": "/t/1"}, {"u": "/x"}, {"u": "/t/3"}]}
    assert in_json(data, '["@odata.next"]') == "u"
    assert in_json(data, 'nothing | ["@odata.next"] | self') == "u"
    assert in_json(data, "nothing | none") is None
    for body in ({"payload": [1]}, {"data": {"payload": [1]}}):
        assert items_in(answer(body), "json:payload | data.payload") == [1]
    assert items_in(answer({"data": {}}), "json:payload | data.payload") == []
    assert items_in(answer({"error": "x"}), "json:payload | data.payload") is None
    assert in_json(data, r"self =~ /t/(\d+)") == "12"
    assert in_json(data, r"none =~ (\d+)") is None
    assert in_json(data, r"all.*.u =~ /t/(\d+)") == ["1", None, "3"]
    assert near(answer({"data": {"ticket": {"id": 1}}}), "json:id") == " (there is one at json:data.ticket.id)"
    assert near(answer({"data": 1}), "json:id") == near(answer("x"), "json:id") == ""


def test_mappings_with_a_condition_and_json_within_json() -> None:
    patch = [
        {"$when": "{priority}", "op": "add", "v": "{priority}"},
        {"$when": "{due_at}", "op": "add", "v": "{due_at}"},
    ]
    assert fill(patch, values()) == [{"op": "add", "v": 2}]
    assert fill({"data": {"$json": {"t": "{brand}", "u": "{url}"}}}, values()) == {"data": '{"t": "Ladna Pay"}'}
    assert fill({"data": {"$when": "{url}", "$json": {"a": 1}}}, values()) == {}


@pytest.mark.parametrize(
    ("word", "status"),
    [(True, "open"), ("TRUE", "open"), (False, "solved"), (None, None), ([], None), ({}, None), ("other", None)],
)
def test_statuses_that_are_true_or_false(word: object, status: str | None) -> None:
    statuses = {"True": TicketStatus.OPEN, "False": TicketStatus.SOLVED}
    assert our_word(word, statuses) == status
    assert their_words(statuses) == {"open": True, "solved": False}


@pytest.mark.parametrize(
    ("word", "status"), [(None, "open"), ("", "open"), ("2026-01-01", "solved"), (3, "solved"), ({"a": 1}, None)]
)
def test_statuses_that_are_something_or_nothing(word: object, status: str | None) -> None:
    statuses = {"None": TicketStatus.OPEN, "*": TicketStatus.SOLVED}
    assert our_word(word, statuses) == status
    assert their_words(statuses) == {}


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"create": {"path": "/t", "body": {"a": ["{subjct}"]}}}, r"no placeholder \{subjct\} here; did you mean"),
        ({"create": {"path": "/t", "body": "{key.__class__}", "form": {}}}, "takes one of body"),
        ({"create": {"path": "t"}}, "must begin with one /"),
        ({"create": {"path": "//evil.example/t"}}, "must begin with one /"),
        ({"create": {"path": "/a b"}}, "must not hold spaces"),
        ({"create": {"path": "/t", "id": "text:(a"}}, "no regular expression of RE2"),
        ({"create": {"path": "/t", "id": "json:a["}}, "is no path"),
        ({"create": {"path": "/t", "id": "header:"}}, "takes the name of a header"),
        ({"create": {"path": "/t"}, "find": {"path": "/f"}}, r"create sends neither \{key\} nor \{marker\}"),
        ({"find": {"path": "/f?x={comment}"}}, r"there is no placeholder \{comment\} here"),
        ({"find": {"path": "/f", "pages": {"order": "oldest"}}}, "needs `by: page` or `by: offset`, and `total`"),
        ({"find": {"path": "/f", "match": {"queue": 3}}}, r"one of them holds \{key\} or \{marker\}"),
        ({"priorities": {"urgent": 1, "low": 4}}, "no word for normal, high"),
        ({"meaning": {"abc": "ok"}}, "is no answer"),
        ({"meaning": {"422": "whatever"}}, "Input should be 'ok', 'warn', 'failed', 'permanent'"),
        ({"preconditions": "etag"}, "add read"),
        ({"creat": {}}, "Extra inputs"),
        ({"create": {"path": "/t", "body": {"k": "{key}", "t": "${TOKEN}"}}}, "name the secret in `secrets`"),
        ({"create": {"path": "/t", "form": {"k": "{secret_key}"}}}, "`secrets` has no 'key'"),
        ({"headers": {"Authorization": "Token abc"}}, "a secret must not stand in the file"),
        ({"find": {"path": "/f", "contains": {"text": "{marker}"}}}, r"text can never hold \{marker\}: create"),
        ({"create": {"path": "/t", "body": "{marker}"}, "find": {"path": "/f", "match": {"ref": "{key}"}}},
         r"ref can never hold \{key\}: create does not send it; send \{key\} there, or look for \{marker\}"),
        ({"create": {"path": "/t", "body": {"k": "{key}", "c": "{contact}"}}}, r"no placeholder \{contact\} here"),
        ({"create": {"path": "/t", "before": {"path": "/c/{contact}"}}}, r"before.0.path: there is no placeholder"),
        ({"create": {"path": "/t", "before": {"path": "/c", "take": {"key": "id"}}}}, "has a meaning of its own"),
        ({"create": {"path": "/t", "before": {"path": "/c", "unless": "who"}}}, "nothing before it takes 'who'"),
        ({"create": {"path": "/t", "body": {"k": "{key}", "s": "{session}"}}}, "is what `login` gives"),
        ({"login": {"path": "/l"}}, "a session that nothing carries"),
        ({"sign": {"secret": "file:x", "sends": {"X": "{signatur}"}}}, r"did you mean \{signature\}"),
        ({"create": {"path": "/t", "variables": {"k": "{key}"}}}, "variables are those of `graphql`"),
        ({"create": {"path": "/t", "graphql": 'mutation { a(t: "{subject}", k: "x") {url} }'}},
         r"declare a variable, and put \{subject\} in `variables`"),
        ({"find": {"path": "/f", "items": "json:a =~ b"}}, "items takes a path only"),
        ({"changes": {"path": "/f", "zone": "Kyiv/Europe"}}, "write one like Europe/Kyiv"),
        ({"meaning": {"200 json:a[": "failed"}}, "is no path"),
    ],
)  # fmt: skip
def test_mistakes_in_a_block_are_explained(block: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Rest.Settings.model_validate({**BLOCK, **block}, context={"vault": Vault()})


@pytest.mark.parametrize("kind", [k for k, c in discover("sinks", Sink).items() if "preset" in vars(c)])  # type: ignore[type-abstract]
def test_every_preset_fits_its_base_and_says_what_was_proved(kind: str) -> None:
    cls: Any = discover("sinks", Sink)[kind]  # type: ignore[type-abstract]
    check_preset(cls)
    assert cls.preset.content.proved in ("real server", "API description")


class Sessions(BaseHTTPRequestHandler):
    """Opens sessions that end after two calls."""

    opened: int
    left: int
    seen: list[tuple[str, str | None]]

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        cls = type(self)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        cls.seen.append((self.path, self.headers.get("X-Session")))
        if self.path == "/login":
            cls.opened, cls.left = cls.opened + 1, 2
            self.say(200, {"token": f"session-{cls.opened}"})
        elif cls.left and self.headers.get("X-Session") == f"session-{cls.opened}":
            cls.left -= 1
            self.say(201, {"id": 1})
        else:
            self.say(401, {"error": f"no session {self.headers.get('X-Session')}"})

    def say(self, status: int, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def sessions() -> Iterator[str]:
    Sessions.opened, Sessions.left, Sessions.seen = 0, 0, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sessions)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_session_is_opened_once_and_again_when_it_ran_out(sessions: str) -> None:
    login = {"path": "/login", "body": {"user": "robot"}, "session": "json:token", "sends": {"X-Session": "{session}"}}
    settings = Rest.Settings.model_validate({**BLOCK, "url": sessions, "login": login})
    with HttpClient(EgressPolicy((ipaddress.ip_network("127.0.0.0/8"),))) as http:
        sink = Rest("desk", settings, Tools(http))
        assert [sink.create(TICKET).id for _ in range(5)] == ["1"] * 5
    assert [path for path, _ in Sessions.seen].count("/login") == 3
    assert sink.mask("session-2 was refused") == "*** was refused"


def test_a_session_that_another_thread_opened_is_not_thrown_away(sessions: str) -> None:
    login = {"path": "/login", "body": {"user": "robot"}, "session": "json:token", "sends": {"X-Session": "{session}"}}
    settings = Rest.Settings.model_validate({**BLOCK, "url": sessions, "login": login})
    with HttpClient(EgressPolicy((ipaddress.ip_network("127.0.0.0/8"),))) as http:
        sink = Rest("desk", settings, Tools(http))
        sink.create(TICKET)
        Sessions.left, ask, others = 0, http.request, [TICKET]

        def beside(method: str, url: str, **options: Any) -> HttpAnswer:
            said = ask(method, url, **options)
            if said.status == 401 and others:
                sink.create(others.pop())
            return said

        http.request = beside  # type: ignore[method-assign]
        sink.create(TICKET)
    assert [path for path, _ in Sessions.seen].count("/login") == 2


def test_another_server_may_give_the_session_and_gets_nothing_but_the_login(sessions: str) -> None:
    login = {"path": "/login", "form": {"a": "b"}, "session": "json:token", "sends": {"X-Session": "{session}"}}
    block = {
        **BLOCK,
        "url": sessions + "/api/",
        "login": {**login, "url": sessions},
        "query": {"q": "1"},
        "headers": {"X-Session": "own"},
    }
    with HttpClient(EgressPolicy((ipaddress.ip_network("127.0.0.0/8"),))) as http:
        assert Rest("desk", Rest.Settings.model_validate(block), Tools(http)).create(TICKET).id == "1"
    assert Sessions.seen[0] == ("/login", None)
    assert Sessions.seen[1] == ("/api/t?q=1", "session-1")


def test_a_login_that_fails_leaves_no_doubt(sessions: str) -> None:
    login = {"path": "/login", "session": "json:token", "sends": {"X-Session": "{session}"}}
    settings = Rest.Settings.model_validate({**BLOCK, "url": sessions, "login": login})
    with HttpClient(EgressPolicy((ipaddress.ip_network("127.0.0.0/8"),))) as http:
        sink = Rest("desk", settings, Tools(http))
        http.request = lambda *_, **__: answer("busy", 502)  # type: ignore[method-assign]
        with pytest.raises(Transient) as caught:
            sink.create(TICKET)
    assert type(caught.value) is Transient


def test_what_is_quoted_is_not_said() -> None:
    ours = "mention-crawler:mc-1"
    assert ours in own_words(f"Text\n\n{ours}")
    assert ours in own_words(f"<blockquote>a</blockquote><p>b</p>{ours}")
    assert ours not in own_words(f"We paid it back.\n\n> Hello\n> {ours}\n")
    assert own_words(f"<p>Paid</p><BLOCKQUOTE a=1>x<blockquote>y</blockquote>{ours}</BLOCKQUOTE>").startswith("<p>Paid")
    assert ours not in own_words(f"<p>Paid</p><BLOCKQUOTE a=1>x<blockquote>y</blockquote>{ours}</BLOCKQUOTE>")


def test_what_counts_as_arrived() -> None:
    assert _same(3, "3") and _same(["b", "a"], ["a", "b"]) and _same("a  b", "a b") and _same("abcdef", "abc…")
    assert not (_same("abc", None) or _same("abcdef", "abc") or _same("", "abc") or _same(["a"], []))


def test_json_that_calls_itself_html_is_json_and_headers_are_joined() -> None:
    assert not is_html(answer({"id": 1}, content_type="text/html; charset=utf-8"))
    assert is_html(answer("Please log in", content_type="text/html"))
    assert is_html(answer("\n<!DOCTYPE html>", content_type="application/json"))
    assert joined({"Accept": "a", "X": "1"}, {"accept": "b"}) == {"accept": "b", "X": "1"}


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T14:00:00+02:00", NOW),
        ("2026-03-01 12:00:00", NOW),
        (int(NOW.timestamp()), NOW),
        (int(NOW.timestamp()) * 1000, NOW),
        ("yesterday", None),
        (None, None),
        ("9" * 30, None),
    ],
)
def test_moments_as_helpdesks_write_them(said: object, at: datetime | None) -> None:
    assert moment_of(said) == at
    zoned = not isinstance(said, str) or "T" in said or said == "yesterday" or said.isdigit()
    assert _has_no_zone(said) is not zoned


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 14:00:00 +0200", None),
        ("/Date(1772366400000)/", None),
        ("/Date(1772366400000+0200)/", None),
        ("2026-03-01 12:00:00 UTC", None),
        ("2026-03-01 14:00:00 +0200", None),
        ("2026-03-01.12:00:00", None),
        ("2026-03-01T12:00:00.0000000Z", None),
        ("2026-03-01 14:00:00", "Europe/Kyiv"),
        ("2026-03-01T12:00:00Z", "Europe/Kyiv"),
    ],
)
def test_moments_of_older_servers_and_of_a_zone(said: str, zone: str | None) -> None:
    assert moment_of(said, zone) == NOW


def test_the_blocks_of_the_page_are_good() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "rest.md").read_text(encoding="utf-8")
    found = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(found) > 5
    for text in found[1:]:
        block = YAML(typ="safe", pure=True).load(text)
        sends = {"create": {"path": "/t", "body": {"text": "{body} {marker}"}}}
        Rest.Settings.model_validate({"url": "https://x.example", **sends, **block}, context={"vault": Vault()})
