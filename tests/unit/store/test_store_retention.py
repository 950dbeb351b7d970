"""Retention: what is old and settled goes, what anybody still needs stays, and the books balance over it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from store_kit import World, arrival, opens, post, source

from crawler.model import Decision, MentionStatus, PostOutcome
from crawler.store import Expired

YEAR = timedelta(days=365)


def _ignore(world: World, *ids: int) -> None:
    world.store.tickets.decide([Decision(it, MentionStatus.IGNORED, "no rule", "none") for it in ids], 1)


def test_old_posts_go_with_all_that_hangs_on_them(world: World) -> None:
    ids = world.analysed(3)
    _ignore(world, *ids)
    world.clock.at += YEAR
    world.take(world.claim("b")[0], post(9), url="http://a.example/later")
    gone = world.store.retention.posts(world.clock() - YEAR / 2)
    assert (gone.posts, gone.mentions, gone.analyses) == (3, 3, 3)
    assert world.store.posts.count() == 1 and world.store.mentions.list() == []
    assert world.store.counts.ledger().expired.posts == 3
    left = [world.store.events.of("mention", number) for number in ids]
    assert [[(it.before, it.after, it.note) for it in history] for history in left] == [
        [(None, "expired", "was ignored")]
    ] * 3, "history goes with what it tells of, and the books balance over it"


def test_an_edited_post_is_as_young_as_its_edit(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1), post(2))
    world.clock.at += YEAR / 2
    world.take(run, post(1, "said anew"), url="http://a.example/2")
    world.clock.at += YEAR / 2
    world.match()
    world.analyse()
    _ignore(world, *(it.id for it in world.store.mentions.untriaged(500)))
    gone = world.store.retention.posts(world.clock() - YEAR * 0.75)
    assert (gone.posts, gone.edits, gone.versions) == (1, 0, 0)
    world.clock.at += YEAR
    gone = world.store.retention.posts(world.clock() - YEAR)
    assert (gone.posts, gone.edits, gone.versions) == (1, 1, 1)


@pytest.mark.parametrize("status", [MentionStatus.TICKETED, MentionStatus.REVIEW, MentionStatus.ANALYSED])
def test_what_a_ticket_or_a_person_needs_stays(world: World, status: MentionStatus) -> None:
    (mention,) = world.analysed(1)
    if status is MentionStatus.TICKETED:
        world.store.tickets.decide([opens(mention, "k1")], 1)
    elif status is MentionStatus.REVIEW:
        world.store.tickets.decide([Decision(mention, status, "unsure", "rule")], 1)
    world.clock.at += 5 * YEAR
    assert world.store.retention.posts(world.clock()) == Expired()
    assert world.store.posts.count() == 1


def test_a_post_that_went_is_not_new_when_its_site_shows_it_again(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1))
    world.clock.at += YEAR
    world.store.retention.posts(world.clock())
    assert world.take(run, post(1, "and edited"), post(2))[PostOutcome.SEEN] == 1
    assert world.store.posts.count() == 1
    redo = world.store.runs.begin_redo("me", run.source.name)
    kept = next(world.store.documents.of(None, None))
    assert world.store.intake.retake(redo, kept, [arrival(post(1))])[PostOutcome.SEEN] == 1
    assert world.store.posts.count() == 1


def test_answers_go_unless_their_address_gives_them_still(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1), url="http://a.example/1")
    world.take(run, post(1), url="http://a.example/2", body=b"the same for years")
    world.clock.at += YEAR
    world.take(run, post(1), url="http://a.example/2", body=b"the same for years")
    gone = world.store.retention.documents(world.clock() - YEAR / 2)
    assert (gone.documents, gone.document_times, gone.document_posts) == (1, 1, 1)
    assert [it.body for it in world.store.documents.of(None, None)] == [b"the same for years"]
    world.take(run, post(1), url="http://a.example/1", body=b"body 1")
    assert world.store.documents.count() == 2


def test_a_stream_leaves_only_what_names_a_brand(world: World) -> None:
    world.sync(source("stream"), source("b"))
    run, other = world.run("stream"), world.run("b")
    world.take(run, post(1))
    world.match()
    world.take(run, post(2), post(3), post(4))
    world.take(other, post(3))
    posts = world.store.posts.unmatched("q1", 10)
    world.store.mentions.record("q1", [(it, {}) for it in posts[:2]], 1)
    world.clock.at += timedelta(days=2)
    gone = world.store.retention.unmatched(world.clock(), [run.source.id])
    assert gone.posts == 1
    assert sorted(it.post.url or "" for it in world.store.posts.unmatched("other", 10)) == [
        f"http://a.example/{number}" for number in (1, 3, 4)
    ]


def test_a_long_past_goes_in_batches(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, *(post(number) for number in range(600)))
    world.clock.at += YEAR
    told: list[int] = []
    assert world.store.retention.posts(world.clock(), told.append).posts == 600
    assert len(told) == 3 and sum(told) == 600


def test_what_went_uncounted_is_a_gap(world: World) -> None:
    world.sync()
    run = world.run()
    world.take(run, post(1), post(2))
    world.clock.at += YEAR
    world.store.retention.posts(world.clock())
    with world.store._db.write() as connection:
        connection.exec_driver_sql("UPDATE expired SET posts = posts - 1")
    assert any(gap.startswith("posts: ") for gap in world.gaps())
    with world.store._db.write() as connection:
        connection.exec_driver_sql("UPDATE expired SET posts = posts + 1")
