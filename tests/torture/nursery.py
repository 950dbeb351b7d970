"""Senders without their start: one process imports everything once, and each sender is forked from it.

A thousand starts of Python would cost more than what is shown. Nothing is open when a sender is forked: no database,
no socket, no thread; and a sender dies by SIGKILL like any process. The parent speaks JSON lines with it:
`{"start": {...}}` is answered by the pid, `{"ended": true}` by {pid: exit code} of those that ended since.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crawler.engine.osproc import die_with_parent
from torture.sender import Job, send

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("crawler.stages.deliver", "crawler.store", "e2e.broken", "psycopg", "sinks.rest", "sqlite3")


class Nursery:
    """The nursery as the harness sees it."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        command = [sys.executable, "-m", "torture.nursery"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, **pipes)
        self.living: set[int] = set()

    def start(self, job: Job) -> int:
        """A new sender; its pid."""
        pid = int(self._ask({"start": asdict(job)}))
        self.living.add(pid)
        return pid

    def ended(self) -> dict[int, int]:
        """Exit codes of those that ended since the last call; -9 is a SIGKILL."""
        codes = {int(pid): int(code) for pid, code in self._ask({"ended": True}).items()}
        self.living -= codes.keys()
        return codes

    def kill(self, pid: int) -> None:
        """SIGKILL, if it is there: its exit is reaped only by `ended`, so the pid is still its own."""
        if pid in self.living:
            os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """End all of them."""
        for pid in self.living:
            os.kill(pid, signal.SIGKILL)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def main() -> None:
    """Fork and reap until stdin ends."""
    for name in HEAVY:
        importlib.import_module(name)
    for line in sys.stdin:
        question = json.loads(line)
        answer = _reaped() if "ended" in question else _forked(Job(**question["start"]))
        print(json.dumps(answer), flush=True)


def _forked(job: Job) -> int:
    nursery = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with_parent(nursery)
        # The parent's pipes are not the child's to read or write.
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        send(job)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _reaped() -> dict[int, int]:
    codes = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return codes
        if not pid:
            return codes
        codes[pid] = os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
