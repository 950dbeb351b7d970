"""The config file: what it comes to, and for every mistake the place, the words and the corrected line."""
# ruff: noqa: E501  (one line a mistake)

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from crawler.config import (
    AlertsBlock,
    Config,
    Duration,
    RuleBlock,
    Seconds,
    SinkBlock,
    SourceBlock,
    UrgentIf,
    find,
    frame_table,
    load,
    schema,
    settings_of,
    settings_table,
    starter,
)
from crawler.config.cron import cron_of
from crawler.engine.clock import Schedule as ClockSchedule
from crawler.engine.clock import next_run
from crawler.errors import ConfigError, NotFound, Permanent, Problem
from crawler.model import Entity, EntityKind, Priority
from crawler.plugins import Secret, SecretText, Settings, public

FULL = """\
timezone: Europe/Kyiv
database: {url: sqlite:///data/mentions.db}
network: {allow_private: [127.0.0.1, 10.0.0.0/8], contact: https://example.com/bot}
sentiment: {model: builtin}
keep: {posts: 24 months, unmatched_stream: 24h}
brands:
  - name: Nova Pay
    also: [НоваПей, "@novapay", "=НОВА", НоваПей]
    legal: ["ТОВ «Нова Пей»", "EDRPOU 12345678"]
    people: [Іван Кравченко]
    about: [оплата, картка]
    not_about: ["nova pay phone"]
    own: ["@novapay_official", novapay.example]
    query: '(nova AND pay) NOT phone'
    labels: {region: Київ}
sources:
  - name: bank-forum
    kind: page
    url: https://forum.example/banks/
    every: 10m..6h
    between: 07:00-23:00
    labels: {topic: banks}
    item: article.message
    fields: {text: .content, author: .author}
  - name: news
    kind: page
    was: old-news
    url: https://news.example/
    cron: 0 7-23 * * *
    verify: false
    item: article
tickets:
  when: [negative, question]
  sure_at_least: 70%
  urgent_if: {words: [суд, court], followers_over: 10000}
  send_to: [desk, helpdesk]
sinks:
  - {name: helpdesk, kind: help, url: https://help.example, token: "${HELPDESK_TOKEN}"}
alerts: {send_to: [helpdesk, ops@example.com]}
"""


def _web(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"must begin with http:// or https://, not {value!r}")
    return value


class Fields(Settings):
    """Nested settings."""

    text: str | None = Field(None, description="Text | of the post", examples=[".content"])
    author: str | None = Field(None, description="Author", examples=[".author"])


class Page(Settings):
    """Settings of a source kind."""

    url: Annotated[str, AfterValidator(_web)] = Field(description="Address", examples=["https://forum.example/"])
    item: str = Field(description="One post", examples=["article"])
    pages: int = Field(10, ge=1, le=100, description="Pages a run")
    order: Literal["newest", "oldest"] = Field("newest", description="Which comes first")
    timeout: Duration = Field(timedelta(seconds=10), description="Patience", examples=["10s"])
    fields: Fields = Field(default_factory=lambda: Fields.model_validate({}), description="Parts")
    match: dict[str, str] = Field(default_factory=dict, description="Free pairs")
    body: dict[str, Any] | str | None = Field(None, description="Anything")


class Help(Settings):
    """Settings of a sink kind."""

    url: str = Field(description="Address", examples=["https://help.example"])
    token: Secret = Field(description="API token", examples=["${HELPDESK_TOKEN}"])
    headers: dict[str, SecretText] = Field(default_factory=dict, description="Headers")
    timeout: Seconds = Field(10.0, description="Patience", examples=["10s"])


class Desk(Settings):
    """No settings."""


KINDS: dict[str, type[Settings]] = {"page": Page, "help": Help, "desk": Desk}


@pytest.fixture
def at(tmp_path: Path) -> Path:
    return tmp_path / "mention-crawler.yaml"


def loaded(at: Path, text: str, env: dict[str, str] | None = None) -> Config:
    at.write_text(text, encoding="utf-8")
    return load(at, env or {})


def mistakes(at: Path, text: str, env: dict[str, str] | None = None) -> list[Problem]:
    """The problems of the frame, or else those of the blocks' own settings."""
    try:
        config = loaded(at, text, env)
    except ConfigError as error:
        return error.problems
    found: list[Problem] = []
    for block in (*config.sources, *config.sinks):
        try:
            settings_of(block, KINDS[block.kind], config)
        except ConfigError as error:
            found += error.problems
    return found


# --- what a good file comes to ---


