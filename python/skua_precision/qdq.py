"""float32 ONNX graphs to int8 with explicit Q/DQ nodes, through ONNX Runtime's static quantiser.

Its defaults are refused by TensorRT's parser (int32 biases, zero points that are not zero). What is asked of it
here is what that parser takes: QuantizeLinear and DequantizeLinear in front of the inputs of convolutions and matrix
products alone, int8 around zero, one scale for an activation, one a channel for weights, biases in float. Its
calibrators are not used: they hold what a network makes of all samples in memory, and count in 128 bins (ranges.py).

The quantiser works on values, and a value may be read by others as well. So every node that becomes int8 gets weights and
activations of its own first (_Own): nobody else reads a rounded value.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the library is loaded: newer releases phone home otherwise
from onnxruntime.quantization import CalibrationMethod, QuantType  # noqa: E402
from onnxruntime.quantization.calibrate import TensorData, TensorsData  # noqa: E402
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer  # noqa: E402
from onnxruntime.quantization.quant_utils import add_infer_metadata  # noqa: E402

from skua_precision import graphs, half, int8_form, ranges  # noqa: E402
from skua_precision.errors import build_error  # noqa: E402
from skua_precision.samples import Sample  # noqa: E402

# onnx names temporary files by uuid1, which asks a local service and the network card through sockets.
uuid.uuid1 = uuid.uuid4

OPTIONS = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "OpTypesToExcludeOutputQuantization": list(int8_form.OPERATORS),
}


@dataclass(frozen=True)
class Quantisation:
    """A quantised model, and what became of its convolutions and matrix products."""

    model: ModelProto
    quantised: list[str]
    kept_fp32: list[str]  # all nodes that a pattern keeps
    left_fp32: list[str]  # those that could not become int8, without being asked to stay
    reach: dict[str, float]  # how far values go on the samples: those that became int8, and those that were asked for


class _Own:
    """Gives the nodes that are to become int8 weights and activations that nobody else reads, and takes them back."""

    def __init__(self, model: ModelProto, nodes: Iterable[str]) -> None:
        self._graph = model.graph
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._taken = {name for node in graphs.all_nodes(model.graph) for name in (*node.input, *node.output)}
        self._taken |= {tensor.name for tensor in graphs.all_weights(model.graph)}
        self._taken |= {value.name for value in (*model.graph.input, *model.graph.output)}
        self.activations: dict[str, str] = {}  # a value: its own name
        wanted = set(nodes)
        for node in [node for node in model.graph.node if node.name in wanted]:
            self._separate(node)

    def _separate(self, node: NodeProto) -> None:
        for position, name in enumerate(node.input[:2]):
            own = self.activations.get(name)
            if name in self._weights:
                own = self._new_name(name)
                self._graph.initializer.add().CopyFrom(self._weights[name])
                self._graph.initializer[-1].name = own
            elif own is None:
                own = self._new_name(name)
                self.activations[name] = own
                self._graph.node.append(helper.make_node("Identity", [name], [own], f"{own} is"))
            node.input[position] = own

    def _new_name(self, name: str) -> str:
        """The library appends to it what its own values are called by."""
        number = 0
        while any(taken.startswith(own := f"{name}__int8_{number}") for taken in self._taken):
            number += 1
        self._taken.add(own)
        return own

    def give_back(self, model: ModelProto) -> None:
        """QuantizeLinear reads the value itself; weights that nobody reads any more go."""
        value_of = {own: value for value, own in self.activations.items()}
        for node in model.graph.node:
            for position, name in enumerate(node.input):
                node.input[position] = value_of.get(name, name)
        graphs.replace_nodes(model.graph, [node for node in model.graph.node
                                           if node.op_type != "Identity" or node.output[0] not in value_of])
        read = graphs.names_read(model.graph)
        weights = [TensorProto.FromString(t.SerializeToString()) for t in model.graph.initializer if t.name in read]
        del model.graph.initializer[:]
        model.graph.initializer.extend(weights)


def _can_be_int8(node: NodeProto, floats: set[str], weights: dict[str, TensorProto]) -> bool:
    """Also of what ONNX Runtime's quantiser makes of it."""
    if node.op_type not in int8_form.OPERATORS or not floats.issuperset(node.input[:2]):
        return False
    constant = [len(weights[name].dims) if name in weights else 0 for name in node.input[:2]]
    if constant[0] and constant[1]:
        return False
    if node.op_type == "MatMul":  # otherwise the scales would be those of another axis than the columns'
        return constant[0] == 0 and constant[1] <= 2
    beta = next((attribute.f for attribute in node.attribute if attribute.name == "beta"), 1.0)
    return node.op_type != "Gemm" or beta == 1.0  # it sets beta to 1 and leaves the bias as it is


