"""Fixtures of tests that run the whole product as processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e.helpdesk import Helpdesk
from e2e.life import SECRET, Life

from crawler.cli.town import Town


@pytest.fixture
def town() -> Iterator[Town]:
    """A fresh demo town."""
    with Town() as town:
        yield town


@pytest.fixture
def begin(tmp_path: Path, town: Town) -> Iterator[Callable[..., Life]]:
    """Begins the life of an installation; at the end nothing of it may still run."""
    lives: list[Life] = []

    def make(**options: object) -> Life:
        helpdesk = Helpdesk(tmp_path / "helpdesk", secret=SECRET, seconds=2.5)
        helpdesk.start()
        lives.append(Life(tmp_path / "home", town, helpdesk, **options))  # type: ignore[arg-type]
        return lives[-1]

    yield make
    for life in lives:
        gone = life.none_left()
        life.kill_all()
        life.helpdesk.stop()
        assert gone, "processes were left behind"
