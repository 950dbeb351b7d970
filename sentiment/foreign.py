"""A tone model that somebody else made: its tokenizer, its weights, its labels, seen as three tones.

Language, intent and who is meant stay ours. Whatever is wrong with a folder raises ModelUnavailable as it is loaded.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable
from sentiment import hub, intent, temperature
from sentiment.broken import demand_room, guarded, sha256
from sentiment.cues import version
from sentiment.labels import LabelMap, read_labels
from sentiment.onnx_folder import OnnxWeights
from sentiment.prepare import tidy, window
from sentiment.spec import ModelSpec
from sentiment.temperature import Calibration, softmax
from sentiment.torch_folder import TorchWeights
from sentiment.windows import joined, windows

FIX: Final = "mend the folder, or set sentiment.model: builtin"
UNCALIBRATED: Final = "uncalibrated: `model evaluate --calibrate-on FILE` makes its sureness honest"
LONGEST: Final = 512  # pieces at once: time and memory grow with the square of it
WORDS_SHARE: Final = 0.2  # of our wording in the logits, where it is asked for; the built-in's own share
# These count positions from the one after the padding's.
_OFFSET: Final = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "xmod", "longformer", "mpnet"})
VOCABULARIES: Final = ("tokenizer.json", *hub.VOCABULARY)
_STATED: Final = 1_000_000  # a tokenizer that knows no limit says 10^30

Pieces = list[int]


class Weights(Protocol):
    """What runs a model: ONNX or torch."""

    @property
    def longest(self) -> int | None:
        """Pieces that it takes at once, None when it does not matter."""

    def logits(self, rows: Sequence[Pieces]) -> npt.NDArray[np.float32]:
        """(len(rows), labels)."""


class ForeignModel:
    """A loaded folder of ONNX or safetensors weights with its tokenizer. Calls are safe from several threads."""

    reads_raw = True  # typos and all: see sentiment.mend

    def __init__(self, folder: Path, spec: ModelSpec, threads: int) -> None:
        """Raises ModelUnavailable naming the file, what is wrong with it and what to do."""
        self.folder, self._wording = folder, spec.wording
        self._lock = threading.Lock()  # a tokenizer is set up anew for each call, and panics when two do it
        files = weight_files(folder)
        with guarded(folder / "config.json", FIX):
            self.config: dict[str, Any] = dict(json.loads((folder / "config.json").read_text("utf-8")))
        self.labels = read_labels(_names(self.config), spec.labels, str(folder / "config.json"))
        _demand_softmax(self.config, folder)
        demand_room(files)
        digest = self._digest(files, spec)
        with guarded(folder / "tokenizer.json", FIX):
            self._tokenizer = load_tokenizer(folder)
        with guarded(files[0], FIX):
            self._weights = self._load(files, threads)
        self.limit = self._limit()
        self.calibration = calibration_of(folder, spec.store, spec.model, digest)
        known = hashlib.sha256(self.calibration.as_text().encode()).hexdigest()[:4] if self.calibration else ""
        sure = f"c{known}" if known else "uncalibrated"
        self.digest = digest
        self.name = f"{shown_name(spec.model)}@{digest}.{version()}.{sure}"
        self.scores(["ok"], [None], ["en"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of this model, in sentences."""
        lacks = [f"has no {tone}: every post gets another tone" for tone in self.labels.lacks]
        sure = [] if self.calibration else [UNCALIBRATED]
        return (f"labels: {self.labels.said()}", *lacks, *sure)

    def knows(self, word: str) -> bool:
        """Whether a lower-case word is one piece of the vocabulary: frequent in what the model read."""
        return len(self._tokenizer.tokenize(f" {word}")) == 1

    def scores(
        self, texts: Sequence[str], targets: Sequence[str | None], languages: Sequence[str]
    ) -> tuple[npt.NDArray[np.float64], list[bool]]:
        """Probabilities (len(texts), 3) of negative, neutral, positive, and whether something was left unread."""
        raw, cut = self.uncalibrated(texts, targets)
        found = self.calibration.apply(raw, languages) if self.calibration else raw
        return (self._leaning(found, texts) if self._wording else found), cut

    def uncalibrated(
        self, texts: Sequence[str], targets: Sequence[str | None]
    ) -> tuple[npt.NDArray[np.float64], list[bool]]:
        """The same as the model alone says it. Raises ModelUnavailable when it fails or gives no numbers."""
        if not texts:
            return np.empty((0, 3)), []
        shown = [
            window(tidy(text), target) if target else (tidy(text), False)
            for text, target in zip(texts, targets, strict=True)
        ]
        with guarded(self.folder, FIX):
            with self._lock:
                parts, unread = windows(self._tokenizer, [text for text, _ in shown], self.limit)
            logits = self._weights.logits([part for own in parts for part in own])
        if logits.shape[1] != len(self.labels.names):
            raise ModelUnavailable(
                f"tone model: {self.folder}: gives {logits.shape[1]} numbers a text, config.json names "
                f"{len(self.labels.names)} labels; {FIX}"
            )
        found = joined(self.labels.summed(softmax(logits)), parts)
        if not np.isfinite(found).all():
            raise ModelUnavailable(f"tone model: {self.folder}: gives NaN; {FIX}")
        return found, [cut or more for (_, cut), more in zip(shown, unread, strict=True)]

    def _leaning(self, found: npt.NDArray[np.float64], texts: Sequence[str]) -> npt.NDArray[np.float64]:
        lean = WORDS_SHARE * np.array([intent.leaning(tidy(text)) for text in texts])
        return softmax(np.log(found + 1e-9) + lean[:, None] * np.array([-1.0, 0.0, 1.0]))

    def _digest(self, files: list[Path], spec: ModelSpec) -> str:
        """8 hex digits of everything that decides what the model says; checks the pinned hash on the way."""
        with guarded(self.folder, FIX):
            weights = digest_of(files)
            if spec.sha256 and weights != spec.sha256.lower():
                raise ModelUnavailable(
                    f"tone model: {files[0]}: sha256 is {weights}, sentiment.sha256 wants {spec.sha256}: it is not "
                    "the model that was chosen; bring it back, or pin the new one"
                )
            beside = [self.folder / name for name in ("config.json", "tokenizer.json") if (self.folder / name).exists()]
            parts = [weights, *(sha256(path) for path in beside), self.labels.said(), str(self._wording)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]

    def _load(self, files: list[Path], threads: int) -> Weights:
        pad = next(
            (p for p in (self._tokenizer.pad_token_id, self.config.get("pad_token_id")) if isinstance(p, int)), None
        )
        if files[0].suffix == ".onnx":
            return OnnxWeights(files[0], threads, pad or 0)
        return TorchWeights(self.folder, threads, pad)

    def _limit(self) -> int:
        """Pieces a window: what tokenizer, positions and graph all take."""
        positions = self.config.get("max_position_embeddings")
        places = positions if isinstance(positions, int) and positions > 8 else LONGEST
        if self.config.get("model_type") in _OFFSET:
            places -= int(self.config.get("pad_token_id") or 0) + 1
        stated = self._tokenizer.model_max_length
        told = int(stated) if stated and 8 < stated < _STATED else LONGEST
        return min(places, told, self._weights.longest or LONGEST, LONGEST)


