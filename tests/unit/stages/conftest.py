"""The world of the stages; its books must balance after every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage_kit import World


@pytest.fixture
def world(sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    """A fresh world; its books must balance at the end."""
    path = tmp_path / "stages.db"
    shutil.copyfile(sqlite_template, path)
    world = World(f"sqlite:///{path}")
    yield world
    assert world.gaps() == ()
    world.store.close()