def test_a_full_file(at: Path) -> None:
    config = loaded(at, FULL, {"HELPDESK_TOKEN": "s3cret"})
    assert config.path == at and config.text == FULL
    assert config.digest == hashlib.sha256(FULL.encode()).hexdigest()
    assert config.timezone == "Europe/Kyiv"
    assert config.data_dir == at.parent / "data"
    assert config.database_url == f"sqlite:///{at.parent / 'data' / 'mentions.db'}"
    assert config.allow_private == (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"))
    assert config.user_agent == "mention-crawler/0.1 (+https://example.com/bot)"
    assert (config.keep.posts, config.keep.unmatched_stream) == (720 * 86400, 86400)
    assert config.alerts == AlertsBlock(("helpdesk", "ops@example.com"))
    assert "s3cret" not in repr(config)


def test_brands(at: Path) -> None:
    (brand,) = loaded(at, FULL).brands
    assert brand.entities == (
        Entity(EntityKind.BRAND, "Nova Pay"),
        Entity(EntityKind.BRAND, "НоваПей"),
        Entity(EntityKind.BRAND, "@novapay"),
        Entity(EntityKind.BRAND, "=НОВА"),
        Entity(EntityKind.LEGAL, "ТОВ «Нова Пей»"),
        Entity(EntityKind.LEGAL, "EDRPOU 12345678"),
        Entity(EntityKind.PERSON, "Іван Кравченко"),
    )
    assert brand.about == ("оплата", "картка") and brand.not_about == ("nova pay phone",)
    assert brand.own == ("@novapay_official", "novapay.example")
    assert brand.query == "(nova AND pay) NOT phone" and brand.labels == {"region": "Київ"}


def test_sources(at: Path) -> None:
    forum, news = loaded(at, FULL).sources
    assert forum.raw == {
        "url": "https://forum.example/banks/",
        "item": "article.message",
        "fields": {"text": ".content", "author": ".author"},
    }
    assert forum.schedule.as_dict() == {
        "every_min": 600.0,
        "every_max": 21600.0,
        "cron": None,
        "between": "07:00-23:00",
        "timezone": None,
    }
    assert forum.schedule.between == (clock(7), clock(23)) and forum.labels == {"topic": "banks"} and forum.verify
    assert (news.schedule.cron, news.schedule.every_min, news.was, news.verify) == (
        "0 7-23 * * *",
        None,
        "old-news",
        False,
    )
    assert (forum.place.get("kind"), forum.place.get("absent", (7, 7))) == ((18, 5), (7, 7))
    assert forum.place.at("fields", "author") == (24, 38)


def test_the_short_form_is_one_rule_and_the_desk_is_built_in(at: Path) -> None:
    config = loaded(at, FULL)
    (rule,) = config.rules
    assert (rule.name, rule.when, rule.sure_at_least) == ("tickets", ("negative", "question"), 0.7)
    assert (rule.urgent_if, rule.send_to) == (UrgentIf(("суд", "court"), 10000), ("desk", "helpdesk"))
    assert [(sink.name, sink.kind) for sink in config.sinks] == [("helpdesk", "help"), ("desk", "desk")]


def test_an_empty_file_is_a_good_one(at: Path) -> None:
    for text in ("", "# nothing yet\n", "brands:\nsources:\ntickets:\n"):
        config = loaded(at, text)
        assert config.rules == (RuleBlock("tickets", version=config.rules[0].version),)
        assert [sink.name for sink in config.sinks] == ["desk"]
        assert (config.brands, config.sources, config.timezone) == ((), (), "UTC")


def test_the_long_form_of_rules(at: Path) -> None:
    text = """\
brands: [{name: Nova}]
sources: [{name: forum, kind: page}]
rules:
  - {name: court, when: negative, brand: Nova, source: [forum], lang: uk, entity: person, label: {region: [Київ, Львів]}, priority: high}
  - {name: rest, sure_at_least: 0.5, send_to: h}
sinks: [{name: h, kind: help}]
"""
    court, rest = loaded(at, text).rules
    assert court == RuleBlock(
        name="court",
        when=("negative",),
        priority=Priority.HIGH,
        brand=("Nova",),
        source=("forum",),
        lang=("uk",),
        entity=("person",),
        label={"region": ("Київ", "Львів")},
        version=court.version,
    )
    assert (rest.sure_at_least, rest.send_to) == (0.5, ("h",))
    assert court.version != rest.version


def test_scalars_where_text_is_expected_are_the_text_as_written(at: Path) -> None:
    text = """\
brands:
  - name: 0755
    also: [2026-11-14, true, 1.10, 1_000, no, 10:30, 0x1F, 12345]
    labels: {1: 2, on: off}
sources:
  - {name: 5, kind: page, url: https://a.example/, item: article, match: {a: 12, b: 0012, c: true, d: 2026-11-14}, body: {n: 5, f: 1.5, t: true}}
"""
    config = loaded(at, text)
    names = [entity.text for entity in config.brands[0].entities]
    assert names == ["0755", "2026-11-14", "true", "1.10", "1_000", "no", "10:30", "0x1F", "12345"]
    assert config.brands[0].labels == {"1": "2", "on": "off"}
    page = settings_of(config.sources[0], Page, config)
    assert page.match == {"a": "12", "b": "0012", "c": "true", "d": "2026-11-14"}
    assert page.body == {"n": 5, "f": 1.5, "t": True}


def test_a_row_gives_the_same_settings_as_the_file(at: Path) -> None:
    config = loaded(at, FULL)
    block = config.sources[0]
    row = SourceBlock(name=block.name, kind=block.kind, raw=json.loads(json.dumps(dict(block.raw))))
    assert settings_of(row, Page, config) == settings_of(block, Page, config)


def test_keys_without_a_value_take_their_defaults(at: Path) -> None:
    text = "keep: {posts: }\nnetwork:\nbrands:\n  - {name: A, also: , labels: , query: }\n"
    config = loaded(at, text + "sources:\n  - {name: a, kind: page, every: , cron: , between: , was: }\n")
    assert config.keep.posts == 720 * 86400 and config.brands[0].labels == {}
    assert config.sources[0].schedule.every_min == 600 and config.sources[0].schedule.between is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(st.sampled_from("0123456789*/,-mon"), min_size=1, max_size=6), min_size=4, max_size=6))
