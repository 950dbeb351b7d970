"""How many mentions each source brought since a moment: one question for all sources."""

from __future__ import annotations

from datetime import timedelta

from store_kit import START, World, post


def test_mentions_are_counted_by_source_and_moment(world: World) -> None:
    world.analysed(3)
    found = world.store.glances.new_mentions(START - timedelta(days=1))
    assert list(found.values()) == [3]
    [name] = found
    other = "b" if name == "a" else "a"
    world.take(world.claim(other)[0], post(1), url="http://a.example/again")
    shown = world.store.glances.new_mentions(START - timedelta(days=1))
    assert (shown[name], shown[other]) == (3, 1), "a post that two sources show counts for both"
    assert world.store.glances.new_mentions(world.clock() + timedelta(seconds=1)) == {}
