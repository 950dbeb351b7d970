"""The tone model at run time: ONNX encoder and linear voter, averaged and calibrated. No torch, no network.

A model folder holds what `manifest.json` lists; every file is hashed before use. Whatever is wrong with the folder
raises `ModelUnavailable`, so that mentions wait instead of getting nonsense.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable
from sentiment import intent
from sentiment.broken import demand_room, guarded, said
from sentiment.cues import version
from sentiment.onnx_folder import session_of
from sentiment.prepare import TARGET_MARK, Views, views, whole
from sentiment.temperature import softmax as softmax
from sentiment.voter import Voter

LABELS: Final = ("negative", "neutral", "positive")
MAX_PIECES: Final = 128
MAX_VOTER: Final = 64 << 20  # bytes, unpacked
DEFAULT_FOLDER: Final = Path(__file__).parent / "model"
FIX: Final = "reinstall the package, or train anew with `python -m sentiment.train`"

_MARKS: Final = re.compile(r"([!?])\1+")  # three marks say what one says

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the voters become one: share of the encoder, temperature, shifts of the neutral logit by language, and what
    the wording of praise and complaint adds to the logits of positive and negative.

    A marked target moves both voters toward neutral, as most brand posts are: marked texts have shifts of their own.
    """

    temperature: float
    neutral_shift: dict[str, float]
    target_shift: dict[str, float]
    encoder_share: float
    words_share: float = 0.2
    temperatures: dict[str, float] = field(default_factory=dict)  # by language; "uk.target" for marked texts

    def shift(self, language: str, marked: bool) -> float:
        """The language's shift; that of `default` for languages never fitted."""
        shifts = self.target_shift if marked else self.neutral_shift
        return shifts.get(language, shifts.get("default", 0.0))

    def divisor(self, language: str, marked: bool) -> float:
        """The temperature of the language; the common one where it has none."""
        own = self.temperatures.get(language, self.temperature)
        return self.temperatures.get(f"{language}.target", self.temperature) if marked else own


def default_threads() -> int:
    """One less than the cores this process may use, at least one."""
    return max(1, len(os.sched_getaffinity(0)) - 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 2) - 1)


