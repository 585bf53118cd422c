"""int8 and mixed by the runtime tensorrt: calibrated on a data set, from a cache that may be trusted, judged by samples.

Needs a build over the software-in-the-loop SDK of tests/sil, which says nothing of accuracy: `make sil`.
"""

import hashlib
import json
import os

import numpy as np
import programs
import pytest
import tiny_models
import trees
from onnx import TensorProto, helper, numpy_helper
from programs import BUILD_FAILED

NO_CACHE = 4  # exit status of CalibrationCacheError


def mlp(path, seed=1):
    """x [2,8] -> y [2,4], two products and a Relu."""
    initializers = [numpy_helper.from_array(tiny_models.weights(seed, 8, 16), "w0"),
                    numpy_helper.from_array(tiny_models.weights(seed + 1, 16, 4), "w1")]
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["a"], "first"), helper.make_node("Relu", ["a"], ["b"], "relu"),
             helper.make_node("MatMul", ["b", "w1"], ["y"], "second")]
    info = helper.make_tensor_value_info
    return tiny_models.write(path, tiny_models.network(nodes, [info("x", TensorProto.FLOAT, [2, 8])],
                                                       [info("y", TensorProto.FLOAT, [2, 4])], initializers))


def write_samples(folder, first=0, count=10):
    folder.mkdir()
    for number in range(count):
        values = np.random.default_rng(first + number).uniform(-1, 1, (2, 8)).astype(np.float32)
        np.savez(folder / f"{number:03}.npz", x=values)
    return folder


@pytest.fixture(name="data_set")
def typical_samples(place):
    return write_samples(place.folder / "data")


def compiling(place, data_set, *more, precision="int8", seed=1):
    return ["compile", mlp(place.models / "mlp.onnx", seed), "--runtime", "tensorrt", "--out", place.cache, "--precision",
            precision, "--calibration-dataset", data_set, *more, "--json"]


def cache_of(place):
    (file,) = place.cache.glob("*.calib_cache")
    return file


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(("algorithm", "name"), [("entropy2", "EntropyCalibration2"), ("minmax", "MinMaxCalibration")])
def test_int8_is_calibrated_once_and_its_cache_is_kept_and_used(trt, place, data_set, algorithm, name):
    more = ("--calibration-algorithm", algorithm)
    first = trt.ok(*compiling(place, data_set, *more))["engine"]
    cache = cache_of(place)
    origin, proof = first["calibration"], first["proof"]
    assert cache.read_text().splitlines()[0].endswith(name) and origin["algorithm"] == name
    assert origin["cache_sha256"] == digest(cache) == cache.with_name(cache.name + ".sha256").read_text()
    data = trt.ok("inspect", data_set, "--json")["content"]["sha256"]
    assert origin["dataset_sha256"] == data == cache.with_name(cache.name + ".dataset_sha256").read_text()
    assert (origin["sample_count"], proof["calibration_samples"], proof["accuracy.samples"]) == (8, "8", "2")
    assert origin["producer"] == "tensorrt" and int(proof["layers.int8"]) > 0
    assert "relative_l2" in proof["accuracy.y"]
    again = trt.ok(*compiling(place, data_set, *more))["engine"]
    assert again["options"]["int8_ranges"] == "calibration cache" and "fits" in again["proof"]["calibration.why"]
    assert (again["calibration"], again["engine_sha256"]) == (origin, first["engine_sha256"])
    assert not (place.cache / "rejected").exists()


def test_another_data_set_model_or_algorithm_calibrates_again_and_says_why(trt, place, data_set):
    trt.ok(*compiling(place, data_set))
    other = write_samples(place.folder / "other", first=50)
    for arguments, what in (((other,), "data set"), ((other, "--calibration-algorithm", "minmax"), "algorithm")):
        result = trt(*compiling(place, *arguments))
        assert result.returncode == 0, result.stderr
        why = programs.document(result)["engine"]["proof"]["calibration.why"]
        assert f"another {what}" in why
    engine = trt.ok(*compiling(place, other, "--calibration-algorithm", "minmax", seed=7))["engine"]
    assert "another model" in engine["proof"]["calibration.why"]
    assert engine["options"]["int8_ranges"] == "samples" and not (place.cache / "rejected").exists()


def damage(cache, kind):
    """Of the files of a cache; the digest beside it is made to fit where the text alone is to tell."""
    text = cache.read_bytes()
    sidecar = cache.with_name(cache.name + ".sha256")
    if kind == "flipped":
        cache.write_bytes(bytes([text[0] ^ 1]) + text[1:])
    elif kind == "cut":
        cache.write_bytes(text[:-9])
    elif kind == "no digest":
        sidecar.unlink()
    elif kind == "link":
        cache.rename(cache.with_name("elsewhere"))
        cache.symlink_to("elsewhere")
    else:
        lines = text.decode().splitlines(keepends=True)
        changed = {"crlf": text.replace(b"\n", b"\r\n"), "empty": b"x",
                   "shorter": "".join(lines[:-1]).encode(), "rewritten": text.replace(b"TRT-1", b"TRT-2", 1),
                   "another scale": text.replace(b": 3", b": 4", 1)}[kind]
        assert changed != text
        cache.write_bytes(changed)
        sidecar.write_text(digest(cache))


