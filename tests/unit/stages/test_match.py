"""The stage `match`: from stored posts to mentions and marks, whatever a query asks of a post."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stage_kit import World

from crawler.matching import Matcher
from crawler.model import Author, Brand, Entity, EntityKind
from crawler.stages import match
from crawler.store import SourceRow

NOVA = Entity(EntityKind.BRAND, "Nova")


def watch(world: World, query: str | None, version: str = "v2", **more: Any) -> Matcher:
    """Put a brand with this query in force."""
    brand = Brand("Nova", (NOVA,), query=query, version=version, **more)
    world.store.config.sync(version, "", [brand], [SourceRow("src", "feed", {}, domain="d")])
    return Matcher(world.store.config.brands())


def texts(world: World) -> list[str]:
    return sorted(m.post.post.text for m in world.store.mentions.list() if m.reason != "no longer matches")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (None, ["Nova один", "Nova два"]),
        ("NAMES AND title:скарга", ["Nova один"]),
        ("NAMES AND text:скарга", []),
        ("NAMES AND author:оля", ["Nova один"]),
        ("NAMES AND author:@olya", ["Nova один"]),
        ("NAMES NOT url:/two/", ["Nova один"]),
        ("NAMES AND site:site.example", ["Nova один", "Nova два"]),
        ("NAMES AND kind:feed", ["Nova один", "Nova два"]),
        ("NAMES AND kind:page", []),
        ("NAMES AND lang:de", ["Nova два"]),
    ],
)
def test_a_query_reads_what_is_stored(world: World, query: str | None, found: list[str]) -> None:
    one = world.post("один", 1, title="Скарга", url="https://site.example/one/1")
    two = world.post("два", 2, url="https://site.example/two/2", language_hint="de")
    by = Author("Оля Кіт", "@olya")
    world.shows(replace(one, author=by), replace(two, author=Author("Petro")))
    assert match.run(world.store, watch(world, query)) == len(found)
    assert texts(world) == sorted(found)


def test_every_post_is_marked_and_none_is_read_twice(world: World) -> None:
    world.shows(*(world.post(f"номер {n}" if n % 7 else "x", n) for n in range(1, 60)))
    made, seen = watch(world, "NAMES AND номер"), list[int]()
    assert match.run(world.store, made, seen.append) == 51
    assert seen == [59] and world.store.past.waiting(made.version) == []
    assert match.run(world.store, made) == 0
    assert world.gaps() == ()


def test_a_changed_query_takes_mentions_away_and_brings_them_back(world: World) -> None:
    world.shows(world.post("один", 1), world.post("два", 2))
    match.run(world.store, watch(world, None, "v2"))
    match.run(world.store, watch(world, "NAMES AND один", "v3"))
    assert texts(world) == ["Nova один"]
    match.run(world.store, watch(world, None, "v4"))
    assert texts(world) == ["Nova два", "Nova один"]
    assert world.gaps() == ()


def test_a_post_that_was_edited_since_it_was_read_keeps_waiting(world: World) -> None:
    world.shows(*(world.post(f"номер {n}", n) for n in range(1, 6)))
    made = watch(world, None)
    read = world.store.past.waiting(made.version)
    world.shows(world.post("інакше", 3))
    world.store.past.mark(read, made.version)
    assert [post.folded for post in world.store.past.waiting(made.version)] == ["nova інакше"]


def test_marks_never_cover_a_post_that_was_not_read(world: World) -> None:
    world.shows(*(world.post(f"номер {n}", n) for n in range(1, 8)))
    made = watch(world, None)
    read = [post for post in world.store.past.waiting(made.version) if post.id not in (3, 4, 7)]
    world.store.past.mark(read, made.version)
    assert [post.id for post in world.store.past.waiting(made.version)] == [3, 4, 7]


def test_the_past_comes_whole_and_in_order_however_long_the_texts(world: World) -> None:
    world.shows(*(world.post("слово " * (2000 if n % 3 else 1) + str(n), n) for n in range(1, 41)))
    for page in (1, 7, 1000):
        pages = list(world.store.past.pages(page=page))
        assert [post.id for some in pages for post in some] == list(range(1, 41))
        assert all(0 < len(some) <= page for some in pages)


def test_hits_keep_why_they_count(world: World) -> None:
    world.shows(world.post("картка зникла", 1))
    match.run(world.store, watch(world, "картка NEAR/3 зник*"))
    [mention] = world.store.mentions.list()
    assert [(hit.entity, hit.form, hit.why) for hit in mention.hits] == [
        ("Nova", "Nova", "name"),
        ("картка", "картка", "query"),
        ("зник*", "зникла", "query"),
    ]
    assert mention.query_version == "v2"
