"""What a conversion to half precision costs: weights and values that do not fit, and how far outputs move."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

import onnxruntime
from skua_precision import graphs
from skua_precision.errors import build_error, invalid_argument

HALF_MAX = float(np.finfo(np.float16).max)
HALF_NORMAL = float(np.finfo(np.float16).smallest_normal)
HALF_ZERO = 2.0**-25  # what is not above it rounds to zero
FREE_DIM = 16  # of a dynamic dimension for which no file gives a size
RELATIVE_FLOOR = 1e-2  # of the largest value: smaller ones have no meaningful relative error
MAX_NAMED = 5
Arrays = dict[str, np.ndarray]


@dataclass
class WeightReport:
    """Weights that half precision does not hold; those that only kept nodes read are not counted."""

    total: int = 0
    overflowed: list[str] = field(default_factory=list)  # names; an error
    overflowed_values: int = 0
    underflowed_values: int = 0  # would be 0; the converter takes half's smallest number instead
    subnormal_values: int = 0  # keep their size, lose digits


@dataclass
class OutputReport:
    """One output of both graphs on the same inputs."""

    name: str
    dtype: str
    fp32_shape: list[int]
    fp16_shape: list[int]
    max_abs_error: float | None = None  # None: shapes differ
    max_rel_error: float | None = None  # over values of at least a hundredth of the largest
    mismatched: int | None = None  # of integers and bools
    rounded_abs_error: float | None = None  # as max_abs_error, with every value rounded to half between nodes


def judge_weights(source: ModelProto, kept: set[str]) -> WeightReport:
    """`source` is prepared: its float constants are weights."""
    readers = graphs.readers_of(source.graph)
    report = WeightReport()
    for tensor in graphs.float_weights(source.graph):
        if readers.get(tensor.name) and readers[tensor.name] <= kept:
            continue
        size = np.abs(graphs.array_of(tensor)).ravel()
        report.total += size.size
        count = int(((size > HALF_MAX) & np.isfinite(size)).sum())
        if count:
            report.overflowed.append(tensor.name)
            report.overflowed_values += count
        is_tiny = (size > 0) & (size <= HALF_ZERO)
        report.underflowed_values += int(is_tiny.sum())
        report.subnormal_values += int(((size > HALF_ZERO) & (size < HALF_NORMAL)).sum())
    return report


def refuse_overflow(report: WeightReport) -> None:
    if not report.overflowed:
        return
    names = ", ".join(report.overflowed[:MAX_NAMED])
    more = len(report.overflowed) - MAX_NAMED
    raise build_error("precision_not_supported",
                      f"{report.overflowed_values} weights are larger than half precision holds "
                      f"({HALF_MAX:g}), in {names}{f' and {more} more' if more > 0 else ''}; keep the nodes "
                      "that read them with --keep-fp32")


def session_of(model: ModelProto) -> onnxruntime.InferenceSession:
    """On the CPU with one thread, so that two runs of the tool give the same figures."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options,
                                            providers=["CPUExecutionProvider"])
    except Exception as error:  # the package raises classes of its own per status code
        raise build_error("model_unsupported", f"ONNX Runtime does not load the graph: {error}") from error


def run(session: onnxruntime.InferenceSession, inputs: Arrays) -> list[np.ndarray]:
    try:
        return session.run(None, inputs)
    except Exception as error:  # as above
        raise build_error("execution_failed", f"the graph does not run on these inputs: {error}; give inputs "
                                              "that fit it with --input NAME=FILE.npy") from error


def run_sample(session: onnxruntime.InferenceSession, name: str, inputs: Arrays) -> list[np.ndarray]:
    """The same on a sample of a data set."""
    try:
        return session.run(None, inputs)
    except Exception as error:  # as above
        raise build_error("execution_failed", f"data set, {name}: the graph does not run on this sample: {error}; give "
                                              "samples that fit the model") from error