@pytest.mark.parametrize("kind", ["flipped", "cut", "no digest", "link", "crlf", "empty", "shorter", "rewritten",
                                  "another scale"])
def test_a_cache_that_may_not_be_trusted_is_moved_aside_and_never_used(trt, place, data_set, kind):
    good = trt.ok(*compiling(place, data_set))["engine"]
    cache = cache_of(place)
    damage(cache, kind)
    before = trees.tree(place.cache)
    stopped = trt(*compiling(place, data_set, "--strict-calibration"))
    assert stopped.returncode == NO_CACHE, stopped.stderr
    assert programs.document(stopped)["error"]["class"] == "CalibrationCacheError"
    assert trees.tree(place.cache) == before
    result = trt(*compiling(place, data_set))
    assert result.returncode == 0, result.stderr
    engine = programs.document(result)["engine"]
    assert "rejected/" in result.stderr and cache.name in result.stderr
    assert engine["options"]["int8_ranges"] == "samples"
    assert engine["calibration"] == good["calibration"] and digest(cache) == good["calibration"]["cache_sha256"]
    kept = [file for file in (place.cache / "rejected").iterdir() if not file.name.endswith("sha256")]
    assert len(kept) == 1 and kept[0].name.startswith(cache.name)


def test_a_cache_without_a_record_is_unproven(trt, place, data_set):
    """Nothing says what it was made from: it is evidence, not ranges."""
    trt.ok(*compiling(place, data_set))
    (record,) = place.cache.glob("*.engine.json")
    record.unlink()
    result = trt(*compiling(place, data_set))
    assert result.returncode == 0 and "no build record" in result.stderr
    assert programs.document(result)["engine"]["options"]["int8_ranges"] == "samples"


def test_without_a_cache_and_without_samples_there_is_no_calibration(trt, place, data_set):
    trt.ok(*compiling(place, data_set))
    damage(cache_of(place), "flipped")
    (data_set / "003.npz").write_bytes(b"no sample")
    result = trt(*compiling(place, data_set))
    assert result.returncode == NO_CACHE and "003.npz" in programs.document(result)["error"]["message"]


def test_a_quantised_graph_takes_the_place_of_a_calibrated_one(trt, place, data_set):
    """Its ranges stand in it: the cache of the other build goes, and is no evidence of anything."""
    trt.ok(*compiling(place, data_set))
    out = place.folder / "int8" / "mlp.onnx"
    trt.ok("quantize", place.models / "mlp.onnx", "--precision", "int8", "--calibration-dataset", data_set, "--out", out)
    trt.ok("compile", out, "--runtime", "tensorrt", "--out", place.cache, "--precision", "int8", "--calibration-dataset",
           data_set, "--fp32-source", place.models / "mlp.onnx")
    assert not list(place.cache.glob("*.calib_cache*"))
    result = trt(*compiling(place, data_set, "--strict-calibration"))
    assert result.returncode == 0 and not (place.cache / "rejected").exists()


def test_another_runtime_leaves_the_cache_alone(trt, place, data_set):
    trt.ok(*compiling(place, data_set))
    before = digest(cache_of(place))
    out = place.folder / "int8" / "mlp.onnx"
    trt.ok("quantize", place.models / "mlp.onnx", "--precision", "int8", "--calibration-dataset", data_set, "--out", out)
    trt.ok("compile", out, "--runtime", "onnx_trt_ep", "--set", "execution_provider=cpu", "--out", place.cache, "--precision",
           "int8", "--calibration-dataset", data_set, "--fp32-source", place.models / "mlp.onnx")
    assert digest(cache_of(place)) == before and not (place.cache / "rejected").exists()


@pytest.mark.parametrize("kind", ["cut", "nan", "shape", "fifo"])
def test_a_data_set_is_used_whole_or_not_at_all(trt, place, data_set, kind):
    file = data_set / "003.npz"
    if kind == "cut":
        file.write_bytes(file.read_bytes()[:-30])
    elif kind == "nan":
        np.savez(file, x=np.full((2, 8), np.nan, np.float32))
    elif kind == "shape":
        np.savez(file, x=np.zeros((3, 8), np.float32))
    else:
        file.unlink()
        os.mkfifo(file)
    programs.error_of(trt(*compiling(place, data_set)), BUILD_FAILED, "data_set_malformed", "003.npz")
    assert not list(place.cache.glob("*.engine")) and not list(place.cache.glob("*.calib_cache"))


def version_of(trt, place, data_set):
    trt.ok(*compiling(place, data_set))
    return cache_of(place).read_text().split("-")[1]


