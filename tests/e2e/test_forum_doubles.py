"""Kind `forum` in real Scrapy against doubles of seven programs: nothing lost, nothing doubled, no limit broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forum_double import SHAPES, ForumDouble
from rough_site import RoughSite, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PLUGINS = str(Path(__file__).with_name("hasty"))


@pytest.fixture
def site() -> Iterator[RoughSite]:
    made = RoughSite()
    yield made
    made.close()


def board(site: RoughSite, program: str, **given: Any) -> ForumDouble:
    """A forum with a thread on top that nothing moves, short and long threads, a full page, and one that is shut."""
    double = ForumDouble(site, SHAPES[program], **given)
    for thread, posts in ((1, 2), (2, 12), (3, 5), (4, 1), (5, 2), (6, 3)):
        double.say(thread, posts, quoting=thread == 2)
    double.threads[1].sticky = double.threads[5].shut = True
    for post in double.threads[2].posts if double.shape.by_votes else ():
        post.score = post.id * 7 % 5
    return double


def job(site: RoughSite, double: ForumDouble, kind: str = "forum", **settings: Any) -> dict[str, Any]:
    return {"kind": kind, "settings": {"url": f"{site.url}{double.shape.board(1)}", **settings}}


def tick(site: RoughSite, name: str) -> dict[str, Any]:
    return {"kind": "page", "name": "other", "settings": {"url": f"{site.url}/tick-{name}", "item": "nothing"}}


@pytest.mark.parametrize("program", sorted(SHAPES))
def test_a_forum_lives_on_and_nothing_is_lost(site: RoughSite, program: str) -> None:
    """Read whole; nothing new; late, edited, deleted posts and a page boundary; then more than a page of threads."""
    double = board(site, program, every=7)
    [first_of_2, *_] = [post.id for post in double.threads[2].posts]
    edited, gone, last = double.threads[2].posts[11], double.threads[2].posts[7], double.threads[6].posts[2]

    def edit() -> None:
        edited.text += " said anew"
        gone.gone = last.gone = True

    double.do(
        "life",
        edit,
        lambda: double.say(2, late=double.threads[2].posts[9].id),
        lambda: double.say(2, 2),
        lambda: double.say(3, 2),
        lambda: double.say(7, 6),
    )
    double.do("burst", *(lambda n=n: double.say(n, 1) for n in (4, 3, 2, 6, 7, 8, 9, 10, 11)))
    one = job(site, double)
    first, again, _, lived, _, burst, quiet = run(
        one, one, tick(site, "life"), one, tick(site, "burst"), one, one, seconds=240
    )
    assert (first["verdict"], again["new"], quiet["new"]) == ("ok", 0, 0), first["error"]
    assert len(again["documents"]) <= 2, again["documents"]
    assert any(text.endswith("said anew") for text in lived["texts"])
    assert not [text for text in burst["texts"] if "old words" in text]
    taken = {f"post-{gone.id}", f"post-{last.id}"}
    assert set(burst["ids"]) == double.alive() | taken
    assert set(lived["deleted"]) <= {f"post-{gone.id}"}
    least = {f"post-{last.id}"} if double.shape.by_votes else taken
    assert least <= set(burst["deleted"]) <= taken
    assert (double.breaches, double.refused > 0) == (0, True)
    assert f"post-{first_of_2}" in first["ids"]


@pytest.mark.parametrize(("kind", "finds"), [("forum", True), ("forum_hasty", False)])
def test_a_post_that_waited_for_a_moderator_is_found(site: RoughSite, kind: str, finds: bool) -> None:
    """It stands a page before the last one, among posts that are known: a build that stops at these must fail."""
    double = board(site, "xenforo")
    late = double.threads[2].posts[6].id
    double.do("life", lambda: double.say(2, late=late), lambda: double.say(2))
    one = {**job(site, double, kind), "plugins": PLUGINS}
    _, _, lived = run(one, tick(site, "life"), one, seconds=120)
    assert (set(lived["ids"]) == double.alive()) == finds


def test_a_thread_of_many_pages_is_gone_on_with_where_a_run_had_to_stop(site: RoughSite) -> None:
    """Six pages a run: each reads what is new first, then on from where the last one stopped."""
    double = ForumDouble(site, SHAPES["phpbb"])
    double.say(1, 63)
    double.do("more", lambda: double.say(1, 3))
    one = job(site, double, pages=6)
    first, _, *later, quiet = run(one, tick(site, "more"), one, one, one, one, one, one, seconds=200)
    assert len(first["ids"]) < 30
    assert set(later[-1]["ids"]) == double.alive(), [len(run_["ids"]) for run_ in later]
    assert (quiet["new"], quiet["documents"]) == (0, [f"{site.url}/viewforum.php?f=5"])


def test_a_thread_that_is_gone_before_it_was_read_is_owed_no_more(site: RoughSite) -> None:
    """It is no word of the forum; what asks for a log-in by then waits behind what can be read."""
    double = ForumDouble(site, SHAPES["phpbb"])
    double.say(1, 33)
    double.say(2, 33)
    double.say(3, 1)

    def lose() -> None:
        del double.threads[1]
        double.threads[2].shut = True

    double.do("lose", lose, lambda: double.say(3, 1))
    double.do("more", lambda: double.say(3, 1))
    one = job(site, double, pages=8)
    first, _, lost, _, after = run(one, tick(site, "lose"), one, tick(site, "more"), one, seconds=200)
    assert len(first["cursor"]["_rest"]) == 2
    assert lost["verdict"] == after["verdict"] == "ok", (lost["error"], after["error"])
    [left] = after["cursor"]["_rest"]
    assert "t=2" in left


def test_a_thread_that_asks_for_a_log_in_is_asked_once(site: RoughSite) -> None:
    """Also where nothing else is new, and by the word of another run."""
    double = ForumDouble(site, SHAPES["xenforo"])
    double.say(1, 1)
    double.do("shut", lambda: double.say(2, 1), lambda: setattr(double.threads[2], "shut", True))
    one = job(site, double)
    _, _, shut, again = run(one, tick(site, "shut"), one, one, seconds=120)
    assert (shut["verdict"], again["verdict"]) == ("blocked", "ok"), again["error"]
