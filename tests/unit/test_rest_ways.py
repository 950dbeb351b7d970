"""Later words of the `rest` language: conditions with paths, XML read as XML, days to search, nested logins, waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from crawler.net.http import HttpAnswer
from crawler.plugins import public
from sinks.base import secrets_of
from sinks.rest import Rest
from sinks.rest_changes import window_of
from sinks.rest_meaning import wait_of
from sinks.rest_pick import in_answer, in_item, in_json, items_in, plain_xml
from sinks.rest_session import kind_of, plain_tree

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CREATE = {"path": "/t", "body": {"k": "{key}"}}


class Vault:
    def env(self, name: str) -> str:
        return "s3cret-of-the-desk"

    file = env


def settings(**block: Any) -> Any:
    given = {"url": "https://h.example", "create": CREATE, **block}
    return Rest.Settings.model_validate(given, context={"vault": Vault()})


def xml(text: str, kind: str = "text/xml") -> HttpAnswer:
    return HttpAnswer(200, {"content-type": kind}, text.encode(), "https://h.example")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("steps[to.name=Done].id", [2]),
        ("steps[to-name=Open].id", [1]),
        ("steps[a.b=x].id", [1]),
        ("steps[to.name.more=Done].id", []),
        ("steps[@type=s].id", [2]),
    ],
)
def test_the_name_of_a_condition_may_be_a_path(path: str, found: object) -> None:
    data = {"steps": [{"id": 1, "to-name": "Open", "a.b": "x"}, {"id": 2, "to": {"name": "Done"}, "@type": "s"}, 7]}
    assert in_json(data, path) == found


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("a &amp; b &lt;c&gt; &#1110;", "a & b <c> і"),
        ("<![CDATA[x &amp; <y>]]> &amp; z", "x &amp; <y> & z"),
        ("&amp;amp;", "&amp;"),
        ("<![CDATA[no end &amp;", "<![CDATA[no end &amp;"),
        ("<![CDATA[" * 50_000, "<![CDATA[" * 50_000),
    ],
)
def test_xml_is_read_as_the_text_it_stands_for(said: str, text: str) -> None:
    assert plain_xml(said) == text


def test_only_xml_is_read_as_xml() -> None:
    said = "<t><s>new &amp; open</s></t>"
    assert in_answer(xml(said), "text:<s>(.*?)</s>") == "new & open"
    assert in_answer(xml(f'<?xml version="1.0"?>{said}', "text/plain"), "text:<s>(.*?)</s>") == "new & open"
    assert in_answer(xml(said, "text/plain"), "text:<s>(.*?)</s>") == "new &amp; open"
    [item] = items_in(xml(said), "text:<t>.*?</t>") or []
    assert in_item(item, "text:<s>(.*?)</s>") == "new & open"


@pytest.mark.parametrize(
    ("block", "since", "until"),
    [
        ({"since": "%d.%m.%Y", "window": "14d"}, "15.02.2026", "02.03.2026"),
        ({"since": "unix", "window": 1}, 1772280000, 1772452800),
        ({"since": "%Y-%m-%d %H", "zone": "Europe/Kyiv", "window": "1 day"}, "2026-02-28 14", "2026-03-02 14"),
    ],
)
def test_days_that_are_searched(block: dict[str, Any], since: object, until: object) -> None:
    find = settings(find={"path": "/l?a={since}&b={until}", "match": {"k": "{key}"}, **block}).find
    assert window_of(find, NOW - timedelta(days=find.window), NOW) == (since, until)


def test_a_nested_login_is_sent_whole_and_shown_nowhere() -> None:
    body = {"data": {"attributes": {"name": "robot", "key": "${DESK}", "days": 3, "scopes": ["a", "${DESK}"]}}}
    login = {"path": "/l", "body": body, "sends": {"X-S": "{session}"}}
    told = settings(login=login)
    sent = plain_tree(told.login.body)["data"]["attributes"]
    assert sent == {"name": "robot", "key": "s3cret-of-the-desk", "days": 3, "scopes": ["a", "s3cret-of-the-desk"]}
    assert public(told)["login"]["body"] == body
    assert "s3cret" not in repr(told)
    assert "s3cret-of-the-desk" in secrets_of(told)
    assert settings(**public(told)) == told
    with pytest.raises(ValidationError, match="a secret must not stand in the file"):
        settings(login={**login, "body": {"data": [{"key": "Bearer abc"}]}})


@pytest.mark.parametrize(
    ("names", "seconds"),
    [
        (("header:RateLimit t=(\\d+)",), 51),
        (("json:error.retry_in",), 7),
        (("X-None", "X-Reset"), 90),
        (("X-At",), 30),
        (("text:again in (\\d+) s",), 12),
        (("json:error",), None),
        (("X-Word",), None),
    ],
)
def test_when_to_come_back(names: tuple[str, ...], seconds: float | None) -> None:
    headers = {"ratelimit": '"hour";r=0;t=51', "x-reset": str(int(NOW.timestamp()) + 90), "x-word": "soon",
               "x-at": "2026-03-01T12:00:30Z"}  # fmt: skip
    answer = HttpAnswer(429, headers, b'{"error": {"retry_in": 7, "say": "again in 12 s"}}', "https://h.example")
    assert wait_of(answer, names, NOW) == seconds


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"create": {"path": "/t", "body": {"t": "{subject}"}, "once": True}}, "neither {key} nor {marker}"),
        ({"create": {**CREATE, "existing": "json:id"}}, "add meaning"),
        ({"create": {**CREATE, "job": {"path": "/j/{jop}"}}}, "job.path: there is no placeholder {jop}"),
        ({"retry_after": ["json:a["]}, "is no path"),
        ({"retry_after": ["X_Y"]}, "takes the name of a header"),
        ({"find": {"path": "/l", "window": "2 weeks"}}, "valid integer"),
    ],
)
def test_mistakes_are_explained(block: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**block)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "headers", "sent"),
    [
        ("application/json", {"content-TYPE": "application/vnd.api+json"}, "application/vnd.api+json"),
        ("application/x-www-form-urlencoded", {"Content-Type": "application/vnd.api+json"}, None),
        ("application/json", {"Content-Type": "text/plain"}, None),
        ("application/json", {}, None),
    ],
)
def test_the_type_of_json_is_told_once_for_all_calls(kind: str, headers: dict[str, str], sent: str | None) -> None:
    assert kind_of(kind, headers) == (sent or kind)
