"""What the tests of the stand-ins share: running their files, and Skua's comparison."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from model_checks import MODELS_DIR, golden_parts

sys.path.insert(0, str(MODELS_DIR.parent / "python"))

import model_files  # noqa: E402


def networks_of(nano: Path, precision: str = "fp16") -> dict[str, dict]:
    """The networks of SET.yaml, which is JSON under a comment."""
    text = (nano / ("set.yaml" if precision == "fp16" else "set_fp32.yaml")).read_text()
    assert text.splitlines()[0] == "# Stand-ins with random weights: what they output means nothing."
    return {network["name"]: network for network in json.loads(text.split("\n", 1)[1])["networks"]}


def session(path: Path, is_optimised: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if not is_optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_onnx(path: Path, inputs: dict[str, np.ndarray], is_optimised: bool = True) -> dict[str, np.ndarray]:
    ready = session(path, is_optimised)
    return dict(zip([o.name for o in ready.get_outputs()], ready.run(None, inputs), strict=True))


def run_torch(path: Path, inputs: dict[str, np.ndarray], names: list[str], is_half: bool = False) -> dict:
    network = torch.jit.load(str(path))
    network = network.half() if is_half else network
    found = model_files.run_network(network, {k: torch.from_numpy(v.copy()) for k, v in inputs.items()})
    return {name: tensor.numpy() for name, tensor in zip(names, found, strict=True)}


def golden_of(nano: Path, name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    values, expected = golden_parts(nano / f"{name}.golden")
    names = [entry.name for entry in session(nano / f"{name}.onnx").get_inputs()]
    return dict(zip(names, values, strict=True)), expected


def differs(found: np.ndarray, expected: np.ndarray, tolerance: dict) -> bool:
    """Skua's comparison, without its pairing of rows."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return True
    distance = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    return bool((distance > tolerance["absolute"] + tolerance["relative"] * np.abs(expected)).any())
