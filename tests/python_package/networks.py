"""The networks of these tests: an identity-like matcher, a slow one, and the tiny ones of tests/e2e."""

import subprocess
import sys

import numpy as np
import package
import programs
import tiny_models
from onnx import TensorProto, helper, numpy_helper
from places import Place, tiny_networks

KEYPOINTS, DESCRIPTOR = 6, 4  # as in torch_networks.py
SLOW_SIZE = 384


def _info(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def matcher(path):
    """LightGlue's contract with one answer for each keypoint: the one whose descriptor is the most alike."""
    nodes = [helper.make_node("Transpose", ["desc1"], ["turned"], perm=[0, 2, 1]),
             helper.make_node("MatMul", ["desc0", "turned"], ["likeness"]),
             helper.make_node("ReduceSum", ["kpts0"], ["sum0"], keepdims=0),
             helper.make_node("ReduceSum", ["kpts1"], ["sum1"], keepdims=0),
             helper.make_node("Add", ["sum0", "sum1"], ["sum"]), helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
             helper.make_node("Add", ["likeness", "nothing"], ["likely"]),
             helper.make_node("ArgMax", ["likely"], ["matches"], axis=-1, keepdims=0),
             helper.make_node("ReduceMax", ["likely"], ["scores"], axes=[-1], keepdims=0)]
    sides = [_info(f"kpts{n}", TensorProto.FLOAT, [1, KEYPOINTS, 2]) for n in (0, 1)]
    sides += [_info(f"desc{n}", TensorProto.FLOAT, [1, KEYPOINTS, DESCRIPTOR]) for n in (0, 1)]
    outputs = [_info("matches", TensorProto.INT64, [1, KEYPOINTS]), _info("scores", TensorProto.FLOAT, [1, KEYPOINTS])]
    zero = numpy_helper.from_array(np.float32(0), "zero")
    return tiny_models.write(path, tiny_models.network(nodes, sides, outputs, [zero]))


def slow(path, rounds=120):
    """x [384,384] -> y: matrix products that take some tenths of a second together."""
    size = SLOW_SIZE
    weights = numpy_helper.from_array(tiny_models.weights(3, size, size) / np.float32(np.sqrt(size)), "w")
    names = ["x", *(f"p{n}" for n in range(rounds - 1)), "y"]
    nodes = [helper.make_node("MatMul", [before, "w"], [after]) for before, after in zip(names, names[1:])]
    shape = [size, size]
    model = tiny_models.network(nodes, [_info("x", TensorProto.FLOAT, shape)], [_info("y", TensorProto.FLOAT, shape)],
                                [weights])
    return tiny_models.write(path, model)


def listed(models):
    """What SET.yaml says of them."""
    dynamic = [{"input": "x", "min": "1x8", "opt": "2x8", "max": "4x8"}]
    return tiny_networks(models) + [
        {"name": "dynamic", "onnx": tiny_models.dynamic_batch(models / "dynamic.onnx"), "precision": "fp32",
         "profiles": dynamic},
        {"name": "half", "onnx": tiny_models.half(models / "half.onnx"), "precision": "fp16"},
        {"name": "integers", "onnx": tiny_models.integers(models / "integers.onnx"), "precision": "fp32"},
        {"name": "matcher", "onnx": matcher(models / "matcher.onnx"), "precision": "fp32"},
        {"name": "slow", "onnx": slow(models / "slow.onnx"), "precision": "fp32"}]


def provisioned(folder):
    """A place with a set of the CPU provider."""
    (folder / "home").mkdir()
    place = Place(folder)
    yaml = place.set_yaml(listed(place.models))
    programs.Programs(folder / "home").ok(*place.provision_arguments(yaml), "--json")
    return place


def signed(folder):
    """A place with a signed set of pytorch_fp16, and the configuration of an aircraft that trusts its key."""
    (folder / "home").mkdir()
    skua = programs.Programs(folder / "home")
    place = Place(folder)
    subprocess.run([sys.executable, package.ROOT / "tests/python_package/torch_networks.py", place.models], check=True)
    skua.ok("keygen", folder / "flight")
    networks = [{"name": name, "pt": place.models / f"{name}.pt", "precision": "fp16"}
                for name in ("matcher", "matmul_relu")]
    yaml = place.set_yaml(networks, runtime=None, execution_provider=None)
    skua.ok(*place.provision_arguments(yaml), "--sign", folder / "flight.key", "--json")
    place.key = folder / "flight.pub"
    return place
