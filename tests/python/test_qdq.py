"""int8 with explicit Q/DQ: the form that TensorRT takes, what is kept, samples that are refused, and what it costs."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from skua_precision import qdq, samples  # noqa: E402
from skua_precision.errors import PrecisionError  # noqa: E402
from skua_precision.samples import SampleFile  # noqa: E402

SHAPE = (1, 3, 16, 16)


def network(opset: int = 17) -> onnx.ModelProto:
    """Two convolutions with biases, a Relu between, and a matrix product behind."""
    random = np.random.default_rng(7)

    def weights(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "first", pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c1"], ["r1"], "relu"),
             helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "second", pads=[1, 1, 1, 1]),
             helper.make_node("Flatten", ["c2"], ["f"], "flat"),
             helper.make_node("MatMul", ["f", "w3"], ["y"], "product")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 10))]
    stored = [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 8, 8, 3, 3), weights("b2", 8),
              weights("w3", 8 * 16 * 16, 10)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def typical(count: int, seed: int = 1) -> list[dict]:
    random = np.random.default_rng(seed)
    return [{"x": random.random(SHAPE, np.float32)} for _ in range(count)]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def refusal(function: object, *arguments: object) -> PrecisionError:
    with pytest.raises(PrecisionError) as caught:
        function(*arguments)
    return caught.value


# The graph


@pytest.mark.parametrize("method", list(qdq.METHODS))
def test_convolutions_and_products_become_int8_and_the_result_is_close(method, tmp_path):
    source = network()
    made = qdq.to_int8(source, typical(8), [], method)
    assert made.quantised == ["first", "product", "second"]
    assert [value.name for value in made.model.graph.output] == ["y"]
    (figure,) = qdq.accuracy(source, made.model, typical(4, seed=2))
    assert 0.99 < figure.least_cosine < 1.0, "close, and not the same: it computes with int8"
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_weights_are_int8_by_the_channel_and_biases_stay_float():
    made = qdq.to_int8(network(), typical(4), [], "minmax").model
    stored = {tensor.name: tensor for tensor in made.graph.initializer}
    widened = {n.output[0]: n for n in made.graph.node if n.op_type == "DequantizeLinear"}
    (first,) = (node for node in made.graph.node if node.name == "first")
    weight = widened[first.input[1]]
    assert stored[weight.input[0]].data_type == TensorProto.INT8
    assert list(stored[weight.input[1]].dims) == [8]
    assert stored[first.input[2]].data_type == TensorProto.FLOAT


def test_the_same_samples_give_the_same_bytes():
    first, second = (qdq.to_int8(network(), typical(4), [], "entropy2").model for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_what_a_pattern_keeps_stays_float32():
    made = qdq.to_int8(network(), typical(4), ["sec*"], "minmax")
    assert made.quantised == ["first", "product"]
    assert made.kept_fp32 == ["second"]
    assert refusal(qdq.to_int8, network(), typical(2), ["nothing"], "minmax").reason == "invalid_argument"
    assert refusal(qdq.to_int8, network(), typical(2), ["*"], "minmax").reason == "precision_not_supported"


def test_an_old_opset_is_refused():
    assert "opset 13" in str(refusal(qdq.to_int8, network(opset=12), typical(2), [], "minmax"))


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
    qdq.check_form(made)
    change(made)
    assert refusal(qdq.check_form, made).reason == "model_unsupported"


def test_noise_instead_of_data_shows():
    """Ranges of other data, a thousand times as large: nothing is left of the values."""
    source = network()
    noise = [{"x": sample["x"] * 1000} for sample in typical(4)]
    (good,) = qdq.accuracy(source, qdq.to_int8(source, typical(4), [], "minmax").model, typical(4, seed=2))
    (bad,) = qdq.accuracy(source, qdq.to_int8(source, noise, [], "minmax").model, typical(4, seed=2))
    assert bad.least_cosine < 0.9 < good.least_cosine
    qdq.refuse_inaccurate([good])
    assert "'y' 0." in str(refusal(qdq.refuse_inaccurate, [good, bad]))


def test_what_the_ranges_were_made_from_is_in_the_model():
    made = qdq.to_int8(network(), typical(2), [], "minmax").model
    qdq.stamp(made, {"dataset_sha256": "ab", "sample_count": 2})
    (entry,) = (entry for entry in made.metadata_props if entry.key == "skua.calibration")
    assert json.loads(entry.value) == {"dataset_sha256": "ab", "sample_count": 2}


# Samples


def sample(folder: Path, data: bytes, name: str = "s.npz") -> SampleFile:
    (folder / name).write_bytes(data)
    return SampleFile(folder / name, hashlib.sha256(data).hexdigest())


def npz(compressed: bool = False, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


GOOD = np.full(SHAPE, 0.5, np.float32)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_sample_is_one_array_an_input(tmp_path, compressed):
    read = samples.read(sample(tmp_path, npz(compressed, x=GOOD)), network())
    np.testing.assert_array_equal(read["x"], GOOD)


@pytest.mark.parametrize("arrays, part", [
    ({}, "one array an input (x), found none"), ({"y": GOOD}, "found y"), ({"x": GOOD, "y": GOOD}, "found x, y"),
    ({"x": GOOD.astype(np.float64)}, "expected float32 for input 'x', found float64"),
    ({"x": GOOD[0]}, "expected shape (1, 3, 16, 16) for input 'x'"), ({"x": GOOD[:, :2]}, "expected shape"),
    ({"x": np.full(SHAPE, np.nan, np.float32)}, "NaN"), ({"x": np.full(SHAPE, np.inf, np.float32)}, "infinity"),
])
def test_what_does_not_fit_is_refused_by_name(tmp_path, arrays, part):
    refused = refusal(samples.read, sample(tmp_path, npz(**arrays)), network())
    assert refused.reason == "data_set_malformed"
    assert part in str(refused) and "s.npz" in str(refused)


def test_pickles_are_never_read(tmp_path):
    stream = io.BytesIO()
    np.savez(stream, x=np.array([{"code": 1}], object))
    assert refusal(samples.read, sample(tmp_path, stream.getvalue()), network()).reason == "data_set_malformed"


def test_a_sample_that_unpacks_beyond_its_bound_is_refused_before(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MAX_ARRAY_BYTES", GOOD.nbytes)
    refused = refusal(samples.read, sample(tmp_path, npz(True, x=GOOD)), network())
    assert f"at most {GOOD.nbytes} bytes" in str(refused)


def test_every_cut_of_a_sample_is_refused(tmp_path):
    whole = npz(x=np.zeros(SHAPE, np.float32))
    for size in range(0, len(whole), 97):
        assert refusal(samples.read, sample(tmp_path, whole[:size]), network()).reason == "data_set_malformed", size


def test_an_array_twice_is_refused(tmp_path):
    stream = io.BytesIO(npz(x=GOOD))
    with zipfile.ZipFile(stream, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("x.npy", archive.read("x.npy"))
    assert "every array once" in str(refusal(samples.read, sample(tmp_path, stream.getvalue()), network()))


def test_another_content_than_was_hashed_is_refused(tmp_path):
    listed = sample(tmp_path, npz(x=GOOD))
    sample(tmp_path, npz(x=GOOD * 2))
    assert refusal(samples.read, listed, network()).reason == "data_set_changed"
    listed.path.unlink()
    assert refusal(samples.read, listed, network()).reason == "data_set_malformed"


@pytest.mark.parametrize("count, held_out", [(2, [1]), (4, [3]), (5, [4]), (12, [4, 9])])
def test_what_judges_calibrates_nothing(count, held_out):
    files = [SampleFile(Path(str(i)), "") for i in range(count)]
    calibrating, judging = samples.split(files)
    assert judging == [files[i] for i in held_out]
    assert not set(calibrating) & set(judging) and len(calibrating) + len(judging) == count


def test_one_sample_is_too_few():
    assert refusal(samples.split, [SampleFile(Path("a"), "")]).reason == "data_set_malformed"
