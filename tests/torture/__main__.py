"""Deliveries under kills and faults: `python -m torture --kills 100 --deliveries 2000 --database sqlite --seed 1`.

Several sender processes work on one outbox. Each is killed by SIGKILL, at a named step (at a random visit to it) or at
a random moment, and started again at once. The helpdesk fails in 30 % of all calls: 500 after storing, connection cut
after storing, slower than the client's patience, down, storing only after the connection was closed; and its search
sees a ticket only some time after it was stored. In the end every ticket must be there exactly once, as the helpdesk's
own file tells, and the database must know it under the right number; and every follow-up that joined a ticket must
stand there as one comment, behind those that came before it.

With `--parts 10` it does that ten times, each with a database, a helpdesk and a seed of its own. With `--log` each part
is a line of JSON in that file; a part that stands there is not run again. The last line that is printed is the sum.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.helpdesk import Helpdesk

from benchmarks.filling import fill
from torture.following import follow_up, told
from torture.nursery import Nursery
from torture.sender import Job

STEPS = ("after_claim", "before_call", "after_find", "after_call", "before_settle", "after_settle")
# These are visited once a batch or so, the others once a call.
ONCE_A_BATCH = ("after_claim", "before_settle", "after_settle")
BATCH = 25
SENDERS = 4
# One wall second is so many of theirs: 30 s of patience with late creations are 1.5 s here, a lease is 6 s.
SPEED = 20.0
LATE, LAG, SLOW = 1.0, 0.3, 0.6
KILLED = -9
COMMENTS = ("comments_lost", "comments_doubled", "comments_invented", "comments_misplaced", "comments_unordered")
WRONG = ("lost", "doubled", "invented", "wrong_id", "ledger_gaps", *COMMENTS)
SUMS = (*WRONG, "doubled_unflagged", "flagged", "tickets", "comments", "kills", "calls", "faulty_calls", "seconds")


@dataclass
class Sender:
    """One that lives: the step at which it is to die, or the number of calls after which it is killed."""

    step: str
    doomed_at: int = 0


@dataclass
class Torture:
    """One database, one helpdesk, and the senders between them. `gap` is about how many calls lie between two kills."""

    url: str
    helpdesk: Helpdesk
    dice: random.Random
    gap: int
    build: str = ""
    senders: int = SENDERS
    began: float = field(default_factory=time.time)
    kills: Counter[str] = field(default_factory=Counter)
    alive: dict[int, Sender] = field(default_factory=dict)

    def run(self, kills: int, patience: float) -> None:
        """Kill until there were so many, then let them finish. Raises TimeoutError after `patience` seconds."""
        deadline, nursery = time.monotonic() + patience, Nursery()
        try:
            for _ in range(self.senders):
                self._start(nursery, kills > 0)
            while self.alive:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"deliveries still wait after {patience:.0f} s and {self.kills.total()} kills")
                time.sleep(0.02)
                self._doom(nursery)
                for pid, code in nursery.ended().items():
                    self._ended(nursery, pid, code, kills)
        finally:
            nursery.close()

    def _start(self, nursery: Nursery, dies: bool) -> None:
        step = self.dice.choice(STEPS) if dies and self.dice.random() < 0.6 else ""
        # What several senders do lies between two kills; each of them does its share.
        visits = max(3, self.gap // BATCH) if step in ONCE_A_BATCH else max(12, 2 * self.gap)
        crash_at = f"{step}:{self.dice.randint(1, visits)}" if step else ""
        doomed = dies and not step
        doomed_at = self._calls() + self.dice.randint(0, 2 * self.gap * self.senders) if doomed else 0
        job = Job(self.url, self.helpdesk.address, self.began, SPEED, crash_at, self.build)
        self.alive[nursery.start(job)] = Sender(step or ("random" if doomed else ""), doomed_at)

    def _calls(self) -> int:
        return self.helpdesk.count_calls()

    def _doom(self, nursery: Nursery) -> None:
        calls = self._calls()
        for pid, sender in self.alive.items():
            if sender.step == "random" and calls >= sender.doomed_at:
                nursery.kill(pid)

    def _ended(self, nursery: Nursery, pid: int, code: int, kills: int) -> None:
        sender = self.alive.pop(pid)
        if code == 0:
            return
        if code != KILLED:
            raise RuntimeError(f"a sender ended with {code}")
        self.kills[sender.step] += 1
        self._start(nursery, self.kills.total() < kills)


def judge(url: str, helpdesk: Helpdesk) -> dict[str, Any]:
    """What the helpdesk's file and the database say of each other; lost, doubled and wrong should all be 0."""
    from crawler.store import Store

    there = Counter(str(line["key"]) for line in helpdesk.stored())
    ids = {(str(line["key"]), str(line["id"])) for line in helpdesk.stored()}
    with Store.open(url) as store:
        tickets = store.tickets.list(after_id=0, limit=0)
        gaps, changes = len(_gaps(store)), told(store)
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
        **judge_comments(changes, helpdesk.comments()),
    }


