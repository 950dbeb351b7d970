"""The door: new, seen and edited posts, documents, cursors and counters in one transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from store_kit import LONG, START, World, arrival, document, post, source

from crawler.errors import LeaseLost
from crawler.model import Author, PostOutcome, Verdict

NEW, SEEN, EDITED = PostOutcome.NEW, PostOutcome.SEEN, PostOutcome.EDITED


def test_new_then_seen(world: World) -> None:
    world.sync()
    run = world.run()
    assert world.take(run, post(1), post(2)) == {NEW: 2, SEEN: 0, EDITED: 0}
    assert world.take(run, post(2), post(3)) == {NEW: 1, SEEN: 1, EDITED: 0}
    assert world.store.posts.count() == 3


def test_everything_a_post_says_comes_back(world: World) -> None:
    world.sync()
    said = post(
        7,
        "Привіт, де мої гроші?",
        title="Питання",
        platform_id="p-7",
        author=Author("Олена", "@olena", "http://a.example/u/olena", 0),
        published_at=datetime(2026, 11, 20, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=3))),
        parent="p-1",
        thread="t-1",
        rating=0.0,
        engagement={"likes": 0, "replies": 12},
        region="Київ",
        language_hint="uk",
    )
    world.take(world.run(), said)
    (stored,) = world.store.posts.unmatched("q", 10)
    assert stored.post.published_at == said.published_at
    assert stored.post.published_at is not None and stored.post.published_at.tzinfo is UTC
    assert stored.post == replace(said, site="a.example")
    assert (stored.folded, stored.sources, stored.version) == ("питання привіт, де мої гроші?", ("a",), 1)


def test_a_naive_time_is_refused_and_nothing_is_written(world: World) -> None:
    world.sync()
    run = world.run()
    naive = datetime(2026, 11, 20, 12, 0)  # noqa: DTZ001
    with pytest.raises(ValueError, match="no zone"):
        world.take(run, post(1, published_at=naive))
    with pytest.raises(ValueError, match="no zone"):
        world.store.sources.set_next(run.source.id, naive)
    assert world.store.documents.count() == 0


def test_one_post_of_two_sources(world: World) -> None:
    world.sync()
    world.take(world.run("a"), post(1), cursor={"page": 2})
    assert world.take(world.run("b"), post(1)) == {NEW: 0, SEEN: 1, EDITED: 0}
    (stored,) = world.store.posts.unmatched("q", 10)
    assert stored.sources == ("a", "b")


def test_the_same_key_on_two_sites_is_two_posts(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1), key="id:1", site="one.example")
    world.take(run, post(1), key="id:1", site="two.example")
    assert world.store.posts.count() == 2


def test_an_edit_makes_a_version_and_asks_for_a_new_match(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1, "The card was eaten."))
    world.match()
    assert world.take(run, post(1, "The card was eaten. Solved, thanks!")) == {NEW: 0, SEEN: 0, EDITED: 1}
    (waiting,) = world.store.posts.unmatched("q1", 10)
    assert (waiting.version, waiting.matched_with) == (2, None)
    texts = [(number, text) for number, _, text, _ in world.store.posts.versions(waiting.id)]
    assert texts == [(1, "The card was eaten."), (2, "The card was eaten. Solved, thanks!")]


def test_title_and_deletion_make_versions_and_rating_does_not(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1, "text", title="One", rating=1.0, engagement={"likes": 1}))
    assert world.take(run, post(1, "text", title="One", rating=4.0, engagement={"likes": 9}))[SEEN] == 1
    assert world.take(run, post(1, "text", title="Two"))[EDITED] == 1
    assert world.take(run, post(1, "", title="Two", deleted=True))[EDITED] == 1
    stored = world.store.posts.unmatched("q", 10)[0]
    assert (stored.version, stored.post.rating, stored.post.engagement) == (3, 4.0, {"likes": 9})
    assert (stored.post.deleted, stored.post.text) == (True, "text")


def test_what_an_answer_leaves_out_keeps_its_old_value(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1, "text", title="Title", published_at=START, rating=2.0, region="Lviv"))
    bare = post(1, "text, changed", author=Author(), rating=None)
    assert world.take(run, bare)[EDITED] == 1
    stored = world.store.posts.unmatched("q", 10)[0]
    assert (stored.post.title, stored.post.published_at, stored.post.rating) == ("Title", START, 2.0)
    assert (stored.post.author.name, stored.post.region) == ("Author 1", "Lviv")
    assert stored.folded == "title text, changed"


def test_a_later_answer_fills_in_what_was_missing(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1, published_at=None, author=Author()))
    world.take(run, post(1, published_at=START, author=Author("Late")))
    world.take(run, post(1, published_at=START + timedelta(hours=1), author=Author("Later")))
    stored = world.store.posts.unmatched("q", 10)[0].post
    assert (stored.published_at, stored.author.name) == (START, "Late")


def test_a_summary_and_the_full_text_do_not_take_turns(world: World) -> None:
    world.sync()
    feed, page = world.run("a"), world.run("b")
    world.take(feed, post(1, f"{LONG[:40]}…"))
    assert world.take(page, post(1, LONG))[EDITED] == 1
    for _ in range(2):
        assert world.take(feed, post(1, f"{LONG[:40]}…"))[SEEN] == 1
        assert world.take(page, post(1, LONG))[SEEN] == 1
    assert world.store.posts.unmatched("q", 10)[0].post.text == LONG


def test_the_first_view_of_another_source_may_be_an_excerpt(world: World) -> None:
    world.sync()
    world.take(world.run("a"), post(1, LONG))
    run = world.run("b")
    assert world.take(run, post(1, LONG[:40]))[SEEN] == 1
    assert world.take(run, post(1, f"{LONG} And now it has."))[EDITED] == 1


def test_a_text_cut_short_by_its_own_source_is_an_edit(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1, LONG))
    assert world.take(run, post(1, LONG[:40]))[EDITED] == 1


def test_the_same_key_twice_in_one_answer(world: World) -> None:
    world.sync()
    outcome = world.take(world.run(), post(1, "one"), post(1, "one"), post(1, "another"), key="id:1")
    assert outcome == {NEW: 1, SEEN: 1, EDITED: 1}
    assert world.store.posts.unmatched("q", 10)[0].version == 2


def test_a_very_long_key_still_tells_posts_apart(world: World) -> None:
    world.sync()
    run = world.run()
    long = "url:http://a.example/" + "x" * 5000
    assert world.take(run, post(1), key=f"{long}1")[NEW] == 1
    assert world.take(run, post(2), key=f"{long}2")[NEW] == 1
    assert world.take(run, post(1), key=f"{long}1")[SEEN] == 1


def test_the_same_answer_again_adds_no_document(world: World) -> None:
    world.sync()
    run = world.run()
    for _ in range(3):
        world.take(run, post(1), body=b"same")
    world.take(run, post(1), body=b"same", url="http://a.example/other")
    counts = world.store.counts.ledger()
    assert (counts.documents, counts.document_times, counts.bodies) == (2, 4, 1)


def test_documents_come_back_byte_for_byte(world: World) -> None:
    world.sync()
    run = world.run()
    bodies = [b"", "кирилиця".encode("cp1251"), bytes(range(256)) * 500]
    for body in bodies:
        world.take(run, body=body)
    assert [it.body for it in world.store.documents.of("a", None)] == bodies
    assert list(world.store.documents.of("b", None)) == []
    later = list(world.store.documents.of(None, world.clock.at))
    assert [it.body for it in later] == bodies[2:]
    assert later[0].headers == {"content-type": "text/html"}


def test_cursor_and_validators_move_with_the_posts(world: World) -> None:
    world.sync()
    run = world.run()
    marks = {
        "etag": '"abc"',
        "last_modified": "Sun, 22 Nov 2026 12:00:00 GMT",
        "with": "1f2e",
        "asked": "http://a.example",
    }
    world.store.intake.take(run, document(b"1"), [arrival(post(1))], {"page": 3}, marks)
    again = world.store.runs.get(run.id)
    assert (again.source.cursor, again.source.validators) == ({"page": 3}, {"http://a.example/": marks})
    world.store.intake.take(run, document(b"2"), [], None, None)
    again = world.store.runs.get(run.id)
    assert (again.source.cursor, again.source.validators) == ({"page": 3}, {})


def test_counters_of_a_run(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1), post(2))
    world.take(run, post(1, "edited"), post(2))
    world.store.intake.note(run, fetched=2, dropped=1, unchanged=1)
    result = world.store.runs.finish(run, Verdict.OK, None, 2.5, None)
    assert (result.fetched, result.posts_new, result.posts_seen, result.posts_edited, result.dropped) == (4, 2, 1, 1, 1)
    assert (result.verdict, result.seconds, result.source) == (Verdict.OK, 2.5, "a")
    assert world.store.runs.result(run.id) == result


def test_late_writes_of_a_lost_lease_are_refused(world: World) -> None:
    world.sync()
    late = world.run()
    world.take(late, post(1))
    world.clock.tick(61)
    (lost,) = world.store.runs.abandoned(world.clock())
    assert lost.id == late.id
    (taker,) = world.claim("a", owner="other")
    assert taker.epoch == late.epoch + 1
    before = world.store.counts.ledger()
    with pytest.raises(LeaseLost):
        world.take(late, post(2), post(1, "changed"), cursor={"page": 9})
    with pytest.raises(LeaseLost):
        world.store.intake.note(late, fetched=1)
    with pytest.raises(LeaseLost):
        world.store.runs.finish(late, Verdict.OK, None, 1.0, None)
    assert world.store.counts.ledger() == before
    assert world.take(taker, post(2))[NEW] == 1


def test_a_run_that_only_expired_may_still_write(world: World) -> None:
    world.sync()
    run = world.run()
    world.clock.tick(3600)
    assert world.take(run, post(1))[NEW] == 1


def test_text_that_databases_dislike(world: World) -> None:
    world.sync()
    odd = post(1, "''\"; -- 100% ? %s {} \\ 🙂 \u202e", title="%(x)s", engagement={"лайки": 1})
    world.take(world.run(), odd)
    stored = world.store.posts.unmatched("q", 1)[0].post
    assert (stored.text, stored.title, stored.engagement) == (odd.text, odd.title, odd.engagement)


def test_posts_can_be_rebuilt_with_their_ids(world: World) -> None:
    world.sync(source("a"), source("b"))
    a, b = world.run("a"), world.run("b")
    world.take(a, post(1, "one"), post(2, "two"))
    world.take(b, post(2, "two"), post(3, "three"))
    world.take(a, post(1, "one, edited"))
    before = list(world.store.posts.iterate())
    versions = [world.store.posts.versions(it.id) for it in before]
    wipe(world)
    assert world.store.posts.count() == 0
    assert redo(world) == {NEW: 0, SEEN: 5, EDITED: 0}
    assert list(world.store.posts.iterate()) == before
    assert [world.store.posts.versions(it.id) for it in before] == versions
    assert redo(world) == {NEW: 0, SEEN: 5, EDITED: 0}


def test_a_better_parser_corrects_the_newest_text_only(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1, "old text"))
    world.take(run, post(1, "new text"))
    redone = world.store.runs.begin_redo("me", "a")
    documents = list(world.store.documents.of("a", None))
    outcomes = [
        world.store.intake.take(redone, it, [arrival(post(1, text))], None, None)
        for it, text in zip(documents, ("old text!", "new text!"), strict=True)
    ]
    assert [it[EDITED] for it in outcomes] == [0, 1]
    assert world.store.posts.unmatched("q", 1)[0].post.text == "new text!"


def test_a_new_redo_takes_over_from_one_that_never_ended(world: World) -> None:
    world.sync()
    world.take(world.run(), post(1))
    (stored,) = world.store.documents.of("a", None)
    late = world.store.runs.begin_redo("me", "a")
    world.clock.tick()
    fresh = world.store.runs.begin_redo("other", "a")
    with pytest.raises(LeaseLost):
        world.store.intake.retake(late, stored, [arrival(post(1))])
    assert world.store.intake.retake(fresh, stored, [arrival(post(1))])[SEEN] == 1


def test_a_deleted_post_that_a_site_shows_again_keeps_its_id(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1), post(2))
    ids = {it.key: it.id for it in world.store.posts.iterate()}
    wipe(world)
    assert world.take(run, post(2), post(3), post(1)) == {NEW: 1, SEEN: 2, EDITED: 0}
    assert {it.key: it.id for it in world.store.posts.iterate()}.items() > ids.items()


def wipe(world: World) -> None:
    """Delete every post and what hangs on it, behind the product's back."""
    with world.store._db.write() as connection:
        connection.exec_driver_sql("DELETE FROM posts")


def redo(world: World) -> dict[PostOutcome, int]:
    """Read every document again with a parser that finds what was found."""
    total = {NEW: 0, SEEN: 0, EDITED: 0}
    shown = {
        b"body 1": ((1, "one"), (2, "two")),
        b"body 2": ((2, "two"), (3, "three")),
        b"body 3": ((1, "one, edited"),),
    }
    for it in world.store.documents.of(None, None):
        name = "b" if it.body == b"body 2" else "a"
        run = world.store.runs.begin_redo("me", name)
        rows = [arrival(post(number, text)) for number, text in shown[it.body]]
        for outcome, count in world.store.intake.retake(run, it, rows).items():
            total[outcome] += count
        world.store.runs.finish(run, Verdict.OK, None, 0.1, None)
        world.clock.tick()
    return total
