"""The outside checker must find each planted loss, double and alteration, and nothing in a good base."""

from __future__ import annotations

import copy
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from e2e.checker import Difference, check

pytestmark = pytest.mark.slow

MICROS = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
TABLES = """
CREATE TABLE posts (id, url, title, text, version, author_name, published_at, rating, site);
CREATE TABLE post_versions (post_id, number, text);
CREATE TABLE post_sources (post_id, source_id);
CREATE TABLE brands (id, name);
CREATE TABLE mentions (id, post_id, brand_id, status, ticket_id);
CREATE TABLE analyses (id INTEGER PRIMARY KEY, mention_id, post_version, tone_scores, intent_scores);
CREATE TABLE tickets (id, key, url);
CREATE TABLE ticket_mentions (mention_id, ticket_id, opened);
CREATE TABLE deliveries (ticket_id, sink, number, status, remote_id, doubtful);
CREATE TABLE desk_tickets (id INTEGER PRIMARY KEY, key);
CREATE TABLE runs (id, ended_at);
INSERT INTO brands VALUES (1, 'Ladna Pay');
INSERT INTO runs VALUES (1, 5);
"""
NEGATIVE = json.dumps({"negative": 0.9, "neutral": 0.08, "positive": 0.02})
NEUTRAL = json.dumps({"negative": 0.1, "neutral": 0.8, "positive": 0.1})
OTHER = json.dumps({"question": 0.1, "complaint": 0.2, "praise": 0.0, "other": 0.7})


def entry(number: int, text: str, *, version: int = 1, mention: bool = True, **more: Any) -> dict[str, Any]:
    """One post as the town's log names it."""
    return {
        "id": f"forum-{number}", "version": version, "url": f"http://127.0.0.1:1/{number}", "title": "",
        "parts": [text], "whole": True, "author": f"author {number}", "published_at": "2026-01-01T00:00:00Z",
        "exact": 60, "mention": mention, "own": False, "joins": None, **more,
    }  # fmt: skip


LOG = [
    {
        "status": 200,
        "cut": False,
        "posts": [entry(1, "first text"), entry(2, "second"), entry(3, "noise", mention=False)],
    },
    {"status": 304, "cut": False, "posts": []},
    {
        "status": 200,
        "cut": False,
        "posts": [entry(1, "first text,\nedited", version=2), entry(4, "again", joins="forum-1")],
    },
    {"status": 200, "cut": True, "posts": [entry(9, "never arrived whole")]},
]
GOOD = f"""
INSERT INTO posts VALUES (1, 'http://127.0.0.1:1/1', NULL, 'first text, edited', 2, 'author 1', {MICROS}, NULL, 's');
INSERT INTO posts VALUES (2, 'http://127.0.0.1:1/2', NULL, 'second', 1, 'author 2', {MICROS}, NULL, 's');
INSERT INTO posts VALUES (3, 'http://127.0.0.1:1/3', NULL, 'noise', 1, 'author 3', {MICROS}, NULL, 's');
INSERT INTO posts VALUES (4, 'http://127.0.0.1:1/4', NULL, 'again', 1, 'author 4', {MICROS}, NULL, 's');
INSERT INTO post_versions VALUES (1, 1, 'first  text');
INSERT INTO post_sources VALUES (1, 1), (1, 2), (2, 1), (3, 1), (4, 1);
INSERT INTO mentions VALUES (11, 1, 1, 'ticketed', 7), (12, 2, 1, 'ignored', NULL), (14, 4, 1, 'joined', 7);
INSERT INTO tickets VALUES (7, 'mc-7', 'http://127.0.0.1:1/1');
INSERT INTO ticket_mentions VALUES (11, 7, 1), (14, 7, 0);
INSERT INTO deliveries VALUES (7, 'desk', 0, 'sent', '1', 0);
INSERT INTO deliveries VALUES (7, 'help', 0, 'sent', '31', 0), (7, 'help', 1, 'sent', '31', 0);
INSERT INTO desk_tickets VALUES (1, 'mc-7');
"""
HELP = [{"key": "mc-7", "id": "31"}]


