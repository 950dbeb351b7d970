"""The outside checker: what the sites served, what the database holds, what the helpdesks have. Three lists, compared.

It shares no code with the product: sqlite3 or psycopg, and plain Python. It returns differences; an empty list is good.

    differences = check(town.log(), "sqlite:///data/mentions.db", desks={"helpdesk": helpdesk.stored()})
"""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# The only thing that this file knows of the product: the names of its columns.
POSTS = "SELECT id, url, title, text, version, author_name AS author, published_at, rating, site FROM posts"
VERSIONS = "SELECT post_id, number, text FROM post_versions ORDER BY post_id, number"
SHOWN_BY = "SELECT post_id, count(*) AS sources FROM post_sources GROUP BY post_id"
MENTIONS = (
    "SELECT m.id, m.post_id, m.status, m.ticket_id, b.name AS brand FROM mentions m JOIN brands b ON b.id = m.brand_id"
)
ANALYSES = "SELECT mention_id, post_version, tone_scores, intent_scores FROM analyses ORDER BY id"
TICKETS = "SELECT id, key, url FROM tickets"
LINKS = "SELECT mention_id, ticket_id, opened FROM ticket_mentions"
DELIVERIES = "SELECT ticket_id, sink, number, status, remote_id, doubtful FROM deliveries"
DESK = "SELECT key, count(*) AS times FROM desk_tickets GROUP BY key"
OPEN_RUNS = "SELECT id FROM runs WHERE ended_at IS NULL"

