"""The world of the stages; its books must balance after every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from emptied import emptied
from stage_kit import World

from crawler.store import Store


@pytest.fixture(scope="session")
def open_store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One open store for all tests of the stages."""
    path = tmp_path_factory.mktemp("stages") / "stages.db"
    shutil.copyfile(sqlite_template, path)
    with Store.open(f"sqlite:///{path}", durable=False, now=World.clock) as store:
        yield store


@pytest.fixture
def world(open_store: Store) -> Iterator[World]:
    """A fresh world; its books must balance at the end."""
    world = World(open_store)
    yield world
    gaps = world.gaps()
    emptied(open_store)
    assert gaps == ()