class Base:
    """A tiny database of our own, good until something is planted."""

    def __init__(self, path: Path) -> None:
        self.url, self.path = f"sqlite:///{path}", path
        self.log, self.help = copy.deepcopy(LOG), copy.deepcopy(HELP)
        self.run(TABLES + GOOD)
        for mention, tone in ((11, NEGATIVE), (12, NEUTRAL), (14, NEGATIVE)):
            self.run(f"INSERT INTO analyses VALUES (NULL, {mention}, 1, '{tone}', '{OTHER}')")

    def run(self, script: str) -> None:
        """Change the database."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(script)

    def differences(self) -> list[Difference]:
        """What the checker says now."""
        return check(self.log, self.url, {"help": self.help}, sinks=("desk", "help"))


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    yield Base(tmp_path / "small.db")


def test_good_base_has_no_differences(base: Base) -> None:
    assert base.differences() == []


# what is planted -> what the checker must call it: the statements that plant it
PLANTED = """
loss of a post -> post lost: DELETE FROM posts WHERE id = 2
double of a post -> post doubled: INSERT INTO posts SELECT 99, url, {rest}
double without a link -> stored but never served: INSERT INTO posts SELECT 99, NULL, {rest}
a post nobody served -> stored but never served: INSERT INTO posts SELECT 98, 'http://127.0.0.1:1/98', {rest}
a post of a cut answer -> stored but never served: INSERT INTO posts SELECT 9, 'http://127.0.0.1:1/9', {rest}
an altered text -> text altered: UPDATE posts SET text = 'secund' WHERE id = 2
a text cut short -> text altered: UPDATE posts SET text = 'first text' WHERE id = 1
an altered old version -> text altered: UPDATE post_versions SET text = 'other'
an edit lost -> wrong versions: DELETE FROM post_versions
an edit doubled -> wrong versions: INSERT INTO post_versions VALUES (1, 2, 'first text, edited')
a wrong version number -> wrong versions: UPDATE posts SET version = 3 WHERE id = 1
a date lost -> date lost: UPDATE posts SET published_at = NULL WHERE id = 3
a date moved by a zone -> date altered: UPDATE posts SET published_at = published_at + 7200000000 WHERE id = 3
an author altered -> author altered: UPDATE posts SET author_name = 'nobody' WHERE id = 3
a post without a source -> no source: DELETE FROM post_sources WHERE post_id = 3
a run left open -> run never closed: UPDATE runs SET ended_at = NULL
a mention lost -> mention lost: DELETE FROM mentions WHERE id = 12
a mention doubled -> mention doubled: INSERT INTO mentions VALUES (13, 2, 1, 'ignored', NULL)
a mention of noise -> mention invented: INSERT INTO mentions VALUES (13, 3, 1, 'ignored', NULL)
a mention left lying -> mention unfinished: UPDATE mentions SET status = 'analysed' WHERE id = 12
a ticket never made -> ticket missing: UPDATE mentions SET status = 'ignored', ticket_id = NULL WHERE id = 14
an odd ticket -> ticket without reason: UPDATE mentions SET status = 'joined', ticket_id = 7 WHERE id = 12; {link}
a ticket row lost -> ticket lost: DELETE FROM tickets
a link lost -> ticket lost: DELETE FROM ticket_mentions WHERE mention_id = 14
a link too many -> ticket invented: {link}
a second ticket for a follow-up -> ticket doubled: {ticket}; UPDATE mentions SET ticket_id = 8 WHERE id = 14
a ticket without a mention -> ticket without mention: {ticket}
a delivery lost -> delivery lost: DELETE FROM deliveries WHERE sink = 'help' AND number = 0
a delivery doubled -> delivery lost: INSERT INTO deliveries VALUES (7, 'help', 0, 'sent', '31', 0)
a delivery left lying -> delivery unfinished: UPDATE deliveries SET status = 'pending' WHERE number = 1
a desk ticket lost -> desk ticket lost: DELETE FROM desk_tickets
a desk ticket doubled -> desk ticket lost: INSERT INTO desk_tickets VALUES (2, 'mc-7')
a desk ticket from nowhere -> desk ticket invented: INSERT INTO desk_tickets VALUES (2, 'mc-9')
a wrong remote id -> wrong remote id: UPDATE deliveries SET remote_id = '5' WHERE sink = 'help'
"""
REST = "title, text, version, author_name, published_at, rating, site FROM posts WHERE id = 2"
SHORT = {
    "rest": REST,
    "link": "INSERT INTO ticket_mentions VALUES (12, 7, 0)",
    "ticket": "INSERT INTO tickets VALUES (8, 'mc-8', '')",
}
STATEMENTS = [re.split(r" -> |: ", line.format_map(SHORT), maxsplit=2) for line in PLANTED.strip().splitlines()]
ELSEWHERE: dict[str, tuple[Callable[[Base], object], str]] = {
    "a loss in the helpdesk": (lambda base: base.help.clear(), "helpdesk ticket lost"),
    "a double in the helpdesk": (lambda base: base.help.append(HELP[0] | {"id": "32"}), "helpdesk ticket doubled"),
    "a stranger in there": (lambda base: base.help.append(HELP[0] | {"key": "mc-5"}), "helpdesk ticket invented"),
    "a served post that never came": (lambda base: base.log[0]["posts"].append(entry(6, "sixth")), "post lost"),
    "an own post with a ticket": (lambda base: base.log[2]["posts"][0].update(own=True), "ticket without reason"),
}  # fmt: skip


@pytest.mark.parametrize(("what", "wanted", "script"), STATEMENTS)
def test_finds_what_was_planted_in_the_database(base: Base, what: str, wanted: str, script: str) -> None:
    base.run(script)
    assert wanted in {difference.what for difference in base.differences()}, what


@pytest.mark.parametrize("what", ELSEWHERE)
def test_finds_what_was_planted_elsewhere(base: Base, what: str) -> None:
    plant, wanted = ELSEWHERE[what]
    plant(base)
    assert wanted in {difference.what for difference in base.differences()}


def test_article_may_hold_more_than_its_parts_but_not_less(base: Base) -> None:
    base.log[0]["posts"][1].update(parts=["second part", "third part"], whole=False)
    assert [difference.what for difference in base.differences()] == ["text altered"]
    base.run("UPDATE posts SET text = 'a line above. second  part - third part, share' WHERE id = 2")
    assert base.differences() == []


def test_title_and_rating_are_compared_where_they_were_served(base: Base) -> None:
    base.log[0]["posts"][1].update(title="Good", stars=4)
    assert {difference.what for difference in base.differences()} == {"title altered", "rating altered"}
    base.run("UPDATE posts SET title = ' Good', rating = 4.0 WHERE id = 2")
    assert base.differences() == []


def test_a_ticket_that_an_older_version_earned_stays(base: Base) -> None:
    base.run(f"INSERT INTO analyses VALUES (NULL, 11, 2, '{NEUTRAL}', '{OTHER}')")
    assert base.differences() == []


def test_difference_reads_as_a_sentence() -> None:
    assert str(Difference("post lost", "http://x/1", "stored 0 times")) == "post lost: http://x/1 stored 0 times"
