"""One installation and its hard life: the command as real processes, killed, run again, and judged from outside."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from e2e.checker import Difference, check
from e2e.helpdesk import Helpdesk
from ruamel.yaml import YAML

from crawler.cli.town import Town

SECRET = "shared with the helpdesk only"
SMALL = ("blog-comments", "city-news")
PLAIN = ("blog-comments", "city-news", "money-forum", "magazine", "magazine-comments")
MARK = "MENTION_CRAWLER_TEST_LIFE"
# Columns that hold when something may be done next.
LEASED = {
    "sources": ("lease_until", "next_run_at"),
    "deliveries": ("lease_until", "not_before", "doubted_at", "recheck_at"),
    "leases": ("until",),
    "sink_states": ("shut_until", "polled_at"),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How one command ended: `code` is negative for a signal; `rows` are the JSON lines of its stdout."""

    code: int
    rows: list[dict[str, Any]]
    stderr: str
    seconds: float

    @property
    def killed(self) -> bool:
        """True when a SIGKILL ended it."""
        return self.code == -signal.SIGKILL

    def assert_good(self) -> None:
        """It ended well, and the tone model was there."""
        assert self.code == 0, f"ended with {self.code}: {self.stderr[-2000:]}"
        assert not self.rows[-1].get("untagged"), f"mentions wait untagged: {self.stderr[-500:]}"


@dataclass
class Life:
    """A config, its data, the town it crawls and the helpdesk it delivers to."""

    folder: Path
    town: Town
    helpdesk: Helpdesk
    sources: Sequence[str] = SMALL
    database_url: str = ""
    browser: bool = False
    mark: str = field(default_factory=lambda: uuid4().hex)
    kills: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "mention-crawler.yaml"
        hook = f'kind: webhook, url: "{self.helpdesk.url}", lookup_url: "{self.helpdesk.lookup_url}"'
        sinks = {"helpdesk": f'{hook}, secret: "${{HELPDESK_SECRET}}", timeout: 2'}
        text = self.town.config(self.folder / "data", browser=self.browser, sinks=sinks)
        self.database_url = self.database_url or f"sqlite:///{self.folder / 'life.db'}"
        self.config.write_text(narrowed(text, self.sources, self.database_url), encoding="utf-8")

    def run(self, *arguments: str, crash_at: str = "", build: str = "") -> Ended:
        """Run the command to its end, whatever that is."""
        began = time.monotonic()
        process = self.start(*arguments, crash_at=crash_at, build=build)
        try:
            out, err = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise
        return Ended(process.returncode, _json_lines(out), err, time.monotonic() - began)

    def start(self, *arguments: str, crash_at: str = "", build: str = "") -> subprocess.Popen[str]:
        """Start the command; every process that comes of it carries the mark of this life."""
        program = [str(Path(__file__).with_name("broken.py")), build] if build else ["-m", "e2e.command"]
        environment = {**os.environ, MARK: self.mark, "HELPDESK_SECRET": SECRET, "CRASH_AT": crash_at}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
        command = [sys.executable, *program, *arguments, "--config", str(self.config)]
        # Nobody reads what a service says: a full pipe would stop it.
        to = subprocess.DEVNULL if arguments[:1] == ("run",) else subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=to, stderr=to, text=True, start_new_session=True)

    def crawl(self, crash_at: str = "", build: str = "") -> Ended:
        """`crawl --json`."""
        return self.run("crawl", "--json", crash_at=crash_at, build=build)

    def crawl_killed_after(self, seconds: float, dice: random.Random) -> Ended:
        """`crawl`, with one of its processes killed at a moment (mostly the first, sometimes a child)."""
        began = time.monotonic()
        process = self.start("crawl", "--json")
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            pids = [pid for pid in self.processes() if pid != process.pid]
            _kill(dice.choice(pids) if pids and dice.random() < 0.3 else process.pid)
            self.kills += 1
            out, err = process.communicate(timeout=180)
        return Ended(process.returncode, _json_lines(out), err, time.monotonic() - began)

    def recover(self, build: str = "", tries: int = 8) -> None:
        """What a scheduler does after a crash: time passes, the command runs again, until nothing waits."""
        for _ in range(tries):
            self.pass_time()
            ended = self.crawl(build=build)
            ended.assert_good()
            if not self.waiting():
                return
        raise AssertionError(f"deliveries still wait after {tries} runs: {self.waiting()}")

    def pass_time(self, seconds: int = 600) -> None:
        """Let every lease and every back-off run out, as waiting would."""
        back = (
            f"- {seconds * 1_000_000}" if self.database_url.startswith("sqlite") else f"- interval '{seconds} seconds'"
        )
        if not self._exists():
            return
        for table, columns in LEASED.items():
            self._execute(f"UPDATE {table} SET {', '.join(f'{column} = {column} {back}' for column in columns)}")

    def waiting(self) -> list[tuple[Any, ...]]:
        """Deliveries that are not sent: (ticket, sink, status, error)."""
        return self._execute(
            "SELECT ticket_id, sink, status, error FROM deliveries WHERE status NOT IN ('sent', 'withdrawn')"
        )

    def _exists(self) -> bool:
        """A kill may come before the tables do."""
        try:
            return bool(self._execute("SELECT version_num FROM alembic_version"))
        except Exception as error:
            if "alembic_version" in str(error):
                return False
            raise

    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(self._connect()) as base:
            cursor = base.cursor()
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            base.commit()
            return list(rows)

    def _connect(self) -> Any:
        if self.database_url.startswith("sqlite"):
            return sqlite3.connect(self.database_url.split("///", 1)[1], timeout=30)
        import psycopg

        return psycopg.connect("postgresql://" + self.database_url.split("://", 1)[1])

    def differences(self) -> list[Difference]:
        """What the outside checker finds."""
        log = [line for line in self.town.log() if line["agent"] != "test"]
        desks = {"helpdesk": self.helpdesk.stored()}
        return check(log, self.database_url, desks, sinks=("desk", "helpdesk"))

    def assert_whole(self) -> None:
        """The checker finds nothing and the ledger balances."""
        found = self.differences()
        assert not found, "\n".join(map(str, found))
        ledger = self.run("ledger")
        assert ledger.code == 0, ledger.stderr[-2000:]

    def processes(self) -> list[int]:
        """Living processes of this life."""
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    environment, state = (entry / "environ").read_bytes(), (entry / "stat").read_text()
                except OSError:
                    continue
                if wanted in environment and state.rsplit(")", 1)[1].split()[0] != "Z":
                    found.append(int(entry.name))
        return found

    def kill_all(self) -> None:
        """End what is left of this life."""
        for pid in self.processes():
            _kill(pid)

    def none_left(self, seconds: float = 10.0) -> bool:
        """True once no process of this life is left."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.processes():
                return True
            time.sleep(0.05)
        return False


def narrowed(config: str, names: Sequence[str], database_url: str) -> str:
    """The config with these sources alone, this database, and the outside helpdesk first: the one that can double."""
    yaml = YAML()
    document = yaml.load(config)
    document["sources"] = [source for source in document["sources"] if source["name"] in names]
    document["sinks"] = document["sinks"][::-1]
    document["database"] = {"url": database_url}
    document["web"] = {"port": 0}
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _json_lines(text: str) -> list[dict[str, Any]]:
    rows = []
    for line in text.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