def judge_comments(wanted: Mapping[str, tuple[str, int]], there: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The comments that the database has deliveries for (key -> ticket there, number), against those of the file."""
    times = Counter(str(line["key"]) for line in there)
    first = {str(line["key"]): str(line["ticket"]) for line in reversed(there)}
    order = [(first[str(line["key"])], wanted[str(line["key"])][1]) for line in there if str(line["key"]) in wanted]
    last: dict[str, int] = {}
    unordered = 0
    for ticket, number in order:
        unordered += number < last.get(ticket, 0)
        last[ticket] = max(number, last.get(ticket, 0))
    return {
        "comments": len(wanted),
        "comments_lost": sum(times[key] == 0 for key in wanted),
        "comments_doubled": sum(count > 1 for count in times.values()),
        "comments_invented": len(times.keys() - wanted.keys()),
        "comments_misplaced": sum(first.get(key, ticket) != ticket for key, (ticket, _) in wanted.items()),
        "comments_unordered": unordered,
    }


def _gaps(store: Any) -> tuple[str, ...]:
    from crawler.reports.ledger import balance

    return balance(store.counts.ledger()).gaps


def torture(
    url: str,
    folder: Path,
    kills: int,
    deliveries: int,
    seed: int,
    build: str = "",
    patience: float = 3600.0,
    senders: int = SENDERS,
    comments: int = 0,
) -> dict[str, Any]:
    """Fill, torment, judge; the figures. `comments` follow-ups join tickets that wait, two to a ticket."""
    from crawler.store import Store

    with Store.create(url, durable=False) as store:
        fill(store, deliveries, "helpdesk")
        follow_up(store, comments)
    with Helpdesk(folder / "helpdesk", seed=seed, seconds=SLOW, late=LATE, lag=LAG) as helpdesk:
        helpdesk.mode("harsh")
        began = time.monotonic()
        gap = max(4, (deliveries + comments) // max(1, kills))
        job = Torture(url, helpdesk, random.Random(seed), gap, build, senders)
        job.run(kills, patience)
        time.sleep(2 * LATE)
        calls = Counter(line.rsplit(" ", 1)[1] for line in helpdesk.calls())
        figures = judge(url, helpdesk)
    return {
        **figures,
        "kills": job.kills.total(),
        "kills_by_step": dict(sorted(job.kills.items())),
        "calls": calls.total(),
        "faulty_calls": calls.total() - calls["ok"],
        "seconds": round(time.monotonic() - began),
        "seed": seed,
        "database": url.split(":", 1)[0],
        "build": build or "as it is",
    }


def summed(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of several parts as one."""
    rows, steps = list(parts), Counter[str]()
    for row in rows:
        steps.update(row["kills_by_step"])
    # Parts of a log that is older than comments have none.
    figures = {name: sum(int(row.get(name, 0)) for row in rows) for name in SUMS}
    return {"parts": len(rows), **figures, "kills_by_step": dict(sorted(steps.items()))}


def main() -> int:
    """Command line; 0 when nothing was lost or doubled."""
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--comments", type=int, default=0, help="follow-ups that join the tickets, beside them")
    parser.add_argument("--parts", type=int, default=1, help="share them out over so many databases, one after another")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="of the first part; the next ones count on")
    parser.add_argument("--senders", type=int, default=SENDERS)
    parser.add_argument("--build", default="", help="a broken build, to see that it is caught")
    parser.add_argument("--log", type=Path, help="append the figures to this file, one JSON line a part; go on from it")
    options = parser.parse_args()
    done = _logged(options.log, options.database, options.build or "as it is")
    rows = []
    for seed in range(options.seed, options.seed + options.parts):
        row = done.get(seed) or _part(options, seed)
        rows.append(row)
    total = summed(rows) | {"database": options.database}
    print(json.dumps(total))
    return int(any(total[name] for name in WRONG))


def _part(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    kills, deliveries = options.kills // options.parts, options.deliveries // options.parts
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'torture.db'}"
        if options.database == "postgresql":
            url = _postgres(stack)
        comments = options.comments // options.parts
        found = torture(url, folder, kills, deliveries, seed, options.build, 86_400.0, options.senders, comments)
    line = json.dumps(found)
    print(line, flush=True)
    if options.log:
        with options.log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    return found


def _logged(path: Path | None, database: str, build: str) -> dict[int, dict[str, Any]]:
    """The parts of this kind that the log has, by seed."""
    if path is None or not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["seed"]: row for row in rows if row["database"] == database and row["build"] == build}


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
