"""A small network for tests of quantising, and samples of it."""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from skua_precision.samples import Sample  # noqa: E402

SHAPE = (1, 3, 16, 16)


def network(opset: int = 17, shape: tuple = SHAPE) -> onnx.ModelProto:
    """Two convolutions with biases, a Relu between, and a matrix product behind."""
    random = np.random.default_rng(7)

    def weights(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "first", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c1"], ["r1"], "relu"),
             helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "second", pads=[1, 1, 1, 1]),
             helper.make_node("Flatten", ["c2"], ["f"], "flat"),
             helper.make_node("MatMul", ["f", "w3"], ["y"], "product")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 10))]
    stored = [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 8, 8, 3, 3), weights("b2", 8),
              weights("w3", 8 * shape[2] * shape[3], 10)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def typical(count: int, seed: int = 1, scale: float = 1.0) -> list[Sample]:
    random = np.random.default_rng(seed)
    return [Sample(f"{number}.npz", {"x": random.random(SHAPE, np.float32) * np.float32(scale)}) for number in range(count)]
