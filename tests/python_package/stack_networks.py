"""Networks for the stack's consumers, small enough to be worked out by hand: pictures of 64x64, 64 cells of 8x8 pixels.

Each fails in its run where its data says so, as a device does now and then: on a white picture (`reject_white`), or on
descriptors that hold a number above 5 (the matcher).
"""

from __future__ import annotations

import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import tiny_models

SIDE, CELL = 64, 8
CELLS = (SIDE // CELL) ** 2
PATCH = 32  # of AdHoP
SURE, SHIFT = 0.9, 4.0

node = helper.make_node


def constant(name: str, value: object, dtype: type = np.float32):
    return numpy_helper.from_array(np.asarray(value, dtype), name)


def tensor(name: str, shape: tuple[int, ...], dtype: int = TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def guard(value: str, bound: str) -> list:
    """`nothing` is 0, unless the scalar `value` is above `bound`: then the run fails, looking behind the end of one number."""
    return [node("Greater", [value, bound], ["is_bad"]), node("Cast", ["is_bad"], ["place"], to=TensorProto.INT64),
            node("Gather", ["only_nought", "place"], ["nothing"])]


GUARD = [constant("only_nought", [0.0])]


def reject_white(image: str) -> list:
    return [node("ReduceMin", [image], ["darkest"], keepdims=0), *guard("darkest", "almost_white")]


WHITE = [*GUARD, constant("almost_white", 0.99)]


def vpr(path: pathlib.Path) -> pathlib.Path:
    """image -> embedding [1,64]: the cells' means, less their mean."""
    nodes = [*reject_white("image"),
             node("AveragePool", ["image"], ["means"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
             node("Reshape", ["means", "flat"], ["row"]), node("ReduceMean", ["row"], ["mean"], axes=[1]),
             node("Sub", ["row", "mean"], ["centred"]), node("Add", ["centred", "nothing"], ["embedding"])]
    return tiny_models.write(path, tiny_models.network(
        nodes, [tensor("image", (1, 1, SIDE, SIDE))], [tensor("embedding", (1, CELLS))],
        [*WHITE, constant("flat", [1, CELLS], np.int64)]))


def grid() -> np.ndarray:
    """The cells' middles, [64,2] (x, y)."""
    middles = np.arange(SIDE // CELL) * CELL + (CELL - 1) / 2
    x, y = np.meshgrid(middles, middles)
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def features(path: pathlib.Path) -> pathlib.Path:
    """image -> keypoints [1,64,2], the cells' middles; descriptors [1,64,64], each cell's pixels."""
    nodes = [*reject_white("image"), node("Add", ["grid", "nothing"], ["keypoints"]),
             node("SpaceToDepth", ["image"], ["deep"], blocksize=CELL), node("Reshape", ["deep", "table"], ["columns"]),
             node("Transpose", ["columns"], ["rows"], perm=[0, 2, 1]), node("ReduceMean", ["rows"], ["mean"], axes=[2]),
             node("Sub", ["rows", "mean"], ["centred"]), node("LpNormalization", ["centred"], ["descriptors"], axis=2, p=2)]
    return tiny_models.write(path, tiny_models.network(
        nodes, [tensor("image", (1, 1, SIDE, SIDE))],
        [tensor("keypoints", (1, CELLS, 2)), tensor("descriptors", (1, CELLS, CELL * CELL))],
        [*WHITE, constant("grid", grid()[None]), constant("table", [1, CELL * CELL, CELLS], np.int64)]))


def matcher(path: pathlib.Path) -> pathlib.Path:
    """LightGlue's contract: the nearest descriptor, where it is near."""
    nodes = [node("ReduceMax", ["desc1"], ["largest"], keepdims=0), *guard("largest", "five"),
             node("Transpose", ["desc1"], ["turned"], perm=[0, 2, 1]), node("MatMul", ["desc0", "turned"], ["alike"]),
             node("ReduceMax", ["alike"], ["best"], axes=[2], keepdims=0),
             node("ArgMax", ["alike"], ["nearest"], axis=2, keepdims=0), node("Greater", ["best", "near"], ["is_near"]),
             node("Where", ["is_near", "nearest", "none"], ["matches"]),
             node("ReduceSum", ["kpts0"], ["sum0"], keepdims=0), node("ReduceSum", ["kpts1"], ["sum1"], keepdims=0),
             node("Add", ["sum0", "sum1"], ["sum"]), node("Mul", ["sum", "nothing"], ["naught"]),
             node("Add", ["best", "naught"], ["scores"])]
    keypoints, descriptors = (1, CELLS, 2), (1, CELLS, CELL * CELL)
    return tiny_models.write(path, tiny_models.network(
        nodes, [tensor("kpts0", keypoints), tensor("kpts1", keypoints), tensor("desc0", descriptors),
                tensor("desc1", descriptors)],
        [tensor("matches", (1, CELLS), TensorProto.INT64), tensor("scores", (1, CELLS))],
        [*GUARD, constant("five", 5.0), constant("near", 0.9), constant("none", -1, np.int64)]))


def adhop(path: pathlib.Path) -> pathlib.Path:
    """Says that everything is seen SHIFT pixels further right, and is SURE."""
    nodes = [*reject_white("query"), node("ReduceMean", ["reference"], ["mean"], keepdims=0),
             node("Mul", ["mean", "nothing"], ["naught"]), node("Add", ["shift", "naught"], ["corner_offsets"]),
             node("Add", ["sure", "naught"], ["confidence"])]
    patch = (1, 1, PATCH, PATCH)
    return tiny_models.write(path, tiny_models.network(
        nodes, [tensor("reference", patch), tensor("query", patch)],
        [tensor("corner_offsets", (1, 4, 2)), tensor("confidence", (1, 1))],
        [*WHITE, constant("shift", [[[SHIFT, 0.0]] * 4]), constant("sure", [[SURE]])]))


ALL = {"vpr": vpr, "features": features, "matcher": matcher, "adhop": adhop}
