"""Which open ticket a mention belongs to: follow-ups and answers of one conversation, reposts and near-duplicates.

One brand only. A ticket takes them for seven days, or for 72 hours after it was solved; then a new one is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from crawler.model import StoredMention, TicketStatus
from crawler.store import tables as t
from crawler.store.db import chunks
from crawler.store.kin_text import bands_of, long_enough, same_story, words_of
from crawler.store.types import AnyRow, fit
from crawler.text import fold, folded_hash

OPEN_DAYS = 7.0
SOLVED_HOURS = 72.0
_MOST_ALIKE, _MOST_SHARING = 50, 200
# Names that many people share: they make nobody the same person.
_NOBODY = {
    *("guest", "anonymous", "anonymous user", "anon", "user", "unknown", "deleted", "[deleted]", "deleted user"),
    *("гість", "анонім", "анонімно", "користувач", "невідомий", "гость", "аноним", "анонимно", "пользователь"),
    *("неизвестный", "удален", "видалений", "facebook user", "google user", "користувач facebook", "клієнт", "клиент"),
}


@dataclass(frozen=True)
class Facts:
    """What of a mention and its post decides where it belongs."""

    mention_id: int
    post_id: int
    brand_id: int
    site: str
    folded: str
    thread: str | None = None
    parent: str | None = None
    platform_id: str | None = None
    author: str | None = None
    author_id: str | None = None

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its story."""
        return words_of(self.folded)

    @cached_property
    def bands(self) -> tuple[int, ...]:
        """MinHash bands of its story."""
        return bands_of(self.words)

    @cached_property
    def content_hash(self) -> str | None:
        """Equal for texts that read the same; None where that proves nothing."""
        return folded_hash(self.folded) if long_enough(self.words) else None


@dataclass(frozen=True, slots=True)
class Kin:
    """The ticket that a mention belongs to, and why. `follows`: it goes on with the story, a repost only repeats it."""

    id: int
    key: str
    why: str
    follows: bool


def facts_of(mention: StoredMention) -> Facts:
    """The facts of a mention as the stages hold it."""
    post = mention.post.post
    return Facts(
        mention.id,
        mention.post.id,
        mention.brand_id,
        post.site or "",
        mention.post.folded,
        **_places(thread=post.thread, parent=post.parent, platform_id=post.platform_id),
        **_person(post.author.name, post.author.handle, post.author.url),
    )


def facts_of_row(row: AnyRow) -> Facts:
    """The facts of a row that joins a mention with its post."""
    return Facts(
        row.id,
        row.post_id,
        row.brand_id,
        row.site,
        row.folded,
        **_places(thread=row.thread, parent=row.parent, platform_id=row.platform_id),
        **_person(row.author_name, row.author_handle, row.author_url),
    )


def _places(**names: str | None) -> dict[str, str | None]:
    return {kind: fit(name) if name else None for kind, name in names.items()}


def _person(name: str | None, handle: str | None, url: str | None) -> dict[str, str | None]:
    """What the author is called, and what tells him from all others on the site; None for names that anybody has."""
    handle, name = (word if word and fold(word).strip().lstrip("@") not in _NOBODY else None for word in (handle, name))
    called = handle or name
    if called is None:
        return {}
    # An address alone may be everybody's: some sites link all authors to one page.
    identity = fold(handle).lstrip("@").strip() if handle else f"{url} {fold(called)}" if url else None
    return {"author": called, "author_id": fit(identity) if identity else None}


def link_values(facts: Facts) -> dict[str, Any]:
    """What the link between a mention and its ticket keeps."""
    return {
        "mention_id": facts.mention_id,
        "post_id": facts.post_id,
        "brand_id": facts.brand_id,
        "site": facts.site,
        "thread": facts.thread,
        "author": facts.author,
        "author_id": facts.author_id,
        "platform_id": facts.platform_id,
        "content_hash": facts.content_hash,
    }


def remember(connection: Connection, facts: Facts) -> None:
    """Keep the bands of a mention that a ticket stands for."""
    rows = [{"brand_id": facts.brand_id, "band": band, "mention_id": facts.mention_id} for band in set(facts.bands)]
    if not rows:
        return
    columns = t.kin_bands.c
    known = sa.select(columns.band).where(columns.brand_id == facts.brand_id, columns.mention_id == facts.mention_id)
    there = set(connection.execute(known.where(columns.band.in_([row["band"] for row in rows]))).scalars())
    fresh = [row for row in rows if row["band"] not in there]
    if fresh:
        connection.execute(sa.insert(t.kin_bands), fresh)


