"""What the docs of the sinks say is run: the preset of the walk, the block of the rest page, the generated page."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from e2e.installation import Installation
from e2e.site import Entry, Site

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.e2e


def blocks(page: str, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")) if kind == language]


class Desk(BaseHTTPRequestHandler):
    """Both helpdesks of the pages: JSON tickets with an external id, comments, a status."""

    tickets: list[dict[str, Any]]
    tokens: set[str]

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        path = urlsplit(self.path).path
        if found := re.fullmatch(r"/api/tickets/(\d+)", path):
            self.say(200, self.tickets[int(found[1]) - 1])
            return
        key = query.get("ref") or query.get("external_id")
        hits = [one for one in self.tickets if key in (one.get("ref"), one.get("external_id"))]
        self.say(200, {"results": hits, "papers": hits})

    def do_POST(self) -> None:
        type(self).tokens.add(self.headers.get("Authorization", ""))
        data = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = urlsplit(self.path).path
        if found := re.fullmatch(r"/api/\w+/(\d+)(/\w+)?", path):
            ticket = self.tickets[int(found[1]) - 1]
            ticket.update({} if found[2] else data)
            ticket["said"] += [data["text"]] if found[2] else []
            self.say(200, ticket)
            return
        made = {**data, "id": len(self.tickets) + 1, "said": [], "status": "new"}
        self.tickets.append(made)
        self.say(201, {**made, "paper": made})

    do_PATCH = do_POST

    def say(self, status: int, data: Mapping[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def url() -> Iterator[str]:
    Desk.tickets, Desk.tokens = [], set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_preset_of_the_walk_takes_tickets_once(tmp_path: Path, url: str) -> None:
    preset, sinks = blocks("add-a-sink.md", "yaml")
    home = Installation(tmp_path, {"PAPER_TOKEN": "t0ken-of-paper"})
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "paper_desk.yaml").write_text(preset, encoding="utf-8")
    site = Site(feeds={"/feed": [Entry("1", "Nova Pay зняла гроші двічі")]})
    try:
        rule = "tickets: {when: [negative, neutral, positive], sure_at_least: 0.5, send_to: [papers]}"
        source = f"  - {{name: news, kind: feed, url: '{site.url}/feed'}}"
        home.configure(source, rest=sinks.replace("https://papers.example", url), tickets=rule)
        home.run("check")
        for _ in range(2):
            home.run("crawl")
        told = home.run("sinks", "test", "papers").out
    finally:
        site.close()
    assert [one["shelf"] for one in Desk.tickets] == ["inbox", "inbox"]
    assert "зняла гроші двічі" in Desk.tickets[0]["title"]
    assert f"created 2 {url}/papers/2" in told
    assert "found again by key: 2" in told
    assert Desk.tokens == {"Bearer t0ken-of-paper"}
    kinds = {row["kind"]: row for row in home.json("sinks", "kinds")}
    assert kinds["paper_desk"]["about"] == "Tickets in Paper Desk"
    assert "t0ken" not in (tmp_path / "data").joinpath("mentions.db").read_bytes().decode("utf-8", "ignore")


def test_the_block_of_the_rest_page_works(tmp_path: Path, url: str) -> None:
    block = blocks("rest.md", "yaml")[0].replace("https://desk.example", url)
    home = Installation(tmp_path, {"DESK_TOKEN": "t0ken"})
    home.configure("", rest=block, tickets="tickets: {send_to: [any-desk]}")
    home.run("check")
    told = home.run("sinks", "test", "any-desk").out
    [ticket] = Desk.tickets
    assert (ticket["priority"], ticket["status"]) == (4, "closed")
    assert ticket["description"].endswith(f"mention-crawler:{ticket['external_id']}")
    assert len(ticket["said"]) == 1
    assert told.splitlines() == [f"created 1 {url}/tickets/1", "found again by key: 1", "closed"]


def test_a_mistake_in_a_preset_is_told_with_file_and_line(tmp_path: Path) -> None:
    home = Installation(tmp_path)
    (tmp_path / "plugins").mkdir()
    preset = blocks("add-a-sink.md", "yaml")[0].replace("path: /api/papers\n", "pth: /api/papers\n")
    (tmp_path / "plugins" / "paper_desk.yaml").write_text(preset, encoding="utf-8")
    home.configure("", rest="sinks: [{name: p, kind: paper_desk, url: 'https://p.example', token: 'file:t'}]")
    (tmp_path / "t").write_text("x" * 20)
    told = home.run("check", code=2)
    assert re.search(r"paper_desk\.yaml:\d+: with\.create\.pth", told.out + told.err), told


def test_a_preset_of_nothing_is_told(tmp_path: Path) -> None:
    home = Installation(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "x.yaml").write_text("kind: x\nof: nothing\nabout: y\nwith: {}\n", encoding="utf-8")
    home.configure("")
    told = home.run("check", code=2)
    assert re.search(r"x\.yaml:2:1: there is no kind 'nothing'", told.out + told.err), told


def test_the_walks_are_short() -> None:
    text = (DOCS / "add-a-sink.md").read_text(encoding="utf-8")
    _, preset, code = re.split(r"^## ", text, flags=re.MULTILINE)
    assert max(len(preset.splitlines()), len(code.splitlines())) <= 80


def test_the_helpdesks_page_is_fresh() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    import helpdesks_page

    page = (DOCS / "helpdesks.md").read_text(encoding="utf-8")
    assert page == helpdesks_page.page(), "run: python tools/helpdesks_page.py"
