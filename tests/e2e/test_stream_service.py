"""A stream in the whole product: `preview`, `crawl`, and the service that reads it, tells of it and lets it go."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e.installation import Installation, Service, until
from e2e.stream_double import Jetstream, jetstream

pytestmark = pytest.mark.e2e


@contextmanager
def speaking(server: Jetstream) -> Iterator[None]:
    """Somebody says something every quarter of a second, and names the brand each time."""
    silent = threading.Event()

    def speak() -> None:
        number = 0
        while not silent.wait(0.25):
            number += 1
            server.publish(f"s{threading.get_ident()}-{number}", f"Nova Pay lost my transfer, call number {number}")

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        silent.set()
        thread.join()


def sky(server: Jetstream) -> str:
    return f"  - {{name: sky, kind: jetstream, base_url: '{server.url}', listen_for: 4s, silence: 20s}}\n"


def test_a_look_and_a_crawl_listen_for_a_while(tmp_path: Path) -> None:
    with jetstream() as server:
        place = Installation(tmp_path)
        place.configure(sky(server))
        with speaking(server):
            rows = place.json("preview", "sky")
            assert rows[-1]["summary"] and rows[-1]["verdict"] == "ok"
            assert any("Nova Pay" in row["mentions"][0] for row in rows[:-1] if row["mentions"])
            assert not (tmp_path / "data" / "mentions.db").exists() or not place.json("mentions", "list")
            (source, summary) = place.json("crawl")
        assert (source["source"], source["verdict"]) == ("sky", "ok")
        assert source["posts_new"] == source["mentions_new"] >= 1 and summary["tickets_new"] >= 1
        # What is said between two crawls is told by the second.
        server.publish("between", "Nova Pay does it again")
        place.run("crawl")
        found = place.json("mentions", "list", "--search", "again")
        assert [mention["source"] for mention in found] == ["sky"]
        assert len({event["commit"]["rkey"] for event in server.events}) >= len(place.json("mentions", "list"))


def test_the_service_reads_tells_and_lets_go(tmp_path: Path) -> None:
    with jetstream() as server:
        place = Installation(tmp_path)
        place.configure("")
        service = Service(place)
        # Commands of an installation end what else runs of it: these have a mark of their own.
        asking = Installation(tmp_path, port=place.port)

        def row() -> dict[str, Any]:
            return next((row for row in asking.json("sources", "list") if row["name"] == "sky"), {})

        def ask(query: str) -> Any:
            with closing(sqlite3.connect(tmp_path / "data" / "mentions.db", timeout=20)) as base:
                return base.execute(query).fetchone()[0]

        try:
            until(lambda: service.get("/healthz")[0] == 200, 120, "the service answers")
            place.configure(sky(server))
            until(lambda: server.open == 1, 120, "a connection")
            server.publish("k1", "Nova Pay lost my transfer")
            until(lambda: ask("SELECT count(*) FROM tickets") == 1, 90, "a ticket")
            assert row()["state"].startswith("live, ")
            server.faults.refuse = 503
            server.drop()
            cut_off = "SELECT count(*) FROM alerts WHERE resolved_at IS NULL AND cause LIKE '%cut off%503%'"
            until(lambda: ask(cut_off) == 1, 90, "an alert")
            server.faults.refuse = 0
            server.publish("k2", "Nova Pay again")
            until(lambda: ask("SELECT count(*) FROM mentions") == 2, 120, "what was said meanwhile")
            until(lambda: ask(cut_off) == 0, 90, "the end of the alert")
            place.configure("")
            until(lambda: server.open == 0, 60, "its end, with the source")
            assert service.stop() == 0
        finally:
            service.kill()
