"""int8 with explicit Q/DQ: the form that TensorRT takes, what is kept, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from small_network import SHAPE, network, typical

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from skua_precision import accuracy, check, graphs, half, int8_form, qdq, ranges  # noqa: E402
from skua_precision.errors import PrecisionError  # noqa: E402
from skua_precision.samples import Sample  # noqa: E402

def refusal(function: object, *arguments: object) -> PrecisionError:
    with pytest.raises(PrecisionError) as caught:
        function(*arguments)
    return caught.value


# The graph


@pytest.mark.parametrize("method", list(ranges.METHODS))
def test_convolutions_and_products_become_int8_and_the_result_is_close(method):
    source = network()
    made = qdq.to_int8(source, typical(8), [], method)
    assert made.quantised == ["first", "product", "second"]
    assert [value.name for value in made.model.graph.output] == ["y"]
    (figure,) = accuracy.judge(source, made.model, typical(4, seed=2))
    assert 0.0 < figure.relative_l2 < 0.05, "close, and not the same: it computes with int8"


def test_weights_are_int8_by_the_channel_and_biases_stay_float():
    made = qdq.to_int8(network(), typical(4), [], "minmax").model
    stored = {tensor.name: tensor for tensor in made.graph.initializer}
    widened = {n.output[0]: n for n in made.graph.node if n.op_type == "DequantizeLinear"}
    (first,) = (node for node in made.graph.node if node.name == "first")
    weight = widened[first.input[1]]
    assert stored[weight.input[0]].data_type == TensorProto.INT8
    assert list(stored[weight.input[1]].dims) == [8]
    assert stored[first.input[2]].data_type == TensorProto.FLOAT


def test_the_same_samples_give_the_same_bytes_in_any_process():
    program = ("import hashlib, sys; sys.path[:0] = ['python', 'tests/support']; from skua_precision import qdq; "
               "from small_network import network, typical; made = qdq.to_int8(network(), typical(4), [], 'entropy2'); "
               "print(hashlib.sha256(made.model.SerializeToString(deterministic=True)).hexdigest())")
    digests = {subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, check=True,
                              capture_output=True, text=True).stdout for seed in ("1", "2")}
    assert len(digests) == 1 and len(digests.pop().strip()) == 64


def test_what_a_pattern_keeps_stays_float32():
    made = qdq.to_int8(network(), typical(4), ["sec*"], "minmax")
    assert made.quantised == ["first", "product"]
    assert made.kept_fp32 == ["second"]
    assert refusal(qdq.to_int8, network(), typical(2), ["nothing"], "minmax").reason == "invalid_argument"
    assert refusal(qdq.to_int8, network(), typical(2), ["*"], "minmax").reason == "precision_not_supported"


def test_an_old_opset_is_refused():
    assert "opset 13 to 22, the model has 12" in str(refusal(qdq.to_int8, network(opset=12), typical(2), [], "minmax"))


def change_zero(model):
    zero = next(t for t in model.graph.initializer if t.data_type == TensorProto.INT8 and "zero" in t.name)
    zero.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(zero) + np.int8(1), zero.name))


def change_scale(model):
    node = next(n for n in model.graph.node if n.op_type == "QuantizeLinear")
    scale = next(t for t in model.graph.initializer if t.name == node.input[1])
    scale.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(scale)), scale.name))


def take_zero_away(model):
    node = next(n for n in model.graph.node if n.op_type == "QuantizeLinear")
    del node.input[2]


def use_integer_operator(model):
    model.graph.node[0].op_type = "ConvInteger"


@pytest.mark.parametrize("change", [change_zero, change_scale, take_zero_away, use_integer_operator])
def test_another_form_is_refused(change):
    made = qdq.to_int8(network(), typical(2), [], "minmax").model
    int8_form.check(made)
    change(made)
    assert refusal(int8_form.check, made).reason == "model_unsupported"


def test_what_a_model_was_made_from_is_in_it_once_and_the_same_every_time():
    made = qdq.to_int8(network(), typical(2), [], "minmax").model
    for count in (1, 2):
        half.stamp(made, {"sample_count": count, "precision": "int8"})
    (entry,) = (entry for entry in made.metadata_props if entry.key == "skua.precision")
    assert entry.value == '{"precision": "int8", "sample_count": 2}'


def node(op: str, inputs: list, output: str, name: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name, **attributes)


def small(nodes: list, outputs: dict, opset: int = 17, **weights: np.ndarray) -> onnx.ModelProto:
    """Over an input x of 1x3x16x16."""
    stored = [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in weights.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    graph = helper.make_graph(nodes, "g", inputs, ends, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


RANDOM = np.random.default_rng(11)
KERNEL = RANDOM.normal(0, 0.3, (4, 3, 3, 3))


def run(model: onnx.ModelProto, sample: object) -> list[np.ndarray]:
    return check.run_sample(check.session_of(model), sample.name, sample.arrays)


def exact(source: onnx.ModelProto, made: onnx.ModelProto, position: int) -> bool:
    (sample,) = typical(1, seed=3)
    return np.array_equal(run(source, sample)[position], run(made, sample)[position])


def test_a_kept_node_that_shares_input_and_weights_computes_in_float32():
    source = small([node("Conv", ["x", "w"], "a", "first"), node("Conv", ["x", "w"], "b", "second")],
                   {"a": None, "b": None}, w=KERNEL)
    made = qdq.to_int8(source, typical(4), ["second"], "minmax")
    assert made.quantised == ["first"]
    assert not exact(source, made.model, 0) and exact(source, made.model, 1)


def test_a_value_that_others_read_is_not_rounded_for_them():
    source = small([node("Relu", ["x"], "r", "relu"), node("Conv", ["r", "w"], "a", "first"),
                    node("Conv", ["r", "w"], "b", "second")], {"r": SHAPE, "a": None, "b": None}, w=KERNEL)
    made = qdq.to_int8(source, typical(4), ["second"], "minmax").model
    assert exact(source, made, 0) and not exact(source, made, 1) and exact(source, made, 2)


def test_weights_of_two_operators_have_a_scale_for_each():
    square = RANDOM.normal(0, 0.3, (3, 3, 3, 3)) * np.array([1, 30, 0.03])[:, None, None, None]
    source = small([node("Conv", ["x", "w"], "a", "conv"), node("ConvTranspose", ["x", "w"], "b", "transposed")],
                   {"a": None, "b": None}, w=square)
    made = qdq.to_int8(source, typical(4), [], "minmax")
    assert made.quantised == ["conv", "transposed"]
    accuracy.refuse(accuracy.judge(source, made.model, typical(2, seed=2)))


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_a_bias_that_is_multiplied_stays_so(beta):
    """The library sets beta to 1 and leaves the bias as it is."""
    source = small([node("Flatten", ["x"], "f", "flat"), node("Gemm", ["f", "w", "b"], "y", "gemm", alpha=0.5, beta=beta)],
                   {"y": (1, 4)}, w=RANDOM.normal(0, 0.1, (768, 4)), b=RANDOM.normal(0, 9, 4))
    if beta == 1.0:
        made = qdq.to_int8(source, typical(4), [], "minmax")
        accuracy.refuse(accuracy.judge(source, made.model, typical(2, seed=2)))
    else:
        assert "can become int8" in str(refusal(qdq.to_int8, source, typical(4), [], "minmax"))


def test_what_could_not_become_int8_is_told():
    """A weight of three dimensions, for which the library takes the scale of another axis."""
    source = small([node("Conv", ["x", "w"], "a", "conv"), node("MatMul", ["x", "v"], "b", "batched")], {"a": None, "b": None},
                   w=KERNEL, v=RANDOM.normal(0, 1, (3, 16, 5)))
    made = qdq.to_int8(source, typical(4), [], "minmax")
    assert (made.quantised, made.left_fp32, made.kept_fp32) == (["conv"], ["batched"], [])
    assert exact(source, made.model, 1)


def test_the_result_is_valid_and_is_known_again(tmp_path):
    made = qdq.to_int8(network(), typical(2), [], "minmax").model
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    loaded = graphs.load(tmp_path / "m.onnx").model
    assert "quantised already" in str(refusal(qdq.to_int8, loaded, typical(2), [], "minmax"))


def with_nan(model):
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((8, 3, 3, 3), np.nan, np.float32), "w1"))


def with_sequence(model):
    model.graph.output.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None))


def with_text(model):
    model.graph.input.append(helper.make_tensor_value_info("t", TensorProto.STRING, [1]))


def with_function(model):
    model.functions.append(helper.make_function("own", "f", ["a"], ["b"], [node("Relu", ["a"], "b", "r")],
                                                [helper.make_opsetid("", 17)]))


def newest(model):
    model.opset_import[0].version = 23


@pytest.mark.parametrize("change, part", [(with_nan, "'w1' hold NaN"), (with_sequence, "'s': expected a tensor"),
                                          (with_text, "'t': expected a tensor"), (with_function, "functions ('f')"),
                                          (newest, "opset 13 to 22, the model has 23")])
def test_models_that_cannot_become_int8_are_refused_before_a_sample_is_read(change, part):
    model = network()
    change(model)
    refused = refusal(qdq.to_int8, model, iter([]), [], "minmax")
    assert refused.reason == "model_unsupported" and part in str(refused)


def test_a_sample_on_which_the_model_does_not_run_is_named():
    wrong = [Sample("bad.npz", {"x": np.zeros((1, 3, 16, 17), np.float32)})]
    refused = refusal(qdq.to_int8, network(), wrong, [], "minmax")
    assert refused.reason == "execution_failed" and "bad.npz" in str(refused)


def with_a_branch() -> onnx.ModelProto:
    """An integer product in a graph inside a node."""
    model = network()
    def branch(op: str) -> onnx.GraphProto:
        made = helper.make_tensor_value_info("z", TensorProto.INT32, None)
        return helper.make_graph([helper.make_node(op, ["i", "i"], ["z"], op)], op, [], [made])

    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    model.graph.input.append(helper.make_tensor_value_info("i", TensorProto.INT8, (2, 2)))
    model.graph.node.append(helper.make_node("If", ["c"], ["z"], "if", then_branch=branch("MatMulInteger"),
                                             else_branch=branch("MatMulInteger")))
    return model


def test_a_model_that_is_quantised_inside_is_refused():
    refused = refusal(qdq.to_int8, with_a_branch(), typical(2), [], "minmax")
    assert refused.reason == "model_unsupported" and "MatMulInteger" in str(refused)


def test_the_form_of_inner_graphs_is_looked_at():
    assert "MatMulInteger" in str(refusal(int8_form.check, with_a_branch()))


def test_nothing_is_written_anywhere(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    qdq.to_int8(network(), typical(2), [], "minmax")
    monkeypatch.setattr(qdq, "add_infer_metadata", lambda model: None)  # the control
    assert "/nowhere" in str(refusal(qdq.to_int8, network(), typical(2), [], "minmax"))


@pytest.mark.parametrize("name", ["x__int8_0", "x__int8_0_scale", "x__int8_0_QuantizeLinear_Output", "w__int8_0_quantized"])
def test_names_that_the_library_would_take_are_left_alone(name):
    source = small([node("Conv", ["x", "w"], "a", "conv"), node("Mul", ["a", name], "b", "times")], {"b": None}, w=KERNEL,
                   **{name: np.float32(3)})
    made = qdq.to_int8(source, typical(4), [], "minmax")
    accuracy.refuse(accuracy.judge(source, made.model, typical(2, seed=2)))


def test_products_of_weights_and_with_weights_in_front_stay_float32():
    source = small([node("MatMul", ["v", "v"], "a", "constant"), node("MatMul", ["v", "x"], "b", "front"),
                    node("Conv", ["x", "w"], "c", "conv")], {"a": None, "b": None, "c": None}, w=KERNEL,
                   v=RANDOM.normal(0, 1, (16, 16)))
    made = qdq.to_int8(source, typical(4), [], "minmax")
    assert (made.quantised, made.left_fp32) == (["conv"], ["constant", "front"])


def test_nothing_of_the_way_there_is_in_the_model():
    source = network()
    source.metadata_props.add(key="skua.model_id", value="m")
    made = qdq.to_int8(source, typical(2), [], "minmax").model
    assert [(entry.key, entry.value) for entry in made.metadata_props] == [("skua.model_id", "m")]
    assert b"__int8_0 is" not in made.SerializeToString() and not made.graph.value_info
