"""Whatever is wrong with a model becomes `ModelUnavailable`, which names the file and says what to do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crawler.errors import ModelUnavailable

_BLOCK: Final = 1 << 20
_SPARE: Final = 256 << 20  # left to the rest of the program


def said(error: BaseException) -> str:
    """One line of an error, with its class."""
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return text[:300]


@contextmanager
def guarded(place: Path | str, fix: str) -> Iterator[None]:
    """Any failure inside is the model's: the libraries raise classes of their own for a bad file, Rust ones panic."""
    try:
        yield
    except ModelUnavailable:
        raise
    except Exception as error:
        raise ModelUnavailable(f"tone model: {place}: {said(error)}; {fix}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ModelUnavailable(f"tone model: {place}: {said(error)}; {fix}") from None


def sha256(path: Path) -> str:
    """Of a file, read in blocks. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def demand_room(files: Iterable[Path]) -> None:
    """Raise ModelUnavailable when these weights cannot fit in memory: the kernel would kill the worker for trying."""
    wanted, free = sum(path.stat().st_size for path in files), available()
    if free is not None and wanted + _SPARE > free:
        raise ModelUnavailable(
            f"tone model: {', '.join(str(path) for path in files)}: {wanted >> 20} MiB of weights do not fit into "
            f"{free >> 20} MiB of free memory; take a smaller model, or give the machine more"
        )


def available() -> int | None:
    """Bytes of memory that this process may still take; None where the system does not say."""
    known = [size for size in (_of_machine(), _of_group()) if size is not None]
    return min(known, default=None)


def _of_machine() -> int | None:
    lines = _read("/proc/meminfo").splitlines()
    values = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(values[0]) * 1024 if values else None


def _of_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    limit, used = _read(str(root / "memory.max")).strip(), _read(str(root / "memory.current")).strip()
    if not (limit.isdecimal() and used.isdecimal()):
        return None
    # Pages of files count as used, and are given back when somebody needs them.
    cached = _stat(_read(str(root / "memory.stat"))).get("inactive_file", 0)
    return int(limit) - int(used) + cached


def _stat(text: str) -> Mapping[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