def find(
    connection: Connection, mentions: Sequence[Facts], now: datetime, open_days: float = OPEN_DAYS
) -> dict[int, Kin]:
    """Mention id -> the ticket that it belongs to: the newest of its conversation, else the newest of its text."""
    found: dict[int, Kin] = {}
    for some in chunks(mentions, 200):
        links = _links(connection, some, now, open_days)
        for facts in some:
            kin = _conversation(facts, links) or _repeated(facts, links) or _alike(connection, facts, now, open_days)
            if kin is not None:
                found[facts.mention_id] = kin
    return found


def _takes(now: datetime, open_days: float) -> sa.ColumnElement[bool]:
    columns = t.tickets.c
    is_open = sa.and_(columns.status == TicketStatus.OPEN.value, columns.opened_at >= now - timedelta(days=open_days))
    solved = sa.and_(
        columns.status == TicketStatus.SOLVED.value, columns.solved_at >= now - timedelta(hours=SOLVED_HOURS)
    )
    return sa.or_(is_open, solved)


def _links(connection: Connection, some: Sequence[Facts], now: datetime, open_days: float) -> list[AnyRow]:
    """Links that share anything with the mentions; one query for each index."""
    links = t.ticket_mentions.c
    wanted: Mapping[sa.ColumnElement[Any], set[str | None]] = {
        links.thread: {it.thread for it in some},
        links.author_id: {it.author_id for it in some},
        links.platform_id: {it.parent for it in some},
        links.content_hash: {it.content_hash for it in some},
    }
    brands = {it.brand_id for it in some}
    base = sa.select(t.ticket_mentions, t.tickets.c.key).join(t.tickets).where(_takes(now, open_days))
    rows: dict[int, AnyRow] = {}
    for column, values in wanted.items():
        if present := values - {None}:
            query = base.where(links.brand_id.in_(brands), column.in_(present))
            rows |= {row.mention_id: row for row in connection.execute(query)}
    return sorted(rows.values(), key=lambda row: row.ticket_id, reverse=True)


def _others(facts: Facts, links: Iterable[AnyRow]) -> Iterator[AnyRow]:
    return (link for link in links if link.brand_id == facts.brand_id and link.mention_id != facts.mention_id)


def _conversation(facts: Facts, links: Iterable[AnyRow]) -> Kin | None:
    for link in _others(facts, links):
        if link.site != facts.site:
            continue
        if facts.author and facts.thread and (link.thread, link.author) == (facts.thread, facts.author):
            return Kin(link.ticket_id, link.key, "the same author in the same thread", True)
        if facts.author_id and link.author_id == facts.author_id:
            return Kin(link.ticket_id, link.key, "the same author", True)
        if facts.parent and link.platform_id == facts.parent:
            return Kin(link.ticket_id, link.key, "an answer to a post of the ticket", True)
    return None


def _repeated(facts: Facts, links: Iterable[AnyRow]) -> Kin | None:
    for link in _others(facts, links):
        if facts.content_hash and link.content_hash == facts.content_hash:
            return Kin(link.ticket_id, link.key, "the same text", False)
    return None


def _sharing(connection: Connection, facts: Facts) -> list[int]:
    """Mentions that share a band, the newest first. By hand, since it is asked for every mention."""
    if not facts.bands:
        return []
    marks = ", ".join("?" * len(facts.bands))
    query = (
        f"SELECT DISTINCT mention_id FROM kin_bands WHERE brand_id = ? AND band IN ({marks}) ORDER BY 1 DESC LIMIT ?"
    )
    text = query if connection.dialect.name == "sqlite" else query.replace("?", "%s")
    rows = connection.exec_driver_sql(text, (facts.brand_id, *facts.bands, _MOST_SHARING))
    return [int(row[0]) for row in rows]


def _alike(connection: Connection, facts: Facts, now: datetime, open_days: float) -> Kin | None:
    shared = _sharing(connection, facts)
    if not shared:
        return None
    links, posts = t.ticket_mentions.c, t.posts.c
    query = (
        sa.select(links.ticket_id, links.author, t.tickets.c.key, posts.folded)
        .select_from(t.ticket_mentions.join(t.tickets).join(t.posts, posts.id == links.post_id))
        .where(links.mention_id.in_(shared), links.mention_id != facts.mention_id, _takes(now, open_days))
        .where(links.brand_id == facts.brand_id)
        .order_by(links.ticket_id.desc(), links.mention_id)
        .limit(_MOST_ALIKE)
    )
    for row in connection.execute(query):
        same_author = bool(facts.author) and row.author == facts.author
        if same_story(facts.words, words_of(row.folded), same_author=same_author):
            return Kin(row.ticket_id, row.key, "almost the same text", False)
    return None