def _made_up(dtype: np.dtype, shape: list[int], name: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    generator = np.random.default_rng(seed)
    if dtype.kind == "f":
        return generator.random(shape, np.float32).astype(dtype)
    if dtype.kind == "b":
        return (np.arange(int(np.prod(shape))) % 2 == 0).reshape(shape)
    return generator.integers(0, 4, shape).astype(dtype)


def inputs_for(model: ModelProto, given: Arrays) -> Arrays:
    """The caller's arrays; for the other inputs made-up ones: floats in [0, 1), integers 0 to 3, by name."""
    declared = graphs.inputs_of(model)
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise invalid_argument(f"--input '{unknown[0]}': the model has no such input; its inputs are "
                               f"{', '.join(declared)}")
    sizes = {}
    for name, values in given.items():
        dims = declared[name].type.tensor_type.shape.dim
        sizes |= {d.dim_param: n for d, n in zip(dims, values.shape, strict=False) if d.dim_param}
    inputs = {}
    for name, value in declared.items():
        tensor = value.type.tensor_type
        shape = [d.dim_value or sizes.get(d.dim_param, FREE_DIM) for d in tensor.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        inputs[name] = given[name] if name in given else _made_up(dtype, shape, name)
    return inputs


def value_ranges(source: ModelProto, inputs: Arrays) -> dict[str, float]:
    """The largest finite absolute value of every float32 value of `source`."""
    return largest_values(source, [("", inputs)])


def largest_values(source: ModelProto, samples: Iterable[tuple[str, Arrays]]) -> dict[str, float]:
    """The same over all samples of a data set, told by their names.

    A CPU computes half graphs in float32 and may skip the rounding between two nodes, so an overflow that a
    GPU would have shows in no output there. It shows here.
    """
    probe = ModelProto()
    probe.CopyFrom(source)
    makers = {name for node in source.graph.node for name in node.output}
    del probe.graph.output[:]
    values = [name for name in graphs.float_values(source) if name in makers]
    for number, name in enumerate(values):
        size, largest = f"skua_size_{number}", f"skua_largest_{number}"
        probe.graph.node.append(helper.make_node("Abs", [name], [size]))
        probe.graph.node.append(helper.make_node("ReduceMax", [size], [largest], keepdims=0))
        probe.graph.output.append(helper.make_tensor_value_info(largest, TensorProto.FLOAT, []))
    ranges: dict[str, float] = {}
    session = session_of(probe) if values else None
    for sample, inputs in samples if values else ():
        found = run_sample(session, sample, inputs) if sample else run(session, inputs)
        for name, value in zip(values, found, strict=True):
            if np.isfinite(value):
                ranges[name] = max(ranges.get(name, 0.0), float(value))
    return ranges


def refuse_large_values(source: ModelProto, ranges: dict[str, float], kept: set[str]) -> None:
    """A value of more than half's range, unless float32 nodes alone make and read it."""
    makers = {name: node for node in source.graph.node for name in node.output}
    readers = graphs.readers_of(source.graph)
    offenders = [name for name, largest in ranges.items() if largest > HALF_MAX
                 and not ({makers[name].name} | readers.get(name, set())) <= kept]
    if not offenders:
        return
    told = [f"{makers[n].op_type} '{makers[n].name}' gives {ranges[n]:.3g}" for n in offenders[:MAX_NAMED]]
    more = len(offenders) - MAX_NAMED
    raise build_error("precision_not_supported",
                      f"values are larger than half precision holds ({HALF_MAX:g}): {', '.join(told)}"
                      f"{f' and {more} more' if more > 0 else ''}; keep these nodes and those that read from "
                      "them with --keep-fp32, or give more typical inputs (--input NAME=FILE.npy) or samples")


def largest_relative(error: np.ndarray, reference: np.ndarray) -> float:
    """Of absolute errors in float64, over values of at least RELATIVE_FLOOR of the largest."""
    size = np.abs(reference)
    is_meaningful = size >= max(RELATIVE_FLOOR * size.max(initial=0.0), np.finfo(np.float64).tiny)
    return float((error[is_meaningful] / size[is_meaningful]).max(initial=0.0))


def _compare(name: str, wide: np.ndarray, half: np.ndarray) -> OutputReport:
    report = OutputReport(name, wide.dtype.name, list(wide.shape), list(half.shape))
    if wide.shape != half.shape:
        return report
    if wide.dtype.kind != "f":
        report.mismatched = int((wide != half).sum())
        return report
    is_finite = np.isfinite(wide)
    if not np.isfinite(half[is_finite]).all():
        raise build_error("precision_not_supported",
                          f"output '{name}' is not finite in half precision, where float32 is; keep the "
                          "nodes that overflow with --keep-fp32")
    reference = wide[is_finite].astype(np.float64)
    error = np.abs(half[is_finite].astype(np.float64) - reference)
    report.max_abs_error = float(error.max(initial=0.0))
    report.max_rel_error = largest_relative(error, reference)
    return report


def _add_rounding(graph: onnx.GraphProto, node: NodeProto, position: int) -> None:
    """Lets the readers of one output get it through half precision."""
    name = node.output[position]
    node.output[position] = f"{name} before"
    graph.node.append(helper.make_node("Cast", [f"{name} before"], [f"{name} half"], to=TensorProto.FLOAT16))
    graph.node.append(helper.make_node("Cast", [f"{name} half"], [name], to=TensorProto.FLOAT))


def _round_inputs(graph: onnx.GraphProto, names: set[str], kept: set[str]) -> None:
    """Lets all but kept nodes read the graph's inputs through half precision, as the converted graph does."""
    readers = [node for node in graphs.all_nodes(graph) if node.name not in kept]
    for name in sorted(names & {read for node in readers for read in node.input}):
        for node in readers:
            for position, read in enumerate(node.input):
                if read == name:
                    node.input[position] = f"{name} after"
        graph.node.append(helper.make_node("Cast", [name], [f"{name} half"], to=TensorProto.FLOAT16))
        graph.node.append(helper.make_node("Cast", [f"{name} half"], [f"{name} after"], to=TensorProto.FLOAT))


def rounded(source: ModelProto, kept: set[str]) -> ModelProto:
    """`source` with every input, weight and value of the outer graph that is not a kept node's rounded to half
    and widened again.

    The CPU leaves most of these roundings out where a graph says float16; a GPU does not.
    """
    model = ModelProto()
    model.CopyFrom(source)
    floats = set(graphs.float_values(source))
    readers = graphs.readers_of(source.graph)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not readers.get(tensor.name, set()) <= kept:
            half = graphs.array_of(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, tensor.name))
    nodes = list(model.graph.node)
    weights = {tensor.name for tensor in model.graph.initializer}  # old models list them as inputs, too
    _round_inputs(model.graph, {value.name for value in model.graph.input} & floats - weights, kept)
    for node in nodes:
        for position, name in enumerate(node.output):
            if node.name not in kept and name in floats:
                _add_rounding(model.graph, node, position)
    graphs.sort_nodes(model.graph)
    return model


def compare(source: ModelProto, converted: ModelProto, inputs: Arrays, kept: set[str]) -> list[OutputReport]:
    """Runs both graphs, and `source` with roundings. Refuses what is not finite where float32 is."""
    names = [value.name for value in source.graph.output]
    wide = run(session_of(source), inputs)
    half = run(session_of(converted), inputs)
    reports = [_compare(*entry) for entry in zip(names, wide, half, strict=True)]
    with np.errstate(over="ignore"):
        between = run(session_of(rounded(source, kept)), inputs)
    for report, *entry in zip(reports, names, wide, between, strict=True):
        report.rounded_abs_error = _compare(*entry).max_abs_error
    return reports


def as_json(report: WeightReport | OutputReport) -> dict[str, object]:
    return asdict(report)
