"""Scales for TensorRT's calibration cache: which tensors have one, and what is refused."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from small_network import SHAPE, network, typical

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from skua_precision import activations, graphs, half, ranges  # noqa: E402
from skua_precision.errors import PrecisionError  # noqa: E402


def over_x(*nodes: onnx.NodeProto, last: str, **weights: np.ndarray) -> onnx.ModelProto:
    """Over an input x of 1x3x16x16."""
    stored = [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in weights.items()]
    graph = helper.make_graph(list(nodes), "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
                              [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)], stored)
    return half.prepare(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10))


def scales_of(model: onnx.ModelProto, method: str = "minmax", scale: float = 1.0) -> dict[str, float]:
    names = activations.of(model)
    return dict(activations.scales(model, ranges.collect(model, names, typical(4, scale=scale), method), names))


def test_every_input_and_every_value_of_a_node_has_a_scale_and_no_weights():
    assert list(scales_of(half.prepare(network()))) == ["x", "c1", "r1", "c2", "f", "y"]


@pytest.mark.parametrize("method", list(ranges.METHODS))
def test_a_scale_is_the_range_over_127_in_float32(method):
    model = half.prepare(network())
    reach = ranges.collect(model, ["x", "c2"], typical(4), method)
    for name, scale in scales_of(model, method).items():
        assert scale == float(np.float32(scale)), "a float32"
        if name in reach:
            assert scale == float(np.float32(reach[name] / 127.0))


def test_what_is_no_floating_point_has_none():
    model = over_x(helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("Greater", ["x", "half"], ["is_large"]),
                   helper.make_node("Cast", ["is_large"], ["y"], to=TensorProto.FLOAT), last="y", half=0.5)
    assert activations.of(model) == ["x", "y"]


def test_half_values_and_those_of_no_known_shape_have_one_too():
    model = over_x(helper.make_node("Cast", ["x"], ["narrow"], to=TensorProto.FLOAT16),
                   helper.make_node("Relu", ["narrow"], ["positive"]), helper.make_node("NonZero", ["positive"], ["places"]),
                   helper.make_node("Cast", ["places"], ["y"], to=TensorProto.FLOAT), last="y")
    assert activations.of(model) == ["x", "narrow", "positive", "y"]
    assert set(scales_of(model)) == {"x", "narrow", "positive", "y"}


def test_a_value_that_is_zero_on_these_samples_is_refused_by_name():
    model = over_x(helper.make_node("Mul", ["x", "minus"], ["negative"]), helper.make_node("Relu", ["negative"], ["dead"]),
                   helper.make_node("Add", ["x", "dead"], ["y"]), last="y", minus=-1.0)
    with pytest.raises(PrecisionError, match="'dead' is zero, or next to it") as refused:
        scales_of(model)
    assert refused.value.reason == "precision_not_supported"


def test_a_value_that_is_zero_whatever_the_inputs_hold_takes_any_scale():
    """Zeros of the input's shape: they depend on its size alone."""
    model = over_x(helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
                   helper.make_node("Add", ["x", "zeros"], ["y"]), last="y")
    found = scales_of(model)
    assert found["zeros"] == float(np.float32(1 / 127)) and found["x"] == found["y"]


@pytest.mark.parametrize("scale, part", [(2.0**-60, "is zero, or next to it"), (2.0**80, "reaches 1.2")])
def test_a_range_that_the_cache_cannot_hold_is_refused(scale, part):
    with pytest.raises(PrecisionError, match=f"value 'x'.*{part}"):
        scales_of(over_x(helper.make_node("Relu", ["x"], ["y"]), last="y"), scale=scale)
    scales_of(over_x(helper.make_node("Relu", ["x"], ["y"]), last="y"), scale=2.0**-50)


def test_nodes_whose_tensors_have_no_name_are_told():
    """TensorRT's parser makes two layers of a Gemm; what is between them has no scale."""
    assert activations.unnamed_of(half.prepare(network())) == []
    model = over_x(helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("Gemm", ["flat", "w", "b"], ["y"], "dense"),
                   last="y", w=np.ones((768, 2)), b=np.ones(2))
    assert activations.unnamed_of(model) == ["dense"]