def to_int8(source: ModelProto, samples: Iterable[Sample], patterns: list[str], method: str,
            also: Sequence[str] = ()) -> Quantisation:
    """Quantises what no pattern keeps, by the ranges that the samples show; `also` finds those of other values."""
    int8_form.check_source(source)
    model = half.prepare(source)
    kept = graphs.matching_nodes(model.graph, patterns)
    floats = set(graphs.float_values(model))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = [node for node in graphs.all_nodes(model.graph) if node.op_type in int8_form.OPERATORS]
    outer = {node.name for node in model.graph.node}
    wanted = [n.name for n in products if n.name in outer - kept and _can_be_int8(n, floats, weights)]
    if not wanted:
        raise build_error("precision_not_supported", "no node of the model can become int8: no "
                                                     f"{', '.join(int8_form.OPERATORS)} of float32 is left by --keep-fp32")
    own = _Own(model, wanted)
    graphs.sort_nodes(model.graph)
    reach = ranges.collect(model, list(dict.fromkeys([*own.activations, *also])), samples, method)
    ranges.refuse_no_range({value: reach[value] for value in own.activations})
    quantised = _quantise(model, wanted, own, reach)
    left = sorted({node.name for node in products} - set(wanted) - kept)
    return Quantisation(quantised, sorted(wanted), sorted(kept), left, reach)


def _quantise(model: ModelProto, wanted: list[str], own: _Own, reach: dict[str, float]) -> ModelProto:
    limits = {name: np.float32(reach[value]) for value, name in own.activations.items()}
    tensors = {name: TensorData(lowest=-size, highest=size) for name, size in limits.items()}
    typed = onnx.shape_inference.infer_shapes(model)
    add_infer_metadata(typed)  # otherwise the quantiser writes the model to a file, to infer them itself
    try:
        quantiser = QDQQuantizer(typed, per_channel=True, reduce_range=False, weight_qType=QuantType.QInt8,
                                 activation_qType=QuantType.QInt8,
                                 tensors_range=TensorsData(CalibrationMethod.MinMax, tensors), nodes_to_quantize=wanted,
                                 nodes_to_exclude=[], op_types_to_quantize=list(int8_form.OPERATORS),
                                 extra_options=OPTIONS)
        quantiser.quantize_model()
    except MemoryError:
        raise
    except Exception as error:  # it raises whatever its parts raise
        raise build_error("model_unsupported", f"ONNX Runtime's quantiser does not take the model: "
                                               f"{type(error).__name__}: {error}; keep the node that it names with "
                                               "--keep-fp32") from error
    quantised = quantiser.model.model
    own.give_back(quantised)
    del quantised.graph.value_info[:]  # of values that have gone
    del quantised.metadata_props[:]
    quantised.metadata_props.extend(model.metadata_props)
    graphs.sort_nodes(quantised.graph)
    _check_made(quantised, wanted)
    return quantised


def _check_made(model: ModelProto, wanted: list[str]) -> None:
    """What the quantiser made is what was asked of it; a refusal is a defect of ours or of the library's."""
    try:
        onnx.checker.check_model(model, full_check=False)
    except onnx.checker.ValidationError as error:
        raise build_error("model_unsupported", f"the quantiser made a graph that is none: {error}") from error
    int8_form.check(model)
    if (found := int8_form.quantised_nodes(model)) != sorted(wanted):
        other = sorted(set(found) ^ set(wanted))[0]
        raise build_error("model_unsupported", f"node '{other}': expected it {'in int8' if other in wanted else 'in float32'}, "
                                               "found it otherwise; keep it and those around it with --keep-fp32")
