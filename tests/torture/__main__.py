"""Deliveries under kills and faults: `python -m torture --kills 100 --deliveries 2000 --database sqlite --seed 1`.

Two sender processes work on one outbox. Each is killed by SIGKILL, at a named step (at a random visit to it) or at a
random moment, and started again at once. The helpdesk fails in 30 % of all calls: 500 after storing, connection cut
after storing, slower than the client's patience, down, storing only after the connection was closed; and its search
sees a ticket only some time after it was stored. In the end every ticket must be there exactly once, as the helpdesk's
own file tells, and the database must know it under the right number.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.helpdesk import Helpdesk

from benchmarks.filling import fill

STEPS = ("after_claim", "before_call", "after_find", "after_call", "before_settle", "after_settle")
SENDERS = 2
# One wall second is so many of theirs: 30 s of patience with late creations are 1.5 s here, a lease is 6 s.
SPEED = 20.0
LATE, LAG, SLOW = 1.0, 0.3, 0.6
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Torture:
    """One database, one helpdesk, and the senders between them."""

    url: str
    helpdesk: Helpdesk
    dice: random.Random
    build: str = ""
    began: float = field(default_factory=time.time)
    kills: Counter[str] = field(default_factory=Counter)
    senders: list[tuple[subprocess.Popen[bytes], str, float]] = field(default_factory=list)

    def run(self, kills: int, patience: float) -> None:
        """Kill until there were so many, then let them finish. Raises TimeoutError after `patience` seconds."""
        deadline = time.monotonic() + patience
        self.senders = [self._start(kills > 0) for _ in range(SENDERS)]
        try:
            while self.senders:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"deliveries still wait after {patience:.0f} s and {self.kills.total()} kills")
                time.sleep(0.02)
                self.senders = [it for sender in self.senders if (it := self._watched(sender, kills)) is not None]
        finally:
            for process, _, _ in self.senders:
                process.kill()
                process.wait()

    def _start(self, dies: bool) -> tuple[subprocess.Popen[bytes], str, float]:
        named = dies and self.dice.random() < 0.6
        step = self.dice.choice(STEPS) if named else ""
        moment = time.monotonic() + self.dice.uniform(0.6, 3.0) if dies and not named else 0.0
        visit = self.dice.randint(1, 3 if step in ("after_claim", "after_settle", "before_settle") else 12)
        environment = {**os.environ, "CRASH_AT": f"{step}:{visit}" if step else ""}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        command = [sys.executable, "-m", "torture.sender", self.url, self.helpdesk.address, str(self.began), str(SPEED)]
        return subprocess.Popen([*command, *([self.build] if self.build else [])], env=environment), step, moment

    def _watched(
        self, sender: tuple[subprocess.Popen[bytes], str, float], kills: int
    ) -> tuple[subprocess.Popen[bytes], str, float] | None:
        process, step, moment = sender
        if moment and time.monotonic() > moment and process.poll() is None:
            process.kill()
            process.wait()
            step = "random"
        code = process.poll()
        if code is None:
            return sender
        if code == 0:
            return None
        if code != -signal.SIGKILL:
            raise RuntimeError(f"a sender ended with {code}")
        self.kills[step] += 1
        return self._start(self.kills.total() < kills)


def judge(url: str, helpdesk: Helpdesk) -> dict[str, Any]:
    """What the helpdesk's file and the database say of each other; lost, doubled and wrong should all be 0."""
    from crawler.store import Store

    there = Counter(str(line["key"]) for line in helpdesk.stored())
    ids = {(str(line["key"]), str(line["id"])) for line in helpdesk.stored()}
    with Store.open(url) as store:
        tickets = store.tickets.list(after_id=0, limit=0)
        gaps = len(_gaps(store))
    known = {it.ticket.key: it.deliveries[0] for it in tickets}
    return {
        "tickets": len(known),
        "lost": sum(there[key] == 0 for key in known),
        "doubled": sum(count > 1 for count in there.values()),
        "doubled_unflagged": sum(there[key] > 1 and not known[key].twice for key in known),
        "flagged": sum(one.twice for one in known.values()),
        "invented": len(there.keys() - known.keys()),
        "wrong_id": sum((key, one.remote_id) not in ids for key, one in known.items()),
        "ledger_gaps": gaps,
    }


def _gaps(store: Any) -> tuple[str, ...]:
    from crawler.reports.ledger import balance

    return balance(store.counts.ledger()).gaps


def torture(
    url: str, folder: Path, kills: int, deliveries: int, seed: int, build: str = "", patience: float = 3600.0
) -> dict[str, Any]:
    """Fill, torment, judge; the figures."""
    from crawler.store import Store

    with Store.create(url, durable=False) as store:
        fill(store, deliveries, "helpdesk")
    with Helpdesk(folder / "helpdesk", seed=seed, seconds=SLOW, late=LATE, lag=LAG) as helpdesk:
        helpdesk.mode("harsh")
        began = time.monotonic()
        job = Torture(url, helpdesk, random.Random(seed), build)
        job.run(kills, patience)
        time.sleep(2 * LATE)
        calls = Counter(line.rsplit(" ", 1)[1] for line in helpdesk.calls())
        figures = judge(url, helpdesk)
    faulty = calls.total() - calls["ok"]
    return {
        **figures,
        "kills": job.kills.total(),
        "kills_by_step": dict(sorted(job.kills.items())),
        "calls": calls.total(),
        "faulty_calls": faulty,
        "seconds": round(time.monotonic() - began),
        "seed": seed,
        "database": url.split(":", 1)[0],
        "build": build or "as it is",
    }


def main() -> int:
    """Command line; 0 when nothing was lost or doubled."""
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", default="", help="a broken build, to see that it is caught")
    parser.add_argument("--log", type=Path, help="append the figures to this file, one JSON line a run")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'torture.db'}"
        if options.database == "postgresql":
            url = _postgres(stack)
        found = torture(url, folder, options.kills, options.deliveries, options.seed, options.build, 86_400.0)
    line = json.dumps(found)
    print(line)
    if options.log:
        with options.log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    return int(any(found[name] for name in ("lost", "doubled", "invented", "wrong_id", "ledger_gaps")))


def _postgres(stack: ExitStack) -> str:
    from postgres_server import PostgresServer, binaries

    programs = binaries()
    if programs is None:
        sys.exit("PostgreSQL's programs are not installed: apt-get install postgresql")
    server = PostgresServer(programs)
    server.start()
    stack.callback(server.stop)
    return server.new_database()


if __name__ == "__main__":
    sys.exit(main())
