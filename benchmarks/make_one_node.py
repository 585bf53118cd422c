#!/usr/bin/env python3
"""Writes the smallest network worth calling, and its SET.yaml: y = relu(x + bias), x and y of [1, 64].

    python benchmarks/make_one_node.py --out DIR [--runtime onnx_trt_ep|pytorch_fp16]

It computes next to nothing, so its call time is what calling costs. ONNX Runtime fuses nothing here: an Add and a
Relu stay.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

WIDTH = 64
OPSET = 17
SET_YAML = {
    "onnx_trt_ep": """runtime: onnx_trt_ep
execution_provider: cpu
networks:
  - name: one_node
    onnx: one_node.onnx
    precision: fp32
""",
    "pytorch_fp16": """networks:
  - name: one_node
    pt: one_node.pt
    precision: fp16
""",
}


def make_model():
    import onnx
    from onnx import TensorProto, helper

    bias = bias_values()
    nodes = [helper.make_node("Add", ["x", "bias"], ["sum"]), helper.make_node("Relu", ["sum"], ["y"])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, WIDTH]) for name in "xy")
    weights = [onnx.numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(nodes, "one_node", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def bias_values():
    import numpy as np

    return (np.arange(WIDTH, dtype=np.float32) % 7 - 3) / 8


def write_onnx(out: Path) -> None:
    (out / "one_node.onnx").write_bytes(make_model().SerializeToString())


def write_torchscript(out: Path) -> None:
    import torch

    class OneNode(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("bias", torch.from_numpy(bias_values()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x + self.bias)

    io = {"inputs": [{"name": "x", "dtype": "float32", "shape": [1, WIDTH]}], "outputs": ["y"]}
    torch.jit.script(OneNode()).save(str(out / "one_node.pt"), _extra_files={"skua.io": json.dumps(io)})


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the one-node network and its SET.yaml.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--runtime", choices=sorted(SET_YAML), default="onnx_trt_ep")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    {"onnx_trt_ep": write_onnx, "pytorch_fp16": write_torchscript}[arguments.runtime](arguments.out)
    (arguments.out / "set.yaml").write_text(SET_YAML[arguments.runtime], "utf-8")


if __name__ == "__main__":
    main()
