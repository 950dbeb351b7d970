"""The real command as processes, against a small site: what a person or a script gets from each of its commands."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e.installation import COMMAND, Installation, until
from e2e.site import FORUM_SETTINGS, Entry, Site, forum

pytestmark = pytest.mark.e2e

COMPLAINT = "Nova Pay is the worst bank ever, they stole my money and nobody answers"
QUESTION = "What are the fees of Nova Pay for transfers abroad?"
FORMULA = '=HYPERLINK("http://evil.example","Nova Pay")'
CRAWL = (
    "source", "verdict", "fetched", "posts_new", "posts_seen", "posts_edited", "dropped", "mentions_new", "seconds",
    "error",
)  # fmt: skip
SUMMARY = {"summary", "tickets_new", "deliveries_sent", "deliveries_parked"}
MENTION = (
    "id", "brand", "entity", "entity_kind", "source", "url", "author", "published_at", "text", "spans", "language",
    "tone", "tone_scores", "intent", "confidence", "status", "ticket_key", "reason",
)  # fmt: skip
TICKET = (
    "key", "mention_ids", "subject", "priority", "sink", "status", "remote_id", "remote_url", "attempts", "reason",
)  # fmt: skip
PREVIEW = (
    "id", "url", "author", "published_at", "text", "parent", "thread", "rating", "mentions", "would_ticket", "why",
)  # fmt: skip
ANALYSIS = (
    "id", "language", "tone", "tone_scores", "intent", "intent_scores", "flags", "confidence", "sure", "model",
    "intent_reason", "truncated",
)  # fmt: skip
TABLES = (
    "documents",
    "posts",
    "post_versions",
    "mentions",
    "analyses",
    "tickets",
    "deliveries",
    "desk_tickets",
)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    site.feeds["/feed"] = [
        Entry("1", COMPLAINT, author="Оля"),
        Entry("2", QUESTION),
        Entry("3", "The weather is fine today"),
        Entry("4", FORMULA),
    ]
    site.feeds["/empty"] = []
    site.pages["/forum"] = forum(("p1", "Ann", "НоваПей знову списала гроші двічі, жахливий сервіс"))
    yield site
    site.close()


@pytest.fixture(scope="module")
def place(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that was initialised, checked and crawled once."""
    place = Installation(tmp_path_factory.mktemp("command") / "shop", {"MENTION_CRAWLER_TRACE": "1"})
    place.run("init", "--brand", "Nova Pay", str(place.folder))
    assert place.config.read_text().startswith("# yaml-language-server: $schema=")
    place.configure(
        f"  - {{name: news, kind: feed, url: '{site.url}/feed', labels: {{region: Київ}}}}\n"
        f"  - name: forum\n    kind: page\n    url: {site.url}/forum{FORUM_SETTINGS}",
        tickets="tickets: {when: [negative, question], sure_at_least: 0.6}",
    )
    assert "good" in place.run("check").err
    place.first = place.json("crawl")  # type: ignore[attr-defined]
    return place


