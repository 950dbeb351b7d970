"""What a post wants, and its tone toward one of several names: a second small encoder, taught on posts written for it.

It stands apart from the tone model and stays when another one is set. It reads wording only: names are hidden from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.errors import ModelUnavailable
from crawler.model import Intent
from sentiment.broken import guarded
from sentiment.onnx_folder import session_of
from sentiment.prepare import TARGET_MARK, mark_target, sides, tidy, window

FOLDER: Final = Path(__file__).parent / "reader"
ORDER: Final = (Intent.QUESTION, Intent.COMPLAINT, Intent.PRAISE, Intent.OTHER)
LANGUAGES: Final = ("en", "ru", "uk")
MAX_PIECES: Final = 128
FIX: Final = "reinstall the package, or from its source train anew with `python -m sentiment.train.reader`"

Logits = tuple[float, float, float]
Margins = dict[Intent, float]
Floats = npt.NDArray[np.float32]
Pieces = list[int]


class Reader:
    """A verified, loaded reader folder: `model.onnx`, `tokenizer.json`, `manifest.json`. Safe from several threads."""

    def __init__(self, folder: Path = FOLDER, threads: int = 0) -> None:
        """`threads` 0: one less than the cores. Raises ModelUnavailable for anything missing, altered or nonsense."""
        from sentiment.tone import default_threads, verify

        self.folder = folder
        self.name = verify(folder)
        with guarded(folder / "tokenizer.json", FIX):
            self._tokenizer = _tokenizer(folder / "tokenizer.json")
            self._mark: int = self._tokenizer.token_to_id(TARGET_MARK)
        with guarded(folder / "model.onnx", FIX):
            self._session = session_of(folder / "model.onnx")
        workers = threads or default_threads()
        self._pool = ThreadPoolExecutor(workers, "reader") if workers > 1 else None
        self.wants(["ok"], [None])

    def wants(self, texts: Sequence[str], targets: Sequence[str | None]) -> list[Margins]:
        """For question, complaint and praise the logit less that of other, of each text."""
        shown = [_shown(text, target) for text, target in zip(texts, targets, strict=True)]
        return [_margins(row) for row in self._run(shown, "intent")]

    def toward(self, text: str, names: Sequence[str]) -> list[Logits]:
        """Logits of negative, neutral and positive toward each of the names in the text; their mean is 0."""
        shown = [window(side, name)[0] for side, name in zip(sides(tidy(text), names), names, strict=True)]
        rows = self._run(shown, "toward")
        return [_three(row) for row in rows - rows.mean(axis=1, keepdims=True)]

    def _run(self, shown: Sequence[str], output: str) -> Floats:
        if not shown:
            return np.empty((0, 4), dtype=np.float32)
        rows = [self._pieces(item.ids) for item in self._tokenizer.encode_batch(list(shown))]
        with guarded(self.folder / "model.onnx", FIX):
            found = list(self._pool.map(self._one, rows)) if self._pool else [self._one(row) for row in rows]
            result: Floats = np.concatenate([row[output] for row in found])
        if not np.isfinite(result).all():
            raise ModelUnavailable(f"reader: {self.folder / 'model.onnx'}: gives NaN; {FIX}")
        return result

    def _one(self, row: Pieces) -> dict[str, Floats]:
        ids = np.array([row], dtype=np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return dict(zip(("intent", "toward"), self._session.run(["intent", "toward"], fed), strict=True))

    def _pieces(self, row: Pieces) -> Pieces:
        """At most MAX_PIECES: around the mark, or the first half and the last."""
        room = MAX_PIECES - 2
        told = row[1:-1]
        if len(told) <= room:
            return row
        start = max(0, min(told.index(self._mark) - room // 3, len(told) - room)) if self._mark in told else 0
        kept = told[start : start + room] if self._mark in told else told[: room // 2] + told[-(room // 2) :]
        return [row[0], *kept, row[-1]]


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(path))
    found.no_truncation()
    found.no_padding()
    return found


def _shown(text: str, target: str | None) -> str:
    return window(mark_target(tidy(text), target), target)[0]


def _margins(row: Floats) -> Margins:
    return {intent: float(row[place] - row[3]) for place, intent in enumerate(ORDER[:3])}


def _three(row: Floats) -> Logits:
    return float(row[0]), float(row[1]), float(row[2])
