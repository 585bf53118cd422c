#!/usr/bin/env python3
"""Writes the smallest network worth calling, and its SET.yaml: y = relu(x + bias), x and y of [1, 64].

    python benchmarks/make_one_node.py --out DIR

It computes next to nothing, so its call time is what calling costs. ONNX Runtime fuses nothing here: an Add and a
Relu stay.
"""

from __future__ import annotations

import argparse
from pathlib import Path

WIDTH = 64
OPSET = 17
SET_YAML = """runtime: onnx_trt_ep
execution_provider: cpu
networks:
  - name: one_node
    onnx: one_node.onnx
    precision: fp32
"""


def make_model():
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    bias = (np.arange(WIDTH, dtype=np.float32) % 7 - 3) / 8
    nodes = [helper.make_node("Add", ["x", "bias"], ["sum"]), helper.make_node("Relu", ["sum"], ["y"])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, WIDTH]) for name in "xy")
    weights = [onnx.numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(nodes, "one_node", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the one-node network and its SET.yaml.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    (out / "one_node.onnx").write_bytes(make_model().SerializeToString())
    (out / "set.yaml").write_text(SET_YAML, "utf-8")


if __name__ == "__main__":
    main()
