"""What an int8 graph looks like, before and after: our own look at it, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from skua_precision import graphs, half
from skua_precision.errors import build_error

OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # nearly all of a network's arithmetic; these become int8
PAIR = ("QuantizeLinear", "DequantizeLinear")
# Parts of the names of all operators that hold quantised values, ONNX Runtime's own among them.
QUANTISED_PARTS = ("QuantizeLinear", "DynamicQuantize", "QLinear", "ConvInteger", "MatMulInteger", "MatMulNBits", "QAttention",
                   "QGemm", "QMoE", "QOrdered")
OPSETS = range(13, 23)  # from scales for each channel on, to what ONNX Runtime 1.23 has QuantizeLinear for
INPUT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.INT16,
               TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32,
               TensorProto.UINT64, TensorProto.BOOL)  # what a .npy file holds as well


def _is_of_quantising(node: NodeProto) -> bool:
    return any(part in node.op_type for part in QUANTISED_PARTS)


def check_source(model: ModelProto) -> None:
    """Refuses what cannot become int8."""
    if (opset := half.opset_of(model)) not in OPSETS:
        raise build_error("model_unsupported", f"int8 needs ONNX opset {OPSETS[0]} to {OPSETS[-1]}, the model has {opset}; "
                                               "export it again with one of these")
    if model.functions:
        raise build_error("model_unsupported", f"the model holds functions ('{model.functions[0].name}'), which are not looked "
                                               "into; inline them when it is exported")
    if found := next((node for node in graphs.all_nodes(model.graph) if _is_of_quantising(node)), None):
        raise build_error("model_unsupported", f"{found.op_type} '{found.name}': expected a float32 model, found one that is "
                                               "quantised already; give the model that it was made from")
    for value, is_input in _ends(model):
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type" or (is_input and value.type.tensor_type.elem_type not in INPUT_TYPES):
            raise build_error("model_unsupported", f"'{value.name}': expected a tensor of numbers, found another type of value; "
                                                   "quantise the part of the network that has none")
    for tensor in graphs.float_weights(model.graph):
        if not np.isfinite(graphs.array_of(tensor)).all():
            raise build_error("model_unsupported", f"weights '{tensor.name}' hold NaN or infinity; mend the model")


def _ends(model: ModelProto) -> Iterator[tuple[ValueInfoProto, bool]]:
    yield from ((value, True) for value in graphs.inputs_of(model).values())
    yield from ((value, False) for value in model.graph.output)


def quantised_nodes(model: ModelProto) -> list[str]:
    """Nodes that read a value out of a DequantizeLinear."""
    widened = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return sorted(node.name for node in model.graph.node
                  if node.op_type not in PAIR and widened & graphs.values_read(node))


def check(model: ModelProto) -> None:
    """Refuses what TensorRT's parser would; inner graphs too."""
    weights = {tensor.name: tensor for tensor in graphs.all_weights(model.graph)}
    for node in graphs.all_nodes(model.graph):
        if node.op_type in PAIR:
            _check_scale(node, weights)
        elif _is_of_quantising(node):
            raise _bad_form(node, "QuantizeLinear and DequantizeLinear alone")


def _bad_form(node: NodeProto, expected: str) -> Exception:
    return build_error("model_unsupported", f"{node.op_type} '{node.name}': expected {expected}, found another form; quantise "
                                            "the float32 model with skua quantize")


def _check_scale(node: NodeProto, weights: dict[str, TensorProto]) -> None:
    constants = [weights.get(name) for name in node.input[1:3]]
    if len(constants) < 2 or None in constants:
        raise _bad_form(node, "a scale and a zero point among the weights")
    scale, zero = (graphs.array_of(tensor) for tensor in constants)
    if scale.dtype != np.float32 or not (np.isfinite(scale).all() and (scale > 0).all()):
        raise _bad_form(node, "scales that are float32, finite and positive")
    if zero.dtype != np.int8 or (zero != 0).any():
        raise _bad_form(node, "int8 with zero points of 0")
    stored = weights.get(node.input[0])
    if scale.size > 1 and (stored is None or stored.data_type != TensorProto.INT8):
        raise _bad_form(node, "one scale for an activation")
