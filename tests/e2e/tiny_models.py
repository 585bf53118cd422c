"""Tiny ONNX networks, one per thing that a runtime must carry. Each function writes one file and returns its path."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH = 8
# What ONNX Runtime 1.23 reads; the onnx package would stamp its own, newer figures.
IR_VERSION = 10
OPSET = [helper.make_opsetid("", 17)]


def _info(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def weights(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def network(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def write(path, model):
    path = pathlib.Path(path)
    path.write_bytes(model.SerializeToString())
    return path


def add_relu_model(seed=1):
    """x [1,8] -> y = relu(x + bias): static shapes."""
    bias = numpy_helper.from_array(weights(seed, WIDTH), "bias")
    nodes = [helper.make_node("Add", ["x", "bias"], ["sum"]), helper.make_node("Relu", ["sum"], ["y"])]
    shape = [1, WIDTH]
    return network(nodes, [_info("x", TensorProto.FLOAT, shape)], [_info("y", TensorProto.FLOAT, shape)], [bias])


def add_relu(path, seed=1):
    return write(path, add_relu_model(seed))


def slow(path, seed=9):
    """x [1,8] -> y [1,8] by way of 1024 columns: some 0.1 ms a run, where the others take about 1 us."""
    wide = 1024
    sizes = {"a": (WIDTH, wide), "b": (wide, wide), "c": (wide, WIDTH)}
    matrices = [numpy_helper.from_array(weights(seed, *size) / np.float32(np.sqrt(size[0])), name)
                for name, size in sizes.items()]
    nodes = [helper.make_node("MatMul", [before, name], [after])
             for before, name, after in (("x", "a", "p"), ("p", "b", "q"), ("q", "c", "y"))]
    shape = [1, WIDTH]
    return write(path, network(nodes, [_info("x", TensorProto.FLOAT, shape)],
                               [_info("y", TensorProto.FLOAT, shape)], matrices))


def dynamic_batch(path, seed=2):
    """x [n,8] -> y = relu(x w) [n,8]."""
    matrix = numpy_helper.from_array(weights(seed, WIDTH, WIDTH), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["product"]), helper.make_node("Relu", ["product"], ["y"])]
    shape = ["n", WIDTH]
    model = network(nodes, [_info("x", TensorProto.FLOAT, shape)], [_info("y", TensorProto.FLOAT, shape)], [matrix])
    return write(path, model)


def non_zero(path):
    """x [16] -> where int64 [1,count]: the output's shape depends on the data."""
    nodes = [helper.make_node("NonZero", ["x"], ["where"])]
    return write(path, network(nodes, [_info("x", TensorProto.FLOAT, [16])],
                               [_info("where", TensorProto.INT64, [1, "count"])]))


def half(path, seed=3):
    """x float16 [1,8] -> y float16: the source graph itself is half."""
    matrix = numpy_helper.from_array(weights(seed, WIDTH, WIDTH, dtype=np.float16), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["product"]), helper.make_node("Relu", ["product"], ["y"])]
    shape = [1, WIDTH]
    return write(path, network(nodes, [_info("x", TensorProto.FLOAT16, shape)],
                               [_info("y", TensorProto.FLOAT16, shape)], [matrix]))


def integers(path):
    """a, b int64 [4], flag bool [4] -> picked int64 = flag ? a + b : a - b, is_larger bool = a > b."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
        helper.make_node("Where", ["flag", "sum", "difference"], ["picked"]),
        helper.make_node("Greater", ["a", "b"], ["is_larger"]),
    ]
    inputs = [_info("a", TensorProto.INT64, [4]), _info("b", TensorProto.INT64, [4]),
              _info("flag", TensorProto.BOOL, [4])]
    outputs = [_info("picked", TensorProto.INT64, [4]), _info("is_larger", TensorProto.BOOL, [4])]
    return write(path, network(nodes, inputs, outputs))


def several(path, seed=4):
    """left, right [2,8] -> total = left + right, product = (left * right) w."""
    matrix = numpy_helper.from_array(weights(seed, WIDTH, WIDTH), "w")
    nodes = [
        helper.make_node("Add", ["left", "right"], ["total"]),
        helper.make_node("Mul", ["left", "right"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "w"], ["product"]),
    ]
    shape = [2, WIDTH]
    return write(path, network(nodes, [_info(n, TensorProto.FLOAT, shape) for n in ("left", "right")],
                               [_info(n, TensorProto.FLOAT, shape) for n in ("total", "product")], [matrix]))


def external(path, location="weights.bin", seed=5, rows=64):
    """add_relu with a MatMul whose weights lie in the file `location`, as the model file says it."""
    path = pathlib.Path(path)
    matrix = numpy_helper.from_array(weights(seed, rows, WIDTH), "w")
    raw = matrix.raw_data
    nodes = [helper.make_node("MatMul", ["x", "w"], ["product"]), helper.make_node("Relu", ["product"], ["y"])]
    model = network(nodes, [_info("x", TensorProto.FLOAT, [1, rows])],
                    [_info("y", TensorProto.FLOAT, [1, WIDTH])], [matrix])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(len(raw)))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    target = path.parent / location
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(raw)
    return write(path, model)