def test_inner_graphs_are_refused():
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["inner"])], "b", [],
                               [helper.make_tensor_value_info("inner", TensorProto.FLOAT, SHAPE)])
    model = over_x(helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch), last="y")
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "flag"))
    with pytest.raises(PrecisionError, match="without inner graphs") as refused:
        activations.of(model)
    assert refused.value.reason == "model_unsupported"


@pytest.mark.parametrize("name", ["a\nb", "a\x7fb", "a" * 4097, "\u00e9" * 2049])
def test_a_name_that_no_cache_holds_is_refused_before_anything_is_calibrated(name):
    for good in (name.replace("\n", " ").replace("\x7f", "\u00e9")[:2048], "y"):
        activations.of(over_x(helper.make_node("Relu", ["x"], [good]), last=good))  # the control
    with pytest.raises(PrecisionError, match="1 to 4096 bytes without control characters") as refused:
        activations.of(over_x(helper.make_node("Relu", ["x"], [name]), helper.make_node("Neg", [name], ["y"]), last="y"))
    assert refused.value.reason == "model_unsupported" and "\n" not in str(refused.value)


@pytest.mark.parametrize("bound, value", [("MAX_TENSORS", 5), ("MAX_CACHE_BYTES", 80)])
def test_more_than_a_cache_holds_is_refused_before_anything_is_calibrated(monkeypatch, bound, value):
    assert len(activations.of(half.prepare(network()))) == 6  # the control
    monkeypatch.setattr(activations, bound, value)
    with pytest.raises(PrecisionError, match=f"at most .*{value}"):
        activations.of(half.prepare(network()))


def with_weights_in(folder, *places):
    model = network()
    for place, weight in zip(places, model.graph.initializer):
        onnx.external_data_helper.set_external_data(weight, place)
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(weight.raw_data)
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def test_files_of_one_name_are_refused_at_once(tmp_path):
    """No build record could name them."""
    assert len(graphs.load(with_weights_in(tmp_path, "a/w.bin", "b/v.bin")).files) == 2  # the control
    for places in (("a/w.bin", "b/w.bin"), ("a/m.onnx",)):
        with pytest.raises(PrecisionError, match="another name for each file") as refused:
            graphs.load(with_weights_in(tmp_path, *places))
        assert refused.value.reason == "external_weights"


@pytest.mark.parametrize("name", ["m.onnx", "a/w.bin"])
def test_a_link_is_refused_for_a_cache_before_anything_is_calibrated(tmp_path, name):
    """Whoever trusts the cache follows none."""
    path = with_weights_in(tmp_path, "a/w.bin")
    graphs.refuse_links(graphs.load(path), path)  # the control
    (tmp_path / name).rename(tmp_path / "elsewhere")
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    source = graphs.load(path) if name == "m.onnx" else graphs.Source(network(), "", {"a/w.bin": ""})
    with pytest.raises(PrecisionError, match=f"{name}.*put the file itself there") as refused:
        graphs.refuse_links(source, path)
    assert refused.value.reason == "model_unreadable"


def test_a_model_of_several_files_is_named_as_build_records_name_it(tmp_path):
    """SHA-256 over "<digest> <base name>" of each file, by name: tests/e2e compares it with what compiling records."""
    place = tmp_path / "m.onnx"
    onnx.save(network(), place, save_as_external_data=True, location="zz.bin", size_threshold=0)
    source = graphs.load(place)
    lines = [f"{graphs._file_digest(tmp_path / name)} {name}\n" for name in ("m.onnx", "zz.bin")]
    assert source.record_sha256("m.onnx") == hashlib.sha256("".join(lines).encode()).hexdigest()
    onnx.save(network(), place)
    alone = graphs.load(place)
    assert alone.record_sha256("m.onnx") == alone.sha256 == graphs._file_digest(place) and alone.files == {}
