"""The activation tensors of a network, and their scales: what TensorRT's calibration cache holds."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import numpy as np
from onnx import ModelProto

from skua_precision import check, graphs, ranges
from skua_precision.errors import build_error

FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
LARGEST_INTEGER = 127.0  # of int8, around zero
LEAST_SCALE, LARGEST_SCALE = 2.0**-64, 2.0**64  # docs/formats/calibration-cache.md
MAX_TENSORS, MAX_NAME_BYTES, MAX_CACHE_BYTES = 500_000, 4096, 2**26  # the same
HEAD_BYTES, SCALE_BYTES = len("TRT-100300-EntropyCalibration2\n"), len(": 3f800000\n")
ANY_REACH = 1.0  # of what is zero whatever the inputs hold: zero is zero at every scale
SHAPES_ALONE = ("Shape", "Size")  # what these give depends on no value


def of(model: ModelProto) -> list[str]:
    """Every input and everything that a node gives, where it is floating point, in the order of the graph."""
    if found := next((node for node in model.graph.node if any(graphs.inner_graphs(node))), None):
        raise build_error("model_unsupported", f"{found.op_type} '{found.name}': expected a network without inner graphs for a "
                                               "calibration cache, found one, whose tensors have no scale there; export the "
                                               "model without it, or leave --calibration-cache out")
    made = [name for node in model.graph.node for name in node.output if name]
    names = list(dict.fromkeys([*graphs.inputs_of(model), *made]))
    types = {value.name: value.type for value in check.session_of(ranges.probe(model, names)).get_outputs()}
    found = [name for name in names if types[name] in FLOATS]
    _check_names(found)
    return found


def unnamed_of(model: ModelProto) -> list[str]:
    """Nodes that TensorRT's parser makes several layers of: the tensors between these have no ONNX name, and so no scale."""
    return [node.name for node in model.graph.node if node.op_type == "Gemm"]


def _check_names(names: list[str]) -> None:
    """That docs/formats/calibration-cache.md has a line for each, before anything is calibrated."""
    for name in names:
        if len(name.encode()) > MAX_NAME_BYTES or any(unicodedata.category(letter) == "Cc" for letter in name):
            raise build_error("model_unsupported", f"value {ascii(name[:80])}: expected a name of 1 to {MAX_NAME_BYTES} bytes without "
                                                   "control characters for a calibration cache, found another; rename it in the "
                                                   "model, or leave --calibration-cache out")
    size = HEAD_BYTES + sum(len(name.encode()) + SCALE_BYTES for name in names)
    if len(names) > MAX_TENSORS or size > MAX_CACHE_BYTES:
        raise build_error("model_unsupported", f"the model: expected at most {MAX_TENSORS} activations in {MAX_CACHE_BYTES} bytes for a "
                                               f"calibration cache, found {len(names)} in {size}; leave --calibration-cache out")


def _fixed(model: ModelProto) -> set[str]:
    """What is the same whatever the inputs hold."""
    moved = set(graphs.inputs_of(model))
    fixed: set[str] = set()
    for node in model.graph.node:  # in an order in which every node follows what it reads
        is_moved = node.op_type not in SHAPES_ALONE and bool(moved & set(node.input))
        (moved if is_moved else fixed).update(node.output)
    return fixed


def scales(model: ModelProto, reach: Mapping[str, float], activations: list[str]) -> list[tuple[str, float]]:
    """What the integer 1 stands for, of every activation, as float32."""
    fixed = _fixed(model)
    return [(name, _scale(name, ANY_REACH if reach[name] == 0.0 and name in fixed else reach[name])) for name in activations]


def _scale(name: str, reach: float) -> float:
    scale = float(np.float32(reach / LARGEST_INTEGER))
    if scale < LEAST_SCALE:
        raise build_error("precision_not_supported",
                          f"value '{name}' is zero, or next to it, in every sample that calibrates, so that nothing says which scale "
                          "it needs in the calibration cache; give samples in which it is not, or take it out of the model")
    if scale > LARGEST_SCALE:
        raise build_error("precision_not_supported", f"value '{name}' reaches {reach:g}: expected at most "
                                                     f"{LARGEST_SCALE * LARGEST_INTEGER:g} for a scale of the calibration cache; "
                                                     "mend the model or the samples")
    return scale
