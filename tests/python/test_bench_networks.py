"""benchmarks/make_one_node.py writes the network that it says, with a SET.yaml beside it."""

import pathlib
import subprocess
import sys

import numpy as np
import onnxruntime

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "make_one_node.py"


def test_the_one_node_network(tmp_path):
    subprocess.run([sys.executable, str(PROGRAM), "--out", str(tmp_path)], check=True)
    session = onnxruntime.InferenceSession((tmp_path / "one_node.onnx").read_bytes(),
                                           providers=["CPUExecutionProvider"])
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 64)
    bias = (np.arange(64, dtype=np.float32) % 7 - 3) / 8
    assert np.array_equal(session.run(None, {"x": x})[0], np.maximum(x + bias, 0))
    assert "one_node.onnx" in (tmp_path / "set.yaml").read_text("utf-8")
