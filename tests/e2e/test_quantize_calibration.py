"""`skua quantize --precision mixed`, judged on samples, and `--calibration-cache`: TensorRT's cache without a GPU."""

import hashlib
import json
import struct

import numpy as np
import onnx
import pytest

import programs
import tiny_models
import trees
from places import CPU
from programs import BUILD_FAILED, USAGE

VERSION = 100300
CACHE_FILES = ["several.calib_cache", "several.calib_cache.dataset_sha256", "several.calib_cache.json",
               "several.calib_cache.sha256"]


@pytest.fixture(name="model")
def float32_model(place):
    return tiny_models.several(place.models / "several.onnx")


@pytest.fixture(name="out")
def output_file(place):
    return place.folder / "out" / "several.onnx"


@pytest.fixture(name="cache")
def cache_file(place):
    return place.folder / "out" / "several.calib_cache"


def write_samples(folder, count, size=1.0):
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        random = np.random.default_rng(seed)
        np.savez(folder / f"{seed:03}.npz",
                 **{name: (random.uniform(-1, 1, (2, 8)) * size).astype(np.float32) for name in ("left", "right")})
    return folder


@pytest.fixture(name="data_set")
def samples_of_typical_inputs(place):
    return write_samples(place.folder / "data", 10)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refuse(skua, arguments, status, reason, *words):
    programs.error_of(skua("quantize", *arguments, "--json"), status, reason, *words)


# ---- mixed -------------------------------------------------------------------------------------------------

def mixed(model, data_set, out):
    return [model, "--precision", "mixed", "--keep-fp32", "MatMul", "--calibration-dataset", data_set, "--out", out]


def test_a_mixed_model_holds_its_named_layers_in_float32_and_says_so(skua, place, model, data_set, out):
    report = skua.ok("quantize", *mixed(model, data_set, out), "--json")
    provenance = report["provenance"]
    hashed = skua.ok("inspect", data_set, "--json")["content"]
    assert (provenance["precision"], provenance["keep_fp32"], provenance["algorithm"]) == ("mixed", ["MatMul"], None)
    assert (provenance["sample_count"], provenance["held_out_count"]) == (0, 10), "nothing calibrates, all judge"
    assert provenance["dataset_sha256"] == hashed["sha256"] and provenance["source_sha256"] == digest(model)
    assert 0 < max(output["relative_l2"] for output in report["outputs"]) < 0.01
    made = onnx.load(out)
    (stamp,) = (entry.value for entry in made.metadata_props if entry.key == "skua.precision")
    assert json.loads(stamp) == provenance
    types = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert types["w"] == onnx.TensorProto.FLOAT, "of the product, which is kept"
    again = skua.ok("quantize", *mixed(model, data_set, out), "--overwrite", "--keep-fp32", "Add", "--json")
    build = place.folder / "build.json"
    build.write_text(json.dumps({"precision": "fp16", "keep_fp32": again["kept_fp32"]}))
    skua.ok("compile", out, "--out", place.cache, "--config", build, *CPU)


def test_the_same_model_and_samples_give_the_same_bytes(skua, model, data_set, out):
    for precision in (mixed, int8):
        seen = set()
        for _ in range(2):
            skua.ok("quantize", *precision(model, data_set, out), "--overwrite")
            seen.add(digest(out))
        assert len(seen) == 1


def test_one_sample_judges_mixed_and_copies_of_it_count_once(skua, place, model, out):
    data_set = write_samples(place.folder / "one", 1)
    (data_set / "copy.npz").write_bytes((data_set / "000.npz").read_bytes())
    report = skua.ok("quantize", *mixed(model, data_set, out), "--json")
    assert report["provenance"]["held_out_count"] == 1


def test_values_that_half_precision_does_not_hold_are_refused_for_mixed(skua, place, model, out):
    """On the samples: left * right reaches 250000, sums do not."""
    data_set = write_samples(place.folder / "large", 3, size=500.0)
    refuse(skua, mixed(model, data_set, out), BUILD_FAILED, "precision_not_supported", "larger than half precision holds")
    assert trees.tree(out.parent) == {}
    skua.ok("quantize", *mixed(model, data_set, out), "--keep-fp32", "Mul")


