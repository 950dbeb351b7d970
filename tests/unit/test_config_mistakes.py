"""For every mistake in the config file: the place, the words and the corrected line."""

# ruff: noqa: E501  (one line a mistake)
from __future__ import annotations

import time
from pathlib import Path

import pytest
from config_kit import FULL, KINDS
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.config import (
    Config,
    load,
    settings_of,
)
from crawler.errors import ConfigError, Problem


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
    ("colour: red\n", "1:1", "unknown key 'colour'; known: alerts, brands, business_hours", "remove the line"),
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


@pytest.mark.property
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