def rows_of(place: Installation) -> dict[str, int]:
    with closing(sqlite3.connect(place.folder / "data" / "mentions.db")) as base:
        return {table: base.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def test_crawl_tells_of_each_source_and_sums_up(place: Installation) -> None:
    *sources, summary = place.first  # type: ignore[attr-defined]
    assert [tuple(row) for row in sources] == [CRAWL, CRAWL]
    assert {row["source"]: (row["verdict"], row["posts_new"], row["mentions_new"]) for row in sources} == {
        "news": ("ok", 4, 3),
        "forum": ("ok", 1, 1),
    }
    assert set(summary) >= SUMMARY and summary["summary"] is True
    assert summary["tickets_new"] == summary["deliveries_sent"] >= 3
    assert summary["deliveries_parked"] == 0


def test_crawling_again_doubles_nothing(place: Installation, site: Site) -> None:
    before = rows_of(place)
    *sources, summary = place.json("crawl", "news")
    assert [(row["source"], row["posts_new"], row["posts_seen"]) for row in sources] == [("news", 0, 4)]
    assert summary["tickets_new"] == 0
    assert rows_of(place) == before


def test_mentions_can_be_listed_filtered_and_shown(place: Installation) -> None:
    rows = place.json("mentions", "list")
    assert [tuple(row) for row in rows] == [MENTION] * 4
    complaint = next(row for row in rows if row["text"] == COMPLAINT)
    assert complaint["tone"] == "negative" and complaint["author"] == "Оля" and complaint["status"] == "ticketed"
    start, end = complaint["spans"][0]
    assert complaint["text"][start:end] == "Nova Pay" and complaint["entity_kind"] == "brand"
    asked = place.json("mentions", "list", "--intent", "question", "--source", "news", "--label", "region=Київ")
    assert [row["text"] for row in asked] == [QUESTION]
    assert place.json("mentions", "list", "--since", "2030-01-01") == []
    table = place.run("mentions", "list", "--search", "WORST bank").out
    assert "worst bank" in table and "weather" not in table
    whole = place.json("mentions", "show", str(complaint["id"]))[0]
    assert set(whole) >= {*MENTION, "hits", "model", "life", "intent_reason"}
    assert [step["after"] for step in whole["life"] if step["what"] == "status"] == ["found", "analysed", "ticketed"]


def test_an_export_runs_no_formula_in_a_spreadsheet(place: Installation) -> None:
    rows = list(csv.DictReader(io.StringIO(place.run("mentions", "export", "--format", "csv").out)))
    assert len(rows) == 4 and tuple(rows[0]) == MENTION
    assert not [cell for row in rows for cell in row.values() if cell[:1] in set("=+-@\t\r")]
    assert [row["text"] for row in rows if "HYPERLINK" in row["text"]] == ["'" + FORMULA]
    assert json.loads(rows[0]["tone_scores"]).keys() == {"negative", "neutral", "positive"}
    lines = place.run("mentions", "export").rows
    assert {row["text"] for row in lines} >= {COMPLAINT, FORMULA}


def test_tickets_can_be_listed_and_shown(place: Installation) -> None:
    rows = place.json("tickets", "list")
    assert all(tuple(row)[: len(TICKET)] == TICKET for row in rows)
    assert {row["status"] for row in rows} == {"sent"} and len({row["key"] for row in rows}) == len(rows)
    whole = place.json("tickets", "show", rows[0]["key"])[0]
    assert whole["deliveries"][0]["remote_id"] == rows[0]["remote_id"] and "Why: Ticket" in whole["body"]
    assert place.run("tickets", "export", "--format", "csv").out.count("mc-") >= len(rows)
    assert "0 deliveries" in place.run("tickets", "retry").err


def test_sources_sinks_and_alerts(place: Installation) -> None:
    assert {row["name"]: row["state"] for row in place.json("sources", "list")} == {"news": "ready", "forum": "ready"}
    place.run("sources", "pause", "forum")
    try:
        assert place.json("sources", "show", "forum")[0]["paused"] is True
        assert [row["source"] for row in place.json("crawl") if "source" in row] == ["news"]
    finally:
        place.run("sources", "resume", "forum")
    kinds = {row["kind"] for row in place.json("sources", "kinds")}
    assert kinds >= {"feed", "page", "browser", "article", "schema_org"}
    assert [(row["name"], row["kind"]) for row in place.json("sinks", "list")] == [("desk", "desk")]
    assert place.json("alerts", "list") == []


def test_a_sink_is_proved_by_a_ticket_that_is_found_and_closed(place: Installation) -> None:
    lines = place.run("sinks", "test", "desk").out.splitlines()
    assert lines[0].startswith("created ") and lines[1].startswith("found again by key") and lines[2] == "closed"
    place.run("ledger")


def test_the_ledger_balances(place: Installation) -> None:
    books = place.json("ledger")[0]
    assert books["gaps"] == [] and books["posts_kept"] == 5 and books["sentence"].endswith("0 unaccounted")


def test_preview_stores_nothing_and_sends_nothing(place: Installation, site: Site) -> None:
    before = rows_of(place)
    *posts, summary = place.json("preview", "forum")
    assert [tuple(row) for row in posts] == [PREVIEW] and posts[0]["would_ticket"] is True
    assert "НоваПей" in posts[0]["mentions"][0] and posts[0]["why"].startswith("ticketed: ")
    assert summary == {"summary": True, "verdict": "ok", "error": None}
    url = place.json("preview", f"{site.url}/feed")
    assert [row["id"] for row in url[:-1]] == ["1", "2", "3", "4"] and url[2]["why"] == "no brand found"
    text = place.json("preview", "--text", COMPLAINT)
    assert text[0]["would_ticket"] is True
    assert rows_of(place) == before


def test_preview_says_what_went_wrong(place: Installation, site: Site) -> None:
    before = rows_of(place)
    assert "no posts" in place.run("preview", f"{site.url}/empty", code=3).err
    closed = Site()
    closed.close()
    assert "refuses the connection" in place.run("preview", f"{closed.url}/feed", code=4).err
    assert "allow_private" in place.run("preview", "http://10.0.0.1/feed", code=4).err
    assert rows_of(place) == before


def test_analyse_answers_line_by_line(place: Installation) -> None:
    lines = [
        json.dumps({"id": "a", "text": COMPLAINT, "target": "Nova Pay"}),
        "this is no JSON",
        '["neither is this"]',
        json.dumps({"text": "Скільки коштує картка?"}),
        '{"id": 9, "text": "\\ud800 broken"}',
    ]
    rows = place.run("analyse", stdin="\n".join(lines), code=1).rows
    assert [row["id"] for row in rows] == ["a", 2, 3, 4, 9]
    assert tuple(rows[0]) == ANALYSIS and rows[0]["tone"] == "negative"
    assert "line 2" in rows[1]["error"] and "line 3" in rows[2]["error"]
    assert rows[3]["intent"] == "question" and rows[3]["language"] == "uk"


def test_schema_doctor_and_upgrade(place: Installation) -> None:
    schema = json.loads(place.run("schema").out)
    assert {"brands", "sources", "tickets"} <= schema["properties"].keys()
    findings = {row["name"]: row["level"] for row in place.json("doctor")}
    assert findings.keys() >= {"config", "database", "model", "sinks", "browser"}
    assert "failure" not in findings.values()
    before = rows_of(place)
    place.run("upgrade")
    assert rows_of(place) == before


def test_a_backup_opens_and_holds_the_same(place: Installation) -> None:
    place.run("backup", "copy.db")
    again = Installation(place.folder.parent / "restored")
    again.config.write_text(place.config.read_text(), encoding="utf-8")
    (again.folder / "data").mkdir()
    shutil.copy(place.folder / "copy.db", again.folder / "data" / "mentions.db")
    assert rows_of(again) == rows_of(place)
    assert again.json("ledger")[0] == place.json("ledger")[0]
    assert "copy.db" in place.run("backup", "copy.db", code=1).err


def test_a_broken_config_is_named_by_place(place: Installation, tmp_path: Path) -> None:
    broken = Installation(tmp_path)
    broken.config.write_text("brands:\n  - name: Nova Pay\n    alos: [x]\nsources:\n  - {name: a, kind: fed}\n")
    ended = broken.run("check", code=2)
    assert f"{broken.config}:3:5:" in ended.out and "also" in ended.out
    assert broken.json("check", code=2)[0]["line"] == 3
    assert f"{broken.config}:3:5:" in broken.run("crawl", code=2).err
    broken.config.write_text("brands: [{name: Nova Pay}]\nsources:\n  - {name: a, kind: fed}\n")
    ended = broken.run("crawl", code=2)
    assert f"{broken.config}:3:" in ended.err and "known: " in ended.err and "feed" in ended.err
    broken.config.write_text("brands: [{name: Nova Pay}]\nalerts: {send_to: [ops@shop.example]}\n")
    said = broken.run("check", code=2).out
    assert ":2:20: alerts: ops@shop.example can only be reached by a sink of kind email" in said
    assert not list(tmp_path.glob("data/*.db-wal")), "nothing was opened for a config that is wrong"


UNKNOWN = [
    (("crawl", "nws"), "did you mean 'news'"),
    (("preview", "forun"), "did you mean 'forum'"),
    (("sources", "show", "zz"), "known: forum, news"),
    (("sources", "pause", "new"), "did you mean 'news'"),
    (("sinks", "test", "dsk"), "did you mean 'desk'"),
    (("mentions", "list", "--brand", "nova pey"), "did you mean 'Nova Pay'"),
    (("mentions", "list", "--tone", "negativ"), "did you mean 'negative'"),
    (("mentions", "list", "--since", "yesterday"), "write 2h, 7d"),
    (("mentions", "list", "--since", "99999999999d"), "write 2h, 7d"),
    (("mentions", "show", "4711"), "mentions list"),
    (("mentions", "show", "99999999999999999999"), "9223372036854775807"),
    (("tickets", "show", "mc-no"), "tickets list"),
    (("tickets", "list", "--status", "snt"), "did you mean 'sent'"),
    (("tickets", "retry", "mc-no"), "tickets list"),
    (("redo", "match", "--brand", "Nova"), "did you mean 'Nova Pay'"),
    (("crawl", "--config", "nowhere.yaml"), "nowhere.yaml"),
]


@pytest.mark.parametrize(("arguments", "said"), UNKNOWN, ids=[" ".join(arguments) for arguments, _ in UNKNOWN])
def test_unknown_names_are_answered_with_the_known_ones(
    place: Installation, arguments: tuple[str, ...], said: str
) -> None:
    ended = place.run(*arguments, code=2)
    assert said in " ".join(ended.err.replace("│", " ").split()) and ended.out == ""


def test_one_failing_source_does_not_hold_up_the_others(site: Site, tmp_path: Path) -> None:
    place = Installation(tmp_path)
    gone = Site()
    gone.close()
    place.configure(
        f"  - {{name: good, kind: feed, url: '{site.url}/feed'}}\n"
        f"  - {{name: gone, kind: feed, url: '{gone.url}/feed'}}\n"
        "  - {name: inside, kind: feed, url: 'http://192.168.77.1/feed'}"
    )
    *sources, summary = place.json("crawl", code=5)
    found = {row["source"]: (row["verdict"], row["posts_new"]) for row in sources}
    assert found == {"good": ("ok", 4), "gone": ("failed", 0), "inside": ("failed", 0)}
    assert summary["tickets_new"] >= 3
    error = {row["source"]: row["error"] for row in sources}
    assert "refuses the connection" in error["gone"] and "allow_private" in error["inside"]
    assert summary["alerts_open"] == 2
    assert {row["source"] for row in place.json("alerts", "list")} == {"gone", "inside"}
    assert [row["text"][:4] for row in place.json("doctor") if row["name"] == "alert"] == ["gone", "insi"]
    place.run("ledger")


def test_scrapy_knows_the_kinds_and_stores(place: Installation) -> None:
    root = Path(__file__).resolve().parents[2]
    scrapy = [str(COMMAND.with_name("scrapy"))]
    place.env["SCRAPY_SETTINGS_MODULE"] = "crawler.scrapy_settings"
    listed = subprocess.run([*scrapy, "list"], cwd=root, capture_output=True, text=True, check=True)
    assert {"feed", "page", "browser", "article", "schema_org"} <= set(listed.stdout.split())
    fresh = Installation(place.folder.parent / "scrapy")
    fresh.config.write_text(place.config.read_text(), encoding="utf-8")
    command = [*scrapy, "crawl", "feed", "-a", "source=news"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(fresh.folder), "MENTION_CRAWLER_CONFIG": str(fresh.config)}
    ended = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and "Traceback" not in ended.stderr, ended.stderr[-2000:]
    assert rows_of(fresh)["posts"] == 4
    assert fresh.json("ledger")[0]["posts_new"] == 4


def test_help_is_light_and_quick(place: Installation) -> None:
    code = (
        "import json, sys\nfrom crawler.cli import main\nsys.argv = ['mention-crawler', '--help']\ntry:\n    main()\n"
    )
    code += "except SystemExit:\n    print('\\n' + json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    loaded = json.loads(_out([sys.executable, "-c", code]).splitlines()[-1])
    assert not {"scrapy", "twisted", "onnxruntime", "transformers", "fastapi", "alembic", "sqlalchemy"} & set(loaded)
    # Judged against what its own library needs at the least, in turns, so that a busy machine slows down both.
    ratios = []
    for _ in range(5):
        least = _seconds([sys.executable, "-c", "import typer, rich.console, rich.table"])
        ratios.append(_seconds([str(COMMAND), "--help"]) / least)
    assert sorted(ratios)[2] < 4, ratios


def _out(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    _out(command)
    return time.perf_counter() - began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_crawl_goes_quietly_and_gives_its_sources_back(
    site: Site, tmp_path: Path, number: signal.Signals
) -> None:
    place = Installation(tmp_path)
    slow = Site(feeds={"/feed": [Entry("1", COMPLAINT)]}, slow={"/feed": 30.0})
    place.configure(f"  - {{name: slow, kind: feed, url: '{slow.url}/feed'}}")
    process = place.start("crawl")
    try:
        until(lambda: slow.served["/feed"], 60, "the page was asked for")
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert process.returncode != 0 and "Traceback" not in err, err
        assert until(lambda: not place.processes(), 5), "children were left behind"
    finally:
        place.kill_all()
        slow.close()
    with closing(sqlite3.connect(tmp_path / "data" / "mentions.db")) as base:
        assert base.execute("SELECT lease_run FROM sources").fetchall() == [(None,)]
    place.run("ledger")
