"""The main job: a network is compiled, put into a flight set, verified, loaded through the gates and run."""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import onnxruntime
import pytest

import programs
import tiny_models
import trees
from places import CPU
from programs import DONE, USAGE

SHA256 = 64
SPEC = importlib.util.spec_from_file_location("golden", programs.ROOT / "models" / "golden.py")
golden = importlib.util.module_from_spec(SPEC)
sys.modules["golden"] = golden  # dataclasses look their module up
SPEC.loader.exec_module(golden)


def reference(model, inputs, names):
    """What ONNX Runtime's own Python package computes from the source file, optimiser off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, inputs)))


def run_model(skua, place, folder, model, inputs, *more):
    """`skua run` on arrays: the JSON report and the outputs of its one run."""
    arguments = []
    for name, array in inputs.items():
        np.save(place.folder / f"{name}.npy", array)
        arguments += ["--input", f"{name}={place.folder / name}.npy"]
    report = skua.ok("run", folder, model, *arguments, "--output-dir", place.folder / "out", "--json", *more)
    (only,) = report["runs"]
    return report, {name: np.load(file) for name, file in only["outputs"].items()}


def check_against_reference(skua, place, source, inputs, names, *more, precision="fp32", compile_more=()):
    """Compiles `source` into the cache, runs it from there, and compares with the reference."""
    report = skua.ok("compile", source, "--out", place.cache, "--precision", precision, *CPU, *compile_more, "--json")
    _, outputs = run_model(skua, place, place.cache, source.stem, inputs, *more)
    expected = reference(source, inputs, names)
    assert set(outputs) == set(expected)
    for name, value in expected.items():
        assert (outputs[name].dtype, outputs[name].shape) == (value.dtype, value.shape), name
        if np.issubdtype(value.dtype, np.integer) or value.dtype == np.bool_:
            np.testing.assert_array_equal(outputs[name], value)
        else:
            relative, absolute = (1e-3, 1e-3) if value.dtype == np.float16 else (1e-5, 1e-6)
            np.testing.assert_allclose(outputs[name], value, rtol=relative, atol=absolute)
    return report


def random(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---- compile and run -------------------------------------------------------------------------------------------------

def test_static_model(skua, place):
    model = tiny_models.add_relu(place.models / "add_relu.onnx")
    report = check_against_reference(skua, place, model, {"x": random(10, 1, 8)}, ["y"])
    path = pathlib.Path(report["path"])
    assert path.name == "add_relu__sm0_jp0_trt0_fp32.onnx" and path.parent == place.cache
    record = report["engine"]
    assert record["file"] == path.name and record["model"] == "add_relu" and record["runtime_label"] == "onnx_trt_ep"
    assert record["precision"] == "fp32" and record["proven"] is True and record["size_bytes"] == path.stat().st_size
    assert (place.cache / (path.name + ".sha256")).read_text("ascii") == record["engine_sha256"]
    assert json.loads((place.cache / (path.name + ".json")).read_text("ascii"))["engine"] == record
    assert [(t["name"], t["dtype"], t["shape"]) for t in record["inputs"]] == [("x", "float32", [1, 8])]
    assert record["golden"]["origin"] and record["options"]["execution_provider"] == "cpu"
    assert trees.leftovers(place.cache) == []


def test_several_inputs_and_outputs(skua, place):
    model = tiny_models.several(place.models / "several.onnx")
    inputs = {"left": random(11, 2, 8), "right": random(12, 2, 8)}
    check_against_reference(skua, place, model, inputs, ["total", "product"])


def test_integers_and_booleans_are_exact(skua, place):
    model = tiny_models.integers(place.models / "integers.onnx")
    inputs = {"a": np.array([2**62, -5, 0, 7], np.int64), "b": np.array([1, -6, 0, 8], np.int64),
              "flag": np.array([True, False, True, False])}
    check_against_reference(skua, place, model, inputs, ["picked", "is_larger"])


def test_half_model(skua, place):
    model = tiny_models.half(place.models / "half.onnx")
    report = check_against_reference(skua, place, model, {"x": random(13, 1, 8, dtype=np.float16)}, ["y"],
                                     precision="fp16")
    assert report["engine"]["inputs"][0]["dtype"] == "float16"
    assert "fp16" in report["engine"]["arithmetic"]  # and whatever the CPU provider widened is said there


def test_external_weights_are_folded_in(skua, place):
    """The sources may go after compiling: nothing but the engine's own bytes is read at load."""
    model = tiny_models.external(place.models / "ext.onnx")
    inputs = {"x": random(14, 1, 64)}
    expected = reference(model, inputs, ["y"])["y"]
    report = skua.ok("compile", model, "--out", place.cache, "--precision", "fp32", *CPU, "--json")
    assert [source["name"] for source in report["engine"]["sources"]] == ["ext.onnx", "weights.bin"]
    for path in (model, place.models / "weights.bin"):
        path.unlink()
    _, outputs = run_model(skua, place, place.cache, "ext", inputs)
    np.testing.assert_allclose(outputs["y"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("values", [[0.0] * 16, [1.0] * 16, [0.0, 3.0] * 8, [0.0] * 15 + [1.0]])
def test_data_dependent_output(skua, flight, values):
    """From no row at all to all of them."""
    inputs = {"x": np.array(values, np.float32)}
    _, outputs = run_model(skua, flight, flight.cache, "non_zero", inputs)
    np.testing.assert_array_equal(outputs["where"], np.array(np.nonzero(values), np.int64))
    assert outputs["where"].shape == (1, int(np.count_nonzero(values)))


def write_build_with_golden(place, inputs, outputs):
    """BUILD.json with a golden file beside it, named relative to it."""
    tensors = [golden.GoldenTensor(golden.INPUT, name, np.asarray(values)) for name, values in inputs.items()]
    tensors += [golden.GoldenTensor(golden.EXPECTED, name, np.array(values, np.int64))
                for name, values in outputs.items()]
    golden.write(place.folder / "own.golden", tensors)
    build = place.folder / "BUILD.json"
    build.write_text(json.dumps({"precision": "fp32", "max_output_shapes": {"where": [1, 4]},
                                 "golden": {"file": "own.golden", "origin": "by hand"}}))
    return build


def test_data_dependent_output_needs_a_bound(skua, place):
    model = tiny_models.non_zero(place.models / "non_zero.onnx")
    compile_it = ("compile", model, "--out", place.cache, *CPU, "--json")
    result = skua(*compile_it, "--precision", "fp32")
    programs.error_of(result, programs.BUILD_FAILED, "output_unbounded", "where", "max_output_shapes")
    # Made-up inputs have sixteen rows, which four cannot hold: golden vectors of our own have one.
    build = write_build_with_golden(place, {"x": np.eye(1, 16, 5, dtype=np.float32)[0]}, {"where": [[9]]})
    programs.error_of(skua(*compile_it, "--config", build), programs.BUILD_FAILED, "golden_mismatch", "where")
    build = write_build_with_golden(place, {"x": np.eye(1, 16, 5, dtype=np.float32)[0]}, {"where": [[5]]})
    report = skua.ok(*compile_it, "--config", build)
    assert report["engine"]["golden"]["origin"] == "by hand"
    _, outputs = run_model(skua, place, place.cache, "non_zero", {"x": np.eye(1, 16, 5, dtype=np.float32)[0]})
    np.testing.assert_array_equal(outputs["where"], [[5]])
    np.save(place.folder / "x.npy", np.ones(16, np.float32))  # sixteen rows do not fit into four: no result at all
    for file in (place.folder / "out").iterdir():
        file.unlink()
    result = skua("run", place.cache, "non_zero", "--input", f"x={place.folder / 'x.npy'}", "--output-dir",
                  place.folder / "out", "--json")
    programs.error_of(result, programs.INFERENCE, "output_overflow", "non_zero")
    assert not list((place.folder / "out").iterdir())


def test_dynamic_shapes_inside_and_outside_the_profile(skua, place):
    model = tiny_models.dynamic_batch(place.models / "dynamic.onnx")
    check_against_reference(skua, place, model, {"x": random(15, 2, 8)}, ["y"],
                            compile_more=("--profile", "x:1x8:2x8:4x8"))
    for batch in (1, 3, 4):
        inputs = {"x": random(batch, batch, 8)}
        _, outputs = run_model(skua, place, place.cache, "dynamic", inputs)
        np.testing.assert_allclose(outputs["y"], reference(model, inputs, ["y"])["y"], rtol=1e-5, atol=1e-6)
    for shape in ((5, 8), (0, 8), (2, 7), (2, 8, 1), (8,)):
        np.save(place.folder / "x.npy", np.zeros(shape, np.float32))
        for more in ((), ("--repeat", "2")):
            result = skua("run", place.cache, "dynamic", "--input", f"x={place.folder / 'x.npy'}", "--output-dir",
                          place.folder / "refused", "--json", *more)
            programs.error_of(result, USAGE, "shape_mismatch", "x")
            assert not list((place.folder / "refused").iterdir())


def test_dynamic_model_without_a_profile(skua, place):
    model = tiny_models.dynamic_batch(place.models / "dynamic.onnx")
    result = skua("compile", model, "--out", place.cache, "--precision", "fp32", *CPU, "--json")
    programs.error_of(result, USAGE, "profile_mismatch", "x")


def test_repeated_runs_on_bound_memory(skua, flight):
    inputs = {"x": random(16, 1, 8)}
    report, outputs = run_model(skua, flight, flight.sets, "add_relu", inputs, *programs.UNSIGNED, "--repeat", "50")
    assert report["latency"]["count"] == 50
    assert 0 < report["latency"]["p50_us"] <= report["latency"]["p95_us"] <= report["latency"]["max_us"]
    expected = reference(flight.models / "add_relu.onnx", inputs, ["y"])["y"]
    np.testing.assert_allclose(outputs["y"], expected, rtol=1e-5, atol=1e-6)


def test_several_runs_of_one_load(skua, flight):
    files = []
    for i in range(3):
        np.save(flight.folder / f"x{i}.npy", random(20 + i, 1, 8))
        files += ["--input", f"x={flight.folder}/x{i}.npy"]
    report = skua.ok("run", flight.sets, "add_relu", *files, "--output-dir", flight.folder / "out", *programs.UNSIGNED,
                     "--json")
    assert len(report["runs"]) == 3
    for i, one in enumerate(report["runs"]):
        inputs = {"x": np.load(flight.folder / f"x{i}.npy")}
        expected = reference(flight.models / "add_relu.onnx", inputs, ["y"])["y"]
        np.testing.assert_allclose(np.load(one["outputs"]["y"]), expected, rtol=1e-5, atol=1e-6)


# ---- provision -------------------------------------------------------------------------------------------------------

def test_first_provisioning(original):
    """All three compiled, the set complete, CURRENT naming it."""
    report = original.report
    assert report["is_published"] is True and report["release_sequence"] == 1
    assert [entry["name"] for entry in report["engines"]] == ["add_relu", "several", "non_zero"]
    assert not any(entry["is_reused"] for entry in report["engines"])
    assert (original.sets / "CURRENT").read_text("ascii") == report["set_id"] + "\n"
    assert original.current() == pathlib.Path(report["folder"])
    document = json.loads((original.current() / "flight-manifest.json").read_text("ascii"))
    listed = {entry["name"] for entry in document["files"]}
    there = {str(path.relative_to(original.current())) for path in original.current().rglob("*") if path.is_file()}
    assert there - listed == {"flight-manifest.json"} and listed <= there
    assert all(len(entry["sha256"]) == SHA256 for entry in document["files"])
    assert trees.leftovers(original.sets) == trees.leftovers(original.cache) == []
    linked = [path for path in original.sets.rglob("*") if path.is_file() and path.stat().st_nlink != 1]
    assert linked == []


def test_unchanged_content_publishes_nothing(skua, flight):
    before = trees.tree(flight.sets), trees.tree(flight.cache)
    report = skua.ok(*flight.provision_arguments(flight.yaml), "--json")
    assert report["is_published"] is False and report["set_id"] == flight.current().name
    assert all(entry["is_reused"] and entry["why_built"] == "" for entry in report["engines"])
    cache = trees.tree(flight.cache)
    cache.pop("source.digests", None)  # what may be remembered; only of models that had come to rest
    assert (trees.tree(flight.sets), cache) == before


def test_changed_model_publishes_a_new_set(skua, flight):
    old = flight.current()
    before = trees.tree(old)
    tiny_models.add_relu(flight.models / "add_relu.onnx", seed=99)
    report = skua.ok(*flight.provision_arguments(flight.yaml), "--json")
    reused = {entry["name"]: entry["is_reused"] for entry in report["engines"]}
    assert report["is_published"] and report["release_sequence"] == 2
    assert reused == {"add_relu": False, "several": True, "non_zero": True}
    assert flight.current() != old and flight.current().name == report["set_id"]
    assert trees.tree(old) == before  # a published set is never changed
    for folder in (old, flight.current()):
        skua.ok("verify", folder, *programs.UNSIGNED)
    inputs = {"x": random(17, 1, 8)}
    _, new_outputs = run_model(skua, flight, flight.sets, "add_relu", inputs, *programs.UNSIGNED)
    _, old_outputs = run_model(skua, flight, old, "add_relu", inputs, *programs.UNSIGNED)
    expected = reference(flight.models / "add_relu.onnx", inputs, ["y"])["y"]
    np.testing.assert_allclose(new_outputs["y"], expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(old_outputs["y"], expected)


def test_given_id_and_sequence(skua, flight):
    networks = [{"name": "add_relu", "onnx": flight.models / "add_relu.onnx", "precision": "fp32"}]
    yaml = flight.set_yaml(networks, set_id="autumn.trial-2", release_sequence=40)
    report = skua.ok(*flight.provision_arguments(yaml), "--json")
    assert (report["set_id"], report["release_sequence"]) == ("autumn.trial-2", 40)
    assert report["engines"][0]["is_reused"]
    before = trees.tree(flight.sets)
    again = skua.ok(*flight.provision_arguments(yaml), "--json")
    assert again["is_published"] is False and trees.tree(flight.sets) == before
    older = flight.set_yaml(networks, set_id="winter", release_sequence=39)
    result = skua(*flight.provision_arguments(older), "--json")
    programs.error_of(result, USAGE, None, "39", "40")
    assert trees.tree(flight.sets) == before


def test_criticality_orders_the_manifest(skua, flight):
    networks = [{"name": name, "onnx": flight.models / f"{name}.onnx", "precision": "fp32", "criticality": order}
                for name, order in (("add_relu", 7), ("several", 3))]
    skua.ok(*flight.provision_arguments(flight.set_yaml(networks)))
    document = json.loads((flight.current() / "flight-manifest.json").read_text("ascii"))
    assert [artifact["name"] for artifact in document["artifacts"]] == ["several", "add_relu"]
    assert skua("verify", flight.sets, *programs.UNSIGNED).returncode == DONE
