"""Walking and ordering ONNX graphs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from skua_precision.errors import build_error, invalid_argument

MAX_MODEL_BYTES = 2**31 - 1  # what one protobuf file can hold
PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Source:
    """A model with its external weights inside, and what it was read from."""

    model: ModelProto
    sha256: str  # of the file
    files: dict[str, str]  # where these lay, relative to the model, and the SHA-256 of each such file, whole

    def record_sha256(self, name: str) -> str:
        """As build records name a model whose file is called `name`: Sha256Sidecar::aggregate_hash of several files."""
        if not self.files:
            return self.sha256
        digests = {Path(location).name: digest for location, digest in self.files.items()} | {name: self.sha256}
        lines = "".join(f"{digest} {base}\n" for base, digest in sorted(digests.items(), key=lambda item: item[0].encode()))
        return hashlib.sha256(lines.encode()).hexdigest()


def load(path: Path) -> Source:
    """Read once: the digests are those of the bytes that were parsed."""
    if not path.is_file():
        raise build_error("model_missing", f"{path} does not exist or is no regular file; check the path")
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise build_error("model_too_large", f"{path} has {path.stat().st_size} bytes; one ONNX file with "
                                             f"its weights inside may have {MAX_MODEL_BYTES}")
    try:
        data = path.read_bytes()
        model = onnx.load_model_from_string(data)
        outside = [t for t in all_weights(model.graph) if t.data_location == TensorProto.EXTERNAL]
        places = sorted({entry.value for t in outside for entry in t.external_data if entry.key == "location"})
        _check_places(path, places)
        files = {place: _file_digest(path.parent / place) for place in places}  # before they are read, so that a change shows
        onnx.load_external_data_for_model(model, str(path.parent))
        if not model.graph.node:
            raise build_error("model_empty", f"{path} holds no node; export the model again")
        onnx.checker.check_model(model, full_check=False)
    except OSError as error:
        raise build_error("model_unreadable", f"{path}: {error}; check the file's permissions") from error
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        said = str(error).strip().split("\n")[0]
        raise build_error("model_malformed", f"{path}: {said}; export the model again") from error
    return Source(model, hashlib.sha256(data).hexdigest(), files)


def _check_places(path: Path, places: list[str]) -> None:
    """A build record names files by their last name."""
    names = [path.name, *(Path(place).name for place in places)]
    if len(set(names)) != len(names):
        raise build_error("external_weights", f"{path}: expected another name for each file of the model, found {', '.join(names)}; "
                                              "export the model with its weights in one file")


def refuse_links(source: Source, path: Path) -> None:
    """For a calibration cache, whose model is named by its digest: what computes that follows none."""
    for file in (path, *(path.parent / place for place in source.files)):
        if file.is_symlink():
            raise build_error("model_unreadable", f"{file}: expected a regular file of a model that a calibration cache is made for, "
                                                  "found a link; put the file itself there")


def _file_digest(path: Path) -> str:
    if not path.is_file():  # a FIFO would be waited for
        raise build_error("external_weights", f"{path} does not exist or is no regular file; put the model's weights there")
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph and of the graphs inside them."""
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from all_nodes(inner)


def values_read(node: NodeProto) -> set[str]:
    """What a node reads, also from within its inner graphs."""
    names = {name for name in node.input if name}
    for inner in inner_graphs(node):
        made = {name for each in inner.node for name in each.output}
        made |= {value.name for value in inner.input} | {weights.name for weights in inner.initializer}
        for each in inner.node:
            names |= values_read(each) - made
        names |= {value.name for value in inner.output} - made
    return names


def readers_of(graph: GraphProto) -> dict[str, set[str]]:
    """Of every value, the names of the nodes that read it; inner graphs count for themselves."""
    readers: dict[str, set[str]] = {}
    for node in all_nodes(graph):
        for name in node.input:
            readers.setdefault(name, set()).add(node.name)
    return readers