def test_the_clock_reads_every_cron_that_the_config_lets_in(words: list[str]) -> None:
    expression = " ".join(words)
    try:
        accepted = cron_of(expression)
    except PydanticCustomError:
        accepted = None
    try:
        next_run(ClockSchedule(cron=expression), datetime(2026, 1, 1, tzinfo=UTC), "UTC", "seed")
    except Permanent:
        assert accepted is None, expression
    else:
        assert accepted == expression


def test_aliases_and_merge_keys(at: Path) -> None:
    text = """\
sources:
  - &forum {name: a, kind: page, url: https://a.example/, item: article, pages: 3}
  - {<<: *forum, name: b, url: https://b.example/}
"""
    config = loaded(at, text)
    first, second = (settings_of(block, Page, config) for block in config.sources)
    assert (first.url, second.url, second.pages) == ("https://a.example/", "https://b.example/", 3)


def test_a_byte_order_mark_and_windows_line_ends(at: Path) -> None:
    at.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    assert load(at, {}).brands[0].name == "Nova Pay"


# --- what does not change, and what does ---


def version(at: Path, brand: str) -> str:
    return loaded(at, f"brands:\n  - {brand}\n").brands[0].version


def test_the_version_of_a_brand_is_of_what_decides_matching(at: Path) -> None:
    one = version(at, "{name: Nova, also: [A, B], about: [x, y], labels: {a: b}, own: ['@n']}")
    same = version(at, "{about: [y, x], labels: {c: d}, also: [B, A], name: Nova}  # comment")
    assert one == same
    changed = ["{name: Nova, also: [A], about: [x, y]}", "{name: Nova, also: [A, B], about: [x]}"]
    changed += ["{name: Nova, also: [A, B], about: [x, y], not_about: [z]}"]
    changed += [
        "{name: Nova, also: [A], legal: [B], about: [x, y]}",
        "{name: Nova, also: [A, B], about: [x, y], query: q}",
    ]
    versions = {version(at, text) for text in changed}
    assert len(versions) == len(changed) and one not in versions


def test_the_version_of_a_rule_is_of_what_it_says(at: Path) -> None:
    def rule(text: str) -> str:
        return loaded(at, f"tickets: {text}\n").rules[0].version

    assert rule("{when: [negative], sure_at_least: 0.7}") == rule("{sure_at_least: 70%, when: negative}")
    assert rule("{when: [negative]}") != rule("{when: [question]}")


# --- the environment ---


def test_the_environment_overrides_the_file(at: Path) -> None:
    env = {
        "MENTION_CRAWLER__DATABASE__URL": "postgresql://u:literal@db/x",
        "MENTION_CRAWLER__NETWORK__ALLOW_PRIVATE": "[127.0.0.1, 10.1.0.0/16]",
        "MENTION_CRAWLER__TICKETS__SURE_AT_LEAST": "90%",
        "MENTION_CRAWLER__WEB__PORT": "9000",
        "MENTION_CRAWLER__SOURCES__0__EVERY": "5m",
        "MENTION_CRAWLER_CONFIG": "elsewhere",
        "PATH": "/bin",
    }
    config = loaded(at, FULL, env)
    assert config.database_url == "postgresql://u:literal@db/x"
    assert config.allow_private == (ip_network("127.0.0.1/32"), ip_network("10.1.0.0/16"))
    assert (config.rules[0].sure_at_least, config.web_port) == (0.9, 9000)
    assert (config.sources[0].schedule.every_min, config.sources[0].schedule.every_max) == (300, 300)
    assert "literal" not in repr(config)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MENTION_CRAWLER__DATABSE__URL", "x", "unknown key 'databse'; did you mean 'database'?"),
        ("MENTION_CRAWLER__WEB__PORT", "many", "web.port: a whole number is needed here, not 'many'"),
        ("MENTION_CRAWLER__SOURCES__9__EVERY", "5m", "there is nothing at sources.9.every to override"),
        ("MENTION_CRAWLER__TIMEZONE__X", "5m", "there is nothing at timezone.x to override"),
        ("MENTION_CRAWLER__NETWORK__ALLOW_PRIVATE", "[127.0.0.1", "the '[' that opens here is not closed by ']'"),
    ],
)
def test_a_wrong_override_names_its_variable(at: Path, name: str, value: str, said: str) -> None:
    (problem,) = mistakes(at, FULL, {name: value, "HELPDESK_TOKEN": "x"})
    assert problem.file == name
    assert problem.message.startswith(said)


