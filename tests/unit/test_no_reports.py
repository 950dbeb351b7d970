"""Nothing that runs a model reports to its maker or leaves files in the user's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from pathlib import Path
if sys.argv[1] == "bare":
    import onnxruntime
    onnxruntime.InferenceSession(sys.argv[2], providers=["CPUExecutionProvider"])
else:
    from sentiment.tone import ToneModel
    print(ToneModel(None, 1).name)
"""


def _left_behind(home: Path, how: str) -> list[str]:
    model = Path(__file__).parents[2] / "sentiment" / "model" / "model.onnx"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(home), "PYTHONPATH": str(model.parents[2])}
    environment.pop("XDG_CACHE_HOME", None)
    command = [sys.executable, "-c", CODE, how, str(model)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


@pytest.mark.process
@pytest.mark.model
def test_the_model_leaves_nothing_in_the_home(tmp_path: Path) -> None:
    assert _left_behind(tmp_path, "ours") == []


@pytest.mark.process
@pytest.mark.model
def test_the_bare_library_would_have(tmp_path: Path) -> None:
    if not _left_behind(tmp_path, "bare"):
        pytest.skip("this onnxruntime reports nothing: the test above shows nothing here")