def verify(folder: Path) -> str:
    """Check every file of the manifest; return the model's name, `<name>@<first 8 of the manifest's sha256>`.

    Raises ModelUnavailable naming the first missing or altered file.
    """
    manifest = folder / "manifest.json"
    try:
        raw = manifest.read_bytes()
        content = json.loads(raw)
        name, files = str(content["name"]), dict(content["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"tone model: {manifest}: {said(error)}; {FIX}") from error
    for file, entry in files.items():
        _verify_file(folder / file, entry)
    return f"{name}@{hashlib.sha256(raw).hexdigest()[:8]}"


def _verify_file(path: Path, entry: Any) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        wanted = str(entry["sha256"])
    except (OSError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"tone model: {path}: {said(error)}; {FIX}") from error
    if found != wanted:
        raise ModelUnavailable(f"tone model: {path}: sha256 is {found[:12]}, manifest says {wanted[:12]}; {FIX}")


def _demand_small(path: Path) -> None:
    """A packed file says how large it grows: one that would fill the memory is not opened."""
    with zipfile.ZipFile(path) as packed:
        size = sum(item.file_size for item in packed.infolist())
    if size > MAX_VOTER:
        raise ValueError(f"unpacks to {size >> 20} MiB, at most {MAX_VOTER >> 20} are a voter's")


class ToneModel:
    """A verified, loaded model folder. Not shared between processes; calls are safe from several threads."""

    def __init__(self, folder: Path | None = None, threads: int | None = None) -> None:
        """Load `folder` (the built-in one by default) with `threads` for inference. Raises ModelUnavailable."""
        self.folder = folder or DEFAULT_FOLDER
        self.name = f"{verify(self.folder)}.{version()}"
        weights, voter = self.folder / "model.onnx", self.folder / "voter.npz"
        with guarded(self.folder / "calibration.json", FIX):
            self.calibration = Calibration(**json.loads((self.folder / "calibration.json").read_text("utf-8")))
        with guarded(voter, FIX):
            _demand_small(voter)
            self._voter = Voter.load(voter)
        with guarded(self.folder / "tokenizer.json", FIX):
            self._tokenizer = _load_tokenizer(self.folder)
            self._vocabulary: dict[str, int] = self._tokenizer.get_vocab()
            self._edges: list[int] = self._tokenizer("")["input_ids"]
            self._mark = self._vocabulary[TARGET_MARK]
        with guarded(weights, FIX):
            demand_room([weights])
            self._session = session_of(weights)
        workers = threads or default_threads()
        self._pool = ThreadPoolExecutor(workers, "tone") if workers > 1 else None
        self.scores(["ok"], [None], ["en"])

    def knows(self, word: str) -> bool:
        """Whether a lower-case word is one piece of the tokenizer's vocabulary: frequent in what the model read."""
        return word in self._vocabulary

    def scores(
        self, texts: Sequence[str], targets: Sequence[str | None], languages: Sequence[str]
    ) -> tuple[Probabilities, list[bool]]:
        """Calibrated probabilities (len(texts), 3) in the order of LABELS, and whether each text was cut.

        Raises ModelUnavailable when the model gives numbers that are none.
        """
        if not texts:
            return np.empty((0, 3)), []
        calm = (_MARKS.sub(r"\1", text) for text in texts)
        shown = [_views(text, target) for text, target in zip(calm, targets, strict=True)]
        with guarded(self.folder / "model.onnx", FIX):
            encoder = softmax(self._encode([view.encoder for view in shown]))
        voter = softmax(self._voter.logits([view.voter for view in shown], languages))
        marked = [TARGET_MARK in view.encoder for view in shown]
        words = [intent.leaning(view.encoder) for view in shown]
        mixed = self._calibrate(encoder, voter, list(zip(languages, marked, strict=True)), words)
        if not np.isfinite(mixed).all():
            raise ModelUnavailable(f"tone model: {self.folder / 'model.onnx'}: gives NaN; {FIX}")
        return mixed, [view.cut for view in shown]

    def _calibrate(
        self, encoder: Probabilities, voter: Probabilities, kinds: list[tuple[str, bool]], words: list[float]
    ) -> Probabilities:
        share = self.calibration.encoder_share
        logits = np.log(share * encoder + (1 - share) * voter + 1e-9)
        logits[:, 1] += [self.calibration.shift(language, marked) for language, marked in kinds]
        lean = self.calibration.words_share * np.array(words)
        logits[:, 0] -= lean
        logits[:, 2] += lean
        divisors = np.array([self.calibration.divisor(language, marked) for language, marked in kinds])
        return softmax(logits / divisors[:, None])

    def _encode(self, texts: list[str]) -> npt.NDArray[np.float32]:
        told: list[list[int]] = self._tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        pieces = [[self._edges[0], *_chosen(row, self._mark), self._edges[-1]] for row in told]
        # One post a run: int8 activations are scaled per run, so a batch would make scores depend on their neighbours.
        logits = list(self._pool.map(self._run, pieces)) if self._pool else [self._run(row) for row in pieces]
        if any(row.shape != (1, len(LABELS)) for row in logits):
            raise ModelUnavailable(f"tone model: {self.folder / 'model.onnx'}: gives {logits[0].shape} a text; {FIX}")
        return np.concatenate(logits)

    def _run(self, row: list[int]) -> npt.NDArray[np.float32]:
        ids = np.array([row], dtype=np.int64)
        logits: npt.NDArray[np.float32] = self._session.run(
            ["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )[0]
        return logits


def _views(text: str, target: str | None) -> Views:
    """What is read: around the target where it stands, else everything."""
    found = views(text, target) if target else None
    return found if found and TARGET_MARK in found.encoder else whole(text)


def _chosen(row: list[int], mark: int) -> list[int]:
    """As many pieces as the encoder takes: around the mark, or the first half and the last, which beat any mean."""
    room = MAX_PIECES - 2
    if len(row) <= room:
        return row
    if mark not in row:
        return row[: room // 2] + row[-(room - room // 2) :]
    start = min(max(0, row.index(mark) - room // 3), len(row) - room)
    return row[start : start + room]


def _load_tokenizer(folder: Path) -> Any:
    # The hint about absent torch would end up among the program's own messages.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
