"""The tone model at run time: ONNX encoder and linear voter, averaged and calibrated. No torch, no network.

A model folder holds what `manifest.json` lists; every file is hashed before use. Whatever is wrong with the folder
raises `ModelUnavailable`, so that mentions wait instead of getting nonsense.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable
from sentiment import intent
from sentiment.cues import version
from sentiment.prepare import TARGET_MARK, views
from sentiment.voter import Voter

LABELS: Final = ("negative", "neutral", "positive")
MAX_PIECES: Final = 128
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
        raise ModelUnavailable(f"tone model: {manifest}: {_say(error)}; {FIX}") from error
    for file, entry in files.items():
        _verify_file(folder / file, entry)
    return f"{name}@{hashlib.sha256(raw).hexdigest()[:8]}"


def _verify_file(path: Path, entry: Any) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        wanted = str(entry["sha256"])
    except (OSError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"tone model: {path}: {_say(error)}; {FIX}") from error
    if found != wanted:
        raise ModelUnavailable(f"tone model: {path}: sha256 is {found[:12]}, manifest says {wanted[:12]}; {FIX}")


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


class ToneModel:
    """A verified, loaded model folder. Not shared between processes; calls are safe from several threads."""

    def __init__(self, folder: Path | None = None, threads: int | None = None) -> None:
        """Load `folder` (the built-in one by default) with `threads` for inference. Raises ModelUnavailable."""
        self.folder = folder or DEFAULT_FOLDER
        self.name = f"{verify(self.folder)}.{version()}"
        part = "calibration.json"
        try:
            self.calibration = Calibration(**json.loads((self.folder / part).read_text("utf-8")))
            part = "voter.npz"
            self._voter = Voter.load(self.folder / part)
            part = "tokenizer.json"
            self._tokenizer = _load_tokenizer(self.folder)
            self._vocabulary: dict[str, int] = self._tokenizer.get_vocab()
            part = "model.onnx"
            self._session = _load_session(self.folder / part)
        except Exception as error:  # the libraries raise classes of their own for a bad file
            raise ModelUnavailable(f"tone model: {self.folder / part}: {_say(error)}; {FIX}") from error
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
        shown = [views(text, target) for text, target in zip(calm, targets, strict=True)]
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
        pieces: list[list[int]] = self._tokenizer(texts, truncation=True, max_length=MAX_PIECES)["input_ids"]
        # One post a run: int8 activations are scaled per run, so a batch would make scores depend on their neighbours.
        logits = list(self._pool.map(self._run, pieces)) if self._pool else [self._run(row) for row in pieces]
        return np.concatenate(logits)

    def _run(self, row: list[int]) -> npt.NDArray[np.float32]:
        ids = np.array([row], dtype=np.int64)
        logits: npt.NDArray[np.float32] = self._session.run(
            ["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )[0]
        return logits


def softmax(logits: npt.NDArray[Any]) -> Probabilities:
    """Row-wise, in float64."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    result: Probabilities = powers / powers.sum(axis=1, keepdims=True)
    return result


def _load_tokenizer(folder: Path) -> Any:
    # The hint about absent torch would end up among the program's own messages.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)


def _load_session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # posts run side by side instead, see ToneModel._encode
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