def test_secrets_come_from_the_environment_and_from_files(at: Path) -> None:
    (at.parent / "token.txt").write_text("from a file\n")
    text = """\
sinks:
  - {name: one, kind: help, url: https://h.example, token: "${TOKEN}", headers: {Authorization: "Token ${TOKEN}"}}
  - {name: two, kind: help, url: https://h.example, token: "file:token.txt"}
"""
    config = loaded(at, text, {"TOKEN": "from the environment"})
    one, two = (settings_of(block, Help, config) for block in config.sinks[:2])
    assert one.token.get_secret_value() == "from the environment"
    assert one.headers["Authorization"].get_secret_value() == "Token from the environment"
    assert two.token.get_secret_value() == "from a file"
    assert public(one)["token"] == "${TOKEN}" and public(two)["token"] == "file:token.txt"
    assert "from " not in repr(one) + repr(config) + json.dumps([dict(block.raw) for block in config.sinks])


def test_settings_can_be_read_without_their_secrets(at: Path) -> None:
    config = loaded(at, FULL)
    with pytest.raises(ConfigError, match="HELPDESK_TOKEN is not set"):
        settings_of(config.sinks[0], Help, config)
    assert public(settings_of(config.sinks[0], Help, config, resolve=False))["token"] == "${HELPDESK_TOKEN}"


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("sqlite:///x.db", "sqlite:///{here}/x.db"),
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("postgresql://db/x", "postgresql://db/x"),
        ("postgresql+psycopg://u@db:5432/x?sslmode=require", "postgresql+psycopg://u@db:5432/x?sslmode=require"),
        ("'postgresql://u:${PW}@db/x'", "postgresql://u:p%40ss%2F@db/x"),
        ("'${WHOLE}'", None),
    ],
)
def test_database_urls(at: Path, written: str, url: str | None) -> None:
    text = f"database: {{url: {written}}}\n"
    if url is None:
        assert mistakes(at, text)
    else:
        assert loaded(at, text, {"PW": "p@ss/"}).database_url == url.format(here=at.parent)


def test_the_database_lies_in_data_dir(at: Path) -> None:
    assert loaded(at, "data_dir: /srv/mentions\n").database_url == "sqlite:////srv/mentions/mentions.db"


# --- finding the file ---


def test_finding_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {
        name: tmp_path / name / "mention-crawler.yaml" for name in ("named", "env", "here", "xdg/mention-crawler")
    }
    for path in places.values():
        path.parent.mkdir(parents=True)
        path.write_text("")
    monkeypatch.chdir(tmp_path / "here")
    env = {
        "MENTION_CRAWLER_CONFIG": str(places["env"]),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
        "HOME": str(tmp_path),
    }
    assert find(str(places["named"]), env) == places["named"]
    assert find(str(tmp_path / "named"), env) == places["named"]
    assert find(None, env) == places["env"]
    del env["MENTION_CRAWLER_CONFIG"]
    assert find(None, env) == places["here"]
    places["here"].unlink()
    assert find(None, env) == places["xdg/mention-crawler"]
    places["xdg/mention-crawler"].unlink()
    with pytest.raises(NotFound, match=rf"looked for {tmp_path}/here/mention-crawler.yaml and {tmp_path}/xdg"):
        find(None, env)
    with pytest.raises(NotFound, match=r"--config names gone\.yaml"):
        find("gone.yaml", env)
    with pytest.raises(NotFound, match=r"MENTION_CRAWLER_CONFIG names gone\.yaml"):
        find(None, {"MENTION_CRAWLER_CONFIG": "gone.yaml"})
    with pytest.raises(NotFound, match="init"):
        load(tmp_path / "gone.yaml", {})


# --- mistakes: (text, line:column, part of the message, fix) ---

SOURCE = "sources:\n  - name: a\n    kind: page\n    url: https://x.example/\n    item: article\n"  # its next line is 6
SINK = "sinks:\n  - {name: h, kind: help, url: https://h.example, "
Q = '"'