TICKET_STATES = ("ticketed", "joined")
FINAL_STATES = (*TICKET_STATES, "review", "ignored")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be: `what` in a word or two, `where` (a URL or key), and the details."""

    what: str
    where: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.where} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Rule:
    """When a mention must become a ticket: a score of one of these words reaches `sure` (tones also added up)."""

    tones: tuple[str, ...] = ("negative",)
    intents: tuple[str, ...] = ("question",)
    sure: float = 0.7

    def wants(self, tone_scores: Mapping[str, float], intent_scores: Mapping[str, float]) -> bool:
        """True when these scores are sure enough, and the words do not praise what the tone calls negative."""
        asked = max((intent_scores.get(word, 0.0) for word in self.intents), default=0.0)
        toned = sum(tone_scores.get(word, 0.0) for word in self.tones) >= self.sure
        return asked >= self.sure or (toned and not contradicts(tone_scores, intent_scores))


def contradicts(tone_scores: Mapping[str, float], intent_scores: Mapping[str, float]) -> bool:
    """Negative by tone and praise by intent: a person looks."""
    return _most(tone_scores) == "negative" and _most(intent_scores) == "praise"


def _most(scores: Mapping[str, float]) -> str:
    return max(scores, key=lambda word: scores[word], default="")


@dataclass(slots=True)
class Served:
    """One post as the sites showed it over time: `entries` by version number."""

    entries: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    exact: int = 0

    def add(self, entry: Mapping[str, Any]) -> None:
        """One more showing."""
        self.entries[entry["version"]] = entry
        self.exact = max(self.exact, entry.get("exact", 1))

    @property
    def last(self) -> Mapping[str, Any]:
        """The newest version that was served."""
        return self.entries[max(self.entries)]


@dataclass(frozen=True, slots=True)
class Base:
    """The rows of the database that are compared."""

    posts: list[dict[str, Any]]
    versions: Mapping[int, list[str]]
    shown_by: Mapping[int, int]
    mentions: list[dict[str, Any]]
    analyses: Mapping[int, list[dict[str, Any]]]
    tickets: Mapping[int, dict[str, Any]]
    links: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]
    desk: Mapping[str, int]
    open_runs: int


def check(
    log: Iterable[Mapping[str, Any]],
    database_url: str,
    desks: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    brand: str = "Ladna Pay",
    rule: Rule | None = None,
    sinks: Sequence[str] = ("desk",),
) -> list[Difference]:
    """Every difference between the three.

    `log` holds answers with their `posts` (cut answers do not count). `desks` holds, by sink name, the tickets that an
    outside helpdesk stored, each with its `key`. `sinks` are the sinks that every ticket must have reached.
    """
    base, served = read(database_url), served_posts(log)
    return [
        *_posts(base, served),
        *_mentions(base, served, brand),
        *_tickets(base, served, rule or Rule()),
        *_deliveries(base, sinks),
        *_desks(base, desks or {}),
    ]


def served_posts(log: Iterable[Mapping[str, Any]]) -> dict[str, Served]:
    """Served posts by URL. An answer that could not be sent whole was not served."""
    found: dict[str, Served] = defaultdict(Served)
    for answer in log:
        for entry in () if answer.get("cut") else answer["posts"]:
            found[entry["url"]].add(entry)
    return dict(found)


# --- reading


def read(database_url: str) -> Base:
    """All the rows, in one read transaction."""
    with closing(_connect(database_url)) as connection:
        return _base(connection)


def _base(connection: Any) -> Base:
    versions: dict[int, list[str]] = defaultdict(list)
    for row in _rows(connection, VERSIONS):
        versions[row["post_id"]].append(row["text"])
    analyses: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(connection, ANALYSES):
        analyses[row["mention_id"]].append(row)
    return Base(
        posts=_rows(connection, POSTS),
        versions=versions,
        shown_by={row["post_id"]: row["sources"] for row in _rows(connection, SHOWN_BY)},
        mentions=_rows(connection, MENTIONS),
        analyses=analyses,
        tickets={row["id"]: row for row in _rows(connection, TICKETS)},
        links=_rows(connection, LINKS),
        deliveries=_rows(connection, DELIVERIES),
        desk={row["key"]: row["times"] for row in _rows(connection, DESK)},
        open_runs=len(_rows(connection, OPEN_RUNS)),
    )


def _connect(url: str) -> Any:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(f"file:{url.split('///', 1)[1]}?mode=ro", uri=True)
        connection.execute("BEGIN")
        return connection
    import psycopg

    connection = psycopg.connect("postgresql://" + url.split("://", 1)[1])
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection


def _rows(connection: Any, query: str) -> list[dict[str, Any]]:
    cursor = connection.cursor()
    cursor.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _when(value: Any) -> datetime | None:
    """Microseconds since 1970 or a timestamp, as aware UTC."""
    if value is None or isinstance(value, datetime):
        return value and value.astimezone(UTC)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(value))


def _scores(value: Any) -> Mapping[str, float]:
    return json.loads(value) if isinstance(value, str) else value


def squeezed(text: str | None) -> str:
    """Text as a reader sees it: one space for every run of blanks, one spelling for every letter."""
    return " ".join(unicodedata.normalize("NFC", text or "").split())


# --- posts: everything served is stored once, as it was served, and nothing else is stored


def _posts(base: Base, served: Mapping[str, Served]) -> Iterator[Difference]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in base.posts:
        rows[row["url"] or ""].append(row)
    for url in rows.keys() - served.keys():
        yield Difference("stored but never served", url or "a post without a link", squeezed(rows[url][0]["text"])[:80])
    for url, post in served.items():
        found = rows.get(url, [])
        if len(found) != 1:
            yield Difference("post lost" if not found else "post doubled", url, f"stored {len(found)} times")
        for row in found[:1]:
            yield from _post(base, url, post, row)
    if base.open_runs:
        yield Difference("run never closed", f"{base.open_runs} runs")


def _post(base: Base, url: str, post: Served, row: Mapping[str, Any]) -> Iterator[Difference]:
    stored = [*base.versions.get(row["id"], []), row["text"]]
    wanted = [post.entries[number] for number in sorted(post.entries)]
    if len(stored) != len(wanted):
        yield Difference("wrong versions", url, f"served {len(wanted)}, stored {len(stored)}")
    elif row["version"] != len(stored):
        yield Difference("wrong versions", url, f"version {row['version']} with {len(stored)} texts")
    for text, entry in zip(stored, wanted, strict=False):
        if not same_text(text, entry):
            detail = f"served {' '.join(entry['parts'])[:120]!r}, stored {squeezed(text)[:120]!r}"
            yield Difference("text altered", url, detail)
    yield from _facts(url, post, row)
    if not base.shown_by.get(row["id"]):
        yield Difference("no source", url, "the post does not say which source showed it")


def same_text(stored: str, entry: Mapping[str, Any]) -> bool:
    """The stored text is what was served: all of it and nothing more, or (articles) at least every part of it."""
    text = squeezed(stored)
    parts = [squeezed(part) for part in entry["parts"]]
    if not entry.get("whole", True):
        return all(part in text for part in parts)
    return text == " ".join(parts)


def _facts(url: str, post: Served, row: Mapping[str, Any]) -> Iterator[Difference]:
    entry = post.last
    when, said = _when(row["published_at"]), datetime.fromisoformat(entry["published_at"])
    if when is None:
        yield Difference("date lost", url, entry["published_at"])
    elif abs(when - said) > timedelta(seconds=post.exact):
        yield Difference("date altered", url, f"served {said.isoformat()}, stored {when.isoformat()}")
    if squeezed(row["author"]) != squeezed(entry["author"]):
        yield Difference("author altered", url, f"served {entry['author']!r}, stored {row['author']!r}")
    if entry["title"] and squeezed(row["title"]) != squeezed(entry["title"]):
        yield Difference("title altered", url, f"served {entry['title']!r}, stored {row['title']!r}")
    if entry.get("stars") and row["rating"] != entry["stars"]:
        yield Difference("rating altered", url, f"served {entry['stars']}, stored {row['rating']}")


# --- mentions: the people of the town know which of their posts speak of the brand


def _mentions(base: Base, served: Mapping[str, Served], brand: str) -> Iterator[Difference]:
    urls = {row["id"]: row["url"] for row in base.posts}
    found = Counter(urls.get(row["post_id"], "") for row in base.mentions if row["brand"] == brand)
    for url, post in served.items():
        wanted = int(bool(post.last["mention"]))
        if found[url] != wanted:
            what = "mention lost" if not found[url] else "mention invented" if not wanted else "mention doubled"
            yield Difference(what, url, " ".join(post.last["parts"])[:160])
    for row in base.mentions:
        if row["status"] not in FINAL_STATES:
            yield Difference("mention unfinished", urls.get(row["post_id"], "?"), row["status"])


# --- tickets: one for each mention that qualifies, none for the others


def _tickets(base: Base, served: Mapping[str, Served], rule: Rule) -> Iterator[Difference]:
    urls = {row["id"]: row["url"] for row in base.posts}
    own = {url for url, post in served.items() if post.last["own"]}
    links = Counter(row["mention_id"] for row in base.links)
    ticket_of: dict[str, int] = {}
    for row in base.mentions:
        url = urls.get(row["post_id"], "?")
        yield from _decided(base, row, url, url in own, rule)
        has = row["status"] in TICKET_STATES
        if has and (row["ticket_id"] not in base.tickets or links[row["id"]] != 1):
            yield Difference(
                "ticket lost", url, f"mention {row['id']} is {row['status']}, linked {links[row['id']]} times"
            )
        if not has and links[row["id"]]:
            yield Difference("ticket invented", url, f"mention {row['id']} is {row['status']} but has a ticket")
        if has:
            ticket_of[url] = row["ticket_id"]
    yield from _without_mention(base)
    yield from _kin(served, ticket_of)


def _decided(base: Base, row: Mapping[str, Any], url: str, own: bool, rule: Rule) -> Iterator[Difference]:
    scores = [(_scores(one["tone_scores"]), _scores(one["intent_scores"])) for one in base.analyses.get(row["id"], ())]
    wanted = not own and any(rule.wants(tone, intent) for tone, intent in scores)
    has = row["status"] in TICKET_STATES
    if wanted and not has:
        yield Difference("ticket missing", url, f"mention {row['id']} qualifies but is {row['status']}")
    if has and not wanted:
        yield Difference("ticket without reason", url, f"mention {row['id']}")


def _without_mention(base: Base) -> Iterator[Difference]:
    opened = Counter(row["ticket_id"] for row in base.links if row["opened"])
    for number, ticket in base.tickets.items():
        if opened[number] != 1:
            yield Difference("ticket without mention", ticket["key"], f"opened by {opened[number]} mentions")


def _kin(served: Mapping[str, Served], ticket_of: Mapping[str, int]) -> Iterator[Difference]:
    """A repost or a follow-up that has a ticket has the same one as the post it belongs to."""
    by_id = {post.last["id"]: url for url, post in served.items()}
    for url, post in served.items():
        elder = by_id.get(post.last.get("joins") or "")
        if elder in ticket_of and url in ticket_of and ticket_of[elder] != ticket_of[url]:
            yield Difference("ticket doubled", url, f"belongs to the ticket of {elder}")


# --- deliveries and helpdesks: each ticket is in each helpdesk exactly once


def _deliveries(base: Base, sinks: Sequence[str]) -> Iterator[Difference]:
    sent = Counter((row["ticket_id"], row["sink"]) for row in base.deliveries if row["number"] == 0)
    for number, ticket in base.tickets.items():
        for sink in sinks:
            if sent[number, sink] != 1:
                yield Difference("delivery lost", ticket["key"], f"{sent[number, sink]} first deliveries to {sink}")
        if "desk" in sinks and base.desk.get(ticket["key"], 0) != 1:
            yield Difference("desk ticket lost", ticket["key"], f"{base.desk.get(ticket['key'], 0)} in the desk")
    for row in base.deliveries:
        if row["status"] != "sent":
            yield Difference("delivery unfinished", f"ticket {row['ticket_id']}", f"{row['sink']}: {row['status']}")
    for key in base.desk.keys() - {ticket["key"] for ticket in base.tickets.values()}:
        yield Difference("desk ticket invented", key)


def _desks(base: Base, desks: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Difference]:
    keys = {ticket["key"] for ticket in base.tickets.values()}
    for sink, stored in desks.items():
        there = Counter(str(ticket["key"]) for ticket in stored)
        for key in sorted(keys | there.keys()):
            wanted = int(key in keys)
            if there[key] != wanted:
                what = "lost" if there[key] < wanted else "invented" if not wanted else "doubled"
                yield Difference(f"helpdesk ticket {what}", key, f"{there[key]} in {sink}")
        ids = {str(ticket["key"]): str(ticket["id"]) for ticket in stored}
        for row in base.deliveries:
            key = base.tickets.get(row["ticket_id"], {"key": ""})["key"]
            if row["sink"] == sink and row["number"] == 0 and row["remote_id"] not in (None, ids.get(key)):
                yield Difference("wrong remote id", key, f"{row['remote_id']} for {ids.get(key)} in {sink}")
