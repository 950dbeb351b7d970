"""Somebody else's model as an ONNX file: onnxruntime alone, no torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable

_INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
_TYPES: Final = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}

Pieces = list[int]


def session_of(path: Path) -> Any:
    """One post a run: int8 activations are scaled per run, so a batch would make scores depend on their neighbours."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # since 1.29 it would report to its maker, and keep a file in the home
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # posts run side by side instead
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class OnnxWeights:
    """Logits of one ONNX file, of any number of labels."""

    def __init__(self, path: Path, threads: int, pad: int = 0) -> None:
        """Raises ModelUnavailable for inputs and outputs that no text model has, else what onnxruntime raises."""
        self.path, self._pad = path, pad
        self._session = session_of(path)
        self._types = {item.name: self._type(item) for item in self._session.get_inputs()}
        self._fixed = self._fixed_length()
        self._output = self._choose([item.name for item in self._session.get_outputs()])
        self._pool = ThreadPoolExecutor(threads, "tone") if threads > 1 else None

    @property
    def longest(self) -> int | None:
        """Pieces of the only length that the graph takes; None when it takes any."""
        return self._fixed

    def logits(self, rows: Sequence[Pieces]) -> npt.NDArray[np.float32]:
        """(len(rows), labels)."""
        found = list(self._pool.map(self._run, rows)) if self._pool else [self._run(row) for row in rows]
        return np.concatenate(found).astype(np.float32)

    def _run(self, row: Pieces) -> npt.NDArray[np.float32]:
        size = self._fixed or len(row)
        filled = [*row, *[self._pad] * (size - len(row))]
        known = {
            "input_ids": filled,
            "attention_mask": [1] * len(row) + [0] * (size - len(row)),
            "token_type_ids": [0] * size,
            "position_ids": list(range(size)),
        }
        fed = {name: np.array([known[name]], dtype=kind) for name, kind in self._types.items()}
        found: npt.NDArray[np.float32] = self._session.run([self._output], fed)[0]
        if found.ndim != 2 or len(found) != 1:
            raise ModelUnavailable(
                f"tone model: {self.path}: output {self._output} has shape {found.shape} for a text, not (1, labels); "
                "export it as a model for sequence classification"
            )
        return found

    def _type(self, item: Any) -> Any:
        if item.name not in _INPUTS or item.type not in _TYPES:
            raise ModelUnavailable(
                f"tone model: {self.path}: input {item.name} of {item.type} is none of {', '.join(_INPUTS)}; "
                "export it as a model for sequence classification"
            )
        return _TYPES[item.type]

    def _fixed_length(self) -> int | None:
        shapes = {item.name: item.shape for item in self._session.get_inputs()}
        if "input_ids" not in shapes:
            raise ModelUnavailable(f"tone model: {self.path}: has no input input_ids; its inputs: {', '.join(shapes)}")
        length = shapes["input_ids"][-1]
        return length if isinstance(length, int) and length > 0 else None

    def _choose(self, names: list[str]) -> str:
        if "logits" in names or len(names) == 1:
            return "logits" if "logits" in names else names[0]
        raise ModelUnavailable(f"tone model: {self.path}: has no output logits; its outputs: {', '.join(names)}")