SYNTAX = [
    ("brands:\n\t- name: x\n", "2:1", "a tab stands where YAML allows only spaces", "  - name: x"),
    ("brands: [a\nsources: []\n", "1:9", "the '[' that opens here is not closed by ']' before line 2", "brands: [a]"),
    ("brands: [{name: x}\n", "1:9", "is not closed by ']' before the end of the file", "brands: [{name: x}]"),
    ("keep: {posts: 1y\nweb: {port: 1}\n", "1:7", "the '{' that opens here is not closed", "keep: {posts: 1y}"),
    ("a: b: c\n", "1:5", "a second ': ' stands inside this value", 'a: "b: c"'),
    ("brands: [{name: @x}]\n", "1:17", "a value that begins with '@' must be in quotes", 'brands: [{name: "@x"}]'),
    ("brands:\n  - name: `x` y # c\n", "2:11", "begins with '`' must be in quotes", '- name: "`x` y" # c'),
    ("brands:\n  - name: 'x\n", "2:11", "this quote ' is never closed", "- name: 'x'"),
    (SOURCE + "    cron: * * * * *\n", "6:11", "begins with '*' must be in quotes", 'cron: "* * * * *"'),
    (SOURCE + "    cron: */5 * * * *\n", "6:11", "begins with '*' must be in quotes", 'cron: "*/5 * * * *"'),
    ("a: !secret x\n", "1:4", "begins with '!' must be in quotes", 'a: "!secret x"'),
    ("a: %x\n", "1:4", "begins with '%' must be in quotes", 'a: "%x"'),
    ("brands:\n - name: x\n  also: [y]\n", "3:3", "what it belongs to (line 2) begins in column 4", "   also: [y]"),
    (
        "tickets:\n  send_to: desk\n   when: [negative]\n",
        "3:8",
        "is indented deeper than the lines above",
        "  when: [negative]",
    ),
    ("timezone:UTC\nbrands: []\n", "1:10", "a space is missing behind the colon", "timezone: UTC"),
    ("timezone:UTC\n", "1:1", "a space is missing behind the colon", "timezone: UTC"),
    ("brands: []\ntimezone UTC\nkeep: {}\n", "2:1", "every line must read 'key: value'", "timezone: UTC"),
    ('name: "\\d"\n', "1:9", "a backslash means something else in double quotes", "name: '\\d'"),
    ("brands: - x\n", "1:9", "a list on the line of its key is written in brackets", "brands: [x]"),
    ("---\na: 1\n---\nb: 2\n", "3:1", "must hold one document", "remove the line ---"),
    ("a: \x07\n", "1:4", "a control character stands here", "remove it"),
    ("just text\n", "1:1", "the file must hold 'key: value' lines", "timezone: UTC"),
    ("- a\n- b\n", "1:1", "the file must hold 'key: value' lines", "timezone: UTC"),
    (
        "web: {port: 1}\nweb: {port: 2}\n",
        "2:1",
        "the key 'web' stands twice; it is already on line 1",
        "remove one of the two",
    ),
    ("? [a]\n: b\n", "1:3", "a key must be plain text", "key: value"),
    ("a: " + "[" * 60 + "]" * 60, "1:44", "this is more than 40 levels deep", "bring it in fewer levels"),
    ("{" * 3_000_000, "1:41", "this is more than 40 levels deep", "fewer levels"),
    ("a: [1,\n" + "[1, " * 60 + "]" * 61, "2:154", "this is more than 40 levels deep", "fewer levels"),
    ("a: &x [*x]\n", "1:4", "this is more than 40 levels deep", "fewer levels"),
]
FRAME = [
    ("brandz: []\n", "1:1", "unknown key 'brandz'; did you mean 'brands'?", "brands: []"),
    ("colour: red\n", "1:1", "unknown key 'colour'; known: alerts, brands, data_dir", "remove the line"),
    ("network: {allow-private: []}\n", "1:11", "unknown key 'allow-private' in network", "network: {allow_private: []}"),
    ("network: {allow_private: [10.0.0/8]}\n", "1:27", "'10.0.0/8' is no network", "network: {allow_private: [10.0.0.0/8]}"),
    ("timezone: Europe/Kiiv\n", "1:11", "is no time zone; did you mean Europe/Kyiv?", "timezone: Europe/Kyiv"),
    ("keep: {posts: 24 moons}\n", "1:15", "keep.posts: 'moons' is no unit of time", "keep: {posts: 24 months}"),
    ("keep: {posts: [1]}\n", "1:15", "a list is no duration", "10m"),
    ("web: {port: 99999}\n", "1:13", "web.port: must be at most 65535, not 99999", "web: {port: 65535}"),
    ("web: on\n", "1:6", "web: a mapping (key: value) is needed here, not 'on'", None),
    ("database: {url: postgres://u@h/d}\n", "1:17", "must begin with sqlite:/// or postgresql://", "postgresql://u@h/d"),
    ("database: {url: data.db}\n", "1:17", "must begin with sqlite:///", "database: {url: sqlite:///data.db}"),
    ("database: {url: sqlite://x.db}\n", "1:17", "follows three slashes", "database: {url: sqlite:///x.db}"),
    ("database: {url: 'sqlite:///:memory:'}\n", "1:17", "forgets everything", "sqlite:///data/mentions.db"),
    ("database: {url: 'postgresql://u:hunter2@h/d'}\n", "1:17", "a password must not stand in the file", "u:${PGPASSWORD}@h/d"),
    ("database: {url: 'postgresql://u:${NOPE}@h/d'}\n", "1:17", "variable NOPE is not set", "export NOPE=..."),
    ("brands: N\n", "1:9", "brands: a list is needed here", "brands: [{name: N}]"),
    ("brands:\n  - N\n", "2:5", "brand 1: a mapping (key: value) is needed here", "- name: ..."),
    ("brands:\n  - also: [x]\n", "2:5", "brand 1: 'name' is missing", "name: Nova Pay"),
    ("brands:\n  - {name: A}\n  - {name: A}\n", "3:12", "brand name 'A' is taken; it is already on line 2", "name: A-2"),
    ("brands:\n  - name: ''\n", "2:11", "a name is one line of 1 to 100 characters", "- name: name"),
    ("brands:\n  - {name: A, colour: [b]}\n", "2:15", "brand A: unknown key 'colour'; known: about", "remove the line"),
    ("brands:\n  - {name: A, aliases: [b]}\n", "2:15", "unknown key 'aliases'; did you mean 'also'?", "- {name: A, also: [b]}"),
    ("brands:\n  - {name: A, labels: [b]}\n", "2:23", "labels: a mapping (key: value) is needed here, not a list", "labels: {region: Київ}"),
    ("brands:\n  - {name: A, also: [[b]]}\n", "2:22", "also[1]: text is needed here, not a list", None),
    ("brands:\n  - {name: A, also: [~]}\n", "2:22", "also[1]: text is needed here, not nothing", None),
    ("sources: {a: {kind: page}}\n", "1:10", "sources: a list is needed here", "- name: ..."),
    ("sources:\n  - {name: a}\n", "2:5", "source a: 'kind' is missing", "kind: page"),
    (SOURCE + "  - {name: a, kind: page}\n", "6:12", "the source name 'a' is taken; it is already on line 2", "name: a-2"),
    (SOURCE + "    every: 600\n", "6:12", "source a: every: 600 lacks its unit; say 600s, 600m or 600h", "every: 600m"),
    (SOURCE + "    every: 6h..10m\n", "6:12", "runs backwards: 6h is longer than 10m", "every: 10m..6h"),
    (SOURCE + "    every: often\n", "6:12", "'often' is no duration; write it like 30s, 10m", "every: 10m"),
    (SOURCE + "    every: 0s\n", "6:12", "must be at least 1s", "every: 10m"),
    (SOURCE + "    cron: 0 25 * * *\n", "6:11", "cron: hour: '25' is not from 0 to 23", 'cron: "0 7-23 * * *"'),
    (SOURCE + "    cron: 0 7 * *\n", "6:11", "cron has five fields", 'cron: "0 7-23 * * *"'),
    (SOURCE + "    cron: 0 5-2 * * *\n", "6:11", "hour: the range '5-2' runs backwards", 'cron: "0 7-23 * * *"'),
    (SOURCE + "    cron: 0 7/0 * * *\n", "6:11", "the step in '7/0' must be a number above 0", 'cron: "0 7-23 * * *"'),
    (SOURCE + "    cron: 0 0 31 2,4 *\n", "6:11", "names a day that never comes", 'cron: "0 7-23 * * *"'),
    (SOURCE + "    cron: '@often'\n", "6:11", "'@often' is not known; known: @hourly", 'cron: "@daily"'),
    (SOURCE + "    between: 7-23\n", "6:14", "'7-23' is no time of day from-to", 'between: "07:00-23:00"'),
    (SOURCE + "    between: 07:00-25:00\n", "6:14", "hours go to 24, minutes to 59", 'between: "07:00-23:00"'),
    (SOURCE + "    every: 10m\n    cron: 0 * * * *\n", "7:5", "every and cron exclude each other", "remove one of the two"),
    (SOURCE + "    cron: 0 3 * * *\n    between: 07:00-09:00\n", "7:14", "'0 3 * * *' never comes within between", "widen between"),
    (SOURCE + "    verify: maybe\n", "6:13", "verify: true or false is needed here, not 'maybe'", "verify: true"),
    (SOURCE + "    was: a\n", "6:10", "was: 'a' is still a source of its own", "remove was"),
    ("tickets: {when: [negativ]}\n", "1:18", "'negativ' is neither a tone nor an intent", "tickets: {when: [negative]}"),
    ("tickets: {sure_at_least: 70}\n", "1:26", "a share lies between 0 and 1 (0% and 100%), not 70", "tickets: {sure_at_least: 70%}"),
    ("tickets:\n  sure_at_least: 0,7\n", "2:18", "'0,7' is no share; write it like 0.7 or 70%", "sure_at_least: 0.7"),
    ("tickets: {send_to: [desc]}\n", "1:21", "send_to names no sink: 'desc'; did you mean 'desk'?", "tickets: {send_to: [desk]}"),
    ("tickets: {priority: hi}\n", "1:21", "'hi' is not one of low, normal, high, urgent", "tickets: {priority: high}"),
    ("tickets: {urgent_if: {followers_over: -1}}\n", "1:39", "must be at least 0, not -1", "followers_over: 0"),
    ("tickets: {urgent_if: {follower_over: 1}}\n", "1:23", "unknown key 'follower_over' in tickets.urgent_if", "followers_over: 1"),
    ("tickets: {}\nrules: []\n", "1:1", "tickets is the short form of rules", "move it into rules"),
    ("rules:\n  - {name: r, source: [zzz]}\n", "2:24", "source names no source: 'zzz'; known: none", "remove it from source"),
    ("brands: [{name: Nova}]\nrules:\n  - {name: r, brand: [Nowa]}\n", "3:23", "did you mean 'Nova'?", "- {name: r, brand: [Nova]}"),
    ("rules:\n  - {name: r, entity: [persn]}\n", "2:24", "'persn' is not one of brand, legal, person", "entity: [person]"),
    ("rules:\n  - {when: [question]}\n", "2:5", "rule 1: 'name' is missing", "name: complaints"),
    ("alerts: {send_to: [boss]}\n", "1:20", "'boss' is neither a sink nor a mail address; known: desk", "ops@example.com"),
    ("sinks:\n  - {kind: desk}\n", "2:5", "sink 1: 'name' is missing", "name: helpdesk"),
]  # fmt: skip
SETTINGS = [
    (SOURCE + "    evry: 10m\n", "6:5", "source a: unknown key 'evry'; did you mean 'every'?", "every: 10m"),
    (SOURCE + "    pags: 5\n", "6:5", "source a: unknown key 'pags'; did you mean 'pages'?", "pages: 5"),
    (SOURCE + "    'pags': 5\n", "6:5", "unknown key 'pags'; did you mean 'pages'?", "pages: 5"),
    (SOURCE + "    colour: 5\n", "6:5", "unknown key 'colour'; known: between, body, cron", "remove the line"),
    (SOURCE + "    pages: 0\n", "6:12", "source a: pages: must be at least 1, not 0", "pages: 1"),
    (SOURCE + "    pages: five\n", "6:12", "pages: a whole number is needed here, not 'five'", "pages: 10"),
    (SOURCE + "    pages: 2.5\n", "6:12", "pages: a whole number is needed here, not 2.5", "pages: 10"),
    (SOURCE + "    order: new\n", "6:12", "order: 'new' is not one of newest, oldest", "order: newest"),
    (SOURCE + "    timeout: 10 parsecs\n", "6:14", "timeout: 'parsecs' is no unit of time", "timeout: 10 seconds"),
    (SOURCE + "    fields: {txt: .a}\n", "6:14", "unknown key 'txt' in fields; did you mean 'text'?", "fields: {text: .a}"),
    (SOURCE + "    fields: .a\n", "6:13", "fields: a mapping (key: value) is needed here, not '.a'", None),
    (SOURCE + "    fields:\n      text: [a]\n", "7:13", "fields.text: text is needed here, not a list", "text: .content"),
    (SOURCE + "    body: [1]\n", "6:11", "body: a mapping (key: value) is needed here, not a list", None),
    (SOURCE.replace("https:", "ftp:"), "4:10", "url: must begin with http:// or https://", "url: https://forum.example/"),
    ("sources:\n  - {name: a, kind: page, item: i}\n", "2:5", "source a: 'url' is missing", "url: https://forum.example/"),
    ("sources:\n  - {name: a, kind: page, item: i, ulr: https://x.example/}\n", "2:36", "did you mean 'url'?", "url: https://x"),
    (SINK + "token: abc123}\n", "2:58", "token: a secret must not stand in the file", 'token: "${H_TOKEN}"'),
    (SINK + "token: 12345}\n", "2:58", "token: a secret must not stand in the file", 'token: "${H_TOKEN}"'),
    (SINK + "tokn: abc123}\n", "2:51", "unknown key 'tokn'; did you mean 'token'?", 'token: "${H_TOKEN}"'),
    (SINK + "token: '${HELP}'}\n", "2:58", "token: the environment variable HELP is not set", "export HELP=..."),
    (SINK + "token: '${EMPTY}'}\n", "2:58", "token: the environment variable EMPTY is empty", "export EMPTY=..."),
    (SINK + "token: 'file:nope'}\n", "2:58", "cannot be read: No such file", "file:/path/to/it"),
    (SINK[:-2] + "}\n", "2:5", "sink h: 'token' is missing", 'token: "${H_TOKEN}"'),
    (SINK + "token: '${T}', headers: {Authorization: Bearer abc}}\n", "2:91", "headers.Authorization: a secret must not", "${H_AUTHORIZATION}"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "said", "fix"), [*SYNTAX, *FRAME, *SETTINGS])