def test_ranges_of_the_cpu_are_used_only_where_that_is_allowed(trt, place, data_set):
    version = version_of(trt, place, data_set)
    made = place.folder / "made" / "mlp.calib_cache"
    trt.ok("quantize", place.models / "mlp.onnx", "--precision", "int8", "--calibration-dataset", data_set,
           "--calibration-cache", made, "--tensorrt-version", version)
    given = ("--calibration-cache", made)
    refused = trt(*compiling(place, data_set, *given))
    assert refused.returncode == NO_CACHE and "another producer" in programs.document(refused)["error"]["message"]
    engine = trt.ok(*compiling(place, data_set, *given, "--allow-cpu-ranges"))["engine"]
    assert engine["calibration"]["producer"] == "skua quantize (CPU ranges)"
    assert engine["options"]["int8_ranges"] == "calibration cache" and digest(cache_of(place)) == digest(made)
    other = write_samples(place.folder / "other", first=50)
    refused = trt(*compiling(place, other, *given, "--allow-cpu-ranges"))
    assert refused.returncode == NO_CACHE and "another data set" in programs.document(refused)["error"]["message"]
    # The next build does not take them from beside the engine either, unless it is allowed.
    engine = trt.ok(*compiling(place, data_set))["engine"]
    assert "another producer" in engine["proof"]["calibration.why"] and engine["calibration"]["producer"] == "tensorrt"
    judging = write_samples(place.folder / "flight", first=700, count=3)
    trt.ok(*compiling(place, data_set, *given, "--allow-cpu-ranges", "--accuracy-dataset", judging))
    made.write_bytes(made.read_bytes()[:-9])
    assert trt(*compiling(place, data_set, *given, "--allow-cpu-ranges")).returncode == NO_CACHE


def test_a_quantised_graph_needs_its_source_and_no_calibrator(trt, place, data_set):
    source = mlp(place.models / "mlp.onnx")
    out = place.folder / "int8" / "mlp.onnx"
    trt.ok("quantize", source, "--precision", "int8", "--calibration-dataset", data_set, "--out", out)
    arguments = ["compile", out, "--runtime", "tensorrt", "--out", place.cache, "--precision", "int8",
                 "--calibration-dataset", data_set, "--json"]
    programs.error_of(trt(*arguments), BUILD_FAILED, "reference_unavailable", "fp32_source")
    engine = trt.ok(*arguments, "--fp32-source", source)["engine"]
    assert engine["options"]["int8_ranges"] == "graph" and engine["proof"]["accuracy.samples"] == "2"
    assert not list(place.cache.glob("*.calib_cache"))
    other = mlp(place.models / "other.onnx", seed=9)
    programs.error_of(trt(*arguments, "--fp32-source", other), BUILD_FAILED, "calibration_mismatch", "fp32_source")


def test_mixed_holds_what_is_kept_and_is_judged(trt, place, data_set):
    wide = ("--fp32-source", place.models / "mlp.onnx")
    refused = trt(*compiling(place, data_set, "--keep-fp32", "second", *wide, precision="mixed"))
    assert refused.returncode == programs.USAGE and "fp32_source" in programs.document(refused)["error"]["message"]
    engine = trt.ok(*compiling(place, data_set, "--keep-fp32", "second", precision="mixed"))["engine"]
    assert engine["proof"]["keep_fp32.read_back"] == "second" and int(engine["proof"]["layers.fp16"]) > 0
    assert engine["proof"]["accuracy.samples"] == "10" and engine["calibration"]["sample_count"] == 0
    result = trt(*compiling(place, data_set, precision="mixed"))
    assert result.returncode == programs.USAGE and "keep_fp32" in programs.document(result)["error"]["message"]


def test_a_set_of_int8_is_published_and_reused_until_its_data_change(trt, place, data_set):
    judging = write_samples(place.folder / "flight", first=700, count=3)
    yaml = place.set_yaml([{"name": "mlp", "onnx": mlp(place.models / "mlp.onnx"), "precision": "int8",
                            "calibration": {"data_set": str(data_set), "judged_by": str(judging)}}], runtime="tensorrt", execution_provider=None)
    first = trt.ok(*place.provision_arguments(yaml), "--json")
    trt.ok("verify", place.current(), *programs.UNSIGNED)
    again = trt.ok(*place.provision_arguments(yaml), "--json")
    assert first["set_id"] == again["set_id"] and not again["is_published"]
    np.savez(data_set / "000.npz", x=np.ones((2, 8), np.float32))
    changed = trt.ok(*place.provision_arguments(yaml), "--json")
    (engine,) = changed["engines"]
    assert changed["is_published"] and "calibration data set changed" in engine["why_built"]
    assert not [name for name in place.current().iterdir() if "calib_cache" in name.name]
    manifest = json.loads((place.current() / "flight-manifest.json").read_text())
    assert "accuracy.y" in json.dumps(manifest)
