"""Plans for the runtime tensorrt, from a model to a run: compile, provision, verify, run.

Needs a build over the software-in-the-loop SDK of tests/sil: `make sil`, or SKUA_BUILD_DIR=build/sil.
"""

import json

import numpy as np
import onnxruntime
import programs
import pytest
import sil_build
import tiny_models
from onnx import TensorProto, helper, numpy_helper
from places import Place, tiny_networks

PROFILE = "x:1x8:4x8:16x8"


def dynamic_mlp(path):
    """x [n,8] -> y [n,4], two products and a Relu."""
    initializers = [numpy_helper.from_array(tiny_models.weights(1, 8, 16), "w0"),
                    numpy_helper.from_array(tiny_models.weights(2, 16, 4), "w1")]
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["a"], "first"), helper.make_node("Relu", ["a"], ["b"], "relu"),
             helper.make_node("MatMul", ["b", "w1"], ["y"], "second")]
    info = helper.make_tensor_value_info
    return tiny_models.write(path, tiny_models.network(nodes, [info("x", TensorProto.FLOAT, ["n", 8])],
                                                       [info("y", TensorProto.FLOAT, ["n", 4])], initializers))


def compile_command(place, *more):
    return ("compile", dynamic_mlp(place.models / "mlp.onnx"), "--runtime", "tensorrt", "--out", place.cache, *more)


def run_rows(trt, place, source, *more):
    """The outputs for three rows, and what ONNX Runtime itself gives for them."""
    x = np.arange(24, dtype=np.float32).reshape(3, 8) / 24
    np.save(place.folder / "x.npy", x)
    trt.ok("run", source, "mlp", "--runtime", "tensorrt", "--input", f"x={place.folder / 'x.npy'}", "--output-dir",
           place.folder / "out", *more)
    expected = onnxruntime.InferenceSession(place.models / "mlp.onnx").run(None, {"x": x})[0]
    return np.load(place.folder / "out" / "y.npy"), expected


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_compiled_plan_runs_and_equals_its_source(trt, place, precision):
    engine = trt.ok(*compile_command(place, "--precision", precision, "--profile", PROFILE), "--json")["engine"]
    assert engine["file"] == f"mlp__sm0_jp0_trt0_{precision}.engine"
    assert engine["proven"] and engine["options"]["provider"] == "sil"
    assert "onnxruntime" in engine["golden"]["origin"]
    found, expected = run_rows(trt, place, place.cache)
    assert np.array_equal(found, expected)


def test_trtexec_builds_a_plan_of_the_same_contract(trt, place):
    own = trt.ok(*compile_command(place, "--precision", "fp32", "--profile", PROFILE), "--json")["engine"]
    config = place.folder / "build.json"
    config.write_text(json.dumps({"precision": "fp32", "build_route": "trtexec",
                                  "optimization_profiles": [{"input": "x", "min": [1, 8], "opt": [4, 8],
                                                             "max": [16, 8]}]}))
    tool = trt.ok(*compile_command(place, "--config", config, "--set", f"trtexec={sil_build.TRTEXEC}"), "--json")["engine"]
    assert (own["options"]["build_route"], tool["options"]["build_route"]) == ("builder", "trtexec")
    for part in ("inputs", "outputs", "profiles", "device_memory_bytes", "model_sha256"):
        assert tool[part] == own[part]
    found, expected = run_rows(trt, place, place.cache)
    assert np.array_equal(found, expected)


def test_provision_compiles_once_and_what_it_publishes_runs(trt, place):
    networks = [*tiny_networks(place.models),
                {"name": "mlp", "onnx": dynamic_mlp(place.models / "mlp.onnx"), "precision": "fp32",
                 "profiles": [{"input": "x", "min": "1x8", "opt": "4x8", "max": "16x8"}]}]
    yaml = place.set_yaml(networks, runtime="tensorrt", execution_provider=None)
    first = trt.ok(*place.provision_arguments(yaml), "--json")
    again = trt.ok(*place.provision_arguments(yaml), "--json")
    assert first["set_id"] == again["set_id"]
    assert not [name for name in place.current().iterdir() if name.suffix == ".timing_cache"]
    trt.ok("verify", place.current(), *programs.UNSIGNED)
    found, expected = run_rows(trt, place, place.current(), *programs.UNSIGNED)
    assert np.array_equal(found, expected)


def test_no_gate_accepts_an_unproven_plan(trt, place):
    engine = trt.ok(*compile_command(place, "--precision", "fp16", "--profile", PROFILE, "--unproven"), "--json")
    assert not engine["engine"]["proven"]
    np.save(place.folder / "x.npy", np.zeros((1, 8), np.float32))
    refused = trt("run", place.cache, "mlp", "--input", f"x={place.folder / 'x.npy'}", "--output-dir",
                  place.folder / "out", "--json")
    assert refused.returncode == programs.REFUSED
    assert programs.document(refused)["error"]["reason"] == "engine_unproven"
    # Provisioning does not take it either: it builds anew.
    yaml = place.set_yaml([{"name": "mlp", "onnx": place.models / "mlp.onnx", "precision": "fp16",
                            "profiles": [{"input": "x", "min": "1x8", "opt": "4x8", "max": "16x8"}]}],
                          runtime="tensorrt", execution_provider=None)
    trt.ok(*place.provision_arguments(yaml))


@pytest.mark.parametrize(("more", "reason"), [
    (("--precision", "int8", "--calibration-dataset", "."), "data_set_malformed"),
    (("--precision", "fp32"), "profile_mismatch"),
    (("--precision", "fp32", "--profile", PROFILE, "--profile", "ghost:1:1:1"), "profile_mismatch"),
    (("--precision", "fp32", "--profile", PROFILE, "--workspace-mb", "100000000"), "out_of_memory"),
])
def test_what_cannot_be_built_is_refused_and_leaves_nothing(trt, place, more, reason):
    refused = trt(*compile_command(place, *more), "--json")
    assert programs.document(refused)["error"]["reason"] == reason
    assert refused.returncode in (programs.USAGE, programs.BUILD_FAILED, programs.OUT_OF_MEMORY)
    assert not place.cache.exists() or not list(place.cache.iterdir())


def test_timeout_ends_a_build(trt, place):
    tool = place.folder / "tool.sh"
    tool.write_text("#!/bin/sh\nexec sleep 600\n")
    tool.chmod(0o700)
    config = place.folder / "build.json"
    config.write_text(json.dumps({"precision": "fp32", "build_route": "trtexec",
                                  "optimization_profiles": [{"input": "x", "min": [1, 8], "opt": [4, 8],
                                                             "max": [16, 8]}]}))
    refused = trt(*compile_command(place, "--config", config, "--set", f"trtexec={tool}", "--timeout", "1"), "--json")
    assert refused.returncode == programs.BUILD_FAILED
    assert programs.document(refused)["error"]["reason"] == "builder_timeout"
    assert not list(place.cache.iterdir())