def test_a_mistake(at: Path, text: str, place: str, said: str, fix: str | None) -> None:
    (problem,) = mistakes(at, text, {"T": "x", "EMPTY": ""})
    assert f"{problem.line}:{problem.column}" == place, problem
    assert problem.file == str(at)
    assert said in problem.message
    assert (fix or "") in (problem.fix or "")
    assert "abc123" not in str(problem) and "hunter2" not in str(problem) and "Bearer" not in str(problem)


def test_a_file_that_is_no_utf8(at: Path) -> None:
    at.write_bytes("brands:\n  - name: Київ\n".encode("cp1251"))
    with pytest.raises(ConfigError) as caught:
        load(at, {})
    assert str(caught.value) == f"{at}:2:11: byte 0xca is not UTF-8; save the file as UTF-8"


def test_a_file_that_cannot_be_read(at: Path) -> None:
    at.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(at, {})
    big = at / "big.yaml"
    big.write_bytes(b"#" * (6 << 20))
    with pytest.raises(ConfigError, match="5 MiB is the most"):
        load(big, {})


def test_aliases_that_multiply_are_refused_quickly(at: Path) -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    started = time.process_time()
    (problem,) = mistakes(at, "\n".join(lines))
    assert problem.message == "aliases make the file too big"
    assert time.process_time() - started < 10


