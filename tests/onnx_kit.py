"""Small ONNX models written byte by byte, so that tests need neither torch nor onnx: the mean of its words' votes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

WORDS = {"bad": (9.0, 0.0, 0.0), "plain": (0.0, 9.0, 0.0), "good": (0.0, 0.0, 9.0)}
THREE = ("negative", "neutral", "positive")
_FLOAT, _INT32, _INT64 = 1, 6, 7


def save(
    folder: Path,
    words: Mapping[str, Sequence[float]] = WORDS,
    labels: Sequence[str] = THREE,
    config: Mapping[str, Any] | None = None,
    **graph_parts: Any,
) -> Path:
    """model.onnx, tokenizer.json and config.json; `words` maps each word to its vote for each label."""
    folder.mkdir(parents=True, exist_ok=True)
    width = len(next(iter(words.values())))
    table = [[0.0] * width, *([float(vote) for vote in votes] for votes in words.values())]
    (folder / "model.onnx").write_bytes(graph(table, **graph_parts))
    told = {"model_type": "bert", "id2label": {str(at): name for at, name in enumerate(labels)}, **(config or {})}
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    made = Tokenizer(models.WordLevel({"[UNK]": 0, **{word: at for at, word in enumerate(words, 1)}}, "[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    made.save(str(folder / "tokenizer.json"))
    return folder


def graph(
    table: Sequence[Sequence[float]],
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    output: str = "logits",
    fixed: int | None = None,
    whole: bool = True,
    narrow: bool = False,
) -> bytes:
    """A model file: `output` is the mean over words of the rows of `table`.

    `fixed` is the only length it takes, `narrow` asks for 32-bit ids, without `whole` the mean is left out and the
    output has a row for each word.
    """
    rows, width = len(table), len(table[0])
    raw = b"".join(struct.pack(f"<{width}f", *row) for row in table)
    weights = _int(1, rows) + _int(1, width) + _int(2, _FLOAT) + _bytes(8, b"table") + _bytes(9, raw)
    nodes = [_node("Gather", ["table", "input_ids"], "rows" if whole else output)]
    if whole:
        axes = _bytes(1, b"axes") + _int(8, 1) + _int(20, 7)
        keep = _bytes(1, b"keepdims") + _int(3, 0) + _int(20, 2)
        nodes.append(_node("ReduceMean", ["rows"], output, axes, keep))
    kind = _INT32 if narrow else _INT64
    ins = [_value(name, kind, ["batch", fixed or "length"]) for name in inputs]
    outs = _value(output, _FLOAT, ["batch", width] if whole else ["batch", "length", width])
    body = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"votes") + _bytes(5, weights)
    body += b"".join(_bytes(11, one) for one in ins) + _bytes(12, outs)
    return _int(1, 8) + _bytes(7, body) + _bytes(8, _bytes(1, b"") + _int(2, 17))


def _node(kind: str, inputs: Sequence[str], output: str, *attributes: bytes) -> bytes:
    parts = [_bytes(1, name.encode()) for name in inputs] + [_bytes(2, output.encode()), _bytes(4, kind.encode())]
    return b"".join([*parts, *(_bytes(5, one) for one in attributes)])


def _value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    dims = b"".join(_bytes(1, _int(1, d) if isinstance(d, int) else _bytes(2, d.encode())) for d in shape)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _int(1, kind) + _bytes(2, dims)))


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
