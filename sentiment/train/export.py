"""Write the encoder: fp16 safetensors in transformers format, and an int8 ONNX file that gives the same answers."""

from __future__ import annotations

import copy
import hashlib
import json
import tempfile
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import BertForSequenceClassification

ONNX_NAME = "model.onnx"


def save_transformers(model: BertForSequenceClassification, folder: Path) -> None:
    """config.json and model.safetensors (half precision: half the size, same answers)."""
    half = BertForSequenceClassification(copy.deepcopy(model.config))  # saving notes the half type in the config
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(folder)


def save_onnx(model: BertForSequenceClassification, folder: Path) -> None:
    """model.onnx: inputs `input_ids`, `attention_mask` (batch, length), output `logits` (batch, 3)."""
    plain = BertForSequenceClassification._from_config(model.config, attn_implementation="eager")
    plain.load_state_dict(model.state_dict())
    plain.eval()
    to_onnx(_LogitsOnly(plain), folder / ONNX_NAME, ["logits"])


def to_onnx(module: torch.nn.Module, path: Path, outputs: list[str]) -> None:
    """An int8 ONNX file of a module in eval mode that takes (ids, mask) and gives one (batch, n) tensor per output."""
    ids = torch.ones((2, 16), dtype=torch.long)
    axes = {0: "batch", 1: "length"}
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "full.onnx"
        torch.onnx.export(
            module,
            (ids, ids),
            str(full),
            input_names=["input_ids", "attention_mask"],
            output_names=outputs,
            dynamic_axes={"input_ids": axes, "attention_mask": axes, **{name: {0: "batch"} for name in outputs}},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(full, path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gather", "Gemm"])


class _LogitsOnly(torch.nn.Module):
    """Positional inputs, one tensor out: what the exporter traces."""

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def write_manifest(folder: Path, name: str) -> None:
    """manifest.json: sha256 and size of every file of the folder but itself."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != "manifest.json":
            path.chmod(0o644)  # safetensors are written for the owner alone
            data = path.read_bytes()
            files[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    text = json.dumps({"name": name, "files": files}, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
