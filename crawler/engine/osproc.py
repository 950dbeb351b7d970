"""What the operating system knows of our processes: who lives, what they weigh, who belongs to whom.

Standard library only, and no import of ours: the file is also run as a script (`python -I -S osproc.py MARKER`), the
watcher that kills the browser processes of a parent that was killed itself. Everything that needs /proc or prctl is
Linux; elsewhere these functions answer "nothing known" and never raise.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINUX = sys.platform.startswith("linux")
MARKER = "MENTION_CRAWLER_RUN"
_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8
_BROWSER_FLAGS = (b"--remote-debugging-pipe", b"-juggler-pipe", b"--inspector-pipe")


@dataclass(frozen=True, slots=True)
class Proc:
    """One line of the process table. `started` (ticks since boot) and pid name it for good."""

    pid: int
    parent: int
    session: int
    started: int
    state: str


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends. Exits at once when it already has."""
    if LINUX:
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def limit_address_space(size: int) -> None:
    """Cap the virtual memory of this process (bytes); 0 and systems that refuse leave it as it is."""
    if not (LINUX and size):
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    cap = size if hard == resource.RLIM_INFINITY else min(size, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (cap, hard))


def lean_memory() -> None:
    """Keep the C library from hoarding: few heaps, so that what a big page took can be given back (glibc only)."""
    with contextlib.suppress(OSError, AttributeError):
        _libc().mallopt(_M_ARENA_MAX, 2)


def trim_memory() -> None:
    """Give freed memory back to the system (glibc only)."""
    with contextlib.suppress(OSError, AttributeError):
        _libc().malloc_trim(0)


def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def no_core_dump() -> None:
    """A killed child must not write its memory (secrets, texts of people) to disk."""
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def rss(pid: int | None = None) -> int:
    """Resident memory in bytes of `pid` or of this process; 0 when not known."""
    try:
        return int((_PROC / str(pid or "self") / "statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def waited(pid: int) -> float:
    """Seconds that the main thread of a process has stood in line for a processor; 0 where nobody counts."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int((_PROC / str(pid) / "schedstat").read_bytes().split()[1]) / 1e9
    return 0.0


def pss(pids: Iterable[int]) -> int:
    """Proportional memory in bytes of many processes: pages that they share are counted once."""
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def read(pid: int) -> Proc | None:
    """One process, or None when it is gone."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return Proc(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0])
    except (OSError, IndexError, ValueError):
        return None


def table() -> dict[int, Proc]:
    """Every living process; zombies are left out. Empty where there is no /proc."""
    if not LINUX:
        return {}
    found = (read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {proc.pid: proc for proc in found if proc and proc.state not in "ZX"}


def marker_of(pid: int) -> str | None:
    """The value of our environment marker in the process as it was started, or None."""
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    start = f"{MARKER}=".encode()
    return next(
        (word[len(start) :].decode(errors="replace") for word in environ.split(b"\0") if word.startswith(start)), None
    )


def _namespace() -> str:
    try:
        return str((_PROC / "self" / "ns" / "pid").stat().st_ino)
    except OSError:
        return "0"


def crew_marker() -> str:
    """A name for this process that no other process on this machine has or will have: namespace.pid.start."""
    me = read(os.getpid())
    return f"{_namespace()}.{os.getpid()}.{me.started if me else 0}"


def family(marker: str, root: int | None = None) -> set[int]:
    """Everybody who carries `marker` (or a longer one), their children and those of `root`, and their session mates.

    A browser's helpers overwrite their own environment, so the marker alone would miss them.
    """
    procs = table()
    found = {pid for pid in procs if _carries(pid, marker)} | ({root} & procs.keys() if root else set())
    found.discard(os.getpid())
    sessions = {procs[pid].session for pid in found} - {procs[os.getpid()].session if os.getpid() in procs else 0}
    found |= {pid for pid, proc in procs.items() if proc.session in sessions}
    return _with_children(found, procs) - {os.getpid()}


def _carries(pid: int, marker: str) -> bool:
    value = marker_of(pid)
    return value is not None and (value == marker or value.startswith(marker + "."))


def _with_children(found: set[int], procs: Mapping[int, Proc]) -> set[int]:
    while True:
        more = {pid for pid, proc in procs.items() if proc.parent in found} - found
        if not more:
            return found
        found = found | more


def browsers(pids: Iterable[int]) -> set[int]:
    """Those of `pids` that are the main process of a browser driven by Playwright."""
    return {pid for pid in pids if _is_browser(pid)}


def _is_browser(pid: int) -> bool:
    try:
        line = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return b"--type=" not in line and any(flag in line for flag in _BROWSER_FLAGS)


def kill(pids: Iterable[int]) -> None:
    """SIGKILL each; the dead and those of other users are passed over. Reaps those that fell to us as process 1."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    if os.getpid() == 1:
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def kill_group(pid: int) -> None:
    """SIGKILL the process group that `pid` leads, and `pid` itself when it has not made its group yet."""
    for strike in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            strike(pid, signal.SIGKILL)


def kill_family(marker: str, root: int | None = None, seconds: float = 5.0) -> bool:
    """Kill everybody of `family` until two looks in a row find nobody. False when some outlived `seconds`."""
    end, quiet = time.monotonic() + seconds, 0
    while quiet < 2:
        found = family(marker, root)
        kill(found)
        quiet = 0 if found else quiet + 1
        if found and time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def sweep() -> int:
    """At start: kill what crews left behind whose parent is gone. Crews of living programs are left alone."""
    procs, here = table(), _namespace()
    orphans = {marker for pid in procs if (marker := marker_of(pid)) and _orphaned(marker, here, procs)}
    for marker in orphans:
        kill_family(marker)
    return len(orphans)


def _orphaned(marker: str, here: str, procs: Mapping[int, Proc]) -> bool:
    space, pid, started, *_ = (*marker.split("."), "", "", "")
    if space != here or not (pid.isdigit() and started.isdigit()):
        return False
    parent = procs.get(int(pid))
    return parent is None or parent.started != int(started)


def watch(marker: str) -> None:
    """Wait until standard input ends, which it does when the parent dies in whatever way; then leave nobody behind."""
    with contextlib.suppress(KeyboardInterrupt):
        while os.read(0, 1):
            pass
    kill_family(marker)
    time.sleep(0.5)
    kill_family(marker)


if __name__ == "__main__":
    watch(sys.argv[1])
