"""One setting, any model: what `sentiment.model` names is found, told apart and opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from crawler.errors import ModelUnavailable
from sentiment import hub
from sentiment.spec import BUILTIN, ModelSpec

if TYPE_CHECKING:
    from sentiment.tone import Probabilities

Fingerprint = tuple[tuple[str, int, int], ...]

_MANIFEST: Final = 1 << 20  # bytes of a manifest that are looked at


class Scorer(Protocol):
    """What every tone model offers; see `sentiment.tone.ToneModel`."""

    name: str

    def knows(self, word: str) -> bool:
        """Whether a lower-case word is an everyday one."""

    def scores(
        self, texts: Sequence[str], targets: Sequence[str | None], languages: Sequence[str]
    ) -> tuple[Probabilities, list[bool]]:
        """Probabilities (len(texts), 3), and whether something of each text was left unread."""


def open_model(spec: ModelSpec, threads: int | None) -> Scorer:
    """The model that the setting names, loaded and tried. Raises ModelUnavailable."""
    _quiet()
    from sentiment.tone import ToneModel, default_threads

    folder = folder_of(spec)
    if folder is None or is_ours(folder):
        _demand_plain(spec)
        return ToneModel(folder, threads)
    from sentiment.foreign import ForeignModel

    return ForeignModel(folder, spec, threads or default_threads())


def folder_of(spec: ModelSpec) -> Path | None:
    """Where the model lies; None is the built-in one. Raises ModelUnavailable for a hub model that was not fetched."""
    if spec.model == BUILTIN:
        return None
    folder = spec.base / Path(spec.model).expanduser()
    wanted = hub.hub_id(spec.model)
    if folder.is_dir():
        return folder
    found = hub.find(wanted, spec.store) if wanted else None
    if found is None:
        raise hub.missing(spec.model, folder, wanted)
    return found


def is_ours(folder: Path) -> bool:
    """Whether our own recipe made the folder: a manifest, a linear voter beside the encoder."""
    manifest = folder / "manifest.json"
    named = manifest.is_file() and b"voter.npz" in manifest.read_bytes()[:_MANIFEST]
    return named or (folder / "voter.npz").is_file()


def fingerprint(spec: ModelSpec) -> Fingerprint:
    """(name, size, last touched in ns) of every file of the model; changes when somebody mends it. Never raises."""
    try:
        folder = folder_of(spec)
        # Not deeper: the folder of the config may be named, with all its data beneath.
        places = [folder, folder / "onnx"] if folder else []
        files = sorted(path for place in places if place.is_dir() for path in place.iterdir() if path.is_file())
        return tuple((str(path.relative_to(places[0])), *_touched(path)) for path in files)
    except (ModelUnavailable, OSError):
        return ()


def _touched(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_size, max(told.st_mtime_ns, told.st_ctime_ns)  # a copy may keep the time of its original


def _demand_plain(spec: ModelSpec) -> None:
    """What says how to read a foreign model would be silently without effect on ours."""
    if told := [name for name in ("labels", "sha256", "wording") if getattr(spec, name)]:
        raise ModelUnavailable(
            f"tone model: sentiment.{told[0]} speaks of other models than {spec.model}, whose manifest holds "
            "labels and hashes; remove the line, or set sentiment.model"
        )


def _quiet() -> None:
    # Hints about absent torch and threads of the tokenizer would end up among the program's own messages.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