def weight_files(folder: Path) -> list[Path]:
    """The weights that would be loaded, the telling one first: ONNX before safetensors, since it needs no torch.

    Raises ModelUnavailable when there are none, or only pickled ones.
    """
    if not folder.is_dir():
        raise ModelUnavailable(f"tone model: {folder}: there is no such folder; mend sentiment.model")
    graphs = [path for path in (folder / "model.onnx", folder / "onnx" / "model.onnx") if path.is_file()]
    graphs = graphs or sorted(folder.glob("*.onnx"))
    if len(graphs) > 1 and graphs[0].name != "model.onnx":
        names = ", ".join(path.name for path in graphs)
        raise ModelUnavailable(f"tone model: {folder}: which of {names}? Keep one, or call it model.onnx")
    if graphs:
        return [graphs[0], *sorted(graphs[0].parent.glob(f"{graphs[0].name}[._]data*"))]
    if safe := sorted(folder.glob("*.safetensors")):
        return safe
    pickled = [path.name for pattern in ("*.bin", "*.pt", "*.h5") for path in sorted(folder.glob(pattern))]
    found = f"only {', '.join(pickled)}, which can run code and is never loaded" if pickled else "no weights"
    raise ModelUnavailable(
        f"tone model: {folder}: {found}; wanted model.onnx (with tokenizer.json and config.json) or model.safetensors"
    )


def digest_of(files: Sequence[Path]) -> str:
    """sha256 of one file, as the hub shows it; of several, that of their lines `name sha256`."""
    if len(files) == 1:
        return sha256(files[0])
    lines = "".join(f"{path.name} {sha256(path)}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def calibration_of(folder: Path, store: Path | None, model: str, digest: str) -> Calibration | None:
    """What was fitted on this installation, else what came with the model."""
    own = temperature.read(calibration_path(store, model, digest)) if store else None
    return own or temperature.read(folder / temperature.FILE)


def calibration_path(store: Path, model: str, digest: str) -> Path:
    """Where the calibration of one version of a model lies."""
    return store / "calibration" / f"{shown_name(model).replace('/', '--')}@{digest}.json"


def shown_name(model: str) -> str:
    """`owner/name` of a hub id, the last part of a folder's path."""
    bare = model.split("@", 1)[0].rstrip("/")
    return bare if bare.count("/") == 1 and not bare.startswith(("/", ".", "~")) else Path(bare).name or "model"


def load_tokenizer(folder: Path) -> Any:
    """A fast tokenizer; what tokenizer.json says is done to the letter. Raises ModelUnavailable for a slow one."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if not any((folder / name).is_file() for name in VOCABULARIES):
        # transformers would make an empty one, which reads every word as unknown.
        raise ModelUnavailable(f"tone model: {folder}: has no tokenizer.json; bring it from where the weights came")
    if (folder / "tokenizer.json").is_file():
        found = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    else:
        found = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    if not found.is_fast:
        raise ModelUnavailable(
            f"tone model: {folder}: its tokenizer has no fast version; save it with a tokenizer.json"
        )
    return found


def _names(config: dict[str, Any]) -> list[str]:
    told = config.get("id2label")
    if isinstance(told, dict) and told and all(str(key).isdecimal() for key in told):
        return [str(told[key]) for key in sorted(told, key=int)]
    count = config.get("num_labels")
    return [f"LABEL_{index}" for index in range(count if isinstance(count, int) and 0 < count < 1000 else 2)]


def _demand_softmax(config: dict[str, Any], folder: Path) -> None:
    """One number a text (regression) or several labels at once say no tone that sums to one."""
    kind = config.get("problem_type")
    if kind in ("regression", "multi_label_classification"):
        raise ModelUnavailable(
            f"tone model: {folder / 'config.json'}: problem_type is {kind}; wanted a model that gives one of its labels"
        )


def labels_of(folder: Path, spec: ModelSpec) -> LabelMap:
    """The labels alone, without loading weights: for `check`."""
    with guarded(folder / "config.json", FIX):
        config = dict(json.loads((folder / "config.json").read_text("utf-8")))
    return read_labels(_names(config), spec.labels, str(folder / "config.json"))
