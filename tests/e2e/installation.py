"""One installation in a folder: its config, the command as real processes, and the service."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

COMMAND = Path(sys.executable).with_name("mention-crawler")
MARK = "MENTION_CRAWLER_TEST_INSTALLATION"
BRAND = "  - {name: Nova Pay, also: [НоваПей], legal: [ТОВ «Нова Пей»], people: [Іван Кравченко]}"


@dataclass(frozen=True, slots=True)
class Ended:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """stdout as JSON lines; anything else there is an error."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Installation:
    """A folder with a config. `env` is added to the environment of every process."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid4().hex)
    port: int = field(default_factory=lambda: _free_port())

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "mention-crawler.yaml"

    def configure(self, sources: str, rest: str = "", brands: str = BRAND, tickets: str = "") -> None:
        """Write the config: the lists as YAML, `rest` as whole sections."""
        rule = tickets or "tickets: {when: [negative, neutral, positive], sure_at_least: 0.5}"
        text = f"network: {{allow_private: [127.0.0.1]}}\nweb: {{port: {self.port}}}\nbrands:\n{brands}\n"
        text += (f"sources:\n{sources}\n" if sources else "") + f"{rule}\n{rest}\n"
        part = self.config.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(self.config)

    def run(self, *arguments: str, stdin: str = "", code: int | None = 0, timeout: float = 90.0) -> Ended:
        """Run the command to its end; no traceback may ever show, and the exit code must be `code` (None: any)."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        finally:
            self.kill_all()
        told = f"{' '.join(arguments)}: exit {process.returncode}\n{out[-3000:]}\n{err[-3000:]}"
        assert "Traceback" not in err, told
        assert code is None or process.returncode == code, told
        return Ended(process.returncode, out, err)

    def json(self, *arguments: str, code: int | None = 0, stdin: str = "") -> list[dict[str, Any]]:
        """The rows that `--json` gives."""
        return self.run(*arguments, "--json", code=code, stdin=stdin).rows

    def start(self, *arguments: str, stderr: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start the command in a process group of its own; whatever comes of it carries the mark."""
        environment = {**os.environ, **self.env, MARK: self.mark, "MENTION_CRAWLER_CONFIG": str(self.config)}
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> dict[int, str]:
        """Living processes of this installation and their command lines."""
        wanted, found = f"{MARK}={self.mark}".encode(), {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with suppress(OSError):
                if wanted in (entry / "environ").read_bytes() and _state(entry) != "Z":
                    found[int(entry.name)] = (
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    )
        return found

    def kill_all(self) -> None:
        """End what is left."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Service:
    """`mention-crawler run` under test; its log goes to a file."""

    def __init__(self, place: Installation, name: str = "service") -> None:
        self.place = place
        self.log = place.folder / f"{name}.log"
        with self.log.open("w") as log:
            self.process = place.start("run", stderr=log)

    def stop(self, seconds: float = 25.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=seconds)
        finally:
            self.process.kill()
        return self.process.returncode

    def kill(self) -> None:
        """End it at once, with everything it started."""
        self.process.kill()
        self.process.communicate()
        self.place.kill_all()

    def get(self, path: str) -> tuple[int, str]:
        """GET a page of its web server: (status, text); (0, why) when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.place.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def children(self) -> dict[int, set[str]]:
        """Direct child processes and the heavy modules whose shared objects or files each has open or mapped."""
        return {pid: mapped(pid) for pid in self.place.processes() if _parent(pid) == self.process.pid}


HEAVY = ("onnxruntime", "tokenizers", "lxml", "zope", "pydantic_core", "uvloop")


def mapped(pid: int) -> set[str]:
    """Which of the heavy libraries a process has mapped: seen from outside, by the kernel's list."""
    try:
        text = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    return {name for name in HEAVY if f"/{name}" in text}


def until(done: Callable[[], Any], seconds: float, what: str = "") -> Any:
    """Wait until `done` gives something true, and give it; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what or done}"
        time.sleep(0.1)
    return found


def keys(row: Mapping[str, Any]) -> set[str]:
    """The keys of a JSON row."""
    return set(row)


def _state(entry: Path) -> str:
    return (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
