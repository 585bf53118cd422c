"""The Python half of `skua quantize`: what stays float32, what does not fit into half, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from skua_precision import check, graphs, half  # noqa: E402
from skua_precision.errors import PrecisionError  # noqa: E402

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
INPUTS = {"x": np.array([[1.0, -2.0, 3.0, 0.5]], np.float32)}


def tensor(name: str, dtype: int = FLOAT, shape: tuple = (1, 4)) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def weights(name: str, values: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def network(nodes: list, initializers: list = (), inputs: list | None = None, outputs: list | None = None,
            opset: int = 17) -> onnx.ModelProto:
    inputs, outputs = inputs or [tensor("x")], outputs or [tensor("y")]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def chain(*operators: str, scale: object = 2.0) -> onnx.ModelProto:
    """x times `scale`, then the one-input operators in turn; the nodes are called scale, node1, node2, ..."""
    values = ["scaled", *(f"v{i}" for i in range(1, len(operators))), "y"][: len(operators)] + ["y"]
    nodes = [helper.make_node("Mul", ["x", "factor"], [values[0]], "scale")]
    for i, operator in enumerate(operators):
        nodes.append(helper.make_node(operator, [values[i]], [values[i + 1]], f"node{i + 1}"))
    return network(nodes, [weights("factor", scale)])


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    known = (*inferred.input, *inferred.value_info, *inferred.output)
    types = {value.name: value.type.tensor_type.elem_type for value in known}
    return types | {tensor.name: tensor.data_type for tensor in inferred.initializer}


def run(model: onnx.ModelProto, inputs: dict | None = None) -> list[np.ndarray]:
    return check.run(check.session_of(model), inputs or INPUTS)


def refusal(function: object, *arguments: object) -> PrecisionError:
    with pytest.raises(PrecisionError) as caught:
        function(*arguments)
    return caught.value


# What becomes half


def test_inputs_and_outputs_keep_their_types_and_the_inside_is_half() -> None:
    converted = half.to_half(chain("Relu", "Sqrt"), []).model
    types = types_of(converted)
    assert {types[name] for name in ("x", "y")} == {FLOAT}
    assert {types[name] for name in ("factor", "scaled", "v1")} == {HALF}
    np.testing.assert_allclose(run(converted)[0], run(chain("Relu", "Sqrt"))[0], rtol=1e-3)


def test_a_half_input_stays_half() -> None:
    nodes = [helper.make_node("Cast", ["x"], ["wide"], "widen", to=FLOAT),
             helper.make_node("Mul", ["wide", "factor"], ["y"], "scale")]
    source = network(nodes, [weights("factor", 2.0)], [tensor("x", HALF)])
    converted = half.to_half(source, []).model
    types = types_of(converted)
    assert (types["x"], types["wide"], types["y"]) == (HALF, HALF, FLOAT)
    inputs = {"x": INPUTS["x"].astype(np.float16)}
    np.testing.assert_array_equal(run(converted, inputs)[0], run(source, inputs)[0])


def test_two_conversions_give_the_same_bytes_and_leave_the_source_alone() -> None:
    source = chain("Relu", "Sqrt")
    before = source.SerializeToString()
    first, second = (half.to_half(source, ["Sqrt"]).model.SerializeToString(deterministic=True) for _ in "12")
    assert first == second and source.SerializeToString() == before


def test_nodes_without_names_or_with_one_name_get_names_of_their_own() -> None:
    source = chain("Relu", "Sqrt", "Abs")
    for node in source.graph.node:
        node.name = "" if node.op_type in ("Relu", "Sqrt") else "same"
    converted = half.to_half(source, ["Sqrt", "Relu"])
    names = [node.name for node in converted.model.graph.node]
    assert len(set(names)) == len(names) and all(names) and len(converted.kept_fp32) == 2
    np.testing.assert_allclose(run(converted.model)[0], run(half.prepare(source))[0], rtol=1e-3)


def test_a_resize_keeps_its_scales() -> None:
    nodes = [helper.make_node("Resize", ["x", "", "scales"], ["y"], "resize", mode="linear")]
    shape = (1, 1, 2, 2)
    source = network(nodes, [weights("scales", [1, 1, 2, 2])], [tensor("x", FLOAT, shape)],
                     [tensor("y", FLOAT, (1, 1, 4, 4))])
    converted = half.to_half(source, [])
    assert types_of(converted.model)["scales"] == FLOAT and converted.always_fp32 == []
    image = {"x": np.arange(4, dtype=np.float32).reshape(shape)}
    np.testing.assert_allclose(run(converted.model, image)[0], run(source, image)[0], atol=2e-3)


def test_an_operator_without_a_half_form_stays_float32() -> None:
    nodes = [helper.make_node("Range", ["start", "limit", "step"], ["r"], "range"),
             helper.make_node("Add", ["x", "r"], ["y"], "add")]
    source = network(nodes, [weights(n, v) for n, v in (("start", 0), ("limit", 4), ("step", 1))])
    converted = half.to_half(source, [])
    assert converted.always_fp32 == ["range"] and types_of(converted.model)["limit"] == FLOAT
    np.testing.assert_array_equal(run(converted.model)[0], run(source)[0])
    integers = [helper.make_node("Range", ["a", "b", "c"], ["r"], "range"),
                helper.make_node("Cast", ["r"], ["f"], "cast", to=FLOAT),
                helper.make_node("Add", ["x", "f"], ["y"], "add")]
    numbers = [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in (("a", 0), ("b", 4), ("c", 1))]
    assert half.to_half(network(integers, numbers), []).always_fp32 == []


def test_branches_are_converted_too() -> None:
    def branch(name: str, factor: float) -> onnx.GraphProto:
        nodes = [helper.make_node("Mul", ["x", f"{name}_w"], [f"{name}_y"], f"{name}_mul")]
        return helper.make_graph(nodes, name, [], [tensor(f"{name}_y")], [weights(f"{name}_w", factor)])

    nodes = [helper.make_node("If", ["flag"], ["y"], "if", then_branch=branch("yes", 3.0),
                              else_branch=branch("no", 5.0))]
    source = network(nodes, inputs=[tensor("x"), tensor("flag", TensorProto.BOOL, ())])
    converted = half.to_half(source, []).model
    assert {w.data_type for w in graphs.float_weights(converted.graph)} == set()
    for flag in (True, False):
        inputs = INPUTS | {"flag": np.array(flag)}
        np.testing.assert_array_equal(run(converted, inputs)[0], run(source, inputs)[0])


# Patterns


@pytest.mark.parametrize(("patterns", "kept"), [
    (["scale"], ["scale"]), (["node*"], ["node1", "node2"]), (["node?"], ["node1", "node2"]),
    (["Sqrt"], ["node2"]), (["Rel*", "scale"], ["node1", "scale"]), ([], [])])
def test_patterns_match_names_and_operators(patterns: list[str], kept: list[str]) -> None:
    converted = half.to_half(chain("Relu", "Sqrt"), patterns)
    assert converted.kept_fp32 == kept
    types = types_of(converted.model)
    assert types["factor"] == (FLOAT if "scale" in kept else HALF)


@pytest.mark.parametrize("pattern", ["nod", "SQRT", "node[12]", "", "node3"])
def test_a_pattern_that_matches_nothing_is_refused(pattern: str) -> None:
    error = refusal(half.to_half, chain("Relu", "Sqrt"), ["scale", pattern])
    assert (error.error_class, error.reason) == ("InvalidArgumentError", "invalid_argument")
    assert f"'{pattern}'" in str(error) and "Mul, Relu, Sqrt" in str(error)


def test_large_values_pass_between_kept_nodes() -> None:
    """x^2 times 1e10, and its root: 1e10 exists in float32 only."""
    nodes = [helper.make_node("Mul", ["x", "x"], ["square"], "a/square"),
             helper.make_node("Mul", ["square", "big"], ["large"], "a/large"),
             helper.make_node("Sqrt", ["large"], ["root"], "a/root"),
             helper.make_node("Mul", ["root", "small"], ["y"], "shrink")]
    source = network(nodes, [weights("big", 1e10), weights("small", 1e-4)])
    converted = half.to_half(source, ["a/*", "shrink"]).model
    np.testing.assert_allclose(run(converted)[0], np.abs(INPUTS["x"]) * 10, rtol=2e-3)
    assert not [n for n in converted.graph.node if n.op_type == "Cast" and n.input[0] == "large"]


# What does not fit


def judged(source: onnx.ModelProto, *patterns: str) -> check.WeightReport:
    prepared = half.prepare(source)
    return check.judge_weights(prepared, graphs.matching_nodes(prepared.graph, list(patterns)))


def test_overflowing_weights_are_named_unless_their_readers_are_kept() -> None:
    source = chain("Relu", scale=[1.0, 7e4, -1e9, np.inf])
    report = judged(source)
    assert (report.overflowed, report.overflowed_values) == (["factor"], 2)
    error = refusal(check.refuse_overflow, report)
    assert error.reason == "precision_not_supported" and "2 weights" in str(error) and "factor" in str(error)
    check.refuse_overflow(judged(source, "scale"))
    check.refuse_overflow(judged(chain("Relu", scale=[1.0, 65504.0, -65504.0, np.inf])))


def test_small_weights_are_counted() -> None:
    report = judged(chain("Relu", scale=[1e-9, -2.0**-25, 1e-6, 0.0]))
    assert (report.total, report.underflowed_values, report.subnormal_values) == (4, 2, 1)
    check.refuse_overflow(report)


def test_constants_count_as_weights() -> None:
    nodes = [helper.make_node("Constant", [], ["c"], "constant", value=weights("", 1e6)),
             helper.make_node("Mul", ["x", "c"], ["y"], "scale")]
    assert judged(network(nodes)).overflowed == ["c"]
    kept = half.to_half(network(nodes), ["scale"]).model
    np.testing.assert_array_equal(run(kept)[0], INPUTS["x"] * 1e6)


def large_inside() -> onnx.ModelProto:
    """60 exp(x) squared: 1e6 for x = 3; a CPU that computes half in float32 shows nothing of it."""
    nodes = [helper.make_node("Exp", ["x"], ["e"], "exp"),
             helper.make_node("Mul", ["e", "w"], ["big"], "grow"),
             helper.make_node("Mul", ["big", "big"], ["large"], "square"),
             helper.make_node("Sqrt", ["large"], ["y"], "root")]
    return network(nodes, [weights("w", 60.0)])


def refuse_large(source: onnx.ModelProto, *patterns: str) -> None:
    prepared = half.prepare(source)
    kept = graphs.matching_nodes(prepared.graph, list(patterns))
    check.refuse_large_values(prepared, check.value_ranges(prepared, INPUTS), kept)


def test_values_that_overflow_inside_are_named() -> None:
    error = refusal(refuse_large, large_inside())
    assert error.reason == "precision_not_supported"
    assert "Mul 'square' gives 1.45e+06" in str(error)
    assert "square" in str(refusal(refuse_large, large_inside(), "square"))  # its reader still takes half
    refuse_large(large_inside(), "square", "root")
    refuse_large(chain("Relu", "Sqrt"))


def test_ranges_are_of_every_float_value() -> None:
    ranges = check.value_ranges(half.prepare(chain("Relu", "Sqrt")), INPUTS)
    assert {k: round(v, 4) for k, v in ranges.items()} == {"scaled": 6.0, "v1": 6.0, "y": 2.4495}


def test_outputs_that_are_not_finite_are_refused() -> None:
    source = chain("Abs")
    broken = network([helper.make_node("Div", ["x", "zero"], ["y"], "div")], [weights("zero", 0.0)])
    assert "'y' is not finite" in str(refusal(check.compare, source, broken, INPUTS, set()))
    (report,) = check.compare(broken, broken, INPUTS, {"div"})  # float32 is not finite there either
    assert report.max_abs_error == 0.0
    (report,) = check.compare(source, half.to_half(source, []).model, INPUTS, set())
    assert report.max_abs_error == 0.0


def test_errors_are_measured() -> None:
    found = check.compare(chain("Abs"), chain("Abs", scale=[2.0, 2.0, 2.002, 2.0]), INPUTS, set())[0]
    assert found.max_abs_error == pytest.approx(0.006, rel=1e-3)
    assert found.max_rel_error == pytest.approx(0.001, rel=1e-3)


def test_roundings_between_nodes_are_measured_although_the_cpu_leaves_them_out() -> None:
    """1.001 and its like are no half numbers; kept nodes round nothing."""
    source = chain("Abs", "Relu", scale=1.001)
    prepared = half.prepare(source)
    for kept, error in ((set(), 1e-3), ({"scale", "node1", "node2"}, 0.0)):
        (report,) = check.compare(prepared, half.to_half(source, sorted(kept)).model, INPUTS, kept)
        assert error / 5 <= report.rounded_abs_error <= error * 5


def test_inputs_are_rounded_for_all_but_kept_nodes() -> None:
    """Around 1000 half numbers lie 0.5 apart; the difference itself is one that half holds well."""
    nodes = [helper.make_node("Sub", ["x", "c"], ["y"], "sub")]
    source = half.prepare(network(nodes, [weights("c", 1000.0)]))
    inputs = {"x": np.array([[1000.2, 1000.0, 999.75, 1000.5]], np.float32)}
    for kept, error in ((set(), 0.25), ({"sub"}, 0.0)):
        converted = half.to_half(source, sorted(kept)).model
        (report,) = check.compare(source, converted, inputs, kept)
        assert report.rounded_abs_error == pytest.approx(error, abs=1e-3)
        assert report.max_abs_error == 0.0  # the CPU leaves this rounding out, too


def test_inner_graphs_read_rounded_inputs_too() -> None:
    def branch(name: str, c: float) -> onnx.GraphProto:
        node = helper.make_node("Sub", ["x", f"{name}_c"], [f"{name}_y"], f"{name}_sub")
        return helper.make_graph([node], name, [], [tensor(f"{name}_y")], [weights(f"{name}_c", c)])

    nodes = [helper.make_node("If", ["flag"], ["y"], "if", then_branch=branch("yes", 1000.0),
                              else_branch=branch("no", 0.0))]
    source = network(nodes, inputs=[tensor("x"), tensor("flag", TensorProto.BOOL, ())])
    inputs = {"x": np.array([[1000.2, 1000.0, 999.75, 1000.5]], np.float32), "flag": np.array(True)}
    (found,) = run(check.rounded(half.prepare(source), set()), inputs)
    np.testing.assert_array_equal(found, [[0.0, 0.0, 0.0, 0.5]])


def test_an_overflow_shows_in_the_rounded_run() -> None:
    source = half.prepare(large_inside())
    converted = half.to_half(large_inside(), []).model
    assert "'y' is not finite" in str(refusal(check.compare, source, converted, INPUTS, set()))
    check.compare(source, half.to_half(large_inside(), ["square", "root"]).model, INPUTS, {"square", "root"})


# Inputs


def test_inputs_are_made_up_alike_and_dynamic_sizes_agree() -> None:
    inputs = [tensor("x", FLOAT, ("n", 4)), tensor("k", TensorProto.INT64, ("n",)),
              tensor("b", TensorProto.BOOL, (3,)), tensor("h", HALF, (2,))]
    outputs = [tensor("y", FLOAT, ("n", 4))]
    source = network([helper.make_node("Relu", ["x"], ["y"])], inputs=inputs, outputs=outputs)
    first, second = check.inputs_for(source, {}), check.inputs_for(source, {})
    assert {k: (v.shape, v.dtype.name) for k, v in first.items()} == {
        "x": ((16, 4), "float32"), "k": ((16,), "int64"), "b": ((3,), "bool"), "h": ((2,), "float16")}
    assert all((first[k] == second[k]).all() for k in first)
    given = check.inputs_for(source, {"x": np.zeros((5, 4), np.float32)})
    assert given["k"].shape == (5,) and not given["x"].any()
    assert "no such input" in str(refusal(check.inputs_for, source, {"z": np.zeros(1)}))


def test_inputs_that_do_not_fit_are_refused() -> None:
    assert refusal(run, chain("Abs"), {"x": np.zeros((1, 5), np.float32)}).reason == "execution_failed"


# Files


@pytest.mark.parametrize(("content", "reason"), [
    (None, "model_missing"), (b"", "model_empty"), (b"no protobuf", "model_malformed"),
    (chain("Abs").SerializeToString()[:-9], "model_malformed")])
def test_bad_models_are_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    error = refusal(graphs.load, path)
    assert (error.error_class, error.reason) == ("EngineBuildError", reason) and str(path) in str(error)
    path.write_bytes(chain("Abs").SerializeToString())
    assert len(graphs.load(path).model.graph.node) == 2


def test_nodes_are_sorted_by_what_they_read() -> None:
    model = chain("Relu", "Sqrt", "Abs")
    names = [node.name for node in model.graph.node]
    nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in reversed(model.graph.node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    graphs.sort_nodes(model.graph)
    assert [node.name for node in model.graph.node] == names
