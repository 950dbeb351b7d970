"""Servers under test live in virtual environments of their own below `.cache/venvs`: their pins are not ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

ROOT = Path(__file__).resolve().parents[3] / ".cache" / "venvs"


def environment(name: str, requirements: list[str]) -> Path:
    """The Python of that environment, built on first use; a visible skip where pip cannot, never in CI."""
    folder = ROOT / name
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(requirements)
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    if done.returncode:
        why = f"{name} cannot be installed: {done.stderr[-500:]}"
        if os.environ.get("CI"):
            raise RuntimeError(why)
        pytest.skip(why)
    stamp.write_text(wanted)
    return python


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


class Server:
    """One process of a real server; it runs while the block does. Subclasses set `url` and call `serve`."""

    url: str

    def serve(self, command: list[str], folder: Path, env: dict[str, str] | None = None, ready: str = "/") -> None:
        """Start it and wait until `ready` answers anything at all."""
        self._log_path = folder / "server.log"
        self._log = self._log_path.open("wb")
        whole = {"PATH": os.environ["PATH"], **(env or {})}
        self._process = subprocess.Popen(command, cwd=folder, env=whole, stdout=self._log, stderr=self._log)
        self._wait(self.url + ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def _wait(self, url: str) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except urllib.error.HTTPError as answer:
                answer.close()
                return
            except OSError:
                time.sleep(0.1)
        self._process.kill()
        self._process.wait(10)
        raise RuntimeError(f"the server did not start: {self._log_path.read_text()[-800:]}")


def get(url: str) -> Any:
    """The body of an answer, as bytes."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()