def test_mixed_that_is_far_from_float32_is_refused(skua, place, out):
    """2048 + a little: the sum is rounded to 2 by half precision, and the difference is all that is left of it."""
    nodes = [onnx.helper.make_node("Add", ["x", "large"], ["sum"], "add"),
             onnx.helper.make_node("Sub", ["sum", "large"], ["little"], "sub"),
             onnx.helper.make_node("Relu", ["little"], ["y"], "relu")]
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 8]) for name in "xy"]
    large = onnx.numpy_helper.from_array(np.float32([2048.0]), "large")
    model = tiny_models.write(place.models / "lost.onnx", tiny_models.network(nodes, values[:1], values[1:], [large]))
    data_set = place.folder / "little"
    data_set.mkdir()
    np.savez(data_set / "0.npz", x=np.linspace(0.1, 0.9, 8, dtype=np.float32).reshape(1, 8))
    arguments = [model, "--precision", "mixed", "--calibration-dataset", data_set, "--out", out, "--keep-fp32"]
    refuse(skua, [*arguments, "relu"], BUILD_FAILED, "precision_not_supported", "mixed is too far", "'y' relative_l2")
    assert trees.tree(out.parent) == {}
    skua.ok("quantize", *arguments, "add", "--keep-fp32", "sub")


def test_mixed_needs_samples_and_a_layer(skua, model, data_set, out):
    refuse(skua, [model, "--precision", "mixed", "--keep-fp32", "Add", "--out", out], USAGE, "invalid_argument",
           "--calibration-dataset")
    refuse(skua, [model, "--precision", "mixed", "--calibration-dataset", data_set, "--out", out], USAGE, "invalid_argument",
           "--keep-fp32")
    assert not out.parent.exists()


# ---- TensorRT's cache --------------------------------------------------------------------------------------

def int8(model, data_set, out):
    return [model, "--precision", "int8", "--calibration-dataset", data_set, "--out", out]


def cache_of(model, data_set, cache):
    return [model, "--precision", "int8", "--calibration-dataset", data_set, "--calibration-cache", cache,
            "--tensorrt-version", VERSION]


def scales_in(cache):
    """As sampleEngines.cpp of TensorRT reads them."""
    head, *lines = cache.read_text("ascii").splitlines()
    pairs = (line.rsplit(": ", 1) for line in lines)
    return head, {name: struct.unpack("!f", bytes.fromhex(digits))[0] for name, digits in pairs}


@pytest.mark.parametrize("algorithm, told", [("entropy2", "EntropyCalibration2"), ("minmax", "MinMaxCalibration")])
def test_every_activation_has_a_scale_and_the_cache_says_what_it_was_made_from(skua, model, data_set, cache, algorithm, told):
    report = skua.ok("quantize", *cache_of(model, data_set, cache), "--calibration-algorithm", algorithm, "--json")
    assert sorted(trees.tree(cache.parent)) == CACHE_FILES and "path" not in report
    head, scales = scales_in(cache)
    assert head == f"TRT-{VERSION}-{told}"
    assert list(scales) == ["left", "right", "total", "scaled", "product"]
    if algorithm == "minmax":  # of the samples that calibrate: every fifth judges
        left = [np.load(file)["left"] for number, file in enumerate(sorted(data_set.iterdir())) if number % 5 != 4]
        assert scales["left"] == float(np.float32(np.abs(left).max() / 127))
    shown = skua.ok("inspect", cache, "--json")["content"]
    assert {name: float(np.float32(value)) for name, value in shown["scales"].items()} == scales
    origin = json.loads((cache.parent / f"{cache.name}.json").read_text())
    assert origin == {
        "kind": "skua.calibration-origin", "schema": 1, "algorithm": told, "cache_sha256": digest(cache),
        "dataset_sha256": skua.ok("inspect", data_set, "--json")["content"]["sha256"], "model_sha256": digest(model),
        "producer": "skua quantize (CPU ranges)", "sample_count": 8, "tensorrt_version": VERSION}
    content = skua.ok("inspect", cache.parent / f"{cache.name}.json", "--json")["content"]
    assert content["producer"] == origin["producer"] and content["library_version"] == VERSION
    assert skua.ok("inspect", cache.parent / f"{cache.name}.sha256", "--json")["content"]["payload_matches"]


