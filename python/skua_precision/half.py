"""float32 ONNX graphs to float16, through ONNX Runtime's own converter.

The converter decides nothing here: which nodes stay float32 is the caller's list, plus the operators for
which ONNX defines no float16. (Its own list is longer: it names operators that some runtime lacked at some
time.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import ModelProto, NodeProto, TensorProto
from onnx.defs import OpSchema

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the library is loaded: newer releases phone home otherwise
import onnxruntime  # noqa: E402
from onnxruntime.transformers.float16 import ALWAYS_FLOAT_INPUTS, convert_float_to_float16  # noqa: E402

from skua_precision import graphs  # noqa: E402
from skua_precision.errors import build_error  # noqa: E402

CONVERTER_KEY = "skua.converter"
PRECISION_KEY = "skua.precision"


@dataclass(frozen=True)
class Conversion:
    """A converted model, and the nodes that stayed float32."""

    model: ModelProto
    kept_fp32: list[str]  # because a pattern says so; what SET.yaml's keep_fp32 must name
    always_fp32: list[str]  # because ONNX defines no float16 for their operator


def _types_of(declared: Sequence[OpSchema.FormalParameter], names: Sequence[str],
              handled: Sequence[int]) -> set[str]:
    """What the schema calls the types of the inputs or outputs that a node really has."""
    present = [i for i, name in enumerate(names) if name and i not in handled]
    return {declared[min(i, len(declared) - 1)].type_str for i in present}


def _admits_half(node: NodeProto, opset: int) -> bool:
    """Whether float16 may stand wherever the node's operator takes or gives float32."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
    except onnx.defs.SchemaError:
        return True  # an operator that is not ONNX's; the trial run tells
    handled = ALWAYS_FLOAT_INPUTS.get(node.op_type, [])  # Resize's scales: the converter leaves them alone
    types = _types_of(schema.inputs, node.input, handled) | _types_of(schema.outputs, node.output, [])
    allowed = {c.type_param_str: set(c.allowed_type_strs) for c in schema.type_constraints}
    choices = [allowed.get(name, {name}) for name in types]
    return not any("tensor(float)" in each and "tensor(float16)" not in each for each in choices)


def opset_of(model: ModelProto) -> int:
    """Of ONNX's own operators."""
    return max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _join_casts(model: ModelProto, own_nodes: set[str]) -> None:
    """Lets float32 values pass between kept nodes as they are.

    The converter rounds what a kept node gives to float16 and widens it again for the next kept node. A value
    that is too large for half precision would not survive that, although both nodes were kept.
    """
    narrowed = {n.output[0]: n.input[0] for n in model.graph.node
                if n.op_type == "Cast" and n.name not in own_nodes and _cast_target(n) == TensorProto.FLOAT16}
    for node in model.graph.node:
        is_added = node.op_type == "Cast" and node.name not in own_nodes
        if is_added and _cast_target(node) == TensorProto.FLOAT and node.input[0] in narrowed:
            node.input[0] = narrowed[node.input[0]]
    read = graphs.names_read(model.graph)
    graphs.replace_nodes(model.graph, [n for n in model.graph.node if n.name in own_nodes or read & set(n.output)])


def _cast_target(node: NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "to"), 0)


def _settle(model: ModelProto) -> ModelProto:
    """Sorts nodes and infers types anew, as the converter's are stale. Refuses an ill-typed graph."""
    graphs.sort_nodes(model.graph)
    del model.graph.value_info[:]
    try:
        onnx.checker.check_model(model, full_check=False)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        said = str(error).strip().split("\n")[0]
        raise build_error("model_unsupported", f"the converter made a graph that contradicts itself: {said}; "
                                               "keep that node with --keep-fp32") from error
    return model


def prepare(model: ModelProto) -> ModelProto:
    """A copy with a name on every node and float constants among the weights, for patterns to match."""
    copy = ModelProto()
    copy.CopyFrom(model)
    graphs.name_nodes(copy.graph)
    graphs.lift_constants(copy.graph)
    return copy


def to_half(source: ModelProto, patterns: list[str]) -> Conversion:
    """Converts weights and arithmetic; inputs and outputs keep the types of `source`."""
    model = prepare(source)
    kept = graphs.matching_nodes(model.graph, patterns)
    opset = opset_of(model)
    floats = set(graphs.float_values(model))
    always = {n.name for n in graphs.all_nodes(model.graph)
              if not _admits_half(n, opset) and floats & {*n.input, *n.output}}
    own_nodes = {node.name for node in graphs.all_nodes(model.graph)}
    converted = convert_float_to_float16(model, keep_io_types=True, op_block_list=[],
                                         node_block_list=sorted(kept | always))
    _join_casts(converted, own_nodes)
    converted = _settle(converted)
    note = f"skua quantize fp16, onnxruntime {onnxruntime.__version__}, keep_fp32 [{', '.join(patterns)}]"
    set_property(converted, CONVERTER_KEY, note)
    return Conversion(converted, sorted(kept), sorted(always))


def stamp(model: ModelProto, provenance: dict[str, object]) -> None:
    """What the model was made from and how, inside it: what compiling it as int8 or mixed asks for."""
    set_property(model, PRECISION_KEY, json.dumps(provenance, sort_keys=True))


def set_property(model: ModelProto, key: str, value: str) -> None:
    entry = next((e for e in model.metadata_props if e.key == key), None) or model.metadata_props.add()
    entry.key, entry.value = key, value
