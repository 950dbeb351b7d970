"""A world on each database; its books are balanced after every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from store_kit import Clock, World

from crawler.store import Store


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    """A store whose clock stands still."""
    clock = Clock()
    with Store.open(store_url, durable=False, now=clock) as store:
        world = World(store, clock)
        yield world
        assert world.gaps() == ()
