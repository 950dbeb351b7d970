"""Somebody else's model as transformers keep it: config.json and safetensors, run by torch (the extra `torch`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable

BATCH: Final = 16
NEEDED: Final = (
    "safetensors weights need torch: pip install 'mention-crawler[torch]' (a folder with model.onnx needs none)"
)

Pieces = list[int]


class TorchWeights:
    """Logits of one folder, of any number of labels. Weights are read as float32, whatever they were stored as."""

    longest: int | None = None

    def __init__(self, folder: Path, threads: int, pad: int | None) -> None:
        """Raises ModelUnavailable without torch or without a trained head, else what transformers raise."""
        try:
            import torch
        except ImportError as error:
            raise ModelUnavailable(f"tone model: {folder}: {NEEDED}") from error
        from transformers import AutoModelForSequenceClassification
        from transformers.utils import logging

        quiet: Any = logging
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
        torch.set_num_threads(threads)
        self._torch: Any = torch
        self._pad = pad
        self._model, told = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        if missing := sorted(told["missing_keys"]):
            shown = ", ".join(missing[:4])
            raise ModelUnavailable(
                f"tone model: {folder}: the weights lack {shown}: a base model that nobody trained to classify"
            )
        self._model.eval()

    def logits(self, rows: Sequence[Pieces]) -> npt.NDArray[np.float32]:
        """(len(rows), labels); rows of like length go together, as padding costs as much as text."""
        size = BATCH if self._pad is not None else 1
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        out: dict[int, npt.NDArray[np.float32]] = {}
        for start in range(0, len(order), size):
            some = order[start : start + size]
            out |= dict(zip(some, self._run([rows[row] for row in some]), strict=True))
        return np.stack([out[row] for row in range(len(rows))])

    def _run(self, rows: list[Pieces]) -> npt.NDArray[np.float32]:
        longest = max(map(len, rows))
        ids = self._torch.full((len(rows), longest), self._pad or 0, dtype=self._torch.long)
        mask = self._torch.zeros((len(rows), longest), dtype=self._torch.long)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = self._torch.tensor(row, dtype=self._torch.long)
            mask[at, : len(row)] = 1
        with self._torch.inference_mode():
            found: npt.NDArray[np.float32] = self._model(input_ids=ids, attention_mask=mask).logits.float().numpy()
        return found
