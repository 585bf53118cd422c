"""Compiling in a confined build process: it works, says how it was confined, and what it may not do is a typed error
that leaves the cache as it was."""

import json

import numpy as np
from onnx import TensorProto, helper
import pytest

import programs
import tiny_models
import trees
from places import CPU
from test_quiet import NO_TRACE

COMPILE = ("--precision", "fp32", *CPU, "--json")
traced = pytest.mark.skipif(NO_TRACE is not None, reason=f"strace: {NO_TRACE}")


def confinement_of(cache):
    (record,) = (path for path in cache.glob("*.json"))
    return json.loads(record.read_text("utf-8"))["engine"]["proof"]["confinement"]


def hungry(path, floats):
    """A few hundred bytes that want a tensor of `floats` times four bytes."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], np.array([1, floats], np.int64))
    nodes = [helper.make_node("Expand", ["x", "shape"], ["wide"]),
             helper.make_node("ReduceSum", ["wide"], ["y"], keepdims=1)]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])]
    return tiny_models.write(path, tiny_models.network(nodes, inputs, outputs, [shape]))


def test_record_says_how_the_build_was_confined(skua, place):
    model = tiny_models.add_relu(place.models / "add_relu.onnx")
    skua.ok("compile", model, "--out", place.cache, *COMPILE)
    assert confinement_of(place.cache).endswith("limits")


def test_network_that_needs_too_much_memory(skua, flight):
    model = hungry(flight.models / "hungry.onnx", 200_000_000)
    before = trees.tree(flight.cache)
    small = skua("compile", model, "--out", flight.cache, *COMPILE, "--set", "build_memory_mb=300")
    programs.error_of(small, programs.BUILD_FAILED, "builder_memory", "300 MiB", "build_memory_mb")
    assert trees.tree(flight.cache) == before
    skua.ok("compile", model, "--out", flight.cache, *COMPILE, "--set", "build_memory_mb=4000")  # control


@traced
@pytest.mark.parametrize("missing, left", [("landlock_create_ruleset", "seccomp, limits"), ("seccomp", None)])
def test_system_that_lacks_a_means(skua, place, missing, left):
    """The build goes on with what there is, says so at WARN, and the record keeps it."""
    model = tiny_models.add_relu(place.models / "add_relu.onnx")
    lacking = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={missing}", "-e", f"inject={missing}:error=ENOSYS"]
    result = skua("compile", model, "--out", place.cache, *COMPILE, prefix=lacking)
    assert result.returncode == programs.DONE, result.stderr
    assert "cannot confine the build process" in result.stderr
    found = confinement_of(place.cache)
    assert missing.split("_")[0] not in found and (left is None or found == left)


@traced
def test_system_that_refuses_a_means(skua, place):
    model = tiny_models.add_relu(place.models / "add_relu.onnx")
    refusing = ["strace", "-f", "-o", "/dev/null", "-e", "trace=landlock_restrict_self", "-e",
                "inject=landlock_restrict_self:error=E2BIG"]
    result = skua("compile", model, "--out", place.cache, *COMPILE, prefix=refusing)
    if "cannot confine" in result.stderr:
        pytest.skip("this kernel has no Landlock")
    programs.error_of(result, programs.BUILD_FAILED, "builder_confinement", "Landlock")
    assert trees.leftovers(place.cache) == []