def test_everything_wrong_is_told_at_once_in_the_order_of_the_lines(at: Path) -> None:
    text = """\
timezone: Europe/Kiiv
brands:
  - {nam: A}
  - {name: B, also: [[x]]}
sources:
  - {name: a, kind: page, every: often}
  - {name: a, kind: page}
  - {name: b, kind: page, cron: 1}
tickets:
  when: [angry]
  send_to: [hlpdesk]
sinks:
  - {name: helpdesk, kind: help}
alerts: {send_to: [nobody]}
webb: {}
"""
    found = [(problem.line, problem.message) for problem in mistakes(at, text)]
    assert [line for line, _ in found] == [1, 3, 4, 6, 8, 10, 14, 15]
    # A section that is wrong in one key takes its defaults, so `send_to` of a wrong `tickets` is told with the next try.


def test_a_good_part_is_checked_beside_a_bad_one(at: Path) -> None:
    text = "timezone: Nowhere\ntickets: {send_to: [hlpdesk]}\nsinks: [{name: helpdesk, kind: help}]\n"
    assert [problem.line for problem in mistakes(at, text)] == [1, 2]


def test_all_mistakes_of_one_block_are_told(at: Path) -> None:
    text = SOURCE.replace("article", "[x]") + "    pages: 0\n    evry: 1m\n    fields: {txt: a, authr: b}\n"
    assert [(p.line, p.column) for p in mistakes(at, text)] == [(5, 11), (6, 12), (7, 5), (8, 14), (8, 22)]


