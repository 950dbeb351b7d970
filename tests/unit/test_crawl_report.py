"""What `crawl` says at its end of the sources that it left."""

from __future__ import annotations

import pytest

from crawler.app.crawling import Crawled
from crawler.cli.crawl import report


def test_sources_that_were_left_are_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report(Crawled(skipped=[f"feed-{number}" for number in range(7)]), as_json=False)
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "left" in line)
    assert line.startswith("7 sources were left, another process crawls their sites: feed-0, ")
    assert line.endswith("feed-4 and 2 more")


def test_nothing_is_said_where_none_was(capsys: pytest.CaptureFixture[str]) -> None:
    report(Crawled(), as_json=False)
    assert "left" not in capsys.readouterr().err
