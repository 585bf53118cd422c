"""float32 ONNX graphs to int8 with explicit Q/DQ nodes, through ONNX Runtime's static quantiser.

Its defaults are refused by TensorRT's parser (int32 biases, zero points that are not zero). What is asked of it
here is what that parser takes: QuantizeLinear and DequantizeLinear in front of the inputs of convolutions and matrix
products alone, int8 around zero, one scale for an activation, one a channel for weights, biases in float.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the library is loaded: newer releases phone home otherwise
from onnxruntime.quantization import (  # noqa: E402
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from skua_precision import check, graphs, half  # noqa: E402
from skua_precision.errors import build_error  # noqa: E402
from skua_precision.samples import Arrays  # noqa: E402

# onnx names temporary files by uuid1, which asks a local service and the network card through sockets.
uuid.uuid1 = uuid.uuid4

QUANTISED_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # nearly all of a network's arithmetic
METHODS = {"entropy2": CalibrationMethod.Entropy, "minmax": CalibrationMethod.MinMax}
LEAST_OPSET = 13  # of a scale for each channel
# Of an output's direction, for the worst held-out sample. Sound ranges give 0.99 and more on our networks, ranges of
# other data far below 0.9 (tests/python/test_qdq.py): what lies between them needs somebody to look.
LEAST_COSINE = 0.95
CALIBRATION_KEY = "skua.calibration"
OPTIONS = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "OpTypesToExcludeOutputQuantization": list(QUANTISED_OPERATORS),
}


@dataclass(frozen=True)
class Quantisation:
    """A quantised model, and which of its nodes compute with int8 and which were kept."""

    model: ModelProto
    quantised: list[str]
    kept_fp32: list[str]


@dataclass(frozen=True)
class Accuracy:
    """One output over all held-out samples, beside float32."""

    name: str
    max_rel_error: float  # over values of at least a hundredth of a sample's largest
    least_cosine: float  # of all samples; 1: the same direction


class _Reader(CalibrationDataReader):
    def __init__(self, samples: Iterable[Arrays]) -> None:
        self._samples = iter(samples)

    def get_next(self) -> Arrays | None:
        return next(self._samples, None)


def _opset(model: ModelProto) -> int:
    return max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def to_int8(source: ModelProto, samples: Iterable[Arrays], patterns: list[str], method: str) -> Quantisation:
    """Quantises what no pattern keeps, by the ranges that the samples show."""
    model = half.prepare(source)
    if _opset(model) < LEAST_OPSET:
        raise build_error("model_unsupported", f"int8 needs ONNX opset {LEAST_OPSET}, the model has {_opset(model)}; export "
                                               "it again with a newer one")
    kept = graphs.matching_nodes(model.graph, patterns)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "quantised.onnx"
        quantize_static(model, file, _Reader(samples), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, calibrate_method=METHODS[method],
                        op_types_to_quantize=list(QUANTISED_OPERATORS), nodes_to_exclude=sorted(kept), extra_options=OPTIONS)
        quantised = onnx.load(str(file))
    check_form(quantised)
    names = quantised_nodes(quantised)
    if not names:
        raise build_error("precision_not_supported", "no node of the model became int8: none of "
                                                     f"{', '.join(QUANTISED_OPERATORS)} has weights that --keep-fp32 leaves")
    return Quantisation(quantised, names, sorted(kept))


def quantised_nodes(model: ModelProto) -> list[str]:
    """Nodes whose first input comes out of a DequantizeLinear."""
    widened = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return sorted(node.name for node in model.graph.node if node.op_type in QUANTISED_OPERATORS and node.input[0] in widened)


def check_form(model: ModelProto) -> None:
    """Refuses what TensorRT's parser would: our own look, whoever wrote the graph."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"):
            raise _bad_form(node, "QuantizeLinear and DequantizeLinear alone")
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            _check_scale(node, weights)


def _bad_form(node: NodeProto, expected: str) -> Exception:
    return build_error("model_unsupported", f"{node.op_type} '{node.name}': expected {expected}, found another form; quantise "
                                            "the float32 model with skua quantize")


def _check_scale(node: NodeProto, weights: dict[str, TensorProto]) -> None:
    constants = [weights.get(name) for name in node.input[1:3]]
    if len(constants) < 2 or None in constants:
        raise _bad_form(node, "a scale and a zero point among the weights")
    scale, zero = (graphs.array_of(tensor) for tensor in constants)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise _bad_form(node, "scales that are finite and positive")
    if zero.dtype != np.int8 or (zero != 0).any():
        raise _bad_form(node, "int8 with zero points of 0")
    stored = weights.get(node.input[0])
    if scale.size > 1 and (stored is None or stored.data_type != TensorProto.INT8):
        raise _bad_form(node, "one scale for an activation")


def accuracy(source: ModelProto, quantised: ModelProto, held_out: Iterable[Arrays]) -> list[Accuracy]:
    """Both graphs on samples that calibrated nothing; figures of the worst one."""
    names = [value.name for value in source.graph.output]
    wide, narrow = check.session_of(source), check.session_of(quantised)
    worst = {name: Accuracy(name, 0.0, 1.0) for name in names}
    for inputs in held_out:
        for name, expected, found in zip(names, check.run(wide, inputs), check.run(narrow, inputs), strict=True):
            if expected.dtype.kind == "f":
                worst[name] = _worse(worst[name], expected, found)
    return list(worst.values())


def _worse(so_far: Accuracy, expected: np.ndarray, found: np.ndarray) -> Accuracy:
    if expected.shape != found.shape or not np.isfinite(found).all():
        return Accuracy(so_far.name, float("inf"), -1.0)
    e, f = (array.astype(np.float64).ravel() for array in (expected, found))
    is_meaningful = np.abs(e) >= max(check.RELATIVE_FLOOR * np.abs(e).max(initial=0.0), np.finfo(np.float64).tiny)
    error = (np.abs(f - e)[is_meaningful] / np.abs(e[is_meaningful])).max(initial=0.0)
    lengths = np.linalg.norm(e) * np.linalg.norm(f)
    cosine = float(e @ f / lengths) if lengths > 0 else float((e == f).all())
    return Accuracy(so_far.name, max(so_far.max_rel_error, float(error)), min(so_far.least_cosine, cosine))


def refuse_inaccurate(figures: Sequence[Accuracy]) -> None:
    bad = sorted((f for f in figures if f.least_cosine < LEAST_COSINE), key=lambda figure: figure.least_cosine)
    if not bad:
        return
    told = ", ".join(f"'{f.name}' {f.least_cosine:.3f}" for f in bad[:check.MAX_NAMED])
    raise build_error("precision_not_supported",
                      f"on samples that calibrated nothing, int8 turns outputs away from float32: expected a cosine of at least "
                      f"{LEAST_COSINE:g}, found {told}; give typical samples, or keep nodes with --keep-fp32")


def stamp(model: ModelProto, origin: dict[str, object]) -> None:
    """What the ranges were made from, inside the model."""
    half.set_property(model, CALIBRATION_KEY, json.dumps(origin, sort_keys=True))