def test_a_problem_reads_as_file_line_column(at: Path) -> None:
    at.write_text("brandz: []\n")
    with pytest.raises(ConfigError) as caught:
        load(at, {})
    assert str(caught.value) == f"{at}:1:1: unknown key 'brandz'; did you mean 'brands'?\n    fix: brands: []"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_broken_file_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut, doubled and spoilt pieces of a good file: a Config or a ConfigError with a place inside the file."""
    start = data.draw(st.integers(0, len(FULL) - 1))
    end = data.draw(st.integers(start, min(len(FULL), start + 40)))
    put = data.draw(st.text(st.sampled_from("abc :-[]{}'\"\n\t#&*!|>%@`,?~0<é\x00\ud800"), max_size=8))
    text = FULL[:start] + put + FULL[end:]
    path = tmp_path_factory.getbasetemp() / "spoilt.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(path, {"HELPDESK_TOKEN": "x"})
    except ConfigError as error:
        lines = text.split("\n")
        for problem in error.problems:
            assert 1 <= problem.line <= len(lines) + 1 and problem.column >= 1 and problem.message
            assert "\n" not in problem.message


# --- speed ---


def test_two_hundred_sources_load_in_a_cold_process_quickly(at: Path) -> None:
    source = FULL[FULL.index("  - name: bank-forum") : FULL.index("  - name: news")]
    at.write_text("sources:\n" + "".join(source.replace("bank-forum", f"forum-{n}") for n in range(200)))
    code = (
        "import sys, time; from pathlib import Path; from crawler.config import load; "
        "assert len(load(Path(sys.argv[1])).sources) == 200; print(time.process_time())"
    )
    answers = [
        float(subprocess.run([sys.executable, "-c", code, str(at)], capture_output=True, text=True, check=True).stdout)
        for _ in range(2)
    ]
    assert min(answers) < 1.5


# --- schema, docs and the first file ---


def test_the_first_file_is_good_and_whole(at: Path) -> None:
    for name in ("Nova Pay", 'He said "no" \\ # : {x}', "  Київ\nстар ", "", "0755"):
        config = loaded(at, starter(name))
        assert config.brands[0].name == (" ".join(name.split()) or "My Brand")
        assert config.rules[0].send_to == ("desk",) and config.sinks == (SinkBlock("desk", "desk"),)
    uncommented = "\n".join(line[1:] if line.startswith("#  ") else line for line in starter("Nova").splitlines())
    config = loaded(at, uncommented)
    assert [source.name for source in config.sources] == ["news", "bank-forum"]
    assert [sink.name for sink in config.sinks] == ["desk", "helpdesk"]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_the_schema_describes_every_kind() -> None:
    found = schema({"page": Page}, {"help": Help, "desk": Desk})
    assert json.loads(json.dumps(found)) == found
    for reference in references(found):
        assert reference.removeprefix("#/$defs/") in found["$defs"], reference
    assert found["additionalProperties"] is False and found["title"] == "mention-crawler"
    sources, sinks = (found["properties"][key]["items"] for key in ("sources", "sinks"))
    assert sources["required"] == ["name", "kind"] and sources["properties"]["kind"]["enum"] == ["page"]
    (page,) = sources["allOf"]
    assert page["if"]["properties"]["kind"] == {"const": "page"}
    assert page["then"]["required"] == ["url", "item"] and page["then"]["additionalProperties"] is False
    assert {"url", "item", "every", "between", "labels"} <= set(page["then"]["properties"])
    token = next(case for case in sinks["allOf"] if case["if"]["properties"]["kind"]["const"] == "help")
    assert token["then"]["properties"]["token"]["writeOnly"] is True


def test_the_tables_show_every_key() -> None:
    table = settings_table({"page": Page, "help": Help, "desk": Desk})
    assert table.index("### `desk`") < table.index("### `help`") < table.index("### `page`")
    assert "| `pages` | `10` | Pages a run |  |" in table
    assert "| `url` | required | Address | `https://forum.example/` |" in table
    assert "| `fields.text` |  | Text \\| of the post | `.content` |" in table
    assert "No settings." in table
    for key in ("`timezone`", "`tickets.urgent_if.words`", "`not_about`", "`between`", "`allow_private`"):
        assert key.strip("`") in frame_table()
