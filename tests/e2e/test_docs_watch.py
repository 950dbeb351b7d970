"""docs/watch.md: its commands run, and every option it names is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from e2e.installation import Installation
from e2e.test_docs import DOCS, blocks

pytestmark = pytest.mark.e2e
PAGE = DOCS / "watch.md"


def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure("")
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    for line in lines:
        command, *arguments = shlex.split(line)
        assert command == "mention-crawler"
        place.run(*arguments)
    assert len(lines) >= 5


def test_the_options_of_the_page_exist(tmp_path: Path) -> None:
    place = Installation(tmp_path, {"COLUMNS": "200"})
    told = "".join(place.run(*words, "--help").out for words in (["watch"], ["discover"], ["sources", "import"]))
    named = set(re.findall(r"`(--[a-z-]+)", PAGE.read_text(encoding="utf-8"))) - {"--online"}
    assert {option for option in named if option not in told} == set()
    assert len(named) >= 8
