"""The config file: what it comes to."""

# ruff: noqa: E501  (one line a mistake)
from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from datetime import time as clock
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from config_kit import FULL, KINDS, Desk, Help, Page
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from crawler.config import (
    AlertsBlock,
    Config,
    RuleBlock,
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
from crawler.plugins import public


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


# --- speed ---


@pytest.mark.process
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