def test_model_and_cache_come_from_one_run_and_the_same_bytes_every_time(skua, model, data_set, out, cache):
    arguments = [*cache_of(model, data_set, cache), "--out", out]
    skua.ok("quantize", *arguments)
    first = trees.contents(out.parent)
    assert sorted(first) == sorted([*CACHE_FILES, out.name])
    programs.error_of(skua("quantize", *arguments, "--json"), USAGE, "exists", "--overwrite")
    skua.ok("quantize", *arguments, "--overwrite")
    assert trees.contents(out.parent) == first


def test_a_model_of_several_files_is_named_as_its_build_record_names_it(skua, place, cache):
    model = tiny_models.external(place.models / "outside.onnx")
    data_set = place.folder / "rows"
    data_set.mkdir()
    for seed in range(5):
        np.savez(data_set / f"{seed}.npz", x=np.random.default_rng(seed).uniform(-1, 1, (1, 64)).astype(np.float32))
    report = skua.ok("quantize", *cache_of(model, data_set, cache), "--json")
    skua.ok("compile", model, "--out", place.cache, "--precision", "fp32", *CPU)
    (record,) = (json.loads(file.read_text("utf-8")) for file in place.cache.glob("outside__*.json"))
    assert report["cache"]["model_sha256"] == record["engine"]["model_sha256"] != digest(model)


def test_a_node_whose_tensors_have_no_name_is_told(skua, place, model, data_set, cache):
    assert "Gemm" not in skua.ok("quantize", *cache_of(model, data_set, cache)).stderr
    network = onnx.load(model)
    random = np.random.default_rng(7)
    for name, shape in (("matrix", (8, 8)), ("bias", (8,))):
        network.graph.initializer.append(onnx.numpy_helper.from_array(random.uniform(-1, 1, shape).astype(np.float32), name))
    network.graph.node.append(onnx.helper.make_node("Gemm", ["left", "matrix", "bias"], ["dense"], "last"))
    network.graph.output.append(onnx.helper.make_tensor_value_info("dense", onnx.TensorProto.FLOAT, [2, 8]))
    onnx.save(network, place.models / "dense.onnx")
    arguments = [*cache_of(place.models / "dense.onnx", data_set, cache), "--overwrite"]
    assert "inside 1 Gemm nodes" in skua.ok("quantize", *arguments).stderr
    assert skua.ok("quantize", *arguments, "--json")["cache"]["unnamed"] == ["last"]


def test_a_link_is_refused_before_anything_is_calibrated(skua, place, model, data_set, cache):
    (place.models / "link.onnx").symlink_to(model)
    result = skua("quantize", *cache_of(place.models / "link.onnx", data_set, cache), "--json")
    programs.error_of(result, BUILD_FAILED, "model_unreadable", "link.onnx", "put the file itself there")
    assert trees.tree(cache.parent) == {}


def test_noise_in_the_place_of_data_gives_no_cache(skua, model, data_set, cache):
    for number, file in enumerate(sorted(data_set.iterdir())):
        if number % 5 != 4:
            arrays = dict(np.load(file))
            np.savez(file, **{name: values * 3000 for name, values in arrays.items()})
    refuse(skua, [*cache_of(model, data_set, cache), "--calibration-algorithm", "minmax"], BUILD_FAILED,
           "precision_not_supported", "relative_l2")
    assert trees.tree(cache.parent) == {}


def test_a_value_without_a_range_gives_no_cache(skua, place, data_set, cache):
    """left - left is zero whatever the samples hold, and nothing says so but them."""
    network = onnx.load(tiny_models.several(place.models / "zero.onnx"))
    network.graph.node.extend([onnx.helper.make_node("Sub", ["left", "left"], ["nothing"], "difference"),
                               onnx.helper.make_node("Add", ["total", "nothing"], ["sum"], "last")])
    network.graph.output[0].name = "sum"
    onnx.save(network, place.models / "zero.onnx")
    refuse(skua, cache_of(place.models / "zero.onnx", data_set, cache), BUILD_FAILED, "precision_not_supported", "'nothing'")
    assert trees.tree(cache.parent) == {}
