"""Compiling and running TorchScript networks on the default runtime, and demanding that it refuses."""

import json
import pathlib

import numpy as np

import programs
import tiny_torchscripts as tiny
import trees

RUNTIME = "pytorch_fp16"
ROW = "x:1x8:1x8:1x8"  # the profile of a network that takes one x of [1,8]
WIDENED, NATIVE = "fp16 weights, fp32 arithmetic", "fp16"


def networks(models):
    """What SET.yaml says of the provisioned place; `models` is None where the files are there already."""
    if models is None:
        models = pathlib.Path("models")
    else:
        tiny.matmul_relu(models / "matmul_relu.pt")
        tiny.save(models / "threes.pt", tiny.Threes(), io_text=tiny.io_of({"x": ("int64", (16,))}, ["where"]))
    return [{"name": "matmul_relu", "pt": models / "matmul_relu.pt", "precision": "fp16"},
            {"name": "threes", "pt": models / "threes.pt", "precision": "fp16",
             "max_output_shapes": {"where": "14x1"}}]


def compile_model(skua, model, cache, *more, profile=ROW):
    """`skua compile` on the default runtime; without --precision when `more` has a --config."""
    given = () if "--config" in more else ("--precision", "fp16")
    profiles = () if profile is None else ("--profile", profile)
    return skua("compile", model, "--out", cache, "--json", *given, *profiles, *more)


def compiled(skua, model, cache, *more, profile=ROW):
    """Compiles, demands success, and returns the build record's engine."""
    result = compile_model(skua, model, cache, *more, profile=profile)
    assert result.returncode == programs.DONE, f"{result.stdout}\n{result.stderr}"
    return record(pathlib.Path(programs.document(result)["path"]))


def record(artifact):
    return json.loads(beside(artifact, ".json").read_text("ascii"))["engine"]


def beside(artifact, suffix):
    return artifact.with_name(artifact.name + suffix)


def engine(folder, model="matmul_relu"):
    """The artifact of `model` in a cache or a set."""
    (found,) = folder.glob(f"{model}__*.pt")
    return found


def refuse(skua, model, cache, reason, *words, status=programs.BUILD_FAILED, more=(), profile=ROW):
    """The model is refused, and the cache is as it was, staging and all."""
    before = trees.tree(cache)
    error = programs.error_of(compile_model(skua, model, cache, *more, profile=profile), status, reason, *words)
    assert trees.tree(cache) == before
    assert "frame #" not in error["message"] and len(error["message"]) < 1200, error
    if status == programs.BUILD_FAILED:
        assert error["class"] == "EngineBuildError"
    return error


def run(skua, folder, arrays, *more, model="matmul_relu"):
    """`skua run` with `arrays` {name: array}; the outputs go to "out" beside `folder`, which is emptied before."""
    out = folder.parent / "out"
    for path in out.glob("*"):
        path.unlink()
    inputs = []
    for name, array in arrays.items():
        np.save(folder.parent / f"{name}.npy", array)
        inputs += ["--input", f"{name}={folder.parent / name}.npy"]
    return skua("run", folder, model, *inputs, "--output-dir", out, *programs.UNSIGNED, "--json", *more)


def outputs_of(result):
    """{name: array} of a run that went well."""
    assert result.returncode == programs.DONE, f"{result.stdout}\n{result.stderr}"
    (only,) = programs.document(result)["runs"]
    return {name: np.load(path) for name, path in only["outputs"].items()}


def row(*shape):
    """Values of both signs, none of them zero."""
    shape = shape or (1, tiny.WIDTH)
    return np.linspace(-1, 0.9, int(np.prod(shape)), dtype=np.float32).reshape(shape)
