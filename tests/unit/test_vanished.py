"""What a page proves of posts that stand on it no more, and how far a thread is read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crawler.model import Post
from spiders.forum_walk import ThreadWalk, stamp_of
from spiders.vanished import gone, in_order, learned

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def page(*numbers: int, begins: bool = True, known: dict[str, str] | None = None) -> dict[str, str]:
    return learned(known or {}, "t", numbers, begins=begins)


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ([1, 2, 4, 5], [3]),
        ([1, 2, 4, 5, 6], [3]),
        ([1, 2, 3, 4], []),
        ([2, 3, 4, 5], []),
        ([1, 2, 5], []),
        ([2, 1, 4, 5], []),
        ([1, 2, 3, 4, 6], []),
        ([7, 8, 9], []),
        ([1, 5], []),
    ],
)
def test_only_what_is_missing_between_its_neighbours_was_taken_down(shown: list[int], missing: list[int]) -> None:
    assert gone(page(1, 2, 3, 4, 5)["t"], shown) == missing


def test_at_the_end_of_a_thread_what_is_younger_proves_it_too() -> None:
    known = page(1, 2, 3, 4, 5)["t"]
    assert gone(known, [1, 2, 3, 4, 6], ends=True) == [5]
    assert gone(known, [1, 2, 3, 4], ends=True) == [], "a cache that is behind shows the same"


def test_what_moved_to_another_page_is_not_gone() -> None:
    """A late post pushes the last one of a page over its edge; the later page is read first."""
    known = page(6, 7, 8, 9, 10, begins=False, known=page(1, 2, 3, 4, 5))
    known = page(5, 6, 7, 8, 9, begins=False, known=known)
    assert gone(known["t"], [1, 2, 99, 3, 4]) == []
    assert gone(known["t"], [5, 6, 8, 9]) == [7]


def test_what_moved_to_another_thread_is_not_gone() -> None:
    known = learned(page(1, 2, 3, 4, 5), "other", [3, 20, 21])
    assert gone(known["t"], [1, 2, 4, 5]) == []


def test_a_first_post_that_stands_on_every_page_proves_nothing() -> None:
    known = page(1, 6, 7, 8, 9, begins=False, known=page(1, 2, 3, 4, 5))
    assert gone(known["t"], [1, 7, 8, 9, 10]) == [], "6 moved to the page before"


def test_a_first_post_on_the_last_page_of_a_thread_that_grew_proves_nothing() -> None:
    """All of a short thread was known; it grew by pages, and each of them shows its first post."""
    known = page(1, 2, 3, 4, 5)["t"]
    assert gone(known, [1, *range(31, 50)], ends=True, begins=False) == []
    assert gone(known, [1, *range(4, 24)], ends=True, begins=False) == []
    assert gone(known, [1, 2, 4, 5, 6], begins=False) == [3]


def test_what_is_missing_at_the_end_is_remembered_until_it_is_proved() -> None:
    known = page(1, 2, 3, known=page(1, 2, 3, 4))
    assert gone(known["t"], [1, 2, 3, 9], ends=True) == [4]
    told = learned(known, "t", [1, 2, 3, 9], gone=[4])
    assert gone(told["t"], [1, 2, 3, 9, 10], ends=True) == []


def test_memory_is_bounded() -> None:
    known: dict[str, str] = {}
    for thread in range(200):
        known = learned(known, f"t{thread}", range(1000 * thread, 1000 * thread + 500))
    assert len(known) <= 60
    assert max(len(said.split()) for said in known.values()) <= 60


def test_votes_prove_nothing() -> None:
    made = [Post("x", published_at=NOW - timedelta(hours=hours)) for hours in (3, 1, 2)]
    assert not in_order(made)
    assert in_order(sorted(made, key=lambda post: str(post.published_at)))


def posts(*hours: float) -> list[Post]:
    return [Post("x", platform_id=str(h), published_at=NOW - timedelta(hours=h)) for h in hours]


def walk(until: float | None = None, **more: object) -> ThreadWalk:
    since = None if until is None else NOW - timedelta(hours=until)
    return ThreadWalk(40, order="newest", until=since, overlap=24 * 3600.0, **more)  # type: ignore[arg-type]


def test_a_first_walk_goes_to_the_beginning() -> None:
    read = walk()
    assert read.page("p3", posts(1, 2), True) == {"open": True}
    assert not read.stops(posts(1, 2), 2)
    assert read.page("p1", posts(50, 51), False) == {}
    assert read.done and read.newest == NOW - timedelta(hours=1)


def test_a_later_walk_ends_behind_the_overlap() -> None:
    read = walk(until=10)
    assert read.page("p9", posts(1, 11, 12), True) and not read.stops(posts(1, 11, 12), 1)
    assert read.page("p8", posts(20, 30), True) and not read.stops(posts(20, 30), 0), "late posts may stand here"
    assert read.page("p7", posts(40, 50), True) == {} and read.stops(posts(40, 50), 0)


def test_a_thread_that_moved_for_nothing_is_looked_through_a_while() -> None:
    read = walk(until=10)
    stopped = []
    for hours in (40, 60, 80, 100):
        read.page("p", posts(hours, hours + 1), True)
        stopped.append(read.stops(posts(hours, hours + 1), 0))
    assert stopped == [False, False, True, True]


def test_votes_and_merged_threads_are_read_whole() -> None:
    read = walk(until=1)
    read.page("p9", posts(50, 40), True)
    assert not read.stops(posts(50, 40), 0)
    assert read.page("p8", posts(60, 70), True) == {"open": True}


def test_a_walk_that_may_ask_no_more_says_so() -> None:
    read = walk(full=True)
    assert read.page("p9", posts(1, 2), True) == {}
    assert read.cut and not read.done


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Replies: 5\nViews: 9", "Replies: 5\nViews: 1,203"),
        ("5 replies\n17 views", "5 replies\n1.2K views"),
        ("Ответов: 5\nПросмотров: 17", "Ответов: 5\nПросмотров: 29"),
        ("Відповідей: 5\nПереглядів: 17", "Відповідей: 5\nПереглядів: 29"),
        ("5 Antworten 17 Aufrufe", "5 Antworten 99 Aufrufe"),
    ],
)
def test_a_look_at_a_thread_moves_it_not(before: str, after: str) -> None:
    assert stamp_of([before]) == stamp_of([after])
    assert stamp_of([before]) != stamp_of([before.replace("5", "6")])