def name_nodes(graph: GraphProto) -> None:
    """Gives every node a name of its own: patterns and the converter's new nodes go by it."""
    seen: set[str] = set()
    for position, node in enumerate(all_nodes(graph)):
        if not node.name or node.name in seen:
            node.name = f"{node.name or node.op_type}__{position}"
        seen.add(node.name)


def lift_constants(graph: GraphProto) -> None:
    """Turns float Constant nodes into weights, which stay float32 where only kept nodes read them."""
    kept = []
    for node in graph.node:
        is_float = node.op_type == "Constant" and node.attribute[0].name == "value"
        if is_float and node.attribute[0].t.data_type == TensorProto.FLOAT:
            weights = graph.initializer.add()
            weights.CopyFrom(node.attribute[0].t)
            weights.name = node.output[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def inputs_of(model: ModelProto) -> dict[str, ValueInfoProto]:
    """What a caller gives; old models list their weights as inputs, too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {value.name: value for value in model.graph.input if value.name not in weights}


def replace_nodes(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """By nodes of the same graph, which are gone when it is emptied."""
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def names_read(graph: GraphProto) -> set[str]:
    """What its nodes, or whoever runs it, read."""
    return {name for node in graph.node for name in values_read(node)} | {value.name for value in graph.output}


def sort_nodes(graph: GraphProto) -> None:
    """Puts every node behind those that it reads from, else in the given order."""
    made_by = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    needs = [sorted({made_by[n] for n in values_read(node) if n in made_by}) for node in graph.node]
    order: list[int] = []
    state = [0] * len(needs)  # 0 not seen, 1 its needs are being placed, 2 placed
    for root in range(len(needs)):
        stack = [root]
        while stack:
            at = stack[-1]
            waiting = [i for i in needs[at] if state[i] == 0]
            if state[at] == 0 and waiting:
                stack.extend(reversed(waiting))
                continue
            if state[at] == 0:
                state[at] = 2
                order.append(at)
            stack.pop()
    replace_nodes(graph, [graph.node[i] for i in order])


def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for any text and `?` for one character, as in a build configuration."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in text), re.DOTALL)


def matching_nodes(graph: GraphProto, patterns: list[str]) -> set[str]:
    """The names of the nodes whose name or operator one of the patterns matches; each must match one."""
    names: set[str] = set()
    for text in patterns:
        pattern = _pattern(text)
        found = {node.name for node in all_nodes(graph)
                 if pattern.fullmatch(node.name) or pattern.fullmatch(node.op_type)}
        if not found:
            operators = ", ".join(sorted({node.op_type for node in all_nodes(graph)}))
            raise invalid_argument(f"--keep-fp32 '{text}' matches no node's name and no operator of the "
                                   f"model; its operators are {operators}, its first node is "
                                   f"'{graph.node[0].name}'")
        names |= found
    return names


def all_weights(graph: GraphProto) -> Iterator[TensorProto]:
    """The weights and constants of a graph and of the graphs inside it."""
    yield from graph.initializer
    for node in graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.type == AttributeProto.TENSOR)
        for inner in inner_graphs(node):
            yield from all_weights(inner)


def float_weights(graph: GraphProto) -> Iterator[TensorProto]:
    """Those of them that are float32."""
    return (tensor for tensor in all_weights(graph) if tensor.data_type == TensorProto.FLOAT)


def float_values(model: ModelProto) -> list[str]:
    """The float32 values of the outer graph: inputs, weights, and what nodes give, in this order."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    known = (*inferred.input, *inferred.value_info, *inferred.output)
    types = {value.name: value.type.tensor_type.elem_type for value in known}
    types |= {w.name: w.data_type for w in inferred.initializer}
    made = [name for node in model.graph.node for name in node.output]
    names = [*(v.name for v in inferred.input), *(w.name for w in inferred.initializer), *made]
    return [name for name in dict.fromkeys(names) if types.get(name) == TensorProto.FLOAT]


def array_of(tensor: TensorProto) -> np.ndarray:
    return numpy_helper.to_array(tensor)
